"""Other requests within a dialog: CSeq order, INFO, OPTIONS, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.sip.events import InfoReceived
from tests.sip.messages import only_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone


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
