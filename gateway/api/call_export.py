"""Calls as a CSV file, written while it is read."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from gateway.api.call_shape import call_detail, told_of
from gateway.events.legible import legible, legible_json
from gateway.store.call_texts import TextStore
from gateway.store.calls import MAX_PAGE, CallFilter, in_parts
from gateway.store.protocol import Store

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
    yield _line(columns)
    left = most_rows(columns)
    which = which and replace(which, offset=0)
    while which is not None and left > 0:
        page = await store.list_calls(replace(which, limit=min(MAX_PAGE, left)))
        for part in in_parts(page.calls):
            posted = await texts.of([row.id for row in part]) if POSTED & set(columns) else {}
            rows = [call_detail(row) | NOTHING | told_of(posted.get(row.id)) for row in part]
            yield b"".join(_line([_cell(row, column) for column in columns]) for row in rows)
            await asyncio.sleep(0)
        left -= len(page.calls)
        if page.next is None:
            return
        which = replace(which, after=page.next)


def _cell(row: Mapping[str, object], column: str) -> str:
    value = row[column]
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        return legible_json(value) if value else ""
    text = legible(str(value))
    # What begins so is a formula to a spreadsheet, and strangers choose what stands in From.
    dangerous = text[:1] in "=-@" or (text[:1] == "+" and not text[1:].isdigit())
    return "'" + text if text and dangerous else text


def _line(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
