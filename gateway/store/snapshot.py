"""Routing tables and trunks in memory, fresh enough for the next call.

One number, the revision, counts every change of the configuration, whoever made it. As long as it stays, what
was read stays right. It is looked at when a call comes, at most every `FRESH_SECONDS`, so that a change takes
effect on the next call and a burst of calls does not ask the database once each. Where it has grown, the
history says what changed (`news`), and only the tables that depend on that are read again.
"""

import asyncio
import itertools
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.destination import number_of
from gateway.routing.do_not_call import Listed
from gateway.routing.table import RoutingTable, Trunks
from gateway.store.configuration.do_not_call import LOOK_UP, listed_of
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.engine.seal import SecretBox
from gateway.store.loaded_trunks import next_trunks
from gateway.store.news import News, current_revision, read_news
from gateway.store.tables import Calling, Reader, digits_of, needed_inbound, needed_outbound

FRESH_SECONDS = 0.02
"How old the known revision may be when a call is routed."
POLL_SECONDS = 0.25
"How often the trunks are looked at when nobody calls."
PATIENCE_SECONDS = 1.0
"How long a call waits for the database before it makes do with what is in memory."
ONLY_HOPE_SECONDS = 4.0
"How long it waits where nothing in memory would do: its caller hears ringing late rather than a refusal."

T = TypeVar("T")

TRIES = 3
"How often a table is read again because of what changed while it was being read."
REMEMBERED = 64
"Lots of news that are kept, for tables that were being read while they came."

TableKey = tuple[str, str | Calling]
"What a table is read for."


@dataclass(frozen=True, slots=True)
class Kept:
    """A table in memory."""

    table: RoutingTable
    needs: frozenset[str]
    "What it depends on, by the names that news have."
    good_until: datetime | None
    "When a rental that it was chosen by runs out; None: no change, no other table."
    is_stale: bool = False
    "Something that it depends on has changed."


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
        self._lookups = Probe(database)
        self._counted = itertools.count()
        self._cached_tables = cached_tables
        self._tables: OrderedDict[TableKey, Kept] = OrderedDict()
        self._needing: dict[str, set[TableKey]] = {}
        self._trunks = Trunks()
        self._revision = -1
        self._seen = -1
        "The revision up to which all news have been taken in."
        self._recent: deque[News] = deque(maxlen=REMEMBERED)
        self._checked_at = float("-inf")
        self._asked_at = float("-inf")
        self._running: dict[tuple[object, ...], asyncio.Task[Any]] = {}
        self._poll: asyncio.Task[None] | None = None
        self._trouble = ""
        self.prices_revision = -1
        "The revision of the last change of a rate deck or wallet, as far as is known."
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
        await self._lookups.close()

    def trunks(self) -> Trunks:
        """All trunks as last seen; the same object as long as none of them changed."""
        return self._trunks

    @property
    def revision(self) -> int:
        """The configuration's revision as last seen, at most about `POLL_SECONDS` ago."""
        return self._revision

    async def fresh_revision(self) -> int:
        """The revision, at most `FRESH_SECONDS` old; `StoreError` where the database does not say."""
        # A question that is on its way already may have been asked before what this one has to know of.
        enough = time.monotonic() - FRESH_SECONDS
        while self._asked_at <= enough:
            await self._once(("revision",), self._check_revision())
        return self._revision

    def changed(self, revision: int) -> None:
        """Somebody in this process has changed the configuration: no need to ask before the next call."""
        self._revision = max(self._revision, revision)

    async def refresh(self) -> None:
        """Take in what changed, if anything has."""
        await self._once(("revision",), self._check_revision())
        if self._seen < self._revision:
            await self._once(("news",), self._catch_up())

    async def routing_table(self, called: str) -> RoutingTable:
        """What a decision about this dialled number needs; `StoreError` where nothing and nobody has it."""
        return await self._table(("called", digits_of(called)))

    async def outbound_table(self, asked: Calling, destination: str | None = None) -> RoutingTable:
        """What a decision about a workspace's outbound call needs; `StoreError` as above.

        What the workspace's do-not-call list says of a destination is never kept: it may say another thing of
        the same number at the next call, and there are too many numbers.
        """
        table = await self._table(("calling", asked))
        number = number_of(destination) if table.has_do_not_call else None
        if number is None:
            return table
        # Never joined: a look-up that is under way may not see what has been added since it began.
        key = ("listed", next(self._counted))
        found = await self._patiently(key, self._look_up(asked.workspace_id, number.e164), PATIENCE_SECONDS)
        if found is None:
            raise StoreError(f"the do-not-call list could not be asked for the number: {self._trouble}")
        return replace(table, listed=next(iter(found), None))

    async def _look_up(self, workspace_id: str, e164: str) -> Sequence[Listed]:
        rows = await self._lookups.ask(LOOK_UP, workspace_id, e164)
        return [listed_of(e164, row) for row in rows]

    async def _table(self, key: TableKey) -> RoutingTable:
        if time.monotonic() - self._checked_at >= FRESH_SECONDS:
            await self._patiently(("revision",), self._check_revision(), PATIENCE_SECONDS)
        if self._seen < self._revision:
            await self._patiently(("news",), self._catch_up(), PATIENCE_SECONDS)
        kept = self._tables.get(key)
        if kept is not None and self._seen >= self._revision and self._is_fresh(kept):
            self._tables.move_to_end(key)
            return self._with_trunks(key, kept)
        if kept is not None and self._seen < self._revision:
            return self._make_do(key)  # the database has just been asked, in vain
        seconds = ONLY_HOPE_SECONDS if kept is None else PATIENCE_SECONDS
        return await self._patiently(key, self._load_table(key), seconds) or self._make_do(key)

    def _is_fresh(self, kept: Kept) -> bool:
        return not kept.is_stale and (kept.good_until is None or datetime.now(UTC) < kept.good_until)

    def _with_trunks(self, key: TableKey, kept: Kept) -> RoutingTable:
        """The table with the trunks of now: theirs change without it."""
        if kept.table.trunks is not self._trunks:
            kept = self._tables[key] = replace(kept, table=replace(kept.table, trunks=self._trunks))
        return kept.table

    def _make_do(self, key: TableKey) -> RoutingTable:
        kept = self._tables.get(key)
        if kept is None:
            raise StoreError(f"{_NEW[key[0]]}, and {self._trouble}")
        self.counters["stale_table"] += 1
        return self._with_trunks(key, kept)

    async def _patiently(
        self, key: tuple[object, ...], work: Coroutine[Any, Any, T], seconds: float
    ) -> T | None:
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

    async def _once(self, key: tuple[object, ...], work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._start(key, work))

    def _start(self, key: tuple[object, ...], work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start some work, or join it where it is already running."""
        running = self._running.get(key)
        # One that is done may stand here until its callbacks have their turn, which whoever joined it in a
        # loop would never let them have.
        if running is not None and not running.done():
            work.close()
            return running
        task = asyncio.create_task(work, name=f"store-{key[0]}")
        self._running[key] = task
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: tuple[object, ...], task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain of one that nobody waited for

    async def _check_revision(self) -> None:
        asked_at = time.monotonic()
        self.changed(await self._probe.revision())
        self._asked_at, self._checked_at = asked_at, time.monotonic()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
            except StoreError:
                self.counters["missed_poll"] += 1

    async def _load_table(self, key: TableKey) -> RoutingTable:
        for _ in range(TRIES):
            async with self._database.reading() as connection:
                reader = Reader(connection, self._box, await current_revision(connection))
                table, needs = await _read_table(reader, key)
            if self._seen < table.revision:
                await self._once(("news",), self._catch_up())
            is_stale = self._changed_since(table.revision, needs)
            if not is_stale:
                break
        return self._keep(key, table, needs, is_stale=is_stale)

    async def _catch_up(self) -> None:
        """Take in the news up to the revision that is known, and what more is known by then."""
        while self._seen < self._revision:
            known = self._revision
            async with self._database.reading() as connection:
                news = await read_news(connection, self._seen)
                if news.revision < known:  # somebody has put an older copy of the database in its place
                    news = News(news.revision, is_whole=True, prices=True)
                    self._revision = news.revision
                trunks = await next_trunks(connection, self._box, self._trunks, news)
            self._take_in(news, trunks)

    def _take_in(self, news: News, trunks: Trunks) -> None:
        self._trunks, self._seen = trunks, news.revision
        self._recent.append(news)
        self.changed(news.revision)
        if news.prices:
            self.prices_revision = news.revision
        if news.is_whole:
            self._spoil(self._tables)
        for name, revision in news.touched.items():
            self._spoil(self._needing.get(name, ()), revision)

    def _spoil(self, keys: Iterable[TableKey], revision: int | None = None) -> None:
        """These tables are to be read again, unless they were read since; None: in any case."""
        for key in list(keys):
            kept = self._tables[key]
            if not kept.is_stale and (revision is None or kept.table.revision < revision):
                self._tables[key] = replace(kept, is_stale=True)

    def _changed_since(self, revision: int, needs: frozenset[str]) -> bool:
        """Whether news came, while a table was being read, that it does not have."""
        later = [news for news in self._recent if news.revision > revision]
        if len(later) == REMEMBERED:
            return True
        return any(
            news.is_whole or any(news.touched.get(name, -1) > revision for name in needs) for news in later
        )

    def _keep(
        self, key: TableKey, table: RoutingTable, needs: frozenset[str], *, is_stale: bool
    ) -> RoutingTable:
        self._forget(key)
        table = replace(table, trunks=self._trunks)
        self._tables[key] = Kept(table, needs, _good_until(table), is_stale)
        for name in needs:
            self._needing.setdefault(name, set()).add(key)
        if len(self._tables) > self._cached_tables:
            self._forget(next(iter(self._tables)))
        return table

    def _forget(self, key: TableKey) -> None:
        kept = self._tables.pop(key, None)
        for name in () if kept is None else kept.needs:
            keys = self._needing[name]
            keys.discard(key)
            if not keys:
                del self._needing[name]


async def _read_table(reader: Reader, key: TableKey) -> tuple[RoutingTable, frozenset[str]]:
    asked = key[1]
    if isinstance(asked, Calling):
        return await reader.outbound(asked), needed_outbound(asked)
    table = await reader.inbound(asked)
    return table, needed_inbound(asked, table)


def _good_until(table: RoutingTable) -> datetime | None:
    now = datetime.now(UTC)
    ends = (number.rental_expires_at for number in table.numbers)
    return min((end for end in ends if end is not None and end > now), default=None)


class Probe:
    """Asks small questions past SQLAlchemy, in 20 us, not 800: on its own connection, one after the other."""

    REVISION = "SELECT value FROM meta WHERE key = 'revision'"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None
        self._lock = asyncio.Lock()

    async def revision(self) -> int:
        """The revision of what is committed; `StoreError` where the database does not answer."""
        return int((await self.ask(self.REVISION))[0][0])

    async def ask(self, question: str, *values: str) -> Sequence[Any]:
        """The rows of a question with `?` for each of its values; `StoreError` as above."""
        async with self._lock:
            try:
                return await self._ask(question, values)
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

    async def _ask(self, question: str, values: Sequence[str]) -> Sequence[Any]:
        if self._connection is None:
            self._connection = await self._database.connect()
        driver = (await self._connection.get_raw_connection()).driver_connection
        assert driver is not None, "a connection that is open has its driver's"
        if self._database.dialect == "sqlite":
            return list(await driver.execute_fetchall(question, values))
        return list(await driver.fetch(_numbered(question), *values))


@cache
def _numbered(question: str) -> str:
    """As PostgreSQL has it: `$1`, `$2` in the place of each `?`."""
    first, *rest = question.split("?")
    return first + "".join(f"${index}{part}" for index, part in enumerate(rest, 1))
