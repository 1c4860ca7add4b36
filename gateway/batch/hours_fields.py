"""Calling hours from what people write in a form, a request or on a command line.

Each value that makes no sense is named with its field, with what was given, and with what would be right.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import get_args

from gateway.batch.hours import EVERY_DAY, NAMES, By, CallingHours
from gateway.batch.zones import name_of, zone_named
from gateway.store.engine.errors import InvalidInput

START, END = "calling_hours_start", "calling_hours_end"
DAYS, HOLIDAYS, HOURS_BY = "calling_hours_days", "holidays", "hours_by"

MOST_HOLIDAYS = 366

Written = object
"Text, or what JSON and forms make of it: a list, a number, nothing."

_TIME = re.compile(
    r"(?i)(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:\.0+)?)?)?\s*(?P<half>[ap]\.?m\.?)?"
)
_RANGE = re.compile(r"\s*(?:-|–|—|\bto\b|\.\.)\s*")
_BETWEEN = re.compile(r"[,;\s]+(?:and\s+)?")

GROUPS = {
    "weekdays": range(1, 6),
    "weekend": range(6, 8),
    "weekends": range(6, 8),
    "all": range(1, 8),
    "daily": range(1, 8),
    "everyday": range(1, 8),
}
FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_hours(
    starts: Written = None,
    ends: Written = None,
    *,
    days: Written = None,
    holidays: Written = None,
    by: Written = None,
    zone: str = "UTC",
) -> CallingHours | None:
    """The calling hours that somebody wants; None: calls may begin at any time.

    Days or holidays without hours mean whole days. `zone` is the batch's, its own or the workspace's.
    """
    weekdays, free = read_weekdays(days), read_holidays(holidays)
    whose = read_by(by)
    if (_blank(starts)) != (_blank(ends)):
        missing, given = (START, END) if _blank(starts) else (END, START)
        raise InvalidInput(missing, None, f"should be given together with {given}")
    if _blank(starts) and weekdays == EVERY_DAY and not free:
        return None
    begin = time(0) if _blank(starts) else read_time(starts, START)
    end = time(0) if _blank(ends) else read_time(ends, END)
    if begin == end != time(0):
        right = f"should differ from {START}; for the whole day write 00:00 and 24:00"
        raise InvalidInput(END, ends, right)
    return CallingHours(begin, end, weekdays, free, whose, name_of(zone_named(zone)))


def read_time(written: Written, field: str) -> time:
    """`09:00`, also `9:00`, `9`, `09:00:00`, `9 am`, `6:30 PM`; `24:00` as an end is the end of the day."""
    if isinstance(written, time) and written.tzinfo is None:
        return written.replace(microsecond=0)
    found = _TIME.fullmatch(str(written).strip()[:32])
    at = None if found is None else _time_of(found, midnight=field == END)
    if at is None:
        right = "should be a time such as 09:00, by the clock that `timezone` and `hours_by` say"
        raise InvalidInput(field, _shown(written), right)
    return at


def _time_of(found: re.Match[str], *, midnight: bool) -> time | None:
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"].lower().startswith("p") else 0)
    if midnight and (hour, minute, second) == (24, 0, 0):
        hour = 0
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def read_weekdays(written: Written) -> frozenset[int]:
    """`mon-fri`, `1-5`, `mon,wed,fri`, `weekdays`, a list of such; nothing: every day."""
    days: set[int] = set()
    for part in _parts(written, DAYS, _RANGE):
        days.update(_days_of(part, written))
    return frozenset(days) or EVERY_DAY


def _days_of(part: str, written: Written) -> Sequence[int]:
    if part.lower() in GROUPS:
        return GROUPS[part.lower()]
    ends = [_day(name) for name in part.split("-")]
    if not 1 <= len(ends) <= 2 or None in ends:
        right = f"should be weekdays such as mon-fri, sat or 1-5 (1 is Monday, 7 Sunday): {part[:20]} is none"
        raise InvalidInput(DAYS, _shown(written), right)
    first, last = ends[0] or 0, ends[-1] or 0
    return [(first - 1 + step) % 7 + 1 for step in range((last - first) % 7 + 1)]


def _day(name: str) -> int | None:
    """1 to 7 by number, or by at least two letters of the English name."""
    plain = name.strip().lower().removesuffix(".")
    if plain.isascii() and plain.isdecimal():
        return int(plain) if len(plain) == 1 and 1 <= int(plain) <= 7 else None
    if plain in NAMES:
        return NAMES.index(plain) + 1
    fitting = [number for number, full in enumerate(FULL_NAMES, 1) if full.startswith(plain)]
    return fitting[0] if len(plain) >= 2 and len(fitting) == 1 else None


def read_holidays(written: Written) -> frozenset[date]:
    """Dates such as `2026-12-25`, separated by commas, spaces or lines, or a list of them."""
    if isinstance(written, date) and not isinstance(written, datetime):
        return frozenset({written})
    days = frozenset(_date(part, written) for part in _parts(written, HOLIDAYS))
    if len(days) > MOST_HOLIDAYS:
        raise InvalidInput(HOLIDAYS, f"{len(days)} dates", f"should be at most {MOST_HOLIDAYS}")
    return days


def _date(part: str, written: Written) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", part):
            raise ValueError(part)
        return date.fromisoformat(part)
    except ValueError:
        right = f"should be dates such as 2026-12-25: {part[:20]} is none"
        raise InvalidInput(HOLIDAYS, _shown(written), right) from None


def read_by(written: Written) -> By:
    """`workspace` or `callee`; nothing: the workspace's clock."""
    plain = "" if written is None else str(written).strip().lower()
    if plain == "callee":
        return "callee"
    if plain in ("", "workspace"):
        return "workspace"
    raise InvalidInput(HOURS_BY, _shown(written), f"should be {' or '.join(get_args(By))}")


def _parts(written: Written, field: str, inside: re.Pattern[str] | None = None) -> list[str]:
    """What stands between commas and spaces, or in a list; `inside` is what a part may have spaces around."""
    if isinstance(written, str):
        text = written if inside is None else inside.sub("-", written)
        return [part for part in _BETWEEN.split(text.strip()) if part]
    if written is None:
        return []
    if not isinstance(written, Sequence | frozenset | set) or isinstance(written, bytes):
        written = (written,)
    parts = [item.isoformat() if isinstance(item, date) else item for item in written]
    if not all(isinstance(part, str | int) and not isinstance(part, bool) for part in parts):
        raise InvalidInput(field, _shown(written), "should be text, or a list of texts")
    return [piece for part in parts for piece in _parts(str(part), field, inside)]


def _blank(written: Written) -> bool:
    return written is None or (isinstance(written, str) and not written.strip())


def _shown(written: Written) -> str:
    return str(written)[:60]
