"""The parts of the RFC 3261 grammar (section 25) that headers and URIs share.

Every function here is linear in its input whatever that input is: no two parts of an expression that stand
next to each other take the same character, so there is nothing to go back for, and what could come in
thousands is counted before it is taken apart. Possessive quantifiers say so for single classes; never for
groups, which CPython before 3.11.5 matches wrongly. Failure is always a `RemoteProtocolError`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from gateway.sip.errors import RemoteProtocolError

Params = tuple[tuple[str, str | None], ...]
"Parameters in order and as written, quotes included; None is the value of a bare name such as `lr`."

MAX_LIST = 50
"Elements of one comma-separated field: more hops than any call takes, more methods than there are."
MAX_PARAMS = 32
"""Parameters of one value or URI. Both bounds together keep a message that is full of them within the time
bounds: 64 kB hold many more than can be parsed in a few milliseconds."""

_MAX_MARKS = 8
"Quotes, escapes and opening brackets an element, on average over a full list."

_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"  # noqa: S105  # a token of the grammar, no secret
# A parameter value without quotes is a token or a host; devices also put base64 there (`/`, `=`), which
# harms nobody, so everything printable that cannot be mistaken for the end of the value is taken.
_VALUE = r"[!#-+\-./0-9:=?-\[\]-~]++"
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*"'

_IS_TOKEN = re.compile(_TOKEN).fullmatch
_IS_VALUE = re.compile(_VALUE).fullmatch
_IS_QUOTED = re.compile(_QUOTED, re.DOTALL).fullmatch
_LEADING_QUOTED = re.compile(_QUOTED, re.DOTALL).match
_LWS = r"[ \t]*+"
_PLAIN_PARAM = rf";{_LWS}({_TOKEN}){_LWS}(?:={_LWS}({_VALUE}){_LWS})?"
_ARE_PLAIN_PARAMS = re.compile(rf"(?:{_PLAIN_PARAM})*").fullmatch
_EACH_PLAIN_PARAM = re.compile(_PLAIN_PARAM).findall
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9_.-]++)[ \t]*+(?::[ \t]*+([0-9]++))?").match
_HAS_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
# A quoted string or a bracketed URI as a whole, or the separator; a lone quote or bracket is unbalanced.
_OUTSIDE = {
    separator: re.compile(rf'{_QUOTED}|<[^<>]*+>|{separator}|["<]', re.DOTALL).finditer for separator in ",;"
}
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


def is_token(text: str) -> bool:
    """Whether the text is one `token`."""
    return _IS_TOKEN(text) is not None


def split_outside(text: str, separator: str, limit: int = MAX_LIST) -> list[str]:
    """Split at a comma or semicolon that stands outside quoted strings and angle brackets, and strip."""
    marks = text.count('"') + text.count("<") + text.count("\\")
    if not marks:
        pieces = text.split(separator, limit)
    elif marks <= _MAX_MARKS * limit:
        pieces = _split_around_quotes(text, separator, limit)
    else:
        raise RemoteProtocolError("too many quotes, escapes or angle brackets")
    if len(pieces) > limit:
        raise RemoteProtocolError("too many elements")
    return [piece.strip(" \t") for piece in pieces]


def _split_around_quotes(text: str, separator: str, limit: int) -> list[str]:
    pieces = []
    start = 0
    for match in _OUTSIDE[separator](text):
        found = match[0]
        if found == separator:
            pieces.append(text[start : match.start()])
            start = match.end()
            if len(pieces) > limit:
                break
        elif found in {'"', "<"}:
            raise RemoteProtocolError("unbalanced quote or angle bracket")
    pieces.append(text[start:])
    return pieces


def split_lists(values: Iterable[str]) -> list[str]:
    """Return the elements of a field that is one list over all its lines (RFC 3261 section 7.3.1)."""
    elements: list[str] = []
    for value in values:
        elements += split_outside(value, ",")
        if len(elements) > MAX_LIST:
            raise RemoteProtocolError("too many elements")
    return elements


def parse_params(text: str) -> Params:
    """Parse `;name=value;name` up to the end of the text (RFC 3261 `generic-param`)."""
    if not text:
        return ()
    if text.count(";") <= MAX_PARAMS and _ARE_PLAIN_PARAMS(text):
        return tuple([(name, value or None) for name, value in _EACH_PLAIN_PARAM(text)])
    before, *pieces = split_outside(text, ";", MAX_PARAMS + 1)
    if before:
        raise RemoteProtocolError("unexpected text before the parameters")
    return tuple([_parse_param(piece) for piece in pieces])


def _parse_param(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    name, value = name.rstrip(" \t"), value.lstrip(" \t")
    if not _IS_TOKEN(name):
        raise RemoteProtocolError("malformed parameter name")
    if not equals:
        return name, None
    if not _IS_VALUE(value) and (not _IS_QUOTED(value) or _HAS_CONTROL(value)):
        raise RemoteProtocolError("malformed parameter value")
    return name, value


def format_params(params: Params) -> str:
    """Write parameters as `;name=value;name`: what `parse_params` reads."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def find_param(params: Params, name: str) -> str | None:
    """Return a parameter's value without quotes; "" when it has none, None when it is absent.

    `name` is given in lower case; what it is compared with may have any.
    """
    for key, value in params:
        if key == name or key.lower() == name:
            return unquote(value) if value else ""
    return None


def set_param(params: Params, name: str, value: str | None) -> Params:
    """Return the parameters with one replaced where it stands, or added at the end."""
    if find_param(params, name) is None:
        return (*params, (name, value))
    return tuple([(key, value if key.lower() == name else old) for key, old in params])


def quote(text: str) -> str:
    """Write text as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """Return what a quoted string says, with control characters as spaces; other text stays as it is."""
    if not text.startswith('"'):
        return text
    inside = text[1:-1]
    if "\\" in inside:
        inside = "\\".join([part.replace("\\", "") for part in inside.split("\\\\")])
    return inside if inside.isprintable() else inside.translate(_CONTROLS)


def parse_quoted_or_token(text: str) -> str:
    """Return what a parameter's value says, whether it is a quoted string or, as for us, any word."""
    if not _IS_VALUE(text) and not _IS_QUOTED(text):
        raise RemoteProtocolError("malformed parameter value")
    return unquote(text)


def leading_quoted_string(text: str) -> tuple[str, str]:
    """Split text that begins with a quoted string into what the string says and the rest."""
    match = _LEADING_QUOTED(text)
    if match is None:
        raise RemoteProtocolError("unbalanced quote")
    return unquote(match[0]), text[match.end() :]


def parse_number(text: str, largest: int) -> int:
    """Parse `1*DIGIT`, leading zeros allowed, up to the largest value given."""
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError("not a number")
    if len(text) > 40 or int(text) > largest:
        raise RemoteProtocolError("number too large")
    return int(text)


def parse_host_port(text: str) -> tuple[str, int | None, str]:
    """Split `host[:port]rest`: names in lower case, IPv6 addresses shortest and without brackets."""
    match = _HOST_PORT(text)
    if match is None:
        raise RemoteProtocolError("malformed host")
    host, digits = match.groups()
    port = None if digits is None else parse_number(digits, 65535)
    if port == 0:
        raise RemoteProtocolError("port zero")
    return _checked_host(host), port, text[match.end() :]


@lru_cache(4096)  # what is kept is a host, so 255 characters at most
def _checked_host(host: str) -> str:
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        if host.replace(".", "").isdigit():
            return str(IPv4Address(host))
    except AddressValueError:
        raise RemoteProtocolError("malformed IP address") from None
    if len(host) > 255 or ".." in host or host[0] in ".-":
        raise RemoteProtocolError("malformed host name")
    return host.lower()


def format_host_port(host: str, port: int | None) -> str:
    """Write `host[:port]`, an IPv6 address in brackets."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"
