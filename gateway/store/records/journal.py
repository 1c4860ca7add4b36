"""Call records on disk while the database is away: one line of JSON each, synced before it counts."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.store.records.call_table import Saved, line_of, saved_of

CHUNK = 200
"Records that are written to the database in one transaction."


class Journal:
    """An append-only file. To be replayed it is set aside under another name, so that appending can go on.

    Every method blocks on the disk: call them in a thread, one at a time for each file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_suffix(".replay")
        self._rejected = path.with_suffix(".rejected")
        self.torn = 0
        "Lines that could not be read: a record that was being written when the machine died."

    def __repr__(self) -> str:
        return f"Journal({str(self._path)!r})"

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be replayed."""
        return not any(path.exists() and path.stat().st_size for path in (self._path, self._aside))

    @property
    def size(self) -> int:
        """Bytes that wait to be replayed."""
        return sum(path.stat().st_size for path in (self._path, self._aside) if path.exists())

    def append(self, rows: Iterable[Saved]) -> None:
        """Write records at the end and see them to the disk; OSError where it does not take them."""
        _append(self._path, rows)

    def reject(self, rows: Iterable[Saved]) -> None:
        """Put records that the database will never take where a person can look at them."""
        _append(self._rejected, rows)

    def set_aside(self) -> bool:
        """Make everything so far ready for `chunks`; False where there is nothing."""
        if not self._aside.exists() and self._path.exists():
            self._path.rename(self._aside)
            _sync_folder(self._aside.parent)
        return self._aside.exists()

    def chunks(self) -> Iterator[list[Saved]]:
        """What was set aside, some records at a time, in the order of writing."""
        chunk: list[Saved] = []
        with self._aside.open("rb") as file:
            for line in file:
                try:
                    chunk.append(saved_of(line))
                except ValueError:
                    self.torn += bool(line.strip())
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
        if chunk:
            yield chunk

    def forget(self) -> None:
        """What was set aside is in the database."""
        self._aside.unlink(missing_ok=True)
        _sync_folder(self._aside.parent)


def _append(path: Path, rows: Iterable[Saved]) -> None:
    lines = b"".join(map(_line, rows))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines  # the last line was torn: do not let it spoil the next
        _write_all(descriptor, lines)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if fresh:
        _sync_folder(path.parent)


def _line(saved: Saved) -> bytes:
    try:
        return line_of(saved)
    except Exception:
        # Not a record that can be replayed, but one that a person can still read.
        return repr(saved).encode("utf-8", "backslashreplace") + b"\n"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """A new, renamed or removed name is only safe once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
