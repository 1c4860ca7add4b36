"""The values of reading: an upload, its header, its rows, why it cannot be read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

MAX_BYTES = 10 * 1024 * 1024
MAX_COLUMNS = 100
MAX_NAME = 200
"Characters of a column's name: each recipient has it."
MAX_CELL = 10_000
"Characters of one cell; of longer ones one character more is kept, so that they can be told."
MAX_ROWS = 1_048_576
"What a sheet can have; the smallest CSV of 10 MB has fewer."

BLOCK = 32 * 1024
"Bytes that are looked at in one step: a step is far shorter than a slice of the event loop's time."

WANTED = "File must be a CSV or Excel file (.csv, .xlsx, .xls)"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on disk, and what it was called where it came from."""

    path: Path
    name: str = ""

    @property
    def shown(self) -> str:
        """Its name for a sentence, cut where it is long."""
        name = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in self.name)
        return f"“{name[:80]}”" if name else "the file"


def sentence(text: str) -> str:
    """With a capital letter to begin with; a name keeps its own."""
    return text[:1].upper() + text[1:]


class UnreadableFile(Exception):
    """A file that is no table of recipients: the message says what it is, and what would be right.

    The codes: `too_large`, `empty`, `not_a_table`, `broken`, `password`, `zip_bomb`, `xls_not_installed`,
    `encoding`, `separator`, `quote_not_closed`, `no_such_sheet`, `too_many_columns`, `too_many_rows`,
    `name_too_long`, `too_much_text`, `no_header`, `no_rows`, `no_phone_column`, `two_phone_columns`,
    `no_such_column`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Header:
    """The row that names the columns, and how the file was read."""

    line: int
    "Of the file, as people count: 1 unless empty lines stand before it."
    names: tuple[str, ...]
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    "All that can be chosen; empty: a text file."
    encoding: str = ""
    "Empty: a workbook."
    separator: str = ""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row below the header."""

    line: int
    "Where it begins in the file: a line of a text file, a row of a sheet; the header is 1."
    cells: tuple[str, ...]
    "Fewer than there are columns where the last ones are empty."
    numbers: tuple[int, ...] = ()
    "Places of those that a spreadsheet holds as numbers: no plus, no leading zero, 15 digits at most."


class Table:
    """An open file. Iterate it once for its rows, which closes it; or take its `steps`, and `close` it."""

    def __init__(
        self,
        header: Header,
        steps: Iterator[Row | None],
        progress: Callable[[], tuple[int, int]],
        close: Callable[[], None],
        notes: Callable[[], list[str]] = list,
    ) -> None:
        self.header = header
        self.steps = steps
        "The rows, with None in between where one took long, so that whoever shares a loop can give way."
        self.progress = progress
        "How far it has been read, of how much, in bytes."
        self.close = close
        self.notes = notes
        "Sentences about what was read otherwise than it may have been meant; whole when all rows are read."

    def __iter__(self) -> Iterator[Row]:
        try:
            yield from (row for row in self.steps if row is not None)
        finally:
            self.close()
