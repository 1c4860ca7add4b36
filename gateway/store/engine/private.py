"""Folders and files for their owner's eyes only: calls, numbers and sealed secrets are in them."""

import os
import stat
from contextlib import suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
BESIDE = ("", "-wal", "-shm", "-journal")
"What SQLite keeps beside a database; it makes them with the database's own mode."


def private_folder(path: Path) -> None:
    """Make a folder, or close one that is there to others; OSError where it cannot be made."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _close(path)


def private_database(path: Path) -> None:
    """Make the file of an SQLite database that is yet to be filled, or close what is there to others.

    What is there already is never opened here: with any descriptor that a process closes, the kernel lets go
    of all its locks on the file, those of SQLite's connections as well. The next process that closes its own
    then takes itself for the last one, and deletes the write-ahead log with all that we write from then on.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for ending in BESIDE:
        _close(path.with_name(path.name + ending))


def open_to_others(path: Path) -> bool:
    """Whether more than its owner may read it; False where it is not there."""
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:
        return False


def _close(path: Path) -> None:
    if open_to_others(path) and path.stat().st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
