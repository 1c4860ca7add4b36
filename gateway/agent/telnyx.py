"""Telnyx media streaming over WebSocket, with `stream_bidirectional_mode` `rtp`.

Much as Twilio's, in snake case: numbers that count are strings, those that describe the audio are not. `L16`
is little-endian, as at every framework that consumes it, whatever RFC 3551 has for RTP.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from gateway.agent.identity import control_token, uuid_text
from gateway.agent.notices import Flooding, Misunderstood, Notice
from gateway.agent.protocol import (
    MAX_ERRORS,
    MAX_MESSAGE,
    UNREADABLE,
    AgentEvent,
    CallStart,
    Frame,
    bearer,
    not_ours,
    not_read,
    not_taken,
    text_frame,
)
from gateway.agent.twilio_like import ClearMessage, MarkMessage, MarksComeBack, MediaMessage
from gateway.media.audio import ALAW_8K, L16_8K, L16_16K, ULAW_8K, AudioFormat

__all__ = ["AUDIO_FORMATS", "TelnyxDialect"]

AUDIO_FORMATS = {"ulaw_8k": ULAW_8K, "alaw_8k": ALAW_8K, "l16_8k": L16_8K, "l16_16k": L16_16K}

ENCODINGS = {"ulaw": "PCMU", "alaw": "PCMA", "l16": "L16"}
MALFORMED_FRAME = 100_003
"Telnyx's own code for it."


class TelnyxDialect(MarksComeBack):
    """One call in Telnyx's words. Telnyx signs nothing: a secret goes along as a bearer token."""

    name = "telnyx"

    def __init__(self, audio_format: AudioFormat = ULAW_8K, secret: str | None = None) -> None:
        self.format = audio_format
        self._secret = secret
        self._stream_id: str | None = None
        self._call_control_id = ""
        self._user_id = ""
        self._sequence = 0
        self._chunk = 0
        self._sent_bytes = 0
        self._bytes_per_ms = audio_format.bytes_per_ms
        self._media = b""
        self._errors = 0

    def headers(self, url: str) -> list[tuple[str, str]]:
        """The secret as a bearer token."""
        return bearer(self._secret)

    def start(self, call: CallStart) -> list[Frame]:
        """`connected`, which has no sequence number, and `start`, which has the first."""
        self._stream_id = stream = uuid_text(call.stream_id)
        self._call_control_id = control_token("v3:", call.call_id)
        self._user_id = uuid_text(call.account_id)
        self._media = (
            b'{"event":"media","sequence_number":"%%d","stream_id":"%b","media":{"track":"inbound",'
            b'"chunk":"%%d","timestamp":"%%d","payload":"%%b"}}' % stream.encode()
        )
        return [
            text_frame({"event": "connected", "version": "1.0.0"}),
            self._message("start", self._body(call)),
        ]

    def _body(self, call: CallStart) -> dict[str, object]:
        return {
            "user_id": self._user_id,
            "call_control_id": self._call_control_id,
            "call_session_id": uuid_text(call.call_id),
            "from": call.from_number,
            "to": call.to_number,
            "tags": [],
            "client_state": None,
            "custom_parameters": dict(call.parameters),
            "media_format": {
                "encoding": ENCODINGS[self.format.encoding],
                "sample_rate": self.format.rate,
                "channels": 1,
            },
        }

    def audio(self, payload: bytes) -> Frame:
        """HOT: a `media` frame, stamped with the milliseconds of audio before it."""
        self._sequence += 1
        self._chunk += 1
        timestamp = self._sent_bytes // self._bytes_per_ms
        self._sent_bytes += len(payload)
        encoded = b2a_base64(payload, newline=False)
        return True, self._media % (self._sequence, self._chunk, timestamp, encoded)

    def notice(self, notice: Notice) -> list[Frame]:
        """Besides keys and marks, `error`."""
        if isinstance(notice, Misunderstood | Flooding):
            return self._complain(notice.why)
        return super().notice(notice)

    def _complain(self, why: str) -> list[Frame]:
        """`error` with Telnyx's code of a malformed frame, for the first hundred of them in a call."""
        self._errors += 1
        if self._errors > MAX_ERRORS:
            return []
        problem = {"code": MALFORMED_FRAME, "title": "malformed_frame", "detail": why}
        return [text_frame({"event": "error", "stream_id": self._stream_id, "payload": problem})]

    def stop(self, reason: str, by: str) -> list[Frame]:
        """A `stop` frame; it has no place for the reason."""
        return [self._message("stop", {"user_id": self._user_id, "call_control_id": self._call_control_id})]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: `media`, `mark` and `clear`, with or without this stream's id; the rest is `Malformed`."""
        if not text or len(payload) > MAX_MESSAGE:
            return not_taken(text, payload)
        try:
            message = _decoder.decode(payload)
        except UNREADABLE as error:
            return not_read(error)
        if message.stream_id is not None and message.stream_id != self._stream_id:
            return not_ours("stream_id", message.stream_id)
        return message.events()

    def _key(self, digit: str, duration_ms: int) -> dict[str, object]:
        return {"digit": digit}  # no place for the duration

    def _message(self, event: str, body: dict[str, object]) -> Frame:
        self._sequence += 1
        head = {"event": event, "sequence_number": str(self._sequence), "stream_id": self._stream_id}
        return text_frame({**head, event: body})


class _Media(MediaMessage):
    stream_id: str | None = None


class _Mark(MarkMessage):
    stream_id: str | None = None


class _Clear(ClearMessage):
    stream_id: str | None = None


_Incoming: TypeAlias = _Media | _Mark | _Clear
_decoder: msgspec.json.Decoder[_Incoming] = msgspec.json.Decoder(_Incoming)
