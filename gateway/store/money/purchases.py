"""What was bought from a number provider: from the intent, which is written down first, to the release."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gateway.routing.table import Workspace
from gateway.store.configuration.editing import Changing, Editing
from gateway.store.configuration.numbers import REGISTERED
from gateway.store.engine.errors import Conflict, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import numbers, purchases

MAX_DUE = 100
"Purchases that are looked at in one sweep."


class PurchaseState(StrEnum):
    """How far a purchase is."""

    REQUESTED = "requested"
    "The provider is being asked, or was, and the answer never came."
    BOUGHT = "bought"
    "The provider has it for us; it is not among our numbers yet."
    REGISTERED = "registered"
    "It is one of our numbers."
    RELEASING = "releasing"
    "It is none of our numbers any more; the provider does not know it yet."
    RELEASED = "released"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One number that was, or is being, bought."""

    id: str
    "`pur_…`"
    workspace_id: str
    number: str
    "E.164"
    country_iso: str
    provider: str
    state: PurchaseState
    by: str
    instance: str
    "The gateway, or command line, that asked the provider."
    asked_at: datetime
    "When the provider was last asked for it."
    due_at: datetime | None = None
    "When it should be looked at again; None: nothing is left to do."
    idempotency_key: str | None = None
    nickname: str = ""
    "What the number will be called."
    number_id: str | None = None
    detail: str = ""
    "The last trouble, in words."
    tries: int = 0
    "Looks since the state changed, for the back-off."
    created_at: datetime | None = None


CLOSED = (PurchaseState.RELEASED, PurchaseState.FAILED)


@dataclass(frozen=True, slots=True)
class Purchases:
    """The purchases in the store."""

    editing: Editing

    async def begin(self, purchase: Purchase) -> Purchase:
        """Write an intent down; `Conflict` where the number is ours already, or being bought."""
        purchase = replace(purchase, id=new_id("pur"), created_at=purchase.asked_at)
        async with self.editing.changing(purchase.by) as changing:
            await changing.get(Workspace, purchase.workspace_id)
            await _refuse_taken(changing, purchase.number)
            await changing.connection.execute(purchases.insert().values(**_columns(purchase)))
        return purchase

    async def reopen(self, failed: Purchase, intent: Purchase) -> Purchase:
        """Begin again what failed, in the same row; `Conflict` where somebody else has the number."""
        async with self.editing.changing(intent.by) as changing:
            await _refuse_taken(changing, failed.number)
            again = replace(intent, id=failed.id, created_at=failed.created_at)
            update = purchases.update().where(purchases.c.id == failed.id).values(**_columns(again))
            await changing.connection.execute(update)
        return again

    async def list_all(self, workspace_id: str | None = None) -> list[Purchase]:
        """Those of a workspace, or all; oldest first."""
        conditions = [] if workspace_id is None else [purchases.c.workspace_id == workspace_id]
        return await self._read(*conditions)

    async def get(self, purchase_id: str) -> Purchase:
        """One by its id."""
        found = await self._read(purchases.c.id == purchase_id)
        if not found:
            raise NotFound("purchase", purchase_id, "there is no such purchase")
        return found[0]

    async def by_key(self, workspace_id: str, key: str) -> Purchase | None:
        """The one that was begun with an idempotency key."""
        conditions = (purchases.c.workspace_id == workspace_id, purchases.c.idempotency_key == key)
        return next(iter(await self._read(*conditions)), None)

    async def open_for(self, number: str) -> Purchase | None:
        """The one that a number is under, as long as it is neither failed nor released."""
        conditions = (purchases.c.number == number, purchases.c.state.not_in(CLOSED))
        return next(iter(await self._read(*conditions)), None)

    async def due(self, now: datetime) -> list[Purchase]:
        """Those that should be looked at now, the longest due ones first."""
        return (await self._read(purchases.c.due_at <= now, order=purchases.c.due_at))[:MAX_DUE]

    async def left_by(self, instance: str) -> list[Purchase]:
        """Those that an earlier run of this instance left without an answer."""
        unsettled = purchases.c.state.in_((PurchaseState.REQUESTED, PurchaseState.BOUGHT))
        return await self._read(purchases.c.instance == instance, unsettled)

    async def claim(self, purchase: Purchase, until: datetime) -> Purchase | None:
        """Take a due purchase for oneself until a moment; None where another gateway was faster."""
        seen = purchases.c.due_at.is_not_distinct_from(purchase.due_at)
        update = purchases.update().where(purchases.c.id == purchase.id, seen).values(due_at=until)
        async with self.editing.database.writing() as connection:
            taken = (await connection.execute(update)).rowcount == 1
        return replace(purchase, due_at=until) if taken else None

    async def save(self, purchase: Purchase, **changed: Any) -> Purchase:
        """Write a purchase with some fields changed."""
        purchase = replace(purchase, **changed)
        update = purchases.update().where(purchases.c.id == purchase.id).values(**_columns(purchase))
        if self.editing.joined is not None:
            await self.editing.joined.connection.execute(update)
        else:
            async with self.editing.database.writing() as connection:
                await connection.execute(update)
        return purchase

    async def add(self, purchase: Purchase) -> Purchase:
        """Write a purchase down as it is, in the transaction that is under way."""
        assert self.editing.joined is not None, "beside the change that it belongs to"
        purchase = replace(purchase, id=new_id("pur"), created_at=purchase.asked_at)
        await self.editing.joined.connection.execute(purchases.insert().values(**_columns(purchase)))
        return purchase

    async def _read(
        self, *conditions: sa.ColumnElement[bool], order: sa.ColumnElement[Any] | None = None
    ) -> list[Purchase]:
        oldest_first = purchases.c.id if order is None else order
        query = purchases.select().where(*conditions).order_by(oldest_first)
        if self.editing.joined is not None:
            rows = (await self.editing.joined.connection.execute(query)).mappings().all()
        else:
            async with self.editing.database.reading() as connection:
                rows = (await connection.execute(query)).mappings().all()
        return [Purchase(**{**row, "state": PurchaseState(row["state"])}) for row in rows]


async def _refuse_taken(changing: Changing, number: str) -> None:
    open_ones = (purchases.c.number == number, purchases.c.state.not_in(CLOSED))
    taken = await changing.exists(numbers, numbers.c.e164 == number)
    if taken or await changing.exists(purchases, *open_ones):
        raise Conflict("phoneNumber", number, REGISTERED, whole=True)


def _columns(purchase: Purchase) -> dict[str, Any]:
    return {field.name: getattr(purchase, field.name) for field in fields(purchase)}
