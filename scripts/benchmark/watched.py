"""What goes on inside a measured gateway: its statements with their plans, and how its loop keeps time.

One line of JSON each, in a file that the benchmark reads.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

SLOW_MS = 100.0
PROBE_SECONDS = 0.002
TOLD_SECONDS = 0.05
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}


@asynccontextmanager
async def watched(path: str) -> AsyncIterator[None]:
    """Watch, into this file, while the context lasts; without a path, do not."""
    if not path:
        yield
        return
    with open(path, "w", buffering=1) as file:  # noqa: ASYNC230 - a line now and then
        _watch_statements(file)
        probe = asyncio.create_task(_watch_loop(file))
        try:
            yield
        finally:
            probe.cancel()


async def _watch_loop(file: TextIO) -> None:
    """Tell the longest that the loop stood still, twenty times a second."""
    while True:
        longest, until = 0.0, time.monotonic() + TOLD_SECONDS
        while (now := time.monotonic()) < until:
            await asyncio.sleep(PROBE_SECONDS)
            longest = max(longest, time.monotonic() - now - PROBE_SECONDS)
        file.write(json.dumps({"lag_ms": round(longest * 1000, 1)}) + "\n")


def _watch_statements(file: TextIO) -> None:
    """Explain each statement that reads once, and each time that it is slow."""
    known: set[str] = set()

    def before(connection: Connection, *_: Any) -> None:
        connection.info["began"] = time.monotonic()

    def after(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        took = (time.monotonic() - connection.info["began"]) * 1000
        if not statement.startswith("SELECT") or (statement in known and took < SLOW_MS):
            return
        known.add(statement)
        found = connection.exec_driver_sql(EXPLAIN[connection.dialect.name] + statement, parameters)
        plan = "\n".join(str(row[-1]) for row in found)
        file.write(json.dumps({"ms": round(took, 1), "statement": statement, "plan": plan}) + "\n")

    sa.event.listen(Engine, "before_cursor_execute", before)
    sa.event.listen(Engine, "after_cursor_execute", after)
