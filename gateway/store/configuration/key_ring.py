"""The API keys that are in use, in memory: a request need not read its key from the database.

What is known of a key holds as long as the configuration's revision stays. That is asked for at most every
`FRESH_SECONDS` (`snapshot.py`), so a key that is revoked elsewhere opens nothing from then on; one that is
revoked in this process opens nothing at once.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from gateway.store.engine.database import Database
from gateway.store.engine.schema import api_keys, meta

MOST_KNOWN = 1024
"Keys that are kept in mind; the one that was not used for longest gives way."
USED_AGAIN = timedelta(minutes=1)
"`last_used_at` is no more exact than this, so that most requests write nothing."


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a workspace, without its secret."""

    id: str
    "`key_…`"
    workspace_id: str
    name: str
    created_by: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as it was read."""

    key: ApiKey
    secret_hash: str
    revision: int
    "Of the configuration, in the same reading."


class KeyRing:
    """Finds the key that a request shows."""

    def __init__(self, database: Database, revision: Callable[[], Awaitable[int]]) -> None:
        """`revision` gives that of the configuration, fresh; it raises `StoreError` where nobody knows."""
        self._database = database
        self._revision = revision
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def opening(self, key_id: str, secret: str) -> ApiKey | None:
        """The key that these two open, None where they open nothing; nearly right takes no longer."""
        known = await self._find(key_id)
        fits = hmac.compare_digest(hashed(secret), "" if known is None else known.secret_hash)
        if known is None or not fits or known.key.revoked_at is not None:
            return None
        await self._used(known)
        return known.key

    async def _find(self, key_id: str) -> _Known | None:
        known = self._known.get(key_id)
        if known is None or known.revision != await self._revision():
            return await self._read(key_id)
        self._known.move_to_end(key_id)
        return known

    async def _read(self, key_id: str) -> _Known | None:
        self._known.pop(key_id, None)
        revision = sa.select(meta.c.value).where(meta.c.key == "revision").scalar_subquery()
        query = sa.select(api_keys, revision.label("revision")).where(api_keys.c.id == key_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        known = _Known(key_of(row), row["secret_hash"], int(row["revision"]))
        self._keep(known)
        return known

    def _keep(self, known: _Known) -> None:
        self._known[known.key.id] = known
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _used(self, known: _Known) -> None:
        now, key = datetime.now(UTC), known.key
        if key.last_used_at is not None and now - key.last_used_at < USED_AGAIN:
            return
        async with self._database.writing() as connection:
            await connection.execute(
                api_keys.update().where(api_keys.c.id == key.id).values(last_used_at=now)
            )
        self._keep(replace(known, key=replace(key, last_used_at=now)))


def hashed(secret: str) -> str:
    """What the database has of a secret."""
    # 256 random bits cannot be guessed however fast the hash is; a slow one would only slow us.
    return hashlib.sha256(secret.encode()).hexdigest()


def key_of(row: RowMapping) -> ApiKey:
    """The key in a row."""
    return ApiKey(**{name: row[name] for name in ApiKey.__slots__})
