"""What an agent says before the answer, and before it is gone: heard whole, over real sockets."""

import asyncio
import fcntl
import itertools
import socket
import struct
import termios
from array import array
from typing import Any

import pytest

from gateway.sip.events import ByeReceived
from tests.call.phone import Phone, babble, until
from tests.call.runtime import Runtime, Talk
from tests.call.test_audio import connected
from tests.call.world import NUMBER, World

LINGER_NOT = struct.pack("ii", 1, 0)


def reset(talk: Talk) -> None:
    """Crash: the kernel answers for a process that is gone, with RST and without a close frame.

    Not before all has reached our kernel, which is not yet to say that the gateway has read it.
    """
    transport: Any = talk.connection.transport
    one = transport.get_extra_info("socket")
    unsent = array("i", [1])
    while unsent[0]:
        fcntl.ioctl(one.fileno(), termios.TIOCOUTQ, unsent)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()


@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_a_crash_right_behind_the_goodbye(
    world: World, agent: Runtime, phone: Phone, dialect: str
) -> None:
    """The connection is reset in the same moment: what was said is played to its end, then BYE."""
    leg, talk = await connected(world, agent, phone, dialect=dialect)
    goodbye = babble(1203)
    await talk.say(goodbye)
    reset(talk)
    await leg.next(ByeReceived)
    await until(lambda: len(phone.sound.voice()) >= len(goodbye))
    assert phone.sound.voice() == goodbye
    row = await world.ended("failed", "agent_failed", "agent")
    assert "connection lost" in row.detail


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (1011, "its code failed: look at the runtime’s own log"),
        (1008, "secret"),
        (4001, "the code is its own"),
    ],
)
async def test_the_ending_says_what_to_look_at(
    world: World, agent: Runtime, phone: Phone, code: int, advice: str
) -> None:
    """The close code stands in the record, with what the runtime said and what to look at."""
    leg, talk = await connected(world, agent, phone, dialect="native")
    await talk.close(code, "boom")
    await leg.next(ByeReceived)
    row = await world.ended("failed", "agent_failed", "agent")
    assert f"({code} boom); " in row.detail
    assert advice in row.detail


async def test_a_crash_amid_crumbs(world: World, agent: Runtime, phone: Phone) -> None:
    """A second of speech in pieces of 7 ms, and the connection is gone with the last."""
    leg, talk = await connected(world, agent, phone, dialect="native")
    goodbye = babble(1000)
    for start in range(0, len(goodbye), 56):
        await talk.say(goodbye[start : start + 56])
    reset(talk)
    await leg.next(ByeReceived)
    await until(lambda: len(phone.sound.voice()) >= len(goodbye))
    assert phone.sound.voice() == goodbye
    await world.ended("failed", "agent_failed", "agent")


async def test_a_crash_with_somebody_to_take_over(world: World, agent: Runtime, phone: Phone) -> None:
    """The next agent speaks behind what the first one said, not over it."""
    _, talk = await connected(world, agent, phone, dialect="native", fallback_url=agent.url("/second"))
    first, second = babble(600), babble(300, seed=2)
    await talk.say(first)
    reset(talk)
    other = await agent.talk(1)
    await other.say(second)
    await until(lambda: len(phone.sound.voice()) >= len(first) + len(second))
    assert phone.sound.voice() == first + second


async def test_speech_before_the_answer_and_its_end(world: World, agent: Runtime, phone: Phone) -> None:
    """An agent that greets and is gone before our 200 is acknowledged: the greeting is heard, then BYE."""
    greeting = babble(400)

    async def greet(talk: Talk) -> None:
        await talk.say(greeting)

    agent.on_connect = greet
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered(ack=False)
    talk = await agent.talk()
    await talk.message("start")
    reset(talk)
    await asyncio.sleep(0.3)
    assert phone.sound.packets == []
    leg.ack()
    await leg.next(ByeReceived)
    await until(lambda: len(phone.sound.voice()) >= len(greeting))
    assert phone.sound.voice() == greeting
    await world.ended("failed", "agent_failed", "agent")


@pytest.mark.parametrize("manner", ["3.5 times real time", "7 ms crumbs", "one lump"])
async def test_the_same_speech_in_any_manner(world: World, agent: Runtime, phone: Phone, manner: str) -> None:
    """Three seconds, byte for byte, a packet every 20 ms by its timestamps."""
    _, talk = await connected(world, agent, phone, dialect="native")
    speech = babble(3000)
    size = {"3.5 times real time": 280, "7 ms crumbs": 56, "one lump": len(speech)}[manner]
    for start in range(0, len(speech), size):
        await talk.say(speech[start : start + size])
        if manner == "3.5 times real time" and start > 3200:  # a little ahead, for a busy machine's sake
            await asyncio.sleep(0.01)
    await until(lambda: speech[-80:] in phone.sound.heard())
    assert phone.sound.voice() == speech
    voiced = [one.packet for one in phone.sound.packets if one.packet.payload.strip(b"\xff")]
    assert {
        (later.timestamp - earlier.timestamp) % 2**32 for earlier, later in itertools.pairwise(voiced)
    } == {160}
