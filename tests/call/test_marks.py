"""Marks against a packet capture: what the agent is told, and when, beside what really left."""

import asyncio
import json
import random
import time
from collections.abc import Iterator

import pytest

from tests.call.capture import Capture
from tests.call.phone import Phone, babble, until
from tests.call.runtime import Runtime, Talk
from tests.call.test_audio import connected
from tests.call.world import World

SILENT = 0xFF
TEXT = 1


@pytest.fixture
def capture() -> Iterator[Capture]:
    """A capture on loopback."""
    try:
        made = Capture()
    except PermissionError:
        pytest.skip("a packet capture needs root")
    yield made
    made.close()


async def stumble(seconds: float) -> None:
    """Load: the loop that the gateway runs on is held up again and again, for up to two packet times."""
    source = random.Random(1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(source.uniform(0.001, 0.04))  # noqa: ASYNC251 - to be in the way is what it is for
        await asyncio.sleep(source.uniform(0, 0.03))


def left_by(capture: Capture, phone: Phone) -> list[tuple[float, int]]:
    """When each RTP packet left, and how many samples of speech had left by then."""
    assert phone.sound.remote is not None
    spoken, found = 0, []
    for at, packet in capture.rtp(phone.sound.remote[1], phone.sound.port):
        spoken += len(packet.payload) - packet.payload.count(SILENT)
        found.append((at, spoken))
    return found


def marks_told(capture: Capture, agent: Runtime) -> list[tuple[float, str]]:
    """When each mark was sent to the agent, and its name."""
    messages = [
        (at, json.loads(body)) for at, opcode, body in capture.websocket(agent.port) if opcode == TEXT
    ]
    return [
        (at, message["mark"]["name"] if "event" in message else message["name"])
        for at, message in messages
        if "mark" in (message.get("event"), message.get("type"))
    ]


async def speak_with_marks(talk: Talk, manner: str) -> dict[str, int]:
    """Speech with marks in it; the samples before each."""
    source = random.Random(manner)
    positions: dict[str, int] = {}
    spoken = 0
    for number in range(9):
        word = babble(source.randrange(5, 190), seed=number)
        size = 56 if manner == "crumbs" else len(word)
        for start in range(0, len(word), size):
            await talk.say(word[start : start + size])
            if manner == "crumbs":
                await asyncio.sleep(0.002)
        spoken += len(word)
        positions[f"{number}"] = spoken
        await talk.mark(f"{number}")
        if manner == "pauses":
            await asyncio.sleep(source.uniform(0, 0.2))
    return positions


@pytest.mark.parametrize(
    ("dialect", "manner", "load"),
    [
        ("native", "lumps", False),
        ("native", "crumbs", True),
        ("native", "pauses", True),
        ("twilio", "lumps", True),
    ],
)
async def test_marks_by_the_capture(
    world: World, agent: Runtime, phone: Phone, capture: Capture, dialect: str, manner: str, load: bool
) -> None:
    """Each mark goes out behind the packet with the last sample before it, and before the next packet."""
    _, talk = await connected(world, agent, phone, dialect=dialect)
    in_the_way = asyncio.ensure_future(stumble(4.0 if load else 0.0))
    positions = await speak_with_marks(talk, manner)
    await talk.message("mark", len(positions))
    in_the_way.cancel()
    left, told = left_by(capture, phone), marks_told(capture, agent)
    assert [name for _, name in told] == list(positions)
    for at, name in told:
        before = [spoken for when, spoken in left if when <= at]
        last = next(n for n, (_, spoken) in enumerate(left) if spoken >= positions[name])
        assert before[-1] >= positions[name], f"mark {name} was told before its audio had left"
        assert len(before) - 1 == last, (
            f"{len(before) - 1 - last} packets left between the audio and its mark"
        )


@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_marks_at_the_end_of_a_call(world: World, agent: Runtime, phone: Phone, dialect: str) -> None:
    """The caller hangs up: each pending mark is answered once, in order, before the goodbye."""
    leg, talk = await connected(world, agent, phone, dialect=dialect)
    await talk.say(babble(100))
    await talk.mark("heard")
    await talk.message("mark")
    await talk.say(babble(3000, seed=2))
    for name in ("one", "two"):
        await talk.mark(name)
    await until(lambda: len(phone.sound.voice()) > 3000)
    leg.bye()
    await talk.gone()
    assert talk.kinds[-1] == "stop"
    if talk.native:
        assert talk.kinds[-4:] == ["mark", "mark", "cleared", "stop"]
        told = [(mark["name"], mark["played"]) for mark in talk.all("mark")]
        assert told == [("heard", True), ("one", False), ("two", False)]
        unheard = talk.all("cleared")[0]["ms"]
        assert abs(3100 - unheard - len(phone.sound.voice()) / 8) < 60
    else:
        assert [mark["mark"]["name"] for mark in talk.all("mark")] == ["heard", "one", "two"]
    await world.ended("completed", "user_disconnected", "caller")
