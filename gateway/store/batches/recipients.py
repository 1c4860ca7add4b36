"""The queue of recipients: taken in lots by whoever has the turn, each ended exactly once.

Every transaction has its batches to itself first (`lock_batches`), then touches recipients, and leaves the
counters of the batches as the recipients stand. So none is ever wrong, and nobody waits in a circle.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.batches.batch_table import LOT, count, lock_batches
from gateway.store.batches.values import CLAIMED, DIALLING, ENDED, QUEUED, Move, QueueRow
from gateway.store.engine.batch_schema import batch_recipients, batch_stages, batches
from gateway.store.engine.database import Database
from gateway.store.engine.schema import calls
from gateway.store.records.writer import Fence, no_fence

FIELDS = tuple(field.name for field in fields(QueueRow))
_in_hand = (CLAIMED, DIALLING)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Recipients that whoever asked is to call now."""

    rows: tuple[QueueRow, ...]
    next_due_ms: int | None = None
    "When the next one is due, where fewer were; None: it is not known, or none waits."
    is_full: bool = False
    "The batch has as many in hand as it may."


MAX_PAGE = 200
"Recipients that are read in one go, where all of them are."


@dataclass(frozen=True, slots=True)
class Queue:
    """The recipients of all batches."""

    database: Database
    fence: Fence = no_fence

    async def claim(self, batch_id: str, owner: str, most: int, now_ms: int) -> Claimed:
        """Take up to so many recipients that are due, for `owner` alone; none of a batch that does not run.

        All gateways together have no more in hand than the batch's own `max_concurrent`.
        """
        async with self.database.writing() as connection:
            await self.fence(connection)
            await lock_batches(connection, [batch_id])
            allowed = await _allowed(connection, batch_id)
            most = most if allowed is None else min(most, allowed)
            rows = await _take(connection, batch_id, owner, most, now_ms) if most > 0 else []
            await count(connection, batch_id, {QUEUED: -len(rows), CLAIMED: len(rows)})
            due = None if len(rows) >= most else await _next_due(connection, batch_id)
        return Claimed(tuple(rows), due, is_full=allowed is not None and len(rows) >= allowed)

    async def move(self, owner: str, moves: Sequence[Move]) -> list[bool]:
        """Move what `owner` has in hand, all in one transaction; of each, whether it was his to move.

        What he has lost meanwhile, since others took him for dead, is left as it stands.
        """
        async with self.database.writing() as connection:
            await self.fence(connection)
            return await move_all(connection, moves, owner)

    async def clear(self, batch_id: str, state: str, detail: str, at: datetime) -> int:
        """End some of the recipients that wait, for good; how many: up to `LOT`, so that others come in."""
        columns = batch_recipients.c
        # No one by one: a thousand parameters take longer to write down than the rest of it.
        some = sa.select(columns.position).where(_where(batch_id, QUEUED)).limit(LOT)
        mine = (columns.batch_id == batch_id) & columns.position.in_(some)
        ended = {
            "state": state,
            "detail": detail,
            "ended_at": at,
            "outcome": sa.func.coalesce(columns.outcome, state),
        }
        async with self.database.writing() as connection:
            await self.fence(connection)
            await lock_batches(connection, [batch_id])
            clearing = batch_recipients.update().where(mine).values(**ended)
            cleared = (await connection.execute(clearing)).rowcount
            await count(connection, batch_id, {QUEUED: -cleared, state: cleared})
        return cleared

    async def page(
        self, batch_id: str, limit: int, offset: int = 0, state: str | None = None
    ) -> list[QueueRow]:
        """A batch's recipients, in the order of the file; those in a state in the order of their turn."""
        columns = batch_recipients.c
        which, order = columns.batch_id == batch_id, [columns.position]
        if state is not None:
            which, order = _where(batch_id, state), [columns.due_at_ms, columns.position]
        some = sa.select(columns.position).where(which).order_by(*order).limit(limit).offset(offset)
        query = _select().where(columns.batch_id == batch_id, columns.position.in_(some))
        async with self.database.reading() as connection:
            return [row_of(row) for row in await connection.execute(query.order_by(*order))]

    async def behind(self, batch_id: str, position: int, limit: int) -> list[QueueRow]:
        """Recipients behind a position, in the order of the file: costs the same however far in."""
        columns = batch_recipients.c
        query = _select().where(columns.batch_id == batch_id, columns.position > position)
        async with self.database.reading() as connection:
            found = await connection.execute(query.order_by(columns.position).limit(limit))
            return [row_of(row) for row in found]

    async def outcomes(self, batch_id: str) -> list[tuple[str, int]]:
        """What came of a batch's recipients so far: each outcome with how many have it, the most first."""
        columns = batch_recipients.c
        known = sa.select(columns.outcome, sa.func.count().label("amount")).where(
            columns.batch_id == batch_id, columns.outcome.is_not(None), columns.state.in_(ENDED)
        )
        by_size = known.group_by(columns.outcome).order_by(sa.desc("amount"), columns.outcome)
        async with self.database.reading() as connection:
            return [(row[0], row[1]) for row in await connection.execute(by_size)]

    async def called_since(
        self, workspace_id: str, numbers: Collection[str], since: datetime
    ) -> Mapping[str, int]:
        """How often a workspace has called each of some numbers since a moment."""
        query = sa.select(calls.c.to_number, sa.func.count()).where(
            calls.c.workspace_id == workspace_id,
            calls.c.to_number.in_(sorted(numbers)),
            calls.c.created_at >= since,
            calls.c.direction == "outbound",
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query.group_by(calls.c.to_number))).all()
        return {row[0]: row[1] for row in rows}


async def _allowed(connection: AsyncConnection, batch_id: str) -> int | None:
    """How many more a batch may have in hand; None: any number."""
    query = sa.select(
        batches.c.status, batches.c.max_concurrent, batches.c.claimed + batches.c.dialling
    ).where(batches.c.id == batch_id)
    found = (await connection.execute(query)).first()
    if found is None or found[0] != "running":
        return 0
    return None if found[1] is None else max(0, found[1] - found[2])


async def _take(
    connection: AsyncConnection, batch_id: str, owner: str, most: int, now_ms: int
) -> list[QueueRow]:
    # Two statements: PostgreSQL may ask a locking subquery anew for each row, and take too many.
    columns = batch_recipients.c
    due = _select().where(_where(batch_id, QUEUED), columns.due_at_ms <= now_ms)
    some = due.order_by(columns.due_at_ms, columns.position).limit(most).with_for_update(skip_locked=True)
    rows = [row_of(row) for row in await connection.execute(some)]
    if rows:
        taking = batch_recipients.update().where(
            columns.batch_id == batch_id, columns.position.in_([row.position for row in rows])
        )
        await connection.execute(taking.values(state=CLAIMED, owner=owner, epoch=columns.epoch + 1))
    return [replace(row, state=CLAIMED, owner=owner, epoch=row.epoch + 1) for row in rows]


async def _next_due(connection: AsyncConnection, batch_id: str) -> int | None:
    query = sa.select(sa.func.min(batch_recipients.c.due_at_ms)).where(_where(batch_id, QUEUED))
    due: int | None = (await connection.execute(query)).scalar()
    return due


async def move_all(connection: AsyncConnection, moves: Sequence[Move], owner: str) -> list[bool]:
    """Move recipients in this transaction; of each, whether `owner` had it in hand as he believes."""
    if not moves:
        return []
    await lock_batches(connection, {move.row.batch_id for move in moves})
    there = await _as_they_stand(connection, [move.row for move in moves])
    running = await _running(connection, {move.row.batch_id for move in moves if move.state == DIALLING})
    held, ours = [], []
    for move in moves:
        place = move.row.batch_id, move.row.position
        stands = there.get(place)
        is_ours = stands == Stands(move.row.state, owner, move.row.epoch, move.row.call_id)
        is_ours = is_ours and (move.state != DIALLING or move.row.batch_id in running)
        # What was written before its answer was lost is asked for again.
        held.append(is_ours or stands == Stands.after(move, owner))
        if is_ours:
            ours.append(move)
            there[place] = Stands.after(move, owner)
    if ours:
        await connection.execute(_MOVE, [_values(move, owner) for move in ours])
        await _count_all(connection, ours)
    return held


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a recipient stands, and with whom."""

    state: str
    owner: str | None
    epoch: int
    call_id: str | None

    @classmethod
    def after(cls, move: Move, owner: str) -> "Stands":
        """Once it is moved by its owner."""
        return cls(move.state, owner if move.state in _in_hand else None, move.row.epoch, move.call_id)


async def _as_they_stand(
    connection: AsyncConnection, rows: Iterable[QueueRow]
) -> dict[tuple[str, int], Stands]:
    by_batch: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_batch[row.batch_id].append(row.position)
    found = {}
    columns = batch_recipients.c
    stands = columns.state, columns.owner, columns.epoch, columns.call_id
    for batch_id, positions in by_batch.items():
        query = sa.select(columns.position, *stands).where(
            columns.batch_id == batch_id, columns.position.in_(positions)
        )
        for position, *there in await connection.execute(query.with_for_update()):
            found[batch_id, position] = Stands(*there)
    return found


async def _running(connection: AsyncConnection, batch_ids: Collection[str]) -> set[str]:
    """Those of some batches that dial: where one was stopped, nothing goes out that was in hand."""
    if not batch_ids:
        return set()
    query = sa.select(batches.c.id).where(batches.c.id.in_(sorted(batch_ids)), batches.c.status == "running")
    return set((await connection.execute(query)).scalars())


_MOVE = (
    batch_recipients.update()
    .where(
        batch_recipients.c.batch_id == sa.bindparam("of_batch"),
        batch_recipients.c.position == sa.bindparam("at_position"),
    )
    .values(
        {name: sa.bindparam(f"to_{name}") for name in ("state", "depth", "due_at_ms", "call_id", "owner")}
        | {name: sa.bindparam(f"to_{name}") for name in ("outcome", "detail", "ended_at")}
    )
)


def _values(move: Move, owner: str) -> dict[str, Any]:
    return {
        "of_batch": move.row.batch_id,
        "at_position": move.row.position,
        "to_state": move.state,
        "to_depth": move.depth,
        "to_due_at_ms": move.due_at_ms,
        "to_call_id": move.call_id,
        "to_owner": owner if move.state in _in_hand else None,
        "to_outcome": move.outcome,
        "to_detail": move.detail,
        "to_ended_at": None if move.state in (QUEUED, *_in_hand) else move.at,
    }


async def _count_all(connection: AsyncConnection, moves: Sequence[Move]) -> None:
    """The counters of batches and of their stages, as these moves have left the recipients."""
    by_batch: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        by_batch[move.row.batch_id].append(move)
    for batch_id, own in sorted(by_batch.items()):
        await count(connection, batch_id, _differences(own))
        sent = [move.at for move in own if move.state == DIALLING and move.at is not None]
        if sent:
            latest = batches.update().where(batches.c.id == batch_id).values(last_call_sent_at=max(sent))
            await connection.execute(latest)
        for depth, differences in sorted(_of_stages(own).items()):
            await _count_stage(connection, batch_id, depth, differences)


def _differences(moves: Iterable[Move]) -> Counter[str]:
    differences: Counter[str] = Counter()
    for move in moves:
        differences[move.row.state] -= 1
        differences[move.state] += 1
        differences["sent"] += move.state == DIALLING and move.row.call_id is None
        differences["sent"] -= move.unsent and move.call_id is None
        differences["picked_up"] += move.picked_up
        differences["picked_up_leads"] += move.picked_up and move.state != QUEUED
    return differences


def _of_stages(moves: Iterable[Move]) -> dict[int, Counter[str]]:
    stages: dict[int, Counter[str]] = defaultdict(Counter)
    for move in moves:
        stages[move.row.depth]["attempted"] += (move.state == DIALLING) - move.unsent
        stages[move.row.depth]["picked_up"] += move.picked_up
        if move.depth > move.row.depth:
            stages[move.depth]["total"] += 1
    return {depth: counted for depth, counted in stages.items() if any(counted.values())}


async def _count_stage(
    connection: AsyncConnection, batch_id: str, depth: int, differences: Mapping[str, int]
) -> None:
    columns = batch_stages.c
    changed = {name: columns[name] + by for name, by in differences.items()}
    same = (columns.batch_id == batch_id) & (columns.depth == depth)
    if not (await connection.execute(batch_stages.update().where(same).values(**changed))).rowcount:
        fresh = {"total": 0, "attempted": 0, "picked_up": 0, **differences}
        await connection.execute(batch_stages.insert().values(batch_id=batch_id, depth=depth, **fresh))


def _where(batch_id: str, state: str) -> sa.ColumnElement[bool]:
    return (batch_recipients.c.batch_id == batch_id) & (batch_recipients.c.state == state)


def _select() -> "sa.Select[Any]":
    return sa.select(*(batch_recipients.c[name] for name in FIELDS))


def row_of(row: Sequence[Any]) -> QueueRow:
    """A recipient out of the columns `FIELDS`."""
    return QueueRow(**dict(zip(FIELDS, row, strict=True)))
