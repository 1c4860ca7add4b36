"""What the agent's runtime posts about a call: its transcript, and the fields that it made out."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import CallId, found
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.shapes.call_request import JsonObject
from gateway.call.lookup import Lookup
from gateway.events.bus import EventBus
from gateway.store.records.call_texts import CallTexts, TextStore

MAX_TURNS = 5000
MAX_FIELDS = 200
SHAPE = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")


class Turn(BaseModel):
    """Something that one side said."""

    model_config = SHAPE

    role: Annotated[str, Field(min_length=1, max_length=40, examples=["user", "assistant"])]
    "Who said it."
    content: Annotated[str, Field(max_length=20_000)]
    "What."
    start: Annotated[float | None, Field(ge=0, le=86_400)] = None
    "Seconds from the answer to its beginning."
    end: Annotated[float | None, Field(ge=0, le=86_400)] = None
    "Seconds from the answer to its end."


class TranscriptBody(BaseModel):
    """What was said in a call; posted again, it replaces what was posted before."""

    model_config = SHAPE

    transcript: Annotated[list[Turn], Field(max_length=MAX_TURNS)]
    "The turns, in order."
    summary: Annotated[str | None, Field(max_length=20_000)] = None
    "The call in a few sentences."
    sentiment: Literal["positive", "neutral", "negative", "unknown"] | None = None
    "How the caller took it."


class ExtractedBody(BaseModel):
    """Fields that were made out in a call; posted again, they replace those posted before."""

    model_config = SHAPE

    fields: Annotated[JsonObject, Field(max_length=MAX_FIELDS, examples=[{"appointment": "2026-12-01"}])]
    "Each by its name."
    summary: Annotated[str | None, Field(max_length=20_000)] = None
    "The call in a few sentences."
    sentiment: Literal["positive", "neutral", "negative", "unknown"] | None = None
    "How the caller took it."


def call_texts(gate: KeyGate, lookup: Lookup, texts: TextStore, bus: EventBus) -> APIRouter:
    """The routes by which runtimes post about calls."""
    router = APIRouter(prefix="/v1/calls", tags=["calls"])
    posted: dict[int | str, dict[str, Any]] = {204: {"description": "It is kept"}, **answers(400, 404, 413)}

    @router.post("/{call_id}/transcript", status_code=204, responses=posted)
    async def post_transcript(
        call_id: CallId, body: TranscriptBody, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Keep what was said in a call, running or over; webhooks tell of it as `call.transcript_ready`."""
        row = await found(lookup, call_id, caller)
        turns = [turn.model_dump(exclude_none=True) for turn in body.transcript]
        given = CallTexts(row.id, caller.workspace_id, turns, body.summary, body.sentiment)
        await texts.put(given)
        bus.tell("call.transcript_posted", call_id=row.id, workspace_id=caller.workspace_id, turns=len(turns))
        return Response(status_code=204)

    @router.post("/{call_id}/extracted", status_code=204, responses=posted)
    async def post_extracted(
        call_id: CallId, body: ExtractedBody, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Keep fields that were made out in a call; webhooks tell of it as `call.analysis_ready`."""
        row = await found(lookup, call_id, caller)
        given = CallTexts(
            row.id, caller.workspace_id, None, body.summary, body.sentiment, extracted=body.fields
        )
        await texts.put(given)
        bus.tell(
            "call.extracted_posted",
            call_id=row.id,
            workspace_id=caller.workspace_id,
            fields=len(body.fields),
        )
        return Response(status_code=204)

    return router
