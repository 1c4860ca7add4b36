"""The agent's side of a call: a dialect, and the connection that carries it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.agent.notices import Abandoned, Flooding, MarkPlayed, Misunderstood, Notice
from gateway.agent.protocol import (
    AgentEvent,
    Audio,
    CallStart,
    Clear,
    Dialect,
    Frame,
    Hangup,
    Malformed,
    Mark,
    Pause,
    Recording,
    Reply,
    SendDigits,
    Transfer,
)
from gateway.media.playout import Playout
from gateway.net.agent import AgentUnreachable, Connection, OnClosed, OnFlood, OnMessage, Unreachable
from gateway.net.agent_advice import closing_advice
from gateway.net.throttle import REQUEST
from gateway.tell import Tell

ACTIONS_A_SECOND = 2.0
"Transfers and recording actions that an agent may ask for."
ACTIONS = 20
"How many of them at once."
FLOODING = "you send more than can be taken, are slowed down, and will be cut off if you go on"


@dataclass(frozen=True, slots=True)
class AgentClosed:
    """The runtime's connection is gone, or the runtime asked to end the call."""

    clean: bool
    "It hung up; otherwise it died."
    what: str
    "What happened."
    flooded: bool = False
    "We have cut it off, since it sent more than we could take without harm to others."
    look_at: str = ""
    "What its owner should look at."

    @property
    def detail(self) -> str:
        """What happened, and what to look at."""
        return f"{self.what}; {self.look_at}" if self.look_at else self.what


class Speaker(Protocol):
    """What becomes of an agent's words on the phone's side."""

    def play(self, audio: bytes) -> None:
        """HOT: queue audio in the dialect's format."""

    def mark(self, name: str) -> None:
        """Tell the agent when all audio queued so far has left."""

    def clear(self) -> None:
        """Drop what is queued, and tell the agent what that was."""

    def pause(self, paused: bool) -> None:
        """Keep what is queued and send silence, or go on."""

    def press(self, digits: str) -> None:
        """Send digits to the phone."""

    def recording_action(self, action: str) -> None:
        """Start, pause, resume or stop the call's recording."""

    def transfer(self, transfer: Transfer) -> None:
        """Put the phone through to a number."""


class AgentUser(Protocol):
    """Who has an agent in its call: hears of what it does beside its audio."""

    def first_word(self) -> None:
        """The agent's first audio has left for the phone."""

    def first_heard(self) -> None:
        """The phone's first audio is on its way to the agent."""

    def recording_asked(self, action: str) -> None:
        """The agent wants the call's recording to `start`, `pause`, `resume` or `stop`."""

    def transfer_asked(self, transfer: Transfer) -> None:
        """The agent wants the phone to be put through to a number."""

    def crash(self, error: Exception) -> None:
        """A tick raised: a bug of ours."""


class Dialer(Protocol):
    """Opens connections to runtimes, by whatever carries them."""

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        on_message: OnMessage,
        on_closed: OnClosed,
        on_flood: OnFlood,
    ) -> Connection:
        """Connect; raises `AgentUnreachable`."""
        ...


class _HotLeg:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_connection", "_speaker", "dialect", "frames_in")


class AgentLeg(_HotLeg):
    """One agent runtime in one call: `connect`, `begin` at the answer, `hear` per packet, `end` once."""

    __slots__ = (
        "_audio_dropped",
        "_dialer",
        "_due",
        "_ended",
        "_start",
        "_tell",
        "begun",
        "closed",
        "malformed",
    )

    def __init__(self, dialect: Dialect, start: CallStart, dialer: Dialer, tell: Tell) -> None:
        self.dialect = dialect
        self.closed: asyncio.Future[AgentClosed] = asyncio.get_running_loop().create_future()
        "Set once, when the runtime has hung up or died."
        self.frames_in = 0
        self.malformed = 0
        self._start = start
        self._dialer = dialer
        self._tell = tell
        self._connection: Connection | None = None
        self._speaker: Speaker | None = None
        self.begun = False
        "The runtime was told `start`."
        self._ended = False
        self._audio_dropped = 0
        self._due = 0.0
        "When the next transfer or recording action is due if all came evenly."

    async def connect(self, url: str, headers: Sequence[tuple[str, str]], speaker: Speaker) -> None:
        """Dial the runtime; what it says from now on goes to `speaker`. Raises `AgentUnreachable`."""
        self._speaker = speaker
        connection = await self._dialer.connect(
            url,
            headers=[*self.dialect.headers(url), *headers],
            subprotocols=self.dialect.subprotocols,
            on_message=self._receive,
            on_closed=self._lost,
            on_flood=self._flooding,
        )
        if self.closed.done():
            # It may have only asked to hang up, and would wait for us to close.
            connection.close(1000)
            raise AgentUnreachable(Unreachable.CLOSED, self.closed.result().detail)
        self._connection = connection

    def begin(self) -> None:
        """Tell the runtime that its call has begun.

        At the answer, so that no agent speaks to a caller who gave up.
        """
        if not self.begun:
            self.begun = True
            self._say(self.dialect.start(self._start))

    def hear(self, audio: bytes) -> None:
        """HOT: the caller's next audio, in the dialect's format."""
        connection = self._connection
        if connection is not None:
            text, payload = self.dialect.audio(audio)
            connection.send_audio(text, payload)

    def notice(self, notice: Notice) -> None:
        """Tell the runtime what happened; one whose call has not begun hears nothing."""
        self._say(self.dialect.notice(notice))

    def leave(self, detail: str) -> None:
        """The agent is done, though its connection is still there."""
        self._close(AgentClosed(clean=True, what=detail))

    def figures(self) -> dict[str, object]:
        """What passed, for the record."""
        return {
            "frames_in": self.frames_in,
            "malformed": self.malformed,
            "audio_dropped": self._audio_dropped,
        }

    def end(self, reason: str, by: str) -> None:
        """Say goodbye in the dialect's words, and close; twice does nothing. Nobody listens any more."""
        self._speaker = None
        connection = self._release()
        if self._ended or connection is None:
            return
        self._ended = True
        if self.begun:
            for text, payload in self.dialect.stop(reason, by):
                connection.send(text, payload)
        connection.close(1000, reason)

    def _say(self, frames: Sequence[Frame]) -> None:
        connection = self._connection
        if connection is None or not self.begun:
            return
        for text, payload in frames:
            connection.send(text, payload)

    def _receive(self, text: bool, payload: bytes) -> None:
        """HOT: one message of the runtime's."""
        speaker = self._speaker
        if speaker is None:
            return  # its call is over, or another agent has it
        self.frames_in += 1
        work = 0
        for event in self.dialect.receive(text, payload):
            if type(event) is Audio:
                speaker.play(event.payload)
            else:
                self._obey(event, speaker)
                work += REQUEST
        if work and self._connection is not None:
            self._connection.charge(work)

    def _obey(self, event: AgentEvent, speaker: Speaker) -> None:
        match event:
            case Mark(name):
                speaker.mark(name)
            case Clear():
                speaker.clear()
            case SendDigits(digits):
                speaker.press(digits)
            case Recording() | Transfer():
                self._act(event, speaker)
            case Hangup(reason):
                self._close(AgentClosed(clean=True, what=reason or "the agent asked to hang up"))
            case Malformed(why):
                self.complain(why)
            case Pause(paused):
                speaker.pause(paused)
            case Reply(frames):
                self._say(frames)

    def _act(self, event: Recording | Transfer, speaker: Speaker) -> None:
        """Do what writes to the log and the database, at a pace that both stand."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - ACTIONS / ACTIONS_A_SECOND) + 1 / ACTIONS_A_SECOND
        if self._due > now:
            self._due -= 1 / ACTIONS_A_SECOND
            self.complain(f"more than {ACTIONS_A_SECOND:g} transfers and recording actions a second")
        elif isinstance(event, Transfer):
            speaker.transfer(event)
        else:
            speaker.recording_action(event.action)

    def complain(self, why: str) -> None:
        """Tell the log once, and the agent where its dialect can, what it said wrong."""
        self.malformed += 1
        if self.malformed == 1:
            self._tell("agent.malformed", level="warning", why=why)
        self.notice(Misunderstood(why))

    def _flooding(self) -> None:
        """The runtime is slowed down, and will be cut off if it goes on: say so, to it and to the log."""
        self._tell("agent.flooding", level="warning", frames_in=self.frames_in)
        self.notice(Flooding(FLOODING))

    def _lost(self, code: int | None, why: str) -> None:
        connection = self._release()
        flooded = connection is not None and connection.flooded
        said = f"{code} {why}".strip()
        what = f"the agent closed its connection ({said})" if code else f"connection lost: {why}"
        advice = closing_advice(code)
        if flooded:
            self._close(AgentClosed(not advice, why, flooded))
        else:
            self._close(AgentClosed(not advice, what, look_at=advice))

    def _release(self) -> Connection | None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._audio_dropped = connection.audio_dropped
        return connection

    def _close(self, how: AgentClosed) -> None:
        if not self.closed.done():
            self.closed.set_result(how)


def abandon(playout: Playout, agent: AgentLeg) -> tuple[int, int]:
    """Tell an agent whose caller is gone what became of its marks, in their order.

    Those whose audio has left were played; those in what nobody will hear were not reached. Returns how many
    there were of each.
    """
    unheard_ms, played = playout.queued_ms, 0
    unreached = playout.clear()
    while names := playout.played():
        played += len(names)
        for name in names:
            agent.notice(MarkPlayed(name))
    agent.notice(Abandoned(unreached, unheard_ms))
    return played, len(unreached)
