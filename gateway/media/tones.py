"""What is heard while a number rings."""

from functools import cache
from math import pi, sin
from struct import pack

from gateway.media.audio import L16_8K

__all__ = ["RINGBACK_SECONDS", "ringback"]

RINGBACK_SECONDS = 6.0
"One ring and the pause after it."
RING_SECONDS = 2.0
PITCHES = (440.0, 480.0)
LEVEL = 2400
"Of each of the two pitches, -19 dBm0: the precise tone plan's value."


@cache
def ringback() -> bytes:
    """One ring of the precise tone plan (ITU-T E.180 supplement 2, North America), and its pause, as L16."""
    rate = L16_8K.rate
    ring = [
        round(sum(LEVEL * sin(2 * pi * pitch * at / rate) for pitch in PITCHES))
        for at in range(int(RING_SECONDS * rate))
    ]
    pause = L16_8K.silence(round(1000 * (RINGBACK_SECONDS - RING_SECONDS)))
    return pack(f"<{len(ring)}h", *ring) + pause
