"""How many calls of a batch began in each minute, and how many of them were answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.engine.database import Database
from gateway.store.engine.schema import calls


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute in which calls began."""

    at: datetime
    attempted: int
    answered: int
    "By now: some of the others may still ring."


@dataclass(frozen=True, slots=True)
class CallMinutes:
    """The minutes of batches, counted by the database."""

    database: Database

    async def of_batch(self, batch_id: str, since: datetime | None = None) -> Sequence[Minute]:
        """The minutes in which there were calls, in their order; `since`: no earlier ones."""
        async with self.database.reading() as connection:
            minute = _minute_of[connection.dialect.name]
            query = sa.select(minute, sa.func.count(), sa.func.count(calls.c.answered_at)).where(
                calls.c.batch_id == batch_id
            )
            if since is not None:
                query = query.where(calls.c.created_at >= since)
            rows = (await connection.execute(query.group_by(minute).order_by(minute))).all()
        return [Minute(_in_utc(row[0]), row[1], row[2]) for row in rows]


_minute_of: dict[str, sa.ColumnElement[Any]] = {
    # SQLite keeps times as text, which begins with the minute.
    "sqlite": sa.func.substr(sa.type_coerce(calls.c.created_at, sa.Text), 1, 16),
    "postgresql": sa.func.date_trunc("minute", calls.c.created_at),
}


def _in_utc(at: str | datetime) -> datetime:
    found = datetime.fromisoformat(at) if isinstance(at, str) else at
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
