"""What the process for `.xls` runs: a sheet to lines of JSON, in bounded memory and time."""

import resource
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from gateway.batch.columns import names_the_number

if TYPE_CHECKING:  # the limits have to be there before the library is
    from python_calamine import CalamineWorkbook

MAX_SECONDS = 20
MAX_MEMORY = 1024 * 1024 * 1024
MAX_WRITTEN = 256 * 1024 * 1024
_LOOKED_AT = 20


class Told(msgspec.Struct):
    """The first line: what was found."""

    sheet: str = ""
    sheets: list[str] = []
    code: str = ""
    trouble: str = ""
    "What to say of the file, behind its name; empty: rows follow."


def main(path: str, wanted: str, phone: str = "") -> None:
    """Write what a file has to the standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_WRITTEN, MAX_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    write = sys.stdout.buffer.write
    told, rows = _found(path, wanted, phone)
    write(msgspec.json.encode(told) + b"\n")
    for number, row in enumerate(rows, 1):
        write(msgspec.json.encode((number, [_cell(value) for value in row])) + b"\n")


def _found(path: str, wanted: str, phone: str) -> tuple[Told, Iterable[Sequence[object]]]:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_path(path)
    except PasswordError:
        return Told(code="password", trouble="has a password: save it without one"), ()
    except CalamineError:
        return Told(code="broken", trouble="is damaged and cannot be read as an Excel file"), ()
    visible = [one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
    names = list(book.sheet_names)
    sheet = _chosen(names, wanted) if wanted else _with_numbers(book, visible or names, phone)
    if not sheet:
        there = ", ".join(f"“{name[:40]}”" for name in names[:20]) or "no sheets"
        return Told(code="no_such_sheet", trouble=f"has no sheet “{wanted[:80]}”; there are {there}"), ()
    rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    return Told(sheet, names), rows


def _chosen(names: list[str], wanted: str) -> str:
    alike = [name for name in names if name.strip().lower() == wanted.strip().lower()]
    return wanted if wanted in names else (alike[0] if alike else "")


def _with_numbers(book: "CalamineWorkbook", names: list[str], phone: str) -> str:
    """The first of the sheets that names a column for the number, else the first with anything in it."""
    found = ""
    for name in names[:_LOOKED_AT]:
        rows = book.get_sheet_by_name(name).to_python(nrows=20)
        header = next((row for row in rows if any(row)), None)
        if header is not None:
            found = found or name
            if any(names_the_number(str(cell), phone) for cell in header):
                return name
    return found or (names[0] if names else "")


def _cell(value: object) -> str | float:
    """A cell as text; numbers stay numbers, for whoever reads them to the digit."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:4])
