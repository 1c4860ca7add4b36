"""The one timer of a user agent: a heap of deadlines, with lazy deletion."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Protocol


class Timed(Protocol):
    """Something that wants to be woken: its deadlines are plain fields of its own."""

    scheduled: float | None
    "The heap entry that stands for it; the Schedule's alone to write. Starts as `None`."

    @property
    def deadline(self) -> float | None:
        """The earliest time at which it has something to do."""
        ...

    def expire(self, now: float) -> None:
        """Do what is due by `now`, and move the deadline."""
        ...


class Schedule:
    """When the next deadline of many is due, in O(log n).

    A deadline that moves later or goes away costs nothing: its entry is found out when it reaches the
    top of the heap. Only one that moves earlier adds an entry.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._order = count()

    def __len__(self) -> int:
        """Entries in the heap, stale ones included."""
        return len(self._heap)

    def arm(self, timed: Timed) -> None:
        """Take notice of a deadline that is new or may have moved."""
        deadline = timed.deadline
        if deadline is not None and (timed.scheduled is None or deadline < timed.scheduled):
            timed.scheduled = deadline
            heappush(self._heap, (deadline, next(self._order), timed))

    def next(self) -> float | None:
        """The earliest deadline."""
        heap = self._heap
        while heap:
            when, _, timed = heap[0]
            if when == timed.scheduled:
                if when == timed.deadline:
                    return when
                timed.scheduled = None
                heappop(heap)
                self.arm(timed)
            else:
                heappop(heap)
        return None

    def expire(self, now: float) -> None:
        """Wake everything that is due by `now`, earliest first."""
        while (when := self.next()) is not None and when <= now:
            timed = heappop(self._heap)[2]
            timed.scheduled = None
            timed.expire(now)
            self.arm(timed)
