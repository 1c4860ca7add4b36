"""Batches as the API shows them, in the reference platform's field names."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.shapes.call import CallItem, shown_time
from gateway.api.shapes.page import ListPage
from gateway.batch.results import attempts
from gateway.batch.wish import hours_of, retry_of
from gateway.store.batches.values import Batch, QueueRow, Stage

SHAPE = ConfigDict(use_attribute_docstrings=True)
LEGACY = {"active": ("waiting", "running")}
"Statuses of the reference platform that stand for several of ours."
RETRIES = ("first", "second", "third", "fourth")
BATCH = "batch_01m85m1gbt83exwnbdjt8m8z3n"


class AttemptStage(BaseModel):
    """One round of attempts."""

    model_config = SHAPE

    depth: int
    "0: the first attempts; 1 to 4: the further ones."
    attempted: int
    "Calls of it that were dialled."
    total: int
    "Recipients that it is planned for, so far."
    picked_up: int
    "Calls of it that were answered."


class BatchItem(BaseModel):
    """A batch as it stands."""

    model_config = SHAPE

    id: Annotated[str, Field(examples=[BATCH])]
    "`batch_…`"
    title: Annotated[str, Field(examples=["Spring renewals"])]
    "What people call it."
    status: Annotated[str, Field(examples=["running"])]
    "`draft`, `scheduled`, `waiting` for its turn, `running`, `paused`, `completed`, `cancelled`, `deleted`."
    reason: str | None
    "Why it stands there, for a program: `by_request`, `insufficient_balance`, …; null where that is plain."
    detail: str | None
    "The same in words."
    agent_id: str
    "The agent that speaks."
    agent_version_id: str
    "The version of it."
    agent_version_number: int
    "The number of that version."
    from_number: str | None
    "The number that calls; null where several do."
    from_numbers: list[str]
    "All that call, in turn."
    total_lead_count: int
    "Recipients."
    failed_row_count: int
    "Rows of the file that were left out: `…/errors.csv` has them."
    sent_lead_count: int
    "Recipients that were dialled at least once."
    picked_up_calls: int
    "Calls that were answered, of first and further attempts."
    picked_up_lead_count: int
    "Recipients whose last call was answered."
    processed_lead_count: int
    "Recipients that nothing more happens to."
    queued_lead_count: int
    "Recipients that wait for their first, or another, attempt."
    running_lead_count: int
    "Recipients whose call is about to be dialled, or under way."
    completed_lead_count: int
    "Recipients whose last call has ended, answered or not."
    failed_lead_count: int
    "Recipients that no call could be made to."
    cancelled_lead_count: int
    "Recipients that the batch was cancelled before."
    expired_lead_count: int
    "Recipients whose time did not come before the batch's end."
    uncertain_lead_count: int
    "Recipients whose phone may have rung when a gateway was killed."
    last_call_sent_at: datetime | None
    "When the latest call was dialled."
    number_of_retries: int
    "Calls that were further attempts."
    first_retry_count: int
    "Those of them that were second attempts."
    second_retry_count: int
    "Third attempts."
    third_retry_count: int
    "Fourth attempts."
    fourth_retry_count: int
    "Fifth attempts."
    attempt_stages: list[AttemptStage]
    "Each round of attempts."
    starts_at: datetime | None
    "When it was to begin; null: as soon as it is started."
    ends_at: datetime | None
    "When it ends, whoever is left then; null: when all are through."
    timezone: str
    "In which its hours are meant."
    calling_hours_start: str | None
    "From when of each day calls begin; null: at any time."
    calling_hours_end: str | None
    "Until when."
    calling_hours_days: list[int] | None
    "On which days; Monday is 1."
    holidays: list[str] | None
    "Dates on which nobody is called."
    hours_by: str | None
    "Whose clock counts: `workspace` or `callee`."
    retry_max: int
    "Further attempts for each recipient."
    retry_interval_minutes: float
    "Between two attempts."
    retry_growth: float
    "What each pause is multiplied with for the next."
    retry_outcomes: list[str]
    "What is tried again."
    max_concurrent_calls: int | None
    "Calls of it at once; null: as many as there may be otherwise."
    calls_per_callee_per_day: int | None
    "How often one number is called within a day; null: no bound."
    when_uncertain: str
    "`leave` or `dial_again`."
    file_name: str
    "What the file was called."
    columns: list[str]
    "Its columns."
    phone_column: str
    "The one with the numbers."
    created_at: datetime
    "When it was made."
    created_by: str
    "By whom."
    started_at: datetime | None
    "When it began to dial."
    ended_at: datetime | None
    "When it ended."


class BatchPage(ListPage[BatchItem]):
    """A page of batches, newest first."""


class BatchCalls(BaseModel):
    """A batch with a page of its calls."""

    model_config = SHAPE

    call_logs: Annotated[list[CallItem], Field(alias="callLogs")]
    "Of this page."
    total: int
    "Of all pages."
    page: int
    "Counted from 1."
    limit: int
    "Of one page."
    total_pages: Annotated[int, Field(alias="totalPages")]
    "How many there are."
    batch: BatchItem
    "The batch as it stands."


class RecipientItem(BaseModel):
    """One recipient of a batch."""

    model_config = SHAPE

    position: int
    "The line of the file; the header's is 1."
    phone_number: str
    "E.164"
    state: Annotated[str, Field(examples=["done"])]
    "`queued`, `claimed`, `dialling`, `done`, `failed`, `cancelled`, `expired` or `uncertain`."
    attempts: int
    "Calls so far, the current one among them."
    outcome: str | None
    "What came of the last call."
    detail: str
    "The same in words."
    due_at: datetime | None
    "Before when the next attempt is not made; null: it may be at once, or there is none."
    call_id: str | None
    "The last call."
    variables: dict[str, str]
    "The other columns."
    ended_at: datetime | None
    "Since when nothing more happens."


class RecipientPage(ListPage[RecipientItem]):
    """A page of recipients, in the order of the file."""


def batch_item(batch: Batch) -> dict[str, Any]:
    """A batch in the shape of `BatchItem`."""
    return {
        "id": batch.id,
        "title": batch.title,
        "status": batch.status,
        "reason": batch.why_code or None,
        "detail": batch.why or None,
        "agent_id": batch.agent_id,
        "agent_version_id": batch.version_id,
        "agent_version_number": batch.version_number,
        "from_number": only(batch.from_numbers),
        "from_numbers": list(batch.from_numbers),
        **_counted(batch),
        **_wished(batch),
        "file_name": batch.file_name,
        "columns": list(batch.columns),
        "phone_column": batch.phone_column,
        "created_at": shown_time(batch.created_at),
        "created_by": batch.created_by,
        "started_at": shown_time(batch.started_at),
        "ended_at": shown_time(batch.ended_at),
    }


def _counted(batch: Batch) -> dict[str, Any]:
    counts = batch.counts
    stages = _stages(batch.stages, retry_of(batch).most)
    retried = [stage["attempted"] for stage in stages[1:]]
    return {
        "total_lead_count": batch.total,
        "failed_row_count": batch.failed_rows,
        "sent_lead_count": counts.sent,
        "picked_up_calls": counts.picked_up,
        "picked_up_lead_count": counts.picked_up_leads,
        "processed_lead_count": counts.ended,
        "queued_lead_count": counts.queued,
        "running_lead_count": counts.claimed + counts.dialling,
        "completed_lead_count": counts.done,
        "failed_lead_count": counts.failed,
        "cancelled_lead_count": counts.cancelled,
        "expired_lead_count": counts.expired,
        "uncertain_lead_count": counts.uncertain,
        "last_call_sent_at": shown_time(batch.last_call_sent_at),
        "number_of_retries": sum(retried),
        **{
            f"{name}_retry_count": count for name, count in zip(RETRIES, [*retried, 0, 0, 0, 0], strict=False)
        },
        "attempt_stages": stages,
    }


def _stages(stages: Sequence[Stage], retries: int) -> list[dict[str, int]]:
    """Each round that there was, or may be."""
    there = {stage.depth: stage for stage in stages}
    last = max(retries, *there, 0)
    rounds = (there.get(depth, Stage(depth, 0, 0, 0)) for depth in range(last + 1))
    return [
        {"depth": one.depth, "attempted": one.attempted, "total": one.total, "picked_up": one.picked_up}
        for one in rounds
    ]


def _wished(batch: Batch) -> dict[str, Any]:
    hours, retry = hours_of(batch), retry_of(batch)
    return {
        "starts_at": shown_time(batch.starts_at),
        "ends_at": shown_time(batch.ends_at),
        "timezone": batch.timezone,
        "calling_hours_start": hours and hours.starts.isoformat("minutes"),
        "calling_hours_end": hours and hours.ends.isoformat("minutes"),
        "calling_hours_days": hours and sorted(hours.weekdays),
        "holidays": hours and [day.isoformat() for day in sorted(hours.holidays)],
        "hours_by": hours and hours.by,
        "retry_max": retry.most,
        "retry_interval_minutes": retry.seconds / 60,
        "retry_growth": retry.growth,
        "retry_outcomes": sorted(outcome.value for outcome in retry.outcomes),
        "max_concurrent_calls": batch.max_concurrent,
        "calls_per_callee_per_day": batch.most_per_callee_per_day,
        "when_uncertain": batch.when_uncertain,
    }


def recipient_item(row: QueueRow) -> dict[str, Any]:
    """A recipient in the shape of `RecipientItem`."""
    waits = row.state == "queued"
    return {
        "position": row.position,
        "phone_number": row.phone_number,
        "state": row.state,
        "attempts": attempts(row),
        "outcome": row.outcome,
        "detail": row.detail,
        "due_at": shown_time(_due(row)) if waits else None,
        "call_id": row.call_id,
        "variables": dict(row.variables),
        "ended_at": shown_time(row.ended_at),
    }


def _due(row: QueueRow) -> datetime | None:
    """When it is due; None: at once."""
    return datetime.fromtimestamp(row.due_at_ms / 1000, UTC) if row.due_at_ms else None


def statuses_of(given: str | None) -> tuple[str, ...]:
    """The statuses that a list asks for, the legacy one by those that it stands for; none: all."""
    words = [word.strip() for word in (given or "").split(",") if word.strip()]
    return tuple(dict.fromkeys(each for word in words for each in LEGACY.get(word, (word,))))


def only(numbers: Sequence[str]) -> str | None:
    """The number that calls; None where several do."""
    return numbers[0] if len(numbers) == 1 else None
