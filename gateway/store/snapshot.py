"""Routing tables and trunks in memory, fresh enough for the next call.

One number, the revision, counts every change of the configuration, whoever made it. As long as it stays, what
was read stays right. It is looked at when a call comes, at most every `FRESH_SECONDS`, so that a change takes
effect on the next call and a burst of calls does not ask the database once each.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import RoutingTable, Trunk, Trunks
from gateway.store.book import read
from gateway.store.database import Database
from gateway.store.errors import StoreError
from gateway.store.schema import meta
from gateway.store.seal import SecretBox
from gateway.store.tables import Calling, read_inbound, read_outbound
from gateway.store.values import tail_of

FRESH_SECONDS = 0.02
"How old the known revision may be when a call is routed."
POLL_SECONDS = 0.25
"How often the trunks are looked at when nobody calls."
PATIENCE_SECONDS = 1.0
"How long a call waits for the database before it makes do with what is in memory."
ONLY_HOPE_SECONDS = 4.0
"How long it waits where nothing in memory would do: its caller hears ringing late rather than a refusal."

T = TypeVar("T")

TableKey = tuple[str, *tuple[str | None, ...]]
"What a table was read for; work that is under way has a name of its own kind."
Read = Callable[[AsyncConnection, Trunks, int], Awaitable[RoutingTable]]
"Reads a table, given the trunks and the revision that it belongs to."


_NEW = {
    "called": "this number has not been called before",
    "calling": "no call like this one was asked for before",
}


class Snapshots:
    """What call control knows of the configuration."""

    def __init__(self, database: Database, box: SecretBox, cached_tables: int) -> None:
        """`cached_tables` bounds how many dialled numbers are remembered."""
        self._database = database
        self._box = box
        self._probe = Probe(database)
        self._cached_tables = cached_tables
        self._tables: OrderedDict[TableKey, RoutingTable] = OrderedDict()
        self._trunks = Trunks()
        self._trunks_revision = -1
        self._revision = -1
        self._checked_at = float("-inf")
        self._running: dict[TableKey, asyncio.Task[Any]] = {}
        self._poll: asyncio.Task[None] | None = None
        self._trouble = ""
        self.counters: Counter[str] = Counter(stale_table=0, missed_poll=0)
        "`stale_table`: calls routed by an old table, the database being away; `missed_poll`."

    async def start(self) -> None:
        """Read the trunks, then keep them fresh until `stop`."""
        await self.refresh()
        self._poll = asyncio.create_task(self._keep_fresh(), name="store-trunks")

    async def stop(self) -> None:
        """Stop looking."""
        tasks = [*self._running.values(), *([] if self._poll is None else [self._poll])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._probe.close()

    def trunks(self) -> Trunks:
        """All trunks as last seen; the same object as long as none of them changed."""
        return self._trunks

    @property
    def revision(self) -> int:
        """The configuration's revision as last seen, at most about `POLL_SECONDS` ago."""
        return self._revision

    def changed(self, revision: int) -> None:
        """Somebody in this process has changed the configuration: no need to ask before the next call."""
        self._revision = max(self._revision, revision)

    async def refresh(self) -> None:
        """Read the trunks now, if anything changed."""
        await self._once(("revision",), self._check_revision())
        if self._trunks_revision < self._revision:
            async with self._database.reading() as connection:
                await self._load_trunks(connection, await _revision(connection))

    async def routing_table(self, called: str) -> RoutingTable:
        """What a decision about this dialled number needs; `StoreError` where nothing and nobody has it."""
        tail = tail_of(called)

        async def read_it(connection: AsyncConnection, trunks: Trunks, revision: int) -> RoutingTable:
            return await read_inbound(connection, self._box, tail, trunks, revision)

        return await self._table(("called", tail), read_it)

    async def outbound_table(
        self, workspace_id: str, agent_id: str | None, from_number: str | None
    ) -> RoutingTable:
        """What a decision about a workspace's outbound call needs; `StoreError` as above."""
        tail = None if from_number is None else tail_of(from_number)

        async def read_it(connection: AsyncConnection, trunks: Trunks, revision: int) -> RoutingTable:
            asked = Calling(workspace_id, agent_id, tail)
            return await read_outbound(connection, self._box, asked, trunks, revision)

        return await self._table(("calling", workspace_id, agent_id, tail), read_it)

    async def _table(self, key: TableKey, read_it: Read) -> RoutingTable:
        if time.monotonic() - self._checked_at >= FRESH_SECONDS:
            await self._patiently(("revision",), self._check_revision(), PATIENCE_SECONDS)
        table = self._tables.get(key)
        if table is not None and table.revision >= self._revision:
            self._tables.move_to_end(key)
            return table
        seconds = ONLY_HOPE_SECONDS if table is None else PATIENCE_SECONDS
        return await self._patiently(key, self._load_table(key, read_it), seconds) or self._make_do(key)

    def _make_do(self, key: TableKey) -> RoutingTable:
        table = self._tables.get(key)
        if table is None:
            raise StoreError(f"{_NEW[key[0]]}, and {self._trouble}")
        self.counters["stale_table"] += 1
        return table

    async def _patiently(self, key: TableKey, work: Coroutine[Any, Any, T], seconds: float) -> T | None:
        """The outcome of some work, or None where it fails or takes too long; it then goes on by itself."""
        task = self._start(key, work)
        await asyncio.wait({task}, timeout=seconds)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        failed = task.done() and not task.cancelled()
        self._trouble = str(task.exception()) if failed else "the database does not answer in time"
        # For a while, calls do not wait for a database that is known to be away.
        self._checked_at = time.monotonic() + PATIENCE_SECONDS
        return None

    async def _once(self, key: TableKey, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._start(key, work))

    def _start(self, key: TableKey, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start some work, or join it where it is already running."""
        running = self._running.get(key)
        if running is not None:
            work.close()
            return running
        task = asyncio.create_task(work, name=f"store-{key[0]}")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: TableKey, task: asyncio.Task[Any]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain of one that nobody waited for

    async def _check_revision(self) -> None:
        self.changed(await self._probe.revision())
        self._checked_at = time.monotonic()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
            except StoreError:
                self.counters["missed_poll"] += 1

    async def _load_table(self, key: TableKey, read_it: Read) -> RoutingTable:
        async with self._database.reading() as connection:
            revision = await _revision(connection)
            if self._trunks_revision < revision:
                await self._load_trunks(connection, revision)
            table = await read_it(connection, self._trunks, revision)
        self._keep(key, table)
        return table

    async def _load_trunks(self, connection: AsyncConnection, revision: int) -> None:
        found = await read(connection, self._box, Trunk)
        if revision > self._trunks_revision:
            self._trunks = self._trunks if found == list(self._trunks) else Trunks(found)
            self._trunks_revision = revision
        self.changed(revision)

    def _keep(self, key: TableKey, table: RoutingTable) -> None:
        self.changed(table.revision)
        self._tables[key] = table
        self._tables.move_to_end(key)
        if len(self._tables) > self._cached_tables:
            self._tables.popitem(last=False)


class Probe:
    """Asks for the revision over and over, on a connection of its own, past SQLAlchemy: 20 us, not 800."""

    QUESTION = "SELECT value FROM meta WHERE key = 'revision'"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None

    async def revision(self) -> int:
        """The revision of what is committed; `StoreError` where the database does not answer."""
        try:
            return await self._ask()
        except Exception as error:  # each driver has its own, with no base in common
            await self.close(broken=True)
            raise StoreError(f"the database does not answer: {error}") from error

    async def close(self, *, broken: bool = False) -> None:
        """Let go of the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if broken:
            await connection.invalidate()
        await connection.close()

    async def _ask(self) -> int:
        if self._connection is None:
            self._connection = await self._database.connect()
        driver = (await self._connection.get_raw_connection()).driver_connection
        assert driver is not None, "a connection that is open has its driver's"
        if self._database.dialect == "sqlite":
            return int((await driver.execute_fetchall(self.QUESTION))[0][0])
        return int(await driver.fetchval(self.QUESTION))


async def _revision(connection: AsyncConnection) -> int:
    found = await connection.execute(sa.select(meta.c.value).where(meta.c.key == "revision"))
    return int(found.scalar_one())
