"""The store on disk, plain and sealed: what is written is read, whatever happens in between."""

import os
import stat
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from gateway.media.stereo import HEAD_BYTES, stereo_head
from gateway.recordings.folder import FolderStore
from gateway.recordings.protocol import call_in, checked_key, is_call_id, key_of
from gateway.recordings.recovery import recover
from gateway.recordings.sealed import BLOCK

KEY = "2026/11/26/call_01.wav"
SECRET = b"k" * 32

MakeStore = Callable[[], FolderStore]


@pytest.fixture(params=["plain", "sealed"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Opens the store again, as the next start does."""
    return lambda: FolderStore(tmp_path / "recordings", SECRET, seals=request.param == "sealed")


def written(store: FolderStore, *pieces: bytes, key: str = KEY) -> bytes:
    """A recording in these pieces; what it should read as."""
    file, data = store.open(key), b""
    for piece in pieces:
        data += piece
        file.write(stereo_head(8000, len(data)), piece)
    file.finish()
    return stereo_head(8000, len(data)) + data


def noise(size: int) -> bytes:
    """Bytes that are nowhere alike."""
    return os.urandom(size)


def all_of(store: FolderStore, key: str = KEY) -> bytes:
    """The whole recording."""
    return b"".join(store.read(key, 0, store.size(key)))


def test_what_is_written_is_read(make: MakeStore) -> None:
    """In whatever pieces it came; Python's own reader takes it."""
    store = make()
    whole = written(store, noise(4), noise(32000), noise(BLOCK - 32004), noise(3 * BLOCK), noise(100))
    assert all_of(make()) == whole
    with wave.open(BytesIO(all_of(store))) as file:
        assert file.getnframes() * 4 == len(whole) - HEAD_BYTES


@pytest.mark.parametrize("start", [0, 10, HEAD_BYTES, BLOCK - 1, BLOCK + HEAD_BYTES, 2 * BLOCK + 17])
@pytest.mark.parametrize("length", [1, 100, BLOCK, 10 * BLOCK])
def test_any_part_can_be_read(make: MakeStore, start: int, length: int) -> None:
    """As a player asks for it."""
    whole = written(make(), noise(BLOCK * 2), noise(BLOCK // 2))
    assert b"".join(make().read(KEY, start, length)) == whole[start : start + length]


def test_a_recording_is_found_when_it_is_finished_and_not_before(make: MakeStore) -> None:
    """What is still written is nobody's to fetch, and another process's store leaves it alone."""
    store = make()
    file = store.open(KEY)
    file.write(stereo_head(8000, 400), noise(400))
    with pytest.raises(FileNotFoundError):
        store.size(KEY)
    assert make().unfinished() == []
    file.finish()
    assert [kept.key for kept in store.list_all()] == [KEY]


def test_only_the_owner_can_look(make: MakeStore, tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        written(make(), noise(400))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_a_deleted_recording_is_gone(make: MakeStore) -> None:
    """And deleting it again says that there was nothing."""
    store = make()
    written(store, noise(400))
    assert store.delete(KEY)
    assert not store.delete(KEY)
    with pytest.raises(FileNotFoundError):
        store.read(KEY, 0, 1)


@pytest.mark.parametrize(
    "key",
    [
        "../../etc/passwd",
        "2026/11/26/../../../secret.key",
        "/etc/passwd",
        "2026/11/26/call_01.wav/../../x",
        "2026/11/26/call_.wav",
        "2026/11/26/call_01.wav\n",
        "2026/11/26/call_0\x001.wav",
        "",
    ],
)
def test_no_key_leads_out_of_the_store(make: MakeStore, key: str) -> None:
    """Only `year/month/day/call_….wav` is a key."""
    store = make()
    for use in (store.open, store.size, store.delete, checked_key):
        with pytest.raises(ValueError, match="not the key of a recording"):
            use(key)


def test_keys_and_calls_are_found_from_each_other() -> None:
    """By the day of the call."""
    key = key_of("call_01m85m", datetime(2026, 11, 6, 23, 59, tzinfo=UTC))
    assert (key, call_in(key)) == ("2026/11/06/call_01m85m.wav", "call_01m85m")
    assert is_call_id("call_01m85m")
    assert not is_call_id("call_01m85m/..")


def test_what_a_killed_run_left_is_finished(make: MakeStore) -> None:
    """A file whose head was not brought up to date any more, and whose last frame is half there."""
    file = make().open(KEY)
    data = noise(BLOCK + 32000)
    file.write(stereo_head(8000, 16), data + b"xyz")
    file.leave()  # as the kernel closes the files of a killed process
    store = make()
    [found] = recover(store)
    assert (found.call_id, found.key, found.milliseconds) == ("call_01", KEY, len(data) * 1000 // 32000)
    assert all_of(store) == stereo_head(8000, len(data)) + data
    assert not list(recover(store))


def test_what_has_no_samples_is_thrown_away(make: MakeStore, tmp_path: Path) -> None:
    """A call that was killed before its first second."""
    file = make().open(KEY)
    file.write(stereo_head(8000, 0), b"")
    file.leave()
    assert not list(recover(make()))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_torn_block_costs_itself(tmp_path: Path) -> None:
    """Where power was lost while the last sealed block was written, all before it is there."""
    store = FolderStore(tmp_path, SECRET, seals=True)
    file, data = store.open(KEY), noise(BLOCK + 1000)
    file.write(stereo_head(8000, len(data)), data)
    file.leave()
    path = next((tmp_path / "unfinished").iterdir())
    os.truncate(path, path.stat().st_size - 7)
    [found] = recover(store)
    assert all_of(store) == stereo_head(8000, BLOCK) + data[:BLOCK]
    assert found.size == HEAD_BYTES + BLOCK


def test_what_makes_no_sense_is_left_for_a_person(make: MakeStore, tmp_path: Path) -> None:
    """Recovery touches nothing that it cannot read."""
    folder = tmp_path / "recordings" / "unfinished"
    folder.mkdir(parents=True)
    (folder / "2026_11_26_call_02.wav").write_bytes(b"RIFF but no recording" * 10)
    (folder / "notes.wav").write_text("mine")
    assert not list(recover(make()))
    assert len(list(folder.iterdir())) == 2


def test_a_seal_is_opened_by_its_key_alone(tmp_path: Path) -> None:
    """Nothing of the audio lies open, another key opens nothing, and no byte can be changed."""
    store, data = FolderStore(tmp_path, SECRET, seals=True), b"four" * BLOCK
    written(store, data)
    path = tmp_path / KEY
    assert b"fourfour" not in path.read_bytes()
    with pytest.raises(PermissionError):
        all_of(FolderStore(tmp_path, b"o" * 32))
    with pytest.raises(PermissionError):
        all_of(FolderStore(tmp_path))
    changed = bytearray(path.read_bytes())
    changed[BLOCK // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(PermissionError):
        all_of(store)


def test_sealed_blocks_cannot_change_places(tmp_path: Path) -> None:
    """Two whole blocks swapped are two broken ones."""
    store = FolderStore(tmp_path, SECRET, seals=True)
    written(store, noise(2 * BLOCK))
    path, size = tmp_path / KEY, BLOCK + 28
    raw = path.read_bytes()
    start = len(raw) - 2 * size
    path.write_bytes(raw[:start] + raw[start + size :] + raw[start : start + size])
    with pytest.raises(PermissionError):
        all_of(store)


def test_plain_and_sealed_lie_side_by_side(tmp_path: Path) -> None:
    """Who begins to seal can still play what was recorded before."""
    plain = written(FolderStore(tmp_path), noise(400))
    sealed = written(FolderStore(tmp_path, SECRET, seals=True), noise(400), key="2026/11/27/call_02.wav")
    store = FolderStore(tmp_path, SECRET, seals=True)
    assert [all_of(store, kept.key) for kept in store.list_all()] == [plain, sealed]
