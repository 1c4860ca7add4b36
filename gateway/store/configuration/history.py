"""Configuration changes: each in one transaction with the new revision and a line in the history."""

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine.database import Database
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import changes, meta

MAX_HISTORY = 1000

NAMING = ("name", "e164", "provider")
"What things are called by; a rate deck by its provider."
LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
MOST_NAMED = 1000
"Changes that are looked at for a name."


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history: who changed what, and when."""

    id: str
    "`chg_…`"
    at: datetime
    by: str
    "`cli:root`, `api:key_…`, `seed`."
    workspace_id: str | None
    kind: str
    "`trunk`, `number`, `agent`, `version`, `workspace`, `deck` or `wallet`."
    object_id: str
    action: str
    "`add`, `change`, `publish`, `assign`, `unassign` or `remove`."
    fields: Mapping[str, Any]
    "Each changed field with its value before and after; secrets only as set or not."
    revision: int
    "The configuration's revision that this change made."


@dataclass(frozen=True, slots=True)
class Entry:
    """What a change says of itself; the ledger adds id, time and revision."""

    by: str
    workspace_id: str | None
    kind: str
    object_id: str
    action: str
    before: Mapping[str, Any]
    "As `values.shown` gives it; empty where there was nothing."
    after: Mapping[str, Any]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """Each field that differs, with both values."""
        names = dict.fromkeys([*self.before, *self.after])
        pairs = {name: [self.before.get(name), self.after.get(name)] for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


async def go_on(connection: AsyncConnection, revision: int, entry: Entry) -> None:
    """Say anew what a change has come to that takes several transactions; `record` told of the first."""
    known = changes.update().where(changes.c.revision == revision)
    await connection.execute(known.values(fields=_fields(entry)))


async def record(connection: AsyncConnection, entry: Entry) -> int:
    """Count the revision on and write the history, in the transaction of the change; the new revision."""
    counted = sa.cast(sa.cast(meta.c.value, sa.Integer) + 1, sa.Text)
    update = meta.update().where(meta.c.key == "revision").values(value=counted).returning(meta.c.value)
    revision = int((await connection.execute(update)).scalar_one())
    await connection.execute(
        changes.insert().values(
            id=new_id("chg"),
            at=datetime.now(UTC),
            by=entry.by,
            workspace_id=entry.workspace_id,
            kind=entry.kind,
            object_id=entry.object_id,
            action=entry.action,
            fields=_fields(entry),
            revision=revision,
        )
    )
    return revision


def _fields(entry: Entry) -> Any:
    return json.loads(json.dumps(entry.differences, default=str))


OF_WORKSPACE = ("workspace", "account", "key", "do_not_call")
"Kinds of things whose history is their workspace's: they have no page of their own."


async def history_of_workspace(database: Database, workspace_id: str, limit: int = 100) -> list[Change]:
    """The changes of a workspace, its accounts and its keys, newest first."""
    ours = changes.select().where(changes.c.workspace_id == workspace_id, changes.c.kind.in_(OF_WORKSPACE))
    newest = ours.order_by(changes.c.id.desc()).limit(min(limit, MAX_HISTORY))
    async with database.reading() as connection:
        rows = (await connection.execute(newest)).mappings().all()
    return [Change(**row) for row in rows]


async def history(database: Database, object_id: str, limit: int = 100) -> list[Change]:
    """The changes of one object, newest first."""
    newest = changes.select().where(changes.c.object_id == object_id).order_by(changes.c.id.desc())
    async with database.reading() as connection:
        rows = (await connection.execute(newest.limit(min(limit, MAX_HISTORY)))).mappings().all()
    return [Change(**row) for row in rows]


async def history_of_name(database: Database, name: str, limit: int = 100) -> list[Change]:
    """The changes of whatever has, or had, this name or number, newest first."""
    text = sa.func.lower(sa.cast(changes.c.fields, sa.Text))
    naming = sa.select(changes.c.object_id, changes.c.fields).where(
        sa.or_(*(text.contains(each, autoescape=True) for each in _written(name)))
    )
    async with database.reading() as connection:
        found = (await connection.execute(naming.order_by(changes.c.id.desc()).limit(MOST_NAMED))).all()
        ids = {row.object_id for row in found if _names(row.fields, name.lower())}
        chosen = changes.select().where(changes.c.object_id.in_(ids)).order_by(changes.c.id.desc())
        rows = (await connection.execute(chosen.limit(min(limit, MAX_HISTORY)))).mappings().all()
    return [Change(**row) for row in rows]


def _written(name: str) -> set[str]:
    """How the databases have a name in their JSON, lowered as SQLite does it: in letters of ASCII alone."""
    return {
        lowered
        for each in (name, name.lower(), name.upper(), name.capitalize())
        for is_ascii in (True, False)
        for lowered in (
            json.dumps(each, ensure_ascii=is_ascii)[1:-1].translate(LOWERED),
            json.dumps(each.lower(), ensure_ascii=is_ascii)[1:-1],
        )
    }


def _names(fields: Mapping[str, Any], name: str) -> bool:
    """Whether a change gave, or took, the name."""
    return any(name == str(value).lower() for field in NAMING for value in fields.get(field, ()))
