"""Two calls put through to each other: each has the other in the place of its agent.

What one call's phone says goes to the other's as an agent's audio does, so that both calls keep all they
have: a queue, a recording, figures, limits, a price, and one ending each.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.call.record import By, CallRecord, Ending, EndReason, Status
from gateway.net.agent import AgentUnreachable, Unreachable
from gateway.net.connection import OnClosed, OnFlood, OnMessage, flood_ignored


class PatchEnd:
    """One end: dialler and connection of the agent's leg in one of the two calls."""

    def __init__(self, on_connected: Callable[[], None] | None = None) -> None:
        self.subprotocol: str | None = None
        self.audio_dropped = 0
        self.flooded = False
        self.reason = ""
        "Why this end was closed: its call's end reason."
        self._on_connected = on_connected
        self.other: PatchEnd
        self._on_message: OnMessage = _drop
        self._on_closed: OnClosed | None = None
        self._closed = False

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        on_message: OnMessage,
        on_closed: OnClosed,
        on_flood: OnFlood = flood_ignored,
    ) -> "PatchEnd":
        """Hear the other call from now on, a phone that cannot flood; `AgentUnreachable` where it is over."""
        if self._closed or self.other._closed:
            raise AgentUnreachable(Unreachable.CLOSED, f"the other call is over: {self.other.reason}")
        self._on_message, self._on_closed = on_message, on_closed
        if self._on_connected is not None:
            self._on_connected()
        return self

    def charge(self, work: int) -> None:
        """Nothing: a phone sends what its network brings, in frames of real time."""

    def send_audio(self, text: bool, payload: bytes) -> None:
        """HOT: let the other call hear it; before it listens, nobody does."""
        self.other._on_message(text, payload)

    def send(self, text: bool, payload: bytes) -> None:
        """Press a digit."""
        self.other._on_message(text, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """This call is over, and so is the other one; twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self.reason = reason
        tell = None if self.other._closed else self.other._on_closed
        self._let_go()
        self.other._let_go()
        if tell is not None:
            tell(code, reason)

    def check_alive(self) -> bool:
        """Whether it is still open."""
        return not self._closed

    def _let_go(self) -> None:
        """Hold on to nobody who holds on to this end."""
        self._on_message, self._on_closed = _drop, None
        self._on_connected = None


class Patch:
    """What joins the call that an agent transferred to the one that is dialled for it."""

    def __init__(self, to: str) -> None:
        self.to = to
        "The number that is dialled, as the agent wrote it."
        self.call_id = ""
        "The call that is dialled, once there is one."
        self.first = PatchEnd()
        "For the call that was transferred."
        self.second = PatchEnd(self._answered)
        "For the call that is dialled."
        self.first.other, self.second.other = self.second, self.first
        self.reached: asyncio.Future[Ending | None] = asyncio.get_running_loop().create_future()
        "None when the number has answered, or the ending of a call that came to nothing."
        self._abandon: Callable[[Ending], None] | None = None

    def dialled(self, call_id: str, abandon: Callable[[Ending], None]) -> None:
        """There is a call to the number; `abandon` ends it."""
        self.call_id, self._abandon = call_id, abandon

    def over(self, ending: Ending) -> None:
        """The dialled call has ended; once it was answered, its end of the patch says so."""
        self._abandon = None
        if not self.reached.done():
            self.reached.set_result(ending)

    def give_up(self, reason: str) -> None:
        """The call that was transferred is over: so is the dialled one, whether or not it was answered."""
        if not self.reached.done() and self._abandon is not None:
            detail = "the call that was to be put through ended first"
            self._abandon(Ending(Status.CANCELLED, EndReason.CALLER_CANCELLED, "caller", detail, 487))
        self.first.close(1000, reason)

    def first_ended(self) -> Ending:
        """How the dialled call ends because the other one has."""
        return _ended(self.first.reason, "caller", "the call that was put through")

    def second_ended(self) -> Ending:
        """How the call that was transferred ends because the dialled one has."""
        return _ended(self.second.reason, "callee", f"the call to {self.to}")

    def failed(self, how: Ending) -> Ending:
        """How the call that was transferred ends because nobody was reached, and its agent has left."""
        detail = f"{self.to}: {how.reason}, {how.detail}"
        return Ending(Status.COMPLETED, EndReason.TRANSFER_FAILED, how.by, detail)

    def _answered(self) -> None:
        if not self.reached.done():
            self.reached.set_result(None)


class Transferable(Protocol):
    """A call that its agent may give away."""

    @property
    def record(self) -> CallRecord:
        """Its record, which is live."""
        ...

    @property
    def can_be_transferred(self) -> bool:
        """It is answered, its agent speaks, and is not about to give it away."""
        ...

    def transfer(self, patch: Patch, *, at_once: bool) -> None:
        """Put the phone through by this patch, see `Conversation.transfer`."""

    def transfer_failed(self, to: str, reason: str, why: str) -> None:
        """A transfer that somebody asked for came to nothing."""

    def crash(self, error: Exception) -> None:
        """Something went wrong that is a mistake of ours."""


def _ended(reason: str, party: By, which: str) -> Ending:
    hung_up = reason in ("", EndReason.USER_DISCONNECTED)
    detail = f"{which} was hung up" if hung_up else f"{which} ended: {reason}"
    return Ending(Status.COMPLETED, EndReason.TRANSFER_ENDED, party if hung_up else "gateway", detail)


def _drop(text: bool, payload: bytes) -> None:
    """Nobody listens."""
