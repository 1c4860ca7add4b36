"""Bare connections: dialling a `tcp://` or `tls://` runtime, bytes both ways, and its end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.net.agent import AgentDialer, Connection, Unreachable
from gateway.net.connection import UNSENT_AUDIO
from tests.net.runtimes import Ear, dialer, pause_reading, refusal
from tests.net.test_agent import make_certificate, serving

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk, **options: Any) -> AsyncIterator[str]:
    """A TCP server; its address as a URL. Its talks have to end by themselves."""
    talks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(accepted, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'tls' if 'ssl' in options else 'tcp'}://127.0.0.1:{port}"
        if talks:
            _, unfinished = await asyncio.wait(talks, timeout=10)
            assert not unfinished


async def dialled(url: str, ear: Ear, by: AgentDialer | None = None) -> Connection:
    return await (by or dialer()).connect(url, on_message=ear.on_message, on_closed=ear.on_closed)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


async def received(ear: Ear, size: int) -> bytes:
    """So many bytes, however they were cut."""
    async with asyncio.timeout(10):
        while sum(len(payload) for _, payload in ear.messages) < size:
            ear.changed.clear()
            await ear.changed.wait()
    assert not any(text for text, _ in ear.messages)
    return b"".join(payload for _, payload in ear.messages)


async def test_bytes_go_both_ways() -> None:
    """Audio and control share the stream in order; closing it ends it for both."""
    ear = Ear()
    async with listening(echo) as url:
        connection = await dialled(url, ear)
        connection.send(False, b"one")
        connection.send_audio(False, b"two")
        connection.send(False, bytes(100_000))
        assert await received(ear, 100_006) == b"onetwo" + bytes(100_000)
        connection.close(1000, "over")
        assert await ear.ended() == (None, "over")
        connection.send(False, b"too late")
        connection.send_audio(False, b"too late")
        connection.close()
    assert connection.audio_dropped == 0
    assert len(ear.closed) == 1


async def test_tls_trusts_the_configured_authority(tmp_path: Path) -> None:
    """`tls://` is the same in TLS; a certificate that nobody vouches for is refused."""
    certificate = make_certificate(tmp_path / "localhost.pem")
    ear = Ear()
    async with listening(echo, ssl=serving(certificate)) as url:
        url = url.replace("127.0.0.1", "localhost")
        connection = await dialled(url, ear, dialer(ca=certificate))
        connection.send_audio(False, b"secret")
        assert await received(ear, 6) == b"secret"
        connection.close()
        await ear.ended()
        assert (await refusal(url)).why is Unreachable.TLS


async def test_goodbye_leaves_before_the_end() -> None:
    """What was sent before `close` arrives."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    ear = Ear()
    async with listening(listen) as url:
        connection = await dialled(url, ear)
        connection.send(False, bytes(50_000))
        connection.send(False, b"\0\0\0")
        connection.close()
        await ear.ended()
    assert heard == [bytes(50_000) + b"\0\0\0"]


async def test_peer_that_closes_has_hung_up() -> None:
    """The end of the stream is a clean end."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    ear = Ear()
    async with listening(leave) as url:
        await dialled(url, ear)
        assert await ear.ended() == (1005, "")
    assert b"".join(payload for _, payload in ear.messages) == b"bye"


async def test_peer_that_dies_has_not() -> None:
    """A reset is no clean end."""

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    ear = Ear()
    async with listening(die) as url:
        await dialled(url, ear)
        code, _ = await ear.ended()
        assert code is None


async def test_last_words_of_a_peer_that_is_reset() -> None:
    """What it had said is heard, though our own sending was the first to find out that it is gone."""
    ear, said = Ear(), bytes(range(256)) * 300
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialling = asyncio.ensure_future(dialled(f"tcp://127.0.0.1:{server.getsockname()[1]}", ear))
        peer = await asyncio.to_thread(lambda: server.accept()[0])
        connection = await dialling
        with peer:
            peer.sendall(said)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        for _ in range(3):
            connection.send_audio(False, bytes(320))
        code, _ = await ear.ended()
        assert b"".join(payload for _, payload in ear.messages) == said
        assert code is None


async def test_runtime_that_does_not_read_loses_audio_then_the_call() -> None:
    """Audio is dropped and counted while a second of it waits; after two checks the peer is cut off."""
    go_on = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pause_reading(writer)
        await go_on.wait()

    ear = Ear()
    async with listening(deaf) as url:
        connection = await dialled(url, ear, dialer(ping_seconds=0.05))
        async with asyncio.timeout(10):
            while not connection.audio_dropped:
                connection.send_audio(False, bytes(UNSENT_AUDIO))
                await asyncio.sleep(0)
        code, why = await ear.ended()
        go_on.set()
    assert code is None
    assert "stopped reading" in why or "timed out" in why.lower()


async def test_our_own_mistake_ends_the_connection() -> None:
    """An exception of the listener's is told to the loop, and the stream is dropped."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

    def broken(text: bool, payload: bytes) -> None:
        raise ValueError("ours")

    ear = Ear()
    async with listening(echo) as url:
        connection = await dialer().connect(url, on_message=broken, on_closed=ear.on_closed)
        connection.send(False, b"x")
        assert await ear.ended() == (None, "internal error")
    assert "were not understood" in told[0]["message"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tcp://127.0.0.1", Unreachable.INVALID),
        ("tls://127.0.0.1/", Unreachable.INVALID),
        ("tcp://no-such-host.invalid:9", Unreachable.DNS),
    ],
)
async def test_what_cannot_be_dialled(url: str, why: Unreachable) -> None:
    """A bare connection has no port of its own to guess."""
    assert (await refusal(url)).why is why


async def test_nothing_listens() -> None:
    """Refused, as it is for a WebSocket."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    assert (await refusal(f"tcp://127.0.0.1:{port}")).why is Unreachable.REFUSED
