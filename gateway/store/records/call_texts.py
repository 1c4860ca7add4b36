"""What agent runtimes post about a call after it: transcript, summary, sentiment, extracted fields.

Apart from the call's record, which the gateway alone writes, so that neither can overwrite the other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.store.engine.database import Database
from gateway.store.engine.schema import call_texts

_INSERT: dict[str, Any] = {"sqlite": sqlite_insert, "postgresql": postgresql_insert}


@dataclass(frozen=True, slots=True)
class CallTexts:
    """What was posted about one call; None: nothing yet."""

    call_id: str
    workspace_id: str
    transcript: Sequence[Mapping[str, Any]] | None = None
    "Turns: `role`, `content`, and `start` and `end` in seconds where they are known."
    summary: str | None = None
    sentiment: str | None = None
    "`positive`, `neutral`, `negative` or `unknown`."
    extracted: Mapping[str, Any] | None = None
    "Fields by their names."
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class TextStore:
    """The texts in the store."""

    database: Database

    async def put(self, texts: CallTexts) -> None:
        """Keep what is given; what is None stays as it was."""
        columns = {name: getattr(texts, name) for name in CallTexts.__slots__}
        columns |= {
            "transcript": None if texts.transcript is None else [dict(turn) for turn in texts.transcript]
        }
        columns |= {"extracted": None if texts.extracted is None else dict(texts.extracted)}
        fresh = {name: value for name, value in columns.items() if value is not None}
        async with self.database.writing() as connection:
            insert = _INSERT[connection.dialect.name](call_texts).values(**columns)
            await connection.execute(insert.on_conflict_do_update(index_elements=["call_id"], set_=fresh))

    async def of(self, call_ids: Collection[str]) -> dict[str, CallTexts]:
        """What was posted about some calls, by their ids; those are missing of which nothing was."""
        if not call_ids:
            return {}
        query = sa.select(call_texts).where(call_texts.c.call_id.in_(call_ids))
        async with self.database.reading() as connection:
            return {row["call_id"]: CallTexts(**row) for row in (await connection.execute(query)).mappings()}

    async def get(self, call_id: str) -> CallTexts | None:
        """What was posted about a call."""
        query = sa.select(call_texts).where(call_texts.c.call_id == call_id)
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else CallTexts(**row)
