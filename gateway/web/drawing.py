"""Drawings of a call: its ladder, its timeline, how it sounded. Coordinates only; the templates draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.calls import CallRow

LADDER_STEP, LADDER_TOP = 34, 46


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
        ("first audio in", call.first_audio_in_at),
        ("first audio out", call.first_audio_out_at),
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
class Curve:
    """One series of a chart, as the points of a polyline in a box of 600 by 120."""

    name: str
    unit: str
    points: str
    least: float
    most: float
    last: float


WIDTH, HEIGHT, EDGE = 600, 120, 8


def curve(
    name: str, unit: str, samples: Sequence[tuple[float, float]], top: float, span: tuple[float, float]
) -> Curve | None:
    """A curve of samples (seconds, value) in a box from 0 to `top`, and over the seconds of `span`."""
    if len(samples) < 2:
        return None
    values = [value for _, value in samples]
    start, end = span
    width, height = max(end - start, 0.001), max(top, 0.001)
    points = " ".join(
        f"{EDGE + (WIDTH - 2 * EDGE) * (at - start) / width:.1f},"
        f"{HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / height:.1f}"
        for at, value in samples
    )
    return Curve(name, unit, points, min(values), max(values), values[-1])
