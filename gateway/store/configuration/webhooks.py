"""Webhooks: where a workspace wants to be told of its calls, and every attempt to tell it."""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import Secret, Workspace
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Editing
from gateway.store.configuration.history import Entry, record
from gateway.store.engine.errors import NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import deliveries, webhooks
from gateway.store.engine.seal import SecretBox

MAX_PAGE = 200
SKEW = timedelta(minutes=1)
"How far apart the clocks of gateways that share a database may be."
CLAIM = timedelta(minutes=5)
"A delivery that was taken so long ago and has no outcome was taken by a gateway that died, at the latest."


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    "It waits for its first attempt, or for another one."
    DELIVERED = "delivered"
    FAILED = "failed"
    "All attempts were in vain; it can be delivered again by hand."


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address that is told of events."""

    id: str
    "`webhook_…`"
    workspace_id: str
    url: str
    events: tuple[str, ...]
    secret: Secret
    "What the signature of every body is made with."
    is_active: bool
    created_by: str
    created_at: datetime

    def sign(self, body: bytes) -> str:
        """HMAC-SHA256 of the raw body, in hexadecimal digits."""
        return hmac.digest(self.secret.reveal().encode(), body, "sha256").hex()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    "`whd_…`, in order of time."
    webhook_id: str
    workspace_id: str
    event: str
    call_id: str | None
    body: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime
    "When the next attempt is due."
    response_status: int | None = None
    error_message: str = ""
    parent_delivery_id: str | None = None
    "The one that this repeats."
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks in the store, and their deliveries."""

    editing: Editing
    caps: Caps

    async def list_all(self, workspace_id: str | None = None) -> list[Webhook]:
        """All webhooks, of one workspace or of all, oldest first."""
        which = sa.true() if workspace_id is None else webhooks.c.workspace_id == workspace_id
        query = webhooks.select().where(which).order_by(webhooks.c.created_at, webhooks.c.id)
        async with self.editing.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_webhook_of(row, self.editing.box) for row in rows]

    async def get(self, webhook_id: str, workspace_id: str) -> Webhook:
        """One webhook of a workspace; `NotFound` where it has none such."""
        found = [one for one in await self.list_all(workspace_id) if one.id == webhook_id]
        if not found:
            raise NotFound("webhook", webhook_id, "there is no such webhook")
        return found[0]

    async def add(self, webhook: Webhook) -> Webhook:
        """Add one that has been checked and verified."""
        async with self.editing.changing(webhook.created_by) as changing:
            await changing.get(Workspace, webhook.workspace_id)
            await self.caps.one_more_webhook(changing, webhook.workspace_id)
            columns = _columns(webhook, self.editing.box)
            await changing.connection.execute(webhooks.insert().values(**columns))
            entry = Entry(
                webhook.created_by, webhook.workspace_id, "webhook", webhook.id, "add", {}, _shown(webhook)
            )
            changing.revision = await record(changing.connection, entry)
        return webhook

    async def change(self, before: Webhook, after: Webhook, by: str) -> Webhook:
        """Write a changed one; a new secret acts at once."""
        async with self.editing.changing(by) as changing:
            columns = _columns(after, self.editing.box)
            same = webhooks.c.id == before.id
            await changing.connection.execute(webhooks.update().where(same).values(**columns))
            entry = Entry(
                by, after.workspace_id, "webhook", after.id, "change", _shown(before), _shown(after)
            )
            changing.revision = await record(changing.connection, entry)
        return after

    async def remove(self, webhook: Webhook, by: str) -> None:
        """Remove it; what is under way to it is dropped, its log goes with it."""
        async with self.editing.changing(by) as changing:
            await changing.connection.execute(
                deliveries.delete().where(deliveries.c.webhook_id == webhook.id)
            )
            await changing.connection.execute(webhooks.delete().where(webhooks.c.id == webhook.id))
            entry = Entry(by, webhook.workspace_id, "webhook", webhook.id, "remove", _shown(webhook), {})
            changing.revision = await record(changing.connection, entry)

    async def enqueue(self, new: Sequence[Delivery], once: Collection[str] = ()) -> None:
        """Keep deliveries that are to be made; of the events `once` no second one for the same call.

        So whoever does not know whether an ending was told before a kill may tell it again.
        """
        if not new:
            return
        async with self.editing.database.writing() as connection:
            known = await _known(connection, {one.call_id for one in new if one.event in once})
            rows = [
                {**{name: getattr(one, name) for name in Delivery.__slots__}, "claimed_at": None}
                for one in new
                if one.event not in once or (one.webhook_id, one.call_id, one.event) not in known
            ]
            if rows:
                await connection.execute(deliveries.insert(), rows)

    async def take(
        self, now: datetime, limit: int, pauses: Sequence[timedelta] = (), claim: timedelta = CLAIM
    ) -> list[Delivery]:
        """Some that are due, for whoever asks alone, until `settle` or for so long as `claim`.

        `pauses` are those before the first attempt, the second and so on: what waits for longer than its
        pause was put off before the clock was set back, and is due.
        """
        free = deliveries.c.claimed_at.is_(None) | (deliveries.c.claimed_at < now - claim)
        free |= deliveries.c.claimed_at > now + SKEW
        at = deliveries.c.next_at
        ripe = [at <= now] + [
            (deliveries.c.attempts == attempts) & (at > now + pause + SKEW)
            for attempts, pause in enumerate(pauses)
        ]
        due = deliveries.c.state == DeliveryState.PENDING.value, sa.or_(*ripe), free
        pick = sa.select(deliveries.c.id).where(*due).order_by(deliveries.c.next_at).limit(limit)
        async with self.editing.database.writing() as connection:
            ids = list((await connection.execute(pick.with_for_update(skip_locked=True))).scalars())
            if not ids:
                return []
            chosen = deliveries.c.id.in_(ids)
            await connection.execute(deliveries.update().where(chosen).values(claimed_at=now))
            rows = (await connection.execute(deliveries.select().where(chosen))).mappings().all()
        return [_delivery_of(row) for row in rows]

    async def settle(self, delivery: Delivery) -> None:
        """Keep what came of an attempt."""
        fields = ("state", "attempts", "next_at", "response_status", "error_message", "finished_at")
        values = {name: getattr(delivery, name) for name in fields}
        async with self.editing.database.writing() as connection:
            same = deliveries.c.id == delivery.id
            await connection.execute(deliveries.update().where(same).values(**values, claimed_at=None))

    async def log(self, webhook_id: str, limit: int, offset: int = 0) -> tuple[list[Delivery], int]:
        """The deliveries of a webhook, newest first, and how many there are."""
        mine = deliveries.c.webhook_id == webhook_id
        page = deliveries.select().where(mine).order_by(deliveries.c.id.desc())
        async with self.editing.database.reading() as connection:
            rows = await connection.execute(page.limit(min(limit, MAX_PAGE)).offset(offset))
            total = await connection.execute(sa.select(sa.func.count()).where(mine))
            return [_delivery_of(row) for row in rows.mappings()], total.scalar_one()

    async def again(self, webhook: Webhook, delivery_id: str, now: datetime) -> Delivery:
        """Deliver something once more, by hand; the new delivery."""
        mine = (deliveries.c.id == delivery_id) & (deliveries.c.webhook_id == webhook.id)
        async with self.editing.database.reading() as connection:
            row = (await connection.execute(deliveries.select().where(mine))).mappings().first()
        if row is None:
            raise NotFound("delivery", delivery_id, "there is no such delivery")
        before = _delivery_of(row)
        fresh = replace(
            before,
            id=new_id("whd"),
            state=DeliveryState.PENDING,
            attempts=0,
            created_at=now,
            next_at=now,
            response_status=None,
            error_message="",
            parent_delivery_id=before.id,
            finished_at=None,
        )
        await self.enqueue([fresh])
        return fresh

    async def forget(self, before: datetime) -> int:
        """Drop what was finished before a moment; how many."""
        old = deliveries.c.finished_at < before
        async with self.editing.database.writing() as connection:
            return (await connection.execute(deliveries.delete().where(old))).rowcount


async def _known(
    connection: AsyncConnection, call_ids: Collection[str | None]
) -> set[tuple[str, str | None, str]]:
    """What webhooks were told, or are being told, of these calls."""
    if not call_ids:
        return set()
    query = sa.select(deliveries.c.webhook_id, deliveries.c.call_id, deliveries.c.event)
    rows = await connection.execute(query.where(deliveries.c.call_id.in_(call_ids)))
    return {(row.webhook_id, row.call_id, row.event) for row in rows}


def wanting(all_of_them: Collection[Webhook], workspace_id: str, event: str) -> list[Webhook]:
    """The active webhooks of a workspace that want to be told of an event."""
    return [
        one
        for one in all_of_them
        if one.is_active and one.workspace_id == workspace_id and event in one.events
    ]


def _columns(webhook: Webhook, box: SecretBox) -> dict[str, Any]:
    columns: dict[str, Any] = {name: getattr(webhook, name) for name in Webhook.__slots__}
    columns["events"] = list(webhook.events)
    columns["sealed_secret"] = box.seal(columns.pop("secret"))
    return columns


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {"url": webhook.url, "events": list(webhook.events), "is_active": webhook.is_active}


def _webhook_of(row: RowMapping, box: SecretBox) -> Webhook:
    columns = {name: row[name] for name in Webhook.__slots__ if name != "secret"}
    secret = box.open(row["sealed_secret"])
    assert secret is not None, "the column is never empty"
    return Webhook(**{**columns, "events": tuple(row["events"])}, secret=secret)


def _delivery_of(row: RowMapping) -> Delivery:
    columns = {name: row[name] for name in Delivery.__slots__}
    return Delivery(**{**columns, "state": DeliveryState(row["state"])})
