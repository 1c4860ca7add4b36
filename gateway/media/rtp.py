"""RTP (RFC 3550) as call control sees it: packets, the sender, and the receiver."""

import struct
from functools import cache

from gateway.media.dtmf import TelephoneEvent, event_code
from gateway.media.packet import RtpPacket
from gateway.media.receiver import RtpReceiver

__all__ = ["RtpPacket", "RtpReceiver", "RtpSender"]

_event_header = struct.Struct("!HHII").pack
_header = struct.Struct("!HHQ").pack
"The last two fields are one number: half of `RtpSender._stamp`."

_VERSION = 0x8000
_MARKER = 0x0080

_PLAIN = tuple(_VERSION | payload_type for payload_type in range(128))
"First words, of which there is one of each: what all calls share is at hand, what one has must be fetched."

MAX_DIGITS = 256
"Digits that may wait: a minute of them, few enough that nobody can fill our memory."

_PACKET = 1 << 96
_UNIT = 1 << 32
_LOW = (1 << 64) - 1
"The parts of a stamp: one packet, one unit of the timestamp, and what a header ends with."


class _HotSender:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_first_word", "_first_word_plain", "_ptime", "_stamp", "_step", "digits_waiting")


class RtpSender(_HotSender):
    """Numbers and stamps one outgoing stream, at one packet each packet time.

    Each packet time the owner asks `next_event_packet` while `digits_waiting`, and else sends
    `packet(payload)`, or calls `skip` when it sends nothing: each lasts one packet time.
    """

    __slots__ = (
        "_event",
        "_event_payload_type",
        "_events",
        "_gap",
        "_pause",
        "_rate",
        "_ssrc",
        "_unnumbered",
        "_unsent",
    )

    def __init__(
        self,
        ssrc: int,
        sequence: int,
        timestamp: int,
        payload_type: int,
        clock_rate: int = 8000,
        *,
        event_payload_type: int | None = None,
        ptime_ms: int = 20,
        digit_gap_ms: int = 40,
    ) -> None:
        """`ssrc`, `sequence` and `timestamp` are random 32, 16 and 32 bit numbers (section 5.1).

        `digit_gap_ms`: at least so much audio, or silence, between the end of a digit and the next one.
        """
        self._ssrc = ssrc
        self._unnumbered = sequence & 0xFFFF
        self._unsent = timestamp & 0xFFFFFFFF
        self._stamp = self._unnumbered << 96 | self._unsent << 32 | ssrc
        """Sequence number, timestamp and SSRC in one: every number of a call's is memory to be waited for.

        The first two are extended, so that what was sent follows from how far they have gone.
        """
        self._events: list[tuple[int, int]] = []
        self._event: _Event | None = None
        self._pause = 0
        self._gap = digit_gap_ms
        self.digits_waiting = False
        "HOT: whether digits are being sent, or about to be."
        self.renegotiate(payload_type, event_payload_type, ptime_ms, clock_rate)

    def renegotiate(
        self,
        payload_type: int,
        event_payload_type: int | None = None,
        ptime_ms: int = 20,
        clock_rate: int = 8000,
    ) -> None:
        """Go on with other payload types, another packet time or clock, as a new offer and answer agreed."""
        self._rate = clock_rate
        self._first_word_plain = _PLAIN[payload_type]
        self._first_word = self._first_word_plain | _MARKER
        self._event_payload_type = event_payload_type
        self._ptime = self._rate * ptime_ms // 1000
        self._step = _step(self._ptime)
        if event_payload_type is None:
            self._events.clear()
            self._event = None
            self._look()

    def packet(self, payload: bytes) -> bytes:
        """The next audio packet. The first, and the first behind a `skip`, carry the marker."""
        stamp = self._stamp
        header = _header(self._first_word, stamp >> 96 & 0xFFFF, stamp & _LOW)
        self._first_word = self._first_word_plain
        self._stamp = stamp + self._step
        if len(payload) != self._ptime:
            self._unsent += self._ptime - len(payload)
        return header + payload

    def skip(self) -> None:
        """Let a packet time go by without a packet."""
        self._stamp += _UNIT * self._ptime
        self._unsent += self._ptime
        self._first_word = self._first_word_plain | _MARKER

    def digit(self, digit: str, duration_ms: int = 160) -> bool:
        """Queue a digit, pressed for 40 ms to 8 s; False where `MAX_DIGITS` wait already.

        ValueError when it is none, or when telephone-event was not negotiated.
        """
        if self._event_payload_type is None:
            raise ValueError("the peer takes no telephone-events")
        if len(self._events) >= MAX_DIGITS:
            return False
        duration_ms = min(max(duration_ms, 40), 8000)
        self._events.append((event_code(digit), duration_ms))
        self._look()
        return True

    @property
    def takes_digits(self) -> bool:
        """Whether telephone-event was negotiated."""
        return self._event_payload_type is not None

    @property
    def ssrc(self) -> int:
        """The identifier of this stream."""
        return self._ssrc

    @property
    def clock_rate(self) -> int:
        """Timestamp units a second."""
        return self._rate

    @property
    def timestamp(self) -> int:
        """The timestamp that the next audio packet will carry."""
        return self._stamp >> 32 & 0xFFFFFFFF

    @property
    def packets(self) -> int:
        """Packets made so far."""
        return (self._stamp >> 96) - self._unnumbered

    @property
    def octets(self) -> int:
        """Payload octets in them, as sender reports count them (section 6.4.1)."""
        return (self._stamp >> 32 & _LOW) - self._unsent

    def next_event_packet(self) -> bytes | None:
        """The packet that takes the place of audio in this packet time; None when no digit needs it.

        A digit is told every packet time while it lasts and three times when it ends (RFC 4733
        section 2.5.1.4). Behind it audio, or a pause, keeps it apart from the next one.
        """
        event = self._event = self._event or self._next_event()
        data = None
        if event is not None:
            assert self._event_payload_type is not None
            data = self._event_packet(event, self._event_payload_type)
            if event.ends_sent == _ENDS:
                self._event = None
                self._pause = self._rate * self._gap // 1000 // self._ptime
        self._look()
        return data

    def _look(self) -> None:
        self.digits_waiting = self._event is not None or bool(self._events) or self._pause > 0

    def _next_event(self) -> "_Event | None":
        if self._pause:
            self._pause -= 1
            return None
        if not self._events or self._event_payload_type is None:
            return None
        code, duration_ms = self._events.pop(0)
        return _Event(code, self.timestamp, self._rate * duration_ms // 1000)

    def _event_packet(self, event: "_Event", event_payload_type: int) -> bytes:
        first_word = _VERSION | event_payload_type | (_MARKER if event.elapsed == 0 else 0)
        payload = event.next_payload(self._ptime)
        header = _event_header(first_word, self._stamp >> 96 & 0xFFFF, event.timestamp, self._ssrc)
        self._stamp += self._step
        self._unsent += self._ptime - len(payload)
        return header + payload


@cache
def _step(units: int) -> int:
    """What a stamp goes on by with a packet: one object for all calls."""
    return _PACKET + _UNIT * units


_ENDS = 3
"How often the end of a digit is told."


class _Event:
    """A digit on its way out."""

    __slots__ = ("code", "duration", "elapsed", "ends_sent", "timestamp")

    def __init__(self, code: int, timestamp: int, duration: int) -> None:
        self.code = code
        self.timestamp = timestamp
        self.duration = duration
        self.elapsed = 0
        self.ends_sent = 0

    def next_payload(self, ptime: int) -> bytes:
        self.elapsed = min(self.elapsed + ptime, self.duration)
        end = self.elapsed == self.duration
        self.ends_sent += end
        return bytes(TelephoneEvent(self.code, end, self.elapsed))
