"""A tenant cannot lead us into the operator's network, nor find out what is there."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.call.phone import Phone, sdp, until
from tests.tenants.conftest import INSIDE, Tenants

SECRET = "the internal server's secret"


@asynccontextmanager
async def inside(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """An HTTP server; its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(4096))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, INSIDE, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def http(status: str, body: str) -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A UDP socket of the operator's network that nobody may send to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((INSIDE, 0))
        one.setblocking(False)
        yield one


def untouched(door: socket.socket, by: int | None = None) -> bool:
    """Whether nothing has come, or nothing from this port."""
    try:
        while True:
            _, (_, port) = door.recvfrom(2000)
            if by in (None, port):
                return False
    except BlockingIOError:
        return True


@pytest.mark.parametrize("field", ["runtime_url", "fallback_url"])
async def test_runtimes(tenants: Tenants, phone: Phone, field: str) -> None:
    """Neither a runtime nor its fallback is dialled there, and what is told names no address."""
    async with inside(http("403 Forbidden", SECRET)) as (port, asked):
        given = {"runtime_url": "ws://127.0.0.1:9/", field: f"ws://{INSIDE}:{port}/"}
        await tenants.ours.answered_by(**given)
        await phone.invite(tenants.world.at(), tenants.ours.called).refused()
        why = [str(event.fields["why"]) for event in tenants.world.told("agent.unreachable")]
        assert f"{INSIDE} leads to no public address" in why
        assert asked == []


async def test_redirects(tenants: Tenants, phone: Phone) -> None:
    """A public server that sends us on into the network is not obeyed."""
    async with inside(b"") as (port, asked):
        answer = f"HTTP/1.1 302 Found\r\nLocation: http://{INSIDE}:{port}/\r\nContent-Length: 0\r\n\r\n"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(answer.encode())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as outside:
            url = f"ws://127.0.0.1:{outside.sockets[0].getsockname()[1]}/"
            await tenants.ours.answered_by(runtime_url=url)
            await phone.invite(tenants.world.at(), tenants.ours.called).refused()
        assert asked == []


async def test_what_a_server_said(tenants: Tenants, phone: Phone) -> None:
    """The beginning of a refusal's body is in the log, and in nothing that a tenant can read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(http("403 Forbidden", SECRET))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await tenants.ours.answered_by(runtime_url=url)
        await phone.invite(tenants.world.at(), tenants.ours.called).refused()
    (told,) = tenants.world.told("agent.unreachable")
    assert told.fields["said"] == SECRET
    (call,) = await tenants.ours.history()
    for path in (f"/v1/calls/{call['id']}", f"/v1/calls/{call['id']}/events"):
        answer = await tenants.ours.client.get(path)
        assert answer.status_code == 200
        assert "403" in answer.text or "events" in path
        assert SECRET not in answer.text


async def test_a_sip_agent(tenants: Tenants, phone: Phone, door: socket.socket) -> None:
    """An agent that is a SIP endpoint is not called there either."""
    await tenants.ours.answered_by(runtime_url=f"sip:bot@{INSIDE}:{door.getsockname()[1]}", dialect="sip")
    await phone.invite(tenants.world.at(), tenants.ours.called).refused()
    assert untouched(door)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_connection_test(tenants: Tenants, door: socket.socket, transport: str) -> None:
    """The test of a trunk sends nothing there, and does not tell what the name resolves to."""
    where = f"{INSIDE}:{door.getsockname()[1]}"
    body = {"phoneNumber": "+12125550109", "terminationUri": where, "transport": transport, "authMode": "ip"}
    answer = await tenants.ours.client.post("/v1/organization-phone-numbers/sip-trunks/test", json=body)
    assert "leads to no public address" in answer.text, answer.text
    assert untouched(door)


async def test_a_contact_and_a_route(tenants: Tenants, phone: Phone, door: socket.socket) -> None:
    """Requests within a call go back to where the caller is, whatever its Contact and Record-Route say."""
    where = f"{INSIDE}:{door.getsockname()[1]}"
    leg = phone.invite(
        tenants.world.at(), tenants.ours.called, headers=[("Record-Route", f"<sip:{where};lr>")]
    )
    await leg.answered()
    await tenants.world.runtime.talk()
    await tenants.world.runtime.talks[0].close()
    await until(lambda: phone.received("BYE"))
    # The phone itself takes the route that it asked for.
    assert untouched(door, by=tenants.world.at().port)


async def test_a_session(tenants: Tenants, phone: Phone, door: socket.socket) -> None:
    """No audio is sent to an address of the SDP that is there, nor RTCP to the port that `a=rtcp` names."""
    port = door.getsockname()[1]
    leg = phone.invite(tenants.world.at(), tenants.ours.called, body=sdp(port, INSIDE))
    await leg.answered()
    talk = await tenants.world.runtime.talk()
    await talk.say(b"\x10" * 1600)
    await asyncio.sleep(0.3)
    leg.bye()
    assert untouched(door)


async def test_a_webhook(tenants: Tenants) -> None:
    """No webhook is asked there."""
    async with inside(http("200 OK", SECRET)) as (port, asked):
        body = {"url": f"https://{INSIDE}:{port}/", "events": ["call.completed"], "secret": "a secret"}
        answer = await tenants.ours.client.post("/v1/user-webhooks", json=body)
        assert "leads to no public address" in answer.text, answer.text
        assert asked == []
        assert SECRET not in answer.text
