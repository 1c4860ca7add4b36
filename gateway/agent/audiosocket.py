"""Asterisk's AudioSocket: frames of one byte of kind and two of length, on a bare TCP connection.

There is no clear, no mark and no answer in it: an agent paces its audio itself, or lives with its queue.
"""

import struct
from collections.abc import Sequence

from gateway.agent.foreign import ForeignAudio
from gateway.agent.identity import uuid_bytes
from gateway.agent.notices import Digit, Notice
from gateway.agent.protocol import (
    DIGITS,
    AgentEvent,
    Audio,
    CallStart,
    Dialect,
    Frame,
    Hangup,
    Malformed,
    SendDigits,
)
from gateway.media.audio import L16_8K, L16_16K, L16_24K, L16_48K, AudioFormat

__all__ = ["AUDIO_FORMATS", "AudioSocketDialect"]

AUDIO_FORMATS = {"l16_8k": L16_8K, "l16_16k": L16_16K, "l16_24k": L16_24K, "l16_48k": L16_48K}

HANGUP, IDENTITY, DIGIT, ERROR = 0x00, 0x01, 0x03, 0xFF
RATES = {
    0x10: 8000,
    0x11: 12000,
    0x12: 16000,
    0x13: 24000,
    0x14: 32000,
    0x15: 44100,
    0x16: 48000,
    0x17: 96000,
    0x18: 192000,
}
"Kinds of audio by their rates, always 16 bit, little-endian, mono."
FRAME_MS = 20

_HEAD = struct.Struct(">BH")


class AudioSocketDialect(Dialect):
    """One call on one TCP connection. There is no upgrade, so nothing proves who we are."""

    name = "audiosocket"

    def __init__(self, audio_format: AudioFormat = L16_8K) -> None:
        self.format = audio_format
        self._kind = next(kind for kind, rate in RATES.items() if rate == audio_format.rate)
        self._usual = audio_format.bytes_per_ms * FRAME_MS
        self._usual_head = _HEAD.pack(self._kind, self._usual)
        self._buffer = b""
        self._foreign = ForeignAudio(audio_format)

    def start(self, call: CallStart) -> list[Frame]:
        """The call's UUID."""
        return [_frame(IDENTITY, uuid_bytes(call.call_id))]

    def audio(self, payload: bytes) -> Frame:
        """HOT: the audio with its head."""
        if len(payload) == self._usual:
            return False, self._usual_head + payload
        return _frame(self._kind, payload)

    def notice(self, notice: Notice) -> list[Frame]:
        """A digit as a character, without its duration; for all else there is no word."""
        return [_frame(DIGIT, notice.digit.encode())] if isinstance(notice, Digit) else []

    def stop(self, reason: str, by: str) -> list[Frame]:
        """The call is over."""
        return [_frame(HANGUP, b"")]

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: the frames that are whole now; the rest waits for its end, 64 kB at most."""
        data = self._buffer + payload if self._buffer else payload
        events: list[AgentEvent] = []
        start, length = 0, len(data)
        while start + 3 <= length:
            end = start + 3 + (data[start + 1] << 8 | data[start + 2])
            if end > length:
                break
            if data[start] == self._kind:
                if end > start + 3:
                    events.append(Audio(data[start + 3 : end]))
            else:
                events.append(self._other(data[start], data[start + 3 : end]))
            start = end
        self._buffer = data[start:] if start < length else b""
        return events

    def _other(self, kind: int, content: bytes) -> AgentEvent:
        if kind == HANGUP:
            return Hangup("")
        if kind in RATES:
            return self._foreign.take(AudioFormat("l16", RATES[kind]), content)
        if kind == DIGIT and content.decode("latin-1") in DIGITS:
            return SendDigits(content.decode())
        if kind == ERROR:
            return Malformed(f"the agent reports error 0x{content[:8].hex() or '00'}")
        return Malformed(f"a frame of kind 0x{kind:02x} with {len(content)} bytes")


def _frame(kind: int, content: bytes) -> Frame:
    return False, _HEAD.pack(kind, len(content)) + content
