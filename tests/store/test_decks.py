"""Rate decks in the database and in memory."""

import asyncio
import time
from decimal import Decimal

import pytest

from gateway.routing.number import E164
from gateway.routing.rating import Rate, RateDeck
from gateway.routing.table import Increment, Workspace
from gateway.store.engine.database import Database
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.money.decks import SLICE, Imported
from gateway.store.money.loaded_prices import LoadedPrices
from gateway.store.sql import SqlStore

INDIA = Rate("India", Decimal("0.55"))
MOBILE = Rate("India - Mobile", Decimal("0.701234"), Decimal("1.5"), Increment(30, 6))
MUMBAI = E164("91", "2212345678")


def deck(*entries: tuple[str, Rate], currency: str = "INR") -> RateDeck:
    return RateDeck(currency, entries)


async def settled(store: SqlStore, provider: str, wanted: int) -> RateDeck:
    """The provider's deck in memory, once it has so many prefixes."""
    async with asyncio.timeout(10):
        while (found := store.rate_decks().of(provider)) is None or len(found) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


async def test_a_deck_comes_back_as_it_was_given(store: SqlStore) -> None:
    """To the last decimal, whatever the number of prefixes that share a rate."""
    entries = [(f"91{number}", INDIA) for number in range(2 * SLICE + 1)]
    given = deck(("91", MOBILE), *entries)
    imported = await store.configuration.decks.put("plivo", given, "test")
    assert (imported.added, imported.changed, imported.removed) == (len(given), 0, 0)
    back = await store.configuration.decks.rates("plivo")
    assert dict(back) == dict(given)
    assert back.currency == "INR"


async def test_an_import_replaces_the_whole_deck_and_counts_the_difference(store: SqlStore) -> None:
    """What is no longer in the file is gone; the deck keeps its id, and the history has the counts."""
    decks = store.configuration.decks
    first = await decks.put("plivo", deck(("91", INDIA), ("919", MOBILE), ("92", INDIA)), "test")
    second = await decks.put("plivo", deck(("91", INDIA), ("919", INDIA), ("93", INDIA)), "test")
    assert str(second) == "1 added, 1 changed, 1 removed"
    assert second.deck.id == first.deck.id
    assert sorted(prefix for prefix, _ in await decks.rates("plivo")) == ["91", "919", "93"]
    newest, oldest = await store.configuration.history(first.deck.id)
    assert newest.fields["rates"] == [None, "1 added, 1 changed, 1 removed"]
    assert (oldest.action, oldest.by, oldest.fields["prefixes"]) == ("add", "test", [None, 3])


async def test_an_import_that_changes_nothing_leaves_no_trace(store: SqlStore) -> None:
    """No new revision, so that no gateway reads the deck again."""
    first = await store.configuration.decks.put("plivo", deck(("91", INDIA)), "test")
    again = await store.configuration.decks.put("plivo", deck(("91", INDIA)), "test")
    assert again == Imported(first.deck, 0, 0, 0)
    assert len(await store.configuration.history(first.deck.id)) == 1


async def test_in_another_currency_every_price_is_another(store: SqlStore) -> None:
    """Equal amounts of another currency are not equal prices."""
    await store.configuration.decks.put("plivo", deck(("91", INDIA)), "test")
    imported = await store.configuration.decks.put("plivo", deck(("91", INDIA), currency="USD"), "test")
    assert str(imported) == "0 added, 1 changed, 0 removed"
    assert (await store.configuration.decks.rates("plivo")).currency == "USD"


async def test_one_deck_is_the_default(store: SqlStore) -> None:
    """The first one, until another is made so; the default one goes last."""
    decks = store.configuration.decks
    await decks.put("plivo", deck(("91", INDIA)), "test")
    await decks.put("twilio", deck(("91", MOBILE)), "test")
    assert [(d.provider, d.is_default) for d in await decks.list_all()] == [
        ("plivo", True),
        ("twilio", False),
    ]
    await decks.make_default("twilio", "test")
    assert [(d.provider, d.is_default) for d in await decks.list_all()] == [
        ("plivo", False),
        ("twilio", True),
    ]
    await decks.put("plivo", deck(("91", INDIA)), "test", default=True)
    assert [d.is_default for d in await decks.list_all()] == [True, False]
    with pytest.raises(Conflict, match="make another the default first"):
        await decks.remove("plivo", "test")
    await decks.remove("twilio", "test")
    await decks.remove("plivo", "test")
    assert await decks.list_all() == []


async def test_what_cannot_be_a_deck_is_refused(store: SqlStore) -> None:
    """With the field, and what would be right."""
    decks = store.configuration.decks
    for provider, given, field in (
        ("Plivo!", deck(("91", INDIA)), "provider"),
        ("sip_trunk", deck(("91", INDIA)), "provider"),
        ("plivo", deck(("91", INDIA), currency="rupees"), "currency"),
        ("plivo", deck(), "rates"),
    ):
        with pytest.raises(InvalidInput) as raised:
            await decks.put(provider, given, "test")
        assert raised.value.field == field
    with pytest.raises(NotFound, match="there is none yet"):
        await decks.rates("plivo")
    assert await decks.list_all() == []


async def test_a_changed_deck_is_soon_in_memory(store: SqlStore) -> None:
    """Without anybody asking; a deck that has not changed stays the same object."""
    assert store.rate_decks().of("plivo") is None
    await store.configuration.decks.put("plivo", deck(("91", INDIA)), "test")
    first = await settled(store, "plivo", 1)
    assert first.rate(MUMBAI) == ("91", INDIA)
    await store.configuration.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    await store.configuration.decks.put("twilio", deck(("9", MOBILE), ("1", MOBILE)), "test")
    assert (await settled(store, "twilio", 2)).rate(MUMBAI) == ("9", MOBILE)
    assert store.rate_decks().of("plivo") is first
    assert store.rate_decks().of("vonage") is first, "it is the default deck"
    await store.configuration.decks.put("plivo", deck(("9122", MOBILE), ("91", INDIA)), "test")
    assert (await settled(store, "plivo", 2)).rate(MUMBAI) == ("9122", MOBILE)


async def test_a_large_deck_is_read_without_holding_up_the_loop(database: Database, store: SqlStore) -> None:
    """100 000 prefixes: what else is on the event loop gets its turn while they come."""
    prices = [Rate(f"Destination {number}", Decimal(number) / 100) for number in range(2000)]
    entries = [(str(100_000 + number), prices[number % 2000]) for number in range(100_000)]
    imported = await store.configuration.decks.put("plivo", deck(*entries), "test")
    loaded = LoadedPrices(database, lambda: imported.deck.revision)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    started = time.monotonic()
    await loaded.refresh()
    beside.cancel()
    found = loaded.current.of("plivo")
    assert found is not None
    assert len(found) == 100_000
    assert turns > 300, f"{turns} turns in {time.monotonic() - started:.2f} s"
