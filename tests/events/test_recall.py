"""What is remembered of calls, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.events import recall as recall_module
from gateway.events.bus import Event
from gateway.events.recall import ENDING, KEPT_AFTER, MAX_EVENTS, MOST_ENDED, Recall

T0 = datetime(2026, 3, 4, 5, 6, 7, 89_123, UTC)
AFTER = T0 + timedelta(seconds=5)


def told(name: str, call_id: str = "call_1", at: datetime = T0, **fields: object) -> Event:
    """An event of a call."""
    return Event(name, {"call_id": call_id, **fields}, "info", at)


def ended(recall: Recall, call_id: str = "call_1", at: datetime = T0, **fields: object) -> None:
    """A call begins and ends."""
    recall.hear(told("call.received", call_id, at))
    recall.hear(told(ENDING, call_id, at, **fields))


def test_an_ended_call_is_recalled_as_a_running_one_was() -> None:
    """The same events, times to the microsecond, whatever JSON can say in the fields."""
    recall = Recall()
    events = [
        told("call.received", direction="inbound"),
        told("call.answered", codec=None, seconds=0.25),
        told(ENDING, decision={"checks": [{"found": "ü"}]}, refused=False),
    ]
    recall.hear(events[0])
    recall.hear(events[1])
    assert recall.of("call_1") == (events[0], events[1])
    recall.hear(events[2])
    assert recall.of("call_1") == tuple(events)


def test_a_call_that_did_not_begin_here_is_not_known() -> None:
    """Nor is what happens in no call."""
    recall = Recall()
    recall.hear(told("call.answered"))
    recall.hear(Event("gateway.started", {}))
    assert recall.of("call_1") is None


def test_it_is_forgotten_though_no_other_call_ends() -> None:
    """After its time, and not before."""
    recall = Recall()
    ended(recall)
    recall.forget(T0 + KEPT_AFTER - timedelta(milliseconds=1))
    assert recall.of("call_1") is not None
    recall.forget(T0 + KEPT_AFTER)
    assert recall.of("call_1") is None


def test_a_running_call_is_not_forgotten() -> None:
    """However long it lasts."""
    recall = Recall()
    recall.hear(told("call.received"))
    recall.forget(T0 + 100 * KEPT_AFTER)
    assert recall.of("call_1") is not None


def test_ended_calls_are_bounded_in_number() -> None:
    """The oldest give way, however many end at once."""
    recall = Recall()
    for number in range(MOST_ENDED + 10):
        ended(recall, f"call_{number}")
    assert [recall.of(f"call_{number}") is None for number in (0, 9, 10)] == [True, True, False]


def test_ended_calls_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one call leaves behind may be at the cost of others, and not of the memory."""
    monkeypatch.setattr(recall_module, "MOST_BYTES", 10_000)
    recall = Recall()
    for number in range(20):
        ended(recall, f"call_{number}", detail="x" * 1000)
    kept = [recall.of(f"call_{number}") is not None for number in range(20)]
    assert kept == [False] * 12 + [True] * 8
    ended(recall, "call_big", detail="x" * 20_000)
    assert [recall.of("call_19"), recall.of("call_big")] == [None, None]
    ended(recall, "call_next")
    assert recall.of("call_next") is not None


def test_events_of_one_call_are_bounded_but_for_its_ending() -> None:
    """A call that tells without end is heard live."""
    recall = Recall()
    recall.hear(told("call.received"))
    for _ in range(2 * MAX_EVENTS):
        recall.hear(told("call.dtmf"))
    recall.hear(told(ENDING))
    known = recall.of("call_1")
    assert known is not None
    assert (len(known), known[-1].name) == (MAX_EVENTS + 1, ENDING)


def test_what_no_json_can_say_costs_the_memory_of_its_call_alone() -> None:
    """A sink raises nothing; the record tells of that call."""
    recall = Recall()
    ended(recall, detail="half a pair: \ud800")
    assert recall.of("call_1") is None
    ended(recall, "call_2")
    assert recall.of("call_2") is not None
