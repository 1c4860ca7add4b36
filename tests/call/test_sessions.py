"""Offers and answers of a call, from the INVITE to the last re-INVITE (RFC 3264)."""

import asyncio
from typing import Any

import numpy as np
import pytest

from gateway.media.audio import L16_8K, AudioFormat, converter
from gateway.sip.dialog import Dialog
from gateway.sip.events import ByeReceived
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Leg, Phone, Sound, babble, media_address, sdp, until
from tests.call.runtime import Runtime, Talk
from tests.call.world import NUMBER, World


async def connected(world: World, agent: Runtime, phone: Phone, **version: Any) -> tuple[Leg, Talk]:
    """An answered call with a native agent, and a caller who is heard to breathe."""
    await world.line(dialect="native", **version)
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.until(lambda: talk.audio)
    return leg, talk


@pytest.mark.both_loops
async def test_hold_and_resume(build: Build, agent: Runtime, phone: Phone) -> None:
    """`sendonly` is answered `recvonly`: no RTP, a told agent, no time without media; then all goes on."""
    world = await build(MEDIA__NO_MEDIA_SECONDS=1)
    leg, talk = await connected(world, agent, phone)
    await until(lambda: phone.sound.packets)
    held = await leg.reinvite(sdp(phone.sound.port, direction="sendonly", version=2))
    assert held.status == 200
    assert b"a=recvonly" in held.body
    await talk.message("hold")
    phone.sound.hush()
    await asyncio.sleep(0.05)
    before = len(phone.sound.packets)
    last = phone.sound.packets[-1].packet
    await talk.say(babble(200))
    await asyncio.sleep(2.2)
    assert len(phone.sound.packets) == before
    assert world.gateway.switchboard.active == 1
    resumed = await leg.reinvite(sdp(phone.sound.port, version=3))
    assert b"a=sendrecv" in resumed.body
    phone.sound.murmur()
    await talk.message("resume")
    await until(lambda: babble(200) in phone.sound.heard())
    first = phone.sound.packets[before].packet
    assert first.ssrc == last.ssrc
    assert first.marker
    assert abs((first.timestamp - last.timestamp) % 2**32 / 8000 - 2.3) < 0.3
    assert [event.name for event in world.events if event.name in {"call.held", "call.resumed"}] == [
        "call.held",
        "call.resumed",
    ]
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


@pytest.mark.parametrize("offer", ["inactive", "0.0.0.0"])
async def test_other_ways_to_hold(world: World, agent: Runtime, phone: Phone, offer: str) -> None:
    """`inactive`, and the address of RFC 2543, hold as well."""
    leg, talk = await connected(world, agent, phone)
    if offer == "inactive":
        body = sdp(phone.sound.port, direction="inactive", version=2)
    else:
        body = sdp(phone.sound.port, "0.0.0.0", version=2)
    held = await leg.reinvite(body)
    assert b"a=sendrecv" not in held.body
    await talk.message("hold")
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_the_media_moves(world: World, agent: Runtime, phone: Phone) -> None:
    """After a re-INVITE with another port our RTP goes there, and theirs is taken from there."""
    leg, talk = await connected(world, agent, phone)
    other = Sound()
    try:
        answer = await leg.reinvite(sdp(other.port, version=2))
        other.remote = media_address(answer.body)
        assert other.remote == phone.sound.remote
        phone.sound.hush()
        other.murmur()
        speech = babble(200)
        await talk.say(speech)
        await until(lambda: speech in other.heard())
        assert speech not in phone.sound.heard()
        other.hush()
        await other.speak(babble(200, seed=2))
        await talk.until(lambda: babble(200, seed=2) in bytes(talk.audio))
    finally:
        other.close()
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert str(row.media["remote"]).endswith(f":{other.port}")


async def test_target_refresh(world: World, agent: Runtime, phone: Phone, make_phone: MakePhone) -> None:
    """After a re-INVITE with another Contact our BYE goes there (RFC 3261 section 12.2)."""
    leg, talk = await connected(world, agent, phone)
    elsewhere = await make_phone()
    port = next(one.port for one in elsewhere.endpoint.listeners if one.transport == "UDP")
    leg.dialog.contact = f"<sip:phone@127.0.0.1:{port}>"
    assert (await leg.reinvite(sdp(phone.sound.port, version=2))).status == 200
    await asyncio.sleep(0.1)
    await talk.close()
    await elsewhere.until(lambda: elsewhere.received("BYE"))
    await world.ended("completed", "agent_disconnected", "agent")


@pytest.mark.both_loops
async def test_another_codec(world: World, agent: Runtime, phone: Phone) -> None:
    """From PCMU to PCMA in mid-call: both directions speak A-law from then on, the agent notices nothing."""
    leg, talk = await connected(world, agent, phone)
    phone.sound.hush()
    answer = await leg.reinvite(sdp(phone.sound.port, payload_types="8 101", version=2))
    assert b"RTP/AVP 8 " in answer.body
    phone.sound.murmur(8)
    speech = babble(200)
    await talk.say(speech)
    await until(lambda: len(phone.sound.voice(8)) >= len(speech))
    assert len(phone.sound.voice(8)) == len(speech)
    before = len(talk.audio)
    await talk.until(lambda: len(talk.audio) > before + 1600)
    assert set(talk.audio[before + 400 :]) <= {0xFF, 0x7F, 0xFE, 0x7E}, "A-law's silence, in μ-law"
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert row.media["codec"] == "PCMA"


async def test_a_reinvite_that_cannot_be(world: World, agent: Runtime, phone: Phone) -> None:
    """488 and 400 leave the session as it was (RFC 3261 section 14.2)."""
    leg, talk = await connected(world, agent, phone)
    assert (await leg.reinvite(sdp(phone.sound.port, payload_types="9", version=2))).status == 488
    assert (await leg.reinvite(b"v=0\r\nnonsense\r\n")).status == 400
    await talk.say(babble(100))
    await until(lambda: babble(100) in phone.sound.heard())
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_delayed_offer(world: World, agent: Runtime, phone: Phone) -> None:
    """An INVITE without SDP gets our offer in the 200; the ACK's answer decides (RFC 3261 section 13.2.1)."""
    greeting = babble(100)

    async def greet(talk: Talk) -> None:
        await talk.say(greeting)

    agent.on_connect = greet
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER, b"")
    answered = await leg.answered(ack=False)
    assert b"RTP/AVP 0 8 101" in answered.body
    leg.ack(sdp(phone.sound.port, payload_types="8 101"))
    phone.sound.murmur(8)
    await until(lambda: len(phone.sound.voice(8)) >= len(greeting))
    talk = await agent.talk()
    await talk.until(lambda: len(talk.audio) > 1600)
    # What was queued as μ-law must come out as the same sound in A-law.
    assert _levels(phone.sound.voice(8), "alaw") == pytest.approx(_levels(greeting, "ulaw"), rel=0.05, abs=20)
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert row.media["codec"] == "PCMA"


async def test_delayed_offer_without_an_answer(world: World, phone: Phone) -> None:
    """An ACK that brings no answer to our offer ends the call, saying so."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER, b"")
    await leg.answered()
    await leg.next(ByeReceived)
    row = await world.ended("failed", "bad_session", "gateway")
    assert "no answer to our offer" in row.detail


async def test_reinvite_without_an_offer(world: World, agent: Runtime, phone: Phone) -> None:
    """A re-INVITE without SDP gets our offer; an ACK without an answer leaves the session as it was."""
    leg, talk = await connected(world, agent, phone)
    for _ in range(2):
        answer = await leg.reinvite(b"")
        assert answer.status == 200
        assert b"m=audio" in answer.body
    await world.hears("call.session_kept")
    before = len(talk.audio)
    await talk.say(babble(200))
    await until(lambda: babble(200) in phone.sound.heard())
    await talk.until(lambda: len(talk.audio) > before + 1600)
    assert (await leg.reinvite(sdp(phone.sound.port, direction="sendonly", version=2))).status == 200
    await talk.message("hold")
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")
    assert len(world.told("call.session_kept")) == 1


@pytest.mark.parametrize("answer", [b"v=0\r\nnonsense\r\n", sdp(9, payload_types="9"), sdp(0)])
async def test_an_answer_in_the_call_that_cannot_be_used(
    world: World, agent: Runtime, phone: Phone, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """What is nonsense, has no codec of ours or no stream changes nothing; a good one does."""
    leg, talk = await connected(world, agent, phone)
    acknowledge = Dialog.acknowledgement_of
    for body in (answer, sdp(phone.sound.port, direction="sendonly", version=2)):
        monkeypatch.setattr(
            Dialog,
            "acknowledgement_of",
            lambda dialog, invite, *_, body=body: acknowledge(dialog, invite, body, "application/sdp"),
        )
        assert (await leg.reinvite(b"")).status == 200
        await world.hears("call.session_kept")
    await talk.message("hold")
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")
    assert len(world.told("call.session_kept")) == 1


async def test_packets_of_thirty_milliseconds(world: World, agent: Runtime, phone: Phone) -> None:
    """A phone that asks for 30 ms gets packets of 30 ms."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER, sdp(phone.sound.port, more=["a=ptime:30"]))
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    speech = babble(303)
    await talk.say(speech)
    await until(lambda: speech in phone.sound.heard())
    assert {len(one.packet.payload) for one in phone.sound.packets} == {240}
    gaps = [
        later.at - earlier.at
        for earlier, later in zip(phone.sound.packets, phone.sound.packets[1:], strict=False)
    ]
    assert 0.025 < sum(gaps) / len(gaps) < 0.035
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_no_common_codec(world: World, phone: Phone) -> None:
    """488, before the agent is asked."""
    await world.line()
    refused = await phone.invite(world.at(), NUMBER, sdp(phone.sound.port, payload_types="9 18")).refused()
    assert (refused.status, refused.reason_phrase) == (488, "No Common Codec")
    await world.ended("failed", "no_common_codec", "gateway")
    assert world.runtime.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"v=0\r\n",
        b"\xff\xfe\x00" * 50,
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n",
    ],
)
async def test_garbage_for_sdp(world: World, phone: Phone, body: bytes) -> None:
    """400, which says what it is about."""
    await world.line()
    refused = await phone.invite(world.at(), NUMBER, body).refused()
    assert (refused.status, refused.reason_phrase) == (400, "Session Description Not Understood")
    await world.ended("failed", "bad_session", "gateway")


@pytest.mark.parametrize("host", ["example.invalid", "::1", "255.255.255.255"])
async def test_media_that_cannot_be_sent(world: World, agent: Runtime, phone: Phone, host: str) -> None:
    """An address that our socket cannot reach costs that call its audio, and the gateway nothing."""
    await world.line()
    body = sdp(9, "127.0.0.1").replace(
        b"c=IN IP4 127.0.0.1", f"c=IN IP{6 if ':' in host else 4} {host}".encode()
    )
    leg = phone.invite(world.at(), NUMBER, body)
    await leg.next(object)
    await asyncio.sleep(0.3)
    if leg.dialog.state == "confirmed":
        leg.ack()
        await asyncio.sleep(0.2)
        leg.bye()
    await world.record()


async def test_forged_media(world: World, agent: Runtime, phone: Phone) -> None:
    """Once the caller's source is known, nobody else's packets are heard."""
    leg, talk = await connected(world, agent, phone)
    forger = Sound()
    try:
        forger.remote = phone.sound.remote
        forger.ssrc, forger.sequence = phone.sound.ssrc, phone.sound.sequence + 1
        await forger.speak(babble(200, seed=9))
    finally:
        forger.close()
    assert babble(20, seed=9) not in bytes(talk.audio)
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


def _levels(audio: bytes, encoding: str) -> list[int]:
    decode = converter(AudioFormat(encoding, 8000), L16_8K)  # type: ignore[arg-type]  # one of its names
    assert decode is not None
    return [int(level) for level in np.frombuffer(decode(audio), "<i2")]
