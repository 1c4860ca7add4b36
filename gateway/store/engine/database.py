"""The database itself: its engine, its transactions, its migrations."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import orjson
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.store.engine.errors import StoreError, Unacceptable
from gateway.store.engine.private import private_database

HEAD = "0017"
"The newest migration; a test holds it to `migrations/versions`."
BUSY_SECONDS = 5
"How long SQLite waits for another writer before it gives up."
BUSY_PAUSE = 0.02
"Seconds between two tries where SQLite itself does not wait."
JSON: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value, default=str).decode(),
    "json_deserializer": orjson.loads,
}
MIGRATION_LOCK = 0x7472756E6B
"Advisory lock (PostgreSQL) under which one gateway migrates while others wait."


class Database:
    """An SQLite file or a PostgreSQL database; not connected before it is first used."""

    def __init__(self, url: URL) -> None:
        """`url` names an asynchronous driver, as `Config.store_url` does."""
        self.url = url
        self._engine = _engine(url)
        self._writing_engine = self._engine.execution_options(writes=True)
        self._reading_engine = self._engine
        if self.dialect == "postgresql":
            self._reading_engine = self._engine.execution_options(isolation_level="REPEATABLE READ")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which every statement sees one state of the database."""
        with translated(self.url):
            async with self._reading_engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: all of it happens, or nothing. SQLite has one writer at a time; others wait here."""
        with translated(self.url):
            async with self._writing_engine.begin() as connection:
                yield connection

    async def connect(self) -> AsyncConnection:
        """A connection without a transaction, for its taker to close."""
        with translated(self.url):
            return await self._engine.connect()

    async def migrate(self) -> str | None:
        """Bring the schema up to date; the version it had, None for a new database.

        Only one process migrates, others wait; `StoreError` where the database is newer than this program.
        """
        if self.dialect == "sqlite" and self.url.database not in (None, "", ":memory:"):
            _make_room(Path(str(self.url.database)))
        version = await self.version()
        if version == HEAD:
            return version
        async with self.writing() as connection:
            if self.dialect == "postgresql":
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            await connection.run_sync(_upgrade, str(self.url.render_as_string(hide_password=True)))
        return version

    async def version(self) -> str | None:
        """The migration that the database stands at, None for an empty one."""
        async with self.reading() as connection:
            return await connection.run_sync(_version)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._engine.dispose()


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turns what the driver raises into `StoreError`, with the database's address but not its password."""
    try:
        yield
    except StatementError as error:
        kind = Unacceptable if _is_about_the_values(error) else StoreError
        raise kind(f"{_shown(url)}: {_reason(error.orig)}") from error
    except (TimeoutError, SQLAlchemyError, OSError, sqlite3.Error) as error:
        raise StoreError(f"{_shown(url)}: {_reason(error)}") from error


def _is_about_the_values(error: StatementError) -> bool:
    """Whether another attempt with the same values would fail again (SQLSTATE classes 22 and 23)."""
    if isinstance(error, IntegrityError | DataError) or not isinstance(error, DBAPIError):
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return state[:2] in {"22", "23"} or isinstance(getattr(error.orig, "__cause__", None), ValueError)


def _shown(url: URL) -> str:
    return f"the database {url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)}"


def _reason(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        arguments = {
            "timeout": 5,
            "command_timeout": 30,
            "server_settings": {"application_name": "trunkline"},
        }
        return create_async_engine(
            url, pool_size=5, max_overflow=5, pool_timeout=5, connect_args=arguments, **JSON
        )
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None, "async_creator_fn": _connect_sqlite}
    engine = create_async_engine(
        url, pool_size=5, max_overflow=5, pool_timeout=10, connect_args=arguments, **JSON
    )
    sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


class _SqliteConnection(aiosqlite.Connection):
    """A connection that may be closed when it was stopped already.

    SQLAlchemy does both where a task is cancelled twice in a statement. Without this, aiosqlite forgets the
    connection before its thread has closed it, which leaves its lock, and waits for ever for that thread.
    """

    def stop(self) -> "asyncio.Future[None] | None":
        """Let the thread close the connection and end; once."""
        return super().stop() if self._running else None

    async def close(self) -> None:
        """Close the connection, unless its thread does so already."""
        if self._running:
            await super().close()


def _connect_sqlite(database: str, **arguments: Any) -> _SqliteConnection:
    made = _SqliteConnection(lambda: _open_sqlite(database, **arguments), iter_chunk_size=64)
    # As SQLAlchemy does with those that it makes itself: no thread keeps the process alive.
    made._thread.daemon = True
    return made


def _open_sqlite(database: str, **arguments: Any) -> sqlite3.Connection:
    """In a thread of its own, which may wait."""
    connection: sqlite3.Connection = sqlite3.connect(database, **arguments)
    try:
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Two that change a new file's journal at once are both told that it is locked, without a wait."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
            time.sleep(BUSY_PAUSE)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader cannot become a writer once another has written: say it at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_room(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {file.parent} cannot be made: {error.strerror}") from None
    try:
        private_database(file)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}") from None


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _upgrade(connection: Connection, shown: str) -> None:
    # Imported here: most starts find nothing to migrate, and alembic takes a while to import.
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util import CommandError

    config = AlembicConfig()
    config.set_main_option("script_location", "gateway.store.engine:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"{shown} cannot be migrated, is it of a newer version? {error}") from None


def migrations_after(version: str | None) -> list[str]:
    """What a start would do to a database of this version, in order: `0014 books`."""
    versions = Path(__file__).parent / "migrations" / "versions"
    names = sorted(file.stem.removeprefix("v").replace("_", " ") for file in versions.glob("v*.py"))
    return [name for name in names if version is None or name.partition(" ")[0] > version]
