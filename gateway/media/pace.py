"""The clock of an agent: whether it speaks in real time, and what of it waits for longer than it must.

Real time is real time. An agent that streams, as an echo, a telephone, or a bot that sends each word when it
is due, is never ahead of a schedule: what it has sent, less the time that has passed, keeps a level. Whatever
holds it up, the level is reached again behind it, and not exceeded; what waits in the queue then is late.
An agent that is ahead, as one that sends a sentence at once, exceeds it: what it sends is kept.
"""

from gateway.media.audio import AudioFormat, difference, from_l16, loudness, to_l16
from gateway.media.concealment import FADED_MS, JOIN_MS, Continuation, bytes_of, joined, shortened
from gateway.media.playout import Playout, Shorter, Span

LOOK_MS = 115
"Between two looks: no multiple of what pieces of audio are long, so that they see what waits at any moment."
_LOOKS = 3
"Looks that are judged together, a third of a second: pieces may be as long as that."
_STREAMS = 6
"Such stretches in a row on schedule, two seconds, after which an agent counts as streaming."
_STEADY = 30
"The same, ten seconds, after which gaps in what it says are closed."
_TOLERANCE_MS = 150
"How far from its schedule a stretch may be: pieces come when they come."
_DRIFT_MS = 4
"What a schedule may move by in a stretch, a hundredth: the agent's clock is not ours."
_AWAY_SECONDS = 8
"How long an agent may send nothing in real time and still be one that streams, held up."
_SILENT = 200
"Root mean square below which nobody misses a frame."
_PIECE_MS = 20
"What is taken out at once."
_UPSET_MS = 15
"Milliseconds too many that are taken out behind a disturbance."
_GROWTH_MS = 60
"The same where there was none: what comes of another clock can wait for a silence."
_URGENT_MS = 100
"Milliseconds too many that are taken out amid speech, where there is no silence, whatever they come of."
_SPLICED = 6
"Pieces in which the place is looked for where that is heard least."
_SUDDEN_MS = 40
"What no clock makes grow from one stretch to the next."
_UNSEEN_MS = 100
"How far what waits may fall unseen in a single stretch."
_HASTE_MS = 80
"Milliseconds of speech that are taken out of those between two looks, at most."
_ELAPSED_MS = 600
"What waits longer could not be taken out so in two seconds: it has elapsed."
_UPSET = 6
"Stretches behind a disturbance in which the delay is brought back to what it was."
_LIVE_MS = 40
"Milliseconds that wait of a live stream when it has caught up: two packets, for its jitter."
_MOST_SPARE_MS = 100
"What is left waiting, at most, of an agent whose audio comes late again and again."
_GAPS = 3
"Gaps, none of them ten seconds behind the one before, from which on a packet more is left waiting."
_CALM_SECONDS = 10
"Seconds without one after which it is a packet less."

_ANY = 1 << 62
"More bytes than there are."


class Pace:
    """Looks at an agent's audio every `LOOK_MS`, and says what of it waits for longer than it must."""

    __slots__ = (
        "_ahead",
        "_base",
        "_before",
        "_calm_since",
        "_gaps",
        "_highest",
        "_level",
        "_live",
        "_looks",
        "_low",
        "_on_time_at",
        "_over",
        "_per_ms",
        "_rate",
        "_spare",
        "_streamed",
        "_streams",
        "_sure",
        "_top",
        "_underruns",
        "_upset",
        "_waited",
        "elapsed",
        "excess",
        "urgent",
    )

    def __init__(self, rate: int, *, live: bool = False) -> None:
        """`rate` is in bytes a second; what is `live` streams, whatever it does."""
        self._rate = rate
        self._per_ms = rate // 1000
        self._live = live
        self._looks = 0
        self._top = -_ANY
        "How far ahead of the clock the agent was in this stretch at most; the zero is anywhere."
        self._low = _ANY
        "The least that waited in this stretch."
        self._underruns = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew: what waits now, waits rightly."""
        self._before = 0
        "The least that waited in the stretch before this one."
        self._sure = False
        "Whether nothing disturbed it."
        self._waited = 0
        "What waited at its end."
        self._level = self._highest = -_ANY
        "The schedule: how far ahead of the clock the agent is; and that of the last stretch on schedule."
        self._ahead = 0
        "How far beyond its schedule it was in this stretch: that is not late."
        self._streamed = 0
        "Stretches in a row on schedule."
        self._streams = self._live
        self._on_time_at = 0.0
        self._base: int | None = None
        "The least that waited since the agent streams, undisturbed: it has a reason, or did no harm."
        self._over = 0
        "What waited too long in the stretch before this one."
        self._spare = 0
        "What is left waiting beyond that, since audio comes late again and again."
        self._gaps = 0
        self._calm_since = 0.0
        self._upset = 0
        "Stretches for which a disturbance is still to be made good."
        self.excess = 0
        "Bytes that wait for longer than they should; they are taken out piece by piece."
        self.urgent = False
        "Amid speech too."
        self.elapsed = 0
        "Bytes whose time has gone by: they are left out at once."

    @property
    def steady(self) -> bool:
        """Whether the agent has streamed for so long that a gap is none of its own."""
        return self._streamed >= _STEADY

    def look(self, now: float, came: int, queued: int, underruns: int, *, heard: bool = True) -> None:
        """See what the agent has sent ever, what waits, and how often the queue ran dry.

        `heard` is False while the call is on hold.
        """
        ahead = came - int(now * self._rate)
        if ahead > self._top:
            self._top = ahead
        if queued < self._low:
            self._low = queued
        self._looks += 1
        if self._looks >= _LOOKS:
            self._judge(now, queued, underruns, heard)
            self._looks, self._top, self._low = 0, -_ANY, _ANY

    def begin(self, playout: Playout, audio_format: AudioFormat) -> int:
        """Of what is live, leave out the silence that came before it could be heard; returns bytes."""
        if not self._live:
            return 0
        over = playout.queued - _LIVE_MS * self._per_ms
        return playout.shorten(lambda audio: without_silence(audio, audio_format, over))

    def shorten(self, playout: Playout, audio_format: AudioFormat) -> int:
        """Take out of the queue what is in excess, where it is heard least; returns how many bytes."""
        excess, piece = self.excess, _PIECE_MS * self._per_ms
        if excess < piece:
            return 0
        removed = playout.shorten(lambda audio: without_silence(audio, audio_format, excess))
        if not removed and self.urgent:
            most = max(piece, min(excess // 2, _HASTE_MS * self._per_ms))
            removed = playout.shorten(lambda audio: spliced(audio, audio_format, most))
        self.excess -= removed
        return removed

    def pass_over(self, playout: Playout, audio_format: AudioFormat) -> tuple[list[str], int]:
        """Leave out of the queue what has elapsed; returns the marks in it, in order, and bytes."""
        size, self.elapsed = self.elapsed, 0
        return playout.elapse(lambda audio: without_beginning(audio, audio_format, size)), size

    def _judge(self, now: float, queued: int, underruns: int, heard: bool) -> None:
        """What this stretch says of the agent, and of what waits."""
        on_schedule = self._follow(now)
        dry, self._underruns = underruns > self._underruns, underruns
        waited, least = min(self._waited, queued), self._least()
        self.excess = self.elapsed = 0
        if not on_schedule or dry or not heard:
            self._upset = _UPSET
        if self._live or (on_schedule and self._streams):
            if heard:
                self._learn(now, dry)
                self._weigh(least)
            else:
                # Only what was there a stretch ago is known to have come in real time.
                self._elapse(waited - (self._base or 0))
        # What waited before a gap says nothing of what waits behind it.
        self._before = self._low if on_schedule and heard and not dry else 0
        self._sure = self._streamed > 1 and heard and not dry
        self._waited = queued - self.elapsed

    def _follow(self, now: float) -> bool:
        """Whether the agent has kept a schedule in this stretch."""
        tolerance, drift = _TOLERANCE_MS * self._per_ms, _DRIFT_MS * self._per_ms
        if self._streams and abs(self._top - self._highest) <= tolerance:
            self._level = self._highest
        moved = self._top - self._level
        self._ahead = max(0, moved)
        if -tolerance <= moved <= tolerance:
            self._level += max(-drift, min(moved, drift))
            self._streamed += 1
            # A single stretch that is like the one before may be half a stall and its end.
            self._highest = self._level if self._streamed > 1 else max(self._level, self._highest)
            self._on_time_at = now
            self._streams = self._streams or self._streamed >= _STREAMS
            return True
        if self._top > self._highest + tolerance or now - self._on_time_at > _AWAY_SECONDS:
            self._streams, self._base, self._spare = self._live, None, 0
        self._level, self._streamed = self._top, 0
        return False

    def _least(self) -> int:
        """What waited at least of late; one stretch alone may not have seen all that long pieces leave."""
        return max(min(self._low, self._before), self._low - _UNSEEN_MS * self._per_ms)

    def _learn(self, now: float, dry: bool) -> None:
        """How much of this agent's audio has to wait: what did in the stretch before, which went on."""
        if self._sure:
            self._base = self._before if self._base is None else min(self._base, self._before)
        if self._live:
            most = _LIVE_MS * self._per_ms
            self._base = most if self._base is None else min(self._base, most)
        piece = _PIECE_MS * self._per_ms
        if dry:
            self._gaps, self._calm_since = self._gaps + 1, now
            if self._gaps >= _GAPS:
                self._spare = min(self._spare + piece, _MOST_SPARE_MS * self._per_ms)
        elif now - self._calm_since > _CALM_SECONDS:
            self._gaps, self._calm_since = 0, now
            self._spare = max(0, self._spare - piece)

    def _weigh(self, least: int) -> None:
        """What to do about what waits too long."""
        over, per_ms = least - (self._base or 0) - self._spare - self._ahead, self._per_ms
        if over - self._over > _SUDDEN_MS * per_ms or over > _URGENT_MS * per_ms:
            self._upset = _UPSET
        self._over = over
        self.urgent = self._upset > 0
        if over > _ELAPSED_MS * per_ms:
            self._elapse(over)
        elif over >= (_UPSET_MS if self._upset else _GROWTH_MS) * per_ms:
            self.excess = over + (_PIECE_MS - _UPSET_MS) * per_ms
        self._upset = max(0, self._upset - 1)

    def _elapse(self, over: int) -> None:
        """Whole pieces: frames stay as the agent cut them."""
        piece = _PIECE_MS * self._per_ms
        self.elapsed = max(0, over // piece * piece)


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


def without_silence(audio: bytes, audio_format: AudioFormat, most: int) -> Shorter | None:
    """Waiting audio without its first silent pieces of 20 ms, `most` bytes of them."""
    size = _PIECE_MS * audio_format.bytes_per_ms
    spans: list[Span] = []
    kept, end = [], 0
    for start in range(0, len(audio) - size + 1, size):
        if (len(spans) + 1) * size > most:
            break
        if loudness(audio[start : start + size], audio_format) < _SILENT:
            kept.append(audio[end:start])
            end = start + size
            spans.append((start, size))
    return (b"".join([*kept, audio[end:]]), spans) if spans else None


def spliced(audio: bytes, audio_format: AudioFormat, most: int) -> Shorter | None:
    """Waiting audio without one to four pieces of 20 ms in its next tenth of a second.

    They are those whose beginning is most like what comes behind them, the more of them the better, and it
    becomes that, cross-faded.
    """
    size = _PIECE_MS * audio_format.bytes_per_ms
    alike = JOIN_MS * audio_format.bytes_per_ms
    heads = [to_l16(audio[at : at + alike], audio_format) for at in range(0, _SPLICED * size, size)]
    whole = min(len(audio) // size, len(heads))
    places = [
        (difference(heads[first], heads[then]) / (then - first), -then, first)
        for first in range(whole - 1)
        for then in range(first + 1, min(whole, first + 1 + most // size))
    ]
    if not places:
        return None
    _, then, first = min(places)
    return _joined(audio, audio_format, first * size, -then * size)


def without_beginning(audio: bytes, audio_format: AudioFormat, size: int) -> bytes:
    """Waiting audio without its first `size` bytes, whose beginning becomes that of the rest."""
    left, _ = _joined(audio, audio_format, 0, size)
    return left


def _joined(audio: bytes, audio_format: AudioFormat, start: int, end: int) -> Shorter:
    """Audio without what is between two places, cross-faded."""
    size = _PIECE_MS * audio_format.bytes_per_ms
    before, behind = audio[start : start + size], audio[end : end + size]
    into = joined(to_l16(before, audio_format), to_l16(behind, audio_format), audio_format.rate)
    left = audio[:start] + from_l16(into, audio_format) + audio[end + size :]
    return left, [(start, end - start)]
