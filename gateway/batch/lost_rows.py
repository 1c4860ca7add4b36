"""Recipients that a dead process has left, or a crashed task of our own: back into the queue, or judged."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

from gateway.batch.dialling import move_of
from gateway.batch.judging import Ended, Judge, Verdict
from gateway.batch.machine import RecipientState
from gateway.batch.retrying import Outcome
from gateway.call.record import EndReason
from gateway.store.batches.recovery import LeftCall, Recovery
from gateway.store.batches.values import CLAIMED, QUEUED, Move, QueueRow
from gateway.store.engine.tenure import STALE_SECONDS
from gateway.store.records.calls import CallRow

JudgeOf = Callable[[str], Awaitable[Judge]]
"Who judges the recipients of a batch."
CUT = "the gateway was killed in the middle of the call"


class LostRows:
    """Watches who has recipients in hand, and takes over what the dead have left."""

    def __init__(self, recovery: Recovery, owner: str, judge_of: JudgeOf) -> None:
        self._recovery = recovery
        self._owner = owner
        self._judge_of = judge_of
        self._seen: dict[str, tuple[int, float]] = {}
        "Of each other process its last sign of life, and when that was first seen."
        self._orphans: set[tuple[str, int, int]] = set()
        "What we had in hand without a task at the last look: batch, position, epoch."

    async def take_over(self, now: datetime, alive: Callable[[], Collection[tuple[str, int]]]) -> int:
        """Give back or judge all that the dead have left; how many recipients. `alive` has a task here."""
        count = 0
        for owner in await self._dead():
            count += await self._move(owner, await self._recovery.in_hand(owner), now)
        return count + await self._move(self._owner, await self._orphaned(alive), now)

    async def _dead(self) -> list[str]:
        """Processes that have recipients in hand and give no signs of life any more."""
        signs = await self._recovery.owners()
        at = time.monotonic()
        signs.pop(self._owner, None)
        self._seen = {owner: seen for owner, seen in self._seen.items() if owner in signs}
        return [owner for owner, beats in signs.items() if self._is_dead(owner, beats, at)]

    def _is_dead(self, owner: str, beats: int | None, at: float) -> bool:
        if beats is None:
            return True
        known = self._seen.get(owner)
        if known is None or known[0] != beats:
            self._seen[owner] = beats, at
            return False
        return at - known[1] >= STALE_SECONDS

    async def _orphaned(self, alive: Callable[[], Collection[tuple[str, int]]]) -> list[LeftCall]:
        """Our own that nothing here lives for, at two looks in a row: a task of theirs has crashed."""
        ours = await self._recovery.in_hand(self._owner)
        cared_for = alive()
        left = [one for one in ours if (one.row.batch_id, one.row.position) not in cared_for]
        before, self._orphans = self._orphans, {_name(one.row) for one in left}
        return [one for one in left if _name(one.row) in before]

    async def _move(self, owner: str, left: Sequence[LeftCall], now: datetime) -> int:
        moves = [await self._judged(one, now) for one in left]
        return sum(await self._recovery.queue.move(owner, moves)) if moves else 0

    async def _judged(self, left: LeftCall, now: datetime) -> Move:
        row = left.row
        if row.state == CLAIMED:
            return Move(row, QUEUED, row.depth, row.due_at_ms, row.call_id, row.outcome, row.detail)
        judge = await self._judge_of(row.batch_id)
        return move_of(row, await _verdict(row, left.call, judge, now), now)


def _name(row: QueueRow) -> tuple[str, int, int]:
    return row.batch_id, row.position, row.epoch


async def _verdict(row: QueueRow, call: CallRow | None, judge: Judge, now: datetime) -> Verdict:
    """What its record says; without one, or without an ending in it, the rule for those who are uncertain."""
    cut = call is not None and (call.ended_at is None or call.end_reason == EndReason.GATEWAY_RESTARTED)
    if call is not None and not cut:
        return await judge.ended(row, Ended(call.status, call.end_reason, call.sip_status, call.detail), now)
    if call is not None and call.answered_at is not None:
        return Verdict(RecipientState.DONE, Outcome.FAILED, CUT, picked_up=True)
    return judge.uncertain(row, now)
