"""An agent's clock: what of it is real time, what waits too long, and what becomes of that."""

import math
from array import array
from collections.abc import Callable, Iterator
from itertools import count, pairwise

import pytest

from gateway.media.audio import ULAW_8K, from_l16, to_l16
from gateway.media.concealment import samples_of
from gateway.media.pace import LOOK_MS, Pace, Seam, cut, spliced, without_beginning, without_silence
from gateway.media.playout import Playout

SILENCE = b"\xff" * 160
VOICE = from_l16(
    array("h", [round(8000 * math.sin(2 * math.pi * 140 * n / 8000)) for n in range(8000)]).tobytes(), ULAW_8K
)
STEP_MS = 5

Says = Iterator[bytes]
"What an agent has to say in each step."
Agent = Callable[[], Says]


class Talk:
    """An agent, the queue that it speaks into, and the phone that reads it, in virtual time."""

    def __init__(self, agent: Agent, *, live: bool = False) -> None:
        self.playout, self.pace = Playout(), Pace(8000, live=live)
        self.heard: list[bytes] = []
        self.shortened = self.passed = 0
        self.unheard: list[str] = []
        self._says = agent()
        self._on_its_way = b""
        self._ms = 0

    def go(self, milliseconds: int, *, arrives: bool = True, alive: bool = True, heard: bool = True) -> None:
        """Let time go by: without the network or the agent's process, without ours, or on hold."""
        for _ in range(milliseconds // STEP_MS):
            self._ms += STEP_MS
            self._on_its_way += next(self._says)
            if alive:
                self._live(arrives, heard)

    def _live(self, arrives: bool, heard: bool) -> None:
        if arrives and self._on_its_way:
            self.playout.write(self._on_its_way)
            self._on_its_way = b""
        if self._ms % 20 == 0 and heard:
            frame = self.playout.read()
            self.heard += [] if frame is None else [frame]
        if self._ms % LOOK_MS == 0:
            self._look(heard)

    def _look(self, heard: bool) -> None:
        pace, playout = self.pace, self.playout
        pace.look(1000 + self._ms / 1000, playout.came, playout.queued, playout.underruns, heard=heard)
        if pace.elapsed:
            names, size = pace.pass_over(playout, ULAW_8K)
            self.unheard += names
            self.passed += size // 8
        elif pace.excess:
            self.shortened += pace.shorten(playout, ULAW_8K) // 8

    @property
    def waits(self) -> int:
        """Milliseconds in the queue, at least, between two pieces of the agent's."""
        least = self.playout.queued_ms
        for _ in range(20):
            self.go(STEP_MS)
            least = min(least, self.playout.queued_ms)
        return least


def voice(milliseconds: int) -> bytes:
    """As long a tone, which is nowhere silent."""
    return (VOICE * (milliseconds // 1000 + 1))[: 8 * milliseconds]


def streams(piece: int = 20) -> Agent:
    """Real time, without a pause, as an echo or a telephone."""

    def says() -> Says:
        while True:
            yield voice(piece)
            yield from [b""] * (piece // STEP_MS - 1)

    return says


def prompts(speed: float, seconds: int = 3, pause: int = 2, ahead: int = 0) -> Agent:
    """A sentence every few seconds, so many times as fast as it is spoken, its beginning so far ahead."""

    def says() -> Says:
        while True:
            said = 0
            for ms in range(0, 1000 * (seconds + pause), STEP_MS):
                due = min(1000 * seconds, int(ms * speed) + ahead + 20) // 20 * 20
                yield voice(due - said)
                said = due

    return says


def hesitates() -> Says:
    """Half a second of voice, and as much silence, in turn."""
    for n in count():
        yield (VOICE[:160] if n // 100 % 2 else SILENCE) if n % 4 == 0 else b""


AT_ONCE = 1e6

DISTURBANCES: dict[str, dict[str, bool]] = {
    "hold": {"heard": False},
    "our stall": {"alive": False},
    "the agent's stall": {"arrives": False},
}
"A burst of the network is, for us, what a stall of the agent is: nothing comes, and then all of it."


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("piece", [20, 60, 100])
@pytest.mark.parametrize("ms", [100, 500, 700, 2000, 5000])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_stream_is_on_time_again(disturbance: str, ms: int, piece: int, live: bool) -> None:
    """Real time is real time: two seconds behind it, as little waits as before, or nearly."""
    talk = Talk(streams(piece), live=live)
    talk.go(4000)
    before = talk.waits
    talk.go(ms, **DISTURBANCES[disturbance])
    talk.go(1900)
    assert talk.waits <= before + (15 if piece == 20 else 60)
    talk.go(20_000)
    assert talk.waits <= before + 15


@pytest.mark.parametrize("before", [10_500, 11_300, 14_700])
@pytest.mark.parametrize("speed", [AT_ONCE, 10, 2, 1.25])
@pytest.mark.parametrize("ms", [0, 500, 2000, 5000])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_no_word_of_a_prompt_is_lost(disturbance: str, ms: int, speed: float, before: int) -> None:
    """What was sent ahead of real time is heard to the byte, however late."""
    talk = Talk(prompts(speed))
    talk.go(before)
    talk.go(ms, **DISTURBANCES[disturbance])
    talk.go(10_000)
    assert (talk.shortened, talk.passed, talk.unheard) == (0, 0, [])


@pytest.mark.parametrize("speed", [1.0, 1.25, 2, AT_ONCE])
@pytest.mark.parametrize("seconds", [1, 3, 8])
@pytest.mark.parametrize("ahead", [0, 100, 400, 2000])
def test_who_is_not_disturbed_is_left_alone(speed: float, seconds: int, ahead: int) -> None:
    """Sentences of any length and speed, with or without something in hand, leave as they came."""
    talk = Talk(prompts(speed, seconds, ahead=ahead))
    talk.go(60_000)
    assert (talk.shortened, talk.passed) == (0, 0)


def test_a_bot_that_speaks_in_real_time() -> None:
    """Behind half a second of ours it loses no word: its sentence is shortened where that is heard least."""
    talk = Talk(prompts(1.0, seconds=8))
    talk.go(13_000)
    talk.go(500, alive=False)
    talk.go(1900)
    assert talk.waits < 20
    assert 480 <= talk.shortened <= 520
    assert talk.passed == 0


def test_a_bot_that_keeps_something_in_hand() -> None:
    """Two seconds ahead is where it was before the hold, and where it is behind it."""
    talk = Talk(prompts(1.0, seconds=30, ahead=2000))
    talk.go(5000)
    before = talk.waits
    assert before >= 1900
    talk.go(5000, heard=False)
    talk.go(1900)
    assert abs(talk.waits - before) <= 20


def test_marks_of_what_has_elapsed_are_answered_in_order() -> None:
    """On hold a mark is told when its time has come, not when the hold is over."""
    talk = Talk(streams())
    talk.go(4000)
    talk.playout.mark("before")
    for name in ("first", "second"):
        talk.go(1500, heard=False)
        talk.playout.mark(name)
    assert talk.unheard == ["before", "first"]
    talk.go(1000, heard=False)
    assert talk.unheard == ["before", "first", "second"]


def test_who_wants_its_audio_to_wait_has_it_wait() -> None:
    """Behind a pause that the agent asked for, what waits is kept."""
    talk = Talk(streams())
    talk.go(4000)
    for _ in range(3000 // STEP_MS):
        talk.playout.write(next(streams()()) if _ % 4 == 0 else b"")
    talk.pace.forget()
    talk.go(10_000)
    assert talk.waits >= 2980
    assert talk.passed == 0


def test_audio_that_is_late_again_and_again() -> None:
    """An agent behind a bad network is left more in hand, so that it is not cut and torn in turn."""
    talk = Talk(streams())
    talk.go(4000)
    for _ in range(40):
        talk.go(80, arrives=False)
        talk.go(920)
    gaps = talk.playout.underruns
    for _ in range(10):
        talk.go(80, arrives=False)
        talk.go(920)
    assert talk.playout.underruns - gaps <= 4


def test_silence_goes_first() -> None:
    """Where somebody is silent, nothing of what is said is touched."""
    talk = Talk(hesitates)
    talk.go(4000)
    talk.go(500, alive=False)
    talk.go(1900)
    assert talk.waits < 20
    assert 480 <= talk.shortened <= 520
    assert set(talk.heard) == {VOICE[:160], SILENCE}


def test_what_is_live_has_no_reason_to_wait() -> None:
    """The silence that came before anybody could hear it is left out, and what was said is not."""
    playout, pace = Playout(), Pace(8000, live=True)
    playout.write(SILENCE * 20 + VOICE[:800] + SILENCE * 5)
    assert pace.begin(playout, ULAW_8K) == 25 * 160
    assert playout.queued_ms == 100
    patient = Playout()
    patient.write(SILENCE * 20)
    assert Pace(8000).begin(patient, ULAW_8K) == 0


def test_silence_is_cut_before_speech() -> None:
    """A silent 20 ms goes; amid speech only what is urgent, by a period of the voice."""
    speech = VOICE[:800]
    assert cut(speech + SILENCE + speech, ULAW_8K, urgent=False) == (800, speech + speech)
    assert cut(speech, ULAW_8K, urgent=False) is None
    made = cut(speech, ULAW_8K, urgent=True)
    assert made is not None
    assert 40 <= 800 - len(made[1]) <= 120
    assert cut(b"", ULAW_8K, urgent=True) is None


def test_all_silence_is_left_out_at_once() -> None:
    """Piece by piece, no more than is wanted, and it says where."""
    speech = VOICE[:320]
    audio = speech + SILENCE * 2 + speech + SILENCE * 2
    assert without_silence(audio, ULAW_8K, 500) == (
        speech + speech + SILENCE,
        [(320, 160), (480, 160), (960, 160)],
    )
    assert without_silence(audio, ULAW_8K, 159) is None
    assert without_silence(speech, ULAW_8K, 500) is None


def test_speech_is_spliced_where_it_is_alike() -> None:
    """Whole pieces go, and what comes behind them is what would have come: no step is steeper than speech."""
    made = spliced(VOICE[:2000], ULAW_8K, 480)
    assert made is not None
    left, ((start, size),) = made
    assert len(left) + size == 2000
    assert size in {160, 320, 480}
    assert start % 160 == 0
    assert _steepest(left) < 1.3 * _steepest(VOICE)
    assert spliced(VOICE[:300], ULAW_8K, 480) is None
    assert spliced(b"", ULAW_8K, 480) is None


@pytest.mark.parametrize("size", [160, 1840, 2000])
def test_a_beginning_is_left_out_without_a_click(size: int) -> None:
    """What would have been heard becomes what is."""
    left = without_beginning(VOICE[:2000], ULAW_8K, size)
    assert len(left) == 2000 - size
    assert left[40:] == VOICE[size:2000][40:]
    assert not left or _steepest(VOICE[:1] + left) < 1.3 * _steepest(VOICE)


def _steepest(audio: bytes) -> int:
    return max(abs(b - a) for a, b in pairwise(samples_of(to_l16(audio, ULAW_8K))))


def test_marks_move_with_their_audio() -> None:
    """What is taken out before them is not waited for; a mark before the cut stays."""
    playout = Playout()
    playout.write(VOICE[:480])
    assert playout.read() == VOICE[:160]
    playout.mark("before")
    playout.write(SILENCE + VOICE[:80])
    playout.mark("behind")
    playout.write(VOICE[80:160] + SILENCE)
    playout.mark("end")
    assert playout.shorten(lambda audio: without_silence(audio, ULAW_8K, 320)) == 320
    assert playout.queued == 480
    told, sent = [], b""
    while (frame := playout.read()) is not None:
        sent += frame
        told += [(name, len(sent)) for name in playout.played()]
    assert sent == VOICE[160:480] + VOICE[:160]
    assert told == [("before", 320), ("behind", 480), ("end", 480)]
    assert (playout.came, playout.written) == (960, 640)


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
    steepest = _steepest(VOICE)
    due, count, most, holes, steep, previous = 0.0, 0, 0, 0, 0, SILENCE
    playout.write(VOICE[:160])
    for tick in range(360_000):
        while due <= tick:
            start = 160 * (count % 50)
            quiet = pauses and count % 500 > 400
            playout.write(SILENCE if quiet else VOICE[start : start + 160])
            due, count = due + step, count + 1
        if tick * 20 % LOOK_MS < 20:
            pace.look(tick / 50, playout.came, playout.queued, playout.underruns)
            sewing = pace.steady
            pace.shorten(playout, ULAW_8K)
        frame = playout.read()
        changed = frame is None
        if sewing:
            frame = seam.sewn(frame, 160)
        most = max(most, playout.queued)
        holes += frame is None and previous != SILENCE
        if frame is not None and tick and (changed or tick % 997 == 0) and not pauses:
            steep = max(steep, _steepest(previous + frame))
        previous = frame or SILENCE
    assert holes == 0, "but for those in a pause, where there is nothing to close"
    assert most / 8 < 260
    assert steep < 1.7 * steepest
    assert (seam.made_up > 0) == (parts_per_million < 0 and not pauses) or pauses
