"""Pairs of ports for RTP and RTCP, one a call, from a bounded range (RFC 3550 section 11)."""

import errno
import secrets
import socket
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.net.arrivals import Arrivals
from gateway.net.clock import MediaClock
from gateway.net.rtp import SO_TIMESTAMPNS, RtpPort


class NoPortFree(Exception):
    """Every pair of the range is in use, in quarantine or taken by another program."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """Even RTP ports `first`..`last`, each with its RTCP port above it (RFC 3550 section 11)."""

    first: int
    last: int

    @property
    def pairs(self) -> int:
        """How many calls the range can carry at once."""
        return max(0, (self.last + 1 - self._even) // 2)

    def pair(self, index: int) -> int:
        """The RTP port of pair `index`, counted from 0 and wrapping around."""
        return self._even + 2 * (index % self.pairs)

    @property
    def _even(self) -> int:
        return self.first + self.first % 2


class RtpPorts:
    """Hands out pairs of ports; a freed pair rests in quarantine so that a late packet meets no new call.

    Which pair comes next nobody can tell: who knows the last call's ports knows nothing of the next one's.
    """

    def __init__(
        self,
        ports: PortRange,
        quarantine_seconds: float,
        below: Callable[[int], int] = secrets.randbelow,
        clock: MediaClock | None = None,
    ) -> None:
        """`below` draws a number from 0 up to, but not including, its argument.

        `clock`: whose lateness is ours, and not that of the packets.
        """
        self._range = ports
        self._quarantine_seconds = quarantine_seconds
        self._below = below
        self._free = array("H", (ports.pair(index) for index in range(ports.pairs)))
        "RTP ports, in no order: one is drawn by putting the last in its place."
        self._resting: deque[tuple[float, int]] = deque()
        self.arrivals = Arrivals(clock)

    @property
    def in_use(self) -> int:
        """Pairs that carry a call now."""
        return self._range.pairs - len(self._free) - len(self._resting)

    def open(self, host: str, now: float) -> "RtpPort":
        """Bind a free pair on local address `host`, any; raises `NoPortFree`."""
        self._wake(now)
        taken = array("H")
        try:
            while self._free:
                port = self._draw()
                taken.append(port)
                sockets = bind_pair(host, port)
                if sockets is not None:
                    taken.pop()
                    return RtpPort(self.arrivals, self.rest, port, *sockets)
        finally:
            # Another program has them, and may give them back.
            self._free.extend(taken)
        raise NoPortFree(f"no RTP port free among {self._range.pairs} pairs from {self._range.first}")

    def rest(self, port: int, now: float) -> None:
        """Take a closed pair back; it is handed out again when its quarantine is over."""
        self._resting.append((now + self._quarantine_seconds, port))

    def _draw(self) -> int:
        at = self._below(len(self._free))
        last = self._free.pop()
        if at == len(self._free):
            return last
        drawn, self._free[at] = self._free[at], last
        return drawn

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])


def bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket] | None:
    """Bind RTP on `port` and RTCP on the port above; None where either is taken (`EADDRINUSE`)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound: list[socket.socket] = []
    try:
        for number in (port, port + 1):
            one = socket.socket(family, socket.SOCK_DGRAM)
            bound.append(one)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            one.bind((host, number))
    except OSError as error:
        for one in bound:
            one.close()
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise NoPortFree(
                "no descriptor is free for an RTP port: raise the limit of open files"
            ) from error
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise
    return bound[0], bound[1]
