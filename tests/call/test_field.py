"""Whole calls by carriers that write SIP as it is written in the field."""

import orjson
import pytest

from gateway.store.sql import SqlStore
from tests.call.phone import Phone, sdp
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World

CALLER = "+12025550199"


@pytest.mark.parametrize("reveal", [False, True])
async def test_a_withheld_number_is_withheld_from_all(
    world: World, agent: Runtime, phone: Phone, reveal: bool
) -> None:
    """Agent, record and every event know nobody; the operator's key opens it; a trunk may say otherwise."""
    await world.line(dialect="native")
    await world.change_trunk(trust_pai=True, reveal_withheld=reveal)
    headers = [("P-Asserted-Identity", f"<sip:{CALLER}@carrier.example>"), ("Privacy", "id;critical")]
    leg = phone.invite(world.at(), NUMBER, caller=CALLER, headers=headers)
    await leg.answered()
    phone.sound.murmur()
    start = await (await agent.talk()).message("start")
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")
    (row,) = await world.records()
    shown = CALLER if reveal else "anonymous"
    assert (start["from"], row.from_number) == (shown, shown)
    told = orjson.dumps([event.fields for event in world.events], default=str).decode()
    assert (CALLER in told + str(start) + str(row.decision)) is reveal
    store = world.gateway.store
    assert isinstance(store, SqlStore)
    if not reveal:
        assert row.sealed_caller is not None
        assert CALLER not in row.sealed_caller
        assert store.open_sealed(row.sealed_caller) == CALLER


async def test_the_asserted_caller_is_the_caller(world: World, agent: Runtime, phone: Phone) -> None:
    """In brackets, beside another, on a trunk that is trusted with it."""
    await world.line(dialect="native")
    await world.change_trunk(trust_pai=True)
    asserted = f'"A" <sip:alice@c.example>, <tel:{CALLER}>'
    leg = phone.invite(world.at(), NUMBER, caller="anonymous", headers=[("P-Asserted-Identity", asserted)])
    await leg.answered()
    phone.sound.murmur()
    assert (await (await agent.talk()).message("start"))["from"] == CALLER
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


@pytest.mark.parametrize(
    ("offer", "phrase", "warning"),
    [
        (lambda port: sdp(port).replace(b"RTP/AVP", b"RTP/SAVP"), "SRTP Not Supported", "302"),
        (lambda port: sdp(port).replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF"), "SRTP Not Supported", "302"),
        (lambda port: sdp(port).replace(b"RTP/AVP", b"TCP/RTP/AVP"), "Media Transport Not Supported", "302"),
        (lambda port: sdp(port, "2001:db8::1"), "IPv6 Media Not Supported", "301"),
        (lambda port: sdp(port).replace(b"m=audio", b"m=video"), "No Audio Stream", "304"),
        (lambda port: sdp(port).replace(b"c=IN IP4 127.0.0.1\r\n", b""), "No Connection Address", "301"),
        (lambda port: sdp(port).replace(b" RTP", b"/3 RTP"), "Port Count Not Supported", "302"),
        (lambda port: sdp(0), "Audio Stream Has Port 0", "399"),
        (lambda port: sdp(port, payload_types="9"), "No Common Codec", "305"),
    ],
)
async def test_an_offer_is_refused_in_its_own_words(
    world: World, phone: Phone, offer: object, phrase: str, warning: str
) -> None:
    """What a carrier's engineer reads in a trace says what to change (RFC 3261 section 20.43)."""
    await world.line()
    assert callable(offer)
    refused = await phone.invite(world.at(), NUMBER, offer(phone.sound.port)).refused()
    assert (refused.status, refused.reason_phrase) == (488, phrase)
    fields = dict(refused.headers)
    assert str(fields["Warning"]).startswith(f'{warning} trunkline "')
    reason = "no_common_codec" if warning == "305" else "no_usable_media"
    await world.ended("failed", reason, "gateway")


async def test_what_is_refused_before_a_call_leaves_a_line(world: World, phone: Phone) -> None:
    """A carrier that requires 100rel fails every call: the log says so, once a second."""
    await world.line()
    for _ in range(3):
        refused = await phone.invite(world.at(), NUMBER, headers=[("Require", "100rel")]).refused()
        assert refused.status == 420
    (event,) = world.told("sip.refused")
    fields = event.fields
    assert (fields["trunk"], fields["status"], fields["method"]) == ("Carrier", 420, "INVITE")
    assert (fields["header"], fields["why"]) == ("Require", "100rel is not supported")
    assert fields["sip_call_id"]


async def test_a_sip_i_offer_is_a_call(world: World, agent: Runtime, phone: Phone) -> None:
    """The SDP among the parts is what is answered."""
    await world.line(dialect="native")
    parts = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp(phone.sound.port)
    parts += (
        b"\r\n--b\r\nContent-Type: application/ISUP\r\nContent-Disposition: signal;handling=optional\r\n\r\n"
    )
    parts += b"\x01\x00\r\n--b--\r\n"
    leg = phone.invite(world.at(), NUMBER, parts, content_type="multipart/mixed;boundary=b")
    assert (await leg.answered()).body.startswith(b"v=0")
    phone.sound.murmur()
    await agent.talk()
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_bye_that_nobody_answers_is_in_the_record(world: World, agent: Runtime, phone: Phone) -> None:
    """The caller's telephone is gone when the agent hangs up: the ladder and the log say so."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    await agent.talk()
    (record,) = world.gateway.switchboard.running()
    await phone.stop()
    world.gateway.switchboard.hang_up(record.id, "test")
    event = await world.hears("call.bye_failed")
    assert event.fields["why"] == "408 no response"
    row = await world.ended("completed", "ended_by_request", "request")
    assert str(row.ladder[-1]["line"]).startswith("no answer to BYE at 127.0.0.1:")
