"""An upload to a table, by its content."""

import time
from collections.abc import Generator

from gateway.batch.files.content import Kind, kind_of
from gateway.batch.files.delimited import read_delimited
from gateway.batch.files.old_excel import read_old_excel
from gateway.batch.files.upload import BLOCK, MAX_BYTES, Table, UnreadableFile, Upload, sentence
from gateway.batch.files.workbook import read_workbook


def open_table(
    upload: Upload, *, sheet: str = "", separator: str = "", encoding: str = "", phone: str = ""
) -> Table:
    """Open an upload; UnreadableFile says what it is instead of a table.

    For whoever shares no event loop: `opening` is the same, step by step.
    """
    steps = opening(upload, sheet=sheet, separator=separator, encoding=encoding, phone=phone)
    while True:
        try:
            time.sleep(next(steps))
        except StopIteration as done:
            table: Table = done.value
            return table


def opening(
    upload: Upload, *, sheet: str = "", separator: str = "", encoding: str = "", phone: str = ""
) -> Generator[float, None, Table]:
    """Open an upload step by step: yields how many seconds there is nothing to do, mostly none.

    `phone` is the column that was chosen for the number, empty: one with a name that fits.
    """
    size = upload.path.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFile(
            "too_large",
            sentence(f"{upload.shown} has {size} bytes; at most {MAX_BYTES} (10 MB) are taken"),
        )
    file = upload.path.open("rb")
    try:
        head = file.read(BLOCK)
        if not head.strip():
            raise UnreadableFile("empty", f"There is nothing in {upload.shown}")
        kind = kind_of(upload, head)
        file.seek(0)
        if kind is Kind.ZIP:
            return (yield from read_workbook(upload, file, sheet, phone))
        if kind is Kind.OLE:
            return (yield from read_old_excel(upload, file, sheet, phone))
        return (yield from read_delimited(upload, file, separator, encoding, phone))
    except BaseException:
        file.close()
        raise
