"""Where calls and wallets meet: what running calls set aside, what those that ended are charged, once each.

A debit is written in the transaction that saves the call's final record, and `wallet_entries.call_id` is
unique. So a record that is written again, by a replay of the journal or after a kill, charges nothing more,
and one that is not written yet has not charged anything.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine.schema import calls, wallet_entries, wallet_holds, wallets
from gateway.store.money.wallets import EntryKind, enter, lock
from gateway.store.records.calls import CallRow

GATEWAY = "gateway"
STALE = timedelta(hours=24)
"A hold that nobody has touched for so long is of a gateway that died and was never started again."


@dataclass(frozen=True, slots=True)
class Hold:
    """What one running call has set aside of its workspace's wallet."""

    call_id: str
    workspace_id: str
    amount: Decimal
    price: Decimal
    "What the call has come to so far: it is charged this much if its gateway dies."
    billed_seconds: int


@dataclass(frozen=True, slots=True)
class Purse:
    """A wallet as the gateways that share it see it."""

    balance: Decimal
    held: Decimal
    "What calls of other gateways have set aside."


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a gateway learns when it tells the database of its holds."""

    purses: Mapping[str, Purse]
    "By workspace; those without an open wallet are missing."
    settled: frozenset[str]
    "Calls of those asked about whose final record, and with it the debit, is in the database."


@dataclass(frozen=True, slots=True)
class Due:
    """What one call is to be charged."""

    call_id: str
    price: Decimal
    billed_seconds: int
    to_number: str


async def exchange(
    connection: AsyncConnection,
    instance: str,
    holds: Sequence[Hold],
    ended: Collection[str],
    workspace_ids: Collection[str],
) -> Exchange:
    """Write an instance's holds that have changed; read how its ended calls and these wallets stand."""
    await _write(connection, instance, holds)
    found = await standing(connection, instance, ended, workspace_ids)
    if found.settled:
        await connection.execute(wallet_holds.delete().where(wallet_holds.c.call_id.in_(found.settled)))
    return found


async def standing(
    connection: AsyncConnection, instance: str, ended: Collection[str], workspace_ids: Collection[str]
) -> Exchange:
    """How an instance's ended calls and these wallets stand.

    Records before holds before balances: a call that is settled in between counts twice for a moment, and
    not never.
    """
    settled = await _settled(connection, ended)
    return Exchange(await purses_of(connection, instance, workspace_ids), settled)


async def purses_of(
    connection: AsyncConnection, instance: str, workspace_ids: Collection[str]
) -> dict[str, Purse]:
    """How these wallets stand to an instance: what its own calls have set aside is not taken off."""
    fresh = wallet_holds.c.at > datetime.now(UTC) - STALE
    query = sa.select(wallet_holds.c.workspace_id, wallet_holds.c.amount).where(
        wallet_holds.c.workspace_id.in_(workspace_ids), wallet_holds.c.instance != instance, fresh
    )
    held: dict[str, Decimal] = {}
    for workspace_id, amount in await connection.execute(query):
        held[workspace_id] = held.get(workspace_id, Decimal(0)) + amount
    balances = sa.select(wallets.c.workspace_id, wallets.c.balance).where(
        wallets.c.workspace_id.in_(workspace_ids), wallets.c.is_open
    )
    return {
        workspace_id: Purse(balance, held.get(workspace_id, Decimal(0)))
        for workspace_id, balance in await connection.execute(balances)
    }


async def settle(connection: AsyncConnection, rows: Iterable[CallRow]) -> None:
    """Charge the prepaid calls among these that have ended, each once, in the transaction that saves them."""
    ended = {row.id: row for row in rows if row.prepaid and row.ended_at is not None}
    if not ended:
        return
    await connection.execute(wallet_holds.delete().where(wallet_holds.c.call_id.in_(ended)))
    due: dict[str, list[Due]] = {}
    for row in ended.values():
        if row.workspace_id is not None and row.price:
            charge = Due(row.id, row.price, row.billed_seconds or 0, row.to_number)
            due.setdefault(row.workspace_id, []).append(charge)
    for workspace_id in sorted(due):  # the same order everywhere, so that no two wait for each other
        await _charge(connection, workspace_id, due[workspace_id])


async def _charge(connection: AsyncConnection, workspace_id: str, due: Sequence[Due]) -> None:
    """Debit what was not debited yet; the lock on the wallet keeps others from doing the same meanwhile."""
    wallet = await lock(connection, workspace_id)
    if wallet is None:
        return
    ids = [charge.call_id for charge in due]
    paid = sa.select(wallet_entries.c.call_id).where(wallet_entries.c.call_id.in_(ids))
    known = set((await connection.execute(paid)).scalars())
    balance = wallet["balance"]
    for charge in due:
        if charge.call_id not in known:
            note = f"{charge.billed_seconds} s to {charge.to_number}"
            balance = await enter(
                connection,
                workspace_id,
                balance,
                -charge.price,
                EntryKind.CALL,
                GATEWAY,
                note=note,
                call_id=charge.call_id,
            )


async def _write(connection: AsyncConnection, instance: str, holds: Sequence[Hold]) -> None:
    now = datetime.now(UTC)
    rows = [{**asdict(hold), "instance": instance, "at": now} for hold in holds]
    if rows:
        await connection.execute(_UPSERT[connection.dialect.name], rows)


def _upsert(insert: Any) -> Any:
    statement = insert(wallet_holds)
    fresh = {name: statement.excluded[name] for name in ("amount", "price", "billed_seconds", "at")}
    return statement.on_conflict_do_update(index_elements=["call_id"], set_=fresh)


_UPSERT = {"sqlite": _upsert(sqlite_insert), "postgresql": _upsert(postgresql_insert)}


async def _settled(connection: AsyncConnection, ended: Collection[str]) -> frozenset[str]:
    if not ended:
        return frozenset()
    final = sa.select(calls.c.id).where(calls.c.id.in_(ended), calls.c.ended_at.is_not(None))
    return frozenset((await connection.execute(final)).scalars())
