"""A running gateway with two workspaces, each with a key, and clients that ask it over its HTTP port."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from gateway.net.tls import http_context
from gateway.routing.table import NumberStatus, Workspace
from gateway.store.key_ring import ApiKey
from tests.api.carrier import Carrier
from tests.call.world import World
from tests.whole.conftest import House, Open, agents, open_house  # noqa: F401  fixtures

# Fixtures are arguments by their names.
# ruff: noqa: F811


@dataclass
class Api:
    """The API of a gateway, as a client with a key sees it."""

    house: House
    client: httpx2.AsyncClient
    "With the key of `org_test`."
    stranger: httpx2.AsyncClient
    "With a key of another workspace."
    key: ApiKey

    def with_key(self, key: str) -> httpx2.AsyncClient:
        """The same gateway, asked with this `Authorization`."""
        return client_of(self.house, key)


def client_of(house: House | World, authorization: str = "") -> httpx2.AsyncClient:
    """A client of a gateway's HTTP port."""
    headers = {"Authorization": authorization} if authorization else {}
    return httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{house.gateway.http.port}",
        headers=headers,
        timeout=20,
        trust_env=False,
        verify=http_context(),
    )


async def opened(house: House) -> AsyncIterator[Api]:
    """The API of a house that is furnished."""
    there = house.store.configuration
    await there.workspaces.add(Workspace("org_other", "Other"), "test")
    key, secret = await there.keys.add("org_test", "tests", "test")
    other, other_secret = await there.keys.add("org_other", "strangers", "test")
    async with (
        client_of(house, f"Bearer {key.id}:{secret}") as client,
        client_of(house, f"Bearer {other.id}:{other_secret}") as stranger,
    ):
        yield Api(house, client, stranger, key)


@pytest.fixture
async def api(open_house: Open) -> AsyncIterator[Api]:
    """The API of a gateway with a number that an agent answers."""
    house = await open_house()
    await house.furnish()
    async for made in opened(house):
        yield made


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    """A carrier that answers."""
    made = Carrier()
    await made.start()
    yield made
    await made.stop()


async def furnish_out(house: House, carrier: Carrier) -> None:
    """Let the number of a furnished house place calls through a carrier."""
    there = house.store.configuration
    await there.workspaces.change("org_test", {"kyc_verified": True, "sip_byoc_enabled": True}, "test")
    await there.trunks.change("trunk_test", {"termination_uri": carrier.uri}, "test")
    linked = {"sip_trunk_enabled": True, "trunk_id": "trunk_test", "status": NumberStatus.ACTIVE}
    await there.numbers.change("phn_test", linked, "test")
    version = (await there.agents.versions("agent_test"))[0]
    await there.numbers.assign("phn_test", "outbound", version.id, "test")
    await house.store.refresh()


@pytest.fixture
async def out(api: Api, carrier: Carrier) -> Api:
    """The API of a gateway whose number may call out through the carrier."""
    await furnish_out(api.house, carrier)
    return api
