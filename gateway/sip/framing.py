"""Messages out of a TCP or TLS stream (RFC 3261 section 18.3, RFC 5626 section 4.4.1)."""

import re
from enum import Enum

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import parse_number
from gateway.sip.message import MAX_MESSAGE, Request, Unparsable, parse_head


class KeepAlive(Enum):
    """What stands between messages and is none."""

    PING = b"\r\n\r\n"
    "To be answered with a single CRLF. A flood of them in one piece counts as one."


class Unframable(Unparsable):
    """The stream cannot be followed any further: the connection has to be closed.

    `complete` holds what stood before the fault and still wants to be dealt with. `request`, as in
    Unparsable, is what could be answered before closing.
    """

    def __init__(self, fault: RemoteProtocolError, request: Request | None) -> None:
        super().__init__(fault.reason, fault.status, request)
        self.complete: list[bytes | KeepAlive] = []


class StreamFramer:
    """Cuts one connection's stream into messages, however it was split on the way."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max_message = max_message
        self._buffer = bytearray()
        self._searched = 0
        self._length: int | None = None

    @property
    def pending(self) -> bool:
        """Whether a message has begun to arrive and is not complete: its sender may be given a deadline."""
        return bool(self._buffer) and not _IS_BLANK(self._buffer)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take what arrived and return what is complete, in order; raises Unframable."""
        self._buffer += data
        items: list[bytes | KeepAlive] = []
        try:
            while (item := self._next_item()) is not None:
                items.append(item)
        except Unframable as error:
            error.complete = items
            raise
        return items

    def _next_item(self) -> bytes | KeepAlive | None:
        if self._length is None:
            if self._skip_blank_lines():
                return KeepAlive.PING
            self._length = self._find_length()
        if self._length is None or len(self._buffer) < self._length:
            return None
        message = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._searched = 0
        self._length = None
        return message

    def _skip_blank_lines(self) -> bool:
        """Drop the line ends before a message; True if they were a ping.

        A single CRLF at the end of what has arrived stays: it may be the first half of a ping.
        """
        blank = _BLANK(self._buffer)
        run = blank.end() if blank else 0
        ping = run >= len(KeepAlive.PING.value)
        if ping or run < len(self._buffer):
            del self._buffer[:run]
        return ping

    def _find_length(self) -> int | None:
        """The octets of the message that the buffer begins with; None while its header is incomplete."""
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end < 0 and len(self._buffer) <= self._max_message:
            self._searched = max(0, len(self._buffer) - 3)
            return None
        head = bytes(self._buffer[: end if end >= 0 else self._max_message])
        try:
            if end < 0:
                raise RemoteProtocolError("Header fields too large", 513)
            length = end + 4 + _content_length(head)
            if length > self._max_message:
                raise RemoteProtocolError("Message too large", 513)
        except RemoteProtocolError as fault:
            raise Unframable(fault, parse_head(head).answerable()) from fault
        return length


def _content_length(head: bytes) -> int:
    """Find the one Content-Length; without it, where the next message begins would be a guess."""
    match = _LENGTH(head)
    if match is None:
        raise RemoteProtocolError("Content-Length: missing")
    if _LENGTH(head, match.end()):
        raise RemoteProtocolError("Content-Length: more than one")
    try:
        return parse_number(match[1].decode("latin-1").strip(), 2**32 - 1)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"Content-Length: {error.reason}") from error


_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r]++|\r\n[ \t])*)", re.IGNORECASE
).search  # its value with the lines that it may be folded over
_BLANK = re.compile(rb"[\r\n]++").match
_IS_BLANK = re.compile(rb"[\r\n]*+").fullmatch
