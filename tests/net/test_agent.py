"""Dialling a runtime: what it is asked, what it may answer, and why it cannot be reached."""

import asyncio
import ssl
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.net.agent import Unreachable
from tests.net.runtimes import (
    BINARY,
    CLOSE,
    TEXT,
    Ear,
    connect,
    dialer,
    echo,
    frame,
    goodbye,
    raw_runtime,
    refusal,
    runtime,
    upgrade,
)


async def test_upgrade_carries_headers_and_subprotocols() -> None:
    """The runtime sees the path and query, our headers once each, and what it may choose from."""
    seen: list[Request] = []
    chosen: list[str | None] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)
        chosen.append(connection.subprotocol)

    ear = Ear()
    async with runtime(talk, subprotocols=["trunkline.v1"]) as url:
        connection = await connect(
            url + "?call=1&x=%20",
            ear,
            headers=[("Authorization", "Bearer a"), ("X-Call", "7"), ("user-agent", "mine")],
            subprotocols=("trunkline.v2", "trunkline.v1"),
        )
        await ear.ended()
    (request,) = seen
    assert request.path == "/talk?call=1&x=%20"
    assert request.headers["Host"] == url.removeprefix("ws://").removesuffix("/talk")
    assert request.headers.get_all("Authorization") == ["Bearer a"]
    assert request.headers.get_all("User-Agent") == ["mine"]
    assert chosen == [connection.subprotocol] == ["trunkline.v1"]


async def test_login_in_the_url_becomes_basic_authentication() -> None:
    """A user and password in the URL go into Authorization and into no other header."""
    seen: list[Request] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    ear = Ear()
    async with runtime(talk) as url:
        await connect(url.replace("ws://", "ws://me:p%40ss@"), ear)
        await ear.ended()
    assert seen[0].headers["Authorization"] == "Basic " + b64encode(b"me:p@ss").decode()
    assert "@" not in seen[0].headers["Host"]


async def test_runtime_need_not_choose_a_subprotocol() -> None:
    """A server that knows none of them is as good."""
    async with runtime() as url:
        connection = await connect(url, Ear(), subprotocols=("trunkline.v1",))
        assert connection.subprotocol is None
        connection.close()


async def test_what_comes_with_the_upgrade_is_not_lost() -> None:
    """Messages in the same segment as the 101 are delivered before `connect` returns."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader) + frame(TEXT, b"{}") + frame(BINARY, b"\xff" * 320))
        await goodbye(reader)

    ear = Ear()
    async with raw_runtime(talk) as url:
        connection = await connect(url, ear)
        assert ear.messages == [(True, b"{}"), (False, b"\xff" * 320)]
        connection.close()
        await ear.ended()


async def test_any_split_is_put_together() -> None:
    """The upgrade and the frames may come a byte at a time."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in await upgrade(reader) + frame(TEXT, b"{}") + frame(BINARY, b"\xff" * 200):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await goodbye(reader)

    ear = Ear()
    async with raw_runtime(talk) as url:
        connection = await connect(url, ear)
        assert await ear.heard(2) == [(True, b"{}"), (False, b"\xff" * 200)]
        connection.close()
        await ear.ended()


async def test_runtime_that_closes_at_once_is_told_once() -> None:
    """A close that comes with the upgrade reaches `on_closed`, whenever `connect` returns."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader) + frame(TEXT, b"bye") + frame(CLOSE, b"\x03\xe8ok"))
        await goodbye(reader)

    ear = Ear()
    async with raw_runtime(talk) as url:
        connection = await connect(url, ear)
        assert await ear.ended() == (1000, "ok")
        connection.send(True, b"too late")
        connection.send_audio(True, b"too late")
        connection.close()
    assert ear.messages == [(True, b"bye")]
    assert len(ear.closed) == 1


@pytest.mark.parametrize(("address", "host"), [("::1", "[::1]"), ("127.0.0.1", "localhost")])
async def test_ipv6_and_names_are_dialled(address: str, host: str) -> None:
    """A literal IPv6 address in the URL, and a name that has to be resolved."""
    ear = Ear()
    async with serve(echo, address, 0) as server:
        connection = await connect(f"ws://{host}:{server.sockets[0].getsockname()[1]}/", ear)
        connection.send(True, b"x")
        await ear.heard(1)
        connection.close()
        await ear.ended()


async def closed_port() -> int:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_refused_and_unresolved_are_told_apart() -> None:
    """A closed port is `refused`, a name that nobody has is `dns`."""
    refused = await refusal(f"ws://127.0.0.1:{await closed_port()}/")
    assert (refused.why, refused.status) == (Unreachable.REFUSED, None)
    assert "nothing listens" in str(refused)
    assert (await refusal("ws://nowhere.invalid/")).why is Unreachable.DNS


@pytest.mark.parametrize(
    ("status", "body", "transient"), [(403, "no\ntoken", False), (404, "", False), (503, "warming up", True)]
)
async def test_http_status_is_told_and_its_body_apart(status: int, body: str, transient: bool) -> None:
    """Another status than 101 is named; the first words of what came with it are for the operator alone."""

    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(status, body)

    async with runtime(process_request=refuse) as url:
        error = await refusal(url)
    assert (error.why, error.status, error.transient) == (Unreachable.STATUS, status, transient)
    assert str(status) in str(error)
    assert error.said == " ".join(body.split())
    assert not body or body.split()[0] not in str(error)


async def test_redirect_is_not_followed() -> None:
    """Our secret goes where the version says, not where the runtime points."""

    def redirect(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(302, "")
        response.headers["Location"] = "ws://127.0.0.1:1/"
        return response

    async with runtime(process_request=redirect) as url:
        assert (await refusal(url)).status == 302


async def test_silence_is_a_timeout() -> None:
    """A runtime that accepts and says nothing is given up in time, and its connection closed."""
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()

    async with raw_runtime(talk) as url, asyncio.timeout(5):
        error = await refusal(url, dialer(connect_timeout=0.05, connect_attempts=3))
        await ended.wait()
    assert error.why is Unreachable.TIMEOUT


async def test_cancelled_connect_leaves_nothing_open() -> None:
    """A caller who hangs up while the runtime is dialled leaves no connection, and hears no late answer."""
    asked, ended, ear = asyncio.Event(), asyncio.Event(), Ear()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = await upgrade(reader)
        asked.set()
        await reader.read()
        writer.write(answer + frame(TEXT, b"late"))
        ended.set()

    async with raw_runtime(talk) as url, asyncio.timeout(5):
        task = asyncio.create_task(connect(url, ear))
        await asked.wait()
        task.cancel()
        await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not ear.messages
    assert not ear.closed


async def test_cancelled_connect_says_goodbye() -> None:
    """A runtime that agrees to the upgrade when its caller has hung up gets a Close, and is not dropped."""
    asked, cancelled, ear = asyncio.Event(), asyncio.Event(), Ear()
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = await upgrade(reader)
        asked.set()
        await cancelled.wait()
        writer.write(answer + frame(TEXT, b"late"))
        heard.set_result(await reader.readexactly(8))

    async with raw_runtime(talk) as url, asyncio.timeout(5):
        task = asyncio.create_task(connect(url, ear))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        said = await heard
    assert said[0] & 0x0F == CLOSE
    code = bytes(byte ^ mask for byte, mask in zip(said[6:8], said[2:4], strict=True))
    assert int.from_bytes(code) == 1000
    assert not ear.messages
    assert not ear.closed


async def answering(text: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(text)
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Unreachable.BAD_UPGRADE),
        (b"\xff" * 20_000 + b"\r\n\r\n", Unreachable.BAD_UPGRADE),
        (b"x" * 40_000, Unreachable.BAD_UPGRADE),
        (b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", Unreachable.BAD_UPGRADE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Unreachable.STATUS),
        (b"HTTP/1.1 999999 OK\r\n\r\n", Unreachable.BAD_UPGRADE),
        (b"", Unreachable.CLOSED),
        (b"HTTP/1.1 101", Unreachable.CLOSED),
    ],
)
async def test_bad_answers_to_the_upgrade(answer: bytes, why: Unreachable) -> None:
    """What is no proper 101 is told as such, and a connection that ends before it as closed."""
    async with raw_runtime(lambda reader, writer: answering(answer, reader, writer)) as url:
        assert (await refusal(url)).why is why


@pytest.mark.parametrize(
    "line", [b"Sec-WebSocket-Protocol: chat", b"Sec-WebSocket-Extensions: permessage-deflate"]
)
async def test_what_was_not_offered_cannot_be_chosen(line: bytes) -> None:
    """RFC 6455 section 4.1: an extension or subprotocol that we did not offer fails the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await upgrade(reader))[:-2] + line + b"\r\n\r\n")
        await reader.read()

    async with raw_runtime(talk) as url:
        error = await refusal(url, subprotocols=("trunkline.v1",))
    assert error.why is Unreachable.BAD_UPGRADE
    assert "offered" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://x/",
        "ws://",
        "ws:///path",
        "ws://x:99999/",
        "ws://a b/",
        "ws://x/\r\nEvil: 1",
        "",
        "ws://[::1/",
        "ws://" + "a" * 70 + "/",
    ],
)
async def test_urls_that_cannot_be_dialled(url: str) -> None:
    """No socket is opened for what is no WebSocket URL."""
    assert (await refusal(url)).why is Unreachable.INVALID


@pytest.mark.parametrize(
    "header",
    [("X-A", "1\r\nX-B: 2"), ("X A", "1"), ("", "1"), ("Upgrade", "h2c"), ("sec-websocket-key", "x")],
)
async def test_headers_that_cannot_be_sent(header: tuple[str, str]) -> None:
    """No header smuggles another in, or breaks the upgrade."""
    assert (await refusal("ws://127.0.0.1:1/", headers=[header])).why is Unreachable.INVALID


async def test_runtime_that_is_starting_is_tried_again() -> None:
    """503 twice, then a 101: connected, with nothing told in between."""
    answers = iter([503, 503, None])

    def starting(connection: ServerConnection, request: Request) -> Response | None:
        status = next(answers)
        return connection.respond(status, "") if status else None

    ear = Ear()
    async with runtime(process_request=starting) as url:
        by = dialer(connect_attempts=3)
        connection = await by.connect(url, on_message=ear.on_message, on_closed=ear.on_closed)
        connection.close()
        await ear.ended()
    assert next(answers, "all asked") == "all asked"


async def test_a_no_is_not_asked_again() -> None:
    """403 is final: one attempt."""
    asked = []

    def forbidden(connection: ServerConnection, request: Request) -> Response:
        asked.append(request)
        return connection.respond(403, "")

    async with runtime(process_request=forbidden) as url:
        await refusal(url, dialer(connect_attempts=3))
    assert len(asked) == 1


async def test_closing_the_dialer_says_goodbye_everywhere() -> None:
    """When the gateway stops, each runtime reads a Close frame with 1001 and why."""
    ears, closes = [Ear(), Ear()], list[tuple[int, bytes]]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        closes.append(await goodbye(reader))
        writer.write(frame(*closes[-1]))

    async with raw_runtime(talk) as url:
        by = dialer()
        for ear in ears:
            await by.connect(url, on_message=ear.on_message, on_closed=ear.on_closed)
        await by.close()
        assert [await ear.ended() for ear in ears] == [(1001, "the gateway stops")] * 2
    assert closes == [(8, b"\x03\xe9the gateway stops")] * 2


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


def make_certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_wss_trusts_the_configured_authority(certificate: Path) -> None:
    """With `ca` set, a runtime whose certificate it signed is connected to, and audio flows."""
    ear = Ear()
    async with runtime(ssl=serving(certificate)) as url:
        by = dialer(ca=certificate)
        connection = await by.connect(
            url.replace("127.0.0.1", "localhost"), on_message=ear.on_message, on_closed=ear.on_closed
        )
        connection.send(False, bytes(50_000))
        assert await ear.heard(1) == [(False, bytes(50_000))]
        connection.close()
        assert await ear.ended() == (1000, "")


async def test_tls_failures_are_told_as_such(certificate: Path) -> None:
    """An unknown authority, a certificate for another name, and a port that speaks no TLS."""
    async with runtime(ssl=serving(certificate)) as url:
        unknown = await refusal(url.replace("127.0.0.1", "localhost"))
        assert (unknown.why, "certificate" in str(unknown)) == (Unreachable.TLS, True)
        assert (await refusal(url, dialer(ca=certificate))).why is Unreachable.TLS
    async with runtime() as url:
        assert (await refusal(url.replace("ws:", "wss:"))).why in (Unreachable.TLS, Unreachable.CLOSED)
