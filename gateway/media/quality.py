"""How good a call sounded: bursts of loss (RFC 3611), and its figures over time in a few hundred numbers."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isnan, nan

from gateway.media.emodel import G711_BARE, G711_CONCEALED, mean_opinion, rating

GMIN = 16
"Packets in a row that have to arrive between two losses for them to be no burst (RFC 3611 section 4.7.2)."

MOST_POINTS = 200
"Points of a call's series at which neighbours are merged; even."

STEP_SECONDS = 5
"Seconds of the first points."


@dataclass(frozen=True, slots=True)
class Bursts:
    """Where the losses were: in bursts, or alone in the gaps between them (RFC 3611 section 4.7.2)."""

    burst_density: float
    "Part of the packets lost within bursts, 0 to 1."
    gap_density: float
    "Part of the packets lost outside them."
    burst_packets: float
    "Mean length of a burst; 0 where there was none."
    gap_packets: float
    "Mean length of the time between bursts."
    ratio: float
    "Mean run of lost packets over what chance alone would make it, at least 1 (ITU-T G.107 clause 7.5)."


class LossRuns:
    """Remembers losses as runs of sequence numbers: costs nothing while nothing is lost.

    A burst begins and ends with a lost packet and has fewer than `GMIN` received ones in a row within it. A
    packet that came too late to be heard counts as lost.
    """

    __slots__ = ("_begin", "_end", "_lost", "burst_lost", "burst_packets", "bursts", "lost", "runs")

    def __init__(self) -> None:
        self._begin = self._end = 0
        "The burst that may still go on: its first position, and the one behind its last."
        self._lost = 0
        "Losses in it."
        self.bursts = 0
        self.burst_packets = 0
        self.burst_lost = 0
        self.lost = 0
        self.runs = 0
        "Runs of consecutive losses."

    def add(self, first: int, end: int) -> None:
        """Packets from position `first` up to but not including `end` were lost; positions only grow."""
        if self._lost and first - self._end < GMIN:
            self.runs += first > self._end
        else:
            self._close()
            self._begin = first
            self.runs += 1
        self.lost += end - first
        self._lost += end - first
        self._end = end

    def summary(self, expected: int) -> Bursts:
        """What it comes to, of so many packets in all."""
        bursts, packets, lost = self._totals()
        outside = max(0, expected - packets)
        alone = self.lost - lost
        share = self.lost / expected if expected else 0.0
        mean_run = self.lost / self.runs if self.runs else 1.0
        return Bursts(
            burst_density=lost / packets if packets else 0.0,
            gap_density=min(1.0, alone / outside) if outside else 0.0,
            burst_packets=packets / bursts if bursts else 0.0,
            gap_packets=outside / (bursts + 1),
            ratio=max(1.0, mean_run * (1 - min(share, 1.0))),
        )

    def _close(self) -> None:
        self.bursts, self.burst_packets, self.burst_lost = self._totals()
        self._lost = 0

    def _totals(self) -> tuple[int, int, int]:
        """Bursts, the packets in them and those lost of them, with the one that may still go on."""
        if self._lost < 2:
            return self.bursts, self.burst_packets, self.burst_lost
        length = self._end - self._begin
        return self.bursts + 1, self.burst_packets + length, self.burst_lost + self._lost


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been counted by one moment; two of them make a `Point`."""

    expected: int = 0
    "Packets that were sent to us, by their sequence numbers."
    unheard: int = 0
    "Of those, lost or too late."
    concealed_ms: int = 0
    underruns: int = 0
    spoilt_ms: int = 0
    "Audio that came and was cut, or had silence in its place."
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the way out, by the peer's newest report, and of the network between."""

    loss_percent: float | None = None
    "Of our packets, in the peer's last interval."
    jitter_ms: float | None = None
    round_trip_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A few seconds of a call; None where nothing is known."""

    loss_in: float | None
    "Percent lost, too late, or spoilt."
    jitter_in: float | None
    "Milliseconds, as are all times."
    mos_in: float | None
    concealed: float | None
    underruns: float | None
    loss_out: float | None
    jitter_out: float | None
    mos_out: float | None
    round_trip: float | None


COLUMNS = tuple(field.name for field in fields(Point))


def point(before: Counts, now: Counts, jitter_ms: float, report: Report, buffer_ms: float) -> Point:
    """The time between two counts. `buffer_ms`: how long audio from the peer takes within us."""
    loss = unheard_percent(before, now)
    return Point(
        loss_in=loss,
        jitter_in=jitter_ms,
        mos_in=None if loss is None else heard_mos(loss, report.round_trip_ms, buffer_ms),
        concealed=now.concealed_ms - before.concealed_ms,
        underruns=now.underruns - before.underruns,
        loss_out=report.loss_percent,
        jitter_out=report.jitter_ms,
        mos_out=said_mos(report),
        round_trip=report.round_trip_ms,
    )


def unheard_percent(before: Counts, now: Counts) -> float | None:
    """Of what was said between two counts, what was not heard as it was said; None where nothing was.

    Lost packets and late ones are known by their sequence numbers, what was cut or silent by its time.
    """
    expected = now.expected - before.expected
    if expected <= 0:
        return None
    lost = max(0, now.unheard - before.unheard) / expected
    spoilt = (now.spoilt_ms - before.spoilt_ms) / max(1, now.elapsed_ms - before.elapsed_ms)
    return 100 * min(1.0, lost + max(0.0, spoilt))


def heard_mos(
    loss_percent: float, round_trip_ms: float | None, buffer_ms: float, burst_ratio: float = 1.0
) -> float:
    """What the agent hears: our losses are concealed. An unknown network delay counts as none."""
    delay = (round_trip_ms or 0.0) / 2 + buffer_ms
    return mean_opinion(
        rating(one_way_ms=delay, loss_percent=loss_percent, burst_ratio=burst_ratio, codec=G711_CONCEALED)
    )


def said_mos(report: Report) -> float | None:
    """What the peer hears, which buffers about twice its jitter; None while it reports nothing.

    How it treats losses is not known: the worst, that it does not conceal them, is assumed.
    """
    if report.loss_percent is None:
        return None
    delay = (report.round_trip_ms or 0.0) / 2 + 20 + 2 * (report.jitter_ms or 0.0)
    return mean_opinion(rating(one_way_ms=delay, loss_percent=report.loss_percent, codec=G711_BARE))


class Series:
    """The points of a call, `STEP_SECONDS` apart and, whenever they grow too many, twice as far.

    They are kept as packed numbers, 36 bytes a point: a gateway has many calls, and most of them are long.
    """

    def __init__(self) -> None:
        self.step_seconds = STEP_SECONDS
        self._packed = array("f")
        self._fresh: list[Point] = []
        "Points of `STEP_SECONDS` that do not make a whole step yet."

    def add(self, new: Point) -> None:
        """The next `STEP_SECONDS`."""
        self._fresh.append(new)
        if len(self._fresh) * STEP_SECONDS < self.step_seconds:
            return
        self._packed.extend(_numbers(merged(self._fresh)))
        self._fresh = []
        if len(self._packed) == MOST_POINTS * len(COLUMNS):
            self._halve()

    def as_dict(self) -> Mapping[str, object]:
        """For the record: a list for each point, its numbers in the order of `columns`."""
        points = [*self._points(), *([merged(self._fresh)] if self._fresh else [])]
        return {
            "step_seconds": self.step_seconds,
            "columns": list(COLUMNS),
            "points": [[_short(getattr(one, name)) for name in COLUMNS] for one in points],
        }

    def _points(self) -> list[Point]:
        width, packed = len(COLUMNS), self._packed
        rows = (packed[start : start + width] for start in range(0, len(packed), width))
        return [Point(*(None if isnan(value) else value for value in row)) for row in rows]

    def _halve(self) -> None:
        points, self._packed = self._points(), array("f")
        for start in range(0, MOST_POINTS, 2):
            self._packed.extend(_numbers(merged(points[start : start + 2])))
        self.step_seconds *= 2


def _numbers(one: Point) -> list[float]:
    """Its figures in the order of `COLUMNS`; what is not known is no number."""
    values = (getattr(one, name) for name in COLUMNS)
    return [nan if value is None else value for value in values]


_SUMMED = {"concealed", "underruns"}


def merged(points: Sequence[Point]) -> Point:
    """One point for the time of several: the mean of each figure where it is known, the sum of counts."""
    return Point(**{name: _merged(name, [getattr(one, name) for one in points]) for name in COLUMNS})


def _merged(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) if name in _SUMMED else sum(known) / len(known)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
