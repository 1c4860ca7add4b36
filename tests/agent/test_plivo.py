"""The plivo dialect, frame by frame."""

import base64
import hashlib
import hmac
import json
import uuid
from urllib.parse import quote

import pytest

from gateway.agent.notices import Cleared, Digit, Dropped, Held, MarkPlayed, Misunderstood, Quality
from gateway.agent.plivo import PlivoDialect, signature_v3
from gateway.agent.protocol import Audio, CallStart, Clear, Malformed, Mark, SendDigits
from gateway.media.audio import L16_8K, L16_16K, ULAW_8K, AudioFormat, converter, wav_bytes
from tests.agent.frames import in_base64, read, say, why


@pytest.fixture
def dialect(call: CallStart) -> PlivoDialect:
    dialect = PlivoDialect()
    dialect.start(call)
    return dialect


def play(dialect: PlivoDialect, audio: bytes, **media: object) -> list[object]:
    fields = {"payload": in_base64(audio), "contentType": "audio/x-mulaw", "sampleRate": 8000, **media}
    kept = {name: value for name, value in fields.items() if value is not None}
    return list(say(dialect, event="playAudio", media=kept))


def test_stream_opens_with_start_and_a_silent_frame(call: CallStart) -> None:
    """`start` is the first frame, its numbers numbers, and 20 ms of silence follow at once."""
    start, silence = map(read, PlivoDialect().start(call))
    stream = start["start"]["streamId"]
    assert start == {
        "event": "start",
        "sequenceNumber": 0,
        "start": {
            "callId": start["start"]["callId"],
            "streamId": stream,
            "accountId": start["start"]["accountId"],
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        },
        "extra_headers": start["extra_headers"],
    }
    assert silence == {
        "event": "media",
        "sequenceNumber": 1,
        "streamId": stream,
        "media": {"track": "inbound", "timestamp": "0", "chunk": 1, "payload": in_base64(b"\xff" * 160)},
        "extra_headers": "{}",
    }


def test_ids_are_uuids_of_version_4_and_always_the_same(call: CallStart) -> None:
    """Both ids are what a strict reader takes for a random UUID; the account looks like Plivo's."""
    start = read(PlivoDialect().start(call)[0])["start"]
    for name in ("callId", "streamId"):
        found = uuid.UUID(start[name])
        assert (found.version, found.variant, str(found)) == (4, uuid.RFC_4122, start[name])
    assert start["callId"] != start["streamId"]
    assert len(start["accountId"]) == 20
    assert start["accountId"].startswith("MA")
    assert read(PlivoDialect().start(call)[0])["start"] == start


def test_extra_headers_are_a_string_of_json(call: CallStart) -> None:
    """Parameters and numbers travel there, Plivo having no other place; no parameter can forge a number."""
    given = read(PlivoDialect().start(call)[0])["extra_headers"]
    assert json.loads(given) == {"tier": "gold", "from_number": "+442079460018", "to_number": "+14155550100"}


@pytest.mark.parametrize(
    ("audio_format", "encoding", "size"),
    [(ULAW_8K, "audio/x-mulaw", 160), (L16_8K, "audio/x-l16", 320), (L16_16K, "audio/x-l16", 640)],
)
def test_timestamps_advance_by_20(
    call: CallStart, audio_format: AudioFormat, encoding: str, size: int
) -> None:
    """Chunks and timestamps go on behind the silent frame in every format, 20 ms a frame."""
    dialect = PlivoDialect(audio_format)
    start, silence = map(read, dialect.start(call))
    assert start["start"]["mediaFormat"] == {"encoding": encoding, "sampleRate": audio_format.rate}
    assert len(base64.b64decode(silence["media"]["payload"])) == size
    media = [read(dialect.audio(bytes(size)))["media"] for _ in range(3)]
    assert [(each["chunk"], each["timestamp"]) for each in media] == [(2, "20"), (3, "40"), (4, "60")]


def test_sequence_numbers_have_no_gap_and_nothing_unknown_is_said(dialect: PlivoDialect) -> None:
    """Every message counts one up; what Plivo has no word for is not said."""
    frames = [
        dialect.audio(b"\xff" * 160),
        *dialect.notice(Digit("5", 100)),
        *dialect.notice(MarkPlayed("a")),
        *dialect.notice(Cleared(["b", "c"], 400)),
        *dialect.notice(Held(True)),
        *dialect.notice(Held(False)),
        *dialect.notice(Dropped(20)),
        *dialect.notice(Misunderstood("x")),
        *dialect.notice(Quality({})),
        dialect.audio(b"\xff" * 160),
        *dialect.stop("completed", "caller"),
    ]
    said = [(message["event"], message["sequenceNumber"]) for message in map(read, frames)]
    assert said == [("media", 2), ("dtmf", 3), ("playedStream", 4), ("clearedAudio", 5), ("media", 6)]


def test_small_frames_are_plivos(dialect: PlivoDialect) -> None:
    """dtmf has a timestamp and extra headers; a checkpoint comes back by name; dropped ones do not."""
    digit = read(*dialect.notice(Digit("#", 100)))
    assert digit["dtmf"] == {"track": "inbound", "digit": "#", "timestamp": "20"}
    assert digit["extra_headers"] == "{}"
    assert read(*dialect.notice(MarkPlayed("cp-1")))["name"] == "cp-1"
    assert set(read(*dialect.notice(Cleared(["a", "b"], 400)))) == {"event", "sequenceNumber", "streamId"}


@pytest.mark.parametrize("rate", [8000, "8000"])
@pytest.mark.parametrize("content_type", ["audio/x-mulaw", "audio/x-mulaw;rate=8000", None])
def test_audio_needs_no_stream_id(dialect: PlivoDialect, rate: object, content_type: str | None) -> None:
    """Plivo's SDKs and Bolna leave the id out, and Bolna writes the rate as a string."""
    assert play(dialect, b"\1\2\3", sampleRate=rate, contentType=content_type) == [Audio(b"\1\2\3")]


@pytest.mark.parametrize("content_type", ["audio/x-l16", "wav"])
def test_other_audio_is_converted(dialect: PlivoDialect, content_type: str) -> None:
    """L16, also under Bolna's name for it, becomes the call's μ-law."""
    samples = b"".join((n * 300).to_bytes(2, "little", signed=True) for n in range(-80, 80))
    encode = converter(L16_8K, ULAW_8K)
    assert encode is not None
    assert play(dialect, samples, contentType=content_type) == [Audio(encode(samples))]


def test_odd_byte_of_converted_audio_waits(dialect: PlivoDialect) -> None:
    """Half a sample belongs to the next message; after a clear it belongs to nothing."""
    samples = bytes(range(64))
    encode = converter(L16_8K, ULAW_8K)
    assert encode is not None
    cut = [*play(dialect, samples[:31], contentType="audio/x-l16")]
    cut += play(dialect, samples[31:], contentType="audio/x-l16")
    assert b"".join(event.payload for event in cut if isinstance(event, Audio)) == encode(samples)
    play(dialect, samples[:31], contentType="audio/x-l16")
    assert say(dialect, event="clearAudio") == [Clear()]
    assert play(dialect, samples, contentType="audio/x-l16") == [Audio(encode(samples))]


def test_rate_that_differs_is_resampled(dialect: PlivoDialect) -> None:
    """A second at 16 kHz is a second at 8 kHz."""
    (event,) = play(dialect, bytes(32_000), contentType="audio/x-l16", sampleRate=16000)
    assert isinstance(event, Audio)
    assert abs(len(event.payload) - 8000) < 80


def test_whole_wav_file_is_played_without_its_header(dialect: PlivoDialect) -> None:
    """A RIFF header is not a click; a broken one is refused."""
    (event,) = play(dialect, wav_bytes(ULAW_8K, b"\x10" * 400), contentType="wav")
    assert event == Audio(b"\x10" * 400)
    assert "WAV" in why(list(play(dialect, b"RIFF....", contentType="wav")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"contentType": "audio/mpeg"}, "contentType 'audio/mpeg'"),
        ({"contentType": "audio/x-mulaw", "sampleRate": 16000}, "sampleRate 16000"),
        ({"contentType": "audio/x-l16", "sampleRate": 44100}, "sampleRate 44100"),
        ({"contentType": "audio/x-l16", "sampleRate": "fast"}, "sampleRate fast"),
        ({"contentType": "audio/x-l16", "sampleRate": 10**17}, "sampleRate 1000"),
        ({"sampleRate": 8000.5}, "sampleRate"),
        ({"contentType": 7}, "contentType"),
    ],
)
def test_audio_that_plivo_would_not_play_is_refused(
    dialect: PlivoDialect, fields: dict[str, object], reason: str
) -> None:
    """The reason names the field and what was in it."""
    assert reason in why(list(play(dialect, b"\0\0", **fields)))  # type: ignore[arg-type]


def test_checkpoint_clear_and_digits(dialect: PlivoDialect, call: CallStart) -> None:
    """The other words of an agent, with the id or without."""
    stream = read(PlivoDialect().start(call)[0])["start"]["streamId"]
    assert say(dialect, event="checkpoint", streamId=stream, name="cp-1") == [Mark("cp-1")]
    assert say(dialect, event="clearAudio", streamId=stream) == [Clear()]
    assert say(dialect, event="sendDTMF", dtmf="12#a") == [SendDigits("12#A")]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "clearAudio", "streamId": "another"},
        {"event": "playAudio"},
        {"event": "playAudio", "media": {"payload": "not base64"}},
        {"event": "checkpoint", "name": "n" * 1025},
        {"event": "checkpoint"},
        {"event": "sendDTMF", "dtmf": ""},
        {"event": "sendDTMF", "dtmf": "x"},
        {"event": "start"},
        {"event": "mark"},
    ],
)
def test_what_makes_no_sense_is_malformed(dialect: PlivoDialect, message: dict[str, object]) -> None:
    """Wrong ids, types and words are one short reason each."""
    assert 0 < len(why(say(dialect, **message))) <= 200


def test_formats_without_end_are_refused() -> None:
    """An agent that changes its format for every message does not fill our memory."""
    dialect = PlivoDialect(L16_16K)
    for content_type, rate in (("audio/x-mulaw", 8000), ("audio/x-l16", 8000)):
        assert not isinstance(
            play(dialect, bytes(320), contentType=content_type, sampleRate=rate)[0], Malformed
        )


def test_signature_covers_both_schemes_under_one_nonce() -> None:
    """One header holds the signature of the https and of the http form, the query sorted and unescaped."""
    headers = dict(PlivoDialect(secret="s3cret", nonce="n0").headers("wss://a.example:8443/p?b=2&a=x%20y"))
    signed = [
        hmac.new(b"s3cret", f"{scheme}://a.example:8443/p?a=x y&b=2.n0".encode(), hashlib.sha256).digest()
        for scheme in ("https", "http")
    ]
    assert headers["X-Plivo-Signature-V3"] == ",".join(base64.b64encode(each).decode() for each in signed)
    assert headers["X-Plivo-Signature-Ma-V3"] == headers["X-Plivo-Signature-V3"]
    assert headers["X-Plivo-Signature-V3-Nonce"] == "n0"
    assert PlivoDialect().headers("wss://a.example/") == []


def test_login_in_the_url_is_not_signed() -> None:
    """The server that checks the signature knows its own host, not what stood before it."""
    assert signature_v3(f"https://{quote('me:x')}@a/p", "n", "t") == signature_v3("https://a/p", "n", "t")
