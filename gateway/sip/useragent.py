"""The user agent: SIP without I/O. Messages in, events out; verbs in, messages out.

What becomes of a message that arrives, in this order, and what is counted (`UserAgent.counters`):

- a response: to its client transaction; `dropped.response` when it has passed us by (more than one Via) or
  answers nothing of ours; `dropped.unreadable` when it cannot be told what it answers;
- a request that repeats, acknowledges or cancels one that is being served: to its server transaction
  (`retransmission.absorbed`);
- an ACK that belongs to nothing, such as the one of a stateless answer: `ignored.ack`;
- a request within a dialog: to the dialog;
- anything else from a source that the gatekeeper does not know: `ignored.unknown_source`, in silence;
- what does not parse (`dropped.unparsable` when it cannot even be answered), is invalid, does not fit
  (503 when `max_transactions` or `max_dialogs` are reached, or draining), is denied by the gatekeeper or
  fails inspection: a stateless answer, `answered.<status>`; `ignored.<why>` where the gatekeeper says so;
- OPTIONS: a stateless 200; INVITE: a dialog, and `InviteReceived`.

Further counters: `forked.hung_up`, `cancel.crossed` (answers that came when nobody wanted them any more),
`dialog.lost` (a peer that knows the dialog no more), `expired.invite`, `expired.ack`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

from gateway.sip.authorization import Authorization
from gateway.sip.body import unwrap_leniently
from gateway.sip.core import Core
from gateway.sip.dialog import Dialog
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.events import Event, InviteReceived, OptionsAnswered
from gateway.sip.headers import NameAddr
from gateway.sip.inspection import inspect
from gateway.sip.message import Request, Response, Unparsable, make_response, parse_message, with_line_ends
from gateway.sip.outgoing_invite import Invitation
from gateway.sip.outgoing_request import OutgoingRequest, add_headers
from gateway.sip.path import reply_target, stamp
from gateway.sip.reasons import REASONS
from gateway.sip.screening import Admit, Deny, Gatekeeper, Ignore, MessageRefused, Screening
from gateway.sip.settings import Login, Settings
from gateway.sip.target import Listener, Target
from gateway.sip.validation import validate_request, validate_response

__all__ = [
    "Admit",
    "Deny",
    "Dialog",
    "Event",
    "Gatekeeper",
    "Ignore",
    "Listener",
    "Login",
    "Screening",
    "Settings",
    "Target",
    "UserAgent",
]


class UserAgent:
    """Everything that one gateway says and hears by SIP.

    After each call of a method, or of a dialog's verb, send `messages_to_send`, take `next_event` until it
    is None, and call `handle_timeout` when `next_timeout` has come. `now` is in seconds and never goes back.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        gatekeeper: Gatekeeper,
        token: Callable[[], str],
        *,
        settings: Settings = Settings(),  # noqa: B008  frozen
    ) -> None:
        """`token` returns a new unguessable word of letters and digits each time, 64 bits or more."""
        self._core = Core(listeners, token, settings)
        self._layer = self._core.layer
        self._gatekeeper = gatekeeper
        self._settings = settings
        self.draining = False
        "New calls and OPTIONS get 503 with Retry-After; what is running goes on."

    @property
    def counters(self) -> Counter[str]:
        """What was counted since the start; the names are in this module's docstring."""
        return self._core.counters

    @property
    def dialog_count(self) -> int:
        """Live dialogs."""
        return len(self._core.dialogs)

    @property
    def transaction_count(self) -> int:
        """Live transactions, both sides."""
        return self._layer.server_count + self._layer.client_count

    @property
    def connections(self) -> set[int]:
        """The stream connections that the peers of live dialogs were last heard on."""
        numbers = (dialog.connection for dialog in self._core.dialogs.values())
        return {number for number in numbers if number is not None}

    # The five methods of the shell.

    def receive(self, data: bytes, source: Target, now: float) -> None:
        """Take one whole message."""
        try:
            message = parse_message(data if source.reliable else with_line_ends(data))
        except Unparsable as error:
            self.refuse(error, source, now)
            return
        if isinstance(message, Response):
            self._response_received(message, source, now)
        else:
            self._request_received(message, len(data), source, now)

    def refuse(self, error: Unparsable, source: Target, now: float) -> None:
        """Answer what is no message, where that can be done; a framer's fault before its stream is closed."""
        request = error.request
        reply_to = None
        if request is not None:
            # The Via of another version is not ours to read: the answer goes where the request came from.
            reply_to = self._way_back(request, source) or (source if error.status == 505 else None)
        if request is None or reply_to is None:
            self._drop(MessageRefused(source, "message", None, error.reason, ""), "dropped.unparsable", now)
        else:
            self._refuse(request, source, reply_to, error, now)

    def _drop(self, refusal: MessageRefused, counter: str, now: float) -> None:
        """Let fall what nobody can be answered about; of a source that we know it is told."""
        self.counters[counter] += 1
        if self._gatekeeper.knows(refusal.source):
            self._gatekeeper.refused(refusal, now)

    def next_event(self) -> Event | None:
        """The oldest event that was not taken yet."""
        return self._core.events.popleft() if self._core.events else None

    def messages_to_send(self) -> list[tuple[bytes, Target]]:
        """Everything queued since the last time; the caller sends it."""
        return self._layer.take_outbox()

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due, or None."""
        return self._layer.schedule.next()

    def handle_timeout(self, now: float) -> None:
        """Do what is due by `now`."""
        self._layer.schedule.expire(now)

    def transport_failed(self, target: Target, now: float, *, why: str) -> None:
        """What was sent to `target` did not get there: its requests fail as by a 503 (section 8.1.3.1)."""
        self._core.lost(target, now)
        self._layer.undeliverable(target, why, now)

    # What the application begins.

    def invite(
        self,
        request_uri: str,
        *,
        targets: Sequence[Target],
        from_: NameAddr | str,
        to: str | None = None,
        contact_user: str,
        body: bytes,
        content_type: str = "application/sdp",
        headers: Sequence[tuple[str, str]] = (),
        credentials: Login | None = None,
        routes: Sequence[str] = (),
        now: float,
    ) -> Dialog:
        """Call `request_uri` by way of the first of `targets`; events tell the rest.

        `Ringing`, `Answered` or `Refused`. `from_` and `to` are name-addrs (`to` is `request_uri` unless
        given); tags are added here. Targets whose transport no listener has are left out; raises
        LocalProtocolError when that leaves none.
        """
        core = self._core
        secure = request_uri.lower().startswith("sips:")
        pinned = core.pin_all(targets)
        dialog = Dialog(
            core,
            call_id=core.token(),
            local=self._caller(from_),
            remote=NameAddr.parse(to or f"<{request_uri}>"),
            peer=pinned[0],
            contact=core.contact(pinned[0], contact_user, secure),
        )
        dialog.secure = secure
        invitation = Invitation(
            request_uri, pinned, to or f"<{request_uri}>", tuple(routes), tuple(headers), body, content_type
        )
        dialog.call(invitation, credentials, now)
        return dialog

    def listener_for(self, target: Target) -> Listener:
        """Which one a request to `target` leaves by; LocalProtocolError where none has its transport."""
        return self._core.listener_for(target)

    def options(
        self,
        request_uri: str,
        *,
        target: Target,
        from_: NameAddr | str,
        credentials: Login | None = None,
        now: float,
    ) -> str:
        """Ask whether the peer is there; returns the Call-ID that `OptionsAnswered` will carry."""
        accept = [("Accept", ", ".join(self._settings.accept))]
        return self._ask("OPTIONS", request_uri, f"<{request_uri}>", target, from_, credentials, accept, now)

    def bindings(
        self, request_uri: str, *, target: Target, address: str, credentials: Login, now: float
    ) -> str:
        """Ask a registrar for the bindings of `address`, changing none (section 10.2.3); as `options`."""
        return self._ask("REGISTER", request_uri, address, target, address, credentials, [], now)

    def _ask(
        self,
        method: str,
        request_uri: str,
        to: str,
        asked: Target,
        from_: NameAddr | str,
        credentials: Login | None,
        headers: Sequence[tuple[str, str]],
        now: float,
    ) -> str:
        """Send a request outside a dialog that gets one answer."""
        core, call_id, sender = self._core, self._core.token(), str(self._caller(from_))
        target, numbers = core.pin(asked), count(1)

        def write() -> tuple[Request, Target]:
            request = core.request(
                method, request_uri, target, from_=sender, to=to, call_id=call_id, number=next(numbers)
            )
            add_headers(request, headers)
            return request, target

        def done(status: int, reason: str, now: float) -> None:
            realms = authorization.realms
            core.emit(OptionsAnswered(call_id, asked, status, reason, outgoing.answered, realms))

        authorization = Authorization(credentials, core.token, core.realms, asked)
        outgoing = OutgoingRequest(core, write, authorization, done)
        outgoing.send(now)
        return call_id

    def _caller(self, from_: NameAddr | str) -> NameAddr:
        address = NameAddr.parse(from_) if isinstance(from_, str) else from_
        return address.with_param("tag", self._core.token())

    # Responses.

    def _response_received(self, response: Response, source: Target, now: float) -> None:
        try:
            validate_response(response)
        except RemoteProtocolError as error:
            refusal = _refusal(source, f"{response.status}", None, error.reason, response)
            self._drop(refusal, "dropped.unreadable", now)
            return
        transaction = self._layer.client_of(response) if self._is_for_us(response) else None
        if transaction is None:
            self.counters["dropped.response"] += 1
            return
        if len(response.headers.get_all("To")) != 1:
            # Its tag is all that is read of it; without one it is what it was in the request.
            response.headers.set("To", response.headers.get("To") or str(transaction.request.to))
        unwrap_leniently(response, self._settings.session_types)
        transaction.receive(response, source, now)

    def _is_for_us(self, response: Response) -> bool:
        """A response with a second Via has passed us by (section 8.1.3.3)."""
        return len(response.vias) == 1

    # Requests.

    def _request_received(self, request: Request, size: int, source: Target, now: float) -> None:
        reply_to = self._way_back(request, source)
        if reply_to is None:
            refusal = _refusal(source, request.method, None, "Via: no way back can be read", request)
            self._drop(refusal, "dropped.unparsable", now)
            return
        try:
            if not self._continues(request, source, reply_to, now):
                self._begin(request, size, source, reply_to, now)
        except RemoteProtocolError as error:
            self._refuse(request, source, reply_to, error, now)

    def _way_back(self, request: Request, source: Target) -> Target | None:
        """Where the answers go; None when the Via cannot be read."""
        try:
            return reply_target(stamp(request, source), source, self._gatekeeper.knows)
        except RemoteProtocolError:
            return None

    def _refuse(
        self, request: Request, source: Target, reply_to: Target, error: RemoteProtocolError, now: float
    ) -> None:
        if request.method == "ACK":
            self._drop(_refusal(source, "ACK", None, error.reason, request), "ignored.ack", now)
        elif self._gatekeeper.knows(source):
            self._answer(request, source, reply_to, Deny(error.status, error.reason), now)
        else:
            self.counters["ignored.unknown_source"] += 1

    def _continues(self, request: Request, source: Target, reply_to: Target, now: float) -> bool:
        """Give a request to the transaction or the dialog that it belongs to, if there is one."""
        if request.method == "CANCEL":
            return self._cancel(request, reply_to, now)
        transaction = self._layer.server_of(request)
        if request.method == "ACK":
            self._acknowledge(request, now)
            return True
        if transaction is not None:
            self.counters["retransmission.absorbed"] += 1
            transaction.repeated(now)
            return True
        dialog = self._dialog_of(request)
        if dialog is not None:
            self._receive_within(dialog, request, source, reply_to, now)
        return dialog is not None

    def _cancel(self, cancel: Request, reply_to: Target, now: float) -> bool:
        transaction = self._layer.server_of(cancel, "INVITE")
        if transaction is None or transaction.user is None:
            return False
        # 200 whatever becomes of the INVITE, with the To tag of its answers (section 9.2).
        response = make_response(cancel, 200, to_tag=transaction.user.local_tag)
        self._layer.send(bytes(response), reply_to)
        transaction.user.cancelled(cancel, now)
        return True

    def _acknowledge(self, ack: Request, now: float) -> None:
        """An ACK goes to the INVITE's transaction, or, after a 2xx, to the dialog; no ACK is answered."""
        transaction = self._layer.server_of(ack)
        dialog = self._dialog_of(ack)
        unwrap_leniently(ack, self._settings.session_types)
        if transaction is not None:
            transaction.acknowledge(ack, now)
        elif dialog is not None:
            dialog.ack_received(ack, now)
        else:
            self.counters["ignored.ack"] += 1

    def _dialog_of(self, request: Request) -> Dialog | None:
        tag = request.to.tag
        if tag is None:
            return None
        dialog = self._core.dialogs.get((request.call_id, tag))
        return dialog if dialog is not None and dialog.belongs(request.from_.tag) else None

    def _receive_within(
        self, dialog: Dialog, request: Request, source: Target, reply_to: Target, now: float
    ) -> None:
        validate_request(request)
        denied = inspect(request, self._settings)
        # Dialogs may end even when new ones may not begin.
        if denied is None and self._layer.server_count >= 2 * self._settings.max_transactions:
            denied = self._unavailable()
        if denied is None:
            denied = dialog.receive(request, reply_to, now)
        if denied is not None:
            self._answer(request, source, reply_to, denied, now)

    def _answer(self, request: Request, source: Target, reply_to: Target, denied: Deny, now: float) -> None:
        """Answer and forget, and tell of it: whoever sent this will ask why."""
        self._core.reply(request, reply_to, denied.status, denied.reason, denied.headers)
        why = denied.why or denied.reason or REASONS.get(denied.status, "")
        if self._gatekeeper.knows(source):
            self._gatekeeper.refused(_refusal(source, request.method, denied.status, why, request), now)

    def _begin(self, request: Request, size: int, source: Target, reply_to: Target, now: float) -> None:
        """Take a request that belongs to nothing, and may be the beginning of something."""
        if not self._gatekeeper.knows(source):
            self.counters["ignored.unknown_source"] += 1
            self._gatekeeper.turned_away(request, source, now)
            return
        if size > self._settings.max_message:
            raise RemoteProtocolError("Message Too Large", 513)
        validate_request(request)
        denied = self._full(request)
        screening = denied or self._gatekeeper.screen(request, source, now)
        if isinstance(screening, Admit):
            denied = inspect(request, self._settings) or self._merged(request)
        if denied is not None:
            self._answer(request, source, reply_to, denied, now)
        elif isinstance(screening, Deny):
            self._core.reply(request, reply_to, screening.status, screening.reason, screening.headers)
        elif isinstance(screening, Ignore):
            self.counters[f"ignored.{screening.why}"] += 1
        else:
            self._admit(request, screening.tag, source, reply_to, now)

    def _full(self, request: Request) -> Deny | None:
        """What needs no gatekeeper to be refused: we have no such dialog, or no room."""
        settings = self._settings
        needs_dialog = request.method in settings.allow and not self._begins(request)
        if request.to.tag is not None or needs_dialog:
            return Deny(481, why="there is no such dialog")
        calls = request.method == "INVITE" and len(self._core.dialogs) >= settings.max_dialogs
        if calls or self._layer.server_count >= settings.max_transactions:
            return self._unavailable()
        if self.draining and request.method in {"INVITE", "OPTIONS"}:
            return self._unavailable()
        return None

    def _unavailable(self) -> Deny:
        return Deny(503, headers=[("Retry-After", str(self._settings.retry_after))])

    def _merged(self, request: Request) -> Deny | None:
        return Deny(482) if self._layer.merged(request) else None

    def _admit(
        self, request: Request, admission: object, source: Target, reply_to: Target, now: float
    ) -> None:
        if request.method == "INVITE":
            dialog = Dialog.called(self._core, request, source, reply_to, now)
            self._core.emit(InviteReceived(dialog, request, source, admission))
        else:
            self._core.reply(request, reply_to, 200, headers=self._core.capabilities())

    @staticmethod
    def _begins(request: Request) -> bool:
        """Whether the method means something outside a dialog: of all that we may allow, these two do."""
        return request.method in {"INVITE", "OPTIONS"}


def _refusal(
    source: Target, what: str, status: int | None, why: str, message: Request | Response
) -> MessageRefused:
    return MessageRefused(source, what, status, why, message.headers.get("Call-ID") or "")
