"""Databases for tests that start with one: to migrate an empty file costs more than most tests do."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL

from gateway.store.engine.database import Database


def lay_tables(url: URL) -> None:
    """Put an empty SQLite database at the newest migration where there is none; others are left alone."""
    if url.get_backend_name() != "sqlite":
        return
    file = Path(url.database or "")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_empty())


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as aside:
        file = Path(folder) / "empty.db"
        # In a thread, since the test that asks may have a loop running.
        aside.submit(asyncio.run, _migrate(file)).result()
        return file.read_bytes()


async def _migrate(file: Path) -> None:
    database = Database(URL.create("sqlite+aiosqlite", database=str(file)))
    await database.migrate()
    await database.close()
