"""One open WebSocket (RFC 6455) to an agent's runtime, of which we are the client.

Messages go straight through picows to the socket and back: no task, no await and no timer per connection.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from picows import WSFrame, WSListener, WSMsgType, WSProtocolError, WSTransport

from gateway.net.connection import (
    CLOSE_SECONDS,
    NO_STATUS,
    UNSENT_AUDIO,
    UNSENT_LIMIT,
    OnClosed,
    OnMessage,
)

__all__ = ["AgentConnection"]

TEXT = WSMsgType.TEXT
BINARY = WSMsgType.BINARY

LONGEST_REASON = 123
"Bytes of a reason that fit into a Close frame beside its code (RFC 6455 section 5.5)."


class _HotConnection(WSListener):
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_fragments", "_heard", "_on_message", "_stalled", "_write")


class AgentConnection(_HotConnection):
    """One open WebSocket. Sending never waits and never raises; after the end it does nothing."""

    __slots__ = (
        "_linger",
        "_max_message",
        "_on_closed",
        "_over",
        "_pinged",
        "_reported",
        "_transport",
        "_why",
        "audio_dropped",
        "subprotocol",
    )

    peer: ClassVar[str] = "runtime"
    "Who is at the other end, for people."

    _transport: WSTransport
    _write: Callable[[WSMsgType, bytes], None]

    def __init__(
        self, on_message: OnMessage, on_closed: OnClosed, max_message: int, subprotocol: str | None = None
    ) -> None:
        self.subprotocol = subprotocol
        "What the runtime chose of what it was offered."
        self.audio_dropped = 0
        "Messages of audio that were not sent because the runtime does not read."
        self._on_message = on_message
        self._on_closed = on_closed
        self._max_message = max_message
        self._stalled = False  # audio is not sent: too much waits, or the connection is over
        self._over = False  # nothing more is sent or delivered
        self._reported = False
        self._why = ""
        self._heard = True
        self._pinged = False
        self._fragments: _Fragments | None = None
        self._linger: asyncio.TimerHandle | None = None

    def send_audio(self, text: bool, payload: bytes) -> None:
        """HOT: send what is worth nothing later; dropped and counted while a second of it waits."""
        if self._stalled:
            self.audio_dropped += not self._over
        else:
            write = self._write
            write(TEXT if text else BINARY, payload)

    def send(self, text: bool, payload: bytes) -> None:
        """Send what has to arrive. A runtime that lets too much of it wait is cut off."""
        if not self._over and self._has_room():
            self._write(TEXT if text else BINARY, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye after all that was sent; `on_closed` follows when the peer has, within a second."""
        if not self._over:
            self._why = reason
            self._send_close(code, reason)

    def abort(self, why: str) -> None:
        """Drop the connection; `on_closed` is told this reason and no code, in the loop's next round."""
        self._why = self._why or why
        self._end()
        self._transport.disconnect(graceful=False)

    def check_alive(self) -> bool:
        """Ping a peer silent since the last check, drop one that left a ping unanswered; False: over."""
        if self._heard:
            self._heard = self._pinged = False
        elif self._pinged:
            self.abort("no answer to a ping")
        elif not self._over and self._has_room():
            self._pinged = True
            self._transport.send_ping()
        return not self._over

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._write = transport.send
        transport.underlying_transport.set_write_buffer_limits(UNSENT_AUDIO)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        # HOT: a whole message is recognised and delivered right here.
        self._heard = True
        kind = frame.msg_type
        if (
            (kind is TEXT or kind is BINARY)
            and frame.fin
            and self._fragments is None
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._deliver(kind is TEXT, frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._closed_by_peer(frame.get_payload_as_bytes())
        elif not self._over:
            self._receive_other(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if not self._over:
            _read_the_rest(transport)
        self._end()
        violation = transport.close_handshake is not None and transport.close_handshake.sent
        self._report(None, self._why or (violation and violation.reason) or "without a closing handshake")
        if violation:
            asyncio.get_running_loop().call_soon(_forget_failure, transport)

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = self._over

    def _deliver(self, text: bool, payload: bytes) -> None:
        on_message = self._on_message
        try:
            on_message(text, payload)
        except Exception as error:
            _tell_loop(f"a message of the {self.peer} was not understood by us", error)
            self._fail(1011, "internal error")

    def _receive_other(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(1002, "a reserved bit is set, though no extension was agreed on")
        elif kind is WSMsgType.PING:
            if not self._stalled:  # a peer that pings and never reads must not fill our memory
                self._transport.send_pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CONTINUATION:
            self._collect(self._fragments, frame)
        elif kind is not WSMsgType.PONG:
            self._collect(None if self._fragments else _Fragments(kind is TEXT), frame)

    def _collect(self, fragments: "_Fragments | None", frame: WSFrame) -> None:
        """Put a message together from its fragments (RFC 6455 section 5.4)."""
        if fragments is None:
            self._fail(1002, "a fragment out of turn")
        elif len(fragments.payload) + frame.payload_size > self._max_message:
            self._fail(1009, f"a message of more than {self._max_message} bytes")
        else:
            fragments.payload += frame.get_payload_as_bytes()
            self._fragments = None if frame.fin else fragments
            if frame.fin:
                self._deliver(fragments.text, bytes(fragments.payload))

    def _has_room(self) -> bool:
        if self._stalled and self._transport.underlying_transport.get_write_buffer_size() > UNSENT_LIMIT:
            self.abort(f"the {self.peer} has stopped reading")
        return not self._over

    def _closed_by_peer(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2]) if payload else NO_STATUS
        if not self._over:
            self._send_close(1000 if code == NO_STATUS else code, "")
        self._report(code, payload[2:].decode(errors="replace") or self._why)

    def _fail(self, code: int, why: str) -> None:
        if not self._over:
            self._send_close(code, why)
            self._report(None, why)

    def _send_close(self, code: int, reason: str) -> None:
        self._end()
        short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        self._transport.send_close(code, short)  # type: ignore[arg-type]  # any code, not only the enum's
        # RFC 6455 section 7.1.1: the server closes the TCP connection first; one that does not is cut off.
        self._linger = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.disconnect, False)

    def _end(self) -> None:
        self._over = self._stalled = True
        self._fragments = None
        self._on_message = _discard

    def _report(self, code: int | None, why: str) -> None:
        if self._reported:
            return
        self._reported = True
        on_closed, self._on_closed = self._on_closed, _told_already
        try:
            on_closed(code, why)
        except Exception as error:
            _tell_loop(f"the end of a connection to the {self.peer} was not understood by us", error)


@dataclass(slots=True)
class _Fragments:
    """What has come so far of a message in pieces."""

    text: bool
    payload: bytearray = field(default_factory=bytearray)


def _discard(text: bool, payload: bytes) -> None:
    """What becomes of a message that comes after the end."""


def _told_already(code: int | None, why: str) -> None:
    """Whoever was told need not be kept."""


def _read_the_rest(transport: WSTransport) -> None:
    """Deliver what had come, unread, when our own writing found the connection broken.

    The loop closes a connection at once whose peer has reset it, with its last words still in the kernel.
    """
    below = transport.underlying_transport
    if transport.is_secure:
        return  # those are readable by the TLS layer alone, which is gone
    protocol: Any = below.get_protocol()
    number = below.get_extra_info("socket").fileno()
    try:
        while count := os.readv(number, [protocol.get_buffer(-1)]):
            protocol.buffer_updated(count)
    except OSError:
        pass  # the reset itself, behind the last byte; or nothing more


def _forget_failure(transport: WSTransport) -> None:
    # picows keeps a breach of the protocol in a future, which complains in the log when nobody asks for it.
    try:
        transport.wait_disconnected().send(None)
    except (StopIteration, WSProtocolError):
        pass  # on_closed was told


def _tell_loop(message: str, error: Exception) -> None:
    # picows would only log it, where nobody looks: it is our own bug.
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
