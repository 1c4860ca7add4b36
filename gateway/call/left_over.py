"""Telling of the calls that a killed run left: their endings come after the restart, each once."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.call.record import summary_of
from gateway.events.bus import EventBus
from gateway.store.engine.errors import StoreError
from gateway.store.protocol import Store

RETRY_SECONDS = 1.0


async def tell_of_left_over(store: Store, bus: EventBus, settled: Callable[[], Awaitable[None]]) -> None:
    """Tell `call.ended` of each call that a start has closed and that nobody was told of yet.

    A call is crossed off when those who are told have put it on disk (`settled`): a kill in between has it
    told again, and then webhooks know that they have it already.
    """
    while True:
        try:
            for call_id in await store.untold_calls():
                await _tell_of(call_id, store, bus, settled)
            return
        except StoreError:
            await asyncio.sleep(RETRY_SECONDS)


async def _tell_of(call_id: str, store: Store, bus: EventBus, settled: Callable[[], Awaitable[None]]) -> None:
    row = await store.get_call(call_id)
    if row is not None:
        whose = {} if row.workspace_id is None else {"workspace_id": row.workspace_id}
        bus.tell("call.ended", level="warning", call_id=call_id, **whose, **summary_of(row))
        await settled()
    await store.told(call_id)
