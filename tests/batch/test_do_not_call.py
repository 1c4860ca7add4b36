"""Lists of numbers as people have them: a file or a few lines, in any clear writing."""

import io
import zipfile
from pathlib import Path

import pytest

from gateway.batch.checking import Choice
from gateway.batch.do_not_call import MOST_TOLD, Gathered, Numbers, beginning, gather, gather_file
from gateway.batch.files.upload import UnreadableFile, Upload

ANNA, BORIS = "+442079460001", "+919876543210"


async def gathered(folder: Path, content: bytes, country: str | None = None, **choice: str) -> Gathered:
    """What is in a file."""
    file = folder / "list"
    file.write_bytes(content)
    return await gather_file(Upload(file, "list"), country, Choice(**choice))


FILES: list[tuple[bytes, str | None]] = [
    (b"phone_number\n+442079460001\n+91 98765 43210\n", None),
    (b"+442079460001\n+919876543210\n", None),
    (b"name;Phone Number;why\nAnna;+44 (0)20 7946 0001;asked\nBoris;00919876543210;\n", None),
    (b"whom we never call\n+442079460001\n\n+919876543210\n", None),
    ("\ufeffphone\n+442079460001\n98765-43210\n".encode(), "IN"),
    ("phone\t\n+442079460001\t\n919876543210\t\n".encode("utf-16"), "IN"),
    (b'phone_number\n="+442079460001"\n"98765 43210"\n9876543210.0\n', "IN"),
]


@pytest.mark.parametrize(("content", "country"), FILES)
async def test_files_in_any_clear_writing(tmp_path: Path, content: bytes, country: str | None) -> None:
    """With a header or without, in a column of its own or beside others, local where a country is given."""
    found = await gathered(tmp_path, content, country)
    assert found.wrong == []
    assert sorted(found.numbers) == [ANNA, BORIS]


async def test_a_workbook_of_numbers(tmp_path: Path) -> None:
    """A spreadsheet's numbers have no plus: they are local, or lack it."""
    content = workbook("phone_number", 9876543210, 919876543210)
    found = await gathered(tmp_path, content, "IN")
    assert (list(found.numbers), found.twice) == ([BORIS], 1)
    found = await gathered(tmp_path, content)
    assert [each.line for each in found.wrong] == [2, 3]


async def test_what_is_no_number_is_told_by_its_line(tmp_path: Path) -> None:
    """With what would be right; all are counted, the first are told."""
    lines = ["+442079460001", "112", "9.19876E+11", "+44 20 7946 000O", *["nobody"] * 30]
    found = await gathered(tmp_path, "\n".join(["phone_number", *lines]).encode())
    assert [(each.line, each.given) for each in found.wrong[:3]] == [
        (3, "112"),
        (4, "9.19876E+11"),
        (5, "+44 20 7946 000O"),
    ]
    assert "has lost digits in a spreadsheet" in found.wrong[1].why
    assert "LATIN CAPITAL LETTER O" in found.wrong[2].why
    assert (len(found.wrong), found.wrong_count, len(found.numbers)) == (MOST_TOLD, 33, 1)


@pytest.mark.parametrize(
    ("content", "choice", "code"),
    [
        (b"", {}, "empty"),
        (b"name,mail\nAnna,anna@example.com\n", {}, "no_phone_column"),
        (b"phone_number\n+442079460001\n", {"phone_column": "mobile"}, "no_such_column"),
        (b"%PDF-1.7\n\x00\x01", {}, "not_a_table"),
    ],
)
async def test_what_is_no_list(tmp_path: Path, content: bytes, choice: dict[str, str], code: str) -> None:
    """A file without numbers in it says what it has."""
    with pytest.raises(UnreadableFile) as refused:
        await gathered(tmp_path, content, **choice)
    assert refused.value.code == code


async def test_numbers_are_each_once() -> None:
    """However they are written; of a million, each is there."""
    found = await gather(enumerate(["+442079460001", "0044 20 7946 0001", "", " "]), None)
    assert (list(found.numbers), found.twice) == ([ANNA], 1)
    many = Numbers()
    assert all(many.add(f"1202{number:07}") for number in range(3000))
    assert not many.add("12020000005")
    assert len(many) == len(set(many)) == 3000
    assert "+12020002999" in many
    assert "+12020003000" not in many


@pytest.mark.parametrize(
    ("text", "country", "begins"),
    [
        ("+44 20", None, "+4420"),
        ("4420", None, "+4420"),
        ("0044 20", None, "+4420"),
        ("98765 43210", "IN", BORIS),
        ("+44 20 7946-0001", None, ANNA),
        ("", None, ""),
        ("nobody", None, "nobody"),
    ],
)
def test_what_a_search_means(text: str, country: str | None, begins: str) -> None:
    """A number in any writing, or the digits that numbers begin with."""
    assert beginning(text, country) == begins


def workbook(*cells: object) -> bytes:
    """A workbook with one column."""
    sheet = "".join(
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>{cell}</t></is></c></row>'
        if isinstance(cell, str)
        else f'<row r="{row}"><c r="A{row}"><v>{cell}</v></c></row>'
        for row, cell in enumerate(cells, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="rId1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()
