"""How much of what a caller said came back, and when.

Judged word by word, each where it could be: a machine that stood still in mid-call makes what follows later,
and costs the word that was cut a few milliseconds. That is told, and is no damage; a word that is missing or
sounds otherwise is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.media.audio import L16_8K, ULAW_8K, converter

FINER = 4
RATE = 8000 * FINER
"""Samples a second of the comparison: an agent that speaks at another rate may be late by half a sample of
ours, by which a voice's high notes are no longer the same."""
ALIKE = 0.9
"Correlation of what was said with what came back, from which on it counts as the same."
WHOLE = 0.9
"Part of all sound that has to come back."
LOUD = 500
"A sample as loud as this is sound, of 32768."
PAUSE = RATE // 100
"Samples of quiet that end a word."
EARLIER, LATER = RATE // 2, RATE
"Samples by which a word may come before or after its time, with the delay of the whole."
PIECE = RATE // 25
"Samples of a part of a word that is looked for by itself where the word as a whole is not found."

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Word:
    """A stretch of sound between two pauses."""

    at_seconds: float
    "When it was said."
    seconds: float
    share: float
    "How much of it came back, from 0 to 1."
    delay_ms: float
    "How much later its beginning was heard; the whole's delay where nothing of it was."


@dataclass(frozen=True, slots=True)
class Echo:
    """What came back of what was said."""

    words: tuple[Word, ...]

    @property
    def share(self) -> float:
        """How much of all sound came back, from 0 to 1."""
        return sum(word.share * word.seconds for word in self.words) / sum(
            word.seconds for word in self.words
        )

    @property
    def missing(self) -> tuple[Word, ...]:
        """The words of which less than half came back."""
        return tuple(word for word in self.words if word.share < 0.5)

    @property
    def delays_ms(self) -> tuple[float, float]:
        """The shortest and the longest delay of a whole word, from the caller's mouth to its ear."""
        heard = [word.delay_ms for word in self.words if word.share == 1.0]
        return (min(heard), max(heard)) if heard else (0.0, 0.0)

    def flaw(self) -> str | None:
        """What did not come back, in words; None when it is intact."""
        if self.missing:
            when = ", ".join(f"{word.at_seconds:.1f} s" for word in self.missing)
            return f"{len(self.missing)} of {len(self.words)} words did not come back: those at {when}"
        if self.share < WHOLE:
            return f"only {self.share:.0%} of what was said came back, {WHOLE:.0%} is wanted"
        return None


def compare(said: bytes, heard: bytes) -> Echo | None:
    """Look for each word of `said` in `heard`, both μ-law at 8 kHz; None where nothing was said."""
    voice, ear = _samples(said), _samples(heard)
    ear = np.concatenate([ear, np.zeros(len(voice) + LATER)])
    spans = list(_spans(voice))
    if not spans:
        return None
    start, end = spans[0][0], spans[-1][1]
    whole, _ = find(voice[start:end], ear[start:])
    return Echo(tuple(_word(voice, ear, first, last, whole) for first, last in spans))


def _samples(audio: bytes) -> Samples:
    decode = converter(ULAW_8K, L16_8K)
    assert decode is not None
    plain = np.frombuffer(decode(audio), "<i2").astype(np.float64)
    return FINER * np.fft.irfft(np.fft.rfft(plain), len(plain) * FINER) if len(plain) else plain


def _spans(voice: Samples) -> Iterator[tuple[int, int]]:
    """Where sound begins and ends, pauses between."""
    loud = np.flatnonzero(np.abs(voice) > LOUD)
    if not len(loud):
        return
    cuts = np.flatnonzero(np.diff(loud) > PAUSE)
    starts, ends = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(loud) - 1]])
    for first, last in zip(starts, ends, strict=True):
        yield int(loud[first]), int(loud[last]) + 1


def _word(voice: Samples, ear: Samples, start: int, end: int, whole: int) -> Word:
    begin = max(0, start + whole - EARLIER)
    window = ear[begin : end + whole + LATER]
    share, at = _share(voice[start:end], window)
    delay = begin + at - start if share else whole
    return Word(start / RATE, (end - start) / RATE, share, delay * 1000 / RATE)


def _share(word: Samples, window: Samples) -> tuple[float, int]:
    """How much of a word is in a window, and where it begins there."""
    at, likeness = find(word, window)
    if likeness >= ALIKE:
        return 1.0, at
    found: list[int] = []
    earliest, pieces = 0, [word[first : first + PIECE] for first in range(0, len(word), PIECE)]
    for piece in pieces:
        offset, likeness = find(piece, window[earliest:])
        if likeness >= ALIKE and len(piece) > PIECE // 4:
            found.append(earliest + offset)
            earliest += offset + len(piece) // 2
    return (len(found) / len(pieces), found[0]) if found else (0.0, 0)


def find(part: Samples, window: Samples) -> tuple[int, float]:
    """Where `part`, which is not all silence, is in a window, and how alike.

    The correlation at each lag, by the loudness of what is there: else a loud syllable is more like a quiet
    one than that is like itself. What is far quieter than the part is like nothing.
    """
    size = 1 << (len(window) + len(part)).bit_length()
    match = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(part, size)), size)[: len(window)]
    energy = np.concatenate([[0.0], np.cumsum(window**2), np.full(len(part), np.sum(window**2))])
    there = np.sqrt(np.maximum(energy[len(part) :][: len(window)] - energy[: len(window)], 0.0))
    loud = float(np.linalg.norm(part))
    likeness = match / (loud * np.maximum(there, 0.1 * loud))
    at = int(np.argmax(likeness))
    return at, float(likeness[at])
