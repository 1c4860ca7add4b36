"""SDP as values (RFC 8866): what one side of a call says about the media it can take, and where.

The parser takes linear time and bounded memory whatever the input. It is strict about what decides where
media goes (ports, the shape of `m=` and `c=`) and lenient about the rest: peers misplace lines, end them with
a bare line feed and leave out `s=` or `t=`, and none of that is worth a call.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise

MAX_BYTES = 65_535
MAX_LINES = 1_000
MAX_MEDIA = 32
MAX_FORMATS = 128
"Formats of one `m=` line: RTP knows 128 payload types."

MAX_PORT = 65_535

Attribute = tuple[str, str | None]
"Name and value of an `a=` line; a property attribute such as `a=sendrecv` has no value."

Line = tuple[str, str]
"Type letter and value of a line."

_BEFORE_CONNECTION, _AFTER_CONNECTION = "iuep", "btrzk"
"Lines of the session that nothing here looks into, and the side of `c=` that they stand on (section 5)."

_TITLE, _AFTER_TITLE = "i", "bk"
"The same for the lines of one medium."


class MalformedSdp(ValueError):
    """The text is not a session description; the message names the line and what is wrong with it."""


class Direction(StrEnum):
    """Which way media flows, seen from the side that says so (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, sends: bool, receives: bool) -> "Direction":
        """The direction with these two halves."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the side that says this sends media."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the side that says this takes media."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reverse(self) -> "Direction":
        """The same flow, seen from the other side."""
        return Direction.of(sends=self.receives, receives=self.sends)

    def within(self, other: "Direction") -> "Direction":
        """What is left of this direction when no more may flow than `other` allows."""
        return Direction.of(self.sends and other.sends, self.receives and other.receives)


_DIRECTIONS = {direction.value: direction for direction in Direction}


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address; None where the text is a name, or has a zone (`fe80::1%eth0`), void on the wire."""
    try:
        return None if "%" in text else _address(text)
    except ValueError:
        return None


_address = lru_cache(1024)(ip_address)  # which fails for what is none: only addresses are kept


_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME = 253


def is_host_name(text: str) -> bool:
    """Whether it is a name that can be asked for, and not an address in some other writing (`127.1`)."""
    labels = text.removesuffix(".").split(".")
    plain = len(text) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in labels)
    return plain and labels[-1][0].isalpha()


def family_of(host: str) -> str:
    """`IP6` for an IPv6 address, else `IP4`: the addrtype that goes before it in `c=` and `o=`."""
    return "IP6" if ":" in host else "IP4"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where media goes (`c=`, RFC 8866 section 5.7)."""

    family: str
    "`IP4` or `IP6`, as said; the address itself is what counts."
    address: str
    "An address or a name; multicast may carry a TTL and a count (`233.252.0.1/127/3`)."

    @classmethod
    def to(cls, host: str) -> "Connection":
        """The connection data of a host of ours, IPv6 without brackets."""
        return cls(family_of(host), host)

    @classmethod
    def parse(cls, text: str) -> "Connection":
        """Raises `MalformedSdp`."""
        parts = text.split()
        if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
            raise MalformedSdp("c= should read IN IP4 or IN IP6 and an address")
        return cls(parts[1], parts[2])

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"

    @property
    def host(self) -> str:
        """The address or name without TTL and count."""
        return self.address.partition("/")[0]

    @property
    def is_null(self) -> bool:
        """Whether it is `0.0.0.0` or `::`: the hold of RFC 2543, send nothing (RFC 3264 section 8.4)."""
        address = parse_address(self.host)
        return address is not None and address.is_unspecified


@dataclass(frozen=True, slots=True)
class Origin:
    """Who described the session, and which version of the description this is (`o=`, section 5.2)."""

    username: str
    session_id: str
    "A number in ours; text, because not all peers count."
    version: str
    connection: Connection

    @classmethod
    def of(cls, host: str, session_id: int, version: int) -> "Origin":
        """The origin of a description of ours."""
        return cls("-", str(session_id), str(version), Connection.to(host))

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Raises `MalformedSdp`."""
        # From the right: some peers put a user's full name in front, with its spaces.
        parts = text.rsplit(maxsplit=5)
        if len(parts) != 6 or parts[3] != "IN" or parts[4] not in ("IP4", "IP6"):
            raise MalformedSdp("o= should have six fields, the last three IN, IP4 or IP6, and an address")
        return cls(parts[0], parts[1], parts[2], Connection(parts[4], parts[5]))

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.connection}"


@dataclass(frozen=True, slots=True)
class RtpMap:
    """What a payload type stands for (`a=rtpmap`, section 6.6)."""

    name: str
    clock_rate: int
    channels: int = 1

    @classmethod
    def parse(cls, text: str) -> "RtpMap | None":
        """Of `PCMU/8000`; None where the text makes no sense, which spoils that format and nothing else."""
        name, _, rest = text.strip().partition("/")
        clock_rate, slash, channels = rest.partition("/")
        rate, count = number(clock_rate, 9), number(channels, 3) if slash else 1
        if not name or not rate or not count:
            return None
        return cls(name, rate, count)

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.name}/{self.clock_rate}{channels}"

    def matches(self, name: str, clock_rate: int, channels: int = 1) -> bool:
        """Whether it is this encoding; names have no case (section 6.6)."""
        same = self.clock_rate == clock_rate and self.channels == channels
        return same and self.name.upper() == name.upper()


STATIC_PAYLOAD_TYPES = {
    0: RtpMap("PCMU", 8000),
    3: RtpMap("GSM", 8000),
    4: RtpMap("G723", 8000),
    5: RtpMap("DVI4", 8000),
    6: RtpMap("DVI4", 16000),
    7: RtpMap("LPC", 8000),
    8: RtpMap("PCMA", 8000),
    9: RtpMap("G722", 8000),
    10: RtpMap("L16", 44100, 2),
    11: RtpMap("L16", 44100),
    12: RtpMap("QCELP", 8000),
    13: RtpMap("CN", 8000),
    14: RtpMap("MPA", 90000),
    15: RtpMap("G728", 8000),
    16: RtpMap("DVI4", 11025),
    17: RtpMap("DVI4", 22050),
    18: RtpMap("G729", 8000),
}
"Audio formats that need no `a=rtpmap` (RFC 3551 section 6)."


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One `m=` line and what belongs to it (section 5.14)."""

    kind: str
    "`audio`, `video`, `image`, …"
    port: int
    "0: the stream is refused or over (RFC 3264 sections 6 and 8.2)."
    protocol: str
    "`RTP/AVP`, `RTP/SAVP`, `udptl`, …"
    formats: tuple[str, ...]
    "Payload types as text; for other protocols whatever they use."
    connections: tuple[Connection, ...] = ()
    "Empty: that of the session."
    attributes: tuple[Attribute, ...] = ()
    other: tuple[Line, ...] = ()
    "Its lines of other types (`i=`, `b=`, `k=`), in order."
    ports: int = 1
    "More than 1 only for layered encodings."

    @classmethod
    def parse(cls, text: str) -> "MediaDescription":
        """Of the value of an `m=` line; raises `MalformedSdp`."""
        parts = text.split(maxsplit=MAX_FORMATS + 3)
        if len(parts) < 4:
            raise MalformedSdp("m= should have a kind, a port, a protocol and formats")
        if len(parts) > MAX_FORMATS + 3:
            raise MalformedSdp(f"m= has more than {MAX_FORMATS} formats")
        first, slash, count = parts[1].partition("/")
        port, ports = number(first, 5), number(count, 5) if slash else 1
        if port is None or port > MAX_PORT or not ports:
            raise MalformedSdp("m= has a port that is none")
        return cls(parts[0], port, parts[2], tuple(parts[3:]), ports=ports)

    def lines(self) -> Iterator[str]:
        """Its lines, without their ends, in the order of section 5."""
        ports = f"/{self.ports}" if self.ports != 1 else ""
        yield f"m={self.kind} {self.port}{ports} {self.protocol} {' '.join(self.formats)}"
        yield from _lines_of(self.other, _TITLE)
        yield from (f"c={connection}" for connection in self.connections)
        yield from _lines_of(self.other, _AFTER_TITLE)
        yield from map(_attribute_line, self.attributes)

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of that name; None where there is none, or it has no value."""
        return next((value for key, value in self.attributes if key == name), None)

    def flag(self, name: str) -> bool:
        """Whether the attribute stands there at all."""
        return any(key == name for key, _ in self.attributes)

    def encodings(self, known: Mapping[int, RtpMap] = STATIC_PAYLOAD_TYPES) -> dict[int, RtpMap]:
        """What each RTP payload type of the line stands for, in the line's order.

        `known` is what they mean without an `a=rtpmap`; those that nothing gives a meaning are left out.
        """
        rtpmaps = dict(self._rtpmaps())
        listed = (number(text, 3) for text in self.formats)
        found = ((one, rtpmaps.get(one) or known.get(one)) for one in listed if one is not None)
        return {payload_type: encoding for payload_type, encoding in found if encoding is not None}

    def fmtp(self, payload_type: int) -> str:
        """What `a=fmtp` says of a payload type (section 6.15); empty where it says nothing."""
        said = (value.split(maxsplit=1) for key, value in self.attributes if key == "fmtp" and value)
        whole = (parts for parts in said if len(parts) == 2 and number(parts[0], 3) == payload_type)
        return next((parameters.strip() for _, parameters in whole), "")

    def _rtpmaps(self) -> Iterator[tuple[int, RtpMap]]:
        for key, value in self.attributes:
            if key == "rtpmap" and value is not None:
                text, *encoding = value.split(maxsplit=1) or [""]
                payload_type, parsed = number(text, 3), RtpMap.parse("".join(encoding))
                if payload_type is not None and payload_type < 128 and parsed is not None:
                    yield payload_type, parsed


_ALWAYS_ACTIVE: tuple[Line, ...] = (("t", "0 0"),)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole session description; `parse` and `bytes` are inverses."""

    origin: Origin
    media: tuple[MediaDescription, ...] = ()
    connection: Connection | None = None
    "Where media goes that has no `c=` of its own."
    attributes: tuple[Attribute, ...] = ()
    name: str = "-"
    other: tuple[Line, ...] = _ALWAYS_ACTIVE
    "The session's lines of other types (`i=`, `b=`, `t=`, …), in order."

    @classmethod
    def parse(cls, data: bytes) -> "SessionDescription":
        """Raises `MalformedSdp`, naming the line."""
        lines = _split(data)
        starts = [index for index, (letter, _) in enumerate(lines) if letter == "m"]
        if len(starts) > MAX_MEDIA:
            raise MalformedSdp(f"there are more than {MAX_MEDIA} m= lines")
        session = lines[: starts[0]] if starts else lines
        origin, connection = _only(session, "o"), _only(session, "c")
        if origin is None:
            raise MalformedSdp("there is no o= line")
        return cls(
            origin=Origin.parse(origin),
            media=tuple(_media(lines[start:end]) for start, end in pairwise([*starts, len(lines)])),
            connection=Connection.parse(connection) if connection is not None else None,
            attributes=_attributes(session),
            name=_only(session, "s") or "-",
            other=_others(session, _BEFORE_CONNECTION, _AFTER_CONNECTION) or _ALWAYS_ACTIVE,
        )

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self.lines())

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    def lines(self) -> Iterator[str]:
        """Its lines, without their ends, in the order of section 5."""
        yield "v=0"
        yield f"o={self.origin}"
        yield f"s={self.name}"
        yield from _lines_of(self.other, _BEFORE_CONNECTION)
        if self.connection is not None:
            yield f"c={self.connection}"
        yield from _lines_of(self.other, _AFTER_CONNECTION)
        yield from map(_attribute_line, self.attributes)
        for media in self.media:
            yield from media.lines()

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Where the media of that line goes: its own `c=`, else the session's (section 5.7)."""
        return media.connections[0] if media.connections else self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """The direction of that line: its own, else the session's, else `sendrecv` (section 6.7)."""
        for attributes in (media.attributes, self.attributes):
            for name, _ in attributes:
                if name in _DIRECTIONS:
                    return _DIRECTIONS[name]
        return Direction.SENDRECV


def number(text: str, digits: int) -> int | None:
    """The number that the text is, when that takes at most so many ASCII digits; else None."""
    return int(text) if 0 < len(text) <= digits and text.isascii() and text.isdigit() else None


def _split(data: bytes) -> list[Line]:
    if len(data) > MAX_BYTES:
        raise MalformedSdp(f"it is longer than {MAX_BYTES} bytes")
    if data.count(b"\n") > MAX_LINES:
        raise MalformedSdp(f"it has more than {MAX_LINES} lines")
    if b"\0" in data:
        raise MalformedSdp("it has a zero byte")
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if "\r" in text:
        raise MalformedSdp("it has a carriage return that ends no line")
    lines = [_line(index, line) for index, line in enumerate(text.split("\n"), 1) if line]
    if not lines or lines[0] != ("v", "0"):
        raise MalformedSdp("it does not begin with v=0")
    return lines


def _line(index: int, text: str) -> Line:
    if text[1:2] != "=":
        raise MalformedSdp(f"line {index} is not a letter, = and a value")
    return text[0], text[2:]


def _media(lines: Sequence[Line]) -> MediaDescription:
    return replace(
        MediaDescription.parse(lines[0][1]),
        connections=tuple(Connection.parse(value) for letter, value in lines if letter == "c"),
        attributes=_attributes(lines),
        other=_others(lines, _TITLE, _AFTER_TITLE),
    )


def _only(lines: Sequence[Line], wanted: str) -> str | None:
    values = [value for letter, value in lines if letter == wanted]
    if len(values) > 1:
        raise MalformedSdp(f"the session has more than one {wanted}= line")
    return values[0] if values else None


def _attributes(lines: Sequence[Line]) -> tuple[Attribute, ...]:
    split = (value.partition(":") for letter, value in lines if letter == "a")
    return tuple((name.strip(), value if colon else None) for name, colon, value in split)


def _others(lines: Sequence[Line], *groups: str) -> tuple[Line, ...]:
    return tuple(line for group in groups for line in lines if line[0] in group)


def _lines_of(lines: Sequence[Line], letters: str) -> Iterator[str]:
    return (f"{letter}={value}" for letter, value in lines if letter in letters)


def _attribute_line(attribute: Attribute) -> str:
    name, value = attribute
    return f"a={name}" if value is None else f"a={name}:{value}"
