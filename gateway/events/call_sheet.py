"""Calls as CSV that a spreadsheet opens without running what strangers wrote into it."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.events.legible import legible, legible_json
from gateway.store.protocol import Store
from gateway.store.records.calls import MAX_PAGE, CallFilter, CallRow, in_parts

_FORMULA = ("=", "+", "-", "@")
"What begins so is a formula to a spreadsheet, and strangers choose what stands in From."
_NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]+)?")

Rows = Iterable[Iterable[object]]


async def call_sheet(
    store: Store,
    which: CallFilter,
    columns: Sequence[str],
    most: int,
    rows_of: Callable[[Sequence[CallRow]], Awaitable[Rows]],
) -> AsyncIterator[bytes]:
    """The file with up to `most` calls; by pages, so that neither memory nor database holds them all."""
    yield line(columns).encode()
    while most > 0:
        page = await store.list_calls(replace(which, limit=min(MAX_PAGE, most)))
        for part in in_parts(page.calls):
            yield "".join(map(line, await rows_of(part))).encode()
            await asyncio.sleep(0)
        most -= len(page.calls)
        if page.next is None:
            return
        which = replace(which, after=page.next)


def line(cells: Iterable[object]) -> str:
    """One line of a CSV file (RFC 4180)."""
    written = io.StringIO()
    csv.writer(written).writerow(map(_cell, cells))
    return written.getvalue()


def _cell(value: object) -> str:
    """A cell as text; what a spreadsheet would take for a formula is marked as text, a number is none."""
    if isinstance(value, Mapping | list | tuple):
        return legible_json(value) if value else ""
    text = "" if value is None else legible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
