"""Conversion between sample rates, for live audio: loads numpy, so import it only when it is needed."""

from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = 48
"Length of the filter in samples of the slower side; half of it is the delay: 3 ms at 8 kHz."

_STOP = 1.04
"Where the stop band begins, as a multiple of half the slower rate; the pass band ends near 0.86."

_REJECTION_DB = 70.0

_UNITY = 2.0**20
"Filter taps are whole multiples of 1/_UNITY. See `Resampler`."


@dataclass(frozen=True, slots=True)
class _Kernel:
    """The filter from one rate to another as a banded matrix, shared by all streams.

    A *period* is the shortest time that is a whole number of samples on both sides. The matrix turns
    `history` earlier samples and a block of periods into that block's output; its upper left corner
    does the same for fewer periods.
    """

    matrix: NDArray[np.float64]
    history: int
    period_in: int
    period_out: int
    block: int
    "Periods in a block."


@cache
def _kernel(source: int, target: int) -> _Kernel:
    common = gcd(source, target)
    up, down = target // common, source // common
    taps = _taps(up, down)
    history = (len(taps) - 1) // up
    block = _block(source, down, history)
    # Output j stands at j * down on the grid of both rates, input k at k * up (k counted from -history).
    distance = np.arange(block * up) * down - (np.arange(history + block * down)[:, None] - history) * up
    matrix = np.where((distance >= 0) & (distance < len(taps)), taps[distance.clip(0, len(taps) - 1)], 0.0)
    return _Kernel(np.ascontiguousarray(matrix), history, down, up, block)


def _taps(up: int, down: int) -> NDArray[np.float64]:
    """A low-pass for half the slower rate by Kaiser's method, on the grid of both rates."""
    longer = max(up, down)
    count = _LENGTH * longer
    half_transition = (_REJECTION_DB - 7.95) / (2 * 14.36 * _LENGTH)
    cutoff = 2 * (_STOP / 2 - half_transition) / longer
    time = np.arange(count) - (count - 1) / 2
    shape = np.sinc(cutoff * time) * np.kaiser(count, 0.1102 * (_REJECTION_DB - 8.7))
    taps: NDArray[np.float64] = np.rint(shape * (up * _UNITY / shape.sum()))
    return taps


def _block(source: int, down: int, history: int) -> int:
    """Periods in a block: about as many samples as the history, and a divisor of 20 ms if there is one."""
    frame, rest = divmod(source, 50 * down)
    wanted = max(1, history // down)
    if rest or not frame:
        return wanted
    return min((n for n in range(1, frame + 1) if frame % n == 0), key=lambda n: abs(n - wanted))


class Resampler:
    """Turns one stream of `l16` audio into another rate.

    Output comes for each whole period of input, at once; the filter delays it by 3 ms at 8 kHz. Taps
    and samples are whole numbers whose products and sums fit a double exactly, so the output is
    the same to the bit however the input was cut.
    """

    __slots__ = ("_kernel", "_tail")

    def __init__(self, source: int, target: int) -> None:
        """Rates in samples a second."""
        self._kernel = _kernel(source, target)
        self._tail = bytes(2 * self._kernel.history)
        "The samples that the next output still depends on: history, and less than a period."

    def convert(self, audio: bytes) -> bytes:
        """The output for the next whole samples."""
        kernel = self._kernel
        audio = self._tail + audio
        periods = (len(audio) // 2 - kernel.history) // kernel.period_in
        if periods <= 0:
            self._tail = audio
            return b""
        self._tail = audio[2 * periods * kernel.period_in :]
        blocks, rest = divmod(periods, kernel.block)
        samples = np.frombuffer(audio, "<i2").astype(np.float64)
        if not rest:
            return _rounded(_whole_blocks(samples, blocks, kernel))
        begun = samples[blocks * kernel.block * kernel.period_in :]
        if not blocks:
            return _rounded(_begun_block(begun, rest, kernel))
        return _rounded(_whole_blocks(samples, blocks, kernel)) + _rounded(_begun_block(begun, rest, kernel))


def _whole_blocks(samples: NDArray[np.float64], blocks: int, kernel: _Kernel) -> NDArray[np.float64]:
    step = samples.itemsize
    shape = blocks, kernel.history + kernel.block * kernel.period_in
    strides = kernel.block * kernel.period_in * step, step
    # Overlapping rows; numpy multiplies them by BLAS only when they are copied apart.
    rows = np.ndarray(shape, samples.dtype, samples, 0, strides).copy()
    out: NDArray[np.float64] = rows @ kernel.matrix
    return out


def _begun_block(samples: NDArray[np.float64], periods: int, kernel: _Kernel) -> NDArray[np.float64]:
    needed = kernel.history + periods * kernel.period_in
    out: NDArray[np.float64] = samples[:needed] @ kernel.matrix[:needed, : periods * kernel.period_out]
    return out


def _rounded(sums: NDArray[Any]) -> bytes:
    sums *= 1 / _UNITY
    np.rint(sums, out=sums)
    np.minimum(sums, 32767.0, out=sums)
    np.maximum(sums, -32768.0, out=sums)
    return sums.astype("<i2").tobytes()
