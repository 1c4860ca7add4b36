"""What connections may cost us between two beats of the media clock, so that one that floods hurts no other.

A connection that keeps within its allowance is never looked at here. What one sends beyond that waits: it is
not read any more, which its sender feels (TCP's flow control), and what was read already is worked off in
turn with that of all others that flood, for a small part of the time in all. Nothing is lost and nothing
changes its order: an agent that sends a minute of speech at once is a fraction of a second slower.

Whoever goes on is told, and then cut off. What counts is the time that we spent on it, whatever it sent.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.net.clock import Timer

__all__ = ["ALLOWANCE", "MESSAGE", "PERIOD", "REQUEST", "Account", "Throttle", "Throttled", "Timers"]

PERIOD = 0.1
"Seconds after which an allowance is whole again."
ALLOWANCE = 16_384
"Bytes of work in a period that cost no turn: several times what the richest audio in real time comes to."
MESSAGE = 256
"Bytes that the work on a message is worth beside its own: 64 empty ones are an allowance."
REQUEST = 1024
"The same for all that is not audio, much of which is answered."

SHARE = 0.1
"Part of the time that is spent on all that waits, of all connections together."
MOST = 0.001
"Seconds of work that are done at once, when there was nothing to do before."
NAP = 0.005
"Seconds at least between two rounds once that is spent."
UNSEEN = 5e-7
"Seconds of work on a message that are not measured: to read it and to have it wait."
FORGIVEN = 0.05
"Seconds of work that are forgotten for each second in which a connection did not have to wait."
TOLD_AT = 0.25
"Part of the limit at which a connection is told."


class Timers(Protocol):
    """What is needed of an event loop; in tests, time is a number."""

    def time(self) -> float:
        """Seconds."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call once, at or after `when`."""

    def call_soon(self, callback: Callable[[], None]) -> object:
        """Call in the loop's next round."""


class Account:
    """What one connection has cost beyond its allowance."""

    __slots__ = ("spent", "told", "waited_until")

    def __init__(self) -> None:
        self.spent = 0.0
        "Seconds of our time; some of it is forgotten while the connection behaves."
        self.told = False
        self.waited_until: float | None = None
        "When the last of what waited was done; None: something waits."


class Throttled(Protocol):
    """A connection that has sent more than its allowance."""

    account: Account | None

    def work(self) -> bool:
        """Do what the oldest message that waits asks for; False when none waits and it is read again."""

    def warn(self) -> None:
        """Say that it will be cut off if it goes on; called once."""

    def cut_off(self) -> None:
        """End it: it has flooded us."""


class Throttle:
    """Works off what waits, a message of each connection in turn, as the time for all of them allows."""

    def __init__(
        self, limit: float = 1.0, loop: Timers | None = None, spent: Callable[[], float] = time.thread_time
    ) -> None:
        """`limit`: seconds of our time after which a connection is cut off. `spent`: a clock of our own time,
        which stands still while the process does."""
        self._limit = limit
        self._loop = loop
        self._spent = spent
        self._turns: deque[Throttled] = deque()
        self._budget = MOST
        self._as_of = 0.0
        self._armed = False
        self.held = 0
        "How often a connection had to wait, since the start."
        self.cut_off = 0
        "Connections that were cut off."

    def hold(self, one: Throttled, loop: Timers) -> None:
        """A connection has to wait its turn from now on; it is not here already."""
        self._loop = self._loop or loop
        account = one.account
        if account is None:
            account = one.account = Account()
        if account.waited_until is not None:
            calm = loop.time() - account.waited_until
            account.spent = max(0.0, account.spent - calm * FORGIVEN)
            account.waited_until = None
        self.held += 1
        self._turns.append(one)
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._run)

    def let_go(self, one: Throttled) -> None:
        """It is over, and waits no more; if it did not, nothing happens."""
        if one in self._turns:
            self._turns.remove(one)

    def charge(self, seconds: float) -> None:
        """Something was done for one that waits, outside of its turn."""
        self._budget -= seconds

    def _run(self) -> None:
        loop, turns = self._loop, self._turns
        assert loop is not None
        self._armed = False
        self._refill(loop.time())
        before = self._spent()
        while turns and self._budget > 0:
            one = turns.popleft()
            more = one.work()
            now = self._spent()
            took = now - before + UNSEEN
            before = now
            self._budget -= took
            self._reckon(one, took, more)
        if turns:
            self._armed = True
            loop.call_at(loop.time() + max(NAP, -self._budget / SHARE), self._run)

    def _refill(self, now: float) -> None:
        self._budget = min(MOST, self._budget + (now - self._as_of) * SHARE)
        self._as_of = now

    def _reckon(self, one: Throttled, took: float, more: bool) -> None:
        """Whose time it was, and what follows."""
        account = one.account
        assert account is not None
        account.spent += took
        if account.spent > self._limit:
            self.cut_off += 1
            one.cut_off()
            return
        if account.spent > self._limit * TOLD_AT and not account.told:
            account.told = True
            one.warn()
        if more:
            self._turns.append(one)
        elif self._loop is not None:
            account.waited_until = self._loop.time()
