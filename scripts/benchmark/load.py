"""The phones of the benchmark: RTP at 50 packets a second a call, echoed, timed by the kernel's own clock.

Every packet carries its send time, so that the echo says how long the way through the gateway was. The jitter
of what is sent to us is taken from the kernel's receive timestamps, which on loopback are the moments of
sending: this process being late does not count against the gateway.
"""

import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.benchmark.sip import Dialler

PTIME = 0.02
SLOTS = 20
"Groups of calls that send at the same moment, spread over the packet time."

RAMP = 80
"Calls a second that are placed before they are measured."

WARM_UP_SECONDS = 2.0
SO_TIMESTAMPNS = 35
HEADER = struct.Struct("!BBHII")
STAMP = struct.Struct("!Id")
MAGIC = 0x54524E4B


@dataclass(slots=True)
class Phone:
    """One call's RTP socket, and where to send."""

    socket: socket.socket
    target: tuple[str, int]
    sequence: int = 0
    last: float = 0.0
    expected: int = -1


@dataclass(slots=True)
class Heard:
    """What was measured over all calls."""

    sent: int = 0
    received: int = 0
    echoed: int = 0
    gaps: list[float] = field(default_factory=list)
    "Milliseconds between two packets of a call, less 20: the jitter of sending."
    trips: list[float] = field(default_factory=list)
    "Milliseconds from a packet's sending to its echo's arrival."
    late: list[float] = field(default_factory=list)
    "Milliseconds by which the phones themselves sent late."


def held(lost_percent: float, made_up_percent: float, jitter_p99_ms: float) -> bool:
    """Whether calls were carried: what was not is no figure to take a ratio of."""
    return lost_percent < 0.5 and made_up_percent < 0.5 and jitter_p99_ms < 10.0


def open_phone() -> socket.socket:
    """A socket for one call, with kernel timestamps."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return one


def phones_up(dialler: Dialler, count: int) -> list[Phone]:
    """So many phones in a call each; RuntimeError where one was not answered."""
    sockets = [open_phone() for _ in range(count)]
    calls = []
    for number, one in enumerate(sockets):
        calls.append(dialler.invite(number, one.getsockname()[1]))
        dialler.listen(1 / RAMP)
    dialler.listen(1.0)
    answered = sum(call.state == "up" for call in calls)
    if answered < count:
        raise RuntimeError(f"only {answered} of {count} calls were answered")
    return [Phone(one, ("127.0.0.1", call.remote_media)) for one, call in zip(sockets, calls, strict=True)]


def percentile(ordered: list[float], which: float) -> float:
    """Of sorted values; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * which / 100))] if ordered else 0.0


class Load:
    """Sends and hears for `seconds`, and measures what lies behind the warm-up."""

    def __init__(self, phones: list[Phone]) -> None:
        self._phones = phones
        self._slots: list[list[Phone]] = [phones[index::SLOTS] for index in range(SLOTS)]
        self._by_number = {phone.socket.fileno(): phone for phone in phones}
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)
        self.heard = Heard()
        self._measuring = False
        self._sending = True

    def run(self, seconds: float, on_measure: Callable[[], None]) -> None:
        """Warm up, call `on_measure`, go on for `seconds`, then wait for the last echoes."""
        for phone in self._phones:
            _forget(phone)
        start = time.monotonic()
        due, slot = start, 0
        measure_at, end = start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + seconds
        while due < end:
            if not self._measuring and due >= measure_at:
                self._measuring = True
                on_measure()
            self._listen_until(due)
            if self._measuring:
                self.heard.late.append((time.monotonic() - due) * 1000)
            for phone in self._slots[slot]:
                self._send(phone)
            slot = (slot + 1) % SLOTS
            due += PTIME / SLOTS
        on_measure()
        # All phones falling silent at once is an outage: what is sent during that is not what was asked for.
        self._sending = False
        self._listen_until(time.monotonic() + 0.5)

    def _listen_until(self, moment: float) -> None:
        while True:
            left = moment - time.monotonic()
            for number, _ in self._poll.poll(max(0.0, left), 256):
                self._hear(self._by_number[number])
            if left <= 0:
                return

    def _send(self, phone: Phone) -> None:
        phone.sequence += 1
        head = HEADER.pack(0x80, 0, phone.sequence & 0xFFFF, phone.sequence * 160 & 0xFFFFFFFF, 7)
        phone.socket.sendto(head + STAMP.pack(MAGIC, time.monotonic()) * STAMPS + REST, phone.target)
        self.heard.sent += self._measuring

    def _hear(self, phone: Phone) -> None:
        try:
            data, ancillary, _, _ = phone.socket.recvmsg(2048, 64)
        except BlockingIOError:
            return
        if not self._measuring:
            phone.last = 0.0
            return
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
        at = seconds + nanoseconds / 1e9
        heard = self.heard
        if phone.last and self._sending:
            heard.gaps.append((at - phone.last - PTIME) * 1000)
        phone.last = at
        found = data.find(MAGIC_BYTES)
        if found >= 0 and found + STAMP.size <= len(data):
            heard.echoed += 1
            heard.received += 1
            heard.trips.append((time.monotonic() - STAMP.unpack_from(data, found)[1]) * 1000)
        elif self._sending:
            # What comes in place of phones that have fallen silent is not made up.
            heard.received += 1


def _forget(phone: Phone) -> None:
    """What came while nobody listened is not heard now."""
    phone.last = 0.0
    try:
        while True:
            phone.socket.recv(2048)
    except BlockingIOError:
        pass


MAGIC_BYTES = MAGIC.to_bytes(4)
STAMPS = 160 // STAMP.size
"""All through a packet: an echo need not begin where a packet did, once a few samples were taken out or put
in, and a stamp that two packets share would be taken for audio that nobody said."""
REST = bytes(range(100, 100 + 160 % STAMP.size))
