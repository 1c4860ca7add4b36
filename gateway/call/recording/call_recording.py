"""One call's recording: who may begin and pause it, and what the call's record says of it."""

import asyncio
from collections.abc import Callable
from typing import Literal, cast, get_args

from gateway.call.bridge import Bridge
from gateway.call.record import CallRecord
from gateway.call.recording.announcement import announce
from gateway.call.recording.sounds import NoSound, Sounds
from gateway.call.recording.stereo_tape import StereoTape
from gateway.net.clock import MediaClock
from gateway.recordings.protocol import key_of
from gateway.recordings.writer import Outcome, RecordingWriter, Reel
from gateway.routing.recording import RecordingRule
from gateway.tell import Tell

State = Literal["idle", "recording", "paused", "stopped", "failed"]
Action = Literal["start", "pause", "resume", "stop"]
ACTIONS: tuple[Action, ...] = get_args(Action)

MAX_PAUSES = 1000
"Pauses of one recording: who flips it without end is refused, so that no record grows without bound."

_MOVES: dict[tuple[State, Action], State] = {
    ("idle", "start"): "recording",
    ("recording", "start"): "recording",
    ("recording", "pause"): "paused",
    ("paused", "pause"): "paused",
    ("paused", "resume"): "recording",
    ("recording", "resume"): "recording",
    ("recording", "stop"): "stopped",
    ("paused", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
}
"What may be asked for when; doing it again changes nothing. A recording that has ended stays ended."


class RecordingRefused(Exception):
    """The action is not for this call, or not for this moment; the message is for a person."""


class CallRecording:
    """`begin` at the answer, `act` whenever somebody asks, `end` with the call."""

    def __init__(
        self,
        rule: RecordingRule,
        record: CallRecord,
        bridge: Bridge,
        clock: MediaClock,
        writer: RecordingWriter,
        sounds: Sounds,
        save: Callable[[CallRecord], None],
        tell: Tell,
    ) -> None:
        self.state: State = "idle"
        self._rule = rule
        self._record = record
        self._bridge = bridge
        self._clock = clock
        self._writer = writer
        self._sounds = sounds
        self._save = save
        self._tell = tell
        self._tape: StereoTape | None = None
        self._reel: Reel | None = None
        self._facts: dict[str, object] = {}
        self._pauses: list[dict[str, int | None]] = []
        self._announcing = False

    async def begin(self) -> None:
        """The phone hears us: announce the recording and begin it, where the rule says so."""
        if self._rule.begins:
            if self._rule.announcement is not None:
                await self._announce(self._rule.announcement)
            if self.state == "idle":
                self.act("start", "rule")

    def act(self, action: Action, by: str) -> State:
        """Do what somebody asks for; `RecordingRefused` says why not. `by` is `rule`, `agent` or a key."""
        if not self._rule.allowed:
            raise RecordingRefused("this call is not to be recorded")
        if self._record.answered_at is None or self._record.ended_at is not None:
            raise RecordingRefused("only an answered call can be recorded, while it goes on")
        if self._announcing:
            raise RecordingRefused("it begins when its announcement has been played")
        target = _MOVES.get((self.state, action))
        if target is None:
            raise RecordingRefused(f"cannot {action} a recording that is {self.state}")
        if target != self.state:
            self._move(action, target, by)
        return self.state

    def ask(self, action: str) -> None:
        """The agent wants something of it, and is told why where nothing comes of that."""
        try:
            self.act(cast("Action", action), "agent")
        except RecordingRefused as refusal:
            self._bridge.recording_is(self.state, str(refusal))

    def end(self) -> None:
        """The call is over."""
        if self.state in ("recording", "paused"):
            self._wind_up("stopped")

    def _move(self, action: Action, target: State, by: str) -> None:
        if action == "start":
            self._start(by)
        elif action == "stop":
            self._wind_up(target)
        else:
            self._pause(target == "paused")
        if self._reel is not None and self.state != "failed":
            self.state = target
            self._tell_of(action, by)
        self._note("recording")
        self._bridge.recording_is(self.state)

    def _start(self, by: str) -> None:
        phone = self._bridge.phone
        key = key_of(self._record.id, self._record.created_at)
        reel = self._reel = self._writer.reel(key, phone.format, self._fell_behind)
        reel.outcome.add_done_callback(self._over)
        self._facts = {
            "started_at": self._record.now().isoformat(timespec="milliseconds"),
            "by": by,
            "channels": 2,
            "sample_rate": reel.rate,
        }
        self._tape = StereoTape(phone.format, phone.ptime_ms, self._clock, reel.give)
        self._bridge.tap(self._tape)

    def _pause(self, paused: bool) -> None:
        assert self._tape is not None
        if paused:
            if len(self._pauses) >= MAX_PAUSES:
                raise RecordingRefused(f"it was paused {MAX_PAUSES} times already")
            self._pauses.append({"from_ms": self._position(), "to_ms": None})
            self._tape.pause()
        else:
            self._pauses[-1]["to_ms"] = self._position()
            self._tape.resume()

    def _wind_up(self, state: State) -> None:
        """No more is taken; what there is will be finished, and `_over` hears of it."""
        self._close_pause()
        self.state = state
        self._bridge.untap(self._tape)
        if self._tape is not None and self._reel is not None:
            self._tape.cut()
            self._reel.end()

    def _close_pause(self) -> None:
        if self.state == "paused":
            self._pauses[-1]["to_ms"] = self._position()

    def _over(self, outcome: "asyncio.Future[Outcome]") -> None:
        """It is finished, or has failed in mid-call: the call goes on."""
        if outcome.cancelled():
            return
        found = outcome.result()
        if self.state in ("recording", "paused"):
            self._close_pause()
            self._bridge.untap(self._tape)
            self.state = "failed"
            self._bridge.recording_is(self.state)
        self._facts |= {
            "key": found.key,
            "seconds": found.milliseconds / 1000,
            "bytes": found.size,
            "sha256": found.sha256,
            "gap_ms": found.gap_ms,
        }
        if found.why is not None or found.key is None:
            why = self._facts["why"] = found.why or "the call ended before anything was recorded"
            self._note("failed")
            level = "error" if found.why else "info"
            self._tell("recording.failed", level=level, why=why, seconds=found.milliseconds / 1000)
        else:
            self._note("saved")
            self._tell_saved(found)
        self._tape = self._reel = None  # it would tell us of gaps, and keep us for that

    def _tell_of(self, action: Action, by: str) -> None:
        at = self._position()
        match action:
            case "start":
                self._tell("recording.started", by=by, at_ms=at)
            case "pause":
                self._tell("recording.paused", by=by, at_ms=at)
            case "resume":
                self._tell("recording.resumed", by=by, at_ms=at)
            case "stop":
                self._tell("recording.stopped", by=by, at_ms=at)

    def _tell_saved(self, outcome: Outcome) -> None:
        self._tell(
            "recording.saved",
            seconds=outcome.milliseconds / 1000,
            bytes=outcome.size,
            channels=2,
            sha256=outcome.sha256,
            gap_ms=outcome.gap_ms,
            pauses=len(self._pauses),
        )

    def _note(self, status: str) -> None:
        """Keep it in the call's record."""
        self._record.recording_status = status
        self._record.recording = {**self._facts, "pauses": [dict(pause) for pause in self._pauses]}
        self._save(self._record)

    def _fell_behind(self) -> None:
        self._tell("recording.gap", level="warning", at_ms=self._position())

    def _position(self) -> int:
        return 0 if self._tape is None else self._tape.position_ms

    async def _announce(self, file: str) -> None:
        try:
            audio = await self._sounds.play(file, self._bridge.phone.format)
        except NoSound as error:
            # Who has to announce a recording must not record without.
            self._refuse(f"the announcement {file} cannot be played: {error}")
            return
        self._tell("recording.announced", file=file)
        self._announcing = True
        await announce(self._bridge.phone, self._clock, audio)
        self._announcing = False

    def _refuse(self, why: str) -> None:
        self.state = "failed"
        self._facts = {"why": why}
        self._note("failed")
        self._bridge.recording_is(self.state)
        self._tell("recording.failed", level="error", why=why, seconds=0.0)
