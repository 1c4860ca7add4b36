"""Outbound calls where two things happen at once, or something fails halfway."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from gateway.call.idempotency import Idempotency
from gateway.call.lookup import Lookup
from gateway.call.placing import CallRequest
from gateway.call.record import CallRecord
from gateway.call.switchboard import PlacedCall
from gateway.routing.decision import Reason, Rejected
from gateway.routing.outbound import OutboundRequest
from gateway.routing.table import Increment
from gateway.sip.events import ByeReceived
from gateway.store.engine.errors import StoreError
from tests.call.conftest import Build
from tests.call.phone import Phone
from tests.call.world import CALLEE, NUMBER, World


@pytest.fixture
async def sleeper() -> AsyncIterator[str]:
    """The URL of a runtime that takes connections and says nothing."""
    heard: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: heard.append(writer), "127.0.0.1", 0)
    yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    for writer in heard:
        writer.transport.abort()


@pytest.fixture
async def shop(build: Build) -> World:
    """A world whose trunk costs a rupee a minute, and has one channel."""
    world = await build(AGENTS__CONNECT_TIMEOUT=1)
    fields = {"billing_increment": Increment(60, 60)}
    await world.gateway.store.configuration.workspaces.change(world.workspace.id, fields, "test")
    await world.change_trunk(flat_rate=Decimal(1), channel_limit=1)
    return world


async def open_wallet(world: World, amount: str) -> None:
    """Let the workspace pay in advance."""
    await world.gateway.store.wallets.open(world.workspace, Decimal(amount), "test")
    await world.gateway.store.refresh()


def asked(world: World) -> CallRequest:
    """A request for a call."""
    return CallRequest(OutboundRequest(world.workspace.id, CALLEE, from_number=NUMBER), "test")


async def test_time_counts_from_the_pick_up(shop: World, sleeper: str, phone: Phone) -> None:
    """The carrier's clock runs while we still look for the agent, so ours does; also when there is none."""
    await shop.way_out(phone.uri(), runtime_url=sleeper)
    await shop.place()
    leg = await phone.called()
    leg.accept()
    await shop.hears("call.answered")
    assert shop.told("agent.unreachable") == []
    await leg.next(ByeReceived)
    row = await shop.ended("failed", "agent_unreachable", "gateway")
    assert row.answered_at is not None
    assert row.duration_ms >= 900
    assert (row.price, row.billed_seconds) == (Decimal(1), 60)


async def test_a_callee_that_hangs_up_before_the_agent_is_there(
    shop: World, sleeper: str, phone: Phone
) -> None:
    """Was connected, and is told and charged as such."""
    await shop.way_out(phone.uri(), runtime_url=sleeper)
    await shop.place()
    leg = await phone.called()
    leg.accept()
    leg.bye()
    row = await shop.ended("completed", "user_disconnected", "callee")
    assert row.answered_at is not None
    assert row.billed_seconds == 60


async def test_no_two_calls_are_promised_the_same_money(shop: World, phone: Phone) -> None:
    """Not even while the first of them is being made sure of."""
    await shop.way_out(phone.uri())
    await shop.change_trunk(channel_limit=None)
    await open_wallet(shop, "1.5")

    async def make_sure(record: CallRecord) -> None:
        await asyncio.sleep(0.1)

    placing = shop.gateway.placing
    both = [placing.place(asked(shop), make_sure), placing.place(asked(shop), make_sure)]
    one, other = await asyncio.gather(*both, return_exceptions=True)
    assert sorted([isinstance(one, PlacedCall), isinstance(other, PlacedCall)]) == [False, True]
    refused = other if isinstance(one, PlacedCall) else one
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.INSUFFICIENT_BALANCE


async def test_what_cannot_be_made_sure_of_gives_everything_back(shop: World, phone: Phone) -> None:
    """The channel, and the money; and it leaves no trace."""
    await shop.way_out(phone.uri())
    await open_wallet(shop, "1.5")

    async def fail(record: CallRecord) -> None:
        await shop.gateway.parts.meter.exchange()
        raise StoreError("away")

    for _ in range(2):
        with pytest.raises(StoreError):
            await shop.gateway.placing.place(asked(shop), fail)
    assert await shop.gateway.parts.meter.balance(shop.workspace.id) == Decimal("1.5")
    assert shop.told("call.created") == []
    await shop.place()
    await phone.called()


async def test_nobody_waits_for_the_record_any_more(
    shop: World, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is given up while its record is being written has dialled nothing, and says so."""
    await shop.way_out(phone.uri())
    store, waiting = shop.gateway.store, asyncio.Event()
    flush = store.flush

    async def hang() -> None:
        waiting.set()
        await asyncio.Event().wait()

    once = Idempotency(
        shop.gateway.placing, store.requests, Lookup(shop.gateway.switchboard.running, store, "trunkline")
    )
    monkeypatch.setattr(store, "flush", hang)
    placing = asyncio.create_task(once.place(asked(shop), "key", b"body"))
    await waiting.wait()
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    monkeypatch.setattr(store, "flush", flush)
    again = await once.place(asked(shop), "key", b"body")
    assert again.again
    assert (again.call.status, again.call.end_reason) == ("failed", "store_unavailable")
    assert again.call.ended_at is not None
    assert not phone.calls
