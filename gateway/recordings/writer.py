"""One thread that writes the recordings of all calls, so that no call ever waits for a disk.

A call gives a second of audio at a time to its `Reel`. Where the disk does not keep up, a reel takes no more
than `most_ahead` seconds: what comes then is a gap, which is written as silence, so that all that follows
stays in its place.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeAlias

from gateway.media.audio import AudioFormat
from gateway.media.stereo import FRAME_BYTES, MAX_DATA, StereoWeaver, stereo_head
from gateway.recordings.protocol import RecordingFile, RecordingStore

CLOSE_SECONDS = 10.0
"How long closing waits for a slow disk; what is not finished then is recovered by the next start."

PIECE = 1 << 20
CHECK_BYTES = 1 << 20
"Written bytes, of all calls, after which the room on the disk is looked at again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording."""

    key: str | None
    "None: there is nothing to be read."
    milliseconds: int
    size: int
    sha256: str
    gap_ms: int
    "Silence in place of audio that the disk was too slow for."
    why: str | None
    "What went wrong; None: nothing."


@dataclass(frozen=True, slots=True)
class _Audio:
    audio_format: AudioFormat
    left: bytes
    right: bytes

    def samples_at(self, rate: int) -> int:
        """How many samples of each channel it comes to in the file."""
        return len(self.left) // self.audio_format.sample_bytes * rate // self.audio_format.rate


@dataclass(frozen=True, slots=True)
class _Gap:
    samples: int


@dataclass(frozen=True, slots=True)
class _End:
    pass


_Item: TypeAlias = _Audio | _Gap | _End


class Reel:
    """One call's recording on its way to the store: `give` audio, then `end` once; neither ever blocks."""

    def __init__(self, writer: "RecordingWriter", key: str, rate: int, on_gap: Callable[[], None]) -> None:
        """`on_gap`: called when the disk has fallen behind, once each time, until `end`."""
        self.key = key
        self.rate = rate
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        "Set when the recording is finished, or has failed for good."
        self._on_gap = on_gap
        self._writer = writer
        self._weaver = StereoWeaver(rate)
        self._file: RecordingFile | None = None
        self._frames = 0
        self._gap_frames = 0
        self._why: str | None = None
        self._owed = 0
        "Samples that were not taken, to be given as one gap."
        self._given = self._taken = 0
        "Samples; one side of the queue counts each, so neither needs a lock."

    def give(self, audio_format: AudioFormat, left: bytes, right: bytes) -> None:
        """Take the next piece of both channels, of the same length."""
        audio = _Audio(audio_format, left, right)
        samples = audio.samples_at(self.rate)
        if self._given - self._taken > self._writer.most_ahead * self.rate:
            if not self._owed:
                self._on_gap()
            self._owed += samples
            return
        self._pay()
        self._given += samples
        self._writer.queue.put((self, audio))

    def end(self) -> None:
        """There is no more: finish it, and set `outcome`."""
        self._on_gap = _nothing
        self._pay()
        self._writer.queue.put((self, _End()))

    def _pay(self) -> None:
        if self._owed:
            self._writer.queue.put((self, _Gap(self._owed)))
            self._owed = 0

    # --- in the writer's thread ---

    def take(self, item: _Item) -> Outcome | None:
        """Write one item; the outcome when it was the last, or the recording has failed."""
        if self._why is not None:
            return None
        try:
            if isinstance(item, _End):
                return self._finished()
            self._write(item)
        except OSError as error:
            return self._broken(error.strerror or str(error))
        except Exception as error:
            # A mistake of ours costs this recording, and not those of the other calls.
            return self._broken(f"{type(error).__name__}: {error}")
        finally:
            if isinstance(item, _Audio):
                self._taken += item.samples_at(self.rate)
        return None

    def _write(self, item: _Audio | _Gap) -> None:
        if isinstance(item, _Gap):
            self._gap_frames += item.samples
            for start in range(0, item.samples, self.rate):
                self._append(bytes(min(self.rate, item.samples - start) * FRAME_BYTES))
        else:
            self._append(self._weaver.weave(item.audio_format, item.left, item.right))

    def _append(self, woven: bytes) -> None:
        size = self._frames * FRAME_BYTES + len(woven)
        if size > MAX_DATA:
            raise OSError("a WAV file holds no more")
        self._writer.check_room(len(woven))
        if self._file is None:
            self._file = self._writer.store.open(self.key)
            self._file.write(stereo_head(self.rate, 0), b"")
        self._file.write(stereo_head(self.rate, size), woven)
        self._frames = size // FRAME_BYTES

    def _finished(self) -> Outcome:
        file, self._file = self._file, None
        if file is None:
            return self._outcome(None, 0, "")
        if not self._frames:
            file.discard()
            return self._outcome(None, 0, "")
        kept = file.finish()
        return self._outcome(kept.key, kept.size, digest(self._writer.store, kept.key, kept.size))

    def _broken(self, why: str) -> Outcome:
        """Keep what is there, if the store still can."""
        self._why = why
        try:
            return self._finished()
        except OSError:
            # It stays unfinished, and the next start tries again.
            return self._outcome(None, 0, "")

    def _outcome(self, key: str | None, size: int, sha256: str) -> Outcome:
        milliseconds = self._frames * 1000 // self.rate
        gap_ms = self._gap_frames * 1000 // self.rate
        return Outcome(key, milliseconds, size, sha256, gap_ms, self._why)


class RecordingWriter:
    """The thread, and the queue to it: `start`, `reel` for each recording, `close`."""

    def __init__(self, store: RecordingStore, *, most_ahead: float = 10.0, min_free_bytes: int = 0) -> None:
        """`min_free_bytes`: where the store has less room than this left, recordings fail; calls go on."""
        self.store = store
        self.most_ahead = most_ahead
        self.queue: SimpleQueue[tuple[Reel, _Item] | None] = SimpleQueue()
        self.active = 0
        "Recordings that are not finished."
        self._min_free = min_free_bytes
        self._unchecked = CHECK_BYTES
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = asyncio.Event()

    def start(self) -> None:
        """Begin to write; outcomes are set on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._thread.start()

    def reel(self, key: str, audio_format: AudioFormat, on_gap: Callable[[], None] | None = None) -> Reel:
        """Begin a recording, at the rate of this audio: 8 or 16 kHz; `on_gap` as `Reel` has it."""
        self.active += 1
        self._idle.clear()
        reel = Reel(self, key, 8000 if audio_format.rate <= 8000 else 16000, on_gap or _nothing)
        reel.outcome.add_done_callback(self._over)
        return reel

    async def close(self) -> None:
        """Wait, within bounds, until all that has ended is written, and stop."""
        try:
            await asyncio.wait_for(self._idle.wait(), CLOSE_SECONDS)
        except TimeoutError:
            pass  # the thread is a daemon: what it has not written is recovered by the next start
        self.queue.put(None)
        await asyncio.to_thread(self._thread.join, 1.0)

    def check_room(self, more: int) -> None:
        """Raise OSError where the disk is nearly full; the system is asked once a megabyte."""
        self._unchecked += more
        if self._min_free and self._unchecked >= CHECK_BYTES:
            free = self.store.free_bytes()
            if free is not None and free < self._min_free:
                raise OSError(
                    f"only {free >> 20} MB are left on the disk, min_free_mb is {self._min_free >> 20}"
                )
            self._unchecked = 0

    def _over(self, _: object) -> None:
        self.active -= 1
        if not self.active:
            self._idle.set()

    def _run(self) -> None:
        assert self._loop is not None
        while (item := self.queue.get()) is not None:
            reel, what = item
            outcome = reel.take(what)
            if outcome is not None:
                try:
                    self._loop.call_soon_threadsafe(_settle, reel.outcome, outcome)
                except RuntimeError:
                    return  # the loop is closed: nobody asks any more


def digest(store: RecordingStore, key: str, size: int) -> str:
    """SHA-256 of a recording as it is read."""
    sha = hashlib.sha256()
    for piece in store.read(key, 0, size):
        sha.update(piece)
    return sha.hexdigest()


def _settle(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _nothing() -> None:
    """Before anyone cares."""
