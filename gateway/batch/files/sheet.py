"""One sheet of a workbook, row by row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from gateway.batch.files.cells import Format, date_text, number_text, truth_text
from gateway.batch.files.strings import SharedStrings
from gateway.batch.files.upload import MAX_CELL, MAX_COLUMNS, MAX_ROWS, Row, UnreadableFile
from gateway.batch.files.xml import BadXml, parsed

_LETTERS = {letter: place for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1)}


class SheetReader:
    """The rows of a sheet that have a value, as `rows` gives them."""

    def __init__(self, strings: SharedStrings, formats: Sequence[Format], *, since_1904: bool) -> None:
        self.without_value = 0
        "Formulas whose value the file does not hold: whoever wrote it did not reckon."
        self._strings = strings
        self._formats = formats
        self._since_1904 = since_1904
        self._found: list[Row] = []
        self._line = 0
        self._cells: list[str] = []
        self._numbers: list[int] = []
        self._column = -1
        self._type = ""
        self._format = Format.NUMBER
        self._text: list[str] = []
        self._kept = 0
        self._is_text = self._is_phonetic = self._is_formula = False
        self._is_row = False

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row | None]:
        """The rows, with None after each piece; raises as `xml.parsed`, UnreadableFile for one too wide."""
        for _ in parsed(pieces, self._start, self._end, self._characters):
            found, self._found = self._found, []
            yield from found
            yield None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._column = _column(attributes.get("r", "")) if "r" in attributes else self._column + 1
            self._type = attributes.get("t", "n")
            self._format = self._shown_as(attributes.get("s"))
            self._is_formula = False
            self._text.clear()
            self._kept = 0
        elif name in ("v", "t"):
            self._is_text = not self._is_phonetic
        elif name == "f":
            self._is_formula = True
        elif name == "rPh":
            self._is_phonetic = True
        elif name == "row":
            self._begin_row(attributes.get("r", ""))

    def _end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            self._end_cell()
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "row" and self._is_row:
            self._is_row = False
            if any(self._cells):
                self._found.append(Row(self._line, tuple(self._cells), tuple(self._numbers)))

    def _begin_row(self, number: str) -> None:
        given = int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 0
        self._line = max(given, self._line + 1)
        if self._line > MAX_ROWS:
            raise UnreadableFile("too_many_rows", f"The sheet has more than {MAX_ROWS} rows: no sheet can")
        self._is_row, self._column = True, -1
        self._cells, self._numbers = [], []

    def _characters(self, text: str) -> None:
        if self._is_text and self._kept <= MAX_CELL:
            self._text.append(text[: MAX_CELL + 1 - self._kept])
            self._kept += len(self._text[-1])

    def _end_cell(self) -> None:
        if not self._is_row:
            return
        if not self._text:
            self.without_value += self._is_formula
            return
        place = self._column
        text = self._value("".join(self._text), place)
        if not 0 <= place < MAX_COLUMNS:
            self._refuse_far(text)
            return
        cells = self._cells
        if place >= len(cells):
            cells += [""] * (place - len(cells))
            cells.append(text)
        else:
            cells[place] = text

    def _value(self, raw: str, place: int) -> str:
        if self._type == "s":
            return self._shared(raw)
        if self._type == "b":
            return truth_text(raw)
        if self._type == "n":
            if self._format is not Format.NUMBER:
                return date_text(raw, self._format, since_1904=self._since_1904)
            self._numbers.append(place)
            return number_text(raw.strip())
        return raw

    def _shared(self, raw: str) -> str:
        try:
            return self._strings[int(raw)]
        except (IndexError, ValueError):
            raise BadXml(f"a cell in row {self._line} names a text that is not there") from None

    def _shown_as(self, style: str | None) -> Format:
        if style is None or not style.isdecimal():
            return Format.NUMBER
        place = int(style[:9])
        return self._formats[place] if place < len(self._formats) else Format.NUMBER

    def _refuse_far(self, text: str) -> None:
        if text.strip():
            where = f"Row {self._line} has a value in column {self._column + 1}"
            raise UnreadableFile(
                "too_many_columns",
                f"{where}; at most {MAX_COLUMNS} columns are read: clear the cells far to the right",
            )


def _column(reference: str) -> int:
    """`AB12` is column 27, counted from 0."""
    column = 0
    for letter in islice(reference, 4):
        value = _LETTERS.get(letter)
        if value is None:
            break
        column = column * 26 + value
    return column - 1
