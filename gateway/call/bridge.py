"""The audio between a phone and an agent: the only part of a call that runs once per packet.

The agent may speak faster than real time; what it says waits in the playout queue, and the media clock sends
one frame a tick. What the caller says goes to the agent as it comes, already ordered and repaired.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.agent.notices import (
    Cleared,
    Dropped,
    MarkPassed,
    MarkPlayed,
    Notice,
    RecordingIs,
)
from gateway.agent.protocol import Transfer
from gateway.call.legs.agent_leg import AgentLeg, AgentUser, abandon
from gateway.call.legs.phone import Media, Sink
from gateway.call.legs.phone_media import drop
from gateway.media.audio import AudioFormat, Converter, converter, in_whole_samples
from gateway.media.pace import LOOK_MS, Pace, Seam
from gateway.media.playout import MAX_MARKS, Playout
from gateway.net.clock import Beat, MediaClock


class Tap(Protocol):
    """Hears both sides of a call, beside the phone and the agent: its recording, for one."""

    def hear(self, audio: bytes) -> None:
        """HOT: the phone's next audio, in the phone's format."""

    def said(self, frame: bytes | None) -> None:
        """HOT: what has left for the phone in this tick; None is silence."""

    def retune(self, audio_format: AudioFormat, ptime_ms: int) -> None:
        """Both come in another format, or in frames of another length, from now on."""


class _HotBridge:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = (
        "_draining",
        "_flowing",
        "_frame_bytes",
        "_fresh",
        "_paused",
        "_sewing",
        "_spoken",
        "_taps",
        "_to_phone",
        "phone",
        "playout",
        "seam",
    )


class Bridge(_HotBridge):
    """Joins one phone and one agent; the agent may be replaced (fallback), the phone may change its codec."""

    __slots__ = (
        "_agent",
        "_beat",
        "_clock",
        "_drained",
        "_format",
        "_heard",
        "_listening",
        "_look_beat",
        "_pace",
        "_ptime_ms",
        "_recorded",
        "_to_agent",
        "_tuned",
        "_user",
        "passed",
        "shortened",
    )

    def __init__(self, phone: Media, clock: MediaClock, queue_seconds: float, user: AgentUser) -> None:
        self.phone = phone
        per_ms, silence = phone.format.bytes_per_ms, phone.format.silence(phone.ptime_ms)
        self.playout = Playout(phone.frame_bytes, silence, queue_seconds, per_ms)
        self._user: AgentUser | None = user
        "None once it is closed."
        self._clock = clock
        self._taps: tuple[Tap, ...] = ()
        self._recorded = ""
        "How the recording stands, once anybody was told."
        self._listening = False
        self._agent: AgentLeg | None = None
        self._to_agent: Converter | None = None
        self._to_phone: Converter | None = None
        self._tuned: tuple[AudioFormat, AudioFormat] | None = None
        self._pace = Pace(1000 * per_ms)
        self.seam = Seam(phone.format)
        "Closes gaps while the agent streams in real time."
        self._sewing = False
        self.shortened = 0
        "Bytes taken out of the queue, where nobody misses them, because they waited for too long."
        self.passed = 0
        "Bytes that nobody heard, because their time had gone by: on hold, or behind a long stall."
        self._beat: Beat | None = None
        self._look_beat: Beat | None = None
        self._ptime_ms = phone.ptime_ms
        self._frame_bytes = phone.frame_bytes
        self._format = phone.format
        self._spoken = False
        self._heard = False
        self._fresh = False
        "Audio has come since the last tick."
        self._flowing = False
        "The last tick sent some, or waited for the rest of a frame."
        self._paused = False
        self._draining = False
        self._drained = asyncio.Event()

    def attach(self, agent: AgentLeg) -> None:
        """Let this agent speak from now on; it hears once `listen` is called."""
        # What the one before it said is still heard; its marks are nobody's any more.
        self.playout.forget_marks()
        self._paused = False
        self._agent = agent
        # Nor is what it says the rest of a sample, or a stream, that broke off.
        self._tuned = None
        self._pace = Pace(1000 * self.phone.format.bytes_per_ms, live=agent.dialect.live)
        self._sewing = False
        self.retune()

    def retune(self) -> None:
        """Fit the conversions to the formats of both sides, after a negotiation or a new agent."""
        phone, agent = self.phone, self._agent
        if agent is None:
            return
        wanted = phone.format, agent.dialect.format
        if wanted != self._tuned:
            # Else the filters go on: a hold must not be heard as a click.
            self._tuned = wanted
            self._to_agent = converter(phone.format, agent.dialect.format)
            self._to_phone = _to_phone(agent.dialect.format, phone.format)
            self.seam.retune(phone.format)
        recode = converter(self._format, phone.format)
        if recode is not None:
            # Before the first answer there is only a guess at what the phone will speak.
            self.playout.recode(recode, phone.format.bytes_per_ms)
            if phone.format.bytes_per_ms != self._format.bytes_per_ms:
                self._pace = Pace(1000 * phone.format.bytes_per_ms, live=agent.dialect.live)
            self._format = phone.format
        self._frame_bytes = phone.frame_bytes
        self.playout.reframe(phone.frame_bytes, phone.format.silence(phone.ptime_ms))
        for tap in self._taps:
            tap.retune(phone.format, phone.ptime_ms)
        if self._beat is not None and self._ptime_ms != phone.ptime_ms:
            self.stop()
            self.start()

    def listen(self) -> None:
        """Let the agent hear the phone, and know what it cannot hear: that it is recorded."""
        self._listening = True
        self._connect()
        if self._recorded:
            self.recording_is(self._recorded)

    def tap(self, tap: Tap) -> None:
        """Let somebody else hear both sides from now on."""
        self._taps = (*self._taps, tap)
        self._connect()

    def untap(self, tap: Tap | None) -> None:
        """Let them hear nothing more; again does nothing."""
        self._taps = tuple(one for one in self._taps if one is not tap)
        self._connect()

    def recording_action(self, action: str) -> None:
        """The agent wants something of the recording."""
        if self._user is not None:
            self._user.recording_asked(action)

    def transfer(self, transfer: Transfer) -> None:
        """The agent wants the phone to be put through to a number."""
        if self._user is not None:
            self._user.transfer_asked(transfer)

    def recording_is(self, state: str, why: str = "") -> None:
        """Tell the agent how the call's recording stands, and why it is not as it wanted."""
        self._recorded = state
        self.notice(RecordingIs(state, why))

    def start(self) -> None:
        """Begin to send to the phone, one frame a tick."""
        if self._beat is None:
            self.shortened += self._pace.begin(self.playout, self.phone.format)
            self._ptime_ms = self.phone.ptime_ms
            self._beat = self._clock.join(self._tick, self._ptime_ms)
            self._look_beat = self._clock.join(self._look, LOOK_MS)

    def stop(self) -> None:
        """Stop sending."""
        if self._beat is not None:
            self._clock.leave(self._beat)
            self._beat = None
        if self._look_beat is not None:
            self._clock.leave(self._look_beat)
            self._look_beat = None

    async def played_out(self) -> None:
        """Wait until all that is queued has left for the phone."""
        self._drained.clear()
        self._draining = True
        self._paused = False
        try:
            if not self.playout.empty:
                await self._drained.wait()
        finally:
            self._draining = False

    def play(self, audio: bytes) -> None:
        """HOT: queue the agent's audio."""
        convert = self._to_phone
        dropped = self.playout.write(audio if convert is None else convert(audio))
        self._fresh = True
        if dropped and self._agent is not None:
            self._agent.notice(Dropped(dropped // self.phone.format.bytes_per_ms))

    def mark(self, name: str) -> None:
        """Answer when all audio queued so far has left: at once when there is none."""
        if not self.playout.mark(name):
            self._complain(f"{MAX_MARKS} marks wait to be played: {name!r} was not taken")
        if self.playout.empty:
            self._left()

    def clear(self) -> None:
        """Drop what is queued: the caller hears silence from the next frame on."""
        agent, dropped_ms = self._agent, self.playout.queued_ms
        names = self.playout.clear()
        self._drained.set()
        if agent is not None:
            # What comes next is not the rest of a sample or a wave that was cut off here.
            self._to_phone = _to_phone(agent.dialect.format, self.phone.format)
            agent.notice(Cleared(names, dropped_ms))

    def pause(self, paused: bool) -> None:
        """Keep what is queued and send silence, or go on where it stopped."""
        self._paused = paused
        # What waits because the agent wants it to is not late.
        self._pace.forget()

    def abandon(self) -> None:
        """The phone is gone: tell the agent of each mark that was not reached, and of what nobody heard."""
        if self._agent is not None:
            abandon(self.playout, self._agent)
        self._drained.set()

    def close(self) -> None:
        """Tell nobody anything any more; what was played can still be asked for."""
        self.stop()
        self._agent, self._user, self._listening = None, None, False
        self._connect()

    def press(self, digits: str) -> None:
        """Send digits to the phone, as telephone-events."""
        if not self.phone.press(digits):
            why = "too many digits wait" if self.phone.pressing else "the phone takes no telephone-events"
            self._complain(f"{why}: {digits!r} was not sent")

    def notice(self, notice: Notice) -> None:
        """Tell the agent what happened, if there is one."""
        if self._agent is not None:
            self._agent.notice(notice)

    def announce(self, audio_format: AudioFormat, audio: bytes) -> None:
        """Queue audio of our own for the phone."""
        convert = converter(audio_format, self.phone.format)
        self.playout.write(audio if convert is None else convert(audio))

    def _connect(self) -> None:
        """Say who hears the phone: the taps first, where there are some."""
        hear: Sink = drop
        if self._listening:
            hear = self._hearer() if self._heard else self._hear_first
        for tap in reversed(self._taps):
            hear = _both(tap.hear, hear)
        self.phone.sink = hear

    def _hearer(self) -> Sink:
        """HOT: the shortest way from the phone to the agent."""
        assert self._agent is not None
        return self._agent.hear if self._to_agent is None else self._hear_converted

    def _hear_first(self, audio: bytes) -> None:
        self._heard = True
        if self._user is not None:
            self._user.first_heard()
        self._connect()
        self._hearer()(audio)

    def _hear_converted(self, audio: bytes) -> None:
        """HOT."""
        agent, convert = self._agent, self._to_agent
        assert agent is not None
        assert convert is not None
        agent.hear(convert(audio))

    def _complain(self, why: str) -> None:
        if self._agent is not None:
            self._agent.complain(why)

    def _tick(self, now: float) -> None:
        """HOT: one frame to the phone."""
        try:
            frame = self.phone.step(now, self._send_frame)
            if self._taps:  # most calls have none, and an empty loop costs more than the question
                self._tell_taps(frame)
        except Exception as error:
            # Once: the next tick would fail as this one did.
            self.stop()
            if self._user is None:
                raise
            self._user.crash(error)

    def _tell_taps(self, frame: bytes | None) -> None:
        """HOT, where a call is recorded."""
        for tap in self._taps:
            tap.said(frame)

    def _look(self, now: float) -> None:
        """Hold an agent that streams to real time."""
        if self._paused:
            return
        pace, playout, phone = self._pace, self.playout, self.phone
        pace.look(now, playout.came, playout.queued, playout.underruns, heard=phone.may_send)
        self._sewing = pace.steady
        if pace.elapsed:
            self._pass_over(*pace.pass_over(playout, phone.format))
        elif pace.excess:
            self.shortened += pace.shorten(playout, phone.format)

    def _pass_over(self, names: Sequence[str], size: int) -> None:
        """The time of so much of the agent's audio has gone by, with these marks in it."""
        self.passed += size
        if self._agent is not None:
            for name in names:
                self._agent.notice(MarkPassed(name))
        if self._draining and self.playout.empty:
            self._drained.set()

    def _send_frame(self) -> bytes | None:
        """HOT: returns what was sent, None for silence."""
        frame = None
        playout = self.playout
        if self._paused:
            pass
        elif self._fresh and self._more_is_coming(playout.queued):
            self._flowing = True
        else:
            frame = playout.read()
            self._flowing = frame is not None
        self._fresh = False
        if self._sewing and not self._paused and (frame is not None or not playout.ended):
            frame = self.seam.sewn(frame, self._frame_bytes)
        self.phone.send(frame)
        if frame is not None:
            if not self._spoken:
                self._spoken = True
                if self._user is not None:
                    self._user.first_word()
            if playout.marks or self._draining:
                self._left()
        elif playout.marks and not self._paused:
            self._left()
        return frame

    def _more_is_coming(self, queued: int) -> bool:
        """Whether to wait a tick for an agent that speaks in real time, in pieces as small as it likes.

        A piece that has just come and fills no frame is not padded: the next one belongs right behind it. And
        an utterance begins a tick late when a single frame is there, so that a second one that is a little
        late leaves no gap in its middle. Whoever is a frame ahead never waits.
        """
        wanted = self._frame_bytes if self._flowing else 2 * self._frame_bytes
        return queued < wanted and not self._draining

    def _left(self) -> Sequence[str]:
        """What was read has left in an RTP packet: the marks that were told of it, a few at a time."""
        names = self.playout.played()
        for name in names:
            if self._agent is not None:
                self._agent.notice(MarkPlayed(name))
        if self._draining and self.playout.empty:
            self._drained.set()
        return names


def _to_phone(agent: AudioFormat, phone: AudioFormat) -> Converter | None:
    """An agent may send half a sample; the queue is cut into frames, and has to hold whole ones."""
    return converter(agent, phone) or in_whole_samples(phone)


def _both(first: Sink, second: Sink) -> Sink:
    def hear(audio: bytes) -> None:
        """HOT, where a call is recorded."""
        first(audio)
        second(audio)

    return hear
