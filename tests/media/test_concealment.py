"""Made-up audio: the pitch goes on, dies away, and nothing clicks."""

import math
from array import array
from itertools import pairwise

import pytest

from gateway.media.audio import ULAW_8K, from_l16, to_l16
from gateway.media.codecs import PCMU
from gateway.media.concealment import Continuation, joined, lengthened, pitch, samples_of, shortened
from gateway.media.rtp import RtpReceiver, RtpSender

RATE = 8000
AMPLITUDE = 8000


def tone(hertz: float, count: int, start: int = 0) -> bytes:
    """A voice of one pitch: two harmonics."""
    turn = 2 * math.pi * hertz / RATE
    return array(
        "h",
        [
            round(AMPLITUDE * (0.7 * math.sin(turn * n) + 0.3 * math.sin(2 * turn * n)))
            for n in range(start, start + count)
        ],
    ).tobytes()


def steepest(l16: bytes) -> int:
    """The largest step from one sample to the next."""
    return max(abs(later - earlier) for earlier, later in pairwise(samples_of(l16)))


@pytest.mark.parametrize("hertz", [70, 90, 120, 160, 200])
def test_the_pitch_is_found(hertz: int) -> None:
    """Of low and high voices, or a multiple of it, within a sample."""
    found = pitch(tone(hertz, 320), RATE)
    periods = found / (RATE / hertz)
    assert abs(periods - round(periods)) * RATE / hertz <= 1.0
    assert 40 <= found <= 120


@pytest.mark.parametrize("count", [0, 1, 8, 40, 79, 80, 160])
def test_a_short_history_does_no_harm(count: int) -> None:
    """Less than a period is made silence, or of what there is."""
    made = Continuation(tone(100, count), RATE).more(800)
    assert len(made) == 800
    assert max(map(abs, made)) <= AMPLITUDE


@pytest.mark.parametrize("hertz", [70, 90, 120, 160, 200])
def test_a_loss_is_bridged_without_a_click(hertz: int) -> None:
    """No step is much steeper than those of the voice itself, into the gap, within it and out of it."""
    whole = tone(hertz, 960)
    history, rest = whole[: 2 * 320], whole[2 * 480 :]
    going_on = Continuation(history, RATE)
    made = array("h", going_on.more(160)).tobytes()
    assert steepest(history + made + going_on.joined(rest)) < 1.6 * steepest(whole)


def test_it_dies_away() -> None:
    """Whole for 10 ms, gone after 60, for ever."""
    going_on = Continuation(tone(100, 320), RATE)
    levels = [max(map(abs, going_on.more(80))) for _ in range(8)]
    assert levels[0] > 0.85 * AMPLITUDE * 0.8
    assert all(later < earlier for earlier, later in pairwise(levels[:6]))
    assert levels[6:] == [0, 0]
    assert going_on.more(10**5) == [0] * 10**5


@pytest.mark.parametrize("hertz", [70, 90, 120, 160, 200])
def test_time_is_put_in_and_taken_out_without_a_click(hertz: int) -> None:
    """By one period of the voice; what was cut before and behind it fits."""
    whole = tone(hertz, 640)
    before, packet, after = whole[: 2 * 320], whole[2 * 320 : 2 * 480], whole[2 * 480 :]
    longer = lengthened(before, packet, RATE)
    shorter = shortened(packet, RATE)
    assert 40 <= len(longer) // 2 - 160 <= 120
    assert 40 <= 160 - len(shorter) // 2 <= 120
    assert steepest(before + longer + after) < 1.6 * steepest(whole)
    assert steepest(before + shorter + after) < 1.6 * steepest(whole)


def test_too_little_is_left_as_it_is() -> None:
    """A crumb can be made neither longer nor shorter."""
    crumb = tone(100, 40)
    assert shortened(crumb, RATE) == crumb
    assert lengthened(b"", crumb, RATE) == crumb
    assert joined(b"", crumb, RATE) == crumb


@pytest.mark.slow
@pytest.mark.parametrize("parts_per_million", [-200, 200])
def test_two_hours_of_drift_under_a_voice_that_never_pauses(parts_per_million: int) -> None:
    """No growing delay, no hole, no click: where time was changed no step is steeper than a voice's."""
    period = 0.02 / (1 + parts_per_million / 1e6)
    voice = from_l16(tone(140, 160 * 400), ULAW_8K)
    allowed = 1.6 * steepest(to_l16(voice, ULAW_8K))
    receiver_said, changed, steep = 0, 0, 0
    previous = b""

    def sink(audio: bytes) -> None:
        nonlocal receiver_said, changed, steep, previous
        receiver_said += len(audio)
        if len(audio) != 160 or len(previous) not in (0, 160):
            changed += len(audio) != 160
            steep = max(steep, steepest(to_l16(previous[-20:] + audio, ULAW_8K)))
        previous = audio

    receiver = RtpReceiver({0: PCMU}, sink=sink)
    sender = RtpSender(7, 0, 0, 0)
    furthest, tick = 0.0, 0.02
    for n in range(int(7200 / period)):
        at = n * period + n * 7919 % 4000 / 1e6
        while tick < at:
            receiver.tick(tick)
            tick += 0.02
        start = 160 * (n % 400)
        receiver.receive(sender.packet(voice[start : start + 160]), at)
        furthest = max(furthest, abs(receiver_said / 8 - at * 1000))
    assert furthest < 110
    assert receiver.inserted_ms + receiver.discarded_ms == pytest.approx(
        7.2 * abs(parts_per_million), abs=120
    )
    assert (receiver.concealed_ms, receiver.filled_ms, receiver.lost) == (0, 0, 0)
    assert changed > 30
    assert steep < allowed
