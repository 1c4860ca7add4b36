"""Time zones: as people write them, and those that a telephone number can be in.

The number library's data is not asked as it stands: it gives all mobile numbers of Australia the time of
Sydney, and Algeria that of Paris. Which zones a country has is taken from the tz database's own `zone.tab`;
the library says only where landlines are, in countries that have several (and see `areas`). A number that
tells no place can be anywhere in its country.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers

from gateway.batch.areas import ALSO, AREAS
from gateway.routing.number import country_of
from gateway.store.configuration.zone_names import zone_name, zone_of_city
from gateway.store.engine.errors import InvalidInput

LONGEST_NAME = 64
"Characters of a time zone's name that are looked at."

LONGEST_OFFSET = 14 * 60
"Minutes; Kiribati is so far ahead of UTC."

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RIGHT = "should be an IANA name such as Asia/Kolkata, or an offset such as UTC+05:30"

NORTH_AMERICA = "1"
SHARED = frozenset({"800", "833", "844", "855", "866", "877", "888"})
"Behind +1, free of charge for the caller and anywhere between Guam and Newfoundland."

BY_AREA = frozenset(
    (
        "7",
        "34",
        "52",
        "55",
        "56",
        "61",
        "62",
        "64",
        "86",
        "243",
        "299",
        "351",
        "380",
        "593",
        "689",
        "691",
        "976",
    )
)
"Calling codes with several time zones, of which landlines tell one."

MOBILE_BY_AREA = frozenset({"52", "55", "56"})
"Those whose mobile numbers have the area codes of landlines, or one of their own (Chile)."

KAZAKHSTAN = ("76", "77")


def zones_of(e164: str, timezone_column: str = "") -> tuple[tzinfo, ...]:
    """The zones that somebody may be in: what the row says, else every possible one by the number.

    Nothing where nobody can say: a satellite telephone is in no country. `InvalidInput` for a row's own zone
    that is none.
    """
    written = timezone_column.strip()
    return (zone_named(written),) if written else zones_by_number(e164)


def zone_named(written: str, field: str = "timezone") -> tzinfo:
    """What somebody wrote: an IANA name in any case, or an offset; `InvalidInput` where it is none."""
    plain = written.strip()[: LONGEST_NAME + 1]
    found = _read(plain)
    if isinstance(found, str):
        raise InvalidInput(field, plain[:LONGEST_NAME], found)
    return found


@lru_cache(maxsize=1024)
def _read(plain: str) -> tzinfo | str:
    """A zone, or what would be right."""
    name = zone_name(plain)
    if name is not None:
        return _zone(name)
    offset = _OFFSET.fullmatch(plain.replace("\u2212", "-"))
    if offset is None:
        city = zone_of_city(plain)
        return f"{RIGHT}; did you mean {city}?" if city else RIGHT
    hours, minutes = int(offset["hours"] or 0), int(offset["minutes"] or 0)
    if minutes > 59 or hours * 60 + minutes > LONGEST_OFFSET:
        return "should be an offset from UTC-14:00 to UTC+14:00"
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if offset["sign"] == "-" else ahead)


_OFFSET = re.compile(
    r"(?i)(?:(?:UTC|GMT)\s*)?(?P<sign>[+-])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?|UTC|GMT|Z"
)


def name_of(zone: tzinfo) -> str:
    """A zone as people write it: `Asia/Kolkata`, `UTC+05:30`."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def offset_of(zone: tzinfo, at: int) -> int:
    """Seconds that a zone's clocks are ahead of UTC at a second of UTC."""
    offset = (EPOCH + timedelta(seconds=at)).astimezone(zone).utcoffset()
    assert offset is not None, "every zone has an offset"
    return offset.days * 86400 + offset.seconds


def zones_by_number(e164: str) -> tuple[tzinfo, ...]:
    """Every zone that a number can be in; nothing for numbers of no country."""
    digits = e164.removeprefix("+")
    code = _calling_code(digits)
    if code == NORTH_AMERICA:
        return _north_american(digits[1:4])
    if code == "7":
        return _of_country("KZ") if digits.startswith(KAZAKHSTAN) else _by_area(digits, code, "RU")
    return _by_area(digits, code) if code in BY_AREA else _of_code(code)


def _calling_code(digits: str) -> str:
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    found = (digits[:width] for width in (1, 2, 3) if digits[:width].isdecimal())
    return next((code for code in found if int(code) in codes), "")


def _by_area(digits: str, code: str, country: str = "") -> tuple[tzinfo, ...]:
    """Where a landline is, by the longest prefix; anything else is anywhere in the country."""
    everywhere = _of_country(country) if country else _of_code(code)
    if not _has_a_place(digits, code):
        return everywhere
    prefixes = (digits[:length] for length in range(_longest(), len(code), -1))
    return next((_zones(_areas()[prefix]) for prefix in prefixes if prefix in _areas()), everywhere)


def _has_a_place(digits: str, code: str) -> bool:
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return False
    kind = phonenumbers.number_type(number)
    kinds = phonenumbers.PhoneNumberType
    if kind == kinds.FIXED_LINE:
        return True
    return code in MOBILE_BY_AREA and kind in (kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE)


@lru_cache(maxsize=1000)  # all that three digits can be
def _north_american(area: str) -> tuple[tzinfo, ...]:
    """The zones of an area code, exchanges left aside: mobile numbers and ported ones keep no border."""
    if area in SHARED:
        return _of_code(NORTH_AMERICA)
    names = _behind(NORTH_AMERICA + area)
    if names:
        return _zones(sorted(names | set(ALSO.get(NORTH_AMERICA + area, ()))))
    country = country_of(f"+1{area}2342345")
    return _of_country(country) or _of_code(NORTH_AMERICA) if country else _of_code(NORTH_AMERICA)


@cache
def _of_code(code: str) -> tuple[tzinfo, ...]:
    """Every zone behind a calling code; the number library's, where the countries have none of their own."""
    countries = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ()) if code else ()
    names = [name for country in countries for name in _countries().get(country, ())]
    return _zones(names or sorted(_behind(code)) if code else ())


def _of_country(country: str) -> tuple[tzinfo, ...]:
    return _zones(_countries().get(country, ()))


@lru_cache(maxsize=1024)
def _zones_together(names: tuple[str, ...]) -> tuple[tzinfo, ...]:
    return tuple(_zone(name) for name in dict.fromkeys(names))


def _zones(names: Iterable[str]) -> tuple[tzinfo, ...]:
    """One object for the same zones: it is the key of all that is kept about them."""
    return _zones_together(tuple(names))


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _behind(prefix: str) -> set[str]:
    return {name for known, names in _library().items() if known.startswith(prefix) for name in names}


def _library() -> Mapping[str, tuple[str, ...]]:
    from phonenumbers.tzdata import TIMEZONE_DATA  # a megabyte, which only calling hours need

    data: Mapping[str, tuple[str, ...]] = TIMEZONE_DATA
    return data


@cache
def _areas() -> Mapping[str, tuple[str, ...]]:
    """Zones by prefix: the library's, and ours in the place of all that it has behind the same digits."""
    ours = tuple(AREAS)
    kept = {prefix: names for prefix, names in _library().items() if not prefix.startswith(ours)}
    return {**kept, **AREAS}


@cache
def _longest() -> int:
    return max(map(len, _areas()))


@cache
def _countries() -> Mapping[str, tuple[str, ...]]:
    """The zones of each country by its ISO code, from `zone.tab` of the tz database."""
    found: dict[str, tuple[str, ...]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), name)
    return found
