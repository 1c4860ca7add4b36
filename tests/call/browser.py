"""A browser by the `websockets` library, as a page of ours talks to the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from gateway.call.web_calls import Ticket

PROTOCOL = "trunkline.web.v1"
FRAME = 640
PATIENCE = 10.0


class Browser:
    """One socket of a page, and what came by it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.audio = bytearray()
        self.sizes: set[int] = set()
        self.closed = asyncio.Event()
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Keep what comes until the socket is closed."""
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.audio += message
                    self.sizes.add(len(message))
                else:
                    self.messages.append(json.loads(message))
                self._changed.set()
        except ConnectionClosed:
            pass  # how is asked of the socket
        self.closed.set()
        self._changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def message(self, kind: str) -> dict[str, Any]:
        """The first message of a kind."""
        await self.until(lambda: any(one["type"] == kind for one in self.messages))
        return next(one for one in self.messages if one["type"] == kind)

    async def tell(self, **message: object) -> None:
        """Send a word."""
        await self.socket.send(json.dumps(message))

    async def say(self, audio: bytes) -> None:
        """Send audio at once, as behind a stall."""
        for start in range(0, len(audio), FRAME):
            await self.socket.send(audio[start : start + FRAME])

    async def speak(self, audio: bytes, size: int = FRAME) -> None:
        """Send audio in real time, in pieces of some bytes."""
        for start in range(0, len(audio), size):
            await self.socket.send(audio[start : start + size])
            await asyncio.sleep(size / 32_000)

    async def gone(self) -> tuple[int | None, str | None]:
        """How the gateway closed."""
        async with asyncio.timeout(PATIENCE):
            await self.closed.wait()
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def browser(
    port: int, ticket: Ticket, *, origin: str | None = "same", token: str = "", path: str = ""
) -> AsyncIterator[Browser]:
    """A browser on a page of some origin; our own unless told otherwise."""
    own = f"http://127.0.0.1:{port}"
    socket = await connect(
        f"ws://127.0.0.1:{port}{path or ticket.path}",
        subprotocols=[Subprotocol(PROTOCOL), Subprotocol(token or ticket.token)],
        origin=None if origin is None else Origin(own if origin == "same" else origin),
        compression=None,
        open_timeout=PATIENCE,
        close_timeout=1,
    )
    made = Browser(socket)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        await socket.close()
        await asyncio.wait_for(listening, PATIENCE)
