"""Databases to test on: SQLite always, PostgreSQL where Debian's package is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from gateway.store.database import Database

VERSIONS = Path("/usr/lib/postgresql")


@contextmanager
def postgresql_cluster(folder: Path) -> Iterator[int]:
    """A throw-away PostgreSQL on a loopback port, run by an ordinary user; the port."""
    programs = sorted(VERSIONS.glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        pytest.skip(f"PostgreSQL is not installed (nothing in {VERSIONS})")
    data = folder / "cluster"
    run_as = _ordinary_user(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str | Path) -> None:
        command = [programs[-1] / program, "-D", data, *arguments]
        subprocess.run(command, user=run_as, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "tests", "-A", "trust", "-N")
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "-o", options, "-w", "-l", folder / "log", "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-m", "immediate", "-w", "stop")


def _ordinary_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else gets the folder and runs it."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_name


@pytest.fixture(scope="session")
def postgresql_port() -> Iterator[int]:
    """The port of a cluster that lives as long as the tests."""
    folder = Path(tempfile.mkdtemp(prefix="trunkline-postgresql-"))
    try:
        with postgresql_cluster(folder) as port:
            yield port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return make_url(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    port = request.getfixturevalue("postgresql_port")
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user="tests", database="postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return make_url(f"postgresql+asyncpg://tests@127.0.0.1:{port}/{name}")


@pytest.fixture
async def database(url: URL) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    database = Database(url)
    await database.migrate()
    yield database
    await database.close()
