"""The HTTP port against strangers: what is no HTTP, and what has no end."""

import asyncio
import contextlib

import pytest

from tests.api.conftest import Api


async def sent(api: Api, *pieces: bytes) -> bytes:
    """What comes back on a bare connection that sends these pieces until it is cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.world.gateway.http.port)
    try:
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                return await reader.read()
        return b""
    finally:
        writer.close()


NO_HTTP: list[bytes] = [b"\x00\xff\r\n\r\n", b"INVITE sip:a@b SIP/2.0\r\n\r\n", b"GET\r\n\r\n"]


async def test_what_is_no_http_is_400(
    api: Api, capfd: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    """A stranger's noise is refused and cut off, without a word in the log."""
    for line in NO_HTTP:
        with subtests.test(str(line)[:80]):
            assert b"400 Bad Request" in await sent(api, line)
            assert capfd.readouterr().err == ""


async def test_headers_without_end_are_cut_off(api: Api) -> None:
    """A request whose headers never end is stopped long before they fill the memory."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.world.gateway.http.port)
    writer.write(b"GET /v1/calls HTTP/1.1\r\nHost: a\r\n")
    taken = 0
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and taken < 64_000_000:
                writer.write(b"X-More: " + b"x" * 8000 + b"\r\n")
                await writer.drain()
                taken += 8010
                await asyncio.sleep(0)
    writer.close()
    assert taken < 16_000_000, "the kernel's buffers, and not ours"
