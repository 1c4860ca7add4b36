"""Requests for calls that may come twice: whoever asks again under the same key gets the same call.

A request reserves the id of its call before anything is decided or dialled, and holds it while it works. What
a killed gateway has left held, the next who asks takes over, with the same call id.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.store.engine.database import Database
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.schema import requests

MAX_KEY = 255
KEY = re.compile(r"[\x21-\x7e]+")
HELD_FOR = timedelta(seconds=60)
"After so long whoever held a request has died: deciding and beginning to dial takes far less."
_INSERT: dict[str, Any] = {"sqlite": sqlite_insert, "postgresql": postgresql_insert}


@dataclass(frozen=True, slots=True)
class Reservation:
    """Where a request stands."""

    call_id: str
    "The call that this request is for, whoever places it."
    ours: bool
    "True: whoever asked has to place the call now, then say `done` or `release`."
    done: bool
    "True: the call was placed; there is, or soon will be, a record of it."


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests in the store."""

    database: Database
    holder: str
    "The name of this gateway."
    at_work: set[tuple[str, str]] = field(default_factory=set)
    "Requests that this process holds: no clock that is set takes them from it."

    async def reserve(self, workspace_id: str, key: str, body: bytes, call_id: str) -> Reservation:
        """Reserve a call id for a request, or find how far it has come.

        `Conflict` where the key was used with another body, `InvalidInput` where it makes no key.
        """
        _check(key)
        body_hash = hashlib.sha256(body).hexdigest()
        now = datetime.now(UTC)
        mine = (requests.c.workspace_id == workspace_id) & (requests.c.key == key)
        async with self.database.writing() as connection:
            insert = _INSERT[connection.dialect.name](requests).values(
                workspace_id=workspace_id,
                key=key,
                body_hash=body_hash,
                call_id=call_id,
                holder=self.holder,
                created_at=now,
                held_at=now,
                done=False,
            )
            added = await connection.execute(insert.on_conflict_do_nothing().returning(requests.c.call_id))
            if added.first() is not None:
                self.at_work.add((workspace_id, key))
                return Reservation(call_id, ours=True, done=False)
            query = requests.select().where(mine).with_for_update()
            row = (await connection.execute(query)).mappings().one()
            if row["body_hash"] != body_hash:
                raise Conflict("Idempotency-Key", key, "was used for another request; take a fresh key")
            if row["done"] or self._is_held(row, now):
                return Reservation(row["call_id"], ours=False, done=row["done"])
            taking_over = requests.update().where(mine).values(holder=self.holder, held_at=now)
            await connection.execute(taking_over)
            self.at_work.add((workspace_id, key))
        return Reservation(row["call_id"], ours=True, done=False)

    def _is_held(self, row: RowMapping, now: datetime) -> bool:
        if row["holder"] == self.holder and (row["workspace_id"], row["key"]) in self.at_work:
            return True
        # Held in what is the future here: the clock was set back, or another gateway's is ahead.
        return bool(abs(now - row["held_at"]) < HELD_FOR)

    async def done(self, workspace_id: str, key: str) -> None:
        """The call was placed: from now on the key stands for it."""
        self.at_work.discard((workspace_id, key))
        mine = (requests.c.workspace_id == workspace_id) & (requests.c.key == key)
        async with self.database.writing() as connection:
            await connection.execute(requests.update().where(mine).values(done=True))

    async def release(self, workspace_id: str, key: str) -> None:
        """The call was refused, and nothing was recorded: the key is free for another attempt."""
        self.at_work.discard((workspace_id, key))
        mine = (requests.c.workspace_id == workspace_id) & (requests.c.key == key)
        async with self.database.writing() as connection:
            await connection.execute(requests.delete().where(mine, requests.c.done.is_(False)))

    async def let_go(self) -> int:
        """Give up what an earlier run of this gateway held; how many. For the start, before requests come."""
        self.at_work.clear()
        past = datetime.fromtimestamp(0, UTC)
        left = (requests.c.holder == self.holder) & requests.c.done.is_(False)
        async with self.database.writing() as connection:
            return (await connection.execute(requests.update().where(left).values(held_at=past))).rowcount

    async def sweep(self, older_than: timedelta) -> int:
        """Forget requests that are older; how many."""
        before = datetime.now(UTC) - older_than
        async with self.database.writing() as connection:
            gone = await connection.execute(requests.delete().where(requests.c.created_at < before))
            return gone.rowcount


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY or KEY.fullmatch(key) is None:
        raise InvalidInput(
            "Idempotency-Key",
            key[:MAX_KEY],
            f"should be 1 to {MAX_KEY} printable ASCII characters without spaces",
        )
