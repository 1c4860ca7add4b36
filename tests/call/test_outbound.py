"""Outbound calls, whole: on the wire, for the agent, in the record and in the events."""

import asyncio
import time

import pytest

from gateway.call.legs.custom_headers import check_headers
from gateway.call.placing import CallRequest
from gateway.call.record import CallRecord, EndReason
from gateway.call.refusal import Refused
from gateway.phones.telephone import AnybodyMayCall
from gateway.routing.decision import Reason, Rejected
from gateway.routing.outbound import OutboundRequest
from gateway.routing.table import Secret
from gateway.sip.authenticator import Authenticator, Stale, Verified
from gateway.sip.events import ByeReceived, Cancelled
from gateway.sip.message import Request
from gateway.sip.screening import Admit, Deny, Screening
from gateway.sip.target import Target
from gateway.store.engine.errors import InvalidInput
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Phone, babble, sdp, share_heard, until
from tests.call.runtime import Runtime
from tests.call.world import CALLEE, NUMBER, World

# Which answer means what, and who may call: nothing of it is the loop's.
pytestmark = pytest.mark.one_loop


async def test_a_whole_call(world: World, agent: Runtime, phone: Phone) -> None:
    """Asked for, rung, answered, heard both ways, hung up by the callee: one record says all of it."""
    await world.way_out(phone.uri(), dialect="native")
    record = await world.place(metadata={"name": "Ada", "tier": 2, "vip": True, "deep": {"a": 1}})
    leg = await phone.called()
    assert leg.invitation.uri == f"sip:{CALLEE}@{phone.uri()}"
    assert leg.invitation.from_.uri.user == NUMBER  # type: ignore[union-attr]
    leg.ring()
    talk = await agent.talk()
    await world.hears("agent.connected")
    assert not talk.messages, "the agent hears nothing before the answer"
    leg.accept()
    start = await talk.message("start")
    assert (start["direction"], start["from"], start["to"]) == ("outbound", NUMBER, CALLEE)
    assert start["parameters"] == {"name": "Ada", "tier": "2", "vip": "true"}
    speech, words = babble(300), babble(300, seed=2)
    await phone.sound.speak(speech)
    await talk.until(lambda: share_heard(speech, bytes(talk.audio)) > 0.8)
    await talk.say(words)
    phone.sound.murmur()
    await until(lambda: share_heard(words, phone.sound.heard()) > 0.8)
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "callee")
    assert (row.id, row.direction, row.requested_by) == (record.id, "outbound", "test")
    assert (row.from_number, row.to_number) == (NUMBER, CALLEE)
    assert row.metadata["deep"] == {"a": 1}
    assert [step["line"] for step in row.ladder] == [
        "INVITE",
        "100 Trying",
        "180 Ringing",
        "200 OK",
        "ACK",
        "BYE",
        "200 OK",
    ]
    assert row.ladder[0]["sent"] is True
    assert [event.name for event in world.events if event.call_id == row.id] == [
        "call.created",
        "call.routed",
        "call.sent",
        "call.ringing",
        "agent.connecting",
        "agent.connected",
        "call.answered",
        "call.first_audio_in",
        "call.first_audio_out",
        "call.ended",
    ]
    assert {event.fields["workspace_id"] for event in world.events if event.name.startswith("call.")} == {
        world.workspace.id
    }


async def test_first_words_wait_for_the_answer(world: World, agent: Runtime, phone: Phone) -> None:
    """What an agent says while it rings is heard whole after the answer, and none of it before."""
    await world.way_out(phone.uri(), dialect="native", early_media=True)
    await world.place()
    leg = await phone.called()
    leg.ring(183, sdp(phone.sound.port, payload_types="0 101"))
    talk = await agent.talk()
    await talk.message("start")
    greeting = babble(400)
    await talk.say(greeting)
    await asyncio.sleep(0.1)
    assert phone.sound.heard() == b""
    leg.accept()
    await talk.message("answered")
    phone.sound.murmur()
    await until(lambda: share_heard(greeting, phone.sound.heard()) > 0.8)
    leg.bye()
    await world.ended("completed", "user_disconnected", "callee")


async def test_early_media_is_for_those_who_ask(world: World, agent: Runtime, phone: Phone) -> None:
    """What the far end plays before the answer reaches an agent whose version wants it."""
    await world.way_out(phone.uri(), dialect="native", early_media=True)
    await world.place()
    leg = await phone.called()
    phone.sound.remote = None
    leg.ring(183, sdp(phone.sound.port, payload_types="0 101"))
    talk = await agent.talk()
    await talk.message("start")
    body = leg.invitation.body.decode()
    port = int(body.split("m=audio ")[1].split()[0])
    phone.sound.remote = ("127.0.0.1", port)
    announcement = babble(300)
    await phone.sound.speak(announcement)
    await talk.until(lambda: share_heard(announcement, bytes(talk.audio)) > 0.8)
    leg.refuse(480, [("Reason", 'Q.850;cause=19;text="no answer"')])
    row = await world.ended("did_not_pick", "user_did_not_pick_up", "callee")
    assert (row.sip_status, row.q850) == (480, 19)
    assert (await talk.message("stop"))["reason"] == "user_did_not_pick_up"


async def test_answer_without_sdp_after_an_early_one(world: World, agent: Runtime, phone: Phone) -> None:
    """The SDP of the 183 holds for a 200 that brings none."""
    await world.way_out(phone.uri())
    await world.place()
    leg = await phone.called()
    leg.ring(183, sdp(phone.sound.port, payload_types="0 101"))
    leg.accept(b"")
    talk = await agent.talk()
    await talk.message("start")
    speech = babble(200)
    await phone.sound.speak(speech)
    await talk.until(lambda: share_heard(speech, bytes(talk.audio)) > 0.8)
    leg.bye()
    await world.ended("completed", "user_disconnected", "callee")


@pytest.mark.parametrize(
    ("status", "cause", "expected", "reason", "by"),
    [
        (486, None, "busy", "user_busy", "callee"),
        (600, None, "busy", "user_busy", "callee"),
        (603, None, "busy", "user_busy", "callee"),
        (480, None, "no_answer", "user_unreachable", "gateway"),
        (480, 19, "did_not_pick", "user_did_not_pick_up", "callee"),
        (404, None, "failed", "unallocated_phone_number", "gateway"),
        (484, None, "failed", "invalid_phone_number", "gateway"),
        (403, None, "failed", "destination_forbidden", "gateway"),
        (407, None, "failed", "sip_auth_failed", "gateway"),
        (503, None, "failed", "network_failure", "gateway"),
        (503, 17, "busy", "user_busy", "callee"),
        (302, None, "failed", "unknown", "gateway"),
        (499, None, "failed", "unknown", "gateway"),
    ],
)
async def test_refusals(
    world: World, phone: Phone, status: int, cause: int | None, expected: str, reason: str, by: str
) -> None:
    """Each final answer of a trunk ends the call in its own words, the agent never having been dialled."""
    await world.way_out(phone.uri())
    await world.place()
    leg = await phone.called()
    leg.refuse(status, [] if cause is None else [("Reason", f"Q.850;cause={cause}")])
    row = await world.ended(expected, reason, by)
    assert (row.sip_status, row.q850) == (status, cause)
    assert str(status) in row.detail
    assert not world.told("agent.connecting")


async def test_it_rings_out(world: World, agent: Runtime, phone: Phone) -> None:
    """After `ring_seconds` comes CANCEL with a reason, and the record has the 487 that came late."""
    await world.way_out(phone.uri())
    await world.place(ring_seconds=1)
    leg = await phone.called()
    leg.ring()
    talk = await agent.talk()
    cancelled = await leg.next(Cancelled)
    assert cancelled.reason == 'Q.850;cause=19;text="user_did_not_pick_up"'
    assert (await talk.gone())[0] == 1000
    await world.ended("did_not_pick", "user_did_not_pick_up", "gateway")
    await until(lambda: not world.gateway.endpoint.user_agent.dialog_count)
    row = await world.record()
    assert [step["line"] for step in row.ladder][-3:] == ["200 OK", "487 Request Terminated", "ACK"]


async def test_nobody_answers_at_all(world: World, make_phone: MakePhone) -> None:
    """A trunk that is silent is told apart from a callee that does not pick up."""
    phone = await make_phone()
    await world.way_out(phone.uri())
    await phone.stop()
    await world.place(ring_seconds=30)
    row = await world.ended("failed", "sip_trunk_unreachable", "gateway")
    assert row.detail


async def test_late_answer_after_our_cancel(world: World, phone: Phone) -> None:
    """A 200 that crosses our CANCEL is acknowledged and hung up, and the record shows it."""
    await world.way_out(phone.uri())
    record = await world.place()
    leg = await phone.called()
    leg.ring()
    await world.hears("call.ringing")
    # Both in the same turn of the loop: neither side can know of the other's.
    assert world.gateway.switchboard.hang_up(record.id, "test")
    leg.accept()
    await leg.next(ByeReceived)
    row = await world.ended("cancelled", "ended_by_request", "request")
    assert row.answered_at is None
    await until(lambda: not world.gateway.endpoint.user_agent.dialog_count)
    lines = [step["line"] for step in (await world.record()).ladder]
    assert "ACK" in lines
    assert lines[-2:] == ["BYE", "200 OK"]


async def test_whoever_placed_a_call_can_await_its_ending(world: World, phone: Phone) -> None:
    """The handle tells how it ended, to each who waits; who stops waiting ends nothing."""
    await world.way_out(phone.uri())
    asked = OutboundRequest(world.workspace.id, CALLEE, from_number=NUMBER)
    placed = await world.gateway.placing.place(CallRequest(asked, "test"))
    leg = await phone.called()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(placed.ended(), 0.05)
    assert placed.record.ending is None
    waiting = [asyncio.create_task(placed.ended()) for _ in range(2)]
    leg.refuse(486)
    assert {ending.reason for ending in await asyncio.gather(*waiting)} == {EndReason.USER_BUSY}
    assert (await placed.ended()) is placed.record.ending
    assert not world.gateway.switchboard.running()


async def test_hung_up_on_request(world: World, agent: Runtime, phone: Phone) -> None:
    """Whoever asked for a call may end it: BYE to the callee, and a record that says so."""
    await world.way_out(phone.uri())
    record = await world.place()
    leg = await phone.called()
    leg.accept()
    talk = await agent.talk()
    await talk.message("start")
    await world.hears("call.answered")
    assert [one.id for one in world.gateway.switchboard.running()] == [record.id]
    assert world.gateway.switchboard.hang_up(record.id, "key_1")
    assert not world.gateway.switchboard.hang_up("call_nobody", "key_1")
    await leg.next(ByeReceived)
    row = await world.ended("completed", "ended_by_request", "request")
    assert row.detail == "ended by key_1"


async def test_agent_that_is_not_there(world: World, phone: Phone) -> None:
    """The phone stops ringing when there is nobody to talk to."""
    await world.way_out(phone.uri(), runtime_url="ws://127.0.0.1:1/nobody")
    await world.place()
    leg = await phone.called()
    leg.ring()
    await leg.next(Cancelled)
    await world.ended("failed", "agent_unreachable", "gateway")


async def test_answer_that_makes_no_sense(world: World, phone: Phone) -> None:
    """A 200 whose SDP fits nothing is acknowledged and hung up."""
    await world.way_out(phone.uri())
    await world.place()
    leg = await phone.called()
    leg.accept(sdp(phone.sound.port, payload_types="18"))
    await leg.next(ByeReceived)
    await world.ended("failed", "bad_session", "gateway")


class Doorkeeper(AnybodyMayCall):
    """Asks for the password that a trunk should have."""

    def __init__(self, password: str) -> None:
        self.authenticator = Authenticator(b"s" * 32, "carrier", lifetime=300, algorithms=("SHA-256", "MD5"))
        self.password = password
        self.stale_once = False

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        """401 until the credentials are right."""
        header = self.authenticator.pick(request.headers.get_all("Authorization"))
        stale = False
        if header is not None:
            outcome = self.authenticator.verify(
                header, request.method, request.uri, lambda _: self.password, now, source.host
            )
            stale = isinstance(outcome, Stale) or self.stale_once
            if isinstance(outcome, Verified) and not stale:
                return Admit()
            self.stale_once = False
        challenges = self.authenticator.challenge(now, source.host, stale=stale)
        return Deny(401, "Unauthorized", [("WWW-Authenticate", str(one)) for one in challenges])


@pytest.mark.parametrize("stale", [False, True])
async def test_credentials(world: World, make_phone: MakePhone, stale: bool) -> None:
    """A challenge is answered with the trunk's login, and again where its nonce is called stale."""
    doorkeeper = Doorkeeper("open sesame")
    doorkeeper.stale_once = stale
    phone = await make_phone(gatekeeper=doorkeeper)
    await world.way_out(phone.uri())
    await world.change_trunk(
        auth_mode="userpass", outbound_username="ali", outbound_password=Secret("open sesame")
    )
    await world.place()
    leg = await phone.called()
    assert len(phone.received("INVITE")) == 2 + stale
    leg.refuse(486)
    await world.ended("busy", "user_busy", "callee")


@pytest.mark.parametrize("login", [None, ("ali", "wrong")])
async def test_credentials_that_do_not_help(
    world: World, make_phone: MakePhone, login: tuple[str, str] | None
) -> None:
    """Wrong ones, or none: the call fails, and says why."""
    phone = await make_phone(gatekeeper=Doorkeeper("right"))
    await world.way_out(phone.uri())
    if login is not None:
        username, password = login
        fields = {
            "auth_mode": "userpass",
            "outbound_username": username,
            "outbound_password": Secret(password),
        }
        await world.change_trunk(**fields)
    await world.place()
    row = await world.ended("failed", "sip_auth_failed", "gateway")
    assert row.sip_status == 401
    said = (
        "it asks for a login for realm “" if login is None else f"user “{login[0]}” is not let in for realm “"
    )
    assert said in row.detail


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_transport_of_the_trunk(world: World, phone: Phone, transport: str) -> None:
    """The INVITE goes by the trunk's transport, and its URI says so."""
    await world.way_out(phone.uri(transport))
    await world.change_trunk(transport=transport)
    await world.place(headers=(("X-Campaign", "spring"),))
    leg = await phone.called()
    assert leg.invitation.via.transport == transport
    assert leg.invitation.headers.get("X-Campaign") == "spring"
    assert leg.invitation.uri.endswith(";transport=tcp") == (transport == "TCP")
    leg.refuse(486)
    await world.ended("busy", "user_busy", "callee")


async def test_numbers_as_the_trunk_writes_them(world: World, phone: Phone) -> None:
    """Called and calling number are in the trunk's outbound format."""
    await world.way_out(phone.uri())
    await world.change_trunk(outbound_format="digits")
    await world.place()
    leg = await phone.called()
    assert leg.invitation.uri.startswith("sip:442079460018@")
    assert "<sip:12125550101@" in (leg.invitation.headers.get("From") or "")
    leg.refuse(486)
    await world.ended("busy", "user_busy", "callee")


async def test_refused_before_anything_is_recorded(world: World, phone: Phone) -> None:
    """Policy, limits and formats refuse with a reason; no record, no SIP."""
    await world.way_out(phone.uri())
    for to, reason in (
        ("", Reason.DESTINATION_MISSING),
        ("112", Reason.DESTINATION_EMERGENCY),
        ("+19005550100", Reason.DESTINATION_PREMIUM),
    ):
        with pytest.raises(Rejected) as refused:
            await world.place(to)
        assert refused.value.reason is reason
    book = world.gateway.store.configuration
    await book.workspaces.change(world.workspace.id, {"sip_byoc_enabled": True}, "test")
    with pytest.raises(Rejected) as other:
        await world.place(from_number="+12125550999")
    assert other.value.reason is Reason.CALLER_ID_NOT_ALLOWED
    assert not world.told("call.created")
    assert not phone.calls


async def test_channels_are_given_back(world: World, phone: Phone) -> None:
    """A ringing call holds its trunk's channel; the next one is refused until it has ended."""
    await world.way_out(phone.uri())
    await world.change_trunk(channel_limit=1)
    await world.place()
    leg = await phone.called()
    leg.ring()
    with pytest.raises(Rejected) as full:
        await world.place()
    assert full.value.reason is Reason.TRUNK_CHANNEL_LIMIT
    assert full.value.retry_after
    leg.refuse(486)
    await world.records()
    await world.place()
    (await phone.called(2)).refuse(486)
    assert [row.status for row in await world.records()] == ["busy", "busy"]


async def test_calls_per_second(build: Build, phone: Phone) -> None:
    """Requests that come faster than the trunk's pace wait for their turn; beyond the bound: refused."""
    world = await build(OUTBOUND__QUEUE_SECONDS="0.5")
    await world.way_out(phone.uri())
    await world.change_trunk(calls_per_second=5)
    began = time.monotonic()
    placed: list[CallRecord] = []

    async def place_many() -> None:
        while len(placed) < 20:
            placed.append(await world.place())

    with pytest.raises(Rejected) as refused:
        await place_many()
    assert refused.value.reason is Reason.TRUNK_RATE_LIMIT
    assert refused.value.retry_after is not None
    assert 3 <= len(placed) <= 5
    for number in range(1, len(placed) + 1):
        (await phone.called(number)).refuse(486)
    assert time.monotonic() - began >= (len(placed) - 1) / 5 - 0.05
    assert len(await world.records()) == len(placed)


async def test_draining(world: World, phone: Phone) -> None:
    """A gateway that drains places nothing new; a call that still rings at the deadline is cancelled."""
    await world.way_out(phone.uri())
    await world.place()
    leg = await phone.called()
    leg.ring()
    await world.hears("call.ringing")
    draining = asyncio.create_task(world.gateway.switchboard.drain(0.2, asyncio.Event()))
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="draining"):
        await world.place()
    await leg.next(Cancelled)
    await draining
    await world.ended("failed", "gateway_drained", "gateway")


def test_custom_headers() -> None:
    """Allowed ones by name or beginning; never those that are the user agent's, nor what could break out."""
    assert check_headers({"x-a": "1", "Diversion": "<sip:a@b>"}, ["X-*", "diversion"]) == (
        ("x-a", "1"),
        ("Diversion", "<sip:a@b>"),
    )
    for name, value in (
        ("Via", "SIP/2.0/UDP evil"),
        ("Contact", "<sip:evil@example.com>"),
        ("Subject", "hello"),
        ("X-A", "1\r\nVia: evil"),
        ("X-A: b\r\nVia", "evil"),
        ("X-A", "é"),
        ("X-A", "a" * 300),
    ):
        with pytest.raises(InvalidInput, match="headers"):
            check_headers({name: value}, ["X-*", "Via", "contact"])
