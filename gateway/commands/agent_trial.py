"""One call to an agent's runtime without a telephone: a line that plays and speaks in real time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.agent.notices import Cleared, Dropped, MarkPlayed
from gateway.agent.protocol import CallStart, Dialect, Transfer
from gateway.call.legs.agent_leg import AgentLeg, abandon
from gateway.media.audio import L16_8K, ULAW_8K, converter
from gateway.media.playout import Playout
from gateway.net.agent import AgentDialer
from gateway.net.clock import MediaClock
from gateway.phones.speech import speech
from gateway.tell import tell_nobody

FRAME_MS = 20
FRAME = 8 * FRAME_MS
SILENCE = ULAW_8K.silence(FRAME_MS)
QUEUE_SECONDS = 60.0
KEPT = 60 * 8000
"Bytes of what the agent said that are kept for a closer look."
LOUD = 300
"Root mean square of 20 ms, of 32768, above which it is sound."


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each part of the trial may take, in seconds."""

    greeting: float = 4.0
    "For the agent's first word, while the caller is silent."
    speech: float = 2.0
    "That the caller speaks."
    answer: float = 6.0
    "For the agent's first word after it."
    interruption: float = 2.0
    "For the agent to drop what it was saying, from the caller's first word on."
    quiet: float = 3.0
    "For the agent to come to its end."
    moment: float = 0.3
    "Between one thing and the next."


class TrialLeg(AgentLeg):
    """The agent's leg of a call, with every complaint kept."""

    def __init__(self, dialect: Dialect, start: CallStart, dialer: AgentDialer) -> None:
        super().__init__(dialect, start, dialer, tell_nobody)
        self.complaints: Counter[str] = Counter()
        self.first_at: dict[str, int] = {}
        "Of each complaint, the number of the agent's message that was the first: its first is #1."

    def complain(self, why: str) -> None:
        """Keep the reason, and tell the agent as a call would."""
        self.complaints[why] += 1
        self.first_at.setdefault(why, self.frames_in)
        super().complain(why)


class Line:
    """The caller's side: plays what the agent says, a frame every 20 ms, and says what it is told to."""

    def __init__(self, leg: TrialLeg) -> None:
        self.playout = Playout(FRAME, SILENCE, QUEUE_SECONDS)
        self.first_audio: float | None = None
        self.last_audio: float | None = None
        self.clears: list[float] = []
        self.marks = 0
        self.marks_told = 0
        self.unreached = 0
        "Marks that waited when the caller hung up."
        self.digits = ""
        self.messages = 0
        self.longest_ms = 0.0
        self.has_header = False
        self.heard = bytearray()
        "What the agent sent, in μ-law, as far as it is kept."
        self._leg = leg
        self._words = b""
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._to_agent = converter(ULAW_8K, leg.dialect.format)
        self._to_line = converter(leg.dialect.format, ULAW_8K)
        self._clock = MediaClock(self._raise)
        self._error: Exception | None = None

    def start(self) -> None:
        """Let time go by."""
        self._clock.start()
        self._clock.join(self._tick, FRAME_MS)

    def stop(self) -> None:
        """Hold it."""
        self._clock.stop()
        if self._error is not None:
            raise self._error

    def speak(self, seconds: float) -> None:
        """Have the caller say something, from the next frame on."""
        self._words = speech(seconds)

    def play(self, audio: bytes) -> None:
        """Queue the agent's audio."""
        now = self._loop.time()
        self.first_audio = self.first_audio or now
        self.last_audio = now
        self.messages += 1
        self.longest_ms = max(self.longest_ms, len(audio) / self._leg.dialect.format.bytes_per_ms)
        self.has_header = self.has_header or audio[:4] == b"RIFF"
        sound = audio if self._to_line is None else self._to_line(audio)
        self.heard += sound[: max(0, KEPT - len(self.heard))]
        dropped = self.playout.write(sound)
        if dropped:
            self._leg.notice(Dropped(dropped // 8))

    def mark(self, name: str) -> None:
        """Answer when all audio queued so far was played."""
        self.marks += 1
        if not self.playout.mark(name):
            self._leg.complain(f"too many marks wait: {name!r} was not taken")
        if self.playout.empty:
            self._tell_marks()

    def clear(self) -> None:
        """Drop what is queued."""
        self.clears.append(self._loop.time())
        dropped_ms = self.playout.queued_ms
        names = self.playout.clear()
        self.marks_told += len(names)
        self._to_line = converter(self._leg.dialect.format, ULAW_8K)
        self._leg.notice(Cleared(names, dropped_ms))

    def abandon(self) -> None:
        """The caller is gone: the agent is told of its marks as in a call."""
        played, self.unreached = abandon(self.playout, self._leg)
        self.marks_told += played

    def pause(self, paused: bool) -> None:
        """Keep what is queued, or go on."""
        self._paused = paused

    def press(self, digits: str) -> None:
        """Keep what the agent dials."""
        self.digits += digits

    def recording_action(self, action: str) -> None:
        """Nothing is recorded."""

    def transfer(self, wanted: Transfer) -> None:
        """There is nobody to be put through."""

    @property
    def queued_ms(self) -> int:
        """Milliseconds that the agent is ahead."""
        return self.playout.queued_ms

    async def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Whether that came true in time, before the agent was gone."""
        end = self._loop.time() + seconds
        while not holds():
            if self._loop.time() >= end or self._leg.closed.done():
                return bool(holds())
            await asyncio.sleep(FRAME_MS / 1000)
        return True

    def _tick(self, now: float) -> None:
        words, self._words = self._words[:FRAME], self._words[FRAME:]
        frame = (words + SILENCE)[:FRAME]
        self._leg.hear(frame if self._to_agent is None else self._to_agent(frame))
        if not self._paused and self.playout.read() is not None:
            self._tell_marks()

    def _tell_marks(self) -> None:
        for name in self.playout.played():
            self.marks_told += 1
            self._leg.notice(MarkPlayed(name))

    def _raise(self, error: Exception) -> None:
        self._error = error


def is_silent(heard: bytes) -> bool:
    """Whether there is no sound in it."""
    return not len(_loud(heard))


def roughness(heard: bytes) -> float:
    """How much its samples jump, against how large they are: 1.4 for noise, well below 1 for speech."""
    loud = _loud(heard)
    if not len(loud):
        return 0.0
    # Samples taken for another encoding's often sit far off the middle, which is no sound.
    sound = loud - loud.mean(axis=1, keepdims=True)
    return float(np.sqrt((np.diff(sound, axis=1) ** 2).mean() / max(1.0, (sound**2).mean())))


def _loud(heard: bytes) -> NDArray[np.float64]:
    """The frames that hold sound, one a row."""
    decode = converter(ULAW_8K, L16_8K)
    assert decode is not None
    whole = len(heard) // FRAME * FRAME
    samples = np.frombuffer(decode(heard[:whole]), "<i2").astype(np.float64).reshape(-1, FRAME)
    loud: NDArray[np.float64] = samples[np.sqrt((samples**2).mean(axis=1)) > LOUD]
    return loud
