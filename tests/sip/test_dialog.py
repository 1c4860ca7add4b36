"""Dialogs: their life, their route sets, the INVITEs within them, and every race that a call can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import (
    Acknowledged,
    Answered,
    ByeReceived,
    Cancelled,
    InfoReceived,
    InviteReceived,
    Refused,
    ReinviteAnswered,
    Ringing,
)
from gateway.sip.message import Request, Response
from gateway.sip.useragent import Target

if TYPE_CHECKING:
    from tests.sip.conftest import Phone, Wire

BODY = b"v=0\r\n"


def only_request(messages: list[Request | Response]) -> Request:
    """The one message, which is a request."""
    (message,) = messages
    assert isinstance(message, Request)
    return message


def only_response(messages: list[Request | Response]) -> Response:
    """The one message, which is a response."""
    (message,) = messages
    assert isinstance(message, Response)
    return message


class TestACallFromThem:
    """INVITE to BYE, as the one who is called."""

    def test_it_goes_from_invite_to_bye(self, phone: Phone) -> None:
        """100 at once, our provisional and final answers, the ACK, their BYE; nothing is left."""
        trying = only_response(phone.send(phone.request("INVITE", body=b"offer")))
        assert (trying.status, trying.to.tag) == (100, None)
        (event,) = phone.events()
        assert isinstance(event, InviteReceived)
        assert (event.admission, event.source, event.request.body) == ("trunk", phone.source, b"offer")
        dialog = event.dialog
        dialog.ring(0.0)
        dialog.accept(1.0, b"answer")
        ringing, answer = phone.heard()
        assert isinstance(ringing, Response)
        assert isinstance(answer, Response)
        assert (ringing.status, answer.status, answer.body) == (180, 200, b"answer")
        assert ringing.to.tag == answer.to.tag == dialog.local_tag
        phone.acknowledge(dialog, body=b"theirs")
        (acknowledged,) = phone.events()
        assert isinstance(acknowledged, Acknowledged)
        assert (acknowledged.body, acknowledged.content_type) == (b"theirs", "application/sdp")
        bye = phone.within(dialog, "BYE", headers=['Reason: Q.850;cause=16;text="Normal"'])
        assert only_response(phone.send(bye)).status == 200
        ended, _ = phone.events()
        assert isinstance(ended, ByeReceived)
        assert ended.reason_header == 'Q.850;cause=16;text="Normal"'
        assert dialog.state == "terminated"
        phone.wait(64)
        assert phone.idle()

    def test_our_2xx_says_what_we_are(self, phone: Phone) -> None:
        """Contact is what the peer can reach; Allow, Accept and Supported are honest."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer", headers=[("X-Call", "7")])
        answer = only_response(phone.heard())
        assert answer.headers.get("Contact") == "<sip:+14155550100@192.0.2.1:5060>"
        assert answer.headers.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
        assert answer.headers.get("Accept") == "application/sdp, multipart/mixed"
        assert answer.headers.get("Supported") == ""
        assert answer.headers.get("X-Call") == "7"
        assert answer.headers.get("Content-Type") == "application/sdp"

    def test_our_2xx_is_repeated_until_the_ack(self, phone: Phone) -> None:
        """T1, doubling to T2, and not once more after the ACK."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.heard()
        assert phone.wait(12) == [(0.5, 200), (1.5, 200), (3.5, 200), (7.5, 200), (11.5, 200)]
        phone.acknowledge(dialog)
        assert phone.names() == ["Acknowledged"]
        assert phone.wait(60) == []

    def test_our_2xx_is_repeated_over_tcp_too(self, make_phone: Callable[..., Phone]) -> None:
        """There may be UDP further along the way (section 13.3.1.4)."""
        phone = make_phone("TCP")
        phone.call().accept(0.0, b"answer")
        phone.heard()
        assert phone.wait(2) == [(0.5, 200), (1.5, 200)]

    def test_a_missing_ack_is_told_and_hung_up_on(self, phone: Phone) -> None:
        """After 64*T1 the application hears of it; when it does nothing for as long, we hang up."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.heard()
        phone.wait(32)
        assert phone.names() == ["AckMissing"]
        sent = phone.wait(33)
        assert sent[0] == (64.0, "BYE")
        phone.wait(32)
        assert phone.names() == ["ByeFailed", "DialogTerminated"]
        phone.wait(64)
        assert phone.idle()

    def test_a_missing_ack_is_answered_by_bye(self, phone: Phone) -> None:
        """The application's BYE after AckMissing goes out at once."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.wait(32)
        phone.heard()
        dialog.bye(32.0)
        assert phone.statuses() == ["BYE"]

    def test_a_late_ack_is_welcome(self, phone: Phone) -> None:
        """An ACK after AckMissing still makes the call, as long as nobody has hung up."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.wait(33)
        phone.heard()
        phone.acknowledge(dialog)
        assert phone.names() == ["AckMissing", "Acknowledged"]
        assert phone.wait(100) == []
        assert dialog.state == "confirmed"

    def test_a_repeated_ack_is_absorbed(self, phone: Phone) -> None:
        """Only the first is told."""
        dialog = phone.answered_call()
        phone.acknowledge(dialog)
        assert phone.names() == []

    def test_an_ack_by_the_branch_of_its_invite_counts(self, phone: Phone) -> None:
        """Some peers do not give the ACK of a 2xx a branch of its own."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.send(phone.request("ACK", to_tag=f";tag={dialog.local_tag}"))
        assert phone.names() == ["Acknowledged"]

    def test_a_repeated_invite_is_no_second_call(self, phone: Phone) -> None:
        """It is answered by the last answer, before and after the 2xx."""
        dialog = phone.call()
        invite = phone.request("INVITE", body=b"offer")
        assert [one.status for one in map(only_response, [phone.send(invite)])] == [100]
        dialog.ring(0.1)
        phone.heard()
        assert only_response(phone.send(invite)).status == 180
        dialog.accept(0.2, b"answer")
        phone.heard()
        assert only_response(phone.send(invite)).body == b"answer"
        phone.acknowledge(dialog)
        assert phone.names() == ["Acknowledged"]

    def test_ringing_is_repeated_every_minute(self, phone: Phone) -> None:
        """So that no proxy on the way gives up (section 13.3.1.1)."""
        dialog = phone.call()
        dialog.ring(0.0)
        phone.heard()
        assert phone.wait(130) == [(60.0, 180), (120.0, 180)]

    def test_refusal_is_repeated_until_its_ack(self, phone: Phone) -> None:
        """486 with the reason phrase and headers given, until the ACK; the dialog is over at once."""
        dialog = phone.call()
        dialog.refuse(0.0, 486, "All agents are busy", [("Retry-After", "60")])
        busy = only_response(phone.heard())
        assert (busy.status, busy.reason) == (486, "All agents are busy")
        assert busy.headers.get("Retry-After") == "60"
        assert phone.names() == ["DialogTerminated"]
        assert phone.wait(1) == [(0.5, 486)]
        phone.send(phone.request("ACK", to_tag=f";tag={dialog.local_tag}"))
        assert phone.wait(60) == []
        assert phone.idle()

    def test_cancel_ends_an_unanswered_call(self, phone: Phone) -> None:
        """200 to the CANCEL, 487 to the INVITE, both with the same To tag; the Reason is told."""
        dialog = phone.call()
        dialog.ring(0.0)
        phone.heard()
        reason = 'SIP;cause=200;text="Call completed elsewhere"'
        ok, terminated = phone.send(phone.request("CANCEL", headers=[f"Reason: {reason}"]))
        assert isinstance(ok, Response)
        assert isinstance(terminated, Response)
        assert (ok.status, ok.cseq.method) == (200, "CANCEL")
        assert (terminated.status, terminated.cseq.method) == (487, "INVITE")
        assert ok.to.tag == terminated.to.tag == dialog.local_tag
        cancelled, _ = phone.events()
        assert isinstance(cancelled, Cancelled)
        assert cancelled.reason == reason

    def test_verbs_that_come_too_late_do_nothing(self, phone: Phone) -> None:
        """The caller gave up a moment ago: answers of ours that cross it are no mistakes."""
        dialog = phone.call()
        phone.send(phone.request("CANCEL"))
        dialog.ring(0.1)
        dialog.accept(0.2, b"answer")
        dialog.refuse(0.3, 486)
        dialog.bye(0.4)
        dialog.info(0.5, "application/dtmf-relay", b"Signal=1")
        assert phone.statuses() == []

    def test_cancel_after_our_answer_changes_nothing(self, phone: Phone) -> None:
        """It gets its 200, and the call stands (section 9.2)."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.heard()
        assert only_response(phone.send(phone.request("CANCEL"))).status == 200
        phone.acknowledge(dialog)
        assert phone.names() == ["Acknowledged"]

    def test_a_repeated_cancel_is_answered_again(self, phone: Phone) -> None:
        """Its 200 may have been lost."""
        phone.call()
        phone.send(phone.request("CANCEL"))
        assert 200 in [one.status for one in phone.send(phone.request("CANCEL")) if isinstance(one, Response)]
        assert phone.names() == ["Cancelled", "DialogTerminated"]

    def test_cancel_of_nothing_is_481(self, phone: Phone) -> None:
        """There is no transaction that it could mean."""
        assert only_response(phone.send(phone.request("CANCEL"))).status == 481

    def test_a_caller_may_hang_up_before_our_answer(self, phone: Phone) -> None:
        """BYE in an early dialog: 200 to it, 487 to the INVITE (section 15.1.2)."""
        dialog = phone.call()
        dialog.ring(0.0)
        phone.heard()
        phone.send(phone.within(dialog, "BYE"))
        assert phone.names() == ["ByeReceived", "DialogTerminated"]

    def test_an_application_that_never_answers_is_not_waited_for(
        self, make_phone: Callable[..., Phone]
    ) -> None:
        """An early dialog without a final answer is refused when its time is over."""
        phone = make_phone(invite_timeout=90.0)
        phone.call().ring(0.0)
        phone.heard()
        assert phone.wait(100)[:2] == [(60.0, 180), (90.0, 487)]
        assert phone.names() == ["Cancelled", "DialogTerminated"]
        phone.wait(64)
        assert phone.idle()

    def test_a_caller_says_how_long_the_invite_holds(self, phone: Phone) -> None:
        """Expires bounds the time for our answer (section 13.3.1)."""
        phone.call(headers=["Expires: 20"])
        assert phone.wait(21)[:1] == [(20.0, 487)]

    def test_our_bye_waits_for_the_ack(self, phone: Phone) -> None:
        """The callee must not send BYE before the ACK (section 15)."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.heard()
        dialog.bye(0.1, 'Q.850;cause=16;text="done"')
        assert phone.statuses() == []
        tag = f";tag={dialog.local_tag}"
        bye = only_request(phone.send(phone.request("ACK", branch="z9hG4bK-ack", to_tag=tag)))
        assert (bye.method, bye.headers.get("Reason")) == ("BYE", 'Q.850;cause=16;text="done"')
        assert phone.names() == []

    def test_our_bye_waits_no_longer_than_the_ack_may_take(self, phone: Phone) -> None:
        """When the ACK never comes, the BYE goes out after 64*T1."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        phone.heard()
        dialog.bye(0.1)
        assert phone.wait(33)[-2] == (32.0, "BYE")

    def test_their_bye_ends_the_wait_for_the_ack(self, phone: Phone) -> None:
        """Both hang up on a call that was never acknowledged."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        dialog.bye(0.1)
        phone.heard()
        assert only_response(phone.send(phone.within(dialog, "BYE"))).status == 200
        assert phone.names() == ["DialogTerminated"]
        assert phone.wait(64) == []
        assert phone.idle()

    def test_our_bye_ends_the_call(self, phone: Phone) -> None:
        """CSeq of our own, tags turned round, their Contact as Request-URI; its answer is the end."""
        dialog = phone.answered_call()
        dialog.bye(5.0)
        dialog.bye(5.1)
        bye = only_request(phone.heard())
        assert (bye.uri, bye.from_.tag, bye.to.tag) == ("sip:phone@198.51.100.2", dialog.local_tag, "theirs")
        assert phone.names() == []
        phone.send(phone.respond(bye, 200))
        assert phone.names() == ["DialogTerminated"]

    def test_a_bye_that_nobody_answers_ends_the_call_too(self, phone: Phone) -> None:
        """The peer has gone."""
        dialog = phone.answered_call()
        dialog.bye(0.0)
        phone.wait(33)
        assert phone.names() == ["ByeFailed", "DialogTerminated"]

    def test_two_byes_that_cross_end_the_call(self, phone: Phone) -> None:
        """Theirs is answered, ours is too; the end is told once."""
        dialog = phone.answered_call()
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert only_response(phone.send(phone.within(dialog, "BYE"))).status == 200
        phone.send(phone.respond(bye, 481))
        assert phone.names() == ["DialogTerminated"]

    def test_mistakes_of_the_application_are_told(self, phone: Phone) -> None:
        """Verbs that the state forbids raise, so that a test finds them."""
        dialog = phone.call()
        wrong: list[Callable[[], None]] = [
            lambda: dialog.bye(0.0),
            lambda: dialog.ring(0.0, 200),
            lambda: dialog.refuse(0.0, 200),
            lambda: dialog.ack(0.0),
            lambda: dialog.cancel(0.0),
            lambda: dialog.reinvite(0.0, BODY),
            lambda: dialog.refuse(0.0, 486, "two\r\nlines"),
        ]
        for verb in wrong:
            with pytest.raises(LocalProtocolError):
                verb()
        dialog.accept(0.0, b"answer")
        with pytest.raises(LocalProtocolError):
            dialog.accept(0.0, b"answer")


class TestACallToThem:
    """INVITE to BYE, as the one who calls."""

    def test_it_goes_from_invite_to_bye(self, wire: Wire) -> None:
        """Two user agents: the whole ladder, the same on both sides, and nothing left."""
        ours = wire.caller.invite(
            "sip:bob@198.51.100.2",
            target=Target("UDP", "198.51.100.2", 5060),
            from_='"Gateway" <sip:+14155550100@192.0.2.1>',
            contact_user="gateway",
            body=b"offer",
            headers=[("X-Call", "7")],
            now=0.0,
        )
        wire.run()
        received = wire.callee.next_event()
        assert isinstance(received, InviteReceived)
        assert (received.request.body, received.request.headers.get("X-Call")) == (b"offer", "7")
        received.dialog.ring(0.0, 183, b"early")
        wire.run()
        ringing = wire.caller.next_event()
        assert isinstance(ringing, Ringing)
        assert (ringing.status, ringing.body, ringing.content_type) == (183, b"early", "application/sdp")
        received.dialog.accept(1.0, b"answer")
        wire.run()
        answered = wire.caller.next_event()
        assert isinstance(answered, Answered)
        assert (answered.body, answered.dialog) == (b"answer", ours)
        ours.ack(1.0)
        wire.run()
        assert isinstance(wire.callee.next_event(), Acknowledged)
        ours.bye(2.0)
        wire.run()
        assert wire.ladder == [
            *("> INVITE", "< 100 INVITE", "< 183 INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE")
        ]
        assert (ours.call_id, ours.local_tag, ours.remote_tag) == (
            received.dialog.call_id,
            received.dialog.remote_tag,
            received.dialog.local_tag,
        )
        wire.handle_timeout(64.0)
        assert wire.idle()

    def test_our_invite_says_who_we_are(self, phone: Phone) -> None:
        """From, Contact and Via carry our side as the peer can reach it."""
        dialog, invite = phone.called(headers=[("P-Asserted-Identity", "<sip:+14155550100@192.0.2.1>")])
        assert invite.uri == "sip:+12125550111@198.51.100.2"
        assert str(invite.from_) == f"<sip:+14155550100@192.0.2.1>;tag={dialog.local_tag}"
        assert invite.headers.get("Contact") == "<sip:gateway@192.0.2.1:5060>"
        assert (invite.via.host, invite.via.port, invite.via.param("rport")) == ("192.0.2.1", 5060, "")
        assert invite.headers.get("P-Asserted-Identity") == "<sip:+14155550100@192.0.2.1>"
        assert invite.max_forwards == 70

    def test_a_phone_may_ring_for_long(self, phone: Phone) -> None:
        """100 or 180, then silence: no repetition, no time-out of SIP's own."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 180))
        assert phone.wait(300) == []
        phone.send(phone.respond(invite, 200, body=b"answer"))
        assert phone.names() == ["Ringing", "Answered"]
        assert dialog.state == "confirmed"

    def test_every_repeated_answer_is_acknowledged(self, phone: Phone) -> None:
        """The ACK of a repeated 2xx is the same again, with its body."""
        dialog, invite = phone.called(body=b"")
        answer = phone.respond(invite, 200, body=b"offer of theirs")
        phone.send(answer)
        phone.send(answer)
        assert phone.statuses() == []
        dialog.ack(0.0, b"answer of ours")
        ack = only_request(phone.heard())
        assert (ack.method, ack.body, ack.cseq.number) == ("ACK", b"answer of ours", invite.cseq.number)
        assert ack.via.branch != invite.via.branch
        again = only_request(phone.send(answer))
        assert bytes(again) == bytes(ack)
        assert phone.names() == ["Answered"]

    def test_every_repeated_refusal_is_acknowledged_and_told_once(self, phone: Phone) -> None:
        """486 again and again: an ACK each, one Refused with what the response said."""
        dialog, invite = phone.called()
        busy = phone.respond(invite, 486, headers=["Reason: Q.850;cause=17"])
        for _ in range(3):
            assert only_request(phone.send(busy)).method == "ACK"
        refused, _ = phone.events()
        assert isinstance(refused, Refused)
        assert (refused.status, refused.reason_phrase, refused.reason_header) == (
            486,
            "Some Reason",
            "Q.850;cause=17",
        )
        assert ("Reason", "Q.850;cause=17") in refused.headers
        assert dialog.state == "terminated"

    def test_nobody_there_is_408(self, phone: Phone) -> None:
        """No answer of any kind for 64*T1."""
        phone.called()
        assert [at for at, _ in phone.wait(40)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        refused, _ = phone.events()
        assert isinstance(refused, Refused)
        assert refused.status == 408
        assert phone.idle()

    def test_an_address_that_refuses_is_503(self, phone: Phone) -> None:
        """What the transport says comes as the reason phrase."""
        phone.called()
        phone.agent.transport_failed(Target("UDP", "198.51.100.2", 5060), 0.1, why="connection refused")
        refused, _ = phone.events()
        assert isinstance(refused, Refused)
        assert (refused.status, refused.reason_phrase) == (503, "connection refused")

    def test_cancel_waits_for_a_provisional_response(self, phone: Phone) -> None:
        """Before any 1xx it must not be sent (section 9.1); it has the branch of the INVITE."""
        dialog, invite = phone.called()
        dialog.cancel(0.0, "SIP;cause=487")
        assert phone.statuses() == []
        cancel = only_request(phone.send(phone.respond(invite, 100)))
        assert (cancel.method, cancel.via.branch, cancel.uri) == ("CANCEL", invite.via.branch, invite.uri)
        assert (cancel.cseq.number, cancel.headers.get("Reason")) == (invite.cseq.number, "SIP;cause=487")
        phone.send(phone.respond(cancel, 200))
        assert only_request(phone.send(phone.respond(invite, 487))).method == "ACK"
        assert phone.names() == ["DialogTerminated"]
        phone.wait(40)
        assert phone.idle()

    def test_cancel_of_a_call_that_nobody_answers_ends_with_it(self, phone: Phone) -> None:
        """The CANCEL that waits is never sent when no response ever comes."""
        dialog, _ = phone.called()
        dialog.cancel(0.0)
        assert {what for _, what in phone.wait(40)} == {"INVITE"}
        assert phone.names() == ["DialogTerminated"]
        assert phone.idle()

    def test_cancel_that_is_not_heeded_ends_the_call_all_the_same(self, phone: Phone) -> None:
        """Without a final response for 64*T1 the transaction counts as cancelled (section 9.1)."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 180))
        dialog.cancel(0.0)
        cancel = only_request(phone.heard())
        phone.send(phone.respond(cancel, 200))
        phone.wait(31)
        assert phone.names() == ["Ringing"]
        phone.wait(2)
        assert phone.names() == ["DialogTerminated"]
        assert phone.idle()

    def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up_on(self, phone: Phone) -> None:
        """200 after CANCEL: ACK and BYE by the user agent itself, and no event but the end."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 180))
        dialog.cancel(0.0)
        phone.heard()
        phone.events()
        ack, bye = phone.send(phone.respond(invite, 200, body=b"answer"))
        assert isinstance(ack, Request)
        assert isinstance(bye, Request)
        assert (ack.method, bye.method) == ("ACK", "BYE")
        assert phone.agent.counters["cancel.crossed"] == 1
        assert only_request(phone.send(phone.respond(invite, 200, body=b"answer"))).method == "ACK"
        phone.send(phone.respond(bye, 200))
        assert phone.names() == ["DialogTerminated"]

    def test_cancel_just_after_the_answer_hangs_up(self, phone: Phone) -> None:
        """The application did not know yet that it was answered."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, body=b"answer"))
        dialog.cancel(0.0)
        assert phone.statuses() == ["ACK", "BYE"]

    def test_an_answer_that_is_never_acknowledged_by_us_is_hung_up_on(self, phone: Phone) -> None:
        """The application forgot `ack`: after 64*T1 the user agent ends the call."""
        _, invite = phone.called()
        phone.send(phone.respond(invite, 200, body=b"answer"))
        assert [what for _, what in phone.wait(32.1)] == ["ACK", "BYE"]

    def test_an_invite_that_is_never_finally_answered_is_cancelled(
        self, make_phone: Callable[..., Phone]
    ) -> None:
        """Nothing lives for ever: not even a phone that rings."""
        phone = make_phone(invite_timeout=100.0)
        _, invite = phone.called()
        phone.send(phone.respond(invite, 180))
        phone.events()
        assert phone.wait(101)[0] == (100.0, "CANCEL")
        refused = phone.events()[0]
        assert isinstance(refused, Refused)
        assert refused.status == 408
        phone.wait(64)
        assert phone.names() == ["DialogTerminated"]
        assert phone.idle()

    def test_forks_that_ring_tell_their_own(self, phone: Phone) -> None:
        """Two early dialogs of one call; the one that answers is the dialog."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 183, tag="one", body=b"one"))
        phone.send(phone.respond(invite, 183, tag="two", body=b"two"))
        assert dialog.remote_tag == "two"
        route = ["Record-Route: <sip:proxy.example;lr>"]
        phone.send(phone.respond(invite, 200, tag="one", headers=route, body=b"answer"))
        assert dialog.remote_tag == "one"
        assert [event.body for event in phone.events() if isinstance(event, Ringing)] == [b"one", b"two"]
        dialog.ack(0.0)
        ack = only_request(phone.heard())
        assert (ack.to.tag, ack.headers.get("Route")) == ("one", "<sip:proxy.example;lr>")

    def test_a_late_answer_of_another_fork_is_acknowledged_and_hung_up_on(self, phone: Phone) -> None:
        """The first answer is the call; a second one gets ACK and BYE, with its own tag and Contact."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, tag="one", body=b"answer"))
        dialog.ack(0.0)
        phone.heard()
        late = phone.respond(invite, 200, tag="two", contact="<sip:two@198.51.100.9>")
        ack, bye = phone.send(late)
        assert isinstance(ack, Request)
        assert isinstance(bye, Request)
        assert (ack.method, ack.to.tag, ack.uri) == ("ACK", "two", "sip:two@198.51.100.9")
        assert (bye.method, bye.to.tag, bye.uri) == ("BYE", "two", "sip:two@198.51.100.9")
        assert phone.agent.counters["forked.hung_up"] == 1
        assert only_request(phone.send(late)).method == "ACK"
        assert phone.names() == ["Answered"]
        assert dialog.remote_tag == "one"

    def test_an_answer_without_a_readable_route_is_hung_up_on(self, phone: Phone) -> None:
        """The callee has picked up: ACK and BYE go back the way that the 200 came, and the caller is told."""
        dialog, invite = phone.called()
        sent = phone.send(phone.respond(invite, 200, headers=["Record-Route: <sip:unclosed"], body=b"answer"))
        assert [one.method for one in sent if isinstance(one, Request)] == ["ACK", "BYE"]
        assert {(target.host, target.port) for target in phone.sent_to} == {(phone.source.host, 5060)}
        refused = phone.events()[0]
        assert isinstance(refused, Refused)
        assert (refused.status, refused.reason_phrase[:12]) == (200, "Record-Route")
        assert dialog.state == "terminated"

    def test_a_callee_may_hang_up_before_our_ack(self, phone: Phone) -> None:
        """BYE right behind the 200: it is answered, and the 200 acknowledged all the same."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, body=b"answer"))
        bye = phone.request(
            "BYE", tag=";tag=theirs", to_tag=f";tag={dialog.local_tag}", call_id=dialog.call_id, number=7
        )
        assert [one.method if isinstance(one, Request) else one.status for one in phone.send(bye)] == [
            200,
            "ACK",
        ]
        assert phone.names() == ["Answered", "ByeReceived", "DialogTerminated"]
        dialog.ack(0.0)
        assert phone.statuses() == []

    def test_a_callee_may_not_hang_up_an_early_dialog(self, phone: Phone) -> None:
        """BYE before the final response is 481: there is nothing to hang up (section 15)."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 180))
        bye = phone.request(
            "BYE", tag=";tag=theirs", to_tag=f";tag={dialog.local_tag}", call_id=dialog.call_id, number=7
        )
        assert only_response(phone.send(bye)).status == 481
        assert phone.names() == ["Ringing"]


class TestTheWay:
    """Route sets, remote targets and the transports that lead to them."""

    ROUTES = ("Record-Route: <sip:near.example;lr>", "Record-Route: <sip:198.51.100.7:5070;lr>")

    def test_a_callee_goes_back_by_the_record_route_in_order(self, phone: Phone) -> None:
        """The route set of a UAS is the Record-Route as it came (section 12.1.1)."""
        dialog = phone.answered_call(headers=self.ROUTES)
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.headers.get_all("Route") == ["<sip:near.example;lr>", "<sip:198.51.100.7:5070;lr>"]
        assert bye.uri == "sip:phone@198.51.100.2"
        assert phone.sent_to[0].host == "near.example"

    def test_our_answers_repeat_the_record_route(self, phone: Phone) -> None:
        """So that the caller builds the same route set; a list in one line stays as it is."""
        dialog = phone.call(headers=["Record-Route: <sip:a.example;lr>, <sip:b.example;lr>"])
        dialog.ring(0.0)
        ringing = only_response(phone.heard())
        assert ringing.headers.get_all("Record-Route") == ["<sip:a.example;lr>, <sip:b.example;lr>"]

    def test_a_caller_goes_by_the_record_route_in_reverse(self, phone: Phone) -> None:
        """The route set of a UAC is turned round (section 12.1.2)."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, headers=self.ROUTES, body=b"answer"))
        dialog.ack(0.0)
        ack = only_request(phone.heard())
        assert ack.headers.get_all("Route") == ["<sip:198.51.100.7:5070;lr>", "<sip:near.example;lr>"]
        assert (phone.sent_to[0].host, phone.sent_to[0].port) == ("198.51.100.7", 5070)

    def test_a_strict_router_finds_itself_in_the_request_uri(self, phone: Phone) -> None:
        """A first hop without `lr` gets the Request-URI, the remote target ends the Route (12.2.1.1)."""
        dialog = phone.answered_call(
            headers=["Record-Route: <sip:strict.example>", "Record-Route: <sip:next.example;lr>"]
        )
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.uri == "sip:strict.example"
        assert bye.headers.get_all("Route") == ["<sip:next.example;lr>", "<sip:phone@198.51.100.2>"]
        assert phone.sent_to[0].host == "strict.example"

    def test_an_invite_with_routes_of_its_own_carries_them(self, phone: Phone) -> None:
        """A trunk may name its proxies."""
        _, invite = phone.called(routes=["<sip:proxy.example;lr>"])
        assert invite.headers.get_all("Route") == ["<sip:proxy.example;lr>"]

    def test_a_reinvite_moves_the_remote_target(self, phone: Phone) -> None:
        """Target refresh: the next request goes to the new Contact; the route set stays."""
        dialog = phone.answered_call(headers=["Record-Route: <sip:near.example;lr>"])
        contact = "<sip:moved@198.51.100.2:5099>"
        phone.send(phone.within(dialog, "INVITE", contact=contact, body=b"offer"))
        assert dialog.remote_target == "sip:phone@198.51.100.2"
        dialog.accept(0.0, b"answer")
        assert dialog.remote_target == "sip:moved@198.51.100.2:5099"
        phone.acknowledge(dialog, 2)
        dialog.bye(0.0)
        bye = phone.heard()[-1]
        assert isinstance(bye, Request)
        assert (bye.uri, bye.headers.get("Route")) == ("sip:moved@198.51.100.2:5099", "<sip:near.example;lr>")

    def test_the_answer_to_our_reinvite_moves_the_remote_target(self, phone: Phone) -> None:
        """Their 2xx refreshes the target too."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        reinvite = only_request(phone.heard())
        ack = only_request(phone.send(phone.respond(reinvite, 200, contact="<sip:moved@198.51.100.2>")))
        assert ack.uri == "sip:moved@198.51.100.2"

    def test_a_contact_that_names_a_transport_is_obeyed(self, phone: Phone) -> None:
        """`transport=tcp` leads over TCP, whatever the INVITE came by."""
        dialog = phone.answered_call(contact="<sip:phone@198.51.100.2:5080;transport=tcp>")
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert phone.sent_to == [Target("TCP", "198.51.100.2", 5080, "tcp")]
        assert bye.via.transport == "TCP"

    def test_a_contact_behind_nat_is_reached_as_it_was_heard(self, phone: Phone) -> None:
        """A private address from a public one: the answer goes the way the question came."""
        phone.source = Target("UDP", "8.8.8.8", 31337, "udp")
        dialog = phone.answered_call(contact="<sip:phone@192.168.1.20:5060>")
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.uri == "sip:phone@192.168.1.20:5060"
        assert phone.sent_to == [phone.source]

    def test_requests_use_the_connection_of_the_call(self, make_phone: Callable[..., Phone]) -> None:
        """On TCP the connection that the INVITE came by is used again, named for when it has closed."""
        phone = make_phone("TCP")
        dialog = phone.answered_call()
        assert dialog.contact == "<sip:+14155550100@192.0.2.1:5060;transport=tcp>"
        dialog.bye(0.0)
        only_request(phone.heard())
        assert phone.sent_to == [Target("TCP", "198.51.100.2", None, "tcp", 1)]

    def test_a_transport_that_we_do_not_speak_gives_way_to_one_that_we_do(self, phone: Phone) -> None:
        """SCTP in a Contact: the request goes the way that the peer came."""
        dialog = phone.answered_call(contact="<sip:phone@198.51.100.2;transport=sctp>")
        dialog.bye(0.0)
        phone.heard()
        assert phone.sent_to == [phone.source]

    def test_a_secure_call_has_a_secure_contact(self, make_phone: Callable[..., Phone]) -> None:
        """A `sips` Request-URI makes a `sips` Contact (section 12.1.1)."""
        phone = make_phone("TLS")
        dialog = phone.call(uri="sips:+14155550100@192.0.2.1")
        assert dialog.secure
        assert dialog.contact == "<sips:+14155550100@192.0.2.1:5061>"

    def test_a_call_over_tls_says_so_in_its_contact(self, make_phone: Callable[..., Phone]) -> None:
        """`sip` over TLS names the transport."""
        phone = make_phone("TLS")
        assert phone.call().contact == "<sip:+14155550100@192.0.2.1:5061;transport=tls>"

    def test_an_old_peer_without_contact_is_answered_where_it_is(self, phone: Phone) -> None:
        """RFC 2543 demanded no Contact: the From URI stands for it, and the way is the one it came by."""
        phone.send(phone.request("INVITE", contact=None, branch=None, tag=""))
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        dialog = event.dialog
        dialog.accept(0.0, b"answer")
        assert dialog.remote_target == "sip:+12125550111@198.51.100.2"

    def test_a_peer_without_tags_is_a_peer(self, phone: Phone) -> None:
        """RFC 2543 demanded no From tag: null matches null (section 12.1.1)."""
        phone.send(phone.request("INVITE", tag="", branch=None))
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        event.dialog.accept(0.0, b"answer")
        phone.heard()
        tag = f";tag={event.dialog.local_tag}"
        phone.send(phone.request("ACK", tag="", branch=None, to_tag=tag))
        assert phone.names() == ["Acknowledged"]
        assert only_response(phone.send(phone.request("BYE", tag="", branch=None, to_tag=tag, number=2)))
        assert phone.names() == ["ByeReceived", "DialogTerminated"]


class TestInvitesWithin:
    """Re-INVITEs both ways, and their collisions."""

    def test_theirs_is_answered_by_the_application(self, phone: Phone) -> None:
        """Hold: the event, our 200 until its ACK, the same dialog."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", body=b"hold"))
        assert phone.names() == ["ReinviteReceived"]
        assert not dialog.settled
        dialog.accept(0.0, b"held")
        assert only_response(phone.heard()).body == b"held"
        assert phone.wait(1) == [(0.5, 200)]
        phone.acknowledge(dialog, 2)
        assert phone.names() == ["Acknowledged"]
        assert dialog.settled
        assert phone.wait(40) == []

    def test_theirs_may_be_refused(self, phone: Phone) -> None:
        """488 leaves the session as it was."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", body=b"video"))
        dialog.refuse(0.0, 488)
        assert only_response(phone.heard()).status == 488
        assert dialog.state == "confirmed"
        assert phone.names() == ["ReinviteReceived"]

    def test_theirs_may_be_taken_back(self, phone: Phone) -> None:
        """CANCEL of a re-INVITE ends the question, not the call; a late answer does nothing."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", body=b"hold"))
        cancel = phone.request(
            "CANCEL", branch="z9hG4bK-INVITE2", to_tag=f";tag={dialog.local_tag}", number=2
        )
        assert [one.status for one in phone.send(cancel) if isinstance(one, Response)] == [200, 487]
        dialog.accept(0.0, b"held")
        assert phone.statuses() == []
        assert phone.names() == ["ReinviteReceived", "ReinviteCancelled"]
        assert dialog.state == "confirmed"

    def test_a_second_one_before_our_answer_is_500_with_retry_after(self, phone: Phone) -> None:
        """Section 14.2: come again in up to ten seconds."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", 2, body=b"hold"))
        overlapping = only_response(phone.send(phone.within(dialog, "INVITE", 3, body=b"resume")))
        assert overlapping.status == 500
        assert 0 <= int(overlapping.headers.get("Retry-After") or -1) <= 10
        dialog.accept(0.0, b"held")
        phone.acknowledge(dialog, 2)
        assert phone.send(phone.within(dialog, "INVITE", 4, body=b"resume"))
        assert phone.names() == ["ReinviteReceived", "Acknowledged", "ReinviteReceived"]

    def test_theirs_during_ours_is_491(self, phone: Phone) -> None:
        """Glare, as the one who was first (section 14.2)."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        phone.heard()
        assert only_response(phone.send(phone.within(dialog, "INVITE", body=b"hold"))).status == 491

    def test_a_late_copy_of_a_refused_one_stays_refused(self, phone: Phone) -> None:
        """The network may deliver it again when ours is done: it must not become a new question."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        ours = only_request(phone.heard())
        theirs = phone.within(dialog, "INVITE", body=b"hold")
        phone.send(theirs)
        phone.send(phone.respond(ours, 200, body=b"answer"))
        phone.events()
        assert only_response(phone.send(theirs)).status == 491
        assert phone.names() == []

    def test_theirs_may_come_another_way(self, make_phone: Callable[..., Phone]) -> None:
        """A peer whose connection broke is heard by a new one, which from then on is the way to it."""
        phone = make_phone("TCP")
        dialog = phone.answered_call(contact="<sip:phone@198.51.100.2;transport=tcp>")
        again = Target("TCP", "198.51.100.2", 40000, "tcp", 2)
        phone.send(phone.within(dialog, "INVITE", body=b"hold"), again)
        dialog.accept(0.0, b"held")
        phone.acknowledge(dialog, 2)
        dialog.bye(0.0)
        phone.heard()
        assert phone.sent_to[-1].connection == 2

    def test_ours_is_answered_and_acknowledged(self, phone: Phone) -> None:
        """The 2xx is ACKed by the user agent itself, each time it comes."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        reinvite = only_request(phone.heard())
        assert (reinvite.body, reinvite.headers.get("Contact")) == (b"offer", dialog.contact)
        assert only_request(phone.send(phone.respond(reinvite, 200, body=b"answer"))).method == "ACK"
        assert only_request(phone.send(phone.respond(reinvite, 200, body=b"answer"))).method == "ACK"
        (event,) = phone.events()
        assert isinstance(event, ReinviteAnswered)
        assert (event.status, event.body, event.content_type) == (200, b"answer", "application/sdp")
        assert dialog.settled

    def test_ours_may_be_refused(self, phone: Phone) -> None:
        """488 is told, and the session stays."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        phone.send(phone.respond(only_request(phone.heard()), 488))
        (event,) = phone.events()
        assert isinstance(event, ReinviteAnswered)
        assert (event.status, dialog.state) == (488, "confirmed")

    def test_ours_during_theirs_is_tried_again(self, phone: Phone) -> None:
        """491: again within two seconds, since the Call-ID is theirs, with the next CSeq (section 14.1)."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        first = only_request(phone.heard())
        phone.send(phone.respond(first, 491))
        assert not dialog.settled
        due = phone.agent.next_timeout()
        assert due is not None
        assert 0 <= due <= 2
        phone.agent.handle_timeout(due)
        again = only_request(phone.heard())
        assert (again.cseq.number, again.body) == (first.cseq.number + 1, b"offer")
        phone.send(phone.respond(again, 200, body=b"answer"))
        assert phone.names() == ["ReinviteAnswered"]

    def test_a_glare_that_does_not_end_is_told(self, phone: Phone) -> None:
        """After three more tries 491 is the answer."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        for _ in range(4):
            phone.send(phone.respond(only_request(phone.heard()), 491))
            due = phone.agent.next_timeout()
            assert due is not None
            if phone.agent._core.events:
                break
            phone.now = due
            phone.agent.handle_timeout(due)
        (event,) = phone.events()
        assert isinstance(event, ReinviteAnswered)
        assert event.status == 491

    @pytest.mark.parametrize("status", [481, 408])
    def test_a_peer_that_lost_the_dialog_is_hung_up_on(self, phone: Phone, status: int) -> None:
        """481 or 408 to a request within the dialog ends it (section 12.2.1.2)."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        sent = phone.send(phone.respond(only_request(phone.heard()), status))
        assert [one.method for one in sent if isinstance(one, Request)] == ["ACK", "BYE"]
        assert dialog.state == "terminated"

    def test_one_at_a_time(self, phone: Phone) -> None:
        """A second one of ours before the answer is the application's mistake (section 14.1)."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        with pytest.raises(LocalProtocolError):
            dialog.reinvite(0.0, b"offer")

    def test_none_before_the_ack(self, phone: Phone) -> None:
        """While the ACK of our 2xx is missing, an INVITE is still in progress."""
        dialog = phone.call()
        dialog.accept(0.0, b"answer")
        with pytest.raises(LocalProtocolError):
            dialog.reinvite(0.0, b"offer")

    def test_bye_ends_a_question_of_theirs(self, phone: Phone) -> None:
        """Hanging up with a re-INVITE unanswered answers it 487."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", body=b"hold"))
        dialog.bye(0.0)
        assert phone.statuses() == [487, "BYE"]

    def test_bye_ends_a_question_of_ours(self, phone: Phone) -> None:
        """A re-INVITE that is answered after our BYE is acknowledged, and told to nobody."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        reinvite = only_request(phone.heard())
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        phone.send(phone.respond(bye, 200))
        assert only_request(phone.send(phone.respond(reinvite, 200))).method == "ACK"
        assert phone.names() == ["DialogTerminated"]
        phone.wait(64)
        assert phone.idle()


class TestRequestsWithin:
    """CSeq order, INFO, OPTIONS, and what is refused."""

    def test_a_digit_is_told(self, phone: Phone) -> None:
        """INFO of a type that we know: 200 and an event, once however often it is repeated."""
        dialog = phone.answered_call()
        info = phone.within(
            dialog, "INFO", headers=["Content-Type: application/dtmf-relay"], body=b"Signal=5\r\n"
        )
        assert only_response(phone.send(info)).status == 200
        assert only_response(phone.send(info)).status == 200
        (event,) = phone.events()
        assert isinstance(event, InfoReceived)
        assert (event.content_type, event.body) == ("application/dtmf-relay", b"Signal=5\r\n")

    def test_an_unknown_info_is_415(self, phone: Phone) -> None:
        """With the types that we would take."""
        dialog = phone.answered_call()
        info = phone.within(dialog, "INFO", headers=["Content-Type: application/x-other"], body=b"x")
        refusal = only_response(phone.send(info))
        assert refusal.status == 415
        assert refusal.headers.get("Accept") == "application/dtmf-relay, application/dtmf"

    def test_an_empty_info_is_a_sign_of_life(self, phone: Phone) -> None:
        """200, and nothing to tell."""
        dialog = phone.answered_call()
        assert only_response(phone.send(phone.within(dialog, "INFO"))).status == 200
        assert phone.names() == []

    def test_we_send_digits(self, phone: Phone) -> None:
        """`info` sends one with its body; a peer that does not want it changes nothing."""
        dialog = phone.answered_call()
        dialog.info(0.0, "application/dtmf-relay", b"Signal=1\r\n")
        info = only_request(phone.heard())
        assert (info.method, info.body) == ("INFO", b"Signal=1\r\n")
        phone.send(phone.respond(info, 415))
        assert dialog.state == "confirmed"

    def test_a_peer_that_lets_our_digits_fall_is_kept(self, phone: Phone) -> None:
        """No answer to INFO says little; 481 says that the dialog is lost."""
        dialog = phone.answered_call()
        dialog.info(0.0, "application/dtmf-relay", b"Signal=1\r\n")
        phone.wait(40)
        assert dialog.settled
        dialog.info(phone.now, "application/dtmf-relay", b"Signal=2\r\n")
        bye = only_request(phone.send(phone.respond(only_request(phone.heard()), 481)))
        assert bye.method == "BYE"

    def test_an_old_cseq_is_500(self, phone: Phone) -> None:
        """Out of order requests are refused, and change nothing (section 12.2.2)."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INFO", 10))
        assert only_response(phone.send(phone.within(dialog, "BYE", 5))).status == 500
        assert dialog.state == "confirmed"
        assert only_response(phone.send(phone.within(dialog, "BYE", 11))).status == 200

    def test_cseq_may_skip(self, phone: Phone) -> None:
        """A proxy that answers a challenge for its user leaves gaps."""
        dialog = phone.answered_call()
        assert only_response(phone.send(phone.within(dialog, "BYE", 4_000_000_000))).status == 200

    @pytest.mark.parametrize("method", ["UPDATE", "PRACK", "REFER", "NOTIFY", "MESSAGE"])
    def test_methods_that_we_do_not_do_are_405(self, phone: Phone, method: str) -> None:
        """With Allow, each time the same; the next CSeq is not spoilt by it."""
        dialog = phone.answered_call()
        for _ in range(2):
            refusal = only_response(phone.send(phone.within(dialog, method)))
            assert (refusal.status, "INVITE" in (refusal.headers.get("Allow") or "")) == (405, True)
        assert only_response(phone.send(phone.within(dialog, "BYE", 3))).status == 200

    def test_options_within_a_dialog_is_answered(self, phone: Phone) -> None:
        """Some peers ask that to see whether the call lives."""
        dialog = phone.answered_call()
        assert only_response(phone.send(phone.within(dialog, "OPTIONS"))).status == 200

    def test_a_dialog_is_its_tags_and_call_id(self, phone: Phone) -> None:
        """With another tag or Call-ID it is another dialog, which does not exist: 481."""
        dialog = phone.answered_call()
        tag = f";tag={dialog.local_tag}"
        for strange in (
            phone.request("BYE", branch="z9hG4bK2", to_tag=";tag=x", number=2),
            phone.request("BYE", branch="z9hG4bK3", tag=";tag=x", to_tag=tag, number=2),
            phone.request("BYE", branch="z9hG4bK4", to_tag=tag, call_id="other", number=2),
        ):
            assert only_response(phone.send(strange)).status == 481
        assert dialog.state == "confirmed"

    def test_a_repeated_bye_is_answered_again(self, phone: Phone) -> None:
        """The dialog has gone, its last transaction has not."""
        dialog = phone.answered_call()
        bye = phone.within(dialog, "BYE")
        assert only_response(phone.send(bye)).status == 200
        assert only_response(phone.send(bye)).status == 200
        assert phone.names() == ["ByeReceived", "DialogTerminated"]
