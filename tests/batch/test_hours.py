"""Calling hours, held against a clock that is looked at minute by minute."""

import subprocess
import sys
import time as clock
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.batch.hours import CallingHours, day_of, next_open, open_now, timetable, why_never
from gateway.batch.zones import zones_of

MINUTE = timedelta(minutes=1)

OFFICE = CallingHours(time(9), time(18), frozenset(range(1, 6)))
HOURS = {
    "office": OFFICE,
    "night": CallingHours(time(22), time(2), frozenset({5, 6, 7})),
    "all day": CallingHours(time(0), time(0), frozenset({1, 3, 7})),
    "skipped": CallingHours(time(2, 10), time(2, 50)),
    "twice": CallingHours(time(1, 30), time(2, 15)),
    "midnight": CallingHours(time(23, 30), time(0, 30)),
    "from noon to noon": CallingHours(time(12), time(12), frozenset({6})),
    "odd": CallingHours(time(8, 7, 30), time(8, 9, 15)),
}

WEEKS = (
    ("Europe/Berlin", date(2027, 3, 27)),
    ("Europe/Berlin", date(2027, 10, 30)),
    ("Europe/Dublin", date(2027, 10, 30)),
    ("America/New_York", date(2027, 3, 13)),
    ("America/New_York", date(2027, 11, 6)),
    ("America/St_Johns", date(2027, 11, 6)),
    ("Australia/Lord_Howe", date(2027, 4, 3)),  # half an hour
    ("Australia/Lord_Howe", date(2027, 10, 2)),
    ("Pacific/Chatham", date(2027, 9, 25)),
    ("America/Santiago", date(2027, 9, 4)),  # skips midnight
    ("America/Havana", date(2027, 11, 6)),
    ("Asia/Beirut", date(2027, 3, 27)),
    ("Africa/Casablanca", date(2027, 2, 6)),
    ("Pacific/Apia", date(2011, 12, 29)),  # had no 30 December
    ("Asia/Kolkata", date(2028, 2, 28)),  # a leap day
    ("America/Chicago", date(2028, 2, 28)),
)
"The days around these: clocks are set, or the calendar is."


def by_the_wall(hours: CallingHours, local: datetime) -> bool:
    """What a person would say who looks at the clock and at the calendar."""
    today, now = local.date(), local.time()
    yesterday = today - timedelta(days=1)
    if today in hours.holidays:
        return False

    def begins(day: date) -> bool:
        return day.isoweekday() in hours.weekdays and day not in hours.holidays

    if hours.ends == time(0) or hours.starts < hours.ends:
        return begins(today) and hours.starts <= now and (hours.ends == time(0) or now < hours.ends)
    return (begins(today) and now >= hours.starts) or (begins(yesterday) and now < hours.ends)


def minutes(first: date, days: int) -> Iterator[datetime]:
    """Every minute of UTC from a day before."""
    start = datetime.combine(first - timedelta(days=1), time(0), UTC)
    return (start + number * MINUTE for number in range(days * 1440))


def agrees(hours: CallingHours, zones: Sequence[tzinfo], first: date, days: int) -> int:
    """Hold both questions against the clock on the wall, minute by minute; how many minutes were open."""
    asked = list(minutes(first, days))
    is_open = [all(by_the_wall(hours, at.astimezone(zone)) for zone in zones) for at in asked]
    end, following = asked[-1] + MINUTE, None
    for at, expected in zip(reversed(asked), reversed(is_open), strict=True):
        following = at if expected else following
        assert open_now(hours, at, zones) is expected, at
        assert next_open(hours, at, zones, end) == following, at
    return sum(is_open)


@pytest.mark.parametrize(("zone", "first"), WEEKS, ids=lambda value: str(value))
@pytest.mark.parametrize("name", [name for name in HOURS if name != "odd"])
def test_hours_are_those_of_the_clock_on_the_wall(name: str, zone: str, first: date) -> None:
    """Through gaps, overlaps, skipped midnights and skipped days, each minute is as the clock says."""
    agrees(HOURS[name], [ZoneInfo(zone)], first, 4)


@pytest.mark.parametrize(
    "first", [date(2027, 3, 13), date(2027, 3, 27), date(2027, 10, 30), date(2028, 2, 28)]
)
def test_all_zones_have_to_be_open(first: date) -> None:
    """Several zones that set their clocks on different days are open where every one is."""
    zones = [ZoneInfo(name) for name in ("Europe/London", "America/New_York", "America/Phoenix", "UTC")]
    wide = CallingHours(time(8), time(21), frozenset(range(1, 7)), frozenset({first + timedelta(days=2)}))
    assert agrees(wide, zones, first, 6) > 60
    assert agrees(HOURS["night"], zones, first, 3) == 0


def test_holidays_are_without_calls() -> None:
    """No hours begin on one, and those of the evening before end with the day."""
    night = CallingHours(time(22), time(2), holidays=frozenset({date(2026, 12, 25)}), zone="Europe/Berlin")
    berlin = [ZoneInfo("Europe/Berlin")]
    assert agrees(night, berlin, date(2026, 12, 24), 5) > 0
    assert not open_now(night, datetime(2026, 12, 25, 0, 30, tzinfo=UTC), berlin)  # of the evening before
    assert not open_now(night, datetime(2026, 12, 26, 0, 30, tzinfo=UTC), berlin)  # of the holiday's evening
    assert next_open(night, datetime(2026, 12, 24, 23, tzinfo=UTC), berlin) == datetime(
        2026, 12, 26, 21, tzinfo=UTC
    )


def test_a_leap_day_is_a_day() -> None:
    """29 February has its hours, its weekday and, where it is one, its holiday."""
    zone = [ZoneInfo("Asia/Kolkata")]
    tuesdays = CallingHours(time(9), time(10), frozenset({2}))
    assert next_open(tuesdays, datetime(2028, 2, 27, tzinfo=UTC), zone) == datetime(
        2028, 2, 29, 3, 30, tzinfo=UTC
    )
    free = CallingHours(time(9), time(10), holidays=frozenset({date(2028, 2, 29)}))
    assert next_open(free, datetime(2028, 2, 28, 5, tzinfo=UTC), zone) == datetime(
        2028, 3, 1, 3, 30, tzinfo=UTC
    )


@settings(max_examples=25, deadline=None)
@given(
    starts=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    ends=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    weekdays=st.frozensets(st.integers(1, 7), min_size=1),
    free=st.frozensets(st.integers(0, 5), max_size=2),
    names=st.lists(st.sampled_from(sorted({zone for zone, _ in WEEKS})), min_size=1, max_size=3),
    first=st.sampled_from([first for _, first in WEEKS]),
)
def test_any_hours_in_any_zones(
    starts: time,
    ends: time,
    weekdays: frozenset[int],
    free: frozenset[int],
    names: list[str],
    first: date,
) -> None:
    """Whatever the hours, weekdays, holidays and zones, the answers are those of the clocks."""
    holidays = frozenset(first + timedelta(days=number) for number in free)
    agrees(CallingHours(starts, ends, weekdays, holidays), [ZoneInfo(name) for name in names], first, 3)


def test_hours_end_to_the_second() -> None:
    """The first second is within the hours, and the one at their end is not; fractions count."""
    zone, odd = [ZoneInfo("UTC")], HOURS["odd"]
    opens, closes = datetime(2027, 1, 4, 8, 7, 30, tzinfo=UTC), datetime(2027, 1, 4, 8, 9, 15, tzinfo=UTC)
    little = timedelta(microseconds=1)
    assert [open_now(odd, at, zone) for at in (opens - little, opens, closes - little, closes)] == [
        False,
        True,
        True,
        False,
    ]
    assert next_open(odd, opens - little, zone) == opens
    assert next_open(odd, closes - little, zone) == closes - little
    assert next_open(odd, closes, zone) == opens + timedelta(days=1)


def test_before_is_a_bound() -> None:
    """Hours that begin at the batch's end or later never come; a moment before it they do."""
    zone, now = [ZoneInfo("UTC")], datetime(2027, 1, 2, 12, tzinfo=UTC)  # a Saturday
    monday = datetime(2027, 1, 4, 9, tzinfo=UTC)
    assert next_open(OFFICE, now, zone, monday) is None
    assert next_open(OFFICE, now, zone, monday + timedelta(microseconds=1)) == monday
    assert next_open(OFFICE, now, zone, now) is None
    assert next_open(OFFICE, monday, zone, monday - timedelta(days=1)) is None
    assert next_open(OFFICE, monday, zone, monday + MINUTE) == monday


def test_zones_that_have_no_hour_in_common_never_open() -> None:
    """Where it is night for one while it is day for the other, there is no end of looking: None, soon."""
    zones = [ZoneInfo("Pacific/Guam"), ZoneInfo("America/New_York")]
    assert next_open(OFFICE, datetime(2027, 1, 4, tzinfo=UTC), zones) is None
    assert not open_now(OFFICE, datetime(2027, 1, 4, tzinfo=UTC), zones)


def test_all_holidays_for_a_year() -> None:
    """A year of holidays is looked past."""
    year = frozenset(date(2027, 1, 1) + timedelta(days=number) for number in range(365))
    hours = CallingHours(time(9), time(18), holidays=year)
    assert next_open(hours, datetime(2027, 1, 1, tzinfo=UTC), [ZoneInfo("UTC")]) == datetime(
        2028, 1, 1, 9, tzinfo=UTC
    )


def test_no_zones_are_the_batch_s_own() -> None:
    """Callees whom nobody can place are called by the batch's clock, and never at any time."""
    hours = CallingHours(time(9), time(18), zone="Asia/Kolkata")
    assert open_now(hours, datetime(2027, 1, 4, 4, tzinfo=UTC), ())
    assert not open_now(hours, datetime(2027, 1, 4, 13, tzinfo=UTC), ())


@pytest.mark.parametrize("name", HOURS)
def test_hours_are_kept_as_json(name: str) -> None:
    """`of_dict` reads what `as_dict` wrote."""
    hours = HOURS[name]
    assert CallingHours.of_dict(hours.as_dict()) == hours


def test_hours_as_people_read_them() -> None:
    """Short, and the end of the day is 24:00."""
    assert str(OFFICE) == "09:00–18:00 mon–fri"
    assert str(HOURS["all day"]) == "00:00–24:00 mon, wed, sun"
    assert str(CallingHours(time(9), time(18), holidays=frozenset({date(2027, 1, 1)}))).endswith("1 holiday")


@pytest.mark.parametrize(
    ("zone", "now", "begin", "end"),
    [
        ("UTC", "2027-01-04T12:00", "2027-01-04T00:00", "2027-01-05T00:00"),
        ("Asia/Kolkata", "2027-01-04T20:00", "2027-01-04T18:30", "2027-01-05T18:30"),
        ("Europe/Berlin", "2027-03-28T12:00", "2027-03-27T23:00", "2027-03-28T22:00"),
        ("America/Santiago", "2027-09-04T20:00", "2027-09-04T04:00", "2027-09-05T04:00"),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-29T10:00", "2011-12-30T10:00"),
    ],
)
def test_days_begin_by_the_calendar_of_the_zone(zone: str, now: str, begin: str, end: str) -> None:
    """Short days and skipped ones too."""
    at, first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, begin, end))
    assert day_of(at, ZoneInfo(zone)) == (first, last)


def test_no_zone_sets_its_clocks_twice_within_a_week() -> None:
    """What `hours` takes for granted: the next changes of each zone lie further apart."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=number) for number in range(500)]
    for name in sorted(available_timezones()):
        offsets = [at.astimezone(ZoneInfo(name)).utcoffset() for at in days]
        changes = [number for number, (one, other) in enumerate(pairwise(offsets)) if one != other]
        assert all(later - earlier >= 7 for earlier, later in pairwise(changes)), name


def test_hundred_thousands_of_rows_may_ask() -> None:
    """A question costs microseconds where its zones were asked about before, and none looks long."""
    now = datetime(2027, 1, 2, 12, tzinfo=UTC)
    free_of_charge = zones_of("+18005550100")
    assert len(free_of_charge) > 40
    timetable.cache_clear()
    begin = clock.process_time()
    assert next_open(OFFICE, now, free_of_charge) is None
    assert clock.process_time() - begin < 0.25  # some 10 ms on a quiet machine
    berlin = zones_of("+49301234567")
    begin = clock.process_time()
    for _ in range(2000):
        next_open(OFFICE, now, berlin)
    assert clock.process_time() - begin < 0.25  # some 10 ms


def test_a_machine_without_time_zones() -> None:
    """A slim image has no zoneinfo of its own: the package's is used, all that numbers need."""
    asks = (
        "from gateway.batch.zones import zones_of; "
        "print(len(zones_of('+18005550100')), zones_of('+56672212345')[0], zones_of('x', 'asia/kolkata')[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks], env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[1:] == ["America/Coyhaique", "Asia/Kolkata"]


def test_hours_that_never_come_are_told() -> None:
    """With the batch's end, with the zones that cannot meet, and with what mends it."""
    end = datetime(2027, 1, 5, 12, tzinfo=UTC)
    several = why_never(OFFICE, zones_of("+79161234567"), end)
    assert several.startswith("the calling hours 09:00–18:00 mon–fri do not come before the batch’s end at ")
    assert "from Europe/Kaliningrad to Asia/" in several
    assert several.endswith("a timezone of its own in the row says which it is")
    assert why_never(OFFICE, (), None) == "the calling hours 09:00–18:00 mon–fri do not come in UTC"
