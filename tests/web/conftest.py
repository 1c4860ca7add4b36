"""A gateway with its dashboard, and somebody who visits it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from gateway.routing.table import Workspace
from gateway.store.configuration import passwords
from gateway.store.engine.ids import new_id
from tests.call.conftest import agent, build, make_phone, phone, world  # noqa: F401  fixtures
from tests.call.world import World
from tests.web.visitor import PASSWORD, Visitor

# Fixtures are arguments by their names.
# ruff: noqa: F811

Enter = Callable[..., Awaitable[Visitor]]


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing at full cost is one test's business."""
    monkeypatch.setattr(passwords, "COST", 2**4)
    monkeypatch.setattr(passwords, "LANES", 1)


@pytest.fixture
async def enter(world: World) -> AsyncIterator[Enter]:
    """Lets somebody in who has an account in a workspace; the gateway's own unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def make(name: str = "anna@example.com", workspace: Workspace | None = None) -> Visitor:
            store = world.gateway.store
            await store.accounts.add((workspace or world.workspace).id, name, PASSWORD, "test")
            visitor = Visitor(world.gateway.http.port)
            stack.push_async_callback(visitor.http.aclose)
            answer = await visitor.log_in(name)
            assert answer.status_code == 303, answer.text
            return visitor

        yield make


@pytest.fixture
async def anna(enter: Enter) -> Visitor:
    """Somebody who is logged in."""
    return await enter()


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[Visitor]:
    """Somebody who is not."""
    visitor = Visitor(world.gateway.http.port)
    yield visitor
    await visitor.http.aclose()


@pytest.fixture
async def other(world: World) -> Workspace:
    """Another tenant."""
    book = world.gateway.store.configuration
    return await book.workspaces.add(Workspace(new_id("org"), "Other"), "test")
