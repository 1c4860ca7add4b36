"""What is asked of batches, and what that is answered with, in the reference platform's words."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.api.shapes.batch import BATCH, BatchItem, batch_item, only
from gateway.api.shapes.call import shown_time
from gateway.batch.answers import Affected, Changed, Notice
from gateway.batch.machine import BY_API
from gateway.store.batches.values import Batch

SHAPE = ConfigDict(use_attribute_docstrings=True)
DONE = {"start": "started", "pause": "paused", "resume": "resumed", "cancel": "cancelled"}


class BatchConflict(BaseModel):
    """Another batch, which this one waits for or may meet."""

    model_config = SHAPE

    kind: str
    "`running`, `waiting` or `scheduled`."
    batch_name: str
    "What people call it."
    processed_leads: int
    "Recipients of it that nothing more happens to."
    total_leads: int
    "Its recipients."
    starts_at: datetime | None
    "When it is to begin."


class BatchWarning(BaseModel):
    """What whoever makes a batch should know; it keeps nothing from being made."""

    model_config = SHAPE

    message: str
    "In a sentence."
    conflicts: list[BatchConflict]
    "Batches run one at a time: those that are there."


class BatchCreated(BaseModel):
    """A batch that was made."""

    model_config = SHAPE

    id: Annotated[str, Field(examples=[BATCH])]
    "`batch_…`"
    title: str
    "What people call it."
    total_records: int
    "Recipients."
    failed_records: int
    "Rows that were left out."
    status: Annotated[str, Field(examples=["initiated"])]
    "`initiated`: that it was taken, and no more; `draft` where that was asked for."
    from_number: str | None
    "The number that calls; null where several do."
    warning: BatchWarning | None = None
    "Left out where there is nothing to say."
    batch: BatchItem
    "The batch as it stands."


class BatchAction(BaseModel):
    """What is to be done with a batch."""

    model_config = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")

    # The reference platform has a sentence of its own for what is none: the route says it.
    action: Annotated[Any, WithJsonSchema({"type": "string", "enum": [*BY_API]})] = None
    "`pause`: no new calls. `resume`: go on. `cancel`: for good."


class Campaign(BaseModel):
    """A batch, by the word that the reference platform has for it here."""

    model_config = SHAPE

    id: str
    "`batch_…`"
    status: str
    "Where it stands now."
    title: str
    "What people call it."


class AffectedCalls(BaseModel):
    """What an action has done to a batch's calls."""

    model_config = SHAPE

    initiated: int
    "Calls that are under way, and go on to their end."
    queued: int
    "Recipients that wait."
    removed_from_queue: Annotated[int, Field(alias="removedFromQueue")]
    "Recipients that will not be called any more."
    cancelled_call_logs: Annotated[int, Field(alias="cancelledCallLogs")]
    "The same, once more: nothing is recorded of calls that were never begun."
    resumed_call_logs: Annotated[int, Field(alias="resumedCallLogs")]
    "Recipients that wait again."


class BatchChanged(BaseModel):
    """What an action has led to."""

    model_config = SHAPE

    success: bool
    "True."
    message: Annotated[str, Field(examples=["Campaign paused successfully"])]
    "In a sentence."
    campaign: Campaign
    "The batch after it."
    affected_calls: Annotated[AffectedCalls, Field(alias="affectedCalls")]
    "What it has done to its calls."


def created(batch: Batch, notice: Notice | None) -> dict[str, Any]:
    """A batch that was made, in the shape of `BatchCreated`."""
    warning = {} if notice is None else {"warning": _warning(notice)}
    return {
        "id": batch.id,
        "title": batch.title,
        "total_records": batch.total,
        "failed_records": batch.failed_rows,
        "status": "draft" if batch.status == "draft" else "initiated",
        "from_number": only(batch.from_numbers),
        **warning,
        "batch": batch_item(batch),
    }


def _warning(notice: Notice) -> dict[str, Any]:
    conflicts = [
        {
            "kind": other.kind,
            "batch_name": other.batch_name,
            "processed_leads": other.processed_leads,
            "total_leads": other.total_leads,
            "starts_at": shown_time(other.starts_at),
        }
        for other in notice.conflicts
    ]
    return {"message": notice.message, "conflicts": conflicts}


def changed(action: str, done: Changed) -> dict[str, Any]:
    """What an action has led to, in the shape of `BatchChanged`."""
    batch = done.batch
    return {
        "success": True,
        "message": f"Campaign {DONE[action]} successfully",
        "campaign": {"id": batch.id, "status": batch.status, "title": batch.title},
        "affectedCalls": _affected(done.affected),
    }


def _affected(affected: Affected) -> dict[str, int]:
    return {
        "initiated": affected.initiated,
        "queued": affected.queued,
        "removedFromQueue": affected.removed_from_queue,
        "cancelledCallLogs": affected.cancelled_call_logs,
        "resumedCallLogs": affected.resumed_call_logs,
    }
