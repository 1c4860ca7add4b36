"""Drawings of a call: its ladder, its timeline, how it sounded. Coordinates only; the templates draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10
from typing import Any

from gateway.store.records.calls import CallRow

LADDER_STEP, LADDER_TOP = 34, 46


def party(call: CallRow) -> str:
    """What the side is called that the agent talks to: it has called, or it was called."""
    return "callee" if call.direction == "outbound" else "caller"


@dataclass(frozen=True, slots=True)
class Rung:
    """One SIP message, drawn as an arrow."""

    y: int
    is_sent: bool
    line: str
    at: str
    after: str
    "Since the first one."
    tone: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of a call's timeline."""

    name: str
    at: datetime
    after: float
    "Seconds since the call began."
    share: float
    "Where it is between the call's beginning (0) and its end (100)."


def rungs(ladder: Sequence[Mapping[str, Any]]) -> list[Rung]:
    """The ladder's arrows from top to bottom."""
    if not ladder:
        return []
    first = datetime.fromisoformat(str(ladder[0]["at"]))
    drawn = []
    for number, step in enumerate(ladder):
        at = datetime.fromisoformat(str(step["at"]))
        drawn.append(
            Rung(
                y=LADDER_TOP + number * LADDER_STEP,
                is_sent=bool(step["sent"]),
                line=str(step["line"])[:60],
                at=f"{at:%H:%M:%S}.{at.microsecond // 1000:03}",
                after=f"+{(at - first).total_seconds() * 1000:.0f} ms",
                tone=_tone(str(step["line"])),
            )
        )
    return drawn


def _tone(line: str) -> str:
    """What an arrow's colour says: requests, provisional, good and bad answers."""
    first = line[:1]
    if not first.isdigit():
        return "request"
    return {"1": "provisional", "2": "fine"}.get(first, "refused")


def moments(call: CallRow) -> list[Moment]:
    """The call's timeline, in order."""
    named = (
        ("created", call.created_at),
        ("ringing", call.ringing_at),
        ("answered", call.answered_at),
        (f"{party(call)} first heard", call.first_audio_in_at),
        ("agent first heard", call.first_audio_out_at),
        ("ended", call.ended_at),
    )
    there = sorted(((name, at) for name, at in named if at is not None), key=lambda pair: pair[1])
    start, end = there[0][1], there[-1][1]
    whole = max((end - start).total_seconds(), 0.001)
    return [
        Moment(name, at, (at - start).total_seconds(), 100 * (at - start).total_seconds() / whole)
        for name, at in there
    ]


@dataclass(frozen=True, slots=True)
class Plot:
    """Where a chart's curves are drawn, within its box of 360 by 162: around it stand the axes."""

    left: int = 44
    right: int = 344
    top: int = 10
    bottom: int = 122

    def across(self, share: float) -> float:
        """The x of a share of the way along."""
        return self.left + (self.right - self.left) * share

    def up(self, share: float) -> float:
        """The y of a share of the way up."""
        return self.bottom - (self.bottom - self.top) * share


PLOT = Plot()
TIME_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"Seconds between two marks of the axis of time."
MOST_TIMES = 5
"Marks that its words leave room for, beside that of the beginning."


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    "Its coordinate across the axis' own direction."
    label: str


def heights(low: float, top: float) -> tuple[Tick, ...]:
    """The marks of a chart's values: bottom, middle, top."""
    return tuple(Tick(PLOT.up(share), f"{low + (top - low) * share:g}") for share in (0, 0.5, 1))


def times(seconds: float) -> tuple[Tick, ...]:
    """The marks of the axis of time, in round numbers."""
    step = next((one for one in TIME_STEPS if seconds / one <= MOST_TIMES), TIME_STEPS[-1])
    marks = range(0, int(seconds) + 1, step)
    return tuple(
        Tick(round(PLOT.across(at / max(seconds, 0.001)), 1), f"{at // 60}:{at % 60:02}") for at in marks
    )


def rounded_up(value: float) -> float:
    """The next round number: the top of an axis, whose middle is round too."""
    size = 10.0 ** floor(log10(value)) if value > 0 else 1.0
    return next(step * size for step in (1, 2, 4, 5, 6, 8, 10) if step * size >= value - 1e-9)


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of a chart, as the points of a polyline."""

    name: str
    unit: str
    points: str
    least: float
    most: float
    last: float


def curve(
    name: str, unit: str, samples: Sequence[tuple[float, float]], scale: tuple[float, float], seconds: float
) -> Curve | None:
    """A curve of samples (seconds, value) between the values of `scale`, over so many seconds."""
    if len(samples) < 2:
        return None
    values = [value for _, value in samples]
    low, top = scale
    height, width = max(top - low, 0.001), max(seconds, 0.001)
    points = " ".join(
        f"{PLOT.across(at / width):.1f},{PLOT.up(max(0.0, value - low) / height):.1f}"
        for at, value in samples
    )
    return Curve(name, unit, points, min(values), max(values), values[-1])
