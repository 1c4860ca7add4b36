"""What webhooks say: the reference platform's events, in its two shapes, made of a call's record.

`call_initiated`, `call_ended` and `transfer_completed` come in an envelope, `{event_type, payload}`. The
others, `call.completed` and the like, are those of REST subscriptions, and flat; so are those of batches,
which the reference platform calls campaigns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow, whole_seconds

ENVELOPED = ("call_initiated", "call_ended", "transfer_completed")
FLAT = (
    "call.completed",
    "call.no_answer",
    "call.failed",
    "call.transcript_ready",
    "call.analysis_ready",
    "recording.saved",
)
CAMPAIGNS = ("campaign.completed", "campaign.paused")
EVENTS = (*ENVELOPED, *FLAT, *CAMPAIGNS)
"All that a webhook can ask for."

ENDINGS = ("call_ended", "call.completed", "call.no_answer", "call.failed")
"What a call's one ending is told by: each of them at most once a call and webhook."
NOT_REACHED = frozenset({"did_not_pick", "busy", "no_answer"})

TOLD_BY: Mapping[str, tuple[str, ...]] = {
    "call.routed": ("call_initiated",),
    "call.ended": ENDINGS,
    "call.transferred": ("transfer_completed",),
    "call.transcript_posted": ("call.transcript_ready",),
    "call.extracted_posted": ("call.analysis_ready",),
    "recording.saved": ("recording.saved",),
    "batch.completed": ("campaign.completed",),
    "batch.paused": ("campaign.paused",),
}
"Which of them an event of the gateway can lead to."

CAMPAIGN_NAMES: Mapping[str, str] = {
    "total": "total_lead_count",
    "sent": "sent_lead_count",
    "connected": "picked_up_calls",
    "why_code": "reason",
    "why": "detail",
}
"What the reference platform calls fields of our events about batches."
UNSAID = frozenset({"batch_id", "workspace_id"})
"Who is told knows the workspace; the batch has its names."


@dataclass(frozen=True, slots=True)
class Told:
    """A call as a webhook tells of it."""

    row: CallRow
    texts: CallTexts | None
    recording_url: str | None


def events_of(name: str, row: CallRow) -> tuple[str, ...]:
    """What an event of the gateway is called by webhooks: of the endings only the one that fits."""
    ending = _ending(row.status)
    return tuple(
        event
        for event in TOLD_BY.get(name, ())
        if event not in ("call.completed", "call.no_answer", "call.failed") or event == ending
    )


def _ending(status: str) -> str:
    if status == "completed":
        return "call.completed"
    return "call.no_answer" if status in NOT_REACHED else "call.failed"


def body_of(event: str, told: Told) -> bytes:
    """The raw body of a delivery."""
    if event in ENVELOPED:
        return _json({"event_type": event, "payload": {"call": _ENVELOPES[event](told)}})
    return _json({"event": event, **_flat(told)})


def campaign_body(event: str, fields: Mapping[str, object]) -> bytes:
    """The raw body of a delivery about a batch: what the gateway's event says, in the reference's names."""
    batch_id = fields["batch_id"]
    whose = {"campaign_id": batch_id, "category": "batch", "category_id": batch_id}
    said = {CAMPAIGN_NAMES.get(name, name): value for name, value in fields.items() if name not in UNSAID}
    return _json({"event": event, **whose, **said})


def verification(message: str, now: datetime) -> bytes:
    """What a receiver has to answer with 2xx before its address is kept."""
    return _json({"event_type": "verification", "message": message, "timestamp": _time(now)})


def _initiated(told: Told) -> dict[str, Any]:
    row = told.row
    return {
        "id": row.id,
        "direction": row.direction,
        "type": "phone_call" if row.type == "phone" else "web_call",
        "category": row.category,
        "category_id": row.category_id,
        "from_number": row.from_number,
        "to_number": row.to_number,
        "status": "initiated",
        "agent_id": row.agent_id,
        "metadata": dict(row.metadata),
        "initiated_at": _time(row.created_at),
    }


def _ended(told: Told) -> dict[str, Any]:
    row, texts = told.row, told.texts
    return _initiated(told) | {
        "status": "completed" if row.answered_at is not None else "hangup",
        "call_status": row.status,
        "hangup_reason": row.end_reason,
        "disconnection_reason": row.end_reason,
        "ended_by": row.ended_by,
        "detail": row.detail,
        "answered_at": _time(row.answered_at),
        "ended_at": _time(row.ended_at),
        "duration": whole_seconds(row.duration_ms),
        "duration_ms": row.duration_ms,
        "duration_in_seconds": whole_seconds(row.duration_ms),
        "transcript": None if texts is None else texts.transcript,
        "summary": None if texts is None else texts.summary,
        "post_call_analysis": None if texts is None else texts.extracted,
        "recording_url": told.recording_url,
    }


_ENVELOPES = {"call_initiated": _initiated, "call_ended": _ended, "transfer_completed": _ended}


def _flat(told: Told) -> dict[str, Any]:
    row, texts = told.row, told.texts
    return {
        "call_id": row.id,
        "status": row.status,
        "direction": row.direction,
        "from_number": row.from_number,
        "to_number": row.to_number,
        "end_reason": row.end_reason,
        "sentiment": (texts.sentiment if texts else None) or "unknown",
        "summary": texts.summary if texts else None,
        "transcript": texts.transcript if texts else None,
        "extracted_data": texts.extracted if texts else None,
        "duration": whole_seconds(row.duration_ms),
        "duration_ms": row.duration_ms,
        "recording_url": told.recording_url,
        "agent_id": row.agent_id,
        "category": row.category,
        "category_id": row.category_id,
        "metadata": dict(row.metadata),
        "billing": {
            "price": None if row.price is None else str(row.price),
            "currency": row.currency,
            "rate": None if row.rate is None else str(row.rate),
            "rate_prefix": row.rate_prefix,
            "billed_seconds": row.billed_seconds,
        },
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, default=str)
