"""Which column has the numbers, and what the others are called."""

import re
from collections.abc import Iterable
from itertools import islice

from gateway.batch.files.upload import Header, UnreadableFile
from gateway.routing.number import SEPARATORS

PHONE_NAMES = ("phonenumber", "phone")
"Without case, spaces, underscores and hyphens; the first that a file has is it."
TIMEZONE = "timezone"
NO_PHONE_COLUMN = "The uploaded file must include a phone_number column"
_MEANS_A_PHONE = re.compile("phone|mobile|handy|cell|msisdn|tel|number|num(m?er)?o?$|contact|whatsapp|e164")
"What is in the names of columns that have numbers, in a few languages."
_LEAST_DIGITS = 7
"Of a cell that is rather a number than a column's name."


def plain_name(name: str) -> str:
    """A column's name without what people write in different ways."""
    return name.strip().lower().replace("_", "").replace(" ", "").replace("-", "")


def phone_rank(name: str) -> int | None:
    """How well a name fits the column of numbers, 0 best; None: it does not."""
    plain = plain_name(name)
    return PHONE_NAMES.index(plain) if plain in PHONE_NAMES else None


def names_the_number(cell: str, chosen: str) -> bool:
    """Whether a header's cell is that of the column of numbers: the chosen one, or else one that fits."""
    return plain_name(cell) == plain_name(chosen) if chosen else phone_rank(cell) is not None


def phone_column(header: Header, chosen: str = "") -> int:
    """Where the numbers are: the chosen column, else `phone_number`, `phonenumber` or `phone`.

    UnreadableFile names the columns that there are.
    """
    if chosen:
        return _chosen(header, chosen)
    ranked = [
        (rank, place) for place, name in enumerate(header.names) if (rank := phone_rank(name)) is not None
    ]
    if not ranked:
        raise _no_phone_column(header)
    best = min(ranked)
    twice = [header.names[place] for rank, place in ranked if rank == best[0]]
    if len(twice) > 1:
        named = " and ".join(f"“{name}”" for name in twice)
        raise UnreadableFile(
            "two_phone_columns", f"The columns {named} could both have the numbers: choose one, or rename one"
        )
    return best[1]


def timezone_column(header: Header) -> int | None:
    """Where a row may name its time zone; None: nowhere."""
    places = [place for place, name in enumerate(header.names) if plain_name(name) == TIMEZONE]
    return places[0] if places else None


def _chosen(header: Header, chosen: str) -> int:
    if chosen in header.names:
        return header.names.index(chosen)
    alike = [place for place, name in enumerate(header.names) if plain_name(name) == plain_name(chosen)]
    if alike:
        return alike[0]
    raise UnreadableFile(
        "no_such_column", f"There is no column “{chosen[:80]}”; {_columns(header)}{_sheets(header)}"
    )


def _no_phone_column(header: Header) -> UnreadableFile:
    number = next((name for name in header.names if looks_like_number(name)), "")
    if number:
        return UnreadableFile(
            "no_header",
            f"{NO_PHONE_COLUMN}: the first row has to name the columns, but it has “{number[:40]}”",
        )
    return UnreadableFile(
        "no_phone_column", f"{NO_PHONE_COLUMN}; {_columns(header)}{_sheets(header)}. {_advice(header)}"
    )


def _advice(header: Header) -> str:
    """What to do where no column has a name that fits."""
    if sum(map(bool, header.names)) == 1 and len(header.names) == 1:
        return f"Row {header.line} has to name the columns: is it a title? Then delete it"
    near = next((name for name in header.names if _MEANS_A_PHONE.search(plain_name(name))), "")
    if near:
        return f"Are the numbers in “{near[:40]}”? Then choose it as the phone_column, or rename it"
    return "Rename the one with the numbers, or choose it as the phone_column"


def _sheets(header: Header) -> str:
    elsewhere = [sheet for sheet in header.sheets if sheet != header.sheet]
    if not elsewhere:
        return ""
    return f" of sheet “{header.sheet[:40]}”; other sheets: {_listed(elsewhere)}"


def looks_like_number(name: str) -> bool:
    """Whether a header's cell is rather a number than the name of a column."""
    digits = name.translate(SEPARATORS).removeprefix("+")
    return digits.isascii() and digits.isdecimal() and len(digits) >= _LEAST_DIGITS


def _columns(header: Header) -> str:
    return f"its columns are {_listed(name for name in header.names if name)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"“{name[:40]}”" for name in islice(names, 20)) or "without names"
