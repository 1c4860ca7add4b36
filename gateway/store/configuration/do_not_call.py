"""Do-not-call lists: the numbers that a workspace's calls never go to, up to a million of them.

Numbers come and go in lots, each a transaction of some milliseconds, so that a whole file keeps no other
writer waiting. A number counts from the moment that its lot is written; all lots of one change are one line
of the history.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.do_not_call import Listed
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Changing, Editing
from gateway.store.configuration.history import Entry, go_on, record
from gateway.store.configuration.rules import checked_reason
from gateway.store.engine.schema import do_not_call, do_not_call_counts
from gateway.store.lots import in_lots

KIND = "do_not_call"
"Of its changes, in the history; their object is the number, or the workspace where there are several."
LOT = 5000
"Numbers of one transaction, and of one question."
MAX_PAGE = 100
READ = 400
"Numbers that are read at once where all are wanted."
NAMED = 20
"Numbers that a line of the history names."

LOOK_UP = "SELECT reason, added_by, added_at FROM do_not_call WHERE workspace_id = ? AND phone_number = ?"
"What a decision asks of the driver itself; `listed_of` reads the answer."


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some numbers of a list, in the order of their digits."""

    items: Sequence[Listed]
    total: int
    "How many there are in all, of those that were asked for."


@dataclass(frozen=True, slots=True)
class Updated:
    """What an addition or a removal came to."""

    changed: int
    "Numbers that were added, or removed."
    unchanged: int
    "Those that were on the list before, or were not."
    total: int
    "How long the list is now."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A change of a list."""

    workspace_id: str
    by: str
    removes: bool = False
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Told:
    """How far a change is, and where the history has it."""

    changed: int = 0
    before: int = 0
    total: int = 0
    revision: int | None = None
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DoNotCall:
    """The lists in the store. All numbers here are E.164, each once."""

    editing: Editing
    caps: Caps

    async def add(
        self, workspace_id: str, e164s: Collection[str], by: str, *, reason: str = "", source: str = ""
    ) -> Updated:
        """Put numbers on the list; what is on it stays as it is. `source` names their file, for the history.

        `Conflict` where the list would be too long, before anything is added.
        """
        wanted = _Wanted(workspace_id, by, reason=checked_reason(reason), source=source)
        new = len(e164s)
        for lot in in_lots(e164s, LOT):
            new -= len(await self.among(workspace_id, lot))
        return await self._write(wanted, e164s, new)

    async def remove(self, workspace_id: str, e164s: Collection[str], by: str) -> Updated:
        """Take numbers off the list; those that are not on it are counted."""
        return await self._write(_Wanted(workspace_id, by, removes=True), e164s)

    async def find(self, workspace_id: str, e164: str) -> Listed | None:
        """What the list says of a number; None where it is not on it."""
        query = do_not_call.select().where(
            do_not_call.c.workspace_id == workspace_id, do_not_call.c.phone_number == e164
        )
        async with self.editing.database.reading() as connection:
            found = (await connection.execute(query)).mappings().first()
        return None if found is None else _listed(found)

    async def contains(self, workspace_id: str, e164: str) -> bool:
        """Whether a number is on the list."""
        return bool(await self.among(workspace_id, [e164]))

    async def among(self, workspace_id: str, e164s: Collection[str]) -> set[str]:
        """Those of up to `LOT` numbers that are on the list."""
        assert len(e164s) <= LOT, "more numbers than one question takes"
        async with self.editing.database.reading() as connection:
            query = sa.select(do_not_call.c.phone_number).where(_these(connection, workspace_id, e164s))
            return set((await connection.execute(query)).scalars())

    async def total(self, workspace_id: str) -> int:
        """How long the list is."""
        async with self.editing.database.reading() as connection:
            return await count(connection, workspace_id)

    async def page(
        self, workspace_id: str, *, begins: str = "", limit: int = 20, offset: int = 0
    ) -> ListPage:
        """The numbers that begin so, `+` and digits; all where nothing is said."""
        which = do_not_call.c.workspace_id == workspace_id
        if begins:
            number = do_not_call.c.phone_number
            which = sa.and_(which, number >= begins, number < f"{begins}:")
        query = do_not_call.select().where(which).order_by(do_not_call.c.phone_number)
        fit = sa.select(sa.func.count()).select_from(do_not_call).where(which)
        async with self.editing.database.reading() as connection:
            rows = await connection.execute(query.limit(min(limit, MAX_PAGE)).offset(offset))
            items = [_listed(row) for row in rows.mappings()]
            if begins:
                return ListPage(items, (await connection.execute(fit)).scalar_one())
            return ListPage(items, await count(connection, workspace_id))

    async def everything(self, workspace_id: str) -> AsyncIterator[Sequence[Listed]]:
        """The whole list in the order of its digits, some hundred numbers at a time."""
        last = ""
        while True:
            which = sa.and_(do_not_call.c.workspace_id == workspace_id, do_not_call.c.phone_number > last)
            query = do_not_call.select().where(which).order_by(do_not_call.c.phone_number).limit(READ)
            async with self.editing.database.reading() as connection:
                part = [_listed(row) for row in (await connection.execute(query)).mappings()]
            if not part:
                return
            yield part
            last = part[-1].phone_number

    async def numbers(self, workspace_id: str) -> AsyncIterator[Sequence[str]]:
        """The numbers alone, in the order of their texts, some thousand at a time."""
        last = ""
        while True:
            number = do_not_call.c.phone_number
            which = sa.and_(do_not_call.c.workspace_id == workspace_id, number > last)
            async with self.editing.database.reading() as connection:
                query = sa.select(number).where(which).order_by(number).limit(LOT)
                part = (await connection.execute(query)).scalars().all()
            if not part:
                return
            yield part
            last = part[-1]

    async def _write(self, wanted: _Wanted, e164s: Collection[str], new: int = 0) -> Updated:
        told = _Told(total=await self.total(wanted.workspace_id))
        for lot in in_lots(e164s, LOT):
            async with self.editing.changing(wanted.by) as changing:
                if new:
                    before = await count(changing.connection, wanted.workspace_id)
                    self.caps.do_not_call(changing, before + new - told.changed)
                told = await _write_lot(changing, wanted, lot, told)
        return Updated(told.changed, len(e164s) - told.changed, told.total)


async def count(connection: AsyncConnection, workspace_id: str) -> int:
    """How long a workspace's list is."""
    query = sa.select(do_not_call_counts.c.numbers).where(do_not_call_counts.c.workspace_id == workspace_id)
    return (await connection.execute(query)).scalar() or 0


def listed_of(e164: str, row: Sequence[Any]) -> Listed:
    """What the answer to `LOOK_UP` says of the number; SQLite has its times as text, in UTC."""
    reason, added_by, added_at = row
    if not isinstance(added_at, datetime):
        added_at = datetime.fromisoformat(added_at).replace(tzinfo=UTC)
    return Listed(e164, reason, added_by, added_at)


async def _write_lot(changing: Changing, wanted: _Wanted, lot: Sequence[str], told: _Told) -> _Told:
    """One transaction's part: the numbers, how many there are, and what the history says by now."""
    connection = changing.connection
    before = await count(connection, wanted.workspace_id)
    change = _delete(connection, wanted, lot) if wanted.removes else _insert(connection, wanted, lot)
    changed = (await connection.execute(change)).rowcount
    total = before - changed if wanted.removes else before + changed
    if not changed:
        return replace(told, total=total)
    await _set_count(connection, wanted.workspace_id, total)
    if told.revision is None:
        told = _Told(changed, before, total, named=tuple(lot[:NAMED]))
        changing.revision = await record(connection, _entry(wanted, told))
        return replace(told, revision=changing.revision)
    told = replace(told, changed=told.changed + changed, total=total)
    assert told.revision is not None
    await go_on(connection, told.revision, _entry(wanted, told))
    return told


def _entry(wanted: _Wanted, told: _Told) -> Entry:
    """The line of the history: how long the list was and is, what came or went, why, out of which file."""
    what: Mapping[str, Any] = {"e164": told.named[0]} if len(told.named) == 1 else {"e164s": list(told.named)}
    more = {"reason": wanted.reason or None, "file": wanted.source or None}
    return Entry(
        by=wanted.by,
        workspace_id=wanted.workspace_id,
        kind=KIND,
        object_id=told.named[0] if len(told.named) == 1 else wanted.workspace_id,
        action="remove" if wanted.removes else "add",
        before={"numbers": told.before, **(what if wanted.removes else {})},
        after={"numbers": told.total, **({} if wanted.removes else what), **more},
    )


async def _set_count(connection: AsyncConnection, workspace_id: str, numbers: int) -> None:
    insert = (
        _dialect(connection).insert(do_not_call_counts).values(workspace_id=workspace_id, numbers=numbers)
    )
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["workspace_id"], set_={"numbers": numbers})
    )


def _insert(connection: AsyncConnection, wanted: _Wanted, lot: Collection[str]) -> sa.Insert:
    each = _values(connection, lot)
    row = {
        "workspace_id": sa.literal(wanted.workspace_id),
        "phone_number": each,
        "reason": sa.literal(wanted.reason),
        "added_by": sa.literal(wanted.by),
        "added_at": sa.literal(datetime.now(UTC), do_not_call.c.added_at.type),
    }
    # Without a condition, SQLite takes `ON CONFLICT` for that of a join.
    found = sa.select(*row.values()).where(sa.true())
    insert = _dialect(connection).insert(do_not_call).from_select(list(row), found)
    return insert.on_conflict_do_nothing()  # type: ignore[no-any-return]


def _delete(connection: AsyncConnection, wanted: _Wanted, lot: Collection[str]) -> sa.Delete:
    return do_not_call.delete().where(_these(connection, wanted.workspace_id, lot))


def _these(connection: AsyncConnection, workspace_id: str, e164s: Collection[str]) -> sa.ColumnElement[bool]:
    own = do_not_call.c.workspace_id == workspace_id
    return sa.and_(own, do_not_call.c.phone_number.in_(sa.select(_values(connection, e164s))))


def _values(connection: AsyncConnection, texts: Collection[str]) -> sa.ColumnElement[str]:
    """The texts as a column: one value for the driver, which takes apart thousands in the database."""
    given = sa.literal(json.dumps(list(texts)), sa.Text)
    if connection.dialect.name == "sqlite":
        return sa.func.json_each(given).table_valued(sa.column("value", sa.Text)).c.value
    parsed = sa.cast(given, postgresql.JSON)
    return sa.func.json_array_elements_text(parsed).table_valued(sa.column("value", sa.Text)).c.value


def _dialect(connection: AsyncConnection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _listed(row: Mapping[Any, Any]) -> Listed:
    return Listed(row["phone_number"], row["reason"], row["added_by"], row["added_at"])
