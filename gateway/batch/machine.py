"""The states of a batch and of its recipients, and what may be done in each: two tables.

    draft ──start──▶ scheduled ──due──▶ waiting ──turn──▶ running ──finish──▶ completed
      │                  ╲  pause          │  ▲ resume      │ pause
      delete              ╲────────────▶ paused ◀───────────┘      cancel, from all but the draft, is for good
      ▼
    deleted

A batch waits for its turn since one runs at a time in a workspace. What is absent from a table is refused.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.store.engine.errors import InvalidInput


class BatchStatus(StrEnum):
    """Where a batch stands; the reference's words."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    "Its start is still to come."
    WAITING = "waiting"
    "It may start, and another batch of the workspace runs."
    RUNNING = "running"
    PAUSED = "paused"
    "No calls begin; running ones end by themselves."
    COMPLETED = "completed"
    "All recipients have their outcome."
    CANCELLED = "cancelled"
    DELETED = "deleted"


class Action(StrEnum):
    """What is done to a batch: by people, and by the engine."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    DELETE = "delete"
    DUE = "due"
    "`starts_at` has come."
    TURN = "turn"
    "No other batch of the workspace runs."
    FINISH = "finish"
    "The last recipient has its outcome."
    EXPIRE = "expire"
    "`ends_at` has come, and no call of the batch runs any more."


BY_PEOPLE = (Action.START, Action.PAUSE, Action.RESUME, Action.CANCEL, Action.DELETE)
BY_API = (Action.PAUSE, Action.RESUME, Action.CANCEL)
"What `PATCH /v1/batch-calls/{id}/status` takes."

FINAL = frozenset({BatchStatus.COMPLETED, BatchStatus.CANCELLED, BatchStatus.DELETED})

_B, _A = BatchStatus, Action

BATCH: Mapping[tuple[BatchStatus, Action], BatchStatus] = {
    (_B.DRAFT, _A.START): _B.WAITING,
    (_B.DRAFT, _A.DELETE): _B.DELETED,
    (_B.SCHEDULED, _A.DUE): _B.WAITING,
    (_B.SCHEDULED, _A.PAUSE): _B.PAUSED,
    (_B.SCHEDULED, _A.CANCEL): _B.CANCELLED,
    (_B.SCHEDULED, _A.EXPIRE): _B.COMPLETED,
    (_B.WAITING, _A.TURN): _B.RUNNING,
    (_B.WAITING, _A.PAUSE): _B.PAUSED,
    (_B.WAITING, _A.CANCEL): _B.CANCELLED,
    (_B.WAITING, _A.EXPIRE): _B.COMPLETED,
    (_B.RUNNING, _A.PAUSE): _B.PAUSED,
    (_B.RUNNING, _A.CANCEL): _B.CANCELLED,
    (_B.RUNNING, _A.FINISH): _B.COMPLETED,
    (_B.RUNNING, _A.EXPIRE): _B.COMPLETED,
    (_B.PAUSED, _A.RESUME): _B.WAITING,
    (_B.PAUSED, _A.CANCEL): _B.CANCELLED,
    (_B.PAUSED, _A.FINISH): _B.COMPLETED,  # its last running call ended, and none was left to be made
    (_B.PAUSED, _A.EXPIRE): _B.COMPLETED,
}

_DONE: Mapping[Action, str] = {
    _A.START: "started",
    _A.PAUSE: "paused",
    _A.RESUME: "resumed",
    _A.CANCEL: "cancelled",
    _A.DELETE: "deleted",
    _A.DUE: "due",
    _A.TURN: "given its turn",
    _A.FINISH: "finished",
    _A.EXPIRE: "expired",
}

_STATE: Mapping[BatchStatus, str] = {
    _B.DRAFT: "it is a draft",
    _B.SCHEDULED: "it is scheduled and has not started",
    _B.WAITING: "it is waiting for its turn",
    _B.RUNNING: "it is running",
    _B.PAUSED: "it is paused",
    _B.COMPLETED: "it is completed",
    _B.CANCELLED: "it is cancelled, which is permanent",
    _B.DELETED: "it is deleted",
}

_ADVICE: Mapping[tuple[BatchStatus, Action], str] = {
    (_B.DRAFT, _A.PAUSE): "Start it first.",
    (_B.DRAFT, _A.RESUME): "Start it.",
    (_B.DRAFT, _A.CANCEL): "Delete it.",
    (_B.SCHEDULED, _A.START): "It starts by itself; change its start time to have it start earlier.",
    (_B.SCHEDULED, _A.RESUME): "It starts by itself.",
    (_B.SCHEDULED, _A.DELETE): "Only drafts can be deleted; cancel it.",
    (_B.WAITING, _A.START): "It starts when the batch calls before it have ended.",
    (_B.WAITING, _A.RESUME): "It starts when the batch calls before it have ended.",
    (_B.WAITING, _A.DELETE): "Only drafts can be deleted; cancel it.",
    (_B.RUNNING, _A.DELETE): "Only drafts can be deleted; cancel it.",
    (_B.PAUSED, _A.START): "Resume it.",
    (_B.PAUSED, _A.DELETE): "Only drafts can be deleted; cancel it.",
    (_B.COMPLETED, _A.DELETE): "Only drafts can be deleted.",
    (_B.CANCELLED, _A.DELETE): "Only drafts can be deleted.",
    (_B.COMPLETED, _A.START): "Make a new one.",
    (_B.COMPLETED, _A.RESUME): "Make a new one.",
    (_B.CANCELLED, _A.START): "Make a new one.",
    (_B.CANCELLED, _A.RESUME): "Make a new one.",
}


def change(status: BatchStatus, action: Action, *, later: bool = False) -> BatchStatus:
    """The status after an action; `InvalidInput` with the reason where it is refused.

    `later`: the batch's start is still to come, so that what would wait for its turn is scheduled.
    """
    after = BATCH.get((status, action))
    if after is None:
        raise InvalidInput("action", action.value, refusal(status, action), whole=True)
    return BatchStatus.SCHEDULED if later and after is BatchStatus.WAITING else after


def refusal(status: BatchStatus, action: Action) -> str:
    """Why an action is refused in this state, and what can be done instead."""
    why = f"Batch call cannot be {_DONE[action]}: {_STATE[status]}."
    advice = _ADVICE.get((status, action))
    return f"{why} {advice}" if advice else why


def allowed(status: BatchStatus) -> tuple[Action, ...]:
    """What people may do in this state: the buttons of a page."""
    return tuple(action for action in BY_PEOPLE if (status, action) in BATCH)


def read_action(written: object) -> Action:
    """The action that a request names, as the reference refuses others."""
    for action in BY_API:
        if written == action.value:
            return action
    right = f"Invalid action. Must be one of: {', '.join(BY_API)}"
    raise InvalidInput("action", str(written)[:40], right, whole=True)


class RecipientState(StrEnum):
    """Where one row of a batch stands."""

    QUEUED = "queued"
    "To be called from `due_at` on."
    CLAIMED = "claimed"
    "A gateway has it under a lease; no INVITE has left."
    DIALLING = "dialling"
    "Its call is recorded, and the INVITE may have left."
    DONE = "done"
    "Its last call has ended; the outcome says how."
    FAILED = "failed"
    "No call could be made: a rule forbids the number, or no longer allows it."
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    "Its hours, or a retry's time, did not come before the batch's end."
    UNCERTAIN = "uncertain"
    "Its gateway died while it was dialled, and no record says what became of the call."


class Step(StrEnum):
    """What happens to a row."""

    CLAIM = "claim"
    PUT_BACK = "put_back"
    "No place was free, the hours were over, or the batch was paused."
    LAPSE = "lapse"
    "The lease ran out: its gateway is gone."
    DIAL = "dial"
    END = "end"
    RETRY = "retry"
    REFUSE = "refuse"
    CANCEL = "cancel"
    EXPIRE = "expire"
    LOSE = "lose"
    "The lease of a dialled row ran out, and its call has no record."
    DIAL_AGAIN = "dial_again"
    "The batch's rule for uncertain rows, or a person, wants it called again."


_R, _S = RecipientState, Step

RECIPIENT: Mapping[tuple[RecipientState, Step], RecipientState] = {
    (_R.QUEUED, _S.CLAIM): _R.CLAIMED,
    (_R.QUEUED, _S.CANCEL): _R.CANCELLED,
    (_R.QUEUED, _S.EXPIRE): _R.EXPIRED,
    (_R.CLAIMED, _S.PUT_BACK): _R.QUEUED,
    (_R.CLAIMED, _S.LAPSE): _R.QUEUED,
    (_R.CLAIMED, _S.DIAL): _R.DIALLING,
    (_R.CLAIMED, _S.REFUSE): _R.FAILED,
    (_R.CLAIMED, _S.CANCEL): _R.CANCELLED,
    (_R.CLAIMED, _S.EXPIRE): _R.EXPIRED,
    (_R.DIALLING, _S.END): _R.DONE,
    (_R.DIALLING, _S.RETRY): _R.QUEUED,
    (_R.DIALLING, _S.EXPIRE): _R.EXPIRED,
    (_R.DIALLING, _S.REFUSE): _R.FAILED,  # nothing left after all
    (_R.DIALLING, _S.LOSE): _R.UNCERTAIN,
    (_R.UNCERTAIN, _S.DIAL_AGAIN): _R.QUEUED,
    (_R.UNCERTAIN, _S.END): _R.DONE,  # its record came late
}
"A row that is dialled is not cancelled: its call ends by itself, and is counted."

OPEN = frozenset({_R.QUEUED, _R.CLAIMED, _R.DIALLING})
"A batch with rows in these states is not finished."


def step(state: RecipientState, what: Step) -> RecipientState | None:
    """The state after a step; None: it changes nothing, as a word that comes too late."""
    return RECIPIENT.get((state, what))
