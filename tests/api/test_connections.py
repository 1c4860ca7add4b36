"""HTTP connections are bounded: in number, for each address, and in the time that they may take."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.api.bounds import Bounds, Room
from gateway.api.connections import ConnectionBounds, Connections
from gateway.api.server import HttpServer

_writers: list[asyncio.StreamWriter] = []
"What a test has opened, to be closed at its end."
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def body_of(request: Request) -> PlainTextResponse:
    """How long the body is, once it is there."""
    return PlainTextResponse(str(len(await request.body())))


ROOM = Room(re.compile("/room"), 5000, "a file may be small", least_bytes_per_second=2000)


@asynccontextmanager
async def serving(bounds: ConnectionBounds, body_seconds: float = 30.0) -> AsyncIterator[HttpServer]:
    """A server with these bounds, and one path where bodies may be larger."""
    app = Starlette(routes=[Route("/{path:path}", body_of, methods=["GET", "POST", "PUT"])])
    bounded = Bounds(app, 1000, lambda *_, **__: None, body_seconds, [ROOM])
    server = HttpServer(bounded, "127.0.0.1", 0, bounds=bounds)
    await server.start()
    try:
        yield server
    finally:
        for writer in _writers:
            writer.close()
        _writers.clear()
        await server.stop()


async def opened(server: HttpServer, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that says something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    _writers.append(writer)
    writer.write(said)
    return reader, writer


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end."""
    async with asyncio.timeout(10):
        return await reader.read()


async def test_one_connection_too_many_gets_503() -> None:
    """And when one of the others has gone there is room again."""
    async with serving(ConnectionBounds(most=2)) as server:
        _, first = await opened(server)
        await opened(server)
        await asyncio.sleep(0.05)
        reader, _ = await opened(server, GET)
        answer = await all_of(reader)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in answer
        assert server.connections.refused == 1
        first.close()
        await asyncio.sleep(0.05)
        reader, writer = await opened(server, GET)
        assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
        writer.close()


async def test_who_does_not_say_what_it_wants_is_cut_off() -> None:
    """Silence, half of the headers, and half of the next request behind an answered one."""
    async with serving(ConnectionBounds(header_seconds=0.3)) as server:
        silent, _ = await opened(server)
        halting, _ = await opened(server, GET[:20])
        second, writer = await opened(server, GET)
        await second.readuntil(b"\r\n\r\n0")
        writer.write(GET[:20])
        for reader in (silent, halting, second):
            assert await all_of(reader) == b""
        assert server.connections.overdue_closed == 3


async def test_a_body_that_does_not_come_gets_408() -> None:
    """However much of it trickles in."""
    async with serving(ConnectionBounds(), body_seconds=0.3) as server:
        reader, writer = await opened(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n")
        trickling = asyncio.create_task(trickle(writer))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        trickling.cancel()
        assert head.startswith(b"HTTP/1.1 408 ")


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then."""
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def test_a_request_that_is_served_for_long_is_left_alone() -> None:
    """The deadline is for who asks, not for our answer; and a body in time is whole."""
    async with serving(ConnectionBounds(header_seconds=0.2)) as server:
        reader, writer = await opened(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            writer.write(b"x")
            await asyncio.sleep(0.08)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n20"), 5)
        assert b"200 OK" in answer
        writer.close()


SIZES = [("POST /room", 5000, b"200"), ("POST /room", 5001, b"413"), ("POST /", 1000, b"200")] + [
    (elsewhere, 1001, b"413") for elsewhere in ("POST /", "POST /room/", "POST /rooms", "PUT /room")
]


@pytest.mark.parametrize("chunked", [False, True])
async def test_where_files_come_there_is_more_room(chunked: bool, subtests: pytest.Subtests) -> None:
    """Up to a bound of its own, for this method and path and no other, announced or not."""
    async with serving(ConnectionBounds()) as server:
        for line, size, status in SIZES:
            with subtests.test(f"{line} {size}"):
                reader, writer = await opened(server, f"{line} HTTP/1.1\r\nHost: a\r\n".encode())
                if chunked:
                    writer.write(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
                    writer.write(bytes(size) + b"\r\n0\r\n\r\n")
                else:
                    writer.write(b"Content-Length: %d\r\n\r\n" % size + bytes(size))
                head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
                assert head.split()[1] == status


async def test_a_file_on_a_slow_line_has_its_time() -> None:
    """What comes at a pace may take longer than a body elsewhere; what only trickles may not."""
    async with serving(ConnectionBounds(), body_seconds=0.3) as server:
        head = b"POST /room HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n"
        reader, writer = await opened(server, head)
        for _ in range(10):
            writer.write(bytes(400))
            await asyncio.sleep(0.06)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        reader, writer = await opened(server, head)
        trickling = asyncio.create_task(trickle(writer))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        trickling.cancel()
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_address_has_a_bound_and_loopback_has_none() -> None:
    """Behind a proxy all have its address."""
    connections = Connections(ConnectionBounds(most=12, per_address=2, proxies=("198.51.100.0/24",)))
    assert [connections.enter(f"proxied {number}", "198.51.100.7", 0.0) for number in range(3)] == [True] * 3
    assert [connections.enter(number, "192.0.2.1", 0.0) for number in range(3)] == [True, True, False]
    assert connections.enter("other", "192.0.2.2", 0.0)
    connections.leave(0, "192.0.2.1")
    connections.leave(0, "192.0.2.1")
    assert connections.enter("again", "192.0.2.1", 0.0)
    assert [connections.enter(f"local {number}", "::1", 0.0) for number in range(8)].count(True) == 6
