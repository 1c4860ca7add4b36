"""`.xls`, as xlwt writes it, read in a process with limits."""

import io
import sys
from datetime import date
from pathlib import Path

import pytest
import xlwt

from gateway.batch.files import old_excel, xls_child
from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import UnreadableFile
from tests.batch.files import read, upload


def old(sheets: dict[str, list[tuple[object, ...]]]) -> bytes:
    """An old workbook."""
    book = xlwt.Workbook()
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for place, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write(place, column, value, day)
                elif value is not None:
                    sheet.write(place, column, value)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_an_old_workbook_is_read(tmp_path: Path) -> None:
    """Numbers to the digit, dates, truth values, gaps; the sheet with the numbers."""
    content = old(
        {
            "Notes": [("hello",)],
            "People": [
                ("Phone", "name", "day", "yes"),
                (919876543210.0, "Zoë", date(2026, 11, 30), True),
                (None, None, None, None),
                ("+442079460018", None, 0.5, False),
            ],
        }
    )
    table, rows = read(tmp_path, content)
    assert (table.header.sheet, table.header.sheets) == ("People", ("Notes", "People"))
    assert rows[0] == ("919876543210", "Zoë", "2026-11-30", "TRUE")
    assert rows[-1] == ("+442079460018", "", "0.5", "FALSE")


def test_the_chosen_column_finds_its_sheet(tmp_path: Path) -> None:
    """The process that reads the workbook is told of it."""
    content = old({"Notes": [("hello",)], "People": [("Mobile", "name"), ("+14155550100", "Ann")]})
    table = open_table(upload(tmp_path, content, "list.xls"), phone="Mobile")
    table.close()
    assert table.header.sheet == "People"


def test_a_row_keeps_its_place(tmp_path: Path) -> None:
    """Empty rows before it count."""
    content = old({"One": [(None,), ("phone",), (None,), ("1",)]})
    table, rows = read(tmp_path, content)
    assert table.header.line == 2
    assert rows == [("1",)]


def test_a_sheet_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With those that are."""
    content = old({"One": [("phone",)], "Two": [("phone",), ("2",)]})
    assert read(tmp_path, content, sheet="two")[1] == [("2",)]
    with pytest.raises(UnreadableFile, match="no sheet “Three”; there are “One”, “Two”"):
        read(tmp_path, content, sheet="Three")


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    """Whatever becomes of the process that reads it."""
    content = old({"One": [("phone",), *((str(place),) for place in range(200))]})
    with pytest.raises(UnreadableFile, match=r"open it and save it|damaged") as caught:
        read(tmp_path, content[:1500] + b"\xff" * 900 + content[2400:])
    assert caught.value.code == "broken"


def test_one_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its process with it."""
    monkeypatch.setattr(old_excel, "_CHILD", "this")  # ends with words of its own, which are no rows
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, old({"One": [("phone",)]}))
    assert caught.value.code == "broken"
    monkeypatch.setattr(old_excel, "_CHILD", "http.server")
    monkeypatch.setattr(old_excel, "_PATIENCE_SECONDS", 0.3)
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, old({"One": [("phone",)]}))
    assert caught.value.code == "broken"


def test_without_the_library_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    monkeypatch.setattr(old_excel, "_LIBRARY", "a_library_that_nobody_has")
    with pytest.raises(UnreadableFile, match=r"save it as \.xlsx or \.csv") as caught:
        read(tmp_path, old({"One": [("phone",)]}))
    assert caught.value.code == "xls_not_installed"


def test_limits_are_lower_than_a_machine() -> None:
    """And the reading process sets them itself, before anything is read."""
    assert xls_child.MAX_SECONDS <= 20
    assert sys.maxsize >= xls_child.MAX_MEMORY
