"""Decisions as values: what was looked at, what was found, and why the answer is what it is.

The same `Decision` goes to the call's record, the log line, the API and `gateway explain`, so its wording is
meant for a person who has never seen the code.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Outcome = Literal["pass", "fail", "grant", "note"]
"`pass` and `fail` are rules, `grant` is a rule set aside (it says by what), `note` decides nothing."

Told = str | Callable[[str | None], str]
"What was found; or a function, asked for it by the workspace whose call it is (None: the operator)."

MAX_SHOWN = 80
"Characters of a value that a check shows: what strangers send can be long."

_MARKS: dict[Outcome, str] = {"pass": "✓", "fail": "✗", "grant": "◆", "note": "·"}


class ReasonGroup(StrEnum):
    """What kind of refusal a reason is; whoever answers the peer turns reasons and groups into codes."""

    SOURCE = "source"
    "We do not talk to this address at all."
    CREDENTIALS = "credentials"
    "The peer has to prove, or failed to prove, who it is."
    FORMAT = "format"
    "The number, or another argument, makes no sense."
    NOT_FOUND = "not_found"
    "It makes sense, but there is no such thing here."
    CONFIGURATION = "configuration"
    "It exists, but is not set up, or not any more, to take or to place calls."
    POLICY = "policy"
    "A rule of the workspace, or of the gateway, forbids it."
    PAYMENT = "payment"
    "The wallet does not cover it."
    CAPACITY = "capacity"
    "A limit is reached; the same request can work later."


class Reason(StrEnum):
    """Why a call was refused: one value a cause, never reused for another."""

    # who is calling in
    UNKNOWN_SOURCE = "unknown_source"
    TRUNK_DISABLED = "trunk_disabled"
    CREDENTIALS_REQUIRED = "credentials_required"
    BAD_CREDENTIALS = "bad_credentials"
    STALE_CREDENTIALS = "stale_credentials"
    # the dialled number
    MALFORMED_NUMBER = "malformed_number"
    UNKNOWN_NUMBER = "unknown_number"
    NUMBER_ON_OTHER_TRUNK = "number_on_other_trunk"
    NUMBER_IN_OTHER_WORKSPACE = "number_in_other_workspace"
    NUMBER_NOT_ACTIVE = "number_not_active"
    RENTAL_EXPIRED = "rental_expired"
    RENTAL_NOT_TAKEN = "rental_not_taken"
    # what answers
    NO_INBOUND_VERSION = "no_inbound_version"
    VERSION_MISSING = "version_missing"
    VERSION_NOT_PUBLISHED = "version_not_published"
    AGENT_MISSING = "agent_missing"
    # limits
    WORKSPACE_CONCURRENCY_LIMIT = "workspace_concurrency_limit"
    NUMBER_CHANNEL_LIMIT = "number_channel_limit"
    TRUNK_CHANNEL_LIMIT = "trunk_channel_limit"
    TRUNK_RATE_LIMIT = "trunk_rate_limit"
    WEB_CALL_LIMIT = "web_call_limit"
    # where an outbound call may go
    DESTINATION_MISSING = "destination_missing"
    DESTINATION_UNPARSEABLE = "destination_unparseable"
    DESTINATION_IMPOSSIBLE = "destination_impossible"
    DESTINATION_EMERGENCY = "destination_emergency"
    DESTINATION_SHORT_CODE = "destination_short_code"
    KYC_NOT_VERIFIED = "kyc_not_verified"
    NO_ENABLED_COUNTRIES = "no_enabled_countries"
    COUNTRY_NOT_ENABLED = "country_not_enabled"
    PREFIX_NOT_ENABLED = "prefix_not_enabled"
    DESTINATION_PREMIUM = "destination_premium"
    DESTINATION_SATELLITE = "destination_satellite"
    DESTINATION_SHARED_COST = "destination_shared_cost"
    DO_NOT_CALL = "do_not_call"
    # what an outbound call goes out with
    FROM_NUMBER_MISSING = "from_number_missing"
    FROM_NUMBER_UNKNOWN = "from_number_unknown"
    FROM_NUMBER_OF_OTHER_AGENT = "from_number_of_other_agent"
    CALLER_ID_NOT_ALLOWED = "caller_id_not_allowed"
    NO_OUTBOUND_VERSION = "no_outbound_version"
    NO_OUTBOUND_NUMBER = "no_outbound_number"
    NO_OUTBOUND_TRUNK = "no_outbound_trunk"
    NO_RATE = "no_rate"
    INSUFFICIENT_BALANCE = "insufficient_balance"

    @property
    def group(self) -> ReasonGroup:
        """The kind of refusal this is."""
        return _GROUPS[self]


_MEMBERS: dict[ReasonGroup, tuple[Reason, ...]] = {
    ReasonGroup.SOURCE: (
        Reason.UNKNOWN_SOURCE,
        Reason.TRUNK_DISABLED,
    ),
    ReasonGroup.CREDENTIALS: (
        Reason.CREDENTIALS_REQUIRED,
        Reason.BAD_CREDENTIALS,
        Reason.STALE_CREDENTIALS,
    ),
    ReasonGroup.FORMAT: (
        Reason.MALFORMED_NUMBER,
        Reason.DESTINATION_MISSING,
        Reason.DESTINATION_UNPARSEABLE,
        Reason.DESTINATION_IMPOSSIBLE,
        Reason.DESTINATION_EMERGENCY,
        Reason.DESTINATION_SHORT_CODE,
        Reason.FROM_NUMBER_UNKNOWN,
    ),
    ReasonGroup.NOT_FOUND: (
        Reason.UNKNOWN_NUMBER,
        Reason.NUMBER_ON_OTHER_TRUNK,
        Reason.NUMBER_IN_OTHER_WORKSPACE,
        Reason.VERSION_MISSING,
        Reason.AGENT_MISSING,
    ),
    ReasonGroup.CONFIGURATION: (
        Reason.NUMBER_NOT_ACTIVE,
        Reason.RENTAL_EXPIRED,
        Reason.RENTAL_NOT_TAKEN,
        Reason.NO_INBOUND_VERSION,
        Reason.VERSION_NOT_PUBLISHED,
        Reason.FROM_NUMBER_MISSING,
        Reason.FROM_NUMBER_OF_OTHER_AGENT,
        Reason.NO_OUTBOUND_VERSION,
        Reason.NO_OUTBOUND_NUMBER,
        Reason.NO_OUTBOUND_TRUNK,
    ),
    ReasonGroup.CAPACITY: (
        Reason.WORKSPACE_CONCURRENCY_LIMIT,
        Reason.NUMBER_CHANNEL_LIMIT,
        Reason.TRUNK_CHANNEL_LIMIT,
        Reason.TRUNK_RATE_LIMIT,
        Reason.WEB_CALL_LIMIT,
    ),
    ReasonGroup.POLICY: (
        Reason.KYC_NOT_VERIFIED,
        Reason.NO_ENABLED_COUNTRIES,
        Reason.COUNTRY_NOT_ENABLED,
        Reason.PREFIX_NOT_ENABLED,
        Reason.DESTINATION_PREMIUM,
        Reason.DESTINATION_SATELLITE,
        Reason.DESTINATION_SHARED_COST,
        Reason.DO_NOT_CALL,
        Reason.CALLER_ID_NOT_ALLOWED,
        Reason.NO_RATE,
    ),
    ReasonGroup.PAYMENT: (Reason.INSUFFICIENT_BALANCE,),
}
_GROUPS = {reason: group for group, reasons in _MEMBERS.items() for reason in reasons}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a decision, or a test of a connection, looked at."""

    name: str
    "What the check is about, for a person: `source address`, `rental`, `destination country`."
    looked_at: str
    "The value that was examined, as it came."
    found: str
    "What that turned out to be."
    outcome: Outcome = "pass"
    mend: str = ""
    "What to do about it; empty where nothing needs doing, or the decision's reason says what."

    def __str__(self) -> str:
        """The check on one line, as `gateway explain` prints it."""
        mend = f" – {self.mend}" if self.mend else ""
        return f"{_MARKS[self.outcome]} {self.name}: {self.looked_at} → {self.found}{mend}"

    def as_dict(self) -> dict[str, str]:
        """The check in JSON types, without what to do about it."""
        return {"name": self.name, "looked_at": self.looked_at, "found": self.found, "outcome": self.outcome}


@dataclass(frozen=True, slots=True)
class Decision:
    """The ordered checks of one routing decision, and what came of them."""

    checks: tuple[Check, ...]
    reason: Reason | None
    "None: the call may go on."
    summary: str
    "One sentence: what was decided, or why not."
    near_misses: tuple[str, ...] = ()
    "What almost fitted, and what keeps it from fitting: where to look first."

    @property
    def allowed(self) -> bool:
        """True when nothing refused."""
        return self.reason is None

    def as_dict(self) -> dict[str, object]:
        """The decision in JSON types, for the record, the log and the API."""
        return {
            "allowed": self.allowed,
            "reason": None if self.reason is None else self.reason.value,
            "summary": self.summary,
            "checks": [check.as_dict() for check in self.checks],
            "near_misses": list(self.near_misses),
        }

    def lines(self) -> list[str]:
        """The decision for a terminal: one line a check, then the near misses, then the verdict."""
        verdict = "allowed" if self.reason is None else f"refused ({self.reason.value})"
        near = [f"? {miss}" for miss in self.near_misses]
        return [*map(str, self.checks), *near, f"= {verdict}: {self.summary}"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose call it was that was refused, as far as that was found out; ids, None where it was not."""

    workspace_id: str | None = None
    trunk_id: str | None = None
    number_id: str | None = None


class Rejected(Exception):
    """A call is refused by policy; carries the whole decision.

    Raised where the refusal is known, answered in one place a protocol.
    """

    def __init__(
        self,
        decision: Decision,
        *,
        message: str | None = None,
        retry_after: float | None = None,
        subject: Subject = Subject(),
    ) -> None:
        assert decision.reason is not None, "a rejection without a reason"
        self.reason: Reason = decision.reason
        self.decision = decision
        self.message = decision.summary if message is None else message
        "The text for whoever asked; the summary may say more, to the owner."
        self.retry_after = retry_after
        "Seconds after which the same request may work; None where time does not help."
        self.subject = subject
        "So that the owner finds the refused call among the own ones."
        super().__init__(f"{self.reason.value}: {self.message}")


@dataclass(slots=True)
class Trail:
    """The checks of a decision while it is being made."""

    checks: list[Check] = field(default_factory=list)
    near_misses: list[str] = field(default_factory=list)
    subject: Subject = Subject()
    "Whose call it is, as far as is known by now: who reads the decision."
    _late: dict[int, Callable[[str | None], str]] = field(default_factory=dict)
    "What checks have found, where that depends on who reads it."

    def passed(self, name: str, looked_at: object, found: Told) -> None:
        """A rule held."""
        self._add(name, looked_at, found, "pass")

    def granted(self, name: str, looked_at: object, source: str) -> None:
        """A rule was set aside; `source` says by what."""
        self._add(name, looked_at, source, "grant")

    def noted(self, name: str, looked_at: object, found: str) -> None:
        """Worth knowing, decides nothing."""
        self._add(name, looked_at, found, "note")

    def _add(self, name: str, looked_at: object, found: Told, outcome: Outcome) -> None:
        if not isinstance(found, str):
            self._late[len(self.checks)] = found
        self.checks.append(Check(name, _shown(looked_at), self.told(found), outcome))

    def told(self, found: Told) -> str:
        """What it says to whoever reads the decision, as far as that is known by now."""
        return found if isinstance(found, str) else found(self.subject.workspace_id)

    def _finished(self) -> tuple[Check, ...]:
        for index, found in self._late.items():
            check = self.checks[index]
            self.checks[index] = Check(check.name, check.looked_at, self.told(found), check.outcome)
        return tuple(self.checks)

    def near(self, misses: Iterable[str]) -> None:
        """Remember what almost fitted."""
        self.near_misses.extend(misses)

    def decided(self, summary: str) -> Decision:
        """The finished decision, in favour."""
        return Decision(self._finished(), None, summary, tuple(self.near_misses))

    def refused(
        self,
        reason: Reason,
        name: str,
        looked_at: object,
        found: Told,
        *,
        summary: str = "",
        message: str = "",
    ) -> Rejected:
        """The exception to raise: the rule `name` failed on `looked_at`, because of `found`.

        `summary` is the verdict's sentence and `message` what the requester is told; both default to `found`.
        """
        self._add(name, looked_at, found, "fail")
        decision = Decision(self._finished(), reason, summary or self.told(found), tuple(self.near_misses))
        return Rejected(decision, message=message or None, subject=self.subject)


class LastWord(Trail):
    """A trail of what refused alone: for whoever decides by the hundred thousand and shows no checks.

    Good until the first refusal.
    """

    __slots__ = ()

    def passed(self, name: str, looked_at: object, found: Told) -> None:
        """Not kept."""

    def granted(self, name: str, looked_at: object, source: str) -> None:
        """Not kept."""

    def noted(self, name: str, looked_at: object, found: str) -> None:
        """Not kept."""


def _shown(value: object) -> str:
    """A value of a stranger's as it may stand in a record and on a terminal: short, and printable."""
    text = str(value)[:MAX_SHOWN]
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )
