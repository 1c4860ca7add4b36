"""What becomes of a recipient: before the call, when it is refused, and when it has ended."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from gateway.batch.guard import Guard, Stop
from gateway.batch.hours import day_of, next_open, why_never
from gateway.batch.machine import RecipientState
from gateway.batch.retrying import Again, Expired, Outcome, after, not_before, outcome_of
from gateway.batch.wish import hours_of, retry_of
from gateway.batch.zones import zone_named, zones_by_number, zones_of
from gateway.call.record import EndReason, Status
from gateway.call.refusal import Refused
from gateway.routing.decision import Reason, ReasonGroup, Rejected
from gateway.store.batches.values import Batch, QueueRow
from gateway.store.engine.errors import InvalidInput

Called = Callable[[str, Collection[str], datetime], Awaitable[Mapping[str, int]]]
"How often a workspace called each of some numbers since a moment."

OVER = "the batch’s end came first"
DAY_FULL = "it has had all {most} calls of a day, and the batch ends before the next"
NEVER_LEFT_SECONDS = 10
"After which a recipient is tried again whose call we could not make, for want of a port or a database."
OURS = frozenset({EndReason.GATEWAY_DRAINED, EndReason.NO_PORT_FREE, EndReason.STORE_UNAVAILABLE})
"Endings that are this gateway's alone: the recipient is called once more, as if nothing had been."
OF_ALL = frozenset(
    {
        Reason.KYC_NOT_VERIFIED,
        Reason.NO_ENABLED_COUNTRIES,
        Reason.AGENT_MISSING,
        Reason.VERSION_MISSING,
        Reason.VERSION_NOT_PUBLISHED,
        Reason.INSUFFICIENT_BALANCE,
        EndReason.SIP_TRUNK_UNREACHABLE,
    }
)
"Refusals that whoever is called next would have as well: the batch pauses and burns no rows."
OF_NUMBER = frozenset({Reason.FROM_NUMBER_UNKNOWN, Reason.CALLER_ID_NOT_ALLOWED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a recipient."""

    state: RecipientState
    outcome: str | None = None
    detail: str = ""
    depth: int | None = None
    "None: as it was."
    due_at_ms: int = 0
    picked_up: bool = False
    unsent: bool = False
    "The call does not count: nothing left for the callee, or we cut it short ourselves."


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended, as its ending or its record says it."""

    status: str
    reason: str | None
    sip_status: int | None
    detail: str


def milliseconds(at: datetime) -> int:
    """Since 1970, rounded down."""
    return int(at.timestamp() * 1000)


def is_of_number(refusal: Rejected | Refused) -> bool:
    """Whether another number to call from may still do."""
    if isinstance(refusal, Refused):
        return False
    configured = refusal.reason.group is ReasonGroup.CONFIGURATION and refusal.reason not in OF_ALL
    return configured or refusal.reason in OF_NUMBER


def is_of_all(refusal: Rejected | Refused) -> bool:
    """Whether whoever is called next would be refused as well."""
    return refusal.reason in OF_ALL


def stop_of(refusal: Rejected | Refused) -> Stop:
    """Why the batch pauses itself, for a refusal that is not this recipient's."""
    said = refusal.message if isinstance(refusal, Rejected) else refusal.detail
    return Stop(refusal.reason.value, f"Paused by itself: {said}")


class Judge:
    """Judges the recipients of one batch, while it runs here."""

    def __init__(self, batch: Batch, called: Called, guard: Guard) -> None:
        self._batch = batch
        self._called = called
        self._guard = guard
        self._hours = hours_of(batch)
        self._retry = retry_of(batch)
        self._zone = zone_named(batch.timezone or "UTC")

    @property
    def stop(self) -> Stop | None:
        """Why the batch has to pause, as its last calls say."""
        return self._guard.stop()

    def opens(self, now: datetime) -> datetime | None:
        """When any recipient may be called at all, from now on; None: never before the batch's end.

        Where the callee's clock counts, that is now: each has hours of its own.
        """
        ends = self._batch.ends_at
        if ends is not None and now >= ends:
            return None
        if self._hours is None or self._hours.by == "callee":
            return now
        return next_open(self._hours, now, (), ends)

    async def may_be_called(self, rows: Sequence[QueueRow], now: datetime) -> list[Verdict | None]:
        """Of each recipient, what keeps it from being called now; None: nothing."""
        counted = await self._calls_today([row.phone_number for row in rows], now)
        return [self._kept(row, counted.get(row.phone_number, 0), now) for row in rows]

    def _kept(self, row: QueueRow, calls_today: int, now: datetime) -> Verdict | None:
        batch = self._batch
        at = not_before(now, calls_today, batch.most_per_callee_per_day, day_of(now, self._zone)[1])
        opens = None if at is None else self._opens_for(row, at)
        if opens is not None and (batch.ends_at is None or opens < batch.ends_at):
            return None if opens <= now else self._later(row, opens)
        outcome = row.outcome or RecipientState.EXPIRED
        if at is not None and at <= now:
            return Verdict(RecipientState.EXPIRED, outcome, hours_never(batch, self._zones(row)))
        detail = DAY_FULL.format(most=batch.most_per_callee_per_day)
        return Verdict(RecipientState.EXPIRED, outcome, detail)

    def _later(self, row: QueueRow, at: datetime) -> Verdict:
        return Verdict(RecipientState.QUEUED, row.outcome, row.detail, due_at_ms=_up(at))

    def _opens_for(self, row: QueueRow, at: datetime) -> datetime | None:
        if self._hours is None:
            return at
        return next_open(self._hours, at, self._zones(row), self._batch.ends_at)

    def _zones(self, row: QueueRow) -> Sequence[tzinfo]:
        """Whose clocks count; none: the batch's own."""
        return _zones(row) if self._hours is not None and self._hours.by == "callee" else ()

    async def ended(self, row: QueueRow, ended: Ended, now: datetime) -> Verdict:
        """What comes after a call: the guard has seen it, too."""
        if ended.reason in OURS and ended.status != Status.COMPLETED:
            due = milliseconds(now) + 1000 * NEVER_LEFT_SECONDS
            return Verdict(RecipientState.QUEUED, row.outcome, row.detail, due_at_ms=due, unsent=True)
        self._guard = self._guard.seen(ended.reason, ended.detail)
        today = await self._calls_today([row.phone_number], now)
        batch = self._batch
        comes = after(
            ended.status,
            ended.reason,
            ended.sip_status,
            row.depth,
            self._retry,
            now,
            batch.ends_at,
            today.get(row.phone_number, 1),
            batch.most_per_callee_per_day,
            tomorrow=day_of(now, self._zone)[1],
            opens=lambda at: self._opens_for(row, at),
        )
        picked_up = ended.status == Status.COMPLETED
        outcome = outcome_of(ended.status, ended.reason, ended.sip_status)
        if isinstance(comes, Again):
            done = Verdict(RecipientState.QUEUED, outcome, ended.detail, row.depth + 1, _up(comes.at))
        elif isinstance(comes, Expired):
            done = Verdict(RecipientState.EXPIRED, comes.outcome, comes.why)
        else:
            done = Verdict(RecipientState.DONE, comes.outcome, comes.why or ended.detail)
        return replace(done, picked_up=picked_up)

    def refused(self, refusal: Rejected | Refused) -> Verdict:
        """A rule forbids the number that allowed it when the batch was made."""
        said = refusal.message if isinstance(refusal, Rejected) else refusal.detail
        return Verdict(RecipientState.FAILED, refusal.reason.value, said)

    def uncertain(self, row: QueueRow, now: datetime) -> Verdict:
        """Its gateway was killed when its phone may have rung, and no record says what came of it."""
        if self._batch.when_uncertain == "dial_again":
            return Verdict(RecipientState.QUEUED, row.outcome, row.detail, due_at_ms=milliseconds(now))
        detail = "the gateway was killed while it was being called: whether it was reached is not known"
        return Verdict(RecipientState.UNCERTAIN, Outcome.FAILED, detail)

    async def _calls_today(self, numbers: Collection[str], now: datetime) -> Mapping[str, int]:
        if self._batch.most_per_callee_per_day is None:
            return {}
        return await self._called(self._batch.workspace_id, numbers, day_of(now, self._zone)[0])


def hours_never(batch: Batch, zones: Sequence[tzinfo] = ()) -> str:
    """Why nobody is called any more at a time that the batch allows; `zones` are the callee's."""
    hours = hours_of(batch)
    return OVER if hours is None else why_never(hours, zones, batch.ends_at)


def _zones(row: QueueRow) -> Sequence[tzinfo]:
    try:
        return zones_of(row.phone_number, row.timezone)
    except InvalidInput:
        return zones_by_number(row.phone_number)


def _up(at: datetime) -> int:
    """So that it is not before: rounded up."""
    return milliseconds(at) + 1
