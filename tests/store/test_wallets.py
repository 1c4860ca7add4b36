"""Wallets: what is paid in, what calls set aside, and that each call is charged once, whatever happens."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.config.settings import Config
from gateway.routing.table import Workspace
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import wallet_entries, wallet_holds
from gateway.store.money.purses import Hold, Purse, settle
from gateway.store.money.wallets import Wallet
from gateway.store.records import writer as writer_module
from gateway.store.records.call_table import Saved
from gateway.store.records.calls import CallRow
from gateway.store.records.journal import Journal
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def rupees(amount: str) -> Decimal:
    return Decimal(amount)


def call(workspace: Workspace, *, price: str | None = "1.40", ended: bool = True) -> CallRow:
    """An answered outbound call that the wallet pays for."""
    return CallRow(
        id=new_id("call"),
        direction="outbound",
        status="completed" if ended else "sent",
        created_at=NOW,
        answered_at=NOW,
        ended_at=NOW + timedelta(seconds=61) if ended else None,
        workspace_id=workspace.id,
        to_number="+919812345678",
        price=None if price is None or not ended else Decimal(price),
        currency="INR",
        billed_seconds=120 if ended else None,
        prepaid=True,
    )


def hold(row: CallRow, amount: str, price: str = "0.70", seconds: int = 60) -> Hold:
    assert row.workspace_id is not None
    return Hold(row.id, row.workspace_id, Decimal(amount), Decimal(price), seconds)


@pytest.fixture
async def wallet(store: SqlStore, furnished: Furnished) -> Wallet:
    """An open wallet with 100 rupees."""
    return await store.wallets.open(furnished.workspace, rupees("100"), "test")


async def purse(store: SqlStore, workspace_id: str) -> Purse | None:
    """The wallet as this gateway sees it, who has no calls itself."""
    return (await store.purses([], [workspace_id])).purses.get(workspace_id)


async def balance(store: SqlStore, workspace: Workspace) -> Decimal:
    return (await store.wallets.get(workspace.id)).balance


async def debits(store: SqlStore, workspace: Workspace) -> list[tuple[str | None, Decimal]]:
    entries = await store.wallets.entries(workspace.id, 1000)
    return [(entry.call_id, entry.amount) for entry in entries if entry.kind == "call"]


async def test_every_change_of_a_balance_is_written_down(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """With its amount, what was in the wallet after it, who made it, and why."""
    workspace = furnished.workspace.id
    await store.wallets.top_up(workspace, rupees("0.000001"), "cli:root", "invoice 7")
    await store.wallets.adjust(workspace, rupees("-30"), "cli:root", "paid in twice")
    closed = await store.wallets.close(workspace, "cli:root")
    assert (closed.balance, closed.is_open) == (rupees("70.000001"), False)
    entries = await store.wallets.entries(workspace)
    assert [(e.kind, e.amount, e.balance, e.by, e.note) for e in entries] == [
        ("close", rupees("0"), rupees("70.000001"), "cli:root", ""),
        ("adjust", rupees("-30"), rupees("70.000001"), "cli:root", "paid in twice"),
        ("top_up", rupees("0.000001"), rupees("100.000001"), "cli:root", "invoice 7"),
        ("open", rupees("100"), rupees("100"), "test", ""),
    ]


async def test_a_closed_wallet_limits_nobody_and_can_be_opened_again(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """What was in it is still in it."""
    workspace = furnished.workspace
    assert await purse(store, workspace.id) == Purse(rupees("100"), rupees("0"))
    await store.wallets.close(workspace.id, "test")
    assert await purse(store, workspace.id) is None
    with pytest.raises(NotFound):
        await store.wallets.top_up(workspace.id, rupees("1"), "test")
    again = await store.wallets.open(workspace, rupees("5"), "test")
    assert (again.balance, again.is_open) == (rupees("105"), True)
    with pytest.raises(Conflict):
        await store.wallets.open(workspace, rupees("5"), "test")


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "0.0000001", "1e12"])
async def test_an_amount_that_makes_no_sense_is_refused(
    store: SqlStore, furnished: Furnished, wallet: Wallet, amount: str
) -> None:
    """And the balance stays."""
    with pytest.raises(InvalidInput, match="amount"):
        await store.wallets.top_up(furnished.workspace.id, Decimal(amount), "test")
    assert await balance(store, furnished.workspace) == 100


async def test_a_workspace_with_a_wallet_keeps_its_currency(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """What is in the wallet would be another amount."""
    with pytest.raises(Conflict, match="has a wallet in INR"):
        await store.configuration.workspaces.change(furnished.workspace.id, {"currency": "USD"}, "test")


async def test_payments_at_once_all_count(store: SqlStore, furnished: Furnished, wallet: Wallet) -> None:
    """Twenty top-ups and twenty calls together: nothing is lost between reading and writing a balance."""
    rows = [call(furnished.workspace, price="1") for _ in range(20)]
    for row in rows:
        store.save_call(row)
    await asyncio.gather(
        *(store.wallets.top_up(furnished.workspace.id, rupees("2"), "test") for _ in range(20)), store.flush()
    )
    assert await balance(store, furnished.workspace) == 120
    entries = await store.wallets.entries(furnished.workspace.id, 100)
    assert sum(entry.amount for entry in entries) == 120
    assert entries[0].balance == 120


async def test_a_call_is_charged_when_its_final_record_is_saved_and_once(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Not while it goes on, and not again when the record is."""
    final = call(furnished.workspace)
    store.save_call(replace(final, ended_at=None, price=None))
    await store.flush()
    assert await debits(store, furnished.workspace) == []
    for _ in range(3):
        store.save_call(final)
        await store.flush()
    assert await debits(store, furnished.workspace) == [(final.id, rupees("-1.40"))]
    assert await balance(store, furnished.workspace) == rupees("98.60")
    (entry, *_) = await store.wallets.entries(furnished.workspace.id)
    assert entry.note == "120 s to +919812345678"


@pytest.mark.parametrize(
    "changes", [{"prepaid": False}, {"price": Decimal(0)}, {"price": None}, {"ended_at": None}]
)
async def test_what_the_wallet_does_not_pay_leaves_no_entry(
    store: SqlStore, furnished: Furnished, wallet: Wallet, changes: dict[str, object]
) -> None:
    """Calls that began without a wallet, that were not answered or not priced, and those that go on."""
    store.save_call(replace(call(furnished.workspace), **changes))  # type: ignore[arg-type]
    await store.flush()
    assert await debits(store, furnished.workspace) == []


async def test_a_call_that_began_before_the_wallet_was_closed_is_charged(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Its minutes were used."""
    await store.wallets.close(furnished.workspace.id, "test")
    store.save_call(call(furnished.workspace))
    await store.flush()
    assert await balance(store, furnished.workspace) == rupees("98.60")


async def test_a_replayed_journal_charges_nothing_twice(
    config: Config, store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """A gateway that dies when the database has the journal, before the file is gone, replays it again."""
    rows = [call(furnished.workspace, price="1") for _ in range(5)]
    lines = [Saved(number, row) for number, row in enumerate(rows, 1)]
    journal = Journal(config.journal_file)
    for _ in range(2):
        journal.append(lines)
        await store._writer.replay()
    assert await balance(store, furnished.workspace) == 95
    assert len(await debits(store, furnished.workspace)) == 5


async def test_a_failed_transaction_charges_nothing_and_the_next_attempt_does(
    store: SqlStore, furnished: Furnished, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record and debit are in the database together, or neither is."""
    attempts = 0

    async def settle_then_fail(connection: AsyncConnection, rows: Iterable[CallRow]) -> None:
        nonlocal attempts
        attempts += 1
        await settle(connection, rows)
        if attempts <= 2:
            raise StoreError("the connection broke before the commit")

    monkeypatch.setattr(writer_module, "settle", settle_then_fail)
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", (0.01,))
    final = call(furnished.workspace)
    store.save_call(final)
    await store.flush()
    assert attempts == 3
    assert await debits(store, furnished.workspace) == [(final.id, rupees("-1.40"))]
    assert await store.get_call(final.id) is not None


async def test_what_others_hold_is_told_and_let_go_of_by_the_debit(
    config: Config, store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Two gateways share a wallet: each sees what the other's calls have set aside, and not its own."""
    named = config.gateway.model_copy(update={"name": "other"})
    other = await open_store(config.model_copy(update={"gateway": named}))
    try:
        running = call(furnished.workspace, ended=False)
        workspace = furnished.workspace.id
        told = await store.exchange([hold(running, "1.40")], [], [workspace])
        assert told.purses == {workspace: Purse(rupees("100"), rupees("0"))}
        assert await purse(other, workspace) == Purse(rupees("100"), rupees("1.40"))
        await store.exchange([hold(running, "2.10")], [], [workspace])
        assert await purse(other, workspace) == Purse(rupees("100"), rupees("2.10"))
        assert (await store.wallets.get(workspace)).available == rupees("97.90")

        assert (await store.exchange([], [running.id], [workspace])).settled == frozenset()
        store.save_call(replace(call(furnished.workspace), id=running.id))
        await store.flush()
        assert (await store.exchange([], [running.id], [workspace])).settled == {running.id}
        assert await purse(other, workspace) == Purse(rupees("98.60"), rupees("0"))
    finally:
        await other.close()


async def test_a_killed_gateways_calls_are_charged_what_they_had_come_to(
    config: Config, store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Its next start closes them, charges them once, and lets go of what they held."""
    charged, fresh, unanswered = (call(furnished.workspace, ended=False) for _ in range(3))
    for row in (charged, fresh, unanswered):
        store.save_call(row)
    await store.flush()
    holds = [hold(charged, "1.40", "0.70", 60), hold(unanswered, "0.70", "0", 0)]
    await store.exchange(holds, [], [furnished.workspace.id])
    for _ in range(2):
        await store.close_open_calls(None)
    assert await debits(store, furnished.workspace) == [(charged.id, rupees("-0.70"))]
    closed = await store.get_call(charged.id)
    assert closed is not None
    assert (closed.end_reason, closed.price, closed.billed_seconds) == (
        "gateway_restarted",
        rupees("0.70"),
        60,
    )
    async with store.configuration._editing.database.reading() as connection:
        left = sa.select(sa.func.count()).select_from(wallet_holds)
        assert (await connection.execute(left)).scalar_one() == 0


async def test_a_final_record_from_the_journal_counts_before_the_restart_closes_the_call(
    config: Config, store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Killed while the database was away: the journal knows the real price, so that one is charged."""
    running = call(furnished.workspace, ended=False)
    store.save_call(running)
    await store.flush()
    await store.exchange([hold(running, "1.40")], [], [furnished.workspace.id])
    final = replace(call(furnished.workspace), id=running.id)
    Journal(config.journal_file).append([Saved(store._writer.next_order(), final)])
    restarted = await open_store(config)
    try:
        assert (await restarted.close_open_calls(None)).closed == ()
        assert await debits(restarted, furnished.workspace) == [(final.id, rupees("-1.40"))]
    finally:
        await restarted.close()


async def test_the_database_itself_refuses_a_second_debit(
    store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Whatever a program does: a call has one entry."""
    final = call(furnished.workspace)
    store.save_call(final)
    await store.flush()
    with pytest.raises(StoreError):
        async with store.configuration._editing.database.writing() as connection:
            await connection.execute(
                wallet_entries.insert().values(
                    id=new_id("txn"),
                    workspace_id=furnished.workspace.id,
                    at=NOW,
                    kind="call",
                    amount=Decimal(-1),
                    balance=Decimal(0),
                    call_id=final.id,
                    by="test",
                    note="",
                )
            )


async def test_who_pays_in_advance_is_known_by_the_revision(store: SqlStore, furnished: Furnished) -> None:
    """So that calls of all others ask the database for no balance; the history says who opened the wallet."""
    workspace = furnished.workspace
    assert not store.has_wallet(workspace.id)
    await store.wallets.open(workspace, rupees("5"), "cli:root")
    async with asyncio.timeout(10):
        while not store.has_wallet(workspace.id):  # noqa: ASYNC110 - it comes by itself
            await asyncio.sleep(0.01)
    await store.wallets.close(workspace.id, "cli:root")
    await store.refresh()
    assert not store.has_wallet(workspace.id)
    newest = (await store.configuration.history(workspace.id))[0]
    assert (newest.kind, newest.by, newest.fields) == ("wallet", "cli:root", {"is_open": [True, False]})


async def test_two_gateways_settle_on_one_wallet_at_once(
    config: Config, store: SqlStore, furnished: Furnished, wallet: Wallet
) -> None:
    """Neither waits for ever, and no debit is lost between the other's reading and writing."""
    named = config.gateway.model_copy(update={"name": "other"})
    other = await open_store(config.model_copy(update={"gateway": named}))
    try:
        for _ in range(25):
            store.save_call(call(furnished.workspace, price="1"))
            other.save_call(call(furnished.workspace, price="1"))
            await asyncio.sleep(0)
        await asyncio.gather(store.flush(), other.flush())
    finally:
        await other.close()
    assert await balance(store, furnished.workspace) == 50
    assert len(await debits(store, furnished.workspace)) == 50
