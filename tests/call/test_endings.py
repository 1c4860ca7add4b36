"""How calls end, each with one ending: on the wire, for the agent, in the record and in the events."""

import asyncio
from http import HTTPStatus
from pathlib import Path

import pytest

from gateway.call.parts import CallParts
from gateway.media.audio import ULAW_8K, wav_bytes
from gateway.routing.table import RecordingMode
from gateway.sip.events import ByeReceived
from tests.call.conftest import Build
from tests.call.phone import Phone, babble, sdp, until
from tests.call.runtime import Runtime, Talk, runtime
from tests.call.world import NUMBER, World


@pytest.mark.both_loops
@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_caller_hangs_up(world: World, agent: Runtime, phone: Phone, dialect: str) -> None:
    """The agent is told to stop and its connection closed with 1000; the record says who hung up."""
    await world.line(dialect=dialect)
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    await talk.message("start")
    speech = babble(200)
    await phone.sound.speak(speech)
    await talk.until(lambda: len(talk.audio) >= len(speech))
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert await talk.gone() == (1000, "user_disconnected")
    if talk.native:
        assert talk.kinds == ["start", "stop"]
        assert talk.messages[-1] == {"type": "stop", "reason": "user_disconnected", "by": "caller"}
    else:
        assert talk.kinds == ["connected", "start", "stop"]
    assert speech in bytes(talk.audio)
    assert None not in (row.ringing_at, row.answered_at, row.first_audio_in_at)
    assert row.to_number == NUMBER
    assert row.media["in"]["lost"] == 0  # type: ignore[index]
    assert [step["line"] for step in row.ladder] == [
        "INVITE",
        "100 Trying",
        "180 Ringing",
        "200 OK",
        "ACK",
        "BYE",
        "200 OK",
    ]
    names = [event.name for event in world.events if event.call_id == row.id]
    assert names == [
        "call.received",
        "call.routed",
        "call.ringing",
        "agent.connecting",
        "agent.connected",
        "call.answered",
        "call.first_audio_in",
        "call.ended",
    ]


@pytest.mark.both_loops
@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_agent_hangs_up(world: World, agent: Runtime, phone: Phone, dialect: str) -> None:
    """What an agent has said when it closes is heard to the end; then comes BYE."""
    await world.line(dialect=dialect)
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.message("start")
    goodbye = babble(600)
    await talk.say(goodbye)
    await talk.close()
    await leg.next(ByeReceived)
    assert phone.sound.voice() == goodbye
    row = await world.ended("completed", "agent_disconnected", "agent")
    assert row.first_audio_out_at is not None
    assert world.told("agent.closed")[0].fields["clean"] is True
    assert phone.received("BYE")[0].headers.get("Reason") == 'Q.850;cause=16;text="agent_disconnected"'


async def test_goodbye_after_an_interruption(world: World, agent: Runtime, phone: Phone) -> None:
    """An agent that was interrupted once is still heard to the end when it hangs up."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.say(babble(2000))
    await talk.clear()
    goodbye = babble(400, seed=2)
    await talk.say(goodbye)
    await talk.close()
    await leg.next(ByeReceived)
    assert goodbye in phone.sound.heard()


async def test_native_hangup(world: World, agent: Runtime, phone: Phone) -> None:
    """`hangup` ends the call when all before it was heard; the agent is told how it ended."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    goodbye = babble(300)
    await talk.say(goodbye)
    await talk.tell(type="hangup", reason="all is said")
    await leg.next(ByeReceived)
    assert phone.sound.voice() == goodbye
    row = await world.ended("completed", "agent_disconnected", "agent")
    assert row.detail == "all is said"
    assert await talk.message("stop") == {"type": "stop", "reason": "agent_disconnected", "by": "agent"}
    assert (await talk.gone())[0] == 1000


@pytest.mark.both_loops
@pytest.mark.parametrize("how", ["1011", "vanishes"])
async def test_agent_dies(world: World, agent: Runtime, phone: Phone, how: str) -> None:
    """A runtime that dies fails the call, when what it said before has been heard."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    last_words = babble(400)
    await talk.say(last_words)
    await talk.say(b"\xff")
    await until(lambda: world.gateway.switchboard.active and len(phone.sound.voice()) > 160)
    if how == "1011":
        await talk.close(1011, "out of memory")
    else:
        talk.die()
    await leg.next(ByeReceived)
    assert phone.sound.voice() == last_words
    row = await world.ended("failed", "agent_failed", "agent")
    if how == "1011":
        assert "1011 out of memory" in row.detail
    assert row.q850 == 41


async def test_fallback_at_the_dial(world: World, agent: Runtime, phone: Phone) -> None:
    """When the runtime cannot be reached the fallback gets the call, from its start."""
    async with runtime() as other:
        agent.status = HTTPStatus.SERVICE_UNAVAILABLE
        await world.line(fallback_url=other.url())
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        talk = await other.talk()
        start = await talk.message("start")
        assert start["start"]["customParameters"]["to_number"] == NUMBER
        leg.bye()
        await world.ended("completed", "user_disconnected", "caller")
    assert "503" in str(world.told("agent.unreachable")[0].fields["why"])


@pytest.mark.both_loops
async def test_fallback_in_the_call(world: World, agent: Runtime, phone: Phone) -> None:
    """When the runtime dies the fallback goes on: it is started, hears, and gets no marks of the other's."""
    async with runtime() as other:
        await world.line(fallback_url=other.url(), dialect="native")
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        phone.sound.murmur()
        talk = await agent.talk()
        first_words = babble(500)
        await talk.say(first_words)
        await talk.mark("theirs")
        await talk.until(lambda: talk.audio)
        talk.die()
        second = await other.talk()
        assert (await second.message("start"))["call_id"] == talk.all("start")[0]["call_id"]
        await second.until(lambda: second.audio)
        more = babble(100, seed=2)
        await second.say(more)
        await second.mark("mine")
        assert (await second.message("mark"))["name"] == "mine"
        await until(lambda: phone.sound.voice() == first_words + more)
        leg.bye()
        await world.ended("completed", "user_disconnected", "caller")
        assert (await second.gone())[0] == 1000


async def test_fallback_is_told_what_it_has_missed(world: World, agent: Runtime, phone: Phone) -> None:
    """The one that takes over hears that the call is recorded, and that it is held."""
    async with runtime() as other:
        await world.line(fallback_url=other.url(), dialect="native", recording=RecordingMode.ON_DEMAND)
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        phone.sound.murmur()
        talk = await agent.talk()
        await talk.until(lambda: talk.audio)
        await talk.tell(type="recording.start")
        await talk.tell(type="recording.pause")
        await talk.message("recording", 2)
        await leg.reinvite(sdp(phone.sound.port, direction="sendonly", version=2))
        talk.die()
        second = await other.talk()
        await second.message("hold")
        assert second.kinds == ["start", "recording", "hold"]
        assert second.all("recording")[0]["state"] == "paused"
        leg.bye()
        await world.ended("completed", "user_disconnected", "caller")


async def test_caller_leaves_between_two_runtimes(world: World, agent: Runtime, phone: Phone) -> None:
    """A caller who hangs up while the fallback is dialled leaves no connection to it."""
    async with runtime() as other:
        other.hold.clear()
        await world.line(fallback_url=other.url())
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        (await agent.talk()).die()
        await until(lambda: other.requests)
        leg.bye()
        await world.ended("completed", "user_disconnected", "caller")
        other.hold.set()
        await asyncio.sleep(0.05)
        for talk in other.talks:
            await talk.gone()
            assert talk.messages == []


async def test_fallback_wav(world: World, agent: Runtime, phone: Phone, tmp_path: Path) -> None:
    """Where nobody takes over, the version's WAV is played; then the call ends as failed."""
    apology = babble(300)
    file = tmp_path / "sorry.wav"
    file.write_bytes(wav_bytes(ULAW_8K, apology))
    await world.line(fallback_wav=str(file))
    agent.status = HTTPStatus.INTERNAL_SERVER_ERROR
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await leg.next(ByeReceived)
    assert phone.sound.voice() == apology
    await world.ended("failed", "agent_failed", "agent")


async def test_fallback_wav_is_gone(world: World, agent: Runtime, phone: Phone) -> None:
    """A WAV that cannot be read is told, and the call ends all the same."""
    await world.line(fallback_wav="/nowhere/sorry.wav")
    agent.status = HTTPStatus.INTERNAL_SERVER_ERROR
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await leg.next(ByeReceived)
    await world.ended("failed", "agent_failed", "agent")
    assert world.told("agent.fallback_wav")[0].level == "error"


async def test_agent_unreachable(world: World, phone: Phone) -> None:
    """Without an agent the call is not answered: 503 that says why, and when to try again."""
    await world.line(runtime_url="ws://user:secret@127.0.0.1:9/talk?token=secret")
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Agent Runtime Not Reachable")
    assert refused.reason_header == 'Q.850;cause=27;text="Agent Runtime Not Reachable"'
    assert dict(refused.headers)["Retry-After"] == "10"
    row = await world.ended("failed", "agent_unreachable", "gateway")
    assert (row.sip_status, row.answered_at) == (503, None)
    told = str([event.fields for event in world.events]) + row.detail
    assert "127.0.0.1:9" in told
    assert "secret" not in told, "what the URL may hide belongs in no log"


@pytest.mark.parametrize("dialect", ["twilio", "native"])
async def test_agent_leaves_before_the_answer(
    world: World, agent: Runtime, phone: Phone, dialect: str
) -> None:
    """A runtime that accepts and closes at once leaves one ending, whichever comes first."""

    async def leave(talk: Talk) -> None:
        await talk.close(1000, "nobody is in")

    agent.on_connect = leave
    await world.line(dialect=dialect)
    leg = phone.invite(world.at(), NUMBER)
    row = await world.record()
    assert row.end_reason in {"agent_unreachable", "agent_disconnected"}
    if row.answered_at is None:
        assert (await leg.refused()).status == 503
    else:
        await leg.answered()
        await leg.next(ByeReceived)


async def test_agent_hangs_up_as_its_first_word(world: World, agent: Runtime, phone: Phone) -> None:
    """`hangup` before the answer leaves no connection open behind the call."""

    async def leave(talk: Talk) -> None:
        await talk.tell(type="hangup", reason="closed today")

    agent.on_connect = leave
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    async with asyncio.timeout(5):
        while world.gateway.switchboard.active or not leg.events:
            if any(type(event).__name__ == "Answered" for event in leg.events):
                leg.ack()
            await asyncio.sleep(0.01)
    row = await world.record()
    assert row.end_reason in {"agent_unreachable", "agent_disconnected"}
    await (await agent.talk()).gone()


async def test_cancel_while_dialling(world: World, agent: Runtime, phone: Phone) -> None:
    """A caller who gives up gets 487, and the agent's connection is not left open."""
    agent.hold.clear()
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await until(lambda: agent.requests)
    leg.cancel()
    await until(lambda: phone.received("487"))
    row = await world.ended("cancelled", "caller_cancelled", "caller")
    assert (row.sip_status, row.answered_at) == (487, None)
    agent.hold.set()
    assert (await (await agent.talk()).gone())[0] == 1000
    assert not [event for event in world.events if event.name == "agent.connected"]


async def test_cancel_after_the_agent_connected(world: World, agent: Runtime, phone: Phone) -> None:
    """A CANCEL that crosses our 200 changes nothing; the BYE behind it ends the call."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await agent.talk()
    leg.cancel()
    await world.record()
    await (await agent.talk()).gone()


async def test_never_acknowledged(build: Build, agent: Runtime, phone: Phone) -> None:
    """A 200 never acknowledged is resent for 64*T1, then BYE is sent; it is no matter of lost media."""
    world = await build(MEDIA__NO_MEDIA_SECONDS=1)
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered(ack=False)
    talk = await agent.talk()
    row = await world.ended("failed", "never_acknowledged", "gateway")
    assert row.duration_ms >= 3000
    await phone.until(lambda: phone.received("BYE"))
    assert len(phone.received("200")) > 5
    assert (await talk.gone())[0] == 1000


async def test_no_media(build: Build, agent: Runtime, phone: Phone) -> None:
    """A caller whose RTP never comes is hung up on when the time for it is over."""
    world = await build(MEDIA__NO_MEDIA_SECONDS=1)
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await leg.next(ByeReceived)
    row = await world.ended("completed", "media_lost", "gateway")
    assert row.duration_ms >= 950
    assert "1 s" in row.detail
    assert (await (await agent.talk()).gone())[0] == 1000


async def test_a_long_ringing_costs_no_media_time(build: Build, agent: Runtime, phone: Phone) -> None:
    """The time without media counts from the answer, not from the INVITE."""
    world = await build(MEDIA__NO_MEDIA_SECONDS=1)
    await world.line()
    agent.hold.clear()
    leg = phone.invite(world.at(), NUMBER)
    await until(lambda: agent.requests)
    await asyncio.sleep(1.2)
    agent.hold.set()
    await leg.answered()
    await leg.next(ByeReceived)
    row = await world.ended("completed", "media_lost", "gateway")
    assert row.duration_ms >= 950


async def test_max_duration(build: Build, agent: Runtime, phone: Phone) -> None:
    """A call ends at its limit, however much is still to be said."""
    world = await build(LIMITS__MAX_CALL_SECONDS=1)
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    await (await agent.talk()).say(babble(3000))
    await leg.next(ByeReceived)
    row = await world.ended("completed", "max_duration", "gateway")
    assert 950 <= row.duration_ms < 2000
    assert (await (await agent.talk()).gone())[0] == 1000


async def test_a_bug_before_the_answer(world: World, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of ours is one log event, 500 for that caller, and `internal_error` in the record."""
    await world.line()
    monkeypatch.setattr(CallParts, "open_media", _broken)
    world.expected_crashes = ["call.crashed"]
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert refused.status == 500
    row = await world.ended("failed", "internal_error", "gateway")
    assert "ZeroDivisionError" in row.detail
    assert row.sip_status == 500
    monkeypatch.undo()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    leg.bye()
    assert (await world.records())[-1].status == "completed"


async def test_a_bug_in_an_event(
    world: World, agent: Runtime, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception while an event of the caller's is taken ends that call, and no other."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await agent.talk()
    monkeypatch.setattr("gateway.call.legs.sip_leg.parse_info", _broken)
    world.expected_crashes = ["call.crashed"]
    leg.info("application/dtmf", b"5")
    await leg.next(ByeReceived)
    await world.ended("failed", "internal_error", "gateway")


async def test_a_bug_in_the_media(
    world: World, agent: Runtime, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception on the media clock ends its call, and is told once and not at each tick."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await agent.talk()
    monkeypatch.setattr("gateway.media.playout.Playout.read", _broken)
    world.expected_crashes = ["call.crashed"]
    await leg.next(ByeReceived)
    await world.ended("failed", "internal_error", "gateway")


async def test_both_hang_up(world: World, agent: Runtime, phone: Phone) -> None:
    """When the caller's BYE meets the agent's end there is one ending, and nothing stays open."""
    await world.line()
    for _ in range(5):
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        talk = agent.talks[-1]
        await talk.message("start")
        leg.bye()
        await talk.close()
        await talk.gone()
    rows = await world.records()
    assert {row.end_reason for row in rows} <= {"user_disconnected", "agent_disconnected"}
    assert len(rows) == 5


def _broken(*_: object) -> None:
    raise ZeroDivisionError("a bug")
