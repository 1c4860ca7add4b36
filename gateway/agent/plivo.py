"""Plivo Audio Streaming, as its bidirectional `<Stream>` speaks it.

Numbers are numbers here, but `timestamp` and `extra_headers` are strings; `start` is the first frame and the
end of the connection the last word. Plivo's own SDKs take an event that they do not know for an error, so
nothing is said that Plivo does not say.
"""

import hmac
import json
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway.agent.foreign import ForeignAudio
from gateway.agent.identity import account_token, uuid_text
from gateway.agent.notices import Cleared, Digit, MarkPassed, MarkPlayed, Notice
from gateway.agent.protocol import (
    DIGITS,
    MAX_DIGITS,
    MAX_MESSAGE,
    MAX_NAME,
    UNREADABLE,
    AgentEvent,
    Audio,
    CallStart,
    Clear,
    Dialect,
    Frame,
    Malformed,
    Mark,
    SendDigits,
    not_ours,
    not_read,
    not_taken,
    text_frame,
)
from gateway.media.audio import L16_8K, L16_16K, ULAW_8K, AudioFormat

__all__ = ["AUDIO_FORMATS", "PlivoDialect", "signature_v3"]

AUDIO_FORMATS = {"ulaw_8k": ULAW_8K, "l16_8k": L16_8K, "l16_16k": L16_16K}

CONTENT_TYPES = {"ulaw": "audio/x-mulaw", "l16": "audio/x-l16"}
ENCODINGS = {"audio/x-mulaw": "ulaw", "audio/x-l16": "l16", "wav": "l16", "audio/wav": "l16"}
"What agents call their audio. Those that say `wav` send samples without a header, or a whole file."
PLAYED = {(str(each.encoding), str(each.rate)): each for each in (ULAW_8K, L16_8K, L16_16K)}
"What Plivo plays."
FRAME_MS = 20


class PlivoDialect(Dialect):
    """One call in Plivo's words. Without a secret the upgrade is not signed."""

    name = "plivo"

    def __init__(
        self, audio_format: AudioFormat = ULAW_8K, secret: str | None = None, nonce: str = ""
    ) -> None:
        self.format = audio_format
        self._secret = secret
        self._nonce = nonce
        self._stream_id: str | None = None
        self._sequence = -1
        self._chunk = 0
        self._sent_bytes = 0
        self._bytes_per_ms = audio_format.bytes_per_ms
        self._media = b""
        self._content_type = CONTENT_TYPES[audio_format.encoding]
        self._rates: tuple[int | str, ...] = (audio_format.rate, str(audio_format.rate))
        self._foreign = ForeignAudio(audio_format)

    def headers(self, url: str) -> list[tuple[str, str]]:
        """`X-Plivo-Signature-V3`, over the URL as servers with and without TLS of their own know it.

        Validators take `https` or `http`, by what they see of a proxy, and refuse `wss`; any one of several
        signatures under one nonce does for them.
        """
        if self._secret is None:
            return []
        rest = url.partition("://")[2]
        signed = [
            signature_v3(f"{scheme}://{rest}", self._nonce, self._secret) for scheme in ("https", "http")
        ]
        both = ",".join(signed)
        return [
            ("X-Plivo-Signature-V3", both),
            ("X-Plivo-Signature-Ma-V3", both),
            ("X-Plivo-Signature-V3-Nonce", self._nonce),
        ]

    def start(self, call: CallStart) -> list[Frame]:
        """`start`, and 20 ms of silence: some consumers read two frames before they listen to any."""
        self._stream_id = stream = uuid_text(call.stream_id)
        self._media = (
            b'{"event":"media","sequenceNumber":%%d,"streamId":"%b","media":{"track":"inbound",'
            b'"timestamp":"%%d","chunk":%%d,"payload":"%%b"},"extra_headers":"{}"}' % stream.encode()
        )
        numbers = {"from_number": call.from_number, "to_number": call.to_number}
        self._sequence += 1
        start = {
            "event": "start",
            "sequenceNumber": self._sequence,
            "start": {
                "callId": uuid_text(call.call_id),
                "streamId": stream,
                "accountId": account_token("MA", call.account_id),
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": self._content_type, "sampleRate": self.format.rate},
            },
            "extra_headers": json.dumps({**call.parameters, **numbers}),
        }
        return [text_frame(start), self.audio(self.format.silence(FRAME_MS))]

    def audio(self, payload: bytes) -> Frame:
        """HOT: a `media` frame, stamped with the milliseconds of audio before it."""
        self._sequence += 1
        self._chunk += 1
        timestamp = self._sent_bytes // self._bytes_per_ms
        self._sent_bytes += len(payload)
        encoded = b2a_base64(payload, newline=False)
        return True, self._media % (self._sequence, timestamp, self._chunk, encoded)

    def notice(self, notice: Notice) -> list[Frame]:
        """`dtmf`, `playedStream`, and `clearedAudio` once, without the checkpoints that were dropped."""
        match notice:
            case Digit(digit, _):
                return [self._key(digit)]
            case MarkPlayed(name) | MarkPassed(name):
                return [self._message("playedStream", name=name)]
            case Cleared():
                return [self._message("clearedAudio")]
            case _:
                return []

    def _key(self, digit: str) -> Frame:
        """A `dtmf` frame; it has no place for the duration."""
        timestamp = str(self._sent_bytes // self._bytes_per_ms)
        pressed = {"track": "inbound", "digit": digit, "timestamp": timestamp}
        return self._message("dtmf", dtmf=pressed, extra_headers="{}")

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: `playAudio`, `checkpoint`, `clearAudio`, `sendDTMF`; everything else is `Malformed`."""
        if not text or len(payload) > MAX_MESSAGE:
            return not_taken(text, payload)
        try:
            message = _decoder.decode(payload)
        except UNREADABLE as error:
            return not_read(error)
        # Plivo's own SDKs leave it out of `playAudio`.
        if message.stream_id is not None and message.stream_id != self._stream_id:
            return not_ours("streamId", message.stream_id)
        if isinstance(message, _PlayAudio):
            media = message.media
            if media.content_type == self._content_type and media.sample_rate in self._rates:
                return (Audio(media.payload),) if media.payload else ()
            return (self._other_audio(media),) if media.payload else ()
        if isinstance(message, _ClearAudio):
            self._foreign.forget()
        return (message.event(),)

    def _other_audio(self, media: "_Media") -> AgentEvent:
        kind = (media.content_type or self._content_type).partition(";")[0].strip().lower()
        if kind in ("wav", "audio/wav") and media.payload[:4] == b"RIFF":
            return self._foreign.take_wav(media.payload)
        encoding = ENCODINGS.get(kind)
        if encoding is None:
            return Malformed(f"contentType {kind[:40]!r} is not audio/x-mulaw or audio/x-l16")
        rate = self.format.rate if media.sample_rate is None else media.sample_rate
        source = PLAYED.get((encoding, str(rate)))
        if source is None:
            return Malformed(f"{kind} with sampleRate {str(rate)[:20]}: μ-law is 8000, l16 8000 or 16000")
        return self._foreign.take(source, media.payload)

    def _message(self, event: str, **body: object) -> Frame:
        self._sequence += 1
        head = {"event": event, "sequenceNumber": self._sequence, "streamId": self._stream_id}
        return text_frame({**head, **body})


def signature_v3(url: str, nonce: str, auth_token: str) -> str:
    """Plivo's signature of a GET request for a URL: its query sorted and not escaped, a dot, the nonce."""
    parts = urlsplit(url)
    pairs = sorted(parse_qs(parts.query, keep_blank_values=True).items())
    query = "&".join(f"{key}={value}" for key, values in pairs for value in sorted(values))
    host = parts.netloc.rpartition("@")[2]
    base = f"{parts.scheme}://{host}{parts.path}" + (f"?{query}" if query else "")
    return b64encode(hmac.digest(auth_token.encode(), f"{base}.{nonce}".encode(), "sha256")).decode()


class _Media(msgspec.Struct, gc=False):
    payload: bytes
    content_type: str | None = msgspec.field(name="contentType", default=None)
    sample_rate: int | str | None = msgspec.field(name="sampleRate", default=None)


class _PlayAudio(msgspec.Struct, tag_field="event", tag="playAudio", gc=False):
    media: _Media
    stream_id: str | None = msgspec.field(name="streamId", default=None)


class _Checkpoint(msgspec.Struct, tag_field="event", tag="checkpoint"):
    name: str
    stream_id: str | None = msgspec.field(name="streamId", default=None)

    def event(self) -> AgentEvent:
        if len(self.name) > MAX_NAME:
            return Malformed(f"a checkpoint with a name of {len(self.name)} characters")
        return Mark(self.name)


class _ClearAudio(msgspec.Struct, tag_field="event", tag="clearAudio"):
    stream_id: str | None = msgspec.field(name="streamId", default=None)

    def event(self) -> AgentEvent:
        return Clear()


class _SendDtmf(msgspec.Struct, tag_field="event", tag="sendDTMF"):
    dtmf: str
    stream_id: str | None = msgspec.field(name="streamId", default=None)

    def event(self) -> AgentEvent:
        digits = self.dtmf.upper()
        if not 0 < len(digits) <= MAX_DIGITS or not DIGITS.issuperset(digits):
            return Malformed(f"dtmf is 1 to {MAX_DIGITS} of 0-9*#A-D")
        return SendDigits(digits)


_Incoming: TypeAlias = _PlayAudio | _Checkpoint | _ClearAudio | _SendDtmf
_decoder: msgspec.json.Decoder[_Incoming] = msgspec.json.Decoder(_Incoming)
