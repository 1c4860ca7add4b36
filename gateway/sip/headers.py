"""Header field names, and the header field values that we read, as values with parse() and str()."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.grammar import (
    Params,
    find_param,
    format_host_port,
    format_params,
    is_token,
    leading_quoted_string,
    parse_host_port,
    parse_number,
    parse_params,
    quote,
    set_param,
    split_lists,
    split_outside,
)
from gateway.sip.uri import SipUri, Uri, parse_uri

T = TypeVar("T")

_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"The compact forms of the IANA registry."

_NAMES = """
Accept Accept-Encoding Accept-Language Alert-Info Allow Authorization Call-ID Call-Info Content-Disposition
Content-Language CSeq Date Diversion Error-Info Expires Geolocation History-Info Max-Forwards MIME-Version
Min-Expires Min-SE Organization P-Access-Network-Info P-Asserted-Identity P-Charging-Vector P-Early-Media
P-Preferred-Identity Path Priority Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason
Record-Route Remote-Party-ID Replaces Require Retry-After Route RSeq Server Service-Route Session-ID SIP-ETag
SIP-If-Match Subscription-State Supported Timestamp Unsupported User-Agent User-to-User Warning
WWW-Authenticate"""
"Names met every day. The others follow the rule that most of these do: a capital letter a word."

_SPELLINGS = {
    spelling: name
    for name in (*_COMPACT.values(), *_NAMES.split())
    for spelling in (name, name.lower(), name.upper(), name.title())
} | {spelling: name for short, name in _COMPACT.items() for spelling in (short, short.upper())}
"The spellings that are met every day, so that they cost one look-up."

_BY_LOWER = {spelling.lower(): name for spelling, name in _SPELLINGS.items()}
_MAX_NAME = 256


def header_name(spelling: str) -> str | None:
    """Return the one spelling we use for a header field name; None when it cannot be one.

    Case does not matter, compact forms are expanded, and white space before the colon is forgiven
    (RFC 3261 section 7.3.1).
    """
    return _SPELLINGS.get(spelling) or _rare_header_name(spelling)


def _rare_header_name(spelling: str) -> str | None:
    name = spelling.rstrip(" \t")
    if len(name) > _MAX_NAME or not is_token(name):
        return None
    return _BY_LOWER.get(name.lower()) or name.title()


class Headers:
    """Header fields by name: each name has its values in order.

    Names are case-insensitive, compact forms stand for the long ones. The order of fields with different
    names means nothing (RFC 3261 section 7.3.1) and is that of their first appearance.
    """

    __slots__ = ("_fields", "_typed", "charset")

    def __init__(self, fields: Iterable[tuple[str, str]] = (), charset: str = "utf-8") -> None:
        self._fields: dict[str, list[str]] = {}
        self._typed: dict[str, tuple[object, Any]] = {}
        self.charset = charset
        "What the values are written in: `latin-1` when a peer's were not UTF-8, so that copies are verbatim."
        for name, value in fields:
            self.add(name, value)

    def get(self, name: str) -> str | None:
        """Return the first value of a field, as received."""
        values = self._values(name)
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return all values of a field, one an occurrence: lists in one line are not taken apart."""
        return list(self._values(name))

    def add(self, name: str, value: str) -> None:
        """Add a field after those of the same name; raises LocalProtocolError for what would not be one."""
        key = checked_name(name)
        self._fields.setdefault(key, []).append(checked_text(value))
        self._typed.pop(key, None)

    def set(self, name: str, value: str) -> None:
        """Replace all fields of that name by one."""
        key = checked_name(name)
        self._fields[key] = [checked_text(value)]
        self._typed.pop(key, None)

    def remove(self, name: str) -> None:
        """Remove all fields of that name, if any."""
        key = checked_name(name)
        self._fields.pop(key, None)
        self._typed.pop(key, None)

    def read(self, lines: list[str]) -> RemoteProtocolError | None:
        """Add the fields that these lines of a message hold; return the first fault among them, if any."""
        fault = None
        fields = self._fields
        for line in lines:
            spelling, colon, value = line.partition(":")
            name = header_name(spelling) if colon else None
            if name is None:
                fault = fault or RemoteProtocolError("Malformed header field line")
            elif name in fields:
                fields[name].append(value.strip(" \t"))
            else:
                fields[name] = [value.strip(" \t")]
        return fault

    def typed(self, name: str, parse: Callable[[list[str]], T]) -> T:
        """Return what `parse` makes of all values of a field, once; its errors name the field.

        `name` is spelled as `header_name` spells it.
        """
        known = self._typed.get(name)
        if known is not None and known[0] is parse:
            return known[1]  # type: ignore[no-any-return]  # made by this very parse
        try:
            value = parse(self._fields.get(name, []))
        except RemoteProtocolError as error:
            raise _in_field(name, error) from error
        self._typed[name] = (parse, value)
        return value

    def know(self, name: str, parse: Callable[[list[str]], T], value: T) -> None:
        """Spare `typed` the work: this is what `parse` makes of the field as it now stands."""
        self._typed[name] = (parse, value)

    def replace_first(self, name: str, value: str) -> None:
        """Write another value over the first element of a comma-separated field that is there."""
        key = checked_name(name)
        first, *others = self._fields[key]
        rest = split_outside(first, ",")[1:] if "," in first else []
        self._fields[key] = [", ".join([checked_text(value), *rest]), *others]
        self._typed.pop(key, None)

    def elements(self, name: str) -> list[str]:
        """Return the elements of a comma-separated field over all its occurrences, without empty ones."""
        try:
            return [element for element in split_lists(self._values(name)) if element]
        except RemoteProtocolError as error:
            raise _in_field(name, error) from error

    def _values(self, name: str) -> list[str]:
        values = self._fields.get(name)
        if values is None:
            values = self._fields.get(header_name(name) or "", [])
        return values

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._values(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, values in self._fields.items():
            for value in values:
                yield name, value

    def __len__(self) -> int:
        return sum(map(len, self._fields.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]  # mutable, and says so

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


def _in_field(name: str, error: RemoteProtocolError) -> RemoteProtocolError:
    return RemoteProtocolError(f"{name}: {error.reason}", error.status)


def checked_name(name: str) -> str:
    """Return the usual spelling of a name of ours; raises LocalProtocolError when it cannot be one."""
    key = header_name(name)
    if key is None:
        raise LocalProtocolError(f"not a header field name: {name!r}")
    return key


def checked_text(text: str) -> str:
    """Refuse what would end the line and begin another: whoever chose the text must not choose headers."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise LocalProtocolError(f"line break or NUL in {text!r}")
    return text


@dataclass(frozen=True, slots=True)
class Via:
    """One hop of the path that responses to a request take back (RFC 3261 section 20.42)."""

    transport: str
    "`UDP`, `TCP`, `TLS`; others are carried, in upper case."
    host: str
    "Lower case; an IPv6 address without brackets."
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse one Via value; raises RemoteProtocolError."""
        match = _SENT_PROTOCOL(text)
        if match is None:
            raise RemoteProtocolError("malformed sent-protocol")
        host, port, rest = parse_host_port(text[match.end() :])
        # `;rport=` and `;received=` with nothing behind them are about: what they mean is `;rport`.
        return cls(match[1].upper(), host, port, parse_params(_WITHOUT_VALUE(r"\1", rest)))

    def param(self, name: str) -> str | None:
        """Return a parameter's value, "" when it has none, None when it is absent; name in lower case."""
        return find_param(self.params, name)

    @property
    def branch(self) -> str | None:
        """The transaction's identifier; absent in RFC 2543 messages."""
        return self.param("branch") or None

    @property
    def has_cookie(self) -> bool:
        """Whether the branch identifies the transaction: it begins with the RFC 3261 cookie and goes on."""
        branch = self.branch
        return branch is not None and len(branch) > len(MAGIC_COOKIE) and _COOKIE(branch) is not None

    @property
    def received(self) -> str | None:
        """The address that the request came from, when it is not the one it claimed."""
        value = self.param("received")
        return value.strip("[]") if value else None

    def __str__(self) -> str:
        sent_by = format_host_port(self.host, self.port)
        return f"SIP/2.0/{self.transport} {sent_by}{format_params(self.params)}"


MAGIC_COOKIE = "z9hG4bK"
"Begins every branch that is unique over space and time (RFC 3261 section 8.1.1.7)."
_COOKIE = re.compile(MAGIC_COOKIE, re.IGNORECASE).match  # tokens: section 7.3.1

_WITHOUT_VALUE = re.compile(r"(;[ \t]*+[A-Za-z]++)[ \t]*+=[ \t]*+(?=;|$)").sub

_SENT_PROTOCOL = re.compile(
    r"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++", re.IGNORECASE
).match


@dataclass(frozen=True, slots=True)
class NameAddr:
    """Who: a URI with a display name and parameters (From, To, Contact, Route, P-Asserted-Identity, …)."""

    display: str
    "The display name without its quotes and escapes; empty when there is none."
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a name-addr or an addr-spec with its parameters; raises RemoteProtocolError.

        Of an addr-spec without angle brackets, everything after a semicolon belongs to the header, and
        a comma or question mark is an error (RFC 3261 section 20).
        """
        display, bracket, rest = _display_name(text)
        if not bracket:
            return cls._parse_addr_spec(text)
        uri, closing, params = rest.partition(">")
        if not closing:
            raise RemoteProtocolError("angle bracket not closed")
        return cls(display, parse_uri(uri), parse_params(params.lstrip(" \t")))

    @classmethod
    def salvage(cls, text: str) -> Self:
        """Make of From or To what can be made: a party that cannot be read is nobody, and has its tag.

        `""Unknown"" <sip:…>;tag=a` costs no call: the tag is all that a dialog needs of it. Whoever wants
        to know who it is uses `parse`.
        """
        try:
            return cls.parse(text)
        except RemoteProtocolError:
            tag = _TAG_AT_END(text[text.rfind(">") + 1 :])
            return cls("", _NOBODY, () if tag is None else (("tag", tag[1]),))

    @classmethod
    def _parse_addr_spec(cls, text: str) -> Self:
        uri, semicolon, params = text.partition(";")
        if "?" in uri or "," in uri:
            raise RemoteProtocolError("URI needs angle brackets")
        return cls("", parse_uri(uri.rstrip(" \t")), parse_params(semicolon + params))

    def param(self, name: str) -> str | None:
        """Return a parameter's value, "" when it has none, None when it is absent; name in lower case."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> Self:
        """Return the same address with one parameter set."""
        return replace(self, params=set_param(self.params, name, value))

    @property
    def tag(self) -> str | None:
        """This side's half of the dialog identifier."""
        return self.param("tag") or None

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_params(self.params)}"


def _display_name(text: str) -> tuple[str, str, str]:
    """Split into display name, `<` and the rest; without a bracket, the second part is empty.

    The grammar wants a display name without quotes to be tokens. Peers put anything there, which is only
    ambiguous where it holds a separator.
    """
    if text.startswith('"'):
        display, rest = leading_quoted_string(text)
        before, bracket, rest = rest.partition("<")
        if before.strip(" \t") or not bracket:
            raise RemoteProtocolError("URI missing after the display name")
        return display, bracket, rest
    display, bracket, rest = text.partition("<")
    if '"' in display:
        # A quote opens first: the bracket stands in a parameter of a bare addr-spec, as in
        # `sip:c@h;+sip.instance="<urn:uuid:…>"`. What is no such thing fails as one.
        return "", "", text
    if bracket and not _IS_BARE_DISPLAY(display):
        raise RemoteProtocolError("display name needs quotes")
    return display.strip(" \t"), bracket, rest


_NOBODY = SipUri("sip", "anonymous", "anonymous.invalid")
"Who stands for a party that cannot be read (RFC 3323 section 4.1.1.3)."

_TAG_AT_END = re.compile(r";[ \t]*+tag[ \t]*+=[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)", re.IGNORECASE).search

_IS_BARE_DISPLAY = re.compile(r'[^\x00-\x08\x0a-\x1f\x7f",;>\\]*+').fullmatch


@dataclass(frozen=True, slots=True)
class CSeq:
    """A request's place in its dialog (RFC 3261 section 20.16)."""

    number: int
    "0 to 2**32 - 1."
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `number method`; raises RemoteProtocolError."""
        number, _, method = text.replace("\t", " ").partition(" ")
        method = method.strip(" ")
        if not is_token(method):
            raise RemoteProtocolError("malformed method")
        return cls(parse_number(number, 2**32 - 1), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class MediaType:
    """What a body is, or what would be accepted (RFC 3261 sections 20.1 and 20.15)."""

    type: str
    "Lower case; `*` in Accept."
    subtype: str
    "Lower case; `*` in Accept."
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `type/subtype;params`; raises RemoteProtocolError."""
        essence, semicolon, params = text.partition(";")
        main, slash, sub = (part.strip(" \t").lower() for part in essence.partition("/"))
        if not slash or not is_token(main) or not is_token(sub):
            raise RemoteProtocolError("malformed media type")
        return cls(main, sub, parse_params(semicolon + params))

    @property
    def essence(self) -> str:
        """The type without its parameters, such as `application/sdp`."""
        return f"{self.type}/{self.subtype}"

    def covers(self, essence: str) -> bool:
        """Whether this media range of an Accept header includes the type."""
        main = essence.partition("/")[0]
        return self.essence in {"*/*", f"{main}/*", essence}

    def __str__(self) -> str:
        return f"{self.essence}{format_params(self.params)}"
