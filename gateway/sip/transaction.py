"""The four transaction machines of RFC 3261 section 17, with the corrections of RFC 6026.

Each figure is a table with one line an arrow; what is absent from a table is ignored, on purpose.
Beside it stands which timers run in which state. Deadlines are fields of the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gateway.sip.message import Headers, Request, Response

if TYPE_CHECKING:
    from gateway.sip.schedule import Timed
    from gateway.sip.settings import Settings
    from gateway.sip.target import Target


class State(Enum):
    """Where a transaction stands; each machine uses some of them."""

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen to a transaction.

    For a client the responses are those that arrive; for a server, those that its user sends.
    """

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    REQUEST = auto()
    "The request once more: a retransmission."
    ACK = auto()
    PROVISIONAL = auto()
    "100 to 199."
    SUCCESS = auto()
    "200 to 299."
    FAILURE = auto()
    "300 to 699."
    UNDELIVERABLE = auto()
    "The transport says that a message could not be sent."
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()


class Action(Enum):
    """What a transaction does on the way to its next state."""

    SEND = auto()
    "Send the response that its user gave."
    RESEND = auto()
    "Send the last message again; the timer that asked for it runs twice as long next time."
    RESEND_AT_T2 = auto()
    "The same, next time in T2."
    ACKNOWLEDGE = auto()
    "Send the ACK of section 17.1.1.3."
    TELL = auto()
    "Pass the message to the transaction's user."
    TELL_TIMEOUT = auto()
    TELL_UNDELIVERABLE = auto()


Arrow: TypeAlias = tuple[State, tuple[Action, ...]]

# The words of the tables, each in the order of its class.
CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = State
REQUEST, ACK, PROVISIONAL, SUCCESS, FAILURE, UNDELIVERABLE, *_TIMERS = Input
TIMER_A, TIMER_B, TIMER_D, TIMER_E, TIMER_F, TIMER_G, TIMER_H, TIMER_I, TIMER_J = _TIMERS[:9]
TIMER_K, TIMER_L, TIMER_M = _TIMERS[9:]
SEND, RESEND, RESEND_AT_T2, ACKNOWLEDGE, TELL, TELL_TIMEOUT, TELL_UNDELIVERABLE = Action


@dataclass(frozen=True, slots=True)
class Running:
    """The timers of a state: one that repeats, one that ends it."""

    repeat: Input | None = None
    end: Input | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """One figure of section 17."""

    start: State
    arrows: Mapping[tuple[State, Input], Arrow]
    timers: Mapping[State, Running]


# Figure 5, as RFC 6026 draws it. Timer B is for Calling only: after a 1xx the phone may ring for ever.
INVITE_CLIENT: Final = Machine(
    start=CALLING,
    arrows={
        (CALLING, TIMER_A): (CALLING, (RESEND,)),
        (CALLING, TIMER_B): (TERMINATED, (TELL_TIMEOUT,)),
        (CALLING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (CALLING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (CALLING, SUCCESS): (ACCEPTED, (TELL,)),
        (CALLING, FAILURE): (COMPLETED, (ACKNOWLEDGE, TELL)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (PROCEEDING, SUCCESS): (ACCEPTED, (TELL,)),
        (PROCEEDING, FAILURE): (COMPLETED, (ACKNOWLEDGE, TELL)),
        (COMPLETED, FAILURE): (COMPLETED, (ACKNOWLEDGE,)),
        (COMPLETED, UNDELIVERABLE): (TERMINATED, ()),
        (COMPLETED, TIMER_D): (TERMINATED, ()),
        (ACCEPTED, SUCCESS): (ACCEPTED, (TELL,)),
        (ACCEPTED, TIMER_M): (TERMINATED, ()),
    },
    timers={
        CALLING: Running(repeat=TIMER_A, end=TIMER_B),
        COMPLETED: Running(end=TIMER_D),
        ACCEPTED: Running(end=TIMER_M),
    },
)

# Figure 6. Timer F started in Trying runs on in Proceeding.
NON_INVITE_CLIENT: Final = Machine(
    start=TRYING,
    arrows={
        (TRYING, TIMER_E): (TRYING, (RESEND,)),
        (TRYING, TIMER_F): (TERMINATED, (TELL_TIMEOUT,)),
        (TRYING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (TRYING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (TRYING, SUCCESS): (COMPLETED, (TELL,)),
        (TRYING, FAILURE): (COMPLETED, (TELL,)),
        (PROCEEDING, TIMER_E): (PROCEEDING, (RESEND_AT_T2,)),
        (PROCEEDING, TIMER_F): (TERMINATED, (TELL_TIMEOUT,)),
        (PROCEEDING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (PROCEEDING, SUCCESS): (COMPLETED, (TELL,)),
        (PROCEEDING, FAILURE): (COMPLETED, (TELL,)),
        (COMPLETED, TIMER_K): (TERMINATED, ()),
    },
    timers={
        TRYING: Running(repeat=TIMER_E, end=TIMER_F),
        PROCEEDING: Running(repeat=TIMER_E, end=TIMER_F),
        COMPLETED: Running(end=TIMER_K),
    },
)

# Figure 7, as RFC 6026 draws it. The transport's bad news is no arrow of ours: in Proceeding and
# Completed the figure tells it to the user and stays, and our user would only wait, as it does anyway.
INVITE_SERVER: Final = Machine(
    start=PROCEEDING,
    arrows={
        (PROCEEDING, REQUEST): (PROCEEDING, (RESEND,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (PROCEEDING, SUCCESS): (ACCEPTED, (SEND,)),
        (PROCEEDING, FAILURE): (COMPLETED, (SEND,)),
        (COMPLETED, REQUEST): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_G): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_H): (TERMINATED, ()),
        (COMPLETED, ACK): (CONFIRMED, ()),
        (CONFIRMED, TIMER_I): (TERMINATED, ()),
        # The figure only absorbs the request here, since the user resends the 2xx by its own timer.
        # A caller that asks again has not heard it: answering at once saves up to four seconds.
        (ACCEPTED, REQUEST): (ACCEPTED, (RESEND,)),
        (ACCEPTED, SUCCESS): (ACCEPTED, (SEND,)),
        (ACCEPTED, ACK): (ACCEPTED, (TELL,)),
        (ACCEPTED, TIMER_L): (TERMINATED, ()),
    },
    timers={
        COMPLETED: Running(repeat=TIMER_G, end=TIMER_H),
        CONFIRMED: Running(end=TIMER_I),
        ACCEPTED: Running(end=TIMER_L),
    },
)

# Figure 8.
NON_INVITE_SERVER: Final = Machine(
    start=TRYING,
    arrows={
        (TRYING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (TRYING, SUCCESS): (COMPLETED, (SEND,)),
        (TRYING, FAILURE): (COMPLETED, (SEND,)),
        (PROCEEDING, REQUEST): (PROCEEDING, (RESEND,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (PROCEEDING, SUCCESS): (COMPLETED, (SEND,)),
        (PROCEEDING, FAILURE): (COMPLETED, (SEND,)),
        (COMPLETED, REQUEST): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_J): (TERMINATED, ()),
    },
    timers={
        COMPLETED: Running(end=TIMER_J),
    },
)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a timer runs, as a multiple of T1 or T4 (RFC 3261 table 4)."""

    t1: int = 0
    t4: int = 0
    reliable: bool = True
    "Whether it has that length over TCP and TLS too, where otherwise nothing is repeated or awaited."

    up_to_t2: bool = False
    "How far a repeating timer doubles."


# Table 4, with L and M of RFC 6026. Timer D is at least 32 s, which 64*T1 is by default.
LENGTHS: Final[Mapping[Input, Length]] = {
    TIMER_A: Length(t1=1, reliable=False),
    TIMER_B: Length(t1=64),
    TIMER_D: Length(t1=64, reliable=False),
    TIMER_E: Length(t1=1, reliable=False, up_to_t2=True),
    TIMER_F: Length(t1=64),
    TIMER_G: Length(t1=1, reliable=False, up_to_t2=True),
    TIMER_H: Length(t1=64),
    TIMER_I: Length(t4=1, reliable=False),
    TIMER_J: Length(t1=64, reliable=False),
    TIMER_K: Length(t4=1, reliable=False),
    TIMER_L: Length(t1=64),
    TIMER_M: Length(t1=64),
}


def kind_of(status: int) -> Input:
    """Which input a response of that status is."""
    if status < 200:
        return PROVISIONAL
    return SUCCESS if status < 300 else FAILURE


class Layer(Protocol):
    """What a transaction needs of the layer that it lives in."""

    settings: Settings

    def send(self, data: bytes, target: Target) -> None:
        """Queue a message for the network."""
        ...

    def arm(self, timed: Timed) -> None:
        """Take notice of deadlines that moved."""
        ...

    def forget(self, transaction: Transaction) -> None:
        """The transaction has terminated: nothing can match it any more."""
        ...


class Transaction:
    """What the four machines share: a state, two deadlines and the message to repeat."""

    __slots__ = (
        "_layer",
        "_machine",
        "ends_at",
        "key",
        "message",
        "repeat_after",
        "repeat_at",
        "request",
        "scheduled",
        "state",
        "target",
    )

    def __init__(
        self, machine: Machine, key: tuple[object, ...], request: Request, target: Target, layer: Layer
    ) -> None:
        self._machine = machine
        self._layer = layer
        self.key = key
        self.request = request
        self.target = target
        self.message = b""
        self.state = machine.start
        self.repeat_at: float | None = None
        self.repeat_after = 0.0
        self.ends_at: float | None = None
        self.scheduled: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the earlier of its timers fires."""
        if self.repeat_at is None:
            return self.ends_at
        if self.ends_at is None:
            return self.repeat_at
        return min(self.repeat_at, self.ends_at)

    def expire(self, now: float) -> None:
        """Fire what is due: the end of a state before another repetition."""
        running = self._machine.timers.get(self.state)
        if running is None:
            return
        if self.ends_at is not None and self.ends_at <= now and running.end is not None:
            self._feed(running.end, now)
        elif self.repeat_at is not None and self.repeat_at <= now and running.repeat is not None:
            self._feed(running.repeat, now)

    def _feed(self, what: Input, now: float, message: Request | Response | None = None) -> None:
        """Follow one arrow, or none."""
        arrow = self._machine.arrows.get((self.state, what))
        if arrow is None:
            return
        state, actions = arrow
        if state is not self.state:
            self._enter(state, now)
        for action in actions:
            self._do(action, now, message)
        self._layer.arm(self)

    def _enter(self, state: State, now: float) -> None:
        """Start the timers of a state; one that already runs keeps running (Timers E and F)."""
        before = self._machine.timers.get(self.state, Running())
        after = self._machine.timers.get(state, Running())
        self.state = state
        if after.repeat is not before.repeat:
            self._start_repeating(after.repeat, now)
        if after.end is not before.end:
            length = self._length(after.end)
            self.ends_at = None if length is None else now + length
            if length == 0.0 and after.end is not None:
                self._feed(after.end, now)
        if state is TERMINATED:
            self._layer.forget(self)

    def _start_repeating(self, timer: Input | None, now: float) -> None:
        length = self._length(timer)
        self.repeat_after = length or 0.0
        self.repeat_at = now + length if length else None

    def _length(self, timer: Input | None) -> float | None:
        if timer is None:
            return None
        length = LENGTHS[timer]
        if self.target.reliable and not length.reliable:
            return 0.0
        return length.t1 * self._layer.settings.t1 + length.t4 * self._layer.settings.t4

    def _do(self, action: Action, now: float, message: Request | Response | None) -> None:
        if action is SEND:
            self._layer.send(self.message, self.target)
        elif action is RESEND:
            self._repeat(now, 2 * self.repeat_after)
        elif action is RESEND_AT_T2:
            self._repeat(now, self._layer.settings.t2)

    def _repeat(self, now: float, after: float) -> None:
        """Send again; the next time is put off only when it was the timer that asked."""
        self._layer.send(self.message, self.target)
        if self.repeat_at is None or self.repeat_at > now:
            return
        running = self._machine.timers[self.state].repeat
        if running is not None and LENGTHS[running].up_to_t2:
            after = min(after, self._layer.settings.t2)
        self.repeat_after = after
        self.repeat_at = now + after


class ClientUser(Protocol):
    """Who sent the request of a client transaction."""

    def response_received(self, response: Response, source: Target, now: float) -> None:
        """A response that is not a repetition."""
        ...

    def request_failed(self, status: int, why: str, now: float) -> None:
        """No response will come: 408 after the timeout, 503 when it could not be sent (8.1.3.1)."""
        ...


class ClientTransaction(Transaction):
    """Figures 5 and 6: a request of ours, until its final response."""

    __slots__ = ("_source", "_user", "_why", "acknowledgement")

    def __init__(
        self,
        key: tuple[object, ...],
        request: Request,
        target: Target,
        user: ClientUser,
        layer: Layer,
        now: float,
    ) -> None:
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        super().__init__(machine, key, request, target, layer)
        self._user = user
        self._why = ""
        self._source = target
        self.acknowledgement: bytes | None = None
        self.message = bytes(request)
        running = machine.timers[machine.start]
        self._start_repeating(running.repeat, now)
        self.ends_at = now + (self._length(running.end) or 0.0)
        layer.send(self.message, target)
        layer.arm(self)

    def receive(self, response: Response, source: Target, now: float) -> None:
        """A response matched this transaction."""
        self._source = source
        self._feed(kind_of(response.status), now, response)

    def undeliverable(self, why: str, now: float) -> None:
        """The request could not be sent."""
        self._why = why
        self._feed(UNDELIVERABLE, now)

    def abandon(self) -> None:
        """Its user gives up: an INVITE in Proceeding has no timer that would (section 9.1)."""
        self.state = TERMINATED
        self.repeat_at = self.ends_at = None
        self._layer.arm(self)
        self._layer.forget(self)

    def _do(self, action: Action, now: float, message: Request | Response | None) -> None:
        if action is TELL:
            assert isinstance(message, Response)
            self._user.response_received(message, self._source, now)
        elif action is ACKNOWLEDGE:
            assert isinstance(message, Response)
            self._acknowledge(message)
        elif action is TELL_TIMEOUT:
            self._user.request_failed(408, "no response", now)
        elif action is TELL_UNDELIVERABLE:
            self._user.request_failed(503, self._why, now)
        else:
            super()._do(action, now, message)

    def _acknowledge(self, response: Response) -> None:
        if self.acknowledgement is None:
            self.acknowledgement = bytes(acknowledge_failure(self.request, response))
        self._layer.send(self.acknowledgement, self.target)


class ServerUser(Protocol):
    """Who answers the request of a server transaction."""

    @property
    def local_tag(self) -> str:
        """The To tag of the answers."""
        ...

    def acknowledged(self, ack: Request, now: float) -> None:
        """An ACK of our 2xx that came by the INVITE's own branch, as some peers send it."""
        ...

    def cancelled(self, cancel: Request, now: float) -> None:
        """The peer takes its INVITE back."""
        ...


class ServerTransaction(Transaction):
    """Figures 7 and 8: a request of a peer's, until our final response is known to have arrived."""

    __slots__ = ("merge_key", "user")

    def __init__(self, key: tuple[object, ...], request: Request, target: Target, layer: Layer) -> None:
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        super().__init__(machine, key, request, target, layer)
        self.user: ServerUser | None = None
        self.merge_key: tuple[object, ...] | None = None

    def repeated(self, now: float) -> None:
        """The request came again."""
        self._feed(REQUEST, now)

    def acknowledge(self, ack: Request, now: float) -> None:
        """An ACK matched this transaction."""
        self._feed(ACK, now, ack)

    def respond(self, response: Response, now: float) -> None:
        """Send a response; one that the figure does not draw, such as a second final, is ignored."""
        kind = kind_of(response.status)
        if (self.state, kind) in self._machine.arrows:
            self.message = bytes(response)
            self._feed(kind, now)

    def _do(self, action: Action, now: float, message: Request | Response | None) -> None:
        if action is TELL:
            if self.user is not None and isinstance(message, Request):
                self.user.acknowledged(message, now)
        else:
            super()._do(action, now, message)


def acknowledge_failure(invite: Request, response: Response) -> Request:
    """The ACK of a final response other than 2xx (RFC 3261 section 17.1.1.3)."""
    headers = Headers()
    headers.add("Via", str(invite.via))
    for route in invite.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", str(invite.from_))
    headers.add("To", str(response.to))
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} ACK")
    return Request("ACK", invite.uri, headers)
