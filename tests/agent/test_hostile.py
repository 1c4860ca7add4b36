"""Every dialect against whatever an agent may send."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.dialects import DIALECTS, dialect_named
from gateway.agent.protocol import Audio, CallStart, Dialect, Malformed
from tests.agent.frames import in_base64

CALL = CallStart("call_1", "str_1", "org_1", "+442079460018", "+14155550100", "inbound", "agt_1", 1, {})
IN_JSON = ("twilio", "plivo", "telnyx", "exotel")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["media", "playAudio", "mark", "checkpoint", "clear", "clearAudio", "sendDTMF", "MARK_MEDIA", "hangup"]
)
KEYS = st.sampled_from(
    ["event", "type", "command", "media", "mark", "name", "dtmf", "streamSid", "streamId", "correlation_id"]
)


def started(name: str, audio: str = "") -> Dialect:
    """A dialect in its call."""
    dialect = dialect_named(name, audio=audio)
    dialect.start(CALL)
    return dialect


@pytest.mark.parametrize("name", DIALECTS)
@given(st.booleans(), st.binary(max_size=300))
def test_no_bytes_raise(name: str, text: bool, payload: bytes) -> None:
    """Whatever a message holds, `receive` returns."""
    dialect = started(name)
    list(dialect.receive(text, payload))
    list(dialect.receive(text, payload[::-1]))


@pytest.mark.parametrize("name", DIALECTS)
@given(st.dictionaries(KEYS | st.text(max_size=8), VALUES | WORDS, max_size=5))
def test_no_object_raises(name: str, message: dict[str, object]) -> None:
    """Nor does JSON with the right words in the wrong places."""
    list(started(name).receive(True, json.dumps(message).encode()))


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 65_000,
        b'{"event":"clear","x":' + b"[" * 65_000,
        b'{"event":"' + b"\\ud800" * 10_000 + b'"}',
        b'{"event":' + b"-1e" + b"9" * 60_000,
        b'{"event":"playAudio","media":{"sampleRate":' + b"9" * 5_000 + b',"payload":"AAAA"}}',
        b"\xff" * 65_000,
        b"{" * (1 << 20) + b"{",
    ],
)
def test_worst_text_is_refused(name: str, payload: bytes) -> None:
    """Deep, long and broken messages are one short reason, or bytes of a stream."""
    for event in started(name).receive(name != "audiosocket", payload):
        assert isinstance(event, Malformed | Audio)
        assert not isinstance(event, Malformed) or len(event.why) <= 260


@pytest.mark.parametrize("size", [1, 159, 161, 320, 100_000])
@pytest.mark.parametrize("name", IN_JSON)
def test_audio_of_any_size_arrives_whole(name: str, size: int) -> None:
    """A payload is handed on as it is, in pieces or not, whatever its length."""
    dialect, audio = started(name), bytes(n % 251 for n in range(size))
    ids = {"twilio": {"streamSid": json.loads(dialect.audio(b"\0\0")[1]).get("streamSid")}}
    event = "playAudio" if name == "plivo" else "media"
    message = {"event": event, "media": {"payload": in_base64(audio)}, **ids.get(name, {})}
    events = list(dialect.receive(True, json.dumps(message).encode()))
    assert events == [Audio(audio)]


@pytest.mark.parametrize("size", [1, 159, 161, 320, 100_000])
@pytest.mark.parametrize("name", ["native", "asterisk"])
def test_binary_audio_of_any_size_arrives_whole(name: str, size: int) -> None:
    """The same where audio is binary: marks of the dialect's own may stand between its pieces."""
    audio = bytes(n % 251 for n in range(size))
    events = started(name).receive(False, audio)
    assert b"".join(event.payload for event in events if isinstance(event, Audio)) == audio
