"""Call records in the database: writing them in batches, reading them in pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal

import msgspec
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.visitors import InternalTraversal

from gateway.store.engine.errors import InvalidInput
from gateway.store.engine.schema import call_texts, calls, workspaces
from gateway.store.records.calls import MAX_PAGE, CallFilter, CallPage, CallRow, Cursor

FIELDS = tuple(field.name for field in fields(CallRow))
_fields = attrgetter(*FIELDS)
BULKY = frozenset({"decision", "ladder", "media", "recording"})
BRIEF = tuple(name for name in FIELDS if name not in BULKY)
MAX_APART = 20
"Values of one filter that get a query each; with more, one query that looks at all calls is cheaper."
KEPT = ("saved", "recovered", "failed")
"Statuses of recordings that may have something to be read."
SENTIMENTS = ("positive", "neutral", "negative")
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
    given = orjson.loads(line)
    if not isinstance(given, dict):
        raise ValueError("not a call record")
    order = int(given.pop("saved", 0))
    row = msgspec.convert(given, CallRow, strict=False)
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
    query = _select().where(
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
        _select()
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
    found = (await connection.execute(_select().where(calls.c.id == call_id))).first()
    return None if found is None else call_of(found)


def _select(names: Sequence[str] = FIELDS) -> sa.Select[Any]:
    """These columns in this order, for `call_of`."""
    return sa.select(*(calls.c[name] for name in names))


def call_of(row: Sequence[Any], names: Sequence[str] = FIELDS) -> CallRow:
    """A record out of these columns."""
    given = dict(zip(names, row, strict=True))
    if "ladder" in given:
        given["ladder"] = tuple(given["ladder"])
    return CallRow(**given)


def _has_any(column: sa.ColumnElement[Any], parts: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.or_(*(sa.func.lower(column).contains(part.lower(), autoescape=True) for part in parts))


async def numbers_with(
    connection: AsyncConnection,
    workspace_id: str,
    side: Literal["from", "to"],
    parts: Sequence[str],
    most: int,
) -> list[str]:
    """The different numbers of a workspace's calls that have one of the parts in them, up to `most`.

    Read off the index of that side alone, whatever the calls are, and up to `most`: a part that nobody has is
    looked for in all of it, two tenths of a second among a million calls.
    """
    column = calls.c.from_number if side == "from" else calls.c.to_number
    which = sa.select(column).where(calls.c.workspace_id == workspace_id, _has_any(column, parts))
    return list((await connection.execute(which.distinct().limit(most))).scalars())


async def newest_by(
    connection: AsyncConnection, number_id: str, category: str, since: datetime
) -> tuple[str, datetime] | None:
    """The newest call by one of our numbers, of a category, read off an index: its id and its beginning."""
    ours = (calls.c.number_id == number_id, calls.c.category == category, calls.c.created_at > since)
    query = sa.select(calls.c.id, calls.c.created_at).where(*ours).order_by(calls.c.created_at.desc())
    found = (await connection.execute(query.limit(1))).first()
    return None if found is None else (found[0], found[1])


async def list_calls(connection: AsyncConnection, which: CallFilter) -> CallPage:
    """One page; see `page_query` for what it costs."""
    if not 1 <= which.limit <= MAX_PAGE:
        raise InvalidInput("limit", which.limit, f"should be from 1 to {MAX_PAGE}")
    rows = (await connection.execute(page_query(which))).all()
    names = _names(which)
    page = tuple(call_of(row, names) for row in rows[: which.limit])
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
        indexed = _indexed(column, alternatives)
        if len(values) == 1:
            conditions.append(indexed == values[0])
        elif column is not apart[0] or len(values) > MAX_APART:
            conditions.append(indexed.in_(values))
    if which.sort == "duration" and _is_selective(alternatives):
        return _sorted_apart(which, conditions, apart)
    if len(apart[1]) < 2:
        return _in_order(which, conditions)
    found, first = _select(_names(which)).where(*conditions), _indexed(apart[0], alternatives)
    parts = [_ordered(found.where(first == value), calls, which).subquery() for value in apart[1]]
    merged = sa.union_all(*(sa.select(part) for part in parts)).subquery()
    return _ordered(sa.select(merged), merged, which).limit(which.limit + 1).offset(which.offset)


def _in_order(which: CallFilter, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """Rows as the index has them; far in, only the ids of those that are skipped are looked at."""
    if which.offset < DEEP:
        rows = _select(_names(which)).where(*conditions)
        return _ordered(rows, calls, which).limit(which.limit + 1).offset(which.offset)
    ids = _ordered(_select(("id",)).where(*conditions), calls, which).limit(which.limit + 1)
    page = ids.offset(which.offset).subquery()
    rows = _select(_names(which)).where(calls.c.id.in_(sa.select(page.c.id)))
    return _ordered(rows, calls, replace(which, offset=0))


def _indexed(column: sa.Column[Any], alternatives: Sequence["Alternative"]) -> sa.ColumnElement[Any]:
    """The column, for SQLite only where it is the one that leaves the fewest calls."""
    best = min(RANKS.index(other.name) for other, _ in alternatives)
    return column if RANKS.index(column.name) == best else unindexed_in_sqlite(column)


def _is_selective(alternatives: Sequence["Alternative"]) -> bool:
    """Whether a filter leaves so few calls that sorting them is quicker than to look for them in order.

    The longest busy call is the very last one in the order of duration: databases do not see that coming.
    """
    return any(values != COMMON.get(column.name) for column, values in alternatives)


def _sorted_apart(
    which: CallFilter, conditions: Sequence[sa.ColumnElement[bool]], apart: "Alternative"
) -> sa.Select[Any]:
    """Sort ids and durations, which the indexes hold, then fetch the page's rows."""
    several = [apart[0].in_(apart[1])] if 1 < len(apart[1]) <= MAX_APART else []
    way = sa.desc if which.descending else sa.asc
    ids = sa.select(calls.c.id).where(*conditions, *several)
    ids = ids.order_by(way(unindexed(calls.c.duration_ms)), way(calls.c.id))
    page = ids.limit(which.limit + 1).offset(which.offset).subquery()
    found = _select(_names(which)).where(calls.c.id.in_(sa.select(page.c.id)))
    return found.order_by(way(unindexed(calls.c.duration_ms)), way(calls.c.id))


def _names(which: CallFilter) -> Sequence[str]:
    return FIELDS if which.whole else BRIEF


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
COMMON: dict[str, Sequence[Any]] = {"status": ("completed",), "end_reason": ("user_disconnected",)}
"Filters that hold for so many calls that the first ones in order are soon found."
DEEP = 1000
"From so many skipped calls on, their rows are not read."
RANKS = (
    *("id", "sip_call_id", "batch_id", "category_id", "from_number", "to_number", "number_id"),
    *("version_id", "agent_id", "trunk_id", "category", "end_reason", "status"),
)
"Columns of the list's filters, those first that leave the fewest calls."


def unindexed(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A number that no index is used for: to both databases `+x` is a value of its own."""
    return sa.UnaryExpression(column, operator=custom_op("+"), type_=column.type)


class unindexed_in_sqlite(sa.ColumnElement[Any]):  # noqa: N801 - used as a function
    """A column by which SQLite, which guesses without statistics, is to choose no index; elsewhere itself."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(unindexed_in_sqlite)
def _as_it_is(element: unindexed_in_sqlite, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.column, **more))


@compiles(unindexed_in_sqlite, "sqlite")
def _with_plus(element: unindexed_in_sqlite, compiler: Any, **more: Any) -> str:
    return "+" + str(compiler.process(element.column, **more))


def _weak(which: CallFilter, name: str) -> sa.ColumnElement[Any]:
    """A column with two values: an index on it is for SQLite only where no filter leaves fewer calls."""
    stronger = (
        *(which.agent_ids, which.version_ids, which.number_ids, which.from_numbers, which.to_numbers),
        *(which.statuses, which.end_reasons, which.batch_ids, which.trunk_ids, which.ids),
        *(which.categories, which.category_ids),
    )
    is_alone = not any(stronger) and (name == "type" or which.type is None)
    return calls.c[name] if is_alone else unindexed_in_sqlite(calls.c[name])


def _felt(sentiments: Sequence[str]) -> sa.ColumnElement[bool]:
    """What runtimes have posted of the caller's mood; of most calls nothing."""

    def posted(words: Sequence[str]) -> sa.ColumnElement[bool]:
        mine = sa.select(call_texts.c.call_id).where(call_texts.c.call_id == calls.c.id)
        return mine.where(call_texts.c.sentiment.in_(words)).exists()

    known = [word for word in SENTIMENTS if word in sentiments]
    if "unknown" not in sentiments:
        return posted(known)
    return sa.not_(posted([word for word in SENTIMENTS if word not in sentiments]))


def _conditions(which: CallFilter) -> tuple[list[sa.ColumnElement[bool]], list[Alternative]]:
    """What has to hold, and the columns of which one of several values has to be there."""
    is_far_narrower = bool(which.batch_ids or which.trunk_ids or which.sip_call_id)
    workspace = unindexed_in_sqlite(calls.c.workspace_id) if is_far_narrower else calls.c.workspace_id
    duration: sa.ColumnElement[Any] = calls.c.duration_ms
    if which.sort == "created_at":
        duration = unindexed_in_sqlite(duration)
    exact = (
        (workspace, which.workspace_id),
        (_weak(which, "direction"), which.direction),
        (_weak(which, "type"), which.type),
        (calls.c.sip_call_id, which.sip_call_id),
    )
    least = (
        (calls.c.created_at, which.created_from),
        (duration, which.min_duration_ms),
        (calls.c.latency_ms, which.min_latency_ms),
    )
    most = ((duration, which.max_duration_ms), (calls.c.latency_ms, which.max_latency_ms))
    several = {
        calls.c.id: which.ids,
        calls.c.agent_id: which.agent_ids,
        calls.c.version_id: which.version_ids,
        calls.c.batch_id: which.batch_ids,
        calls.c.category: which.categories,
        calls.c.category_id: which.category_ids,
        calls.c.number_id: which.number_ids,
        calls.c.trunk_id: which.trunk_ids,
        calls.c.from_number: which.from_numbers,
        calls.c.to_number: which.to_numbers,
        calls.c.status: which.statuses,
        calls.c.end_reason: which.end_reasons,
    }
    conditions = [column == value for column, value in exact if value is not None]
    conditions += [column >= value for column, value in least if value is not None]
    conditions += [column <= value for column, value in most if value is not None]
    if which.created_before is not None:
        conditions.append(calls.c.created_at < which.created_before)
    if which.open is not None:
        conditions.append(calls.c.ended_at.is_(None) if which.open else calls.c.ended_at.is_not(None))
    for column, parts in ((calls.c.from_number, which.from_parts), (calls.c.to_number, which.to_parts)):
        if parts:
            conditions.append(_has_any(column, parts))
    if which.sentiments:
        conditions.append(_felt(which.sentiments))
    return conditions, [
        (column, tuple(dict.fromkeys(values))) for column, values in several.items() if values
    ]
