"""Write gateway/data/*.csv anew from the metadata of the installed `phonenumbers` library.

Run it after the library has been updated, look at the difference, and commit what is right. Prices are
invented: they only have the shape of a carrier's price list.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.geodata.locale import LOCALE_DATA

parser: Any = import_module("re._parser")
sre: Any = import_module("re._constants")
"The standard library's own parser of patterns, which type checkers do not know."

DATA = Path(__file__).parent.parent / "gateway" / "data"

SOURCE = f"from phonenumbers {phonenumbers.__version__} (Apache-2.0) by scripts/numbering_data.py"

DIGITS = frozenset("0123456789")

Shape = tuple[frozenset[str], ...]
"Which digits may stand at each place of a number."

NAMES = {"AC": "Ascension Island", "XK": "Kosovo", "TA": "Tristan da Cunha"}
"Names that the library's list of countries does not have."

NETWORKS = {
    "800": "International freephone",
    "808": "International shared cost",
    "870": "Inmarsat",
    "878": "Universal personal telecommunications",
    "881": "Global mobile satellite system",
    "882": "International networks",
    "883": "International networks",
    "888": "Disaster relief",
    "979": "International premium rate",
}
"Calling codes that belong to no country."

MORE_PREFIXES = {"IM": ("7924",)}
"What belongs to a country beside what the library tells it by."

CLOSED_BY_HAND = (
    ("808", "shared_cost", NETWORKS["808"]),
    ("870", "satellite", NETWORKS["870"]),
    ("878", "premium", f"{NETWORKS['878']}, priced like premium"),
    ("881", "satellite", NETWORKS["881"]),
    ("882", "satellite", f"{NETWORKS['882']}, among them Thuraya and maritime ones"),
    ("883", "satellite", NETWORKS["883"]),
    ("979", "premium", NETWORKS["979"]),
    ("1600", "satellite", "CA non-geographic and satellite services"),
    ("61147", "satellite", "AU satellite telephones"),
    ("7954", "satellite", "RU Globalstar"),
    ("4484", "shared_cost", "GB service charge"),
    ("4487", "premium", "GB service charge"),
    ("449", "premium", "GB premium rate"),
    ("4470", "premium", "GB personal numbers, a favourite of fraud"),
    ("49180", "shared_cost", "DE shared cost"),
    ("49900", "premium", "DE premium rate"),
    ("3389", "premium", "FR special tariffs"),
)
"What the library does not know, or sees otherwise; stands before all that it does know."

CLOSED_TYPES = (("premium_rate", "premium"), ("shared_cost", "shared_cost"), ("personal_number", "premium"))

ORDINARY_TYPES = ("fixed_line", "mobile", "toll_free")

DEMO_COUNTRIES = {"US", "CA", "GB", "IN", "AU"}
"Whose network groups a new workspace has enabled."

NANP_SUBSCRIBERS = ("2342345", "5552345", "3452345", "9012345", "2212345")
"Tried behind each area code to learn whose it is."

PRICES = {
    "1": "0.85", "7": "3.20", "20": "9.40", "27": "4.10", "30": "1.60", "31": "1.55", "32": "1.70",
    "33": "1.20", "34": "1.15", "39": "1.35", "40": "1.50", "41": "2.30", "44": "1.10", "45": "1.40",
    "46": "1.30", "47": "1.45", "48": "1.25", "49": "1.20", "52": "1.60", "54": "2.20", "55": "2.10",
    "60": "1.90", "61": "1.75", "62": "5.20", "63": "11.50", "64": "1.95", "65": "1.60", "66": "3.10",
    "81": "3.90", "82": "1.80", "84": "6.90", "86": "1.50", "90": "5.60", "91": "0.55", "92": "8.80",
    "234": "8.20", "254": "10.40", "353": "1.40", "880": "2.90", "966": "11.20", "971": "14.80",
}  # fmt: skip
"Rupees a minute to a country's fixed lines; the rest of the world costs REMOTE."

REMOTE = Decimal("18.00")

CLOSED_PRICES = {
    "premium": Decimal("160.00"),
    "shared_cost": Decimal("14.00"),
    "satellite": Decimal("450.00"),
}


def metadata(region: str) -> Any:
    """What the library knows of a region; untyped, since its attributes are set by position."""
    return PhoneMetadata.metadata_for_region(region)


@cache
def shapes(region: str, kind: str) -> list[Shape]:
    """All shapes of a region's numbers of one kind (`mobile`, `premium_rate`, …)."""
    description = getattr(metadata(region), kind)
    pattern = description.national_number_pattern if description else None
    return expand(pattern) if pattern else []


def expand(pattern: str) -> list[Shape]:
    """Every shape that a pattern of the library can have: they repeat finitely, and use no look-around."""
    return list(dict.fromkeys(_expand(parser.parse(pattern))))


def _expand(items: Iterable[tuple[Any, Any]]) -> list[Shape]:
    parts = [_one(operation, argument) for operation, argument in items]
    return [tuple(place for part in choice for place in part) for choice in product(*parts)]


def _one(operation: Any, argument: Any) -> list[Shape]:
    if operation is sre.LITERAL:
        return [(frozenset(chr(argument)),)]
    if operation is sre.IN:
        return [(frozenset().union(*(_members(*item) for item in argument)),)]
    if operation is sre.SUBPATTERN:
        return _expand(argument[3])
    if operation is sre.BRANCH:
        return [shape for branch in argument[1] for shape in _expand(branch)]
    if operation is sre.MAX_REPEAT:
        low, high, inner = argument
        once = _expand(inner)
        return [
            tuple(place for part in choice for place in part)
            for count in range(low, high + 1)
            for choice in product(once, repeat=count)
        ]
    raise ValueError(f"{operation} in a pattern")


def _members(operation: Any, argument: Any) -> frozenset[str]:
    if operation is sre.RANGE:
        return frozenset(map(chr, range(argument[0], argument[1] + 1)))
    return frozenset(chr(argument)) if operation is sre.LITERAL else DIGITS


def prefixes(
    wanted: Sequence[Shape], others: Sequence[Shape] = (), *, depth: int = 8, exact: bool = False
) -> list[str]:
    """The shortest prefixes of the wanted shapes that none of the others has.

    Where `depth` digits do not tell them apart, the others have it. `exact` takes no more than the shapes
    have, where otherwise the digits that nobody has may be taken along.
    """
    return _walk("", [s for s in wanted if s], [s for s in others if s], depth, exact)


def _walk(prefix: str, wanted: list[Shape], others: list[Shape], depth: int, exact: bool) -> list[str]:
    if not wanted:
        return []
    full = not exact or all(place == DIGITS for shape in wanted for place in shape[len(prefix) :])
    if prefix and not others and (full or len(prefix) == depth):
        return [prefix]
    if len(prefix) == depth:
        return []
    below: list[str] = []
    for digit in sorted(DIGITS):
        ours, theirs = (_going_on(shapes, len(prefix), digit) for shapes in (wanted, others))
        below += _walk(prefix + digit, ours, theirs, depth, exact)
    whole = prefix and below == [prefix + digit for digit in sorted(DIGITS)]
    return [prefix] if whole else below


def _going_on(candidates: list[Shape], position: int, digit: str) -> list[Shape]:
    return [shape for shape in candidates if len(shape) > position and digit in shape[position]]


def _begins(shape: Shape, prefix: str) -> bool:
    return len(shape) >= len(prefix) and all(
        digit in place for digit, place in zip(prefix, shape, strict=False)
    )


def country_name(region: str) -> str:
    """The English name of a region."""
    if region in NAMES:
        return NAMES[region]
    name: str = LOCALE_DATA[region]["en"]
    return LOCALE_DATA[region][name.removeprefix("*")] if name.startswith("*") else name


def regions() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each region with its calling code and all that share it, in the order of calling codes.

    Left out are those that the library knows by numbers of their neighbours only (`EH`).
    """
    for code, sharing in sorted(
        phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items(), key=lambda item: str(item[0])
    ):
        for region in sharing:
            if region != "001" and (region == sharing[0] or country_prefixes(region, str(code), sharing)):
                yield region, str(code), sharing


@cache
def country_prefixes(region: str, code: str, sharing: tuple[str, ...]) -> list[str]:
    """What tells a region from the others of its calling code; nothing for the one that has the rest."""
    if code == "1":
        return NANP[region]
    leading = metadata(region).leading_digits
    if leading:
        return sorted({*prefixes(expand(leading), exact=True), *MORE_PREFIXES.get(region, ())})
    if region == sharing[0]:
        return []
    own = shapes(region, "fixed_line") + shapes(region, "mobile")
    first = sharing[: sharing.index(region)]  # what two have belongs to the first, as in the library
    others = [shape for r in first for kind in ("fixed_line", "mobile") for shape in shapes(r, kind)]
    return prefixes(own, others)


def _nanp() -> dict[str, list[str]]:
    """The area codes of each country behind +1, asked one by one."""
    found: dict[str, list[str]] = {}
    for area in map(str, range(200, 1000)):
        for subscriber in NANP_SUBSCRIBERS:
            number = phonenumbers.parse(f"+1{area}{subscriber}")
            region = phonenumbers.region_code_for_number(number)
            if region is not None:
                found.setdefault(region, []).append(area)
                break
    found["CA"] = sorted({*found["CA"], "600", "622"})
    return found


NANP = _nanp()


def countries() -> Iterator[list[str]]:
    """Rows of countries.csv."""
    for region, code, sharing in regions():
        longest = max(metadata(region).general_desc.possible_length)
        listed = "|".join(country_prefixes(region, code, sharing))
        yield [region, country_name(region), code, listed, str(min(longest, 15 - len(code)))]
    for code, name in NETWORKS.items():
        yield ["001", name, code, "", ""]


@cache
def special_ranges() -> list[list[str]]:
    """Rows of special-ranges.csv."""
    rows = {prefix: [prefix, "", kind, note] for prefix, kind, note in CLOSED_BY_HAND}
    for attribute, kind in CLOSED_TYPES:
        for region, code, sharing in regions():
            note = f"{region} {attribute.replace('_', ' ')}"
            ordinary = [s for r in sharing for k in ORDINARY_TYPES for s in shapes(r, k)]
            for national, length in closed_prefixes(shapes(region, attribute), ordinary):
                if code == "1" and not any(_begins(shape, national[:3]) for shape in ordinary):
                    national = national[:3]  # an area code that nobody lives in
                prefix = code + national
                if not any(prefix.startswith(known) for known in rows):
                    rows[prefix] = [prefix, length, kind, note]
    return sorted(rows.values())


def closed_prefixes(closed: list[Shape], ordinary: list[Shape]) -> Iterator[tuple[str, str]]:
    """Prefixes that only closed numbers have, then those that only closed numbers of one length have."""
    known = prefixes(closed, ordinary, exact=True)
    yield from ((prefix, "") for prefix in known)
    for length in sorted({len(shape) for shape in closed}):
        ours, theirs = ([s for s in shapes if len(s) == length] for shapes in (closed, ordinary))
        for prefix in prefixes(ours, theirs, exact=True):
            if not prefix.startswith(tuple(known)):
                yield prefix, str(length)


def network_groups() -> Iterator[list[str]]:
    """Rows of network-groups.csv: fixed and mobile where they can be told apart, else the whole country."""
    for region, code, _ in sorted(regions()):
        enabled = "true" if region in DEMO_COUNTRIES else "false"
        mobile = prefixes(shapes(region, "mobile"), shapes(region, "fixed_line"), depth=4)
        fixed = prefixes(shapes(region, "fixed_line"), shapes(region, "mobile"), depth=4)
        if mobile and fixed and code != "1":
            yield [region, f"{country_name(region)} - Fixed", "|".join(fixed), enabled]
            yield [region, f"{country_name(region)} - Mobile", "|".join(mobile), enabled]
        else:
            yield [region, country_name(region), "", enabled]


def rates() -> list[list[str]]:
    """Rows of rates.csv."""
    rows: dict[str, list[str]] = {}
    for region, code, sharing in regions():
        price, name = Decimal(PRICES.get(code, REMOTE)), country_name(region)
        if code == "1" and region not in {"US", "CA"}:
            price = REMOTE
        for prefix in country_prefixes(region, code, sharing) or [""]:
            rows[code + prefix] = [code + prefix, name, f"{price:.4f}", ""]
        if code not in {"1", "91"}:
            mobile = prefixes(shapes(region, "mobile"), shapes(region, "fixed_line"), depth=4)
            for prefix in mobile:
                rows.setdefault(code + prefix, [code + prefix, f"{name} - Mobile", f"{price * 2:.4f}", ""])
    for prefix, length, kind, note in special_ranges():
        increment = "" if kind == "shared_cost" else "60/60"
        if not length:
            rows[prefix] = [prefix, f"{note} ({kind})", f"{CLOSED_PRICES[kind]:.4f}", increment]
    return sorted(rows.values())


def write(name: str, comments: Sequence[str], header: str, rows: Iterable[list[str]]) -> None:
    """Write one file, its comments first."""
    with (DATA / name).open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {comment}\n" for comment in comments)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def main() -> None:
    """Write all four files."""
    write(
        "countries.csv",
        (
            f"Countries and their numbers, {SOURCE}.",
            "Prefixes follow the calling code; a country without any has what no other of its code has.",
        ),
        "country_iso,country_name,calling_code,prefixes,max_length",
        countries(),
    )
    write(
        "special-ranges.csv",
        (
            f"Ranges that are closed on every route until a workspace opts in, {SOURCE} and by hand.",
            "The prefix has the calling code; the length, where there is one, is of what follows that code.",
        ),
        "prefix,length,kind,note",
        special_ranges(),
    )
    write(
        "network-groups.csv",
        (
            f"Network groups to enable country by country, {SOURCE}.",
            "Prefixes follow the calling code; a group without any is the whole country.",
        ),
        "country_iso,name,prefixes,enabled",
        network_groups(),
    )
    write(
        "rates.csv",
        (
            "SAMPLE RATES in INR a minute. Nobody charges these prices: replace them by your carrier's.",
            f"Prefixes {SOURCE}; they have the calling code.",
        ),
        "prefix,destination,per_minute,increment",
        rates(),
    )


if __name__ == "__main__":
    main()
