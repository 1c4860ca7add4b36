"""An INVITE of ours: the call that it begins, or the change that it proposes (RFC 3261 13.2, 14.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.events import Answered, Refused, ReinviteAnswered, Ringing
from gateway.sip.outgoing_request import UNANSWERED, add_headers, cancel_for, set_body

if TYPE_CHECKING:
    from gateway.sip.authorization import Authorization
    from gateway.sip.core import Core
    from gateway.sip.dialog import Dialog
    from gateway.sip.message import Request, Response
    from gateway.sip.target import Target
    from gateway.sip.transaction import ClientTransaction

MAX_FORKS = 32
"Dialogs that one INVITE may make; what a proxy forks to beyond it is left to time out."

GLARE_RETRIES = 3
"How often a re-INVITE that met the peer's own (491) is sent again."


class Phase(Enum):
    """What our INVITE is waiting for."""

    CALLING = auto()
    "Any response."
    PROCEEDING = auto()
    "A final one."
    ANSWERED = auto()
    "The application's ACK."
    ACKNOWLEDGED = auto()
    "Nothing: 2xx may be repeated, or come late from another fork."
    DONE = auto()


def type_of(response: Response) -> str | None:
    """The media type of a response's body, when there is one."""
    return response.headers.get("Content-Type") if response.body else None


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the application wants to be said in the INVITE that begins a call."""

    request_uri: str
    targets: tuple[Target, ...]
    "Where it may go, the first choice first (RFC 3263 section 4.3): at least one, each by a listener."
    to: str
    routes: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str


class OutgoingInvite:
    """The INVITE that begins a call."""

    __slots__ = (
        "_acknowledgement_body",
        "_acknowledgements",
        "_authorization",
        "_cancel_reason",
        "_cancelling",
        "_core",
        "_dialog",
        "_ends_at",
        "_invitation",
        "_target",
        "_transaction",
        "phase",
        "scheduled",
    )

    def __init__(
        self, core: Core, dialog: Dialog, invitation: Invitation, authorization: Authorization
    ) -> None:
        self._core = core
        self._dialog = dialog
        self._invitation = invitation
        self._target = invitation.targets[0]
        "The one of its targets that is asked: another would be asked by a new branch, and is not yet."
        self._authorization = authorization
        self._acknowledgements: dict[str | None, tuple[bytes, Target]] = {}
        self._acknowledgement_body = b"", ""
        self._cancelling = False
        self._cancel_reason: str | None = None
        self._transaction: ClientTransaction | None = None
        self._ends_at: float | None = None
        self.phase = Phase.CALLING
        self.scheduled: float | None = None

    @property
    def open(self) -> bool:
        """Whether it still waits for an answer, or for our ACK of one."""
        return self.phase in {Phase.CALLING, Phase.PROCEEDING, Phase.ANSWERED}

    def send(self, now: float) -> None:
        """Send it, with what has been learnt from challenges so far."""
        invitation = self._invitation
        request = self._dialog.write_invite(invitation, self._target)
        add_headers(request, invitation.headers)
        set_body(request, invitation.body, invitation.content_type)
        add_headers(request, self._authorization.headers_for(request))
        self._dialog.request = request
        self.phase = Phase.CALLING
        self._wait_until(now + self._core.settings.invite_timeout)
        self._transaction = self._core.layer.start_client(request, self._target, self, now)

    # What arrives.

    def response_received(self, response: Response, source: Target, now: float) -> None:
        """Take any response that is not a repetition, or is a repeated 2xx."""
        if response.status < 200:
            self._provisional(response, source, now)
            return
        self._transaction = None
        if response.status < 300:
            self._success(response, source, now)
        else:
            self._failure(response, now)

    def request_failed(self, status: int, why: str, now: float) -> None:
        """Nobody answered, or nobody could be asked."""
        self._transaction = None
        if not self._cancelling:
            self._core.emit(Refused(self._dialog, status, why, None))
        self._end("cancelled" if self._cancelling else why)

    def _provisional(self, response: Response, source: Target, now: float) -> None:
        first = self.phase is Phase.CALLING
        self.phase = Phase.PROCEEDING
        if self._cancelling:
            if first:
                self._send_cancel(now)
            return
        if response.status > 100:
            self._dialog.heard_early(response, source)
            event = Ringing(self._dialog, response.status, response.body, type_of(response))
            self._core.emit(event)

    def _success(self, response: Response, source: Target, now: float) -> None:
        tag = response.to.tag
        if tag in self._acknowledgements:
            self._core.counters["retransmission.absorbed"] += 1
            self._core.layer.send(*self._acknowledgements[tag])
        elif self.phase in {Phase.CALLING, Phase.PROCEEDING}:
            self._first_success(response, source, now)
        elif tag != self._dialog.remote_tag and len(self._acknowledgements) < MAX_FORKS:
            self._core.counters["forked.hung_up"] += 1
            self._hang_up(self._dialog.fork(response, source), now)

    def _first_success(self, response: Response, source: Target, now: float) -> None:
        self._dialog.confirm(response, source)
        self._authorization.accepted()
        self.phase = Phase.ANSWERED
        if self._cancelling:
            self._core.counters["cancel.crossed"] += 1
            self._decline(now)
            return
        fault = _route_fault(response)
        if fault is not None:
            # Without its route the call could be neither changed nor surely ended: ACK, BYE, and say why.
            self._core.counters["answer.unusable"] += 1
            fields = tuple(response.headers)
            self._core.emit(Refused(self._dialog, response.status, fault, None, fields))
            self._decline(now)
            return
        self._wait_until(now + 64 * self._core.settings.t1)
        self._core.emit(Answered(self._dialog, response.body, type_of(response)))

    def _decline(self, now: float) -> None:
        """Hang up on an answer that nobody can use any more."""
        self.acknowledge(now, b"", "")
        self._dialog.bye(now, self._cancel_reason)

    def _failure(self, response: Response, now: float) -> None:
        if self._cancelling:
            self._end("cancelled")
        elif self._authorization.takes(response):
            self.send(now)
        else:
            reason = response.headers.get("Reason")
            fields = tuple(response.headers)
            self._core.emit(Refused(self._dialog, response.status, response.reason, reason, fields))
            self._end(f"refused with {response.status}")

    # What the application wants.

    def acknowledge(self, now: float, body: bytes, content_type: str) -> None:
        """Send the ACK of the first 2xx; a second time does nothing."""
        if self.phase is Phase.ACKNOWLEDGED:
            return
        if self.phase is not Phase.ANSWERED:
            raise LocalProtocolError("there is no answer to acknowledge")
        self.phase = Phase.ACKNOWLEDGED
        self._wait_until(None)
        self._acknowledgement_body = body, content_type
        self._acknowledge(self._dialog, body, content_type)

    def acknowledge_again(self) -> None:
        """By the way that the dialog's requests now take: the first ACK may have got nowhere."""
        if self.phase is Phase.ACKNOWLEDGED:
            self._acknowledge(self._dialog, *self._acknowledgement_body)

    def cancel(self, now: float, reason_header: str | None) -> None:
        """Give up, in the way that the moment allows."""
        if self.phase in {Phase.CALLING, Phase.PROCEEDING} and not self._cancelling:
            self._cancelling = True
            self._cancel_reason = reason_header
            # "If no provisional response has been received, the CANCEL request MUST NOT be sent"
            # (section 9.1): it waits for one.
            if self.phase is Phase.PROCEEDING:
                self._send_cancel(now)
        elif self.phase in {Phase.ANSWERED, Phase.ACKNOWLEDGED}:
            self._dialog.bye(now, reason_header)

    def conclude(self, now: float) -> None:
        """The dialog ends: acknowledge what the application did not."""
        if self.phase is Phase.ANSWERED:
            self.acknowledge(now, b"", "")

    @property
    def deadline(self) -> float | None:
        """The end of patience: with the peer, or with the application that owes an ACK."""
        return self._ends_at

    def expire(self, now: float) -> None:
        """Give up what has waited too long."""
        if self._ends_at is None or self._ends_at > now:
            return
        self._ends_at = None
        if self.phase is Phase.ANSWERED:
            self._core.counters["expired.ack"] += 1
            self._dialog.bye(now)
        elif self._cancelling:
            # "If there is no final response for the original request in 64*T1 seconds, the UAC SHOULD
            # then consider the original transaction cancelled" (section 9.1).
            self._abandon()
        else:
            self._core.counters["expired.invite"] += 1
            self._core.emit(Refused(self._dialog, 408, "no final response", None))
            self.cancel(now, None)

    def _send_cancel(self, now: float) -> None:
        request = cancel_for(self._dialog.request, self._cancel_reason)
        self._core.layer.start_client(request, self._target, UNANSWERED, now)
        self._wait_until(now + 64 * self._core.settings.t1)

    def _abandon(self) -> None:
        assert self._transaction is not None, "no final response has come"
        self._transaction.abandon()
        self._end("cancelled, and never answered")

    def _acknowledge(self, dialog: Dialog, body: bytes, content_type: str) -> None:
        message = dialog.acknowledgement_of(self._dialog.request, body, content_type)
        self._acknowledgements[dialog.remote_tag] = message
        self._core.layer.send(*message)

    def _hang_up(self, fork: Dialog, now: float) -> None:
        """End a dialog that a late fork made: "the UAC MUST send an ACK", and needs no second callee."""
        self._acknowledge(fork, b"", "")
        request, target = fork.write("BYE")
        self._core.layer.start_client(request, target, UNANSWERED, now)

    def _end(self, why: str) -> None:
        self.phase = Phase.DONE
        self._wait_until(None)
        self._dialog.end(why)

    def _wait_until(self, end: float | None) -> None:
        self._ends_at = end
        self._core.layer.arm(self)


class OutgoingReinvite:
    """An INVITE of ours within a dialog."""

    __slots__ = (
        "_acknowledgement",
        "_authorization",
        "_body",
        "_content_type",
        "_core",
        "_dialog",
        "_ends_at",
        "_glares",
        "_request",
        "_retry_at",
        "_transaction",
        "done",
        "scheduled",
    )

    def __init__(
        self, core: Core, dialog: Dialog, body: bytes, content_type: str, authorization: Authorization
    ) -> None:
        self._core = core
        self._dialog = dialog
        self._body = body
        self._content_type = content_type
        self._authorization = authorization
        self._acknowledgement: tuple[bytes, Target] | None = None
        self._ends_at: float | None = None
        self._retry_at: float | None = None
        self._glares = 0
        self._transaction: ClientTransaction | None = None
        self._request: Request
        self.done = False
        self.scheduled: float | None = None

    def send(self, now: float) -> None:
        """Send it, with what has been learnt from challenges so far."""
        self._request, target = self._dialog.write("INVITE")
        self._request.headers.add("Contact", self._dialog.contact)
        set_body(self._request, self._body, self._content_type)
        add_headers(self._request, self._authorization.headers_for(self._request))
        self._wait_until(now + self._core.settings.invite_timeout)
        self._transaction = self._core.layer.start_client(self._request, target, self, now)

    def response_received(self, response: Response, source: Target, now: float) -> None:
        """Take any response that is not a repetition, or is a repeated 2xx."""
        if response.status < 200:
            return
        self._transaction = None
        self._wait_until(None)
        if response.status < 300:
            self._success(response, source, now)
        elif self.done:
            pass
        elif self._authorization.takes(response):
            self.send(now)
        elif response.status == 491 and self._glares < GLARE_RETRIES:
            self._glares += 1
            self._retry_at = now + self._dialog.glare_wait()
            self._core.layer.arm(self)
        else:
            self._finish(response.status, response.body, type_of(response), now)

    def request_failed(self, status: int, why: str, now: float) -> None:
        """No answer: the peer has gone."""
        self._transaction = None
        self._wait_until(None)
        self._finish(status, b"", None, now)

    def withdraw(self, now: float) -> None:
        """The dialog is over: nobody wants to know any more, and nothing is tried again.

        A late 2xx still gets its ACK, for as long as it may come.
        """
        self.done = True
        self._retry_at = None
        if self._ends_at is not None:
            self._wait_until(now + 64 * self._core.settings.t1)

    @property
    def deadline(self) -> float | None:
        """When to try again after a glare, or to stop waiting: never both."""
        return self._ends_at if self._retry_at is None else self._retry_at

    def expire(self, now: float) -> None:
        """Try again, or give up a peer that never says its last word."""
        if self._ends_at is not None and self._ends_at <= now:
            assert self._transaction is not None, "no final response has come"
            self._transaction.abandon()
            self.request_failed(408, "no final response", now)
        elif self._retry_at is not None and self._retry_at <= now:
            self._retry(now)

    def _retry(self, now: float) -> None:
        if self._dialog.asked:
            self._retry_at = now + self._dialog.glare_wait()
        else:
            self._retry_at = None
            self.send(now)

    def _wait_until(self, end: float | None) -> None:
        self._ends_at = end
        self._core.layer.arm(self)

    def _success(self, response: Response, source: Target, now: float) -> None:
        if self._acknowledgement is None:
            self._dialog.refresh(response, source)
            self._acknowledge()
            self._finish(response.status, response.body, type_of(response), now)
        else:
            self._core.counters["retransmission.absorbed"] += 1
            self._core.layer.send(*self._acknowledgement)

    def acknowledge_again(self) -> None:
        """By the way that the dialog's requests now take: the first ACK may have got nowhere."""
        if self._acknowledgement is not None:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledgement = self._dialog.acknowledgement_of(self._request, b"", "")
        self._core.layer.send(*self._acknowledgement)

    def _finish(self, status: int, body: bytes, content_type: str | None, now: float) -> None:
        if self.done:
            return
        self.withdraw(now)
        self._core.emit(ReinviteAnswered(self._dialog, status, body, content_type))
        self._dialog.request_answered(status, now)


def _route_fault(response: Response) -> str | None:
    """What is wrong with the route that an answer gives, which its ACK needs (section 12.1.2)."""
    try:
        _ = response.record_routes
    except RemoteProtocolError as error:
        return error.reason
    return None
