"""Reading and changing the configuration one value at a time; what the nouns beside it are written with."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import Agent, AgentVersion, PhoneNumber, Trunk, Workspace
from gateway.store.configuration.history import Entry, record
from gateway.store.configuration.values import READERS, TABLES, Value, columns_of, shown
from gateway.store.engine.database import Database
from gateway.store.engine.errors import Conflict, NotFound
from gateway.store.engine.schema import agents, meta
from gateway.store.engine.seal import SecretBox

V = TypeVar("V", Workspace, Trunk, Agent, AgentVersion, PhoneNumber)

AT_ONCE = 100
"Rows that are made values of without a pause."

NOUNS: dict[type[Value], str] = {
    Workspace: "workspace",
    Trunk: "trunk",
    Agent: "agent",
    AgentVersion: "version",
    PhoneNumber: "number",
}


@dataclass(frozen=True, slots=True)
class Editing:
    """The configuration in the database."""

    database: Database
    box: SecretBox
    changed: Callable[[int], None]
    "Called with the new revision after every change that was committed here."
    joined: "Changing | None" = None
    "A transaction that everything is read and changed in; None: each reading and each change is its own."

    async def read(
        self, kind: type[V], *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[V]:
        """All values of a kind that meet the conditions, oldest first."""
        if self.joined is not None:
            return await self.joined.read(kind, *conditions, limit=limit)
        async with self.database.reading() as connection:
            return await read(connection, self.box, kind, *conditions, limit=limit)

    async def get(self, kind: type[V], object_id: str) -> V:
        """One value by its id; `NotFound` where there is none."""
        if self.joined is not None:
            return await self.joined.get(kind, object_id)
        async with self.database.reading() as connection:
            return await get(connection, self.box, kind, object_id)

    @asynccontextmanager
    async def changing(self, by: str) -> AsyncIterator["Changing"]:
        """A transaction that changes values; `by` says who does it, for the history.

        Changes of the configuration come one after the other, so that what was checked still holds at commit.
        """
        if self.joined is not None:
            yield self.joined
            return
        async with self.database.writing() as connection:
            locked = sa.select(meta.c.value).where(meta.c.key == "revision").with_for_update()
            before = int((await connection.execute(locked)).scalar_one())
            changing = Changing(connection, self.box, by, before)
            yield changing
        if changing.revision != before:
            self.changed(changing.revision)


@dataclass(slots=True)
class Changing:
    """A transaction under way. Each change is written down with its difference."""

    connection: AsyncConnection
    box: SecretBox
    by: str
    revision: int

    async def read(
        self,
        kind: type[V],
        *conditions: sa.ColumnElement[bool],
        limit: int | None = None,
        order: Sequence[sa.ColumnElement[Any]] | None = None,
    ) -> list[V]:
        """All values of a kind that meet the conditions, oldest first unless it says otherwise."""
        return await read(self.connection, self.box, kind, *conditions, limit=limit, order=order)

    async def get(self, kind: type[V], object_id: str) -> V:
        """One value by its id; `NotFound` where there is none."""
        return await get(self.connection, self.box, kind, object_id)

    async def exists(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> bool:
        """Whether any row meets the conditions."""
        rows = await self.connection.execute(sa.select(table.c.id).where(*conditions).limit(1))
        return rows.first() is not None

    async def refuse_taken(self, value: Trunk | Agent | Workspace) -> None:
        """`Conflict` where another value of the kind and workspace has the same name."""
        table = TABLES[type(value)]
        conditions = [sa.func.lower(table.c.name) == value.name.lower(), table.c.id != value.id]
        if not isinstance(value, Workspace):
            conditions.append(table.c.workspace_id.is_not_distinct_from(value.workspace_id))
        if await self.exists(table, *conditions):
            raise Conflict("name", value.name, f"should be a name that no other {NOUNS[type(value)]} has")

    async def add(self, value: Value) -> None:
        """Add a value that has been checked."""
        columns = columns_of(value, self.box)
        insert = TABLES[type(value)].insert().values(**columns, created_at=datetime.now(UTC))
        await self.connection.execute(insert)
        await self._record("add", None, value)

    async def change(self, before: V, after: V, action: str = "change") -> None:
        """Write a changed value that has been checked; nothing happens where nothing differs."""
        if before == after:
            return
        table = TABLES[type(after)]
        columns = columns_of(after, self.box)
        await self.connection.execute(table.update().where(table.c.id == after.id).values(**columns))
        await self._record(action, before, after)

    async def remove(self, value: Value) -> None:
        """Remove a value that nothing refers to."""
        table = TABLES[type(value)]
        await self.connection.execute(table.delete().where(table.c.id == value.id))
        await self._record("remove", value, None)

    async def _record(self, action: str, before: Value | None, after: Value | None) -> None:
        value = after if after is not None else before
        assert value is not None, "a change has a value on at least one side"
        entry = Entry(
            by=self.by,
            workspace_id=await self._workspace_of(value),
            kind=NOUNS[type(value)],
            object_id=value.id,
            action=action,
            before={} if before is None else shown(before),
            after={} if after is None else shown(after),
        )
        self.revision = await record(self.connection, entry)

    async def _workspace_of(self, value: Value) -> str | None:
        if isinstance(value, Workspace):
            return value.id
        if isinstance(value, AgentVersion):
            owner = sa.select(agents.c.workspace_id).where(agents.c.id == value.agent_id)
            owner_id: str | None = (await self.connection.execute(owner)).scalar()
            return owner_id
        return value.workspace_id


async def read(
    connection: AsyncConnection,
    box: SecretBox,
    kind: type[V],
    *conditions: sa.ColumnElement[bool],
    limit: int | None = None,
    order: Sequence[sa.ColumnElement[Any]] | None = None,
) -> list[V]:
    """The values of a kind that meet the conditions, oldest first; all of them, or the first so many.

    Others on the event loop get their turn after each hundred.
    """
    query = TABLES[kind].select().where(*conditions).order_by(*order or _oldest_first(kind)).limit(limit)
    found: list[V] = []
    rows = (await connection.execute(query)).mappings()
    while part := rows.fetchmany(AT_ONCE):
        if found:
            await asyncio.sleep(0)
        found += [READERS[kind](row, box) for row in part]
    return found


def _oldest_first(kind: type[Value]) -> Sequence[sa.ColumnElement[Any]]:
    table = TABLES[kind]
    if kind is AgentVersion:
        return table.c.agent_id, table.c.number
    return table.c.created_at, table.c.id


async def get(connection: AsyncConnection, box: SecretBox, kind: type[V], object_id: str) -> V:
    """One value by its id; `NotFound` where there is none."""
    found = await read(connection, box, kind, TABLES[kind].c.id == object_id)
    if not found:
        raise NotFound(NOUNS[kind], object_id, f"there is no such {NOUNS[kind]}")
    return found[0]


def pick_named(kind: type[V], name_or_id: str, values: Iterable[V], name: Callable[[V], str]) -> V:
    """The value that a person means by id or name; `NotFound` offers the nearest one."""
    values = list(values)
    matches = [value for value in values if value.id == name_or_id]
    matches = matches or [value for value in values if name(value).lower() == name_or_id.lower()]
    if len(matches) == 1:
        return matches[0]
    noun = NOUNS[kind]
    if matches:
        ids = ", ".join(value.id for value in matches)
        raise Conflict(noun, name_or_id, f"is the name of several; say which by its id: {ids}")
    names = [name(value) for value in values]
    near = difflib.get_close_matches(name_or_id, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there {_listed(names)}"
    raise NotFound(noun, name_or_id, f"there is no such {noun}; {hint}")


def _listed(names: list[str]) -> str:
    if not names:
        return "are none yet"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ("is " if len(names) == 1 else "are ") + ", ".join(names[:10]) + more
