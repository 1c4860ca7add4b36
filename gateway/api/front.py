"""What stands in front of all routes, from the outside in."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp

from gateway.api.bounds import Bounds
from gateway.api.connections import ConnectionBounds
from gateway.api.heads import Heads
from gateway.api.server import HttpServer
from gateway.settings import HttpSettings
from gateway.store.writer import Tell


def front(app: ASGIApp, http: HttpSettings, tell: Tell) -> ASGIApp:
    """The app as strangers meet it."""
    return Bounds(Heads(app), http.max_body_bytes, tell, http.body_seconds)


def http_server(app: ASGIApp, http: HttpSettings, doors: Callable[..., asyncio.Protocol]) -> HttpServer:
    """The server for an app; `doors` makes the protocol of a connection that asks to become a WebSocket."""
    bounds = ConnectionBounds(
        http.max_connections, http.max_connections_per_address, http.header_seconds, tuple(http.proxies)
    )
    return HttpServer(app, http.bind, http.port, doors, http.proxies, bounds)
