"""How fast new calls may come, from all and from each: what a flood of INVITEs is held to.

Whoever sends few is let in beside whoever sends many: a flood from one carrier is no other's loss.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["Newcomers"]

LIGHT = 20
"A source that sends no more than this part of the pace is light, and has its own way in."
RESERVE = 4
"The part of the pace that is kept for light sources, on top of it."
MOST_SOURCES = 4096
"Sources that are remembered; of more, those that have been quiet are forgotten."


class Pace:
    """So many a second, evenly, with a second's worth at once (the generic cell rate algorithm)."""

    __slots__ = ("_due", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is in time; it is counted if so."""
        due = max(self._due, now - 1.0)
        if due > now:
            return False
        self._due = due + 1 / self._rate
        return True

    def idle(self, now: float) -> bool:
        """Whether it is as if nobody had ever come."""
        return self._due <= now - 1.0


class Newcomers:
    """The pace of new calls, and those of each source that are answered and not acknowledged."""

    def __init__(self, calls_per_second: float, unacknowledged: int) -> None:
        self._pace = Pace(calls_per_second)
        self._reserve = Pace(max(1.0, calls_per_second / RESERVE))
        self._light_rate = max(1.0, calls_per_second / LIGHT)
        self._light: dict[str, Pace] = {}
        self._most = unacknowledged
        self._waiting: Counter[str] = Counter()

    def in_pace(self, source: str, now: float) -> bool:
        """Whether a new call of this source is within the pace, or its source is light and has a reserve."""
        light = self._light_pace(source, now).take(now)
        return self._pace.take(now) or (light and self._reserve.take(now))

    def too_many(self, source: str) -> bool:
        """Whether so many calls of this source wait for its ACK that their INVITEs may be forged."""
        return self._waiting[source] >= self._most

    @contextmanager
    def unacknowledged(self, source: str) -> Iterator[Callable[[], None]]:
        """A call of this source waits for its ACK until what this gives is called, or the context is left."""
        self.answered(source)
        with ExitStack() as waiting:
            waiting.callback(self.settled, source)
            yield waiting.close

    def answered(self, source: str) -> None:
        """A call of this source waits for its ACK from now on."""
        self._waiting[source] += 1

    def settled(self, source: str) -> None:
        """Its ACK came, or it is over."""
        self._waiting[source] -= 1
        if self._waiting[source] <= 0:
            del self._waiting[source]

    def _light_pace(self, source: str, now: float) -> Pace:
        pace = self._light.get(source)
        if pace is None:
            if len(self._light) >= MOST_SOURCES:
                self._light = {name: one for name, one in self._light.items() if not one.idle(now)}
            if len(self._light) >= MOST_SOURCES:
                self._light.clear()
            pace = self._light[source] = Pace(self._light_rate)
        return pace
