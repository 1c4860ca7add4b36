"""Call records in the database: writing them in batches, reading them in pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.calls import MAX_PAGE, CallFilter, CallPage, CallRow, Cursor
from gateway.store.errors import InvalidInput
from gateway.store.schema import calls, workspaces

FIELDS = tuple(field.name for field in fields(CallRow))
CLOSED = "failed"
RESTARTED = "gateway_restarted"
MAX_APART = 20
"Values of one filter that get a query each; with more, one query that looks at all calls is cheaper."
KEPT = ("saved", "recovered", "failed")
"Statuses of recordings that may have something to be read."
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Saved:
    """A call record on its way to the database."""

    order: int
    "A row never overwrites one of the same call with a higher order. Nanoseconds of the clock, made to grow."
    row: CallRow


def line_of(saved: Saved) -> bytes:
    """The record as one line of JSON, for the journal."""
    columns = {"saved": saved.order, **columns_of_call(saved)}
    return orjson.dumps(columns, default=str) + b"\n"


def saved_of(line: bytes) -> Saved:
    """The record in a line of the journal; ValueError where it is torn or not one."""
    given = orjson.loads(line)
    if not isinstance(given, dict):
        raise ValueError("not a call record")
    order = int(given.pop("saved", 0))
    row = msgspec.convert(given, CallRow, strict=False)
    return Saved(order, replace(row, ladder=tuple(row.ladder)))


def columns_of_call(saved: Saved) -> dict[str, Any]:
    """The record's columns in types that both databases and JSON take: no NUL, no half a surrogate pair."""
    columns = {name: getattr(saved.row, name) for name in FIELDS}
    for name in ("media", "metadata", "notes"):
        columns[name] = dict(columns[name])
    for name in ("decision", "recording"):
        columns[name] = None if columns[name] is None else dict(columns[name])
    columns["ladder"] = [dict(step) for step in saved.row.ladder]
    columns["saved"] = saved.order
    return columns if _is_clean(columns) else {name: _cleaned(value) for name, value in columns.items()}


def _is_clean(columns: dict[str, Any]) -> bool:
    try:
        return b"\\u0000" not in orjson.dumps(columns, default=str)
    except TypeError:
        return False


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
    """Write records; one that the database has in a later state is left alone."""
    rows = [columns_of_call(saved) for saved in batch]
    if rows:
        await connection.execute(_UPSERT[connection.dialect.name], rows)


def _upsert(insert: Any) -> Any:
    statement = insert(calls)
    fresh = {column.name: statement.excluded[column.name] for column in calls.columns if column.name != "id"}
    return statement.on_conflict_do_update(
        index_elements=["id"], set_=fresh, where=statement.excluded.saved > calls.c.saved
    )


_UPSERT = {"sqlite": _upsert(sqlite_insert), "postgresql": _upsert(postgresql_insert)}


async def close_open(connection: AsyncConnection, instance: str, now: datetime, order: int) -> list[str]:
    """End the records that this instance left open; their ids, oldest first."""
    left = sa.select(calls.c.id).where(calls.c.instance == instance, calls.c.ended_at.is_(None))
    ids = list((await connection.execute(left.order_by(calls.c.created_at, calls.c.id))).scalars())
    ending = {
        "status": CLOSED,
        "end_reason": RESTARTED,
        "ended_by": "gateway",
        "detail": "The gateway was stopped in mid-call; the record was closed by its next start.",
        "ended_at": now,
        "saved": order,
    }
    open_ones = (calls.c.instance == instance, calls.c.ended_at.is_(None))
    await connection.execute(calls.update().where(*open_ones).values(**ending))
    return ids


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
            expired += [_call_of(row) for row in await connection.execute(query)]
    return expired


async def unfinished_recordings(connection: AsyncConnection, instance: str) -> list[str]:
    """The calls of a gateway whose recordings never came to an end; their ids, oldest first."""
    left = sa.select(calls.c.id).where(calls.c.recording_status == "recording", calls.c.instance == instance)
    return list((await connection.execute(left.order_by(calls.c.created_at, calls.c.id))).scalars())


def _kept(instance: str, workspace_id: str, before: datetime) -> sa.Select[Any]:
    """The recordings of a workspace that are there, of calls before this."""
    return (
        calls.select()
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
    found = (await connection.execute(calls.select().where(calls.c.id == call_id))).first()
    return None if found is None else _call_of(found)


def _call_of(row: sa.Row[Any]) -> CallRow:
    given = {name: row._mapping[name] for name in FIELDS}
    return CallRow(**{**given, "ladder": tuple(given["ladder"])})


async def list_calls(connection: AsyncConnection, which: CallFilter) -> CallPage:
    """One page; see `page_query` for what it costs."""
    if not 1 <= which.limit <= MAX_PAGE:
        raise InvalidInput("limit", which.limit, f"should be from 1 to {MAX_PAGE}")
    rows = (await connection.execute(page_query(which))).all()
    page = tuple(_call_of(row) for row in rows[: which.limit])
    if len(rows) <= which.limit:
        return CallPage(page, None)
    last = page[-1]
    return CallPage(
        page, Cursor(last.created_at if which.sort == "created_at" else last.duration_ms, last.id)
    )


def page_query(which: CallFilter) -> sa.Select[Any]:
    """The calls of one page and one more, in order, read off an index.

    `status IN ('busy', 'failed')` cannot be read in order off an index on the status, and both databases
    would sort all calls of these statuses. So each value gets a query of its own, which stops after a page,
    and the pages are merged.
    """
    conditions, alternatives = _conditions(which)
    if which.after is not None:
        conditions.append(_beyond(which, which.after))
    few = [item for item in alternatives if len(item[1]) <= MAX_APART]
    apart: Alternative = max(few, key=lambda item: len(item[1]), default=(calls.c.id, ()))
    for column, values in alternatives:
        if len(values) == 1:
            conditions.append(column == values[0])
        elif column is not apart[0] or len(values) > MAX_APART:
            conditions.append(column.in_(values))
    whole = calls.select().where(*conditions)
    if len(apart[1]) < 2:
        return _ordered(whole, calls, which).limit(which.limit + 1).offset(which.offset)
    parts = [_ordered(whole.where(apart[0] == value), calls, which).subquery() for value in apart[1]]
    merged = sa.union_all(*(sa.select(part) for part in parts)).subquery()
    return _ordered(sa.select(merged), merged, which).limit(which.limit + 1).offset(which.offset)


def _ordered(query: sa.Select[Any], source: sa.FromClause, which: CallFilter) -> sa.Select[Any]:
    """In the order of the list, and no more than the page can need."""
    sort, tie = source.c[_SORTS[which.sort]], source.c.id
    order = (sort.desc(), tie.desc()) if which.descending else (sort.asc(), tie.asc())
    return query.order_by(*order).limit(which.limit + 1 + which.offset)


def _beyond(which: CallFilter, end: Cursor) -> sa.ColumnElement[bool]:
    """What comes after the end of an earlier page."""
    sort = calls.c[_SORTS[which.sort]]
    place = sa.tuple_(sort, calls.c.id)
    last = sa.tuple_(sa.literal(end.value, sort.type), sa.literal(end.id))
    return place < last if which.descending else place > last


_SORTS = {"created_at": "created_at", "duration": "duration_ms"}
Alternative = tuple[sa.Column[Any], Sequence[Any]]


def _conditions(which: CallFilter) -> tuple[list[sa.ColumnElement[bool]], list[Alternative]]:
    """What has to hold, and the columns of which one of several values has to be there."""
    exact = {
        calls.c.workspace_id: which.workspace_id,
        calls.c.direction: which.direction,
        calls.c.type: which.type,
        calls.c.sip_call_id: which.sip_call_id,
    }
    least = {
        calls.c.created_at: which.created_from,
        calls.c.duration_ms: which.min_duration_ms,
        calls.c.latency_ms: which.min_latency_ms,
    }
    most = {calls.c.duration_ms: which.max_duration_ms, calls.c.latency_ms: which.max_latency_ms}
    several = {
        calls.c.id: which.ids,
        calls.c.agent_id: which.agent_ids,
        calls.c.version_id: which.version_ids,
        calls.c.batch_id: which.batch_ids,
        calls.c.number_id: which.number_ids,
        calls.c.trunk_id: which.trunk_ids,
        calls.c.from_number: which.from_numbers,
        calls.c.to_number: which.to_numbers,
        calls.c.status: which.statuses,
        calls.c.end_reason: which.end_reasons,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    conditions += [column >= value for column, value in least.items() if value is not None]
    conditions += [column <= value for column, value in most.items() if value is not None]
    if which.created_before is not None:
        conditions.append(calls.c.created_at < which.created_before)
    if which.open is not None:
        conditions.append(calls.c.ended_at.is_(None) if which.open else calls.c.ended_at.is_not(None))
    return conditions, [
        (column, tuple(dict.fromkeys(values))) for column, values in several.items() if values
    ]
