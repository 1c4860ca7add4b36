"""CSV that a spreadsheet opens without running what strangers wrote into it."""

import csv
import io
from collections.abc import Iterable

from gateway.events.legible import legible

_FORMULA = ("=", "+", "-", "@")


def line(cells: Iterable[object]) -> str:
    """One line of a CSV file (RFC 4180)."""
    written = io.StringIO()
    csv.writer(written).writerow([_cell(value) for value in cells])
    return written.getvalue()


def _cell(value: object) -> str:
    """A cell as text; what a spreadsheet would take for a formula is marked as text, a number is none."""
    text = "" if value is None else legible(str(value))
    if text.startswith(_FORMULA) and not text[1:].replace(".", "").isdecimal():
        return f"'{text}"
    return text
