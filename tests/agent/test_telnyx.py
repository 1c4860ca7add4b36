"""The telnyx dialect, frame by frame."""

import re
import uuid

import pytest

from gateway.agent.notices import Cleared, Digit, Dropped, Held, MarkPlayed, Misunderstood
from gateway.agent.protocol import Audio, CallStart, Clear, Mark
from gateway.agent.telnyx import AUDIO_FORMATS, TelnyxDialect
from tests.agent.frames import in_base64, read, say, why


@pytest.fixture
def dialect(call: CallStart) -> TelnyxDialect:
    dialect = TelnyxDialect()
    dialect.start(call)
    return dialect


def test_stream_opens_with_connected_and_start(call: CallStart) -> None:
    """The first two frames are Telnyx's: what counts is a string, what describes the audio is not."""
    connected, start = map(read, TelnyxDialect().start(call))
    assert connected == {"event": "connected", "version": "1.0.0"}
    body = start["start"]
    assert start == {"event": "start", "sequence_number": "1", "stream_id": start["stream_id"], "start": body}
    assert body == {
        "user_id": body["user_id"],
        "call_control_id": body["call_control_id"],
        "call_session_id": body["call_session_id"],
        "from": "+442079460018",
        "to": "+14155550100",
        "tags": [],
        "client_state": None,
        "custom_parameters": {"tier": "gold", "from_number": "spoofed"},
        "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
    }
    assert re.fullmatch(r"v3:[A-Za-z0-9_-]{43}", body["call_control_id"])
    for each in (start["stream_id"], body["user_id"], body["call_session_id"]):
        assert uuid.UUID(each).version == 4


@pytest.mark.parametrize(
    ("name", "encoding", "rate"),
    [
        ("ulaw_8k", "PCMU", 8000),
        ("alaw_8k", "PCMA", 8000),
        ("l16_8k", "L16", 8000),
        ("l16_16k", "L16", 16000),
    ],
)
def test_each_format_is_named_and_timed(call: CallStart, name: str, encoding: str, rate: int) -> None:
    """`media_format` says which it is, and the timestamps are milliseconds in all of them."""
    dialect = TelnyxDialect(AUDIO_FORMATS[name])
    described = read(dialect.start(call)[1])["start"]["media_format"]
    assert described == {"encoding": encoding, "sample_rate": rate, "channels": 1}
    silence = dialect.format.silence(20)
    frames = [read(dialect.audio(silence)) for _ in range(3)]
    assert frames[2]["media"] == {
        "track": "inbound",
        "chunk": "3",
        "timestamp": "40",
        "payload": in_base64(silence),
    }


def test_sequence_numbers_have_no_gap(dialect: TelnyxDialect) -> None:
    """Every message but `error` counts one up; marks that are cleared come back like played ones."""
    frames = [
        dialect.audio(b"\xff" * 160),
        *dialect.notice(Digit("5", 100)),
        *dialect.notice(MarkPlayed("a")),
        *dialect.notice(Cleared(["b", "c"], 400)),
        *dialect.notice(Held(True)),
        *dialect.notice(Dropped(20)),
        *dialect.stop("completed", "caller"),
    ]
    messages = [read(frame) for frame in frames]
    assert [message["sequence_number"] for message in messages] == [str(n) for n in range(2, 8)]
    assert messages[1]["dtmf"] == {"digit": "5"}
    assert [message["mark"]["name"] for message in messages[2:5]] == ["a", "b", "c"]
    assert set(messages[5]["stop"]) == {"user_id", "call_control_id"}


def test_errors_are_told_a_hundred_times(dialect: TelnyxDialect) -> None:
    """Telnyx has a word for a frame that makes no sense, with a code."""
    told = [dialect.notice(Misunderstood("why")) for _ in range(101)]
    assert read(told[0][0])["payload"] == {"code": 100_003, "title": "malformed_frame", "detail": "why"}
    assert [len(frames) for frames in told] == [1] * 100 + [0]


def test_agent_needs_no_id_but_not_another(dialect: TelnyxDialect) -> None:
    """Pipecat sends none; one that is another stream's is refused."""
    assert say(dialect, event="media", media={"payload": in_base64(b"\1\2")}) == [Audio(b"\1\2")]
    assert say(dialect, event="mark", mark={"name": "m"}) == [Mark("m")]
    assert say(dialect, event="clear") == [Clear()]
    assert "stream_id" in why(say(dialect, event="clear", stream_id="x"))
    assert "unknown" in why(say(dialect, event="unknown"))


def test_secret_is_a_bearer_token() -> None:
    """Telnyx signs nothing."""
    assert TelnyxDialect(secret="s").headers("wss://a/") == [("Authorization", "Bearer s")]
    assert TelnyxDialect().headers("wss://a/") == []
