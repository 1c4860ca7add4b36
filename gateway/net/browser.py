"""Browsers that connect to us by WebSocket (RFC 6455), on the port of the HTTP server.

The HTTP server reads the request, as it does any other, and hands an upgrade over to picows: what a browser
then sends costs neither a task nor an await. Who may come in, and what a browser is talking to, is decided
by the `Door`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from picows import (
    WSAutoPingStrategy,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # compiled, and not in its stubs

from gateway.net.connection import Connection, OnClosed, OnMessage
from gateway.net.throttle import Throttle
from gateway.net.websocket import AgentConnection

SUBPROTOCOL = "trunkline.web.v1"
MAX_MESSAGE = 4096
"Bytes of the largest message: 100 ms of audio, or a short text."
HANDSHAKE_SECONDS = 5.0

_quiet = logging.getLogger("gateway.net.browser.picows")
_quiet.setLevel(logging.CRITICAL + 1)  # strangers must not fill the log; what matters is told by `on_closed`


@dataclass(frozen=True, slots=True)
class Knock:
    """What a browser asks for."""

    path: str
    token: str
    "What it offered as a subprotocol beside ours: there no proxy writes it into a log."
    origin: str | None
    "The site whose page asks; None: no browser."
    host: str
    "How it calls us."

    @property
    def same_origin(self) -> bool:
        """Whether the page came from where it connects to."""
        return self.origin is None or urlsplit(self.origin).netloc.lower() == self.host.lower()


@dataclass(frozen=True, slots=True)
class Entrance:
    """What becomes of a browser that is let in."""

    on_open: Callable[[Connection, str], None]
    "Told the connection and where it comes from, when it may be sent something."
    on_message: OnMessage
    on_closed: OnClosed


class Door(Protocol):
    """Decides about browsers that want in."""

    def __call__(self, knock: Knock) -> Entrance | HTTPStatus:
        """Where it goes in, or the status that refuses it."""
        ...


class BrowserConnection(AgentConnection):
    """The same as to an agent, from the server's side: the browser is the client."""

    peer: ClassVar[str] = "browser"

    def __init__(self, entrance: Entrance, throttle: Throttle) -> None:
        super().__init__(entrance.on_message, entrance.on_closed, MAX_MESSAGE, SUBPROTOCOL, throttle)
        self._on_open = entrance.on_open

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        host, port, *_ = transport.underlying_transport.get_extra_info("peername") or ("", 0)
        self._on_open(self, f"{host}:{port}")
        del self._on_open

    def _closed_by_peer(self, payload: bytes) -> None:
        super()._closed_by_peer(payload)
        # RFC 6455 section 7.1.1: once both have said goodbye, the server closes the TCP connection first.
        self._transport.disconnect()


class Upgrade(WSProtocol):  # type: ignore[misc]  # as above
    """The protocol of a connection whose HTTP request asked for a WebSocket."""

    def __init__(self, door: Door, throttle: Throttle) -> None:
        super().__init__(
            None,  # host and port, of clients
            None,  # path, of clients
            False,  # is the client's side
            lambda request: _admitted(door, throttle, request),
            _quiet,
            True,  # disconnect on an exception
            HANDSHAKE_SECONDS,
            False,  # no pings: a browser that sends no audio is missed by the call
            10,
            10,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # pongs are `AgentConnection`'s
            MAX_MESSAGE,
            None,
            MAX_MESSAGE,
        )

    def data_received(self, data: bytes) -> None:
        """Take what the HTTP server had read before it knew."""
        while data:
            room = self.get_buffer(len(data))
            count = min(len(room), len(data))
            room[:count] = data[:count]
            self.buffer_updated(count)
            data = data[count:]


def upgrades(door: Door, throttle: Throttle | None = None) -> Callable[..., Upgrade]:
    """What uvicorn asks for a protocol whenever a request wants a WebSocket."""
    shared = throttle or Throttle()

    def make(**_uvicorns: Any) -> Upgrade:
        return Upgrade(door, shared)

    return make


def _admitted(door: Door, throttle: Throttle, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
    """The answer to an upgrade."""
    offered = _offered(request.headers.getall("Sec-WebSocket-Protocol", ()))
    if SUBPROTOCOL not in offered:
        return _refused(HTTPStatus.BAD_REQUEST)
    token = next((one for one in offered if one != SUBPROTOCOL), "")
    path = request.path.partition(b"?")[0].decode("ascii", "replace")
    headers = request.headers
    knock = Knock(path, token, headers.get("Origin"), headers.get("Host", ""))
    entrance = door(knock)
    if isinstance(entrance, HTTPStatus):
        return _refused(entrance)
    response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": SUBPROTOCOL})
    return WSUpgradeResponseWithListener(response, BrowserConnection(entrance, throttle))


def _refused(status: HTTPStatus) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, f"{status.phrase}\n".encode())
    return WSUpgradeResponseWithListener(response, None)


def _offered(values: Sequence[str]) -> list[str]:
    return [one.strip() for value in values for one in value.split(",")]
