"""Audio where there is none, or too much of it: losses made up from the pitch, time put in and taken out.

After ITU-T G.711 appendix I: the newest period of the voice is repeated, and dies away. This runs on a loss,
or a few times an hour against a drifting clock, never per packet. All samples are `l16`.
"""

from array import array
from collections.abc import Sequence
from functools import cache

from gateway.media.audio import best_fit

_SHORTEST, _LONGEST = 5.0, 15.0
"Milliseconds of pitch periods that are looked for: 200 to 66 Hz; a higher voice fits several times."
_TEMPLATE = 10.0
"Milliseconds at the end of what was heard that an earlier place has to be like."
_FADE_FROM = 10
"Milliseconds after which the repetition begins to die away."
FADED_MS = 60
"Milliseconds after which it is silence."
_GAIN_BITS = 15
"Gains are whole numbers over two to this power: many calls may lose audio at once, and this is quick."
JOIN_MS = 5
"Milliseconds over which one sound becomes another."

Samples = Sequence[int]


def samples_of(l16: bytes) -> "array[int]":
    """Whole numbers, to count with."""
    return array("h", l16)


def bytes_of(samples: Samples) -> bytes:
    """The reverse of `samples_of`; numbers fit 16 bits."""
    return array("h", samples).tobytes()


def crossfaded(before: Samples, after: Samples) -> list[int]:
    """The one becoming the other, evenly over the length of the shorter."""
    count = min(len(before), len(after))
    step = 1 / (count + 1)
    return [
        round(one + (other - one) * (place * step))
        for place, (one, other) in enumerate(zip(before[:count], after[:count], strict=True), 1)
    ]


def pitch(history: bytes, rate: int) -> int:
    """Samples of the period that the end of `history` repeats best; 0 where it is too short to tell."""
    per_ms = rate // 1000
    heard = len(history) // 2
    template = min(int(_TEMPLATE * per_ms), heard // 3)
    shortest = min(int(_SHORTEST * per_ms), heard // 3)
    longest = min(int(_LONGEST * per_ms), heard - template)
    if shortest < per_ms or longest < shortest:
        return 0
    fragment = history[2 * (heard - template - longest) : 2 * (heard - shortest)]
    return longest - best_fit(fragment, history[2 * (heard - template) :])


class Continuation:
    """What was heard going on: `more` is the next of it, for as long as nothing comes."""

    __slots__ = ("_at", "_cycle", "_made", "_rate")

    def __init__(self, history: bytes, rate: int) -> None:
        """`history` is the newest audio; 40 ms of it are enough, less is worse."""
        self._rate = rate
        self._cycle = _cycle(history, rate)
        self._at = 0
        self._made = 0

    def more(self, count: int) -> list[int]:
        """The next `count` samples; silence when it has died away."""
        cycle, at, made = self._cycle, self._at, self._made
        audible = min(count, self.left)
        self._made += count
        if not cycle or not audible:
            return [0] * count
        self._at = (at + audible) % len(cycle)
        wound = (cycle * ((at + audible) // len(cycle) + 1))[at : at + audible]
        gains = _gains(self._rate)[made : made + audible]
        dying = [sample * gain >> _GAIN_BITS for sample, gain in zip(wound, gains, strict=True)]
        return dying + [0] * (count - audible)

    @property
    def left(self) -> int:
        """Samples that are not silence yet."""
        return max(0, FADED_MS * self._rate // 1000 - self._made)

    def joined(self, l16: bytes) -> bytes:
        """Real audio behind what was made up: its beginning grows out of it."""
        return joined(bytes_of(self.more(JOIN_MS * self._rate // 1000)), l16, self._rate)


@cache
def _gains(rate: int) -> "array[int]":
    """What each sample of a repetition is multiplied by, until it has died away."""
    full, gone = _FADE_FROM * rate // 1000, FADED_MS * rate // 1000
    falling = (((gone - made) << _GAIN_BITS) // (gone - full) for made in range(full, gone))
    return array("i", [1 << _GAIN_BITS] * full + list(falling))


def _cycle(history: bytes, rate: int) -> "array[int]":
    """One period whose end flows into its beginning; two bytes a sample, since a pause can last."""
    period = pitch(history, rate)
    if not period:
        return array("h")
    heard = samples_of(history)
    cycle = heard[-period:]
    overlap = min(period // 4, len(heard) - period)
    if overlap:
        before = heard[-period - overlap : -period]
        cycle[-overlap:] = array("h", crossfaded(cycle[-overlap:], before))
    return cycle


def joined(before: bytes, l16: bytes, rate: int) -> bytes:
    """Audio whose beginning grows out of the beginning of what would have come in its place."""
    samples = samples_of(l16)
    count = min(JOIN_MS * rate // 1000, len(samples), len(before) // 2)
    return bytes_of([*crossfaded(samples_of(before)[:count], samples[:count]), *samples[count:]])


def lengthened(history: bytes, l16: bytes, rate: int) -> bytes:
    """The audio that follows `history`, with one period more before it; unchanged where there is none."""
    period = pitch(history, rate)
    if not period:
        return l16
    going_on = Continuation(history, rate)
    return bytes_of(going_on.more(period)) + going_on.joined(l16)


def shortened(l16: bytes, rate: int) -> bytes:
    """The same audio without one of its periods, cross-faded; unchanged where it is too short for that."""
    per_ms = rate // 1000
    count = len(l16) // 2
    join = JOIN_MS * per_ms
    shortest = int(_SHORTEST * per_ms)
    if count < shortest + 2 * join:
        return l16
    cut = shortest + best_fit(l16[2 * shortest :], l16[: 2 * join])
    samples = samples_of(l16)
    return bytes_of([*crossfaded(samples[:join], samples[cut : cut + join]), *samples[cut + join :]])
