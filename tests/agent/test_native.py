"""The native dialect, frame by frame."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.native import AUDIO_FORMATS, NativeDialect
from gateway.agent.notices import (
    Answered,
    BalanceLow,
    Cleared,
    Digit,
    Dropped,
    Held,
    MarkPlayed,
    Misunderstood,
    Quality,
)
from gateway.agent.protocol import (
    AgentEvent,
    Audio,
    CallStart,
    Clear,
    Frame,
    Hangup,
    Malformed,
    Mark,
    SendDigits,
)
from gateway.media.audio import L16_16K, ULAW_8K
from tests.cost import cost


def read(frame: Frame) -> Any:
    text, payload = frame
    assert text
    return json.loads(payload)


@pytest.fixture
def dialect(call: CallStart) -> NativeDialect:
    dialect = NativeDialect(ULAW_8K)
    dialect.start(call)
    return dialect


def say(dialect: NativeDialect, **message: object) -> list[AgentEvent]:
    return list(dialect.receive(True, json.dumps(message).encode()))


def test_start_tells_all_that_is_known(call: CallStart) -> None:
    """One frame holds the version, the call, the numbers, the agent, the audio and the parameters."""
    (start,) = NativeDialect(L16_16K).start(call)
    assert read(start) == {
        "type": "start",
        "version": 1,
        "call_id": "call_8d1f",
        "stream_id": "str_77aa",
        "account_id": "org_demo",
        "direction": "inbound",
        "from": "+442079460018",
        "to": "+14155550100",
        "agent": {"id": "agt_1", "version": 3},
        "audio": {"encoding": "l16", "sample_rate": 16000, "channels": 1, "frame_ms": 20},
        "parameters": {"tier": "gold", "from_number": "spoofed"},
    }


def test_audio_is_bare_both_ways(dialect: NativeDialect) -> None:
    """A binary frame is audio and nothing else."""
    assert dialect.audio(b"\x01" * 160) == (False, b"\x01" * 160)
    for size in (1, 159, 161, 320, 100_000):
        assert list(dialect.receive(False, b"\x7f" * size)) == [Audio(b"\x7f" * size)]
    assert list(dialect.receive(False, b"")) == []


def test_what_the_agent_is_told(dialect: NativeDialect) -> None:
    """Each event of the call has its own message."""
    frames = [
        *dialect.notice(Digit("5", 120)),
        *dialect.notice(MarkPlayed("hello")),
        *dialect.notice(Cleared(["a", "b"], 640)),
        *dialect.notice(Dropped(40)),
        *dialect.notice(Answered()),
        *dialect.notice(Held(True)),
        *dialect.notice(Held(False)),
        *dialect.notice(Quality({"in": {"mos": 4.4}, "out": {}})),
        *dialect.notice(BalanceLow(14.6)),
        *dialect.notice(Misunderstood("no")),
        *dialect.stop("hung_up", "caller"),
    ]
    assert [read(frame) for frame in frames] == [
        {"type": "digit", "digit": "5", "duration_ms": 120},
        {"type": "mark", "name": "hello", "played": True},
        {"type": "mark", "name": "a", "played": False},
        {"type": "mark", "name": "b", "played": False},
        {"type": "cleared", "ms": 640},
        {"type": "dropped", "ms": 40},
        {"type": "answered"},
        {"type": "hold"},
        {"type": "resume"},
        {"type": "quality", "in": {"mos": 4.4}, "out": {}},
        {"type": "balance_low", "seconds": 15},
        {"type": "error", "message": "no"},
        {"type": "stop", "reason": "hung_up", "by": "caller"},
    ]


def test_what_the_agent_can_say(dialect: NativeDialect) -> None:
    """mark, clear, digits and hangup; the reason of a hangup may be left out."""
    assert say(dialect, type="mark", name="q") == [Mark("q")]
    assert say(dialect, type="clear", because="barge-in") == [Clear()]
    assert say(dialect, type="digits", digits="12#*AD") == [SendDigits("12#*AD")]
    assert say(dialect, type="hangup", reason="r" * 500) == [Hangup("r" * 200)]
    assert say(dialect, type="hangup") == [Hangup("")]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "mark"},
        {"type": "mark", "name": 1},
        {"type": "mark", "name": "n" * 1025},
        {"type": "digits", "digits": ""},
        {"type": "digits", "digits": "12 3"},
        {"type": "digits", "digits": "1" * 65},
        {"type": "hangup", "reason": None},
        {"type": "sing"},
        {"type": None},
        {"type": "mark", "name": "x" * 70_000},
    ],
)
def test_what_does_not_fit_is_malformed(dialect: NativeDialect, message: dict[str, object]) -> None:
    """Unknown types, wrong types and sizes out of bounds are one short Malformed event."""
    (event,) = say(dialect, **message)
    assert isinstance(event, Malformed)
    assert 0 < len(event.why) <= 200


def test_unknown_type_is_named_in_the_reason(dialect: NativeDialect) -> None:
    """Whoever mistypes a type reads it back."""
    (event,) = say(dialect, type="marc", name="x")
    assert isinstance(event, Malformed)
    assert "marc" in event.why


def test_errors_are_told_a_hundred_times_and_no_more(dialect: NativeDialect) -> None:
    """An agent in a loop cannot make us flood it."""
    assert sum(len(dialect.notice(Misunderstood("again"))) for _ in range(1000)) == 100


def test_secret_is_a_bearer_token() -> None:
    """The upgrade carries the secret where there is one, and offers the versioned subprotocol."""
    dialect = NativeDialect(ULAW_8K, "s3cret")
    assert dialect.headers("wss://x") == [("Authorization", "Bearer s3cret")]
    assert NativeDialect(ULAW_8K).headers("wss://x") == []
    assert dialect.subprotocols == ("trunkline.v1",)


def test_each_named_format_is_live_audio() -> None:
    """The names that a version may give are whole kilohertz, so that frames are exact."""
    assert {name: form.bytes_per_ms * 20 for name, form in AUDIO_FORMATS.items()} == {
        "ulaw_8k": 160,
        "l16_8k": 320,
        "l16_16k": 640,
    }


@given(st.binary(max_size=300))
def test_no_bytes_raise(payload: bytes) -> None:
    """Whatever a text message holds, `receive` returns one event."""
    assert len(NativeDialect(ULAW_8K).receive(True, payload)) == 1


@pytest.mark.parametrize(
    "payload", [b"[" * 65_000, b'{"type":"clear","x":' + b'{"a":' * 13_000, b"\xff" * 65_000]
)
def test_worst_input_is_refused_quickly(dialect: NativeDialect, payload: bytes) -> None:
    """64 kB of anything is refused within five milliseconds."""
    assert isinstance(dialect.receive(True, payload)[0], Malformed)
    assert cost(lambda: dialect.receive(True, payload)) < 5
