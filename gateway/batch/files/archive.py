"""The ZIP that a workbook is: only what is named is unpacked, and never more than a bound in all."""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from gateway.batch.files.upload import BLOCK, UnreadableFile, Upload

MAX_ENTRIES = 5000
"Of the directory; a workbook has some dozens. Each costs memory before anything is unpacked."
MAX_UNPACKED = 256 * 1024 * 1024
"Bytes in all: a workbook of 10 MB holds a third of it."
PIECE = 4096
"Bytes unpacked in one step."

_ENTRY = b"PK\x01\x02"
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1
"Of an entry's flags."
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    OverflowError,
)
"What the library raises where bytes are not as they should be."


class Archive:
    """The parts of a workbook by name; `close` closes the file."""

    def __init__(self, file: BinaryIO, upload: Upload) -> None:
        self._file = file
        self._upload = upload
        self._left = MAX_UNPACKED
        if _entries(file) > MAX_ENTRIES:
            raise UnreadableFile(
                "zip_bomb", f"{upload.shown} has more than {MAX_ENTRIES} files in it: no spreadsheet has"
            )
        try:
            self._zip = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise self.broken(error) from None
        self._parts = {_plain(part.filename): part for part in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._parts

    @property
    def names(self) -> frozenset[str]:
        """Of all its parts, in lower case."""
        return frozenset(self._parts)

    def close(self) -> None:
        """Close it."""
        self._zip.close()
        self._file.close()  # which the library does only where it has opened it

    def size(self, name: str) -> int:
        """Bytes that a part says it unpacks to."""
        part = self._parts.get(_plain(name))
        return 0 if part is None else part.file_size

    def pieces(self, name: str) -> Iterator[bytes]:
        """A part, piece by piece; UnreadableFile where it is missing, broken, locked or too large."""
        part = self._part(name)
        try:
            with self._zip.open(part) as unpacked:
                while piece := unpacked.read(PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise self._too_large()
                    yield piece
        except _BROKEN as error:
            raise self.broken(error) from None

    def broken(self, why: object) -> UnreadableFile:
        """The refusal of a file whose bytes are not as they should be."""
        return UnreadableFile(
            "broken", f"{self._upload.shown} is damaged and cannot be read as an Excel file: {str(why)[:120]}"
        )

    def _part(self, name: str) -> zipfile.ZipInfo:
        part = self._parts.get(_plain(name))
        if part is None:
            raise self.broken(f"it has no {name[:80]}")
        if part.flag_bits & _ENCRYPTED:
            raise UnreadableFile("password", f"{self._upload.shown} has a password: save it without one")
        if part.compress_type not in _METHODS:
            raise self.broken("it is packed in a way that spreadsheets are not")
        if part.file_size > self._left:
            raise self._too_large()
        return part

    def _too_large(self) -> UnreadableFile:
        return UnreadableFile(
            "zip_bomb", f"{self._upload.shown} unpacks to more than {MAX_UNPACKED >> 20} MB: that is not read"
        )


def _plain(name: str) -> str:
    """A part's name as all writers mean it."""
    return posixpath.normpath(name.replace("\\", "/").lstrip("/")).lower()


def _entries(file: BinaryIO) -> int:
    """How many entries the directory can have at most: each begins with the same four bytes."""
    file.seek(0)
    found, tail = 0, b""
    while block := file.read(16 * BLOCK):
        found += (tail + block).count(_ENTRY)
        tail = block[-len(_ENTRY) + 1 :]
    file.seek(0)
    return found
