"""The audiosocket dialect: frames in a stream of bytes, however it is cut."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.audiosocket import AUDIO_FORMATS, AudioSocketDialect
from gateway.agent.notices import Digit
from gateway.agent.protocol import AgentEvent, Audio, CallStart, Hangup, Malformed, SendDigits
from gateway.media.audio import L16_16K


def frame(kind: int, content: bytes = b"") -> bytes:
    return bytes([kind]) + len(content).to_bytes(2) + content


def test_stream_opens_with_the_calls_uuid(call: CallStart) -> None:
    """Sixteen bytes of a version 4 UUID, in a binary frame."""
    ((text, payload),) = AudioSocketDialect().start(call)
    assert (text, payload[:3]) == (False, b"\x01\x00\x10")
    assert uuid.UUID(bytes=payload[3:]).version == 4


@pytest.mark.parametrize(
    ("name", "kind"), [("l16_8k", 0x10), ("l16_16k", 0x12), ("l16_24k", 0x13), ("l16_48k", 0x16)]
)
def test_audio_is_framed_in_its_kind(name: str, kind: int) -> None:
    """Every rate has its kind, the usual length and any other alike."""
    dialect = AudioSocketDialect(AUDIO_FORMATS[name])
    for size in (2, dialect.format.bytes_per_ms * 20, 65_535):
        assert dialect.audio(bytes(size)) == (False, frame(kind, bytes(size)))
        assert list(dialect.receive(False, frame(kind, bytes(size)))) == [Audio(bytes(size))]


def test_digits_and_the_end() -> None:
    """One character, and an empty frame."""
    dialect = AudioSocketDialect()
    assert dialect.notice(Digit("#", 100)) == [(False, b"\x03\x00\x01#")]
    assert dialect.stop("completed", "caller") == [(False, b"\x00\x00\x00")]


@given(st.lists(st.integers(1, 40), max_size=40), st.binary(min_size=2, max_size=60))
def test_any_cut_gives_the_same_frames(cuts: list[int], audio: bytes) -> None:
    """TCP keeps no frames: pieces of any size are put together."""
    stream = frame(0x10, audio) + frame(0x03, b"5") + frame(0x10, audio) + frame(0x00)
    dialect = AudioSocketDialect()
    events: list[AgentEvent] = []
    for cut in [*cuts, len(stream)]:
        events += dialect.receive(False, stream[:cut])
        stream = stream[cut:]
    assert events == [Audio(audio), SendDigits("5"), Audio(audio), Hangup("")]


def test_another_rate_is_converted() -> None:
    """A second at 8 kHz is a second at 16 kHz."""
    dialect = AudioSocketDialect(L16_16K)
    (event,) = dialect.receive(False, frame(0x10, bytes(16_000)))
    assert isinstance(event, Audio)
    assert abs(len(event.payload) - 32_000) < 320


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(0x02, b"abc"), "kind 0x02 with 3 bytes"),
        (frame(0xFF, b"\x04"), "error 0x04"),
        (frame(0x03, b"xy"), "kind 0x03"),
        (frame(0x01, bytes(16)), "kind 0x01"),
    ],
)
def test_other_kinds_are_skipped(sent: bytes, reason: str) -> None:
    """What means nothing is told, and the frame behind it is found."""
    wrong, audio = AudioSocketDialect().receive(False, sent + frame(0x10, b"\1\2"))
    assert isinstance(wrong, Malformed)
    assert reason in wrong.why
    assert audio == Audio(b"\1\2")


def test_unfinished_frames_are_bounded() -> None:
    """A length announces 64 kB at most, so no more than that ever waits."""
    dialect = AudioSocketDialect()
    for _ in range(100):
        list(dialect.receive(False, b"\x10\xff\xff" + bytes(65_000)))
        assert len(dialect._buffer) <= 65_538
