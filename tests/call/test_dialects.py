"""Whole calls to agents of other platforms, where no framework is at hand: AudioSocket and chan_websocket."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.media.audio import L16_8K, ULAW_8K, converter
from gateway.routing.table import Secret
from gateway.sip.events import ByeReceived
from tests.call.phone import Phone, babble, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World

HANGUP, IDENTITY, DIGIT, AUDIO = 0x00, 0x01, 0x03, 0x10


def linear(audio: bytes) -> bytes:
    """The same in 16 bit."""
    convert = converter(ULAW_8K, L16_8K)
    assert convert is not None
    return convert(audio)


def framed(kind: int, content: bytes = b"") -> bytes:
    return bytes([kind]) + len(content).to_bytes(2) + content


class Sockets:
    """An AudioSocket server: what came, frame by frame, and one thing to say."""

    def __init__(self, *, says: bytes, then: bytes = b"") -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.over = asyncio.Event()
        self._says, self._then = says, then

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call."""
        try:
            while head := await reader.read(3):
                head += await reader.readexactly(3 - len(head))
                self.frames.append((head[0], await reader.readexactly(int.from_bytes(head[1:]))))
                if len(self.frames) == 1:
                    writer.write(framed(AUDIO, self._says) + self._then)
        finally:
            self.over.set()
            writer.close()


@asynccontextmanager
async def listening(sockets: Sockets) -> AsyncIterator[str]:
    async with await asyncio.start_server(sockets.serve, "127.0.0.1", 0) as server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.both_loops
async def test_audiosocket_carries_a_call(world: World, phone: Phone) -> None:
    """The UUID first, frames of 320 bytes, the agent's audio whole; the end is an empty frame."""
    sockets = Sockets(says=linear(babble(400)))
    async with listening(sockets) as url:
        await world.line(runtime_url=url, dialect="audiosocket")
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        phone.sound.murmur()
        await until(lambda: babble(400) in phone.sound.heard())
        leg.bye()
        await world.ended("completed", "user_disconnected", "caller")
        await asyncio.wait_for(sockets.over.wait(), 10)
    kinds = [kind for kind, _ in sockets.frames]
    assert uuid.UUID(bytes=sockets.frames[0][1]).version == 4
    assert (kinds[0], kinds[-1]) == (IDENTITY, HANGUP)
    assert {len(content) for kind, content in sockets.frames if kind == AUDIO} == {320}


@pytest.mark.both_loops
async def test_audiosocket_agent_hangs_up(world: World, phone: Phone) -> None:
    """Its empty frame ends the call once what it said was heard."""
    async with listening(Sockets(says=linear(babble(300)), then=framed(HANGUP))) as url:
        await world.line(runtime_url=url, dialect="audiosocket")
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        phone.sound.murmur()
        await leg.next(ByeReceived)
        row = await world.record()
    assert babble(300) in phone.sound.heard()
    assert row.end_reason == "agent_disconnected"


@pytest.mark.both_loops
async def test_asterisk_application_marks_pauses_and_flushes(
    world: World, agent: Runtime, phone: Phone
) -> None:
    """Marks come when their audio has left, a flush drops the rest and the pause, HANGUP ends the call."""

    await world.line(dialect="asterisk")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    wire, lines = talk.connection, talk.lines
    await talk.until(lambda: lines)
    await wire.send(babble(300))
    await wire.send("MARK_MEDIA greeting")
    await wire.send("GET_STATUS")
    await wire.send(babble(20_000, seed=2))
    await talk.until(lambda: any(line.startswith("MEDIA_MARK_PROCESSED") for line in lines))
    await wire.send("PAUSE_MEDIA")
    await wire.send("REPORT_QUEUE_DRAINED")
    await wire.send("FLUSH_MEDIA")
    await talk.until(lambda: "QUEUE_DRAINED" in lines)
    await wire.send(babble(200, seed=3))
    await wire.send("HANGUP")
    await leg.next(ByeReceived)
    row = await world.record()
    events = [line.split(" ")[0] for line in lines]
    assert events[:3] == ["MEDIA_START", "STATUS", "MEDIA_XOFF"]
    assert sorted(events[3:]) == ["MEDIA_MARK_PROCESSED", "MEDIA_XON", "QUEUE_DRAINED"]
    assert "MEDIA_MARK_PROCESSED greeting" in lines
    # Pieces of it: on a busy machine a packet comes late here and there.
    assert babble(80) in phone.sound.heard()
    assert babble(80, seed=3) in phone.sound.heard()
    assert row.end_reason == "agent_disconnected"


async def test_upgrade_is_filled_in_for_the_call(world: World, agent: Runtime, phone: Phone) -> None:
    """Placeholders in path, query and headers, the subprotocol, and a nonce a call; no log has the secret."""
    secret = "s3cr/t"
    await world.line(
        runtime_url=agent.url("/{secret}/calls?from={from}&tier={tier}"),
        dialect="plivo",
        secret=Secret(secret),
        headers=(("Origin", "https://app.example"), ("X-To", "{to}")),
        parameters=(("tier", "gold&silver"),),
        options=(("subprotocol", "mine.v1"),),
    )
    for _ in range(2):
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        leg.bye()
    await world.records()
    assert len(agent.requests) == 2
    for request in agent.requests:
        path, _, query = request.path.partition("?")
        assert path == "/s3cr%2Ft/calls"
        assert query.startswith("from=%2B")
        assert query.endswith("&tier=gold%26silver")
        assert request.headers["Origin"] == "https://app.example"
        assert request.headers["X-To"].startswith("+")
        assert request.headers["Sec-WebSocket-Protocol"] == "mine.v1"
        assert request.headers["X-Plivo-Signature-V3"].count(",") == 1
    nonces = {request.headers["X-Plivo-Signature-V3-Nonce"] for request in agent.requests}
    assert len(nonces) == 2
    told = repr([event.fields for event in world.events])
    assert "s3cr" not in told
    assert "{secret}/calls" in told
