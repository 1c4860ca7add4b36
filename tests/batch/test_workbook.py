"""Excel files: as openpyxl writes them, and by hand what it never would."""

import io
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from gateway.batch.files.cells import Format, date_text, format_of, number_text
from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import MAX_CELL, UnreadableFile
from tests.batch.files import PARTS, archive, by_hand, read, saved, upload, workbook


def test_numbers_dates_and_truth_are_text(tmp_path: Path) -> None:
    """As a person reads them in the sheet; a float that is whole has no fraction."""
    content = workbook(
        {
            "One": [
                ("phone", "when", "day", "at", "yes", "amount"),
                (
                    919876543210,
                    datetime.fromisoformat("2026-11-30 14:05"),
                    date(2024, 2, 29),
                    time(9, 30),
                    True,
                    0.1,
                ),
                (919876543211.0, datetime.fromisoformat("2026-01-01"), date(1900, 1, 1), time(0), False, -5),
                ("+442079460018", timedelta(hours=26, minutes=30), None, None, None, 12.50),
            ]
        }
    )
    table = open_table(upload(tmp_path, content))
    rows = list(table)
    assert [row.cells for row in rows] == [
        ("919876543210", "2026-11-30 14:05:00", "2024-02-29", "09:30:00", "TRUE", "0.1"),
        ("919876543211", "2026-01-01", "1900-01-01", "00:00:00", "FALSE", "-5"),
        ("+442079460018", "26:30:00", "", "", "", "12.5"),
    ]
    assert [row.numbers for row in rows] == [(0, 5), (0, 5), (5,)]
    assert [row.line for row in rows] == [2, 3, 4]


def test_the_sheet_with_the_numbers_is_read(tmp_path: Path) -> None:
    """The first visible one that has a column for them, though others stand before it."""
    content = workbook({"Notes": [("hello",)], "People": [("Phone",), ("1",)], "More": [("phone",), ("2",)]})
    table, rows = read(tmp_path, content)
    assert (table.header.sheet, table.header.sheets) == ("People", ("Notes", "People", "More"))
    assert rows == [("1",)]


def test_a_sheet_can_be_chosen(tmp_path: Path) -> None:
    """In any case; one that is not there is answered with those that are."""
    content = workbook({"One": [("phone",), ("1",)], "Zwei": [("phone",), ("2",)]})
    assert read(tmp_path, content, sheet=" zwei ")[1] == [("2",)]
    with pytest.raises(UnreadableFile, match="no sheet “Three”; there are “One”, “Zwei”"):
        read(tmp_path, content, sheet="Three")


def test_the_chosen_column_finds_its_sheet(tmp_path: Path) -> None:
    """Where the number has a name that does not say so, too."""
    book = workbook({"Intro": [("Welcome",)], "People": [("Mobile", "name"), ("+14155550100", "Ann")]})
    table = open_table(upload(tmp_path, book), phone="mobile")
    table.close()
    assert (table.header.sheet, table.header.names) == ("People", ("Mobile", "name"))


def test_hidden_sheets_are_read_only_by_name(tmp_path: Path) -> None:
    """Whoever hid it does not want its people called by accident."""
    book = openpyxl.load_workbook(
        io.BytesIO(workbook({"Old": [("phone",), ("1",)], "New": [("phone",), ("2",)]}))
    )
    book["Old"].sheet_state = "hidden"
    assert read(tmp_path, saved(book))[1] == [("2",)]
    assert read(tmp_path, saved(book), sheet="Old")[1] == [("1",)]


def test_of_merged_cells_the_first_has_the_value(tmp_path: Path) -> None:
    """The others are empty, and rows stay where they are."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (("phone", "name"), ("1", "A"), ("2", "B"), ("3", "C")):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    assert read(tmp_path, saved(book))[1] == [("1", "A"), ("2",), ("3", "C")]


def test_a_formula_counts_as_the_value_that_is_stored(tmp_path: Path) -> None:
    """Numbers and texts; one without is empty, and the table says so."""
    table = open_table(
        upload(
            tmp_path,
            by_hand(
                '<row r="2"><c r="A2" t="str"><f>"+44"&amp;C2</f><v>+442079460018</v></c>'
                '<c r="B2"><f>1+1</f><v>2</v></c></row>'
                '<row r="3"><c r="A3"><v>1</v></c><c r="B3"><f>A3</f></c></row>'
            ),
        )
    )
    assert [row.cells for row in table] == [("+442079460018", "2"), ("1",)]
    assert table.notes() == [
        "1 formula has no value in the file: open it in a spreadsheet and save it, which writes them"
    ]


def test_cells_stand_where_they_say(tmp_path: Path) -> None:
    """Gaps are empty cells, rows keep their numbers; without references they follow each other."""
    table = open_table(
        upload(
            tmp_path,
            by_hand(
                '<row r="7"><c r="B7" t="inlineStr"><is><t>far</t></is></c></row>'
                '<row><c t="inlineStr"><is><t>x</t></is></c><c><v>5</v></c></row>'
            ),
        )
    )
    assert [(row.line, row.cells) for row in table] == [(7, ("", "far")), (8, ("x", "5"))]


def test_shared_strings_are_whole(tmp_path: Path) -> None:
    """Runs of one text are joined, what it sounds like is left out, entities are characters."""
    strings = (
        "<sst><si><t>a &amp; b</t></si><si><r><t>x</t></r><r><t xml:space='preserve'> y</t></r></si>"
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si></sst>"
    )
    sheet = '<row r="2">' + "".join(f'<c t="s"><v>{place}</v></c>' for place in (0, 1, 2)) + "</row>"
    assert read(tmp_path, by_hand(sheet, {"xl/sharedStrings.xml": strings}))[1] == [("a & b", "x y", "東京")]


def test_other_writers_are_read_too(tmp_path: Path) -> None:
    """Prefixed names, absolute targets, backslashes in the archive, errors and ISO dates in cells."""
    parts = {
        "_rels/.rels": PARTS["_rels/.rels"].replace("xl/workbook.xml", "/xl/workbook.xml"),
        "xl\\worksheets\\sheet1.xml": '<x:worksheet xmlns:x="urn:x"><x:sheetData><x:row r="1">'
        '<x:c t="inlineStr"><x:is><x:t>phone</x:t></x:is></x:c></x:row>'
        '<x:row r="2"><x:c t="e"><x:v>#N/A</x:v></x:c>'
        '<x:c t="d"><x:v>2026-11-30</x:v></x:c></x:row></x:sheetData></x:worksheet>',
    }
    assert read(tmp_path, archive({**PARTS, **parts}))[1] == [("#N/A", "2026-11-30")]


def test_a_workbook_of_1904_has_its_dates(tmp_path: Path) -> None:
    """Day 0 is the first of January then."""
    book = PARTS["xl/workbook.xml"].replace("<workbook>", '<workbook><workbookPr date1904="1"/>')
    styles = '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
    parts = {"xl/workbook.xml": book, "xl/styles.xml": styles}
    assert read(tmp_path, by_hand('<row r="2"><c s="1"><v>0</v></c></row>', parts))[1] == [("1904-01-01",)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("yyyy\\-mm\\-dd", Format.DATE),
        ("[$-409]d-mmm-yy;@", Format.DATE),
        ("dd/mm/yyyy hh:mm", Format.MOMENT),
        ("h:mm AM/PM", Format.TIME),
        ("[h]:mm:ss", Format.DURATION),
        ("mm:ss.0", Format.TIME),
        ("0.00", Format.NUMBER),
        ("#,##0 [$₹-4009]", Format.NUMBER),
        ('0 "days"', Format.NUMBER),
        ("General", Format.NUMBER),
        ('[Red]0.0" m"', Format.NUMBER),
        ("@", Format.NUMBER),
    ],
)
def test_a_format_says_what_a_number_is(code: str, kind: Format) -> None:
    """Dates by their letters, which colours, languages and quoted words do not have."""
    assert format_of(200, code) is kind


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("9.1987654321E+11", "919876543210"),
        ("919876543210.0", "919876543210"),
        ("0.10000000000000001", "0.1"),
        ("1E-3", "0.001"),
        ("-12.0", "-12"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.2345678901234567E+19", "1.2345678901234567E+19"),
        ("NaN", "NaN"),
        ("x", "x"),
    ],
)
def test_a_number_is_plain_digits(raw: str, text: str) -> None:
    """Whole ones without exponent or fraction, as long as they are exact."""
    assert number_text(raw) == text


@pytest.mark.parametrize("raw", ["1e400", "nan", "-1", "99999999", "x", "1e15"])
def test_what_is_no_date_stays(raw: str) -> None:
    """Whatever the cell's format."""
    for shown in (Format.DATE, Format.MOMENT, Format.TIME):
        assert date_text(raw, shown, since_1904=False) == raw


def test_the_day_that_never_was_moves_nothing_behind_it() -> None:
    """A spreadsheet's 1900 has a 29 February: day 61 is the first of March, day 1 the first of January."""
    assert [date_text(day, Format.DATE, since_1904=False) for day in ("1", "59", "61")] == [
        "1900-01-01",
        "1900-02-28",
        "1900-03-01",
    ]


def test_a_cell_too_long_is_cut(tmp_path: Path) -> None:
    """So much of it is kept that it can be told, shared or not."""
    text = "x" * 200_000
    sheet = f'<row r="2"><c t="s"><v>0</v></c><c t="inlineStr"><is><t>{text}</t></is></c></row>'
    _, rows = read(tmp_path, by_hand(sheet, {"xl/sharedStrings.xml": f"<sst><si><t>{text}</t></si></sst>"}))
    assert [tuple(map(len, row)) for row in rows] == [(MAX_CELL + 1, MAX_CELL + 1)]


def test_what_has_nothing_in_it_is_empty(tmp_path: Path) -> None:
    """A sheet without cells, or with empty ones."""
    with pytest.raises(UnreadableFile, match="nothing in") as caught:
        read(tmp_path, workbook({"One": []}))
    assert caught.value.code == "empty"
    assert read(tmp_path, by_hand(""))[1] == []


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("word/document.xml", "a Word document"),
        ("xl/workbook.bin", "binary Excel file"),
        ("content.xml", "OpenDocument"),
        ("Index/Document.iwa", "Apple Numbers"),
        ("photo.jpg", "a ZIP archive"),
    ],
)
def test_other_archives_are_told_by_name(tmp_path: Path, part: str, told: str) -> None:
    """With what to do instead."""
    with pytest.raises(UnreadableFile, match=told) as caught:
        read(tmp_path, archive({part: "x"}))
    assert caught.value.code == "not_a_table"
