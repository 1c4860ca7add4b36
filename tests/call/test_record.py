"""What a record says of the price."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.call.record import CallRecord, Ending, EndReason, Status, utc_now
from gateway.routing.rating import Quote
from gateway.routing.table import Increment
from gateway.store.records.calls import CallRow

QUOTE = Quote(Decimal("0.70"), "INR", Increment(60, 60), "", Decimal("0.05"), prefix="9198")
OVER = Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "callee", "the callee hung up")


def ended(quote: Quote | None, connected: float | None, paid: float | None = None) -> CallRow:
    """The row of a call that was connected for so many seconds."""
    record = CallRecord("call_1", "outbound", "", "+1", "+2", utc_now(), Status.SENT)
    record.quote, record.paid_seconds = quote, paid
    if connected is not None:
        record.answered_at = utc_now().replace(microsecond=0) - timedelta(seconds=int(connected))
    record.end(OVER, {})
    if connected is not None:
        record.ended_at = record.answered_at and record.answered_at + timedelta(seconds=connected)
    return record.row()


@pytest.mark.parametrize(
    ("connected", "paid", "billed", "price"),
    [
        (None, None, 0, "0"),
        (0.0, None, 60, "0.75"),
        (60.0, None, 60, "0.75"),
        (60.0004, None, 60, "0.75"),
        (60.001, None, 120, "1.45"),
        (263.0, None, 300, "3.55"),
        (64.0, 60.0, 60, "0.75"),
        (30.0, 120.0, 60, "0.75"),
    ],
)
def test_the_record_says_what_the_call_came_to(
    connected: float | None, paid: float | None, billed: int, price: str
) -> None:
    """By increments of its connected time; unanswered calls are free, and so is what no wallet could pay."""
    row = ended(QUOTE, connected, paid)
    assert (row.billed_seconds, row.price) == (billed, Decimal(price))
    assert (row.currency, row.rate, row.rate_prefix) == ("INR", Decimal("0.70"), "9198")


def test_a_call_without_a_quote_has_no_price() -> None:
    """Calls in, and calls while no rate deck is loaded."""
    row = ended(None, 60.0)
    assert (row.price, row.currency, row.rate, row.billed_seconds) == (None, None, None, None)


def test_a_flat_rate_has_no_prefix() -> None:
    """The rate is in the record all the same."""
    row = ended(replace(QUOTE, prefix=None), 1.0)
    assert (row.rate, row.rate_prefix) == (Decimal("0.70"), None)


def test_an_open_call_has_its_rate_and_no_price_yet() -> None:
    """A gateway that is killed leaves behind by what the call was to be charged."""
    record = CallRecord("call_1", "outbound", "", "+1", "+2", utc_now(), Status.SENT, quote=QUOTE)
    row = record.row()
    assert (row.rate, row.currency, row.price, row.billed_seconds) == (Decimal("0.70"), "INR", None, None)
