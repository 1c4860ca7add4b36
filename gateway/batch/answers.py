"""What the batches answer: what was made or changed, what else waits, why nothing was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.batch.checking import Report
from gateway.call.record import CallRecord
from gateway.store.batches.values import Batch

WAITS = "Batch calls run one at a time: this one begins when those before it are through."


@dataclass(frozen=True, slots=True)
class Other:
    """Another batch of the workspace, which this one waits for, or may meet."""

    kind: Literal["running", "waiting", "scheduled"]
    batch_name: str
    processed_leads: int
    total_leads: int
    starts_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """What whoever makes a batch should know; it keeps nothing from being made."""

    message: str
    conflicts: tuple[Other, ...]


@dataclass(frozen=True, slots=True)
class Created:
    """A batch that was made."""

    batch: Batch
    warning: Notice | None
    report: Report


@dataclass(frozen=True, slots=True)
class Affected:
    """What an action has done to a batch's calls; the reference platform's counts."""

    initiated: int = 0
    "Calls that are under way, and go on to their end."
    queued: int = 0
    "Recipients that wait."
    removed_from_queue: int = 0
    cancelled_call_logs: int = 0
    resumed_call_logs: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """A batch after an action."""

    batch: Batch
    affected: Affected


@dataclass(frozen=True, slots=True)
class Live:
    """What this gateway does for a batch at the moment."""

    calls: Sequence[CallRecord]
    "Those that are under way here, oldest first."
    in_hand: int = 0
    "Recipients that it is about to dial."


class RowsFailed(Exception):
    """Some rows cannot be called, and nobody said that the others should be called without them."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"{report.failed} of {report.total} rows cannot be called")


class NobodyToCall(RowsFailed):
    """Not one row can be called."""


class DestinationNotEnabled(NobodyToCall):
    """Not one row can be called, and all for one reason: the workspace has not opened where they lead."""
