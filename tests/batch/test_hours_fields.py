"""Calling hours as people write them."""

from datetime import date, time, timedelta

import pytest

from gateway.batch.hours import EVERY_DAY, CallingHours
from gateway.batch.hours_fields import read_by, read_holidays, read_hours, read_time, read_weekdays
from gateway.store.engine.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("09:00", time(9)),
        ("9:00", time(9)),
        (" 9:00 ", time(9)),
        ("09:00:00", time(9)),
        ("09:00:30", time(9, 0, 30)),
        ("09:00:00.000", time(9)),
        ("9", time(9)),
        ("9.30", time(9, 30)),
        ("9 am", time(9)),
        ("6:30 PM", time(18, 30)),
        ("12am", time(0)),
        ("12 p.m.", time(12)),
        ("24:00", time(0)),
        ("00:00", time(0)),
        (time(9, 15, 0, 5), time(9, 15)),
        (9, time(9)),
    ],
)
def test_times(written: object, at: time) -> None:
    """With or without seconds and leading zeros, by twelve hours or by twenty-four."""
    assert read_time(written, "calling_hours_end") == at


@pytest.mark.parametrize(
    "written",
    [
        "25:00",
        "9:60",
        "9:0",
        "24:01",
        "13pm",
        "0am",
        "09:00Z",
        "09:00+05:30",
        "nine",
        "-1:00",
        "9:00-18:00",
        "",
    ],
)
def test_bad_times_are_named(written: str) -> None:
    """With their field, as given, and with what would be right."""
    with pytest.raises(InvalidInput, match="should be a time such as 09:00") as refused:
        read_time(written, "calling_hours_start")
    assert (refused.value.field, refused.value.given) == ("calling_hours_start", written)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", {1, 2, 3, 4, 5}),
        ("Mon - Fri", {1, 2, 3, 4, 5}),
        ("mon–fri", {1, 2, 3, 4, 5}),
        ("Monday to Friday", {1, 2, 3, 4, 5}),
        ("1-5", {1, 2, 3, 4, 5}),
        ("weekdays", {1, 2, 3, 4, 5}),
        ("weekend", {6, 7}),
        ("sat-mon", {6, 7, 1}),
        ("7", {7}),
        ("mon", {1}),
        ("Tues, Thurs.", {2, 4}),
        ("mo we fr", {1, 3, 5}),
        ("mon; wed and sat", {1, 3, 6}),
        ("mon-wed,5", {1, 2, 3, 5}),
        (["mon", "3-5"], {1, 3, 4, 5}),
        ([1, 2], {1, 2}),
        (frozenset({6}), {6}),
        (3, {3}),
        ("", EVERY_DAY),
        (None, EVERY_DAY),
        ([], EVERY_DAY),
        ("daily", EVERY_DAY),
        ("mon-sun", EVERY_DAY),
    ],
)
def test_weekdays(written: object, days: set[int]) -> None:
    """Names, numbers, ranges over the week's end, lists of all of these; nothing is every day."""
    assert read_weekdays(written) == days


@pytest.mark.parametrize(
    "written",
    ["0-5", "8", "m", "t", "foo", "mon-fri-sun", "-5", "mon-", "12", ["mon", "x"], [True], [1.5]],
)
def test_bad_weekdays_are_named(written: object) -> None:
    """Also in a list."""
    with pytest.raises(InvalidInput) as refused:
        read_weekdays(written)
    assert refused.value.field == "calling_hours_days"


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("2026-12-25", {date(2026, 12, 25)}),
        ("2026-12-25, 2026-12-26", {date(2026, 12, 25), date(2026, 12, 26)}),
        ("2026-12-25\n2026-12-25\r\n", {date(2026, 12, 25)}),
        (["2026-12-25", "2028-02-29"], {date(2026, 12, 25), date(2028, 2, 29)}),
        ([date(2026, 12, 25)], {date(2026, 12, 25)}),
        (date(2026, 12, 25), {date(2026, 12, 25)}),
        ("", set()),
        (None, set()),
    ],
)
def test_holidays(written: object, days: set[date]) -> None:
    """Dates in a text or a list."""
    assert read_holidays(written) == days


@pytest.mark.parametrize(
    "written",
    ["2026-02-30", "2027-02-29", "25.12.2026", "20261225", "2026-12-25..7", "xmas", [20261225]],
)
def test_bad_holidays_are_named(written: object) -> None:
    """One that the calendar does not have, too."""
    with pytest.raises(InvalidInput, match="should be dates such as 2026-12-25") as refused:
        read_holidays(written)
    assert refused.value.field == "holidays"


def test_holidays_are_bounded() -> None:
    """A year of them is enough."""
    days = [date(2027, 1, 1) + timedelta(days=number) for number in range(367)]
    with pytest.raises(InvalidInput, match="at most 366"):
        read_holidays(days)


def test_hours_come_together() -> None:
    """Start and end, days, holidays, whose clock, and the batch's zone as the tz database writes it."""
    hours = read_hours(
        "9:00", "18:00", days="mon-fri", holidays="2026-12-25", by="callee", zone="asia/kolkata"
    )
    assert hours == CallingHours(
        time(9),
        time(18),
        frozenset(range(1, 6)),
        frozenset({date(2026, 12, 25)}),
        "callee",
        "Asia/Kolkata",
    )
    assert read_hours("22:00", "02:00") == CallingHours(time(22), time(2))
    assert read_hours("00:00", "24:00", zone="UTC+05:30") == CallingHours(time(0), time(0), zone="UTC+05:30")


def test_days_alone_are_whole_days() -> None:
    """And nothing at all is no hours."""
    assert read_hours(days="mon-fri") == CallingHours(time(0), time(0), frozenset(range(1, 6)))
    assert read_hours(holidays="2026-12-25") is not None
    assert read_hours() is None
    assert read_hours("", " ", days="", holidays="", by="callee") is None


@pytest.mark.parametrize(
    ("starts", "ends", "field", "says"),
    [
        ("9:00", None, "calling_hours_end", "given together with calling_hours_start"),
        ("", "18:00", "calling_hours_start", "given together with calling_hours_end"),
        ("9:00", "09:00", "calling_hours_end", "should differ from calling_hours_start"),
        ("24:00", "9:00", "calling_hours_start", "should be a time"),
    ],
)
def test_hours_that_make_no_sense_together(starts: object, ends: object, field: str, says: str) -> None:
    """One of two, and the same time twice."""
    with pytest.raises(InvalidInput, match=says) as refused:
        read_hours(starts, ends)
    assert refused.value.field == field


def test_whose_clock_counts() -> None:
    """The workspace's where nobody says."""
    assert [read_by(written) for written in (None, "", "Workspace", " callee ")] == [
        "workspace",
        "workspace",
        "workspace",
        "callee",
    ]
    with pytest.raises(InvalidInput, match="hours_by = both: should be workspace or callee"):
        read_by("both")
