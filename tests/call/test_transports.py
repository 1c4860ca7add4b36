"""Calls over TCP, TLS and IPv6, and peers on TCP that misbehave."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.call.refusal import Refused
from gateway.sip.message import Response, parse_message
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Phone, babble, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World, listeners
from tests.net.test_tls import Authority


async def talks(world: World, agent: Runtime, phone: Phone, transport: str, host: str | None = None) -> None:
    """A whole call: both hear each other, and the gateway hangs up."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(transport, host), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    speech = babble(200)
    await phone.sound.speak(speech)
    await talk.until(lambda: speech in bytes(talk.audio))
    await talk.say(speech)
    await talk.close()
    await phone.until(lambda: phone.received("BYE"))
    assert phone.sound.voice() == speech
    await world.ended("completed", "agent_disconnected", "agent")


@pytest.mark.both_loops
async def test_tcp(world: World, agent: Runtime, phone: Phone) -> None:
    """A call over TCP; our BYE takes the connection that the INVITE came by."""
    await talks(world, agent, phone, "TCP")
    assert b"SIP/2.0/TCP" in next(data for _, sent, data in phone.trace if not sent and data[:3] == b"BYE")


@pytest.mark.both_loops
async def test_tls(build: Build, agent: Runtime, make_phone: MakePhone, tmp_path: Path) -> None:
    """A call over TLS, with certificates of an authority that both sides trust."""
    authority = Authority(tmp_path)
    files = authority.issue("127.0.0.1")
    world = await build(
        **listeners({"transport": "tls", "certificate": files.certificate, "private_key": files.key})
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    phone = await make_phone(tls=(server, client))
    await talks(world, agent, phone, "TLS")


async def test_ipv6(build: Build, agent: Runtime, make_phone: MakePhone) -> None:
    """A call on ::1, media and all."""
    world = await build(**listeners({"transport": "udp", "bind": "::1"}))
    phone = await make_phone("::1")
    await talks(world, agent, phone, "UDP", "::1")
    assert "c=IN IP6 ::1" in phone.received("200")[0].body.decode()


async def test_the_connection_breaks(world: World, agent: Runtime, phone: Phone) -> None:
    """A call outlives its TCP connection: the agent's goodbye is sent on a new one."""
    await world.line(dialect="native")
    leg = phone.invite(world.at("TCP"), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    await talk.until(lambda: talk.audio)
    for connection in list(phone.endpoint.sockets.streams._open.values()):
        connection.cut()
    await asyncio.sleep(0.1)
    assert world.gateway.switchboard.active == 1
    await talk.close()
    await phone.until(lambda: phone.received("BYE"))
    await world.ended("completed", "agent_disconnected", "agent")


def options(number: int, port: int, extra: str = "") -> bytes:
    """An OPTIONS over TCP."""
    return (
        f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n"
        f"Max-Forwards: 70\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


async def answers(reader: asyncio.StreamReader, count: int) -> list[str]:
    """The Call-IDs of so many answers with 200."""
    found = []
    for _ in range(count):
        data = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        message = parse_message(data)
        assert isinstance(message, Response)
        assert message.status == 200
        found.append(message.call_id)
    return found


async def test_pipelined(world: World) -> None:
    """Several requests in one segment are answered in turn."""
    target = world.at("TCP")
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(b"".join(options(number, 5060) for number in range(5)))
    assert await answers(reader, 5) == ["0", "1", "2", "3", "4"]
    writer.close()


async def test_byte_by_byte(world: World) -> None:
    """A request in pieces of one byte is a request."""
    target = world.at("TCP")
    reader, writer = await asyncio.open_connection(target.host, target.port)
    for byte in options(7, 5060):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await answers(reader, 1) == ["7"]
    writer.close()


async def test_two_lengths(world: World) -> None:
    """A request with two Content-Lengths is answered with 400, and its connection closed."""
    target = world.at("TCP")
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(options(8, 5060, "Content-Length: 4\r\n"))
    data = await asyncio.wait_for(reader.read(), 5)
    assert data.startswith(b"SIP/2.0 400 ")
    assert world.gateway.endpoint.sockets.streams.refused == 1
    writer.close()


async def test_a_slow_sender(build: Build) -> None:
    """Who begins a message and does not finish it is cut off; who is only silent is not."""
    world = await build(SIP__PARTIAL_MESSAGE_SECONDS=0.5)
    target = world.at("TCP")
    _, idle = await asyncio.open_connection(target.host, target.port)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(options(9, 5060)[:50])
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    await until(lambda: len(world.gateway.endpoint.sockets.streams._open) == 1)
    writer.close()
    idle.close()


async def test_an_unknown_source(world: World) -> None:
    """A connection from an address of no trunk is closed before anything is read, TLS or not."""
    target = world.at("TCP")
    reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=("127.0.0.2", 0))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    assert world.gateway.endpoint.sockets.streams.refused == 1
    writer.close()


async def test_an_idle_connection_with_a_call(build: Build, agent: Runtime, phone: Phone) -> None:
    """The connection of a running call is not idle, however long nobody says a word of SIP on it."""
    world = await build(SIP__IDLE_CONNECTION_SECONDS=0.5)
    await world.line()
    leg = phone.invite(world.at("TCP"), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    await agent.talk()
    await asyncio.sleep(1.7)
    assert len(world.gateway.endpoint.sockets.streams._open) == 1
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")
    await until(lambda: not world.gateway.endpoint.sockets.streams._open)


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_out(
    build: Build, agent: Runtime, make_phone: MakePhone, tmp_path: Path, trusted: bool
) -> None:
    """A call of ours over TLS reaches a carrier whose certificate is good, and no other."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "Somebody else")
    files = authority.issue("127.0.0.1")
    ours = {"transport": "tls", "certificate": files.certificate, "private_key": files.key}
    world = await build(**listeners(ours), OUTBOUND__CA=(authority if trusted else other).certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    phone = await make_phone(tls=(server, ssl.create_default_context(cafile=str(authority.certificate))))
    await world.way_out(phone.uri("TLS"))
    await world.change_trunk(transport="TLS")
    await world.place()
    if not trusted:
        row = await world.ended("failed", "sip_trunk_unreachable", "gateway")
        assert "certificate" in row.detail
        return
    leg = await phone.called()
    assert leg.invitation.uri.endswith(";transport=tls")
    leg.accept()
    await agent.talk()
    leg.bye()
    await world.ended("completed", "user_disconnected", "callee")


async def test_transport_that_we_do_not_speak(world: World, phone: Phone) -> None:
    """A trunk by TLS needs a listener for TLS: without one a request is refused, in words for customers."""
    await world.way_out(phone.uri())
    await world.change_trunk(transport="TLS")
    with pytest.raises(Refused, match=r"“.*” goes by TLS, which this gateway does not speak$"):
        await world.place()
    assert not world.told("call.created")
