"""Calls that a wallet pays for, whole: refused while it is empty, ended when it runs dry, charged once."""

from decimal import Decimal

import pytest

from gateway.call.money.reservation import LEAD_SECONDS
from gateway.routing.decision import Reason, Rejected
from gateway.routing.table import Increment
from gateway.store.money.wallets import WalletEntry
from tests.call.conftest import Build
from tests.call.phone import Phone
from tests.call.runtime import Runtime
from tests.call.world import CALLEE, World

# Money.
pytestmark = pytest.mark.one_loop


@pytest.fixture
async def shop(build: Build) -> World:
    """A world whose trunk costs a rupee a second, billed by the second, and no grace."""
    world = await build(BILLING__GRACE_SECONDS=0)
    book = world.gateway.store.configuration
    fields = {"billing_increment": Increment(1, 1)}
    await book.workspaces.change(world.workspace.id, fields, "test")
    await world.change_trunk(flat_rate=Decimal(60))
    return world


async def open_wallet(world: World, amount: str) -> None:
    await world.gateway.store.wallets.open(world.workspace, Decimal(amount), "test")
    await world.gateway.store.refresh()


async def debits(world: World) -> list[WalletEntry]:
    await world.gateway.store.flush()
    entries = await world.gateway.store.wallets.entries(world.workspace.id)
    return [entry for entry in entries if entry.kind == "call"]


async def test_a_call_ends_when_the_wallet_is_empty(shop: World, agent: Runtime, phone: Phone) -> None:
    """The agent is told before; the record says why, and what was in the wallet is what the call cost."""
    await shop.way_out(phone.uri(), dialect="native")
    await open_wallet(shop, "2")
    await shop.place()
    leg = await phone.called()
    leg.accept()
    talk = await agent.talk()
    await talk.message("start")
    phone.sound.murmur()
    warned = await talk.message("balance_low")
    assert 0 < warned["seconds"] < LEAD_SECONDS
    row = await shop.ended("completed", "insufficient_balance", "gateway")
    assert row.duration_ms >= 2000
    assert (row.prepaid, row.price, row.billed_seconds) == (True, Decimal(2), 2)
    assert [(entry.call_id, entry.amount, entry.balance) for entry in await debits(shop)] == [
        (row.id, Decimal(-2), Decimal(0))
    ]
    assert len(shop.told("call.balance_low")) == 1


async def test_an_empty_wallet_refuses_before_anything_is_sent(shop: World, phone: Phone) -> None:
    """Nothing is recorded either; a top-up is in effect at once."""
    await shop.way_out(phone.uri())
    await open_wallet(shop, "0.5")
    with pytest.raises(Rejected) as refused:
        await shop.place()
    assert (refused.value.reason, refused.value.message) == (
        Reason.INSUFFICIENT_BALANCE,
        "Insufficient billing wallet balance",
    )
    assert shop.told("call.created") == []
    await shop.gateway.store.wallets.top_up(shop.workspace.id, Decimal(10), "test")
    await shop.place()
    await phone.called()


async def test_a_call_is_charged_what_it_lasted(shop: World, agent: Runtime, phone: Phone) -> None:
    """And what it had set aside beyond that is there for the next one."""
    await shop.way_out(phone.uri(), dialect="native")
    await open_wallet(shop, "100")
    await shop.place()
    leg = await phone.called()
    leg.accept()
    await (await agent.talk()).message("start")
    leg.bye()
    row = await shop.ended("completed", "user_disconnected", "callee")
    assert row.price is not None
    assert row.price == row.billed_seconds
    (entry,) = await debits(shop)
    assert (entry.call_id, entry.amount, entry.by) == (row.id, -row.price, "gateway")
    assert entry.note == f"{row.billed_seconds} s to {CALLEE}"
    balance = await shop.gateway.parts.meter.balance(shop.workspace.id)
    assert balance == 100 - row.price


async def test_an_unanswered_call_is_free(shop: World, agent: Runtime, phone: Phone) -> None:
    """Its first step was only set aside."""
    await shop.way_out(phone.uri())
    await open_wallet(shop, "100")
    await shop.place()
    (await phone.called()).refuse(486)
    row = await shop.ended("busy", "user_busy", "callee")
    assert (row.price, row.billed_seconds) == (Decimal(0), 0)
    assert await debits(shop) == []
    assert await shop.gateway.parts.meter.balance(shop.workspace.id) == 100


async def test_without_a_wallet_a_call_has_a_price_and_no_debit(
    shop: World, agent: Runtime, phone: Phone
) -> None:
    """Whoever sends invoices reads the records."""
    await shop.way_out(phone.uri(), dialect="native")
    await shop.place()
    leg = await phone.called()
    leg.accept()
    await (await agent.talk()).message("start")
    leg.bye()
    row = await shop.ended("completed", "user_disconnected", "callee")
    assert (row.prepaid, row.rate, row.currency) == (False, Decimal(60), "INR")
    assert row.price
    assert await debits(shop) == []
