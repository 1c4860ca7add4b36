"""SIP over TCP on real sockets: whole messages in, on either event loop, and bad peers cut off."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.net.streams import StreamLimits, StreamPeers
from gateway.net.tls import client_context, server_context
from gateway.sip.target import Target
from tests.net.test_tls import Authority

MESSAGE = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\nhi"


class Peers:
    """Listening peers, what they were sent, and where."""

    def __init__(self, known: bool = True) -> None:
        self.messages: list[tuple[bytes, Target]] = []
        self.arrived = asyncio.Event()
        self.streams = StreamPeers(self.on_message, ignore, ignore, lambda _: known, None, StreamLimits())

    def on_message(self, data: bytes, source: Target) -> None:
        """Keep it."""
        self.messages.append((data, source))
        self.arrived.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A peer's connection."""
        port = await self.streams.listen("tcp", "TCP", "127.0.0.1", 0, None)
        return await asyncio.open_connection("127.0.0.1", port)


def ignore(*_: object) -> None:
    """Neither faults nor failures matter here."""


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    """Peers that let everybody in."""
    made = Peers()
    yield made
    await made.streams.stop()


async def test_message_and_answer(peers: Peers) -> None:
    """A message arrives whole with the number of its connection, by which the answer goes back."""
    reader, writer = await peers.connect()
    for byte in MESSAGE:
        writer.write(bytes([byte]))
    await asyncio.wait_for(peers.arrived.wait(), 5)
    ((data, source),) = peers.messages
    assert data == MESSAGE
    peers.streams.send(b"SIP/2.0 200 OK\r\n\r\n", source, source)
    assert await asyncio.wait_for(reader.readexactly(18), 5) == b"SIP/2.0 200 OK\r\n\r\n"
    writer.close()


async def test_keep_alive_is_answered(peers: Peers) -> None:
    """A double CRLF comes back as a single one (RFC 5626 section 4.4.1)."""
    reader, writer = await peers.connect()
    writer.write(b"\r\n\r\n")
    assert await asyncio.wait_for(reader.readexactly(2), 5) == b"\r\n"
    writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a@b SIP/2.0\r\nSubject: no length\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_bad_framing_closes(peers: Peers, data: bytes) -> None:
    """Where the next message begins cannot be known: the connection is closed (RFC 3261 section 18.3)."""
    reader, writer = await peers.connect()
    writer.write(data)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    assert peers.messages == []
    assert peers.streams.refused == 1
    writer.close()


async def test_unknown_source_is_cut() -> None:
    """A connection from an address that nobody knows is closed before anything of it is read."""
    peers = Peers(known=False)
    reader, writer = await peers.connect()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    assert peers.streams.refused == 1
    writer.close()
    await peers.streams.stop()


async def test_tls_connection_serves_the_name_it_was_proven_for(tmp_path: Path) -> None:
    """What goes to another name at the same address is not sent where only the first name was checked."""
    authority = Authority(tmp_path)
    files = authority.issue("localhost")
    failures: list[tuple[Target, str]] = []
    server = Peers()
    port = await server.streams.listen(
        "tls", "TLS", "127.0.0.1", 0, server_context(files.certificate, files.key)
    )
    trusting = client_context(authority.certificate)
    client = StreamPeers(
        ignore,
        ignore,
        lambda target, why: failures.append((target, why)),
        lambda _: True,
        trusting,
        StreamLimits(),
    )
    where = Target("TLS", "127.0.0.1", port)
    named, other = Target("TLS", "localhost", port), Target("TLS", "other.example.com", port)
    client.send(MESSAGE, where, named)
    await asyncio.wait_for(server.arrived.wait(), 5)
    client.send(MESSAGE, where, other)
    async with asyncio.timeout(5):
        while not failures:  # noqa: ASYNC110 - a callback tells of it, and nothing else
            await asyncio.sleep(0.01)
    assert failures[0][0] == other
    server.arrived.clear()
    client.send(MESSAGE, where, named)
    await asyncio.wait_for(server.arrived.wait(), 5)
    assert len({source.connection for _, source in server.messages}) == 1
    assert len(server.messages) == 2
    await client.stop()
    await server.streams.stop()


async def greeted(peers: Peers, folder: Path) -> int:
    """A TLS listener's port."""
    files = Authority(folder).issue("127.0.0.1")
    tls = server_context(files.certificate, files.key)
    return await peers.streams.listen("tls", "TLS", "127.0.0.1", 0, tls)


async def test_a_stranger_gets_no_handshake(tmp_path: Path) -> None:
    """It is cut off before a byte of TLS is sent, and counted."""
    peers = Peers(known=False)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", await greeted(peers, tmp_path))
        writer.write(b"\x16\x03\x01")
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionError:
            pass  # cut off with our bytes unread
        assert peers.streams.refused == 1
        writer.close()
    finally:
        await peers.streams.stop()


async def test_a_handshake_has_a_deadline_and_a_place(tmp_path: Path) -> None:
    """Those that do not get on with it hold places for so long only, of their own address too."""
    peers = Peers()
    peers.streams.limits = StreamLimits(connections=10, connections_per_source=2, handshake_seconds=0.5)
    try:
        port = await greeted(peers, tmp_path)
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await asyncio.wait_for(waiting[2][0].read(), 0.4) == b"", "one too many of its address"
        for reader, _ in waiting[:2]:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        for _, writer in waiting:
            writer.close()
        assert peers.streams.refused == 3
        assert not peers.streams._by_source
    finally:
        await peers.streams.stop()


async def test_places_are_given_back(peers: Peers) -> None:
    """A connection that has gone counts no more."""
    peers.streams.limits = StreamLimits(connections=1)
    port = await peers.streams.listen("tcp", "TCP", "127.0.0.1", 0, None)
    for _ in range(5):
        peers.arrived.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(MESSAGE)
        await asyncio.wait_for(peers.arrived.wait(), 5)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
    assert peers.streams.refused == 0


async def test_a_flood_in_a_stream_leaves_the_loop_its_turns(peers: Peers) -> None:
    """A thousand messages at once are answered in pieces, in order, and none is lost."""
    port = await peers.streams.listen("tcp", "TCP", "127.0.0.1", 0, None)
    turns: list[int] = []
    numbers: list[bytes] = []

    def slow(data: bytes, _: Target) -> None:
        numbers.append(data[-4:])
        end = time.perf_counter() + 0.0005
        while time.perf_counter() < end:
            pass

    peers.streams.on_message = slow
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\n"
    writer.write(b"".join(head + b"%04d" % number for number in range(1000)))
    async with asyncio.timeout(20):
        while len(numbers) < 1000:
            turns.append(len(numbers))
            await asyncio.sleep(0)
    assert numbers == [b"%04d" % number for number in range(1000)]
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 10
    writer.close()
