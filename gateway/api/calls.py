"""`/v1/calls`: asking for calls, reading their records, following and ending them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from gateway.api.call_events import CallStreams
from gateway.api.description import answers, in_path
from gateway.api.event_stream import MEDIA_TYPE, STREAM
from gateway.api.keys import Caller, KeyGate
from gateway.api.recording_link import RecordingLinks
from gateway.api.refusal import Answer, Declined, Problem, invalid, not_found
from gateway.api.shapes.call import (
    CallCreated,
    CallDetail,
    CallItem,
    call_created,
    call_detail,
    call_item,
    felt,
    told_of,
)
from gateway.api.shapes.call_export import chosen_columns, exported
from gateway.api.shapes.call_query import CallQuery, call_filter, finds_nothing
from gateway.api.shapes.call_request import CallBody, call_request
from gateway.call.idempotency import Idempotency
from gateway.call.lookup import Lookup
from gateway.call.switchboard import Switchboard
from gateway.events.legible import legible_json
from gateway.store.configuration.agents import Agents
from gateway.store.records.calls import CallRow
from gateway.store.records.requests import MAX_KEY

CALL_ID = re.compile(r"^call_[0-9a-z]{1,40}$")
CallId = Annotated[str, in_path("a call", "call_01m85m1gbt83exwnbdjt8m8z3n", CALL_ID)]


def key_header(noun: str) -> Any:
    """The header that makes it safe to ask again."""
    return Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY,
        pattern=r"^[\x21-\x7e]+$",
        description="Up to 255 printable ASCII characters of your choice, no spaces. The same key with the "
        f"same request gives the same {noun} again (200), with another one 409. A refused request leaves the "
        "key free.",
    )


Key = Annotated[str | None, key_header("call")]
LastEvent = Annotated[
    int,
    Header(alias="Last-Event-ID", ge=0, le=2**31, description="Go on after this event."),
]

LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The calls; with `export=true` a CSV file",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    },
    **answers(400),
}
AGAIN: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CallCreated,
        "description": "The call that was placed under this `Idempotency-Key` before",
    },
    **answers(400, 402, 403, 404, 409, 413),
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: STREAM,
    **answers(400, 404),
}
ENDED: dict[int | str, dict[str, Any]] = {
    200: {"model": CallDetail, "description": "It had ended before"},
    **answers(400, 404, 409),
}


@dataclass(frozen=True, slots=True)
class CallParts:
    """What the routes about calls are made of."""

    once: Idempotency
    lookup: Lookup
    board: Switchboard
    streams: CallStreams
    agents: Agents
    links: RecordingLinks
    allowed_headers: Sequence[str]


def calls(gate: KeyGate, parts: CallParts) -> APIRouter:
    """The routes about calls.

    Long, since each route stands in it as a function of its own.
    """
    router = APIRouter(prefix="/v1/calls", tags=["calls"])
    lookup = parts.lookup

    @router.post("", status_code=201, response_model=CallCreated, responses=AGAIN)
    async def place_call(
        body: CallBody, caller: Annotated[Caller, Depends(gate)], idempotency_key: Key = None
    ) -> Response:
        """Place a call: decided before anything is recorded or sent, and begun when this answers."""
        request = call_request(body, caller, parts.allowed_headers)
        placed = await parts.once.place(request, idempotency_key, body.canonical())
        answer = json(call_created(placed.call), 200 if placed.again else 201)
        answer.headers["Location"] = f"/v1/calls/{placed.call.id}"
        return answer

    @router.get("", response_model=list[CallItem], responses=LISTED)
    async def list_calls(
        query: Annotated[CallQuery, Query()], caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Calls, newest first; the root is an array. With `export=true`, a CSV file of up to 5 000 calls.

        Without the columns `transcript` and `summary`, up to 10 000.
        """
        versions = None
        if query.agent_version_name is not None:
            versions = await parts.agents.versions_named(query.agent_version_name, caller.workspace_id)
        which = call_filter(query, caller.workspace_id, versions)
        nothing = finds_nothing(query, versions)
        columns = chosen_columns(query.columns)
        if query.export:
            rows = exported(lookup.store, lookup.store.texts, None if nothing else which, columns)
            headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
            return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)
        page = () if nothing else (await lookup.store.list_calls(which)).calls
        texts = await lookup.store.texts.of([row.id for row in page])
        return json([call_item(row) | {"sentiment": felt(texts.get(row.id))} for row in page])

    @router.get("/{call_id}", response_model=CallDetail, responses=answers(400, 404))
    async def get_call(
        request: Request, call_id: CallId, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Everything about one call, as it stands."""
        row = await found(lookup, call_id, caller)
        link = parts.links.link(str(request.base_url), row, datetime.now(UTC))
        texts = told_of(await lookup.store.texts.get(row.id))
        return json(call_detail(row) | texts | {"recording_url": link})

    @router.delete("/{call_id}", status_code=202, response_model=CallDetail, responses=ENDED)
    async def end_call(call_id: CallId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Hang up. The call ends within moments: its stream of events says when."""
        row = await found(lookup, call_id, caller)
        if row.ended_at is not None:
            return json(call_detail(row))
        if not parts.board.hang_up(call_id, caller.by):
            row = await found(lookup, call_id, caller)
            if row.ended_at is not None:
                return json(call_detail(row))
            message = f"This call runs on the gateway “{row.instance}”, which alone can end it"
            raise Declined(Answer(409, message, "other_gateway"))
        return json(call_detail(await found(lookup, call_id, caller)), 202)

    @router.get("/{call_id}/events", response_class=StreamingResponse, responses=STREAMED)
    async def follow_call(
        call_id: CallId, caller: Annotated[Caller, Depends(gate)], last_event_id: LastEvent = 0
    ) -> Response:
        """What has happened in a call so far, then what happens, as it happens, up to its ending."""
        row = await found(lookup, call_id, caller)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = parts.streams.stream(row, last_event_id)
        return StreamingResponse(stream, media_type=MEDIA_TYPE, headers=headers)

    return router


async def found(lookup: Lookup, call_id: str, caller: Caller) -> CallRow:
    """A call of the caller's workspace; raises `Declined` with 400 or 404."""
    if CALL_ID.fullmatch(call_id) is None:
        problem = Problem("call_id", call_id[:200], "should be call_ and 26 characters")
        raise invalid(problem, message="Invalid call ID format")
    row = await lookup.find(call_id, caller.workspace_id)
    if row is None:
        raise not_found("Call")
    return row


def json(content: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(legible_json(content), status, media_type="application/json")
