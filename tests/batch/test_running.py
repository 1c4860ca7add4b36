"""Batches from their file to their last call, in a whole gateway, with real SIP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gateway.store.records.calls import CallFilter
from tests.batch.world import a_batch, answering, batches, comes_to, dialled, number, stands
from tests.call.phone import Phone, until
from tests.call.world import WORKSPACE, World


@asynccontextmanager
async def answers(phone: Phone, answer: Callable[[str], int | None]) -> AsyncIterator[None]:
    """The telephone answers while the context is open."""
    task = asyncio.create_task(answering(phone, answer))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_each_recipient_is_called_once_and_counted(world: World, phone: Phone, tmp_path: Path) -> None:
    """Answered, busy and declined: a call each, with its record, and counters that say what came of them."""
    await world.way_out(phone.uri())
    by_number = {number(n): (200, 486, 603)[n % 3] for n in range(9)}
    async with answers(phone, lambda to: by_number[to]):
        batch = await a_batch(world, tmp_path, 9)
        done = await comes_to(world, batch, "completed")
    assert (done.counts.done, done.counts.sent, done.counts.picked_up, done.counts.open) == (9, 9, 3, 0)
    assert [(one.depth, one.total, one.attempted, one.picked_up) for one in done.stages] == [(0, 9, 9, 3)]
    assert sorted(map(dialled, phone.calls)) == sorted(by_number)
    rows = await batches(world).recipients(batch.id, WORKSPACE)
    assert [row.outcome for row in rows] == ["completed", "busy", "declined"] * 3
    await world.store.flush()
    calls = (await world.store.list_calls(CallFilter(batch_ids=[batch.id], limit=50))).calls
    assert {call.id for call in calls} == {row.call_id for row in rows}
    told = [event.name for event in world.events if event.name.startswith("batch.")]
    assert told == ["batch.created", "batch.started", "batch.completed"]
    assert (await stands(world, batch)).last_call_sent_at is not None
    await until(lambda: world.gateway.engine.calls == 0)
