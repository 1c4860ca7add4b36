"""When a batch may call: the hours of a day, weekdays and holidays, by the clock of those who are called.

All is asked of wall clocks: a moment is within the hours where the clock of every zone shows a time that is.
A time that a zone skips never comes, and one that it has twice is open twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, Self

from gateway.batch.zones import name_of, offset_of, zone_named

By = Literal["workspace", "callee"]
"Whose clock counts: the batch's zone, or those that the callee may be in."

EVERY_DAY = frozenset(range(1, 8))
"ISO 8601: Monday is 1, Sunday 7."

DAY = 24 * 3600
WEEK = 7 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MONDAY = 4 * DAY
"Seconds from the epoch, a Thursday, to the first beginning of a week."

HORIZON = 400 * DAY
"Seconds that are looked ahead, and a day more for each holiday: after a year all clocks repeat themselves."

Span = tuple[int, int]
"From the first second to the one behind the last; of UTC, or of a wall clock as if it were UTC."

NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class CallingHours:
    """The hours in which calls may begin."""

    starts: time
    ends: time
    "Of the next day where it is not after `starts`; 00:00 is the end of the day."
    weekdays: frozenset[int] = EVERY_DAY
    "Days on which hours begin (ISO 8601, Monday is 1): those of a Friday may last into Saturday."
    holidays: frozenset[date] = frozenset()
    "Dates without calls: no hours begin then, and those of the evening before end at midnight."
    by: By = "workspace"
    zone: str = "UTC"
    "IANA name, or an offset; also the clock of callees whose zone nobody knows."

    @property
    def opens(self) -> int:
        """Seconds from midnight to the beginning."""
        return self.starts.hour * 3600 + self.starts.minute * 60 + self.starts.second

    @property
    def lasts(self) -> int:
        """Seconds from the beginning to the end; a whole day where both are the same time."""
        ends = self.ends.hour * 3600 + self.ends.minute * 60 + self.ends.second
        return (ends - self.opens) % DAY or DAY

    def as_dict(self) -> dict[str, object]:
        """In JSON types, as `of_dict` reads them."""
        return {
            "starts": self.starts.isoformat(),
            "ends": self.ends.isoformat(),
            "weekdays": sorted(self.weekdays),
            "holidays": [day.isoformat() for day in sorted(self.holidays)],
            "by": self.by,
            "zone": self.zone,
        }

    @classmethod
    def of_dict(cls, kept: Mapping[str, object]) -> Self:
        """What `as_dict` gave."""
        weekdays, holidays = kept["weekdays"], kept["holidays"]
        assert isinstance(weekdays, list), "as_dict makes lists"
        assert isinstance(holidays, list), "as_dict makes lists"
        return cls(
            time.fromisoformat(str(kept["starts"])),
            time.fromisoformat(str(kept["ends"])),
            frozenset(weekdays),
            frozenset(map(date.fromisoformat, holidays)),
            "callee" if kept["by"] == "callee" else "workspace",
            str(kept["zone"]),
        )

    def __str__(self) -> str:
        """For people: `09:00–18:00 mon–fri`."""
        ends = "24:00" if self.ends == time(0) else _short(self.ends)
        days = "" if self.weekdays == EVERY_DAY else f" {_days(self.weekdays)}"
        free = f", {len(self.holidays)} holiday{'s' * (len(self.holidays) > 1)}" if self.holidays else ""
        return f"{_short(self.starts)}–{ends}{days}{free}"


def _short(at: time) -> str:
    return at.isoformat("seconds" if at.second else "minutes")


def _days(weekdays: frozenset[int]) -> str:
    days = sorted(weekdays)
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{NAMES[days[0] - 1]}–{NAMES[days[-1] - 1]}"
    return ", ".join(NAMES[day - 1] for day in days)


def open_now(hours: CallingHours, now_utc: datetime, zones: Sequence[tzinfo]) -> bool:
    """Whether the clocks of all zones are within the hours; no zones: the clock of the batch."""
    return timetable(hours, tuple(zones)).is_open(seconds_of(now_utc))


def next_open(
    hours: CallingHours, now_utc: datetime, zones: Sequence[tzinfo], before: datetime | None = None
) -> datetime | None:
    """The first moment from now on at which all are open; None: there is none before `before`, or `HORIZON`.

    Costs microseconds once the weeks that it looks at are known, and some milliseconds for a whole year.
    """
    now = seconds_of(now_utc)
    last = now + HORIZON + len(hours.holidays) * DAY
    if before is not None:
        last = min(last, seconds_of(before, up=True))
    found = timetable(hours, tuple(zones)).next_open(now, last)
    if found is None:
        return None
    return now_utc.astimezone(UTC) if found == now else EPOCH + timedelta(seconds=found)


def why_never(hours: CallingHours, zones: Sequence[tzinfo], before: datetime | None) -> str:
    """The sentence for a recipient whose hours do not come, with what would mend it."""
    end = "" if before is None else f" before the batch’s end at {before.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    never = f"the calling hours {hours} do not come{end}"
    count = len(set(zones))
    if count < 2:
        return f"{never} in {name_of(zones[0]) if zones else hours.zone}"
    ahead = sorted(zones, key=lambda zone: offset_of(zone, seconds_of(before or EPOCH)))
    where = f"{count} time zones that the number can be in, from {name_of(ahead[0])} to {name_of(ahead[-1])}"
    return f"{never} in all {where}; a timezone of its own in the row says which it is"


def day_of(now_utc: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """When today began by a zone's calendar, and when its next day begins, in UTC."""
    today = now_utc.astimezone(zone).date()
    # Midnight by the clock as it went before: where a zone skips it, that is the moment at which it does.
    midnights = (datetime.combine(day, time(0), zone) for day in (today, today + timedelta(days=1)))
    begin, end = (midnight.astimezone(UTC) for midnight in midnights)
    return begin, end


def seconds_of(at: datetime, *, up: bool = False) -> int:
    """Whole seconds from the epoch to a moment, rounded down, or up."""
    since = at - EPOCH
    whole = since.days * DAY + since.seconds
    return whole + 1 if up and since.microseconds else whole


@lru_cache(maxsize=512)
def timetable(hours: CallingHours, zones: tuple[tzinfo, ...]) -> "Timetable":
    """The open times of these hours in these zones, worked out once for all rows that have them."""
    return Timetable(hours, zones or (zone_named(hours.zone),))


class Timetable:
    """When all zones are open, week by week, as it is asked for."""

    def __init__(self, hours: CallingHours, zones: Sequence[tzinfo]) -> None:
        self._hours = hours
        self._zones = tuple(dict.fromkeys(zones))
        self._holidays = sorted(day.toordinal() - EPOCH.toordinal() for day in hours.holidays)
        self._offsets: dict[int, tuple[int, ...]] = {}
        self._weeks: dict[int, Sequence[Span]] = {}
        self._regular: dict[frozenset[int], Sequence[Span]] = {}

    def is_open(self, at: int) -> bool:
        """Whether this second of UTC is open in all zones."""
        return any(begin <= at < end for begin, end in self._week(_week_of(at)))

    def next_open(self, at: int, before: int) -> int | None:
        """The first open second from `at` on, or None where there is none before `before`."""
        for week in range(_week_of(at), _week_of(before - 1) + 1):
            begin = next((max(begin, at) for begin, end in self._week(week) if end > at), None)
            if begin is not None:
                return begin if begin < before else None
        return None

    def _week(self, week: int) -> Sequence[Span]:
        spans = self._weeks.get(week)
        if spans is None:
            spans = self._weeks[week] = self._worked_out(week)
        return spans

    def _worked_out(self, week: int) -> Sequence[Span]:
        start = FIRST_MONDAY + week * WEEK
        before, after = self._offsets_at(week), self._offsets_at(week + 1)
        if before != after:
            pieces = {
                _pieces(zone, start, start + WEEK, first, last)
                for zone, first, last in zip(self._zones, before, after, strict=True)
            }
            return _common(self._spans(each) for each in pieces)
        offsets = frozenset(before)
        regular = self._regular_week(offsets)
        if not regular or not self._has_holidays(start - 2 * DAY, start + WEEK + 2 * DAY):
            return [(start + begin, start + end) for begin, end in regular]
        return _common(self._spans(((start, start + WEEK, offset),)) for offset in offsets)

    def _offsets_at(self, week: int) -> tuple[int, ...]:
        offsets = self._offsets.get(week)
        if offsets is None:
            start = FIRST_MONDAY + week * WEEK
            offsets = self._offsets[week] = tuple(offset_of(zone, start) for zone in self._zones)
        return offsets

    def _regular_week(self, offsets: frozenset[int]) -> Sequence[Span]:
        """A week without holidays in which no zone sets its clocks, from its own beginning."""
        spans = self._regular.get(offsets)
        if spans is None:
            start = FIRST_MONDAY
            spans = _common(
                [
                    (begin - start - offset, end - start - offset)
                    for begin, end in self._by_the_wall(start + offset, start + WEEK + offset, ())
                ]
                for offset in offsets
            )
            self._regular[offsets] = spans
        return spans

    def _spans(self, pieces: Sequence[tuple[int, int, int]]) -> Sequence[Span]:
        """The open seconds of one zone."""
        return [
            (begin - offset, end - offset)
            for start, stop, offset in pieces
            for begin, end in self._by_the_wall(start + offset, stop + offset, self._holidays)
        ]

    def _by_the_wall(self, start: int, stop: int, holidays: Sequence[int]) -> Iterator[Span]:
        """The hours between two times of a wall clock, those included that began the evening before."""
        opens, lasts = self._hours.opens, self._hours.lasts
        for day in range(start // DAY - 1, (stop - 1) // DAY + 1):
            if (day + 3) % 7 + 1 not in self._hours.weekdays or _among(day, holidays):
                continue
            begin = day * DAY + opens
            end = min(begin + lasts, (day + 1) * DAY) if _among(day + 1, holidays) else begin + lasts
            if max(begin, start) < min(end, stop):
                yield max(begin, start), min(end, stop)

    def _has_holidays(self, start: int, stop: int) -> bool:
        return bisect_left(self._holidays, start // DAY) < bisect_right(self._holidays, stop // DAY)


def _week_of(at: int) -> int:
    return (at - FIRST_MONDAY) // WEEK


def _among(day: int, days: Sequence[int]) -> bool:
    place = bisect_left(days, day)
    return place < len(days) and days[place] == day


def _pieces(zone: tzinfo, start: int, stop: int, first: int, last: int) -> tuple[tuple[int, int, int], ...]:
    """A week of a zone, cut where it sets its clocks: from, to, and the offset between.

    Since 2001 no zone has set them twice within a week, nor but on a whole minute.
    """
    if first == last:
        return ((start, stop, first),)
    low, high = 0, (stop - start) // 60
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_of(zone, start + middle * 60) == first else (low, middle)
    change = start + high * 60
    return ((start, change, first), (change, stop, last))


def _common(spans: Iterator[Sequence[Span]]) -> Sequence[Span]:
    """What all have in common; each is in order and does not overlap itself."""
    found: Sequence[Span] = next(spans)
    for other in spans:
        if not found:
            return ()
        found = _both(found, other)
    return found


def _both(one: Sequence[Span], other: Sequence[Span]) -> Sequence[Span]:
    found = []
    i = j = 0
    while i < len(one) and j < len(other):
        begin, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if begin < end:
            found.append((begin, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found
