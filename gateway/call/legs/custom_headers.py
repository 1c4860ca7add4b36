"""SIP headers of the requester's own on an outbound INVITE: which may be there, and what may be in them."""

import re
from collections.abc import Iterable, Mapping, Sequence

from gateway.store.engine.errors import InvalidInput

MAX_HEADERS = 20
MAX_VALUE = 256
"Characters of one value: an INVITE by UDP should stay in one datagram."

_NAME = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,64}")
_VALUE = re.compile(r"[\x20-\x7e]*")

OWN = frozenset(
    """
    via v from f to t call-id i cseq contact m max-forwards route record-route
    content-length l content-type c content-encoding e
    authorization proxy-authorization www-authenticate proxy-authenticate
    require proxy-require supported k allow accept session-expires x min-se rack rseq
    replaces refer-to r identity y user-agent server date expires
    """.split()  # noqa: SIM905 - a list of fifty quoted words is no list to read
)
"Headers that are the user agent's to write; no configuration lets anybody else do it."


def check_headers(headers: Mapping[str, str], allowed: Iterable[str]) -> Sequence[tuple[str, str]]:
    """The headers as they go into the INVITE; raises `InvalidInput` for the first that may not.

    `allowed` are names, or beginnings of names that end in `*`; case does not matter.
    """
    if len(headers) > MAX_HEADERS:
        raise InvalidInput("headers", len(headers), f"should be at most {MAX_HEADERS}")
    patterns = [pattern.lower() for pattern in allowed]
    for name, value in headers.items():
        _check(name, value, patterns)
    return tuple(headers.items())


def _check(name: str, value: str, patterns: Sequence[str]) -> None:
    field = f"headers.{name[:64]}"
    if not _NAME.fullmatch(name) or name.lower() in OWN:
        raise InvalidInput(field, None, "is not a header that a request may set")
    if not any(_fits(name.lower(), pattern) for pattern in patterns):
        right = f"is not allowed; allowed are {', '.join(patterns) or 'none'} (outbound.headers)"
        raise InvalidInput(field, None, right)
    if len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
        right = f"should be printable ASCII, at most {MAX_VALUE} characters"
        raise InvalidInput(field, value[:40], right)


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
