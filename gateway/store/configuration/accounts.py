"""Local accounts, and the sessions of those who are logged in to the dashboard."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.configuration.history import Entry, record
from gateway.store.configuration.passwords import NOBODY, checked_password, hashed, matches
from gateway.store.engine.database import Database
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import accounts, api_keys, web_sessions, workspaces

_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{2,100}")
MAX_SESSIONS = 50
"Sessions of one account at once; the oldest one ends for the next."


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in to the dashboard of one workspace."""

    id: str
    "`acct_…`"
    workspace_id: str
    name: str
    "E-mail address or another name, in lower case; unique over all workspaces."
    created_at: datetime
    seen_at: datetime | None
    "When they last logged in."


@dataclass(frozen=True, slots=True)
class WebSession:
    """Somebody who is logged in."""

    id: str
    "SHA-256 of the token in the cookie; the token itself is stored nowhere."
    workspace_id: str
    account_id: str | None
    key_id: str | None
    "The API key that was logged in with, where it was no account."
    name: str
    "Whom the dashboard greets, and the history names."
    expires_at: datetime
    notice: Mapping[str, str] | None
    "What the next page says once."

    @property
    def by(self) -> str:
        """Who changes things in this session, for the history."""
        return f"api:{self.key_id}" if self.key_id else f"web:{self.name}"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts in the database."""

    database: Database

    async def list_all(self, workspace_id: str | None = None) -> list[Account]:
        """Those of a workspace, or all; by name."""
        query = sa.select(*_COLUMNS).order_by(accounts.c.name)
        if workspace_id is not None:
            query = query.where(accounts.c.workspace_id == workspace_id)
        async with self.database.reading() as connection:
            return [Account(*row) for row in await connection.execute(query)]

    async def find(self, name_or_id: str, workspace_id: str | None = None) -> Account:
        """The one that a person means by id or name."""
        for account in await self.list_all(workspace_id):
            if name_or_id == account.id or name_or_id.strip().lower() == account.name:
                return account
        raise NotFound("account", name_or_id, "there is no such account")

    async def add(self, workspace_id: str, name: str, password: str, by: str) -> Account:
        """Add an account under a name that is free."""
        name = _checked_name(name)
        stored = await asyncio.to_thread(hashed, checked_password(password))
        account = Account(new_id("acct"), workspace_id, name, datetime.now(UTC), None)
        async with self.database.writing() as connection:
            await _refuse_unknown_workspace(connection, workspace_id)
            taken = sa.select(accounts.c.id).where(accounts.c.name == name)
            if (await connection.execute(taken)).first() is not None:
                raise Conflict("name", name, "should be a name that no other account has")
            await connection.execute(accounts.insert().values(**_row(account), password_hash=stored))
            await _note(connection, account, by, "add", {"name": [None, name]})
        return account

    async def set_password(self, account_id: str, password: str, by: str) -> Account:
        """Give an account another password; whoever was logged in with the old one is logged out."""
        stored = await asyncio.to_thread(hashed, checked_password(password))
        async with self.database.writing() as connection:
            account = await _get(connection, account_id)
            await connection.execute(
                accounts.update().where(accounts.c.id == account_id).values(password_hash=stored)
            )
            await connection.execute(web_sessions.delete().where(web_sessions.c.account_id == account_id))
            await _note(connection, account, by, "change", {"password": ["(set)", "(set anew)"]})
        return account

    async def remove(self, account_id: str, by: str) -> Account:
        """Remove an account; whoever is logged in with it is logged out."""
        async with self.database.writing() as connection:
            account = await _get(connection, account_id)
            await connection.execute(web_sessions.delete().where(web_sessions.c.account_id == account_id))
            await connection.execute(accounts.delete().where(accounts.c.id == account_id))
            await _note(connection, account, by, "remove", {"name": [account.name, None]})
        return account

    async def check(self, name: str, password: str) -> Account | None:
        """The account whose name and password these are, or None, which takes as long."""
        query = sa.select(*_COLUMNS, accounts.c.password_hash).where(accounts.c.name == name.strip().lower())
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).first()
        stored = NOBODY if row is None else row.password_hash
        if not await asyncio.to_thread(matches, password, stored) or row is None:
            return None
        return Account(*row[: len(_COLUMNS)])


@dataclass(frozen=True, slots=True)
class WebSessions:
    """Who is logged in. The token is only in the cookie; here is its hash."""

    database: Database

    async def open_for_account(self, account: Account, now: datetime, lifetime: timedelta) -> str:
        """Log an account in; returns the token for the cookie."""
        async with self.database.writing() as connection:
            await connection.execute(accounts.update().where(accounts.c.id == account.id).values(seen_at=now))
            mine = web_sessions.c.account_id == account.id
            return await _open(
                connection, mine, now, lifetime, account.workspace_id, account.name, account_id=account.id
            )

    async def open_for_key(
        self, key_id: str, workspace_id: str, name: str, now: datetime, lifetime: timedelta
    ) -> str:
        """Log an API key in; returns the token for the cookie."""
        async with self.database.writing() as connection:
            mine = web_sessions.c.key_id == key_id
            return await _open(connection, mine, now, lifetime, workspace_id, name, key_id=key_id)

    async def find(self, token: str, now: datetime) -> WebSession | None:
        """The session of a token, where it is one and has not expired."""
        columns = [web_sessions.c[field] for field in WebSession.__slots__]
        query = sa.select(*columns).outerjoin(api_keys, api_keys.c.id == web_sessions.c.key_id)
        # A key that was revoked closes what it opened.
        query = query.where(web_sessions.c.id == token_id(token), api_keys.c.revoked_at.is_(None))
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None or row.expires_at <= now else WebSession(*row)

    async def say_next(self, session_id: str, notice: Mapping[str, str] | None) -> None:
        """Leave something for the next page to say; None: it was said."""
        update = web_sessions.update().where(web_sessions.c.id == session_id)
        async with self.database.writing() as connection:
            await connection.execute(update.values(notice=None if notice is None else dict(notice)))

    async def close(self, session_id: str) -> None:
        """Log out."""
        async with self.database.writing() as connection:
            await connection.execute(web_sessions.delete().where(web_sessions.c.id == session_id))


def token_id(token: str) -> str:
    """What a token is stored as."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def _open(
    connection: AsyncConnection,
    mine: sa.ColumnElement[bool],
    now: datetime,
    lifetime: timedelta,
    workspace_id: str,
    name: str,
    *,
    account_id: str | None = None,
    key_id: str | None = None,
) -> str:
    await connection.execute(web_sessions.delete().where(web_sessions.c.expires_at <= now))
    newest_first = sa.select(web_sessions.c.id).where(mine).order_by(web_sessions.c.created_at.desc())
    surplus = (await connection.execute(newest_first.offset(MAX_SESSIONS - 1))).scalars().all()
    await connection.execute(web_sessions.delete().where(web_sessions.c.id.in_(surplus)))
    token = secrets.token_urlsafe(32)
    await connection.execute(
        web_sessions.insert().values(
            id=token_id(token),
            workspace_id=workspace_id,
            account_id=account_id,
            key_id=key_id,
            name=name,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return token


_COLUMNS = tuple(accounts.c[field] for field in Account.__slots__)


def _row(account: Account) -> dict[str, Any]:
    return {field: getattr(account, field) for field in Account.__slots__}


def _checked_name(given: str) -> str:
    name = given.strip().lower()
    if not _NAME.fullmatch(name):
        raise InvalidInput("name", given, "should be an e-mail address or a name without spaces")
    return name


async def _get(connection: AsyncConnection, account_id: str) -> Account:
    query = sa.select(*_COLUMNS).where(accounts.c.id == account_id)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound("account", account_id, "there is no such account")
    return Account(*row)


async def _refuse_unknown_workspace(connection: AsyncConnection, workspace_id: str) -> None:
    known = sa.select(workspaces.c.id).where(workspaces.c.id == workspace_id)
    if (await connection.execute(known)).first() is None:
        raise NotFound("workspace", workspace_id, "there is no such workspace")


async def _note(
    connection: AsyncConnection, account: Account, by: str, action: str, fields: dict[str, list[Any]]
) -> None:
    before = {name: pair[0] for name, pair in fields.items() if pair[0] is not None}
    after = {name: pair[1] for name, pair in fields.items() if pair[1] is not None}
    await record(connection, Entry(by, account.workspace_id, "account", account.id, action, before, after))
