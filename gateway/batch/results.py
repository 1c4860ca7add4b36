"""What came of a batch, as CSV files: its recipients, and the rows that were left out."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.batch.batches import Batches
from gateway.batch.columns import plain_name
from gateway.batch.failures import ERROR_COLUMNS, FailureReason
from gateway.events.call_sheet import line
from gateway.store.batches.values import Batch, FailedRow, QueueRow
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import MAX_PAGE, PART, CallFilter, CallRow, whole_seconds
from gateway.store.sql import SqlStore

SAMPLED = 2000
"Recipients of whom the extracted fields are looked at, before the file has its columns."
MOST_FIELDS = 100
LINES = 100
"Of the rows that were left out, written in one go."
COLUMNS = (
    *("position", "phone_number", "state", "outcome", "detail", "attempts"),
    *("call_id", "call_status", "end_reason", "called_at", "answered_at", "duration", "price", "currency"),
    *("sentiment", "summary"),
)
LAST = "extracted_data"
"All extracted fields as JSON: also those that have no column of their own."


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of one file, behind `COLUMNS`."""

    variables: Sequence[str]
    fields: Sequence[str]

    @property
    def header(self) -> Iterator[str]:
        """As the file names them: a column of the upload as there, unless it would be there twice."""
        yield from COLUMNS
        yield from (f"{name} (file)" if name in (*COLUMNS, LAST) else name for name in self.variables)
        yield from (f"extracted: {name}" for name in self.fields)
        yield LAST


async def result_file(batch: Batch, batches: Batches, store: SqlStore) -> AsyncIterator[bytes]:
    """A line for each recipient, made while it is read: neither memory nor database holds them all."""
    columns = _Columns(_variables(batch), await _fields(batch, batches, store))
    yield line(columns.header).encode()
    async for rows in batches.all_recipients(batch):
        calls, posted = await _of(rows, batch, store), await store.texts.of(_calls_of(rows))
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            yield "".join(line(_cells(row, columns, calls, posted)) for row in part).encode()
            await asyncio.sleep(0)


def _variables(batch: Batch) -> Sequence[str]:
    number = plain_name(batch.phone_column)
    return [name for name in batch.columns if name and plain_name(name) != number]


async def _fields(batch: Batch, batches: Batches, store: SqlStore) -> Sequence[str]:
    """The names of extracted fields, in the order in which they are met."""
    found: dict[str, None] = {}
    seen = 0
    async for rows in batches.all_recipients(batch):
        for posted in (await store.texts.of(_calls_of(rows))).values():
            found |= dict.fromkeys(map(str, posted.extracted or {}))
        seen += len(rows)
        if seen >= SAMPLED or len(found) >= MOST_FIELDS:
            break
    return [*found][:MOST_FIELDS]


def _calls_of(rows: Sequence[QueueRow]) -> list[str]:
    return [row.call_id for row in rows if row.call_id is not None]


async def _of(rows: Sequence[QueueRow], batch: Batch, store: SqlStore) -> Mapping[str, CallRow]:
    """The last call of each recipient."""
    ids = _calls_of(rows)
    if not ids:
        return {}
    which = CallFilter(workspace_id=batch.workspace_id, ids=ids, limit=MAX_PAGE, whole=False)
    return {call.id: call for call in (await store.list_calls(which)).calls}


def _cells(
    row: QueueRow, columns: _Columns, calls: Mapping[str, CallRow], posted: Mapping[str, CallTexts]
) -> Iterator[object]:
    call, texts = calls.get(row.call_id or ""), posted.get(row.call_id or "")
    extracted = (texts and texts.extracted) or {}
    yield from (
        row.position,
        row.phone_number,
        row.state,
        row.outcome,
        row.detail,
        attempts(row),
        row.call_id,
    )
    yield from _of_call(call) if call is not None else (None,) * 7
    yield from (texts and texts.sentiment, texts and texts.summary)
    yield from (row.variables.get(name) for name in columns.variables)
    yield from (extracted.get(name) for name in columns.fields)
    yield extracted


def _of_call(call: CallRow) -> Iterator[object]:
    yield from (call.status, call.end_reason, call.created_at.isoformat())
    yield call.answered_at and call.answered_at.isoformat()
    yield from (whole_seconds(call.duration_ms), call.price, call.currency)


def attempts(row: QueueRow) -> int:
    """Calls to a recipient so far."""
    return row.depth if row.state == "queued" or row.call_id is None else row.depth + 1


async def left_out_file(rows: AsyncIterator[FailedRow]) -> AsyncIterator[bytes]:
    """The rows of the file that were left out, as `failures.error_file` has them."""
    part = [line(ERROR_COLUMNS)]
    async for row in rows:
        heading = FailureReason(row.reason).heading
        why = f"{heading}: {row.detail}" if row.detail else heading
        part.append(line((row.position, row.phone_number, why)))
        if len(part) >= LINES:
            yield "".join(part).encode()
            part.clear()
            await asyncio.sleep(0)
    yield "".join(part).encode()
