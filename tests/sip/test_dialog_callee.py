"""Dialogs of calls from them: INVITE to BYE as the one who is called, and every race on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import Acknowledged, ByeReceived, Cancelled, InviteReceived
from gateway.sip.message import Response
from tests.sip.messages import only_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone


BODY = b"v=0\r\n"


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
