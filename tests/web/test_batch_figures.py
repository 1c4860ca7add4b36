"""What a batch's page draws and reckons: pace, time left, bars, curves, what it may cost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.batch.retrying import Outcome, RetryRule
from gateway.routing.table import Increment
from gateway.store.batches.values import Batch, Counts, Stage
from gateway.store.records.call_minutes import Minute
from gateway.web.batch_figures import Standing, about, charts, estimate, pace, stage_bars, time_left
from gateway.web.drawing import PLOT

NOW = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


def a_batch(status: str = "running", total: int = 100, **counts: int) -> Batch:
    """A batch that has come so far."""
    given = Counts(**counts)
    return Batch(
        "batch_a",
        "org_a",
        "Spring",
        status,
        NOW,
        "test",
        "agent_a",
        "ver_a",
        1,
        (),
        total=total,
        counts=given,
    )


def minute(ago: int, attempted: int, answered: int = 0) -> Minute:
    """A minute before this one."""
    return Minute(NOW.replace(second=0) - timedelta(minutes=ago), attempted, answered)


def test_the_pace_is_that_of_whole_minutes() -> None:
    """The minute that runs does not count, nor what was long ago; nobody knows before the first is whole."""
    assert pace([], NOW) is None
    assert pace([minute(0, 7)], NOW) is None
    assert pace([minute(1, 8), minute(0, 100)], NOW) == 8
    assert pace([minute(60, 500), minute(4, 10), minute(0, 100)], NOW) == 2


def test_how_long_it_takes() -> None:
    """By the pace, as roughly as it is known; a batch that does not run has no end."""
    assert time_left(a_batch(queued=90), 10) == "about 9 min"
    assert time_left(a_batch(queued=90), None) == ""
    assert time_left(a_batch("paused", queued=90), 10) == ""
    said = [about(minutes) for minutes in (1.4, 89.5, 90, 60 * 47, 60 * 72)]
    assert said == ["about a minute", "about 90 min", "about 1.5 h", "about 47.0 h", "about 3.0 days"]


def test_rounds_are_bars_of_one_scale() -> None:
    """The widest round fills the row; nothing of nothing is no accident."""
    stages = (Stage(0, 200, 100, 50), Stage(1, 50, 10, 0), Stage(4, 0, 0, 0))
    drawn = stage_bars(replace(a_batch(), stages=stages))
    assert [(bar.name, bar.attempted, bar.picked_up, bar.rate) for bar in drawn] == [
        ("First attempt", 50.0, 25.0, "50 %"),
        ("Second attempt", 5.0, 0.0, "0 %"),
    ]
    (empty,) = stage_bars(replace(a_batch(total=0), stages=(Stage(0, 0, 0, 0),)))
    assert (empty.attempted, empty.rate) == (0.0, "")


def test_curves_of_a_minute_and_of_a_month() -> None:
    """One minute is no curve; a month is drawn in sixty points or fewer, its marks apart, none outside."""
    assert charts([]) == []
    assert charts([minute(1, 5, 5)]) == []
    month = [minute(at, 3, at % 3) for at in range(30 * 1440, 0, -7)]
    for chart in charts(month):
        points = [tuple(map(float, point.split(","))) for point in chart.curve.points.split()]
        assert 2 <= len(points) <= 62
        assert all(PLOT.left <= x <= PLOT.right and PLOT.top <= y <= PLOT.bottom for x, y in points)
        assert len(chart.times) <= 6
        assert all(PLOT.left <= tick.at <= PLOT.right for tick in chart.times)


def test_a_pause_leaves_a_gap_in_the_rate_and_a_valley_in_the_pace() -> None:
    """Minutes without calls have no answer rate, and no calls."""
    rate, calls_a_minute = charts([minute(10, 4, 1), minute(5, 4, 3), minute(1, 2, 2)])
    assert (rate.curve.least, rate.curve.most, rate.curve.last) == (25.0, 100.0, 100.0)
    assert len(rate.curve.points.split()) == 3
    assert calls_a_minute.curve.least == 0
    assert calls_a_minute.curve.most == 4


REPORT = {"most_per_minute": "12.50", "currency": "INR"}


@pytest.mark.parametrize(
    ("longest", "increment", "retry", "most"),
    [
        (600, Increment(60, 60), RetryRule(), "125.00"),
        (601, Increment(60, 60), RetryRule(), "137.50"),
        (601, Increment(30, 6), RetryRule(), "126.25"),
        (600, Increment(60, 60), RetryRule(4, outcomes=frozenset({Outcome.BUSY})), "125.00"),
        (600, Increment(60, 60), RetryRule(2, outcomes=frozenset({Outcome.VOICEMAIL})), "375.00"),
    ],
)
def test_what_it_costs_at_most(longest: int, increment: Increment, retry: RetryRule, most: str) -> None:
    """Everybody talks as long as the version allows, in begun steps; only voicemail is paid for twice."""
    found = estimate(REPORT, longest, increment, retry, None)
    assert found is not None
    assert found.most == Decimal(most)
    assert found.one_minute == Decimal("12.50")


def test_what_costs_nothing_has_no_price() -> None:
    """A flat rate of nothing, or no rate at all, is said as such; an almost empty wallet is told."""
    for report in (
        None,
        {},
        {"most_per_minute": None, "currency": "INR"},
        {"most_per_minute": "0", "currency": ""},
    ):
        assert estimate(report, 600, Increment(), RetryRule(), None) is None
    found = estimate(REPORT, 600, Increment(60, 60), RetryRule(), Decimal(100))
    assert found is not None
    assert found.is_beyond


def test_a_batch_of_nobody() -> None:
    """No recipient, no share, no rate."""
    standing = Standing(a_batch(total=0))
    assert (standing.share, standing.rate) == (0.0, "")
