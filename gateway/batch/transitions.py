"""What changes of a batch with each action of people and of the engine, as plain functions."""

from datetime import UTC, datetime
from typing import Any

from gateway.batch.answers import Affected
from gateway.batch.machine import FINAL, Action, BatchStatus, change
from gateway.store.batches.values import Batch
from gateway.tell import Tell

BY_REQUEST = "by_request"


def fields_after(
    batch: Batch, action: Action, now: datetime, *, why: str = "", code: str = ""
) -> dict[str, object]:
    """The fields that change; `InvalidInput` where the action is not allowed as the batch stands."""
    later = batch.starts_at is not None and batch.starts_at > now
    status = change(BatchStatus(batch.status), action, later=later)
    fields: dict[str, object] = {"status": status.value, "why": why, "why_code": code}
    if status is BatchStatus.WAITING:
        fields["turn_order"] = order_of(now)
    if status is BatchStatus.RUNNING and batch.started_at is None:
        fields["started_at"] = now
    if status in FINAL:
        fields["ended_at"] = now
    return fields


def order_of(now: datetime) -> int:
    """Who begins to wait later has a greater one."""
    return int(now.astimezone(UTC).timestamp() * 1_000_000)


def affected_by(action: Action, before: Batch) -> Affected:
    """What an action does to a batch's calls, as the reference platform counts it."""
    counts = before.counts
    waiting = counts.queued + counts.claimed
    if action is Action.CANCEL:
        return Affected(initiated=counts.dialling, removed_from_queue=waiting, cancelled_call_logs=waiting)
    resumed = waiting if action is Action.RESUME else 0
    return Affected(initiated=counts.dialling, queued=waiting, resumed_call_logs=resumed)


def tell_of(tell: Tell, action: Action, batch: Batch, by: str, level: str = "info") -> None:
    """Tell what was done to a batch, where that is worth telling."""
    said = told_of(batch, by)
    match action:
        case Action.TURN:
            tell("batch.started", level=level, **said)
        case Action.PAUSE:
            tell("batch.paused", level=level, **said)
        case Action.RESUME:
            tell("batch.resumed", level=level, **said)
        case Action.CANCEL:
            tell("batch.cancelled", level=level, **said)
        case Action.FINISH | Action.EXPIRE:
            tell("batch.completed", level=level, **said)
        case _:
            pass


def told_of(batch: Batch, by: str) -> dict[str, Any]:
    """What an event of a batch says."""
    counts = batch.counts
    return {
        "batch_id": batch.id,
        "workspace_id": batch.workspace_id,
        "title": batch.title,
        "status": batch.status,
        "by": by,
        "why": batch.why,
        "why_code": batch.why_code,
        "total": batch.total,
        "sent": counts.sent,
        "connected": counts.picked_up,
        "calls": batch.dialled,
        "done": counts.done,
        "failed": counts.failed,
        "expired": counts.expired,
        "cancelled": counts.cancelled,
        "uncertain": counts.uncertain,
    }
