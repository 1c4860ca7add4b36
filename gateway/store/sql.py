"""The store on an SQL database: what `protocol.Store` promises, and the configuration beside it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from gateway.config.settings import Config
from gateway.routing.rating import RateDecks
from gateway.routing.table import RoutingTable, Secret, Trunks
from gateway.store.batches.batch_table import BatchTable
from gateway.store.batches.recipients import Queue
from gateway.store.batches.recovery import Recovery
from gateway.store.configuration.accounts import Accounts, WebSessions
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Editing
from gateway.store.configuration.key_ring import KeyRing
from gateway.store.configuration.nouns import Configuration
from gateway.store.configuration.number_list import NumberList
from gateway.store.configuration.seed import seed
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.engine.schema import meta, untold_calls
from gateway.store.engine.seal import KEY_CHECK, SecretBox, load_key
from gateway.store.money import purses
from gateway.store.money.loaded_prices import LoadedPrices
from gateway.store.money.purses import Exchange, Hold
from gateway.store.money.wallets import Wallets
from gateway.store.records import call_pages, call_table, closing
from gateway.store.records.call_minutes import CallMinutes
from gateway.store.records.call_texts import TextStore
from gateway.store.records.calls import CallFilter, CallPage, CallRow, Category, Savable
from gateway.store.records.closing import Left
from gateway.store.records.journal import Journal
from gateway.store.records.refusals import Refusals
from gateway.store.records.requests import Requests
from gateway.store.records.writer import CallWriter, Fence, no_fence
from gateway.store.snapshot import Snapshots
from gateway.store.tables import Calling
from gateway.tell import Tell, tell_nobody

CLOSE_SECONDS = 10.0
"How long closing waits for the last records."


class SqlStore:
    """A store that is open; `open_store` makes it, `close` ends it."""

    def __init__(
        self, config: Config, database: Database, box: SecretBox, tell: Tell, fence: Fence = no_fence
    ) -> None:
        self._fence = fence
        self.key_for = box.key_for
        "32 bytes for a purpose, from the key that the database's secrets are sealed with."
        self._box = box
        self._instance = config.gateway.name
        self._database = database
        self._snapshots = Snapshots(database, box, config.limits.cached_tables)
        self._prices = LoadedPrices(database, lambda: self._snapshots.prices_revision)
        self._journal = Journal(config.journal_file)
        self._writer = CallWriter(
            database,
            self._journal,
            config.limits.unsaved_calls,
            tell,
            instance=config.gateway.name,
            fence=fence,
        )
        self._writing: asyncio.Task[None] | None = None
        editing = Editing(database, box, self._snapshots.changed)
        ring = KeyRing(database, self._snapshots.fresh_revision)
        self.configuration = Configuration(editing, Caps(config.tenants), ring)
        self.wallets = Wallets(editing)
        self.requests = Requests(database, config.gateway.name)
        self.texts = TextStore(database)
        self.call_minutes = CallMinutes(database)
        self.refusals = Refusals(database)
        self.batches = BatchTable(database)
        self.recipients = Queue(database, fence)
        self.recovery = Recovery(self.recipients)
        self.accounts = Accounts(database)
        self.web_sessions = WebSessions(database)
        self.number_list = NumberList(database, box)

    async def start(self) -> None:
        """Begin to serve calls: read the trunks, take in the journal of an earlier run, write records."""
        await self._snapshots.start()
        await self._prices.start()
        await self._writer.replay()
        self._writing = asyncio.create_task(self._writer.run(), name="store-writer")

    async def close(self) -> None:
        """Save what is left and let go of the database."""
        if self._writing is not None:
            try:
                await asyncio.wait_for(self._writer.flush(), CLOSE_SECONDS)
            except TimeoutError:
                pass  # the journal's disk is full or gone as well: nothing else can be done with these rows
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._prices.stop()
        await self._snapshots.stop()
        await self._database.close()

    async def routing_table(self, called: str) -> RoutingTable:
        """What an inbound decision about this dialled number needs; see `Store.routing_table`."""
        return await self._snapshots.routing_table(called)

    async def outbound_table(self, asked: Calling, destination: str | None = None) -> RoutingTable:
        """What a decision about an outbound call needs; see `Store.outbound_table`."""
        return await self._snapshots.outbound_table(asked, destination)

    def trunks(self) -> Trunks:
        """All trunks as last seen."""
        return self._snapshots.trunks()

    async def refresh(self) -> None:
        """Read the trunks and the rate decks now, if anything changed."""
        await self._snapshots.refresh()
        await self._prices.refresh()

    def rate_decks(self) -> RateDecks:
        """All rate decks as last seen; see `Store.rate_decks`."""
        return self._prices.current

    def has_wallet(self, workspace_id: str) -> bool:
        """Whether a workspace pays in advance, as last seen; see `Store.has_wallet`."""
        return workspace_id in self._prices.prepaid

    async def purses(self, ended: Collection[str], workspace_ids: Collection[str]) -> Exchange:
        """How wallets stand; see `Store.purses`."""
        async with self._database.reading() as connection:
            return await purses.standing(connection, self._instance, ended, workspace_ids)

    async def exchange(
        self, holds: Sequence[Hold], ended: Collection[str], workspace_ids: Collection[str]
    ) -> Exchange:
        """Tell what running calls hold, and learn how their wallets stand; see `Store.exchange`."""
        async with self._database.writing() as connection:
            await self._fence(connection)
            return await purses.exchange(connection, self._instance, holds, ended, workspace_ids)

    def save_call(self, call: Savable) -> None:
        """Have this call saved soon, as it stands then; neither waits nor fails."""
        self._writer.save(call)

    def seal(self, text: str) -> str:
        """Text that only this database's key opens again."""
        return self._box.sealed(text)

    def open_sealed(self, sealed: str) -> str:
        """What was sealed; `StoreError` where it was with another key."""
        secret = self._box.open(sealed)
        return secret.reveal() if secret is not None else ""

    async def flush(self) -> None:
        """Wait until everything that was given to `save_call` is in the database or in the journal."""
        await self._writer.flush()

    async def close_open_calls(self, died_ms: int | None) -> Left:
        """End and charge the calls that an earlier run left open; see `Store.close_open_calls`."""
        async with self._database.writing() as connection:
            await self._fence(connection)
            order = self._writer.next_order()
            left = await closing.close_left_open(connection, self._instance, died_ms, order)
        replayed = set(self._writer.replayed_endings) - {row.id for row in left.closed}
        return replace(left, ended=tuple(sorted({*left.ended, *replayed})))

    async def untold_calls(self) -> list[str]:
        """Calls that were closed so, and of whose ending nobody was told yet; oldest first."""
        async with self._database.reading() as connection:
            return await closing.untold(connection, self._instance)

    async def told(self, call_id: str) -> None:
        """Whoever has to know of a call's ending does."""
        async with self._database.writing() as connection:
            await connection.execute(untold_calls.delete().where(untold_calls.c.call_id == call_id))

    async def get_call(self, call_id: str) -> CallRow | None:
        """One call, or None."""
        async with self._database.reading() as connection:
            return await call_table.get_call(connection, call_id)

    async def narrowed(self, which: CallFilter) -> CallFilter:
        """The filter with its parts of numbers turned into those numbers, where they are few.

        Then a page is read off an index, however seldom a number is.
        """
        callers = await self._numbers_with(which, "from", which.from_parts)
        if callers:
            which = replace(which, from_numbers=callers, from_parts=())
        called = await self._numbers_with(which, "to", which.to_parts)
        return replace(which, to_numbers=called, to_parts=()) if called else which

    async def _numbers_with(
        self, which: CallFilter, side: Literal["from", "to"], parts: Sequence[str]
    ) -> Sequence[str]:
        """The few numbers that the parts stand for; empty where they are many, or nothing is asked."""
        if not parts:
            return ()
        assert which.workspace_id is not None, "parts of numbers are searched within a workspace"
        most = call_pages.MAX_APART + 1
        async with self._database.reading() as connection:
            found = await call_pages.numbers_with(connection, which.workspace_id, side, parts, most)
        # A part in itself is no number: it stands for none where there is none.
        return () if len(found) == most else tuple(found) or tuple(parts)

    async def newest_call(
        self, number_id: str, category: Category, since: datetime
    ) -> tuple[str, datetime] | None:
        """The newest call of a category that one of our numbers had since a moment, and when it began."""
        async with self._database.reading() as connection:
            return await call_table.newest_by(connection, number_id, category, since)

    async def list_calls(self, which: CallFilter) -> CallPage:
        """Calls, newest first unless the filter says otherwise."""
        async with self._database.reading() as connection:
            return await call_pages.list_calls(connection, which)

    async def count_calls(self, which: CallFilter) -> int:
        """How many calls a filter leaves, page by page; for those that leave few, such as a batch's."""
        async with self._database.reading() as connection:
            return await call_pages.count_calls(connection, which)

    async def change_recording(self, call_id: str, status: str, facts: Mapping[str, object]) -> bool:
        """Say what became of a recording after its call; False where there is no such call."""
        await self._writer.flush()
        async with self._database.writing() as connection:
            await self._fence(connection)
            order = self._writer.next_order()
            return await call_table.change_recording(connection, call_id, order, status, facts)

    async def expired_recordings(self, default_days: int, now: datetime, limit: int) -> list[CallRow]:
        """Recordings of this gateway that are older than their workspace, or else `default_days`, allows.

        Of each workspace the oldest first; 0 days are for ever.
        """
        async with self._database.reading() as connection:
            return await call_table.expired_recordings(connection, self._instance, default_days, now, limit)

    async def expired_calls(self, before: datetime, limit: int) -> list[CallRow]:
        """Ended calls of this gateway that began before a moment, oldest first."""
        async with self._database.reading() as connection:
            return await call_table.expired(connection, self._instance, before, limit)

    async def forget_calls(self, rows: Collection[CallRow]) -> None:
        """Delete the records of ended calls, and what was posted about them; wallets keep their entries."""
        async with self._database.writing() as connection:
            await self._fence(connection)
            await call_table.forget(connection, [row.id for row in rows])

    async def unfinished_recordings(self) -> list[str]:
        """The calls of this gateway whose recordings never came to an end, for `change_recording`."""
        async with self._database.reading() as connection:
            return await call_table.unfinished_recordings(connection, self._instance)

    async def healthy(self) -> str | None:
        """None when the database answers within a second and records are safe, else what is wrong."""
        if self._writer.trouble is not None:
            return self._writer.trouble
        try:
            async with asyncio.timeout(1.0), self._database.reading() as connection:
                await connection.execute(sa.select(1))
        except TimeoutError:
            return "the database does not answer"
        except StoreError as error:
            return str(error)
        return None

    @property
    def counters(self) -> dict[str, int]:
        """What the store has counted since its start, and `unsaved`, the rows that are in memory only."""
        counted = {**self._snapshots.counters, **self._prices.counters, **self._writer.counters}
        more = {"unsaved": self._writer.unsaved, "stalled": int(self._writer.stalled)}
        return {**counted, **more, "journal_refusing": int(bool(self._writer.journal_trouble))}

    @property
    def journal_bytes(self) -> int:
        """What waits on disk for the database."""
        return self._journal.size


async def open_store(
    config: Config,
    tell: Tell = tell_nobody,
    *,
    serving: bool = True,
    fence: Fence = no_fence,
) -> SqlStore:
    """The store of this configuration, migrated, its key checked; `StoreError` says why it cannot be had.

    `tell` hears of stalls and recoveries. Whoever only reads and changes the configuration needs no store
    that is `serving`: it knows no trunks and saves no calls. What serves calls has the gateway's name, and is
    fenced off when it has lost it (`Tenure.fence`). `close` it in either case.
    """
    database = Database(config.store_url)
    try:
        await database.migrate()
        key = config.security.key
        box = load_key(None if key is None else key.get_secret_value(), config.key_file)
        await _check_key(database, box, "[security] key" if key else f"the key file {config.key_file}")
    except BaseException:
        await database.close()
        raise
    store = SqlStore(config, database, box, tell, fence)
    try:
        if config.demo.seed is not None:
            await seed(store.configuration, config.demo.seed)
        if serving:
            await store.start()
    except BaseException:
        await store.close()
        raise
    return store


async def _check_key(database: Database, box: SecretBox, source: str) -> None:
    """A wrong key is told at start, not by a call that cannot log in."""
    known = sa.select(meta.c.value).where(meta.c.key == "key_check")
    async with database.reading() as connection:
        sealed = (await connection.execute(known)).scalar()
    if sealed is None:
        async with database.writing() as connection:
            sealed = (await connection.execute(known)).scalar()
            if sealed is None:
                sealed = box.seal(Secret(KEY_CHECK))
                await connection.execute(meta.insert().values(key="key_check", value=sealed))
    try:
        box.open(sealed)
    except StoreError:
        complaint = "is not what the database's secrets are sealed with: bring back the key that is"
        raise StoreError(f"{source} {complaint}") from None
