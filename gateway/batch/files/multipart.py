"""A form with a file, taken as it comes: the file goes to the disk, its fields are bounded (RFC 7578).

Whoever sends it may be slow, may vanish, or mean harm: what is on the disk is gone when the context is left,
however that comes, and no more of it than the bounds allow is ever there.
"""

import asyncio
import logging
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.store.engine.private import private_folder
from gateway.tell import Tell, tell_nobody

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_BODY_BYTES = MAX_FILE_BYTES + 512 * 1024
"Of a whole request: the file, and room for its fields."
TYPE = "multipart/form-data"
PIECE = 8192
"Bytes that are parsed in one go: with hostile ones, each takes a loop of the parser."
WRITE_BYTES = 262_144
"Bytes that wait in memory for their way to the disk."
MAX_FILE_NAME = 200
AT_ONCE = 8
"Forms with files under way in a gateway: with their files on the disk, ten million bytes each."
BOUNDARY = re.compile(rb"[ -~]{0,69}[!-~]")
"RFC 2046 section 5.1.1: at most 70 characters, the last of them no space."
FULL_NAME = re.compile(r"filename\*=(?:utf-8|iso-8859-1)'[^';]*'([^;]+)", re.IGNORECASE)
"How some clients write a file's name that is not ASCII, though RFC 7578 section 4.2 forbids it."
PLAIN = (b"", b"7bit", b"8bit", b"binary")
"Content-Transfer-Encodings that change nothing."


class BadForm(Exception):
    """What was sent is no form that can be taken."""

    def __init__(self, code: str, name: str, expected: str) -> None:
        """`name` is the field's, empty for the form as a whole; `expected` is what would be right."""
        self.code = code
        """`wrong_type`, `no_boundary`, `malformed`, `cut_short`, `too_many`, `too_large`, `twice`, `no_text`;
        `busy` is nobody's mistake."""
        self.name = name
        self.expected = expected
        super().__init__(f"{name or 'the request'} {expected}")


@dataclass(frozen=True, slots=True)
class FormBounds:
    """What a form may cost us."""

    file_bytes: int = MAX_FILE_BYTES
    field_bytes: int = 16_384
    "Of one field's value."
    parts: int = 60
    "Fields and file together."


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file on our disk, as long as the context lasts in which it was received."""

    path: Path
    name: str
    "As its sender calls it, without folders; empty where it was not said."
    size: int


@dataclass(frozen=True, slots=True)
class SentForm:
    """What a form held."""

    fields: Mapping[str, Sequence[str]]
    "A name can come several times."
    files: Mapping[str, SentFile]
    "By the name of the field; at most one."


class Uploads:
    """Takes forms with files, so many at once; `open` it before the first one comes."""

    def __init__(self, folder: Path, at_once: int = AT_ONCE, tell: Tell = tell_nobody) -> None:
        self.folder = folder
        "Where files wait. Its own: whatever a killed run has left in it goes."
        self.tell = tell
        "Hears of a disk that refuses."
        self._at_once = at_once
        self._under_way = 0

    def open(self) -> None:
        """Have an empty folder; OSError where that cannot be."""
        private_folder(self.folder)
        for left in self.folder.iterdir():
            left.unlink(missing_ok=True)

    @asynccontextmanager
    async def receive(
        self, chunks: AsyncIterator[bytes], content_type: str, bounds: FormBounds | None = None
    ) -> AsyncIterator[SentForm]:
        """The form that these chunks are; `BadForm` where they are none, OSError where the disk refuses.

        Its file is there until the context is left, and no longer.
        """
        boundary = boundary_of(content_type)
        with self._one_more(), _spool(self.folder) as spool:
            parts = _Parts(bounds or FormBounds())
            await _take(chunks, boundary, parts, spool)
            yield parts.form(spool.path)

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if self._under_way >= self._at_once:
            right = f"comes beside {self._at_once} others with files, as many as are taken at once"
            raise BadForm("busy", "", f"{right}; try again in a moment")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts of a form; `BadForm` where it is no form with a file, or does not say."""
    kind, options = parse_options_header(content_type)
    if kind != TYPE.encode():
        right = f"should be sent as {TYPE}, not as {content_type[:80] or 'nothing that is named'}"
        raise BadForm("wrong_type", "", right)
    boundary = options.get(b"boundary", b"")
    if BOUNDARY.fullmatch(boundary) is None:
        raise BadForm("no_boundary", "", f"should have a boundary in its Content-Type, as {TYPE} has it")
    return boundary


@dataclass(frozen=True, slots=True)
class _Spool:
    """A file that is being written, beside the event loop."""

    path: Path

    async def write(self, content: bytearray) -> None:
        """Take what waits to the disk, all of it."""
        if content:
            piece = bytes(content)
            content.clear()
            await asyncio.to_thread(self._append, piece)

    def _append(self, piece: bytes) -> None:
        # Opened each time, and never made: whoever gives up waiting has deleted it, and nothing comes back.
        with open(self.path, "ab", opener=_existing) as file:
            file.write(piece)


def _existing(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)


@contextmanager
def _spool(folder: Path) -> Iterator[_Spool]:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    os.close(descriptor)
    try:
        yield _Spool(Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


async def _take(chunks: AsyncIterator[bytes], boundary: bytes, parts: "_Parts", spool: _Spool) -> None:
    """Parse what comes in small pieces, so that no call's audio waits for a large one."""
    parser = _parser(boundary, parts)
    taken = 0
    async for chunk in chunks:
        taken += len(chunk)
        if taken > MAX_BODY_BYTES:
            raise BadForm("too_large", "", f"should have at most {MAX_BODY_BYTES} bytes")
        for start in range(0, len(chunk), PIECE):
            try:
                parser.write(chunk[start : start + PIECE])
            except FormParserError as error:
                raise BadForm("malformed", "", f"should be {TYPE}: {str(error)[:200]}") from None
            if len(parts.waiting) >= WRITE_BYTES:
                await spool.write(parts.waiting)
            await asyncio.sleep(0)
    await spool.write(parts.waiting)
    if not parts.complete:
        raise BadForm("cut_short", "", "should end with its boundary and two hyphens: it was cut short")


def _parser(boundary: bytes, parts: "_Parts") -> MultipartParser:
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_header_field": parts.header_name,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_headers_finished": parts.headers_end,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_end": parts.end_all,
        },
    )
    # What it would log of each hostile byte is what `BadForm` says.
    parser.logger = _silent()
    return parser


def _silent() -> logging.Logger:
    logger = logging.getLogger("gateway.multipart")
    logger.propagate = False
    logger.disabled = True
    return logger


@dataclass(slots=True)
class _Parts:
    """What the parser tells of the parts, bounded; the file's bytes wait here for the disk."""

    bounds: FormBounds
    waiting: bytearray = field(default_factory=bytearray)
    complete: bool = False
    "The last boundary has come."
    _count: int = 0
    _fields: dict[str, list[str]] = field(default_factory=dict)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    _name: str = ""
    _file_name: str | None = None
    "Of the part that comes; None: it is a field."
    _value: bytearray = field(default_factory=bytearray)
    _size: int = 0
    "Of the file, so far."
    _file: tuple[str, str] | None = None
    "The field of the file, and the file's name."
    _is_begun: bool = False
    "The part that comes is the file, and some of it is there."

    def begin(self) -> None:
        """A part begins."""
        self._count += 1
        if self._count > self.bounds.parts:
            raise BadForm("too_many", "", f"should have at most {self.bounds.parts} parts")
        self._headers.clear()
        self._value.clear()
        self._is_begun = False

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's name."""
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's value."""
        self._header[1].extend(data[start:end])

    def header_end(self) -> None:
        """A header is there."""
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def headers_end(self) -> None:
        """What the part is, its headers say."""
        disposition = self._headers.get(b"content-disposition", b"")
        kind, options = parse_options_header(disposition)
        if kind != b"form-data" or not options.get(b"name"):
            raise BadForm(
                "malformed", "", "should name each of its parts: Content-Disposition: form-data; name=…"
            )
        self._name = options[b"name"].decode("utf-8", "replace")
        self._file_name = _file_name(disposition, options)
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in PLAIN:
            # RFC 7578 section 4.7: deprecated, and nobody knows who would decode it.
            raise BadForm(
                "malformed", self._name, "should be sent as it is, without Content-Transfer-Encoding"
            )

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part's content."""
        if self._file_name is None:
            self._value += data[start:end]
            if len(self._value) > self.bounds.field_bytes:
                right = f"should have at most {self.bounds.field_bytes} bytes"
                raise BadForm("too_large", self._name[:80], right)
            return
        self._begin_file()
        self._size += end - start
        if self._size > self.bounds.file_bytes:
            raise BadForm(
                "too_large", self._name[:80], f"should have at most {_said(self.bounds.file_bytes)}"
            )
        self.waiting += data[start:end]

    def end(self) -> None:
        """A part is over."""
        if self._file_name is None:
            self._keep_field()
        elif self._file_name:
            # Without a name and without content it is what browsers send where no file was chosen.
            self._begin_file()
        self._file_name = None

    def end_all(self) -> None:
        """The last boundary has come."""
        self.complete = True

    def form(self, path: Path) -> SentForm:
        """What has come."""
        files = {} if self._file is None else {self._file[0]: SentFile(path, self._file[1], self._size)}
        return SentForm(self._fields, files)

    def _begin_file(self) -> None:
        """One file there may be, once."""
        if self._is_begun:
            return
        if self._file is not None:
            raise BadForm("twice", self._name[:80], "should be one file, given once")
        self._file = (self._name, self._file_name or "")
        self._is_begun = True

    def _keep_field(self) -> None:
        try:
            text = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise BadForm("no_text", self._name[:80], "should be text in UTF-8") from None
        # A NUL is no text, and PostgreSQL takes none.
        self._fields.setdefault(self._name, []).append(text.replace("\x00", "\ufffd").replace("\r\n", "\n"))


def _file_name(disposition: bytes, options: Mapping[bytes, bytes]) -> str | None:
    """The name of a part's file, without the folders of whoever sent it; None: it is no file."""
    full = FULL_NAME.search(disposition.decode("latin-1"))
    if full is not None:
        name = unquote(full[1].strip('"'))
    elif b"filename" in options:
        name = options[b"filename"].decode("utf-8", "replace")
    else:
        return None
    name = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in name if character.isprintable())[-MAX_FILE_NAME:]


def _said(count: int) -> str:
    """Bytes as people say them."""
    mib = 1024 * 1024
    return f"{count // mib} MB ({count} bytes)" if count % mib == 0 else f"{count} bytes"
