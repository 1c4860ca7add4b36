"""What a spreadsheet's cell says as text: numbers to the digit, dates, truth values."""

import re
from datetime import datetime, timedelta
from enum import StrEnum

EXACT_DIGITS = 15
"A spreadsheet's numbers keep so many; the others are made up."

_FRACTION_OF_NOTHING = re.compile(r"([+-]?[0-9]+)\.0*")


class Format(StrEnum):
    """What a number format shows a number as."""

    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    "A date with a time."
    DURATION = "duration"
    "Hours that go on beyond a day."


def number_text(raw: str) -> str:
    """A number in plain digits: `919876543210` for `919876543210.0` and `9.1987654321E+11` too.

    What has more digits than a spreadsheet keeps stays as the file has it.
    """
    if raw.isascii() and raw.isdecimal():
        return raw
    whole = _FRACTION_OF_NOTHING.fullmatch(raw)
    if whole is not None:
        return whole[1]
    try:
        value = float(raw)
    except ValueError:
        return raw
    if value.is_integer() and abs(value) < 10**EXACT_DIGITS:
        return str(int(value))
    shortest = repr(value)
    return raw if "e" in shortest or "n" in shortest else shortest


def truth_text(raw: str) -> str:
    """`TRUE` or `FALSE`, as a spreadsheet shows it."""
    return "TRUE" if raw.strip() in ("1", "true") else "FALSE"


_BUILT_IN = {
    **dict.fromkeys((*range(14, 18), *range(27, 37), *range(50, 59)), Format.DATE),
    **dict.fromkeys((18, 19, 20, 21, 45, 47), Format.TIME),
    22: Format.MOMENT,
    46: Format.DURATION,
}
"By their numbers (ECMA-376 part 1, section 18.8.30)."

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"Of a format: text, escaped characters, spaces, fillers, colours, conditions, languages."


def format_of(number: int, code: str | None) -> Format:
    """What a number format is, by its number, or by its code where the workbook has its own."""
    if code is None:
        return _BUILT_IN.get(number, Format.NUMBER)
    shown = _NOT_SHOWN.sub("", code[:255].partition(";")[0]).lower()
    if "general" in shown or re.search(r"[0#?]", shown.partition("ss")[0]):
        return Format.NUMBER
    if "[" in shown:
        return Format.DURATION
    has_time = "h" in shown or "s" in shown
    if "d" in shown or "y" in shown:
        return Format.MOMENT if has_time else Format.DATE
    if has_time:
        return Format.TIME
    return Format.DATE if "m" in shown else Format.NUMBER


def date_text(raw: str, shown: Format, *, since_1904: bool) -> str:
    """A number of days as ISO 8601: `2026-11-30`, `2026-11-30 14:30:00`, `14:30:00`; what is none stays."""
    try:
        days = float(raw)
        seconds = round(days * 86_400)
    except (ValueError, OverflowError):
        return raw
    if shown is Format.DURATION:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" if seconds >= 0 else raw
    if shown is Format.TIME and 0 <= days < 1:
        return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    try:
        at = _epoch(days, since_1904=since_1904) + timedelta(seconds=seconds)
    except OverflowError:
        return raw
    if not days >= 0 or at.year > 9999:
        return raw
    return f"{at:%Y-%m-%d}" if shown is Format.DATE or not seconds % 86_400 else f"{at:%Y-%m-%d %H:%M:%S}"


def _epoch(days: float, *, since_1904: bool) -> datetime:
    """Day 0; before day 60 the calendar of 1900 is one ahead, since it has a 29 February that never was."""
    if since_1904:
        return datetime(1904, 1, 1)  # noqa: DTZ001 - a spreadsheet's dates have no zone
    return datetime(1899, 12, 31 if days < 60 else 30)  # noqa: DTZ001
