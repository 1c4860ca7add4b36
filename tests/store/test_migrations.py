"""The migrations make what the schema says, once, whoever else starts at the same time."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, make_url

import gateway.store.engine
from gateway.store.engine.batch_schema import batches
from gateway.store.engine.database import HEAD, Database
from gateway.store.engine.errors import StoreError
from gateway.store.engine.schema import meta

metadata = batches.metadata
"Of all tables."

FOLDER = Path(gateway.store.engine.__file__).parent / "migrations"


def test_head_is_the_newest_migration() -> None:
    """What the database is compared with at start is the newest file, and there is one line of them."""
    assert ScriptDirectory(str(FOLDER)).get_heads() == [HEAD]


async def test_migrations_make_the_schema(database: Database) -> None:
    """After all migrations nothing is left that the schema would change."""

    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_twice_does_nothing(database: Database) -> None:
    """A database that is up to date stays as it is, and says what it stands at."""
    assert await database.migrate() == HEAD


async def test_two_may_migrate_at_once(empty_url: URL) -> None:
    """Two gateways that start together on an empty database both find it ready."""
    first, second = Database(empty_url), Database(empty_url)
    await asyncio.gather(first.migrate(), second.migrate())
    assert await first.version() == await second.version() == HEAD
    await first.close()
    await second.close()


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Whoever comes while another changes the new file's journal waits, and is not told that it is locked."""
    for number in range(10):
        url = make_url(f"sqlite+aiosqlite:///{tmp_path / f'{number}.db'}")
        opened = [Database(url) for _ in range(8)]
        assert await asyncio.gather(*(database.version() for database in opened)) == [None] * 8
        await asyncio.gather(*(database.close() for database in opened))


async def test_database_of_a_newer_program_is_refused(database: Database) -> None:
    """A schema that this program does not know is left alone."""
    async with database.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer"):
        await database.migrate()


async def test_sqlite_writes_ahead_and_keeps_foreign_keys(tmp_path: Path) -> None:
    """An SQLite file is in write-ahead mode, every commit reaches the disk, and references hold."""
    database = Database(make_url(f"sqlite+aiosqlite:///{tmp_path / 'new' / 'folder' / 'test.db'}"))
    await database.migrate()
    async with database.reading() as connection:
        found = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await database.close()
    assert found == ["wal", 2, 1]


async def test_failed_transaction_leaves_nothing(database: Database) -> None:
    """What was written before an error in the same transaction is gone."""

    async def write_twice() -> None:
        async with database.writing() as connection:
            await connection.execute(meta.insert().values(key="a", value="1"))
            await connection.execute(meta.insert().values(key="a", value="2"))

    with pytest.raises(StoreError):
        await write_twice()
    async with database.reading() as connection:
        assert (await connection.execute(sa.select(meta.c.key).where(meta.c.key == "a"))).all() == []


async def test_unreachable_database_is_one_sentence(tmp_path: Path) -> None:
    """Where no database answers, the error names its address and not its password."""
    database = Database(make_url("postgresql+asyncpg://user:geheim@127.0.0.1:1/x"))
    with pytest.raises(StoreError, match=r"the database postgresql://user:\*\*\*@127.0.0.1:1/x") as raised:
        await database.version()
    assert "geheim" not in str(raised.value)
    await database.close()
