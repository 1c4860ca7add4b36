"""Calls through the whole gateway, on real sockets: who ends them, and what is heard on the way."""

import asyncio
from contextlib import suppress

import pytest
from websockets import ConnectionClosed

from gateway.call.parts import CallParts
from gateway.sip.events import ByeReceived
from tests.whole.conftest import NUMBER, House, Open, Phone, Runtime, tone


async def echo(runtime: Runtime) -> None:
    """Send every frame back."""
    sent = 0
    while runtime.closed is None:
        await runtime.more(sent)
        with suppress(ConnectionClosed):
            await runtime.wire.send(bytes(runtime.audio[sent:]))
        sent = len(runtime.audio)


async def test_both_hear_each_other_until_the_caller_hangs_up(house: House, phone: Phone) -> None:
    """Audio comes back byte for byte; the agent is told why its call ended, and the record says the same."""
    house.agents.script = echo
    phone.speech = tone(1, 400)
    await phone.call()
    await phone.hears(tone(1, 400))
    await phone.hang_up()
    row = await house.record()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: runtime.closed)
    assert runtime.said[0]["type"] == "start"
    assert runtime.said[-1] == {"type": "stop", "reason": "user_disconnected", "by": "caller"}
    assert runtime.closed == (1000, "user_disconnected")
    assert (row.status, row.end_reason, row.ended_by) == ("completed", "user_disconnected", "caller")
    assert row.to_number == NUMBER
    assert None not in (row.ringing_at, row.answered_at, row.first_audio_in_at, row.first_audio_out_at)
    assert row.media["in"]["lost"] == 0  # type: ignore[index]
    assert [step["line"] for step in row.ladder][:4] == ["INVITE", "100 Trying", "180 Ringing", "200 OK"]


async def test_the_goodbye_is_heard_before_bye(house: House, phone: Phone) -> None:
    """An agent that speaks and closes at once is heard to its last sample."""

    async def speak_and_go(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.words("start"))
        await runtime.wire.send(tone(2, 600))
        await runtime.wire.close()

    house.agents.script = speak_and_go
    await phone.call()
    await phone.expect(ByeReceived)
    assert tone(2, 600) in phone.heard
    row = await house.record()
    assert (row.status, row.end_reason, row.ended_by) == ("completed", "agent_disconnected", "agent")


async def test_hangup_plays_out_what_was_said(house: House, phone: Phone) -> None:
    """`hangup` of the native dialect ends the call behind the audio before it."""

    async def hang_up(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.words("start"))
        await runtime.wire.send(tone(3, 300))
        await runtime.say(type="hangup", reason="all said")

    house.agents.script = hang_up
    await phone.call()
    await phone.expect(ByeReceived)
    assert tone(3, 300) in phone.heard
    assert (await house.record()).detail == "all said"


async def test_an_agent_that_dies_ends_the_call_with_that_reason(house: House, phone: Phone) -> None:
    """A connection that breaks without a goodbye is a failure, told apart from a hang-up."""

    async def die(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.words("start"))
        await runtime.wire.send(tone(4, 200))
        await asyncio.sleep(0.05)
        runtime.wire.transport.abort()

    house.agents.script = die
    await phone.call()
    await phone.expect(ByeReceived)
    assert tone(4, 200) in phone.heard
    row = await house.record()
    assert (row.status, row.end_reason, row.ended_by) == ("failed", "agent_failed", "agent")


async def test_what_is_said_around_the_answer_is_not_lost(house: House, phone: Phone) -> None:
    """Audio sent while connecting, before our 200 is acknowledged, is heard from its first sample."""

    async def greet_at_once(runtime: Runtime) -> None:
        await runtime.wire.send(tone(5, 400))

    house.agents.script = greet_at_once
    await phone.dial()
    answer = await phone.answered(ack=False)
    phone.clock.stop()
    await asyncio.sleep(0.15)
    assert not phone.heard.strip(b"\xff")
    phone.clock.start()
    answer.dialog.ack(phone.endpoint.now())
    phone.endpoint.flush()
    await phone.hears(tone(5, 400))
    await phone.hang_up()
    await house.record()


async def test_the_callers_first_word_reaches_the_agent(house: House, phone: Phone) -> None:
    """What the caller says from the first packet on is heard by the agent, without a gap."""
    phone.speech = tone(6, 300)
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: tone(6, 300) in runtime.audio)
    await phone.hang_up()


async def test_digits_reach_the_other_side(house: House, phone: Phone) -> None:
    """A key pressed on the phone is told once; keys of the agent's arrive as telephone-events."""
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: runtime.audio)
    phone.media.press("5#")
    await runtime.until(lambda: len(runtime.words("digit")) == 2)
    assert [word["digit"] for word in runtime.words("digit")] == ["5", "#"]
    await runtime.say(type="digits", digits="42")
    assert await phone.pressed(2) == ["4", "2"]
    await phone.hang_up()


async def test_a_call_has_its_limit(open_house: Open) -> None:
    """The gateway's own longest call ends it, as completed, for that reason."""
    house = await open_house(limits__max_call_seconds="1")
    await house.furnish()
    phone = Phone(house)
    await phone.call()
    await phone.expect(ByeReceived)
    row = await house.record()
    await phone.close()
    assert (row.status, row.end_reason, row.ended_by) == ("completed", "max_duration", "gateway")


async def test_a_call_whose_media_never_comes_is_ended(open_house: Open) -> None:
    """Without RTP for so long the call ends; silence is not that, only nothing is."""
    house = await open_house(media__no_media_seconds="1")
    await house.furnish()
    phone = Phone(house)
    await phone.dial()
    await phone.answered()
    phone.clock.stop()
    await phone.expect(ByeReceived)
    row = await house.record()
    await phone.close()
    assert row.end_reason == "media_lost"


async def test_a_200_that_is_never_acknowledged_is_hung_up(open_house: Open) -> None:
    """After 64*T1 without an ACK the call ends with BYE and says so."""
    house = await open_house(sip__t1_ms="50", sip__t2_ms="500")
    await house.furnish()
    phone = Phone(house)
    await phone.dial()
    await phone.answered(ack=False)
    phone.clock.stop()
    await phone.expect(ByeReceived)
    row = await house.record()
    await phone.close()
    assert (row.status, row.end_reason) == ("failed", "never_acknowledged")


async def test_hold_is_answered_and_told(house: House, phone: Phone) -> None:
    """`sendonly` is answered `recvonly`; the agent is told, its speech waits, and resume brings it."""
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: runtime.audio)
    offer = phone.media.offer()
    phone.reinvite(offer.replace(b"a=sendrecv", b"a=sendonly"))
    await runtime.until(lambda: runtime.words("hold"))
    assert b"a=recvonly" in phone.sent("SIP/2.0 200 OK")[-1]
    await runtime.wire.send(tone(7, 200))
    await asyncio.sleep(0.3)
    assert tone(7, 200) not in phone.heard
    phone.reinvite(phone.media.offer())
    await runtime.until(lambda: runtime.words("resume"))
    await phone.hears(tone(7, 200))
    await phone.hang_up()
    assert [event.name for event in house.events if event.name in ("call.held", "call.resumed")] == [
        "call.held",
        "call.resumed",
    ]


async def test_a_bug_in_a_call_is_the_end_of_that_call_only(
    house: House, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception ends its call with 500, one log line and a record; the next call is answered."""
    with monkeypatch.context() as broken:
        broken.setattr(CallParts, "conversation", lambda *_: 1 / 0)
        refused = await phone.refused()
    assert refused.status == 500
    (crash,) = house.named("call.crashed")
    row = await house.record()
    assert (row.status, row.end_reason) == ("failed", "internal_error")
    house.events.remove(crash)
    second = Phone(house)
    await second.call()
    await second.hang_up()
    await second.close()
    assert (await house.records())[-1].status == "completed"
