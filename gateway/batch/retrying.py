"""Whether a recipient is called once more, and when: decided from how the call ended."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from gateway.call.record import EndReason, Status
from gateway.store.engine.errors import InvalidInput

MOST_RETRIES = 4
"The reference counts a first call and four retries."

SHORTEST, LONGEST = 60, 7 * 86_400
"Seconds between two calls to the same person."

MOST_GROWTH = 10.0

DECLINES = frozenset({603, 607, 608})
"Decline, Unwanted (RFC 8197) and Rejected (RFC 8688): whoever says so is not called again."

VOICEMAIL = "voicemail_detected"
"The end reason of a call that an answering machine took."


class Outcome(StrEnum):
    """What came of a call, as a batch counts it."""

    COMPLETED = "completed"
    "Connected, and ended."
    NO_ANSWER = "no_answer"
    "It rang out, or the callee could not be reached for the moment."
    BUSY = "busy"
    VOICEMAIL = "voicemail"
    CARRIER_FAILURE = "carrier_failure"
    "The trunk, its network, or our own side failed: nobody was spoken to."
    DECLINED = "declined"
    "Refused in a way that says not to call again."
    FAILED = "failed"
    "It cannot work: no such number, a forbidden destination, an agent that is not there."
    CANCELLED = "cancelled"
    "Ended before the answer, since somebody asked for it."
    RETRY_EXPIRED = "retry_expired"
    "One more call was due, and there was no time left for it."


RETRIED = (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.VOICEMAIL, Outcome.CARRIER_FAILURE)
"Outcomes after which a retry can be asked for; after no other is there one."

USUALLY = frozenset({Outcome.NO_ANSWER, Outcome.BUSY})

BY_STATUS: Mapping[str, Outcome] = {
    Status.COMPLETED: Outcome.COMPLETED,
    Status.DID_NOT_PICK: Outcome.NO_ANSWER,
    Status.NO_ANSWER: Outcome.NO_ANSWER,
    Status.BUSY: Outcome.BUSY,
    Status.CANCELLED: Outcome.CANCELLED,
}
"The rest failed."

CAN_WORK_LATER = frozenset(
    {
        EndReason.NETWORK_FAILURE,
        EndReason.SIP_TRUNK_UNREACHABLE,
        EndReason.SIP_AUTH_FAILED,
        EndReason.UNKNOWN,
        EndReason.AGENT_UNREACHABLE,
        EndReason.NO_PORT_FREE,
        EndReason.STORE_UNAVAILABLE,
        EndReason.GATEWAY_DRAINED,
        EndReason.GATEWAY_RESTARTED,
        EndReason.INTERNAL_ERROR,
    }
)
"End reasons of failed calls that say nothing of the number."


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often, when and after what a recipient is called again."""

    most: int = 0
    "Calls after the first: 0 to `MOST_RETRIES`."
    seconds: int = 3600
    "From the end of a call to the next."
    growth: float = 1.0
    "What each further wait is longer than the one before: 1.0 the same, 2.0 twice as long."
    outcomes: frozenset[Outcome] = USUALLY

    def wait(self, depth: int) -> timedelta:
        """How long to wait after the call of this depth (0: the first), never over `LONGEST`."""
        return timedelta(seconds=min(self.seconds * self.growth**depth, LONGEST))

    def as_dict(self) -> dict[str, object]:
        """In JSON types, as `of_dict` reads them."""
        outcomes = sorted(self.outcomes)
        return {"most": self.most, "seconds": self.seconds, "growth": self.growth, "outcomes": outcomes}

    @classmethod
    def of_dict(cls, kept: Mapping[str, object]) -> Self:
        """What `as_dict` gave."""
        outcomes = kept["outcomes"]
        assert isinstance(outcomes, list), "as_dict makes a list"
        most, seconds, growth = (float(str(kept[name])) for name in ("most", "seconds", "growth"))
        return cls(int(most), int(seconds), growth, frozenset(map(Outcome, outcomes)))


@dataclass(frozen=True, slots=True)
class Done:
    """The recipient is finished with."""

    outcome: Outcome
    why: str = ""
    "A sentence where the outcome alone does not say why nobody calls again."


@dataclass(frozen=True, slots=True)
class Again:
    """The recipient is called once more."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Expired:
    """One more call was due, and cannot be made in time."""

    why: str
    outcome: Outcome = Outcome.RETRY_EXPIRED


Next = Done | Again | Expired

Opens = Callable[[datetime], datetime | None]
"The first moment from one on at which calling is allowed; None: there is none in time."


def outcome_of(status: str, end_reason: str | None, sip_status: int | None = None) -> Outcome:
    """What a batch counts a call as that ended so; `sip_status` is the trunk's final answer."""
    if end_reason == VOICEMAIL:
        return Outcome.VOICEMAIL
    if sip_status in DECLINES and status != Status.COMPLETED:
        return Outcome.DECLINED
    if status in BY_STATUS:
        return BY_STATUS[status]
    return Outcome.CARRIER_FAILURE if end_reason in CAN_WORK_LATER else Outcome.FAILED


def after(
    status: str,
    end_reason: str | None,
    sip_status: int | None,
    depth: int,
    rule: RetryRule,
    now: datetime,
    ends_at: datetime | None = None,
    calls_today: int = 1,
    most_per_day: int | None = None,
    *,
    tomorrow: datetime | None = None,
    opens: Opens | None = None,
) -> Next:
    """What comes after a call that ended now.

    `depth` is the call's own, 0 for the first; `calls_today` counts it. `tomorrow` is when the next day
    begins where the batch is: from then on a callee who has had all calls of today may be called again.
    `opens` moves the retry into the calling hours.
    """
    outcome = outcome_of(status, end_reason, sip_status)
    if outcome is Outcome.DECLINED:
        return Done(outcome, f"the callee declined with {sip_status}, which asks not to be called again")
    if outcome not in rule.outcomes or depth >= rule.most:
        return Done(outcome)
    at: datetime | None = now + rule.wait(depth)
    assert at is not None, "a wait has an end"
    at = not_before(at, calls_today, most_per_day, tomorrow)
    if at is None:
        return Expired(f"the callee has had all {most_per_day} calls of a day")
    if opens is not None:
        at = opens(at)
    if at is None or (ends_at is not None and at >= ends_at):
        return Expired(_too_late(outcome, ends_at))
    return Again(at)


def not_before(
    at: datetime, calls_today: int, most_per_day: int | None, tomorrow: datetime | None
) -> datetime | None:
    """When somebody who has had so many calls today may be called, not before `at`; None: not any more.

    For a first call as for retries: other batches and single calls may have called before.
    """
    if most_per_day is None or calls_today < most_per_day:
        return at
    return None if tomorrow is None else max(at, tomorrow)


def _too_late(outcome: Outcome, ends_at: datetime | None) -> str:
    end = "" if ends_at is None else f" at {ends_at:%Y-%m-%d %H:%M} UTC"
    return f"a retry after {outcome} was due, and did not come before the batch's end{end}"


MAX, INTERVAL, GROWTH, OUTCOMES = "retry_max", "retry_interval_minutes", "retry_growth", "retry_outcomes"


def read_rule(
    most: object = None, minutes: object = None, growth: object = None, outcomes: object = None
) -> RetryRule:
    """The rule that somebody wrote; nothing at all: no retries. `InvalidInput` names the wrong field."""
    usual = RetryRule()
    return RetryRule(
        int(_number(MAX, most, usual.most, 0, MOST_RETRIES, whole=True)),
        round(_number(INTERVAL, minutes, usual.seconds / 60, SHORTEST / 60, LONGEST / 60) * 60),
        _number(GROWTH, growth, usual.growth, 1.0, MOST_GROWTH),
        _outcomes(outcomes),
    )


def _number(
    field: str, written: object, usual: float, least: float, most: float, *, whole: bool = False
) -> float:
    plain = "" if written is None else str(written).strip()
    if not plain:
        return usual
    right = f"should be a {'whole ' if whole else ''}number from {least:g} to {most:g}"
    if not re.fullmatch(r"\d{1,9}(?:\.0*)?" if whole else r"\d{1,9}(?:\.\d{1,9})?", plain):
        raise InvalidInput(field, plain[:40], right)
    number = float(plain)
    if not least <= number <= most:
        raise InvalidInput(field, plain[:40], right)
    return number


def _outcomes(written: object) -> frozenset[Outcome]:
    given = re.split(r"[,;\s]+", written.strip()) if isinstance(written, str) else written
    if given is None or given == [""]:
        return USUALLY
    if not isinstance(given, Sequence | frozenset | set):
        given = (given,)
    names = [str(name).strip().lower().replace("-", "_") for name in given]
    wrong = [name for name in names if name not in RETRIED]
    if wrong:
        raise InvalidInput(OUTCOMES, wrong[0][:40], f"should be of {', '.join(RETRIED)}")
    return frozenset(map(Outcome, names)) or USUALLY
