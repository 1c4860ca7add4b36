"""Data files: what they look like, and how their mistakes are told."""

from decimal import Decimal

import pytest

from gateway.routing.importer import (
    MAX_PROBLEMS,
    DataError,
    read_countries,
    read_network_groups,
    read_rates,
    read_special_ranges,
)
from gateway.routing.number import E164
from gateway.routing.plan import Country, RangeKind, SpecialRange
from gateway.routing.table import Increment, NetworkGroup


def problems_of(text: str) -> list[str]:
    """What is wrong with a rate deck."""
    with pytest.raises(DataError) as caught:
        read_rates(text, "INR")
    return [str(problem) for problem in caught.value.problems]


def test_countries_are_read() -> None:
    """Comments, blank lines, a byte-order mark and spaces do not matter."""
    text = (
        "\ufeff# comment\n\ncountry_iso, country_name ,calling_code,prefixes,max_length\n"
        "gb,United Kingdom,44,,10\nJE,Jersey,44,1534 | 7797,\n"
    )
    assert read_countries(text) == (
        Country("GB", "United Kingdom", "44", (), 10),
        Country("JE", "Jersey", "44", ("1534", "7797")),
    )


def test_special_ranges_are_read() -> None:
    """The note may be left out, even as a column."""
    assert read_special_ranges("prefix,kind\n1900,premium\n") == (SpecialRange("1900", RangeKind.PREMIUM),)


def test_network_groups_are_read() -> None:
    """Enabled is the default; no prefixes mean the whole country."""
    text = "country_iso,name,prefixes,enabled\nIN,Mobile,98|99,\nUS,All,,no\n"
    assert read_network_groups(text) == (
        NetworkGroup("IN", "Mobile", ("98", "99")),
        NetworkGroup("US", "All", (), enabled=False),
    )


def test_rates_are_read() -> None:
    """Prices are decimal to the last digit; equal rates are one object."""
    text = (
        "prefix,destination,per_minute,connection_fee,increment,currency\n"
        "91,India,0.55,,,INR\n919,India,0.55,,,\n1900,Premium,160.10,1.5,30/6,INR\n"
    )
    deck = read_rates(text, "INR")
    india, mobile, premium = (deck.rate(E164(*n)) for n in (("91", "8"), ("91", "98"), ("1", "900")))
    assert india is not None
    assert mobile is not None
    assert premium is not None
    assert (india[0], mobile[0]) == ("91", "919")
    assert india[1] is mobile[1]
    assert premium[1].per_minute == Decimal("160.10")
    assert premium[1].increment == Increment(30, 6)
    assert len(deck) == 3


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("+91,India,1", "line 2, column prefix: digits with a calling code"),
        ("091,India,1", "line 2, column prefix: digits with a calling code"),
        (",India,1", "line 2, column prefix: must not be empty"),
        ("91,,1", "line 2, column destination: must not be empty"),
        ("91,India,", "line 2, column per_minute: must not be empty"),
        ("91,India,free", "line 2, column per_minute: an amount such as 0.0125, not 'free'"),
        ("91,India,-1", "line 2, column per_minute: an amount from 0 to"),
        ("91,India,NaN", "line 2, column per_minute: an amount from 0 to"),
        ("91,India,1e9", "line 2, column per_minute: an amount from 0 to 1000000, not '1e9'"),
        ("91,India,0.1234567", "line 2, column per_minute: an amount with at most six decimals"),
        ("91,India,1,2,3", "line 2: 5 cells below 4 columns"),
        ("91,India,1,6/0", "line 2, column increment: billing increments are seconds from 1 up"),
        ("91,India,1,often", "line 2, column increment: a billing increment is written 60/60"),
        ('91,"India,1', "line 2: unexpected end of data"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(row: str, problem: str) -> None:
    """Whoever edits the file finds the cell at once."""
    told = problems_of(f"prefix,destination,per_minute,increment\n{row}\n")
    assert told[0].startswith(problem)


def test_all_mistakes_are_told_up_to_a_bound() -> None:
    """Not one mistake a try, nor a million lines of them."""
    told = problems_of("prefix,destination,per_minute\n" + "x,y,z\n" * 1000)
    assert len(told) == MAX_PROBLEMS
    assert told[:2] == [
        "line 2, column prefix: digits with a calling code, without + or leading zeros, not 'x'"
        ": it has LATIN SMALL LETTER X (U+0078)",
        "line 2, column per_minute: an amount such as 0.0125, not 'z'",
    ]


def test_many_mistakes_of_one_sort_are_one_sentence() -> None:
    """With an example, the first lines that have it, and how many more do; a single one stays as it is."""
    rows = "".join(f"91{number},India,free{number}\n" for number in range(60)) + "+1,US,1\n"
    with pytest.raises(DataError) as caught:
        read_rates("prefix,destination,per_minute\n" + rows, "INR")
    assert caught.value.total == 61
    assert caught.value.grouped == (
        "column per_minute: an amount such as 0.0125, not 'free0' (lines 2, 3, 4, 5, 6 and 55 more)",
        "line 62, column prefix: digits with a calling code, without + or leading zeros, not '+1'",
    )


def test_nothing_is_said_twice() -> None:
    """The second line with a prefix is wrong, and the first is named."""
    told = problems_of("prefix,destination,per_minute\n91,India,1\n92,Pakistan,1\n91,India,2\n")
    assert told == ["line 4, column prefix: '91' is on line 2 already"]


def test_an_unknown_column_gets_the_nearest_name() -> None:
    """A typing error in the header is told before any line is read."""
    assert problems_of("prefix,destination,per_minit\n91,India,1\n") == [
        "line 1, column per_minit: unknown column; per_minute was perhaps meant",
        "line 1, column per_minute: this column is missing",
    ]


def test_a_deck_is_in_one_currency() -> None:
    """Amounts of another currency are not taken for ours."""
    told = problems_of("prefix,destination,per_minute,currency\n91,India,1,USD\n")
    assert told == ["line 2, column currency: the deck is in INR, not in 'USD'"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("GBR,Britain,44,,", "country_iso"),
        ("GB,Britain,+44,,", "calling_code"),
        ("GB,Britain,44,15a,", "prefixes"),
        ("GB,Britain,44,15||16,", "prefixes"),
        ("GB,Britain,44,,99", "max_length"),
    ],
)
def test_mistakes_in_countries_are_told(row: str, column: str) -> None:
    """Each column has its own idea of what is right."""
    with pytest.raises(DataError, match=f"line 2, column {column}"):
        read_countries(f"country_iso,country_name,calling_code,prefixes,max_length\n{row}\n")


def test_mistakes_in_ranges_and_groups_are_told() -> None:
    """Kinds and switches are chosen from a list."""
    with pytest.raises(DataError, match="one of premium, satellite, shared_cost, not 'dear'"):
        read_special_ranges("prefix,kind\n1900,dear\n")
    with pytest.raises(DataError, match="true or false, not 'maybe'"):
        read_network_groups("country_iso,name,enabled\nUS,All,maybe\n")
    with pytest.raises(DataError, match="'US All' is on line 2 already"):
        read_network_groups("country_iso,name\nUS,All\nUS,All\n")
