"""The exotel dialect, frame by frame."""

import re

import pytest

from gateway.agent.exotel import AUDIO_FORMATS, ExotelDialect
from gateway.agent.notices import Cleared, Digit, Held, MarkPlayed, Misunderstood
from gateway.agent.protocol import Audio, CallStart, Clear, Mark
from tests.agent.frames import in_base64, read, say, why


@pytest.fixture
def dialect(call: CallStart) -> ExotelDialect:
    dialect = ExotelDialect()
    dialect.start(call)
    return dialect


def test_stream_opens_with_connected_and_start(call: CallStart) -> None:
    """The first two frames are Exotel's: it counts in numbers and describes its audio in strings."""
    connected, start = map(read, ExotelDialect().start(call))
    assert connected == {"event": "connected"}
    body = start["start"]
    assert start == {"event": "start", "sequence_number": 1, "stream_sid": body["stream_sid"], "start": body}
    assert body == {
        "stream_sid": body["stream_sid"],
        "call_sid": body["call_sid"],
        "account_sid": "org_demo",
        "from": "+442079460018",
        "to": "+14155550100",
        "custom_parameters": {"tier": "gold", "from_number": "spoofed"},
        "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
    }
    assert all(re.fullmatch("[0-9a-f]{32}", body[name]) for name in ("stream_sid", "call_sid"))


@pytest.mark.parametrize("name", sorted(AUDIO_FORMATS))
def test_each_rate_is_named_and_timed(call: CallStart, name: str) -> None:
    """`sample_rate` is a string; chunks are numbers, timestamps strings of milliseconds."""
    dialect = ExotelDialect(AUDIO_FORMATS[name])
    described = read(dialect.start(call)[1])["start"]["media_format"]
    assert described["sample_rate"] == str(dialect.format.rate)
    silence = dialect.format.silence(20)
    assert len(silence) % 320 == 0
    frames = [read(dialect.audio(silence)) for _ in range(3)]
    assert frames[2]["media"] == {"chunk": 3, "timestamp": "40", "payload": in_base64(silence)}


def test_sequence_numbers_have_no_gap(dialect: ExotelDialect) -> None:
    """Every message counts one up, in numbers."""
    frames = [
        dialect.audio(bytes(320)),
        *dialect.notice(Digit("5", 100)),
        *dialect.notice(MarkPlayed("a")),
        *dialect.notice(Cleared(["b", "c"], 400)),
        *dialect.notice(Held(True)),
        *dialect.notice(Misunderstood("x")),
        *dialect.stop("completed", "caller"),
    ]
    messages = [read(frame) for frame in frames]
    assert [message["sequence_number"] for message in messages] == list(range(2, 8))
    assert messages[1]["dtmf"] == {"duration": "100", "digit": "5"}
    assert [message["mark"]["name"] for message in messages[2:5]] == ["a", "b", "c"]
    assert messages[5]["stop"]["reason"] == "callended"
    assert read(*dialect.stop("completed", "agent"))["stop"]["reason"] == "stopped"


@pytest.mark.parametrize("size", [1, 320, 3200, 4096, 100_000])
def test_chunks_that_exotel_would_break_up_are_whole(dialect: ExotelDialect, size: int) -> None:
    """Any length is taken, though Exotel wants multiples of 320 bytes."""
    audio = bytes(n % 251 for n in range(size))
    assert say(dialect, event="media", media={"payload": in_base64(audio)}) == [Audio(audio)]


def test_mark_and_clear(dialect: ExotelDialect, call: CallStart) -> None:
    """With this stream's SID or without one; another's is refused."""
    stream = read(ExotelDialect().start(call)[1])["stream_sid"]
    assert say(dialect, event="mark", stream_sid=stream, mark={"name": "m"}) == [Mark("m")]
    assert say(dialect, event="clear") == [Clear()]
    assert "stream_sid" in why(say(dialect, event="clear", stream_sid="x"))


def test_secret_is_a_bearer_token() -> None:
    """Exotel signs nothing."""
    assert ExotelDialect(secret="s").headers("wss://a/") == [("Authorization", "Bearer s")]
