"""Asterisk's `chan_websocket`: audio in binary messages, control in text, as plain words or as JSON.

Asterisk tells the application how full its queue is. A dialect owns no queue: it puts marks of its own
between the agent's audio, and knows by those that come back how much has been played.
"""

from collections.abc import Sequence

import msgspec

from gateway.agent.identity import uuid_text
from gateway.agent.notices import (
    Cleared,
    Digit,
    Dropped,
    Flooding,
    MarkPassed,
    MarkPlayed,
    Misunderstood,
    Notice,
)
from gateway.agent.protocol import (
    MAX_ERRORS,
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
    Pause,
    Reply,
    bearer,
    not_read,
    text_frame,
)
from gateway.media.audio import ALAW_8K, L16_8K, L16_16K, L16_24K, L16_48K, ULAW_8K, AudioFormat

__all__ = ["AUDIO_FORMATS", "COMMANDS", "CONTROL", "AsteriskDialect"]

AUDIO_FORMATS = {
    "ulaw_8k": ULAW_8K,
    "alaw_8k": ALAW_8K,
    "l16_8k": L16_8K,
    "l16_16k": L16_16K,
    "l16_24k": L16_24K,
    "l16_48k": L16_48K,
}
CONTROL = ("text", "json")
"How control is written: `f(plain-text)` or `f(json)` in Asterisk's dial string."

FORMAT_NAMES = {
    ULAW_8K: "ulaw",
    ALAW_8K: "alaw",
    L16_8K: "slin",
    L16_16K: "slin16",
    L16_24K: "slin24",
    L16_48K: "slin48",
}
FRAME_MS = 20
XOFF, XON = 900, 800
"Frames in the queue at which the application is asked to stop, and may go on."
PROGRESS = 25
"Frames between two marks of ours: half a second."
MAX_TEXT = 4096
MAX_ID = 256

MARKED, BUFFERED, PLAYED = "m", "b", "p"
"What a mark stands for, as the first letter of its name: the agent's own, the end of its bulk, nothing."


class AsteriskDialect(Dialect):
    """One call as Asterisk's channel driver tells it. A secret goes along as a bearer token."""

    name = "asterisk"
    subprotocols: tuple[str, ...] = ("media",)

    def __init__(
        self, audio_format: AudioFormat = ULAW_8K, secret: str | None = None, control: str = "text"
    ) -> None:
        self.format = audio_format
        self._secret = secret
        self._json = control == "json"
        self._frame_bytes = audio_format.bytes_per_ms * FRAME_MS
        self._channel_id = ""
        self._errors = 0
        # Positions in the agent's audio, in bytes.
        self._received = 0
        self._played = 0
        self._marked = 0
        self._bulk = False
        self._full = False
        self._paused = False
        self._reports_drained = False
        self._deaf = False  # SET_MEDIA_DIRECTION in: what the application sends is dropped

    def headers(self, url: str) -> list[tuple[str, str]]:
        """The secret as a bearer token; a login in the URL goes by basic authentication, as Asterisk's."""
        return bearer(self._secret)

    def start(self, call: CallStart) -> list[Frame]:
        """`MEDIA_START`; numbers and parameters are channel variables, which only JSON has a place for."""
        self._channel_id = call.call_id
        connection = uuid_text(call.stream_id)
        fields: dict[str, object] = {
            "connection_id": connection,
            "channel": f"WebSocket/trunkline/{connection[:8]}",
            "channel_id": call.call_id,
            "format": FORMAT_NAMES[self.format],
            "optimal_frame_size": self._frame_bytes,
            "ptime": FRAME_MS,
        }
        if not self._json:
            return [_plain("MEDIA_START", fields)]
        numbers = {"from_number": call.from_number, "to_number": call.to_number}
        variables = {"MEDIA_WEBSOCKET_CONNECTION_ID": connection, **call.parameters, **numbers}
        return [text_frame({"event": "MEDIA_START", **fields, "channel_variables": variables})]

    def audio(self, payload: bytes) -> Frame:
        """HOT: the audio itself."""
        return False, payload

    def notice(self, notice: Notice) -> list[Frame]:
        """Keys, marks, complaints, and what follows from a queue that has become shorter."""
        match notice:
            case Digit(digit, _):
                return [self._key(digit)]
            case MarkPlayed(name) | MarkPassed(name):
                return self._reached(name)
            case Cleared():
                # Nothing of what was dropped; the queue is empty now.
                self._played = self._marked = self._received
                return self._shorter()
            case Dropped(milliseconds):
                # What was not taken is not in the queue.
                dropped = milliseconds * self.format.bytes_per_ms
                self._received = max(self._received - dropped, self._played)
            case Misunderstood(why) | Flooding(why):
                return self._complain(why)
        return []

    def _key(self, digit: str) -> Frame:
        """`DTMF_END`; it has no place for the duration."""
        if self._json:
            return self._event("DTMF_END", digit=digit)
        return _plain("DTMF_END", {"digit": digit, "channel_id": self._channel_id})

    def _reached(self, name: str) -> list[Frame]:
        """`MEDIA_MARK_PROCESSED`, `MEDIA_BUFFERING_COMPLETED`, or what follows from a shorter queue."""
        kind, _, rest = name.partition(":")
        position, _, identity = rest.partition(":")
        if position:
            self._played = min(max(self._played, int(position)), self._received)
        commands = []
        if kind == MARKED:
            commands.append(self._correlated("MEDIA_MARK_PROCESSED", identity))
        elif kind == BUFFERED:
            commands.append(self._correlated("MEDIA_BUFFERING_COMPLETED", identity))
        return [*commands, *self._shorter()]

    def _complain(self, why: str) -> list[Frame]:
        """`ERROR`, for the first hundred of them in a call."""
        self._errors += 1
        if self._errors > MAX_ERRORS:
            return []
        if self._json:
            return [self._event("ERROR", error_text=why)]
        return [_plain("ERROR", {"channel_id": self._channel_id, "error_text": why})]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: binary is audio; text is one of Asterisk's commands, all else `Malformed`."""
        if text:
            return self._command(payload)
        if not payload or self._deaf:
            return ()
        self._received += len(payload)
        if self._received - self._marked < PROGRESS * self._frame_bytes and not self._reports_drained:
            return (Audio(payload),)
        return self._watched(payload)

    def _watched(self, payload: bytes) -> Sequence[AgentEvent]:
        """Audio with marks of ours in it, and `MEDIA_XOFF` where it fills the queue."""
        step = PROGRESS * self._frame_bytes
        events: list[AgentEvent] = []
        position = self._received - len(payload)
        for start in range(0, len(payload), step):
            piece = payload[start : start + step]
            position += len(piece)
            events += (Audio(piece), Mark(f"{PLAYED}:{position}:"))
        self._marked = position
        if not self._full and self._queue_length >= XOFF:
            self._full = True
            events.append(Reply([self._event("MEDIA_XOFF")]))
        return events

    @property
    def _queue_length(self) -> int:
        return -(-(self._received - self._played) // self._frame_bytes)

    def _shorter(self) -> list[Frame]:
        commands = []
        if self._full and self._queue_length < XON:
            self._full = False
            commands.append(self._event("MEDIA_XON"))
        if self._reports_drained and self._received == self._played:
            self._reports_drained = False
            commands.append(self._event("QUEUE_DRAINED"))
        return commands

    def _command(self, payload: bytes) -> Sequence[AgentEvent]:
        if len(payload) > MAX_TEXT:
            return (Malformed(f"a text message of {len(payload)} bytes"),)
        try:
            command = _parsed(payload)
        except UNREADABLE as error:
            return not_read(error)
        if len(command.correlation_id) > MAX_ID:
            return (Malformed(f"a correlation_id of {len(command.correlation_id)} characters"),)
        obey = COMMANDS.get(command.command)
        if obey is None:
            return (Malformed(f"{command.command[:40]!r} is no command of chan_websocket"),)
        return obey(self, command)

    def _answer(self, command: "_Command") -> Sequence[AgentEvent]:
        # The call is answered before its agent hears of it.
        return ()

    def _hang_up(self, command: "_Command") -> Sequence[AgentEvent]:
        return (Hangup("HANGUP"),)

    def _start_bulk(self, command: "_Command") -> Sequence[AgentEvent]:
        # Audio of any length is put together always: there is nothing to do but to know it.
        self._bulk = True
        return ()

    def _stop_bulk(self, command: "_Command") -> Sequence[AgentEvent]:
        self._bulk = False
        return (Mark(f"{BUFFERED}:{self._received}:{command.correlation_id}"),)

    def _mark(self, command: "_Command") -> Sequence[AgentEvent]:
        return (Mark(f"{MARKED}:{self._received}:{command.correlation_id}"),)

    def _flush(self, command: "_Command") -> Sequence[AgentEvent]:
        self._bulk = False
        resumed, self._paused = self._paused, False
        return (Clear(), Pause(False)) if resumed else (Clear(),)

    def _pause(self, command: "_Command") -> Sequence[AgentEvent]:
        self._paused = True
        return (Pause(True),)

    def _continue(self, command: "_Command") -> Sequence[AgentEvent]:
        self._paused = False
        return (Pause(False),)

    def _report_drained(self, command: "_Command") -> Sequence[AgentEvent]:
        self._reports_drained = True
        # Comes back at once where nothing is queued.
        return (Mark(f"{PLAYED}:{self._received}:"),)

    def _status(self, command: "_Command") -> Sequence[AgentEvent]:
        figures = {
            "queue_length": self._queue_length,
            "xon_level": XON,
            "xoff_level": XOFF,
            "queue_full": self._full,
            "bulk_media": self._bulk,
            "media_paused": self._paused,
        }
        if self._json:
            return (Reply([self._event("STATUS", **figures)]),)
        words = {name: str(value).lower() for name, value in figures.items()}
        return (Reply([_plain("STATUS", {"channel_id": self._channel_id, **words})]),)

    def _direct(self, command: "_Command") -> Sequence[AgentEvent]:
        if command.direction not in ("both", "in"):
            return (
                Malformed(f"direction {command.direction[:20]!r}: both or in, the caller is always sent"),
            )
        self._deaf = command.direction == "in"
        return ()

    def _event(self, event: str, **fields: object) -> Frame:
        if not self._json:
            return _plain(event, {})
        return text_frame({"event": event, "channel_id": self._channel_id, **fields})

    def _correlated(self, event: str, identity: str) -> Frame:
        if self._json:
            return self._event(event, correlation_id=identity)
        return True, f"{event} {identity}".rstrip().encode()


class _Command(msgspec.Struct):
    command: str
    correlation_id: str = ""
    direction: str = ""


_decoder = msgspec.json.Decoder(_Command)

COMMANDS = {
    "ANSWER": AsteriskDialect._answer,
    "HANGUP": AsteriskDialect._hang_up,
    "START_MEDIA_BUFFERING": AsteriskDialect._start_bulk,
    "STOP_MEDIA_BUFFERING": AsteriskDialect._stop_bulk,
    "FLUSH_MEDIA": AsteriskDialect._flush,
    "PAUSE_MEDIA": AsteriskDialect._pause,
    "CONTINUE_MEDIA": AsteriskDialect._continue,
    "MARK_MEDIA": AsteriskDialect._mark,
    "GET_STATUS": AsteriskDialect._status,
    "REPORT_QUEUE_DRAINED": AsteriskDialect._report_drained,
    "SET_MEDIA_DIRECTION": AsteriskDialect._direct,
}
"All of chan_websocket's; case counts."


def _parsed(payload: bytes) -> _Command:
    """A command in either writing: Asterisk takes one at a time, applications differ."""
    if payload.lstrip()[:1] == b"{":
        return _decoder.decode(payload)
    command, _, rest = payload.decode().strip().partition(" ")
    return _Command(command, rest.strip(), rest.strip())


def _plain(event: str, fields: dict[str, object]) -> Frame:
    return True, " ".join((event, *(f"{name}:{value}" for name, value in fields.items()))).encode()
