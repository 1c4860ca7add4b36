"""Files for the tests of batches: tables as CSV in any writing, workbooks by openpyxl or by hand."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import Table, Upload

HEADER = ("phone_number", "name")
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def upload(folder: Path, content: bytes, name: str = "list.csv") -> Upload:
    """A file as it was received."""
    path = folder / "upload"
    path.write_bytes(content)
    return Upload(path, name)


def read(folder: Path, content: bytes, **choice: str) -> tuple[Table, list[tuple[str, ...]]]:
    """The table of a file, and the cells of its rows."""
    table = open_table(upload(folder, content), **choice)
    return table, [row.cells for row in table]


def workbook(sheets: Mapping[str, Iterable[Sequence[Any]]]) -> bytes:
    """A workbook as openpyxl writes it."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    return saved(book)


def saved(book: Any) -> bytes:
    """A workbook of openpyxl's as bytes."""
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


PARTS = {
    "_rels/.rels": '<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": '<workbook><sheets><sheet name="One" sheetId="1" r:id="r1" xmlns:r="r"/></sheets>'
    "</workbook>",
    "xl/_rels/workbook.xml.rels": "<Relationships>"
    '<Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>'
    '<Relationship Id="r2" Type="x/sharedStrings" Target="sharedStrings.xml"/>'
    '<Relationship Id="r3" Type="x/styles" Target="styles.xml"/></Relationships>',
}
"What stands around a sheet, at its shortest."


def by_hand(sheet: str, parts: Mapping[str, str | bytes] | None = None, header: bool = True) -> bytes:
    """A workbook whose sheet has these rows, below a header of `phone_number` and `name`."""
    first = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>phone_number</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>name</t></is></c></row>'
        if header
        else ""
    )
    body = {"xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{first}{sheet}</sheetData></worksheet>"}
    return archive({**PARTS, **body, **(parts or {})})


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of these parts."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return written.getvalue()
