"""Calls as a CSV file, written while it is read."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from gateway.api.shapes.call import call_detail, told_of
from gateway.events.call_sheet import Rows, call_sheet
from gateway.store.protocol import Store
from gateway.store.records.call_texts import TextStore
from gateway.store.records.calls import CallFilter, CallRow

MAX_ROWS, MAX_ROWS_WITH_TEXTS = 10_000, 5_000
TEXTS = {"transcript", "summary"}
"Columns that make a row long, and the file shorter."
POSTED = {*TEXTS, "sentiment", "extracted_data"}
"Columns of what the agent's runtime has posted."
COLUMNS = (
    "id",
    "createdAt",
    "type",
    "call_direction",
    "from_number",
    "to_number",
    "status",
    "end_reason",
    "ended_by",
    "detail",
    "duration",
    "duration_ms",
    "latency_ms",
    "agent_id",
    "agent_version_id",
    "agent_version_number",
    "answeredAt",
    "endedAt",
    "sip_status",
    "sip_call_id",
    "trunk_id",
    "number_id",
    "batch_call_id",
    "category",
    "category_id",
    "parent_call_id",
    "price",
    "currency",
    "rate",
    "rate_prefix",
    "billed_seconds",
    "sentiment",
    "summary",
    "transcript",
    "extracted_data",
    "metadata",
    "notes",
)
"Every column there is, in the order of a file that names none."
NOTHING: dict[str, object] = {"transcript": None, "summary": None, "extracted_data": None}


def chosen_columns(given: str | None) -> Sequence[str]:
    """The columns that a request asks for; all where it names none."""
    return tuple(dict.fromkeys(given.split(","))) if given else COLUMNS


def most_rows(columns: Sequence[str]) -> int:
    """How many calls a file with these columns has at most."""
    return MAX_ROWS_WITH_TEXTS if TEXTS & set(columns) else MAX_ROWS


async def exported(
    store: Store, texts: TextStore, which: CallFilter | None, columns: Sequence[str]
) -> AsyncIterator[bytes]:
    """The file, a page at a time, up to `most_rows`; None: the file has no rows."""

    async def rows_of(calls: Sequence[CallRow]) -> Rows:
        posted = await texts.of([row.id for row in calls]) if POSTED & set(columns) else {}
        details = [call_detail(row) | NOTHING | told_of(posted.get(row.id)) for row in calls]
        return [[detail[column] for column in columns] for detail in details]

    most = 0 if which is None else most_rows(columns)
    async for part in call_sheet(store, replace(which or CallFilter(), offset=0), columns, most, rows_of):
        yield part
