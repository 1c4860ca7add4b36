"""What each side hears: from the first sample to the last, in order, in real time."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from gateway.sip.events import ByeReceived
from tests.call.conftest import Build
from tests.call.phone import Leg, Phone, babble, sdp, until
from tests.call.runtime import Runtime, Talk
from tests.call.world import NUMBER, World


async def connected(world: World, agent: Runtime, phone: Phone, **version: Any) -> tuple[Leg, Talk]:
    """An answered call, with a caller who is heard to breathe."""
    await world.line(**version)
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.message("start")
    await talk.until(lambda: talk.audio)
    return leg, talk


async def test_what_the_agent_says_before_the_answer(world: World, agent: Runtime, phone: Phone) -> None:
    """Audio sent while we still ring waits for the ACK, and is heard from its first sample."""
    greeting = babble(200)

    async def greet(talk: Talk) -> None:
        await talk.say(greeting)

    agent.on_connect = greet
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered(ack=False)
    await asyncio.sleep(0.3)
    assert phone.sound.packets == []
    leg.ack()
    await until(lambda: len(phone.sound.voice()) >= len(greeting))
    assert phone.sound.voice() == greeting
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_what_the_caller_says_before_the_ack(world: World, agent: Runtime, phone: Phone) -> None:
    """RTP right behind the 200 reaches the agent, and proves that the caller hears us: no need to wait."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered(ack=False)
    speech = babble(200)
    await phone.sound.speak(speech)
    talk = await agent.talk()
    await talk.until(lambda: len(talk.audio) >= len(speech))
    assert bytes(talk.audio).startswith(speech)
    await talk.say(babble(100, seed=2))
    await until(lambda: babble(100, seed=2) in phone.sound.heard())
    leg.ack()
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


@pytest.mark.both_loops
@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_marks(world: World, agent: Runtime, phone: Phone, dialect: str) -> None:
    """Marks come back in their order, each after the last sample before it has left in an RTP packet."""
    _, talk = await connected(world, agent, phone, dialect=dialect)
    words = [babble(milliseconds, seed=milliseconds) for milliseconds in (90, 150, 200)]
    for index, word in enumerate(words):
        await talk.say(word)
        await talk.mark(f"word {index}")
    await talk.message("mark", 3)
    marks = talk.all("mark")
    names = [mark["name"] if talk.native else mark["mark"]["name"] for mark in marks]
    assert not talk.native or all(mark["played"] for mark in marks)
    assert names == ["word 0", "word 1", "word 2"]
    times = [talk.times[talk.messages.index(mark)] for mark in marks]
    for end, told in enumerate(times, 1):
        left = phone.sound.reached(b"".join(words[:end]))
        assert -0.01 < told - left < 0.1


async def test_a_mark_behind_nothing(world: World, agent: Runtime, phone: Phone) -> None:
    """A mark comes back at once when all has been said."""
    _, talk = await connected(world, agent, phone)
    await talk.mark("now")
    assert (await talk.message("mark"))["mark"]["name"] == "now"


@pytest.mark.both_loops
@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_clear(world: World, agent: Runtime, phone: Phone, dialect: str) -> None:
    """`clear` silences within 40 ms, and answers for each mark that it drops, as the dialect can."""
    _, talk = await connected(world, agent, phone, dialect=dialect)
    speech = babble(3000)
    await talk.say(speech)
    await talk.mark("middle")
    await talk.mark("end")
    await until(lambda: len(phone.sound.voice()) > 4000)
    asked = phone.now()
    await talk.clear()
    await talk.message("mark", 2)
    await asyncio.sleep(0.15)
    voiced = [one.at for one in phone.sound.packets if one.packet.payload.strip(b"\xff")]
    assert voiced[-1] - asked < 0.06, "40 ms, and what the test's own loop takes"
    assert len(phone.sound.voice()) < len(speech) / 2
    assert speech.startswith(phone.sound.voice())
    if talk.native:
        assert talk.kinds[-3:] == ["mark", "mark", "cleared"]
        assert [mark["played"] for mark in talk.all("mark")] == [False, False]
        assert talk.all("cleared")[0]["ms"] > 1500
    else:
        assert [mark["mark"]["name"] for mark in talk.all("mark")] == ["middle", "end"]


@pytest.mark.both_loops
async def test_a_lump_plays_in_real_time(world: World, agent: Runtime, phone: Phone) -> None:
    """Two seconds in one message leave as a packet every 20 ms, without a gap or a pad."""
    _, talk = await connected(world, agent, phone)
    speech = babble(2005)
    await talk.say(speech)
    await talk.mark("end")
    await talk.message("mark")
    await asyncio.sleep(0.05)
    assert phone.sound.voice() == speech
    voiced = [one for one in phone.sound.packets if one.packet.payload.strip(b"\xff")]
    assert 1.9 < voiced[-1].at - voiced[0].at < 2.1
    stamps = [one.packet.timestamp for one in voiced]
    assert {(later - earlier) % 2**32 for earlier, later in pairwise(stamps)} == {160}


async def test_more_than_the_queue_takes(build: Build, agent: Runtime, phone: Phone) -> None:
    """What does not fit into the queue is dropped at its end, and a native agent is told how much."""
    world = await build(AGENTS__QUEUE_SECONDS=1)
    _, talk = await connected(world, agent, phone, dialect="native")
    speech = babble(3000)
    await talk.say(speech)
    told = await talk.message("dropped")
    assert told["ms"] == 2000
    await talk.mark("end")
    await talk.message("mark")
    await asyncio.sleep(0.05)
    assert phone.sound.voice() == speech[:8000]


@pytest.mark.parametrize("crumb_ms", [7, 13, 20, 27])
async def test_crumbs_in_real_time(world: World, agent: Runtime, phone: Phone, crumb_ms: int) -> None:
    """An agent that speaks in real time, in pieces of any size, is heard without a pad or a gap inside.

    It is a little ahead, as agents are: a machine that stops us for a moment is not the gateway's doing.
    """
    _, talk = await connected(world, agent, phone, dialect="native")
    speech = babble(600)
    loop = asyncio.get_running_loop()
    due = loop.time() - 0.1
    for start in range(0, len(speech), crumb_ms * 8):
        await talk.say(speech[start : start + crumb_ms * 8])
        due += crumb_ms / 1000
        await asyncio.sleep(max(0.0, due - loop.time()))
    await until(lambda: speech[-80:] in phone.sound.heard())
    assert phone.sound.voice() == speech


async def test_native_at_sixteen_kilohertz(world: World, agent: Runtime, phone: Phone) -> None:
    """The caller's audio comes as the version wants it: two bytes a sample, sixteen samples a millisecond."""
    _, talk = await connected(world, agent, phone, dialect="native", audio="l16_16k")
    assert (await talk.message("start"))["audio"]["sample_rate"] == 16_000
    before = len(talk.audio)
    started = phone.now()
    await asyncio.sleep(0.5)
    milliseconds = (phone.now() - started) * 1000
    assert abs((len(talk.audio) - before) / 32 - milliseconds) < 80
    await talk.say(bytes(32 * 100))
    await talk.mark("end")
    await talk.message("mark")


@pytest.mark.both_loops
async def test_keys_of_the_caller(world: World, agent: Runtime, phone: Phone) -> None:
    """Keys reach the agent once each, whether they come as RFC 4733 events or by INFO."""
    leg, talk = await connected(world, agent, phone)
    phone.sound.hush()
    await asyncio.sleep(0.05)
    phone.sound.press(5)
    phone.sound.press(11)
    await talk.message("dtmf", 2)
    leg.info("application/dtmf-relay", b"Signal=7\r\nDuration=160\r\n")
    await talk.message("dtmf", 3)
    leg.info("application/dtmf", b"*")
    await talk.message("dtmf", 4)
    assert [one["dtmf"]["digit"] for one in talk.all("dtmf")] == ["5", "#", "7", "*"]


@pytest.mark.both_loops
async def test_keys_of_the_agent(world: World, agent: Runtime, phone: Phone) -> None:
    """Digits of a native agent go out as telephone-events, and its speech waits meanwhile."""
    _, talk = await connected(world, agent, phone, dialect="native")
    speech = babble(100)
    await talk.tell(type="digits", digits="1#")
    await talk.say(speech)
    await until(lambda: speech in phone.sound.heard())
    events = [one.packet for one in phone.sound.packets if one.packet.payload_type == 101]
    pressed = list(dict.fromkeys((one.timestamp, one.payload[0]) for one in events))
    assert [digit for _, digit in pressed] == [1, 11]
    ends = [one.payload[0] for one in events if one.payload[1] & 0x80]
    assert ends == [1, 1, 1, 11, 11, 11]


async def test_keys_for_a_phone_without_events(world: World, agent: Runtime, phone: Phone) -> None:
    """Digits for a phone that takes no telephone-events are told to be lost, and the call goes on."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER, sdp(phone.sound.port, payload_types="0"))
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.tell(type="digits", digits="1")
    assert "telephone-event" in (await talk.message("error"))["message"]
    await talk.say(babble(100))
    await until(lambda: babble(100) in phone.sound.heard())
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_slow_goodbye_is_cut(build: Build, agent: Runtime, phone: Phone) -> None:
    """What an agent left behind is played for so long, not longer."""
    world = await build(AGENTS__DRAIN_AUDIO_SECONDS=0.3)
    leg, talk = await connected(world, agent, phone)
    await talk.say(babble(3000))
    await talk.close()
    await leg.next(ByeReceived)
    await world.ended("completed", "agent_disconnected", "agent")
    assert 0.2 < len(phone.sound.voice()) / 8000 < 0.6
    assert world.told("agent.cut_off")


async def test_malformed_words(world: World, agent: Runtime, phone: Phone) -> None:
    """What an agent says and nobody understands is told once in the log, and costs nothing else."""
    _, talk = await connected(world, agent, phone)
    for _ in range(3):
        await talk.connection.send("{not json")
    await talk.mark("still here")
    await talk.message("mark")
    assert len(world.told("agent.malformed")) == 1
