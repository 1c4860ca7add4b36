"""An agent that floods its call: it is told, and the call ends with a reason of its own."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.sip.events import ByeReceived
from tests.call.conftest import Build
from tests.call.phone import Phone
from tests.call.runtime import Runtime, Talk
from tests.call.world import NUMBER

MESSAGES = {
    "mark": '{"type":"mark","name":"m"}',
    "clear": '{"type":"clear"}',
    "nonsense": "{]",
    "digits": '{"type":"digits","digits":"1234567890"}',
    "transfer": '{"type":"transfer","to":"+19005550123"}',
    "recording": '{"type":"recording.start"}',
}


async def flood(talk: Talk, message: str) -> None:
    """Send this until the connection is gone."""
    try:
        while True:
            await talk.connection.send(message)
    except ConnectionClosed:
        pass


@pytest.mark.parametrize("name", MESSAGES)
async def test_an_agent_that_floods_is_cut_off(build: Build, agent: Runtime, phone: Phone, name: str) -> None:
    """One line in the log, an error in its dialect, and `agent_flooded` in the record."""
    world = await build(AGENTS__FLOOD_SECONDS="0.1")
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.message("start")
    async with asyncio.timeout(30):
        await flood(talk, MESSAGES[name])
    await leg.next(ByeReceived)
    row = await world.ended("failed", "agent_flooded", "agent")
    assert row.detail == "the runtime has flooded us with messages"
    assert (await talk.gone())[0] == 1008
    assert len(world.told("agent.flooding")) == 1
    assert len(world.told("call.transfer_failed")) <= 30
    assert any("slowed down" in message["message"] for message in talk.all("error"))
