"""A bounded first-in, first-out queue on disk: what it holds outlives the process."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.store.engine.errors import StoreError
from gateway.store.engine.private import private_database

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY AUTOINCREMENT, item BLOB NOT NULL);
"""
DROP_SHARE = 50
"Where it overflows, one item in so many goes, so that a full queue does not count itself at every append."


@dataclass(frozen=True, slots=True)
class Queued:
    """One item, and where it stands."""

    id: int
    "Grows from item to item, over restarts too: microseconds of the clock, made to grow."
    item: bytes


class DiskQueue:
    """Items in an SQLite file of their own, synced before `append` returns.

    Every method blocks on the disk: call them in a thread, one at a time. `StoreError` where the disk
    refuses; then nothing has changed.
    """

    def __init__(self, path: Path, max_items: int, max_bytes: int) -> None:
        """`max_bytes` bounds the items; the file is somewhat larger."""
        self._path = path
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._database: sqlite3.Connection | None = None
        self._last_id = 0
        self.items = 0
        "How many wait."
        self.bytes = 0
        "And how long they are together."

    def open(self) -> bool:
        """Take up what an earlier run left; False where that could not be read, and was moved aside."""
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            self.close()
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(f"{self._path}: {error}") from error
            self._path.rename(self._path.with_suffix(".corrupt"))
            self._connect()
            return False
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from error
        return True

    def append(self, items: Sequence[bytes]) -> int:
        """Put items at the end; the oldest give way to the bounds, and how many did is returned."""
        ids = range(max(self._last_id + 1, time.time_ns() // 1000), 1 << 63)
        rows = list(zip(ids, items, strict=False))
        with self._transaction() as database:
            database.executemany("INSERT INTO items (id, item) VALUES (?, ?)", rows)
        self._last_id = rows[-1][0] if rows else self._last_id
        self.items += len(rows)
        self.bytes += sum(map(len, items))
        return self._shrink()

    def read(self, limit: int) -> list[Queued]:
        """The oldest items, which stay until they are forgotten."""
        with self._transaction() as database:
            rows = database.execute("SELECT id, item FROM items ORDER BY id LIMIT ?", (limit,))
            return [Queued(number, item) for number, item in rows]

    def forget(self, last: int) -> None:
        """Drop everything up to and with the item of this id."""
        with self._transaction() as database:
            gone = database.execute(
                "SELECT count(*), coalesce(sum(length(item)), 0) FROM items WHERE id <= ?", (last,)
            ).fetchone()
            database.execute("DELETE FROM items WHERE id <= ?", (last,))
        self.items -= gone[0]
        self.bytes -= gone[1]

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _connect(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_database(self._path)
        # Threads take turns, which is all that SQLite asks of them.
        self._database = sqlite3.connect(self._path, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(SCHEMA)
        self.items, self.bytes, self._last_id = self._database.execute(
            "SELECT count(*), coalesce(sum(length(item)), 0), coalesce(max(id), 0) FROM items"
        ).fetchone()

    def _shrink(self) -> int:
        """Drop the oldest while there are too many, or too much; how many went."""
        dropped = 0
        while self.items > self._max_items or (self.bytes > self._max_bytes and self.items):
            some = max(1, self.items // DROP_SHARE, self.items - self._max_items)
            oldest = self.read(some)
            self.forget(oldest[-1].id)
            dropped += len(oldest)
        return dropped

    def _transaction(self) -> "_Transaction":
        if self._database is None:
            raise StoreError(f"{self._path} is not open")
        return _Transaction(self._database, self._path)


class _Transaction:
    """All of it or nothing; what SQLite raises comes out as `StoreError`."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        return self._database.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._database.__exit__(kind, error, trace)  # type: ignore[arg-type]  # a traceback
        except sqlite3.Error as failure:
            raise StoreError(f"{self._path}: {failure}") from failure
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{self._path}: {error}") from error
