"""An open connection to a runtime: messages, the end, and runtimes that do not keep up."""

import asyncio
import fcntl
import os
import socket
import struct
import termios
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from gateway.net.agent import AgentConnection
from gateway.net.connection import UNSENT_LIMIT
from gateway.net.rtp import disconnect
from tests.net.runtimes import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Ear,
    connect,
    dialer,
    frame,
    goodbye,
    pause_reading,
    raw_runtime,
    read_frame,
    runtime,
    sending,
    upgrade,
)


async def test_text_and_binary_go_both_ways() -> None:
    """Messages keep their kind, their bytes and their order; audio and control share the connection."""
    ear = Ear()
    async with runtime() as url:
        connection = await connect(url, ear)
        connection.send(True, b'{"a":1}')
        connection.send_audio(False, b"\xff" * 160)
        connection.send_audio(True, "μ".encode())
        connection.send(False, bytes(100_000))
        assert await ear.heard(4) == [
            (True, b'{"a":1}'),
            (False, b"\xff" * 160),
            (True, "μ".encode()),
            (False, bytes(100_000)),
        ]
        connection.close()
        assert await ear.ended() == (1000, "")


async def test_fragments_are_put_together() -> None:
    """A message in pieces arrives whole, with a ping between them answered and other messages unharmed."""
    pieces = (
        frame(TEXT, b"he", fin=False),
        frame(PING, b"p"),
        frame(0, b"", fin=False),
        frame(0, b"llo"),
        frame(BINARY, b"\x01", fin=False) + frame(0, b"\x02") + frame(TEXT, b"next"),
    )
    pongs: list[tuple[int, bytes]] = []

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pongs.append(await read_frame(reader))
        await goodbye(reader)

    ear = Ear()
    async with raw_runtime(sending(*pieces, then=answered)) as url:
        connection = await connect(url, ear)
        assert await ear.heard(3) == [(True, b"hello"), (False, b"\x01\x02"), (True, b"next")]
        connection.close()
        await ear.ended()
    assert pongs == [(PONG, b"p")]


@pytest.mark.parametrize(
    "bad",
    [
        frame(0, b"no message to continue"),
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
        frame(TEXT, b"a", first=0x40),
        frame(BINARY, b"a", first=0x10),
        frame(3, b"reserved opcode"),
        frame(PING, b"", fin=False),
        frame(PING, b"x" * 126),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, b"\x00\x01"),
        frame(CLOSE, b"\x03\xe8\xff"),
        b"\x82\x85\x00\x00\x00\x00masked"[:11],
        b"\x82\x7f" + b"\xff" * 8,
        b"\x82\x7f" + struct.pack("!Q", 1 << 40),
        frame(BINARY, bytes(5000))[:100],
        frame(BINARY, bytes(3000), fin=False) + frame(0, bytes(3000)),
    ],
    ids=lambda bad: bad[:4].hex(),
)
async def test_violations_end_the_connection(bad: bytes) -> None:
    """Each breach of RFC 6455, and a message above the limit, ends it once and with a reason."""
    ear = Ear()
    async with raw_runtime(sending(frame(TEXT, b"good"), bad)) as url:
        by = dialer(max_message_bytes=4096)
        await by.connect(url, on_message=ear.on_message, on_closed=ear.on_closed)
        code, why = await ear.ended()
        assert code is None or bad[:1] == b"\x88"
        assert why
    assert ear.messages == [(True, b"good")]
    assert len(ear.closed) == 1


async def test_our_own_error_is_told_to_the_loop() -> None:
    """An exception in `on_message` is not swallowed: the loop hears of it, and the connection ends."""
    told: list[dict[str, Any]] = []
    ear = Ear()

    def stumble(text: bool, payload: bytes) -> None:
        raise LookupError("ours")

    async with runtime() as url:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        connection = await dialer().connect(url, on_message=stumble, on_closed=ear.on_closed)
        connection.send(True, b"x")
        assert await ear.ended() == (None, "internal error")
    assert [type(context["exception"]) for context in told] == [LookupError]


async def test_goodbye_comes_after_all_that_was_sent() -> None:
    """The runtime reads the last message, then the code and the reason."""
    said: list[Any] = []

    async def talk(connection: ServerConnection) -> None:
        said.extend([message async for message in connection])
        said.append((connection.close_code, connection.close_reason))

    ear = Ear()
    async with runtime(talk) as url:
        connection = await connect(url, ear)
        connection.send_audio(False, b"\xff")
        connection.send(True, b"stop")
        connection.close(1000, "the caller hung up " + "é" * 200)
        connection.send(True, b"after the end")
        connection.close(1001)
        code, why = await ear.ended()
    assert said[:2] == [b"\xff", "stop"]
    assert said[2][0] == code == 1000
    assert said[2][1].startswith("the caller hung up é")
    assert why.startswith("the caller hung up")
    assert len(ear.closed) == 1


async def test_nothing_is_heard_after_close() -> None:
    """What the runtime sends while we say goodbye is not delivered."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        opcode, payload = await read_frame(reader)
        writer.write(frame(TEXT, b"one more thing") + frame(opcode, payload))

    ear = Ear()
    async with raw_runtime(talk) as url:
        connection = await connect(url, ear)
        connection.close(1000, "done")
        assert await ear.ended() == (1000, "done")
    assert ear.messages == []


@pytest.mark.parametrize(
    ("payload", "told", "echoed"),
    [
        (b"\x03\xe8done", (1000, "done"), 1000),
        (b"", (1005, ""), 1000),
        (b"\x0f\xa3", (4003, ""), 4003),
        (b"\x03\xf3oops", (1011, "oops"), 1011),
    ],
)
async def test_runtime_closes(payload: bytes, told: tuple[int, str], echoed: int) -> None:
    """Its code and reason are told, and its Close is answered; the TCP connection is left to it."""
    answers: list[tuple[int, bytes]] = []

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(await read_frame(reader))

    ear = Ear()
    async with raw_runtime(sending(frame(CLOSE, payload), then=answered)) as url:
        await connect(url, ear)
        assert await ear.ended() == told
    assert answers == [(CLOSE, struct.pack("!H", echoed))]
    assert len(ear.closed) == 1


async def test_lost_connection_is_told_without_a_code() -> None:
    """A TCP connection that ends with no Close frame."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        await writer.drain()
        writer.transport.abort()

    ear = Ear()
    async with raw_runtime(talk) as url:
        await connect(url, ear)
        assert await ear.ended() == (None, "without a closing handshake")


async def test_last_words_before_a_reset_are_heard() -> None:
    """What a runtime sent before it crashed is delivered, though our own sending finds the crash first."""
    speech = [bytes([n]) * 160 for n in range(200)]
    peer: list[socket.socket] = []
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        await writer.drain()
        peer.append(writer.get_extra_info("socket"))
        await done.wait()

    ear = Ear()
    async with raw_runtime(talk) as url:
        connection = await connect(url, ear)
        # Nothing is awaited from here: the loop, and with it the gateway's reading, stands still.
        data = b"".join(frame(BINARY, words) for words in speech)
        assert os.write(peer[0].fileno(), data) == len(data)
        on_the_way = array("i", [1])
        while on_the_way[0]:
            fcntl.ioctl(peer[0].fileno(), termios.TIOCOUTQ, on_the_way)
        disconnect(peer[0])  # of a TCP connection: a reset
        for _ in range(3):
            connection.send_audio(False, bytes(160))
        done.set()
        assert await ear.ended() == (None, "without a closing handshake")
    assert [payload for _, payload in ear.messages] == speech


async def test_runtime_that_never_closes_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The closing handshake has its time; then the connection is dropped."""
    monkeypatch.setattr("gateway.net.websocket.CLOSE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()

    ear = Ear()
    async with raw_runtime(sending(then=deaf)) as url, asyncio.timeout(5):
        connection = await connect(url, ear)
        connection.close(1000, "done")
        assert await ear.ended() == (None, "done")
        await ended.wait()


@asynccontextmanager
async def deaf_runtime(finish: asyncio.Event, heard: list[tuple[int, bytes]]) -> AsyncIterator[str]:
    """A runtime that reads nothing until `finish`, then everything."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        resume = pause_reading(writer)
        await finish.wait()
        resume()
        while not heard or heard[-1][0] != CLOSE:
            heard.append(await read_frame(reader))

    async with raw_runtime(talk) as url:
        yield url
        finish.set()


def unsent(connection: AgentConnection) -> int:
    return connection._transport.underlying_transport.get_write_buffer_size()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what the peer has read sets no event
            await asyncio.sleep(0)


async def flood(connection: AgentConnection, send: Callable[[bool, bytes], None], frames: int) -> None:
    for number in range(frames):
        send(False, bytes(640))
        if number % 50 == 0:
            await asyncio.sleep(0)


async def test_audio_to_a_deaf_runtime_is_dropped_and_control_kept() -> None:
    """Memory stays bounded, the dropped frames are counted, and control arrives when it reads again."""
    finish, heard, ear = asyncio.Event(), list[tuple[int, bytes]](), Ear()
    async with deaf_runtime(finish, heard) as url:
        connection = await connect(url, ear)
        await flood(connection, connection.send_audio, 30_000)
        assert connection.audio_dropped > 10_000
        assert unsent(connection) < 20_000
        connection.send(True, b"kept")
        finish.set()
        await eventually(lambda: (TEXT, b"kept") in heard[-1:])
        assert len(heard) + connection.audio_dropped == 30_001
        dropped = connection.audio_dropped
        connection.send_audio(False, b"again")
        connection.close()
        await ear.ended()
    assert heard[-2] == (BINARY, b"again")
    assert connection.audio_dropped == dropped


async def test_deaf_runtime_cannot_make_us_keep_control_for_ever() -> None:
    """Past the limit the connection is dropped with that reason."""
    ear = Ear()
    async with deaf_runtime(asyncio.Event(), []) as url:
        connection = await connect(url, ear)
        await flood(connection, connection.send, 30_000)
        assert unsent(connection) < UNSENT_LIMIT + 1000
        assert await ear.ended() == (None, "the runtime has stopped reading")
    assert len(ear.closed) == 1


async def test_pings_without_reading_do_not_fill_our_memory() -> None:
    """A runtime that sends pings and reads no pongs costs no more than one that reads no audio."""

    async def pinging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resume = pause_reading(writer)
        for _ in range(400):
            writer.write(frame(PING, bytes(125)) * 100)
            await writer.drain()
        writer.write(frame(TEXT, b"done"))
        await writer.drain()
        resume()
        await goodbye(reader)

    ear = Ear()
    async with raw_runtime(sending(then=pinging)) as url:
        connection = await connect(url, ear)
        await ear.heard(1)
        assert unsent(connection) < 20_000
        connection.close()
        await ear.ended()


async def test_silent_runtime_is_pinged_and_kept() -> None:
    """A runtime that only answers pings is alive."""
    pings = 0

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == CLOSE:
                return
            assert opcode == PING
            pings += 1
            writer.write(frame(PONG, payload))
            if pings == 3:
                writer.write(frame(TEXT, b"enough"))

    ear = Ear()
    async with raw_runtime(sending(then=listening)) as url:
        by = dialer(ping_seconds=0.02)
        connection = await by.connect(url, on_message=ear.on_message, on_closed=ear.on_closed)
        await ear.heard(1)
        assert not ear.closed
        connection.close()
        await ear.ended()


async def test_dead_runtime_is_noticed() -> None:
    """A runtime that answers no ping is dropped with that reason, and watched no more."""
    ear = Ear()
    async with raw_runtime(sending()) as url:
        by = dialer(ping_seconds=0.02)
        await by.connect(url, on_message=ear.on_message, on_closed=ear.on_closed)
        assert await ear.ended() == (None, "no answer to a ping")
        await eventually(lambda: by._check is None)
    assert len(ear.closed) == 1
