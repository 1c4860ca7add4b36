"""Sound for real peers: something to say, and how much of it came back."""

import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.phones.echo import find

RATE = 8000

Samples = NDArray[np.float64]


class Echo(NamedTuple):
    """How well what was heard holds what was said."""

    likeness: float
    "Correlation of the two at the best lag: 1.0 is the same, 0.0 is nothing of it."
    delay_ms: float
    "The lag."


def speech_like(seconds: float, seed: int = 1) -> Samples:
    """Something with the pauses and the pitch of speech, and that matches itself at one lag only.

    Syllables of a gliding tone with overtones, each from 300 to 1200 Hz, with a pause after every few. Within
    ±1.
    """
    random = np.random.default_rng(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE:
        length = int(random.uniform(0.12, 0.3) * RATE)
        glide = np.linspace(random.uniform(150, 400), random.uniform(150, 400), length)
        phase = 2 * np.pi * np.cumsum(glide) / RATE
        tone = sum(np.sin(phase * overtone) / overtone for overtone in (1, 2, 3, 5))
        parts.append(np.asarray(tone * np.hanning(length) * random.uniform(0.2, 0.45)))
        if random.random() < 0.3:
            parts.append(np.zeros(int(random.uniform(0.1, 0.3) * RATE)))
    return np.concatenate(parts)[: int(seconds * RATE)]


def write_wav(path: Path, samples: Samples) -> Path:
    """A 16-bit mono WAV at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Samples:
    """The first channel of a 16-bit WAV at 8 kHz, within ±1."""
    with wave.open(str(path), "rb") as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, RATE), file.getparams()
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data[:: file.getnchannels()] / 32_768


def compare_pieces(said: Samples, heard: Samples, seconds: float = 0.25) -> list[Echo]:
    """The same for each piece of `said`, looked for where it could be: the lag may change between pieces.

    A softphone's clock is not ours. Where it runs behind, its audio is late now and then, and all that
    follows is shifted, as on any call; by half a second at most. A piece that is all pause is left out:
    there is nothing in it to find.
    """
    length = int(seconds * RATE)
    pause = 0.05 * float(np.sqrt(np.mean(said**2)))
    starts = range(0, len(said) - length + 1, length)
    return [
        compare(said[start : start + length], heard[start : start + length + RATE // 2])
        for start in starts
        if float(np.sqrt(np.mean(said[start : start + length] ** 2))) > pause
    ]


def came_back(said: Samples, heard: Samples, share: float = 0.8) -> bool:
    """Whether at least `share` of the pieces of `said` are in `heard`, in order and in time."""
    pieces = compare_pieces(said, heard)
    good = [piece for piece in pieces if piece.likeness > 0.9]
    return len(good) >= share * len(pieces)


def assert_came_back(said: Samples, heard: Samples, share: float = 0.8, *told: object) -> None:
    """The same as an assertion, which tells of every piece, and whatever else is given, where it fails."""
    if not came_back(said, heard, share):
        pieces = "\n".join(
            f"{echo.likeness:6.3f} {echo.delay_ms:7.2f} ms" for echo in compare_pieces(said, heard)
        )
        raise AssertionError(
            "\n".join([f"less than {share:.0%} of these came back:", pieces, *map(str, told)])
        )


def compare(said: Samples, heard: Samples) -> Echo:
    """Find `said` in `heard`, by the correlation over all of `said` at each lag from 0 on.

    One lost or inserted frame splits the match, so that 1.0 is reached only by audio that kept its timeline.
    """
    if not np.any(said) or not np.any(heard):
        return Echo(0.0, 0.0)
    lag, likeness = find(said, heard)
    return Echo(likeness, 1000 * lag / RATE)


def ulaw(samples: Samples) -> bytes:
    """G.711 μ-law by its formula (G.711 tables are this, rounded): good enough to speak with."""
    scaled = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log1p(255)
    return bytes(np.where(scaled >= 0, 255 - scaled * 127, 127 + scaled * 127).astype(np.uint8))
