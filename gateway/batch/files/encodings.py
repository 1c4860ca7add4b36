"""Which encoding a text file has: its mark, its zero bytes, strict UTF-8, else what Windows writes."""

import codecs
from collections.abc import Generator
from typing import BinaryIO

from gateway.batch.files.content import looks_wide
from gateway.batch.files.upload import BLOCK, UnreadableFile

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNDEFINED = frozenset(b"\x81\x8d\x8f\x90\x9d")
"Bytes that Windows-1252 has no character for: text with one is Latin-1."

NAMES = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "utf-8-sig": "utf-8-sig",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "latin-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-1": "iso-8859-1",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
"What people may call an encoding, and what Python does."
_SHOWN = {"utf-8-sig": "UTF-8", "iso-8859-1": "Latin-1", "cp1252": "Windows-1252"}


def chosen_encoding(name: str) -> str:
    """The codec of an encoding that a person named; UnreadableFile lists them."""
    codec = NAMES.get(name.strip().lower().replace("_", "-").replace(" ", "-"))
    if codec is None:
        known = "UTF-8, UTF-16, UTF-16-LE, UTF-16-BE, UTF-32, Latin-1, Windows-1252"
        raise UnreadableFile("encoding", f"There is no encoding {name[:40]!r} to choose; there are {known}")
    return codec


def shown_encoding(codec: str) -> str:
    """The name for a person."""
    return _SHOWN.get(codec, codec.upper())


def encoding_of(file: BinaryIO) -> Generator[float, None, str]:
    """The codec of a file, by a look at all of it; steps by yielding, leaves the file at its beginning."""
    file.seek(0)
    head = file.read(BLOCK)
    marked = next((codec for mark, codec in _MARKS if head.startswith(mark)), "") or looks_wide(head)
    codec = marked or (yield from _unmarked(file, head))
    file.seek(0)
    return codec


def _unmarked(file: BinaryIO, block: bytes) -> Generator[float, None, str]:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    is_utf8, undefined = True, False
    while block:
        if is_utf8:
            is_utf8 = _decodes(decoder, block, final=False)
        undefined = undefined or not _UNDEFINED.isdisjoint(block)
        block = file.read(BLOCK)
        yield 0.0
    if is_utf8 and _decodes(decoder, b"", final=True):
        return "utf-8-sig"
    return "iso-8859-1" if undefined else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
