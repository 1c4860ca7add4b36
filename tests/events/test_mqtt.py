"""What the gateway says on the broker, without one: topics, states, and the events of calls as messages."""

from datetime import UTC, datetime

import orjson
import pytest

from gateway.events.bus import Event
from gateway.events.mqtt import MAX_EVENT_BYTES, CallEvents, Topics, state

TOPICS = Topics("acme/voice", "gw-1")


def event(name: str, **fields: object) -> Event:
    """An event of a fixed moment."""
    return Event(name, fields, time=datetime(2026, 11, 26, 5, 6, 7, 8000, UTC))


def test_an_event_has_its_topic_and_the_fields_of_the_log() -> None:
    """Workspace, call and event are levels of the topic; the body is what the log line says."""
    told = event("call.answered", call_id="call_1", workspace_id="org_1", codec="PCMU")
    made = CallEvents(TOPICS).publication(told)
    assert made is not None
    assert made.topic == "acme/voice/calls/org_1/call_1/answered"
    assert not made.retain
    assert orjson.loads(made.payload) == {
        "event": "call.answered",
        "time": "2026-11-26T05:06:07.008Z",
        "level": "info",
        "gateway": "gw-1",
        "workspace_id": "org_1",
        "call_id": "call_1",
        "codec": "PCMU",
    }


def test_an_event_of_a_batch_has_its_topic() -> None:
    """Beside those of calls; whatever names no workspace stays in the log."""
    told = event("batch.paused", batch_id="batch_1", workspace_id="org_1", why_code="by_request")
    made = CallEvents(TOPICS).publication(told)
    assert made is not None
    assert made.topic == "acme/voice/batches/org_1/batch_1/paused"
    assert orjson.loads(made.payload)["why_code"] == "by_request"
    for lacking in (
        {"workspace_id": "org_1"},
        {"batch_id": "batch_1"},
        {"batch_id": "batch_1", "workspace_id": "#"},
    ):
        assert CallEvents(TOPICS).publication(event("batch.paused", **lacking)) is None


@pytest.mark.parametrize("name", ["gateway.started", "store.stalled", "agent.connected"])
def test_only_calls_have_events_there(name: str) -> None:
    """What is not about a call stays in the log."""
    assert CallEvents(TOPICS).publication(event(name, call_id="call_1")) is None
    assert CallEvents(TOPICS).publication(event("call.received")) is None


def test_the_workspace_is_remembered_until_the_call_ends() -> None:
    """An inbound call has no workspace before it is routed; from then on its events go there."""
    events = CallEvents(TOPICS)
    told = [
        event("call.received", call_id="call_1"),
        event("call.routed", call_id="call_1", workspace_id="org_1"),
        event("call.crashed", call_id="call_1"),
        event("call.ended", call_id="call_1"),
        event("call.received", call_id="call_1"),
    ]
    made = [events.publication(each) for each in told]
    assert [each.topic.split("/")[3] for each in made if each] == ["-", "org_1", "org_1", "org_1", "-"]


def test_a_mistake_of_ours_goes_out_without_its_traceback() -> None:
    """Tracebacks are for the log alone."""
    told = event("call.crashed", call_id="call_1", exc_info=ValueError("inside"))
    made = CallEvents(TOPICS).publication(told)
    assert made is not None
    assert b"inside" not in made.payload


def test_an_event_that_is_too_long_loses_its_longest_fields() -> None:
    """Brokers bound their messages; the ending is told all the same."""
    told = event(
        "call.ended", call_id="call_1", reason="user_disconnected", decision={"checks": ["x" * 70_000]}
    )
    made = CallEvents(TOPICS).publication(told)
    assert made is not None
    assert len(made.payload) < MAX_EVENT_BYTES
    said = orjson.loads(made.payload)
    assert said["reason"] == "user_disconnected"
    assert "decision" not in said


def test_the_state_is_retained() -> None:
    """Who asks later learns it at once."""
    made = state(TOPICS, "online", version="1")
    assert (made.topic, made.retain) == ("acme/voice/gateways/gw-1/state", True)
    assert orjson.loads(made.payload) == {"state": "online", "gateway": "gw-1", "version": "1"}


@pytest.mark.parametrize(
    ("topic", "workspace"),
    [
        ("acme/voice/requests/org_1/calls", "org_1"),
        ("acme/voice/requests/org 1/calls", None),
        ("acme/voice/requests//calls", None),
        ("acme/voice/requests/a/b/calls", None),
        ("acme/voice/requests/" + "x" * 65 + "/calls", None),
        ("acme/voice/requests/\x00/calls", None),
    ],
)
def test_the_workspace_of_a_request_stands_in_its_topic(topic: str, workspace: str | None) -> None:
    """One level, of the characters that ids have."""
    assert TOPICS.workspace_of(topic) == workspace
