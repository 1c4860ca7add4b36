"""Dialling an agent's runtime: the upgrade to WebSocket (RFC 6455 section 4.1), and why it failed.

A `tcp://` or `tls://` URL is a bare connection, without an upgrade.

One connection carries one call. What a call then does with it is in `AgentConnection`.
"""

import asyncio
import logging
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import picows
from picows import WSUpgradeRequest, WSUpgradeResponse

from gateway import __version__
from gateway.config.settings import AgentsSettings
from gateway.net.agent_advice import Unreachable, reaching_advice
from gateway.net.bytestream import ByteStream
from gateway.net.connection import CLOSE_SECONDS, Connection, OnClosed, OnFlood, OnMessage, flood_ignored
from gateway.net.reach import ANYWHERE, NOT_PUBLIC, Reach
from gateway.net.throttle import Throttle
from gateway.net.tls import agents_context
from gateway.net.websocket import AgentConnection

__all__ = [
    "AgentConnection",
    "AgentDialer",
    "AgentUnreachable",
    "Connection",
    "OnClosed",
    "OnFlood",
    "OnMessage",
    "Unreachable",
]

KERNEL_UNSENT = 4096
"Bytes not sent yet that the kernel may hold: left alone it takes megabytes, which is minutes of stale audio."
READ_BUFFER = 4096
"Bytes of a connection's read buffer to begin with; it grows with what the runtime sends."
LONGEST_EXCERPT = 200
"Characters of a refusal's body that are kept."

PORTS = {"ws": 80, "wss": 443, "tcp": 0, "tls": 0}
"What a URL without a port means; 0: it has to have one."

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
UPGRADE_HEADERS = {"connection", "upgrade", "transfer-encoding", "content-length"}
"Headers that are the upgrade's own, as is all that begins with `Sec-WebSocket-`."

_quiet = logging.getLogger("gateway.net.agent.picows")
_quiet.setLevel(logging.CRITICAL + 1)  # what picows would log is told by AgentUnreachable and on_closed


TRANSIENT = {Unreachable.REFUSED, Unreachable.NETWORK, Unreachable.CLOSED}
"Worth another attempt. Not TIMEOUT: the caller has been listening to ringing for seconds already."
TRANSIENT_STATUSES = {502, 503, 504}
"What a proxy says while the runtime behind it starts."


class AgentUnreachable(Exception):
    """No connection to a runtime: `why` tells the kinds apart, the text is for people."""

    def __init__(
        self, why: Unreachable, detail: str, status: int | None = None, said: str = "", look_at: str = ""
    ) -> None:
        super().__init__(detail)
        self.why = why
        self.look_at = look_at or reaching_advice(why, status)
        "What its owner should look at."
        self.said = said
        "What it answered instead, its beginning: for the operator alone, since it may be anybody's server."
        self.status = status
        "The HTTP status, where `why` is STATUS."

    @property
    def transient(self) -> bool:
        """Whether another attempt a moment later may do better."""
        return self.why in TRANSIENT or self.status in TRANSIENT_STATUSES


class AgentDialer:
    """Opens the connections to runtimes, and sees to it that the open ones are alive."""

    def __init__(
        self,
        settings: AgentsSettings | None = None,
        throttle: Throttle | None = None,
        reach: Reach = ANYWHERE,
    ) -> None:
        """`reach` says where a URL may lead; one of the operator's own leads anywhere."""
        self._settings = settings or AgentsSettings()
        self._throttle = throttle or Throttle(self._settings.flood_seconds)
        self._reach = reach
        attempts = self._settings.connect_attempts
        self._pauses = [self._settings.connect_pause * 2**n for n in range(attempts - 1)]
        # Made once: to read the authorities takes longer than all else in a call's set-up.
        ca = self._settings.ca
        self._tls = agents_context() if ca is None else ssl.create_default_context(cafile=ca)
        self._open: WeakSet[Connection] = WeakSet()
        self._check: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        "Upgrades for which nobody waits any more."

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        on_message: OnMessage,
        on_closed: OnClosed,
        on_flood: OnFlood = flood_ignored,
    ) -> Connection:
        """Connect, again where that may help; `AgentUnreachable` with the last attempt's reason.

        What the runtime sends along with its 101 reaches `on_message` before this returns. It may even have
        closed by then: `on_closed` was told. A header given twice, or that we set too, is sent as last given;
        a bare connection has no headers and no subprotocols.
        """
        request, user = _Request.prepare(url, headers, subprotocols), _User(on_message, on_closed, on_flood)
        for pause in self._pauses:
            try:
                return await self._attempt(request, user)
            except AgentUnreachable as error:
                if not error.transient:
                    raise
            await asyncio.sleep(pause)
        return await self._attempt(request, user)

    async def _attempt(self, request: "_Request", user: "_User") -> Connection:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                connection: Connection
                if request.bare:
                    connection = await self._open_stream(request, user)
                else:
                    most = self._settings.max_message_bytes
                    answer = _Answer(request.subprotocols, user, most, self._throttle)
                    connection = await self._upgrade(request, answer)
        except (OSError, ValueError, picows.WSError) as error:
            # Without the traceback: its frames hold the connection, and that holds the error.
            raise _explain(error, request.where) from error.with_traceback(None)
        self._open.add(connection)
        self._arm()
        return connection

    async def _upgrade(self, request: "_Request", answer: "_Answer") -> AgentConnection:
        sock = await _connect(request.host, request.port, self._reach)
        asked = asyncio.get_running_loop().create_task(self._ask(request, answer, sock))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            answer.user = _User(_discard, _tell_nobody, flood_ignored)
            leaving = asyncio.get_running_loop().create_task(_take_leave(asked))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            raise

    async def _ask(self, request: "_Request", answer: "_Answer", sock: socket.socket) -> AgentConnection:
        try:
            _, connection = await picows.ws_connect(
                answer,
                request.url,
                ssl_context=self._tls,
                websocket_handshake_timeout=None,
                logger_name=_quiet,
                enable_auto_pong=False,
                max_frame_size=self._settings.max_message_bytes,
                extra_headers=request.headers,
                max_redirects=0,
                read_buffer_init_size=READ_BUFFER,
                socket_factory=lambda _: sock,
                use_aiofastnet=False,
            )
        except BaseException:
            _hang_up(sock)
            raise
        if connection is None:
            raise ConnectionResetError
        assert isinstance(connection, AgentConnection)
        return connection

    async def _open_stream(self, request: "_Request", user: "_User") -> ByteStream:
        sock = await _connect(request.host, request.port, self._reach)
        secure = request.url.startswith("tls:")
        patience = 2 * self._settings.ping_seconds
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                lambda: ByteStream(
                    user.on_message, user.on_closed, patience, self._throttle, on_flood=user.on_flood
                ),
                sock=sock,
                ssl=self._tls if secure else None,
                server_hostname=request.host if secure else None,
            )
        except BaseException:
            sock.close()
            raise
        return stream

    async def close(self) -> None:
        """Say goodbye on every connection that is still open, and watch over none any more."""
        if self._check is not None:
            self._check.cancel()
        for connection in tuple(self._open):
            connection.close(1001, "the gateway stops")
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _arm(self) -> None:
        if self._open and self._check is None and self._settings.ping_seconds:
            loop = asyncio.get_running_loop()
            self._check = loop.call_later(self._settings.ping_seconds, self._check_all)

    def _check_all(self) -> None:
        self._check = None
        for connection in tuple(self._open):
            if not connection.check_alive():
                self._open.discard(connection)
        self._arm()


@dataclass(frozen=True, slots=True)
class _Request:
    """Where a runtime is, and what it is asked."""

    url: str
    host: str
    port: int
    headers: dict[str, str]
    subprotocols: tuple[str, ...]

    @classmethod
    def prepare(cls, url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]) -> "_Request":
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
        except (KeyError, ValueError):
            raise AgentUnreachable(Unreachable.INVALID, "the URL is not ws:// or wss://") from None
        if not port:
            raise AgentUnreachable(Unreachable.INVALID, f"the {parts.scheme}:// URL has no port")
        if not parts.hostname or UNSENDABLE.search(url) or " " in url:
            raise AgentUnreachable(Unreachable.INVALID, "the URL has no host, or a space in it")
        sent = {"User-Agent": f"Trunkline/{__version__}", "Host": parts.netloc.rpartition("@")[2]}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            sent["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        sent = _merged(sent, headers)
        if subprotocols:
            sent["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
        return cls(url, parts.hostname, port, sent, tuple(subprotocols))

    @property
    def bare(self) -> bool:
        """Whether a connection is all that is wanted, without an upgrade."""
        return self.url.startswith(("tcp:", "tls:"))

    @property
    def where(self) -> str:
        """Who is meant, without what may be secret in the URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _merged(ours: dict[str, str], given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Our headers and the given ones, one of each name."""
    merged = {name.lower(): (name, value) for name, value in ours.items()}
    for name, value in given:
        lower = name.lower()
        if lower in UPGRADE_HEADERS or lower.startswith("sec-websocket-"):
            raise AgentUnreachable(Unreachable.INVALID, f"the header {name} is the upgrade's own")
        if not HEADER_NAME.fullmatch(name) or UNSENDABLE.search(value):
            raise AgentUnreachable(Unreachable.INVALID, f"the header {name!r} cannot be sent")
        merged[lower] = (name, value)
    return dict(merged.values())


@dataclass(frozen=True, slots=True)
class _User:
    """Who hears of a connection."""

    on_message: OnMessage
    on_closed: OnClosed
    on_flood: OnFlood


@dataclass(slots=True)
class _Answer:
    """What becomes of a 101: a connection, unless the runtime has agreed to what it was not asked."""

    subprotocols: tuple[str, ...]
    user: _User
    max_message: int
    throttle: Throttle

    def __call__(self, request: WSUpgradeRequest, response: WSUpgradeResponse) -> AgentConnection:
        chosen = response.headers.get("Sec-WebSocket-Protocol")
        if chosen is not None and chosen not in self.subprotocols:
            raise AgentUnreachable(Unreachable.BAD_UPGRADE, f"it chose subprotocol {chosen!r}, not offered")
        if "Sec-WebSocket-Extensions" in response.headers:
            raise AgentUnreachable(Unreachable.BAD_UPGRADE, "it agreed to an extension that was not offered")
        user = self.user
        return AgentConnection(
            user.on_message,
            user.on_closed,
            self.max_message,
            chosen,
            self.throttle,
            on_flood=user.on_flood,
        )


async def _take_leave(asked: "asyncio.Task[AgentConnection]") -> None:
    """Say goodbye to a runtime that agrees to the upgrade when its call is over already.

    It may have agreed, and begun its part of the call, while that was ending. One that does not within a
    second is hung up on.
    """
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            connection = await asked
    except (OSError, ValueError, picows.WSError, AgentUnreachable):
        return
    connection.close(1000, "the call is over")


def _discard(text: bool, payload: bytes) -> None:
    """Nobody listens any more."""


def _tell_nobody(code: int | None, why: str) -> None:
    """Nobody waits for its end."""


async def _connect(host: str, port: int, reach: Reach) -> socket.socket:
    """A connected socket to the first address of the host that may be reached and takes the connection."""
    addresses = await _resolve(host, port)
    allowed = [entry for entry in addresses if reach.allows(str(entry[4][0]))]
    if addresses and not allowed:
        raise AgentUnreachable(Unreachable.NOT_ALLOWED, f"{host} {NOT_PUBLIC}")
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in allowed:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT)
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    try:
        raise failure
    finally:
        del failure  # else it and this frame would hold each other, and the call with them


async def _resolve(host: str, port: int) -> Sequence[tuple[int, int, int, str, tuple[Any, ...]]]:
    try:
        # An address needs no resolver, and so no thread.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _hang_up(sock: socket.socket) -> None:
    # A cancelled ws_connect leaves its transport open: let it see the end of the stream, and close itself.
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed already


_EXPLANATIONS: tuple[tuple[type[Exception], Unreachable, str], ...] = (
    (socket.gaierror, Unreachable.DNS, "the name does not resolve"),
    (ssl.SSLError, Unreachable.TLS, "TLS failed"),
    (ConnectionRefusedError, Unreachable.REFUSED, "nothing listens there"),
    (TimeoutError, Unreachable.TIMEOUT, "no answer in time"),
    (ConnectionError, Unreachable.CLOSED, "it closed the connection before the upgrade was done"),
    (OSError, Unreachable.NETWORK, "the network does not lead there"),
    (picows.WSHandshakeError, Unreachable.BAD_UPGRADE, "it does not upgrade as WebSocket servers do"),
    (Exception, Unreachable.INVALID, "the URL cannot be used"),
)
"What the exceptions of sockets, TLS and picows mean; the first that fits."


def _explain(error: Exception, where: str) -> AgentUnreachable:
    if isinstance(error, picows.WSInvalidStatusError) and error.response is not None:
        return _refusal(error, error.response, where)
    why, phrase = next((why, phrase) for kind, why, phrase in _EXPLANATIONS if isinstance(error, kind))
    detail = " ".join(str(error).split())[:LONGEST_EXCERPT]
    if isinstance(error, picows.WSError):
        # It quotes what came, which need not be a runtime's.
        return AgentUnreachable(why, f"{where}: {phrase}", said=detail)
    return AgentUnreachable(why, f"{where}: {phrase} ({detail})" if detail else f"{where}: {phrase}")


def _refusal(error: picows.WSHandshakeError, response: WSUpgradeResponse, where: str) -> AgentUnreachable:
    excerpt = " ".join((error.raw_body or b"").decode(errors="replace").split())[:LONGEST_EXCERPT]
    status = f"{where}: it answered the upgrade with {response.status.value} {response.status.phrase}"
    return AgentUnreachable(Unreachable.STATUS, status, response.status.value, excerpt)
