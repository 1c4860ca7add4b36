"""What a call has held in memory is free when it is over, without the collector, which stops all calls."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from gateway.call.agent_leg import AgentLeg
from gateway.call.bridge import Bridge
from gateway.call.browser_leg import BrowserLeg
from gateway.call.call import Call
from gateway.call.conversation import Conversation
from gateway.call.phone_media import PhoneMedia
from gateway.call.recording import CallRecording
from gateway.call.sip_leg import SipLeg
from gateway.call.web_calls import WebCallRequest
from gateway.media.receiver import RtpReceiver
from gateway.routing.table import RecordingMode
from gateway.routing.web import WebRequest
from tests.call.browser import browser
from tests.call.phone import Phone, babble, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World

PARTS = (Call, SipLeg, BrowserLeg, PhoneMedia, RtpReceiver, Bridge, Conversation, AgentLeg, CallRecording)


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


async def all_is_freed(kept: Kept) -> None:
    """Once the last repeats of the dialog were waited for."""
    with suppress(TimeoutError):
        await until(lambda: not kept(), 6)
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
    await all_is_freed(kept)


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
    await all_is_freed(kept)


async def test_calls_that_come_to_nothing(world: World, phone: Phone, kept: Kept) -> None:
    """Refused, and with an agent that is not there."""
    await world.line(runtime_url="ws://127.0.0.1:9/")
    phone.invite(world.at(), NUMBER)
    phone.invite(world.at(), "+12125550199")
    await world.hears("call.ended", 2)
    await world.records()
    await all_is_freed(kept)


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
    await all_is_freed(kept)
