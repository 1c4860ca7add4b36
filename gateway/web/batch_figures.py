"""How a batch goes: figures, bars and curves of its page. Numbers only; the templates draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from gateway.routing.table import Increment
from gateway.store.batches.values import Batch, Stage
from gateway.store.records.call_minutes import Minute
from gateway.web.drawing import PLOT, Curve, Tick, curve, heights, rounded_up

STAGES = ("First attempt", "Second attempt", "Third attempt", "Fourth attempt", "Fifth attempt")
ACTIVE = frozenset({"running", "waiting", "scheduled"})
"Statuses that go on by themselves."
MINUTE = timedelta(minutes=1)
WINDOW = 5
"Minutes that the pace is taken from."
MOST_POINTS = 60
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 7200, 14_400, 43_200)
"Minutes: of one point of a curve, and between two marks of the axis of time."
MOST_MARKS = 5


def percent(part: int, whole: int) -> str:
    """A share in words; nothing of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A batch as a line of the list has it."""

    batch: Batch

    @property
    def total(self) -> int:
        """Recipients."""
        return self.batch.total

    @property
    def over(self) -> int:
        """Recipients that nothing more happens to."""
        return self.batch.counts.ended

    @property
    def share(self) -> float:
        """Of the recipients, out of 100."""
        return 100 * self.over / self.total if self.total else 0.0

    @property
    def attempted(self) -> int:
        """Recipients that were dialled."""
        return self.batch.counts.sent

    @property
    def connected(self) -> int:
        """Recipients whose call was answered."""
        return self.batch.counts.picked_up_leads

    @property
    def rate(self) -> str:
        """Connected ones of those that were dialled."""
        return percent(self.connected, self.attempted)

    @property
    def when(self) -> str:
        """What `at` says."""
        batch = self.batch
        if batch.ended_at is not None:
            return "ended"
        if batch.started_at is not None:
            return "started"
        return "starts" if batch.starts_at is not None and batch.status == "scheduled" else "made"

    @property
    def at(self) -> datetime:
        """The moment that matters most."""
        batch = self.batch
        planned = batch.starts_at if batch.status == "scheduled" else None
        return batch.ended_at or batch.started_at or planned or batch.created_at


@dataclass(frozen=True, slots=True)
class StageBar:
    """One round of attempts, as bars out of 100."""

    name: str
    stage: Stage
    attempted: float
    picked_up: float
    rate: str


def stage_bars(batch: Batch) -> list[StageBar]:
    """Every round that was planned, against the largest of them."""
    widest = max((stage.total for stage in batch.stages), default=0) or 1
    return [
        StageBar(
            STAGES[stage.depth] if stage.depth < len(STAGES) else f"Attempt {stage.depth + 1}",
            stage,
            100 * min(stage.attempted, widest) / widest,
            100 * min(stage.picked_up, widest) / widest,
            percent(stage.picked_up, stage.attempted),
        )
        for stage in batch.stages
        if stage.total or stage.attempted or stage.depth == 0
    ]


@dataclass(frozen=True, slots=True)
class OutcomeBar:
    """What came of some recipients, as a bar out of 100."""

    name: str
    count: int
    share: float
    rate: str


def outcome_bars(counted: Sequence[tuple[str, int]]) -> list[OutcomeBar]:
    """Each outcome against all that have one."""
    whole = sum(count for _, count in counted)
    return [OutcomeBar(name, count, 100 * count / whole, percent(count, whole)) for name, count in counted]


def pace(minutes: Sequence[Minute], now: datetime) -> float | None:
    """Calls a minute, by the last whole minutes; None: none was whole yet."""
    this = now.replace(second=0, microsecond=0)
    if not minutes or minutes[0].at >= this:
        return None
    first = max(this - WINDOW * MINUTE, minutes[0].at)
    length = max(1, round((this - first) / MINUTE))
    return sum(minute.attempted for minute in minutes if first <= minute.at < this) / length


def time_left(batch: Batch, calls_a_minute: float | None) -> str:
    """How long the recipients that are left take at this pace, in words; further attempts not counted."""
    if batch.status != "running" or not calls_a_minute:
        return ""
    return about(batch.counts.queued / calls_a_minute)


def about(minutes: float) -> str:
    """A length of time as precise as it is known."""
    if minutes < 1.5:
        return "about a minute"
    if minutes < 90:
        return f"about {ceil(minutes)} min"
    hours = minutes / 60
    return f"about {hours:.1f} h" if hours < 48 else f"about {hours / 24:.1f} days"


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve over the time of the batch."""

    title: str
    about: str
    unit: str
    curve: Curve
    heights: Sequence[Tick]
    times: Sequence[Tick]
    lasts: str


def charts(minutes: Sequence[Minute]) -> list[Chart]:
    """Answer rate and calls a minute over time; empty where there is less than a line of them."""
    if not minutes:
        return []
    step = _step(round((minutes[-1].at - minutes[0].at) / MINUTE) + 1, MOST_POINTS)
    buckets = _buckets(minutes, step)
    whole = max(1, (len(buckets) - 1) * step)
    rates = [
        (at * step, 100 * bucket.answered / bucket.attempted)
        for at, bucket in enumerate(buckets)
        if bucket.attempted
    ]
    paces = [(at * step, bucket.attempted / step) for at, bucket in enumerate(buckets)]
    top = rounded_up(max(value for _, value in paces))
    found = (
        ("Answer rate", "answered of the calls that began then", "%", rates, 100.0),
        ("Calls a minute", "", "", paces, top),
    )
    return [
        Chart(title, said, unit, drawn, heights(0, most), _times(whole), about(whole))
        for title, said, unit, samples, most in found
        if (drawn := curve(title, unit, samples, (0.0, most), whole)) is not None
    ]


def _step(length: int, most: int) -> int:
    return next((step for step in STEPS if length / step <= most), STEPS[-1])


def _buckets(minutes: Sequence[Minute], step: int) -> list[Minute]:
    first = minutes[0].at
    counted: dict[int, list[int]] = {}
    for minute in minutes:
        place = int((minute.at - first) / MINUTE) // step
        bucket = counted.setdefault(place, [0, 0])
        bucket[0] += minute.attempted
        bucket[1] += minute.answered
    return [
        Minute(first + place * step * MINUTE, *counted.get(place, (0, 0)))
        for place in range(max(counted) + 1)
    ]


def _times(length: int) -> list[Tick]:
    step = _step(length, MOST_MARKS)
    return [Tick(round(PLOT.across(at / length), 1), _mark(at)) for at in range(0, length + 1, step)]


def _mark(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes} min" if minutes else "0"
    if minutes < 2880:
        return f"{minutes / 60:g} h"
    return f"{minutes / 1440:g} d"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a batch can cost."""

    most: Decimal
    "Everybody answers, and talks for as long as the version lets a call last."
    one_minute: Decimal
    "Everybody answers, and talks for a minute."
    currency: str
    longest: int
    "Seconds."
    attempts: int
    "Answered ones for each recipient, at most: a voicemail may be called again."
    available: Decimal | None
    "In the wallet; None: there is none."

    @property
    def is_beyond(self) -> bool:
        """The wallet may run dry."""
        return self.available is not None and self.most > self.available


def estimate(
    report: Any, longest: int, increment: Increment, retry: Any, available: Decimal | None
) -> Estimate | None:
    """By the sum of the prices of a minute; None: nothing is charged, or nobody knows."""
    a_minute = Decimal(str(report.get("most_per_minute") or 0)) if report else Decimal(0)
    if not a_minute:
        return None
    billed = increment.first + ceil(max(0, longest - increment.first) / increment.further) * increment.further
    attempts = 1 + (retry.most if "voicemail" in retry.outcomes else 0)
    first = max(60, increment.first)
    return Estimate(
        (a_minute * billed / 60 * attempts).quantize(Decimal("0.01")),
        (a_minute * first / 60).quantize(Decimal("0.01")),
        str(report.get("currency") or ""),
        longest,
        attempts,
        available,
    )
