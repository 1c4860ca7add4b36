"""Requests for calls that were refused: a bounded list for each workspace, since there is no call record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.engine.database import Database
from gateway.store.engine.schema import refused_requests

KEPT = 500
"Of each workspace, the newest."


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """One request that came to nothing, or several in a row that were the same."""

    id: str
    "`ref_…`, in order of time."
    workspace_id: str
    at: datetime
    "The first of them."
    type: str
    "`phone` or `web`."
    by: str
    "Who asked: `api:key_…`, `mqtt:…`, `web:…`."
    agent_id: str | None
    from_number: str
    to_number: str
    "As it was asked for."
    reason: str
    message: str
    decision: Mapping[str, Any] | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refused requests in the store."""

    database: Database

    async def keep(self, new: Sequence[RefusedRequest]) -> None:
        """Add some, and let those go of their workspaces that are too many."""
        if not new:
            return
        rows = [{name: getattr(one, name) for name in RefusedRequest.__slots__} for one in new]
        async with self.database.writing() as connection:
            await connection.execute(refused_requests.insert(), rows)
            for workspace_id in {one.workspace_id for one in new}:
                mine = refused_requests.c.workspace_id == workspace_id
                newest = sa.select(refused_requests.c.id).where(mine).order_by(refused_requests.c.id.desc())
                last = newest.offset(KEPT - 1).limit(1).scalar_subquery()
                await connection.execute(refused_requests.delete().where(mine, refused_requests.c.id < last))

    async def page(
        self, workspace_id: str, limit: int, before: str = "", reasons: Collection[str] = ()
    ) -> list[RefusedRequest]:
        """A workspace's, newest first; those before an id."""
        query = refused_requests.select().where(refused_requests.c.workspace_id == workspace_id)
        if before:
            query = query.where(refused_requests.c.id < before)
        if reasons:
            query = query.where(refused_requests.c.reason.in_(reasons))
        newest = query.order_by(refused_requests.c.id.desc()).limit(min(limit, KEPT))
        async with self.database.reading() as connection:
            rows = (await connection.execute(newest)).mappings().all()
        return [RefusedRequest(**row) for row in rows]

    async def sweep(self, before: datetime) -> int:
        """Forget those before a moment; how many."""
        async with self.database.writing() as connection:
            gone = await connection.execute(refused_requests.delete().where(refused_requests.c.at < before))
            return gone.rowcount
