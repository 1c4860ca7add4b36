"""Rows on disk while they are checked, so that memory holds a window; closed, they leave nothing."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from gateway.batch.files.upload import BLOCK, UnreadableFile

MAX_SPOOLED = 1 << 30
"Bytes that the rows of one file may take: each recipient has the names of all its variables."
TOO_MUCH = "The rows would take more than 1 GB, each with the names of all columns: send fewer columns"

T = TypeVar("T", bound=msgspec.Struct)


class Spool(Generic[T]):
    """Values of one type in a file without a name: written once, read as often as one likes."""

    def __init__(self, kind: type[T], folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=BLOCK)  # noqa: SIM115 - `close` closes it
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        self._left = MAX_SPOOLED

    def add(self, value: T) -> None:
        """Write one more; UnreadableFile where they are more than the disk is for."""
        line = self._encode(value) + b"\n"
        self._left -= len(line)
        if self._left < 0:
            raise UnreadableFile("too_much_text", TOO_MUCH)
        self._file.write(line)

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
