"""Calls as the API shows them, in the reference platform's field names, and described for OpenAPI."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.description import Decision
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow, whole_seconds

SHAPE = ConfigDict(use_attribute_docstrings=True)


class CallItem(BaseModel):
    """A call, as lists show it."""

    model_config = SHAPE

    id: Annotated[str, Field(examples=["call_01m85m1gbt83exwnbdjt8m8z3n"])]
    "`call_…`, in order of time."
    type: str
    "`phone` or `web`."
    call_direction: str
    "`inbound` or `outbound`."
    status: Annotated[str, Field(examples=["completed"])]
    "Where the call stands: `created`, `sent` and `received` go on, all others are final."
    agent_id: Annotated[str | None, Field(examples=["agent_01m85m1gbt83exwnbdjt8m8z3n"])]
    "The agent that speaks; null where an inbound call was refused before one was found."
    agent_version_id: str | None
    "The version of it."
    agent_version_number: int | None
    "The number of that version."
    from_number: Annotated[str, Field(examples=["+12025550101"])]
    "E.164; of a refused inbound call as the peer wrote it."
    to_number: Annotated[str, Field(examples=["+14155550100"])]
    "E.164; of a refused inbound call as the peer wrote it."
    created_at: Annotated[datetime, Field(alias="createdAt")]
    "When the INVITE came, or the request for the call."
    answered_at: Annotated[datetime | None, Field(alias="answeredAt")]
    "Null: it was never answered."
    ended_at: Annotated[datetime | None, Field(alias="endedAt")]
    "Null: it goes on."
    duration: Annotated[int, Field(examples=[42])]
    "Whole seconds from answer to end, a begun one counted; 0 for a call that was not answered."
    duration_ms: int
    "The same in milliseconds, exactly: what the duration filters look at."
    latency_ms: int | None
    "Median time from the end of the caller's speech to the agent's, where it was measured."
    end_reason: Annotated[str | None, Field(examples=["user_disconnected"])]
    "Why it ended; null while it goes on."
    ended_by: str | None
    "`caller`, `callee`, `agent`, `gateway` or `request`."
    sentiment: str
    "What the agent's runtime posted: `positive`, `neutral` or `negative`; else `unknown`."
    metadata: dict[str, Any]
    "What the request for the call said."
    notes: dict[str, Any]
    "What the request for the call wanted kept."
    batch_call_id: str | None
    "The batch that it belongs to."
    category: Annotated[str | None, Field(examples=["workflow"])]
    "`batch` or `workflow`; null for a single call."
    category_id: str | None
    "The batch; or the workflow, by the requester's own name for it."
    parent_call_id: str | None
    "The call that it tries again, or was transferred from."
    price: Annotated[str | None, Field(examples=["0.0240"])]
    "What it cost, as a decimal; null where nothing is charged, or not yet."
    currency: str | None
    "Of the price."


class Moment(BaseModel):
    """Something that happened in a call."""

    model_config = SHAPE

    event: Annotated[str, Field(examples=["call_answered"])]
    "`call_started`, `call_ringing`, `call_answered`, `first_audio_in`, `first_audio_out` or `call_ended`."
    timestamp: datetime
    "When."


class Rung(BaseModel):
    """One SIP message of a call."""

    model_config = SHAPE

    at: datetime
    "When."
    sent: bool
    "True: from us. False: to us."
    line: Annotated[str, Field(examples=["180 Ringing"])]
    "The method, or the status and its phrase."


class CallDetail(CallItem):
    """Everything about a call."""

    detail: str
    "One sentence about the ending."
    trunk_id: str | None
    "The trunk that it came or went by."
    number_id: str | None
    "Our number in it, `phn_…`."
    sip_call_id: str
    "The Call-ID header: what the carrier's engineers search for."
    sip_status: int | None
    "The final SIP status of a call that ended by one."
    q850: int | None
    "The Q.850 cause of the ending."
    timeline: list[Moment]
    "What happened when."
    decision: Decision | None
    "Why the call was let through, or was not."
    ladder: list[Rung]
    "Its SIP messages, the first 100."
    media: dict[str, Any]
    "Packets, loss, jitter and the like, each way."
    rate: str | None
    "The price of a minute that was applied."
    rate_prefix: str | None
    "The prefix of the rate deck that matched."
    billed_seconds: int | None
    "What was charged for."
    recording_status: Annotated[str | None, Field(examples=["saved"])]
    "`recording`, `saved`, `recovered`, `failed` or `deleted`; null where there never was one."
    recording: dict[str, Any] | None
    "Seconds, size, pauses and the like."
    transcript: list[dict[str, Any]] | None = None
    "What the runtime posted: turns with `role`, `content`, `start`, `end`; only `GET /v1/calls/{id}` has it."
    summary: str | None = None
    "What the runtime posted of it."
    extracted_data: dict[str, Any] | None = None
    "The fields that the runtime posted."
    recording_url: str | None = None
    "Where to fetch the WAV without a key, for some days; only `GET /v1/calls/{id}` makes one."


class CallCreated(CallDetail):
    """A call that was placed."""

    to_phone_number: Annotated[str, Field(examples=["+14155550100"])]
    "Whom it calls: `to_number` by the name that the request's answer has for it."


def call_created(row: CallRow) -> dict[str, Any]:
    """The answer to a request for a call."""
    return call_detail(row) | {"to_phone_number": row.to_number}


def call_item(row: CallRow) -> dict[str, Any]:
    """A call as lists show it."""
    return {
        "id": row.id,
        "type": row.type,
        "call_direction": row.direction,
        "status": row.status,
        "agent_id": row.agent_id,
        "agent_version_id": row.version_id,
        "agent_version_number": row.version_number,
        "from_number": row.from_number,
        "to_number": row.to_number,
        "createdAt": shown_time(row.created_at),
        "answeredAt": shown_time(row.answered_at),
        "endedAt": shown_time(row.ended_at),
        "duration": whole_seconds(row.duration_ms),
        "duration_ms": row.duration_ms,
        "latency_ms": row.latency_ms,
        "end_reason": row.end_reason,
        "ended_by": row.ended_by,
        "sentiment": "unknown",
        "metadata": dict(row.metadata),
        "notes": dict(row.notes),
        "batch_call_id": row.batch_id,
        "category": row.category,
        "category_id": row.category_id,
        "parent_call_id": row.parent_call_id,
        "price": None if row.price is None else str(row.price),
        "currency": row.currency,
    }


def call_detail(row: CallRow) -> dict[str, Any]:
    """Everything about a call."""
    return call_item(row) | {
        "detail": row.detail,
        "trunk_id": row.trunk_id,
        "number_id": row.number_id,
        "sip_call_id": row.sip_call_id,
        "sip_status": row.sip_status,
        "q850": row.q850,
        "timeline": timeline(row),
        "decision": row.decision,
        "ladder": [dict(step) for step in row.ladder],
        "media": dict(row.media),
        "rate": None if row.rate is None else str(row.rate),
        "rate_prefix": row.rate_prefix,
        "billed_seconds": row.billed_seconds,
        "recording_status": row.recording_status,
        "recording": None if row.recording is None else dict(row.recording),
    }


def told_of(texts: CallTexts | None) -> dict[str, Any]:
    """What the runtime has posted about a call, as its detail shows it."""
    if texts is None:
        return {}
    said: dict[str, Any] = {
        "transcript": texts.transcript,
        "summary": texts.summary,
        "extracted_data": texts.extracted,
    }
    return said | ({"sentiment": texts.sentiment} if texts.sentiment else {})


def felt(texts: CallTexts | None) -> str:
    """The caller's mood, as the runtime posted it."""
    return (texts.sentiment if texts else None) or "unknown"


def timeline(row: CallRow) -> list[Mapping[str, object]]:
    """What happened when, in order."""
    moments = (
        ("call_started", row.created_at),
        ("call_ringing", row.ringing_at),
        ("call_answered", row.answered_at),
        ("first_audio_in", row.first_audio_in_at),
        ("first_audio_out", row.first_audio_out_at),
        ("call_ended", row.ended_at),
    )
    happened = sorted(((at, name) for name, at in moments if at is not None), key=lambda moment: moment[0])
    return [{"event": name, "timestamp": shown_time(at)} for at, name in happened]


def shown_time(at: datetime | None) -> str | None:
    """ISO 8601 to the millisecond, in UTC."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
