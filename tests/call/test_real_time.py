"""What an agent that streams is late by, behind whatever stopped its audio: by real sockets."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from tests.call.phone import Leg, Phone, sdp
from tests.call.runtime import Runtime, Talk
from tests.call.test_audio import connected
from tests.call.world import World

LOUD = 0x20
"In G.711; the time stands in six of the bits of each of three bytes, none of which is silent."


def _stamped(now: float) -> bytes:
    """20 ms of sound that says when it was sent, to the millisecond."""
    count = int(now * 1000) % (1 << 15)
    stamp = bytes(LOUD + (count >> shift & 31) for shift in (10, 5, 0))
    return b"\x10\x11\x12" + stamp + bytes([0x4F]) * 154


def _late(frame: bytes, at: float) -> int | None:
    """Milliseconds on the way; None where it cannot be told."""
    start = frame.find(b"\x10\x11\x12")
    if start < 0 or start > 154:
        return None
    high, middle, low = (byte - LOUD for byte in frame[start + 3 : start + 6])
    sent = (high << 10) + (middle << 5) + low
    return int(at * 1000 - sent) % (1 << 15)


class Streaming:
    """An agent that says the time in real time, unless it is stopped; then all of it follows at once."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.stalled = False
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if not self.stalled:
                while due <= loop.time():
                    await self._talk.say(_stamped(due))
                    due += 0.02
            await asyncio.sleep(max(0.001, due - loop.time()))

    def stop(self) -> None:
        """Say nothing more."""
        self._task.cancel()


async def hold(world: World, phone: Phone, leg: Leg, agent: Streaming) -> None:
    """Two seconds of it."""
    await leg.reinvite(sdp(phone.sound.port, direction="sendonly", version=2))
    await asyncio.sleep(2)
    await leg.reinvite(sdp(phone.sound.port, version=3))


async def stall_us(world: World, phone: Phone, leg: Leg, agent: Streaming) -> None:
    """As if the process, in which all of them are, had been stopped for a second."""
    time.sleep(1)  # noqa: ASYNC251


async def stall_the_agent(world: World, phone: Phone, leg: Leg, agent: Streaming) -> None:
    """It says nothing for a second, and then all of it."""
    agent.stalled = True
    await asyncio.sleep(1)
    agent.stalled = False


@pytest.mark.parametrize("dialect", ["native", "twilio"])
@pytest.mark.parametrize("disturb", [hold, stall_us, stall_the_agent])
async def test_a_stream_is_on_time_again(
    world: World,
    agent: Runtime,
    phone: Phone,
    disturb: Callable[[World, Phone, Leg, Streaming], Awaitable[None]],
    dialect: str,
) -> None:
    """Two seconds behind it the caller hears what is said now, and the record says what was left out."""
    leg, talk = await connected(world, agent, phone, dialect=dialect)
    stream = Streaming(talk)
    await asyncio.sleep(3)
    await disturb(world, phone, leg, stream)
    await asyncio.sleep(2)
    before = len(phone.sound.packets)
    await asyncio.sleep(0.5)
    found = [_late(one.packet.payload, one.at) for one in phone.sound.packets[before:]]
    late = [one for one in found if one is not None]
    assert len(late) > 15
    assert sorted(late)[len(late) // 2] < 200
    stream.stop()
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    figures = cast("dict[str, int]", row.media["agent"])
    assert figures["elapsed_ms"] + figures["shortened_ms"] > 500
