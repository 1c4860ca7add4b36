"""SIP messages: bytes to values and back (RFC 3261 section 7)."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.grammar import is_token, parse_number, set_param, split_lists
from gateway.sip.headers import CSeq, Headers, MediaType, NameAddr, Via, checked_text
from gateway.sip.reasons import REASONS
from gateway.sip.uri import SipUri, Uri, parse_uri

__all__ = [
    "Head",
    "Headers",
    "Request",
    "Response",
    "Unparsable",
    "make_response",
    "parse_head",
    "parse_message",
    "stamp_via",
]

MAX_MESSAGE = 65535
"Octets of one message."
MAX_HEADERS = 200
"Header field lines of one message."


class _Message:
    """What requests and responses have in common: fields as values, parsed when first asked for.

    Each accessor raises RemoteProtocolError, which names the field, when it is malformed.
    """

    __slots__ = ()

    headers: Headers
    body: bytes

    @property
    def vias(self) -> list[Via]:
        """The path back, nearest hop first."""
        return self.headers.typed("Via", _vias)

    @property
    def via(self) -> Via:
        """The nearest hop of the path back."""
        return self.vias[0]

    @property
    def from_(self) -> NameAddr:
        """Who sent the request; without a tag in RFC 2543 messages. One that cannot be read is nobody."""
        return self.headers.typed("From", _party)

    @property
    def to(self) -> NameAddr:
        """Whom the request was first meant for; with a tag inside a dialog."""
        return self.headers.typed("To", _party)

    @property
    def call_id(self) -> str:
        """The call's identifier."""
        return self.headers.typed("Call-ID", _call_id)

    @property
    def cseq(self) -> CSeq:
        """Number and method of the request."""
        return self.headers.typed("CSeq", _cseq)

    @property
    def contacts(self) -> list[NameAddr]:
        """Where the sender can be reached."""
        return self.headers.typed("Contact", _name_addrs)

    @property
    def remote_target(self) -> SipUri | None:
        """The Contact that a dialog's requests go to: the first that is a SIP URI and can be read.

        What stands beside it, such as a `tel:` URI, is nothing that a request could be sent to.
        """
        return next(iter(self.headers.typed("Contact", sip_contacts_of)), None)

    @property
    def record_routes(self) -> list[NameAddr]:
        """The proxies that want to stay in the path of the dialog, as written in the message."""
        return self.headers.typed("Record-Route", _name_addrs)

    @property
    def routes(self) -> list[NameAddr]:
        """The proxies that the request still has to pass."""
        return self.headers.typed("Route", _name_addrs)

    @property
    def max_forwards(self) -> int | None:
        """Hops that the request may still take."""
        return self.headers.typed("Max-Forwards", _max_forwards)

    @property
    def expires(self) -> int | None:
        """Seconds for which the message, or what it asks for, is valid; None also where it says nothing
        that can be read, since nothing depends on it."""
        return self.headers.typed("Expires", _expires)

    @property
    def content_type(self) -> MediaType | None:
        """What the body is."""
        return self.headers.typed("Content-Type", _media_type)

    @property
    def accept(self) -> list[MediaType] | None:
        """The bodies that the sender takes; None when it does not say."""
        return self.headers.typed("Accept", _media_types) if "Accept" in self.headers else None

    def _serialise(self, start_line: str) -> bytes:
        lines = [checked_text(start_line)]
        for name, value in self.headers:
            if name != "Content-Length":
                lines.append(f"{name}: {value}")
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode(self.headers.charset, "replace") + self.body


@dataclass(slots=True)
class Request(_Message):
    """A request (RFC 3261 section 7.1)."""

    method: str
    uri: str
    "The Request-URI as written; `request_uri` is the same as a value."
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = "SIP/2.0"

    @property
    def request_uri(self) -> Uri:
        """The Request-URI as a value."""
        try:
            return parse_uri(self.uri)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"Request-URI: {error.reason}") from error

    def __bytes__(self) -> bytes:
        return self._serialise(f"{self.method} {self.uri} {self.version}")


@dataclass(slots=True)
class Response(_Message):
    """A response (RFC 3261 section 7.2)."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = "SIP/2.0"

    def __bytes__(self) -> bytes:
        return self._serialise(f"{self.version} {self.status} {self.reason}")


def _vias(values: list[str]) -> list[Via]:
    vias = [Via.parse(element) for element in split_lists(values)]
    if not vias:
        raise RemoteProtocolError("missing")
    return vias


def name_addr_of(values: list[str]) -> NameAddr:
    """The one value of a From or To, read strictly: nothing of it is made up for."""
    return NameAddr.parse(_only(values))


def _party(values: list[str]) -> NameAddr:
    return NameAddr.salvage(_only(values))


def sip_contacts_of(values: list[str]) -> list[SipUri]:
    """The SIP URIs among the Contacts, without those that cannot be read."""
    uris = []
    try:
        for element in split_lists(values):
            with suppress(RemoteProtocolError):
                uri = NameAddr.parse(element).uri
                uris += [uri] if isinstance(uri, SipUri) else []
    except RemoteProtocolError:
        return []  # what is not even a list
    return uris


def _name_addrs(values: list[str]) -> list[NameAddr]:
    return [NameAddr.parse(element) for element in split_lists(values)]


def _call_id(values: list[str]) -> str:
    call_id = _only(values)
    if not (call_id.isascii() and call_id.isprintable()) or not call_id or " " in call_id:
        raise RemoteProtocolError("malformed")
    return call_id


def _content_length(values: list[str]) -> int:
    return parse_number(_only(values), 2**32 - 1)


def _cseq(values: list[str]) -> CSeq:
    return CSeq.parse(_only(values))


def _max_forwards(values: list[str]) -> int | None:
    return parse_number(_only(values), 255) if values else None


def _expires(values: list[str]) -> int | None:
    try:
        return parse_number(_only(values), 2**32 - 1)
    except RemoteProtocolError:
        return None


def _media_type(values: list[str]) -> MediaType | None:
    return MediaType.parse(_only(values)) if values else None


def _media_types(values: list[str]) -> list[MediaType]:
    return [MediaType.parse(element) for element in split_lists(values) if element]


def _only(values: list[str]) -> str:
    if not values:
        raise RemoteProtocolError("missing")
    if len(values) > 1:
        raise RemoteProtocolError("more than one")
    return values[0]


class Unparsable(RemoteProtocolError):
    """Bytes that are no message.

    `request` is what could be made out of a request, good enough to answer it with `status` and `reason`;
    None when there is nobody to answer: no request, or one without Via, From, To, Call-ID or CSeq.
    """

    def __init__(self, reason: str, status: int, request: Request | None) -> None:
        super().__init__(reason, status)
        self.request = request


@dataclass(slots=True)
class Head:
    """A message without its body: what could be read of it, and the first thing that is wrong."""

    start_line: str
    headers: Headers
    fault: RemoteProtocolError | None

    def answerable(self) -> Request | None:
        """As much of a request as it takes to answer it; None when there is nobody to answer."""
        method = self.start_line.partition(" ")[0]
        if is_token(method) and all(name in self.headers for name in _COPIED):
            return Request(method, "", self.headers)
        return None


def parse_message(data: bytes) -> Request | Response:
    """Parse one whole message: a datagram, or what StreamFramer found in a stream.

    Only what is needed to find the header fields and the body is checked; see `gateway.sip.validation`.
    Octets after the body are ignored (RFC 3261 section 18.3). Raises Unparsable.
    """
    octets, blank, rest = data[:MAX_MESSAGE].lstrip(b"\r\n").partition(b"\r\n\r\n")
    head = parse_head(octets if blank else octets.rstrip(b"\r\n"))
    try:
        if len(data) > MAX_MESSAGE:
            raise RemoteProtocolError("Message too large", 513)
        message = _parse_start_line(head.start_line, head.headers)
        if not blank:
            raise RemoteProtocolError("No empty line after the header fields")
        if head.fault is not None:
            raise head.fault
        message.body = _cut_body(head.headers, rest)
    except RemoteProtocolError as error:
        raise Unparsable(error.reason, error.status, head.answerable()) from error
    return message


def with_line_ends(datagram: bytes) -> bytes:
    """A datagram whose header lines all end in a bare LF, as scripts write them, as it was meant.

    Where a datagram ends is clear, whatever its lines end in; in a stream it is not.
    """
    head, blank, body = datagram.lstrip(b"\n").partition(b"\n\n")
    if not blank or b"\r" in head:
        return datagram
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def parse_head(octets: bytes) -> Head:
    """Read start line and header fields, without the empty line; never fails, see `Head.fault`."""
    try:
        text, charset = octets.decode(), "utf-8"
    except UnicodeDecodeError:
        text, charset = octets.decode("latin-1"), "latin-1"
    if "\r\n " in text or "\r\n\t" in text:
        text = text.replace("\r\n ", " ").replace("\r\n\t", " ")
    start_line, *lines = text.split("\r\n")
    fault = None
    if not len(lines) == text.count("\r") == text.count("\n"):
        fault = RemoteProtocolError("Line not ended by CR LF")
        lines = [line.replace("\r", " ").replace("\n", " ") for line in lines]
    if len(lines) > MAX_HEADERS:
        fault = RemoteProtocolError("Too many header fields")
    headers = Headers(charset=charset)
    unread = headers.read(lines[:MAX_HEADERS])
    return Head(start_line, headers, fault or unread)


def _parse_start_line(line: str, headers: Headers) -> Request | Response:
    words = line.split(" ", 3)
    if words[0][:4].upper() == "SIP/":
        return _parse_status_line(line, headers)
    if len(words) != 3 or not is_token(words[0]) or not words[1]:
        raise RemoteProtocolError("Request line is not method, URI and version with one space between")
    method, uri, version = words
    _check_version(version)
    return Request(method, uri, headers)


def _parse_status_line(line: str, headers: Headers) -> Response:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    _check_version(version)
    if not (len(status) == 3 and status.isascii() and status.isdigit() and "100" <= status <= "699"):
        raise RemoteProtocolError("Malformed status code")
    return Response(int(status), reason, headers)


def _check_version(version: str) -> None:
    """Versions are compared without regard to case (RFC 3261 section 7.1)."""
    if version == "SIP/2.0" or version.upper() == "SIP/2.0":
        return
    if _IS_VERSION(version):
        raise RemoteProtocolError(REASONS[505], 505)
    raise RemoteProtocolError("Malformed SIP version")


def _cut_body(headers: Headers, rest: bytes) -> bytes:
    lengths = headers.get_all("Content-Length")
    if not lengths:
        return rest
    length = headers.typed("Content-Length", _content_length)
    if length > len(rest):
        raise RemoteProtocolError("Content-Length is larger than the body")
    return rest[:length]


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """Begin the response to a request as RFC 3261 section 8.2.6 says.

    Via, From, To, Call-ID and CSeq are copied to the letter, `to_tag` is added where To has no tag yet.
    Record-Route is not copied: a dialog passes it in `headers`. Raises LocalProtocolError for text that
    would break out of its line.
    """
    fields = _copied(request.headers, status)
    if to_tag is not None:
        _add_to_tag(fields, request, to_tag)
    for name, value in headers:
        fields.add(name, value)
    if content_type is not None:
        fields.set("Content-Type", content_type)
    phrase = REASONS.get(status, "") if reason is None else reason
    return Response(status, checked_text(phrase), fields, body)


def _copied(headers: Headers, status: int) -> Headers:
    copy = Headers(charset=headers.charset)
    for name in _COPIED if status != 100 else (*_COPIED, "Timestamp"):
        if values := headers.get_all(name):
            copy._fields[name] = values if name == "Via" else values[:1]
    return copy


def _add_to_tag(fields: Headers, request: Request, tag: str) -> None:
    """Add our tag, unless To has one, or is so malformed that nobody could find it there."""
    if not is_token(tag):
        raise LocalProtocolError(f"not a tag: {tag!r}")
    try:
        missing = request.headers.typed("To", name_addr_of).tag is None
    except RemoteProtocolError:
        return
    if missing:
        fields._fields["To"] = [f"{fields.get('To')};tag={tag}"]


def stamp_via(request: Request, host: str, port: int) -> None:
    """Note in the top Via where the request really came from.

    `received` is added where the address is not the one claimed (RFC 3261 section 18.2.1) and wherever
    `rport` asks for the port (RFC 3581 section 4). Raises RemoteProtocolError when the Via is malformed.
    """
    via = request.via
    params = via.params
    wants_port = via.param("rport") is not None
    if via.host != host or wants_port:
        params = set_param(params, "received", host)
    if wants_port:
        params = set_param(params, "rport", str(port))
    if params is not via.params:
        stamped = Via(via.transport, via.host, via.port, params)
        others = request.vias[1:]
        request.headers.replace_first("Via", str(stamped))
        request.headers.know("Via", _vias, [stamped, *others])


_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
"What a response repeats, and without which there is nobody to answer."

_IS_VERSION = re.compile(r"SIP/[0-9]++\.[0-9]++", re.IGNORECASE).fullmatch
