"""Which part of a body counts: the session description, alone or inside a multipart body (RFC 5621).

A SIP-I trunk sends its ISUP beside the SDP (RFC 3204), others a picture or a location. What says that it may
be left unread (`handling=optional`, RFC 3261 section 20.11) is left unread; what has to be understood, and is
not, is 415.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import Params, find_param, parse_params
from gateway.sip.headers import Headers, MediaType

if TYPE_CHECKING:
    from gateway.sip.message import Request, Response

MAX_PARTS = 32
"Parts of one multipart body; a longer one is 400."

MAX_DEPTH = 4
"Multipart bodies inside each other; what lies deeper is not understood."

MAX_BOUNDARY = 70
"Characters (RFC 2046 section 5.1.1)."

EARLY_SESSION = "early-session"
"A disposition of SDP that is no offer of the call (RFC 3959)."


class NotUnderstood(RemoteProtocolError):
    """A part that the sender wants to be understood is of no kind that we read."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Unsupported Media Type: {what}", 415)
        self.what = what
        "Its media type."


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a part is for, and whether it may be left unread (RFC 3261 section 20.11)."""

    kind: str = ""
    "Lower case: `session`, `signal`, …; empty where nothing was said."
    optional: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a Content-Disposition; raises RemoteProtocolError."""
        kind, semicolon, rest = text.partition(";")
        params = parse_params(semicolon + rest)
        return cls(kind.strip(" \t").lower(), (find_param(params, "handling") or "").lower() == "optional")


@dataclass(frozen=True, slots=True)
class Part:
    """A body, or one part of a multipart one: what is said of it, and its octets."""

    headers: Headers
    content: bytes

    @property
    def disposition(self) -> Disposition:
        """What it is for; one that cannot be read says nothing."""
        try:
            return Disposition.parse(self.headers.get("Content-Disposition") or "")
        except RemoteProtocolError:
            return Disposition()

    @property
    def encoded(self) -> bool:
        """Whether it is compressed, or the like: we decode nothing of the kind."""
        codings = self.headers.elements("Content-Encoding")
        return any(coding.lower() != "identity" for coding in codings)

    def decoded(self) -> bytes:
        """Its octets, without the coding that mail needs and SIP does not (RFC 2045 section 6)."""
        coding = (self.headers.get("Content-Transfer-Encoding") or "").strip().lower()
        if coding == "base64":
            try:
                return binascii.a2b_base64(self.content)
            except binascii.Error:
                raise RemoteProtocolError("malformed base64 in a part of the body") from None
        return quopri.decodestring(self.content) if coding == "quoted-printable" else self.content


def unwrap(message: Request | Response, types: Collection[str]) -> None:
    """Leave of a request's body the first part that is of one of these types, or nothing.

    Raises `NotUnderstood`, and RemoteProtocolError for what cannot be taken apart.
    """
    if message.body:
        media_type = message.content_type
        _keep(message, _Reader(types, strict=True).read(Part(message.headers, message.body), media_type))


def unwrap_leniently(message: Request | Response, types: Collection[str]) -> None:
    """The same of what can't be refused, a response or an ACK: what isn't understood is left unread."""
    if not message.body:
        return
    try:
        media_type = message.content_type
    except RemoteProtocolError:
        media_type = None
    try:
        found = _Reader(types, strict=False).read(Part(message.headers, message.body), media_type)
    except RemoteProtocolError:
        found = None
    _keep(message, found)


def _keep(message: Request | Response, found: tuple[bytes, str] | None) -> None:
    headers = message.headers
    if found is None:
        message.body = b""
        headers.remove("Content-Type")
    elif found[0] is not message.body or headers.get("Content-Type") is None:
        message.body = found[0]
        headers.set("Content-Type", found[1])


@dataclass(frozen=True, slots=True)
class _Reader:
    """Looks for a part of one of these types."""

    types: Collection[str]
    strict: bool
    "Whether a part that has to be understood, and is not, is a fault."

    def read(self, part: Part, media_type: MediaType | None, depth: int = 0) -> tuple[bytes, str] | None:
        """The octets and the type of what counts; None where nothing of it has to be read."""
        disposition = part.disposition
        if not part.encoded and disposition.kind != EARLY_SESSION:
            # A body without a type is taken for what is expected; a part without one is text (RFC 2046).
            essence = media_type.essence if media_type else "text/plain" if depth else next(iter(self.types))
            if essence in self.types:
                return part.decoded(), str(media_type or essence)
            if media_type is not None and media_type.type == "multipart" and depth < MAX_DEPTH:
                return self._read_parts(part, media_type, depth, optional=disposition.optional)
        self._leave(disposition, media_type)
        return None

    def _read_parts(
        self, part: Part, media_type: MediaType, depth: int, *, optional: bool
    ) -> tuple[bytes, str] | None:
        parts = _parts(part.content, media_type.params)
        if media_type.subtype == "alternative":
            return self._best(parts, media_type, depth, optional=optional)
        if media_type.subtype == "related":
            parts = _root(parts, find_param(media_type.params, "start"))
        try:
            readings = [self.read(one, _type_of(one), depth + 1) for one in parts]
        except NotUnderstood:
            if optional:
                return None
            raise
        return next(filter(None, readings), None)

    def _best(
        self, parts: list[Part], media_type: MediaType, depth: int, *, optional: bool
    ) -> tuple[bytes, str] | None:
        """The last alternative that we understand is the richest (RFC 2046 section 5.1.4)."""
        for one in reversed(parts):
            try:
                found = self.read(one, _type_of(one), depth + 1)
            except NotUnderstood:
                continue
            if found is not None:
                return found
        self._leave(Disposition(optional=optional), media_type)
        return None

    def _leave(self, disposition: Disposition, media_type: MediaType | None) -> None:
        """Read no further: "if the handling parameter is missing, [...] required" (RFC 3204 section 4)."""
        if self.strict and not disposition.optional:
            raise NotUnderstood(media_type.essence if media_type else "unknown")


def _type_of(part: Part) -> MediaType | None:
    value = part.headers.get("Content-Type")
    try:
        return MediaType.parse(value) if value else None
    except RemoteProtocolError:
        return _UNREADABLE


_UNREADABLE = MediaType("application", "octet-stream")
"Stands for a type that cannot be read: nobody understands it, and it may be optional."


def _root(parts: list[Part], start: str | None) -> list[Part]:
    """Of parts that belong together the one that refers to the others (RFC 2387)."""
    named = [part for part in parts if start and part.headers.get("Content-Id") == start]
    return (named or parts)[:1]


def _parts(content: bytes, params: Params) -> list[Part]:
    """Take a multipart body apart; its octets stay as they are, between one delimiter and the next."""
    boundary = find_param(params, "boundary")
    if not boundary or len(boundary) > MAX_BOUNDARY:
        raise RemoteProtocolError("Content-Type: multipart without a boundary")
    mark = re.escape(boundary.encode("utf-8", "replace"))
    parts: list[Part] = []
    begin: int | None = None
    for match in re.finditer(rb"(?:\A|\r?\n)--" + mark + rb"(--)?+[ \t]*+(?=\r?\n|\Z)", content):
        if begin is not None:
            parts.append(_part(content[begin : match.start()]))
        if len(parts) > MAX_PARTS:
            raise RemoteProtocolError("too many parts in the body")
        begin = match.end()
        if match[1]:
            return parts
    if begin is not None:
        parts.append(_part(content[begin:]))  # the last delimiter is missing
    return parts


def _part(octets: bytes) -> Part:
    """A part's header fields, if any, and what follows the empty line."""
    headers = Headers()
    blank = _EMPTY_LINE(octets)
    if blank is None:
        return Part(headers, b"")
    headers.read(_lines(octets[: blank.start()]))
    return Part(headers, octets[blank.end() :])


_EMPTY_LINE = re.compile(rb"\r?\n\r?\n").search


def _lines(head: bytes) -> list[str]:
    """Header field lines, folded ones joined."""
    unfolded: list[str] = []
    for line in head.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if unfolded and line[:1] in {" ", "\t"}:
            unfolded[-1] += line
        elif line:
            unfolded.append(line)
    return unfolded
