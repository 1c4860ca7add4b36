"""What a request has to be before anybody thinks about it (RFC 3261 section 8.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.sip.body import NotUnderstood, unwrap
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import find_param
from gateway.sip.screening import Deny
from gateway.sip.uri import OtherUri

if TYPE_CHECKING:
    from gateway.sip.headers import MediaType
    from gateway.sip.message import Request
    from gateway.sip.settings import Settings

KNOWN_METHODS = frozenset(
    {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "INFO", "PRACK", "UPDATE", "SUBSCRIBE"}
    | {"NOTIFY", "REFER", "MESSAGE", "PUBLISH"}
)
"The IANA registry: one of these that we do not do is 405, any other is 501."


def inspect(request: Request, settings: Settings) -> Deny | None:
    """Say what is wrong with a request, in the order of section 8.2; None when nothing is.

    Of an INVITE's body that which counts is left, see `body.unwrap`. Raises RemoteProtocolError for one that
    cannot be taken apart.
    """
    return (
        _method(request, settings)
        or _scheme(request)
        or _extensions(request, settings)
        or _content(request, settings)
        or _accepted(request, settings)
    )


def _method(request: Request, settings: Settings) -> Deny | None:
    if request.method in settings.allow:
        return None
    status = 405 if request.method in KNOWN_METHODS else 501
    return Deny(status, headers=[("Allow", ", ".join(settings.allow))])


def _scheme(request: Request) -> Deny | None:
    uri = request.request_uri
    return Deny(416, why=f"Request-URI: scheme {uri.scheme}") if isinstance(uri, OtherUri) else None


def _extensions(request: Request, settings: Settings) -> Deny | None:
    if "Require" not in request.headers:
        return None
    required = request.headers.elements("Require")
    missing = ", ".join(tag for tag in required if tag.lower() not in settings.supported)
    if not missing:
        return None
    return Deny(420, headers=[("Unsupported", missing)], why=f"Require: {missing} is not supported")


def _content(request: Request, settings: Settings) -> Deny | None:
    """What has to be understood of an INVITE's body has to be what we read."""
    if request.method != "INVITE":
        return None
    try:
        unwrap(request, settings.session_types)
    except NotUnderstood as error:
        fields = [("Accept", ", ".join(settings.accept)), ("Accept-Encoding", "identity")]
        return Deny(415, headers=fields, why=f"Content-Type: {error.what} is not understood")
    return None


def _accepted(request: Request, settings: Settings) -> Deny | None:
    """The peer has to take an answer of a type that we give (section 20.1)."""
    if request.method != "INVITE":
        return None
    try:
        ranges = request.accept
    except RemoteProtocolError:
        return None  # unreadable is as good as absent
    if ranges is None or any(takes(ranges, media_type) for media_type in settings.session_types):
        return None
    return Deny(406, why=f"Accept: no {settings.session_types[0]} in it")


def inspect_info(request: Request, settings: Settings) -> Deny | None:
    """Say what is wrong with the body of an INFO; None when it can be read, or says nothing."""
    try:
        unwrap(request, settings.info_types)
    except NotUnderstood as error:
        why = f"Content-Type: {error.what} is not understood"
        return Deny(415, headers=[("Accept", ", ".join(settings.info_types))], why=why)
    content_type = request.headers.get("Content-Type") or ""
    if request.body and not settings.reads_info(content_type, request.body):
        return Deny(400, "Body Not Understood", why=f"body: nothing that can be read as {content_type}")
    return None


def takes(ranges: Sequence[MediaType], essence: str) -> bool:
    """Whether an Accept field takes a type: of the ranges that cover it the most precise one decides."""
    covering = sorted((one for one in ranges if one.covers(essence)), key=lambda one: one.essence.count("*"))
    return bool(covering) and not _is_zero(find_param(covering[0].params, "q"))


def _is_zero(quality: str | None) -> bool:
    return bool(quality) and not (quality or "").strip("0.")
