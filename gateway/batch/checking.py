"""A whole file: what came of each row, the groups of failures, what it would cost at most."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from gateway.batch.checker import Checker, Recipient
from gateway.batch.columns import phone_column
from gateway.batch.failures import Failure, FailureReason, Group, Tally
from gateway.batch.files.opening import opening
from gateway.batch.files.upload import MAX_ROWS, Header, Table, UnreadableFile, Upload
from gateway.batch.slices import in_slices
from gateway.batch.spool import Spool

__all__ = ["Checked", "Checker", "Choice", "Recipient", "Report", "check_file"]

PREVIEWED = 10
_TOLD_SECONDS = 0.1
"Between two words about how far it is."

Progress = Callable[[int, int, int], None]
"Bytes that are read, bytes in all, rows."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose of how the file is read; empty: by itself."""

    phone_column: str = ""
    sheet: str = ""
    separator: str = ""
    encoding: str = ""

    def unused(self, header: "Header") -> Iterator[str]:
        """What of it a file of this kind has no use for, in words."""
        if header.sheet and (self.separator or self.encoding):
            yield "A workbook has neither separator nor encoding: what was chosen is not used"
        if self.sheet and not header.sheet:
            yield "A text file has no sheets: the one that was chosen is not used"


@dataclass(frozen=True, slots=True)
class Report:
    """What a file has in it, as it is answered and kept."""

    file_name: str
    sheet: str
    sheets: tuple[str, ...]
    encoding: str
    separator: str
    columns: tuple[str, ...]
    phone_column: str
    total: int
    "Rows that are not empty."
    good: int
    failed: int
    groups: tuple[Group, ...]
    "The largest first."
    preview: tuple[Recipient, ...]
    notes: tuple[str, ...]
    most_per_minute: Decimal | None
    "What a minute with every recipient costs together; None: nothing is charged."
    currency: str
    countries: Mapping[str, int]
    "Recipients by country, the most first."

    def as_dict(self) -> dict[str, object]:
        """In JSON types; money as text."""
        return {
            "file_name": self.file_name,
            "sheet": self.sheet or None,
            "sheets": list(self.sheets),
            "encoding": self.encoding or None,
            "separator": self.separator or None,
            "columns": list(self.columns),
            "phone_column": self.phone_column,
            "total": self.total,
            "good": self.good,
            "failed": self.failed,
            "groups": [group.as_dict() for group in self.groups],
            "preview": [
                {
                    "position": one.position,
                    "phone_number": one.phone_number,
                    "written": one.written,
                    "variables": dict(one.variables),
                }
                for one in self.preview
            ],
            "notes": list(self.notes),
            "most_per_minute": None if self.most_per_minute is None else f"{self.most_per_minute:f}",
            "currency": self.currency,
            "countries": dict(self.countries),
        }


class Checked:
    """A file that has been checked; `close` it."""

    def __init__(self, report: Report, recipients: Spool[Recipient], failures: Spool[Failure]) -> None:
        self.report = report
        self._recipients = recipients
        self._failures = failures

    def recipients(self) -> Iterator[Recipient]:
        """Those who can be called, in the file's order."""
        return iter(self._recipients)

    def failures(self, reason: FailureReason | None = None) -> Iterator[Failure]:
        """The rows that cannot, or those of one group."""
        return (one for one in self._failures if reason is None or one.reason == reason)

    def close(self) -> None:
        """Give the disk back."""
        self._recipients.close()
        self._failures.close()


async def check_file(
    upload: Upload,
    checker: Checker,
    *,
    folder: Path,
    choice: Choice = Choice(),
    progress: Progress | None = None,
    busy: Callable[[], bool] = bool,
) -> Checked:
    """Check every row of an upload, in slices of the event loop's time; UnreadableFile where it is no table.

    While `busy` says that calls run, it takes half of the core at most. What came of the rows lies in files
    without a name in `folder`.
    """
    run = _Run(upload, checker, choice, folder)
    pause = _teller(run, progress) if progress is not None else _nothing
    return await in_slices(run.steps(), busy=busy, pause=pause)


def _nothing() -> None:
    """Nobody asked to be told."""


def _teller(run: "_Run", progress: Progress) -> Callable[[], None]:
    told = 0.0

    def tell() -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TOLD_SECONDS:
            told = now
            progress(*run.progress())

    return tell


@dataclass(slots=True)
class _Run:
    """One file on its way through the checker."""

    upload: Upload
    checker: Checker
    choice: Choice
    folder: Path
    good: int = 0
    rows: int = 0
    price: Decimal = Decimal(0)
    tallies: dict[FailureReason, Tally] = field(default_factory=dict)
    preview: list[Recipient] = field(default_factory=list)
    table: Table | None = None

    def progress(self) -> tuple[int, int, int]:
        """Bytes that are read, bytes in all, rows."""
        done, size = self.table.progress() if self.table is not None else (0, 0)
        return done, size, self.rows

    def steps(self) -> Generator[float, None, Checked]:
        """Do it, row by row."""
        choice = self.choice
        table = self.table = yield from opening(
            self.upload,
            sheet=choice.sheet,
            separator=choice.separator,
            encoding=choice.encoding,
            phone=choice.phone_column,
        )
        recipients, failures = Spool(Recipient, self.folder), Spool(Failure, self.folder)
        try:
            phone = phone_column(table.header, choice.phone_column)
            self.checker.begin(table.header, phone)
            yield from self._read(table, recipients, failures)
            if not self.rows:
                raise UnreadableFile("no_rows", f"There are no rows below the header of {self.upload.shown}")
            recipients.finish()
            failures.finish()
            return Checked(self._report(table.header, phone, table.notes()), recipients, failures)
        except BaseException:
            recipients.close()
            failures.close()
            raise
        finally:
            table.close()

    def _read(
        self, table: Table, recipients: Spool[Recipient], failures: Spool[Failure]
    ) -> Generator[float, None, None]:
        check = self.checker.check
        for row in table.steps:
            yield 0.0
            found = None if row is None else check(row)
            if found is None:
                continue
            self.rows += 1
            if self.rows > MAX_ROWS:
                raise UnreadableFile("too_many_rows", f"{self.upload.shown} has more than {MAX_ROWS} rows")
            if isinstance(found, Recipient):
                recipients.add(found)
                self._counted(found)
            else:
                failures.add(found)
                self.tallies.setdefault(found.reason, Tally()).add(found)

    def _counted(self, recipient: Recipient) -> None:
        self.good += 1
        if recipient.price is not None:
            self.price += recipient.price
        if len(self.preview) < PREVIEWED:
            self.preview.append(recipient)

    def _report(self, header: Header, phone: int, notes: Sequence[str]) -> Report:
        groups = [tally.group(reason) for reason, tally in self.tallies.items()]
        return Report(
            file_name=self.upload.name,
            sheet=header.sheet,
            sheets=header.sheets,
            encoding=header.encoding,
            separator=header.separator,
            columns=header.names,
            phone_column=header.names[phone],
            total=self.rows,
            good=self.good,
            failed=self.rows - self.good,
            groups=tuple(sorted(groups, key=lambda group: -group.count)),
            preview=tuple(self.preview),
            notes=(*self.checker.notes(header), *notes, *self.choice.unused(header)),
            most_per_minute=self.price if self.checker.charges else None,
            currency=self.checker.workspace.currency,
            countries=dict(self.checker.countries.most_common()),
        )
