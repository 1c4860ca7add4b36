"""Databases to test on: SQLite always, PostgreSQL where Debian's package is installed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest
from sqlalchemy.engine import URL, make_url

from gateway.config.loading import load_config
from gateway.config.settings import Config
from gateway.store.engine.database import Database
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished, furnish
from tests.store.postgresql import Cluster, throw_away_cluster
from tests.tables import lay_tables


@pytest.fixture(scope="session")
def postgresql_port() -> Iterator[int]:
    """The port of a cluster that lives as long as the tests."""
    with throw_away_cluster() as cluster:
        yield cluster.port


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of the test's own, to be stopped and started."""
    with throw_away_cluster() as cluster:
        yield cluster


async def _copy(port: int, source: str) -> URL:
    """A fresh database that starts as a copy of another."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user="tests", database="postgres")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")
    await connection.close()
    return make_url(f"postgresql+asyncpg://tests@127.0.0.1:{port}/{name}")


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The address of a database with nothing in it, once of each kind."""
    if request.param == "sqlite":
        return make_url(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    return await _copy(request.getfixturevalue("postgresql_port"), "template0")


@pytest.fixture(scope="session")
def migrated() -> list[URL]:
    """The PostgreSQL database that was migrated already, to be copied: that is faster."""
    return []


@pytest.fixture
async def url(empty_url: URL, migrated: list[URL]) -> URL:
    """The address of a migrated database with nothing in its tables, once of each kind."""
    if empty_url.get_backend_name() == "sqlite":
        lay_tables(empty_url)
        return empty_url
    if not migrated:
        await _migrate(empty_url)
        migrated.append(empty_url)
    return await _copy(empty_url.port or 0, str(migrated[0].database))


async def _migrate(url: URL) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()


@pytest.fixture
async def database(url: URL) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
def config(url: URL, tmp_path: Path) -> Config:
    """A configuration with that database, whose data is thrown away."""
    environ = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path / "data"),
        "TRUNKLINE_STORE__URL": url.render_as_string(hide_password=False),
    }
    return load_config(None, environ)


@pytest.fixture
async def store(config: Config) -> AsyncIterator[SqlStore]:
    """A store on an empty database, ready for calls."""
    store = await open_store(config)
    yield store
    await store.close()


@pytest.fixture
async def furnished(store: SqlStore) -> Furnished:
    """What a test finds in the store where it does not care for the details."""
    return await furnish(store)
