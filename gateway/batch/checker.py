"""What a row is: somebody to call, or the reason why not, by the rules of a single call."""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from gateway.batch.columns import timezone_column
from gateway.batch.failures import BY_RULE, Failure, FailureReason
from gateway.batch.files.upload import MAX_CELL, Header, Row
from gateway.batch.local import LocalNumbers
from gateway.batch.seen import Seen
from gateway.batch.wording import counted
from gateway.batch.writings import DigitsLost, as_meant
from gateway.batch.zones import zone_named
from gateway.routing.decision import LastWord, Rejected
from gateway.routing.destination import validate_destination
from gateway.routing.number import E164, MAX_RAW, SEPARATORS
from gateway.routing.plan import NumberingPlan
from gateway.routing.rating import Quote
from gateway.routing.table import Workspace
from gateway.routing.typed import cleaned
from gateway.store.engine.errors import InvalidInput

Quoting = Callable[[E164], Quote | None]
"What a call to a number costs; None where the deck has no rate for it, so that no call goes there."


class Recipient(msgspec.Struct, frozen=True):
    """Somebody to call."""

    position: int
    "Of the row in the file, the header being 1."
    phone_number: str
    "E.164."
    written: str
    "As the file has it."
    variables: Mapping[str, str]
    "The other columns, by their names as they are written."
    timezone: str = ""
    "As the row's `timezone` column names it; empty: by the number."
    price: Decimal | None = None
    "Of a minute; None: nothing is charged."


class Checker:
    """Judges the rows of one file, in their order.

    `quote` is None where calls are not charged at all; `blocked` has the numbers (E.164) that are not called.
    """

    def __init__(
        self,
        *,
        workspace: Workspace,
        plan: NumberingPlan,
        is_sip_trunk: bool,
        quote: Quoting | None = None,
        default_country: str = "",
        blocked: Container[str] | Callable[[str], bool] = frozenset(),
    ) -> None:
        self.workspace = workspace
        self.empty = 0
        "Rows without a value."
        self.local = 0
        "Numbers that were read as the default country's."
        self.beyond: list[int] = []
        "Rows with values beyond the header's columns."
        self.countries: Counter[str] = Counter()
        "Of the recipients, by ISO code."
        self.local_numbers = LocalNumbers(default_country) if default_country else None
        self._plan = plan
        self._is_sip_trunk = is_sip_trunk
        self._quote = quote
        self._is_blocked = blocked if callable(blocked) else blocked.__contains__
        self._seen = Seen()
        self._trail = LastWord()
        self._phone = 0
        self._zone: int | None = None
        self._width = 0
        self._others: list[tuple[int, str]] = []

    def begin(self, header: Header, phone: int) -> None:
        """Learn the file's columns: before the first row."""
        self._phone, self._zone = phone, timezone_column(header)
        self._width = len(header.names)
        places: dict[str, int] = {}
        for place, name in enumerate(header.names):
            if name and place != phone:
                places.setdefault(name, place)
        self._others = [(place, name) for name, place in places.items()]

    @property
    def charges(self) -> bool:
        """Whether calls cost anything."""
        return self._quote is not None

    def notes(self, header: Header) -> list[str]:
        """Sentences about what was read otherwise than it may have been meant: after the last row."""
        notes = []
        if self.local and self.local_numbers is not None:
            local = self.local_numbers
            read = ("local number was read as a number", "local numbers were read as numbers")
            notes.append(f"{counted(self.local, *read)} of {local.country} (+{local.calling_code})")
        if self.empty:
            notes.append(f"{counted(self.empty, 'empty row was', 'empty rows were')} left out")
        if self.beyond:
            rows = ", ".join(map(str, self.beyond[:5])) + ("…" if len(self.beyond) > 5 else "")
            notes.append(
                f"{counted(len(self.beyond), 'row has', 'rows have')} values beyond the header's columns, "
                f"which are not used: {rows}"
            )
        twice = sorted(name for name, count in Counter(filter(None, header.names)).items() if count > 1)
        if twice:
            names = ", ".join(f"“{name[:40]}”" for name in twice)
            notes.append(f"Of columns with the same name the first is used: {names}")
        unnamed = sum(not name for name in header.names)
        if unnamed:
            without = counted(unnamed, "column has no name and is", "columns have no name and are")
            notes.append(f"{without} not used")
        return notes

    def check(self, row: Row) -> Recipient | Failure | None:
        """What a row is; None: it is empty."""
        cells = row.cells
        if not any(map(str.strip, cells)):
            self.empty += 1
            return None
        if len(cells) < self._width:
            cells += ("",) * (self._width - len(cells))
        elif len(cells) > self._width and any(map(str.strip, cells[self._width :])):
            self.beyond.append(row.line)
        written = cells[self._phone].strip()
        try:
            return self._recipient(row, cells, written)
        except DigitsLost as lost:
            return _failure(row, written, FailureReason.DIGITS_LOST, str(lost))
        except Rejected as refused:
            self._trail = LastWord()
            return _failure(row, written, BY_RULE[refused.reason], _detail(refused))

    def _recipient(self, row: Row, cells: tuple[str, ...], written: str) -> Recipient | Failure:
        if not written:
            return _failure(row, "", FailureReason.NO_PHONE_NUMBER, "the cell is empty")
        meant = as_meant(written, is_number=self._phone in row.numbers)
        destination = validate_destination(
            self._international(meant),
            workspace=self.workspace,
            plan=self._plan,
            is_sip_trunk=self._is_sip_trunk,
            trail=self._trail,
        )
        number = destination.number
        if max(map(len, cells)) > MAX_CELL:
            return _failure(row, written, FailureReason.CELL_TOO_LONG, self._too_long(cells))
        zone = "" if self._zone is None else cells[self._zone].strip()
        if zone and (trouble := _zone_trouble(zone)):
            return _failure(row, written, FailureReason.BAD_TIME_ZONE, trouble)
        e164 = number.e164
        if self._is_blocked(e164):
            return _failure(row, written, FailureReason.DO_NOT_CALL, f"{e164} is on the do-not-call list")
        price = None
        if self._quote is not None:
            quote = self._quote(number)
            if quote is None:
                return _failure(row, written, FailureReason.NO_RATE, f"no rate begins {e164}")
            price = quote.per_minute
        first = self._seen.first(number.digits, row.line)
        if first:
            return _failure(row, written, FailureReason.DUPLICATE, f"{e164} is in row {first} already")
        self.countries[destination.entry.country.iso if destination.entry.country else ""] += 1
        variables = {name: cells[place] for place, name in self._others}
        return Recipient(row.line, e164, written[:MAX_RAW], variables, zone, price)

    def _international(self, written: str) -> str:
        """A local number with its country's code; what is none stays as it is, for the rules to refuse."""
        if self.local_numbers is None or written[0] == "+":
            return written
        digits = cleaned(written[: 4 * MAX_RAW]).translate(SEPARATORS)
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > MAX_RAW:
            return written
        number = self.local_numbers.read(digits)
        if number is None:
            return written
        self.local += 1
        return number

    def _too_long(self, cells: tuple[str, ...]) -> str:
        place = max(range(len(cells)), key=lambda place: len(cells[place]))
        names = dict(self._others)
        return f"column “{names.get(place, str(place + 1))[:60]}” has more than {MAX_CELL} characters"


@lru_cache(maxsize=1024)
def _zone_trouble(zone: str) -> str:
    """Why this is no time zone, or nothing."""
    try:
        zone_named(zone)
    except InvalidInput as error:
        return str(error)
    return ""


def _failure(row: Row, written: str, reason: FailureReason, detail: str) -> Failure:
    return Failure(row.line, written[:MAX_RAW], reason, reason.heading, detail)


def _detail(refused: Rejected) -> str:
    """What the rule that refused it found, and what was perhaps meant."""
    decision = refused.decision
    return "; ".join((decision.checks[-1].found, *decision.near_misses))
