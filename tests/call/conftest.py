"""Whole calls: a gateway, a runtime and a phone on loopback, in one process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.call.phone import Phone
from tests.call.runtime import Runtime, runtime
from tests.call.world import World

Build = Callable[..., Awaitable[World]]
MakePhone = Callable[..., Awaitable[Phone]]


@pytest.fixture
async def agent() -> AsyncIterator[Runtime]:
    """The runtime that the gateway dials."""
    async with runtime() as made:
        yield made


@pytest.fixture
async def build(tmp_path: Path, agent: Runtime) -> AsyncIterator[Build]:
    """Makes a gateway with some settings changed; it is closed, and looked after, at the end."""
    async with AsyncExitStack() as stack:

        async def make(**settings: object) -> World:
            world = World(tmp_path / "data", agent, settings)
            await world.start()
            stack.push_async_callback(world.close)
            return world

        yield make


@pytest.fixture
async def world(build: Build) -> World:
    """A gateway with the quick settings."""
    return await build()


@pytest.fixture
async def make_phone() -> AsyncIterator[MakePhone]:
    """Makes telephones."""
    async with AsyncExitStack() as stack:

        async def make(host: str = "127.0.0.1", **options: object) -> Phone:
            phone = Phone(host, **options)  # type: ignore[arg-type]  # handed through
            await phone.endpoint.start()
            stack.push_async_callback(phone.stop)
            return phone

        yield make


@pytest.fixture
async def phone(make_phone: MakePhone) -> Phone:
    """A telephone on 127.0.0.1."""
    return await make_phone()
