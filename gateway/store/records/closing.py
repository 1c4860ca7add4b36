"""What a killed run left open: its calls end at its last sign of life, with the length and price of that."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.rating import Charge, Quote
from gateway.routing.table import Increment
from gateway.store.engine import tenure
from gateway.store.engine.schema import calls, untold_calls, wallet_holds
from gateway.store.money.purses import Hold, Purse, purses_of, settle
from gateway.store.records.call_table import FIELDS, Saved, call_of, upsert
from gateway.store.records.calls import EPOCH, CallRow, connected_ms

CLOSED = "failed"
RESTARTED = "gateway_restarted"
DETAIL = "the gateway was killed while this call was running; it is closed as of the last sign of life"
RECENT = timedelta(minutes=1)
"How long before its death a killed gateway may have ended calls of which webhooks were not filed yet."
NEWEST = 2000
"Calls, newest first, among which they are looked for."


@dataclass(frozen=True, slots=True)
class Left:
    """What a killed run has left."""

    closed: tuple[CallRow, ...] = ()
    "Calls that went on, as they are closed now; oldest first."
    ended: tuple[str, ...] = ()
    "Calls that ended just before it died."


async def close_left_open(
    connection: AsyncConnection, instance: str, died_ms: int | None, order: int
) -> Left:
    """End and charge what this instance left open, in this transaction; each is kept as yet to be told of."""
    rows, newest = await _open_rows(connection, instance)
    holds = await _holds(connection, instance)
    workspaces = {row.workspace_id for row in rows if row.prepaid and row.workspace_id}
    purses = await purses_of(connection, instance, workspaces)
    closed = tuple(close_all(rows, died_ms, holds, purses))
    order = max(order, newest + 1)  # also where the clock was set back since they were saved
    await upsert(connection, [Saved(order, row) for row in closed])
    await settle(connection, closed)
    await connection.execute(wallet_holds.delete().where(wallet_holds.c.instance == instance))
    if closed:
        await connection.execute(
            untold_calls.insert(), [{"call_id": row.id, "instance": instance} for row in closed]
        )
    ended = () if died_ms is None else await _just_ended(connection, instance, {row.id for row in closed})
    await tenure.closed(connection, instance)
    return Left(closed, ended)


def close_all(
    rows: Sequence[CallRow],
    died_ms: int | None,
    holds: Mapping[str, Hold],
    purses: Mapping[str, Purse],
) -> Iterable[CallRow]:
    """Each call as it ended; those of one wallet share what is in it."""
    left = {workspace: purse.balance - purse.held for workspace, purse in purses.items()}
    for row in rows:
        ended_at = last_sign(row, died_ms)
        closed = replace(
            row,
            status=CLOSED,
            end_reason=RESTARTED,
            ended_by="gateway",
            detail=DETAIL,
            ended_at=ended_at,
            duration_ms=connected_ms(row.answered_at, ended_at),
        )
        available = left.get(row.workspace_id or "") if row.prepaid else None
        charge = charge_of(closed, holds.get(row.id), available)
        if charge is not None:
            closed = replace(closed, price=charge.price, billed_seconds=charge.billed_seconds)
            if row.prepaid and row.workspace_id in left:
                left[row.workspace_id] -= charge.price
        yield closed


def last_sign(row: CallRow, died_ms: int | None) -> datetime:
    """When its gateway last gave a sign of life, in the time of the call; its own record is one, too."""
    known = (row.created_at, row.ringing_at, row.answered_at, row.first_audio_in_at, row.first_audio_out_at)
    latest = max(at for at in known if at is not None)
    if died_ms is None or row.epoch_ms is None:
        return latest
    return max(latest, EPOCH + timedelta(milliseconds=row.epoch_ms + died_ms))


def charge_of(row: CallRow, hold: Hold | None, available: Decimal | None) -> Charge | None:
    """What a call has come to, but no more than its wallet could pay; None: nothing is charged."""
    if row.rate is None or row.increment is None:  # free, or recorded before prices could be reckoned again
        return None if hold is None else Charge(hold.billed_seconds, hold.price)
    quote = Quote(
        row.rate,
        row.currency or "",
        Increment.parse(row.increment),
        "",
        connection_fee=row.connection_fee or Decimal(0),
    )
    connected = None if row.answered_at is None else row.duration_ms / 1000
    charge = quote.charge(connected)
    if hold is not None and hold.price > charge.price:
        return Charge(hold.billed_seconds, hold.price)  # answered so shortly before that no record says it
    if connected is None or available is None or charge.price <= available:
        return charge
    return quote.charge(min(connected, quote.affordable_seconds(max(available, Decimal(0)))))


async def untold(connection: AsyncConnection, instance: str) -> list[str]:
    """Calls that a start of this instance has closed, and of whose ending nobody was told; oldest first."""
    query = sa.select(untold_calls.c.call_id).where(untold_calls.c.instance == instance)
    return list((await connection.execute(query.order_by(untold_calls.c.call_id))).scalars())


async def _open_rows(connection: AsyncConnection, instance: str) -> tuple[list[CallRow], int]:
    """The records, and the highest order that one of them was saved under."""
    query = sa.select(calls.c.saved, *(calls.c[name] for name in FIELDS)).where(
        calls.c.instance == instance, calls.c.ended_at.is_(None)
    )
    rows = (await connection.execute(query.order_by(calls.c.created_at, calls.c.id))).all()
    return [call_of(row[1:]) for row in rows], max((row[0] for row in rows), default=0)


async def _holds(connection: AsyncConnection, instance: str) -> dict[str, Hold]:
    query = wallet_holds.select().where(wallet_holds.c.instance == instance)
    names = ("call_id", "workspace_id", "amount", "price", "billed_seconds")
    rows: Iterable[Any] = (await connection.execute(query)).mappings()
    return {row["call_id"]: Hold(**{name: row[name] for name in names}) for row in rows}


async def _just_ended(connection: AsyncConnection, instance: str, closed: Collection[str]) -> tuple[str, ...]:
    """Calls that ended within `RECENT` of the last one that did."""
    query = sa.select(calls.c.id, calls.c.ended_at).where(calls.c.instance == instance)
    newest = query.order_by(calls.c.created_at.desc(), calls.c.id.desc()).limit(NEWEST)
    ended = {
        row.id: row.ended_at
        for row in await connection.execute(newest)
        if row.id not in closed and row.ended_at is not None
    }
    latest = max(ended.values(), default=None)
    return tuple(sorted(call_id for call_id, at in ended.items() if latest and at >= latest - RECENT))
