"""What calls cost."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.number import E164
from gateway.routing.rating import Quote, Rate, RateDeck, RateDecks, quote_by_prefix, quote_flat, quote_web
from gateway.routing.table import Increment, Trunk, Workspace

DECK = RateDeck(
    "INR",
    [
        ("91", Rate("India", Decimal("0.55"))),
        ("9198", Rate("India - Mobile", Decimal("0.70"))),
        ("1", Rate("United States", Decimal("0.85"), increment=Increment(6, 6))),
        ("1900", Rate("Premium", Decimal("160"), connection_fee=Decimal("5"))),
    ],
)


def quote(per_minute: str, increment: str = "60/60", fee: str = "0") -> Quote:
    """A quote at this price."""
    return Quote(Decimal(per_minute), "INR", Increment.parse(increment), "", Decimal(fee))


@pytest.mark.parametrize(
    ("number", "prefix", "per_minute"),
    [
        (E164("91", "1123456789"), "91", "0.55"),
        (E164("91", "9812345678"), "9198", "0.70"),
        (E164("1", "4155550123"), "1", "0.85"),
        (E164("1", "9002345678"), "1900", "160"),
    ],
)
def test_the_longest_prefix_of_the_called_number_decides(
    workspace: Workspace, number: E164, prefix: str, per_minute: str
) -> None:
    """Whatever number calls; the prefix and the destination's name are kept, and said."""
    found = quote_by_prefix(number, DECK, workspace)
    assert found is not None
    assert (found.prefix, found.per_minute) == (prefix, Decimal(per_minute))
    assert found.why.startswith(f"{number.e164} begins with {prefix}, the longest prefix in the rate deck")


def test_a_provider_without_a_deck_of_its_own_has_the_default_one() -> None:
    """And none at all where there is no default."""
    own, default = RateDeck("INR"), RateDeck("USD")
    decks = RateDecks({"plivo": own}, default)
    assert (decks.of("plivo"), decks.of("twilio")) == (own, default)
    assert RateDecks({"plivo": own}).of("twilio") is None


@given(
    st.dictionaries(st.text("0123456789", min_size=1, max_size=6), st.integers(0, 99), min_size=1),
    st.text("123456789", min_size=1, max_size=10),
    st.integers(1, 7),
)
def test_a_deck_built_in_slices_is_the_same_deck(prices: dict[str, int], digits: str, size: int) -> None:
    """Whatever the slices: the longest prefix that a brute search finds, with its rate."""
    entries = [(prefix, Rate(prefix, Decimal(price))) for prefix, price in prices.items()]
    deck = RateDeck("INR")
    for start in range(0, len(entries), size):
        deck.extend(entries[start : start + size])
    begin = [entry for entry in entries if digits.startswith(entry[0])]
    assert deck.rate(E164("", digits)) == max(begin, key=lambda entry: len(entry[0]), default=None)
    assert sorted(prefix for prefix, _ in deck) == sorted(prices)
    with pytest.raises(ValueError, match="comes twice"):
        deck.extend(entries[:1])


def test_a_destination_without_a_rate_has_no_quote(workspace: Workspace) -> None:
    """No price is guessed."""
    assert quote_by_prefix(E164("44", "2079460018"), DECK, workspace) is None


def test_the_increment_is_the_rates_or_else_the_workspaces(workspace: Workspace) -> None:
    """Carriers bill some countries by six seconds and others by the minute."""
    thirty = replace(workspace, billing_increment=Increment(30, 30))
    american, indian = (quote_by_prefix(E164(*n), DECK, thirty) for n in (("1", "415"), ("91", "11")))
    assert american is not None
    assert indian is not None
    assert (str(american.increment), str(indian.increment)) == ("6/6", "30/30")


def test_a_trunk_has_its_flat_rate_or_the_workspaces(workspace: Workspace, trunk: Trunk) -> None:
    """And says which; without either, calls are not charged."""
    general = replace(workspace, sip_flat_rate=Decimal("0.30"))
    own = replace(trunk, flat_rate=Decimal("0.20"))
    quotes = [quote_flat(own, general), quote_flat(trunk, general), quote_flat(trunk, workspace)]
    assert [q.per_minute for q in quotes] == [Decimal("0.20"), Decimal("0.30"), Decimal(0)]
    assert [q.why for q in quotes] == [
        "flat rate of trunk “Carrier”",
        "SIP flat rate of the workspace",
        "no flat rate is configured, so the trunk's calls are not charged",
    ]


def test_a_web_call_has_no_carrier_price(workspace: Workspace) -> None:
    """Nobody carries it."""
    assert quote_web(workspace).price(600.0) == 0


@pytest.mark.parametrize(
    ("increment", "connected", "billed"),
    [
        ("60/60", None, 0),
        ("60/60", 0.0, 60),
        ("60/60", 60.0, 60),
        ("60/60", 60.001, 120),
        ("60/60", 263.0, 300),
        ("30/6", 10.0, 30),
        ("30/6", 31.0, 36),
        ("1/1", 12.2, 13),
        ("30", 31.0, 60),
    ],
)
def test_connected_time_is_rounded_up_to_increments(
    increment: str, connected: float | None, billed: int
) -> None:
    """An answered call pays its first step at least; an unanswered one nothing."""
    assert quote("1", increment).billed_seconds(connected) == billed


@pytest.mark.parametrize(
    ("price", "connected", "total"),
    [
        (quote("0.55"), None, "0"),
        (quote("0.55"), 263.0, "2.75"),
        (quote("0.10", "1/1"), 20.0, "0.033333"),
        (quote("0.0001", "1/1"), 1.0, "0.000002"),
        (quote("160", fee="5"), 1.0, "165"),
        (quote("160", fee="5"), None, "0"),
    ],
)
def test_prices_are_decimal(price: Quote, connected: float | None, total: str) -> None:
    """To a millionth, rounded half up; the connection fee is for answered calls only."""
    assert price.price(connected) == Decimal(total)


@pytest.mark.parametrize(
    ("price", "balance", "seconds"),
    [
        (quote("1"), "0.99", 0.0),
        (quote("1"), "1", 60.0),
        (quote("1"), "2.99", 120.0),
        (quote("1", "30/6"), "0.65", 36.0),
        (quote("1", fee="5"), "5.5", 0.0),
        (quote("0"), "0", float("inf")),
        (quote("0", fee="1"), "0.5", 0.0),
    ],
)
def test_a_balance_lasts_for_whole_increments(price: Quote, balance: str, seconds: float) -> None:
    """A call ends before it costs more than there is."""
    assert price.affordable_seconds(Decimal(balance)) == seconds


@given(
    st.decimals("0.01", "200", places=4),
    st.decimals("0", "1000", places=2),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_what_is_affordable_is_never_overspent(
    per_minute: Decimal, balance: Decimal, first: int, further: int
) -> None:
    """The price of the affordable time is within the balance, to a rounding of the last digit."""
    found = Quote(per_minute, "INR", Increment(first, further), "")
    seconds = found.affordable_seconds(balance)
    if seconds:
        assert found.price(seconds) <= balance + Decimal("0.000001")


def test_a_quote_is_json_with_money_as_text() -> None:
    """So that no reader makes a float of it."""
    assert quote("0.5500").as_dict()["per_minute"] == "0.5500"


@pytest.mark.parametrize("text", ["60/0", "0", "", "6/x", "-6/6"])
def test_an_increment_is_whole_seconds(text: str) -> None:
    """Nothing else is an increment."""
    with pytest.raises(ValueError, match="increment"):
        Increment.parse(text)
