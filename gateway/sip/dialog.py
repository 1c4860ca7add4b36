"""A dialog: tags, CSeq, route set and remote target, and the verbs of a call (RFC 3261 sections 12 to 15).

Methods that a dialog does not know yet have their places here: an incoming one is a line in `_RECEIVE`
(and in `Settings.allow`), an outgoing one is a verb like `info`. UPDATE (RFC 3311) is `refresh` without
an INVITE; PRACK (RFC 3262) belongs to `IncomingInvite.ring` and `OutgoingInvite`; REFER (RFC 3515) is a
verb and an event; session timers (RFC 4028) are one more deadline beside those of the INVITEs.

Longer than most: INVITEs and requests are classes elsewhere, and what is left is the state of one dialog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from gateway.sip.authorization import CREDENTIALS, Authorization
from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.events import (
    AckMissing,
    Acknowledged,
    ByeFailed,
    ByeReceived,
    DialogTerminated,
    InfoReceived,
    ReinviteReceived,
)
from gateway.sip.incoming_invite import SETTLED, IncomingInvite, Phase
from gateway.sip.inspection import inspect_info
from gateway.sip.message import Request, Response, make_response
from gateway.sip.outgoing_invite import MAX_FORKS, Invitation, OutgoingInvite, OutgoingReinvite
from gateway.sip.outgoing_invite import Phase as Calling
from gateway.sip.outgoing_request import OutgoingRequest, add_headers, set_body
from gateway.sip.path import Path, same_place, target_of
from gateway.sip.screening import Deny
from gateway.sip.uri import SipUri

if TYPE_CHECKING:
    from gateway.sip.core import Core
    from gateway.sip.headers import NameAddr
    from gateway.sip.layer import Key
    from gateway.sip.settings import Login
    from gateway.sip.target import Target
    from gateway.sip.transaction import ServerTransaction


class Dialog:
    """One call leg as the signalling sees it.

    Every verb queues messages, which the shell then sends. Once the dialog has ended, which may have
    happened a moment ago, every verb does nothing.
    """

    __slots__ = (
        "_authorization_hosts",
        "_bye",
        "_bye_reason",
        "_bye_waits",
        "_core",
        "_detour",
        "_ended",
        "_forks",
        "_heard_from",
        "_incoming",
        "_local",
        "_login",
        "_outgoing",
        "_path",
        "_reinvite",
        "_remote",
        "call_id",
        "contact",
        "incoming",
        "local_number",
        "local_tag",
        "named_hop",
        "peer",
        "remote_number",
        "remote_tag",
        "request",
        "secure",
        "state",
    )

    call_id: str
    local_tag: str
    remote_tag: str | None
    "None until the peer has given one; peers of RFC 2543 never do."
    state: Literal["early", "confirmed", "terminated"]
    peer: Target
    "Where the INVITE came from, or was sent to."
    request: Request
    "The INVITE that made the dialog; of ours, as it was last sent."
    secure: bool
    "Set up by a `sips` Request-URI."
    contact: str
    "Our Contact in it."
    incoming: bool
    "The peer called us."

    def __init__(
        self, core: Core, *, call_id: str, local: NameAddr, remote: NameAddr, peer: Target, contact: str
    ) -> None:
        self._core = core
        self._local = local
        self._remote = remote
        self._path = Path(remote.uri)
        self._heard_from = peer
        self._incoming: IncomingInvite | None = None
        self._outgoing: OutgoingInvite | None = None
        self._reinvite: OutgoingReinvite | None = None
        self._login: Login | None = None
        self._authorization_hosts: set[str] = set()
        self._forks: set[str | None] = set()
        self._bye_waits = False
        self._bye_reason: str | None = None
        self._bye: OutgoingRequest | None = None
        self._detour = False
        "Requests go to where the peer was heard from, since they got nowhere by its Contact and routes."
        self._ended = False
        self.named_hop: Key | None = None
        "Kept by `Core.watch`."
        self.call_id = call_id
        self.local_tag = local.tag or ""
        self.remote_tag = remote.tag
        self.local_number = 0
        self.remote_number: int | None = None
        self.peer = peer
        self.contact = contact
        self.secure = False
        self.incoming = False
        self.state = "early"

    # The two ways in which a dialog begins.

    @classmethod
    def called(cls, core: Core, request: Request, source: Target, reply_to: Target, now: float) -> Dialog:
        """The dialog of an INVITE that arrived (section 12.1.1); 100 is sent."""
        uri = request.request_uri
        user = uri.user if isinstance(uri, SipUri) else None
        secure = isinstance(uri, SipUri) and uri.secure
        dialog = cls(
            core,
            call_id=request.call_id,
            local=request.to.with_param("tag", core.token()),
            remote=request.from_,
            peer=source,
            contact=core.contact(source, user, secure),
        )
        dialog.incoming = True
        dialog.secure = secure
        dialog.request = request
        dialog.remote_number = request.cseq.number
        dialog._path = Path(request.remote_target or request.from_.uri, tuple(request.record_routes))
        core.dialogs[dialog.key] = dialog
        dialog._incoming = IncomingInvite(
            core, dialog, request, core.layer.start_server(request, reply_to), now
        )
        return dialog

    def call(self, invitation: Invitation, login: Login | None, now: float) -> None:
        """Send the INVITE of a call of ours."""
        self._login = login
        self._authorization_hosts.add(self.peer.host)
        self._core.dialogs[self.key] = self
        authorization = Authorization(login, self._core.token, self._core.realms, self.peer)
        self._outgoing = OutgoingInvite(self._core, self, invitation, authorization)
        self._outgoing.send(now)

    # What it is.

    @property
    def key(self) -> tuple[str, str]:
        """What finds it: our tag is unique, so the peer's is only compared."""
        return (self.call_id, self.local_tag)

    @property
    def remote_target(self) -> str:
        """The peer's Contact."""
        return str(self._path.remote_target)

    @property
    def heard_from(self) -> Target:
        """Where the peer was last heard; before it was, where it is asked."""
        return self._heard_from

    @property
    def connection(self) -> int | None:
        """The stream connection that the peer was last heard on."""
        return self._heard_from.connection

    @property
    def asked(self) -> bool:
        """An INVITE of the peer's has no final answer yet, or no ACK."""
        return self._incoming is not None and self._incoming.phase not in SETTLED

    @property
    def settled(self) -> bool:
        """No INVITE is in progress either way: `reinvite` is allowed."""
        return self.state == "confirmed" and not self.asked and not self._asking

    @property
    def progressing(self) -> bool:
        """The INVITE of ours that begins the call has had a provisional answer, be it only 100."""
        return self._outgoing is not None and self._outgoing.phase is not Calling.CALLING

    @property
    def _asking(self) -> bool:
        """An INVITE of ours has no final answer yet, or no ACK."""
        if self._reinvite is not None and not self._reinvite.done:
            return True
        return self._outgoing is not None and self._outgoing.open

    def belongs(self, remote_tag: str | None) -> bool:
        """Whether a request with that From tag is part of this dialog, or of a fork that still rings."""
        return remote_tag == self.remote_tag or remote_tag in self._forks

    # Verbs.

    def ring(
        self, now: float, status: int = 180, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Answer the INVITE provisionally (101 to 199)."""
        if invite := self._open_invite():
            invite.ring(now, status, body, headers)

    def accept(
        self,
        now: float,
        body: bytes,
        content_type: str = "application/sdp",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer the INVITE, or the INVITE within the dialog, with 200; it is resent until the ACK."""
        if invite := self._open_invite():
            invite.accept(now, body, content_type, headers)

    def refuse(
        self, now: float, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Answer the INVITE, or the INVITE within the dialog, with a final status of 300 or more."""
        if invite := self._open_invite():
            invite.refuse(now, status, reason, headers)

    def ack(self, now: float, body: bytes = b"", content_type: str = "application/sdp") -> None:
        """Acknowledge the 2xx that `Answered` told of; repeated ones are acknowledged by themselves."""
        if self.state != "terminated":
            self._own_invite().acknowledge(now, body, content_type)

    def cancel(self, now: float, reason_header: str | None = None) -> None:
        """Give up our INVITE: CANCEL as soon as the RFC allows, ACK and BYE when an answer crosses it."""
        if self.state != "terminated":
            self._own_invite().cancel(now, reason_header)

    def bye(self, now: float, reason_header: str | None = None) -> None:
        """Hang up. Raises LocalProtocolError before there is an answer: `refuse` or `cancel` it instead.

        A BYE of the callee's waits for the ACK, or for the time in which it should have come (section 15).
        """
        if self.state == "terminated":
            return
        if self.state == "early":
            raise LocalProtocolError("an early dialog has nothing to hang up")
        self.state = "terminated"
        self._bye_reason = reason_header
        invite = self._incoming
        if invite is not None and invite.initial and invite.phase is Phase.ACCEPTED:
            self._bye_waits = True
        else:
            self._send_bye(now)

    def reinvite(self, now: float, body: bytes, content_type: str = "application/sdp") -> None:
        """Offer another session; `ReinviteAnswered` tells the outcome.

        Raises LocalProtocolError unless the dialog is `settled` (section 14.1).
        """
        if self.state == "terminated":
            return
        if not self.settled:
            raise LocalProtocolError("another INVITE is in progress")
        self._reinvite = OutgoingReinvite(self._core, self, body, content_type, self._authorization())
        self._reinvite.send(now)

    def info(self, now: float, content_type: str, body: bytes) -> None:
        """Send an INFO (RFC 6086), such as a DTMF digit."""
        if self.state != "terminated":
            write = self._writer("INFO", body, content_type)
            OutgoingRequest(self._core, write, self._authorization(), self._info_answered).send(now)

    # What arrives.

    def receive(self, request: Request, reply_to: Target, now: float) -> Deny | None:
        """Take a request within the dialog that is new, acceptable in form and not an ACK.

        Returns what it is to be refused with, if it is.
        """
        take = _RECEIVE.get(request.method)
        if take is None or not self._open_to(request.method):
            return Deny(481)
        if self.remote_number is not None and request.cseq.number <= self.remote_number:
            # "the request is out of order and MUST be rejected with a 500" (section 12.2.2)
            return Deny(500, "CSeq out of order")
        return take(self, request, reply_to, now)

    def _open_to(self, method: str) -> bool:
        """Whether there is something that the method could be about.

        After our BYE only theirs is: it crossed. And "the callee's UA MUST NOT send a BYE on [...] early
        dialogs" (section 15).
        """
        if method == "BYE":
            return self.incoming or self.state != "early"
        return self.state != "terminated"

    def ack_received(self, ack: Request, now: float) -> None:
        """Take an ACK of a 2xx of ours."""
        invite = self._incoming
        if invite is not None and invite.request.cseq.number == ack.cseq.number:
            invite.acknowledged(ack, now)
        else:
            self._core.counters["retransmission.absorbed"] += 1

    def _options_received(self, request: Request, reply_to: Target, now: float) -> Deny | None:
        self._core.reply(request, reply_to, 200, headers=self._core.capabilities())
        return None

    def _invite_received(self, request: Request, reply_to: Target, now: float) -> Deny | None:
        # Also a refusal is kept: a late copy of the request must not find the dialog in another mood.
        transaction = self._begin(request, reply_to)
        if self.asked:
            # "MUST contain a Retry-After header field with a randomly chosen value of between 0 and 10"
            # (section 14.2)
            wait = ("Retry-After", str(int(10 * self._core.fraction())))
            overlapping = make_response(request, 500, "Another INVITE is in progress", headers=[wait])
            transaction.respond(overlapping, now)
        elif self._asking:
            transaction.respond(make_response(request, 491), now)
        else:
            self._incoming = IncomingInvite(self._core, self, request, transaction, now)
            self._core.emit(ReinviteReceived(self, request))
        return None

    def _bye_received(self, request: Request, reply_to: Target, now: float) -> Deny | None:
        response = make_response(request, 200, headers=[("Server", self._core.settings.user_agent)])
        self._begin(request, reply_to).respond(response, now)
        if self.state != "terminated":
            self._core.emit(ByeReceived(self, request.headers.get("Reason")))
        elif not self._bye_waits:
            return None  # it crossed ours, whose answer is the end
        self._settle_invites(now)
        self.end("the peer hung up")
        return None

    def _info_received(self, request: Request, reply_to: Target, now: float) -> Deny | None:
        denied = inspect_info(request, self._core.settings)
        if denied is not None:
            return denied
        response = make_response(request, 200, headers=[("Server", self._core.settings.user_agent)])
        self._begin(request, reply_to).respond(response, now)
        if request.body:
            self._core.emit(InfoReceived(self, request.headers.get("Content-Type") or "", request.body))
        return None

    def _begin(self, request: Request, reply_to: Target) -> ServerTransaction:
        self.remote_number = request.cseq.number
        return self._core.layer.start_server(request, reply_to)

    # What the INVITEs tell.

    def invite_settled(self, event: Acknowledged | AckMissing, now: float) -> None:
        """The ACK of our 2xx came, or will not come any more."""
        if self._bye_waits:
            self._send_bye(now)
        elif self.state != "terminated":
            self._core.emit(event)

    def accepted(self, invite: Request, reply_to: Target) -> None:
        """We said 2xx: the dialog stands, and an INVITE within it refreshes the target."""
        if self.state == "confirmed":
            self.refresh(invite, reply_to)
        self.state = "confirmed"

    def heard_early(self, response: Response, source: Target) -> None:
        """A provisional answer makes an early dialog (section 12.1.2); forks replace each other."""
        if response.to.tag is not None and len(self._forks) < MAX_FORKS:
            self._learn(response, source)
            self._forks.add(self.remote_tag)

    def confirm(self, response: Response, source: Target) -> None:
        """The 2xx decides which of the early dialogs it is, and computes the route set anew (13.2.2.4)."""
        self._learn(response, source)
        self._forks.clear()
        self.state = "confirmed"

    def fork(self, response: Response, source: Target) -> Dialog:
        """The dialog of another 2xx to the same INVITE; nobody but its maker knows of it."""
        other = Dialog(
            self._core,
            call_id=self.call_id,
            local=self._local,
            remote=self._remote,
            peer=self.peer,
            contact=self.contact,
        )
        other.local_number = self.local_number
        other.request = self.request
        other._learn(response, source)
        return other

    def refresh(self, message: Request | Response, heard_from: Target) -> None:
        """A target refresh: the peer's Contact replaces the remote target (section 12.2)."""
        self._heard_from = heard_from
        target = message.remote_target
        if target is not None:
            self._path = Path(target, self._path.route_set)

    def _learn(self, response: Response, source: Target) -> None:
        """Take everything that a response of the callee's says about the dialog (section 12.1.2)."""
        self._remote = response.to
        self.remote_tag = response.to.tag
        self._heard_from = source
        self._authorization_hosts.add(source.host)
        target = response.remote_target or self._path.remote_target
        try:
            self._path = Path(target, tuple(reversed(response.record_routes)))
        except RemoteProtocolError:
            # The way in is the only way that is known; see `OutgoingInvite._first_success`.
            self._path, self._detour = Path(target), True

    def request_answered(self, status: int, now: float) -> None:
        """A peer that knows no such dialog, or says nothing, is hung up on (section 12.2.1.2)."""
        if status in {408, 481} and self.state == "confirmed":
            self._core.counters["dialog.lost"] += 1
            self.bye(now)

    def end(self, why: str) -> None:
        """Nothing more belongs to the dialog."""
        if self._ended:
            return
        self._ended = True
        self.state = "terminated"
        # What is still going on knows this dialog, and need not be known by it: no cycle is left behind.
        self._incoming = self._outgoing = self._reinvite = None
        self._core.unwatch(self)
        self._core.dialogs.pop(self.key, None)
        self._core.emit(DialogTerminated(self, why))

    # Requests of ours.

    def write(self, method: str) -> tuple[Request, Target]:
        """Begin a request within the dialog (section 12.2.1.1)."""
        self.local_number += 1
        return self._write(method, self.local_number)

    def write_invite(self, invitation: Invitation, target: Target) -> Request:
        """Begin the INVITE that makes the dialog, the first time or again with credentials."""
        self.local_number += 1
        request = self._core.request(
            "INVITE",
            invitation.request_uri,
            target,
            from_=str(self._local),
            to=invitation.to,
            call_id=self.call_id,
            number=self.local_number,
            routes=invitation.routes,
        )
        request.headers.add("Contact", self.contact)
        add_headers(request, self._core.capabilities())
        return request

    def acknowledgement_of(self, invite: Request, body: bytes, content_type: str) -> tuple[bytes, Target]:
        """The ACK of a 2xx, as it will be repeated: with the INVITE's CSeq and credentials (13.2.2.4)."""
        request, target = self._write("ACK", invite.cseq.number)
        for name in CREDENTIALS:
            add_headers(request, [(name, value) for value in invite.headers.get_all(name)])
        set_body(request, body, content_type)
        return bytes(request), target

    def glare_wait(self) -> float:
        """Seconds before a re-INVITE that met the peer's own is tried again (section 14.1)."""
        fraction = self._core.fraction()
        return 2.0 * fraction if self.incoming else 2.1 + 1.9 * fraction

    def _write(self, method: str, number: int) -> tuple[Request, Target]:
        target = self._next_hop()
        request = self._core.request(
            method,
            self._path.request_uri,
            target,
            from_=str(self._local),
            to=str(self._remote),
            call_id=self.call_id,
            number=number,
            routes=self._path.routes,
        )
        return request, target

    def _writer(self, method: str, body: bytes, content_type: str) -> Callable[[], tuple[Request, Target]]:
        def write() -> tuple[Request, Target]:
            request, target = self.write(method)
            set_body(request, body, content_type)
            return request, target

        return write

    def _next_hop(self) -> Target:
        if self._detour:
            return self._core.pin(self._heard_from)
        hop = target_of(self._path.next_hop, self._heard_from, self._core.settings.reaches)
        target = self._core.pin(hop, self._heard_from)
        self._core.watch(self, target)
        return target

    def take_detour(self, now: float) -> None:
        """The peer's Contact or route leads nowhere: go back the way that it came, with what may be lost."""
        self._detour = True
        if self._outgoing is not None:
            self._outgoing.acknowledge_again()
        if self._reinvite is not None:
            self._reinvite.acknowledge_again()

    def _goes_elsewhere(self, target: Target) -> bool:
        """Whether a BYE that got no answer from `target` goes by another way the next time."""
        self._detour = not same_place(self._heard_from, target)
        return self._detour

    def _authorization(self) -> Authorization:
        """Credentials only for whom they were meant: the peer that was called, where it answered from."""
        known = self._next_hop().host in self._authorization_hosts
        login = self._login if known else None
        return Authorization(login, self._core.token, self._core.realms, self.peer)

    def _send_bye(self, now: float) -> None:
        self._bye_waits = False
        self.state = "terminated"
        self._settle_invites(now)
        self._bye = OutgoingRequest(
            self._core, self._write_bye, self._authorization(), self._bye_answered, self._goes_elsewhere
        )
        self._bye.send(now)

    def _settle_invites(self, now: float) -> None:
        if self._outgoing is not None:
            self._outgoing.conclude(now)
        if self._reinvite is not None:
            self._reinvite.withdraw(now)
        if self._incoming is not None:
            self._incoming.terminated(now)

    def _write_bye(self) -> tuple[Request, Target]:
        request, target = self.write("BYE")
        if self._bye_reason is not None:
            request.headers.add("Reason", self._bye_reason)
        return request, target

    def _bye_answered(self, status: int, why: str, now: float) -> None:
        bye, self._bye = self._bye, None
        if bye is not None and not bye.answered and not self._ended:
            self._core.counters["bye.failed"] += 1
            self._core.emit(ByeFailed(self, bye.target, f"{status} {why}".rstrip()))
        self.end(f"BYE: {status} {why}".rstrip())

    def _info_answered(self, status: int, why: str, now: float) -> None:
        # Silence is no sign here: peers that let an INFO fall are in good health otherwise.
        if status != 408:
            self.request_answered(status, now)

    def _open_invite(self) -> IncomingInvite | None:
        """The peer's latest INVITE; None once the dialog has ended."""
        if self.state == "terminated":
            return None
        if self._incoming is None:
            raise LocalProtocolError("there is no INVITE to answer")
        return self._incoming

    def _own_invite(self) -> OutgoingInvite:
        if self._outgoing is None:
            raise LocalProtocolError("the INVITE was not ours")
        return self._outgoing


_RECEIVE: Final[Mapping[str, Callable[[Dialog, Request, Target, float], Deny | None]]] = {
    "INVITE": Dialog._invite_received,
    "BYE": Dialog._bye_received,
    "INFO": Dialog._info_received,
    "OPTIONS": Dialog._options_received,
}
