"""What an operator's tools ask: is it alive, is it ready, how is it doing, what is happening."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gateway.events.bus import Event, EventBus

KEEP_ALIVE_SECONDS = 15.0
"An event stream says something at least so often, so that a dead follower is noticed."

Readiness = Callable[[], Awaitable[str | None]]
"None when calls can be taken, else why not."


def operations(bus: EventBus, registry: CollectorRegistry, ready: Readiness, token: str) -> APIRouter:
    """Routes for health, metrics and the event stream; the stream asks for `token` as a bearer."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process lives and its loop turns."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """Whether new calls are taken; 503 with the reason when they are not."""
        why = await ready()
        if why is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": why}, status_code=503)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/events")
    async def events(call_id: str | None = None, authorization: str = Header("")) -> StreamingResponse:
        """Events as they happen (server-sent events), of one call or of all."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(
                401, "a bearer token is needed: `operator.token` in the data directory holds it"
            )
        return StreamingResponse(_stream(bus, call_id), media_type="text/event-stream")

    return router


async def _stream(bus: EventBus, call_id: str | None) -> AsyncIterator[bytes]:
    with bus.follow(call_id) as follower:
        yield b": following\n\n"
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    event = await follower.next()
            except TimeoutError:
                yield b": still here\n\n"
            else:
                yield _server_sent(event)


def _server_sent(event: Event) -> bytes:
    fields = {"event": event.name, "level": event.level, "time": event.time, **event.fields}
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), orjson.dumps(fields, default=str))
