"""Call records in pages: a filter as a query that is read off an index."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.visitors import InternalTraversal

from gateway.store.engine.errors import InvalidInput
from gateway.store.engine.schema import call_texts, calls
from gateway.store.records.call_table import FIELDS, call_of, select_calls
from gateway.store.records.calls import MAX_PAGE, CallFilter, CallPage, Cursor

Alternative = tuple[sa.Column[Any], Sequence[Any]]
"A column, and the values of which it has to have one."
BULKY = frozenset({"decision", "ladder", "media", "recording"})
BRIEF = tuple(name for name in FIELDS if name not in BULKY)
MAX_APART = 20
"Values of one filter that get a query each; with more, one query that looks at all calls is cheaper."
SENTIMENTS = ("positive", "neutral", "negative")
_SORTS = {"created_at": "created_at", "duration": "duration_ms"}
COMMON: dict[str, Sequence[Any]] = {"status": ("completed",), "end_reason": ("user_disconnected",)}
"Filters that hold for so many calls that the first ones in order are soon found."
DEEP = 1000
"From so many skipped calls on, their rows are not read."
RANKS = (
    *("id", "sip_call_id", "batch_id", "category_id", "from_number", "to_number", "number_id"),
    *("version_id", "agent_id", "trunk_id", "category", "end_reason", "status"),
)
"Columns of the list's filters, those first that leave the fewest calls."


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


async def count_calls(connection: AsyncConnection, which: CallFilter) -> int:
    """How many calls there are in all; they are counted one by one, so `which` should leave few."""
    conditions, alternatives = _conditions(which)
    conditions += [_indexed(column, alternatives).in_(values) for column, values in alternatives]
    found = await connection.execute(sa.select(sa.func.count()).select_from(calls).where(*conditions))
    return int(found.scalar_one())


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
    query, first = select_calls(_names(which)).where(*conditions), _indexed(apart[0], alternatives)
    parts = [_ordered(query.where(first == value), calls, which).subquery() for value in apart[1]]
    merged = sa.union_all(*(sa.select(part) for part in parts)).subquery()
    return _ordered(sa.select(merged), merged, which).limit(which.limit + 1).offset(which.offset)


def _in_order(which: CallFilter, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """Rows as the index has them; far in, only the ids of those that are skipped are looked at."""
    if which.offset < DEEP:
        rows = select_calls(_names(which)).where(*conditions)
        return _ordered(rows, calls, which).limit(which.limit + 1).offset(which.offset)
    ids = _ordered(select_calls(("id",)).where(*conditions), calls, which).limit(which.limit + 1)
    page = ids.offset(which.offset).subquery()
    rows = select_calls(_names(which)).where(calls.c.id.in_(sa.select(page.c.id)))
    return _ordered(rows, calls, replace(which, offset=0))


def _indexed(column: sa.Column[Any], alternatives: Sequence[Alternative]) -> sa.ColumnElement[Any]:
    """The column, for SQLite only where it is the one that leaves the fewest calls."""
    best = min(RANKS.index(other.name) for other, _ in alternatives)
    return column if RANKS.index(column.name) == best else unindexed_in_sqlite(column)


def _is_selective(alternatives: Sequence[Alternative]) -> bool:
    """Whether a filter leaves so few calls that sorting them is quicker than to look for them in order.

    The longest busy call is the very last one in the order of duration: databases do not see that coming.
    """
    return any(values != COMMON.get(column.name) for column, values in alternatives)


def _sorted_apart(
    which: CallFilter, conditions: Sequence[sa.ColumnElement[bool]], apart: Alternative
) -> sa.Select[Any]:
    """Sort ids and durations, which the indexes hold, then fetch the page's rows."""
    several = [apart[0].in_(apart[1])] if 1 < len(apart[1]) <= MAX_APART else []
    way = sa.desc if which.descending else sa.asc
    ids = sa.select(calls.c.id).where(*conditions, *several)
    ids = ids.order_by(way(unindexed(calls.c.duration_ms)), way(calls.c.id))
    page = ids.limit(which.limit + 1).offset(which.offset).subquery()
    query = select_calls(_names(which)).where(calls.c.id.in_(sa.select(page.c.id)))
    return query.order_by(way(unindexed(calls.c.duration_ms)), way(calls.c.id))


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
    conditions = [*_exactly(which), *_within(which)]
    if which.open is not None:
        conditions.append(calls.c.ended_at.is_(None) if which.open else calls.c.ended_at.is_not(None))
    for column, parts in ((calls.c.from_number, which.from_parts), (calls.c.to_number, which.to_parts)):
        if parts:
            conditions.append(_has_any(column, parts))
    if which.sentiments:
        conditions.append(_felt(which.sentiments))
    return conditions, _alternatives(which)


def _exactly(which: CallFilter) -> list[sa.ColumnElement[bool]]:
    is_far_narrower = bool(which.batch_ids or which.trunk_ids or which.sip_call_id)
    workspace = unindexed_in_sqlite(calls.c.workspace_id) if is_far_narrower else calls.c.workspace_id
    exact = (
        (workspace, which.workspace_id),
        (_weak(which, "direction"), which.direction),
        (_weak(which, "type"), which.type),
        (calls.c.sip_call_id, which.sip_call_id),
    )
    return [column == value for column, value in exact if value is not None]


def _within(which: CallFilter) -> list[sa.ColumnElement[bool]]:
    """The ranges of times, durations and latencies."""
    duration: sa.ColumnElement[Any] = calls.c.duration_ms
    if which.sort == "created_at":
        duration = unindexed_in_sqlite(duration)
    least = (
        (calls.c.created_at, which.created_from),
        (duration, which.min_duration_ms),
        (calls.c.latency_ms, which.min_latency_ms),
    )
    most = ((duration, which.max_duration_ms), (calls.c.latency_ms, which.max_latency_ms))
    ranges = [column >= value for column, value in least if value is not None]
    ranges += [column <= value for column, value in most if value is not None]
    if which.created_before is not None:
        ranges.append(calls.c.created_at < which.created_before)
    return ranges


def _alternatives(which: CallFilter) -> list[Alternative]:
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
    return [(column, tuple(dict.fromkeys(values))) for column, values in several.items() if values]
