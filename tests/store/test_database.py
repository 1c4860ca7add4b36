"""Connections to SQLite whose user is cancelled in mid-statement."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from gateway.store.engine.database import Database


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_twice_leaves_nothing(tmp_path: Path, turns: int) -> None:
    """No lock stays behind, and no task that waits for ever, wherever in its statements a writer is."""
    database = Database(URL.create("sqlite+aiosqlite", database=str(tmp_path / "test.db")))
    begun = asyncio.Event()

    async def write() -> None:
        while True:
            async with database.writing() as connection:
                await connection.execute(sa.text("SELECT 1"))
                begun.set()

    writing = asyncio.create_task(write())
    await begun.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    async with asyncio.timeout(20), database.writing() as connection:
        await connection.execute(sa.text("CREATE TABLE free (id INTEGER)"))
    await database.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=20)
    assert not [task for task in left if not task.done()]


async def test_a_second_engine_in_the_process_drops_no_lock(tmp_path: Path) -> None:
    """Whoever else closes the database does not take the write-ahead log away from those who have it open."""
    url = URL.create("sqlite+aiosqlite", database=str(tmp_path / "test.db"))
    first, second = Database(url), Database(url)
    await first.migrate()
    async with first.reading() as connection:
        await connection.execute(sa.text("SELECT 1"))
        await second.migrate()
        program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM meta')"
        program += "; c.close()"
        command = [sys.executable, "-c", program, str(tmp_path / "test.db")]
        await asyncio.to_thread(subprocess.run, command, check=True)
        assert (tmp_path / "test.db-wal").exists(), "it was deleted as if nobody had it open"
    await second.close()
    await first.close()
