"""An agent's runtime by the `websockets` library, which says and does what a test tells it."""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PATIENCE = 10.0
SUBPROTOCOL = "trunkline.v1"


class Talk:
    """One call as its runtime sees it, in either dialect."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.native = connection.subprotocol == SUBPROTOCOL
        self.messages: list[dict[str, Any]] = []
        "The control messages, in order."
        self.times: list[float] = []
        "When each of them came."
        self.lines: list[str] = []
        "Text as it came: not every dialect says everything in JSON."
        self.audio = bytearray()
        "The caller's audio."
        self.chunks: list[bytes] = []
        self.closed: tuple[int | None, str] | None = None
        self._stream_sid = ""
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Keep what comes until the connection is over."""
        try:
            async for message in self.connection:
                self._take(message)
                self._changed.set()
        except ConnectionClosed:
            pass  # how is kept below
        self.closed = (self.connection.close_code, self.connection.close_reason or "")
        self._changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something about this call holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def message(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The control message of this kind, or the `count`th of them."""
        await self.until(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The control messages of this kind so far."""
        return [one for one in self.messages if self._kind(one) == kind]

    @property
    def kinds(self) -> list[str]:
        """What kinds of control messages came, in order."""
        return [self._kind(one) for one in self.messages]

    async def gone(self) -> tuple[int | None, str]:
        """The code and reason with which the gateway, or we, closed."""
        await self.until(lambda: self.closed)
        assert self.closed is not None
        return self.closed

    async def say(self, audio: bytes) -> None:
        """Send audio, as one message."""
        if self.native:
            await self.connection.send(audio)
        else:
            await self.tell(event="media", media={"payload": b64encode(audio).decode()})

    async def mark(self, name: str) -> None:
        """Ask to be told when all before this has been heard."""
        await (
            self.tell(type="mark", name=name) if self.native else self.tell(event="mark", mark={"name": name})
        )

    async def clear(self) -> None:
        """Take back what has not been heard yet."""
        await (self.tell(type="clear") if self.native else self.tell(event="clear"))

    async def tell(self, **message: object) -> None:
        """Send one control message."""
        if not self.native:
            await self.message("start")
            message["streamSid"] = self._stream_sid
        await self.connection.send(json.dumps(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        await self.connection.close(code, reason)

    def die(self) -> None:
        """Be gone without a word."""
        transport: Any = self.connection.transport
        transport.abort()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.audio += message
            self.chunks.append(message)
            return
        self.lines.append(message)
        if not message.startswith("{"):
            return
        told = json.loads(message)
        if told.get("event") == "media":
            chunk = b64decode(told["media"]["payload"])
            self.audio += chunk
            self.chunks.append(chunk)
            return
        if told.get("event") == "start":
            self._stream_sid = told["streamSid"]
        self.messages.append(told)
        self.times.append(asyncio.get_running_loop().time())

    def _kind(self, message: dict[str, Any]) -> str:
        return str(message["type" if self.native else "event"])


Act = Callable[[Talk], Awaitable[None]]


class Runtime:
    """A server for runtimes; `url(path)` is what an agent version is given."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.requests: list[Request] = []
        self.on_connect: Act | None = None
        "Done as soon as a gateway has connected."
        self.hold = asyncio.Event()
        "While it is not set, the upgrade waits."
        self.hold.set()
        self.status: HTTPStatus | None = None
        "Refuse the upgrade with this."
        self.port = 0
        self._changed = asyncio.Event()

    def url(self, path: str = "/talk") -> str:
        """The address to dial."""
        return f"ws://127.0.0.1:{self.port}{path}"

    async def talk(self, index: int = 0) -> Talk:
        """The connection with this number, when it has come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.talks) <= index:
                self._changed.clear()
                await self._changed.wait()
        return self.talks[index]

    async def accept(self, connection: ServerConnection) -> None:
        """Keep a connection, and listen to it."""
        talk = Talk(connection)
        self.talks.append(talk)
        self._changed.set()
        if self.on_connect is not None:
            await self.on_connect(talk)
        await talk.listen()

    async def screen(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let the upgrade wait, or refuse it."""
        self.requests.append(request)
        await self.hold.wait()
        if self.status is not None:
            return connection.respond(self.status, "not today\n")
        return None


@asynccontextmanager
async def runtime() -> AsyncIterator[Runtime]:
    """A runtime on a loopback port."""
    made = Runtime()
    async with serve(
        made.accept,
        "127.0.0.1",
        0,
        process_request=made.screen,
        select_subprotocol=lambda _, offered: next(iter(offered), None),
        compression=None,
        close_timeout=1,
    ) as server:
        made.port = next(iter(server.sockets)).getsockname()[1]
        yield made
