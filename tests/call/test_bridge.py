"""The bridge in virtual time: what leaves at each tick, whatever the agent's pieces are."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.agent.notices import Cleared, MarkPlayed, Notice
from gateway.agent.protocol import Transfer
from gateway.call.bridge import Bridge
from gateway.call.legs.agent_leg import AgentLeg
from gateway.call.legs.phone import Speak
from gateway.call.legs.phone_media import PhoneMedia
from gateway.media.audio import ALAW_8K, L16_8K, L16_16K, ULAW_8K, AudioFormat, converter
from gateway.net.clock import MediaClock
from tests.call.phone import babble

SILENCE = b"\xff" * 160


class Timers:
    """A loop whose time is a number."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        """Seconds."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "Timers":
        """Keep it."""
        self._due.append((when, callback))
        return self

    def cancel(self) -> None:
        """Never needed."""

    def run(self, until: float) -> None:
        """Let time go by."""
        while self._due and min(self._due)[0] <= until + 1e-9:
            when, callback = self._due.pop(0)
            self.now = when
            callback()
        self.now = until


class FakePhone:
    """The phone's media, as much as a bridge needs of it."""

    def __init__(self) -> None:
        self.format = ULAW_8K
        self.ptime_ms = 20
        self.may_send = True
        self.pressing = False
        self.sent: list[bytes | None] = []
        self.skipped = 0
        self.sink: Callable[[bytes], None]
        self.frame_bytes = 160

    def send(self, frame: bytes | None) -> None:
        """Keep it."""
        self.sent.append(frame)

    def step(self, now: float, speak: Speak) -> bytes | None:
        """Let a frame leave, or count that none did."""
        if self.may_send:
            return speak()
        self.skipped += 1
        return None

    def voice(self) -> bytes:
        """What was sent, from the first sound to the last."""
        return b"".join(frame or SILENCE for frame in self.sent).strip(b"\xff")


class FakeDialect:
    """Speaks μ-law."""

    format = ULAW_8K
    live = False


class FakeAgent:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.dialect = FakeDialect()
        self.told: list[object] = []
        self.heard: list[bytes] = []

    def hear(self, audio: bytes) -> None:
        """Keep it."""
        self.heard.append(audio)

    def notice(self, notice: Notice) -> None:
        """Keep what it says of marks."""
        if isinstance(notice, MarkPlayed):
            self.told.append(notice.name)
        elif isinstance(notice, Cleared):
            self.told.append((notice.names, notice.dropped_ms))


class FakeCall:
    """Keeps what the bridge tells its call."""

    def __init__(self) -> None:
        self.crashes: list[Exception] = []

    def first_word(self) -> None:
        """Not looked at."""

    def first_heard(self) -> None:
        """Not looked at."""

    def recording_asked(self, action: str) -> None:
        """Not looked at."""

    def transfer_asked(self, wanted: Transfer) -> None:
        """Not looked at."""

    def crash(self, error: Exception) -> None:
        """Keep it."""
        self.crashes.append(error)


class Stage:
    """A bridge between two fakes."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.phone = FakePhone()
        self.agent = FakeAgent()
        self.clock = MediaClock(_raise)
        self.clock.start(self.timers)
        self.user = FakeCall()
        self.bridge = Bridge(cast("PhoneMedia", self.phone), self.clock, 60.0, self.user)
        self.bridge.attach(cast("AgentLeg", self.agent))
        self.bridge.start()

    def run(self, milliseconds: float) -> None:
        """Let time go by."""
        self.timers.run(self.timers.now + milliseconds / 1000)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("crumb_ms", [1, 7, 13, 20, 27, 40])
@pytest.mark.parametrize("phase_ms", [0, 3, 9, 14, 19])
def test_crumbs_at_their_pace(crumb_ms: int, phase_ms: int) -> None:
    """An agent that is never ahead is heard without a pad or a gap, whenever it begins."""
    stage = Stage()
    stage.run(100 + phase_ms)
    speech = babble(500)
    for start in range(0, len(speech), 8 * crumb_ms):
        stage.bridge.play(speech[start : start + 8 * crumb_ms])
        stage.run(crumb_ms)
    stage.run(100)
    assert stage.phone.voice() == speech


def at_three_and_a_half(stage: "Stage", speech: bytes) -> None:
    """Frames of 20 ms, each as soon as two sevenths of one have gone by."""
    for start in range(0, len(speech), 160):
        stage.bridge.play(speech[start : start + 160])
        stage.run(20 / 3.5)


def in_crumbs(stage: "Stage", speech: bytes) -> None:
    """Pieces of 7 ms, in real time."""
    for start in range(0, len(speech), 56):
        stage.bridge.play(speech[start : start + 56])
        stage.run(7)


def in_a_lump(stage: "Stage", speech: bytes) -> None:
    """All of it at once."""
    stage.bridge.play(speech)


@pytest.mark.parametrize("say", [at_three_and_a_half, in_crumbs, in_a_lump])
@pytest.mark.parametrize("seconds", [1, 30])
def test_half_a_minute_in_any_manner(say: Callable[["Stage", bytes], None], seconds: int) -> None:
    """The packets are the same to the byte, one a tick from the first to the last, whatever came how."""
    stage = Stage()
    stage.run(100)
    before = len(stage.phone.sent)
    speech = babble(1000 * seconds)
    say(stage, speech)
    stage.bridge.mark("end")
    stage.run(1000 * seconds + 100)
    sent = stage.phone.sent[before:]
    first = next(n for n, frame in enumerate(sent) if frame)
    assert b"".join(frame or SILENCE for frame in sent[first : first + 50 * seconds]) == speech
    assert not any(sent[first + 50 * seconds :])
    assert stage.agent.told == ["end"]


@pytest.mark.parametrize("jitter_ms", [3, 8, 15])
def test_frames_that_are_late_in_turn(jitter_ms: int) -> None:
    """Every second frame a little late leaves no gap: the start waited for it."""
    stage = Stage()
    stage.run(119)
    speech = babble(400)
    for start in range(0, len(speech), 320):
        stage.bridge.play(speech[start : start + 160])
        stage.run(20 + jitter_ms)
        stage.bridge.play(speech[start + 160 : start + 320])
        stage.run(20 - jitter_ms)
    stage.run(100)
    assert stage.phone.voice() == speech


def test_who_is_ahead_never_waits() -> None:
    """Two frames in one message begin to leave at the next tick."""
    stage = Stage()
    stage.run(100)
    before = len(stage.phone.sent)
    stage.bridge.play(babble(40))
    stage.run(20)
    assert stage.phone.sent[before] == babble(40)[:160]


def test_a_lone_piece_is_heard() -> None:
    """Less than a frame, and nothing behind it: sent a tick later, filled up with silence."""
    stage = Stage()
    stage.run(100)
    stage.bridge.play(babble(5))
    stage.bridge.mark("end")
    stage.run(60)
    assert stage.phone.voice() == babble(5)
    assert stage.agent.told == ["end"]


def test_silence_is_sent_meanwhile() -> None:
    """A packet leaves at each tick, whether anybody speaks or not."""
    stage = Stage()
    stage.run(1000)
    assert len(stage.phone.sent) in {49, 50}


def test_on_hold_time_goes_by() -> None:
    """While nothing may be sent the queue stays, and the stream's time goes on."""
    stage = Stage()
    stage.phone.may_send = False
    stage.bridge.play(babble(100))
    stage.run(200)
    assert stage.phone.sent == []
    assert stage.phone.skipped in {9, 10}
    stage.phone.may_send = True
    stage.run(200)
    assert stage.phone.voice() == babble(100)


def test_another_agent_gets_no_marks_of_the_first() -> None:
    """What the first one said is heard to its end; whom its marks were for is gone."""
    stage = Stage()
    stage.bridge.play(babble(100))
    stage.bridge.mark("theirs")
    second = FakeAgent()
    stage.bridge.attach(cast("AgentLeg", second))
    stage.bridge.mark("mine")
    stage.run(200)
    assert stage.phone.voice() == babble(100)
    assert (stage.agent.told, second.told) == ([], ["mine"])


def test_another_format_for_what_is_queued() -> None:
    """What was queued before the phone's format was known is the same sound in the format that it has."""
    stage = Stage()
    stage.bridge.play(b"\xff" * 80 + b"\x00" * 400)
    stage.phone.format = ALAW_8K
    stage.bridge.retune()
    stage.run(100)
    sent = b"".join(frame for frame in stage.phone.sent if frame)
    assert sent == b"\xd5" * 80 + b"\x2a" * 400


class Ear:
    """A tap that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = self.spoken = b""
        self.formats: list[AudioFormat] = []

    def hear(self, audio: bytes) -> None:
        """Keep it."""
        self.heard += audio

    def said(self, frame: bytes | None) -> None:
        """Keep it."""
        self.spoken += frame or b""

    def retune(self, audio_format: AudioFormat, ptime_ms: int) -> None:
        """Keep it."""
        self.formats.append(audio_format)


def test_several_may_hear_both_sides() -> None:
    """Each tap hears all from when it comes to when it goes, and the agent as if there were none."""
    stage, first, second = Stage(), Ear(), Ear()
    stage.bridge.listen()
    stage.bridge.tap(first)
    stage.bridge.tap(second)
    stage.phone.sink(b"a" * 160)
    stage.bridge.play(babble(40))
    stage.run(40)
    assert first.heard == second.heard == b"a" * 160
    assert first.spoken == second.spoken == babble(40)
    stage.phone.format = ALAW_8K
    stage.bridge.retune()
    stage.bridge.untap(first)
    stage.bridge.untap(first)
    stage.phone.sink(b"b" * 160)
    assert first.heard == b"a" * 160
    assert second.heard == b"a" * 160 + b"b" * 160
    assert first.formats == second.formats == [ALAW_8K]
    stage.bridge.untap(second)
    stage.phone.sink(b"c" * 160)
    assert len(second.heard) == 320
    assert len(stage.agent.heard) == 3


def test_a_bug_is_told_once() -> None:
    """A tick that raises stops this bridge and tells of it, and the clock goes on for the others."""
    stage = Stage()
    stage.phone.step = _broken  # type: ignore[method-assign]
    stage.run(200)
    assert [type(error) for error in stage.user.crashes] == [ZeroDivisionError]


def _broken(now: float, speak: Speak) -> bytes | None:
    raise ZeroDivisionError


async def test_played_out() -> None:
    """It waits for all that is queued, also after an earlier `clear`; with nothing queued it does not."""
    stage = Stage()
    stage.bridge.play(babble(100))
    stage.bridge.clear()
    await asyncio.wait_for(stage.bridge.played_out(), 1)
    stage.bridge.play(babble(100))
    waiting = asyncio.ensure_future(stage.bridge.played_out())
    await asyncio.sleep(0)
    stage.run(60)
    await asyncio.sleep(0)
    assert not waiting.done()
    stage.run(100)
    await asyncio.wait_for(waiting, 1)
    assert stage.phone.voice() == babble(100)


def test_pause_keeps_what_is_queued() -> None:
    """Silence while it lasts, then on from the very sample."""
    stage = Stage()
    speech = babble(200)
    stage.bridge.play(speech)
    stage.run(100)
    before = len(stage.phone.voice())
    stage.bridge.pause(True)
    stage.run(400)
    assert len(stage.phone.voice()) == before
    assert None in stage.phone.sent[-10:]
    stage.bridge.pause(False)
    stage.run(500)
    said = b"".join(frame for frame in stage.phone.sent if frame is not None)
    assert said.rstrip(b"\xff") == speech.rstrip(b"\xff")


def test_half_a_sample_is_forgotten_by_a_clear() -> None:
    """What comes behind a clear does not begin with the rest of a sample that was dropped."""
    stage = Stage()
    stage.agent.dialect.format = L16_8K
    stage.bridge.retune()
    decode, speech = converter(ULAW_8K, L16_8K), babble(100)
    assert decode is not None
    stage.bridge.play(decode(speech)[:-1])
    stage.bridge.clear()
    stage.bridge.play(decode(speech))
    stage.run(500)
    said = b"".join(frame for frame in stage.phone.sent if frame is not None)
    assert said.rstrip(b"\xff") == speech.rstrip(b"\xff")


def test_half_a_sample_is_forgotten_with_its_agent() -> None:
    """An agent that died amid a sample does not turn the words of the one behind it into noise."""
    stage = Stage()
    second = FakeAgent()
    stage.agent.dialect.format = second.dialect.format = L16_8K
    stage.bridge.retune()
    decode, speech = converter(ULAW_8K, L16_8K), babble(100)
    assert decode is not None
    stage.bridge.play(decode(speech)[:-1])
    stage.run(500)
    before = len(stage.phone.sent)
    stage.bridge.attach(cast("AgentLeg", second))
    stage.bridge.play(decode(speech))
    stage.run(500)
    said = b"".join(frame for frame in stage.phone.sent[before:] if frame is not None)
    assert said.rstrip(b"\xff") == speech.rstrip(b"\xff")


def test_filters_go_on_through_a_negotiation() -> None:
    """A hold and its end change no format: the agent's audio comes through one filter, without a seam."""
    stage, plain = Stage(), Stage()
    for one in (stage, plain):
        one.agent.dialect = WideDialect()
        one.bridge.attach(cast("AgentLeg", one.agent))
    speech = bytes(range(0, 250, 2)) * 128
    for start in range(0, len(speech), 640):
        for one in (stage, plain):
            one.bridge.play(speech[start : start + 640])
        stage.bridge.retune()
    for one in (stage, plain):
        one.run(1000)
    assert stage.phone.voice() == plain.phone.voice() != b""


class WideDialect(FakeDialect):
    """Speaks linear samples at 16 kHz."""

    format = L16_16K


def test_an_agent_whose_clock_is_fast() -> None:
    """Five minutes of a stream that is a thousandth fast: the queue is short, where it would hold 300 ms."""
    stage = Stage()
    due = 0.0
    speech = babble(20)
    while due < 300:
        stage.run(max(0.0, due * 1000 - stage.timers.now * 1000))
        stage.bridge.play(speech if int(due * 2) % 4 else SILENCE)
        due += 0.01998
    assert stage.bridge.playout.queued_ms < 160
    assert 200 <= stage.bridge.shortened / 8 <= 300
