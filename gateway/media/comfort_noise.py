"""Comfort noise (RFC 3389): what a peer that sends nothing in pauses wants them to sound like."""

from array import array
from functools import cache

from gateway.media.audio import AudioFormat, amplified, from_l16

PAYLOAD_TYPE = 13
"Static for a clock of 8000 (RFC 3551 table 4)."
NAME = "CN"
CLOCK_RATE = 8000

_PERIOD = 16_000
"Samples after which the noise repeats itself, which nobody hears."
_FULL_SCALE = 32767.0
_UNIT = 4096
"Root mean square of the noise before it is made louder or fainter."


def level_in(payload: bytes) -> int | None:
    """The noise's level in -dBov, 0 to 127; None where there is none. The spectrum behind it is not used."""
    return payload[0] & 0x7F if payload else None


class ComfortNoise:
    """Noise of one level in one format, from one moment to the next."""

    __slots__ = ("_at", "_audio", "level")

    def __init__(self, level: int, audio_format: AudioFormat) -> None:
        self.level = level
        gain = _FULL_SCALE * 10 ** (-level / 20) / _UNIT
        self._audio = from_l16(amplified(_white(), gain), audio_format)
        self._at = 0

    def more(self, count: int) -> bytes:
        """The next `count` bytes."""
        start = self._at
        self._at = (start + count) % len(self._audio)
        piece = self._audio[start : start + count]
        while len(piece) < count:
            piece += self._audio[: count - len(piece)]
        return piece


@cache
def _white() -> bytes:
    """The same noise in every call: a table, made by a linear congruence (Numerical Recipes' numbers)."""
    state, samples = 3389, array("h")
    spread = _UNIT * 3**0.5  # of an even distribution with that root mean square
    for _ in range(_PERIOD):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        samples.append(round((state / 2**31 - 1) * spread))
    return samples.tobytes()
