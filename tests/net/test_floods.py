"""Runtimes that send more than they may: nothing is lost, who goes on is cut off, and the loop lives."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.net.agent import AgentConnection
from gateway.net.bytestream import ByteStream
from gateway.net.connection import Connection
from gateway.net.throttle import REQUEST
from tests.cost import no_collector
from tests.net.runtimes import BINARY, CLOSE, PING, TEXT, Ear, dialer, frame, raw_runtime, upgrade
from tests.net.test_bytestream import listening

CONTINUATION = 0
FLOODS = {
    "empty messages": frame(BINARY, b""),
    "a byte each": frame(BINARY, b"\xff"),
    "text": frame(TEXT, b'{"type":"mark","name":"m"}'),
    "a megabyte each": frame(BINARY, bytes(1_000_000)),
    "pings": frame(PING, b"x" * 100),
    "fragments": frame(BINARY, b"\xff", fin=False) + frame(CONTINUATION, b"\xff"),
}
LONGEST_GAP = 0.08
"Seconds that the loop may stand still beside a flood, on a machine that runs other tests as well."


@asynccontextmanager
async def flooding(chunk: bytes) -> AsyncIterator[str]:
    """A runtime that sends this over and over, and reads what it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        await pour(reader, writer, chunk)

    async with raw_runtime(serve) as url:
        yield url


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Send without end; until the connection is gone."""

    async def swallow() -> None:
        while await reader.read(65_536):
            pass

    swallowing = asyncio.create_task(swallow())
    try:
        while True:
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        swallowing.cancel()
        await asyncio.gather(swallowing, return_exceptions=True)


async def longest_gap(until: Callable[[], bool]) -> float:
    """How long the loop stood still at most, our own work alone counted, until something holds."""
    longest = 0.0
    with no_collector():
        async with asyncio.timeout(30):
            while not until():
                before = time.thread_time()
                await asyncio.sleep(0.002)
                longest = max(longest, time.thread_time() - before)
    return longest


async def connected(url: str, ear: Ear, seconds: float, told: list[str]) -> Connection:
    by = dialer(flood_seconds=seconds)
    return await by.connect(
        url, on_message=ear.on_message, on_closed=ear.on_closed, on_flood=lambda: told.append("flood")
    )


@pytest.mark.parametrize("name", FLOODS)
async def test_who_floods_is_told_and_cut_off(name: str) -> None:
    """Whatever the frames are; meanwhile the loop has its turns."""
    ear, told = Ear(), list[str]()
    chunk = FLOODS[name] * max(1, 60_000 // len(FLOODS[name]))
    async with flooding(chunk) as url:
        connection = await connected(url, ear, 0.1, told)
        gap = await longest_gap(lambda: bool(ear.closed))
    assert told == ["flood"]
    assert connection.flooded
    assert ear.closed == [(None, "the runtime has flooded us with messages")]
    assert gap < LONGEST_GAP


async def test_nothing_of_a_long_prompt_is_lost() -> None:
    """A minute of speech and its marks at once come whole and in order, the goodbye behind them."""
    ear, told = Ear(), list[str]()
    said = [(False, number.to_bytes(160)) if number % 4 else (True, b"%d" % number) for number in range(3000)]
    wire = b"".join(frame(TEXT if text else BINARY, payload) for text, payload in said)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        writer.write(wire + frame(CLOSE, (1000).to_bytes(2) + b"done"))
        await reader.read()
        writer.close()

    async with raw_runtime(serve) as url:
        connection = await connected(url, ear, 1.0, told)
        assert isinstance(connection, AgentConnection)
        assert await ear.ended() == (1000, "done")
    assert ear.messages == said
    assert told == []


async def test_what_waits_is_delivered_when_the_connection_breaks() -> None:
    """A runtime that dies behind a burst has its last words."""
    ear = Ear()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        writer.write(frame(BINARY, b"\xff") * 500)
        await writer.drain()
        writer.close()

    async with raw_runtime(serve) as url:
        await connected(url, ear, 1.0, [])
        code, _ = await ear.ended()
    assert code is None
    assert len(ear.messages) == 500


async def test_one_that_has_to_wait_is_not_taken_for_dead() -> None:
    """Its pong lies behind what we do not read."""
    ear = Ear()
    async with flooding(FLOODS["a byte each"] * 20_000) as url:
        connection = await connected(url, ear, 60.0, [])
        for _ in range(6):
            await asyncio.sleep(0.05)
            assert connection.check_alive()
        connection.close()


async def test_requests_are_more_work_than_audio() -> None:
    """What the dialect reports as a request uses up the allowance sooner."""
    ear = Ear()
    async with flooding(frame(TEXT, b"x")) as url:
        connection = await connected(url, ear, 60.0, [])
        connection.charge(100 * REQUEST)
        await ear.heard(200)
        assert isinstance(connection, AgentConnection)
        assert connection.account is not None
        connection.close()


STREAMS: dict[str, Callable[[], bytes]] = {
    "AudioSocket of nothing": lambda: b"\x10\0\0" * 20_000,
    "long pieces": lambda: bytes(200_000),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_a_bare_stream_that_floods_is_told_and_cut_off(name: str) -> None:
    """As by WebSocket, in pieces that cost little each."""
    told: list[str] = []
    pieces: list[int] = []
    closed: list[str] = []
    chunk = STREAMS[name]()
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = lambda r, w: pour(  # noqa: E731
        r, w, chunk
    )
    async with listening(talk) as url:
        by = dialer(flood_seconds=0.05)

        def on_message(text: bool, payload: bytes) -> None:
            pieces.append(len(payload))

        stream = await by.connect(
            url,
            on_message=on_message,
            on_closed=lambda _, why: closed.append(why),
            on_flood=lambda: told.append("flood"),
        )
        gap = await longest_gap(lambda: bool(closed))
    assert isinstance(stream, ByteStream)
    assert told == ["flood"]
    assert closed == ["the runtime has flooded us with messages"]
    assert max(pieces) <= 4096
    assert gap < LONGEST_GAP


async def test_nothing_of_a_bare_stream_is_lost() -> None:
    """A long prompt comes whole, and its end behind it."""
    ear = Ear()
    said = b"".join(number.to_bytes(4) for number in range(200_000))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with listening(talk) as url:
        await connected(url, ear, 1.0, [])
        await ear.ended()
    assert b"".join(payload for _, payload in ear.messages) == said
