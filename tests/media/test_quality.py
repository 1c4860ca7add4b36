"""Bursts of loss, and the series of a call's figures."""

import random

import pytest

from gateway.media.quality import (
    COLUMNS,
    GMIN,
    MOST_POINTS,
    STEP_SECONDS,
    Bursts,
    Counts,
    LossRuns,
    Point,
    Report,
    Series,
    heard_mos,
    point,
    said_mos,
)


def runs_of(pattern: str) -> LossRuns:
    """`x` is a lost packet, anything else one that came."""
    runs = LossRuns()
    at = 0
    while at < len(pattern):
        end = at
        while end < len(pattern) and pattern[end] == "x":
            end += 1
        if end > at:
            runs.add(at, end)
        at = max(end, at + 1)
    return runs


def test_losses_far_apart_are_no_burst() -> None:
    """Sixteen packets between two losses, and both lie in a gap (RFC 3611 section 4.7.2)."""
    pattern = "x" + "." * GMIN + "x" + "." * 82
    assert runs_of(pattern).summary(100) == Bursts(0.0, 0.02, 0.0, 100.0, 1.0)


def test_losses_close_together_are_a_burst() -> None:
    """Fifteen packets between them: from the first lost to the last."""
    pattern = "." * 40 + "x" + "." * (GMIN - 1) + "x" + "." * 43
    assert runs_of(pattern).summary(100) == Bursts(2 / 17, 0.0, 17.0, 41.5, 1.0)


def test_two_bursts_and_a_loss_alone() -> None:
    """Density is over all bursts, length is their mean; what is outside is gap."""
    pattern = "." * 20 + "xx..x" + "." * 30 + "x" + "." * 30 + "xxx" + "." * 11
    found = runs_of(pattern).summary(100)
    assert found.burst_density == pytest.approx(6 / 8)
    assert found.burst_packets == pytest.approx(4)
    assert found.gap_density == pytest.approx(1 / 92)
    assert found.gap_packets == pytest.approx(92 / 3)
    assert found.ratio == pytest.approx(7 / 4 * 0.93)


def test_random_loss_has_a_ratio_of_one() -> None:
    """Chance alone makes runs, and they are no burstiness."""
    source = random.Random(1)
    pattern = "".join("x" if source.random() < 0.05 else "." for _ in range(100_000))
    assert runs_of(pattern).summary(len(pattern)).ratio == pytest.approx(1.0, abs=0.03)


def test_nothing_lost() -> None:
    """All figures say so, also before there is any packet."""
    assert LossRuns().summary(0) == Bursts(0.0, 0.0, 0.0, 0.0, 1.0)
    assert LossRuns().summary(50) == Bursts(0.0, 0.0, 0.0, 50.0, 1.0)


def a_point(loss: float | None = 1.0, concealed: float = 10.0) -> Point:
    return Point(loss, 2.0, 4.0, concealed, 1, None, None, None, 30.0)


def test_a_point_is_the_time_between_two_counts() -> None:
    """Loss of that time alone; opinions from it."""
    report = Report(loss_percent=2.0, jitter_ms=5.0, round_trip_ms=80.0)
    made = point(Counts(1000, 10, 200, 3), Counts(1250, 15, 280, 4), 4.5, report, 20.0)
    assert (made.loss_in, made.concealed, made.underruns, made.round_trip) == (2.0, 80, 1, 80.0)
    assert made.mos_in == heard_mos(2.0, 80.0, 20.0)
    assert made.mos_out == said_mos(report)
    assert made.mos_in is not None
    assert made.mos_out is not None
    assert 4.0 < made.mos_in < 4.4
    assert made.mos_out < made.mos_in, "the peer may not conceal what it loses"


def test_a_point_without_packets_or_reports_says_nothing() -> None:
    """None is not zero."""
    made = point(Counts(), Counts(), 0.0, Report(), 20.0)
    assert (made.loss_in, made.mos_in, made.loss_out, made.mos_out) == (None,) * 4


def test_a_series_of_any_length_is_small() -> None:
    """Neighbours are merged: means of what is known, sums of counts, and the step says how far apart."""
    series = Series()
    for n in range(7200 // STEP_SECONDS):
        series.add(a_point(loss=None if n % 2 else 4.0))
    told = series.as_dict()
    points = told["points"]
    assert isinstance(points, list)
    assert MOST_POINTS / 2 <= len(points) <= MOST_POINTS
    step = told["step_seconds"]
    assert isinstance(step, int)
    assert step * len(points) == pytest.approx(7200, abs=step)
    whole = points[0]
    assert dict(zip(COLUMNS, whole, strict=True)) | {} == {
        "loss_in": 4.0,
        "jitter_in": 2.0,
        "mos_in": 4.0,
        "concealed": 10.0 * step / STEP_SECONDS,
        "underruns": step / STEP_SECONDS,
        "loss_out": None,
        "jitter_out": None,
        "mos_out": None,
        "round_trip": 30.0,
    }
    assert sum(one[3] for one in points) == 10.0 * 7200 / STEP_SECONDS


def test_a_short_series() -> None:
    """A point every five seconds."""
    series = Series()
    series.add(a_point())
    assert series.as_dict() == {
        "step_seconds": 5,
        "columns": list(COLUMNS),
        "points": [[1.0, 2.0, 4.0, 10.0, 1, None, None, None, 30.0]],
    }
