"""The writing thread: what it makes of slow disks, full disks and its own mistakes."""

import hashlib
import threading
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.media.audio import L16_8K, ULAW_8K
from gateway.media.stereo import HEAD_BYTES
from gateway.recordings.folder import FolderStore, WrittenFile
from gateway.recordings.protocol import Kept
from gateway.recordings.writer import RecordingWriter

KEY = "2026/11/26/call_01.wav"
SECOND = 16000
"Bytes of one channel's second in `L16_8K`."


class Disk(FolderStore):
    """A real folder whose writes can be held up, and refused."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ready = threading.Event()
        self.ready.set()
        self.refuse: Exception | None = None
        self.free: int | None = None

    def open(self, key: str) -> "WrittenFile":
        """A file on this disk."""
        file = super().open(key)
        inner = file.write

        def write(head: bytes, more: bytes) -> None:
            self.ready.wait(10)
            if self.refuse is not None:
                raise self.refuse
            inner(head, more)

        file.write = write  # type: ignore[method-assign]  # the disk under the file is what is played with
        return file

    def free_bytes(self) -> int | None:
        """As a test says."""
        return self.free


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """A good one, until a test says otherwise."""
    return Disk(tmp_path)


@pytest.fixture
async def writer(disk: Disk) -> AsyncIterator[RecordingWriter]:
    """A writer that runs."""
    writer = RecordingWriter(disk, most_ahead=3.0, min_free_bytes=1000)
    writer.start()
    yield writer
    disk.ready.set()
    await writer.close()


def tone(second: int, channel: int) -> bytes:
    """A second of one channel that is like no other."""
    return array("h", [100 * second + channel + 1] * 8000).tobytes()


def samples_of(store: FolderStore, kept: Kept | str) -> tuple["array[int]", "array[int]"]:
    """Left and right."""
    key = kept if isinstance(kept, str) else kept.key
    both = array("h", b"".join(store.read(key, 0, store.size(key)))[HEAD_BYTES:])
    return both[0::2], both[1::2]


async def test_both_channels_are_written(writer: RecordingWriter, disk: Disk) -> None:
    """With length, size and digest told at the end."""
    reel = writer.reel(KEY, L16_8K)
    for second in range(3):
        reel.give(L16_8K, tone(second, 0), tone(second, 1))
    reel.end()
    outcome = await reel.outcome
    left, right = samples_of(disk, KEY)
    assert left.tobytes() == b"".join(tone(second, 0) for second in range(3))
    assert right.tobytes() == b"".join(tone(second, 1) for second in range(3))
    raw = (disk.root / KEY).read_bytes()
    assert (outcome.key, outcome.milliseconds, outcome.size) == (KEY, 3000, len(raw))
    assert outcome.sha256 == hashlib.sha256(raw).hexdigest()
    assert (outcome.gap_ms, outcome.why, writer.active) == (0, None, 0)


async def test_a_slow_disk_leaves_a_gap_and_nothing_moves(writer: RecordingWriter, disk: Disk) -> None:
    """Memory is bounded; silence stands for what was not taken, and what follows is in its place."""
    gaps: list[str] = []
    reel = writer.reel(KEY, L16_8K, lambda: gaps.append("gap"))
    disk.ready.clear()
    for second in range(20):
        reel.give(L16_8K, tone(second, 0), tone(second, 1))
    assert len(gaps) == 1
    assert writer.queue.qsize() < 7
    disk.ready.set()
    probe = writer.reel("2026/11/26/call_02.wav", L16_8K)
    probe.end()
    await probe.outcome  # the queue is worked off up to here
    for second in range(20, 22):
        reel.give(L16_8K, tone(second, 0), tone(second, 1))
    reel.end()
    outcome = await reel.outcome
    left, _ = samples_of(disk, KEY)
    heard = [left[8000 * second + 4000] for second in range(22)]
    missing = outcome.gap_ms // 1000
    assert heard[: 20 - missing] == [100 * second + 1 for second in range(20 - missing)]
    assert heard[20 - missing : 20] == [0] * missing
    assert heard[20:] == [2001, 2101]
    assert (missing > 10, outcome.milliseconds, outcome.why) == (True, 22_000, None)


async def test_a_full_disk_ends_the_recording_and_keeps_what_there_is(
    writer: RecordingWriter, disk: Disk
) -> None:
    """The reason is told, and later audio is taken and forgotten."""
    reel = writer.reel(KEY, L16_8K)
    reel.give(L16_8K, tone(0, 0), tone(0, 1))
    probe = writer.reel("2026/11/26/call_02.wav", L16_8K)
    probe.end()
    await probe.outcome
    disk.refuse = OSError(28, "No space left on device")
    reel.give(L16_8K, tone(1, 0), tone(1, 1))
    outcome = await reel.outcome
    assert (outcome.why, outcome.milliseconds, outcome.key) == ("No space left on device", 1000, KEY)
    assert samples_of(disk, KEY)[0].tobytes() == tone(0, 0)
    for _ in range(100):
        reel.give(L16_8K, tone(2, 0), tone(2, 1))
    reel.end()


async def test_a_disk_with_little_room_is_left_alone(writer: RecordingWriter, disk: Disk) -> None:
    """Before it is full, for the database lives there too."""
    disk.free = 900
    reel = writer.reel(KEY, ULAW_8K)
    reel.give(ULAW_8K, bytes(8000), bytes(8000))
    outcome = await reel.outcome
    assert outcome.key is None
    assert outcome.why is not None
    assert "min_free_mb" in outcome.why


async def test_a_mistake_of_ours_costs_one_recording(writer: RecordingWriter, disk: Disk) -> None:
    """The thread lives on."""
    disk.refuse = RuntimeError("impossible")
    reel = writer.reel(KEY, L16_8K)
    reel.give(L16_8K, tone(0, 0), tone(0, 1))
    assert (await reel.outcome).why == "RuntimeError: impossible"
    disk.refuse = None
    other = writer.reel("2026/11/26/call_02.wav", L16_8K)
    other.give(L16_8K, tone(0, 0), tone(0, 1))
    other.end()
    assert (await other.outcome).milliseconds == 1000


async def test_closing_waits_for_what_has_ended(tmp_path: Path) -> None:
    """A call that hung up just now is on disk when the gateway has stopped."""
    writer = RecordingWriter(FolderStore(tmp_path))
    writer.start()
    reel = writer.reel(KEY, L16_8K)
    reel.give(L16_8K, tone(0, 0), tone(0, 1))
    reel.end()
    await writer.close()
    assert reel.outcome.result().milliseconds == 1000
