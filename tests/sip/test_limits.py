"""What bounds a user agent: draining, transactions, dialogs, memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sip.events import InviteReceived
from gateway.sip.useragent import Target
from tests.cost import cost
from tests.sip.messages import only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone, Wire


class TestLimits:
    """What bounds a user agent."""

    def test_draining_refuses_what_is_new(self, phone: Phone) -> None:
        """503 with Retry-After to OPTIONS and INVITE; the running call goes on."""
        dialog = phone.answered_call()
        phone.agent.draining = True
        for method in ("OPTIONS", "INVITE"):
            response = only_response(
                phone.send(phone.request(method, call_id="call-2", branch=f"z9hG4bK-{method}"))
            )
            assert (response.status, response.headers.get("Retry-After")) == (503, "30")
        phone.send(phone.within(dialog, "INVITE", body=b"hold"))
        dialog.accept(0.0, b"held")
        assert phone.statuses()[-1] == 200
        phone.acknowledge(dialog, 2)
        assert only_response(phone.send(phone.within(dialog, "BYE", 3))).status == 200

    def test_more_dialogs_than_allowed_are_503(self, make_phone: Callable[..., Phone]) -> None:
        """Without state, and without the gatekeeper's time."""
        phone = make_phone(max_dialogs=1)
        phone.call()
        response = only_response(phone.send(phone.request("INVITE", call_id="call-2", branch="z9hG4bK-2")))
        assert (response.status, response.headers.get("Retry-After")) == (503, "30")
        assert only_response(phone.send(phone.request("OPTIONS", call_id="call-3"))).status == 200
        assert phone.agent.dialog_count == 1

    def test_more_transactions_than_allowed_are_503(self, make_phone: Callable[..., Phone]) -> None:
        """Yet a call can still be ended."""
        phone = make_phone(max_transactions=2)
        dialog = phone.answered_call()
        phone.call(call_id="call-2", branch="z9hG4bK-2").refuse(0.0, 486)
        phone.heard()
        assert only_response(phone.send(phone.request("OPTIONS", call_id="call-3"))).status == 503
        assert only_response(phone.send(phone.within(dialog, "BYE"))).status == 200
        assert phone.agent.transaction_count == 3

    def test_a_peer_may_not_fork_for_ever(self, phone: Phone) -> None:
        """Answers of ever new dialogs to one INVITE are bounded."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, tag="first", body=b"answer"))
        dialog.ack(0.0)
        phone.heard()
        for number in range(100):
            phone.send(phone.respond(invite, 200, tag=f"fork{number}"))
        assert phone.agent.counters["forked.hung_up"] == 31
        phone.wait(64)
        assert phone.agent.transaction_count == 0

    def test_tags_and_branches_are_tokens_of_the_caller(self, phone: Phone) -> None:
        """Nothing random is made here: what the token function gives is what identifies."""
        dialog, invite = phone.called()
        assert dialog.local_tag.startswith("ours")
        assert (invite.via.branch or "").startswith("z9hG4bKours")

    def test_an_answered_call_costs_little(self, wire: Wire) -> None:
        """INVITE to BYE costs well under a millisecond of CPU a side."""
        assert cost(lambda: whole_call(wire)) < 5

    def test_a_call_leaves_no_garbage(self, wire: Wire) -> None:
        """No cycles: memory is free as soon as the last timer has fired, and the collector has no work."""
        whole_call(wire)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                whole_call(wire)
            wire.handle_timeout(100.0)
            assert wire.idle()
            assert gc.collect() == 0
        finally:
            gc.enable()


def whole_call(wire: Wire) -> None:
    """INVITE, 100, 180, 200, ACK, BYE, 200."""
    dialog = wire.caller.invite(
        "sip:bob@198.51.100.2",
        targets=[Target("UDP", "198.51.100.2", 5060)],
        from_="<sip:a@192.0.2.1>",
        contact_user="a",
        body=b"v=0\r\n",
        now=wire.now,
    )
    wire.run()
    event = wire.callee.next_event()
    assert isinstance(event, InviteReceived)
    event.dialog.ring(wire.now)
    event.dialog.accept(wire.now, b"v=0\r\n")
    wire.run()
    dialog.ack(wire.now)
    dialog.bye(wire.now)
    wire.run()
    while wire.caller.next_event() or wire.callee.next_event():
        pass
