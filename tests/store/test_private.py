"""What a gateway keeps is for its owner's eyes only, whatever the umask, and after an upgrade too."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from gateway.store.engine.database import Database
from gateway.store.engine.private import private_database, private_folder
from gateway.store.engine.queue import DiskQueue


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """A process that lets everybody read what it makes."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Who may do what."""
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_database(tmp_path: Path) -> None:
    """The folder, the file and what SQLite keeps beside it are closed to others from the first byte."""
    file = tmp_path / "data" / "trunkline.db"
    database = Database(make_url(f"sqlite+aiosqlite:///{file}"))
    await database.migrate()
    async with database.writing():
        found = {path.name: mode(path) for path in file.parent.iterdir()}
    await database.close()
    assert found.pop("trunkline.db") == 0o600
    assert set(found.values()) <= {0o600}
    assert mode(file.parent) == 0o700


async def test_one_that_was_open(tmp_path: Path) -> None:
    """A database of an earlier version is closed at the next start, with its journal and folder."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    for ending in ("", "-wal", "-shm"):
        (folder / f"x.db{ending}").touch(mode=0o644)
    private_folder(folder)
    private_database(folder / "x.db")
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}


async def test_the_outbox(tmp_path: Path) -> None:
    """Events that wait for a broker have numbers in them."""
    queue = DiskQueue(tmp_path / "data" / "mqtt.queue", 100, 65_536)
    queue.open()
    assert {mode(path) for path in (tmp_path / "data").iterdir()} == {0o600}
    queue.close()
