"""Forms with a file: taken in any pieces, bounded, nothing left on the disk whatever their sender does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from gateway.batch.files.multipart import (
    MAX_BODY_BYTES,
    MAX_FILE_BYTES,
    BadForm,
    FormBounds,
    SentForm,
    Uploads,
    boundary_of,
)

TYPE = "multipart/form-data; boundary=of-parts"
CSV = b"phone_number,name\r\n+14155550100,Ada\r\n--of-part is no boundary\r\n"

pytestmark = pytest.mark.one_loop


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    """The folder of a gateway that has started."""
    made = Uploads(tmp_path / "uploads")
    made.open()
    return made


def part(content: bytes, *headers: str) -> bytes:
    """A part, with the boundary before it."""
    return "\r\n".join(("--of-parts", *headers, "", "")).encode() + content + b"\r\n"


def text(name: str, value: str) -> bytes:
    """A field."""
    return part(value.encode(), f'Content-Disposition: form-data; name="{name}"')


def file(content: bytes, written: str = 'filename="people.csv"', name: str = "file") -> bytes:
    """A file."""
    return part(
        content, f'Content-Disposition: form-data; name="{name}"; {written}', "Content-Type: text/csv"
    )


END = b"--of-parts--\r\n"


async def pieces(body: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """The body as it may come."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def sent(uploads: Uploads, body: bytes, size: int = 65_536) -> tuple[SentForm, bytes]:
    """The form, and what its file held."""
    async with uploads.receive(pieces(body, size), TYPE) as form:
        content = form.files["file"].path.read_bytes() if form.files else b""
    assert [*uploads.folder.iterdir()] == []
    return form, content


@pytest.mark.parametrize("size", [1, 2, 7, 64, 65_536])
async def test_any_pieces_make_the_same_form(uploads: Uploads, size: int) -> None:
    """Fields, in UTF-8 and several times, and a file to the byte; gone when it has been looked at."""
    body = (
        text("title", "Grüße, 電話") + file(CSV) + text("from_numbers", "a") + text("from_numbers", "b\r\nc")
    )
    form, content = await sent(uploads, body + END, size)
    assert form.fields == {"title": ["Grüße, 電話"], "from_numbers": ["a", "b\nc"]}
    assert content == CSV
    assert (form.files["file"].name, form.files["file"].size) == ("people.csv", len(CSV))


NAMES = [
    ('filename="C:\\\\Users\\\\ada\\\\people.csv"', "people.csv"),
    ('filename="../../etc/people.csv"', "people.csv"),
    ('filename="Empfänger.csv"', "Empfänger.csv"),
    ("filename=people.csv", "people.csv"),
    ("filename*=utf-8''Empf%C3%A4nger.csv", "Empfänger.csv"),
    ("filename=\"a.csv\"; filename*=UTF-8''%E2%82%AC.csv", "€.csv"),
    ('filename="a\x1b[31m.csv"', "a[31m.csv"),
    ('filename=""', ""),
    (f'filename="{"x" * 400}.csv"', f"{'x' * 196}.csv"),
]


async def test_a_file_has_the_name_that_its_sender_gives(uploads: Uploads, subtests: pytest.Subtests) -> None:
    """Without folders and without what a terminal would obey; the ending stays."""
    for written, name in NAMES:
        with subtests.test(written[:60]):
            form, content = await sent(uploads, file(CSV, written) + END)
            assert (form.files["file"].name, content) == (name, CSV)


async def test_no_file_chosen_is_no_file(uploads: Uploads) -> None:
    """What browsers send for an empty choice; an empty file with a name is one."""
    form, _ = await sent(uploads, file(b"", 'filename=""') + END)
    assert form.files == {}
    form, content = await sent(uploads, file(b"") + END)
    assert (form.files["file"].size, content) == (0, b"")


ENCODED = part(
    b"cA==", 'Content-Disposition: form-data; name="file"; filename="a"', "Content-Transfer-Encoding: base64"
)
LONG = ("X-Long: " + "x" * 5000,)
MANY = tuple(f"X-{number}: x" for number in range(20))
NAMED = 'Content-Disposition: form-data; name="title"'
BAD: list[tuple[str, bytes, str, str]] = [
    ("application/json", b"{}", "wrong_type", ""),
    ("", b"{}", "wrong_type", ""),
    ("multipart/mixed; boundary=of-parts", file(CSV) + END, "wrong_type", ""),
    ("multipart/form-data", file(CSV) + END, "no_boundary", ""),
    ("multipart/form-data; boundary=", file(CSV) + END, "no_boundary", ""),
    (f"multipart/form-data; boundary={'x' * 71}", file(CSV) + END, "no_boundary", ""),
    ("multipart/form-data; boundary=another", file(CSV) + END, "malformed", ""),
    (TYPE, b"phone_number\n+14155550100\n", "malformed", ""),
    (TYPE, part(b"x", "Content-Type: text/plain") + END, "malformed", ""),
    (TYPE, part(b"x", 'Content-Disposition: attachment; name="file"') + END, "malformed", ""),
    (TYPE, part(b"x", "Content-Disposition: form-data") + END, "malformed", ""),
    (TYPE, part(b"x", "No header") + END, "malformed", ""),
    (TYPE, part(b"x", NAMED, *LONG) + END, "malformed", ""),
    (TYPE, part(b"x", NAMED, *MANY) + END, "malformed", ""),
    (TYPE, ENCODED + END, "malformed", "file"),
    (TYPE, b"", "cut_short", ""),
    (TYPE, b"--of-parts", "cut_short", ""),
    (TYPE, file(CSV), "cut_short", ""),
    (TYPE, file(CSV) + b"--of-parts-", "cut_short", ""),
    (TYPE, file(CSV)[:-20], "cut_short", ""),
    (TYPE, file(CSV) + file(CSV) + END, "twice", "file"),
    (TYPE, file(CSV) + file(b"") + END, "twice", "file"),
    (TYPE, file(CSV) + file(CSV, name="file2") + END, "twice", "file2"),
    (TYPE, text("a", "b") * 61 + END, "too_many", ""),
    (TYPE, text("a", "b") * 1000 + END, "too_many", ""),
    (TYPE, text("title", "x" * 20_000) + END, "too_large", "title"),
    (TYPE, part(b"\xff\xfe", NAMED) + END, "no_text", "title"),
]


async def test_what_is_no_form_is_named(
    uploads: Uploads, subtests: pytest.Subtests, caplog: pytest.LogCaptureFixture
) -> None:
    """In whatever pieces it comes; nothing is left on the disk, and nothing is logged."""
    caplog.set_level(logging.DEBUG)
    for kind, body, code, name in BAD:
        for size in (1, 65_536):
            with subtests.test(f"{code} {kind[:40]} {body[:60]!r} {size}"):
                with pytest.raises(BadForm) as raised:
                    async with uploads.receive(pieces(body, size), kind):
                        pytest.fail("it was taken")
                assert (raised.value.code, raised.value.name) == (code, name)
                assert [*uploads.folder.iterdir()] == []
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_ten_megabytes_and_no_byte_more(uploads: Uploads) -> None:
    """A file at the bound is taken; one byte more is refused, and so is what has no end."""
    form, content = await sent(uploads, file(bytes(MAX_FILE_BYTES)) + END)
    assert form.files["file"].size == len(content) == MAX_FILE_BYTES
    with pytest.raises(BadForm, match=r"file should have at most 10 MB \(10485760 bytes\)"):
        await sent(uploads, file(bytes(MAX_FILE_BYTES + 1)) + END)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield file(b"") + END
        while True:
            taken += 65_536
            yield bytes(65_536)

    with pytest.raises(BadForm, match="at most"):
        async with uploads.receive(endless(), TYPE):
            pytest.fail("it was taken")
    assert taken <= MAX_BODY_BYTES + 65_536
    assert [*uploads.folder.iterdir()] == []


async def test_its_sender_vanishes(uploads: Uploads) -> None:
    """What raises in the middle of the body, and whoever gives up waiting for it, leaves nothing behind."""

    async def cut(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
        for each in parts:
            yield each
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async with uploads.receive(cut([file(bytes(600_000))]), TYPE):
            pytest.fail("it was taken")
    assert [*uploads.folder.iterdir()] == []

    async def silent() -> AsyncIterator[bytes]:
        yield file(bytes(600_000))[:-100]
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), uploads.receive(silent(), TYPE):
            pytest.fail("it was taken")
    assert [*uploads.folder.iterdir()] == []


async def test_so_many_at_once(tmp_path: Path) -> None:
    """One too many is told so, and taken once another has gone."""
    uploads = Uploads(tmp_path / "uploads", at_once=1)
    uploads.open()
    async with uploads.receive(pieces(file(CSV) + END), TYPE):
        with pytest.raises(BadForm, match="as many as are taken at once") as raised:
            await sent(uploads, file(CSV) + END)
        assert raised.value.code == "busy"
    await sent(uploads, file(CSV) + END)


async def test_what_a_killed_run_left_is_gone(tmp_path: Path) -> None:
    """The folder is for its owner's eyes only, and empty at the start."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "upload-of-before").write_bytes(CSV)
    Uploads(folder).open()
    assert [*folder.iterdir()] == []
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """It is no mistake of the sender's."""
    uploads = Uploads(tmp_path / "never made")
    with pytest.raises(FileNotFoundError):
        await sent(uploads, file(CSV) + END)


async def test_a_field_may_be_bounded_more_narrowly(uploads: Uploads) -> None:
    """Whoever takes other forms says what they may cost."""
    bounds = FormBounds(file_bytes=100, field_bytes=10, parts=2)
    with pytest.raises(BadForm, match="file should have at most 100 bytes"):
        async with uploads.receive(pieces(file(bytes(101)) + END), TYPE, bounds):
            pytest.fail("it was taken")


def test_a_boundary_may_be_quoted() -> None:
    """As some clients write it."""
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="of parts"') == b"of parts"
