"""Call records as the store keeps them, and how to ask for them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

MAX_PAGE = 200
"Most calls that one page can hold."
PART = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Category(StrEnum):
    """What asked for a call, where it was not simply somebody; single calls have none."""

    BATCH = "batch"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class CallRow:
    """Everything about one call, as it stands; saving it again under the same id replaces what was saved.

    Times are aware and in UTC. Statuses, end reasons and who ended it are the words of `call.record`; the
    store keeps them as they come.
    """

    id: str
    "`call_…`"
    direction: str
    "`inbound` or `outbound`."
    status: str
    created_at: datetime
    "When the INVITE came, or the request for a call."
    type: str = "phone"
    "`phone` or `web`."
    workspace_id: str | None = None
    trunk_id: str | None = None
    number_id: str | None = None
    agent_id: str | None = None
    version_id: str | None = None
    version_number: int | None = None
    from_number: str = ""
    to_number: str = ""
    sip_call_id: str = ""
    "The Call-ID header of the carrier's leg."
    end_reason: str | None = None
    ended_by: str | None = None
    detail: str = ""
    "One sentence for a person about the ending."
    sip_status: int | None = None
    q850: int | None = None
    decision: Mapping[str, object] | None = None
    "`Decision.as_dict()`."
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    first_audio_in_at: datetime | None = None
    first_audio_out_at: datetime | None = None
    ended_at: datetime | None = None
    "None: the call is open."
    duration_ms: int = 0
    "Connected time."
    latency_ms: int | None = None
    "Median time from the end of the caller's speech to the agent's, where it was measured."
    media: Mapping[str, object] = field(default_factory=dict)
    "Packets, loss, jitter and the like, each way."
    ladder: Sequence[Mapping[str, object]] = ()
    "The SIP messages of the call: `at`, `sent`, `line`."
    requested_by: str | None = None
    "Who asked for an outbound call: `api:key_…`, `mqtt:…`, `cli:root`."
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
    parent_call_id: str | None = None
    "The call that this one tries again, or was transferred from."
    batch_id: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    rate: Decimal | None = None
    "Price of a minute that was applied."
    rate_prefix: str | None = None
    "The prefix of the rate deck that matched."
    billed_seconds: int | None = None
    recording_status: str | None = None
    "`recording`, `saved`, `recovered`, `failed` or `deleted`; None: there never was one."
    recording: Mapping[str, object] | None = None
    "Where it is, how long, its pauses and the like: `docs/recording.md` lists the keys."
    prepaid: bool = False
    "The price comes out of the workspace's wallet."
    sealed_caller: str | None = None
    "Who asked to be nobody, sealed with the key of the database: for the operator alone."
    instance: str = ""
    "The gateway that has, or had, the call; the store fills it in."
    epoch_ms: int | None = None
    """What the call's own clock, in milliseconds since 1970, read when its gateway's monotonic clock stood at
    0: by it the next start finds when a call ended whose end nobody saw."""
    increment: str | None = None
    "Billing increment of the rate, `60/60`."
    connection_fee: Decimal | None = None
    "Charged once for an answered call, beside the rate."
    category: str | None = None
    "A word of `Category`; None: a single call."
    category_id: str | None = None
    "The requester's own name for the workflow; the batch."

    def row(self) -> "CallRow":
        """Itself; see `Savable`."""
        return self


class Savable(Protocol):
    """A call that can be saved. It is asked for its row when that is written: a short call has but few."""

    @property
    def id(self) -> str:
        """`call_…`"""
        ...

    def row(self) -> CallRow:
        """The call as it stands."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the next one goes on after this call."""

    value: datetime | int
    "`created_at` or `duration_ms`, whichever the pages are sorted by."
    id: str


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list. Empty means any; several values in one field mean any of them."""

    workspace_id: str | None = None
    ids: Sequence[str] = ()
    agent_ids: Sequence[str] = ()
    version_ids: Sequence[str] = ()
    batch_ids: Sequence[str] = ()
    categories: Sequence[str] = ()
    "`batch`, `workflow`."
    category_ids: Sequence[str] = ()
    number_ids: Sequence[str] = ()
    trunk_ids: Sequence[str] = ()
    from_numbers: Sequence[str] = ()
    to_numbers: Sequence[str] = ()
    from_parts: Sequence[str] = ()
    "What a caller's number, or name, has any of in it; all calls are looked at until the page is full."
    to_parts: Sequence[str] = ()
    statuses: Sequence[str] = ()
    end_reasons: Sequence[str] = ()
    sentiments: Sequence[str] = ()
    "`positive`, `neutral`, `negative`, as runtimes have posted it; `unknown`: all others."
    direction: str | None = None
    type: str | None = None
    sip_call_id: str | None = None
    open: bool | None = None
    "True: only calls that have not ended. False: only those that have."
    created_from: datetime | None = None
    created_before: datetime | None = None
    min_duration_ms: int | None = None
    max_duration_ms: int | None = None
    min_latency_ms: int | None = None
    max_latency_ms: int | None = None
    sort: Literal["created_at", "duration"] = "created_at"
    descending: bool = True
    limit: int = 20
    "1 to `MAX_PAGE`."
    after: Cursor | None = None
    "Go on where an earlier page ended; costs the same however far in."
    offset: int = 0
    "Calls to skip; costs more the further in."
    whole: bool = True
    "False: without decision, ladder, media and recording, which lists do not show and most of a record is."


@dataclass(frozen=True, slots=True)
class CallPage:
    """Some calls, and where the next ones are."""

    calls: tuple[CallRow, ...]
    next: Cursor | None
    "None: there are no more."


def connected_ms(answered_at: datetime | None, ended_at: datetime | None) -> int:
    """A call's length: from answer to end, each as it is shown, to the millisecond; 0 without an answer."""
    if answered_at is None or ended_at is None:
        return 0
    return max(0, milliseconds(ended_at) - milliseconds(answered_at))


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970: what lies between two of them is dropped, as where times are written."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def whole_seconds(duration_ms: int) -> int:
    """A call's length in whole seconds, a begun one counted: the one rounding, wherever seconds are whole."""
    return -(-duration_ms // 1000)


def in_parts(rows: Sequence[CallRow]) -> Iterator[Sequence[CallRow]]:
    """Rows by a few, which take a millisecond or two to write: running calls share the writer's loop."""
    return (rows[start : start + PART] for start in range(0, len(rows), PART))
