"""Whether this process has more to do than it has time for, told by how late its beats are.

A gateway that takes one call too many makes all of its calls sound bad; one that refuses it does not. What
counts is lateness that lasts: one hiccup, however long, makes a few beats late and is no reason to refuse.
"""

from collections.abc import Callable

from gateway.tell import Tell

__all__ = ["Overload"]

MEMORY = 0.5
"Seconds over which the level follows the lateness."
MOST = 4.0
"How many times the limit one beat counts for at most: a standstill is not more work than we can do."
STEP = 0.1
"Seconds that one look counts for at most, for the same reason."
LEAST_STEP = 0.01
"Seconds between two looks at least: beats that are made up for at once are one."
CALM = 0.5
"Part of the limit below which it is over."
TOLD_EVERY = 1.0
"Seconds between two reports while calls are refused."


class Overload:
    """A level that follows the beats' lateness, and a switch on it: `look` at each beat, `refuse` a call."""

    def __init__(self, limit: float, tell: Tell, running: Callable[[], int], least: int) -> None:
        """`limit`: seconds of lateness, averaged, from which on new calls are refused.

        Not while fewer than `least` are `running`: what makes so few late is not the next one.
        """
        self._limit = limit
        self._running = running
        self._least = least
        self._tell = tell
        self._looked_at: float | None = None
        self._since = 0.0
        self._told_at = 0.0
        self._untold = 0
        self.level = 0.0
        "Seconds by which beats are late of late."
        self.shedding = False
        "New calls are refused."
        self.shed = 0
        "Calls that were refused, since the start."

    def look(self, now: float, late: float) -> None:
        """A beat is so many seconds late."""
        step = STEP if self._looked_at is None else now - self._looked_at
        if step < LEAST_STEP:
            return
        self._looked_at = now
        self.level += (min(late, MOST * self._limit) - self.level) * min(step, STEP) / MEMORY
        if not self.shedding and self.level > self._limit:
            if self._running() >= self._least:
                self._begin(now)
        elif self.shedding and (self.level < CALM * self._limit or self._running() < self._least):
            self._end(now)
        elif self._untold and now - self._told_at >= TOLD_EVERY:
            self._report(now)

    def refuse(self) -> bool:
        """Whether a new call is to be refused now; it is counted if so."""
        if self.shedding:
            self.shed += 1
            self._untold += 1
        return self.shedding

    def _begin(self, now: float) -> None:
        self.shedding, self._since, self._told_at = True, now, now
        self._tell("gateway.overloaded", level="warning", late_ms=self._late_ms)

    def _report(self, now: float) -> None:
        refused, self._untold, self._told_at = self._untold, 0, now
        self._tell("gateway.shedding", level="warning", refused=refused, late_ms=self._late_ms)

    def _end(self, now: float) -> None:
        if self._untold:
            self._report(now)
        self.shedding = False
        self._tell("gateway.calm", seconds=round(now - self._since, 1), late_ms=self._late_ms)

    @property
    def _late_ms(self) -> float:
        return round(self.level * 1000, 1)
