"""Web calls: a browser in the place of the carrier, in one process with a gateway and a runtime."""

import asyncio
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.call.web_calls import Ticket, WebCallRequest
from gateway.routing.decision import Reason, Rejected
from gateway.routing.table import RecordingMode
from gateway.routing.web import WebRequest
from tests.call.browser import FRAME, Browser, browser
from tests.call.conftest import Build
from tests.call.runtime import Runtime, Talk
from tests.call.world import World

NATIVE = {"dialect": "native", "audio": "l16_16k"}


async def ask(world: World, *, metadata: dict[str, object] | None = None, **version: Any) -> Ticket:
    """A web call with a new agent."""
    made = await world.version(**{**NATIVE, **version})
    return await again(world, made.agent_id, metadata)


async def again(world: World, agent_id: str, metadata: dict[str, object] | None = None) -> Ticket:
    """A web call with this agent."""
    route = WebRequest(world.workspace.id, agent_id)
    return await world.gateway.web_calls.place(WebCallRequest(route, "test", metadata or {}))


def tone(seconds: float, pitch: float = 440.0) -> bytes:
    """A sine at 16 kHz."""
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (8000 * np.sin(2 * np.pi * pitch * time)).astype("<i2").tobytes()


def port(world: World) -> int:
    """Where browsers connect."""
    return world.gateway.http.port


async def begun(world: World, agent: Runtime, page: Browser) -> Talk:
    """Wait until both sides talk."""
    await page.message("start")
    talk = await agent.talk()
    await talk.message("start")
    return talk


async def test_a_whole_call(world: World, agent: Runtime) -> None:
    """Audio passes both ways untouched, the record has no number, no trunk and no price, and one ending."""
    ticket = await ask(world, metadata={"name": "Ada"})
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        start = await talk.message("start")
        assert (start["from"], start["to"], start["direction"]) == ("", "", "inbound")
        assert start["parameters"]["name"] == "Ada"
        said = tone(0.3, 300)
        await page.say(said)
        await talk.until(lambda: said in bytes(talk.audio))
        answer = tone(0.6, 700)
        await talk.say(answer)
        await page.until(lambda: answer in bytes(page.audio))
        assert page.sizes == {FRAME}
        assert await page.message("start") == {
            "type": "start",
            "call_id": ticket.call.id,
            "sample_rate": 16000,
            "frame_ms": 20,
        }
        await page.tell(type="hangup")
        assert (await page.message("end"))["reason"] == "user_disconnected"
        assert await page.gone() == (1000, "user_disconnected")
    row = await world.ended("completed", "user_disconnected", "caller")
    assert (row.type, row.direction, row.from_number, row.to_number) == ("web", "inbound", "", "")
    assert (row.number_id, row.trunk_id, row.price) == (None, None, None)
    assert row.media["codec"] == "L16/16000"
    assert row.first_audio_in_at is not None
    assert row.first_audio_out_at is not None
    assert row.media["in"]["octets"] == len(said)  # type: ignore[index]  # JSON


async def test_an_agent_of_another_rate_and_crumbs(world: World, agent: Runtime) -> None:
    """An agent at 8 kHz hears crumbs of 7 ms as frames of its own, and is heard, half samples too."""
    ticket = await ask(world, audio="l16_8k")
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        await page.speak(tone(0.7), size=224)
        await talk.until(lambda: len(talk.audio) >= 8000)
        assert {len(chunk) for chunk in talk.chunks} == {320}
        samples = np.frombuffer(bytes(talk.audio), "<i2").astype(float)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        assert abs(int(np.argmax(spectrum)) * 8000 / len(samples) - 440) <= 10
        eight = np.frombuffer(tone(0.5), "<i2")[::2].tobytes()
        for start in range(0, len(eight), 333):
            await talk.say(eight[start : start + 333])
        await page.until(lambda: np.frombuffer(bytes(page.audio), "<i2").astype(float).std() > 500)
        await talk.close()
        assert (await page.message("end"))["by"] == "agent"
    await world.ended("completed", "agent_disconnected", "agent")


async def test_digits_go_both_ways(world: World, agent: Runtime) -> None:
    """A key of the page reaches the agent, and what the agent dials reaches the page."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        await page.tell(type="dtmf", digit="#")
        assert (await talk.message("digit"))["digit"] == "#"
        await talk.tell(type="digits", digits="12")
        assert (await page.message("dtmf"))["digits"] == "12"
        await page.socket.close()
    await world.ended("completed", "user_disconnected", "caller")


async def test_clear_and_marks(world: World, agent: Runtime) -> None:
    """What an agent takes back is not heard, and its marks are told as with a phone, in real milliseconds."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        await talk.say(tone(5.0))
        await talk.mark("end")
        await page.until(lambda: any(page.audio))
        await talk.clear()
        cleared = await talk.message("cleared")
        assert 3000 < cleared["ms"] < 5000
        assert (await talk.message("mark"))["played"] is False
        await page.tell(type="hangup")
        await page.gone()
    await world.ended("completed", "user_disconnected", "caller")


async def test_it_is_recorded(world: World, agent: Runtime) -> None:
    """A version that records its calls records those of browsers."""
    ticket = await ask(world, recording=RecordingMode.BOTH)
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        await talk.say(tone(0.5))
        await page.speak(tone(0.5))
        await page.tell(type="hangup")
        await page.gone()
    row = await world.ended("completed", "user_disconnected", "caller")
    await world.hears("recording.saved")
    assert row.recording_status is not None
    assert (row.recording or {})["sample_rate"] == 16000


async def test_the_request_ends_it(world: World, agent: Runtime) -> None:
    """Whoever may hangs up, also before the browser has come: then its ticket opens nothing."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        await begun(world, agent, page)
        assert world.gateway.switchboard.hang_up(ticket.call.id, "api:key")
        assert (await page.message("end"))["reason"] == "ended_by_request"
    await world.ended("completed", "ended_by_request", "request")
    early = await ask(world)
    world.gateway.switchboard.hang_up(early.call.id, "api:key")
    await world.gateway.switchboard.quiet()
    with pytest.raises(InvalidStatus) as refused:
        async with browser(port(world), early):
            pass
    assert refused.value.response.status_code == 410


async def test_a_dead_agent(world: World, agent: Runtime) -> None:
    """The page is told when no agent answers."""
    ticket = await ask(world, runtime_url="ws://127.0.0.1:9/nobody")
    async with browser(port(world), ticket) as page:
        assert (await page.message("end"))["reason"] == "agent_unreachable"
    await world.ended("failed", "agent_unreachable", "gateway")


async def test_a_browser_that_never_comes(build: Build) -> None:
    """It is not waited for for ever, and its place is free again."""
    world = await build(WEB_CALLS__TOKEN_SECONDS=1, WEB_CALLS__MAX_CALLS=1)
    ticket = await ask(world)
    with pytest.raises(Rejected) as full:
        await again(world, str(ticket.call.agent_id))
    assert (full.value.reason, full.value.retry_after) == (Reason.WEB_CALL_LIMIT, 5.0)
    await world.ended("cancelled", "caller_cancelled", "caller")
    with pytest.raises(InvalidStatus) as refused:
        async with browser(port(world), ticket):
            pass
    assert refused.value.response.status_code in (404, 410)
    await again(world, str(ticket.call.agent_id))


async def test_it_takes_a_place_of_the_workspace(world: World) -> None:
    """A workspace's limit counts web calls with all others."""
    book = world.gateway.store.configuration
    await book.workspaces.change(world.workspace.id, {"concurrency_limit": 1}, "test")
    ticket = await ask(world)
    with pytest.raises(Rejected) as full:
        await again(world, str(ticket.call.agent_id))
    assert full.value.reason is Reason.WORKSPACE_CONCURRENCY_LIMIT


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"token": "guessed"}, 404),
        ({"path": "/v1/web-calls/call_other/audio"}, 404),
        ({"path": "/elsewhere"}, 404),
        ({"origin": "https://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_who_stays_out(world: World, given: dict[str, str], status: int) -> None:
    """A wrong token, another address, a page of another site: refused, and the ticket is still good."""
    ticket = await ask(world)
    with pytest.raises(InvalidStatus) as refused:
        async with browser(port(world), ticket, **given):
            pass
    assert refused.value.response.status_code == status
    async with browser(port(world), ticket) as page:
        await page.message("start")
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_ticket_is_good_once(build: Build) -> None:
    """A second socket with it is refused; a site on the list may connect, and what is no browser."""
    world = await build(WEB_CALLS__ORIGINS='["https://shop.example.com"]')
    ticket = await ask(world)
    async with browser(port(world), ticket, origin="https://shop.example.com") as page:
        await page.message("start")
        with pytest.raises(InvalidStatus):
            async with browser(port(world), ticket):
                pass
    other = await again(world, str(ticket.call.agent_id))
    async with browser(port(world), other, origin=None) as page:
        await page.message("start")


async def test_a_flood(world: World, agent: Runtime) -> None:
    """Audio beyond real time is dropped and counted; messages beyond all measure end the call."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        talk = await begun(world, agent, page)
        for _ in range(100):
            await page.socket.send(tone(0.1))
        await talk.until(lambda: talk.audio)
        assert not page.closed.is_set()
        with suppress(ConnectionClosed):
            for count in range(5000):
                await page.socket.send(b"\0" * 16)
                await asyncio.sleep(0 if count % 100 else 0.01)
        assert await page.gone() == (1008, "too many messages")
    row = await world.ended("completed", "user_disconnected", "caller")
    assert "too many messages" in row.detail
    assert row.media["in"]["discarded_ms"] > 5000  # type: ignore[index]  # JSON


@pytest.mark.parametrize("message", [b"\0" * 5000, "x" * 5000])
async def test_a_message_that_is_too_long(world: World, agent: Runtime, message: str | bytes) -> None:
    """It ends the call, and nothing of it is looked at."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        await begun(world, agent, page)
        await page.socket.send(message)
        await page.gone()
    await world.ended("completed", "user_disconnected", "caller")


async def test_nonsense(world: World, agent: Runtime) -> None:
    """Words that are none and half samples are counted; who sends nothing else is cut off."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        await begun(world, agent, page)
        for wrong in (b"\0", "{", "[]", '{"type":"dtmf","digit":"12"}', '{"type":"start"}', b"", "[" * 900):
            await page.socket.send(wrong)
        await page.speak(tone(0.2))
        assert not page.closed.is_set()
        for _ in range(120):
            await page.socket.send("?")
        assert (await page.gone())[0] == 1008
    row = await world.ended("completed", "user_disconnected", "caller")
    assert row.media["in"]["malformed"] > 100  # type: ignore[index]  # JSON


async def test_a_browser_that_goes_silent(build: Build, agent: Runtime) -> None:
    """A socket by which no audio comes is given up, as a phone is that sends no RTP."""
    world = await build(MEDIA__NO_MEDIA_SECONDS=2, MEDIA__ONE_WAY_SECONDS=1)
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        await begun(world, agent, page)
        assert (await page.message("end"))["reason"] == "media_lost"
    await world.ended("completed", "media_lost", "gateway")


async def test_a_drain(world: World, agent: Runtime) -> None:
    """A gateway that stops begins no web call, and ends those that go on when their time is over."""
    ticket = await ask(world)
    async with browser(port(world), ticket) as page:
        await begun(world, agent, page)
        await world.gateway.switchboard.drain(0.2, asyncio.Event())
        assert (await page.message("end"))["reason"] == "gateway_drained"
        await asyncio.wait_for(page.gone(), 5)
    await world.ended("completed", "gateway_drained", "gateway")
