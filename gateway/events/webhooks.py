"""Webhooks: events of calls and batches to whoever wants them, tried again until taken or given up.

An event is put on a list and no call waits for it; what it says is made of the call's record a moment later,
and kept in the database before the first attempt, so that a restart loses nothing that was begun.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway.config.settings import WebhookSettings
from gateway.events.bus import Event
from gateway.events.webhook_bodies import ENDINGS, TOLD_BY, Told, body_of, campaign_body, events_of
from gateway.net.webhook import Outcome, WebhookSender
from gateway.store.configuration.webhooks import Delivery, DeliveryState, Webhook, Webhooks, wanting
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.call_texts import TextStore
from gateway.store.records.calls import CallRow
from gateway.tell import Tell

KNOWN_SECONDS = 2.0
"How old the known webhooks may be when an event is filed."
LOOK_SECONDS = 0.5
"Between two looks at what is due."
SWEEP_SECONDS = 3600.0
AT_ONCE = 16
"Attempts under way at the same time."
MAX_WAITING = 10_000
"Events that wait to be filed while the database is away; the oldest give way, counted."
LONGEST_PAUSE = 86_400.0
BACK_OFF = 6.0
"Each pause is so many times the one before."


class Calls(Protocol):
    """Where a call's record is, however far it has come."""

    async def find(self, call_id: str, workspace_id: str) -> CallRow | None:
        """The record as it stands."""


def signed(webhook: Webhook, event: str, delivery_id: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery; the signature in the writings that receivers of this kind know."""
    signature = f"sha256={webhook.sign(body)}"
    return {
        "X-Trunkline-Signature": signature,
        "X-Nexa-Signature": signature,
        "X-DialNexa-Signature": signature,
        "X-Trunkline-Event": event,
        "X-Trunkline-Delivery": delivery_id,
    }


@dataclass(frozen=True, slots=True)
class Parts:
    """What the desk works with."""

    webhooks: Webhooks
    calls: Calls
    texts: TextStore
    sender: WebhookSender
    recording_url: Callable[[CallRow], str | None]
    tell: Tell


def pause_before(attempt: int, retry_seconds: float) -> timedelta:
    """How long the attempt after so many is waited for."""
    if attempt == 0:
        return timedelta(0)
    return timedelta(seconds=min(retry_seconds * BACK_OFF ** (attempt - 1), LONGEST_PAUSE))


class WebhookDesk:
    """Files what has to be told, and tells it: `hear` events, `run` it beside."""

    def __init__(self, settings: WebhookSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._heard: deque[Event] = deque()
        self._came = asyncio.Event()
        self._filed = asyncio.Event()
        self._filed.set()
        self._due = asyncio.Event()
        self._known: Sequence[Webhook] = ()
        self._known_at = float("-inf")
        # No attempt takes longer than this: what a killed gateway was at is taken up soon.
        self._claim = timedelta(milliseconds=2 * settings.timeout_ms + 5000)
        self._pauses = [pause_before(n, settings.retry_seconds) for n in range(settings.retries + 1)]
        self.counters: Counter[str] = Counter(delivered=0, failed=0, dropped=0)
        "Deliveries that were taken, or given up; events that found no place on the list."

    @property
    def sender(self) -> WebhookSender:
        """What deliveries are posted with."""
        return self._parts.sender

    @property
    def waiting(self) -> int:
        """Events that are not filed yet."""
        return len(self._heard)

    def hear(self, event: Event) -> None:
        """Put an event on the list, if webhooks can be about it."""
        if event.name not in TOLD_BY or (event.call_id is None and event.batch_id is None):
            return
        if len(self._heard) >= MAX_WAITING:
            self._heard.popleft()
            self.counters["dropped"] += 1
        self._heard.append(event)
        self._filed.clear()
        self._came.set()

    async def filed(self) -> None:
        """Wait until every event so far is in the database, as deliveries to be made."""
        await self._filed.wait()

    def forget_known(self) -> None:
        """The webhooks have changed here: look again before the next event."""
        self._known_at = float("-inf")
        self._due.set()

    async def run(self) -> None:
        """File and deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._file_all())
            tasks.create_task(self._deliver_all())
            tasks.create_task(self._sweep())

    async def _file_all(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._heard:
                try:
                    await self._file(self._heard[0])
                except StoreError:
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    self._heard.popleft()
            self._filed.set()

    async def _file(self, event: Event) -> None:
        """Make an event's deliveries, if anybody wants them."""
        known = await self._webhooks()
        call_id = event.call_id
        if call_id is None:
            await self._enqueue_campaign(known, event)
            return
        workspaces = {one.workspace_id for one in known}
        for workspace_id in workspaces & {str(event.fields.get("workspace_id"))} or (
            workspaces if "workspace_id" not in event.fields else ()
        ):
            row = await self._parts.calls.find(call_id, workspace_id)
            if row is not None:
                await self._enqueue(known, event.name, row)

    async def _enqueue(self, known: Sequence[Webhook], name: str, row: CallRow) -> None:
        assert row.workspace_id is not None, "it was found by its workspace"
        wanted = [(event, wanting(known, row.workspace_id, event)) for event in events_of(name, row)]
        if not any(hooks for _, hooks in wanted):
            return
        told = Told(row, await self._parts.texts.get(row.id), self._parts.recording_url(row))
        new = [
            _delivery(hook, event, body_of(event, told), row.id) for event, hooks in wanted for hook in hooks
        ]
        await self._parts.webhooks.enqueue(new, once=ENDINGS)
        self._due.set()

    async def _enqueue_campaign(self, known: Sequence[Webhook], event: Event) -> None:
        """What a batch is told of stands in the event: there is no record to be asked."""
        workspace_id = str(event.fields.get("workspace_id"))
        new = [
            _delivery(hook, name, campaign_body(name, event.fields), None)
            for name in TOLD_BY[event.name]
            for hook in wanting(known, workspace_id, name)
        ]
        if new:
            await self._parts.webhooks.enqueue(new)
            self._due.set()

    async def _webhooks(self) -> Sequence[Webhook]:
        now = asyncio.get_running_loop().time()
        if now - self._known_at > KNOWN_SECONDS:
            self._known = await self._parts.webhooks.list_all()
            self._known_at = now
        return self._known

    async def _deliver_all(self) -> None:
        while True:
            try:
                due = await self._parts.webhooks.take(datetime.now(UTC), AT_ONCE, self._pauses, self._claim)
                if due:
                    hooks = {hook.id: hook for hook in await self._parts.webhooks.list_all()}
                    await asyncio.gather(*(self._deliver(one, hooks.get(one.webhook_id)) for one in due))
                    continue
            except StoreError:
                pass  # the database is away: what is due stays due
            self._due.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def _deliver(self, delivery: Delivery, hook: Webhook | None) -> None:
        if hook is None or not hook.is_active:
            outcome = Outcome(None, "the webhook is not active any more")
            await self._settle(replace(delivery, attempts=self._settings.retries + 1), outcome)
            return
        body = delivery.body.encode()
        outcome = await self._parts.sender.post(
            hook.url, body, signed(hook, delivery.event, delivery.id, body)
        )
        await self._settle(replace(delivery, attempts=delivery.attempts + 1), outcome)

    async def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        given_up = not outcome.succeeded and delivery.attempts > self._settings.retries
        state = DeliveryState.DELIVERED if outcome.succeeded else DeliveryState.PENDING
        pause = pause_before(delivery.attempts, self._settings.retry_seconds)
        settled = replace(
            delivery,
            state=DeliveryState.FAILED if given_up else state,
            response_status=outcome.status,
            error_message=outcome.error[:500],
            next_at=now + pause,
            finished_at=now if outcome.succeeded or given_up else None,
        )
        await self._parts.webhooks.settle(settled)
        if outcome.succeeded:
            self.counters["delivered"] += 1
        elif given_up:
            self.counters["failed"] += 1
            self._parts.tell(
                "webhook.failed",
                level="warning",
                webhook_id=delivery.webhook_id,
                delivery_id=delivery.id,
                call_id=delivery.call_id,
                webhook_event=delivery.event,
                attempts=delivery.attempts,
                why=outcome.error,
            )

    async def _sweep(self) -> None:
        while True:
            try:
                await self._parts.webhooks.forget(datetime.now(UTC) - timedelta(days=self._settings.log_days))
            except StoreError:
                pass
            await asyncio.sleep(SWEEP_SECONDS)


def _delivery(hook: Webhook, event: str, body: bytes, call_id: str | None) -> Delivery:
    """A delivery that is to be made at once."""
    now = datetime.now(UTC)
    return Delivery(
        id=new_id("whd"),
        webhook_id=hook.id,
        workspace_id=hook.workspace_id,
        event=event,
        call_id=call_id,
        body=body.decode(),
        state=DeliveryState.PENDING,
        attempts=0,
        created_at=now,
        next_at=now,
    )
