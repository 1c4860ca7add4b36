"""Countries, special ranges, network groups and rates from CSV; every error names its line and column."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from io import StringIO
from itertools import islice
from typing import TypeVar

from gateway.routing.number import MAX_DIGITS
from gateway.routing.plan import Country, RangeKind, SpecialRange
from gateway.routing.rating import MINOR_UNIT, Rate, RateDeck
from gateway.routing.table import Increment, NetworkGroup

T = TypeVar("T")

MAX_PROBLEMS = 50
"How many problems of a file are told at once."

NAMED_LINES = 5
"How many lines are named where many have the same sort of mistake."

MAX_AMOUNT = 1_000_000
"No minute costs more, in no currency."

LIST_SEPARATOR = "|"
"Between the prefixes of one cell."


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file."""

    line: int
    "As an editor counts, from 1."
    column: str
    "Name of the column; empty where the whole line is meant."
    what: str

    def __str__(self) -> str:
        """`line 7, column per_minute: …`"""
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.what}"


class DataError(ValueError):
    """A file that cannot be imported, with all that is wrong with it, up to `MAX_PROBLEMS`."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems[:MAX_PROBLEMS])
        self.total = len(problems)
        "How many there are, those beyond `MAX_PROBLEMS` too."
        self.grouped = _grouped(problems)
        "A sentence for each sort of mistake, with the first lines that have it."
        super().__init__("\n".join(map(str, self.problems)))


def _grouped(problems: list[Problem]) -> tuple[str, ...]:
    """`column per_minute: an amount such as 0.0125, not 'free' (lines 3, 5, 8 and 40 more)`."""
    sorts: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        sorts.setdefault((problem.column, problem.what.partition(", not ")[0]), []).append(problem)
    return tuple(map(_sentence, islice(sorts.values(), MAX_PROBLEMS)))


def _sentence(alike: list[Problem]) -> str:
    first = alike[0]
    if len(alike) == 1:
        return str(first)
    lines = ", ".join(str(problem.line) for problem in alike[:NAMED_LINES])
    more = f" and {len(alike) - NAMED_LINES} more" if len(alike) > NAMED_LINES else ""
    column = f"column {first.column}: " if first.column else ""
    return f"{column}{first.what} (lines {lines}{more})"


def read_countries(text: str) -> tuple[Country, ...]:
    """Countries: `country_iso,country_name,calling_code,prefixes,max_length`.

    Prefixes stand after the calling code, separated by `|`; none: all of the calling code that no other
    country has. Raises DataError.
    """
    sheet = _Sheet(text, ("country_iso", "country_name", "calling_code"), ("prefixes", "max_length"))
    countries = []
    for line in sheet.lines():
        country = Country(
            iso=line.parsed("country_iso", _country_iso, ""),
            name=line.parsed("country_name", str, ""),
            calling_code=line.parsed("calling_code", _digits, ""),
            prefixes=line.parsed("prefixes", _prefixes, ()),
            max_length=line.parsed("max_length", _length, None),
        )
        for prefix in country.prefixes or ("",):
            sheet.claim(line, "prefixes", country.calling_code + prefix)
        countries.append(country)
    sheet.finish()
    return tuple(countries)


def read_special_ranges(text: str) -> tuple[SpecialRange, ...]:
    """Ranges that are closed until a workspace opts in: `prefix,length,kind,note`.

    The prefix has the calling code; the length is of what follows that code, and stands only where numbers of
    other lengths behind the same prefix are ordinary. Raises DataError.
    """
    sheet = _Sheet(text, ("prefix", "kind"), ("length", "note"))
    ranges = []
    for line in sheet.lines():
        prefix = line.parsed("prefix", _digits, "")
        length = line.parsed("length", _length, None)
        sheet.claim(line, "prefix", f"{prefix}/{length}" if length else prefix)
        kind = line.parsed("kind", _range_kind, RangeKind.PREMIUM)
        ranges.append(SpecialRange(prefix, kind, line.parsed("note", str, ""), length))
    sheet.finish()
    return tuple(ranges)


def read_network_groups(text: str) -> tuple[NetworkGroup, ...]:
    """Network groups: `country_iso,name,prefixes,enabled`; enabled where nothing else is said.

    Prefixes stand after the calling code, separated by `|`; none: the whole country. Raises DataError.
    """
    sheet = _Sheet(text, ("country_iso", "name"), ("prefixes", "enabled"))
    groups = []
    for line in sheet.lines():
        group = NetworkGroup(
            country_iso=line.parsed("country_iso", _country_iso, ""),
            name=line.parsed("name", str, ""),
            prefixes=line.parsed("prefixes", _prefixes, ()),
            enabled=line.parsed("enabled", _yes_or_no, True),
        )
        sheet.claim(line, "name", f"{group.country_iso} {group.name}")
        groups.append(group)
    sheet.finish()
    return tuple(groups)


def read_rates(text: str, currency: str) -> RateDeck:
    """A rate deck: `prefix,destination,per_minute,connection_fee,increment,currency`. Raises DataError.

    Prefixes have the calling code and no plus; a column `currency` has to say the one that is given.
    """
    sheet = _Sheet(text, ("prefix", "destination", "per_minute"), ("connection_fee", "increment", "currency"))
    shared: dict[Rate, Rate] = {}
    entries = []
    for line in sheet.lines():
        prefix = line.parsed("prefix", _digits, "")
        sheet.claim(line, "prefix", prefix)
        line.parsed("currency", lambda cell: _exactly(cell, currency), "")
        rate = Rate(
            destination=line.parsed("destination", str, ""),
            per_minute=line.parsed("per_minute", _money, Decimal(0)),
            connection_fee=line.parsed("connection_fee", _money, Decimal(0)),
            increment=line.parsed("increment", Increment.parse, None),
        )
        entries.append((prefix, shared.setdefault(rate, rate)))
    sheet.finish()
    return RateDeck(currency, entries)


class _Sheet:
    """A CSV file that is being read, and what was found wrong with it so far."""

    def __init__(self, text: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        self.problems: list[Problem] = []
        self._required = required
        self._known = (*required, *optional)
        self._claimed: dict[str, int] = {}
        self._reader = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)

    def lines(self) -> Iterator["_Line"]:
        """The lines below the header; blank ones and those that begin with `#` are left out."""
        header: list[str] | None = None
        for number, cells in self._rows():
            if not any(cells) or cells[0].startswith("#"):
                continue
            if header is None:
                header = self._header(number, cells)
            elif len(cells) > len(header):
                self.problems.append(Problem(number, "", f"{len(cells)} cells below {len(header)} columns"))
            else:
                yield _Line(number, dict(zip(header, cells, strict=False)), self)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in self._reader:
                yield self._reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as error:
            self.problems.append(Problem(self._reader.line_num, "", str(error)))

    def _header(self, number: int, cells: list[str]) -> list[str]:
        header = [cell.lower() for cell in cells]
        for name in header:
            if name not in self._known:
                near = get_close_matches(name, self._known, 1)
                meant = f"{near[0]} was perhaps meant" if near else f"there are {', '.join(self._known)}"
                self.problems.append(Problem(number, name, f"unknown column; {meant}"))
        for name in self._required:
            if name not in header:
                self.problems.append(Problem(number, name, "this column is missing"))
        if self.problems:
            raise DataError(self.problems)
        return header

    def claim(self, line: "_Line", column: str, value: str) -> None:
        """Nothing may be said twice: the second line that says it is wrong."""
        first = self._claimed.setdefault(value, line.number)
        if value and first != line.number:
            self.problems.append(Problem(line.number, column, f"{value!r} is on line {first} already"))

    def finish(self) -> None:
        """Raise what was found wrong, if anything was."""
        if self.problems:
            raise DataError(self.problems)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a sheet; what cannot be read becomes a problem, and a default stands in for it."""

    number: int
    cells: dict[str, str]
    sheet: _Sheet

    def parsed(self, column: str, parse: Callable[[str], T], default: T) -> T:
        cell = self.cells.get(column, "")
        if not cell and column not in self.sheet._required:
            return default
        try:
            if not cell:
                raise ValueError("must not be empty")
            return parse(cell)
        except ValueError as error:
            self.sheet.problems.append(Problem(self.number, column, str(error)))
            return default


def _digits(cell: str) -> str:
    if not (cell.isascii() and cell.isdecimal()) or len(cell) > MAX_DIGITS or cell.startswith("0"):
        raise ValueError(f"digits with a calling code, without + or leading zeros, not {cell!r}")
    return cell


def _prefixes(cell: str) -> tuple[str, ...]:
    prefixes = tuple(prefix.strip() for prefix in cell.split(LIST_SEPARATOR))
    for prefix in prefixes:
        if not (prefix.isascii() and prefix.isdecimal()) or len(prefix) > MAX_DIGITS:
            raise ValueError(f"prefixes are digits separated by {LIST_SEPARATOR}, not {prefix!r}")
    return prefixes


def _country_iso(cell: str) -> str:
    iso = cell.upper()
    if not (len(iso) == 2 and iso.isascii() and iso.isalpha()) and iso != "001":
        raise ValueError(f"a two-letter country code, or 001 for no country, not {cell!r}")
    return iso


def _length(cell: str) -> int:
    if not cell.isdecimal() or not 1 <= int(cell) <= MAX_DIGITS:
        raise ValueError(f"a number of digits from 1 to {MAX_DIGITS}, not {cell!r}")
    return int(cell)


def _range_kind(cell: str) -> RangeKind:
    if cell not in set(RangeKind):
        raise ValueError(f"one of {', '.join(RangeKind)}, not {cell!r}")
    return RangeKind(cell)


_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _yes_or_no(cell: str) -> bool:
    if cell.lower() not in _YES_OR_NO:
        raise ValueError(f"true or false, not {cell!r}")
    return _YES_OR_NO[cell.lower()]


def _money(cell: str) -> Decimal:
    try:
        amount = Decimal(cell)
    except InvalidOperation:
        raise ValueError(f"an amount such as 0.0125, not {cell!r}") from None
    if not amount.is_finite() or not 0 <= amount < MAX_AMOUNT:
        raise ValueError(f"an amount from 0 to {MAX_AMOUNT}, not {cell!r}")
    if amount != amount.quantize(MINOR_UNIT):
        raise ValueError(f"an amount with at most six decimals, not {cell!r}")
    return amount


def _exactly(cell: str, wanted: str) -> str:
    if cell != wanted:
        raise ValueError(f"the deck is in {wanted}, not in {cell!r}")
    return cell
