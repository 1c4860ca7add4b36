"""What a killed run left behind is made readable, and findable, by the next start."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.media.stereo import FRAME_BYTES, HEAD_BYTES, rate_in, stereo_head
from gateway.recordings.protocol import RecordingStore, Unfinished, call_in
from gateway.recordings.writer import digest


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recording that was finished after its call."""

    call_id: str
    key: str
    milliseconds: int
    size: int
    sha256: str


def recover(store: RecordingStore) -> Iterator[Recovered]:
    """Finish what can be; what has no samples is thrown away, what makes no sense left alone. Blocks."""
    for left in store.unfinished():
        frames = max(0, left.size - HEAD_BYTES) // FRAME_BYTES
        if not frames:
            left.discard()
            continue
        try:
            rate = rate_in(left.head(HEAD_BYTES))
        except (OSError, ValueError):
            left.leave()
        else:
            yield _finished(store, left, frames, rate)


def _finished(store: RecordingStore, left: Unfinished, frames: int, rate: int) -> Recovered:
    data = frames * FRAME_BYTES
    kept = left.finish(stereo_head(rate, data), HEAD_BYTES + data)
    sha256 = digest(store, kept.key, kept.size)
    return Recovered(call_in(kept.key), kept.key, frames * 1000 // rate, kept.size, sha256)
