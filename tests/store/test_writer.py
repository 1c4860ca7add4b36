"""Call records while the database is well, slow, away; and what a kill in between leaves."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from gateway.config.loading import load_config
from gateway.config.settings import Config
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError, Unacceptable
from gateway.store.engine.tenure import NameLost
from gateway.store.records import call_table
from gateway.store.records import writer as writer_module
from gateway.store.records.call_table import Saved, get_call, saved_of
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.records.journal import Journal
from gateway.store.records.writer import CallWriter
from gateway.store.sql import open_store
from tests.store.test_calls import FULL

LIMIT = 100


class Bench:
    """A writer on a database that can be made to fail, with what it told."""

    def __init__(self, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = database
        self.path = folder / "calls.jsonl"
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.trouble: Callable[[], Any] | None = None
        self.batches: list[int] = []

        async def upsert(connection: Any, batch: list[Saved]) -> None:
            self.batches.append(len(batch))
            if self.trouble is not None:
                await self.trouble()
            await call_table.upsert(connection, batch)

        monkeypatch.setattr(writer_module, "upsert", upsert)
        monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr(writer_module, "SPILL_SECONDS", 0.01)
        monkeypatch.setattr(writer_module, "RETRY_SECONDS", (0.01,))
        self.writer = CallWriter(database, Journal(self.path), LIMIT, self.tell)

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self.told.append((name, {"level": level, **fields}))

    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    async def until(self, name: str) -> None:
        """Wait until something was told."""
        async with asyncio.timeout(10):
            while name not in self.names():  # noqa: ASYNC110 - what is told has no event to wait for
                await asyncio.sleep(0.005)

    async def status(self, call_id: str) -> str | None:
        async with self.database.reading() as connection:
            found = await get_call(connection, call_id)
        return None if found is None else found.status

    async def refuse(self) -> None:
        raise StoreError("the database is away")

    async def hang(self) -> None:
        while self.trouble is not None:  # noqa: ASYNC110 - a database that stalls has no event either
            await asyncio.sleep(0.005)


@pytest.fixture
async def bench(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A writer that runs."""
    bench = Bench(database, tmp_path, monkeypatch)
    task = asyncio.create_task(bench.writer.run())
    yield bench
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def row(call_id: str, status: str = "initiated") -> CallRow:
    return replace(FULL, id=call_id, status=status)


async def test_rows_gather_while_a_batch_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst goes out in few transactions, each call once, the latest state of each."""
    monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 60.0)
    for index in range(50):
        bench.writer.save(row(f"call_{index % 10}", "initiated"))
    for index in range(10):
        bench.writer.save(row(f"call_{index}", "completed"))
    await bench.writer.flush()
    assert bench.batches == [10]
    assert await bench.status("call_7") == "completed"


async def test_short_trouble_is_ridden_out_in_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses once and then takes it leaves no journal, and nothing is told."""
    monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 60.0)

    async def once() -> None:
        bench.trouble = None
        raise StoreError("database is locked")

    bench.trouble = once
    bench.writer.save(row("call_1"))
    await bench.writer.flush()
    assert await bench.status("call_1") == "initiated"
    assert not bench.path.exists()
    assert bench.told == []


@pytest.mark.parametrize("kind", ["refuse", "hang"])
async def test_longer_trouble_goes_to_the_journal_and_back(bench: Bench, kind: str) -> None:
    """Away or stalled, rows are on disk within the patience; when the database is back, they are in it."""
    bench.trouble = getattr(bench, kind)
    bench.writer.save(row("call_1", "initiated"))
    await bench.until("store.stalled")
    bench.writer.save(row("call_1", "completed"))
    bench.writer.save(row("call_2", "busy"))
    await asyncio.wait_for(bench.writer.flush(), 5)
    on_disk = [saved_of(line).row for line in bench.path.read_bytes().splitlines()]
    assert [(each.id, each.status) for each in on_disk] == [
        ("call_1", "initiated"),
        ("call_1", "completed"),
        ("call_2", "busy"),
    ]
    assert bench.writer.unsaved == 0
    bench.trouble = None
    await bench.until("store.recovered")
    assert [await bench.status("call_1"), await bench.status("call_2")] == ["completed", "busy"]
    assert not bench.path.exists()
    assert bench.writer.counters["stalls"] == 1


async def test_rows_go_straight_again_after_recovery(bench: Bench) -> None:
    """Once the journal is in the database, new rows do not take the way over the disk."""
    bench.trouble = bench.refuse
    bench.writer.save(row("call_1"))
    await bench.until("store.stalled")
    bench.trouble = None
    await bench.until("store.recovered")
    journalled = bench.writer.counters["journalled"]
    bench.writer.save(row("call_2"))
    await bench.writer.flush()
    assert await bench.status("call_2") == "initiated"
    assert bench.writer.counters["journalled"] == journalled


async def test_journal_never_overwrites_a_later_state(bench: Bench) -> None:
    """A replayed row is older than what the database has, and gives way."""
    early = Saved(bench.writer.next_order(), row("call_1", "initiated"))
    bench.writer.save(row("call_1", "completed"))
    await bench.writer.flush()
    Journal(bench.path).append([early])
    await bench.writer.replay()
    assert await bench.status("call_1") == "completed"


async def test_memory_stays_bounded(bench: Bench) -> None:
    """However many calls end while neither database nor disk takes them, no more are held than allowed."""
    bench.trouble = bench.refuse
    bench.path.mkdir()  # so that the journal cannot be written
    for index in range(LIMIT * 3):
        bench.writer.save(row(f"call_{index}"))
    assert bench.writer.unsaved == LIMIT
    assert bench.writer.counters["lost"] == LIMIT * 2
    bench.writer.save(row("call_last"))
    await bench.until("store.journal_failed")
    bench.trouble = None
    bench.path.rmdir()
    await asyncio.wait_for(bench.writer.flush(), 5)
    await bench.until("store.recovered")
    assert await bench.status("call_last") == "initiated"


async def test_a_disk_that_refuses_is_told_once_a_minute(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried; the gateway is not ready as long as records are in memory only."""
    bench.trouble = bench.refuse
    bench.path.mkdir()  # so that the journal cannot be written
    assert bench.writer.trouble is None
    bench.writer.save(row("call_1"))
    await bench.until("store.journal_failed")
    await asyncio.sleep(0.2)
    assert bench.names().count("store.journal_failed") == 1
    assert bench.writer.trouble == (
        f"call records are in memory only: the database is away; [Errno 21] Is a directory: '{bench.path}'"
    )
    monkeypatch.setattr(writer_module, "TOLD_SECONDS", 0.05)
    await asyncio.sleep(0.2)
    assert 2 <= bench.names().count("store.journal_failed") <= 5
    bench.path.rmdir()
    await asyncio.wait_for(bench.writer.flush(), 5)
    assert bench.writer.stalled
    assert bench.writer.trouble is None, "it is on disk"
    bench.trouble = None
    await bench.until("store.recovered")
    assert not bench.writer.stalled


async def test_who_lost_the_name_writes_nothing(bench: Bench) -> None:
    """Its rows are counted and dropped: another process has closed these calls."""

    async def fence(_: object) -> None:
        raise NameLost("gone")

    bench.writer._fence = fence
    bench.writer.save(row("call_1"))
    await asyncio.wait_for(bench.writer.flush(), 5)
    assert bench.writer.counters["fenced"] == 1
    assert await bench.status("call_1") is None
    assert "store.row_rejected" not in bench.names()


async def test_many_rows_are_journalled_before_the_patience_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the bound in memory is reason enough to use the disk."""
    monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 3600.0)
    bench.trouble = bench.hang
    bench.writer.save(row("call_first"))
    await asyncio.sleep(0)
    for index in range(LIMIT // 2 + 1):
        bench.writer.save(row(f"call_{index}"))
    await asyncio.wait_for(bench.writer.flush(), 5)
    assert bench.writer.counters["lost"] == 0
    bench.trouble = None
    await bench.until("store.recovered")


async def test_row_that_can_never_be_saved_is_put_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One impossible record neither stops the others nor vanishes."""
    monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 60.0)
    impossible = replace(row("call_bad"), created_at=FULL.created_at.replace(tzinfo=None))
    for each in (row("call_1"), impossible, row("call_2")):
        bench.writer.save(each)
    await asyncio.wait_for(bench.writer.flush(), 5)
    assert [await bench.status("call_1"), await bench.status("call_2")] == ["initiated"] * 2
    assert bench.names() == ["store.row_rejected"]
    assert b"call_bad" in bench.path.with_suffix(".rejected").read_bytes()


async def test_database_of_the_wrong_type_is_told(bench: Bench) -> None:
    """What the database calls unacceptable is singled out, whatever the batch."""

    async def refuse_all() -> None:
        raise Unacceptable("value out of range")

    bench.trouble = refuse_all
    bench.writer.save(row("call_1"))
    bench.writer.save(row("call_2"))
    await asyncio.wait_for(bench.writer.flush(), 5)
    assert bench.writer.counters["rejected"] == 2


# --- the journal itself


def test_journal_comes_back_in_order(tmp_path: Path) -> None:
    """What was appended is replayed in the order of writing, and forgotten then."""
    journal = Journal(tmp_path / "new" / "calls.jsonl")
    rows = [Saved(index, row(f"call_{index}")) for index in range(450)]
    assert journal.is_empty
    assert not journal.set_aside()
    journal.append(rows[:300])
    journal.append(rows[300:])
    assert not journal.is_empty
    assert journal.set_aside()
    chunks = list(journal.chunks())
    assert [len(chunk) for chunk in chunks] == [200, 200, 50]
    assert [saved for chunk in chunks for saved in chunk] == rows
    journal.forget()
    assert journal.is_empty


def test_torn_line_costs_itself_only(tmp_path: Path) -> None:
    """A line that was being written when the machine died is skipped; what was and is appended stays."""
    journal = Journal(tmp_path / "calls.jsonl")
    journal.append([Saved(1, row("call_1"))])
    with (tmp_path / "calls.jsonl").open("ab") as file:
        file.write(b'{"id":"call_torn","stat')
    journal.append([Saved(2, row("call_2"))])
    journal.set_aside()
    assert [saved.row.id for chunk in journal.chunks() for saved in chunk] == ["call_1", "call_2"]
    assert journal.torn == 1


def test_replay_that_was_interrupted_starts_again(tmp_path: Path) -> None:
    """What was set aside stays first in line until it is forgotten; what is appended then comes after."""
    journal = Journal(tmp_path / "calls.jsonl")
    journal.append([Saved(1, row("call_1"))])
    journal.set_aside()
    journal.append([Saved(2, row("call_2"))])
    again = Journal(tmp_path / "calls.jsonl")
    found = []
    while again.set_aside():
        found += [saved.row.id for chunk in again.chunks() for saved in chunk]
        again.forget()
    assert found == ["call_1", "call_2"]


def test_journal_is_for_its_owner(tmp_path: Path) -> None:
    """Call records are nobody else's business."""
    journal = Journal(tmp_path / "calls.jsonl")
    journal.append([Saved(1, row("call_1"))])
    assert (tmp_path / "calls.jsonl").stat().st_mode & 0o777 == 0o600


# --- killed


async def test_next_start_takes_the_journal_in(config: Config) -> None:
    """What an earlier run could only write to the journal is in the database when the gateway is up."""
    Journal(config.journal_file).append([Saved(5, row("call_1", "completed"))])
    store = await open_store(config)
    found = await store.get_call("call_1")
    await store.close()
    assert found is not None
    assert found.status == "completed"
    assert Journal(config.journal_file).is_empty


async def test_closing_after_replay_wins(config: Config) -> None:
    """A call that the journal knows as open is closed by the next start, and stays closed."""
    left = replace(row("call_1"), ended_at=None, instance="trunkline")
    Journal(config.journal_file).append([Saved(5, left)])
    store = await open_store(config)
    assert [row.id for row in (await store.close_open_calls(None)).closed] == ["call_1"]
    await store.close()


SAVE_WHILE_LOCKED = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from gateway.config.loading import load_config
from gateway.store.sql import open_store
from tests.store.test_calls import FULL

async def main():
    config = load_config(None, {"TRUNKLINE_GATEWAY__DATA_DIR": sys.argv[1]})
    store = await open_store(config, lambda name, /, **fields: print(name, flush=True))
    print("ready", flush=True)
    sys.stdin.readline()
    for index in range(500):
        store.save_call(replace(FULL, id=f"call_{index}"))
    await store.flush()
    print("flushed", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
def test_kill_while_the_database_is_away_loses_nothing(tmp_path: Path) -> None:
    """A gateway that is killed -9 while another program holds the database has lost no record."""
    command = [sys.executable, "-c", textwrap.dedent(SAVE_WHILE_LOCKED), str(tmp_path)]
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
    given, told = process.stdin, process.stdout
    assert given is not None
    assert told is not None
    assert told.readline() == "ready\n"
    url = make_url(f"sqlite+aiosqlite:///{tmp_path / 'trunkline.db'}")

    async def hold_and_kill() -> None:
        holder = Database(url)
        async with holder.writing():
            given.write("go\n")
            given.flush()
            while await asyncio.to_thread(told.readline) != "flushed\n":
                pass
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        await holder.close()

    async def count() -> int:
        store = await open_store(load_config(None, {"TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path)}))
        ids: set[str] = set()
        which = CallFilter(limit=200)
        while True:
            page = await store.list_calls(which)
            ids |= {call.id for call in page.calls}
            if page.next is None:
                break
            which = replace(which, after=page.next)
        await store.close()
        return len(ids)

    asyncio.run(hold_and_kill())
    given.close()
    told.close()
    assert json.loads((tmp_path / "calls-trunkline.jsonl").read_bytes().splitlines()[0])["id"] == "call_0"
    assert asyncio.run(count()) == 500
