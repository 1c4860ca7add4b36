"""The queue between an agent that talks faster than real time and the clock that sends RTP."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cache

MAX_MARKS = 1000
"Marks that may wait: far more than speech has words, few enough that an agent cannot fill our memory."

MARKS_AT_ONCE = 50
"Marks that are told for one frame: the others of a thousand that are due wait for the next ones."

Span = tuple[int, int]
"Where in waiting audio something was taken out, in bytes from its beginning, and how much."
Shorter = tuple[bytes, Sequence[Span]]
"Waiting audio made shorter: what is left, and what is missing, from its beginning on."

_NONE: tuple[str, ...] = ()


class _HotPlayout:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = (
        "_chunks",
        "_crumbs",
        "_frame",
        "_length",
        "_limit",
        "_running",
        "_start",
        "_written",
        "marks",
        "queued",
    )


class Playout(_HotPlayout):
    """Audio waiting to be sent, in frames, with the agent's marks between its samples.

    Once a packet time the owner calls `read`, sends the frame, then
    calls `played`; both cost the same however much is queued. Chunks are kept as they came and cut
    when read; what is smaller than a frame is gathered first, so that crumbs cost no more than lumps.
    """

    __slots__ = (
        "_chunk",
        "_dropped",
        "_gone",
        "_marked",
        "_per_ms",
        "_silence",
        "underruns",
    )

    def __init__(
        self,
        frame_bytes: int = 160,
        silence: bytes = b"\xff" * 160,
        limit_seconds: float = 60.0,
        bytes_per_ms: int = 8,
    ) -> None:
        self.reframe(frame_bytes, silence)
        self._per_ms = bytes_per_ms
        self._limit = _bytes(limit_seconds, bytes_per_ms)
        self._chunk = b""
        self._start = 0
        self._length = 0
        self._chunks: deque[bytes] = deque()
        self._crumbs: bytearray | None = None
        self._written = 0
        self.queued = 0
        "Bytes waiting to be read."
        self.marks: list[tuple[int, str]] = []
        "Those that wait, each behind the position at which it is due: to be looked at, not changed."
        self._marked = -1
        "Position of the newest mark, told or not."
        self._dropped = 0
        self._gone = 0
        "Bytes that were written and taken out again."
        self._running = False
        self.underruns = 0
        "How often the queue ran dry behind audio that no mark ended: gaps, and ends of unmarked speech."

    def reframe(self, frame_bytes: int, silence: bytes) -> None:
        """Read in frames of another length from here on, as a new offer and answer agreed."""
        if not 0 < frame_bytes <= len(silence):
            raise ValueError("silence has to fill a whole frame")
        self._frame = frame_bytes
        self._silence = silence

    def recode(self, convert: Callable[[bytes], bytes], bytes_per_ms: int) -> None:
        """Rewrite what is queued in another format, which was agreed on meanwhile."""
        if bytes_per_ms != self._per_ms:
            self._rescale(convert, bytes_per_ms)
            return
        self._chunk = convert(self._chunk)
        self._chunks = deque(convert(chunk) for chunk in self._chunks)
        if self._crumbs is not None:
            self._crumbs = bytearray(convert(bytes(self._crumbs)))

    def _rescale(self, convert: Callable[[bytes], bytes], bytes_per_ms: int) -> None:
        """Turn every count of bytes into one of another format; what is queued is made anew."""

        def scaled(count: int) -> int:
            return count // self._per_ms * bytes_per_ms

        waiting, written = convert(self._waiting()), self._written
        position = scaled(self.position)
        self._refill(waiting)
        self._written = position + len(waiting)

        def moved(at: int) -> int:
            return self._written if at == written else min(scaled(at), self._written)

        self.marks = [(moved(at), name) for at, name in self.marks]
        self._marked = moved(self._marked)
        self._gone, self._dropped, self._limit = map(scaled, (self._gone, self._dropped, self._limit))
        self._per_ms = bytes_per_ms

    def write(self, audio: bytes) -> int:
        """Queue audio; returns how many bytes of its end were dropped because the queue is full."""
        dropped = 0
        size = len(audio)
        if self.queued + size > self._limit:
            dropped = self.queued + size - self._limit
            self._dropped += dropped
            size -= dropped
            audio = audio[:size]
        self._written += size
        self.queued += size
        if size < self._frame:
            if self._crumbs is None:
                self._crumbs = bytearray()
            self._crumbs += audio
            return dropped
        if self._crumbs is not None:
            self._gather()
        self._chunks.append(audio)
        return dropped

    def mark(self, name: str) -> bool:
        """Put a mark behind all audio written so far; with an empty queue the next `played` tells it.

        False, and nothing is put, where `MAX_MARKS` wait already.
        """
        if len(self.marks) >= MAX_MARKS:
            return False
        self._marked = self._written
        self.marks.append((self._written, name))
        return True

    def forget_marks(self) -> None:
        """Take the marks back, and leave the audio."""
        self.marks.clear()

    def clear(self) -> list[str]:
        """Drop all queued audio; returns the names of the marks that were dropped with it, in order.

        Marks whose audio was read already stay, and the next `played` tells them.
        """
        self._gone += self.queued
        position = self._written = self.position
        self._refill(b"")
        self._running = False
        dropped = [name for at, name in self.marks if at > position]
        self.marks = [mark for mark in self.marks if mark[0] <= position]
        return dropped

    def shorten(self, cut: Callable[[bytes], Shorter | None]) -> int:
        """Let `cut` take something out of what is queued; returns how many bytes.

        It gets all that is queued, and gives what is left of it, or None. Marks behind what is missing move
        with their audio.
        """
        waiting = self._waiting()
        made = cut(waiting)
        if made is None:
            return 0
        left, spans = made
        position, removed = self.position, len(waiting) - len(left)
        self._refill(left)
        self._written -= removed
        self._gone += removed
        self.marks = [(_moved(where, position, spans), name) for where, name in self.marks]
        self._marked = _moved(self._marked, position, spans)
        return removed

    def elapse(self, cut: Callable[[bytes], bytes]) -> list[str]:
        """Let time pass unheard; returns the names of the marks in what has passed, in order.

        `cut` gets all that is queued, and gives the end of it that is left.
        """
        self._refill(cut(self._waiting()))
        return list(self.played())

    def read(self) -> bytes | None:
        """The next frame, its end filled up with silence where audio ends; None when nothing is queued."""
        start, size = self._start, self._frame
        if start < self._length:
            end = start + size
            if end > self._length:
                return self._read_across()
            self._start = end
            self.queued -= size
            return self._chunk[start:end]
        chunks = self._chunks
        if chunks:
            chunk = chunks.popleft()
            if len(chunk) == size:
                # What most agents send: a frame a message.
                self.queued -= size
                self._running = True
                return chunk
            chunks.appendleft(chunk)
        return self._read_across()

    def played(self) -> Sequence[str]:
        """Names of the marks that have come due: call it when the frame that was read has been sent.

        No more than `MARKS_AT_ONCE`: the rest is due at the next call.
        """
        marks, position = self.marks, self.position
        if not marks or marks[0][0] > position:
            return _NONE
        due = [name for at, name in marks[:MARKS_AT_ONCE] if at <= position]
        del marks[: len(due)]
        return due

    @property
    def position(self) -> int:
        """Bytes of the agent's audio that were read so far."""
        return self._written - self.queued

    @property
    def written(self) -> int:
        """Bytes that were taken in all, without those that were dropped or cleared."""
        return self._written

    @property
    def came(self) -> int:
        """Bytes that the agent has sent, whatever became of them."""
        return self._written + self._gone + self._dropped

    @property
    def queued_ms(self) -> int:
        """Milliseconds waiting to be read."""
        return self.queued // self._per_ms

    @property
    def dropped_ms(self) -> int:
        """Milliseconds that did not fit into the queue, ever."""
        return self._dropped // self._per_ms

    @property
    def ended(self) -> bool:
        """Whether a mark says that the agent's words end where its audio does."""
        return self._marked == self._written

    @property
    def empty(self) -> bool:
        """Whether there is no audio waiting. Marks may still have to be told by `played`."""
        return not self.queued

    def _waiting(self) -> bytes:
        return self._chunk[self._start :] + b"".join(self._chunks) + bytes(self._crumbs or b"")

    def _refill(self, audio: bytes) -> None:
        self._chunks.clear()
        self._crumbs = None
        self._chunk, self._start, self._length, self.queued = audio, 0, len(audio), len(audio)

    def _gather(self) -> None:
        self._chunks.append(bytes(self._crumbs or b""))
        self._crumbs = None

    def _next_chunk(self) -> bool:
        """Make the oldest waiting chunk the current one; False when there is none."""
        if not self._chunks:
            if self._crumbs is None:
                return False
            self._gather()
        self._chunk = self._chunks.popleft()
        self._start = 0
        self._length = len(self._chunk)
        return True

    def _read_across(self) -> bytes | None:
        frame = self._chunk[self._start :]
        while True:
            self._start = self._length
            if not self._next_chunk():
                return self._run_dry(frame)
            self._running = True
            self._start = self._frame - len(frame)
            frame += self._chunk[: self._start]
            if len(frame) == self._frame:
                self.queued -= self._frame
                return frame

    def _run_dry(self, frame: bytes) -> bytes | None:
        """What to send when all audio was read, `frame` being its last, short piece."""
        self.queued = 0
        if self._running:
            self._running = False
            self.underruns += self._marked != self._written
        return frame + self._silence[len(frame) : self._frame] if frame else None


@cache
def _bytes(seconds: float, per_ms: int) -> int:
    """One number for all calls, so that it is at hand when a packet needs it."""
    return int(seconds * 1000) * per_ms


def _moved(where: int, position: int, spans: Sequence[Span]) -> int:
    """Where a position is, now that these spans behind the one that is read next are gone."""
    return where - sum(min(max(where - position - at, 0), size) for at, size in spans)
