"""Something like speech, made from nothing: a voice with pitch, formants, syllables and pauses.

The demo and the benchmark need audio that a codec treats as speech and that a correlation finds again; a file
of somebody's voice would need a licence.
"""

import math
import random

from gateway.media.audio import L16_8K, ULAW_8K, converter

RATE = 8000
VOWELS = ((730, 1090), (270, 2290), (300, 870), (530, 1840), (570, 840))
"First and second formants in Hz (Peterson and Barney 1952)."


def speech(seconds: float, seed: int = 1) -> bytes:
    """That much speech-like audio, in μ-law at 8 kHz; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - sound, not secrets
    samples: list[int] = []
    while len(samples) < seconds * RATE:
        samples += _syllable(chance)
        samples += [0] * chance.randrange(RATE // 50, RATE // 8)
    wanted = samples[: round(seconds * RATE)]
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in wanted)
    encode = converter(L16_8K, ULAW_8K)
    assert encode is not None
    return encode(pcm)


def _syllable(chance: random.Random) -> list[int]:
    """A vowel of 120 to 280 ms: harmonics of a gliding pitch under two formants, faded in and out."""
    length = chance.randrange(RATE * 12 // 100, RATE * 28 // 100)
    pitch = chance.uniform(95, 180)
    glide = chance.uniform(-0.2, 0.2) * pitch
    weights = _weights(pitch, chance.choice(VOWELS))
    samples, phase = [], 0.0
    for index in range(length):
        phase += 2 * math.pi * (pitch + glide * index / length) / RATE
        voice = sum(weight * math.sin(number * phase) for number, weight in weights)
        samples.append(round(9000 * math.sin(math.pi * index / length) * voice))
    return samples


def _weights(pitch: float, formants: tuple[int, int]) -> list[tuple[int, float]]:
    """How loud each harmonic is: near a formant loud, elsewhere not."""
    numbers = range(1, int(3400 / pitch))
    loud = [sum(math.exp(-(((n * pitch - f) / 180) ** 2)) for f in formants) + 0.05 / n for n in numbers]
    return [(n, weight / sum(loud)) for n, weight in zip(numbers, loud, strict=True) if weight > 0.02]
