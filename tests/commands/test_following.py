"""A call on a terminal: short lines, and amounts as people write them."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from gateway.commands.following import line_sink
from gateway.commands.price_quotes import money
from gateway.events.bus import Event

BEGAN = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def event(name: str, seconds: float, **fields: object) -> Event:
    """An event of the call."""
    known = {"call_id": "call_1", "workspace_id": "org_1"}
    return Event(name, {**known, **fields}, "info", BEGAN + timedelta(seconds=seconds))


def test_a_call_is_a_line_an_event() -> None:
    """With the seconds since it was asked for, without what repeats itself, the ending as a sentence."""
    out = io.StringIO()
    show = line_sink(Console(file=out, width=60))
    show(
        event("call.created", 0, direction="outbound", **{"from": "+12025550101"}, to="[b]+91", by="cli:root")
    )
    show(event("call.ringing", 1.26, sip_status=180, early_media=False))
    show(event("agent.connecting", 1.3, url="ws://127.0.0.1:8765/native", decision={"allowed": True}))
    ending = {"status": "busy", "reason": "user_busy", "by": "callee", "detail": "the trunk answered 486"}
    show(event("call.ended", 9.96, **ending, duration_ms=0, loss_in=None))
    assert out.getvalue().splitlines() == [
        "call_1, an interrupt hangs up",
        "   0.0 s  created           from +12025550101  to [b]+91  by cli:root",
        "   1.3 s  ringing           sip_status 180",
        "   1.3 s  agent.connecting  url ws://127.0.0.1:8765/native",
        "  10.0 s  ended             busy: user_busy, by callee: the trunk answered 486",
    ]


def test_the_end_of_a_conversation_says_how_long_it_was() -> None:
    """In seconds."""
    out = io.StringIO()
    show = line_sink(Console(file=out, width=60))
    show(
        event(
            "call.ended", 0, status="completed", reason="user_disconnected", by="callee", duration_ms=61_040
        )
    )
    assert (
        out.getvalue().splitlines()[1].endswith("completed: user_disconnected, by callee (61.0 s connected)")
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0.5", "0.50"), ("2.500000", "2.50"), ("60", "60.00"), ("0.0125", "0.0125"), ("-1.1", "-1.10")],
)
def test_amounts(amount: str, shown: str) -> None:
    """Two places at least, and none that say nothing."""
    assert money(Decimal(amount)) == shown
