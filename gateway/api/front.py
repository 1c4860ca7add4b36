"""What stands in front of all routes, from the outside in."""

import asyncio
import re
from collections.abc import Callable

from starlette.types import ASGIApp

from gateway.api.bounds import Bounds, Room
from gateway.api.connections import ConnectionBounds
from gateway.api.cors import Cors
from gateway.api.heads import Heads
from gateway.api.server import HttpServer
from gateway.batch.files.multipart import MAX_BODY_BYTES, MAX_FILE_BYTES
from gateway.config.settings import HttpSettings
from gateway.tell import Tell

FILES = re.compile(
    r"/v1/batch-calls(/validate)?|/v1/do-not-call/upload|/dashboard/(batches/new|telephony/do-not-call)"
)
ABOUT = f"a file may have at most {MAX_FILE_BYTES // 2**20} MB"
ROOMS = (Room(FILES, MAX_BODY_BYTES, ABOUT),)
"Where files come."


def front(app: ASGIApp, http: HttpSettings, tell: Tell) -> ASGIApp:
    """The app as strangers meet it."""
    bounded = Bounds(Heads(app), http.max_body_bytes, tell, http.body_seconds, ROOMS)
    if not http.cors_origins:
        return bounded
    return Cors(bounded, http.cors_origins, credentials=http.cors_credentials == "yes")


def http_server(app: ASGIApp, http: HttpSettings, doors: Callable[..., asyncio.Protocol]) -> HttpServer:
    """The server for an app; `doors` makes the protocol of a connection that asks to become a WebSocket."""
    bounds = ConnectionBounds(
        http.max_connections, http.max_connections_per_address, http.header_seconds, tuple(http.proxies)
    )
    return HttpServer(app, http.bind, http.port, doors, http.proxies, bounds)
