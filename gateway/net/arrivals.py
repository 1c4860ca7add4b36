"""The sockets of all calls behind one descriptor, and what happens to their packets while we are late."""

import asyncio
import select
import socket
import time
from collections.abc import Callable

from gateway.net.clock import OVERDUE, MediaClock

Readable = Callable[[float], object]
"Called with the loop's time when a datagram waits."

Waiting = Callable[[float, float], None]
"Called with the loop's time, and the moment by the kernel's clock at which that was 0."

STOOD_STILL = 0.1
"Seconds of lateness from which on every call is told, also one of which nothing waits."


class Arrivals:
    """The sockets of all calls behind one descriptor: the loop is asked once for many packets.

    While the loop keeps up, a datagram comes when it is looked at. When the clock's beats are overdue, it is
    us who are late, not the network: then all that waits is taken at once, and the kernel says when it came.
    """

    def __init__(self, clock: MediaClock | None = None) -> None:
        """`clock` says whether the loop keeps up; without one it does."""
        self._readable: list[Readable | None] = []
        "By the number of the socket: a list is looked at in one place, a dictionary in three."
        self._waiting: dict[int, Waiting] = {}
        self._watched = 0
        self._poll: select.epoll | None = None
        self._clock = clock or MediaClock(_raise)
        self._clock.on_late = self.catch_up

    def watch(self, one: socket.socket, readable: Readable, waiting: Waiting | None = None) -> None:
        """Call `readable` whenever a datagram waits; `waiting` takes all when it is us who are late."""
        if self._poll is None:
            self._poll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._poll.fileno(), self._arrived)
        number = one.fileno()
        self._readable.extend([None] * (number + 1 - len(self._readable)))
        self.change(one, readable, waiting)
        self._watched += 1
        self._poll.register(number, select.EPOLLIN)

    def change(self, one: socket.socket, readable: Readable, waiting: Waiting | None = None) -> None:
        """Call others instead."""
        self._readable[one.fileno()] = readable
        self._waiting.pop(one.fileno(), None)
        if waiting is not None:
            self._waiting[one.fileno()] = waiting

    def forget(self, one: socket.socket) -> None:
        """Call nobody any more; before the socket is closed."""
        assert self._poll is not None, "nothing was watched"
        self._poll.unregister(one)
        self._readable[one.fileno()] = None
        self._waiting.pop(one.fileno(), None)
        self._watched -= 1
        if not self._watched:
            self._loop.remove_reader(self._poll.fileno())
            self._poll.close()
            self._poll = None

    def _arrived(self) -> None:
        """HOT: one datagram for each socket that has some; the loop calls again while there is more."""
        assert self._poll is not None
        readable, now = self._readable, self._loop.time()
        if now - self._clock.due > OVERDUE:
            self.catch_up(now)
            return
        for number, _ in self._poll.poll(0):
            read = readable[number]
            if read is not None:  # else the one before it has ended that call
                read(now)

    def catch_up(self, now: float) -> None:
        """Take all that waits, as of when it came: the clock is late, and so are we."""
        if self._poll is None:
            return
        if now - self._clock.due > STOOD_STILL:
            for number in list(self._waiting):
                self._take_waiting(number, now)
        # Once: to look again for what has come meanwhile, a packet at a time, would keep us late.
        for number, _ in self._poll.poll(0):
            read = self._readable[number]
            if number in self._waiting:
                self._take_waiting(number, now)
            elif read is not None:
                read(now)

    def _take_waiting(self, number: int, now: float) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting(now, time.time() - time.monotonic())


def _raise(error: Exception) -> None:
    raise error
