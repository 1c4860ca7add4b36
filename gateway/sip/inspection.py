"""What a request has to be before anybody thinks about it (RFC 3261 section 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.screening import Deny
from gateway.sip.uri import OtherUri

if TYPE_CHECKING:
    from gateway.sip.message import Request
    from gateway.sip.settings import Settings

KNOWN_METHODS = frozenset(
    {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "INFO", "PRACK", "UPDATE", "SUBSCRIBE"}
    | {"NOTIFY", "REFER", "MESSAGE", "PUBLISH"}
)
"The IANA registry: one of these that we do not do is 405, any other is 501."


def inspect(request: Request, settings: Settings) -> Deny | None:
    """Say what is wrong with a request, in the order of section 8.2; None when nothing is."""
    return (
        _method(request, settings)
        or _scheme(request)
        or _extensions(request, settings)
        or _content(request, settings)
    )


def _method(request: Request, settings: Settings) -> Deny | None:
    if request.method in settings.allow:
        return None
    status = 405 if request.method in KNOWN_METHODS else 501
    return Deny(status, headers=[("Allow", ", ".join(settings.allow))])


def _scheme(request: Request) -> Deny | None:
    return Deny(416) if isinstance(request.request_uri, OtherUri) else None


def _extensions(request: Request, settings: Settings) -> Deny | None:
    if "Require" not in request.headers:
        return None
    wanted = request.headers.elements("Require")
    unsupported = [tag for tag in wanted if tag.lower() not in settings.supported]
    return Deny(420, headers=[("Unsupported", ", ".join(unsupported))]) if unsupported else None


def _content(request: Request, settings: Settings) -> Deny | None:
    """An INVITE's body has to be one that we read; a body without a type is taken for one."""
    if request.method != "INVITE" or not request.body:
        return None
    encodings = request.headers.elements("Content-Encoding")
    if any(encoding.lower() != "identity" for encoding in encodings):
        return Deny(415, headers=[("Accept-Encoding", "identity")])
    media_type = request.content_type
    if media_type is None or media_type.essence in settings.accept:
        return None
    return Deny(415, headers=[("Accept", ", ".join(settings.accept))])
