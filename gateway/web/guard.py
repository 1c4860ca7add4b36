"""What every answer carries, and what every request that changes something has to prove."""

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"Scripts and styles come from our own files alone: nothing that a stranger gets into a page can run."

# `X-Content-Type-Options: nosniff` has every answer of the HTTP port already.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
}
SECURE_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}
"Only where the dashboard is reached by https."


def csrf_token(session_token: str) -> str:
    """What a form of this session carries: only who has the cookie's value can know it."""
    return hmac.new(session_token.encode(), b"trunkline form", hashlib.sha256).hexdigest()


def csrf_holds(session_token: str, given: str) -> bool:
    """Whether a form came from a page of this session."""
    return hmac.compare_digest(csrf_token(session_token).encode(), given.encode("utf-8", "replace"))


def same_origin(request: Request, public_url: str) -> bool:
    """Whether a browser says that a request comes from our own page; a request without a word of it does not.

    Browsers send `Origin` with every POST. `public_url` is where people reach us by a proxy.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    if public_url:
        return origin.lower() == public_url.rstrip("/").lower()
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
