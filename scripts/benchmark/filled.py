"""A big database for the benchmark of pages: 10 000 numbers, a million calls of a year, one large workspace.

Rows go past the store, in bulk: a million calls take a minute or two. The same every time, on both databases.
"""

import asyncio
import importlib
import itertools
import os
import pwd
import random
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex

from gateway.config.settings import Config
from gateway.routing.table import (
    Agent,
    AgentVersion,
    NumberStatus,
    PhoneNumber,
    Trunk,
    VersionState,
    Workspace,
)
from gateway.store.configuration.values import columns_of
from gateway.store.engine.database import Database
from gateway.store.engine.schema import agents, calls, numbers, trunks, versions
from gateway.store.engine.seal import SecretBox
from gateway.store.sql import open_store

SEED = 11
LARGE = "org_bench"
SMALL = [f"org_small_{place:02}" for place in range(40)]
LARGE_SHARE = 0.7
AGENTS = 100
VERSIONS = 5
"Of each agent."
TRUNKS = 20
NUMBERS = 10_000
NOW = datetime.now(UTC).replace(microsecond=0)
YEAR_SECONDS = 365 * 86_400
BATCH = 20_000

STATUSES = {
    "completed": 7200,
    "no_answer": 900,
    "did_not_pick": 600,
    "busy": 500,
    "failed": 500,
    "cancelled": 299,
}
REASONS = {
    "completed": ("user_disconnected", "user_disconnected", "agent_disconnected", "max_duration"),
    "no_answer": ("no_answer",),
    "did_not_pick": ("no_answer",),
    "busy": ("busy",),
    "failed": ("agent_unreachable", "no_common_codec", "destination_not_enabled"),
    "cancelled": ("caller_cancelled",),
}
COLUMNS = [column.name for column in calls.columns]
DECISION = {
    "allowed": True,
    "reason": None,
    "summary": "The call goes to version 1 of Desk 001.",
    "checks": [
        {"name": name, "looked_at": f"{name} of the call", "found": "the one that fits", "outcome": "pass"}
        for name in ("source", "trunk", "number", "rental", "version", "channels")
    ],
    "near_misses": [],
}
LADDER = [
    {"at": "2026-01-01T00:00:00.000Z", "sent": bool(place % 2), "line": line}
    for place, line in enumerate(("INVITE", "100 Trying", "180 Ringing", "200 OK", "ACK", "BYE", "200 OK"))
]
FIGURES = {"packets": 2100, "lost": 3, "late": 1, "jitter_ms": 1.7, "duplicates": 0, "discarded": 2}
MEDIA = {"codec": "PCMU", "remote": "192.0.2.7:40000", "round_trip_ms": 31.2, "in": FIGURES, "out": FIGURES}
"About 1.5 kB a record, as a short call leaves."


async def fill(config: Config, rows: int) -> str:
    """Make the database; the key of the large workspace for the API."""
    store = await open_store(config, serving=False)
    try:
        book = store.configuration
        for workspace_id in (LARGE, *SMALL):
            await book.workspaces.add(Workspace(workspace_id, workspace_id, kyc_verified=True), "bench")
        key, secret = await book.keys.add(LARGE, "bench", "bench")
    finally:
        await store.close()
    database = Database(config.store_url)
    try:
        await _fill_configuration(database, book.numbers.editing.box)
        await _fill_calls(database, rows)
    finally:
        await database.close()
    return f"{key.id}:{secret}"


async def _fill_configuration(database: Database, box: SecretBox) -> None:
    """Agents, versions, trunks and numbers, nearly all of the large workspace."""
    made: dict[sa.Table, Iterator[Any]] = {
        trunks: (_trunk(place) for place in range(TRUNKS)),
        agents: (Agent(f"agent_{place:03}", LARGE, f"Desk {place:03}") for place in range(AGENTS)),
        versions: (_version(*both) for both in itertools.product(range(AGENTS), range(VERSIONS))),
        numbers: (_number(place) for place in range(NUMBERS)),
    }
    async with database.writing() as connection:
        for table, values in made.items():
            rows = [{**columns_of(value, box), "created_at": NOW} for value in values]
            await connection.execute(table.insert(), rows)


def _trunk(place: int) -> Trunk:
    return Trunk(f"trunk_{place:02}", LARGE, f"Carrier {place}", sources=(f"192.0.2.{place}",))


def _version(agent: int, number: int) -> AgentVersion:
    return AgentVersion(
        id=f"ver_{agent:03}_{number}",
        agent_id=f"agent_{agent:03}",
        number=number + 1,
        state=VersionState.PUBLISHED,
        runtime_url="ws://127.0.0.1:9/",
        published_at=NOW,
    )


def e164(place: int) -> str:
    """The number at this place."""
    return f"+1202{5_550_000 + place}"


def _number(place: int) -> PhoneNumber:
    own = place < NUMBERS - 200
    version = f"ver_{place % AGENTS:03}_{place % VERSIONS}"
    linked = place % 3 == 1
    return PhoneNumber(
        id=f"phn_{place:05}",
        workspace_id=LARGE if own else SMALL[place % len(SMALL)],
        e164=e164(place),
        country_code="1",
        local_number=e164(place)[2:],
        nickname=f"Branch {place}",
        provider=("plivo", "sip_trunk", "simulated")[place % 3],
        status=NumberStatus.ACTIVE if place % 20 else NumberStatus.PENDING,
        sip_trunk_enabled=linked,
        trunk_id=f"trunk_{place % TRUNKS:02}" if linked and own else None,
        inbound_version_id=version if own and place % 4 else None,
        outbound_version_id=version if own and place % 4 == 1 else None,
    )


def _calls(rows: int, native: bool) -> Iterator[tuple[Any, ...]]:
    """The records, oldest first; `native` for a driver that takes times, not text."""
    rng = random.Random(SEED)  # noqa: S311 - the same every time, on purpose
    words, weights = list(STATUSES), list(STATUSES.values())
    decision, ladder, media, empty = (orjson.dumps(value).decode() for value in (DECISION, LADDER, MEDIA, {}))
    fixed = {"instance": "elsewhere", "detail": "", "decision": decision, "prepaid": False}
    fixed |= {"ladder": ladder, "media": media, "metadata": empty, "notes": empty}
    step = YEAR_SECONDS / rows
    for place in range(rows):
        at = NOW - timedelta(seconds=YEAR_SECONDS - place * step)
        status = rng.choices(words, weights)[0]
        connected = status == "completed"
        length = int(rng.expovariate(1 / 90_000)) if connected else 0
        number, agent = rng.randrange(NUMBERS - 200), rng.randrange(AGENTS)
        inbound = rng.random() < 0.6
        theirs = f"+1415{rng.randrange(10_000_000):07}"
        ends = at + timedelta(milliseconds=length + 5000)
        is_open = place > rows - 20
        times = {
            "created_at": at,
            "ended_at": None if is_open else ends,
            "answered_at": at if connected else None,
        }
        row = fixed | {
            "id": f"call_{place:026}",
            "saved": place,
            "workspace_id": LARGE if rng.random() < LARGE_SHARE else rng.choice(SMALL),
            "type": "web" if rng.random() < 0.01 else "phone",
            "direction": "inbound" if inbound else "outbound",
            "status": "received" if is_open else status,
            "trunk_id": f"trunk_{number % TRUNKS:02}",
            "number_id": f"phn_{number:05}",
            "agent_id": f"agent_{agent:03}",
            "version_id": f"ver_{agent:03}_{rng.randrange(VERSIONS)}",
            "version_number": 1,
            "from_number": theirs if inbound else e164(number),
            "to_number": e164(number) if inbound else theirs,
            "sip_call_id": f"{place}@bench",
            "end_reason": None if is_open else rng.choice(REASONS[status]),
            "ended_by": "caller",
            "sip_status": 200,
            "duration_ms": length,
            "latency_ms": int(rng.gauss(900, 250)) if connected else None,
        }
        if not inbound and place % 10 == 0:
            batch = f"batch_{place // 5000}"
            row |= {"batch_id": batch, "category": "batch", "category_id": batch}
        row |= {name: _time(value, native) for name, value in times.items()}
        yield tuple(row.get(name) for name in COLUMNS)


def _time(at: datetime | None, native: bool) -> Any:
    return at if at is None or native else f"{at.replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}"


async def _fill_calls(database: Database, rows: int) -> None:
    if database.dialect == "sqlite":
        await asyncio.to_thread(_fill_sqlite, str(database.url.database), rows)
    else:
        await _fill_postgresql(database, rows)


def _fill_sqlite(file: str, rows: int) -> None:
    """The indexes are made anew behind the rows: much faster than row by row."""
    marks = ", ".join("?" * len(COLUMNS))
    wire = sqlite3.connect(file)
    wire.execute("PRAGMA synchronous=OFF")
    wire.execute("PRAGMA cache_size=-500000")
    for index in calls.indexes:
        wire.execute(f"DROP INDEX {index.name}")
    insert = f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({marks})"  # noqa: S608 - our own names
    wire.executemany(insert, _calls(rows, native=False))
    for index in calls.indexes:
        wire.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
    wire.commit()
    wire.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wire.close()


async def _fill_postgresql(database: Database, rows: int) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it has no types

    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    wire = await asyncpg.connect(url)
    try:
        for index in calls.indexes:
            await wire.execute(f"DROP INDEX {index.name}")
        records = _calls(rows, native=True)
        while batch := list(itertools.islice(records, BATCH)):
            await wire.copy_records_to_table("calls", records=batch, columns=COLUMNS)
        for index in calls.indexes:
            made = CreateIndex(index).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
            await wire.execute(str(made))
        await wire.execute("VACUUM ANALYZE")
    finally:
        await wire.close()


VERSIONS_FOLDER = Path("/usr/lib/postgresql")


@contextmanager
def postgresql_server() -> Iterator[str | None]:
    """The URL of an empty database on a throw-away PostgreSQL; None where it is not installed."""
    programs = sorted(VERSIONS_FOLDER.glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
    try:
        run = _postgresql(folder, programs[-1])
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        run("initdb", "-U", "bench", "-A", "trust", "-N")
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", "-o", f"{options} -c max_wal_size=4GB", "-w", "-l", folder / "log", "start")
        try:
            yield f"postgresql://bench@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql(folder: Path, programs: Path) -> Callable[..., None]:
    """Runs a program of PostgreSQL, which refuses to be root: then somebody else gets the folder."""
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres").pw_name
        shutil.chown(folder, user)

    def run(program: str, *arguments: str | Path) -> None:
        command = [programs / program, "-D", folder / "cluster", *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    return run
