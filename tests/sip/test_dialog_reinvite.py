"""Re-INVITEs of both sides, and their collisions (RFC 3261 section 14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import ReinviteAnswered
from gateway.sip.message import Request, Response
from gateway.sip.useragent import Target
from tests.sip.messages import only_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone


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
