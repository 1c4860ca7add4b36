"""RTP and RTCP sockets: the pair that one call has, locked to one peer.

Plain non-blocking sockets: per packet they cost less than an event loop's datagram transports, and a
*connected* UDP socket makes the kernel drop what anyone but the peer sends (no RTP bleed, no injection).
"""

import asyncio
import ctypes
import errno
import socket
import struct
import time
from collections.abc import Callable, Sequence

from gateway.net.arrivals import Arrivals
from gateway.net.latch import Address, Latch, Standing, canonical

Receive = Callable[[bytes, float], None]
"Called with one datagram and the loop's time."

Rest = Callable[[int, float], None]
"Called with the RTP port of a closed pair, and the loop's time."

MAX_PORT = 65_535

Waited = Sequence[tuple[bytes, float]]
"Datagrams, each with the loop's time at which the kernel took it."

MAX_DATAGRAM = 2048
"More than any RTP packet that we negotiate; a longer datagram is cut and then refused by its parser."

LEARNING_SECONDS = 0.5
"How long others are listened to besides a source that is not the SDP's own, when it has begun."

LOOK_SECONDS = 0.06
"The same, each time that we look whether a better source has come since: three packets of 20 ms."

DOUBT_SECONDS = 0.25
"At most so often others are listened to because ours is silent."

MOST_REFUSED = 64
"Datagrams of others that are looked at while ours is silent, each time: a flood is the kernel's to drop."

LONGEST_WAIT = 60.0
"Seconds that a datagram may have waited for us; one that says more was noted by another clock."

MOST_WAITING = 1024
"Datagrams that are taken from a socket at once: more than a kernel keeps by default."

SO_TIMESTAMPNS = 35
"The kernel notes when a datagram came (socket(7)); `socket` has no name for it."
_STAMP = struct.Struct("@ll")
_ROOM = socket.CMSG_SPACE(_STAMP.size)


class _HotPort:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_connected", "_rtp", "on_rtp")


class RtpPort(_HotPort):
    """One call's pair of sockets, locked to one source of RTP.

    `latch` decides which: symmetric RTP goes where it comes from. While the socket is connected, the kernel
    drops what anybody else sends; where ours is not beyond doubt, or is silent, others are listened to from
    time to time (`look`, `doubt`).
    """

    __slots__ = (
        "_arrivals",
        "_close_told",
        "_doubted_at",
        "_expected_rtcp",
        "_listening_until",
        "_loop",
        "_refused",
        "_rest",
        "_rtcp",
        "_rtcp_remote",
        "accepts",
        "foreign",
        "goes_on",
        "latch",
        "on_moved",
        "on_rtcp",
        "on_waited",
        "port",
        "remote",
        "send_errors",
        "stranger",
        "stranger_at",
    )

    def __init__(
        self, arrivals: Arrivals, rest: Rest, port: int, rtp: socket.socket, rtcp: socket.socket
    ) -> None:
        """`arrivals` says when a datagram waits; `rest` takes the pair back when the port is closed."""
        self._arrivals = arrivals
        self._rest = rest
        self._rtp = rtp
        self._rtcp = rtcp
        self._loop = asyncio.get_running_loop()
        self._connected = False
        self._listening_until = self._doubted_at = 0.0
        self._refused = 0
        "Datagrams of others since we listen to them."
        self._expected_rtcp: Address | None = None
        self._rtcp_remote: Address | None = None
        self._close_told = False
        self.latch = Latch()
        "Who is heard. The call says whose signalling it is, and for how long silence is borne."
        self.port = port
        "The local RTP port; RTCP is on the one above."
        self.remote: Address | None = None
        "Where RTP goes: from the SDP until a source is learnt."
        self.foreign = 0
        "Datagrams that came from a source that we were not locked to."
        self.stranger: Address | None = None
        "Who sent what could have been this call's media, first of all strangers,"
        self.stranger_at = 0.0
        "and when."
        self.send_errors = 0
        self.on_rtp: Receive = ignore
        self.on_rtcp: Receive = ignore
        self.on_moved: Callable[[Address, Address], None] = ignore_move
        "Called with the old and the new source when another one took over, before its first packet."
        self.on_waited: Callable[[Waited, float], None] = self._hear_waited
        "Takes, in the place of `on_rtp`, all that waited while we were late; maybe nothing."
        self.accepts: Callable[[bytes], bool] = accept_nothing
        "Whether a first datagram from an unknown source is this call's media."
        self.goes_on: Callable[[bytes, float], bool] = goes_on_never
        "Whether a datagram goes on with the stream that was heard until now."
        arrivals.watch(rtp, self._learn, self._learn_waiting)
        arrivals.watch(rtcp, self._rtcp_readable)

    def expect(self, host: str, port: int, rtcp: Address | None = None) -> None:
        """Send to the SDP's address, and learn the source anew (after each negotiation that changed it)."""
        address = (canonical(host) or host, port)
        if (address, rtcp) == (self.latch.expected, self._expected_rtcp):
            return
        self._expected_rtcp = rtcp
        self._rtcp_remote = rtcp or (host, min(port + 1, MAX_PORT))
        if address != self.latch.expected:
            self.latch.expect(address, self._loop.time())
            self.remote = address
            self._listen(0.0)

    def refine(self, host: str) -> None:
        """The name in the SDP, for which another host was expected, stands for this one."""
        latch, rtcp = self.latch, self._expected_rtcp
        assert latch.expected is not None, "an SDP with a name was negotiated before"
        latch.refine((canonical(host), latch.expected[1]))
        if latch.source is None:
            self.remote = latch.expected
            self._expected_rtcp = self._rtcp_remote = None if rtcp is None else (host, rtcp[1])

    def withhold(self) -> None:
        """Send nothing until a source is learnt: the SDP's address is none that may be sent to."""
        source = self.latch.source
        if source is None:
            self.remote = self._rtcp_remote = None
        else:
            self._rtcp_remote = (source[0], min(source[1] + 1, MAX_PORT))

    @property
    def expected(self) -> Address | None:
        """Where the peer's SDP said that its RTP is."""
        return self.latch.expected

    def look(self, now: float) -> None:
        """Listen for a better source for a moment, where there could be one; about once a second."""
        if self._connected and not self.latch.final:
            self._listen(now + LOOK_SECONDS)

    def doubt(self, silent_since: float, now: float, *, on_purpose: bool) -> None:
        """Our source has been silent since then: listen to others until it is heard again."""
        self.latch.silent_since, self.latch.on_purpose = silent_since, on_purpose
        if self._connected and now - self._doubted_at >= DOUBT_SECONDS:
            self._doubted_at = now
            self._listen(0.0)

    def send(self, packet: bytes) -> None:
        """Send one RTP packet. HOT. What the kernel refuses is counted, never raised."""
        try:
            if self._connected:
                self._rtp.send(packet)
            elif self.remote is not None:
                self._rtp.sendto(packet, self.remote)
        except OSError:
            # A full buffer, or an ICMP error of an earlier packet: RTP has no second try (RFC 3550).
            self.send_errors += 1

    def send_rtcp(self, packet: bytes) -> None:
        """Send one RTCP compound packet."""
        if self._rtcp_remote is None:
            return
        try:
            self._rtcp.sendto(packet, self._rtcp_remote)
        except OSError:
            self.send_errors += 1

    def close(self) -> None:
        """Give the pair back; closing twice does nothing."""
        if self._close_told:
            return
        self._close_told = True
        for one in (self._rtp, self._rtcp):
            self._arrivals.forget(one)
            one.close()
        self._connected = False
        self.on_rtp = self.on_rtcp = ignore
        self.on_moved, self.accepts, self.goes_on = ignore_move, accept_nothing, goes_on_never
        self.on_waited = ignore_waited
        self._rest(self.port, self._loop.time())

    def _receive(self, now: float) -> None:
        """HOT: one datagram from the source that we are locked to."""
        try:
            data = self._rtp.recv(MAX_DATAGRAM)
        except OSError:
            # Spurious wake-up, or an ICMP error that our own sending caused.
            return
        on_rtp = self.on_rtp  # Python is slower to call what is kept in a slot by its name
        on_rtp(data, now)

    def _receive_waiting(self, now: float, epoch: float) -> None:
        """All datagrams from the source that we are locked to, which have waited for us."""
        waited: list[tuple[bytes, float]] = []
        for _ in range(MOST_WAITING):
            try:
                data, ancillary, _, _ = self._rtp.recvmsg(MAX_DATAGRAM, _ROOM)
            except BlockingIOError:
                break
            except OSError:
                continue
            waited.append((data, came_at(ancillary, now, epoch)))
        self.on_waited(waited, now)

    def _hear_waited(self, waited: Waited, now: float) -> None:
        for data, at in waited:
            self.on_rtp(data, at)

    def _learn_waiting(self, now: float, epoch: float) -> None:
        """All datagrams of whom we may be about to lock to, which have waited for us."""
        for _ in range(MOST_WAITING):
            if self._connected or not self._learn(now):
                return

    def _learn(self, now: float) -> bool:
        """One datagram of whom we may be about to lock to; False where there is none."""
        try:
            data, ancillary, _, sender = self._rtp.recvmsg(MAX_DATAGRAM, _ROOM)
        except OSError:
            return False
        at = came_at(ancillary, now, time.time() - time.monotonic())
        latch, address = self.latch, (sender[0], sender[1])
        before = latch.source
        if address != before:
            media = self.accepts(data)
            if not media or not latch.hears(address, at, lambda: self.goes_on(data, at)):
                self._refuse(address, now, media=media)
                return True
            self._follow(before, address, now)
        else:
            latch.silent_since = None
        self.on_rtp(data, at)
        if latch.final or now >= self._listening_until:
            self._lock(address, now)
        return True

    def _refuse(self, address: Address, now: float, *, media: bool) -> None:
        self.foreign += 1
        self._refused += 1
        if media and self.stranger is None and self.latch.standing_of(address) is Standing.STRANGER:
            self.stranger, self.stranger_at = address, now
        source = self.latch.source
        if self._refused > MOST_REFUSED and source is not None and now >= self._listening_until:
            self._lock(source, now)

    def _follow(self, before: Address | None, source: Address, now: float) -> None:
        """Another source is ours from here on."""
        if source != self.remote:
            self._rtcp_remote = (source[0], min(source[1] + 1, MAX_PORT))
        self.remote = source
        self._listening_until = now + LEARNING_SECONDS
        if before is not None:
            self.on_moved(before, source)

    def _lock(self, source: Address, now: float) -> None:
        """Let the kernel drop what others send, from now on; what it has of them goes unheard."""
        if self._close_told:
            return
        try:
            self._rtp.connect(source)
        except OSError:
            return
        self._connected = True
        self._arrivals.change(self._rtp, self._receive, self._receive_waiting)
        self._take_queued(source, now)

    def _take_queued(self, source: Address, now: float) -> None:
        waited, epoch = [], time.time() - time.monotonic()
        for _ in range(MOST_WAITING):
            try:
                data, ancillary, _, sender = self._rtp.recvmsg(MAX_DATAGRAM, _ROOM)
            except OSError:
                break
            if (sender[0], sender[1]) == source:
                waited.append((data, came_at(ancillary, now, epoch)))
            else:
                self.foreign += 1
        if waited:
            self.on_waited(waited, now)

    def _listen(self, until: float) -> None:
        """Hear others too, until then, or, from then on, until ours is heard again."""
        self._listening_until, self._refused = until, 0
        if self._connected:
            disconnect(self._rtp)
            self._connected = False
            self._arrivals.change(self._rtp, self._learn, self._learn_waiting)

    def _rtcp_readable(self, now: float) -> None:
        try:
            data, ancillary, _, source = self._rtcp.recvmsg(MAX_DATAGRAM, _ROOM)
        except OSError:
            return
        if self.remote is None or source[0] != self.remote[0]:
            self.foreign += 1
            return
        self._rtcp_remote = (source[0], source[1])
        self.on_rtcp(data, came_at(ancillary, now, time.time() - time.monotonic()))


def came_at(ancillary: Sequence[tuple[int, int, bytes]], now: float, epoch: float) -> float:
    """When a datagram came, by the loop's time: what the kernel noted; `now` where it has noted nothing.

    `epoch`: the moment by the kernel's clock at which the loop's time was 0. A clock that was set meanwhile
    puts nothing into the future, nor further back than sockets can hold.
    """
    for level, kind, stamp in ancillary:
        if (level, kind, len(stamp)) == (socket.SOL_SOCKET, SO_TIMESTAMPNS, _STAMP.size):
            seconds, nanoseconds = _STAMP.unpack(stamp)
            at = seconds + nanoseconds / 1e9 - epoch
            return at if now - LONGEST_WAIT < at < now else now
    return now


def ignore(data: bytes, now: float) -> None:
    """Take a datagram before anyone listens."""


def ignore_move(before: Address, source: Address) -> None:
    """Take another source for ours before anyone wants to know."""


def ignore_waited(waited: Waited, now: float) -> None:
    """Take what waited when nobody listens any more."""


def accept_nothing(data: bytes) -> bool:
    """Let nothing through before the call says what its media looks like."""
    return False


def goes_on_never(data: bytes, now: float) -> bool:
    """Before there is a stream, nothing goes on with it."""
    return False


_libc = ctypes.CDLL(None, use_errno=True)


def disconnect(one: socket.socket) -> None:
    """Dissolve a connected UDP socket's association: connect(2) to `AF_UNSPEC`, which `socket` cannot say."""
    unspecified = bytes(28)
    if _libc.connect(one.fileno(), unspecified, len(unspecified)) != 0:
        code = ctypes.get_errno()
        if code != errno.EAFNOSUPPORT:
            raise OSError(code, "cannot dissolve the UDP association")
