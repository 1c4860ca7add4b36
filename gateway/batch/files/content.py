"""What a file is by its content: whatever it is called."""

from enum import StrEnum

from gateway.batch.files.upload import WANTED, UnreadableFile, Upload


class Kind(StrEnum):
    """What can be read."""

    TEXT = "text"
    ZIP = "zip"
    "A workbook, if it has one in it."
    OLE = "ole"
    "An old workbook, or a new one with a password."


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"),
    (b"RIFF", "a sound, a film or a picture (RIFF)"),
    (b"ID3", "a sound (MP3)"),
    (b"OggS", "a sound (Ogg)"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "a database (SQLite)"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "a text with formatting (RTF)"),
)
"How other files begin."
_SURE = 4
"Bytes of a beginning that no header of a text has: one may well begin with `BM` or `MZ`."
_MARKUP = (
    (b"<!doctype html", "a web page: open it in a spreadsheet and save it as .xlsx or .csv"),
    (b"<html", "a web page: open it in a spreadsheet and save it as .xlsx or .csv"),
    (b"<table", "a web page: open it in a spreadsheet and save it as .xlsx or .csv"),
    (b"<?xml", "an XML file: open it in a spreadsheet and save it as .xlsx or .csv"),
    (b"<", "a file with markup: open it in a spreadsheet and save it as .xlsx or .csv"),
    (b"{", "a JSON file: save it as .csv"),
    (b"[{", "a JSON file: save it as .csv"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\r\x0b\x0c\x1a\x1b")
_MOST_CONTROLS = 0.01
"Of the beginning's bytes: text has none, noise a tenth."


def kind_of(upload: Upload, head: bytes) -> Kind:
    """What a file is, by its first block; UnreadableFile in words where it is nothing that can be read."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.ZIP
    if head.startswith(OLE):
        return Kind.OLE
    is_text = _is_text(head)
    for beginning, what in _OTHERS:
        if head.startswith(beginning) and (len(beginning) >= _SURE or not is_text):
            raise not_a_table(upload, what)
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, what in _MARKUP:
        if plain.startswith(beginning):
            raise not_a_table(upload, what)
    if not is_text:
        raise not_a_table(upload, "neither text nor a workbook")
    return Kind.TEXT


def not_a_table(upload: Upload, what: str) -> UnreadableFile:
    """The refusal of a file that is something else."""
    return UnreadableFile("not_a_table", f"{WANTED}: {upload.shown} is {what}")


def _is_text(head: bytes) -> bool:
    """Whether it can be text in one of the encodings: UTF-16 has half of its bytes zero, others none."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or looks_wide(head):
        return True
    strange = sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in head[:4096])
    return b"\0" not in head and strange <= _MOST_CONTROLS * len(head[:4096])


def looks_wide(head: bytes) -> str:
    """`utf-16-le` or `utf-16-be` by where its zero bytes are, or nothing: separators and digits have one."""
    head = head[:4096]
    low, high = head[0::2].count(0), head[1::2].count(0)
    enough = max(4, len(head) // 20)
    if high >= enough and high > 8 * low:
        return "utf-16-le"
    if low >= enough and low > 8 * high:
        return "utf-16-be"
    return ""
