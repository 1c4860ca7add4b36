"""The numbering plan as data: which country a number is in, and which ranges cost more than they seem to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.routing.number import E164
from gateway.routing.prefixes import PrefixMap


@dataclass(frozen=True, slots=True)
class Country:
    """A country, or part of one with an ISO code of its own, and the numbers that are in it."""

    iso: str
    "ISO 3166 code; `001` for networks that belong to no country."
    name: str
    calling_code: str
    prefixes: tuple[str, ...] = ()
    "Digits after the calling code; empty: all of the calling code that no other country has."
    max_length: int | None = None
    "Digits after the calling code, at most; None: what the numbering plan allows."


NORTH_AMERICA = "1"
"The calling code that two dozen countries share, told apart by area code."


class RangeKind(StrEnum):
    """Why a range is closed until a workspace opens it: calls there cost more than calls elsewhere."""

    PREMIUM = "premium"
    SATELLITE = "satellite"
    SHARED_COST = "shared_cost"


@dataclass(frozen=True, slots=True)
class SpecialRange:
    """A range of numbers that is refused on every route unless the workspace opts in."""

    prefix: str
    "Digits with the calling code, without a plus."
    kind: RangeKind
    note: str = ""
    length: int | None = None
    "Digits after the calling code, where numbers of other lengths behind the same prefix are ordinary."


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What the numbering plan says of a number."""

    country: Country | None
    "None: in no country that is known, such as an area code that nobody has opened."
    special: SpecialRange | None
    "None: an ordinary number."


class NumberingPlan:
    """All countries and special ranges, ready to be asked for a number.

    Build it once; ValueError names what two countries or two ranges both claim.
    """

    __slots__ = ("_countries", "_ranges", "countries", "ranges")

    def __init__(self, countries: Iterable[Country] = (), ranges: Iterable[SpecialRange] = ()) -> None:
        self.countries: Sequence[Country] = tuple(countries)
        self.ranges: Sequence[SpecialRange] = tuple(ranges)
        self._countries = PrefixMap(
            (country.calling_code + prefix, country)
            for country in self.countries
            for prefix in country.prefixes or ("",)
        )
        self._ranges = {
            length: PrefixMap((r.prefix, r) for r in self.ranges if r.length == length)
            for length in {special.length for special in self.ranges}
        }

    def look_up(self, number: E164) -> PlanEntry:
        """The country and the special range that a number is in, each by the longest prefix."""
        digits = number.digits
        country = self._countries.longest(digits)
        special = self._special(digits, len(number.national)) or self._special(digits, None)
        return PlanEntry(country[1] if country else None, special)

    def may_be_in(self, country: Country, prefix: str) -> bool:
        """Whether numbers that begin so behind its calling code can be a country's.

        Behind +1 area codes tell for certain; elsewhere groups of several countries overlap on purpose.
        """
        if country.calling_code != NORTH_AMERICA:
            return True
        found = self._countries.longest(country.calling_code + prefix)
        is_own = found is not None and found[1] is country
        return is_own or any(own.startswith(prefix) for own in country.prefixes)

    def _special(self, digits: str, length: int | None) -> SpecialRange | None:
        ranges = self._ranges.get(length)
        found = ranges.longest(digits) if ranges is not None else None
        return found[1] if found else None
