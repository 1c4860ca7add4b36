"""One running batch, as this gateway dials it: takes recipients, waits for places, sees each call to its end.

The loop takes one recipient after the other, and waits with it until it has its places; the rest of its life
is a task. So many recipients as can be called next are in hand, and never more.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from gateway.batch.desk import Desk
from gateway.batch.guard import Stop
from gateway.batch.judging import Ended, Judge, Verdict, is_of_all, is_of_number, milliseconds, stop_of
from gateway.batch.pace import FromNumber, Rota
from gateway.call.placing import Before, CallRequest
from gateway.call.record import CallRecord, Ending, EndReason
from gateway.call.refusal import Refused
from gateway.call.switchboard import PlacedCall
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Reason, Rejected
from gateway.routing.number import country_of, parse_e164
from gateway.store.batches.recipients import Queue
from gateway.store.batches.values import DIALLING, QUEUED, Batch, Move, QueueRow
from gateway.store.engine.ids import new_id

PATIENCE = 0.2
"Seconds that a call of a batch may wait for its trunk's pace with its places taken: others come behind it."
IDLE_SECONDS = 5.0
"Between two looks at what is due, while nobody tells of anything."
FULL_SECONDS = 0.5
"How long places that are taken are waited for, unless a call of the batch ends before."
WALLET_SECONDS = 3.0
"After a call's end in which what it has set aside, and did not cost, is in the wallet again."
MOST_TRIED = 8
"Numbers that a recipient is tried with, while those before are at their limits."
WHAT = "a batch call"


class Placer(Protocol):
    """Places a call, or says why not; see `Placing.attempt`."""

    async def attempt(self, request: CallRequest, before: Before | None = None) -> PlacedCall:
        """Raises `Rejected` or `Refused`."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with."""

    queue: Queue
    desk: Desk
    placer: Placer
    owner: str
    room: Callable[[float], float]
    "Seconds until one more call of any batch may begin, given the loop's time; 0.0: now, and it is counted."
    keep: Callable[[QueueRow, "asyncio.Task[None]"], None]
    "Owns the task of a call, which outlives the run."
    leaves_free: float = 0.1
    window: int = 50
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Lost(Exception):
    """The recipient is not to be dialled any more: others have it, or the batch was stopped."""


@dataclass(slots=True)
class Attempt:
    """One recipient that is being given its places."""

    row: QueueRow
    from_number: str
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    "It has its places, or was refused."
    refusal: Rejected | Refused | None = None


class BatchRun:
    """Dials a batch until it is told to stop, or finds why it has to."""

    def __init__(self, batch: Batch, judge: Judge, numbers: Sequence[FromNumber], tools: Tools) -> None:
        self.batch = batch
        self.stopped_by: Stop | None = None
        "Why it does not go on by itself: for the engine, which pauses the batch."
        self.never = False
        "Its calling hours do not come any more."
        self.calls = 0
        "Those that are under way here."
        self.in_hand: list[QueueRow] = []
        "Recipients that are taken and not dialled yet."
        self._ended_at = float("-inf")
        "The last end of a call of ours."
        self._judge = judge
        self._rota = Rota(tuple(numbers))
        self._tools = tools
        self._stopping = False
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()

    def stop(self) -> None:
        """Take no further recipients, and put back those that are not dialled yet."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Something may have become due."""
        self._woken.set()
        self._freed.set()

    async def run(self) -> None:
        """Dial until `stop`, or until something stops it."""
        try:
            while not self._over:
                self._woken.clear()
                self._freed.clear()
                await self._round()
        finally:
            await self._put_back()

    @property
    def _over(self) -> bool:
        return self._stopping or self.stopped_by is not None

    async def _round(self) -> None:
        """Take what is due, and begin it; or wait until there may be more."""
        now, tools = self._tools.now(), self._tools
        opens = self._judge.opens(now)
        self.never = opens is None
        if opens is None or opens > now:
            await self._rest(self._woken, _seconds(None if opens is None else (opens - now).total_seconds()))
            return
        claimed = await tools.queue.claim(self.batch.id, tools.owner, tools.window, milliseconds(now))
        self.in_hand = list(claimed.rows)
        await self._put_off(now)
        while self.in_hand and not self._over:
            await self._begin(self.in_hand[0])
        due = claimed.next_due_ms
        if claimed.is_full:
            await self._rest(self._freed, FULL_SECONDS)
        elif not claimed.rows:
            await self._rest(self._woken, _seconds(None if due is None else due / 1000 - now.timestamp()))

    async def _put_off(self, now: datetime) -> None:
        """Put back, or end, those that may not be called at this time."""
        if not self.in_hand:
            return
        verdicts = await self._judge.may_be_called(self.in_hand, now)
        judged = list(zip(self.in_hand, verdicts, strict=True))
        await asyncio.gather(*(self.settle(row, verdict) for row, verdict in judged if verdict is not None))
        self.in_hand = [row for row, verdict in judged if verdict is None]

    async def _begin(self, row: QueueRow) -> None:
        """Have a recipient called, as soon as there is room; or find that it will not be."""
        while not self._over:
            self._freed.clear()
            seconds: float | None = self._tools.room(asyncio.get_running_loop().time())
            if not seconds:
                seconds = await self._try(row)
            if seconds is None:
                self.in_hand.pop(0)
                return
            await self._rest(self._freed, seconds)

    async def _try(self, row: QueueRow) -> float | None:
        """Try one number after the other; seconds to wait where none has a place, None: it is done with."""
        taken: set[str] = set()
        shortest = FULL_SECONDS
        while len(taken) < MOST_TRIED and (number := self._next_number(row, taken)) is not None:
            refusal = await self._with(row, number)
            if refusal is None:
                return None
            taken.add(number.e164)
            if is_of_number(refusal) and len(self._rota.numbers) > 1:
                self._rota = Rota(tuple(one for one in self._rota.numbers if one is not number))
            elif refusal.reason is Reason.INSUFFICIENT_BALANCE and self._money_may_come_back:
                break
            elif is_of_number(refusal) or is_of_all(refusal):
                self.stopped_by = stop_of(refusal)
                return 0.0
            elif refusal.retry_after is None and refusal.reason is not EndReason.GATEWAY_DRAINED:
                await self.settle(row, self._judge.refused(refusal))
                return None
            else:
                shortest = min(shortest, refusal.retry_after or FULL_SECONDS)
                if isinstance(refusal, Refused) or refusal.reason is Reason.WORKSPACE_CONCURRENCY_LIMIT:
                    break
        return shortest

    def _next_number(self, row: QueueRow, taken: set[str]) -> FromNumber | None:
        callee = parse_e164(row.phone_number)
        assert callee is not None, "a recipient's number was held to the rules"
        country = country_of(row.phone_number)
        chosen = self._rota.choose(callee, country, lambda number: number.e164 not in taken)
        if chosen is None:
            return None
        number, self._rota = chosen
        return number

    async def _with(self, row: QueueRow, number: FromNumber) -> Rejected | Refused | None:
        """Begin the call; None once it has its places, else why it has none."""
        attempt = Attempt(row, number.e164)
        self.calls += 1
        task = asyncio.create_task(self._live(attempt), name=f"{row.batch_id}/{row.position}")
        task.add_done_callback(self._over_with)
        self._tools.keep(row, task)
        await attempt.settled.wait()
        if attempt.refusal is not None:
            await asyncio.wait([task])
        return attempt.refusal

    def _over_with(self, _: "asyncio.Task[None]") -> None:
        self.calls -= 1
        self._freed.set()

    @property
    def _money_may_come_back(self) -> bool:
        """Calls set aside what they may cost, and nobody may pick up: the wallet knows a moment later."""
        since = asyncio.get_running_loop().time() - self._ended_at
        return bool(self.calls) or since < WALLET_SECONDS

    async def _live(self, attempt: Attempt) -> None:
        """One call, from the wish for it to its last word about the recipient."""
        try:
            row, placed = await self._place(attempt)
        except (Rejected, Refused) as refusal:
            attempt.refusal = refusal
            return
        except Lost:
            await self._tools.desk.move(_back(attempt.row))
            return
        finally:
            attempt.settled.set()
        ending = await placed.ended()
        self._ended_at = asyncio.get_running_loop().time()
        self._freed.set()
        verdict = await self._judge.ended(row, _ended(ending), self._tools.now())
        self.stopped_by = self.stopped_by or self._judge.stop
        await self.settle(row, verdict, parent=attempt.row.call_id)
        self.wake() if self._over else None

    async def _place(self, attempt: Attempt) -> tuple[QueueRow, PlacedCall]:
        row, call_id = attempt.row, new_id("call")

        async def on_disk(_: CallRecord) -> None:
            """The call's id is written before its INVITE may leave: who is killed now can be judged."""
            attempt.settled.set()
            now = self._tools.now()
            move = Move(row, DIALLING, row.depth, row.due_at_ms, call_id, row.outcome, row.detail, at=now)
            if self._over or not await self._tools.desk.move(move):
                raise Lost

        placed = await self._tools.placer.attempt(self._request(attempt, call_id), on_disk)
        return replace(row, state=DIALLING, call_id=call_id), placed

    def _request(self, attempt: Attempt, call_id: str) -> CallRequest:
        batch, row = self.batch, attempt.row
        asked = OutboundRequest(
            batch.workspace_id,
            row.phone_number,
            batch.agent_id,
            batch.version_number,
            attempt.from_number,
            what=WHAT,
        )
        return CallRequest(
            asked,
            batch.created_by,
            id=call_id,
            metadata=row.variables,
            batch_id=batch.id,
            parent_call_id=row.call_id,
            patience=PATIENCE,
            leaves_free=self._tools.leaves_free,
        )

    async def settle(self, row: QueueRow, verdict: Verdict, parent: str | None = None) -> None:
        """Write what becomes of a recipient; one that others have by now is theirs."""
        move = move_of(row, verdict, self._tools.now(), parent)
        await self._tools.desk.move(move)

    async def _put_back(self) -> None:
        rows, self.in_hand = self.in_hand, []
        await asyncio.gather(*(self._tools.desk.move(_back(row)) for row in rows))

    async def _rest(self, until: asyncio.Event, seconds: float) -> None:
        if self._over or seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await until.wait()
        except TimeoutError:
            pass


def _seconds(known: float | None) -> float:
    """How long to rest where nothing is due; None: nobody knows when something will be."""
    return IDLE_SECONDS if known is None else min(IDLE_SECONDS, max(0.0, known))


def move_of(row: QueueRow, verdict: Verdict, now: datetime, parent: str | None = None) -> Move:
    """A verdict as the queue takes it; `parent` is the call before, where this one does not count."""
    return Move(
        row,
        verdict.state.value,
        row.depth if verdict.depth is None else verdict.depth,
        verdict.due_at_ms,
        parent if verdict.unsent else row.call_id,
        verdict.outcome,
        verdict.detail,
        verdict.picked_up,
        verdict.unsent,
        now,
    )


def _back(row: QueueRow) -> Move:
    return Move(row, QUEUED, row.depth, row.due_at_ms, row.call_id, row.outcome, row.detail)


def _ended(ending: Ending) -> Ended:
    sip_status = ending.sip_status if ending.is_answer else None
    return Ended(ending.status.value, ending.reason.value, sip_status, ending.detail)
