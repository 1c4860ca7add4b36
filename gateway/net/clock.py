"""The one clock that paces all media.

A timer, task or await per call costs more than the packet that it sends, so all calls share one timer. It
fires every `GRID` seconds; a call with a packet time of 20 ms runs at every fourth beat, on the phase that
had the fewest calls when it joined, so that a hundred calls do not send in one burst.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol

GRID = 0.005
"Seconds between two beats."

RESOLUTION = 0.001
"""What uvloop tells time in, and fires timers by, in seconds.

A beat that is due in less than half of it is struck: to wait for the rest of it would be to ask the loop for
a timer of no time at all, over and over, until the next millisecond.
"""

OVERDUE = 0.015
"Seconds that a beat may be late before what waits in sockets is looked at for when it came."

MAX_CATCH_UP = 40
"Beats that are made up for after a stall; what lies further back is skipped."

BEATS_A_SECOND = round(1 / GRID)

_MEMORY = 0.5
"Seconds over which `MediaClock.lateness` forgets, to a third."
_SHARE = GRID / _MEMORY

Tick = Callable[[float], None]
"Called with the loop's time, in seconds."


class Timer(Protocol):
    """What an event loop returns for a timer."""

    def cancel(self) -> None:
        """Do not fire."""


class Timers(Protocol):
    """What the clock needs of an event loop; in tests, time is a number."""

    def time(self) -> float:
        """Seconds."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Fire once, at or after `when`."""


class Beat:
    """A place on the clock: which beats a tick runs on. Returned by `MediaClock.join`."""

    __slots__ = ("period", "phase", "tick")

    def __init__(self, tick: Tick, period: int, phase: int) -> None:
        self.tick = tick
        self.period = period
        self.phase = phase


class MediaClock:
    """Runs every call's tick at its packet time, and its sweep once a second."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        """`on_error` hears of a tick that raised: a bug of ours, which must not stop the other calls."""
        self._wheels: dict[int, list[list[Tick]]] = {}
        self._on_error = on_error
        self._timer: Timer | None = None
        self._loop: Timers | None = None
        self.due = inf
        "When the next beat is; `inf` while the clock stands."
        self.on_late: Callable[[float], None] = _nothing_waits
        "Called with the time before beats that are overdue: what came meanwhile came before them."
        self.beat = 0
        "Beats since the start, those that a stall cost us too: time, in steps of `GRID`."
        self.skipped_beats = 0
        "Beats that a stalled loop cost us, since the start."
        self.behind = 0.0
        "Seconds by which the beat that is struck now, or was last, is late: our doing, not the network's."
        self.lateness = 0.0
        """The same of late, averaged over time: a busy loop keeps it up, one hiccup is soon forgotten.

        Half a second of standstill makes it about 0.16, which is below 0.01 again after 1.4 s.
        """

    def start(self, loop: Timers | None = None) -> None:
        """Begin to beat, on the running loop unless another is given."""
        self._loop = loop or asyncio.get_running_loop()
        self.due = self._loop.time() + GRID
        self._timer = self._loop.call_at(self.due, self._run)

    def stop(self) -> None:
        """Stop beating; calls that are still joined get no more ticks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.due = inf

    def join(self, tick: Tick, milliseconds: int) -> Beat:
        """Run `tick` every `milliseconds` (rounded to the grid) until `leave`."""
        period = max(1, round(milliseconds / 1000 / GRID))
        wheel = self._wheels.get(period)
        if wheel is None:
            wheel = self._wheels[period] = [[] for _ in range(period)]
        # Without a function of our own for each phase: a second has 200 of them, and every call joins.
        sizes = list(map(len, wheel))
        phase = sizes.index(min(sizes))
        wheel[phase].append(tick)
        return Beat(tick, period, phase)

    def leave(self, beat: Beat) -> None:
        """Stop running a tick; leaving twice does nothing."""
        slot = self._wheels[beat.period][beat.phase]
        # A new list: the old one may be under iteration at this moment.
        self._wheels[beat.period][beat.phase] = [tick for tick in slot if tick is not beat.tick]

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        if now - self.due > OVERDUE:
            self._tell_late(now)
        behind = int((now - self.due) / GRID)
        if behind > MAX_CATCH_UP:
            self._skip(behind)
        while self.due <= now + RESOLUTION / 2:
            self.behind = max(0.0, now - self.due)
            self.lateness += (self.behind - self.lateness) * _SHARE
            self._strike(now)
            self.beat += 1
            self.due += GRID
        self._timer = loop.call_at(self.due, self._run)

    def _tell_late(self, now: float) -> None:
        try:
            self.on_late(now)
        except Exception as error:
            self._on_error(error)

    def _skip(self, beats: int) -> None:
        """Strike none of so many; on average they were late by half of the time that they stand for."""
        self.lateness += (beats * GRID / 2 - self.lateness) * (1 - (1 - _SHARE) ** beats)
        self.skipped_beats += beats
        self.beat += beats
        self.due += beats * GRID

    def _strike(self, now: float) -> None:
        for period, wheel in self._wheels.items():
            for tick in wheel[self.beat % period]:
                try:
                    tick(now)
                except Exception as error:
                    self._on_error(error)


def _nothing_waits(now: float) -> None:
    """There are no sockets to look at."""
