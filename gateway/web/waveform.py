"""How loud both sides of a recording were, looked at in places: an hour of sound is a hundred megabytes."""

import asyncio
from array import array
from dataclasses import dataclass

from gateway.media.stereo import FRAME_BYTES, HEAD_BYTES
from gateway.recordings.keeping import Keeping, key_in
from gateway.store.records.calls import CallRow

BARS = 240
LOOKED_AT = 512
"Frames that each bar of the waveform looks at: enough to see speech and silence, whatever the length."
LOUDEST = 32_768


@dataclass(frozen=True, slots=True)
class Waveform:
    """How loud both sides were over the call: heights from 0 to 100, one for each bar."""

    caller: tuple[int, ...]
    agent: tuple[int, ...]


async def waveform(keeping: Keeping, row: CallRow) -> Waveform | None:
    """The waveform of a call's recording; None where there is none on this gateway."""
    key = key_in(row)
    if key is None or row.recording_status not in ("saved", "recovered"):
        return None
    try:
        return await asyncio.to_thread(_looked_at, keeping, key)
    except OSError:
        return None


def _looked_at(keeping: Keeping, key: str) -> Waveform:
    """Looks at a part of each bar's stretch alone: an hour of sound is a hundred megabytes."""
    frames = max(0, keeping.recordings.size(key) - HEAD_BYTES) // FRAME_BYTES
    caller, agent = [], []
    for bar in range(BARS):
        start = frames * bar // BARS
        length = min(LOOKED_AT, max(1, frames // BARS))
        read = keeping.recordings.read(key, HEAD_BYTES + start * FRAME_BYTES, length * FRAME_BYTES)
        samples = array("h")
        data = b"".join(read)
        samples.frombytes(data[: len(data) // FRAME_BYTES * FRAME_BYTES])
        caller.append(_height(samples[0::2]))
        agent.append(_height(samples[1::2]))
    return Waveform(tuple(caller), tuple(agent))


def _height(samples: "array[int]") -> int:
    """The peak on a scale that shows quiet speech too."""
    peak = max(map(abs, samples), default=0) / LOUDEST
    return round(100.0 * float(peak**0.6))
