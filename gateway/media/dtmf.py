"""Digits pressed on a telephone: RFC 4733 events in RTP, and the bodies of SIP INFO.

Nothing here detects or makes tones in the audio.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
"The digits in the order of their event codes (RFC 4733 section 3.2)."

OnDigit = Callable[[str, int], None]
"Called with the digit and how long it was pressed, in milliseconds."

TOLD = 16
"Digits that are remembered, so that their late packets are not taken for new ones."

_PAYLOAD = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """The payload of one telephone-event packet (RFC 4733 section 2.3)."""

    code: int
    "0 to 15 are the digits of `DIGITS`."
    end: bool
    duration: int
    "In timestamp units, from the timestamp of the packet."
    volume: int = 10
    "Power in -dBm0, 0 to 63."

    @classmethod
    def parse(cls, payload: bytes) -> "TelephoneEvent":
        """Read the first event of a payload; ValueError when there is none."""
        if len(payload) < 4:
            raise ValueError(f"a telephone-event has 4 bytes, not {len(payload)}")
        code, flags, duration = _PAYLOAD.unpack_from(payload)
        return cls(code, bool(flags & 0x80), duration, flags & 0x3F)

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(self.code, self.end << 7 | self.volume, self.duration)


def event_code(digit: str) -> int:
    """The event code of a digit; ValueError when it is none."""
    code = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise ValueError(f"{digit!r} is not a telephone digit")
    return code


@dataclass(slots=True)
class _Key:
    """A key that is or was down, as far as the packets told."""

    code: int
    started: int
    "Timestamp of the first segment."
    timestamp: int
    "Timestamp of the newest segment: long presses have several (RFC 4733 section 2.5.1.3)."
    duration: int
    "Longest duration told of that segment."
    seen_at: float
    per_ms: int
    "Units of its timestamps in a millisecond."
    told: bool = False

    @property
    def ends(self) -> int:
        """The timestamp up to which the key is known to have been down."""
        return (self.timestamp + self.duration) & 0xFFFFFFFF


def _since(earlier: int, later: int) -> int:
    """Timestamp units from one timestamp to another, negative when the second is before the first."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class EventDetector:
    """Tells each digit once, however often, late or incompletely its packets came.

    The timestamp names a press (RFC 4733 section 2.2), so the marker bit, which senders forget,
    is only asked to tell a new press of the same key from the next segment of a long one.
    """

    __slots__ = ("_per_ms", "_press", "_told", "ignored", "on_digit", "pressed")

    END_LOST_AFTER = 0.2
    "Seconds without a packet after which a key is taken to be up again."

    FORGOTTEN_AFTER = 1.0
    "Seconds after which an earlier timestamp is a new clock, not a packet that came late."

    def __init__(self, on_digit: OnDigit) -> None:
        self.on_digit = on_digit
        self._press: _Key | None = None
        self._told: tuple[int, ...] = ()
        self.pressed = False
        "Whether a key is down: only then is there anything for `tick` to do."
        self.ignored = 0
        "Events that are no digits, and payloads that are no events."

    def receive(
        self, timestamp: int, payload: bytes, marker: bool, now: float, clock_rate: int = 8000
    ) -> None:
        """One telephone-event packet, of a payload type with that clock."""
        try:
            event = TelephoneEvent.parse(payload)
        except ValueError:
            self.ignored += 1
            return
        if event.code >= len(DIGITS):
            self.ignored += 1
        elif timestamp not in self._told:
            self._follow(event, timestamp, marker, now, clock_rate // 1000)

    def tick(self, now: float) -> None:
        """Tell a digit whose end was lost."""
        press = self._press
        if press is not None and not press.told and now - press.seen_at > self.END_LOST_AFTER:
            self._tell(press)

    def _follow(self, event: TelephoneEvent, timestamp: int, marker: bool, now: float, per_ms: int) -> None:
        press = self._press
        if press is None or self._is_new(press, event, timestamp, marker, now):
            if press is not None and not press.told:
                self._tell(press)
            self._press = press = _Key(event.code, timestamp, timestamp, 0, now, per_ms)
            self.pressed = True
        elif _since(press.timestamp, timestamp) < 0:
            return  # told now it would stand behind its successor: a wrong PIN instead of a short one
        elif timestamp != press.timestamp:
            press.timestamp, press.duration = timestamp, 0
        press.duration = max(press.duration, event.duration)
        press.seen_at = now
        if event.end and not press.told:
            self._tell(press)

    def _is_new(self, press: _Key, event: TelephoneEvent, timestamp: int, marker: bool, now: float) -> bool:
        since = _since(press.timestamp, timestamp)
        if since <= 0:
            return since < 0 and now - press.seen_at > self.FORGOTTEN_AFTER
        if marker or event.code != press.code:
            return True
        # The next segment starts where the last one ends. Some senders move the timestamp with
        # every packet: to them this applies too, and keeps their repeated end from being a digit.
        return since != 0xFFFF and _since(press.ends, timestamp) > 20 * press.per_ms

    def _tell(self, press: _Key) -> None:
        press.told = True
        self.pressed = False
        self._told = (*self._told[1 - TOLD :], press.timestamp)
        self.on_digit(DIGITS[press.code], _since(press.started, press.ends) // press.per_ms)


RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"
NORTEL = "application/vnd.nortelnetworks.digits"

INFO_TYPES = (RELAY, PLAIN, NORTEL)
"Media types of a SIP INFO that brings a digit."

_LONGEST_BODY = 256
_DEFAULT_MS = 160
_LONGEST_MS = 60000


@dataclass(frozen=True, slots=True)
class Press:
    """A digit, and how long its key was down."""

    digit: str
    duration_ms: int


def parse_info(content_type: str, body: bytes) -> Press | None:
    """The digit in the body of a SIP INFO; None when there is none that can be read.

    `application/dtmf-relay` has lines `Signal=5` and `Duration=160`, `application/dtmf` only the digit, and
    Nortel's a line `d=5`. No RFC describes any of them, and each is met under the name of the others, on one
    line, with spaces, quotes, lower case and event codes (`Signal=11` is `#`).
    """
    if len(body) > _LONGEST_BODY or content_type.partition(";")[0].strip().lower() not in INFO_TYPES:
        return None
    text = body.decode("ascii", "replace").strip()
    signal = _SIGNAL(text)
    digit = _digit(signal[1] if signal else text)
    duration = _DURATION(text)
    return None if digit is None else Press(digit, _duration(duration[1] if duration else ""))


_SIGNAL = re.compile(r"(?im)(?:\bsignal|^d)[ \t]*+[=:][ \t]*+\"?+([0-9A-D*#]{1,2}+)(?![0-9A-D*#])").search
_DURATION = re.compile(r"(?i)\bduration[ \t]*+[=:][ \t]*+\"?+([0-9]++)").search


def info_body(digit: str, duration_ms: int) -> bytes:
    """The `application/dtmf-relay` body for a digit; ValueError when it is none."""
    return f"Signal={DIGITS[event_code(digit)]}\r\nDuration={duration_ms}\r\n".encode()


def _digit(signal: str) -> str | None:
    code = DIGITS.find(signal.upper()) if len(signal) == 1 else _number(signal, 2)
    return DIGITS[code] if code is not None and 0 <= code < len(DIGITS) else None


def _duration(text: str) -> int:
    milliseconds = _number(text, 6)
    return _DEFAULT_MS if milliseconds is None else min(milliseconds, _LONGEST_MS)


def _number(text: str, most_digits: int) -> int | None:
    """A number of 1 to `most_digits` ASCII digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most_digits else None
