"""What an operator's tools ask: is it alive, is it ready, how is it doing, what is happening."""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from pydantic import BaseModel, ConfigDict

from gateway.api.call_events import CallStreams
from gateway.api.description import refusal
from gateway.api.event_stream import MEDIA_TYPE, STILL_HERE, STREAM, next_event, server_sent
from gateway.api.refusal import not_found
from gateway.call.lookup import Lookup
from gateway.events.bus import Event, EventBus

Readiness = Callable[[], Awaitable[str | None]]
"None when calls can be taken, else why not."


class Ready(BaseModel):
    """Whether new calls are taken."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ready", "not ready"]
    "The same as the HTTP status."
    reason: str | None = None
    "Why not; left out where they are."


NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Ready, "description": "No calls are taken, and why"}
}
FOLLOWED: dict[int | str, dict[str, Any]] = {
    200: STREAM,
    404: refusal(404),
    401: {**refusal(401), "description": "The content of `operator.token` is no bearer of this request"},
}


@dataclass(frozen=True, slots=True)
class OperationParts:
    """What the operator's routes are made of."""

    bus: EventBus
    registry: CollectorRegistry
    ready: Readiness
    lookup: Lookup
    streams: CallStreams
    token: str
    "What the stream of events asks for, as a bearer."


def operations(parts: OperationParts) -> APIRouter:
    """Routes for health, metrics and the event stream."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz")
    async def get_health() -> dict[str, str]:
        """The process lives and its loop turns."""
        return {"status": "ok"}

    @router.get("/readyz", response_model=Ready, responses=NOT_READY)
    async def get_readiness() -> JSONResponse:
        """Whether new calls are taken; 503 with the reason when they are not."""
        why = await parts.ready()
        if why is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": why}, status_code=503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def get_metrics() -> Response:
        """Prometheus text format."""
        return Response(
            generate_latest(parts.registry), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    @router.get("/events", response_class=StreamingResponse, responses=FOLLOWED)
    async def follow_events(call_id: str | None = None, authorization: str = Header("")) -> StreamingResponse:
        """Events as they happen (server-sent events), of all calls; or of one, from its first to its last."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {parts.token}".encode()):
            raise HTTPException(
                401, "a bearer token is needed: `operator.token` in the data directory holds it"
            )
        if call_id is None:
            return StreamingResponse(_stream(parts.bus), media_type=MEDIA_TYPE)
        row = await parts.lookup.find_any(call_id)
        if row is None:
            raise not_found("Call")
        return StreamingResponse(_told(parts.streams.events(row)), media_type=MEDIA_TYPE)

    return router


async def _stream(bus: EventBus) -> AsyncIterator[bytes]:
    with bus.follow() as follower:
        yield b": following\n\n"
        while True:
            event = await next_event(follower)
            yield STILL_HERE if event is None else server_sent(event)


async def _told(events: AsyncIterator[Event | None]) -> AsyncIterator[bytes]:
    yield b": following\n\n"
    async for event in events:
        yield STILL_HERE if event is None else server_sent(event)
