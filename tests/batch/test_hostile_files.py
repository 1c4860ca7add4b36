"""Files that mean harm: nothing but UnreadableFile comes of them, soon, and in little memory."""

import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.batch.columns import phone_column
from gateway.batch.files.archive import MAX_ENTRIES
from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import MAX_BYTES, UnreadableFile
from tests.batch.files import PARTS, archive, by_hand, read, upload, workbook

MEGABYTE = 1024 * 1024
FLIPS = 150


@contextmanager
def in_memory(megabytes: float) -> Iterator[None]:
    """What is done inside takes no more."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


def refused(folder: Path, content: bytes) -> UnreadableFile:
    """Why a file is not read."""
    with pytest.raises(UnreadableFile) as caught:
        read(folder, content)
    return caught.value


def packed(name: str, unit: bytes, times: int) -> bytes:
    """A workbook with one part that is the same over and over."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as book:
        for other, content in PARTS.items():
            book.writestr(other, content)
        with book.open(name, "w") as part:
            for _ in range(times):
                part.write(unit)
    return written.getvalue()


def test_a_bomb_is_refused_by_what_it_says(tmp_path: Path) -> None:
    """300 MB in 300 kB: not a byte of it is unpacked."""
    content = packed("xl/worksheets/sheet1.xml", b" " * MEGABYTE, 300)
    with in_memory(4):
        assert refused(tmp_path, content).code == "zip_bomb"


def test_a_bomb_that_lies_about_its_size_is_refused_as_it_unpacks(tmp_path: Path) -> None:
    """The library gives no more than the size that the directory says, and that the rest is missing."""
    content = packed("xl/worksheets/sheet1.xml", b"<row/>" * 20_000, 30)
    at = content.rindex(b"PK\x01\x02")
    lying = content[: at + 24] + struct.pack("<L", 4000) + content[at + 28 :]
    with in_memory(4):
        assert refused(tmp_path, lying).code == "broken"


def test_too_many_parts_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    """Each would cost half a kilobyte of memory."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as book:
        for place in range(MAX_ENTRIES + 1):
            book.writestr(f"{place}", b"")
    with in_memory(4):
        assert refused(tmp_path, written.getvalue()).code == "zip_bomb"


def test_too_much_text_is_refused(tmp_path: Path) -> None:
    """Shared strings have a bound of their own: the largest honest file has a tenth of it."""
    written = io.BytesIO(by_hand(""))
    with (
        zipfile.ZipFile(written, "a", zipfile.ZIP_DEFLATED) as book,
        book.open("xl/sharedStrings.xml", "w") as part,
    ):
        part.write(b"<sst>")
        for _ in range(80):
            part.write((b"<si><t>" + b"x" * 9000 + b"</t></si>") * 100)
        part.write(b"</sst>")
    with in_memory(200):
        assert "of text" in refused(tmp_path, written.getvalue()).message


def test_entities_are_refused(tmp_path: Path) -> None:
    """In any part: a billion laughs, and files of this machine."""
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    for declared in (laughs, outside):
        for part in ("xl/workbook.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"):
            parts = {part: f"{declared}<sst><si><t>&a;</t></si></sst>"}
            error = refused(tmp_path, by_hand("", parts))
            assert error.code == "broken"
            assert "document type" in error.message


def test_a_cell_at_the_end_of_the_world_is_refused(tmp_path: Path) -> None:
    """XFD1048576: no table of that size is made."""
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with in_memory(4):
        assert refused(tmp_path, by_hand(far)).code == "too_many_columns"
    beyond = by_hand('<row r="1048577"><c r="A1"><v>1</v></c></row>')
    assert refused(tmp_path, beyond).code == "too_many_rows"


def test_a_cell_far_to_the_right_without_a_value_does_no_harm(tmp_path: Path) -> None:
    """Spreadsheets format whole rows."""
    sheet = '<row r="2"><c r="A2"><v>1</v></c><c r="XFD2" s="3"/></row>'
    assert read(tmp_path, by_hand(sheet))[1] == [("1",)]


@pytest.mark.parametrize("where", ["<row r='{}'/>", "<row r='2'><c r='{}'><v>1</v></c></row>"])
@pytest.mark.parametrize("reference", ["-1", "99999999999999999999", "٣", "A" * 5000, "", "0", "A0", "é1"])
def test_strange_references_do_no_harm(tmp_path: Path, where: str, reference: str) -> None:
    """Where they cannot be meant they are refused, or the next place is taken."""
    try:
        read(tmp_path, by_hand(where.format(reference)))
    except UnreadableFile as error:
        assert error.code in ("too_many_columns", "too_many_rows")  # noqa: PT017 - most are read


def test_depth_and_endless_tags_are_bounded(tmp_path: Path) -> None:
    """Expat would keep the whole tag, and read it again with each piece."""
    deep = refused(tmp_path, by_hand("<a>" * 100_000))
    assert (deep.code, "nested too deeply" in deep.message) == ("broken", True)
    with in_memory(8):
        endless = refused(tmp_path, packed("xl/worksheets/sheet1.xml", b"<row " + b"a" * MEGABYTE, 30))
    assert (endless.code, "too long" in endless.message) == ("broken", True)


@pytest.mark.parametrize("value", ["-1", "5", "x", "", "99999999999999999999999"])
def test_a_text_that_is_not_there_is_told(tmp_path: Path, value: str) -> None:
    """With the row; a cell without a place has no text."""
    sheet = f'<row r="2"><c t="s"><v>{value}</v></c></row>'
    if not value:
        assert read(tmp_path, by_hand(sheet))[1] == []
        return
    assert "row 2" in refused(tmp_path, by_hand(sheet)).message


def test_a_password_is_told_as_such(tmp_path: Path) -> None:
    """Of an entry, and of the container that Excel writes."""
    content = bytearray(by_hand(""))
    for header, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.find(header)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(header, at + 4)
    assert refused(tmp_path, bytes(content)).code == "password"
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    named = container + "EncryptedPackage".encode("utf-16-le") + bytes(500)
    assert refused(tmp_path, named).code == "password"
    assert refused(tmp_path, container).code == "not_a_table"


def test_a_flipped_workbook_is_read_or_refused(tmp_path: Path) -> None:
    """Whatever byte is wrong, in whatever part."""
    rows = [("phone", "name"), *((919876543210 + place, f"Asha {place}") for place in range(40))]
    _flip(tmp_path, workbook({"One": rows, "Two": rows}))


def test_flipped_parts_are_read_or_refused(tmp_path: Path) -> None:
    """With the checksums of what is wrong, so that every part is read as it is."""
    content = io.BytesIO(workbook({"One": [("phone", "name"), *((place, "é") for place in range(20))]}))
    with zipfile.ZipFile(content) as book:
        parts: dict[str, str | bytes] = {name: book.read(name) for name in book.namelist()}
    rng = random.Random(7)
    for name in sorted(parts):
        part = parts[name]
        assert isinstance(part, bytes)
        for _ in range(FLIPS // 5):
            _read_or_refused(tmp_path, archive({**parts, name: _wrong(part, rng)}))


def test_a_flipped_text_is_read_or_refused(tmp_path: Path) -> None:
    """In each encoding."""
    text = 'phone,"na""me"\n' + '+442079460018,"Zoë\nX"\n' * 40
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        _flip(tmp_path, text.encode(encoding))


def _flip(folder: Path, content: bytes) -> None:
    """Change some bytes, cut some off, put some in; each time it is read as far as it goes."""
    rng = random.Random(len(content))
    for _ in range(FLIPS):
        _read_or_refused(folder, _wrong(content, rng))


def _wrong(content: bytes, rng: random.Random) -> bytes:
    wrong = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        wrong[rng.randrange(len(wrong))] = rng.randrange(256)
    if rng.random() < 0.3:
        start = rng.randrange(len(wrong))
        wrong[start : start + rng.randrange(64)] = rng.randbytes(rng.randrange(64))
    return bytes(wrong)


def _read_or_refused(folder: Path, content: bytes) -> None:
    try:
        with closing(open_table(upload(folder, content))) as table:
            phone_column(table.header)
            assert all(row.line > table.header.line for row in table)
    except UnreadableFile as error:
        assert 0 < len(error.message) < 3000  # noqa: PT017 - some are read


def test_a_text_of_ten_megabytes_is_read_in_little_memory(tmp_path: Path) -> None:
    """A window of it."""
    content = b"phone,name\n" + b"+442079460018,Asha\n" * (MAX_BYTES // 19 - 1)
    path = upload(tmp_path, content)
    del content
    with in_memory(4):
        assert sum(1 for _ in open_table(path)) > 550_000
