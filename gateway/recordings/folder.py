"""Recordings in a folder of this machine, plain or sealed.

What is being written is in `unfinished/`, locked by the process that writes; finishing moves it to its day.
So whatever is there and not locked was left behind by a killed run.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from gateway.recordings.plain import Plain
from gateway.recordings.protocol import Kept, checked_key
from gateway.recordings.sealed import MAGIC, Sealed

UNFINISHED = "unfinished"
PIECE = 256 * 1024
"Bytes read at once."


class Content(Protocol):
    """How the bytes of a recording lie in its file."""

    size: int
    "Bytes of the recording."

    def write(self, head: bytes, more: bytes) -> None:
        """Append, and replace the head; where that fails, what was there before is all that is there."""

    def read(self, start: int, length: int) -> bytes:
        """A part of it; shorter at its end."""

    def mend(self) -> None:
        """Drop what a killed run, or a lost power supply, left unreadable at the end."""

    def cut(self, size: int) -> None:
        """Drop what is beyond `size`."""


class FolderStore:
    """A folder with a folder for each day, for its owner's eyes only.

    With a key, new recordings are sealed by it. Both kinds are read.
    """

    def __init__(self, root: Path, key: bytes | None = None, *, seals: bool = False) -> None:
        self.root = root
        self._key = key
        self._seals = seals

    def open(self, key: str) -> "WrittenFile":
        """Begin a recording; FileExistsError where it was begun before."""
        path = self._unfinished(checked_key(key))
        make_folder(self.root)
        make_folder(path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content: Content = Plain(file)
        if self._seals:
            assert self._key is not None, "a store that seals has a key"
            content = Sealed.begin(file, self._key)
        return WrittenFile(self, key, file, path, content)

    def size(self, key: str) -> int:
        """Bytes of a finished recording."""
        with _Opened(self.path(key)) as file:
            return self.content(file).size

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """A part of a finished recording; the file is opened before this returns."""
        opened = _Opened(self.path(key))
        return self._pieces(opened, start, start + length)

    def _pieces(self, opened: "_Opened", start: int, end: int) -> Iterator[bytes]:
        with opened as file:
            content = self.content(file)
            while start < end and (piece := content.read(start, min(PIECE, end - start))):
                start += len(piece)
                yield piece

    def delete(self, key: str) -> bool:
        """Remove a recording; False where there was none."""
        try:
            self.path(key).unlink()
        except FileNotFoundError:
            return False
        return True

    def list_all(self) -> Iterator[Kept]:
        """Every finished recording, oldest day first."""
        for path in sorted(self.root.glob("[0-9]*/[0-9]*/[0-9]*/call_*.wav")):
            key = path.relative_to(self.root).as_posix()
            yield Kept(key, self.size(key))

    def unfinished(self) -> Sequence["WrittenFile"]:
        """What is in `unfinished/` and nobody has locked."""
        left = []
        for path in sorted((self.root / UNFINISHED).glob("*.wav")):
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                key = checked_key(path.name.replace("_", "/", 3))
                content = self.content(file)
                content.mend()
                left.append(WrittenFile(self, key, file, path, content))
            except (OSError, ValueError):
                # Locked by another gateway, none of ours, or sealed with a key that is not here: left alone.
                os.close(file)
        return left

    def free_bytes(self) -> int | None:
        """What the file system has left for us."""
        folder = self.root if self.root.exists() else self.root.parent
        space = os.statvfs(folder)
        return space.f_bavail * space.f_frsize

    def path(self, key: str) -> Path:
        """Where a finished recording is."""
        return self.root / checked_key(key)

    def content(self, file: int) -> Content:
        """What is in an open file, by its first bytes."""
        if os.pread(file, len(MAGIC), 0) != MAGIC:
            return Plain(file)
        if self._key is None:
            raise PermissionError("the recording is sealed, and there is no key")
        return Sealed(file, self._key)

    def _unfinished(self, key: str) -> Path:
        return self.root / UNFINISHED / key.replace("/", "_")


class WrittenFile:
    """A recording that is not finished yet: being written, or left behind."""

    def __init__(self, store: FolderStore, key: str, file: int, path: Path, content: Content) -> None:
        self.key = key
        self._store = store
        self._file = file
        self._path = path
        self._content = content

    @property
    def size(self) -> int:
        """Bytes that can be read."""
        return self._content.size

    def head(self, length: int) -> bytes:
        """Its first bytes."""
        return self._content.read(0, length)

    def write(self, head: bytes, more: bytes) -> None:
        """Append; where that fails half-way, what was there before is all that is there."""
        self._content.write(head, more)

    def finish(self, head: bytes | None = None, size: int | None = None) -> Kept:
        """Cut and headed where asked, on the disk for certain, and under its key."""
        if size is not None:
            self._content.cut(size)
        if head is not None:
            self._content.write(head, b"")
        os.fdatasync(self._file)
        target = self._store.path(self.key)
        make_folder(target.parent.parent.parent)
        make_folder(target.parent.parent)
        make_folder(target.parent)
        self._path.replace(target)
        kept = Kept(self.key, self._content.size)
        os.close(self._file)
        return kept

    def discard(self) -> None:
        """Throw it away."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def leave(self) -> None:
        """Leave it where it is."""
        os.close(self._file)


class _Opened:
    """A file for reading, opened when this is made and closed behind the `with`."""

    def __init__(self, path: Path) -> None:
        self._file = -1
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> int:
        return self._file

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Twice does nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def make_folder(path: Path) -> None:
    """A folder that its owner alone can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
