"""Stereo WAV as a recording is written: two mono channels woven together, behind a head of fixed length."""

import struct
from array import array

from gateway.media.audio import AudioFormat, converter

HEAD_BYTES = 44
"Bytes before the samples: RIFF, one `fmt ` chunk of plain PCM, and the head of `data`."

FRAME_BYTES = 4
"Bytes of one sample of both channels."

MAX_DATA = 0xFFFFFFFF - HEAD_BYTES
"Bytes of samples that a WAV file can tell of: 37 hours at 8 kHz."

RATES = (8000, 16000)
"Samples a second that recordings have."

_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
_RATE_AT, _DATA_AT = 24, 40


def stereo_head(rate: int, data_bytes: int) -> bytes:
    """The head of a stereo file of 16 bit PCM with so many bytes of samples."""
    return _HEAD.pack(
        b"RIFF",
        data_bytes + HEAD_BYTES - 8,
        b"WAVE",
        b"fmt ",
        16,
        1,
        2,
        rate,
        rate * FRAME_BYTES,
        FRAME_BYTES,
        16,
        b"data",
        data_bytes,
    )


def rate_in(head: bytes) -> int:
    """Samples a second of a file with this head; ValueError where it is none that `stereo_head` made."""
    if len(head) == HEAD_BYTES:
        rate, data_bytes = struct.unpack_from("<I", head, _RATE_AT) + struct.unpack_from("<I", head, _DATA_AT)
        if rate in RATES and data_bytes <= MAX_DATA and head == stereo_head(rate, data_bytes):
            return int(rate)
    raise ValueError("not the head of a recording")


class StereoWeaver:
    """Makes stereo PCM of one rate out of two channels, whatever format each pair of pieces has."""

    def __init__(self, rate: int) -> None:
        self._target = AudioFormat("l16", rate)
        self._source: AudioFormat | None = None

    def weave(self, audio_format: AudioFormat, left: bytes, right: bytes) -> bytes:
        """Both channels' next pieces, of the same length, as frames of left and right samples."""
        if audio_format.rate == self._target.rate:
            return self._decoded(audio_format, _woven(left, right, audio_format.sample_bytes))
        if audio_format != self._source:
            self._source = audio_format
            # Each channel has its own filter state.
            self._left, self._right = (converter(audio_format, self._target) for _ in "lr")
        assert self._left is not None
        assert self._right is not None
        left, right = self._left(left), self._right(right)
        return _woven(left, right, 2)

    def _decoded(self, audio_format: AudioFormat, woven: bytes) -> bytes:
        decode = converter(AudioFormat(audio_format.encoding, self._target.rate), self._target)
        return woven if decode is None else decode(woven)


def _woven(left: bytes, right: bytes, sample_bytes: int) -> bytes:
    kind = "B" if sample_bytes == 1 else "h"
    both = array(kind, bytes(2 * len(left)))
    both[0::2] = array(kind, left)
    both[1::2] = array(kind, right)
    return both.tobytes()
