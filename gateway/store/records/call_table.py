"""Call records in the database: written in batches, read one by one, deleted when they are old."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine.schema import call_texts, calls, workspaces
from gateway.store.records.calls import CallRow

FIELDS = tuple(field.name for field in fields(CallRow))
_fields = attrgetter(*FIELDS)
KEPT = ("saved", "recovered", "failed")
"Statuses of recordings that may have something to be read."
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Saved:
    """A call record on its way to the database."""

    order: int
    "A row never overwrites one of the same call with a higher order. Nanoseconds of the clock, made to grow."
    row: CallRow
    instance: str = ""
    "The gateway that has the call, where the row does not say."


def line_of(saved: Saved) -> bytes:
    """The record as one line of JSON, for the journal."""
    columns = {"saved": saved.order, **columns_of_call(saved)}
    return orjson.dumps(columns, default=str) + b"\n"


def saved_of(line: bytes) -> Saved:
    """The record in a line of the journal; ValueError where it is torn or not one."""
    columns = orjson.loads(line)
    if not isinstance(columns, dict):
        raise ValueError("not a call record")
    order = int(columns.pop("saved", 0))
    row = msgspec.convert(columns, CallRow, strict=False)
    return Saved(order, replace(row, ladder=tuple(row.ladder)))


def columns_of_call(saved: Saved) -> dict[str, Any]:
    """The record's columns in types that both databases and JSON take: no NUL, no half a surrogate pair."""
    columns = _columns(saved)
    return columns if _is_clean(columns) else _all_cleaned(columns)


def _columns(saved: Saved) -> dict[str, Any]:
    columns = dict(zip(FIELDS, _fields(saved.row), strict=True))
    for name in ("media", "metadata", "notes"):
        columns[name] = dict(columns[name])
    for name in ("decision", "recording"):
        columns[name] = None if columns[name] is None else dict(columns[name])
    columns["ladder"] = [dict(step) for step in saved.row.ladder]
    columns["instance"] = columns["instance"] or saved.instance
    columns["saved"] = saved.order
    return columns


def _is_clean(texts: object) -> bool:
    try:
        return b"\\u0000" not in orjson.dumps(texts, default=str)
    except TypeError:
        return False


def _all_cleaned(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: _cleaned(value) for name, value in columns.items()}


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", REPLACEMENT).encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(_cleaned(str(key))): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


async def upsert(connection: AsyncConnection, batch: Iterable[Saved]) -> None:
    """Write records; one that the database has in a later state is left alone.

    The statement goes to the driver as text, and each value through its column's processor alone: SQLAlchemy
    would make two dictionaries of each row before it comes to that.
    """
    statement = _prepared(connection.dialect)
    rows = [statement.values(saved) for saved in batch]
    if rows:
        await connection.exec_driver_sql(statement.text, rows)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The upsert in one database's SQL, and how its values are made."""

    text: str
    processors: Sequence[tuple[str, Callable[[Any], Any] | None]]
    "By column, in the order of the text's parameters; None: the driver takes the value as it is."

    def values(self, saved: Saved) -> tuple[Any, ...]:
        """One row for the driver, clean as `columns_of_call` has it."""
        columns = _columns(saved)
        try:
            values = self._processed(columns)
        except TypeError:  # what JSON cannot say, half a surrogate pair or a huge number
            return self._processed(_all_cleaned(columns))
        texts = [value for value in values if type(value) is str]
        return values if _is_clean(texts) else self._processed(_all_cleaned(columns))

    def _processed(self, columns: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple([columns[name] if to is None else to(columns[name]) for name, to in self.processors])


def _upsert(insert: Any) -> Any:
    statement = insert(calls)
    fresh = {column.name: statement.excluded[column.name] for column in calls.columns if column.name != "id"}
    return statement.on_conflict_do_update(
        index_elements=["id"], set_=fresh, where=statement.excluded.saved > calls.c.saved
    )


_UPSERT = {"sqlite": _upsert(sqlite_insert), "postgresql": _upsert(postgresql_insert)}


@lru_cache(8)
def _prepared(dialect: Dialect) -> _Prepared:
    """The upsert for this engine, which has a dialect of its own."""
    compiled = _UPSERT[dialect.name].compile(dialect=dialect, column_keys=list(calls.columns.keys()))
    columns = [calls.columns[name] for name in compiled.positiontup]
    return _Prepared(
        str(compiled),
        [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns],
    )


async def change_recording(
    connection: AsyncConnection, call_id: str, order: int, status: str, facts: Mapping[str, object]
) -> bool:
    """Say what became of a recording after its call; facts are added to those that there are.

    False where there is no such call.
    """
    row = await get_call(connection, call_id)
    if row is None:
        return False
    values = {"recording_status": status, "recording": {**(row.recording or {}), **facts}, "saved": order}
    await connection.execute(calls.update().where(calls.c.id == call_id).values(**values))
    return True


async def expired_recordings(
    connection: AsyncConnection, instance: str, default_days: int, now: datetime, limit: int
) -> list[CallRow]:
    """Recordings of one gateway older than their workspace, or else the gateway, keeps them; oldest first."""
    days = sa.select(workspaces.c.id, workspaces.c.recording_keep_days)
    kept_by = {row.id: row.recording_keep_days for row in await connection.execute(days)}
    expired: list[CallRow] = []
    for workspace_id, own_days in kept_by.items():
        keep = default_days if own_days is None else own_days
        if keep and len(expired) < limit:
            query = _kept(instance, workspace_id, now - timedelta(days=keep)).limit(limit - len(expired))
            expired += [call_of(row) for row in await connection.execute(query)]
    return expired


async def expired(connection: AsyncConnection, instance: str, before: datetime, limit: int) -> list[CallRow]:
    """Ended calls of one gateway that began before a moment, oldest first."""
    query = select_calls().where(
        calls.c.created_at < before, calls.c.instance == instance, calls.c.ended_at.is_not(None)
    )
    oldest = query.order_by(calls.c.created_at, calls.c.id).limit(limit)
    return [call_of(row) for row in await connection.execute(oldest)]


async def forget(connection: AsyncConnection, call_ids: Sequence[str]) -> None:
    """Delete records, and what was posted about their calls."""
    await connection.execute(call_texts.delete().where(call_texts.c.call_id.in_(call_ids)))
    await connection.execute(calls.delete().where(calls.c.id.in_(call_ids)))


async def unfinished_recordings(connection: AsyncConnection, instance: str) -> list[str]:
    """The calls of a gateway whose recordings never came to an end; their ids, oldest first."""
    left = sa.select(calls.c.id).where(calls.c.recording_status == "recording", calls.c.instance == instance)
    return list((await connection.execute(left.order_by(calls.c.created_at, calls.c.id))).scalars())


def _kept(instance: str, workspace_id: str, before: datetime) -> sa.Select[Any]:
    """The recordings of a workspace that are there, of calls before this."""
    return (
        select_calls()
        .where(
            calls.c.recording_status.in_(KEPT),
            calls.c.created_at < before,
            calls.c.workspace_id == workspace_id,
            calls.c.instance == instance,
        )
        .order_by(calls.c.created_at, calls.c.id)
    )


async def get_call(connection: AsyncConnection, call_id: str) -> CallRow | None:
    """One record, or None."""
    row = (await connection.execute(select_calls().where(calls.c.id == call_id))).first()
    return None if row is None else call_of(row)


def select_calls(names: Sequence[str] = FIELDS) -> sa.Select[Any]:
    """These columns in this order, for `call_of`."""
    return sa.select(*(calls.c[name] for name in names))


def call_of(row: Sequence[Any], names: Sequence[str] = FIELDS) -> CallRow:
    """A record out of these columns."""
    columns = dict(zip(names, row, strict=True))
    if "ladder" in columns:
        columns["ladder"] = tuple(columns["ladder"])
    return CallRow(**columns)


async def newest_by(
    connection: AsyncConnection, number_id: str, category: str, since: datetime
) -> tuple[str, datetime] | None:
    """The newest call by one of our numbers, of a category: its id and its beginning."""
    row = (await connection.execute(newest_query(number_id, category, since))).first()
    return None if row is None else (row[0], row[1])


def newest_query(number_id: str, category: str, since: datetime) -> sa.Select[Any]:
    """The same as a question, which an index answers however many calls the number had."""
    ours = (calls.c.number_id == number_id, calls.c.category == category, calls.c.created_at > since)
    found = sa.select(calls.c.id, calls.c.created_at).where(*ours)
    return found.order_by(calls.c.created_at.desc()).limit(1)
