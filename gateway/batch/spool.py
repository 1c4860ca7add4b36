"""Rows on disk while they are checked, so that memory holds a window; closed, they leave nothing."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from gateway.batch.files.upload import BLOCK

T = TypeVar("T", bound=msgspec.Struct)


class Spool(Generic[T]):
    """Values of one type in a file without a name: written once, read as often as one likes."""

    def __init__(self, kind: type[T], folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=BLOCK)  # noqa: SIM115 - `close` closes it
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode

    def add(self, value: T) -> None:
        """Write one more."""
        self._file.write(self._encode(value) + b"\n")

    def finish(self) -> None:
        """All are written."""
        self._file.flush()

    def __iter__(self) -> Iterator[T]:
        place, tail = 0, b""
        while block := os.pread(self._file.fileno(), BLOCK, place):
            place += len(block)
            *lines, tail = (tail + block).split(b"\n")
            yield from map(self._decode, lines)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()
