"""Placing a call once, however often it is asked for: HTTP and MQTT both deliver some requests twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.call.lookup import Lookup
from gateway.call.placing import CallRequest, Placing
from gateway.call.record import CallRecord, Ending, EndReason, Status
from gateway.call.refusal import Refused
from gateway.store.engine.errors import Conflict, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallRow
from gateway.store.records.requests import Requests

WAIT_SECONDS = 15.0
"How long a request waits for another one under its key that is being decided."
RECORD_SECONDS = 10.0
"How long the record of a placed call may be on its way to the database, from another gateway's journal too."
LOOK_SECONDS = 0.05
RETRY_SECONDS = 5
SWEEP_SECONDS = 600.0
"How often requests that are too old are forgotten."


async def sweep(requests: Requests, older_than: timedelta) -> None:
    """Forget old requests now and then; to be cancelled."""
    while True:
        # A database that is away has nothing that could not wait.
        with suppress(StoreError):
            await requests.sweep(older_than)
        await asyncio.sleep(SWEEP_SECONDS)


@dataclass(frozen=True, slots=True)
class Placed:
    """The call that a request has led to."""

    call: CallRow
    again: bool
    "True: an earlier request under the same key has placed it."


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Places each request for a call once."""

    placing: Placing
    requests: Requests
    lookup: Lookup

    async def place(self, request: CallRequest, key: str | None, body: bytes) -> Placed:
        """Place a call, or find the one that was placed under the same key.

        Raises what `Placing.place` does, and `Conflict` where the key was used with another body. A refused
        request leaves the key free.
        """
        if key is None:
            return Placed((await self.placing.place(request)).record.row(), again=False)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._under(key, request, body)
        except TimeoutError:
            refused = Refused(
                EndReason.STORE_UNAVAILABLE, "another request under this key is still being decided"
            )
            refused.retry_after = RETRY_SECONDS
            raise refused from None

    async def _under(self, key: str, request: CallRequest, body: bytes) -> Placed:
        workspace_id = request.route.workspace_id
        fresh = request.id or new_id("call")
        patience = asyncio.get_running_loop().time() + RECORD_SECONDS
        while True:
            there = await self.requests.reserve(workspace_id, key, body, fresh)
            if there.ours and there.call_id == fresh:
                return await self._first(key, replace(request, id=fresh))
            # Also what was taken over may have been placed, by a gateway that died right after.
            record = await self.lookup.find(there.call_id, workspace_id)
            if record is not None:
                if there.ours:
                    await self._done(workspace_id, key)
                return Placed(record, again=True)
            if there.ours:
                return await self._first(key, replace(request, id=there.call_id))
            if there.done and asyncio.get_running_loop().time() > patience:
                right = f"stands for {there.call_id}, of which no record is left; take a fresh key"
                raise Conflict("Idempotency-Key", key, right)
            await asyncio.sleep(LOOK_SECONDS)

    async def _first(self, key: str, request: CallRequest) -> Placed:
        workspace_id = request.route.workspace_id

        async def sure(record: CallRecord) -> None:
            """Whoever finds the key again finds the call, even if we are killed just after dialling."""
            await self.requests.done(workspace_id, key)
            self.lookup.store.save_call(record)
            with self._ended_unless_dialled(record):
                await self.lookup.store.flush()

        async with self._freed_when_refused(key, request):
            placed = await self.placing.place(request, sure)
        return Placed(placed.record.row(), again=False)

    @contextmanager
    def _ended_unless_dialled(self, record: CallRecord) -> Iterator[None]:
        """A record that is on its way to the database gets an ending even if nobody waits any more."""
        try:
            yield
        except BaseException:
            detail = "the database did not keep the record in time, so nothing was dialled"
            record.end(Ending(Status.FAILED, EndReason.STORE_UNAVAILABLE, "gateway", detail, 503, 41), {})
            self.lookup.store.save_call(record)
            raise

    async def _done(self, workspace_id: str, key: str) -> None:
        # The call is under way whatever the database does; without this mark it is found by its record.
        with suppress(StoreError):
            await self.requests.done(workspace_id, key)

    @asynccontextmanager
    async def _freed_when_refused(self, key: str, request: CallRequest) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                await self.requests.release(request.route.workspace_id, key)
            raise
