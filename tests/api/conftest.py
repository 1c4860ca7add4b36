"""A running gateway with two workspaces, each with a key, and clients that ask it over its HTTP port."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from gateway.net.tls import http_context
from gateway.routing.table import NumberStatus, Workspace
from gateway.store.configuration.key_ring import ApiKey
from tests.api.carrier import Carrier
from tests.call.conftest import Build, agent, build, make_phone, phone, world  # noqa: F401  fixtures
from tests.call.world import World

# Fixtures are arguments by their names.
# ruff: noqa: F811

NUMBER = "+442079460018"


@dataclass
class Api:
    """The API of a gateway, as a client with a key sees it."""

    world: World
    client: httpx2.AsyncClient
    "With the key of `org_test`."
    stranger: httpx2.AsyncClient
    "With a key of another workspace."
    key: ApiKey

    def with_key(self, key: str) -> httpx2.AsyncClient:
        """The same gateway, asked with this `Authorization`."""
        return client_of(self.world, key)


def client_of(world: World, authorization: str = "") -> httpx2.AsyncClient:
    """A client of a gateway's HTTP port."""
    headers = {"Authorization": authorization} if authorization else {}
    return httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{world.gateway.http.port}",
        headers=headers,
        timeout=20,
        trust_env=False,
        verify=http_context(),
    )


async def furnished(build: Build, **settings: object) -> World:
    """A gateway with a number that a native agent answers."""
    world = await build(**settings)
    await world.line(NUMBER, dialect="native")
    return world


async def opened(world: World) -> AsyncIterator[Api]:
    """The API of a gateway that is furnished."""
    there = world.store.configuration
    await there.workspaces.add(Workspace("org_other", "Other"), "test")
    key, secret = await there.keys.add("org_test", "tests", "test")
    other, other_secret = await there.keys.add("org_other", "strangers", "test")
    async with (
        client_of(world, f"Bearer {key.id}:{secret}") as client,
        client_of(world, f"Bearer {other.id}:{other_secret}") as stranger,
    ):
        yield Api(world, client, stranger, key)


@pytest.fixture
async def api(build: Build) -> AsyncIterator[Api]:
    """The API of a gateway with a number that an agent answers."""
    async for made in opened(await furnished(build)):
        yield made


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    """A carrier that answers."""
    made = Carrier()
    await made.start()
    yield made
    await made.stop()


async def furnish_out(world: World, carrier: Carrier) -> None:
    """Let the number of a furnished gateway place calls through a carrier."""
    there = world.store.configuration
    await there.workspaces.change("org_test", {"kyc_verified": True, "sip_byoc_enabled": True}, "test")
    await there.trunks.change("trunk_test", {"termination_uri": carrier.uri}, "test")
    linked = {"sip_trunk_enabled": True, "trunk_id": "trunk_test", "status": NumberStatus.ACTIVE}
    await there.numbers.change("phn_test", linked, "test")
    version = (await there.agents.versions("agent_test"))[0]
    await there.numbers.assign("phn_test", "outbound", version.id, "test")
    await world.store.refresh()


@pytest.fixture
async def out(api: Api, carrier: Carrier) -> Api:
    """The API of a gateway whose number may call out through the carrier."""
    await furnish_out(api.world, carrier)
    return api
