"""Whole calls to agents of other platforms, where no framework is at hand: AudioSocket and chan_websocket."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.media.audio import L16_8K, ULAW_8K, converter
from gateway.routing.table import Dialect, Secret
from gateway.sip.events import ByeReceived
from tests.whole.conftest import Agents, House, Open, Phone, Runtime, tone

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


async def test_audiosocket_carries_a_call(open_house: Open) -> None:
    """The UUID first, frames of 320 bytes, the agent's audio whole; the end is an empty frame."""
    sockets = Sockets(says=linear(tone(3, 400)))
    async with listening(sockets) as url:
        house = await open_house()
        await house.furnish(runtime_url=url, dialect=Dialect.AUDIOSOCKET)
        phone = Phone(house)
        await phone.call()
        await phone.hears(tone(3, 400))
        await phone.hang_up()
        row = await house.record()
        await phone.close()
        await asyncio.wait_for(sockets.over.wait(), 10)
    kinds = [kind for kind, _ in sockets.frames]
    assert uuid.UUID(bytes=sockets.frames[0][1]).version == 4
    assert (kinds[0], kinds[-1]) == (IDENTITY, HANGUP)
    assert {len(content) for kind, content in sockets.frames if kind == AUDIO} == {320}
    assert (row.status, row.end_reason) == ("completed", "user_disconnected")


async def test_audiosocket_agent_hangs_up(open_house: Open) -> None:
    """Its empty frame ends the call once what it said was heard."""
    async with listening(Sockets(says=linear(tone(4, 300)), then=framed(HANGUP))) as url:
        house = await open_house()
        await house.furnish(runtime_url=url, dialect=Dialect.AUDIOSOCKET)
        phone = Phone(house)
        await phone.call()
        await phone.expect(ByeReceived)
        row = await house.record()
        await phone.close()
    assert tone(4, 80) in phone.heard
    assert row.end_reason == "agent_disconnected"


async def test_asterisk_application_marks_pauses_and_flushes(open_house: Open, agents: Agents) -> None:
    """Marks come when their audio has left, a flush drops the rest and the pause, HANGUP ends the call."""

    async def apply(runtime: Runtime) -> None:
        wire = runtime.wire
        await runtime.until(lambda: runtime.lines)
        await wire.send(tone(5, 300))
        await wire.send("MARK_MEDIA greeting")
        await wire.send("GET_STATUS")
        await wire.send(tone(6, 20_000))
        await runtime.until(lambda: any(line.startswith("MEDIA_MARK_PROCESSED") for line in runtime.lines))
        await wire.send("PAUSE_MEDIA")
        await wire.send("REPORT_QUEUE_DRAINED")
        await wire.send("FLUSH_MEDIA")
        await runtime.until(lambda: "QUEUE_DRAINED" in runtime.lines)
        await wire.send(tone(7, 200))
        await wire.send("HANGUP")

    agents.script = apply
    house = await open_house()
    await house.furnish(dialect=Dialect.ASTERISK)
    phone = Phone(house)
    await phone.call()
    await phone.expect(ByeReceived)
    row = await house.record()
    await phone.close()
    (lines,) = [runtime.lines for runtime in agents.calls]
    events = [line.split(" ")[0] for line in lines]
    assert events[:3] == ["MEDIA_START", "STATUS", "MEDIA_XOFF"]
    assert sorted(events[3:]) == ["MEDIA_MARK_PROCESSED", "MEDIA_XON", "QUEUE_DRAINED"]
    assert "MEDIA_MARK_PROCESSED greeting" in lines
    # Pieces of it: on a busy machine a packet comes late here and there.
    assert tone(5, 80) in phone.heard
    assert tone(7, 80) in phone.heard
    assert row.end_reason == "agent_disconnected"


async def test_upgrade_is_filled_in_for_the_call(house: House, agents: Agents) -> None:
    """Placeholders in path, query and headers, the subprotocol, and a nonce a call; no log has the secret."""
    secret = "s3cr/t"
    version = {
        "runtime_url": agents.url("{secret}/calls?from={from}&tier={tier}"),
        "dialect": Dialect.PLIVO,
        "secret": Secret(secret),
        "headers": (("Origin", "https://app.example"), ("X-To", "{to}")),
        "parameters": (("tier", "gold&silver"),),
        "options": (("subprotocol", "mine.v1"),),
    }
    draft = await house.store.configuration.agents.draft("agent_test", version, "test")
    published = await house.store.configuration.agents.publish(draft.id, "test")
    await house.store.configuration.numbers.assign("phn_test", "inbound", published.id, "test")
    await house.store.refresh()
    for _ in range(2):
        phone = Phone(house)
        await phone.call()
        await phone.hang_up()
        await phone.close()
    await house.records()
    requests = [runtime.wire.request for runtime in agents.calls]
    assert len(requests) == 2
    for request in requests:
        assert request is not None
        path, _, query = request.path.partition("?")
        assert path == "/s3cr%2Ft/calls"
        assert query.startswith("from=%2B")
        assert query.endswith("&tier=gold%26silver")
        assert request.headers["Origin"] == "https://app.example"
        assert request.headers["X-To"].startswith("+")
        assert request.headers["Sec-WebSocket-Protocol"] == "mine.v1"
        assert request.headers["X-Plivo-Signature-V3"].count(",") == 1
    nonces = {request.headers["X-Plivo-Signature-V3-Nonce"] for request in requests if request}
    assert len(nonces) == 2
    told = repr([event.fields for event in house.events])
    assert "s3cr" not in told
    assert "{secret}/calls" in told
