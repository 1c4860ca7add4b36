"""Records of calls whose time is over: forgotten, with their recordings and what was posted about them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from gateway.recordings.keeping import Keeping, key_in
from gateway.store.engine.errors import StoreError
from gateway.store.records.calls import CallRow
from gateway.tell import Tell

SWEEP_SECONDS = 3600.0
BATCH = 200
"Records forgotten in one transaction."
PAUSE_SECONDS = 0.2
"Between two of them, in which running calls write theirs."


class Records(Protocol):
    """What is asked of the store."""

    async def expired_calls(self, before: datetime, limit: int) -> list[CallRow]:
        """Ended calls of this gateway that began before a moment, oldest first."""
        ...

    async def forget_calls(self, rows: list[CallRow]) -> None:
        """Delete their records, and what was posted about them."""
        ...


class Retention:
    """`run` it as long as the gateway does; with 0 days it forgets nothing."""

    def __init__(self, store: Records, keeping: Keeping, keep_days: int, tell: Tell) -> None:
        self._store = store
        self._keeping = keeping
        self._keep_days = keep_days
        self._tell = tell

    async def run(self, now: Callable[[], datetime]) -> None:
        """Forget what is too old, now and every hour."""
        while self._keep_days:
            try:
                if forgotten := await self.sweep(now()):
                    self._tell("calls.forgotten", records=forgotten, days=self._keep_days)
            except (OSError, StoreError) as error:
                self._tell("calls.sweep_failed", level="error", why=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, now: datetime) -> int:
        """Forget what is too old at this moment; how many."""
        forgotten = 0
        before = now - timedelta(days=self._keep_days)
        while expired := await self._store.expired_calls(before, BATCH):
            for row in expired:
                if key_in(row) is not None:
                    await self._keeping.delete(row, "retention", now)
            await self._store.forget_calls(expired)
            forgotten += len(expired)
            await asyncio.sleep(PAUSE_SECONDS)
        return forgotten
