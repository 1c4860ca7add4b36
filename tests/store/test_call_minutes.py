"""Calls of a batch by the minute: counted alike by both databases."""

from datetime import UTC, datetime, timedelta

from gateway.store.engine.ids import new_id
from gateway.store.records.call_minutes import Minute
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore

FIRST = datetime(2026, 3, 29, 0, 58, 59, 999_999, tzinfo=UTC)
"A second before clocks go forward in Europe: minutes are of UTC."


async def test_minutes_of_a_batch(store: SqlStore) -> None:
    """Each minute in which calls began, with those that were answered; no other batch's, none in between."""
    begins = [(0, "batch_a", True), (1, "batch_a", False), (2, "batch_a", True), (62, "batch_b", True)]
    begins.append((3700, "batch_a", False))
    for seconds, batch_id, is_answered in begins:
        at = FIRST + timedelta(seconds=seconds)
        answered = at + timedelta(seconds=9) if is_answered else None
        row = CallRow(new_id("call"), "outbound", "completed", at, batch_id=batch_id, answered_at=answered)
        store.save_call(row)
    await store.flush()
    first = datetime(2026, 3, 29, 0, 58, tzinfo=UTC)
    later = [Minute(first + timedelta(minutes=1), 2, 1), Minute(first + timedelta(minutes=62), 1, 0)]
    assert await store.call_minutes.of_batch("batch_a") == [Minute(first, 1, 1), *later]
    assert await store.call_minutes.of_batch("batch_a", since=first + timedelta(minutes=1)) == later
    assert await store.call_minutes.of_batch("batch_none") == []
