"""Requests of ours other than INVITE, and what becomes of them (RFC 3261 section 8.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from gateway.sip.message import Request, Response

if TYPE_CHECKING:
    from gateway.sip.authorization import Authorization
    from gateway.sip.core import Core
    from gateway.sip.target import Target

Write: TypeAlias = Callable[[], tuple[Request, "Target"]]
"Writes a request, each time with its own branch and the next CSeq."

Done: TypeAlias = Callable[[int, str, float], None]
"Takes the final status, the phrase that says why, and the time."


class OutgoingRequest:
    """One request, sent again with credentials when it is challenged."""

    __slots__ = ("_authorization", "_core", "_done", "_other_way", "_write", "answered", "target")

    def __init__(
        self,
        core: Core,
        write: Write,
        authorization: Authorization,
        done: Done,
        other_way: Callable[[Target], bool] = lambda target: False,
    ) -> None:
        """`other_way` says whether what got no answer from a target would now be written to another."""
        self._core = core
        self._other_way = other_way
        self._write = write
        self._authorization = authorization
        self._done = done
        self.answered = False
        "Whether any final response came."
        self.target: Target
        "Where it was last sent."

    def send(self, now: float) -> None:
        """Send it, with what has been learnt from challenges so far."""
        request, self.target = self._write()
        add_headers(request, self._authorization.headers_for(request))
        self._core.layer.start_client(request, self.target, self, now)

    def response_received(self, response: Response, source: Target, now: float) -> None:
        """Retry a challenge that we can meet, report any other final answer."""
        if response.status < 200:
            return
        self.answered = True
        if response.status < 300:
            self._authorization.accepted()
        if self._authorization.takes(response):
            self.send(now)
        else:
            self._done(response.status, response.reason, now)

    def request_failed(self, status: int, why: str, now: float) -> None:
        """No answer at all is an answer too, where there is no other way to ask."""
        if self._other_way(self.target):
            self.send(now)
        else:
            self._done(status, why, now)


class Unanswered:
    """The user of a request whose answer changes nothing: CANCEL, and BYE of a call that never was."""

    def response_received(self, response: Response, source: Target, now: float) -> None:
        """Nothing to do."""

    def request_failed(self, status: int, why: str, now: float) -> None:
        """Nothing to do."""


UNANSWERED = Unanswered()


def add_headers(request: Request, headers: Sequence[tuple[str, str]]) -> None:
    """Add header fields to a request."""
    for name, value in headers:
        request.headers.add(name, value)


def set_body(request: Request, body: bytes, content_type: str) -> None:
    """Give a request its body; an empty one has no type."""
    if body:
        request.body = body
        request.headers.set("Content-Type", content_type)


def cancel_for(invite: Request, reason_header: str | None) -> Request:
    """The CANCEL of a request that was sent (section 9.1): same branch, same path."""
    headers = type(invite.headers)()
    headers.add("Via", str(invite.via))
    for route in invite.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    for name in ("From", "To", "Call-ID", "User-Agent"):
        headers.add(name, invite.headers.get(name) or "")
    headers.add("CSeq", f"{invite.cseq.number} CANCEL")
    if reason_header is not None:
        headers.add("Reason", reason_header)
    return Request("CANCEL", invite.uri, headers)
