"""API keys: who may use the API for a workspace. The database has a hash of each secret, never the secret."""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from gateway.routing.table import Workspace
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Editing
from gateway.store.configuration.history import Entry, record
from gateway.store.configuration.key_ring import ApiKey, KeyRing, hashed, key_of
from gateway.store.engine.errors import InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import api_keys

SECRET_BYTES = 32
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Keys:
    """The API keys in the store."""

    editing: Editing
    caps: Caps
    ring: KeyRing

    async def list_all(self, workspace_id: str | None = None) -> list[ApiKey]:
        """All keys, of one workspace or of all, oldest first; revoked ones too."""
        which = sa.true() if workspace_id is None else api_keys.c.workspace_id == workspace_id
        query = api_keys.select().where(which).order_by(api_keys.c.created_at, api_keys.c.id)
        async with self.editing.database.reading() as connection:
            return [key_of(row) for row in (await connection.execute(query)).mappings()]

    async def add(self, workspace_id: str, name: str, by: str) -> tuple[ApiKey, str]:
        """Make a key; it, and its secret, which nobody can read again."""
        name = name.strip()
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise InvalidInput("name", name, f"should be 1 to {MAX_NAME} printable characters")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        async with self.editing.changing(by) as changing:
            await changing.get(Workspace, workspace_id)
            await self.caps.one_more_key(changing, workspace_id)
            key = ApiKey(new_id("key"), workspace_id, name, by, datetime.now(UTC))
            columns = {field: getattr(key, field) for field in ApiKey.__slots__}
            await changing.connection.execute(api_keys.insert().values(**columns, secret_hash=hashed(secret)))
            entry = Entry(by, workspace_id, "key", key.id, "add", {}, {"name": name})
            changing.revision = await record(changing.connection, entry)
        return key, secret

    async def revoke(self, key_id: str, by: str, workspace_id: str | None = None) -> ApiKey:
        """Let a key open nothing from now on; revoking it again changes nothing.

        `NotFound` where there is none, or none in `workspace_id`.
        """
        async with self.editing.changing(by) as changing:
            rows = await changing.connection.execute(api_keys.select().where(api_keys.c.id == key_id))
            row = rows.mappings().first()
            if row is None or workspace_id not in (None, row["workspace_id"]):
                raise NotFound("key", key_id, "there is no such key")
            if row["revoked_at"] is None:
                now = datetime.now(UTC)
                update = api_keys.update().where(api_keys.c.id == key_id)
                await changing.connection.execute(update.values(revoked_at=now))
                shown = now.isoformat(timespec="seconds")
                entry = Entry(by, row["workspace_id"], "key", key_id, "revoke", {}, {"revoked_at": shown})
                changing.revision = await record(changing.connection, entry)
                return replace(key_of(row), revoked_at=now)
        return key_of(row)

    async def opening(self, key_id: str, secret: str) -> ApiKey | None:
        """The key that these two open, None where they open nothing; see `KeyRing`."""
        return await self.ring.opening(key_id, secret)
