"""The agent's side: marks that tell the truth, barge-in, fallbacks, and what happens around a restart."""

import asyncio
import json
from pathlib import Path

from gateway.media.audio import ULAW_8K, wav_bytes
from gateway.routing.table import Dialect
from gateway.sip.events import ByeReceived, Refused, ReinviteAnswered
from tests.whole.conftest import House, Open, Phone, Runtime, media_message, tone


async def test_marks_come_back_in_order_when_their_audio_has_left(house: House, phone: Phone) -> None:
    """Three marks in 600 ms of speech are told in order, each once its last sample was sent, not before."""
    told: list[tuple[str, float]] = []
    began: list[float] = []

    async def speak(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.audio)
        began.append(asyncio.get_running_loop().time())
        for number in range(3):
            await runtime.wire.send(tone(number, 200))
            await runtime.say(type="mark", name=str(number))
        for count in range(1, 4):
            await runtime.until(lambda: len(runtime.words("mark")) >= count)  # noqa: B023 - awaited here
            told.append((runtime.words("mark")[-1]["name"], asyncio.get_running_loop().time() - began[0]))

    house.agents.script = speak
    await phone.call()
    await phone.hears(tone(2, 200))
    runtime = house.agents.calls[0]
    await runtime.until(lambda: len(runtime.words("mark")) == 3)
    await phone.hang_up()
    await house.record()
    assert [(mark["name"], mark["played"]) for mark in runtime.words("mark")] == [
        ("0", True),
        ("1", True),
        ("2", True),
    ]
    for number, (name, seconds) in enumerate(told):
        assert name == str(number)
        assert seconds >= 0.2 * (number + 1) - 0.03


async def test_clear_silences_at_once_and_says_what_was_dropped(house: House, phone: Phone) -> None:
    """Behind `clear` the caller hears no more of it, and pending marks say that they were not played."""

    async def speak_and_clear(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.audio)
        await runtime.wire.send(tone(8, 3000))
        await runtime.say(type="mark", name="end")
        await asyncio.sleep(0.3)
        await runtime.say(type="clear")

    house.agents.script = speak_and_clear
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: runtime.words("cleared"))
    heard = len(bytes(phone.heard).rstrip(b"\xff"))
    await asyncio.sleep(0.2)
    assert len(bytes(phone.heard).rstrip(b"\xff")) - heard <= 40 * 8
    assert runtime.words("mark") == [{"type": "mark", "name": "end", "played": False}]
    assert 2400 <= runtime.words("cleared")[0]["ms"] <= 2900
    await phone.hang_up()
    await house.record()


async def test_twilio_echoes_cleared_marks_in_order(open_house: Open) -> None:
    """In the twilio dialect `clear` brings every pending mark back, and sequence numbers have no gap."""
    house = await open_house()
    await house.furnish(dialect=Dialect.TWILIO)

    async def speak(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.words("media"))
        stream = runtime.words("start")[0]["streamSid"]
        await runtime.wire.send(media_message(stream, tone(9, 2000)))
        for name in ("a", "b", "c"):
            await runtime.wire.send(
                json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": name}})
            )
        await runtime.wire.send(json.dumps({"event": "clear", "streamSid": stream}))

    house.agents.script = speak
    phone = Phone(house)
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: len(runtime.words("mark")) == 3)
    await phone.hang_up()
    await runtime.until(lambda: runtime.closed)
    await house.record()
    await phone.close()
    assert [word["mark"]["name"] for word in runtime.words("mark")] == ["a", "b", "c"]
    assert [word["event"] for word in runtime.said][:2] == ["connected", "start"]
    assert runtime.said[-1]["event"] == "stop"
    numbers = [int(word["sequenceNumber"]) for word in runtime.said[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_lump_is_heard_in_real_time(house: House, phone: Phone) -> None:
    """Two seconds of speech in one message take two seconds, and not a sample is lost."""

    async def lump(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.audio)
        await runtime.wire.send(tone(10, 2000))

    house.agents.script = lump
    await phone.call()
    at = await phone.hears(tone(10, 2000))
    took = phone.heard_at[(at + 16_000) // 160 - 1] - phone.heard_at[at // 160]
    assert 1.9 < took < 2.2
    await phone.hang_up()
    await house.record()


async def test_more_than_the_queue_holds_is_told(open_house: Open) -> None:
    """What does not fit into the queue is dropped, and the native agent hears how much that was."""
    house = await open_house(agents__queue_seconds="1")
    await house.furnish()

    async def flood(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.audio)
        await runtime.wire.send(tone(11, 3000))

    house.agents.script = flood
    phone = Phone(house)
    await phone.call()
    runtime = house.agents.calls[0]
    await runtime.until(lambda: runtime.words("dropped"))
    await phone.hang_up()
    await house.record()
    await phone.close()
    assert runtime.words("dropped")[0]["ms"] == 2000


async def test_the_fallback_answers_when_the_runtime_does_not(open_house: Open) -> None:
    """A second URL is dialled while the caller still hears ringing."""
    house = await open_house()
    await house.furnish(runtime_url="ws://127.0.0.1:9/", fallback_url=house.agents.url("fallback"))
    phone = Phone(house)
    await phone.call()
    await phone.hang_up()
    row = await house.record()
    await phone.close()
    assert row.end_reason == "user_disconnected"
    assert house.agents.calls[0].words("start")


async def test_the_fallback_takes_over_in_mid_call(open_house: Open) -> None:
    """When the runtime dies the second one gets the call's start, and is heard."""
    house = await open_house()

    async def die_or_speak(runtime: Runtime) -> None:
        assert runtime.wire.request is not None
        await runtime.until(lambda: runtime.audio)
        if runtime.wire.request.path == "/fallback":
            await runtime.wire.send(tone(12, 300))
        else:
            runtime.wire.transport.abort()

    house.agents.script = die_or_speak
    await house.furnish(fallback_url=house.agents.url("fallback"))
    phone = Phone(house)
    await phone.call()
    await phone.hears(tone(12, 300))
    await phone.hang_up()
    row = await house.record()
    await phone.close()
    first, second = house.agents.calls
    assert first.words("start")[0]["call_id"] == second.words("start")[0]["call_id"]
    assert row.end_reason == "user_disconnected"


async def test_a_wav_stands_in_for_a_dead_agent(open_house: Open, tmp_path: Path) -> None:
    """With neither runtime the caller hears the WAV, and the record says that the agent failed."""
    house = await open_house()
    wav = tmp_path / "sorry.wav"
    wav.write_bytes(wav_bytes(ULAW_8K, tone(13, 400)))
    await house.furnish(runtime_url="ws://127.0.0.1:9/", fallback_wav=str(wav))
    phone = Phone(house)
    await phone.call()
    await phone.expect(ByeReceived)
    row = await house.record()
    await phone.close()
    assert tone(13, 400) in phone.heard
    assert (row.status, row.end_reason) == ("failed", "agent_failed")


async def test_drain_refuses_the_new_and_ends_the_old(open_house: Open) -> None:
    """After `stop` a new call gets 503; a running one gets BYE, with a reason, at the deadline."""
    house = await open_house(sip__drain_seconds="1")
    await house.furnish()
    running, late = Phone(house), Phone(house)
    await running.call()
    house.gateway.stop()
    serving = asyncio.create_task(house.gateway.serve())
    await asyncio.sleep(0.1)
    refused = await late.refused()
    assert refused.status == 503
    assert "Retry-After" in dict(refused.headers)
    ended = await running.expect(ByeReceived)
    assert "gateway_drained" in (ended.reason_header or "")
    await serving
    row = await house.record()
    for phone in (running, late):
        await phone.close()
    assert (row.end_reason, row.ended_by) == ("gateway_drained", "gateway")


async def test_a_change_of_codec_is_followed(house: House, phone: Phone) -> None:
    """After a re-INVITE to PCMA the agent still hears and speaks its own format."""

    async def speak_twice(runtime: Runtime) -> None:
        await runtime.until(lambda: runtime.audio)

    house.agents.script = speak_twice
    await phone.call()
    offer = phone.media.offer()
    phone.reinvite(
        offer.replace(b"RTP/AVP 0 ", b"RTP/AVP 8 ").replace(
            b"a=rtpmap:0 PCMU/8000\r\n", b"a=rtpmap:8 PCMA/8000\r\n"
        )
    )
    await phone.expect(ReinviteAnswered)
    assert b"RTP/AVP 8 " in phone.sent("SIP/2.0 200 OK")[-1]
    before = len(phone.heard_at)
    await house.agents.calls[0].wire.send(tone(14, 200))
    await asyncio.sleep(0.4)
    assert len(phone.heard_at) >= before
    await phone.hang_up()
    row = await house.record()
    assert row.media["codec"] == "PCMA"


async def test_nothing_is_left_of_fifty_calls(house: House) -> None:
    """After answered, refused and cancelled calls no port, task or agent connection remains."""
    for number in range(50):
        phone = Phone(house)
        if number % 5 == 0:
            await phone.dial("+442079460099")
            await phone.expect(Refused)
        elif number % 5 == 1:
            await phone.dial()
            phone.dialog.cancel(phone.endpoint.now())
            phone.endpoint.flush()
        else:
            await phone.call()
            await phone.hang_up()
        await asyncio.sleep(0.02)
        await phone.close()
    rows = await house.records()
    assert len(rows) == 50
    assert all(row.end_reason for row in rows)
    assert house.gateway.parts.ports.in_use == 0
    assert house.gateway.switchboard.active == 0
    for runtime in house.agents.calls:
        await runtime.until(lambda: runtime.closed)  # noqa: B023 - awaited here
