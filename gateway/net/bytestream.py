"""One open TCP or TLS connection to an agent's runtime, as AudioSocket wants it: bytes, without messages.

What is read is delivered as it comes, as if each piece were a binary message; the dialect finds its frames.
"""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from gateway.net.connection import (
    CLOSE_SECONDS,
    NO_STATUS,
    UNSENT_AUDIO,
    UNSENT_LIMIT,
    OnClosed,
    OnFlood,
    OnMessage,
    flood_ignored,
)
from gateway.net.throttle import ALLOWANCE, MESSAGE, PERIOD, Account, Throttle

__all__ = ["ByteStream"]

PIECE = 1024
"Bytes that are delivered at once of what a runtime sent beyond its allowance."
MOST_AT_ONCE = 4096
"Bytes that are delivered at once otherwise: a fifth of a second of the plainest audio."
REST = 65_536
"Bytes that are read at once of what a broken connection still holds."
REST_SECONDS = 0.005
"Seconds of work on those."


class ByteStream(asyncio.Protocol):
    """One open connection. Sending never waits and never raises; after the end it does nothing."""

    _transport: asyncio.Transport
    _write: Callable[[bytes], None]

    def __init__(
        self,
        on_message: OnMessage,
        on_closed: OnClosed,
        patience: float,
        throttle: Throttle | None = None,
        *,
        on_flood: OnFlood = flood_ignored,
    ) -> None:
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
        self._on_flood = on_flood
        self.flooded = False
        "It was cut off for that."
        self.account: Account | None = None
        self._loop = asyncio.get_running_loop()
        self._throttle = throttle or Throttle()
        self._left = ALLOWANCE
        self._period_since = self._loop.time()
        self._held: deque[bytes] | None = None  # what waits for its turn, while reading is paused

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
        size = len(data)
        left = self._left = self._left - MESSAGE - size
        if (left < 0 or size > MOST_AT_ONCE) and self._has_to_wait(size):
            self._hold(data)
        else:
            self._deliver(data)

    def charge(self, work: int) -> None:
        """What came was more work than its bytes say."""
        self._left -= work

    def work(self) -> bool:
        """Deliver the oldest piece that waits; False when none waits and it is read again."""
        held = self._held
        if held:
            self._deliver(held.popleft())
        if self._held:
            return True
        if self._held is not None:
            self._held, self._left = None, 0
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return False

    def warn(self) -> None:
        """Say that it will be cut off if it goes on."""
        self._on_flood()

    def cut_off(self) -> None:
        """End it: it has flooded us."""
        self.flooded = True
        self.abort("the runtime has flooded us with messages")

    def _has_to_wait(self, size: int) -> bool:
        """Whether what came has to wait its turn: the allowance of this period is used up."""
        if self._held is None and size <= MOST_AT_ONCE:
            now = self._loop.time()
            if now - self._period_since >= PERIOD:
                self._period_since, self._left = now, ALLOWANCE - MESSAGE - size
                return False
        return True

    def _hold(self, data: bytes) -> None:
        """Stop reading, and let what was read wait its turn, in pieces."""
        pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
        if self._over:
            self._pause()
        elif self._held is None:
            self._held = deque(pieces)
            self._pause()
            self._throttle.hold(self, self._loop)
        else:
            self._held += pieces

    def _pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _deliver(self, data: bytes) -> None:
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
        if not self._over:
            self._catch_up(broken=exc is not None)
        self._end()
        clean = self._ended_by_peer and exc is None
        self._on_closed(NO_STATUS if clean else None, self._why or (str(exc) if exc else ""))

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = self._over

    def _catch_up(self, *, broken: bool) -> None:
        """The connection is gone: deliver what waits, and what had come unread."""
        held, self._held = self._held, None
        self._throttle.let_go(self)
        for piece in held or ():
            self._deliver(piece)
        if broken and not self._over:
            self._hear_the_rest()

    def _hear_the_rest(self) -> None:
        """Deliver what had come, unread, when our own writing found the connection broken.

        The loop closes a connection at once whose peer has reset it, with its last words still in the kernel.
        """
        if self._transport.get_extra_info("ssl_object") is not None:
            return  # those are readable by the TLS layer alone, which is gone
        number = self._transport.get_extra_info("socket").fileno()
        enough = time.thread_time() + REST_SECONDS
        try:
            while time.thread_time() < enough and (data := os.read(number, REST)):
                self._deliver(data)
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
        if self._held is not None:
            self._held = None
            self._throttle.let_go(self)
        self._on_flood = flood_ignored


def _discard(text: bool, payload: bytes) -> None:
    """What becomes of bytes that come after the end."""
