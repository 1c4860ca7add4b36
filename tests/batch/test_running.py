"""Batches from their file to their last call, in a whole gateway, with real SIP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.batch.wish import BatchWish
from gateway.routing.table import Increment
from gateway.store.records.calls import CallFilter
from tests.batch.world import a_batch, a_file, answering, batches, comes_to, dialled, is_over, number, stands
from tests.call.conftest import Build
from tests.call.phone import Phone, until
from tests.call.runtime import Runtime
from tests.call.world import AGENT, CALLEE, WORKSPACE, World


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
        done = await comes_to(world, batch, is_over)
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


async def test_pause_while_a_hundred_ring(build: Build, phone: Phone, tmp_path: Path) -> None:
    """No further call goes out; those that ring go on, and after resuming the rest is called, once each."""
    world = await build(BATCH__CALLS_PER_SECOND=500, MEDIA__PORT_MIN=44_000, MEDIA__PORT_MAX=44_399)
    await world.way_out(phone.uri(), ring_duration_sec=30)
    batch = await a_batch(world, tmp_path, 120, max_concurrent=100)
    await until(lambda: len(phone.calls) == 100, 20)
    for leg in phone.calls:
        leg.ring()
    changed = await batches(world).pause(batch.id, WORKSPACE, "test")
    assert (changed.affected.initiated, changed.affected.queued) == (100, 20)
    assert len(batches(world).watch(batch.id).calls) == 100
    for leg in phone.calls[:50]:
        leg.refuse(486)
    for leg in phone.calls[50:]:
        leg.accept()
        asyncio.get_running_loop().call_later(0.1, leg.bye)
    rested = await comes_to(world, batch, lambda it: it.counts.done == 100)
    assert (rested.status, len(phone.calls)) == ("paused", 100)
    resumed = await batches(world).resume(batch.id, WORKSPACE, "test")
    assert resumed.affected.resumed_call_logs == 20
    await until(lambda: len(phone.calls) == 120, 20)
    for leg in phone.calls[100:]:
        leg.refuse(486)
    done = await comes_to(world, batch, is_over)
    assert (done.counts.done, done.counts.picked_up, done.dialled) == (120, 50, 120)
    assert len(set(map(dialled, phone.calls))) == 120


async def test_variables_reach_the_agent_in_url_headers_and_parameters(
    world: World, phone: Phone, agent: Runtime, tmp_path: Path
) -> None:
    """Names are case-sensitive, values text; the version's parameters are what the file leaves out."""
    await world.way_out(
        phone.uri(),
        runtime_url=agent.url() + "?who={Name}",
        headers=(("X-Plan", "{plan}"),),
        parameters=(("plan", "basic"), ("tone", "kind"), ("Name", "nobody")),
    )
    columns = {"Name": lambda n: "Zoë & Co", "plan": lambda n: "gold", "timezone": lambda n: ""}
    wish = BatchWish("Spring", AGENT)
    created = await batches(world).create(WORKSPACE, wish, a_file(tmp_path, 1, columns), "test")
    leg = await phone.called()
    leg.accept()
    talk = await agent.talk()
    start = await talk.message("start")
    parameters = start["start"]["customParameters"]
    expected = {"plan": "gold", "tone": "kind", "Name": "Zoë & Co", "timezone": ""}
    assert {name: parameters.get(name) for name in expected} == expected
    upgrade = talk.connection.request
    assert upgrade is not None
    assert upgrade.path.endswith("?who=Zo%C3%AB%20%26%20Co")
    assert upgrade.headers["X-Plan"] == "gold"
    leg.bye()
    await comes_to(world, created.batch, is_over)
    row = await world.record()
    assert row.metadata == {"Name": "Zoë & Co", "plan": "gold", "timezone": ""}
    assert (row.batch_id, row.category, row.requested_by) == (created.batch.id, "batch", "test")


async def test_a_stop_leaves_its_batch_to_the_next_start(
    build: Build, phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not dialled is in the queue, and the next start of the gateway goes on with it by itself."""
    monkeypatch.setattr("gateway.batch.judging.NEVER_LEFT_SECONDS", 0)
    first = await build()
    await first.way_out(phone.uri(), ring_duration_sec=30)
    batch = await a_batch(first, tmp_path, 6, max_concurrent=2)
    await until(lambda: len(phone.calls) == 2)
    phone.calls[0].refuse(486)
    await until(lambda: len(phone.calls) == 3)
    await first.gateway.engine.drain()
    await first.close()
    again = World(tmp_path / "data", first.runtime, {})
    async with answers(phone, lambda _: 486):
        await again.start()
        done = await comes_to(again, batch, is_over)
    await again.close()
    assert (done.counts.done, done.counts.uncertain, done.dialled) == (6, 0, 6)


async def test_a_single_call_finds_a_place_beside_a_batch(world: World, phone: Phone, tmp_path: Path) -> None:
    """Of ten places the batch has nine, however many recipients wait."""
    await world.way_out(phone.uri(), ring_duration_sec=30)
    await world.store.configuration.workspaces.change(WORKSPACE, {"concurrency_limit": 10}, "test")
    batch = await a_batch(world, tmp_path, 30)
    await until(lambda: len(phone.calls) == 9)
    await world.place()
    await until(lambda: len(phone.calls) == 10)
    assert dialled(phone.calls[9]) == CALLEE
    assert (await stands(world, batch)).counts.dialling == 9
    await batches(world).cancel(batch.id, WORKSPACE, "test")
    for leg in phone.calls:
        leg.refuse(486)
    done = await comes_to(world, batch, lambda it: not it.counts.open)
    assert (done.counts.done, done.counts.cancelled) == (9, 21)


async def test_a_wallet_pauses_the_batch_when_it_is_empty(build: Build, phone: Phone, tmp_path: Path) -> None:
    """Not while running calls have it set aside: what they do not cost is there for the next ones."""
    world = await build(BILLING__GRACE_SECONDS=0)
    await world.way_out(phone.uri(), ring_duration_sec=30)
    await world.store.configuration.workspaces.change(
        WORKSPACE, {"billing_increment": Increment(60, 60)}, "test"
    )
    await world.change_trunk(flat_rate=Decimal(1))
    await world.store.wallets.open(world.workspace, Decimal(2), "test")
    await world.store.refresh()
    batch = await a_batch(world, tmp_path, 6)
    await until(lambda: len(phone.calls) == 2)
    await asyncio.sleep(0.1)
    assert ((await stands(world, batch)).status, len(phone.calls)) == ("running", 2)
    for leg in phone.calls[:2]:
        leg.refuse(486)
    await until(lambda: len(phone.calls) == 4)
    for leg in phone.calls[2:]:
        leg.accept()
        asyncio.get_running_loop().call_later(0.2, leg.bye)
    paused = await comes_to(world, batch, lambda it: it.status == "paused")
    assert (paused.why_code, len(phone.calls)) == ("insufficient_balance", 4)
    rested = await comes_to(world, batch, lambda it: it.counts.queued == 2)
    assert (rested.counts.done, rested.counts.failed) == (4, 0)
    await world.store.wallets.top_up(WORKSPACE, Decimal(5), "test")
    async with answers(phone, lambda _: 486):
        await batches(world).resume(batch.id, WORKSPACE, "test")
        done = await comes_to(world, batch, is_over)
    assert (done.counts.done, done.dialled, done.counts.picked_up) == (6, 6, 2)
