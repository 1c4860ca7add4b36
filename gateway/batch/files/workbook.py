"""`.xlsx`: its sheets, its formats, and which sheet has the numbers (ECMA-376 part 1)."""

import posixpath
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from gateway.batch.columns import names_the_number
from gateway.batch.files.archive import Archive
from gateway.batch.files.cells import Format, format_of
from gateway.batch.files.content import not_a_table
from gateway.batch.files.delimited import header_names
from gateway.batch.files.sheet import SheetReader
from gateway.batch.files.strings import SharedStrings
from gateway.batch.files.upload import Header, Row, Table, UnreadableFile, Upload
from gateway.batch.files.xml import BadXml, parsed
from gateway.batch.wording import counted

MAX_SHEETS = 200
_LOOKED_AT = 20
"Sheets whose first row is read in search of the one with the numbers."
_MAX_FORMATS = 65_536
"A spreadsheet has no more."

_OTHER_ARCHIVES = (
    ("xl/workbook.bin", "a binary Excel file (.xlsb): save it as .xlsx"),
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("content.xml", "an OpenDocument file: save it as .xlsx or .csv"),
    ("index/document.iwa", "an Apple Numbers file: export it as Excel or CSV"),
    ("meta-inf/manifest.mf", "a Java archive"),
)


@dataclass(slots=True)
class _Sheet:
    name: str
    target: str
    is_hidden: bool


@dataclass(slots=True)
class _Book:
    """What the parts around the sheets say."""

    sheets: list[_Sheet] = field(default_factory=list)
    since_1904: bool = False
    strings: str = ""
    styles: str = ""


def read_workbook(
    upload: Upload, file: BinaryIO, sheet: str, phone: str = ""
) -> Generator[float, None, Table]:
    """The table of a workbook's sheet: the one that is named, else the first with a column for the number.

    Steps by yielding.
    """
    archive = Archive(file, upload)
    try:
        return (yield from _read(archive, upload, sheet, phone))
    except BadXml as error:
        archive.close()
        raise archive.broken(error) from None
    except BaseException:
        archive.close()
        raise


def _read(archive: Archive, upload: Upload, wanted: str, phone: str) -> Generator[float, None, Table]:
    part = yield from _workbook_part(archive, upload)
    book = yield from _book(archive, part)
    formats = (yield from _formats(archive.pieces(book.styles))) if book.styles in archive else []
    strings = SharedStrings()
    if book.strings in archive:
        for _ in strings.read(archive.pieces(book.strings)):
            yield 0.0
    names = tuple(sheet.name for sheet in book.sheets)
    first: _Opened | None = None
    for sheet in _candidates(book, wanted, upload):
        reader = SheetReader(strings, formats, since_1904=book.since_1904)
        opened = yield from _opened(archive, sheet, reader)
        if opened is not None and (
            wanted or any(names_the_number(cell, phone) for cell in opened.first.cells)
        ):
            return _table(archive, opened, names)
        first = first or opened
    if first is None:
        raise UnreadableFile(
            "empty", f"There is nothing in {f'sheet “{wanted}” of ' * bool(wanted)}{upload.shown}"
        )
    return _table(archive, first, names)


@dataclass(slots=True)
class _Opened:
    """A sheet whose first row has been read."""

    sheet: _Sheet
    reader: SheetReader
    first: Row
    steps: Iterator[Row | None]
    done: list[int]
    "Bytes of it that have been read."


def _opened(archive: Archive, sheet: _Sheet, reader: SheetReader) -> Generator[float, None, "_Opened | None"]:
    done = [0]
    steps = reader.rows(_counted(archive.pieces(sheet.target), done))
    for row in steps:
        if row is not None and any(map(str.strip, row.cells)):
            return _Opened(sheet, reader, row, steps, done)
        yield 0.0
    return None


def _counted(pieces: Iterable[bytes], done: list[int]) -> Iterator[bytes]:
    for piece in pieces:
        done[0] += len(piece)
        yield piece


def _table(archive: Archive, opened: _Opened, names: tuple[str, ...]) -> Table:
    sheet, reader = opened.sheet, opened.reader
    header = Header(opened.first.line, header_names(opened.first.cells), sheet.name, names)
    size = archive.size(sheet.target)

    def notes() -> list[str]:
        if not reader.without_value:
            return []
        have = counted(reader.without_value, "formula has", "formulas have")
        return [f"{have} no value in the file: open it in a spreadsheet and save it, which writes them"]

    return Table(
        header, _whole(archive, opened.steps), lambda: (min(opened.done[0], size), size), archive.close, notes
    )


def _whole(archive: Archive, steps: Iterator[Row | None]) -> Iterator[Row | None]:
    try:
        yield from steps
    except BadXml as error:
        raise archive.broken(error) from None


def _candidates(book: _Book, wanted: str, upload: Upload) -> list[_Sheet]:
    """The sheets to look at, in their order; UnreadableFile lists them where none has the wanted name."""
    if not book.sheets:
        raise UnreadableFile("empty", f"There is no sheet in {upload.shown}")
    if not wanted:
        visible = [sheet for sheet in book.sheets if not sheet.is_hidden] or book.sheets
        return visible[:_LOOKED_AT]
    named = [sheet for sheet in book.sheets if sheet.name == wanted]
    named = named or [sheet for sheet in book.sheets if sheet.name.strip().lower() == wanted.strip().lower()]
    if not named:
        there = ", ".join(f"“{sheet.name[:40]}”" for sheet in book.sheets[:20])
        raise UnreadableFile("no_such_sheet", f"There is no sheet “{wanted[:80]}”; there are {there}")
    return named[:1]


def _workbook_part(archive: Archive, upload: Upload) -> Generator[float, None, str]:
    """The part with the list of sheets; UnreadableFile in words where the archive is something else."""
    for part, what in _OTHER_ARCHIVES:
        if part in archive:
            raise not_a_table(upload, what)
    found = ""
    if "_rels/.rels" in archive:
        for kind, target in (yield from _relations(archive, "_rels/.rels")).values():
            if kind == "officeDocument":
                found = target
    found = found if found in archive else "xl/workbook.xml"
    if found not in archive:
        raise not_a_table(upload, "a ZIP archive: unpack it first")
    return found


def _relations(archive: Archive, part: str) -> Generator[float, None, dict[str, tuple[str, str]]]:
    """Kind and target of each relation of a part, by id."""
    folder = posixpath.dirname(posixpath.dirname(part))
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and len(found) < 10 * MAX_SHEETS:
            target = attributes.get("Target", "").replace("\\", "/")
            path = target if target.startswith("/") else posixpath.join(folder, target)
            kind = attributes.get("Type", "").rpartition("/")[2]
            found[attributes.get("Id", "")] = kind, posixpath.normpath(path.lstrip("/"))

    yield from _stepped(parsed(archive.pieces(part), start, _nothing, _nothing))
    return found


def _book(archive: Archive, part: str) -> Generator[float, None, _Book]:
    folder, name = posixpath.split(part)
    of_part = posixpath.join(folder, "_rels", f"{name}.rels")
    relations = (yield from _relations(archive, of_part)) if of_part in archive else {}
    book = _Book()
    for kind, target in relations.values():
        if kind == "sharedStrings":
            book.strings = target
        elif kind == "styles":
            book.styles = target

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "workbookPr":
            book.since_1904 = attributes.get("date1904", "0").lower() in ("1", "true", "on")
        elif name == "sheet" and len(book.sheets) < MAX_SHEETS:
            named = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            kind, target = relations.get(named, ("", ""))
            if kind == "worksheet":
                hidden = attributes.get("state", "visible") != "visible"
                book.sheets.append(_Sheet(attributes.get("name", ""), target, hidden))

    yield from _stepped(parsed(archive.pieces(part), start, _nothing, _nothing))
    return book


def _formats(pieces: Iterable[bytes]) -> Generator[float, None, list[Format]]:
    """What each style of a cell shows numbers as."""
    codes: dict[int, str] = {}
    used: list[int] = []
    is_cell = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_cell
        if name == "cellXfs":
            is_cell = True
        elif name == "numFmt" and len(codes) < _MAX_FORMATS:
            codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "xf" and is_cell and len(used) < _MAX_FORMATS:
            used.append(_number(attributes.get("numFmtId")))

    def end(name: str) -> None:
        nonlocal is_cell
        if name == "cellXfs":
            is_cell = False

    yield from _stepped(parsed(pieces, start, end, _nothing))
    kinds = {number: format_of(number, codes.get(number)) for number in set(used)}
    return [kinds[number] for number in used]


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _stepped(steps: Iterable[None]) -> Iterator[float]:
    for _ in steps:
        yield 0.0


def _nothing(*_: object) -> None:
    """What a part says besides."""
