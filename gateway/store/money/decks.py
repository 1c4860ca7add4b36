"""Rate decks in the database: one a provider, replaced whole by each import."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.rating import Rate, RateDeck
from gateway.routing.table import Increment
from gateway.store.configuration.editing import Changing, Editing
from gateway.store.configuration.history import Entry, record
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import rate_decks, rate_slices

PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
SIP_TRUNK = "sip_trunk"
"Numbers of a SIP trunk are no provider's: they have the trunk's flat rate."
CURRENCY = re.compile(r"[A-Z]{3}")
SLICE = 250
"Prefixes in one slice: a reader is done with it in less than a millisecond, and lets others have their turn."
READ_SLICES = 8
"Slices that are fetched at once."
WRITE_SLICES = 100


@dataclass(frozen=True, slots=True)
class Deck:
    """A provider's rate deck, without the rates."""

    id: str
    "`deck_…`"
    provider: str
    "`plivo`: its numbers' calls have these prices."
    currency: str
    is_default: bool
    "Its prices hold for numbers of providers that have no deck, too."
    prefixes: int
    imported_at: datetime
    revision: int
    "The configuration's revision at which it came."


DECK_FIELDS = tuple(field.name for field in fields(Deck))


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    deck: Deck
    added: int
    changed: int
    "Prefixes that were there with another rate."
    removed: int

    def __str__(self) -> str:
        """`3 added, 2 changed, 0 removed`"""
        return f"{self.added} added, {self.changed} changed, {self.removed} removed"


@dataclass(frozen=True, slots=True)
class Decks:
    """The rate decks in the store."""

    editing: Editing

    async def list_all(self) -> list[Deck]:
        """All of them, by provider."""
        if self.editing.joined is not None:
            return await read_decks(self.editing.joined.connection)
        async with self.editing.database.reading() as connection:
            return await read_decks(connection)

    async def find(self, provider: str) -> Deck:
        """A provider's; `NotFound` names those that there are."""
        return _pick(provider, await self.list_all())

    async def rates(self, provider: str) -> RateDeck:
        """A provider's deck with its rates; `NotFound` where it has none."""
        async with self.editing.database.reading() as connection:
            deck = _pick(provider, await read_decks(connection))
            return await load_deck(connection, deck)

    async def put(self, provider: str, given: RateDeck, by: str, *, default: bool = False) -> Imported:
        """Make this the provider's deck, in the place of the one it had; all of it, or nothing.

        The first deck of all becomes the default one.
        """
        _check(provider, given)
        async with self.editing.changing(by) as changing:
            existing = await read_decks(changing.connection)
            before = next((deck for deck in existing if deck.provider == provider), None)
            added, changed, removed = await _differences(changing.connection, before, given)
            is_default = default or not existing or bool(before and before.is_default)
            if before is not None and not (added or changed or removed) and before.is_default == is_default:
                return Imported(before, 0, 0, 0)
            deck = Deck(
                id=before.id if before is not None else new_id("deck"),
                provider=provider,
                currency=given.currency,
                is_default=is_default,
                prefixes=len(given),
                imported_at=datetime.now(UTC),
                revision=changing.revision + 1,
            )
            imported = Imported(deck, added, changed, removed)
            await _write(changing.connection, deck, given, is_new=before is None)
            await _note(changing, before, deck, str(imported))
        return imported

    async def make_default(self, provider: str, by: str) -> Deck:
        """Have a deck price the calls of providers without one."""
        async with self.editing.changing(by) as changing:
            before = _pick(provider, await read_decks(changing.connection))
            if not before.is_default:
                await _only_default(changing.connection, before.id)
                await _note(changing, before, replace(before, is_default=True))
        return replace(before, is_default=True)

    async def remove(self, provider: str, by: str) -> Deck:
        """Remove a deck; `Conflict` for the default one while there are others."""
        async with self.editing.changing(by) as changing:
            existing = await read_decks(changing.connection)
            deck = _pick(provider, existing)
            if deck.is_default and len(existing) > 1:
                raise Conflict(
                    "provider", provider, "its deck is the default: make another the default first"
                )
            await changing.connection.execute(rate_slices.delete().where(rate_slices.c.deck_id == deck.id))
            await changing.connection.execute(rate_decks.delete().where(rate_decks.c.id == deck.id))
            await _note(changing, deck, None)
        return deck


async def read_decks(connection: AsyncConnection) -> list[Deck]:
    """All decks without their rates, by provider."""
    rows = await connection.execute(rate_decks.select().order_by(rate_decks.c.provider))
    return [Deck(**row) for row in rows.mappings()]


async def load_deck(connection: AsyncConnection, deck: Deck) -> RateDeck:
    """A deck with its rates; others on the event loop get their turn at least every millisecond or so."""
    loaded = RateDeck(deck.currency)
    async for entries in read_slices(connection, deck.id):
        loaded.extend(entries)
    return loaded


async def read_slices(connection: AsyncConnection, deck_id: str) -> AsyncIterator[list[tuple[str, Rate]]]:
    """Prefixes with their rates, some at a time."""
    query = rate_slices.select().where(rate_slices.c.deck_id == deck_id).order_by(rate_slices.c.position)
    shared: dict[Rate, Rate] = {}
    async with connection.stream(query.execution_options(yield_per=READ_SLICES)) as rows:
        async for row in rows.mappings():
            yield list(_entries_of(row["rates"], shared))
            await asyncio.sleep(0)


def _entries_of(given: list[dict[str, Any]], shared: dict[Rate, Rate]) -> Iterator[tuple[str, Rate]]:
    for columns in given:
        prefixes = columns.pop("prefixes")
        rate = _rate_of(**columns)
        rate = shared.setdefault(rate, rate)
        yield from ((prefix, rate) for prefix in prefixes)


def _rate_of(destination: str, per_minute: str, connection_fee: str, increment: str | None) -> Rate:
    billed = None if increment is None else Increment.parse(increment)
    return Rate(destination, Decimal(per_minute), Decimal(connection_fee), billed)


def _check(provider: str, given: RateDeck) -> None:
    if not PROVIDER.fullmatch(provider):
        right = "should be the provider as numbers name it, such as plivo: small letters, digits, - and _"
        raise InvalidInput("provider", provider, right)
    if provider == SIP_TRUNK:
        raise InvalidInput(
            "provider", provider, "calls by a SIP trunk have the trunk's flat_rate, not a deck"
        )
    if not CURRENCY.fullmatch(given.currency):
        raise InvalidInput("currency", given.currency, "should be three capital letters, such as INR")
    if not len(given):
        raise InvalidInput("rates", None, "the file has no rate in it")


def _pick(provider: str, decks: list[Deck]) -> Deck:
    for deck in decks:
        if deck.provider == provider:
            return deck
    known = ", ".join(deck.provider for deck in decks)
    hint = f"there is one of {known}" if known else "there is none yet: gateway rates import FILE.csv"
    raise NotFound("provider", provider, f"has no rate deck; {hint}")


async def _differences(
    connection: AsyncConnection, before: Deck | None, given: RateDeck
) -> tuple[int, int, int]:
    """How many prefixes are added, changed and removed; in another currency, every price is another."""
    if before is None:
        return len(given), 0, 0
    after = dict(given)
    kept = changed = seen = 0
    async for entries in read_slices(connection, before.id):
        seen += len(entries)
        kept += sum(prefix in after for prefix, _ in entries)
        if before.currency == given.currency:
            changed += sum(prefix in after and after[prefix] != rate for prefix, rate in entries)
    if before.currency != given.currency:
        changed = kept
    return len(given) - kept, changed, seen - kept


async def _write(connection: AsyncConnection, deck: Deck, given: RateDeck, *, is_new: bool) -> None:
    columns = {name: getattr(deck, name) for name in DECK_FIELDS}
    if is_new:
        await connection.execute(rate_decks.insert().values(**columns))
    else:
        await connection.execute(rate_decks.update().where(rate_decks.c.id == deck.id).values(**columns))
        await connection.execute(rate_slices.delete().where(rate_slices.c.deck_id == deck.id))
    if deck.is_default:
        await _only_default(connection, deck.id)
    numbered = enumerate(_slices(given))
    while chunk := list(islice(numbered, WRITE_SLICES)):
        rows = [{"deck_id": deck.id, "position": position, "rates": part} for position, part in chunk]
        await connection.execute(rate_slices.insert(), rows)


async def _only_default(connection: AsyncConnection, deck_id: str) -> None:
    await connection.execute(rate_decks.update().values(is_default=rate_decks.c.id == deck_id))


def _slices(given: Iterable[tuple[str, Rate]]) -> Iterator[list[dict[str, Any]]]:
    """Each rate with its prefixes, `SLICE` prefixes at a time."""
    by_rate: dict[Rate, list[str]] = {}
    for prefix, rate in given:
        by_rate.setdefault(rate, []).append(prefix)
    entries = ((rate, prefix) for rate, prefixes in by_rate.items() for prefix in prefixes)
    while part := list(islice(entries, SLICE)):
        grouped: dict[Rate, list[str]] = {}
        for rate, prefix in part:
            grouped.setdefault(rate, []).append(prefix)
        yield [_columns_of(rate, prefixes) for rate, prefixes in grouped.items()]


def _columns_of(rate: Rate, prefixes: list[str]) -> dict[str, Any]:
    return {
        "destination": rate.destination,
        "per_minute": str(rate.per_minute),
        "connection_fee": str(rate.connection_fee),
        "increment": None if rate.increment is None else str(rate.increment),
        "prefixes": prefixes,
    }


async def _note(changing: Changing, before: Deck | None, after: Deck | None, what: str | None = None) -> None:
    """Write the history: not each of 100 000 prices, but how many changed."""
    deck = after if after is not None else before
    assert deck is not None, "a change has a deck on at least one side"
    action = "add" if before is None else "remove" if after is None else "change"
    entry = Entry(
        by=changing.by,
        workspace_id=None,
        kind="deck",
        object_id=deck.id,
        action=action,
        before=_shown(before),
        after=_shown(after) | ({} if what is None else {"rates": what}),
    )
    changing.revision = await record(changing.connection, entry)


def _shown(deck: Deck | None) -> dict[str, Any]:
    if deck is None:
        return {}
    return {name: getattr(deck, name) for name in ("provider", "currency", "is_default", "prefixes")}
