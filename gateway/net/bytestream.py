"""One open TCP or TLS connection to an agent's runtime, as AudioSocket wants it: bytes, without messages.

What is read is delivered as it comes, as if each piece were a binary message; the dialect finds its frames.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

from gateway.net.connection import (
    CLOSE_SECONDS,
    NO_STATUS,
    UNSENT_AUDIO,
    UNSENT_LIMIT,
    OnClosed,
    OnMessage,
)

__all__ = ["ByteStream"]

PIECE = 65_536
"Bytes that are read at once of what a broken connection still holds."


class ByteStream(asyncio.Protocol):
    """One open connection. Sending never waits and never raises; after the end it does nothing."""

    _transport: asyncio.Transport
    _write: Callable[[bytes], None]

    def __init__(self, on_message: OnMessage, on_closed: OnClosed, patience: float) -> None:
        """`patience`: seconds that the peer may leave what was sent unacknowledged."""
        self.subprotocol: str | None = None
        "There is no upgrade to choose one in."
        self.audio_dropped = 0
        "Frames of audio that were not sent because the runtime does not read."
        self._on_message = on_message
        self._on_closed = on_closed
        self._patience = patience
        self._stalled = False  # audio is not sent: too much waits, or the connection is over
        self._stuck = False  # it was so at the last check already
        self._over = False
        self._ended_by_peer = False
        self._why = ""
        self._linger: asyncio.TimerHandle | None = None

    def send_audio(self, text: bool, payload: bytes) -> None:
        """HOT: send what is worth nothing later; dropped and counted while a second of it waits."""
        if self._stalled:
            self.audio_dropped += not self._over
        else:
            self._write(payload)

    def send(self, text: bool, payload: bytes) -> None:
        """Send what has to arrive. A runtime that lets too much of it wait is cut off."""
        if self._over:
            return
        if self._transport.get_write_buffer_size() > UNSENT_LIMIT:
            self.abort("the runtime has stopped reading")
        else:
            self._write(payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close when all that was sent is gone, within a second; there is no place for code and reason."""
        if not self._over:
            self._why = reason
            self._end()
            self._transport.close()
            self._linger = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)

    def abort(self, why: str) -> None:
        """Drop the connection; `on_closed` is told this reason and no code."""
        self._why = self._why or why
        self._end()
        self._transport.abort()

    def check_alive(self) -> bool:
        """Drop a peer that has read nothing since the last check; the kernel sees to one that is gone."""
        if self._stalled and self._stuck and not self._over:
            self.abort("the runtime has stopped reading")
        self._stuck = self._stalled
        return not self._over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it
        self._write = transport.write
        transport.set_write_buffer_limits(UNSENT_AUDIO)
        self._watch(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        try:
            self._on_message(False, data)
        except Exception as error:
            complaint = {"message": "an agent's bytes were not understood by us", "exception": error}
            asyncio.get_running_loop().call_exception_handler(complaint)
            self.abort("internal error")

    def eof_received(self) -> None:
        self._ended_by_peer = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if exc is not None and not self._over:
            self._hear_the_rest()
        self._end()
        clean = self._ended_by_peer and exc is None
        self._on_closed(NO_STATUS if clean else None, self._why or (str(exc) if exc else ""))

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = self._over

    def _hear_the_rest(self) -> None:
        """Deliver what had come, unread, when our own writing found the connection broken.

        The loop closes a connection at once whose peer has reset it, with its last words still in the kernel.
        """
        if self._transport.get_extra_info("ssl_object") is not None:
            return  # those are readable by the TLS layer alone, which is gone
        number = self._transport.get_extra_info("socket").fileno()
        try:
            while data := os.read(number, PIECE):
                self.data_received(data)
        except OSError:
            pass  # the reset itself, behind the last byte; or nothing more

    def _watch(self, sock: socket.socket) -> None:
        """Have the kernel find out that the peer is gone: nothing in the protocol would."""
        milliseconds = int(self._patience * 1000)
        if milliseconds:
            seconds = max(1, int(self._patience))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _end(self) -> None:
        self._over = self._stalled = True
        self._on_message = _discard


def _discard(text: bool, payload: bytes) -> None:
    """What becomes of bytes that come after the end."""
