"""Runtimes to dial: by the `websockets` library, and by hand for all that it would never send."""

import asyncio
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from gateway.config.settings import AgentsSettings
from gateway.net.agent import AgentConnection, AgentDialer, AgentUnreachable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Ear:
    """What a connection has told, to be waited for."""

    messages: list[tuple[bool, bytes]] = field(default_factory=list)
    closed: list[tuple[int | None, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_message(self, text: bool, payload: bytes) -> None:
        self.messages.append((text, payload))
        self.changed.set()

    def on_closed(self, code: int | None, why: str) -> None:
        self.closed.append((code, why))
        self.changed.set()

    async def heard(self, count: int) -> list[tuple[bool, bytes]]:
        await self._until(lambda: len(self.messages) >= count)
        return self.messages

    async def ended(self) -> tuple[int | None, str]:
        await self._until(lambda: bool(self.closed))
        return self.closed[0]

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


def dialer(**settings: Any) -> AgentDialer:
    return AgentDialer(AgentsSettings(**{"connect_attempts": 1, "connect_pause": 0.01, **settings}))


async def connect(url: str, ear: Ear, **extra: Any) -> AgentConnection:
    connection = await dialer().connect(url, on_message=ear.on_message, on_closed=ear.on_closed, **extra)
    assert isinstance(connection, AgentConnection)
    return connection


async def refusal(url: str, by: AgentDialer | None = None, **extra: Any) -> AgentUnreachable:
    ear = Ear()
    with pytest.raises(AgentUnreachable) as caught:
        await (by or dialer()).connect(url, on_message=ear.on_message, on_closed=ear.on_closed, **extra)
    assert not ear.messages
    assert not ear.closed
    return caught.value


def url_of(server: Server | asyncio.Server, scheme: str = "ws") -> str:
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"{scheme}://[{host}]:{port}/talk" if ":" in host else f"{scheme}://{host}:{port}/talk"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def runtime(
    talk: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[str]:
    """A runtime by the `websockets` library."""
    async with serve(talk, "127.0.0.1", 0, compression=None, **options) as server:
        yield url_of(server, "wss" if "ssl" in options else "ws")


@asynccontextmanager
async def raw_runtime(talk: Serve) -> AsyncIterator[str]:
    """A runtime that sends whatever bytes `talk` writes, and is waited for at the end."""
    talks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway has closed, which is its right
        finally:
            writer.close()

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as server:
        yield url_of(server)
        if talks:
            _, unfinished = await asyncio.wait(talks, timeout=10)
            assert not unfinished


async def upgrade(reader: asyncio.StreamReader) -> bytes:
    """Read an upgrade request and form the 101 to it."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(opcode: int, payload: bytes = b"", fin: bool = True, first: int = 0) -> bytes:
    """A frame as a server sends it: not masked."""
    head = bytes([first | opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65_536:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One frame of the client's, unmasked."""
    first, second = await reader.readexactly(2)
    assert second & 0x80, "RFC 6455 section 5.1: a client masks its frames"
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(length)
    return first & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(masked))


async def goodbye(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read until the client's Close frame, and return it."""
    while (received := await read_frame(reader))[0] != CLOSE:
        pass
    return received


def pause_reading(writer: asyncio.StreamWriter) -> Callable[[], None]:
    """Read nothing from now on; returns what makes it read again."""
    transport: Any = writer.transport  # uvloop's is not derived from asyncio's
    transport.pause_reading()
    resume: Callable[[], None] = transport.resume_reading
    return resume


def sending(*pieces: bytes, then: Serve | None = None) -> Serve:
    """A runtime that upgrades, writes the pieces, and reads until the client says goodbye."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await (then(reader, writer) if then else goodbye(reader))

    return talk
