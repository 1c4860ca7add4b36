"""An agent's clock that is not ours: noticed only where it streams, made up for without gap or growth."""

import math
from array import array
from itertools import pairwise

import pytest

from gateway.media.audio import ULAW_8K, from_l16, to_l16
from gateway.media.concealment import samples_of
from gateway.media.pace import Pace, Seam, cut
from gateway.media.playout import Playout

SILENCE = b"\xff" * 160
VOICE = from_l16(
    array("h", [round(8000 * math.sin(2 * math.pi * 140 * n / 8000)) for n in range(8000)]).tobytes(), ULAW_8K
)


def after(seconds: list[tuple[int, int]]) -> Pace:
    """A pace that saw so much written, and so much waiting, each second."""
    pace, written = Pace(8000), 0
    for fresh, queued in seconds:
        written += fresh
        pace.second(written, queued)
    return pace


def test_an_agent_that_is_ahead_is_not_held_to_a_clock() -> None:
    """Lumps, pauses and speech faster than real time are no stream, however much waits."""
    for seconds in ([(24_000, 16_000), (0, 8000), (0, 0)] * 20, [(28_000, 20_000 * n) for n in range(30)]):
        assert not after(seconds).steady


def test_a_stream_that_grows_is_noticed() -> None:
    """After ten seconds it is a stream; what waits more than at first by 60 ms is too much."""
    calm = [(8000, 300)] * 10
    assert after(calm).steady
    assert after(calm * 3).excess == 0
    assert after(calm + [(8000, 700)] * 10).excess == 0
    assert after(calm + [(8000, 800)] * 10).excess == 500
    assert after(calm + [(8000, 800)] * 9 + [(8000, 310)]).excess == 0, "once it was nearly empty"
    assert not after([*calm, (0, 0)]).steady


def test_what_is_live_has_no_reason_to_wait() -> None:
    """The silence that came before anybody could hear it is left out, and what was said is not."""
    playout, pace = Playout(), Pace(8000, live=True)
    playout.write(SILENCE * 20 + VOICE[:800] + SILENCE * 5)
    assert pace.begin(playout, ULAW_8K) == 25 * 160
    assert playout.queued_ms == 100
    patient = Playout()
    patient.write(SILENCE * 20)
    assert Pace(8000).begin(patient, ULAW_8K) == 0


def test_what_is_live_catches_up_in_the_next_silence() -> None:
    """What waits for two seconds is too much: all of it goes where it is silent, from the first second on."""
    playout, pace = Playout(), Pace(8000, live=True)
    playout.write(VOICE[:1600])
    pace.second(playout.written, playout.queued)
    assert pace.shorten(playout, ULAW_8K) == 0, "it may be a moment's"
    playout.write(SILENCE * 10)
    pace.second(playout.written, playout.queued)
    assert pace.shorten(playout, ULAW_8K) == 1280
    pace.second(playout.written, 800)
    pace.second(playout.written, 320)
    assert pace.excess == 0


def test_silence_is_cut_before_speech() -> None:
    """A silent 20 ms goes; amid speech only what is urgent, by a period of the voice."""
    speech = VOICE[:800]
    assert cut(speech + SILENCE + speech, ULAW_8K, urgent=False) == (800, speech + speech)
    assert cut(speech, ULAW_8K, urgent=False) is None
    made = cut(speech, ULAW_8K, urgent=True)
    assert made is not None
    assert 40 <= 800 - len(made[1]) <= 120
    assert cut(b"", ULAW_8K, urgent=True) is None


def test_marks_move_with_their_audio() -> None:
    """What is taken out before them is not waited for; a mark before the cut stays."""
    playout = Playout()
    playout.write(VOICE[:480])
    assert playout.read() == VOICE[:160]
    playout.mark("before")
    playout.write(SILENCE + VOICE[:99])
    playout.mark("behind")
    playout.write(VOICE[99:160])
    assert playout.shorten(lambda audio: cut(audio, ULAW_8K, urgent=False)) == 160
    assert playout.queued == 480
    told, sent = [], b""
    while (frame := playout.read()) is not None:
        sent += frame
        told += [(name, len(sent)) for name in playout.played()]
    assert sent == VOICE[160:480] + VOICE[:160]
    assert told == [("before", 320), ("behind", 480)]


def test_a_gap_is_closed() -> None:
    """The sound goes on for 60 ms at most, and what comes after grows out of it; silence stays silence."""
    seam = Seam(ULAW_8K)
    assert seam.sewn(None, 160) is None
    frames = [seam.sewn(VOICE[start : start + 160], 160) for start in (0, 160, 320)]
    gap = [seam.sewn(None, 160) for _ in range(5)]
    assert [one is None for one in gap] == [False, False, False, True, True]
    seam.sewn(SILENCE, 160)
    seam.sewn(SILENCE, 160)
    assert seam.sewn(None, 160) is None
    assert frames == [VOICE[:160], VOICE[160:320], VOICE[320:480]]
    assert seam.made_up == 480


@pytest.mark.parametrize("parts_per_million", [-200, 200])
@pytest.mark.parametrize("pauses", [True, False])
def test_two_hours_of_an_agent_with_another_clock(parts_per_million: int, pauses: bool) -> None:
    """Pieces of 20 ms for two hours: what waits stays bounded, and nowhere is there a hole or a click.

    As `Bridge` does it, tick by tick: a frame where one is there, else what the seam makes of it.
    """
    playout, pace, seam = Playout(), Pace(8000), Seam(ULAW_8K)
    sewing = False
    step = 1 / (1 + parts_per_million / 1e6)
    steepest = max(abs(b - a) for a, b in pairwise(samples_of(to_l16(VOICE, ULAW_8K))))
    due, count, most, holes, steep, previous = 0.0, 0, 0, 0, 0, SILENCE
    playout.write(VOICE[:160])
    for tick in range(360_000):
        while due <= tick:
            start = 160 * (count % 50)
            quiet = pauses and count % 500 > 400
            playout.write(SILENCE if quiet else VOICE[start : start + 160])
            due, count = due + step, count + 1
        if tick % 50 == 0:
            pace.second(playout.written, playout.queued)
            sewing = pace.steady
            pace.shorten(playout, ULAW_8K)
        frame = playout.read()
        changed = frame is None
        if sewing:
            frame = seam.sewn(frame, 160)
        most = max(most, playout.queued)
        holes += frame is None and previous != SILENCE
        if frame is not None and tick and (changed or tick % 997 == 0) and not pauses:
            joined = samples_of(to_l16(previous + frame, ULAW_8K))
            steep = max(steep, max(abs(b - a) for a, b in pairwise(joined)))
        previous = frame or SILENCE
    assert holes == 0, "but for those in a pause, where there is nothing to close"
    assert most / 8 < 260
    assert steep < 1.7 * steepest
    assert (seam.made_up > 0) == (parts_per_million < 0 and not pauses) or pauses
