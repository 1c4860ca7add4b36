"""How many calls at once, and how many new ones a second: counters that every call takes and gives back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil
from typing import Literal, Self

from gateway.routing.decision import Check, Decision, Reason, Rejected
from gateway.routing.table import PhoneNumber, Trunk, Workspace

CHANNEL_RETRY_SECONDS = 5.0
"When to try again where all channels are taken: no call says when it ends, but some always do."

_ROUNDING = 1e-6
"Seconds; sums of fractions of a second are not exact."

INBOUND_BURST_SECONDS = 1.0
"How much of a second's new calls may come in at the same moment; outbound calls are spread evenly instead."


class Scope(StrEnum):
    """What calls at once are counted for."""

    WORKSPACE = "workspace"
    NUMBER = "number"
    TRUNK = "trunk"
    WEB = "web call"
    "All web calls of this gateway."
    WEB_OF_WORKSPACE = "workspace's web call"
    "Those of one workspace, so that no tenant has them all."


_REASONS = {
    Scope.WORKSPACE: Reason.WORKSPACE_CONCURRENCY_LIMIT,
    Scope.NUMBER: Reason.NUMBER_CHANNEL_LIMIT,
    Scope.TRUNK: Reason.TRUNK_CHANNEL_LIMIT,
    Scope.WEB: Reason.WEB_CALL_LIMIT,
    Scope.WEB_OF_WORKSPACE: Reason.WEB_CALL_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One counter that a call needs a place in."""

    scope: Scope
    id: str
    limit: int | None
    "None: counted, but without a limit."
    name: str = ""
    "As people know it."

    @property
    def named(self) -> str:
        """The name first, where there is one."""
        return f"{self.name} ({self.id})" if self.name else self.id


def claims_of(workspace: Workspace, number: PhoneNumber, trunk: Trunk) -> tuple[Claim, ...]:
    """The places that a call of this workspace, number and trunk needs."""
    return (
        Claim(Scope.WORKSPACE, workspace.id, workspace.concurrency_limit, f"“{workspace.name}”"),
        Claim(Scope.NUMBER, number.id, number.channel_limit, number.e164),
        Claim(Scope.TRUNK, trunk.id, trunk.channel_limit, f"“{trunk.name}”"),
    )


def claims_of_web_call(
    workspace: Workspace, most: int, most_of_workspace: int | None = None
) -> tuple[Claim, ...]:
    """The places that a web call needs: its workspace's, and one of those that this gateway has for them."""
    return (
        Claim(Scope.WEB_OF_WORKSPACE, workspace.id, most_of_workspace, f"“{workspace.name}”"),
        Claim(Scope.WORKSPACE, workspace.id, workspace.concurrency_limit, f"“{workspace.name}”"),
        Claim(Scope.WEB, "this gateway", most),
    )


def leaving_free(claims: Sequence[Claim], share: float) -> tuple[Claim, ...]:
    """The same places, but of each limit such a share stays free for others: at least one of two and more."""
    if not share:
        return tuple(claims)
    return tuple(
        claim
        if claim.limit is None or claim.limit < 2
        else replace(claim, limit=max(1, claim.limit - max(1, ceil(claim.limit * share))))
        for claim in claims
    )


def slower(trunk: Trunk, share: float) -> Trunk:
    """The trunk at a pace that leaves such a share of its calls per second to others."""
    if not share or trunk.calls_per_second is None:
        return trunk
    return replace(trunk, calls_per_second=trunk.calls_per_second * (1.0 - share))


class Lease:
    """A call's places, from its first ringing on; given back exactly once, however often it is released.

    A context manager, so that no path out of a call can forget it.
    """

    __slots__ = ("_claims", "_give_back", "decision", "wait")

    def __init__(
        self,
        give_back: Callable[[Sequence[Claim]], None],
        claims: Sequence[Claim],
        decision: Decision,
        wait: float,
    ) -> None:
        self._give_back = give_back
        self._claims = tuple(claims)
        self.decision = decision
        "The call's decision, with the limits that were looked at."
        self.wait = wait
        "Seconds to wait before dialling, so that the trunk's calls per second hold; 0.0 for inbound calls."

    def release(self) -> None:
        """Give the places back."""
        claims, self._claims = self._claims, ()
        self._give_back(claims)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Limits:
    """The places taken and the pace of every trunk, for one gateway process."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[Scope, str]] = Counter()
        self._due: dict[str, float] = {}
        "When the next call of a trunk is due if all came evenly: one float is the whole token bucket."

    def taken(self, scope: Scope, id: str) -> int:  # noqa: A002 - the values call it id, too
        """How many calls hold a place now, ringing ones too."""
        return self._taken[scope, id]

    def take(
        self,
        claims: Sequence[Claim],
        trunk: Trunk | None,
        decision: Decision,
        now: float,
        *,
        burst_seconds: float = INBOUND_BURST_SECONDS,
        patience: float = 0.0,
    ) -> Lease:
        """Take all places or none; raises Rejected with `retry_after` when one is not free.

        A call that comes too soon for the trunk's calls per second is refused, unless it would only have to
        wait for up to `patience` seconds: then its lease says how long. A web call has no trunk.
        """
        checks = [self._check_channels(claim, decision) for claim in claims]
        wait = self._check_rate(trunk, decision, now, burst_seconds, patience)
        if trunk is not None and trunk.calls_per_second is not None:
            self._due[trunk.id] = max(self._due.get(trunk.id, now), now) + 1.0 / trunk.calls_per_second
            checks.append(_rate_check(trunk, f"to dial in {wait:.1f} s" if wait else "at once"))
        self._taken.update((claim.scope, claim.id) for claim in claims)
        return Lease(self.give_back, claims, replace(decision, checks=(*decision.checks, *checks)), wait)

    def give_back(self, claims: Sequence[Claim]) -> None:
        """Free the places of a lease; only the lease calls this."""
        for claim in claims:
            key = (claim.scope, claim.id)
            self._taken[key] -= 1
            assert self._taken[key] >= 0, f"{claim} given back twice"
            if not self._taken[key]:
                del self._taken[key]

    def _check_channels(self, claim: Claim, decision: Decision) -> Check:
        taken = self._taken[claim.scope, claim.id]
        name = f"{claim.scope.value} channels"
        if claim.limit is not None and taken >= claim.limit:
            check = Check(name, claim.named, f"all {claim.limit} are taken", "fail")
            raise _full(decision, _REASONS[claim.scope], check, CHANNEL_RETRY_SECONDS)
        limit = "no limit" if claim.limit is None else f"limit {claim.limit}"
        return Check(name, claim.named, f"{taken} taken, {limit}")

    def _check_rate(
        self, trunk: Trunk | None, decision: Decision, now: float, burst_seconds: float, patience: float
    ) -> float:
        """Seconds to wait for the trunk's pace (the generic cell rate algorithm, ITU-T I.371)."""
        if trunk is None or trunk.calls_per_second is None:
            return 0.0
        ahead = max(0.0, burst_seconds - 1.0 / trunk.calls_per_second)
        wait = max(0.0, self._due.get(trunk.id, now) - ahead - now)
        if wait > patience + _ROUNDING:
            check = _rate_check(trunk, f"the next call is due in {wait:.1f} s", "fail")
            raise _full(decision, Reason.TRUNK_RATE_LIMIT, check, wait)
        return wait


def _rate_check(trunk: Trunk, found: str, outcome: Literal["pass", "fail"] = "pass") -> Check:
    looked_at = f"“{trunk.name}” ({trunk.id})"
    return Check(
        "trunk calls per second", looked_at, f"{trunk.calls_per_second:g} a second, {found}", outcome
    )


def _full(decision: Decision, reason: Reason, check: Check, retry_after: float) -> Rejected:
    summary = f"{check.name} of {check.looked_at}: {check.found}"
    refused = replace(decision, checks=(*decision.checks, check), reason=reason, summary=summary)
    return Rejected(refused, retry_after=retry_after)
