"""One open WebSocket (RFC 6455) to an agent's runtime, of which we are the client.

Messages go straight through picows to the socket and back: no task, no await and no timer per connection.

Longer than most: who floods, who closes and who stalls is told by the same few fields of one connection.
"""

import asyncio
import os
import time
from collections import deque
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
    OnFlood,
    OnMessage,
    flood_ignored,
)
from gateway.net.throttle import ALLOWANCE, MESSAGE, PERIOD, Account, Throttle

__all__ = ["AgentConnection"]

TEXT = WSMsgType.TEXT
BINARY = WSMsgType.BINARY

WINDOW = 4096
"Bytes that are read at once of a connection that sends more than its allowance, or long messages."
SMALL_BUFFER = 32_768
"Bytes of a read buffer that may be filled at once: with the smallest frames, a few milliseconds of work."
CALM_SECONDS = 1.0
"How long a connection has to keep within its allowance to be read as it comes again."
REST_SECONDS = 0.005
"Seconds of work on what a broken connection still holds."
LAST_WORDS = 1 << 20
"Bytes that are read behind our goodbye until the peer's is there."
NEVER = 1 << 60
POLICY_VIOLATION = 1008

_Waiting = tuple[WSMsgType, bool, bool, bytes]
"A frame that waits: its kind, whether it ends a message, whether a reserved bit is set, its payload."

LONGEST_REASON = 123
"Bytes of a reason that fit into a Close frame beside its code (RFC 6455 section 5.5)."


class _HotConnection(WSListener):
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_fragments", "_heard", "_left", "_on_message", "_stalled", "_write")


class AgentConnection(_HotConnection):
    """One open WebSocket. Sending never waits and never raises; after the end it does nothing."""

    __slots__ = (
        "_exceeded_at",
        "_held",
        "_linger",
        "_loop",
        "_max_message",
        "_on_closed",
        "_on_flood",
        "_over",
        "_period_since",
        "_pinged",
        "_reported",
        "_throttle",
        "_transport",
        "_why",
        "_window",
        "account",
        "audio_dropped",
        "flooded",
        "subprotocol",
    )

    peer: ClassVar[str] = "runtime"
    "Who is at the other end, for people."

    _transport: WSTransport
    _write: Callable[[WSMsgType, bytes], None]

    def __init__(
        self,
        on_message: OnMessage,
        on_closed: OnClosed,
        max_message: int,
        subprotocol: str | None = None,
        throttle: Throttle | None = None,
        *,
        on_flood: OnFlood = flood_ignored,
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
        self._on_flood = on_flood
        self.flooded = False
        "It was cut off for that."
        self.account: Account | None = None
        self._loop = asyncio.get_running_loop()
        self._throttle = throttle or Throttle()
        self._left = ALLOWANCE
        self._period_since = self._loop.time()
        self._held: deque[_Waiting] | None = None  # what waits for its turn, while reading is paused
        self._window: _Window | None = None
        self._exceeded_at = 0.0

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
        if self._heard or self._held is not None:  # else it may have answered, and we do not read
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
        left = self._left = self._left - MESSAGE - frame.payload_size
        if left < 0 and self._has_to_wait(frame):
            return
        kind = frame.msg_type
        if (
            (kind is TEXT or kind is BINARY)
            and frame.fin
            and self._fragments is None
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._deliver(kind is TEXT, frame.get_payload_as_bytes())
        else:
            self._receive(_waiting(frame))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if not self._over:
            self._catch_up(transport)
        self._end()
        violation = transport.close_handshake is not None and transport.close_handshake.sent
        self._report(None, self._why or (violation and violation.reason) or "without a closing handshake")
        if violation:
            asyncio.get_running_loop().call_soon(_forget_failure, transport)

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = self._over

    def charge(self, work: int) -> None:
        """What came was more work than its bytes say."""
        self._left -= work

    def work(self) -> bool:
        """Do what the oldest frame that waits asks for; False when none waits and it is read again."""
        held = self._held
        if held:
            self._receive(held.popleft())
        if self._held:
            return True
        if self._held is not None:
            self._held, self._left = None, 0
            self._read_on()
        return False

    def warn(self) -> None:
        """Say that it will be cut off if it goes on."""
        self._on_flood()

    def cut_off(self) -> None:
        """End it: it has flooded us."""
        self.flooded = True
        self._fail(POLICY_VIOLATION, f"the {self.peer} has flooded us with messages")

    def read_some(self, seconds: float) -> None:
        """A windowful was read, and cost so much: until it is calm, the next one is read in its turn."""
        if self._held is not None:
            self._throttle.charge(seconds)
        elif not self._over and self._loop.time() - self._exceeded_at < CALM_SECONDS:
            self._throttle.charge(seconds)
            self._hold()

    def _has_to_wait(self, frame: WSFrame) -> bool:
        """Whether a frame has to wait its turn: the allowance of this period is used up."""
        held = self._held
        if held is None:
            if self._over:
                self._pause()  # it goes on and on behind our goodbye
                return True
            now, size = self._loop.time(), frame.payload_size
            if size > WINDOW:
                self._narrow()  # its read buffer has grown
            if now - self._period_since >= PERIOD:
                self._period_since, self._left = now, ALLOWANCE - MESSAGE - size
                return False
            self._exceeded_at = now
            held = self._hold()
        held.append(_waiting(frame))
        return True

    def _hold(self) -> deque[_Waiting]:
        """Stop reading, and let what was read wait its turn."""
        held = self._held = deque()
        self._narrow()
        self._pause()
        self._throttle.hold(self, self._loop)
        return held

    def _pause(self) -> None:
        below = self._transport.underlying_transport
        if not below.is_closing():
            below.pause_reading()

    def _narrow(self) -> None:
        """Read little at once."""
        if self._window is None:
            below = self._transport.underlying_transport
            self._window = _Window(self, below.get_protocol())
            below.set_protocol(self._window)

    def _read_on(self) -> None:
        """Nothing waits any more: read again, as it comes where it has been calm."""
        below, window = self._transport.underlying_transport, self._window
        if below.is_closing():
            return
        calm = self._loop.time() - self._exceeded_at >= CALM_SECONDS
        if window is not None and calm and len(window.below.get_buffer(-1)) <= SMALL_BUFFER:
            self._window = None
            below.set_protocol(window.below)
        below.resume_reading()

    def _catch_up(self, transport: WSTransport) -> None:
        """The connection is gone: deliver what waits, and what had come unread."""
        held, self._held = self._held, None
        self._throttle.let_go(self)
        self._left = NEVER
        for frame in held or ():
            self._receive(frame)
        if not self._over:
            _read_the_rest(transport)

    def _receive(self, frame: _Waiting) -> None:
        kind, end, reserved, payload = frame
        if (kind is TEXT or kind is BINARY) and end and self._fragments is None and not reserved:
            self._deliver(kind is TEXT, payload)
        elif kind is WSMsgType.CLOSE:
            self._closed_by_peer(payload)
        elif not self._over:
            self._receive_other(kind, end, reserved, payload)

    def _deliver(self, text: bool, payload: bytes) -> None:
        on_message = self._on_message
        try:
            on_message(text, payload)
        except Exception as error:
            _tell_loop(f"a message of the {self.peer} was not understood by us", error)
            self._fail(1011, "internal error")

    def _receive_other(self, kind: WSMsgType, end: bool, reserved: bool, payload: bytes) -> None:
        if reserved:
            self._fail(1002, "a reserved bit is set, though no extension was agreed on")
        elif kind is WSMsgType.PING:
            if not self._stalled:  # a peer that pings and never reads must not fill our memory
                self._transport.send_pong(payload)
        elif kind is WSMsgType.CONTINUATION:
            self._collect(self._fragments, end, payload)
        elif kind is not WSMsgType.PONG:
            self._collect(None if self._fragments else _Fragments(kind is TEXT), end, payload)

    def _collect(self, fragments: "_Fragments | None", end: bool, payload: bytes) -> None:
        """Put a message together from its fragments (RFC 6455 section 5.4)."""
        if fragments is None:
            self._fail(1002, "a fragment out of turn")
        elif len(fragments.payload) + len(payload) > self._max_message:
            self._fail(1009, f"a message of more than {self._max_message} bytes")
        else:
            fragments.payload += payload
            self._fragments = None if end else fragments
            if end:
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
        self._left = LAST_WORDS
        if self._held is not None:
            self._held = None
            self._throttle.let_go(self)
            if not self.flooded:
                self._read_on()  # for its goodbye
        self._on_flood = flood_ignored
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


class _Window(asyncio.BufferedProtocol):
    """Stands before picows's protocol, and lets it read a little at a time."""

    __slots__ = ("_connection", "below")

    def __init__(self, connection: AgentConnection, below: Any) -> None:
        self._connection = connection
        self.below = below

    def get_buffer(self, sizehint: int) -> Any:
        return self.below.get_buffer(sizehint)[:WINDOW]

    def buffer_updated(self, nbytes: int) -> None:
        before = time.thread_time()
        self.below.buffer_updated(nbytes)
        self._connection.read_some(time.thread_time() - before)

    def eof_received(self) -> Any:
        return self.below.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.below.connection_lost(exc)

    def pause_writing(self) -> None:
        self.below.pause_writing()

    def resume_writing(self) -> None:
        self.below.resume_writing()


def _waiting(frame: WSFrame) -> _Waiting:
    """A frame, kept."""
    reserved = frame.rsv1 or frame.rsv2 or frame.rsv3
    return frame.msg_type, frame.fin, bool(reserved), frame.get_payload_as_bytes()


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
    enough = time.thread_time() + REST_SECONDS
    try:
        while time.thread_time() < enough and (count := os.readv(number, [protocol.get_buffer(-1)[:WINDOW]])):
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
