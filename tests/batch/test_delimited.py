"""CSV in the writings that people's programs have."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.batch.files.delimited import SEPARATORS, Splitter
from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import MAX_BYTES, MAX_CELL, MAX_COLUMNS, UnreadableFile, Upload
from tests.batch.files import read, upload

ENCODED = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16-LE",
    "utf-16-be": "UTF-16-BE",
    "utf-32": "UTF-32",
    "latin-1": "Windows-1252",
    "cp1252": "Windows-1252",
}
"Python's name and ours. Latin-1 with letters only is the same in Windows-1252."

ROWS = (
    ("+442079460018", "Zoë\nBrontë"),
    ("+33123456789", 'André "le\ngrand"'),
    ("+4930123456", "Jürgen,;\t|"),
)


def written(separator: str) -> str:
    """The rows as a program writes them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([("phone_number", "Naïve name"), *ROWS])
    return text.getvalue()


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("encoding", ENCODED)
def test_a_table_is_read_in_its_encoding_and_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    """Nothing has to be chosen, and what was found is told."""
    table, rows = read(tmp_path, written(separator).encode(encoding))
    assert rows == list(ROWS)
    assert table.header.names == ("phone_number", "Naïve name")
    assert (table.header.encoding, table.header.separator) == (ENCODED[encoding], SEPARATORS[separator])


@pytest.mark.parametrize("encoding", ENCODED)
def test_an_encoding_can_be_chosen(tmp_path: Path, encoding: str) -> None:
    """By the names that people give it, a mark at the beginning or not."""
    content = written(",").encode(encoding)
    assert read(tmp_path, content, encoding=encoding.upper().replace("-SIG", ""))[1] == list(ROWS)


def test_bytes_of_no_windows_are_latin(tmp_path: Path) -> None:
    """0x81 is no character of Windows-1252; the file is read all the same."""
    table, rows = read(tmp_path, b"phone,name\n+442079460018,caf\xe9\x81\n")
    assert table.header.encoding == "Latin-1"
    assert rows == [("+442079460018", "caf\xe9\x81")]


def test_windows_quotes_are_windows(tmp_path: Path) -> None:
    """What Latin-1 has no character for: the euro sign, curly quotes."""
    _, rows = read(tmp_path, "phone,price\n+442079460018,“5 €”\n".encode("cp1252"))
    assert rows == [("+442079460018", "“5 €”")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_systems_newlines(tmp_path: Path, newline: str) -> None:
    """Those of old Macs too, and quoted ones are one character."""
    assert read(tmp_path, written(",").replace("\n", newline).encode())[1] == list(ROWS)


def test_a_row_is_where_it_begins(tmp_path: Path) -> None:
    """Lines as an editor counts them: quoted newlines and empty lines count."""
    table = open_table(upload(tmp_path, b'phone,name\n1,"a\nb"\n\n2,b\n\n\n3,"c"'))
    assert [(row.line, row.cells) for row in table if any(row.cells)] == [
        (2, ("1", "a\nb")),
        (5, ("2", "b")),
        (8, ("3", "c")),
    ]


def test_the_line_that_excel_writes_for_the_separator_is_heeded(tmp_path: Path) -> None:
    """`sep=;` is no header, and rows keep their lines."""
    table = open_table(upload(tmp_path, b"sep=;\nphone;a,b,c\n1;2\n"))
    assert (table.header.line, table.header.names) == (2, ("phone", "a,b,c"))
    assert [row.line for row in table] == [3]


def test_the_separator_is_the_one_that_finds_the_number(tmp_path: Path) -> None:
    """Commas in a name do not outnumber it, and one column has none."""
    assert read(tmp_path, b"phone;a,b,c,d\n1;2\n")[0].header.separator == "semicolon"
    assert read(tmp_path, b"phone number\n1\n")[0].header.names == ("phone number",)


def test_the_chosen_column_finds_its_separator(tmp_path: Path) -> None:
    """As a name that fits does."""
    table = open_table(upload(tmp_path, b"Mobile;a,b,c,d\n1;2\n"), phone="mobile")
    table.close()
    assert table.header.names == ("Mobile", "a,b,c,d")


def test_a_separator_can_be_chosen(tmp_path: Path) -> None:
    """By its name or by itself; others are told which there are."""
    for separator in ("pipe", "|", " Pipe "):
        assert read(tmp_path, b"a|b,c|d\n1|2|3\n", separator=separator)[0].header.names == ("a", "b,c", "d")
    with pytest.raises(UnreadableFile, match="comma, semicolon, tab, pipe"):
        read(tmp_path, b"a\n", separator="colon")


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"", "empty", "nothing in “list.csv”"),
        (b"\n \r\n\t\n", "empty", "nothing in"),
        (b"\xef\xbb\xbf", "empty", "no text in"),
        (b",,\n" * 40_000, "empty", "no text in"),
        (b'phone,name\n1,b\n2,"c\n3,d\n', "quote_not_closed", "in line 3"),
        (b"a" + b",a" * 100, "too_many_columns", "101 columns; at most 100"),
        (b"phone,b" + b"n" * 200 + b"\n1,2\n", "name_too_long", "name of column 2, “bnnn"),
        (b"phone\n" + b"1" * (MAX_BYTES - 5), "too_large", "10485761 bytes; at most 10485760 (10 MB)"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not_a_table", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_table", "a picture"),
        (b"MZ\x90\0\3\0\0\0", "not_a_table", "a program"),
        (bytes(range(256)) * 10, "not_a_table", "neither text nor a workbook"),
        (b"\0" * 5000, "not_a_table", "neither text nor a workbook"),
        (b" <!DOCTYPE html><table>", "not_a_table", "a web page"),
        (b'{"phone": 1}', "not_a_table", "a JSON file"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "not_a_table", "unpack it first"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, content: bytes, code: str, told: str) -> None:
    """With what it is, and what would be right."""
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, content)
    assert caught.value.code == code
    assert told in caught.value.message


def test_a_header_may_begin_as_a_program_does(tmp_path: Path) -> None:
    """Two letters are no proof."""
    assert read(tmp_path, b"MZ,phone\na,1\n")[0].header.names == ("MZ", "phone")
    assert read(tmp_path, b"BM,phone\na,1\n")[1] == [("a", "1")]


def test_a_wrong_choice_of_encoding_is_told(tmp_path: Path) -> None:
    """Rather than rows of nonsense."""
    with pytest.raises(UnreadableFile, match="not in UTF-8: see line 2"):
        read(tmp_path, "phone,name\n1,é\n".encode("cp1252"), encoding="utf-8")
    with pytest.raises(UnreadableFile, match="there are UTF-8, UTF-16"):
        read(tmp_path, b"phone\n", encoding="ebcdic")


def test_a_hundred_columns_are_read(tmp_path: Path) -> None:
    """All of them, and trailing commas behind them do no harm."""
    header = ",".join(["phone", *(f"c{place}" for place in range(99))]) + ",,,"
    _, rows = read(tmp_path, f"{header}\n{','.join(map(str, range(100)))},,,\n".encode())
    assert rows[0][:100] == tuple(map(str, range(100)))


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_of_a_megabyte_is_cut_and_the_rows_around_it_are_read(tmp_path: Path, quote: str) -> None:
    """So much of it is kept that it can be told to be too long."""
    cell = f"{quote}{'x' * 1_000_000}{quote}"
    _, rows = read(tmp_path, f"phone,name,city\n1,a,b\n2,{cell},c\n3,d,e\n".encode())
    assert [rows[0], rows[2]] == [("1", "a", "b"), ("3", "d", "e")]
    assert rows[1] == ("2", "x" * (MAX_CELL + 1), "c")


def test_floods_of_anything_are_bounded_work(tmp_path: Path) -> None:
    """No step of reading takes long, whatever the file is made of: one line, one quote, separators only."""
    for unit in (b"a", b",", b'"', b'""', b'"a",', b'a"', b"\n"):
        content = b"phone\n" + unit * (512 * 1024 // len(unit))
        try:
            table = open_table(upload(tmp_path, content))
            assert all(len(row.cells) <= MAX_COLUMNS + 1 for row in table)
        except UnreadableFile as error:
            assert error.code == "quote_not_closed"  # noqa: PT017 - most of them are tables


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet='ab",\né', max_size=12), max_size=6), st.integers(1, 5))
def test_records_are_those_of_the_library(pieces: list[str], width: int) -> None:
    """However the text is cut into pieces, whatever quotes are where."""
    text = "".join(pieces)
    splitter = Splitter(",")
    found = [
        record
        for start in range(0, len(text), width)
        for record in splitter.feed(text[start : start + width])
        if record is not None
    ]
    try:
        found += splitter.finish(upload_named())
    except UnreadableFile:
        return  # the library takes the rest of the file for the cell's
    expected = list(csv.reader(io.StringIO(text, newline="")))
    assert [cells for _, cells in found] == [[] if cells == [""] else cells for cells in expected]


def upload_named() -> Upload:
    """A file that only its name is asked of."""
    return Upload(Path("/nowhere"), "list.csv")
