"""A dialog (RFC 3261 section 12): skeleton of the interface; the body lands next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.sip.message import Request
    from gateway.sip.target import Target


class Dialog:
    """One call leg as the signalling sees it. Every verb queues messages; the shell then flushes."""

    call_id: str
    local_tag: str
    remote_tag: str | None
    local_uri: str
    remote_uri: str
    remote_target: str
    state: Literal["early", "confirmed", "terminated"]
    peer: Target
    "Where the INVITE came from, or was sent to."
    request: Request
    "The INVITE that made the dialog."
    secure: bool
    "Set up by a `sips` Request-URI over TLS."
    settled: bool
    "No INVITE is in progress either way: `reinvite` is allowed."

    def ring(
        self, now: float, status: int = 180, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Answer the INVITE provisionally (101 to 199)."""
        raise NotImplementedError

    def accept(
        self,
        now: float,
        body: bytes,
        content_type: str = "application/sdp",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer the INVITE, or the INVITE within the dialog, with 200; it is resent until the ACK."""
        raise NotImplementedError

    def refuse(
        self, now: float, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Answer the INVITE, or the INVITE within the dialog, with a final status of 300 or more."""
        raise NotImplementedError

    def ack(self, now: float, body: bytes = b"", content_type: str = "application/sdp") -> None:
        """Acknowledge the 2xx that `Answered` told of; repeated ones are acknowledged by themselves."""
        raise NotImplementedError

    def cancel(self, now: float, reason_header: str | None = None) -> None:
        """Give up our INVITE: CANCEL as soon as the RFC allows, ACK and BYE when an answer crosses it."""
        raise NotImplementedError

    def bye(self, now: float, reason_header: str | None = None) -> None:
        """Hang up a confirmed dialog; a second time does nothing. Early: LocalProtocolError."""
        raise NotImplementedError

    def reinvite(self, now: float, body: bytes, content_type: str = "application/sdp") -> None:
        """Offer another session; `ReinviteAnswered` tells the outcome."""
        raise NotImplementedError

    def info(self, now: float, content_type: str, body: bytes) -> None:
        """Send an INFO (RFC 6086), such as a DTMF digit."""
        raise NotImplementedError
