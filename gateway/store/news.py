"""What has changed since a revision, as far as calls are concerned: read from the history of the changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.configuration.values import tail_of
from gateway.store.engine.schema import changes, meta

MOST = 500
"Changes that are looked at one by one; where there were more, everything may be different."

SHOWN_ONLY = frozenset({"nickname", "renews_at"})
"Fields of a number that people see, and that decide nothing."

PRICES = frozenset({"deck", "wallet"})
"Kinds of objects that prices are made of."


@dataclass(frozen=True, slots=True)
class News:
    """Everything that was committed after one revision and up to another."""

    revision: int
    "Up to this one."
    is_whole: bool = False
    "True: it is not known what changed, so everything may have."
    touched: Mapping[str, int] = field(default_factory=dict)
    "What routing tables may depend on, see `tables`, with the last revision at which it changed."
    trunk_ids: frozenset[str] = frozenset()
    "Trunks that came, changed or went."
    prices: bool = False


async def current_revision(connection: AsyncConnection) -> int:
    """The configuration's revision, as this connection sees it."""
    rows = await connection.execute(sa.select(meta.c.value).where(meta.c.key == "revision"))
    return int(rows.scalar_one())


async def read_news(connection: AsyncConnection, since: int) -> News:
    """What changed after the revision `since`; before the first one, everything."""
    revision = await current_revision(connection)
    if since < 0 or revision - since > MOST:
        return News(revision, is_whole=True, prices=True)
    # Of other kinds the fields can be long, and are not needed.
    fields = sa.case((changes.c.kind.in_(("number", "do_not_call")), changes.c.fields))
    columns = (
        getattr(changes.c, name) for name in ("revision", "kind", "object_id", "workspace_id", "action")
    )
    query = sa.select(*columns, fields.label("fields")).where(changes.c.revision > since)
    rows = (await connection.execute(query.order_by(changes.c.revision))).mappings().all()
    if len(rows) != revision - since:
        return News(revision, is_whole=True, prices=True)
    return News(
        revision,
        touched={name: row["revision"] for row in rows for name in _touched(row)},
        trunk_ids=frozenset(row["object_id"] for row in rows if row["kind"] == "trunk"),
        prices=any(row["kind"] in PRICES for row in rows),
    )


def _touched(row: Mapping[Any, Any]) -> Iterable[str]:
    match row["kind"]:
        case "number":
            return _touched_by_number(row)
        case "agent" | "version" | "workspace":
            return (row["object_id"], everything_of(row["workspace_id"]))
        # What is on a list is looked up at each call; tables have only whether there is one.
        case "do_not_call" if 0 in row["fields"]["numbers"]:
            return (everything_of(row["workspace_id"]),)
    return ()


def _touched_by_number(row: Mapping[Any, Any]) -> Iterable[str]:
    fields = row["fields"] or {}
    if row["action"] not in ("add", "remove") and SHOWN_ONLY.issuperset(fields):
        return ()
    # A number never becomes another one, so only those that come or go are looked for by their digits.
    e164s = [e164 for e164 in fields.get("e164", ()) if e164]
    return (row["object_id"], everything_of(row["workspace_id"]), *map(ending, map(tail_of, e164s)))


def everything_of(workspace_id: str) -> str:
    """What stands for all that is a workspace's."""
    return f"of {workspace_id}"


def ending(tail: str) -> str:
    """What stands for the numbers that end like this."""
    return f"…{tail}"
