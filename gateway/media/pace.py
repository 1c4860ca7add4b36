"""The clock of an agent that speaks without a pause: only there can it make the delay grow, or gaps.

An agent that speaks faster than real time, or stops between its sentences, is not held to any clock: the
queue runs empty, and all is forgotten. One that streams for minutes, as a call from elsewhere does, has a
clock that is not ours. And what is live, as the audio of a telephone is, has no reason to wait at all.
"""

from gateway.media.audio import AudioFormat, from_l16, loudness, to_l16
from gateway.media.concealment import FADED_MS, Continuation, bytes_of, shortened
from gateway.media.playout import Playout

_STEADY_SECONDS = 10
"Seconds in a row at the pace of real time after which an agent counts as streaming."
_TOLERANCE = 0.15
"How far from real time the audio of one second may be: pieces come when they come."
_SILENT = 200
"Root mean square below which nobody misses a frame."
_URGENT_MS = 100
"Milliseconds too many that are taken out amid speech, where there is no silence."
_LIVE_MS = 40
"Milliseconds that wait of a live stream when it has caught up: two packets, for its jitter."


class Pace:
    """Watches, once a second, how much of an agent's audio waits, and says when that has grown."""

    __slots__ = (
        "_base",
        "_before",
        "_growth",
        "_live",
        "_low",
        "_rate",
        "_seconds",
        "_written",
        "excess",
    )

    def __init__(self, rate: int, growth_ms: int = 60, *, live: bool = False) -> None:
        """`rate` is in bytes a second.

        `growth_ms`: how much more than at first may always wait; of what is `live`, how much at all.
        """
        self._rate = rate
        self._growth = growth_ms * rate // 1000
        self._live = live
        self._before = 0
        "What waited a second ago."
        self._written = 0
        self._seconds = 0
        self._low = 0
        "The least that waited in this stretch of seconds."
        self._base: int | None = None
        "The least that waited in the first one."
        self.excess = 0
        "Bytes that wait for longer than they should; asked for once, they are taken out one by one."

    @property
    def steady(self) -> bool:
        """Whether the agent streams in real time."""
        return self._seconds >= _STEADY_SECONDS

    def second(self, written: int, queued: int) -> None:
        """A second went by: bytes that the agent has sent since the call began, and those that wait."""
        fresh, self._written = written - self._written, written
        if self._live:
            waits, self._before = min(queued, self._before), queued
            self.excess = waits - self._ease if waits > self._growth else 0
        if abs(fresh - self._rate) > self._rate * _TOLERANCE:
            self._seconds, self._base = 0, None
            self.excess = self.excess if self._live else 0
            return
        self._low = queued if self._seconds % _STEADY_SECONDS == 0 else min(self._low, queued)
        self._seconds += 1
        if self._seconds % _STEADY_SECONDS == 0 and not self._live:
            self._judge()

    def begin(self, playout: Playout, audio_format: AudioFormat) -> int:
        """Of what is live, leave out the silence that came before it could be heard; returns bytes."""
        if self._live:
            self.excess = max(0, playout.queued - self._ease)
        return self.shorten(playout, audio_format)

    def shorten(self, playout: Playout, audio_format: AudioFormat) -> int:
        """Take out of the queue what is in excess, where nobody hears it; returns how many bytes."""
        removed = 0
        while self.excess > 0:
            urgent = self.excess > _URGENT_MS * self._rate // 1000 and not removed
            once = playout.shorten(lambda audio: cut(audio, audio_format, urgent=urgent))  # noqa: B023
            self.excess -= once
            removed += once
            if not once or not self._live:
                break
        return removed

    @property
    def _ease(self) -> int:
        return _LIVE_MS * self._rate // 1000

    def _judge(self) -> None:
        self._base = self._low if self._base is None else min(self._base, self._low)
        over = self._low - self._base
        self.excess = over if over >= self._growth else 0


class Seam:
    """Closes the gaps that a slow clock leaves in a stream: the sound goes on, and back into itself."""

    __slots__ = ("_format", "_going_on", "_heard", "_heard_before", "_made", "_most", "made_up")

    def __init__(self, audio_format: AudioFormat) -> None:
        self.made_up = 0
        "Bytes made up, all together."
        self.retune(audio_format)

    def retune(self, audio_format: AudioFormat) -> None:
        """Go on with audio in another format."""
        self._format = audio_format
        self._heard = self._heard_before = b""
        "The newest two frames."
        self._going_on: Continuation | None = None
        self._made = 0
        self._most = FADED_MS * audio_format.bytes_per_ms

    def sewn(self, frame: bytes | None, size: int) -> bytes | None:
        """The frame to send: this one, or in the place of None what goes on from those before."""
        if frame is None:
            return self._gap(size)
        going_on = self._going_on
        if going_on is not None:
            self._going_on = None
            frame = from_l16(going_on.joined(to_l16(frame, self._format)), self._format)
        self._heard_before, self._heard = self._heard, frame
        return frame

    def _gap(self, size: int) -> bytes | None:
        if self._going_on is None:
            heard = self._heard_before + self._heard
            if not heard or loudness(heard, self._format) < _SILENT:
                return None
            self._going_on = Continuation(to_l16(heard, self._format), self._format.rate)
            self._made = 0
        if self._made >= self._most:
            return None
        self._made += size
        self.made_up += size
        return from_l16(bytes_of(self._going_on.more(size // self._format.sample_bytes)), self._format)


def cut(audio: bytes, audio_format: AudioFormat, *, urgent: bool) -> tuple[int, bytes] | None:
    """Waiting audio made a little shorter: where something was taken out, and what is left.

    A silent 20 ms where there are some; else, where it is `urgent`, one period of the voice, cross-faded.
    """
    size = 20 * audio_format.bytes_per_ms
    for start in range(0, len(audio) - size + 1, size):
        if loudness(audio[start : start + size], audio_format) < _SILENT:
            return start, audio[:start] + audio[start + size :]
    if not urgent or len(audio) < size:
        return None
    head = from_l16(shortened(to_l16(audio[:size], audio_format), audio_format.rate), audio_format)
    return 0, head + audio[size:]
