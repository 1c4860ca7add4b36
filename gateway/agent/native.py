"""Trunkline's own dialect: control as JSON text, audio as bare binary frames (docs/agents.md).

A binary frame holds nothing but audio in the format that `start` names; a text frame is one JSON object with
a `type`. Fields that one side does not know are ignored by it, so that the dialect can grow.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from gateway.agent.notices import (
    Abandoned,
    Answered,
    BalanceLow,
    Cleared,
    Digit,
    Dropped,
    Flooding,
    Held,
    MarkPassed,
    MarkPlayed,
    Misunderstood,
    Notice,
    Quality,
    RecordingIs,
    TransferFailed,
)
from gateway.agent.protocol import (
    DIGITS,
    MAX_DIGITS,
    MAX_ERRORS,
    MAX_NAME,
    UNREADABLE,
    AgentEvent,
    Audio,
    CallStart,
    Clear,
    Dialect,
    Frame,
    Hangup,
    Malformed,
    Mark,
    Recording,
    SendDigits,
    Transfer,
    bearer,
    not_read,
    text_frame,
)
from gateway.media.audio import L16_8K, L16_16K, ULAW_8K, AudioFormat

__all__ = ["AUDIO_FORMATS", "NativeDialect"]

VERSION = 1
SUBPROTOCOL = "trunkline.v1"
FRAME_MS = 20

AUDIO_FORMATS = {"ulaw_8k": ULAW_8K, "l16_8k": L16_8K, "l16_16k": L16_16K}
"The formats that an agent version can ask for, by the name it does so."

MAX_CONTROL = 65_536
"Bytes of a text message that are looked at."
MAX_REASON = 200
MAX_NUMBER = 64
"Characters of a number, however it is written."
MAX_RING = 600


class NativeDialect(Dialect):
    """One call in our own words, its audio in `audio_format` both ways."""

    name = "native"
    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)

    def __init__(self, audio_format: AudioFormat, secret: str | None = None) -> None:
        self.format = audio_format
        self._secret = secret
        self._errors = 0

    def headers(self, url: str) -> list[tuple[str, str]]:
        """The version's secret as a bearer token (RFC 6750 section 2.1), where it has one."""
        return bearer(self._secret)

    def start(self, call: CallStart) -> list[Frame]:
        """One frame with all that is known of the call. The agent need not answer it."""
        start = {
            "type": "start",
            "version": VERSION,
            "call_id": call.call_id,
            "stream_id": call.stream_id,
            "account_id": call.account_id,
            "direction": call.direction,
            "from": call.from_number,
            "to": call.to_number,
            "agent": {"id": call.agent_id, "version": call.agent_version},
            "audio": _describe(self.format),
            "parameters": dict(call.parameters),
        }
        return [text_frame(start)]

    def audio(self, payload: bytes) -> Frame:
        """The audio itself."""
        return False, payload

    def notice(self, notice: Notice) -> list[Frame]:
        """A message for each, of errors for the first hundred in a call."""
        if isinstance(notice, Misunderstood):
            self._errors += 1
            if self._errors > MAX_ERRORS:
                return []
        return [text_frame(message) for message in _messages(notice)]

    def stop(self, reason: str, by: str) -> list[Frame]:
        """`stop`: the last frame of the call."""
        return [text_frame({"type": "stop", "reason": reason, "by": by})]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """Binary is audio; text is one of the words below, all else is `Malformed`."""
        if not text:
            return (Audio(payload),) if payload else ()
        if len(payload) > MAX_CONTROL:
            return (Malformed(f"a text message of {len(payload)} bytes"),)
        try:
            return (_decoder.decode(payload).event(),)
        except UNREADABLE as error:
            return not_read(error)


def _messages(notice: Notice) -> list[dict[str, object]]:  # noqa: C901 - a line or two a notice
    """What says it: one message, but for audio that nobody heard, which had marks of its own."""
    match notice:
        case Answered():
            return [{"type": "answered"}]
        case Digit(digit, duration_ms):
            return [{"type": "digit", "digit": digit, "duration_ms": duration_ms}]
        case MarkPlayed(name):
            return [_mark(name, played=True)]
        case MarkPassed(name):
            return [_mark(name, played=False)]
        case Cleared(names, milliseconds):
            return _unheard(names, milliseconds)
        case Abandoned(names, milliseconds):
            return _unheard(names, milliseconds) if names or milliseconds else []
        case Dropped(milliseconds):
            return [{"type": "dropped", "ms": milliseconds}]
        case Held(held):
            return [{"type": "hold" if held else "resume"}]
        case Quality(figures):
            return [{"type": "quality", **figures}]
        case BalanceLow(seconds):
            return [{"type": "balance_low", "seconds": round(seconds)}]
        case RecordingIs(state, why):
            return [{"type": "recording", "state": state, **({"why": why} if why else {})}]
        case TransferFailed(to, reason, why):
            return [{"type": "transfer_failed", "to": to, "reason": reason, "message": why}]
        case Misunderstood(why) | Flooding(why):
            return [{"type": "error", "message": why}]


def _mark(name: str, *, played: bool) -> dict[str, object]:
    return {"type": "mark", "name": name, "played": played}


def _unheard(names: Sequence[str], milliseconds: int) -> list[dict[str, object]]:
    """What became of marks that were dropped, then the audio that was dropped with them."""
    return [*(_mark(name, played=False) for name in names), {"type": "cleared", "ms": milliseconds}]


def _describe(audio_format: AudioFormat) -> dict[str, object]:
    return {
        "encoding": audio_format.encoding,
        "sample_rate": audio_format.rate,
        "channels": 1,
        "frame_ms": FRAME_MS,
    }


class _Mark(msgspec.Struct, tag_field="type", tag="mark"):
    name: str

    def event(self) -> AgentEvent:
        if len(self.name) > MAX_NAME:
            return Malformed(f"a mark with a name of {len(self.name)} characters")
        return Mark(self.name)


class _Clear(msgspec.Struct, tag_field="type", tag="clear"):
    def event(self) -> AgentEvent:
        return Clear()


class _Digits(msgspec.Struct, tag_field="type", tag="digits"):
    digits: str

    def event(self) -> AgentEvent:
        if not 0 < len(self.digits) <= MAX_DIGITS or not DIGITS.issuperset(self.digits):
            return Malformed(f"digits are 1 to {MAX_DIGITS} of 0-9*#A-D")
        return SendDigits(self.digits)


class _Hangup(msgspec.Struct, tag_field="type", tag="hangup"):
    reason: str = ""

    def event(self) -> AgentEvent:
        return Hangup(self.reason[:MAX_REASON])


class _RecordingStart(msgspec.Struct, tag_field="type", tag="recording.start"):
    def event(self) -> AgentEvent:
        return Recording("start")


class _RecordingPause(msgspec.Struct, tag_field="type", tag="recording.pause"):
    def event(self) -> AgentEvent:
        return Recording("pause")


class _RecordingResume(msgspec.Struct, tag_field="type", tag="recording.resume"):
    def event(self) -> AgentEvent:
        return Recording("resume")


class _RecordingStop(msgspec.Struct, tag_field="type", tag="recording.stop"):
    def event(self) -> AgentEvent:
        return Recording("stop")


class _Transfer(msgspec.Struct, tag_field="type", tag="transfer"):
    to: str
    caller_id: str | None = None
    ring_seconds: int | None = None

    def event(self) -> AgentEvent:
        if not 0 < len(self.to) <= MAX_NUMBER or len(self.caller_id or "") > MAX_NUMBER:
            return Malformed(f"a number to transfer to has 1 to {MAX_NUMBER} characters")
        if self.ring_seconds is not None and not 5 <= self.ring_seconds <= MAX_RING:
            return Malformed(f"ring_seconds is 5 to {MAX_RING}")
        return Transfer(self.to, self.caller_id, self.ring_seconds)


_RecordingWords: TypeAlias = _RecordingStart | _RecordingPause | _RecordingResume | _RecordingStop
_Incoming: TypeAlias = _Mark | _Clear | _Digits | _Hangup | _Transfer | _RecordingWords
_decoder: msgspec.json.Decoder[_Incoming] = msgspec.json.Decoder(_Incoming)
