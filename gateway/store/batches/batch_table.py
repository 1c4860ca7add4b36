"""Batches in the database: written whole or not at all, moved from status to status, read in pages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.batches.values import (
    CLAIMED,
    DIALLING,
    PREPARING,
    QUEUED,
    Batch,
    Counts,
    FailedRow,
    NewRecipient,
    Stage,
)
from gateway.store.engine.batch_schema import STATES, batch_failures, batch_recipients, batch_stages, batches
from gateway.store.engine.database import Database
from gateway.store.engine.errors import NotFound
from gateway.store.engine.schema import gateways

LOT = 1000
"Rows that one transaction writes, or deletes: other writers have their turn after each."
PAUSE = 0.005
"Seconds between two lots: call records are written in between."
PART = 100
"Rows that are made ready without a pause: running calls share the loop."
NO_BATCH = "Batch call not found"
LISTED = frozenset({"from_numbers", "number_ids", "columns"})
COUNTED = tuple(field.name for field in fields(Counts))
PLAIN = tuple(field.name for field in fields(Batch) if field.name not in {"counts", "stages"})

Decide = Callable[[Batch], Mapping[str, object]]
"Given a batch as it stands, which of its fields change, and to what; what it raises changes nothing."


@dataclass(frozen=True, slots=True)
class BatchTable:
    """The batches in the store."""

    database: Database

    async def begin(self, batch: Batch, owner: str) -> None:
        """Begin to write a batch: nobody sees it before `open`. `owner` is the process that writes it."""
        row = {**_columns(batch), "status": PREPARING, "why": owner}
        async with self.database.writing() as connection:
            await connection.execute(batches.insert().values(**row))

    async def append(self, batch_id: str, some: Sequence[NewRecipient]) -> None:
        """Write some recipients, in a transaction of their own; up to `LOT`."""
        rows = []
        for start in range(0, len(some), PART):
            rows += [_recipient(batch_id, one) for one in some[start : start + PART]]
            await asyncio.sleep(0)
        async with self.database.writing() as connection:
            await connection.exec_driver_sql(_insert_recipient(connection.dialect), rows)

    async def append_failures(self, batch_id: str, some: Sequence[FailedRow]) -> None:
        """Write some of the rows that were left out, likewise."""
        rows = [
            {
                "batch_id": batch_id,
                "position": one.position,
                "phone_number": _clean(one.phone_number),
                "reason": one.reason,
                "detail": _clean(one.detail),
            }
            for one in some
        ]
        async with self.database.writing() as connection:
            await connection.execute(batch_failures.insert(), rows)

    async def open(self, batch_id: str, **fields: object) -> Batch:
        """Let the batch be seen, with all that was written of it; `fields` are its status and the like."""
        mine = batch_recipients.c.batch_id == batch_id
        left_out = batch_failures.c.batch_id == batch_id
        async with self.database.writing() as connection:
            total = (await connection.execute(sa.select(sa.func.count()).where(mine))).scalar_one()
            failed = (await connection.execute(sa.select(sa.func.count()).where(left_out))).scalar_one()
            counted = {"total": total, "queued": total, "failed_rows": failed, "why": ""}
            same = batches.c.id == batch_id
            await connection.execute(batches.update().where(same).values(**{**counted, **fields}))
            stage = {"batch_id": batch_id, "depth": 0, "total": total, "attempted": 0, "picked_up": 0}
            await connection.execute(batch_stages.insert().values(**stage))
            return await _get(connection, batch_id)

    async def discard(self, batch_id: str) -> None:
        """Delete a batch that was never opened, with all that was written of it, lot by lot."""
        await self.empty(batch_id)
        same = (batches.c.id == batch_id) & (batches.c.status == PREPARING)
        async with self.database.writing() as connection:
            await connection.execute(batches.delete().where(same))

    async def empty(self, batch_id: str) -> None:
        """Delete a batch's recipients and the rows that were left out, lot by lot."""
        for table in (batch_recipients, batch_failures):
            some = sa.select(table.c.position).where(table.c.batch_id == batch_id).limit(LOT)
            gone = table.delete().where(table.c.batch_id == batch_id, table.c.position.in_(some))
            deleted = LOT
            while deleted == LOT:
                async with self.database.writing() as connection:
                    deleted = (await connection.execute(gone)).rowcount
                await asyncio.sleep(PAUSE)

    async def get(self, batch_id: str, workspace_id: str | None = None) -> Batch:
        """One batch of a workspace, or of any; `NotFound` where there is none such."""
        async with self.database.reading() as connection:
            return await _get(connection, batch_id, workspace_id)

    async def page(
        self, workspace_id: str, statuses: Collection[str] = (), limit: int = 20, offset: int = 0
    ) -> tuple[list[Batch], int]:
        """A workspace's batches, newest first, and how many there are in all."""
        which = [batches.c.workspace_id == workspace_id, batches.c.status != PREPARING]
        which += [batches.c.status.in_(sorted(statuses))] if statuses else []
        page = batches.select().where(*which).order_by(batches.c.id.desc()).limit(limit).offset(offset)
        async with self.database.reading() as connection:
            total = await connection.execute(sa.select(sa.func.count()).select_from(batches).where(*which))
            return await _with_stages(connection, page), total.scalar_one()

    async def standing(self, statuses: Collection[str]) -> list[Batch]:
        """The batches of all workspaces in these statuses, those whose turn comes first in front."""
        which = batches.select().where(batches.c.status.in_(sorted(statuses)))
        async with self.database.reading() as connection:
            return await _with_stages(connection, which.order_by(batches.c.turn_order, batches.c.id))

    async def left_to_clear(self, statuses: Collection[str]) -> list[Batch]:
        """Those in these statuses of which recipients wait that nobody will call."""
        which = batches.select().where(batches.c.status.in_(sorted(statuses)), batches.c.queued > 0)
        async with self.database.reading() as connection:
            return await _with_stages(connection, which)

    async def move(self, batch_id: str, workspace_id: str | None, decide: Decide) -> tuple[Batch, Batch]:
        """Change a batch as `decide` says, alone with it; how it stood, and how it stands."""
        async with self.database.writing() as connection:
            await _lock(connection, [batch_id])
            before = await _get(connection, batch_id, workspace_id)
            changed = dict(decide(before))
            if changed:
                same = batches.c.id == batch_id
                await connection.execute(batches.update().where(same).values(**_listed(changed)))
            return before, await _get(connection, batch_id, workspace_id)

    async def calling_from(self, number_id: str, statuses: Collection[str]) -> list[Batch]:
        """The batches in these statuses that call from a number."""
        return [one for one in await self.standing(statuses) if number_id in one.number_ids]

    async def failures(self, batch_id: str, reason: str | None = None) -> AsyncIterator[FailedRow]:
        """The rows that were left out, in the order of the file; all of them, or those of a reason."""
        after = -1
        which = [batch_failures.c.batch_id == batch_id]
        which += [] if reason is None else [batch_failures.c.reason == reason]
        names = [batch_failures.c[field.name] for field in fields(FailedRow)]
        while True:
            page = sa.select(*names).where(*which, batch_failures.c.position > after)
            async with self.database.reading() as connection:
                rows = (await connection.execute(page.order_by(batch_failures.c.position).limit(LOT))).all()
            for row in rows:
                yield FailedRow(*row)
            if len(rows) < LOT:
                return
            after = rows[-1].position

    async def sweep(self) -> int:
        """Delete what killed processes have left of batches that they were writing; how many."""
        writing = sa.select(gateways.c.token)
        half = sa.select(batches.c.id).where(batches.c.status == PREPARING, batches.c.why.not_in(writing))
        async with self.database.reading() as connection:
            left = list((await connection.execute(half)).scalars())
        for batch_id in left:
            await self.discard(batch_id)
        return len(left)


async def lock_batches(connection: AsyncConnection, batch_ids: Collection[str]) -> None:
    """Be alone with these batches until the transaction ends; always before any recipient is touched."""
    await _lock(connection, batch_ids)


async def count(connection: AsyncConnection, batch_id: str, differences: Mapping[str, int]) -> None:
    """Add to a batch's counters, in the transaction of what they count."""
    changed = {name: batches.c[name] + by for name, by in differences.items() if by}
    if changed:
        await connection.execute(batches.update().where(batches.c.id == batch_id).values(**changed))


async def _lock(connection: AsyncConnection, batch_ids: Collection[str]) -> None:
    which = sa.select(batches.c.id).where(batches.c.id.in_(sorted(batch_ids)))
    await connection.execute(which.order_by(batches.c.id).with_for_update())


async def _get(connection: AsyncConnection, batch_id: str, workspace_id: str | None = None) -> Batch:
    which = batches.select().where(batches.c.id == batch_id, batches.c.status != PREPARING)
    if workspace_id is not None:
        which = which.where(batches.c.workspace_id == workspace_id)
    found = await _with_stages(connection, which)
    if not found:
        raise NotFound("id", batch_id, NO_BATCH, whole=True)
    return found[0]


async def _with_stages(connection: AsyncConnection, which: "sa.Select[Any]") -> list[Batch]:
    rows = (await connection.execute(which)).mappings().all()
    ids = [row["id"] for row in rows]
    query = batch_stages.select().where(batch_stages.c.batch_id.in_(ids))
    stages: dict[str, list[Stage]] = {batch_id: [] for batch_id in ids}
    for one in await connection.execute(query.order_by(batch_stages.c.batch_id, batch_stages.c.depth)):
        stages[one.batch_id].append(Stage(one.depth, one.total, one.attempted, one.picked_up))
    return [_batch_of(row, stages[row["id"]]) for row in rows]


def _batch_of(row: Mapping[str, Any], stages: Iterable[Stage]) -> Batch:
    given = {name: row[name] for name in PLAIN}
    given.update({name: tuple(row[name]) for name in LISTED})
    return Batch(**given, counts=Counts(**{name: row[name] for name in COUNTED}), stages=tuple(stages))


def _columns(batch: Batch) -> dict[str, object]:
    counts = {name: getattr(batch.counts, name) for name in COUNTED}
    return {**_listed({name: getattr(batch, name) for name in PLAIN}), **counts}


def _listed(given: Mapping[str, object]) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


NEW = (
    "batch_id",
    "position",
    "phone_number",
    "variables",
    "timezone",
    "state",
    "depth",
    "due_at_ms",
    "epoch",
)


def _recipient(batch_id: str, one: NewRecipient) -> tuple[object, ...]:
    variables = _json(one.variables)
    return batch_id, one.position, one.phone_number, variables, _clean(one.timezone), QUEUED, 0, 0, 0, ""


@lru_cache(8)
def _insert_recipient(dialect: Dialect) -> str:
    """The insert as text: a file has hundreds of thousands of rows, and SQLAlchemy makes two of each."""
    compiled = batch_recipients.insert().compile(dialect=dialect, column_keys=[*NEW, "detail"])
    assert compiled.positiontup == [*NEW, "detail"], "the order that `_recipient` has"
    return str(compiled)


REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _json(variables: Mapping[str, str]) -> str:
    """As both databases take it: no NUL, no half a surrogate pair."""
    try:
        text = orjson.dumps(variables).decode()
    except TypeError:
        text = "\\u0000"
    if "\\u0000" in text:
        return orjson.dumps({_clean(name): _clean(value) for name, value in variables.items()}).decode()
    return text


def _clean(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", REPLACEMENT).encode("utf-8", "replace").decode()


assert set(STATES) >= {QUEUED, CLAIMED, DIALLING}, "each has its counter"
