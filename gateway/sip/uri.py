"""SIP, SIPS and tel URIs as values (RFC 3261 section 19.1, RFC 3966)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import (
    MAX_PARAMS,
    Params,
    find_param,
    format_host_port,
    format_params,
    parse_host_port,
)

_ESCAPED = "%[0-9A-Fa-f]{2}"
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
# `#` has to be escaped by the letter of the grammar, and by habit of the telephone is not.
_IS_USER = re.compile(rf"(?:[{_UNRESERVED}&=+$,;?/#]++|{_ESCAPED})+").fullmatch
_IS_PASSWORD = re.compile(rf"(?:[{_UNRESERVED}&=+$,]++|{_ESCAPED})*").fullmatch
_PARAM = rf"(?:[\[\]/:&+${_UNRESERVED}]++|{_ESCAPED})+"
_IS_PARAMS = re.compile(rf"(?:;{_PARAM}(?:={_PARAM})?)*").fullmatch
_HEADER = rf"(?:[\[\]/?:+${_UNRESERVED}]++|{_ESCAPED})"
_IS_HEADERS = re.compile(rf"{_HEADER}+={_HEADER}*(?:&{_HEADER}+={_HEADER}*)*").fullmatch
_IS_TEL_NUMBER = re.compile(r"\+?+[0-9A-Fa-f*#\-.()]++").fullmatch
_IS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+").fullmatch
_IS_OPAQUE = re.compile(r"[!#-;=?-~]++").fullmatch

_KNOWN_LENGTH = 256
"Characters of a URI that is remembered: what is kept has a bound, whatever peers write."


@dataclass(frozen=True, slots=True)
class SipUri:
    """A `sip:` or `sips:` URI."""

    scheme: str
    "`sip` or `sips`."
    user: str | None
    "As written, escapes included: an in-dialog request has to repeat it to the letter."
    host: str
    "Lower case; an IPv6 address without brackets."
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None

    def param(self, name: str) -> str | None:
        """Return a parameter's value, "" when it has none, None when it is absent; name in lower case."""
        return find_param(self.params, name)

    @property
    def unescaped_user(self) -> str:
        """What the user part says, for people and for routing; what is not text becomes U+FFFD."""
        if self.user is None or "%" not in self.user:
            return self.user or ""
        text = unquote_to_bytes(self.user).decode(errors="replace")
        return "".join([char if char.isprintable() else "\ufffd" for char in text])

    @property
    def secure(self) -> bool:
        """Whether every hop to the target has to use TLS."""
        return self.scheme == "sips"

    def __str__(self) -> str:
        userinfo = ""
        if self.user is not None:
            userinfo = f"{self.user}@" if self.password is None else f"{self.user}:{self.password}@"
        text = f"{self.scheme}:{userinfo}{format_host_port(self.host, self.port)}{format_params(self.params)}"
        if self.headers:
            text += "?" + "&".join([f"{name}={value}" for name, value in self.headers])
        return text


@dataclass(frozen=True, slots=True)
class TelUri:
    """A `tel:` URI (RFC 3966)."""

    number: str
    "As written, visual separators included."
    params: Params = ()

    @property
    def digits(self) -> str:
        """The number without its visual separators, with a leading `+` if it is global."""
        return self.number.translate(_WITHOUT_SEPARATORS)

    def param(self, name: str) -> str | None:
        """Return a parameter's value, "" when it has none, None when it is absent; name in lower case."""
        return find_param(self.params, name)

    def __str__(self) -> str:
        return f"tel:{self.number}{format_params(self.params)}"


_WITHOUT_SEPARATORS = {ord(char): None for char in "-.()"}


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that we do not speak: a request for it is answered 416."""

    scheme: str
    opaque: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.opaque}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Parse an absolute URI; raises RemoteProtocolError saying what is wrong with it."""
    # The messages of a call name the same few URIs over and over.
    return _known_uri(text) if len(text) <= _KNOWN_LENGTH else _parse(text)


def _parse(text: str) -> Uri:
    if " " in text or "\t" in text:
        raise RemoteProtocolError("white space in the URI")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme in {"sip", "sips"}:
        return _parse_sip(scheme, rest)
    if scheme == "tel":
        return _parse_tel(rest)
    if not colon or not _IS_SCHEME(scheme) or not _IS_OPAQUE(rest):
        raise RemoteProtocolError("malformed URI")
    return OtherUri(scheme, rest)


_known_uri = lru_cache(1024)(_parse)


def _parse_sip(scheme: str, rest: str) -> SipUri:
    userinfo, at, rest = rest.rpartition("@")
    user = password = None
    if at:
        user, colon, secret = userinfo.partition(":")
        if not _IS_USER(user) or not _IS_PASSWORD(secret):
            raise RemoteProtocolError("malformed user part of the URI")
        password = secret if colon else None
    host, port, rest = parse_host_port(rest)
    params, question, headers = rest.partition("?")
    return SipUri(scheme, user, host, port, _params(params), _headers(headers) if question else (), password)


def _params(text: str) -> Params:
    if not text:
        return ()
    if text.count(";") > MAX_PARAMS or not _IS_PARAMS(text):
        raise RemoteProtocolError("malformed URI parameters")
    pairs = [piece.partition("=") for piece in text[1:].split(";")]
    return tuple([(name, value or None) for name, _, value in pairs])


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    if text.count("&") > MAX_PARAMS or not _IS_HEADERS(text):
        raise RemoteProtocolError("malformed URI headers")
    pairs = [piece.partition("=") for piece in text.split("&")]
    return tuple([(name, value) for name, _, value in pairs])


def _parse_tel(rest: str) -> TelUri:
    number, semicolon, params = rest.partition(";")
    if not _IS_TEL_NUMBER(number):
        raise RemoteProtocolError("malformed telephone number in the URI")
    return TelUri(number, _params(semicolon + params))
