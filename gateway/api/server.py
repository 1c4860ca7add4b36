"""The HTTP server inside the gateway's own loop."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gateway.api.connections import SWEEP_SECONDS, ConnectionBounds, Connections, protocol_for

STOP_SECONDS = 2.0
"How long open requests, event streams among them, may take to end when the server stops."

TICK_SECONDS = 0.1
"uvicorn's: it counts ten to the second."


class _Server(uvicorn.Server):
    """uvicorn, leaving the signals to the gateway, and leaving as soon as it is told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._leaving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Keep the time of the answers' `Date`, as uvicorn does, until told to leave."""
        for tick in itertools.count():
            if await self.on_tick(tick):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the connections end what they are at; where there is none, nothing is waited for."""
        if self.server_state.connections:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()


class HttpServer:
    """Serves an app on one address: `start`, then `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        upgrades: Callable[..., asyncio.Protocol] | None = None,
        proxies: Sequence[str] = (),
        bounds: ConnectionBounds | None = None,
    ) -> None:
        """`upgrades` makes the protocol of a connection that asks to become a WebSocket; None: no answer.

        `proxies` are the addresses and networks that are believed about whom they ask for.
        """
        sockets: Any = upgrades or "none"
        self.connections = Connections(bounds or ConnectionBounds())
        self._sweeper: asyncio.TimerHandle | None = None
        self._host = host
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                # It would tell of every line that is no HTTP; what goes wrong behind it, `Bounds` tells.
                log_level="critical",
                access_log=False,
                ws=sockets,
                # The other parser sets no bound to what stands before the body.
                http=protocol_for(self.connections),
                timeout_graceful_shutdown=int(STOP_SECONDS),
                h11_max_incomplete_event_size=65_536,
                server_header=False,
                # Without any named, uvicorn would believe everybody on this machine.
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.port = port
        "The port, also when the system chose it."

    async def start(self) -> None:
        """Bind and serve; raises OSError naming the address when it cannot be bound."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            where = f"{self._host} port {self._port}"
            raise OSError(error.errno, f"HTTP server ({where}): {error.strerror}") from error
        self.port = listener.getsockname()[1]
        self._sweep()
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        # uvicorn sets a flag and no event.
        while not self._server.started and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Finish what is being served, within bounds."""
        if self._task is None:
            return
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._server.leave()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, STOP_SECONDS + 1)

    def _sweep(self) -> None:
        """Close those that keep us waiting for a request."""
        loop = asyncio.get_running_loop()
        for one in self.connections.overdue(loop.time()):
            one.transport.abort()
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)
