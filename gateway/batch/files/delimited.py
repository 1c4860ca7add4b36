"""CSV: records of cells as Python's `csv` reads them, however long a cell is or a quote stays open."""

import codecs
import csv
import re
from collections.abc import Generator, Iterable, Iterator
from enum import Enum, auto
from itertools import chain
from typing import BinaryIO

from gateway.batch.columns import names_the_number
from gateway.batch.files.encodings import chosen_encoding, encoding_of, shown_encoding
from gateway.batch.files.upload import (
    BLOCK,
    MAX_CELL,
    MAX_COLUMNS,
    MAX_NAME,
    Header,
    Row,
    Table,
    UnreadableFile,
    Upload,
    sentence,
)

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NO_TEXT = "".join(SEPARATORS) + " \n"
_LONG_LINE = 16 * 1024
"Characters that the library may be given at once: longer lines are read piece by piece."
_MOST_CELLS = MAX_COLUMNS + 1
"That are kept of one record."
_PAUSE_PARTS = 256
"After so many cells, or quotes, the reader lets others have their turn."
_SEPARATOR_LINE = re.compile(r"sep=(.)[,;]*")
"What Excel writes, and reads, before the header."

Record = tuple[int, list[str]]
"The line that it begins in, and its cells."


def read_delimited(
    upload: Upload, file: BinaryIO, separator: str, encoding: str, phone: str = ""
) -> Generator[float, None, Table]:
    """The table of a text file; steps by yielding. `phone` is the column that was chosen for the number."""
    codec = chosen_encoding(encoding) if encoding else (yield from encoding_of(file))
    chosen = chosen_separator(separator) if separator else ""
    blocks = _text(file, codec, upload)
    head: list[str] = []
    while not (head and head[-1].strip()) and (block := next(blocks, None)) is not None:
        head.append(block)
        yield 0.0
    said = _said_separator(head[-1])
    if said:
        head[-1] = head[-1].partition("\n")[2]
    used = chosen or said or (yield from _likely_separator(head[-1], phone))
    records = _records(chain(head, blocks), Splitter(used, first_line=2 if said else 1), upload)
    line, names = yield from _header(records, upload)
    header = Header(line, names, encoding=shown_encoding(codec), separator=SEPARATORS.get(used, used))
    size = upload.path.stat().st_size
    return Table(header, _rows(records), lambda: (min(file.tell(), size), size), file.close)


def chosen_separator(name: str) -> str:
    """The character of a separator that a person named, or gave; UnreadableFile lists them."""
    wanted = name if name == "\t" else name.strip().lower()
    for character, called in SEPARATORS.items():
        if wanted in (character, called):
            return character
    raise UnreadableFile(
        "separator", f"There is no separator {name[:40]!r}; there are {', '.join(SEPARATORS.values())}"
    )


def _text(file: BinaryIO, codec: str, upload: Upload) -> Iterator[str]:
    """The file's text by block, every newline a `\\n`, whichever system wrote it."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    held, mark = "", "\ufeff"
    while block := file.read(BLOCK):
        text = held + _decoded(decoder, block, file, upload, codec)
        held = "\r" if text.endswith("\r") else ""  # the other half may come in the next block
        yield _plain_newlines(text[: len(text) - len(held)].removeprefix(mark))
        mark = ""
    yield _plain_newlines(held + _decoded(decoder, b"", file, upload, codec))


def _decoded(
    decoder: codecs.IncrementalDecoder, block: bytes, file: BinaryIO, upload: Upload, codec: str
) -> str:
    try:
        return decoder.decode(block, not block)
    except UnicodeError as error:
        # The bytes that the decoder still held are of the same line, but for a newline.
        place = file.tell() - len(block) + (error.start if isinstance(error, UnicodeDecodeError) else 0)
        file.seek(0)
        line = file.read(place).count(b"\n") + 1
        message = sentence(f"{upload.shown} is not in {shown_encoding(codec)}: see line {line}")
        raise UnreadableFile(
            "encoding", f"{message}. Leave the encoding out, and it is told by the file, or choose another"
        ) from None


def _plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _said_separator(head: str) -> str:
    said = _SEPARATOR_LINE.fullmatch(head.partition("\n")[0])
    return said[1] if said and said[1] in SEPARATORS else ""


def _likely_separator(head: str, phone: str) -> Generator[float, None, str]:
    """The one that gives a column for the number, then the one that gives most columns."""
    judged: dict[str, tuple[bool, int]] = {}
    for separator in SEPARATORS:
        cells: list[str] = []
        for record in Splitter(separator).feed(head + "\n"):
            yield 0.0
            if record is not None and any(record[1]):
                cells = record[1]
                break
        judged[separator] = any(names_the_number(cell, phone) for cell in cells), len(cells)
    return max(SEPARATORS, key=judged.__getitem__)


def _header(
    records: Iterator[Record | None], upload: Upload
) -> Generator[float, None, tuple[int, tuple[str, ...]]]:
    for record in records:
        if record is None:
            yield 0.0
        elif "".join(record[1]).strip(_NO_TEXT):
            return record[0], header_names(record[1])
    raise UnreadableFile("empty", f"There is no text in {upload.shown}")


def header_names(cells: Iterable[str]) -> tuple[str, ...]:
    """The names of the columns, without spaces around them and without empty ones at the end."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile(
            "too_many_columns", f"The header has {len(names)} columns; at most {MAX_COLUMNS} are read"
        )
    for place, name in enumerate(names, 1):
        if len(name) > MAX_NAME:
            told = f"The name of column {place}, “{name[:40]}…”, is longer than {MAX_NAME} characters"
            raise UnreadableFile("name_too_long", f"{told}: shorten it")
    return tuple(names)


def _rows(records: Iterator[Record | None]) -> Iterator[Row | None]:
    for record in records:
        yield None if record is None else Row(record[0], tuple(record[1]))


def _records(blocks: Iterable[str], splitter: "Splitter", upload: Upload) -> Iterator[Record | None]:
    """The records of a text, with None in between where others may have their turn.

    Blocks without a quote go to the library, whole lines at once; the others are split here.
    """
    tail = ""
    for block in blocks:
        yield None
        if splitter.is_between and '"' not in tail and '"' not in block:
            lines = (tail + block).split("\n")
            tail = lines.pop()
            if not lines or len(max(lines, key=len)) <= _LONG_LINE:
                yield from splitter.plain(lines)
                if len(tail) <= _LONG_LINE:
                    continue
            else:
                tail = "\n".join((*lines, tail))
            block = ""
        yield from splitter.feed(tail + block)
        tail = ""
    yield from splitter.feed(tail)
    yield from splitter.finish(upload)


class _At(Enum):
    """Where in a record the next character is."""

    BEGINNING = auto()
    "Of a cell."
    PLAIN = auto()
    QUOTED = auto()
    QUOTE = auto()
    "Behind a quote inside a quoted cell: the second half of two, or the end."


class Splitter:
    """Splits text into records as RFC 4180 says, piece by piece; keeps a bounded part of each."""

    def __init__(self, separator: str, first_line: int = 1) -> None:
        self._separator = separator
        self._ends = re.compile(f"[{re.escape(separator)}\n]")
        self._at = _At.BEGINNING
        self._line = self._began = self._quoted_since = first_line
        self._cells: list[str] = []
        self._count = 0
        self._cell: list[str] = []
        self._kept = 0

    @property
    def is_between(self) -> bool:
        """Whether the next character begins a record."""
        return self._at is _At.BEGINNING and not self._count

    def plain(self, lines: list[str]) -> Iterator[Record]:
        """Whole lines without a quote, each a record unless it is empty."""
        number = self._line
        self._line += len(lines)
        self._began = self._line
        for place, cells in enumerate(csv.reader(lines, delimiter=self._separator), number):
            if cells:
                yield place, cells

    def feed(self, text: str) -> Iterator[Record | None]:
        """The records that end in this text; None after many parts of them."""
        place, length, parts = 0, len(text), 0
        while place < length:
            parts += 1
            if not parts % _PAUSE_PARTS:
                yield None
            if self._at is _At.QUOTED:
                place = self._quoted(text, place)
                continue
            if self._at is _At.BEGINNING and text[place] == '"':
                self._at, self._quoted_since = _At.QUOTED, self._line
                place += 1
                continue
            if self._at is _At.QUOTE and text[place] == '"':
                self._keep('"')
                self._at = _At.QUOTED
                place += 1
                continue
            end = self._ends.search(text, place)
            stop = end.start() if end else length
            self._keep(text[place:stop])
            self._at = _At.PLAIN
            place = stop + 1
            if end is not None:
                self._end_cell()
                if end[0] == "\n":
                    self._line += 1
                    yield self._record()

    def finish(self, upload: Upload) -> Iterator[Record]:
        """The last record, where no newline ends it; UnreadableFile where a quote is open."""
        if self._at is _At.QUOTED:
            raise UnreadableFile(
                "quote_not_closed",
                f"The quote before a cell in line {self._quoted_since} of {upload.shown} is never closed",
            )
        if not self.is_between:
            self._end_cell()
            yield self._record()

    def _quoted(self, text: str, place: int) -> int:
        end = text.find('"', place)
        stop = len(text) if end < 0 else end
        self._keep(text[place:stop])
        self._line += text.count("\n", place, stop)
        self._at = _At.QUOTED if end < 0 else _At.QUOTE
        return stop + 1

    def _keep(self, text: str) -> None:
        if text and self._kept <= MAX_CELL:
            self._cell.append(text[: MAX_CELL + 1 - self._kept])
            self._kept += len(self._cell[-1])

    def _end_cell(self) -> None:
        if self._count < _MOST_CELLS:
            self._cells.append("".join(self._cell))
        self._count += 1
        self._cell.clear()
        self._kept = 0
        self._at = _At.BEGINNING

    def _record(self) -> Record:
        record = self._began, [] if self._cells == [""] else self._cells
        self._cells, self._count, self._began = [], 0, self._line
        return record
