"""Exotel AgentStream, as its Voicebot applet speaks it: 16 bit PCM in base64, little-endian.

Exotel counts in numbers, but describes its audio in strings. It plays an agent's chunks without a gap only
where they are whole multiples of 320 bytes, of 3,200 to 100,000; here any length does.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from gateway.agent.identity import sid
from gateway.agent.protocol import (
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
from gateway.media.audio import L16_8K, L16_16K, L16_24K, AudioFormat

__all__ = ["AUDIO_FORMATS", "ExotelDialect"]

AUDIO_FORMATS = {"l16_8k": L16_8K, "l16_16k": L16_16K, "l16_24k": L16_24K}


class ExotelDialect(MarksComeBack):
    """One call in Exotel's words. Exotel signs nothing: a secret goes along as a bearer token."""

    name = "exotel"

    def __init__(self, audio_format: AudioFormat = L16_8K, secret: str | None = None) -> None:
        self.format = audio_format
        self._secret = secret
        self._stream_sid: str | None = None
        self._call_sid = ""
        self._account_sid = ""
        self._sequence = 0
        self._chunk = 0
        self._sent_bytes = 0
        self._bytes_per_ms = audio_format.bytes_per_ms
        self._media = b""

    def headers(self, url: str) -> list[tuple[str, str]]:
        """The secret as a bearer token; a login in the URL goes as Exotel's does, by basic authentication."""
        return bearer(self._secret)

    def start(self, call: CallStart) -> list[Frame]:
        """`connected`, which has no sequence number, and `start`, which has the first."""
        self._stream_sid = stream = sid("", call.stream_id)
        self._call_sid = sid("", call.call_id)
        self._account_sid = call.account_id
        self._media = (
            b'{"event":"media","sequence_number":%%d,"stream_sid":"%b","media":{"chunk":%%d,'
            b'"timestamp":"%%d","payload":"%%b"}}' % stream.encode()
        )
        return [text_frame({"event": "connected"}), self._message("start", self._body(call))]

    def _body(self, call: CallStart) -> dict[str, object]:
        return {
            "stream_sid": self._stream_sid,
            "call_sid": self._call_sid,
            "account_sid": self._account_sid,
            "from": call.from_number,
            "to": call.to_number,
            "custom_parameters": dict(call.parameters),
            "media_format": {
                "encoding": "audio/x-raw",
                "sample_rate": str(self.format.rate),
                "bit_rate": "16",
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

    def stop(self, reason: str, by: str) -> list[Frame]:
        """A `stop` frame, with the one of Exotel's two reasons that fits."""
        why = "stopped" if by == "agent" else "callended"
        return [
            self._message(
                "stop", {"call_sid": self._call_sid, "account_sid": self._account_sid, "reason": why}
            )
        ]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: `media`, `mark` and `clear`, with or without this stream's SID; the rest is `Malformed`."""
        if not text or len(payload) > MAX_MESSAGE:
            return not_taken(text, payload)
        try:
            message = _decoder.decode(payload)
        except UNREADABLE as error:
            return not_read(error)
        if message.stream_sid is not None and message.stream_sid != self._stream_sid:
            return not_ours("stream_sid", message.stream_sid)
        return message.events()

    def _key(self, digit: str, duration_ms: int) -> dict[str, object]:
        return {"duration": str(duration_ms), "digit": digit}

    def _message(self, event: str, body: dict[str, object]) -> Frame:
        self._sequence += 1
        head = {"event": event, "sequence_number": self._sequence, "stream_sid": self._stream_sid}
        return text_frame({**head, event: body})


class _Media(MediaMessage):
    stream_sid: str | None = None


class _Mark(MarkMessage):
    stream_sid: str | None = None


class _Clear(ClearMessage):
    stream_sid: str | None = None


_Incoming: TypeAlias = _Media | _Mark | _Clear
_decoder: msgspec.json.Decoder[_Incoming] = msgspec.json.Decoder(_Incoming)
