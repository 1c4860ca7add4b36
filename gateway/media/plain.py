"""A run of plain packets: each exactly the one that was expected, and on time.

Nearly all packets are. At some hundred calls what one costs is hardly what is reckoned but the memory that it
waits for: all of a call has left the caches when its next packet comes. So all that a plain packet
touches is in this one small object, a number stands for four fields of the header, and what can be told from
it later is not counted now.
"""

from collections.abc import Callable
from functools import lru_cache
from math import inf

Sink = Callable[[bytes], None]

HEADER_BYTES = 12

_number = int.from_bytes

_UNMARKED = (1 << 96) - 1 - (0x0080 << 80)
"All of the header but the marker bit."

_NEVER = -1
"In place of a header: nothing equals it."

EARLIEST, LATEST = -0.04, 0.06
"Seconds from the moment that a packet is due by the clock, between which it is on time."

QUIET = 0.07
"Seconds without audio after which silence may have to be filled in: longer than a packet of 60 ms."


class PlainRun:
    """What the next plain packet of a stream is like, and what came since the run began.

    `RtpReceiver` begins a run and ends it, by sequence number; `Timeline` says when its packets are due, and
    keeps the newest audio and its sink here.
    """

    __slots__ = (
        "_began",
        "_expected",
        "_length",
        "_otherwise",
        "_seconds",
        "_step",
        "before",
        "due_at",
        "give",
        "heard_at",
        "jitter",
        "last",
        "unbroken",
    )

    give: Sink
    "Where payloads of the codec of the moment go."

    def __init__(self, otherwise: Callable[[bytes, float], None]) -> None:
        """`otherwise` takes a datagram that is not the expected one."""
        self._otherwise = otherwise
        self._began = self._expected = _NEVER
        "Headers, as numbers: what the run began with, and what the next packet has to begin with."
        self._length = 0
        "Bytes of each packet, header and payload."
        self._step = _step(0)
        "What the header of a packet has more than that of the one before it."
        self._seconds = 0.0
        "How long each of them lasts."
        self.unbroken = False
        "Whether a run is on: nothing is held back, or under way, that time could end."
        self.due_at = inf
        "The clock when the next packet is neither early nor late; `inf` where it has to be looked at."
        self.heard_at = inf
        "When the newest audio came."
        self.last = self.before = b""
        "The newest audio, and what came before it."
        self.jitter = 0.0
        "Interarrival jitter in seconds (RFC 3550 appendix A.8)."

    def receive(self, data: bytes, now: float) -> None:
        """HOT: one datagram from the peer."""
        if _number(data[:HEADER_BYTES]) & _UNMARKED == self._expected and len(data) == self._length:
            due_at = self.due_at
            if EARLIEST < now - due_at < LATEST:
                payload = data[HEADER_BYTES:]
                seconds = self._seconds
                difference = now - self.heard_at - seconds
                jitter = self.jitter
                self.jitter = jitter + ((difference if difference > 0.0 else -difference) - jitter) * 0.0625
                # The next sequence number and timestamp. Where one wraps around, nothing is as expected.
                self._expected += self._step
                self.due_at = due_at + seconds
                self.before = self.last
                self.last = payload
                self.heard_at = now
                give = self.give  # Python is slower to call what is kept in a slot by its name
                give(payload)
                return
        otherwise = self._otherwise
        otherwise(data, now)

    def measure(self, difference: float) -> None:
        """Take in by how many seconds the way of a packet differed from that of the one before it."""
        self.jitter += (difference - self.jitter) * 0.0625

    def begin(self, header: int, size: int, units: int, clock_rate: int) -> None:
        """Expect a packet with this header, unmarked, and others like it behind it.

        Each has a payload of so many bytes, which lasts so many units of the timestamps.
        """
        self._began = self._expected = header
        self._length = HEADER_BYTES + size
        self._step = _step(units)
        self._seconds = _seconds(units, clock_rate)
        self.unbroken = True

    def end(self) -> None:
        """Take nothing for plain until the next `begin`; what was not taken off by `came` is forgotten."""
        self._began = self._expected = _NEVER
        self.unbroken = False

    def close(self) -> None:
        """Take nothing at all any more."""
        self.end()
        self._otherwise, self.give = _ignore, _ignore_audio

    @property
    def units(self) -> int:
        """Units of the timestamps that a packet lasts."""
        return (self._step & _LOW) >> 32

    def came(self) -> tuple[int, int]:
        """Packets and octets since the run began, or since this was last asked."""
        packets = (self._expected - self._began) >> 64
        self._began = self._expected
        return packets, packets * (self._length - HEADER_BYTES)


_LOW = (1 << 64) - 1


# What all calls have the same of is one object for all of them.
@lru_cache(256)
def _step(units: int) -> int:
    """The next sequence number, and the next timestamp."""
    return (1 << 64) + (units << 32)


@lru_cache(256)
def _seconds(units: int, clock_rate: int) -> float:
    return units / clock_rate


def _ignore(data: bytes, now: float) -> None:
    """Nobody is there any more."""


def _ignore_audio(audio: bytes) -> None:
    """The same."""
