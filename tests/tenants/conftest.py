"""Two tenants in one gateway, each with a carrier, a number, an agent and an API key of its own.

Ours calls in from 127.0.0.1 and theirs from 127.0.0.2. Of this machine the gateway may be led
to these two and to ::1 alone, as if they were public; 127.0.0.9 is the operator's own network.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from gateway.routing.table import Agent, AgentVersion, Dialect, PhoneNumber, Trunk, Workspace
from gateway.store.engine.ids import new_id
from tests.api.conftest import client_of
from tests.call.conftest import Build, agent, build, make_phone, phone  # noqa: F401  fixtures
from tests.call.world import World

# Fixtures are arguments by their names.
# ruff: noqa: F811

NUMBERS = {"Ours": "+12125550101", "Theirs": "+12125550201"}
SOURCES = {"Ours": "127.0.0.1", "Theirs": "127.0.0.2"}
INSIDE = "127.0.0.9"
"An address of the operator's own network."
OPEN = ["127.0.0.1", "127.0.0.2", "::1"]


@dataclass
class Tenant:
    """One workspace, what is configured in it, and its client of the API."""

    workspace: Workspace
    client: httpx2.AsyncClient
    world: World = field(repr=False)
    trunk: Trunk = field(init=False)
    number: PhoneNumber = field(init=False)

    @property
    def called(self) -> str:
        """Its number."""
        return NUMBERS[self.workspace.name]

    async def furnish(self) -> None:
        """A trunk for its carrier, and a number that the runtime answers."""
        book = self.world.gateway.store.configuration
        trunk = Trunk(
            new_id("trunk"), self.workspace.id, f"{self.workspace.name}’ carrier", sources=(self.source,)
        )
        self.trunk = await book.trunks.add(trunk, "test")
        version = await self.version()
        number = PhoneNumber(new_id("phn"), self.workspace.id, self.called, inbound_version_id=version.id)
        self.number = await book.numbers.add(number, "test")

    @property
    def source(self) -> str:
        """Where its carrier calls from."""
        return SOURCES[self.workspace.name]

    async def version(self, **fields: Any) -> AgentVersion:
        """An agent of its own with one published version; the runtime's URL unless told otherwise."""
        book = self.world.gateway.store.configuration
        made = await book.agents.add(Agent(new_id("agent"), self.workspace.id, new_id("agent")), "test")
        given = {"runtime_url": self.world.runtime.url(), **fields}
        if "dialect" in given:
            given["dialect"] = Dialect(given["dialect"])
        draft = await book.agents.draft(made.id, given, "test")
        return await book.agents.publish(draft.id, "test")

    async def answered_by(self, **fields: Any) -> AgentVersion:
        """Let its number be answered by another version."""
        version = await self.version(**fields)
        await self.world.gateway.store.configuration.numbers.assign(
            self.number.id, "inbound", version.id, "test"
        )
        await self.world.gateway.store.refresh()
        return version

    async def change_trunk(self, **fields: Any) -> None:
        """Change its trunk, and see to it that the gateway knows."""
        self.trunk = await self.world.gateway.store.configuration.trunks.change(self.trunk.id, fields, "test")
        await self.world.gateway.store.refresh()

    async def history(self) -> list[dict[str, Any]]:
        """Its calls, as its key sees them, once no call is left."""
        await self.world.gateway.switchboard.quiet()
        await self.world.gateway.store.flush()
        answer = await self.client.get("/v1/calls")
        assert answer.status_code == 200, answer.text
        return list(answer.json())


@dataclass
class Tenants:
    """A gateway, and the two in it."""

    world: World
    ours: Tenant
    theirs: Tenant


async def furnished(world: World, stack: AsyncExitStack) -> Tenants:
    """Two tenants in a gateway that has started."""
    book, made = world.gateway.store.configuration, []
    await book.trunks.remove(world.trunk.id, "test")
    for name in NUMBERS:
        workspace = await book.workspaces.add(Workspace(new_id("org"), name), "test")
        key, secret = await book.keys.add(workspace.id, "tests", "test")
        client = await stack.enter_async_context(client_of(world, f"Bearer {key.id}:{secret}"))
        tenant = Tenant(workspace, client, world)
        await tenant.furnish()
        made.append(tenant)
    await world.gateway.store.refresh()
    return Tenants(world, *made)


@pytest.fixture
async def tenants(build: Build) -> AsyncIterator[Tenants]:
    """The two of them."""
    world = await build(SECURITY__ALLOW_PRIVATE="no", SECURITY__ALLOWED_NETWORKS=json.dumps(OPEN))
    async with AsyncExitStack() as stack:
        yield await furnished(world, stack)
