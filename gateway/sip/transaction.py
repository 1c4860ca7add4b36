"""Transactions (RFC 3261 section 17): a request and its responses, client and server, INVITE and others.

Each follows one of the four tables in `gateway.sip.transaction_tables`; its deadlines are fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.sip.message import Headers, Request, Response
from gateway.sip.transaction_tables import (
    ACK,
    ACKNOWLEDGE,
    INVITE_CLIENT,
    INVITE_SERVER,
    LENGTHS,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    REQUEST,
    RESEND,
    RESEND_AT_T2,
    SEND,
    TELL,
    TELL_TIMEOUT,
    TELL_UNDELIVERABLE,
    TERMINATED,
    UNDELIVERABLE,
    Action,
    Input,
    Machine,
    Running,
    State,
    kind_of,
)

if TYPE_CHECKING:
    from gateway.sip.schedule import Timed
    from gateway.sip.settings import Settings
    from gateway.sip.target import Target


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
