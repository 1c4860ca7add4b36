"""The twilio dialect, frame by frame."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from gateway.agent.protocol import AgentEvent, Audio, CallStart, Clear, Frame, Malformed, Mark
from gateway.agent.twilio import TwilioDialect, account_sid, call_sid, stream_sid
from gateway.media.audio import ULAW_8K
from tests.cost import cost


def read(frame: Frame) -> Any:
    text, payload = frame
    assert text
    return json.loads(payload)


@pytest.fixture
def dialect(call: CallStart) -> TwilioDialect:
    dialect = TwilioDialect()
    dialect.start(call)
    return dialect


def say(dialect: TwilioDialect, **message: object) -> list[AgentEvent]:
    message.setdefault("streamSid", stream_sid("str_77aa"))
    return list(dialect.receive(True, json.dumps(message).encode()))


def why(events: list[AgentEvent]) -> str:
    (event,) = events
    assert isinstance(event, Malformed)
    return event.why


def test_stream_opens_with_connected_and_start(call: CallStart) -> None:
    """The first two frames are exactly Twilio's, numbers and strings as it has them."""
    connected, start = TwilioDialect().start(call)
    assert read(connected) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert read(start) == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream_sid("str_77aa"),
        "start": {
            "streamSid": stream_sid("str_77aa"),
            "accountSid": account_sid("org_demo"),
            "callSid": call_sid("call_8d1f"),
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {
                "tier": "gold",
                "from_number": "+442079460018",
                "to_number": "+14155550100",
            },
        },
    }


def test_sids_are_twilios_shape_and_steady() -> None:
    """Each SID is its two letters and 32 lower-case hex digits, the same for the same id."""
    for sid, letters in ((call_sid("a"), "CA"), (stream_sid("a"), "MZ"), (account_sid("a"), "AC")):
        assert re.fullmatch(letters + "[0-9a-f]{32}", sid)
    assert call_sid("call_1") == call_sid("call_1") != call_sid("call_2")


def test_media_counts_chunks_and_milliseconds_as_strings(dialect: TwilioDialect) -> None:
    """Chunks count from 1, timestamps are the milliseconds of audio sent before."""
    frames = [read(dialect.audio(bytes([n]) * 160)) for n in range(3)]
    assert frames[2] == {
        "event": "media",
        "sequenceNumber": "4",
        "streamSid": stream_sid("str_77aa"),
        "media": {
            "track": "inbound",
            "chunk": "3",
            "timestamp": "40",
            "payload": base64.b64encode(b"\2" * 160).decode(),
        },
    }


def test_sequence_numbers_have_no_gap(dialect: TwilioDialect) -> None:
    """Every message after `connected` counts one up, whatever it is."""
    frames = [
        dialect.audio(b"\xff" * 160),
        *dialect.notice(Digit("5", 100)),
        dialect.audio(b"\xff" * 160),
        *dialect.notice(MarkPlayed("a")),
        *dialect.notice(Cleared(["b", "c"], 400)),
        *dialect.notice(Answered()),
        *dialect.notice(Held(True)),
        *dialect.notice(Held(False)),
        *dialect.notice(Quality({"in": {}, "out": {}})),
        *dialect.notice(BalanceLow(14.6)),
        *dialect.notice(Dropped(20)),
        *dialect.notice(Misunderstood("x")),
        dialect.audio(b"\xff" * 160),
        *dialect.stop("completed", "caller"),
    ]
    assert [read(frame)["sequenceNumber"] for frame in frames] == [str(n) for n in range(2, 10)]


def test_small_frames_are_twilios(dialect: TwilioDialect) -> None:
    """dtmf names `inbound_track`, marks come back by name, stop names account and call."""
    digit = read(*dialect.notice(Digit("#", 100)))
    assert (digit["event"], digit["dtmf"]) == ("dtmf", {"track": "inbound_track", "digit": "#"})
    mark = read(*dialect.notice(MarkPlayed("gruß \u2028")))
    assert (mark["event"], mark["mark"]) == ("mark", {"name": "gruß \u2028"})
    stop = read(*dialect.stop("completed", "caller"))
    assert stop["stop"] == {"accountSid": account_sid("org_demo"), "callSid": call_sid("call_8d1f")}


def test_cleared_marks_are_echoed_in_order(dialect: TwilioDialect) -> None:
    """After a clear every pending mark is answered, first to last."""
    names = [read(frame)["mark"]["name"] for frame in dialect.notice(Cleared(["a", "b", "c"], 900))]
    assert names == ["a", "b", "c"]


def test_signature_is_over_the_exact_url() -> None:
    """X-Twilio-Signature is base64(HMAC-SHA1(secret, url)), query, port and scheme as configured."""
    url = "wss://agent.example.com:8443/twilio/a%20b?x=1"
    expected = base64.b64encode(hmac.new(b"s3cret", url.encode(), hashlib.sha1).digest()).decode()
    assert TwilioDialect("s3cret").headers(url) == [("X-Twilio-Signature", expected)]
    assert TwilioDialect().headers(url) == []


@pytest.mark.parametrize("size", [1, 159, 160, 161, 320, 100_000])
def test_agent_audio_of_any_size_arrives_whole(dialect: TwilioDialect, size: int) -> None:
    """The payload of a media message is handed on as it is, whatever its length."""
    payload = bytes(n % 251 for n in range(size))
    events = say(dialect, event="media", media={"payload": base64.b64encode(payload).decode()})
    assert events == [Audio(payload)]


def test_agent_audio_may_come_with_more_fields_in_any_order(dialect: TwilioDialect) -> None:
    """Other keys, spaces, escaped slashes and another order change nothing."""
    message = (
        '{ "media" : {"track":"outbound", "payload":"\\/\\/8=", "x":[1,{"y":null}]},\n'
        f' "streamSid":"{stream_sid("str_77aa")}", "extra":1e3, "event":"media" }}'
    )
    assert list(dialect.receive(True, message.encode())) == [Audio(b"\xff\xff")]


def test_empty_audio_is_nothing(dialect: TwilioDialect) -> None:
    """A media message without samples makes no event."""
    assert say(dialect, event="media", media={"payload": ""}) == []


def test_marks_and_clear(dialect: TwilioDialect) -> None:
    """The two other words that an agent has."""
    assert say(dialect, event="mark", mark={"name": "greeting"}) == [Mark("greeting")]
    assert say(dialect, event="clear") == [Clear()]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "media"},
        {"event": "media", "media": None},
        {"event": "media", "media": {"payload": 5}},
        {"event": "media", "media": {"payload": "A"}},
        {"event": "media", "media": {"payload": "not base64!"}},
        {"event": "media", "media": []},
        {"event": "mark"},
        {"event": "mark", "mark": {"name": 7}},
        {"event": "mark", "mark": {"name": "n" * 1025}},
        {"event": ["media"]},
        {"event": "start"},
        {"event": "hangup"},
        {},
    ],
)
def test_wrong_types_and_unknown_events_are_malformed(
    dialect: TwilioDialect, message: dict[str, object]
) -> None:
    """What does not fit is one short Malformed event, never an exception."""
    assert 0 < len(why(say(dialect, **message))) <= 200


@pytest.mark.parametrize("sid", [None, 7, "", "MZ" + "0" * 32, "x" * 100_000])
def test_another_streams_message_is_malformed(dialect: TwilioDialect, sid: object) -> None:
    """Only this stream's SID is obeyed; the reason names the field."""
    assert "streamSid" in why(say(dialect, event="clear", streamSid=sid))


def test_missing_stream_sid_is_malformed(dialect: TwilioDialect) -> None:
    """Without a SID nothing is obeyed, even before the stream has one."""
    assert isinstance(dialect.receive(True, b'{"event":"clear"}')[0], Malformed)
    assert isinstance(TwilioDialect().receive(True, b'{"event":"clear","streamSid":""}')[0], Malformed)


def test_binary_messages_are_malformed(dialect: TwilioDialect) -> None:
    """Twilio's stream has no binary messages."""
    assert "binary" in why(list(dialect.receive(False, b"\xff" * 160)))


@given(st.binary(max_size=300))
def test_no_bytes_raise(payload: bytes) -> None:
    """Whatever a text message holds, `receive` returns events."""
    assert all(isinstance(event, Malformed) for event in TwilioDialect().receive(True, payload))


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 65_000,
        b'{"event":"clear","x":' + b"[" * 65_000,
        b'{"a":' * 13_000,
        b'"' + b"\\u0041" * 10_000 + b'"',
        b'{"event":"mark","mark":{"name":"' + b"\\ud800" * 10_000 + b'"}}',
        b"9" * 65_000,
        b'{"event":' + b"-1e" + b"9" * 60_000,
        b" " * 65_000,
        b"\xff" * 65_000,
        b'{"event":"media","media":{"payload":"' + b"A" * 65_000,
    ],
)
def test_worst_input_is_refused_quickly(dialect: TwilioDialect, payload: bytes) -> None:
    """64 kB of anything is refused within five milliseconds."""
    assert isinstance(dialect.receive(True, payload)[0], Malformed)
    assert cost(lambda: dialect.receive(True, payload)) < 5


def test_oversized_messages_are_not_parsed(dialect: TwilioDialect) -> None:
    """Past a megabyte a message is refused by its length alone."""
    assert "bytes" in why(list(dialect.receive(True, b"[" * (1 << 20) + b"[")))


def test_format_is_the_only_one_twilio_has(dialect: TwilioDialect) -> None:
    """μ-law at 8 kHz."""
    assert dialect.format == ULAW_8K
