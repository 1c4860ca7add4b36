"""Calls at a steady rate for as long as it is wanted, and what the gateway's memory does meanwhile."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.load import open_phone
from scripts.benchmark.setup import Callers
from scripts.benchmark.sip import Dialler
from scripts.benchmark.under_test import CALLED, Process, gateway, settle

ROWS = 20
"Lines of the table, however long it takes."
WARM_UP_SECONDS = 90.0
"What comes before is not in the slope: caches fill, and an ended call's events are kept for a minute."


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """How things stand at one moment of a soak."""

    minute: float
    calls: int
    "Placed so far."
    failed: int
    "Refused so far, or not answered."
    memory_mb: float
    "Resident memory of the process."
    slope_kb_a_minute: float | None
    "Of the memory since the warm-up, by least squares; None as long as that lasts."


def measure_soak(
    dialect: str,
    minutes: float,
    rate: int,
    hold: float,
    agent_port: int,
    core: int | None,
    tell: Callable[[str], None],
) -> list[SoakFigures]:
    """Set up calls for so many minutes, and look at the memory from time to time."""
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
        settle(process)
        callers = Callers(Dialler(process.port, CALLED[dialect]), open_phone().getsockname()[1], hold)
        callers.warm_up()
        soak = _Soak(process, callers, rate, tell)
        for row in range(1, ROWS + 1):
            soak.until(minutes * 60 * row / ROWS)
        callers.finish()
        return soak.rows


class _Soak:
    """A soak under way."""

    def __init__(self, process: Process, callers: Callers, rate: int, tell: Callable[[str], None]) -> None:
        self.rows: list[SoakFigures] = []
        self._process = process
        self._callers = callers
        self._rate = rate
        self._tell = tell
        self._began = time.monotonic()
        self._calls = 0
        self._sampled: list[tuple[float, float]] = []

    def until(self, seconds: float) -> None:
        """Go on to this moment, and note how things stand."""
        while (passed := time.monotonic() - self._began) < seconds:
            if self._calls < passed * self._rate:
                self._callers.call(1000 + self._calls)
                self._calls += 1
            self._callers.listen(max(0.0, self._calls / self._rate - passed))
            if passed - (self._sampled[-1][0] if self._sampled else 0.0) >= 1.0:
                self._sampled.append((passed, self._process.memory_kb()))
        self.rows.append(self._row(seconds))
        self._tell(f"soak, minute {self.rows[-1].minute:g}: {self.rows[-1].memory_mb:g} MB")

    def _row(self, seconds: float) -> SoakFigures:
        warm = [(at, memory) for at, memory in self._sampled if at >= WARM_UP_SECONDS]
        return SoakFigures(
            minute=round(seconds / 60, 2),
            calls=self._calls,
            failed=self._callers.failed,
            memory_mb=round(self._process.memory_kb() / 1024, 1),
            slope_kb_a_minute=slope(warm),
        )


def slope(samples: Sequence[tuple[float, float]]) -> float | None:
    """How much a minute; None of too few samples."""
    if len(samples) < 10:
        return None
    seconds, memory = zip(*samples, strict=True)
    return round(60 * statistics.linear_regression(seconds, memory).slope, 1)
