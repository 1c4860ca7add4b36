"""Wallets: what a workspace has paid in, and what its calls may still cost."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.rating import MINOR_UNIT
from gateway.routing.table import Workspace
from gateway.store.configuration.editing import Changing, Editing
from gateway.store.configuration.history import Entry, record
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import wallet_entries, wallet_holds, wallets

MAX_AMOUNT = Decimal(1_000_000_000)
MAX_ENTRIES = 1000


class EntryKind(StrEnum):
    """Why a balance changed."""

    OPEN = "open"
    TOP_UP = "top_up"
    ADJUST = "adjust"
    CALL = "call"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Wallet:
    """A workspace's wallet."""

    workspace_id: str
    currency: str
    balance: Decimal
    held: Decimal
    "What running calls have set aside of it."
    is_open: bool
    "A closed wallet limits no calls, and pays only for those that began before."
    opened_at: datetime

    @property
    def available(self) -> Decimal:
        """What new calls may still cost."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """One change of a balance."""

    id: str
    "`txn_…`, in order of time."
    workspace_id: str
    at: datetime
    kind: str
    amount: Decimal
    "Below zero: taken out."
    balance: Decimal
    "After it."
    call_id: str | None
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Wallets:
    """The wallets in the store. A workspace has one at most, and only where somebody opened it."""

    editing: Editing

    async def list_all(self) -> list[Wallet]:
        """All wallets, closed ones too, in the order of their workspaces' ids."""
        async with self.editing.database.reading() as connection:
            return await _read(connection)

    async def get(self, workspace_id: str) -> Wallet:
        """A workspace's wallet; `NotFound` where it never had one."""
        async with self.editing.database.reading() as connection:
            return await _one(connection, workspace_id)

    async def available(self, workspace_id: str) -> Decimal | None:
        """What new calls of a workspace may cost; None: it has no open wallet, so anything."""
        async with self.editing.database.reading() as connection:
            found = await _read(connection, wallets.c.workspace_id == workspace_id, wallets.c.is_open)
        return found[0].available if found else None

    async def open(self, workspace: Workspace, amount: Decimal, by: str) -> Wallet:
        """Open a wallet with a first amount, or open a closed one again; its balance is still there."""
        amount = _checked(amount, Decimal(0))
        async with self.editing.changing(by) as changing:
            connection = changing.connection
            before = await lock(connection, workspace.id)
            if before is not None and before["is_open"]:
                raise Conflict("workspace", workspace.name, "has an open wallet already: top it up")
            columns = {"is_open": True, "opened_at": datetime.now(UTC)}
            if before is None:
                new = {"workspace_id": workspace.id, "currency": workspace.currency, "balance": Decimal(0)}
                await connection.execute(wallets.insert().values(**new, **columns))
            else:
                await connection.execute(_of(workspace.id).values(**columns))
            balance = Decimal(0) if before is None else before["balance"]
            await enter(connection, workspace.id, balance, amount, EntryKind.OPEN, by)
            await _note(changing, workspace.id, is_open=True)
            return await _one(connection, workspace.id)

    async def top_up(self, workspace_id: str, amount: Decimal, by: str, note: str = "") -> Wallet:
        """Pay something in."""
        if amount.is_finite() and amount <= 0:
            raise InvalidInput("amount", amount, "should be more than 0; gateway wallet adjust takes out")
        return await self._change(workspace_id, _checked(amount, MINOR_UNIT), EntryKind.TOP_UP, by, note)

    async def adjust(self, workspace_id: str, amount: Decimal, by: str, note: str) -> Wallet:
        """Correct the balance, up or down; the note says why."""
        if not note.strip():
            raise InvalidInput("note", None, "should say why the balance is corrected")
        amount = _checked(amount, -MAX_AMOUNT)
        return await self._change(workspace_id, amount, EntryKind.ADJUST, by, note)

    async def close(self, workspace_id: str, by: str) -> Wallet:
        """Let calls go on without a wallet; what is in it stays in it."""
        async with self.editing.changing(by) as changing:
            connection = changing.connection
            before = await _open_one(connection, workspace_id)
            await connection.execute(_of(workspace_id).values(is_open=False))
            await enter(connection, workspace_id, before["balance"], Decimal(0), EntryKind.CLOSE, by)
            await _note(changing, workspace_id, is_open=False)
            return await _one(connection, workspace_id)

    async def entries(self, workspace_id: str, limit: int = 20) -> list[WalletEntry]:
        """The newest changes of the balance, newest first."""
        newest = wallet_entries.select().where(wallet_entries.c.workspace_id == workspace_id)
        newest = newest.order_by(wallet_entries.c.id.desc()).limit(min(limit, MAX_ENTRIES))
        async with self.editing.database.reading() as connection:
            rows = (await connection.execute(newest)).mappings().all()
        return [WalletEntry(**row) for row in rows]

    async def _change(
        self, workspace_id: str, amount: Decimal, kind: EntryKind, by: str, note: str
    ) -> Wallet:
        async with self.editing.database.writing() as connection:
            before = await _open_one(connection, workspace_id)
            await enter(connection, workspace_id, before["balance"], amount, kind, by, note=note)
            return await _one(connection, workspace_id)


async def lock(connection: AsyncConnection, workspace_id: str) -> RowMapping | None:
    """The wallet's row, for this transaction alone to change."""
    query = wallets.select().where(wallets.c.workspace_id == workspace_id).with_for_update()
    return (await connection.execute(query)).mappings().first()


async def _open_one(connection: AsyncConnection, workspace_id: str) -> RowMapping:
    found = await lock(connection, workspace_id)
    if found is None or not found["is_open"]:
        raise NotFound("wallet", None, "this workspace has no open wallet: gateway wallet open")
    return found


def _of(workspace_id: str) -> sa.Update:
    return wallets.update().where(wallets.c.workspace_id == workspace_id)


async def enter(
    connection: AsyncConnection,
    workspace_id: str,
    before: Decimal,
    amount: Decimal,
    kind: EntryKind,
    by: str,
    *,
    note: str = "",
    call_id: str | None = None,
) -> Decimal:
    """Change a balance whose row is locked, and write why; the new balance."""
    after = before + amount
    await connection.execute(_of(workspace_id).values(balance=after))
    await connection.execute(
        wallet_entries.insert().values(
            id=new_id("txn"),
            workspace_id=workspace_id,
            at=datetime.now(UTC),
            kind=kind.value,
            amount=amount,
            balance=after,
            call_id=call_id,
            by=by,
            note=note,
        )
    )
    return after


async def _note(changing: Changing, workspace_id: str, *, is_open: bool) -> None:
    """That a workspace has a wallet is configuration: every gateway learns it by the revision."""
    entry = Entry(
        by=changing.by,
        workspace_id=workspace_id,
        kind="wallet",
        object_id=workspace_id,
        action="change",
        before={"is_open": not is_open},
        after={"is_open": is_open},
    )
    changing.revision = await record(changing.connection, entry)


async def read_prepaid(connection: AsyncConnection) -> frozenset[str]:
    """The workspaces that have an open wallet."""
    return frozenset(
        (await connection.execute(sa.select(wallets.c.workspace_id).where(wallets.c.is_open))).scalars()
    )


async def _read(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[Wallet]:
    rows = (await connection.execute(wallets.select().where(*conditions))).mappings().all()
    holds = await connection.execute(sa.select(wallet_holds.c.workspace_id, wallet_holds.c.amount))
    held: dict[str, Decimal] = {}
    for workspace_id, amount in holds:
        held[workspace_id] = held.get(workspace_id, Decimal(0)) + amount
    found = [Wallet(**row, held=held.get(row["workspace_id"], Decimal(0))) for row in rows]
    return sorted(found, key=lambda wallet: wallet.workspace_id)


async def _one(connection: AsyncConnection, workspace_id: str) -> Wallet:
    found = await _read(connection, wallets.c.workspace_id == workspace_id)
    if not found:
        raise NotFound("wallet", None, "this workspace has none: gateway wallet open")
    return found[0]


def _checked(amount: Decimal, least: Decimal) -> Decimal:
    if not amount.is_finite() or not least <= amount <= MAX_AMOUNT:
        raise InvalidInput("amount", amount, f"should be an amount from {least} to {MAX_AMOUNT}")
    if amount != amount.quantize(MINOR_UNIT):
        raise InvalidInput("amount", amount, "should have at most six decimals")
    return amount
