"""Batches, recipients and counts as values.

Statuses, states and outcomes are the words of `gateway.batch`; the store keeps them as they come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PREPARING = "preparing"
"The status of a batch that is being written: nobody sees it, and a start deletes what a kill has left of it."
QUEUED, CLAIMED, DIALLING = "queued", "claimed", "dialling"
ENDED = ("done", "failed", "cancelled", "expired", "uncertain")
"States that a recipient does not leave."


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of a batch's recipients stand where; all of them add up to its total."""

    queued: int = 0
    "They wait: for their first attempt, or for another one."
    claimed: int = 0
    "A gateway has them in hand, and is about to dial."
    dialling: int = 0
    "Their call is under way."
    done: int = 0
    "Their last call has ended, answered or not: the outcome says how."
    failed: int = 0
    "No call could be made."
    cancelled: int = 0
    expired: int = 0
    uncertain: int = 0
    "Their gateway was killed when their phone may have rung, and nobody knows what came of it."
    sent: int = 0
    "Recipients that were dialled at least once."
    picked_up: int = 0
    "Calls that were answered, of first and further attempts."
    picked_up_leads: int = 0
    "Recipients whose last call was answered."

    @property
    def ended(self) -> int:
        """Recipients that nothing more happens to."""
        return self.done + self.failed + self.cancelled + self.expired + self.uncertain

    @property
    def open(self) -> int:
        """Recipients that something may still happen to."""
        return self.queued + self.claimed + self.dialling


@dataclass(frozen=True, slots=True)
class Stage:
    """One round of attempts."""

    depth: int
    "0: the first attempts; 1 to 4: the further ones."
    total: int
    "Recipients that it was planned for."
    attempted: int
    "Calls of it that were dialled."
    picked_up: int
    "Those of them that were answered."


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stands."""

    id: str
    "`batch_…`"
    workspace_id: str
    title: str
    status: str
    created_at: datetime
    created_by: str
    agent_id: str
    version_id: str
    version_number: int
    from_numbers: tuple[str, ...]
    "E.164, in turn."
    number_ids: tuple[str, ...] = ()
    "Those of the workspace that it calls from."
    total: int = 0
    "Recipients."
    failed_rows: int = 0
    "Rows of the file that were left out."
    why: str = ""
    "Why it stands where it stands, in words; empty where that needs none."
    why_code: str = ""
    "The same for programs: `insufficient_balance`, `by_request`, `trunk_failing`, …"
    starts_at: datetime | None = None
    "None: as soon as somebody starts it."
    ends_at: datetime | None = None
    timezone: str = "UTC"
    "IANA."
    hours: Mapping[str, object] | None = None
    "Calling hours as `gateway.batch.wish.hours_of` reads them; None: at any time."
    retry: Mapping[str, object] = field(default_factory=dict)
    "As `gateway.batch.wish.retry_of` reads it."
    max_concurrent: int | None = None
    most_per_callee_per_day: int | None = None
    when_uncertain: str = "leave"
    "`leave` or `dial_again`."
    file_name: str = ""
    columns: tuple[str, ...] = ()
    phone_column: str = ""
    report: Mapping[str, object] | None = None
    "What was found in the file, grouped."
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_call_sent_at: datetime | None = None
    turn_order: int = 0
    "Who waits for a turn has it in this order."
    counts: Counts = Counts()
    stages: tuple[Stage, ...] = ()

    @property
    def dialled(self) -> int:
        """Calls that were dialled."""
        return sum(stage.attempted for stage in self.stages)


@dataclass(frozen=True, slots=True)
class NewRecipient:
    """One recipient on its way into the queue."""

    position: int
    "The line of the file, of which the header has the first."
    phone_number: str
    "E.164."
    variables: Mapping[str, str] = field(default_factory=dict)
    timezone: str = ""
    "What the row says of it; empty: nothing."


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One recipient as it stands."""

    batch_id: str
    position: int
    phone_number: str
    variables: Mapping[str, str]
    timezone: str
    state: str
    depth: int
    "Attempts before the current, or the next, one."
    due_at_ms: int
    "Milliseconds since 1970 before which it is not dialled."
    epoch: int
    call_id: str | None = None
    "The last attempt."
    owner: str | None = None
    outcome: str | None = None
    detail: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One row of a file that was left out."""

    position: int
    phone_number: str
    "As it was written."
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A recipient goes from one state to another; nothing happens unless it is still in the hands named."""

    row: QueueRow
    "As whoever moves it knows it: by its `epoch` and `state` it is known whether that still holds."
    state: str
    depth: int
    due_at_ms: int
    call_id: str | None = None
    outcome: str | None = None
    detail: str = ""
    picked_up: bool = False
    "The call that ends was answered."
    unsent: bool = False
    "The call that ends does not count: nothing of it left, or it is made again."
    at: datetime | None = None
    "When a call is sent, or a recipient's last word is spoken."
