"""Countries, special ranges, network groups and rates from CSV; every error names its line and column."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from io import StringIO
from itertools import islice
from typing import TypeVar

from gateway.routing.number import MAX_DIGITS, begins_a_number
from gateway.routing.plan import Country, NumberingPlan, RangeKind, SpecialRange
from gateway.routing.rating import MINOR_UNIT, Rate, RateDeck
from gateway.routing.table import Increment, NetworkGroup
from gateway.routing.typed import cleaned, strange_in

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
    # None at all closes no range, which an operator may want.
    sheet = _Sheet(text, ("prefix", "kind"), ("length", "note"), may_be_empty=True)
    ranges = []
    for line in sheet.lines():
        prefix = line.parsed("prefix", _digits, "")
        length = line.parsed("length", _length, None)
        sheet.claim(line, "prefix", f"{prefix}/{length}" if length else prefix)
        kind = line.parsed("kind", _range_kind, RangeKind.PREMIUM)
        ranges.append(SpecialRange(prefix, kind, line.parsed("note", str, ""), length))
    sheet.finish()
    return tuple(ranges)


def read_network_groups(text: str, plan: NumberingPlan | None = None) -> tuple[NetworkGroup, ...]:
    """Network groups: `country_iso,name,prefixes,enabled`; enabled where nothing else is said.

    Prefixes stand after the calling code, or with it behind a plus, separated by `|`; none: the country.
    With a `plan`, what could never match any number of its country is refused. Raises DataError.
    """
    countries = {} if plan is None else {country.iso: country for country in plan.countries}
    sheet = _Sheet(text, ("country_iso", "name"), ("prefixes", "enabled"))
    groups = []
    for line in sheet.lines():
        iso = line.parsed("country_iso", _country_iso if plan is None else _one_of(countries), "")
        country = countries.get(iso)
        prefixes = _prefixes if plan is None or country is None else _prefixes_of(country, plan)
        group = NetworkGroup(
            country_iso=iso,
            name=line.parsed("name", str, ""),
            prefixes=line.parsed("prefixes", prefixes, ()),
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
        prefix = line.parsed("prefix", _beginning, "")
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

    def __init__(
        self, text: str, required: tuple[str, ...], optional: tuple[str, ...], *, may_be_empty: bool = False
    ) -> None:
        self._may_be_empty = may_be_empty
        self.problems: list[Problem] = []
        self._required = required
        self._known = (*required, *optional)
        self._claimed: dict[str, int] = {}
        self._reader = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)

    def lines(self) -> Iterator["_Line"]:
        """The lines below the header; blank ones and those that begin with `#` are left out."""
        header: list[str] | None = None
        filled = 0
        for number, cells in self._rows():
            if not any(cells) or cells[0].startswith("#"):
                continue
            filled += 1
            if header is None:
                header = self._header(number, cells)
            elif [cell.lower() for cell in cells] == header:
                self.problems.append(Problem(number, header[0], "the header stands here a second time"))
            elif len(cells) > len(header):
                self.problems.append(Problem(number, "", f"{len(cells)} cells below {len(header)} columns"))
            else:
                yield _Line(number, dict(zip(header, cells, strict=False)), self)
        if filled < 2 and not (filled and self._may_be_empty):
            empty = f"the file is empty; its columns are {', '.join(self._known)}"
            what = "there is nothing below the header" if filled else empty
            self.problems.append(Problem(max(1, self._reader.line_num), self._required[0], what))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in self._reader:
                yield self._reader.line_num, list(map(cleaned, cells))
        except csv.Error as error:
            self.problems.append(Problem(self._reader.line_num, "", str(error)))

    def _header(self, number: int, cells: list[str]) -> list[str]:
        header = [cell.lower() for cell in cells]
        between = next((mark for mark in (";", "\t") if len(cells) == 1 and mark in cells[0]), None)
        if between is not None:
            what = f"columns are separated by commas, not by {between!r}"
            raise DataError([Problem(number, cells[0].partition(between)[0], what)])
        for name in dict.fromkeys(name for name in header if header.count(name) > 1 and name):
            self.problems.append(Problem(number, name, "this column stands here twice"))
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


def decoded(content: bytes) -> str:
    """The text of a file; DataError names the line and column of what is no UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in content[:4]:
        raise DataError([Problem(1, _column(content, 0), "the file is UTF-16: it should be saved as UTF-8")])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        perhaps = content[at : at + 1].decode("cp1252", "replace")
        what = f"should be UTF-8: byte 0x{content[at]:02x} is not; in Windows-1252 it would be {perhaps!r}"
        raise DataError([Problem(content.count(b"\n", 0, at) + 1, _column(content, at), what)]) from None


def _column(content: bytes, at: int) -> str:
    """The name of the column that a byte stands in, as well as commas tell."""
    plain = content.replace(b"\x00", b"").decode("latin-1").splitlines()
    header = next((line for line in plain if line.strip() and not line.startswith("#")), "")
    names = [
        name.strip().lower() for name in header.removeprefix("\xef\xbb\xbf").lstrip("\xff\xfe").split(",")
    ]
    column = content.count(b",", content.rfind(b"\n", 0, at) + 1, at)
    return names[min(column, len(names) - 1)]


def _one_of(countries: Mapping[str, Country]) -> Callable[[str], str]:
    def parse(cell: str) -> str:
        iso = _country_iso(cell)
        if iso not in countries:
            raise ValueError(f"is no country of the numbering plan, not {cell!r}")
        return iso

    return parse


def _prefixes_of(country: Country, plan: NumberingPlan) -> Callable[[str], tuple[str, ...]]:
    """Reads prefixes of one country: each has to begin some number of it."""

    def parse(cell: str) -> tuple[str, ...]:
        written = [prefix.strip() for prefix in cell.split(LIST_SEPARATOR)]
        full = [prefix.startswith("+") for prefix in written]
        prefixes = tuple(_behind(prefix, country) if prefix.startswith("+") else prefix for prefix in written)
        _prefixes(LIST_SEPARATOR.join(prefixes))
        doubled = next((prefix for prefix in prefixes if prefixes.count(prefix) > 1), None)
        if doubled is not None:
            raise ValueError(f"each prefix once, not {doubled!r} twice")
        code = country.calling_code
        repeats = len(code) > 1 and all(prefix.startswith(code) for prefix in prefixes)
        for prefix, is_full in zip(prefixes, full, strict=True):
            if repeats and not is_full:
                raise ValueError(
                    f"prefixes stand after the calling code {code}, so not {prefix!r}: "
                    f"write {prefix[len(code) :] or 'nothing'!r}, or +{code}{prefix} where it is meant so"
                )
            if not begins_a_number(code + prefix) or not plan.may_be_in(country, prefix):
                raise ValueError(f"no number of {country.name} begins with +{code} and {prefix!r}")
        return prefixes

    return parse


def _behind(prefix: str, country: Country) -> str:
    """What follows the calling code in a prefix that is written with it."""
    if not prefix.startswith(f"+{country.calling_code}"):
        raise ValueError(f"prefixes of {country.name} begin with +{country.calling_code}, not {prefix!r}")
    return prefix.removeprefix(f"+{country.calling_code}")


def _beginning(cell: str) -> str:
    prefix = _digits(cell)
    if not begins_a_number(prefix):
        raise ValueError(f"no international number begins so, not {cell!r}")
    return prefix


def _digits(cell: str) -> str:
    if not (cell.isascii() and cell.isdecimal()) or len(cell) > MAX_DIGITS or cell.startswith("0"):
        strange = strange_in(cell)
        has = f": it has {strange}" if strange else ""
        raise ValueError(f"digits with a calling code, without + or leading zeros, not {cell!r}{has}")
    return cell


def _prefixes(cell: str) -> tuple[str, ...]:
    strange = strange_in(cell.replace(LIST_SEPARATOR, " "))
    if strange:
        raise ValueError(f"prefixes are digits separated by {LIST_SEPARATOR}, not {cell!r} with {strange}")
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
