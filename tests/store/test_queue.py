"""The queue on disk: order, bounds, restarts, and a disk that does not want."""

import sqlite3
from pathlib import Path

import pytest

from gateway.store.engine.errors import StoreError
from gateway.store.engine.queue import DiskQueue


def opened(path: Path, items: int = 1000, size: int = 1_000_000) -> DiskQueue:
    """A queue in a folder."""
    queue = DiskQueue(path / "queue.db", items, size)
    assert queue.open()
    return queue


def held(queue: DiskQueue) -> list[bytes]:
    """What waits, oldest first."""
    return [each.item for each in queue.read(10_000)]


def test_first_in_is_first_out(tmp_path: Path) -> None:
    """Items come out in the order in which they went in, and stay until they are forgotten."""
    queue = opened(tmp_path)
    queue.append([b"one", b"two"])
    queue.append([b"three"])
    first = queue.read(2)
    assert [each.item for each in first] == [b"one", b"two"]
    assert held(queue) == [b"one", b"two", b"three"]
    queue.forget(first[-1].id)
    assert held(queue) == [b"three"]
    assert (queue.items, queue.bytes) == (1, 5)
    queue.close()


def test_a_restart_keeps_items_and_their_order(tmp_path: Path) -> None:
    """Another process finds what was left, and its own items come after, with higher ids."""
    queue = opened(tmp_path)
    queue.append([b"one", b"two"])
    before = queue.read(10)
    queue.close()
    queue = opened(tmp_path)
    assert (queue.items, queue.bytes) == (2, 6)
    queue.append([b"three"])
    after = queue.read(10)
    assert after[:2] == before
    assert [each.id for each in after] == sorted({each.id for each in after})
    queue.close()


def test_ids_grow_though_the_queue_was_emptied(tmp_path: Path) -> None:
    """An id is never given twice: who has seen it may take it for the same item."""
    queue = opened(tmp_path)
    queue.append([b"one"])
    (one,) = queue.read(1)
    queue.forget(one.id)
    queue.close()
    queue = opened(tmp_path)
    queue.append([b"two"])
    assert queue.read(1)[0].id > one.id
    queue.close()


@pytest.mark.parametrize(("items", "size"), [(100, 1_000_000), (1000, 800)])
def test_the_oldest_give_way(tmp_path: Path, items: int, size: int) -> None:
    """Neither more items nor more bytes than allowed are kept; what goes is the oldest, and is counted."""
    queue = opened(tmp_path, items, size)
    dropped = sum(queue.append([f"{number:08d}".encode()]) for number in range(300))
    left = held(queue)
    assert 0 < len(left) <= 100
    assert left == [f"{number:08d}".encode() for number in range(300 - len(left), 300)]
    assert dropped == 300 - len(left)
    assert (queue.items, queue.bytes) == (len(left), 8 * len(left))
    queue.close()


def test_one_item_larger_than_the_bound_leaves_nothing(tmp_path: Path) -> None:
    """The bound holds whatever comes."""
    queue = opened(tmp_path, 10, 4)
    assert queue.append([b"one", b"three"]) == 2
    assert (queue.items, queue.bytes) == (0, 0)
    queue.close()


def test_what_is_no_queue_is_moved_aside(tmp_path: Path) -> None:
    """A file that cannot be read does not keep the gateway from starting, and is kept for a person."""
    (tmp_path / "queue.db").write_bytes(b"this is no database, and never was one" * 100)
    queue = DiskQueue(tmp_path / "queue.db", 10, 1000)
    assert not queue.open()
    queue.append([b"one"])
    assert held(queue) == [b"one"]
    assert (tmp_path / "queue.corrupt").read_bytes().startswith(b"this is no")
    queue.close()


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path) -> None:
    """An append that fails says so, and leaves the queue and its figures as they were."""
    queue = opened(tmp_path)
    queue.append([b"one"])
    other = sqlite3.connect(tmp_path / "queue.db")
    other.execute("CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    other.commit()
    with pytest.raises(StoreError, match="disk full"):
        queue.append([b"two", b"three"])
    assert (queue.items, queue.bytes) == (1, 3)
    other.execute("DROP TRIGGER full")
    other.commit()
    other.close()
    queue.append([b"four"])
    assert held(queue) == [b"one", b"four"]
    queue.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The path is named where the file cannot be had."""
    (tmp_path / "file").write_text("no folder")
    queue = DiskQueue(tmp_path / "file/queue.db", 10, 1000)
    with pytest.raises(StoreError, match=r"queue\.db"):
        queue.open()


def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Telephone numbers wait in it."""
    opened(tmp_path).close()
    assert (tmp_path / "queue.db").stat().st_mode & 0o077 == 0
