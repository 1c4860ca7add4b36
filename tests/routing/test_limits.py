"""Channels and calls per second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.decision import Decision, Reason, Rejected
from gateway.routing.limits import Claim, Lease, Limits, Scope, claims_of, leaving_free, slower
from gateway.routing.table import PhoneNumber, Trunk, Workspace

ROUTED = Decision((), None, "routed")

LIMITED = (
    Claim(Scope.WORKSPACE, "org_1", 3),
    Claim(Scope.NUMBER, "phn_1", 2),
    Claim(Scope.TRUNK, "trunk_1", 1),
)


def take(limits: Limits, trunk: Trunk, *claims: Claim, now: float = 0.0, patience: float = 0.0) -> Lease:
    """A lease on these places at this time."""
    return limits.take(claims, trunk, ROUTED, now, patience=patience)


def paced(trunk: Trunk, rate: float) -> Trunk:
    """The trunk with a limit on its calls per second."""
    return replace(trunk, calls_per_second=rate)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (LIMITED[0], Reason.WORKSPACE_CONCURRENCY_LIMIT),
        (LIMITED[1], Reason.NUMBER_CHANNEL_LIMIT),
        (LIMITED[2], Reason.TRUNK_CHANNEL_LIMIT),
    ],
)
def test_each_scope_refuses_beyond_its_limit(trunk: Trunk, claim: Claim, reason: Reason) -> None:
    """As many calls as the limit says, then a refusal that says when to try again."""
    limits = Limits()
    assert claim.limit is not None
    for _ in range(claim.limit):
        take(limits, trunk, claim)
    with pytest.raises(Rejected) as caught:
        take(limits, trunk, claim)
    assert caught.value.reason is reason
    assert caught.value.retry_after is not None
    assert "are taken" in caught.value.message


def test_a_refused_call_takes_nothing(trunk: Trunk) -> None:
    """All places or none: the counters before the full one are left as they were."""
    limits = Limits()
    take(limits, trunk, *LIMITED)
    with pytest.raises(Rejected):
        take(limits, trunk, *LIMITED)
    assert [limits.taken(claim.scope, claim.id) for claim in LIMITED] == [1, 1, 1]


def test_a_lease_is_given_back_once(trunk: Trunk) -> None:
    """Releasing again, inside and after the context, changes nothing."""
    limits = Limits()
    other = take(limits, trunk, LIMITED[0])
    with take(limits, trunk, LIMITED[0]) as lease:
        assert limits.taken(Scope.WORKSPACE, "org_1") == 2
        lease.release()
    lease.release()
    assert limits.taken(Scope.WORKSPACE, "org_1") == 1
    other.release()
    assert limits.taken(Scope.WORKSPACE, "org_1") == 0


def test_places_are_given_back_when_a_call_fails(trunk: Trunk) -> None:
    """An exception on the way out releases like any other end."""
    limits = Limits()
    with pytest.raises(RuntimeError), take(limits, trunk, *LIMITED):
        raise RuntimeError
    assert limits.taken(Scope.TRUNK, "trunk_1") == 0


def test_the_lease_explains_itself(trunk: Trunk) -> None:
    """The decision goes on with what was counted."""
    lease = take(Limits(), paced(trunk, 10), *LIMITED)
    assert [str(check) for check in lease.decision.checks] == [
        "✓ workspace channels: org_1 → 0 taken, limit 3",
        "✓ number channels: phn_1 → 0 taken, limit 2",
        "✓ trunk channels: trunk_1 → 0 taken, limit 1",
        "✓ trunk calls per second: “Carrier” (trunk_1) → 10 a second, at once",
    ]


def test_a_burst_of_one_second_passes_then_the_pace_holds(trunk: Trunk) -> None:
    """Ten a second: ten at once, and from then on one each tenth of a second."""
    limits, trunk = Limits(), paced(trunk, 10)
    for _ in range(10):
        take(limits, trunk)
    with pytest.raises(Rejected) as caught:
        take(limits, trunk)
    assert caught.value.reason is Reason.TRUNK_RATE_LIMIT
    assert caught.value.retry_after == pytest.approx(0.1)
    take(limits, trunk, now=0.11)


def test_a_patient_call_waits_for_its_turn(trunk: Trunk) -> None:
    """Within its patience a call is told when to dial instead of being refused."""
    limits, trunk = Limits(), paced(trunk, 2)
    waits = [limits.take((), trunk, ROUTED, 0.0, burst_seconds=0.0, patience=1.0).wait for _ in range(3)]
    assert waits == [0.0, 0.5, 1.0]
    with pytest.raises(Rejected):
        limits.take((), trunk, ROUTED, 0.0, burst_seconds=0.0, patience=1.0)


def test_a_slow_trunk_takes_one_call_at_a_time(trunk: Trunk) -> None:
    """Half a call a second is one every two seconds."""
    limits, trunk = Limits(), paced(trunk, 0.5)
    take(limits, trunk)
    with pytest.raises(Rejected) as caught:
        take(limits, trunk, now=1.0)
    assert caught.value.retry_after == pytest.approx(1.0)
    take(limits, trunk, now=2.0)


def test_the_claims_of_a_call_are_its_workspace_number_and_trunk(
    workspace: Workspace, number: PhoneNumber, trunk: Trunk
) -> None:
    """Each with its own limit."""
    claims = claims_of(
        replace(workspace, concurrency_limit=5),
        replace(number, channel_limit=2),
        replace(trunk, channel_limit=30),
    )
    assert [(claim.scope.value, claim.id, claim.limit) for claim in claims] == [
        ("workspace", "org_1", 5),
        ("number", "phn_1", 2),
        ("trunk", "trunk_1", 30),
    ]


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200), st.sampled_from([1.0, 3.0, 10.0, 50.0]))
def test_never_more_calls_in_a_second_than_twice_the_rate(gaps: list[float], rate: float) -> None:
    """A full second of burst beside a second at the pace is the most that any second can hold."""
    limits, trunk = Limits(), Trunk("trunk_1", None, "Carrier", calls_per_second=rate)
    now, admitted = 0.0, []
    for gap in gaps:
        now += gap
        try:
            take(limits, trunk, now=now)
        except Rejected:
            continue
        admitted.append(now)
    for start in admitted:
        assert sum(start <= at < start + 1.0 for at in admitted) <= 2 * rate


@pytest.mark.parametrize(
    ("limit", "share", "left"),
    [
        (None, 0.1, None),
        (1, 0.1, 1),
        (2, 0.1, 1),
        (10, 0.1, 9),
        (30, 0.1, 27),
        (25, 0.1, 22),
        (10, 0.0, 10),
        (2, 0.9, 1),
    ],
)
def test_a_share_of_places_is_left_to_others(limit: int | None, share: float, left: int | None) -> None:
    """At least one of two and more; whoever leaves none, or has a single place, has them all."""
    (claim,) = leaving_free((Claim(Scope.TRUNK, "trunk_1", limit),), share)
    assert claim.limit == left


def test_who_leaves_a_share_waits_longer_and_others_do_not(trunk: Trunk) -> None:
    """A batch has nine of ten calls a second, so that a single call finds room between them."""
    limits, fast = Limits(), paced(trunk, 10.0)
    take(limits, slower(fast, 0.1), now=0.0)
    with pytest.raises(Rejected) as caught:
        limits.take((), slower(fast, 0.1), ROUTED, 0.1, burst_seconds=0.0)
    assert caught.value.retry_after == pytest.approx(1 / 9 - 0.1)
    assert slower(fast, 0.0) is fast
    assert slower(trunk, 0.5) is trunk
