"""The telephone that picks up by itself."""

import pytest

from gateway.phones.answering import MOST_AT_ONCE, AnsweringTelephone
from tests.call.conftest import agent, build, world  # noqa: F401  fixtures
from tests.call.phone import until
from tests.call.runtime import Runtime
from tests.call.world import World

# Fixtures are arguments by their names.
# ruff: noqa: F811

pytestmark = pytest.mark.one_loop


async def test_it_rings_answers_and_is_heard(world: World, agent: Runtime) -> None:
    """A call out to it rings, is answered, and the agent hears it speak; one too many finds it busy."""
    async with AnsweringTelephone("127.0.0.1", 0) as phone:
        await world.way_out(f"127.0.0.1:{phone.port}")
        first = await world.place()
        await world.hears("call.ringing")
        await world.hears("call.answered")
        talk = await agent.talk()
        await until(lambda: any(byte not in (0xFF, 0x7F) for byte in talk.audio), 15)
        for _ in range(MOST_AT_ONCE):
            await world.place()
        await until(lambda: any(one.fields.get("reason") == "user_busy" for one in world.told("call.ended")))
        for record in world.gateway.switchboard.running():
            world.gateway.switchboard.hang_up(record.id, "test")
        rows = {row.id: row for row in await world.records()}
        assert rows[first.id].status == "completed"
        assert [row.status for row in rows.values()].count("busy") == 1
