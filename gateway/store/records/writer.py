"""Saves call records without ever making a call wait.

One task writes, in batches; while a batch is under way further rows gather, the latest of each call only.
When the database does not take a batch within `PATIENCE_SECONDS`, rows go to the journal on disk until it is
back and has taken the journal too. So memory stays bounded, and a kill in the meantime loses nothing.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice, repeat

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError, Unacceptable
from gateway.store.engine.tenure import NameLost
from gateway.store.money.purses import settle
from gateway.store.records.call_table import Saved, upsert
from gateway.store.records.calls import Savable
from gateway.store.records.journal import CHUNK, Journal
from gateway.tell import Tell

PATIENCE_SECONDS = 1.0
"How long rows stay in memory only, while the database is away."
SPILL_SECONDS = 0.1
"How often rows go to the journal while the database is away."
GATHER_SECONDS = 0.05
"""Pause after a batch. A transaction costs as much as all the rest of a short call's set-up, so at hundreds
of calls a second many share one; a call alone is saved at once. A kill can cost the rows of this pause."""
TOLD_SECONDS = 60.0
"Between two lines in the log about a disk that refuses."
MAX_REPLAYED = 10_000
TOLD_EVERY = 1000
"Lost rows for each line in the log: the disk is full as it is."
COUNTED = ("saved", "journalled", "replayed", "rejected", "lost", "fenced", "stalls")
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"Pauses between attempts; the last one goes on."


Fence = Callable[[AsyncConnection], Awaitable[None]]
"Raises `NameLost` where this process may not write any more; see `Tenure.fence`."


async def no_fence(_: AsyncConnection) -> None:
    """For who needs no name to write: nothing to raise."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call that is to be saved."""

    order: int
    call: Savable


class CallWriter:
    """The one task that writes call records: `run` it, `save` to it from anywhere on the loop."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        limit: int,
        tell: Tell,
        *,
        instance: str = "",
        fence: Fence = no_fence,
    ) -> None:
        """`limit` bounds the calls in memory; `instance` is written as the gateway that has them."""
        self._fence = fence
        self._database = database
        self._journal = journal
        self._limit = limit
        self._tell = tell
        self._instance = instance
        self._order = 0
        self.replayed_endings: list[str] = []
        "Calls of the last replay that have ended: a killed run may have told nobody of them."
        self._pending: dict[str, _Waiting] = {}
        self._trouble = ""
        self.stalled = False
        "The database does not take records; they go to the journal."
        self.journal_trouble = ""
        "Why the disk takes no records while the database does not either; empty: it does."
        self._refusal_told_at = float("-inf")
        self._rows = asyncio.Event()
        self._urgent = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        "Rows `saved`, `journalled`, `replayed`, `rejected`, `lost`, `fenced` off; `stalls` of the database."

    def save(self, call: Savable) -> None:
        """Have this call written soon, as it stands then. Neither waits nor fails."""
        self._keep(_Waiting(self.next_order(), call))
        self._quiet.clear()
        self._rows.set()

    def next_order(self) -> int:
        """A number above all before it, those of earlier runs too as long as the clock is not set back."""
        self._order = max(self._order + 1, time.time_ns())
        return self._order

    @property
    def unsaved(self) -> int:
        """Rows that are in memory only."""
        return len(self._pending)

    @property
    def trouble(self) -> str | None:
        """Why records are in neither place that outlives the process; None: they are in one of them."""
        if not self.stalled or not self.journal_trouble:
            return None
        return f"call records are in memory only: {self._trouble}; {self.journal_trouble}"

    async def flush(self) -> None:
        """Wait until every row so far is in the database or in the journal."""
        self._urgent.set()
        try:
            await self._quiet.wait()
        finally:
            self._urgent.clear()

    async def run(self) -> None:
        """Write until cancelled; `flush` before that."""
        while True:
            await self._rows.wait()
            self._rows.clear()
            while self._pending:
                await self._write(self._take())
                if not self._pending:
                    self._quiet.set()
                await self._gather()
            self._quiet.set()

    async def _gather(self) -> None:
        """Let rows gather before the next batch; whoever flushes does not wait for it."""
        try:
            async with asyncio.timeout(GATHER_SECONDS):
                await self._urgent.wait()
        except TimeoutError:
            pass

    async def replay(self) -> None:
        """Write what is in the journal to the database; `StoreError` where that is not possible now."""
        self.replayed_endings = []
        while await asyncio.to_thread(self._journal.set_aside):
            for chunk in self._journal.chunks():
                await self._insert(chunk)
                self.counters["replayed"] += len(chunk)
                ended = [saved.row.id for saved in chunk if saved.row.ended_at is not None]
                self.replayed_endings += ended[: MAX_REPLAYED - len(self.replayed_endings)]
            await asyncio.to_thread(self._journal.forget)
        if self._journal.torn:
            self._tell("store.journal_torn", level="warning", lines=self._journal.torn)
            self._journal.torn = 0

    def _keep(self, waiting: _Waiting) -> None:
        """Hold a call in memory, as the newest; the oldest gives way where even the journal is no help."""
        call_id = waiting.call.id
        self._pending.pop(call_id, None)
        self._pending[call_id] = waiting
        if len(self._pending) > self._limit:
            del self._pending[next(iter(self._pending))]
            self.counters["lost"] += 1
            if self.counters["lost"] % TOLD_EVERY == 1:
                self._tell("store.rows_lost", level="error", lost=self.counters["lost"])

    def _take(self) -> list[Saved]:
        """The rows that have waited longest, at most a batch of them."""
        ids = list(islice(self._pending, CHUNK))
        return self._rows_of([self._pending.pop(call_id) for call_id in ids])

    def _rows_of(self, waiting: Iterable[_Waiting]) -> list[Saved]:
        return [Saved(one.order, one.call.row(), self._instance) for one in waiting]

    async def _write(self, batch: list[Saved]) -> None:
        """Into the database; or, where that takes too long, into the journal and from there."""
        attempt = asyncio.create_task(self._insist(lambda: self._insert(batch)), name="store-write")
        try:
            if not await self._in_time(attempt):
                await self._ride_out(attempt, batch)
        finally:
            attempt.cancel()

    async def _in_time(self, attempt: asyncio.Task[None]) -> bool:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and len(self._pending) < self._limit // 2:
            if (await asyncio.wait({attempt}, timeout=SPILL_SECONDS))[0]:
                return True
        return False

    async def _ride_out(self, attempt: asyncio.Task[None], batch: list[Saved]) -> None:
        """Live without the database until it has taken the batch and the whole journal."""
        began = time.monotonic()
        self.counters["stalls"] += 1
        self.stalled = True
        self._tell("store.stalled", level="error", error=self._trouble or "the database does not answer")
        await self._spill(batch)
        await self._spill_during(attempt)
        replay = asyncio.create_task(self._insist(self.replay), name="store-replay")
        try:
            await self._spill_during(replay)
        finally:
            replay.cancel()
        self.stalled, self.journal_trouble = False, ""
        self._tell(
            "store.recovered", seconds=round(time.monotonic() - began, 1), counters=dict(self.counters)
        )

    async def _spill_during(self, attempt: asyncio.Task[None]) -> None:
        while not (await asyncio.wait({attempt}, timeout=SPILL_SECONDS))[0]:
            rows = self._rows_of(self._pending.values())
            self._pending.clear()
            await self._spill(rows)

    async def _spill(self, rows: list[Saved]) -> None:
        """Into the journal; back into memory where the disk does not take them either."""
        if not rows:
            return
        try:
            await asyncio.to_thread(self._journal.append, rows)
        except OSError as error:
            self._journal_refused(error, self.unsaved + len(rows))
            newer, self._pending = self._pending, {}
            for waiting in (*(_Waiting(saved.order, saved.row) for saved in rows), *newer.values()):
                self._keep(waiting)
        else:
            self.journal_trouble = ""
            self.counters["journalled"] += len(rows)
            if not self._pending:
                self._quiet.set()

    def _journal_refused(self, error: OSError, unsaved: int) -> None:
        """Tried again ten times a second, told once a minute."""
        self.journal_trouble = str(error)
        now = time.monotonic()
        if now - self._refusal_told_at >= TOLD_SECONDS:
            self._refusal_told_at = now
            self._tell("store.journal_failed", level="error", error=str(error), unsaved=unsaved)

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try until the database takes it."""
        for pause in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            try:
                await work()
                break
            except StoreError as error:
                self._trouble = str(error)
            await asyncio.sleep(pause)

    async def _insert(self, batch: list[Saved]) -> None:
        try:
            async with self._database.writing() as connection:
                await self._fence(connection)
                await upsert(connection, batch)
                await settle(connection, (saved.row for saved in batch))
        except Unacceptable as error:
            await self._single_out(batch, error)
        except NameLost:
            self.counters["fenced"] += len(batch)  # whoever has the name has closed these calls
        except StoreError:
            raise
        except Exception as error:  # whatever is wrong with one record must not stop the others
            await self._single_out(batch, error)
        else:
            self.counters["saved"] += len(batch)

    async def _single_out(self, batch: list[Saved], error: Exception) -> None:
        """One row that can never be saved must not keep the others out: put it where a person finds it."""
        if len(batch) > 1:
            for saved in batch:
                await self._insert([saved])
            return
        self.counters["rejected"] += 1
        self._tell("store.row_rejected", level="error", call_id=batch[0].row.id, error=str(error))
        await asyncio.to_thread(self._journal.reject, batch)
