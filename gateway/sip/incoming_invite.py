"""An INVITE of the peer's, from its arrival to the ACK of our 2xx (RFC 3261 section 13.3)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import (
    AckMissing,
    Acknowledged,
    Cancelled,
    ReinviteCancelled,
)
from gateway.sip.message import Request, Response, make_response

if TYPE_CHECKING:
    from gateway.sip.core import Core
    from gateway.sip.dialog import Dialog
    from gateway.sip.transaction import ServerTransaction

REMINDER_SECONDS = 60.0
"A provisional answer this often keeps proxies on the way from giving up (section 13.3.1.1)."


class Phase(Enum):
    """What the peer is waiting for, or we for the peer."""

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    PENDING = auto()
    "Our final answer."
    ACCEPTED = auto()
    "The ACK of our 2xx, which is resent."
    MISSED = auto()
    "The ACK did not come; the application has been told."
    WITHDRAWN = auto()
    "Nothing: the peer took it back, and the application may not have heard of it yet."
    DONE = auto()
    "Nothing any more."


SETTLED = frozenset({Phase.WITHDRAWN, Phase.DONE})


class IncomingInvite:
    """One INVITE and our answers to it; the dialog keeps it while it is of use."""

    __slots__ = (
        "_core",
        "_dialog",
        "_ends_at",
        "_remind_at",
        "_repeat_after",
        "_repeat_at",
        "_response",
        "_transaction",
        "initial",
        "phase",
        "request",
        "scheduled",
    )

    def __init__(
        self, core: Core, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        self._core = core
        self._dialog = dialog
        self.initial = request.to.tag is None
        self._transaction = transaction
        self._response: Response | None = None
        self._remind_at: float | None = None
        self._repeat_at: float | None = None
        self._repeat_after = core.settings.t1
        self._ends_at: float | None = now + min(
            core.settings.invite_timeout, request.expires or core.settings.invite_timeout
        )
        self.phase = Phase.PENDING
        self.request = request
        self.scheduled: float | None = None
        transaction.user = self
        transaction.respond(make_response(request, 100), now)
        core.layer.arm(self)

    @property
    def local_tag(self) -> str:
        """The To tag of our answers."""
        return self._dialog.local_tag

    def ring(self, now: float, status: int, body: bytes, headers: Sequence[tuple[str, str]]) -> None:
        """Answer provisionally."""
        if not self._pending():
            return
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional status")
        self._response = self._answer(status, body, "application/sdp", headers)
        self._transaction.respond(self._response, now)
        self._remind_at = now + REMINDER_SECONDS
        self._core.layer.arm(self)

    def accept(self, now: float, body: bytes, content_type: str, headers: Sequence[tuple[str, str]]) -> None:
        """Answer 200, again and again until the ACK (section 13.3.1.4)."""
        if not self._pending():
            return
        self._response = self._answer(200, body, content_type, [*self._core.capabilities(), *headers])
        self.phase = Phase.ACCEPTED
        self._remind_at = None
        self._repeat_at = now + self._repeat_after
        self._ends_at = now + 64 * self._core.settings.t1
        self._dialog.accepted(self.request, self._transaction.target)
        self._transaction.respond(self._response, now)
        self._core.layer.arm(self)

    def refuse(self, now: float, status: int, reason: str | None, headers: Sequence[tuple[str, str]]) -> None:
        """Answer finally, and not with a 2xx."""
        if not self._pending():
            return
        if not 300 <= status < 700:
            raise LocalProtocolError(f"{status} does not refuse")
        self._refuse(now, status, reason, headers)
        if self.initial:
            self._dialog.end(f"refused with {status}")

    def acknowledged(self, ack: Request, now: float) -> None:
        """The ACK of our 2xx came, the first time or again."""
        if self.phase not in {Phase.ACCEPTED, Phase.MISSED}:
            self._core.counters["retransmission.absorbed"] += 1
            return
        self._finish()
        content_type = ack.headers.get("Content-Type") if ack.body else None
        event = Acknowledged(self._dialog, ack.body, content_type)
        self._dialog.invite_settled(event, now)

    def cancelled(self, cancel: Request, now: float) -> None:
        """A CANCEL came: it means something only before our final answer (section 9.2)."""
        if self.phase is Phase.PENDING:
            self._withdraw(cancel.headers.get("Reason"), "cancelled by the caller", now)

    def terminated(self, now: float) -> None:
        """The dialog is over while an answer was due (section 15.1.2)."""
        if self.phase is Phase.PENDING:
            self._refuse(now, 487)
        self._finish(Phase.WITHDRAWN)

    @property
    def deadline(self) -> float | None:
        """When the next repetition, or the end of patience, is due."""
        return min(
            (at for at in (self._remind_at, self._repeat_at, self._ends_at) if at is not None), default=None
        )

    def expire(self, now: float) -> None:
        """Do what is due."""
        if self._ends_at is not None and self._ends_at <= now:
            self._give_up(now)
        elif self._repeat_at is not None and self._repeat_at <= now:
            self._repeat_after = min(2 * self._repeat_after, self._core.settings.t2)
            self._repeat_at = now + self._repeat_after
            self._repeat(now)
        elif self._remind_at is not None and self._remind_at <= now:
            self._remind_at = now + REMINDER_SECONDS
            self._repeat(now)

    def _repeat(self, now: float) -> None:
        assert self._response is not None
        self._transaction.respond(self._response, now)

    def _give_up(self, now: float) -> None:
        if self.phase is Phase.PENDING:
            self._core.counters["expired.invite"] += 1
            self._withdraw(None, "no answer in time", now)
        elif self.phase is Phase.ACCEPTED:
            self.phase = Phase.MISSED
            self._repeat_at = None
            self._ends_at = now + 64 * self._core.settings.t1
            self._core.counters["expired.ack"] += 1
            self._dialog.invite_settled(AckMissing(self._dialog), now)
        else:
            self._finish()
            self._dialog.bye(now)

    def _withdraw(self, reason: str | None, why: str, now: float) -> None:
        self._refuse(now, 487)
        self.phase = Phase.WITHDRAWN
        if self.initial:
            self._core.emit(Cancelled(self._dialog, reason))
            self._dialog.end(why)
        else:
            self._core.emit(ReinviteCancelled(self._dialog))

    def _refuse(
        self, now: float, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        fields = [*headers, ("Server", self._core.settings.user_agent)]
        response = make_response(self.request, status, reason, to_tag=self.local_tag, headers=fields)
        self._transaction.respond(response, now)
        self._finish()

    def _finish(self, phase: Phase = Phase.DONE) -> None:
        self.phase = phase
        self._remind_at = self._repeat_at = self._ends_at = None
        self._core.layer.arm(self)

    def _pending(self) -> bool:
        """Whether an answer is due; a second final answer is a mistake of ours."""
        if self.phase in {Phase.PENDING, Phase.WITHDRAWN}:
            return self.phase is Phase.PENDING
        raise LocalProtocolError("the INVITE has its final answer already")

    def _answer(
        self, status: int, body: bytes, content_type: str, headers: Sequence[tuple[str, str]]
    ) -> Response:
        """An answer that makes or keeps the dialog: with Contact and Record-Route (section 12.1.1)."""
        routes = [("Record-Route", value) for value in self.request.headers.get_all("Record-Route")]
        own = [("Contact", self._dialog.contact), ("Server", self._core.settings.user_agent)]
        return make_response(
            self.request,
            status,
            to_tag=self.local_tag,
            headers=[*routes, *own, *headers],
            body=body,
            content_type=content_type if body else None,
        )
