"""A running gateway with two workspaces, each with a key, and clients that ask it over its HTTP port."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from gateway.routing.table import Workspace
from gateway.store.keys import ApiKey
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


def client_of(house: House, authorization: str = "") -> httpx2.AsyncClient:
    """A client of a gateway's HTTP port."""
    headers = {"Authorization": authorization} if authorization else {}
    return httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{house.gateway.http.port}", headers=headers, timeout=20, trust_env=False
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
