"""`/v1/user-webhooks`: who is told of a workspace's calls, in the reference platform's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import json
from gateway.api.description import answers, in_path
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Problem, invalid
from gateway.api.shapes.call import shown_time
from gateway.api.shapes.page import ListPage, Page, paged
from gateway.events.subscribing import MAX_URL, NotAnAddress, Subscribing, Wish
from gateway.events.webhook_bodies import EVENTS
from gateway.store.configuration.webhooks import MAX_PAGE, Delivery, Webhook

MASKED = "********"
SHAPE = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")
# For the description alone: what does not fit is refused by the rules that the dashboard has too.
Url = Annotated[
    str,
    Field(
        examples=["https://example.com/hooks/calls"],
        json_schema_extra={"format": "uri", "pattern": r"^https?://", "maxLength": MAX_URL},
    ),
]
Event = Annotated[str, Field(json_schema_extra={"enum": list(EVENTS)})]


class WebhookBody(BaseModel):
    """A webhook that is to be made."""

    model_config = SHAPE

    url: Url
    "Where deliveries are posted; answers a verification with 2xx before it is kept."
    events: Annotated[list[Event], Field(min_length=1, max_length=len(EVENTS), examples=[["call.completed"]])]
    "Which events it is told of."
    secret: Annotated[str, Field(min_length=8, max_length=200)]
    "What the signature of every body is made with: HMAC-SHA256."
    is_active: bool = True
    "False: nothing is delivered to it."


class WebhookChange(BaseModel):
    """What is to be changed of a webhook; the rest stays."""

    model_config = SHAPE

    url: Url | None = None
    "A new address, verified before it is kept."
    events: Annotated[list[Event] | None, Field(min_length=1, max_length=len(EVENTS))] = None
    "Other events."
    secret: Annotated[str | None, Field(min_length=8, max_length=200)] = None
    "A new secret: acts at once."
    is_active: bool | None = None
    "Whether it is told anything."


class WebhookItem(BaseModel):
    """A webhook."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: Annotated[str, Field(examples=["webhook_01m85m1gbt83exwnbdjt8m8z3n"])]
    "`webhook_…`"
    url: str
    "Where deliveries are posted."
    events: list[str]
    "Which events it is told of."
    secret: Annotated[str, Field(examples=[MASKED])]
    "Shown in the answer that makes it, masked ever after."
    is_active: bool
    "Whether it is told anything."
    created_at: datetime
    "When it was made."


class DeliveryItem(BaseModel):
    """One event on its way to a webhook, or there."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    "`whd_…`, as `X-Trunkline-Delivery` says."
    event: str
    "What it tells."
    call_id: str | None
    "The call that it is about."
    state: str
    "`pending`, `delivered` or `failed`."
    retry_attempt: int
    "Attempts after the first."
    response_status: int | None
    "The HTTP status of the latest attempt; null where none came."
    is_success: bool
    "It was answered with 2xx."
    error_message: str
    "What went wrong with the latest attempt."
    parent_delivery_id: str | None
    "The delivery that this one repeats."
    created_at: datetime
    "When it was filed."
    finished_at: datetime | None
    "When it was taken, or given up."


class DeliveryPage(ListPage[DeliveryItem]):
    """A page of deliveries, newest first."""


WEBHOOK_ID = re.compile(r"^webhook_[0-9a-z]{1,40}$")
DELIVERY_ID = re.compile(r"^whd_[0-9a-z]{1,40}$")
WebhookId = Annotated[str, in_path("a webhook", "webhook_01m85m1gbt83exwnbdjt8m8z3n", WEBHOOK_ID)]
DeliveryId = Annotated[str, in_path("a delivery", "whd_01m85m1gbt83exwnbdjt8m8z3n", DELIVERY_ID)]
MADE: dict[int | str, dict[str, Any]] = answers(400, 409, 413)
ONE = answers(400, 404, 413)


def user_webhooks(gate: KeyGate, subscribing: Subscribing) -> APIRouter:
    """The routes about webhooks.

    Long, since each route stands in it as a function of its own.
    """
    router = APIRouter(prefix="/v1/user-webhooks", tags=["webhooks"])
    hooks = subscribing.webhooks

    @router.get("", response_model=list[WebhookItem], responses=answers())
    async def list_webhooks(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """All webhooks, oldest first."""
        return json([_shape(one) for one in await hooks.list_all(caller.workspace_id)])

    @router.post("", status_code=201, response_model=WebhookItem, responses=MADE)
    async def add_webhook(body: WebhookBody, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Make a webhook: its address is asked first, and kept only when it answers with 2xx."""
        with _reference_words():
            wish = Wish(body.url, body.events, body.secret, body.is_active)
            webhook = await subscribing.add(caller.workspace_id, wish, caller.by)
        return json(_shape(webhook) | {"secret": body.secret}, 201)

    @router.get("/{webhook_id}", response_model=WebhookItem, responses=ONE)
    async def get_webhook(webhook_id: WebhookId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """One webhook."""
        return json(_shape(await hooks.get(webhook_id, caller.workspace_id)))

    @router.patch("/{webhook_id}", response_model=WebhookItem, responses=ONE)
    async def change_webhook(
        webhook_id: WebhookId, body: WebhookChange, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Change a webhook; a new address is asked first."""
        before = await hooks.get(webhook_id, caller.workspace_id)
        secret = None if body.secret == MASKED else body.secret
        with _reference_words():
            wish = Wish(body.url, body.events, secret, body.is_active)
            after = await subscribing.change(before, wish, caller.by)
        return json(_shape(after))

    @router.delete("/{webhook_id}", status_code=204, responses=answers(400, 404))
    async def remove_webhook(webhook_id: WebhookId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Remove a webhook, with its log."""
        await subscribing.remove(await hooks.get(webhook_id, caller.workspace_id), caller.by)
        return Response(status_code=204)

    @router.get("/{webhook_id}/deliveries", response_model=DeliveryPage, responses=ONE)
    async def list_deliveries(
        webhook_id: WebhookId,
        caller: Annotated[Caller, Depends(gate)],
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Of one page.")] = 20,
        page: Page = 1,
    ) -> Response:
        """What was, or is to be, delivered to a webhook; newest first."""
        hook = await hooks.get(webhook_id, caller.workspace_id)
        items, total = await hooks.log(hook.id, limit, limit * (page - 1))
        shown = [_delivery(one) for one in items]
        return paged(shown, total, page, limit)

    @router.post(
        "/{webhook_id}/deliveries/{delivery_id}/redeliver",
        status_code=202,
        response_model=DeliveryItem,
        responses=ONE,
    )
    async def redeliver(
        webhook_id: WebhookId, delivery_id: DeliveryId, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Deliver something once more; the new delivery names the old one as its parent."""
        hook = await hooks.get(webhook_id, caller.workspace_id)
        return json(_delivery(await subscribing.again(hook, delivery_id)), 202)

    return router


@contextmanager
def _reference_words() -> Iterator[None]:
    """The reference has a sentence of its own for an address that is none."""
    try:
        yield
    except NotAnAddress as error:
        raise invalid(Problem("url", error.given, error.right), message="url must be a valid URL") from None


def _shape(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "secret": MASKED,
        "is_active": webhook.is_active,
        "created_at": shown_time(webhook.created_at),
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "call_id": delivery.call_id,
        "state": delivery.state.value,
        "retry_attempt": max(0, delivery.attempts - 1),
        "response_status": delivery.response_status,
        "is_success": delivery.state.value == "delivered",
        "error_message": delivery.error_message,
        "parent_delivery_id": delivery.parent_delivery_id,
        "created_at": shown_time(delivery.created_at),
        "finished_at": shown_time(delivery.finished_at),
    }
