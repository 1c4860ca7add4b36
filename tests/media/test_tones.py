"""The ringing tone."""

import numpy as np

from gateway.media.audio import L16_8K
from gateway.media.tones import RINGBACK_SECONDS, ringback


def test_ringing_is_the_precise_tone_plans() -> None:
    """Two pitches for two seconds at -19 dBm0 each, then silence up to the period's end."""
    samples = np.frombuffer(ringback(), "<i2").astype(float)
    assert len(samples) == RINGBACK_SECONDS * L16_8K.rate
    ring, pause = samples[:16_000], samples[16_000:]
    spectrum = np.abs(np.fft.rfft(ring)) / (len(ring) / 2)
    assert {round(at / 2) for at in np.flatnonzero(spectrum > 100)} == {440, 480}
    power = 10 * np.log10(np.mean(ring**2) / (32124**2 / 2)) + 3.17
    assert -17 < power < -15
    assert not pause.any()
