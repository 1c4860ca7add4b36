"""A gateway's name is one process's at a time: two of one name would close each other's calls.

Two things say who has it. A file in the data directory, locked by the process that has the name: the kernel
lets go of the lock when the process dies, however that happens. And a row in the database, for gateways that
share it without sharing a disk: who has the name counts up there every few seconds. Nobody compares clocks.
Whoever finds the row taken watches it; a row that does not count for `STALE_SECONDS` of the watcher's own
monotonic clock is of a process that died, or that will find its name gone when it wakes.
"""

import asyncio
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.engine.schema import gateways
from gateway.tell import Tell

SIGN_SECONDS = 1.0
"Between two signs of life in the file: a kill costs a call's record at most so much of its length."
BEAT_SECONDS = 3.0
"Between two in the database."
UNWRITABLE_SECONDS = 9.0
"Since the last beat that was written: a gateway that cannot write for so long is not ready for calls."
STALE_SECONDS = 15.0
"A row that does not count for so long is of a process that is no more."
LEAVE_SECONDS = 5.0
"How long a database is waited for where a process gives its name up."
LOOK_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.2
MAX_BEFORE = 8
"Earlier tokens that a file remembers, where starts are killed before they have the row."


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a gateway's name, or had it."""

    token: str
    "Of this one tenure: file and row agree by it on whom they mean."
    host: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        """Who it is, for a person."""
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class NameTaken(StoreError):
    """Another process has the gateway's name."""

    def __init__(self, name: str, holder: Holder | None, where: str) -> None:
        self.holder = holder
        who = "another process" if holder is None else str(holder)
        super().__init__(
            f"a gateway named “{name}” is running already: {who} ({where}). Stop it first; or, for a second "
            "gateway beside it, set gateway.name and gateway.data_dir to others"
        )


class NameLost(StoreError):
    """Another process has taken the name over, and with it the calls and their records."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What stands in the file."""

    token: str
    host: str
    pid: int
    since: datetime
    alive_ms: int = 0
    "The holder's monotonic clock at its last sign of life."
    inode: int = 0
    "The file's own: a copy of it, on another machine, has another."
    before: tuple[str, ...] = ()
    "Tokens of earlier holders, until the row has this one."

    @property
    def holder(self) -> Holder:
        """Who wrote it."""
        return Holder(self.token, self.host, self.pid, self.since)


class NameFile:
    """The file of a name: locked as long as the process lives that took it. All of it blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inode = 0
        "Of the file that was taken."
        self._file: int | None = None

    def take(self) -> bool:
        """Lock it; False where another process has it. StoreError where there can be no such file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError as error:
            os.close(file)
            raise StoreError(f"{self.path} cannot be locked: {error.strerror}") from error
        self._file = file
        self.inode = os.fstat(file).st_ino
        return True

    def is_held(self) -> bool:
        """Whether a process has it now; leaves no trace."""
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(file)
        return False

    def read(self) -> Slip | None:
        """What stands in it; None: nothing that makes sense."""
        try:
            found: dict[str, Any] = orjson.loads(self.path.read_bytes())
            found["since"] = datetime.fromisoformat(found["since"])
            return Slip(**{**found, "before": tuple(found["before"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, slip: Slip) -> None:
        """Say who has it, and that it lives; OSError where the disk refuses."""
        assert self._file is not None, "only who has taken it writes"
        text = orjson.dumps(asdict(slip))
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def let_go(self) -> None:
        """As if the process had died: what stands in it stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Tenure:
    """This process has its gateway's name: `take` it first of all, `run` beside, `give_up` last of all."""

    def __init__(
        self, name: str, database: Database, file: NameFile, tell: Tell, on_lost: Callable[[], None]
    ) -> None:
        """`on_lost` is called once, when another process turns out to have the name."""
        self.name = name
        self.died_ms: int | None = None
        "The monotonic clock of an earlier run at its last sign of life, where it died; None: it was stopped."
        self.is_lost = False
        self._database = database
        self._file = file
        self._tell = tell
        self._on_lost = on_lost
        self._leaving = asyncio.Event()
        self._written_at = time.monotonic()
        self._trouble = ""
        self._slip = Slip(secrets.token_hex(16), socket.gethostname(), os.getpid(), datetime.now(UTC))

    @property
    def token(self) -> str:
        """What the row has to hold as long as the name is ours."""
        return self._slip.token

    async def take(self) -> None:
        """Have the name from now on; `NameTaken` where another process has it, with nothing changed."""
        if not await self._lock():
            found = await asyncio.to_thread(self._file.read)
            holder = None if found is None else found.holder
            raise NameTaken(self.name, holder, f"it has locked {self._file.path}")
        try:
            await self._take_row()
        except BaseException:
            self._file.let_go()
            await self._database.close()
            raise

    async def run(self) -> None:
        """Give signs of life until `leave`, or until the name is lost."""
        beaten = time.monotonic()
        while not self.is_lost:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), SIGN_SECONDS)
                return
            await self._sign()
            if time.monotonic() - beaten >= BEAT_SECONDS:
                beaten = time.monotonic()
                await self._beat()

    @property
    def unwritable(self) -> str | None:
        """Why the database takes nothing, as the last beats found out; None: it does."""
        if time.monotonic() - self._written_at < UNWRITABLE_SECONDS:
            return None
        return f"nothing can be written: {self._trouble or 'the database does not answer'}"

    async def leave(self, living: "asyncio.Task[None]") -> None:
        """Have `run` end between two beats; a statement that is given up in its middle outlives the loop."""
        self._leaving.set()
        await asyncio.wait([living], timeout=LEAVE_SECONDS)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    async def fence(self, connection: AsyncConnection) -> None:
        """Nothing is written in this transaction unless the name is still ours then; raises `NameLost`."""
        query = sa.select(gateways.c.token).where(gateways.c.name == self.name)
        found = (await connection.execute(query.with_for_update(read=True))).scalar()
        if found != self.token:
            self.lose()
            raise NameLost(f"the name “{self.name}” is another process's by now: nothing more is written")

    def lose(self) -> None:
        """The name is another process's."""
        if not self.is_lost:
            self.is_lost = True
            self._on_lost()

    async def give_up(self) -> None:
        """Leave the name to whoever wants it, at once."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS), self._database.writing() as connection:
                mine = (gateways.c.name == self.name) & (gateways.c.token == self.token)
                # What is not closed yet is left to the next start.
                await connection.execute(gateways.delete().where(mine, gateways.c.died_ms.is_(None)))
        except (StoreError, TimeoutError):
            pass  # the next start of this gateway finds the file free, and others wait
        finally:
            self._file.let_go()
            await self._database.close()

    async def _lock(self) -> bool:
        """Lock the file; a second try, since `gateway check` looks by a lock of its own."""
        if await asyncio.to_thread(self._file.take):
            return True
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return await asyncio.to_thread(self._file.take)

    async def _take_row(self) -> None:
        await self._database.migrate()
        left = await asyncio.to_thread(self._file.read)
        ours = left is not None and (left.host, left.inode) == (self._slip.host, self._file.inode)
        before = (left.token, *left.before)[:MAX_BEFORE] if left is not None and ours else ()
        self._slip = replace(self._slip, inode=self._file.inode, before=before)
        await self._write(self._slip)
        try:
            await self._have_row(left)
        except BaseException:
            if left is not None:
                await self._write(left)  # the next start has to know as much as this one did
            raise
        self._slip = replace(self._slip, before=(), alive_ms=monotonic_ms())
        await self._write(self._slip)

    async def _have_row(self, left: Slip | None) -> None:
        """Take the row as soon as that is right."""
        watched: tuple[str, int] | None = None
        since = time.monotonic()
        while (found := await self._attempt(left, watched, time.monotonic() - since)) is not None:
            if watched is None:
                self._wait_for(found[0])
            elif watched != found[1]:
                raise NameTaken(self.name, found[0], f"it gives signs of life in {_shown(self._database)}")
            watched = found[1]
            await asyncio.sleep(LOOK_SECONDS)

    def _wait_for(self, holder: Holder) -> None:
        self._tell(
            "gateway.waiting_for_name",
            level="warning",
            name=self.name,
            host=holder.host,
            pid=holder.pid,
            since=holder.since.isoformat(timespec="seconds"),
            seconds=STALE_SECONDS,
        )

    async def _attempt(
        self, left: Slip | None, watched: tuple[str, int] | None, seconds: float
    ) -> tuple[Holder, tuple[str, int]] | None:
        """Take the row where that is right; else who has it, and what it counts."""
        async with self._database.writing() as connection:
            query = gateways.select().where(gateways.c.name == self.name).with_for_update()
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                insert = _INSERT[connection.dialect.name](gateways).values(self._columns(None))
                taken = await connection.execute(insert.on_conflict_do_nothing().returning(gateways.c.name))
                if taken.first() is not None:
                    return None
                row = (await connection.execute(query)).mappings().one()
            counted = row["token"], row["beats"]
            # The file is ours: whoever wrote in it that it has the row lives no more.
            was_ours = row["token"] in self._slip.before
            if not was_ours and not (counted == watched and seconds >= STALE_SECONDS):
                return _holder(row), counted
            alive = row["alive_ms"]
            if left is not None and left.token == row["token"]:
                alive = max(alive, left.alive_ms)
            self.died_ms = alive if row["died_ms"] is None else row["died_ms"]
            change = gateways.update().where(gateways.c.name == self.name)
            await connection.execute(change.values(self._columns(self.died_ms)))
        return None

    def _columns(self, died_ms: int | None) -> dict[str, object]:
        slip = self._slip
        return {
            "name": self.name,
            "token": slip.token,
            "host": slip.host,
            "pid": slip.pid,
            "since": slip.since,
            "beats": 0,
            "alive_ms": monotonic_ms(),
            "died_ms": died_ms,
        }

    async def _sign(self) -> None:
        try:
            await asyncio.to_thread(self._file.write, replace(self._slip, alive_ms=monotonic_ms()))
        except OSError:
            pass  # the database has the other sign of life

    async def _beat(self) -> None:
        mine = (gateways.c.name == self.name) & (gateways.c.token == self.token)
        alive = gateways.update().where(mine).values(beats=gateways.c.beats + 1, alive_ms=monotonic_ms())
        try:
            async with self._database.writing() as connection:
                has_it = (await connection.execute(alive)).rowcount
        except StoreError as error:
            self._trouble = str(error)
            return  # it is away: nobody else can take the name meanwhile
        self._written_at, self._trouble = time.monotonic(), ""
        if not has_it:
            self.lose()

    async def _write(self, slip: Slip) -> None:
        try:
            await asyncio.to_thread(self._file.write, slip)
        except OSError as error:
            raise StoreError(f"{self._file.path}: {error.strerror}") from error


_INSERT: dict[str, Any] = {"sqlite": sqlite_insert, "postgresql": postgresql_insert}


async def row_of(connection: AsyncConnection, name: str) -> tuple[Holder, int] | None:
    """Who has a name as the database says, and how often it has given a sign of life; None: nobody."""
    row = (await connection.execute(gateways.select().where(gateways.c.name == name))).mappings().first()
    return None if row is None else (_holder(row), row["beats"])


async def closed(connection: AsyncConnection, name: str) -> None:
    """What an earlier run left is closed, in this transaction."""
    await connection.execute(gateways.update().where(gateways.c.name == name).values(died_ms=None))


def _holder(row: sa.RowMapping) -> Holder:
    return Holder(row["token"], row["host"], row["pid"], row["since"])


def monotonic_ms() -> int:
    """The monotonic clock in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def _shown(database: Database) -> str:
    return database.url.set(drivername=database.dialect).render_as_string(hide_password=True)
