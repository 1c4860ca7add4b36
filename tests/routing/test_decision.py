"""Decisions as values, and what may be seen of secrets."""

import json

import pytest

from gateway.routing.decision import Check, Reason, ReasonGroup, Rejected, Trail
from gateway.routing.table import AgentVersion, Secret, Trunk


def test_every_reason_has_a_group() -> None:
    """So that whoever answers a peer never meets a reason that it cannot place."""
    assert {reason.group for reason in Reason} == set(ReasonGroup)


def test_a_trail_becomes_a_decision() -> None:
    """The checks in their order, then the near misses, then the verdict."""
    trail = Trail()
    trail.passed("format", "+1", "fine")
    trail.granted("country", "China", "not asked: SIP trunk")
    trail.noted("caller", "anonymous", "withheld")
    trail.near(["another was meant"])
    rejected = trail.refused(Reason.UNKNOWN_NUMBER, "number", "+1", "not here", message="Not found")
    assert rejected.decision.lines() == [
        "✓ format: +1 → fine",
        "◆ country: China → not asked: SIP trunk",
        "· caller: anonymous → withheld",
        "✗ number: +1 → not here",
        "? another was meant",
        "= refused (unknown_number): not here",
    ]
    assert (rejected.message, rejected.reason, rejected.retry_after) == (
        "Not found",
        Reason.UNKNOWN_NUMBER,
        None,
    )
    assert str(rejected) == "unknown_number: Not found"


def test_a_decision_is_json() -> None:
    """For the record, the log and the API: nothing but JSON's own types, and nothing lost."""
    trail = Trail()
    trail.passed("format", "+1", "fine")
    decision = trail.decided("goes on")
    assert json.loads(json.dumps(decision.as_dict())) == {
        "allowed": True,
        "reason": None,
        "summary": "goes on",
        "checks": [{"name": "format", "looked_at": "+1", "found": "fine", "outcome": "pass"}],
        "near_misses": [],
    }


def test_an_allowed_decision_rejects_nothing() -> None:
    """A rejection without a reason is a mistake of ours."""
    with pytest.raises(AssertionError):
        Rejected(Trail().decided("fine"))


def test_a_check_shows_strangers_values_short_and_printable() -> None:
    """What is looked at may come from anybody."""
    trail = Trail()
    trail.passed("number", "\x1b[31m" + "5" * 1000, "odd")
    assert len(trail.checks[0].looked_at) == 80
    assert trail.checks[0].looked_at.isprintable()
    assert str(Check("a", "b", "c")) == "✓ a: b → c"


def test_secrets_are_in_no_repr() -> None:
    """Neither a trunk nor a version shows what it signs in with, however it is printed."""
    secret = Secret("hunter2")
    trunk = Trunk("trunk_1", None, "Carrier", username="alice", password=secret, outbound_password=secret)
    version = AgentVersion("ver_1", "agent_1", 1, headers=(("Authorization", "hunter2"),), secret=secret)
    for shown in (repr(trunk), repr(version), str(secret), f"{secret}", repr([secret])):
        assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")
    assert len({secret, Secret("hunter2"), Secret("other")}) == 2
    assert not Secret("")
