"""Dialogs of calls to them: INVITE to BYE as the one who calls, and every race on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sip.events import Acknowledged, Answered, InviteReceived, Refused, Ringing
from gateway.sip.message import Request
from gateway.sip.useragent import Target
from tests.sip.messages import only_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone, Wire


class TestACallToThem:
    """INVITE to BYE, as the one who calls."""

    def test_it_goes_from_invite_to_bye(self, wire: Wire) -> None:
        """Two user agents: the whole ladder, the same on both sides, and nothing left."""
        ours = wire.caller.invite(
            "sip:bob@198.51.100.2",
            targets=[Target("UDP", "198.51.100.2", 5060)],
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
