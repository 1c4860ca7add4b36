"""What a pause of the machine does to audio passes, what damages it does not."""

import random

import pytest

from gateway.media.audio import L16_8K, ULAW_8K, converter
from gateway.phones.echo import compare
from gateway.phones.speech import speech

RATE = 8000
QUIET = b"\xff"
LEAD = QUIET * RATE
SAID = LEAD + speech(4.0)


def _later(milliseconds: int, audio: bytes) -> bytes:
    return QUIET * (RATE * milliseconds // 1000) + audio


def _cut(audio: bytes, at: float, milliseconds: int) -> bytes:
    first = int(at * RATE)
    return audio[:first] + audio[first + RATE * milliseconds // 1000 :]


def _pause(audio: bytes, at: float, milliseconds: int) -> bytes:
    first = int(at * RATE)
    return audio[:first] + _later(milliseconds, audio[first:])


def _noisy(audio: bytes, loudness: int) -> bytes:
    decode, encode = converter(ULAW_8K, L16_8K), converter(L16_8K, ULAW_8K)
    assert decode is not None
    assert encode is not None
    chance = random.Random(1)
    pcm = memoryview(decode(audio)).cast("h")
    mixed = (max(-32768, min(32767, one + chance.randrange(-loudness, loudness))) for one in pcm)
    return encode(b"".join(one.to_bytes(2, "little", signed=True) for one in mixed))


def _words() -> list[tuple[int, int]]:
    echo = compare(SAID, SAID)
    assert echo is not None
    return [
        (round(word.at_seconds * RATE), round((word.at_seconds + word.seconds) * RATE)) for word in echo.words
    ]


def _without(number: int) -> bytes:
    first, last = _words()[number]
    return SAID[:first] + QUIET * (last - first) + SAID[last:]


MIDDLE = 3.0
"Seconds: in the midst of what is said."


@pytest.mark.parametrize(
    ("heard", "delays"),
    [
        (SAID, (0, 0)),
        (_later(65, SAID), (65, 65)),
        (_pause(SAID, MIDDLE, 20), (0, 20)),
        (_pause(_later(60, SAID), MIDDLE, 300), (60, 360)),
        (_cut(_later(60, SAID), MIDDLE, 20), (40, 60)),
        (_pause(_cut(_later(60, SAID), MIDDLE, 60), MIDDLE + 0.5, 60), (0, 60)),
        (_pause(_pause(_later(60, SAID), 2.1, 40), 4.3, 100), (60, 200)),
    ],
    ids=["same", "late", "pause", "long pause", "lost packet", "lost and caught up", "two pauses"],
)
def test_a_pause_is_no_damage(heard: bytes, delays: tuple[int, int]) -> None:
    """Whatever else was said is there, and the delays are told, as far as a word that was cut has one."""
    echo = compare(SAID, heard)
    assert echo is not None
    assert echo.flaw() is None
    assert echo.delays_ms == pytest.approx(delays, abs=20)


@pytest.mark.parametrize(
    ("heard", "flaw"),
    [
        (QUIET * len(SAID), "words did not come back"),
        (b"", "words did not come back"),
        (_later(60, _without(0)), "1 of 15 words did not come back: those at 1.0 s"),
        (_later(60, _without(-1)), "1 of 15 words did not come back: those at 4.8 s"),
        (_later(60, _without(7)), "1 of 15 words did not come back"),
        (_noisy(SAID, 9000), "did not come back"),
        (LEAD + speech(4.0, seed=2), "did not come back"),
        (LEAD + speech(4.0)[::2], "did not come back"),
        (LEAD + speech(4.0)[::-1], "did not come back"),
        (LEAD + _cut(_cut(_cut(speech(4.0), 0.2, 60), 1.5, 60), 2.8, 1200), "did not come back"),
    ],
    ids=[
        *("silence", "nothing", "no first word", "no last word", "no word", "noise", "other words"),
        *("twice as fast", "backwards", "a second lost"),
    ],
)
def test_damage_is_named(heard: bytes, flaw: str) -> None:
    """What is missing, and where it was said."""
    echo = compare(SAID, heard)
    assert echo is not None
    assert flaw in (echo.flaw() or "")


def test_nothing_said_is_nothing_to_look_for() -> None:
    """Silence cannot come back."""
    assert compare(LEAD, SAID) is None
