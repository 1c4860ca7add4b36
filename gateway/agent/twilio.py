"""Twilio Media Streams, as its bidirectional `<Connect><Stream>` speaks it (protocol `Call`, version 1.0.0).

Numbers are strings here unless the protocol has them otherwise; `sequenceNumber` counts every message from
`start` on, without a gap.
"""

import hmac
from base64 import b64encode
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
    not_ours,
    not_read,
    not_taken,
    text_frame,
)
from gateway.agent.twilio_like import ClearMessage, MarkMessage, MarksComeBack, MediaMessage
from gateway.media.audio import ULAW_8K, AudioFormat

__all__ = ["TwilioDialect", "account_sid", "call_sid", "stream_sid"]


def call_sid(call_id: str) -> str:
    """The `CA…` that agents know this call by."""
    return sid("CA", call_id)


def stream_sid(stream_id: str) -> str:
    """The `MZ…` that stands in every frame of this stream."""
    return sid("MZ", stream_id)


def account_sid(account_id: str) -> str:
    """The `AC…` that agents know this workspace by."""
    return sid("AC", account_id)


class TwilioDialect(MarksComeBack):
    """One call in Twilio's words. Without a secret the upgrade is not signed.

    It has no word for holds, dropped audio and errors: Twilio reports those elsewhere, not on the stream.
    """

    name = "twilio"
    format: AudioFormat = ULAW_8K

    def __init__(self, secret: str | None = None, signed_url: str = "as_configured") -> None:
        self._secret = secret
        self._signs_http = signed_url == "https"
        self._stream_sid: str | None = None
        self._call_sid = ""
        self._account_sid = ""
        self._sequence = 0
        self._chunk = 0
        self._sent_bytes = 0
        self._media = b""

    def headers(self, url: str) -> list[tuple[str, str]]:
        """`X-Twilio-Signature` over the URL exactly as it was configured, or as HTTP servers know it.

        Twilio's own validators do not take the two for the same, and servers give them either.
        """
        if self._secret is None:
            return []
        if self._signs_http:
            url = "http" + url.removeprefix("ws")
        signature = hmac.digest(self._secret.encode(), url.encode(), "sha1")
        return [("X-Twilio-Signature", b64encode(signature).decode())]

    def start(self, call: CallStart) -> list[Frame]:
        """`connected`, which has no sequence number, and `start`, which has the first."""
        self._stream_sid = stream = stream_sid(call.stream_id)
        self._call_sid = call_sid(call.call_id)
        self._account_sid = account_sid(call.account_id)
        self._media = (
            b'{"event":"media","sequenceNumber":"%%d","streamSid":"%b","media":{"track":"inbound",'
            b'"chunk":"%%d","timestamp":"%%d","payload":"%%b"}}' % stream.encode()
        )
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return [text_frame(connected), self._message("start", self._start_body(call))]

    def _start_body(self, call: CallStart) -> dict[str, object]:
        # Frameworks read the numbers from these two parameters; Twilio itself has no field for them.
        numbers = {"from_number": call.from_number, "to_number": call.to_number}
        return {
            "streamSid": self._stream_sid,
            "accountSid": self._account_sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {**call.parameters, **numbers},
        }

    def audio(self, payload: bytes) -> Frame:
        """A `media` frame, stamped with the milliseconds of audio before it."""
        self._sequence += 1
        self._chunk += 1
        timestamp = self._sent_bytes >> 3
        self._sent_bytes += len(payload)
        encoded = b2a_base64(payload, newline=False)
        return True, self._media % (self._sequence, self._chunk, timestamp, encoded)

    def stop(self, reason: str, by: str) -> list[Frame]:
        """A `stop` frame; it has no place for the reason."""
        return [self._message("stop", {"accountSid": self._account_sid, "callSid": self._call_sid})]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """`media`, `mark` and `clear` of this stream; everything else is `Malformed`."""
        if not text or len(payload) > MAX_MESSAGE:
            return not_taken(text, payload)
        try:
            message = _decoder.decode(payload)
        except UNREADABLE as error:
            return not_read(error)
        if message.stream_sid != self._stream_sid:
            return not_ours("streamSid", message.stream_sid)
        return message.events()

    def _key(self, digit: str, duration_ms: int) -> dict[str, object]:
        return {"track": "inbound_track", "digit": digit}  # no place for the duration

    def _message(self, event: str, body: dict[str, object]) -> Frame:
        self._sequence += 1
        head = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self._stream_sid}
        return text_frame({**head, event: body})


class _Media(MediaMessage):
    stream_sid: str = msgspec.field(name="streamSid")


class _Mark(MarkMessage):
    stream_sid: str = msgspec.field(name="streamSid")


class _Clear(ClearMessage):
    stream_sid: str = msgspec.field(name="streamSid")


_Incoming: TypeAlias = _Media | _Mark | _Clear
_decoder: msgspec.json.Decoder[_Incoming] = msgspec.json.Decoder(_Incoming)
