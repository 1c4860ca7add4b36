"""Who is called again, and when."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from gateway.batch.retrying import (
    RETRIED,
    USUALLY,
    Again,
    Done,
    Expired,
    Outcome,
    RetryRule,
    after,
    not_before,
    outcome_of,
    read_rule,
)
from gateway.call.legs.outcome import meaning
from gateway.call.record import EndReason, Status
from gateway.routing.decision import Reason
from gateway.store.engine.errors import InvalidInput

NOW = datetime(2027, 1, 4, 12, tzinfo=UTC)
MIDNIGHT = datetime(2027, 1, 5, tzinfo=UTC)
ALL = RetryRule(4, 600, outcomes=frozenset(RETRIED))


@pytest.mark.parametrize(
    ("sip_status", "outcome"),
    [
        (480, Outcome.NO_ANSWER),
        (408, Outcome.NO_ANSWER),
        (486, Outcome.BUSY),
        (600, Outcome.BUSY),
        (603, Outcome.DECLINED),
        (607, Outcome.DECLINED),
        (608, Outcome.DECLINED),
        (404, Outcome.FAILED),
        (484, Outcome.FAILED),
        (403, Outcome.FAILED),
        (488, Outcome.FAILED),
        (500, Outcome.CARRIER_FAILURE),
        (503, Outcome.CARRIER_FAILURE),
        (401, Outcome.CARRIER_FAILURE),
        (302, Outcome.CARRIER_FAILURE),
    ],
)
def test_outcomes_of_answers(sip_status: int, outcome: Outcome) -> None:
    """From the trunk's final answer, by the table that gives calls their end reasons."""
    status, reason = meaning(sip_status, None)
    assert outcome_of(status, reason, sip_status) is outcome


def test_every_ending_has_an_outcome() -> None:
    """Whatever status and reason a call ends with."""
    for status, reason in product(Status, (*EndReason, *Reason, None, "not yet known")):
        assert isinstance(outcome_of(status, reason), Outcome)
    assert outcome_of(Status.COMPLETED, "voicemail_detected") is Outcome.VOICEMAIL
    assert outcome_of(Status.COMPLETED, EndReason.USER_DISCONNECTED) is Outcome.COMPLETED
    assert outcome_of(Status.CANCELLED, EndReason.ENDED_BY_REQUEST) is Outcome.CANCELLED
    assert outcome_of(Status.FAILED, EndReason.AGENT_FAILED) is Outcome.FAILED


@pytest.mark.parametrize("status", [603, 607, 608])
@pytest.mark.parametrize("call_status", [Status.BUSY, Status.FAILED])
def test_a_decline_is_the_last_call(status: int, call_status: Status) -> None:
    """Whatever the rule says, nobody is called again who asked not to be."""
    result = after(call_status, EndReason.USER_BUSY, status, 0, ALL, NOW)
    assert isinstance(result, Done)
    assert result.outcome is Outcome.DECLINED
    assert str(status) in result.why


@pytest.mark.parametrize("depth", range(5))
def test_at_most_so_many_retries(depth: int) -> None:
    """A rule of two gives two more calls, and the last one's outcome stays."""
    rule = RetryRule(2, 600)
    expected = Again(NOW + timedelta(minutes=10)) if depth < 2 else Done(Outcome.BUSY)
    assert after(Status.BUSY, EndReason.USER_BUSY, 486, depth, rule, NOW) == expected


def test_waits_are_fixed_or_grow() -> None:
    """Twice as long each time, and never over a week."""
    fixed, doubling = RetryRule(4, 600), RetryRule(4, 600, 2.0)
    assert [fixed.wait(depth) for depth in range(4)] == [timedelta(minutes=10)] * 4
    assert [doubling.wait(depth) for depth in range(4)] == [timedelta(minutes=10 * 2**n) for n in range(4)]
    assert RetryRule(4, 7 * 86_400, 10.0).wait(3) == timedelta(days=7)


@pytest.mark.parametrize("outcome", RETRIED)
def test_only_what_was_asked_for_is_retried(outcome: Outcome) -> None:
    """Each of the four by itself; what went well, or cannot work, never."""
    endings = {
        Outcome.NO_ANSWER: (Status.DID_NOT_PICK, EndReason.USER_DID_NOT_PICK_UP),
        Outcome.BUSY: (Status.BUSY, EndReason.USER_BUSY),
        Outcome.VOICEMAIL: (Status.COMPLETED, "voicemail_detected"),
        Outcome.CARRIER_FAILURE: (Status.FAILED, EndReason.SIP_TRUNK_UNREACHABLE),
        Outcome.COMPLETED: (Status.COMPLETED, EndReason.AGENT_DISCONNECTED),
        Outcome.FAILED: (Status.FAILED, EndReason.UNALLOCATED_PHONE_NUMBER),
        Outcome.CANCELLED: (Status.CANCELLED, EndReason.ENDED_BY_REQUEST),
    }
    rule = RetryRule(1, 600, outcomes=frozenset({outcome}))
    for found, (status, reason) in endings.items():
        result = after(status, reason, None, 0, rule, NOW)
        assert result == (Again(NOW + timedelta(minutes=10)) if found is outcome else Done(found))


def test_a_retry_that_comes_too_late_expires() -> None:
    """At the batch's end or later; by its wait, or by the hours."""
    ten = NOW + timedelta(minutes=10)
    busy = (Status.BUSY, EndReason.USER_BUSY, 486, 0, ALL, NOW)
    assert isinstance(after(*busy, ends_at=ten), Expired)
    assert after(*busy, ends_at=ten + timedelta(seconds=1)) == Again(ten)
    assert after(*busy, opens=lambda at: at + timedelta(hours=20)) == Again(ten + timedelta(hours=20))
    closed = after(*busy, ends_at=NOW + timedelta(days=1), opens=lambda _: None)
    assert isinstance(closed, Expired)
    assert closed.outcome is Outcome.RETRY_EXPIRED
    assert "2027-01-05 12:00" in closed.why


def test_calls_of_a_day() -> None:
    """Whoever has had all of today's is called tomorrow, or not any more where there is no tomorrow."""
    busy = (Status.BUSY, EndReason.USER_BUSY, 486, 0, ALL, NOW)
    ten = NOW + timedelta(minutes=10)
    assert after(*busy, calls_today=1, most_per_day=2, tomorrow=MIDNIGHT) == Again(ten)
    assert after(*busy, calls_today=2, most_per_day=2, tomorrow=MIDNIGHT) == Again(MIDNIGHT)
    assert isinstance(after(*busy, calls_today=2, most_per_day=2), Expired)
    assert isinstance(after(*busy, MIDNIGHT, calls_today=2, most_per_day=2, tomorrow=MIDNIGHT), Expired)
    assert not_before(NOW, 0, 1, MIDNIGHT) == NOW
    assert not_before(NOW, 5, None, None) == NOW
    assert not_before(MIDNIGHT + timedelta(hours=1), 1, 1, MIDNIGHT) == MIDNIGHT + timedelta(hours=1)


def test_rules_as_people_write_them() -> None:
    """Text or numbers; nothing at all is no retries."""
    assert read_rule() == RetryRule() == read_rule("", "", "", "")
    assert read_rule("2", "30", "2.0", "busy, no-answer voicemail") == RetryRule(
        2, 1800, 2.0, frozenset({Outcome.BUSY, Outcome.NO_ANSWER, Outcome.VOICEMAIL})
    )
    assert read_rule(4, 1, 1, ["carrier_failure"]) == RetryRule(
        4, 60, 1.0, frozenset({Outcome.CARRIER_FAILURE})
    )
    assert read_rule(1, 1.5, 1.5, []).seconds == 90
    assert read_rule(1).outcomes == USUALLY


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ((5,), "retry_max"),
        ((-1,), "retry_max"),
        (("1.5",), "retry_max"),
        ((True,), "retry_max"),
        (("x" * 10_000,), "retry_max"),
        ((1, 0), "retry_interval_minutes"),
        ((1, 10_081), "retry_interval_minutes"),
        ((1, "nan"), "retry_interval_minutes"),
        ((1, "1e3"), "retry_interval_minutes"),
        ((1, 5, 0.5), "retry_growth"),
        ((1, 5, 11), "retry_growth"),
        ((1, 5, 2, "failed"), "retry_outcomes"),
        ((1, 5, 2, ["declined"]), "retry_outcomes"),
        ((1, 5, 2, {"busy": 1}), "retry_outcomes"),
    ],
)
def test_bad_rules_are_named(values: tuple[object, ...], field: str) -> None:
    """With the field, what was given, and what would be right."""
    with pytest.raises(InvalidInput, match=r": should be ") as refused:
        read_rule(*values)
    assert refused.value.field == field
    assert len(str(refused.value)) < 200


def test_rules_are_kept_as_json() -> None:
    """`of_dict` reads what `as_dict` wrote."""
    assert RetryRule.of_dict(ALL.as_dict()) == ALL
    assert RetryRule.of_dict(RetryRule().as_dict()) == RetryRule()
