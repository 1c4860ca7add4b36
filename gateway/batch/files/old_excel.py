"""`.xls`, read in a process of its own: a hostile file can have its reader ask for all memory."""

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import IO, BinaryIO

import msgspec

from gateway.batch.files.cells import number_text
from gateway.batch.files.content import not_a_table
from gateway.batch.files.delimited import header_names
from gateway.batch.files.upload import (
    MAX_CELL,
    MAX_COLUMNS,
    Header,
    Row,
    Table,
    UnreadableFile,
    Upload,
    sentence,
)
from gateway.batch.files.xls_child import MAX_SECONDS, Told

_LIBRARY = "python_calamine"
_REST_SECONDS = 0.02
_PATIENCE_SECONDS = 2.0 * MAX_SECONDS
"For a process whose own limit counts its processor's time."

_CHILD = "gateway.batch.files.xls_child"


def read_old_excel(
    upload: Upload, file: BinaryIO, sheet: str, phone: str = ""
) -> Generator[float, None, Table]:
    """The table of an old workbook; steps by yielding the seconds in which there is nothing to do."""
    _is_workbook(upload, file)
    if importlib.util.find_spec(_LIBRARY) is None:
        raise UnreadableFile(
            "xls_not_installed",
            f"{upload.shown} is an old Excel file (.xls), which this gateway is not set up to read: "
            "save it as .xlsx or .csv (or install trunkline[xls])",
        )
    written = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the table
    try:
        yield from _run(upload, (sheet, phone), written)
        written.seek(0)
        return _table(upload, file, written)
    except BaseException:
        written.close()
        raise


def _is_workbook(upload: Upload, file: BinaryIO) -> None:
    """Tell apart what the same container can hold, by the names in its directory (MS-CFB section 2.6.1)."""
    content = file.read()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise UnreadableFile("password", sentence(f"{upload.shown} has a password: save it without one"))
    if "WordDocument".encode("utf-16-le") in content:
        raise not_a_table(upload, "a Word document")
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise not_a_table(upload, "an old Office file without a workbook in it")


def _run(upload: Upload, choice: tuple[str, str], written: IO[bytes]) -> Generator[float, None, None]:
    """Have the process write the rows, and wait for it."""
    command = [sys.executable, "-m", _CHILD, str(upload.path), *choice]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.DEVNULL
    )
    ends = time.monotonic() + _PATIENCE_SECONDS
    try:
        while process.poll() is None:
            if time.monotonic() > ends:
                raise _not_read(upload)
            yield _REST_SECONDS
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise _not_read(upload)


def _not_read(upload: Upload) -> UnreadableFile:
    return UnreadableFile(
        "broken", f"{upload.shown} cannot be read as an Excel file (.xls): open it and save it as .xlsx"
    )


def _table(upload: Upload, file: BinaryIO, written: IO[bytes]) -> Table:
    try:
        told = msgspec.json.decode(written.readline(), type=Told)
    except msgspec.DecodeError:
        raise _not_read(upload) from None
    if told.trouble:
        raise UnreadableFile(told.code, f"{upload.shown} {told.trouble}")
    rows = _rows(written)
    first = next((row for row in rows if any(map(str.strip, row.cells))), None)
    if first is None:
        raise UnreadableFile("empty", f"There is nothing in sheet “{told.sheet}” of {upload.shown}")
    header = Header(first.line, header_names(first.cells), told.sheet, tuple(told.sheets))
    size = written.seek(0, 2)
    written.seek(0)
    written.readline()
    below = (row for row in _rows(written) if row.line > first.line)

    def close() -> None:
        written.close()
        file.close()

    return Table(header, below, lambda: (min(written.tell(), size), size), close)


def _rows(written: IO[bytes]) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(tuple[int, list[str | float]])
    for line in written:
        number, values = decoder.decode(line)
        cells = tuple(
            number_text(repr(value)) if isinstance(value, float) else value[: MAX_CELL + 1]
            for value in values[:MAX_COLUMNS]
        )
        numbers = tuple(place for place, value in enumerate(values) if isinstance(value, float))
        if any(cells):
            yield Row(number, cells, numbers)
