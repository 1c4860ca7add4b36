"""What makes batches go: gives turns, starts and stops the running ones, ends what has no time left.

One task a gateway. Several gateways on one database do the same beside each other: whatever is changed is
changed in a transaction that looks at how the batch stands, so one does it, and the others find it done.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.batch.desk import Desk
from gateway.batch.dialling import BatchRun, Placer, Tools
from gateway.batch.guard import Guard, Stop
from gateway.batch.judging import OVER, Judge, hours_never
from gateway.batch.lost_rows import LostRows
from gateway.batch.machine import Action, BatchStatus, RecipientState
from gateway.batch.pace import FromNumber, Pace
from gateway.batch.transitions import fields_after, tell_of
from gateway.config.batch_settings import BatchSettings
from gateway.store.batches.batch_table import PAUSE
from gateway.store.batches.values import Batch, QueueRow
from gateway.store.engine.errors import InvalidInput, StoreError, Unacceptable
from gateway.store.engine.tenure import NameLost
from gateway.store.sql import SqlStore
from gateway.tell import Tell

LOOK_SECONDS = 1.0
"Between two looks at how the batches stand, while nobody tells of anything."
TAKE_OVER_SECONDS = 3.0
"Between two looks for what the dead have left."
CLOSE_SECONDS = 5.0
"How long the last words about recipients are waited for when the gateway stops."
PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
"Before a part that has crashed begins again; the last one goes on."
CROWDED_SECONDS = 0.2
"How long room is waited for where the gateway has all the calls that batches may bring it to."

LOTS = 5
"Of recipients that are ended between two looks."

STANDING = (BatchStatus.SCHEDULED, BatchStatus.WAITING, BatchStatus.RUNNING, BatchStatus.PAUSED)
BY_ITSELF = "engine"


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the engine works with."""

    store: SqlStore
    placer: Placer
    tell: Tell
    settings: BatchSettings
    owner: str
    "The token of this process's tenure: what it has in hand is known by it."
    running_calls: Callable[[], int]
    "Calls of every kind on this gateway."
    most_calls: int
    "How many of them batches may bring it to."
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Engine:
    """The batches of this gateway: `run` it, `drain` it before its calls are drained, then `close`."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._table, self._queue = parts.store.batches, parts.store.recipients
        self._desk = Desk(self._queue, parts.owner)
        self._lost = LostRows(parts.store.recovery, parts.owner, self._judge_of)
        self._pace = Pace(parts.settings.calls_per_second)
        self._runs: dict[str, tuple[BatchRun, asyncio.Task[None]]] = {}
        self._calls: dict[asyncio.Task[None], QueueRow] = {}
        self._calls_of: Counter[str] = Counter()
        self._crashes: dict[str, int] = {}
        self._rested: dict[str, float] = {}
        "Batches that crashed here, and when they may begin again."
        self._woken = asyncio.Event()
        self._draining = False
        self._may_be_unclear = True
        "A batch that is over may have recipients that wait."
        self._tasks: list[asyncio.Task[None]] = []
        self._looked_for_lost = float("-inf")
        self.taken_over = 0
        "Recipients that others have left, since the start."

    @property
    def running(self) -> int:
        """Batches that this gateway dials."""
        return len(self._runs)

    @property
    def calls(self) -> int:
        """Their calls that are under way, or about to be, here."""
        return len(self._calls)

    def in_hand(self, batch_id: str) -> int:
        """Recipients of a batch that this gateway is about to dial."""
        return len(self._runs[batch_id][0].in_hand) if batch_id in self._runs else 0

    def wake(self) -> None:
        """Somebody has changed a batch: look at once."""
        self._look_again()
        for run, _ in self._runs.values():
            run.wake()

    def _look_again(self) -> None:
        self._may_be_unclear = True
        self._woken.set()

    def start(self) -> None:
        """Begin; what killed processes left half written is deleted first."""
        parts = (("desk", self._desk.run), ("engine", self._look_on))
        self._tasks = [
            asyncio.create_task(self._kept_up(name, work), name=f"batch-{name}") for name, work in parts
        ]

    async def drain(self) -> None:
        """Take no further recipients, and put back those that are not dialled; running calls go on."""
        self._draining = True
        for run, _ in self._runs.values():
            run.stop()
        tasks = [task for _, task in self._runs.values()]
        if tasks:  # what a database that is away does not take, the next start puts back
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    async def close(self) -> None:
        """After the last call: write what became of it, and end."""
        await self.drain()
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=CLOSE_SECONDS)
        left = [*self._calls, *(task for _, task in self._runs.values()), *self._tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _kept_up(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever: what crashes is told, and begins again."""
        crashes = 0
        while True:
            try:
                await work()
            except NameLost:
                return
            except Exception as error:
                pause = PAUSES[min(crashes, len(PAUSES) - 1)]
                self._parts.tell("batch.crashed", level="error", part=name, seconds=pause, exc_info=error)
                await asyncio.sleep(pause)
                crashes += 1

    async def _look_on(self) -> None:
        await self._insisting(self._sweep)
        while True:
            self._woken.clear()
            await self._insisting(self._look)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    async def _insisting(self, work: Callable[[], Awaitable[None]]) -> None:
        """A database that is away is told of elsewhere; what is due stays due."""
        try:
            await work()
        except NameLost:
            raise
        except StoreError:
            await asyncio.sleep(LOOK_SECONDS)

    async def _sweep(self) -> None:
        await self._table.sweep()

    async def _look(self) -> None:
        """See how all batches stand, and do what is due."""
        now = self._parts.now()
        loop_now = asyncio.get_running_loop().time()
        if loop_now - self._looked_for_lost >= TAKE_OVER_SECONDS:
            self._looked_for_lost, self._may_be_unclear = loop_now, True
            await self._take_over(now)
        # Whoever changes something now has the engine look again at once.
        standing = await self._table.standing(STANDING)
        for batch in standing:
            await self._advance(batch, now)
        await self._give_turns(standing)
        await self._see_to_runs(standing, loop_now)
        if self._may_be_unclear:
            await self._clear(now)

    async def _take_over(self, now: datetime) -> None:
        count = await self._lost.take_over(now, self._cared_for)
        if count:
            self.taken_over += count
            self.wake()
            self._parts.tell("batch.rows_taken_over", level="warning", rows=count)

    def _cared_for(self) -> Collection[tuple[str, int]]:
        here = {(row.batch_id, row.position) for row in self._calls.values()}
        for run, _ in self._runs.values():
            here |= {(row.batch_id, row.position) for row in run.in_hand}
        return here

    async def _advance(self, batch: Batch, now: datetime) -> None:
        """What time alone does to a batch."""
        if batch.ends_at is not None and batch.ends_at <= now:
            await self._end(batch, now, OVER, Action.EXPIRE)
        elif batch.status == BatchStatus.SCHEDULED:
            if batch.starts_at is None or batch.starts_at <= now:
                await self.act(batch.id, Action.DUE)
        elif batch.status == BatchStatus.RUNNING:
            run = self._runs.get(batch.id)
            if run is not None and run[0].never:
                await self._end(batch, now, hours_never(batch), Action.FINISH)
            elif not batch.counts.open:
                await self.act(batch.id, Action.FINISH)
        elif batch.status == BatchStatus.PAUSED and not batch.counts.open:
            await self.act(batch.id, Action.FINISH)

    async def _end(self, batch: Batch, now: datetime, detail: str, action: Action) -> None:
        """End those that wait; the batch is over when its last call is."""
        await self._clear_some(batch, RecipientState.EXPIRED, detail, now)
        if not (await self._table.get(batch.id)).counts.open:
            await self.act(batch.id, action)

    async def _give_turns(self, standing: Sequence[Batch]) -> None:
        """One batch of a workspace runs; of those that wait the first one does, when none does."""
        taken = {batch.workspace_id for batch in standing if batch.status == BatchStatus.RUNNING}
        for batch in standing:
            waits = batch.status == BatchStatus.WAITING and not self._draining
            if waits and batch.workspace_id not in taken:
                taken.add(batch.workspace_id)
                with suppress(Unacceptable):  # another gateway has just given the turn
                    await self.act(batch.id, Action.TURN)

    async def _clear(self, now: datetime) -> None:
        """Recipients that wait in batches that are over: a kill may have come in between, or a call's end."""
        self._may_be_unclear = False
        for batch in await self._table.left_to_clear((BatchStatus.CANCELLED, BatchStatus.COMPLETED)):
            cancelled = batch.status == BatchStatus.CANCELLED
            state = RecipientState.CANCELLED if cancelled else RecipientState.EXPIRED
            await self._clear_some(batch, state, "" if cancelled else OVER, now)
        for batch in await self._table.left_to_clear((BatchStatus.DELETED,)):
            await self._table.empty(batch.id)
            await self._table.move(batch.id, None, lambda _: {"queued": 0})

    async def _clear_some(self, batch: Batch, state: RecipientState, detail: str, now: datetime) -> None:
        """A few lots; where there are more, other batches have their look before the next."""
        for _ in range(LOTS):
            if not await self._queue.clear(batch.id, state, detail, now):
                return
            await asyncio.sleep(PAUSE)
        self._look_again()

    async def act(
        self, batch_id: str, action: Action, stop: Stop | None = None, by: str = BY_ITSELF
    ) -> Batch | None:
        """Do something to a batch, and tell of it; None where it stands otherwise by now."""
        now = self._parts.now()
        why, code = (stop.why, stop.code) if stop is not None else ("", "")
        try:
            before, after = await self._table.move(
                batch_id, None, lambda batch: fields_after(batch, action, now, why=why, code=code)
            )
        except InvalidInput:
            return None
        if action is not Action.TURN or before.started_at is None:
            tell_of(self._parts.tell, action, after, by, "info" if stop is None else "warning")
        self.wake()
        return after

    async def _see_to_runs(self, standing: Sequence[Batch], loop_now: float) -> None:
        """Each running batch has a run here, and no other has."""
        running = {batch.id: batch for batch in standing if batch.status == BatchStatus.RUNNING}
        for batch_id, (run, task) in list(self._runs.items()):
            if run.stopped_by is not None and batch_id in running:
                await self.act(batch_id, Action.PAUSE, run.stopped_by)
                running.pop(batch_id)
            if batch_id not in running:
                run.stop()
            if task.done():
                del self._runs[batch_id]
                self._ended(batch_id, task, loop_now)
        for batch_id, batch in running.items():
            rested = loop_now >= self._rested.get(batch_id, 0.0)
            if batch_id not in self._runs and rested and not self._draining:
                self._begin(batch)

    def _begin(self, batch: Batch) -> None:
        tools = Tools(
            queue=self._queue,
            desk=self._desk,
            placer=self._parts.placer,
            owner=self._parts.owner,
            room=self._room,
            keep=self._keep,
            leaves_free=self._parts.settings.free_share,
            window=self._parts.settings.window,
            now=self._parts.now,
        )
        numbers = [FromNumber.of(e164, e164) for e164 in batch.from_numbers]
        run = BatchRun(batch, self._judge(batch), numbers, tools)
        task = asyncio.create_task(run.run(), name=batch.id)
        task.add_done_callback(lambda _: self.wake())
        self._runs[batch.id] = run, task

    def _ended(self, batch_id: str, task: "asyncio.Task[None]", loop_now: float) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, NameLost):
            self._crashes.pop(batch_id, None)
            return
        crashes = self._crashes[batch_id] = self._crashes.get(batch_id, 0) + 1
        pause = PAUSES[min(crashes, len(PAUSES)) - 1]
        self._rested[batch_id] = loop_now + pause
        if not isinstance(error, StoreError):
            self._crashed(error, batch_id, pause)

    def _crashed(self, error: BaseException, batch_id: str, pause: float) -> None:
        fields = {"part": "run", "batch_id": batch_id, "seconds": pause}
        self._parts.tell("batch.crashed", level="error", **fields, exc_info=error)

    def _keep(self, row: QueueRow, task: "asyncio.Task[None]") -> None:
        self._calls[task] = row
        self._calls_of[row.batch_id] += 1
        task.add_done_callback(self._let_go)

    def _let_go(self, task: "asyncio.Task[None]") -> None:
        row = self._calls.pop(task)
        self._calls_of[row.batch_id] -= 1
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, NameLost):
            self._crashed(error, row.batch_id, TAKE_OVER_SECONDS)
        run = self._runs.get(row.batch_id)
        if not self._calls_of[row.batch_id]:
            del self._calls_of[row.batch_id]
            self._look_again()  # it was perhaps the last
        elif run is not None and run[0].stopped_by is not None:
            self._look_again()

    def _room(self, now: float) -> float:
        """Seconds until one more call of any batch may begin."""
        if self._parts.running_calls() >= self._parts.most_calls:
            return CROWDED_SECONDS
        wait = self._pace.wait(now)
        if not wait:
            self._pace = self._pace.take(now)
        return wait

    async def _judge_of(self, batch_id: str) -> Judge:
        return self._judge(await self._table.get(batch_id))

    def _judge(self, batch: Batch) -> Judge:
        settings = self._parts.settings
        guard = Guard(settings.guard_calls, settings.guard_share)
        return Judge(batch, self._queue.called_since, guard)
