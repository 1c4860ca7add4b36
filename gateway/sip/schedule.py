"""The one timer of a user agent: a heap of deadlines, with lazy deletion."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
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

    A deadline that moves later costs nothing: its entry is found out when it reaches the top of the heap.
    One that moves earlier adds an entry, one that goes away leaves its own behind. Such stale entries are
    swept out when they are the larger half, so that nothing is kept long after its end.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._order = count()
        self._stale = 0

    def __len__(self) -> int:
        """Entries in the heap, stale ones included."""
        return len(self._heap)

    def arm(self, timed: Timed) -> None:
        """Take notice of a deadline that is new, or has moved or gone."""
        deadline, scheduled = timed.deadline, timed.scheduled
        if deadline is None:
            if scheduled is not None:
                timed.scheduled = None
                self._leave_stale()
        elif scheduled is None or deadline < scheduled:
            timed.scheduled = deadline
            heappush(self._heap, (deadline, next(self._order), timed))
            if scheduled is not None:
                self._leave_stale()

    def next(self) -> float | None:
        """The earliest deadline."""
        heap = self._heap
        while heap:
            when, _, timed = heap[0]
            if when != timed.scheduled:
                heappop(heap)
                self._stale = max(0, self._stale - 1)
            elif when == timed.deadline:
                return when
            else:
                self._take(timed)
                self.arm(timed)
        return None

    def expire(self, now: float) -> None:
        """Wake everything that is due by `now`, earliest first."""
        while (when := self.next()) is not None and when <= now:
            timed = self._heap[0][2]
            self._take(timed)
            timed.expire(now)
            self.arm(timed)

    def _take(self, timed: Timed) -> None:
        heappop(self._heap)
        timed.scheduled = None

    def _leave_stale(self) -> None:
        self._stale += 1
        if self._stale > 64 and 2 * self._stale > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[0] == entry[2].scheduled]
            heapify(self._heap)
            self._stale = 0
