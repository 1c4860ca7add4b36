"""What a call has held in memory is free when it is over, without the collector, which stops all calls."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus

import pytest

from gateway.call.bridge import Bridge
from gateway.call.call import Call
from gateway.call.conversation import Conversation
from gateway.call.legs.agent_leg import AgentLeg
from gateway.call.legs.browser_leg import BrowserLeg
from gateway.call.legs.phone_media import PhoneMedia
from gateway.call.legs.sip_leg import SipLeg
from gateway.call.recording.call_recording import CallRecording
from gateway.call.web_calls import WebCallRequest
from gateway.media.receiver import RtpReceiver
from gateway.routing.decision import Rejected
from gateway.routing.table import RecordingMode
from gateway.routing.web import WebRequest
from tests.call.browser import browser
from tests.call.conftest import MakePhone
from tests.call.phone import Phone, babble, sdp, until
from tests.call.runtime import Runtime, runtime
from tests.call.test_sip_agent import uri
from tests.call.test_transfer import answered, transfer
from tests.call.world import NUMBER, World

PARTS = (Call, SipLeg, BrowserLeg, PhoneMedia, RtpReceiver, Bridge, Conversation, AgentLeg, CallRecording)

PATIENCE = 6.0
"Seconds: longer than any of a dialog's timers at the quick settings."

Kept = Callable[[], Counter[str]]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """How many of a call's parts there are; whatever goes round in a circle stays."""
    gc.collect()
    before = [one for one in gc.get_objects() if isinstance(one, PARTS)]
    known = {id(one) for one in before}

    def count() -> Counter[str]:
        found = (one for one in gc.get_objects() if isinstance(one, PARTS) and id(one) not in known)
        return Counter(type(one).__name__ for one in found)

    gc.disable()
    yield count
    gc.enable()


async def all_is_freed(world: World, kept: Kept) -> None:
    """Once the last repeats of the dialogs would have come, whose time is let go by."""
    endpoint, loop = world.gateway.endpoint, asyncio.get_running_loop()

    def is_freed() -> bool:
        endpoint.user_agent.handle_timeout(loop.time() + PATIENCE)
        endpoint.flush()
        return not kept()

    await asyncio.sleep(0.1)  # for the answer to our BYE
    with suppress(TimeoutError):
        await until(is_freed, PATIENCE)
    assert not kept()


@pytest.mark.parametrize("by", ["caller", "agent"])
@pytest.mark.parametrize("recording", [RecordingMode.OFF, RecordingMode.BOTH])
async def test_an_inbound_call(
    world: World, agent: Runtime, phone: Phone, by: str, recording: RecordingMode, kept: Kept
) -> None:
    """Whoever hangs up, recorded or not."""
    await world.line(dialect="native", recording=recording)
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    await talk.message("start")
    assert kept() >= Counter(
        ("Call", "SipLeg", "PhoneMedia", "RtpReceiver", "Bridge", "Conversation", "AgentLeg")
    )
    speech = babble(200)
    await phone.sound.speak(speech)
    await talk.until(lambda: len(talk.audio) >= len(speech))
    if by == "caller":
        leg.bye()
    else:
        await talk.close()
    await world.records()
    await all_is_freed(world, kept)


async def test_an_outbound_call(world: World, agent: Runtime, phone: Phone, kept: Kept) -> None:
    """Answered, and hung up by the callee."""
    await world.way_out(phone.uri(), dialect="native")
    await world.place()
    leg = await phone.called()
    leg.ring()
    talk = await agent.talk()
    leg.accept()
    await talk.message("start")
    leg.bye()
    await world.records()
    await all_is_freed(world, kept)


async def test_outbound_calls_that_come_to_nothing(world: World, phone: Phone, kept: Kept) -> None:
    """Busy, and given up while it rings."""
    await world.way_out(phone.uri())
    await world.place()
    (await phone.called()).refuse(486)
    await world.hears("call.ended")
    record = await world.place()
    (await phone.called(2)).ring()
    await world.hears("call.ringing")
    world.gateway.switchboard.hang_up(record.id, "test")
    await world.records()
    await all_is_freed(world, kept)


async def test_a_call_on_hold_with_the_fallback(
    world: World, agent: Runtime, phone: Phone, kept: Kept
) -> None:
    """The runtime refuses, the fallback takes over, and the caller hangs up while it holds."""
    agent.status = HTTPStatus.SERVICE_UNAVAILABLE
    async with runtime() as other:
        await world.line(dialect="native", fallback_url=other.url())
        leg = phone.invite(world.at(), NUMBER)
        await leg.answered()
        talk = await other.talk()
        await leg.reinvite(sdp(phone.sound.port, direction="sendonly", version=2))
        await talk.message("hold")
        leg.bye()
        await world.records()
        await all_is_freed(world, kept)


async def test_a_transfer(
    world: World, agent: Runtime, phone: Phone, make_phone: MakePhone, kept: Kept
) -> None:
    """Both calls, whose phones were each the other's agent."""
    other = await make_phone()
    leg = await answered(world, agent, phone, other)
    await transfer(await agent.talk())
    (await other.called()).accept()
    await world.hears("call.transferred")
    leg.bye()
    await world.records()
    await all_is_freed(world, kept)


@pytest.mark.parametrize("by", ["caller", "agent"])
async def test_an_agent_by_sip(
    world: World, phone: Phone, make_phone: MakePhone, by: str, kept: Kept
) -> None:
    """Whoever hangs up, with both dialogs."""
    bot = await make_phone()
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    talk = await bot.called()
    talk.accept()
    await leg.answered()
    (leg if by == "caller" else talk).bye()
    await world.records()
    await all_is_freed(world, kept)


async def test_calls_that_come_to_nothing(world: World, phone: Phone, kept: Kept) -> None:
    """Refused, and with an agent that is not there."""
    await world.line(runtime_url="ws://127.0.0.1:9/")
    phone.invite(world.at(), NUMBER)
    phone.invite(world.at(), "+12125550199")
    await world.hears("call.ended", 2)
    await world.records()
    await all_is_freed(world, kept)


async def test_calls_that_find_no_place(world: World, phone: Phone, kept: Kept) -> None:
    """Refused when all had been made ready for them."""
    await world.way_out(phone.uri())
    await world.change_trunk(channel_limit=1)
    await world.place()
    (await phone.called()).ring()
    await world.hears("agent.connected")
    running = kept()
    for _ in range(3):
        with pytest.raises(Rejected, match="channel"):
            await world.place()
    assert kept() == running


async def test_a_web_call(world: World, agent: Runtime, kept: Kept) -> None:
    """Hung up by the browser."""
    made = await world.version(dialect="native", audio="l16_16k")
    ticket = await world.gateway.web_calls.place(
        WebCallRequest(WebRequest(world.workspace.id, made.agent_id), "test", {})
    )
    async with browser(world.gateway.http.port, ticket) as page:
        await page.message("start")
        talk = await agent.talk()
        await page.say(bytes(6400))
        await talk.until(lambda: len(talk.audio) >= 3200)
        await page.tell(type="hangup")
        await page.gone()
    await world.records()
    del ticket
    await all_is_freed(world, kept)


@pytest.mark.both_loops
async def test_nothing_is_left_of_fifty_calls(world: World, agent: Runtime, phone: Phone) -> None:
    """After answered, refused and cancelled calls no port, task or agent connection remains."""
    await world.line(dialect="native")
    for number in range(50):
        called = "+442079460099" if number % 5 == 0 else NUMBER
        leg = phone.invite(world.at(), called)
        if number % 5 == 0:
            await leg.refused()
        elif number % 5 == 1:
            leg.cancel()
        else:
            await leg.answered()
            leg.bye()
    rows = await world.records()
    assert len(rows) == 50
    assert all(row.end_reason for row in rows)
    assert world.gateway.parts.ports.in_use == 0
    assert world.gateway.switchboard.active == 0
    for talk in agent.talks:
        await talk.gone()
