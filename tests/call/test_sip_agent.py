"""Agents that are SIP endpoints: the second leg is a dialog, and everything else as with any agent."""

import asyncio

import pytest

from gateway.sip.events import ByeReceived, InfoReceived
from tests.call.conftest import MakePhone
from tests.call.phone import Phone, babble, sdp, share_heard, until
from tests.call.test_outbound import Doorkeeper
from tests.call.world import CALLEE, NUMBER, World


@pytest.fixture
async def bot(make_phone: MakePhone) -> Phone:
    """The agent: a telephone of its own."""
    return await make_phone()


def uri(bot: Phone, user: str = "bot", parameters: str = "") -> str:
    """Where the agent is."""
    return f"sip:{user}@{bot.uri('TCP' if 'tcp' in parameters else 'UDP')}{parameters}"


@pytest.mark.parametrize("parameters", ["", ";transport=tcp"])
@pytest.mark.parametrize("payload_type", [0, 8])
async def test_both_hear_each_other(
    world: World, phone: Phone, bot: Phone, parameters: str, payload_type: int
) -> None:
    """Caller and agent hear each other, by either codec and transport; a hang-up reaches the agent."""
    await world.line(
        dialect="sip", runtime_url=uri(bot, parameters=parameters), parameters=(("tier", "gold"),)
    )
    leg = phone.invite(world.at(), NUMBER)
    talk = await bot.called()
    talk.accept(sdp(bot.sound.port, payload_types=f"{payload_type} 101"))
    await leg.answered()
    headers = talk.invitation.headers
    assert headers.get("X-Trunkline-To") == NUMBER
    assert headers.get("X-Trunkline-Direction") == "inbound"
    assert headers.get("X-Trunkline-Parameter-tier") == "gold"
    assert headers.get("X-Trunkline-Call-ID") == world.told("call.received")[0].call_id
    bot.sound.murmur(payload_type)
    phone.sound.murmur()
    await until(lambda: bot.sound.packets and phone.sound.packets)
    speech = babble(300)
    bot.sound.hush()
    await bot.sound.speak(speech, payload_type)
    bot.sound.murmur(payload_type)
    if payload_type == 0:
        await until(lambda: share_heard(speech, phone.sound.heard()) > 0.8)
    else:
        await until(lambda: len(phone.sound.voice()) >= len(speech) // 2)
    phone.sound.hush()
    words = babble(300, seed=2)
    await phone.sound.speak(words)
    phone.sound.murmur()
    if payload_type == 0:
        await until(lambda: share_heard(words, bot.sound.heard()) > 0.8)
    leg.bye()
    await talk.next(ByeReceived)
    await world.ended("completed", "user_disconnected", "caller")


async def test_waiting_for_the_answer_costs_no_delay(world: World, phone: Phone, bot: Phone) -> None:
    """The silence of an agent that is there before the caller is not played afterwards, and its words come
    as fast as if it had come last."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    (await bot.called()).accept()
    await leg.answered(ack=False)
    bot.sound.murmur()
    await asyncio.sleep(1.0)
    assert not phone.sound.packets
    leg.ack()
    phone.sound.murmur()
    await until(lambda: phone.sound.packets)
    bot.sound.hush()
    loop = asyncio.get_running_loop()
    words, said_at = babble(200), loop.time()
    await bot.sound.speak(words)
    bot.sound.murmur()
    await until(lambda: words[160:200] in phone.sound.heard())
    assert phone.sound.reached(words[160:200]) - said_at < 0.5
    leg.bye()
    await world.records()


async def test_agent_takes_longer_packets(world: World, phone: Phone, bot: Phone) -> None:
    """After a re-INVITE for packets of 40 ms the caller's voice comes in such, at its pace."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    talk = await bot.called()
    talk.accept()
    await leg.answered()
    phone.sound.murmur()
    bot.sound.murmur()
    await until(lambda: bot.sound.packets)
    await talk.reinvite(sdp(bot.sound.port, payload_types="0 101", more=["a=ptime:40"], version=2))
    await until(lambda: len(bot.sound.packets[-1].packet.payload) == 320)
    before, began = len(bot.sound.packets), bot.sound.packets[-1].packet
    phone.sound.hush()
    words = babble(600)
    await phone.sound.speak(words)
    phone.sound.murmur()
    await until(lambda: share_heard(words, bot.sound.heard()) > 0.8)
    last = bot.sound.packets[-1].packet
    assert (last.timestamp - began.timestamp) % 2**32 == 320 * (len(bot.sound.packets) - before)
    leg.bye()
    await world.records()


async def test_agent_hangs_up(world: World, phone: Phone, bot: Phone) -> None:
    """What the agent said is heard to its end; then the caller is hung up."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    talk = await bot.called()
    talk.accept()
    await leg.answered()
    phone.sound.murmur()
    await until(lambda: bot.sound.packets)
    goodbye = babble(300)
    await bot.sound.speak(goodbye)
    talk.bye()
    await leg.next(ByeReceived)
    assert share_heard(goodbye, phone.sound.heard()) > 0.8
    await world.ended("completed", "agent_disconnected", "agent")


async def test_digits_pass_both_ways(world: World, phone: Phone, bot: Phone) -> None:
    """A key of the caller's reaches the agent as a telephone-event, and one of the agent's the caller."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    talk = await bot.called()
    talk.accept()
    await leg.answered()
    phone.sound.murmur()
    bot.sound.murmur()
    await until(lambda: bot.sound.packets and phone.sound.packets)
    phone.sound.press(5)
    await until(lambda: bot.sound.heard(101))
    assert bot.sound.heard(101)[0] == 5
    bot.sound.press(7)
    await until(lambda: phone.sound.heard(101))
    assert phone.sound.heard(101)[0] == 7
    leg.bye()
    await world.records()


@pytest.mark.parametrize("status", [404, 486, 503])
async def test_agent_that_refuses(world: World, phone: Phone, bot: Phone, status: int) -> None:
    """The caller gets 503 and the record says what the agent answered."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    (await bot.called()).refuse(status)
    assert (await leg.refused()).status == 503
    row = await world.ended("failed", "agent_unreachable", "gateway")
    assert str(status) in row.detail


async def test_agent_that_does_not_answer(world: World, phone: Phone, bot: Phone) -> None:
    """After `agents.connect_timeout` the agent is given up, by CANCEL."""
    await world.line(dialect="sip", runtime_url=uri(bot))
    leg = phone.invite(world.at(), NUMBER)
    (await bot.called()).ring()
    assert (await leg.refused()).status == 503
    await until(lambda: bot.received("CANCEL"))
    await world.ended("failed", "agent_unreachable", "gateway")
    await until(lambda: not world.gateway.endpoint.user_agent.dialog_count)


async def test_fallback_from_one_agent_to_another(
    world: World, phone: Phone, bot: Phone, make_phone: MakePhone
) -> None:
    """A SIP agent that refuses is replaced by the fallback."""
    other = await make_phone()
    await world.line(dialect="sip", runtime_url=uri(bot), fallback_url=uri(other))
    leg = phone.invite(world.at(), NUMBER)
    (await bot.called()).refuse(480)
    (await other.called()).accept()
    await leg.answered()
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_password(world: World, phone: Phone, make_phone: MakePhone) -> None:
    """The version's secret is the password of the user in the URI."""
    from gateway.routing.table import Secret

    bot = await make_phone(gatekeeper=Doorkeeper("open sesame"))
    await world.line(dialect="sip", runtime_url=uri(bot, "ali"), secret=Secret("open sesame"))
    leg = phone.invite(world.at(), NUMBER)
    (await bot.called()).accept()
    await leg.answered()
    leg.bye()
    await world.records()


async def test_outbound_agent_is_called_at_the_answer(world: World, phone: Phone, bot: Phone) -> None:
    """An agent that would speak as soon as it has answered is not called while the phone still rings."""
    await world.way_out(phone.uri(), dialect="sip", runtime_url=uri(bot))
    await world.place()
    leg = await phone.called()
    leg.ring()
    await world.hears("call.ringing")
    await asyncio.sleep(0.1)
    assert not bot.calls
    leg.accept()
    talk = await bot.called()
    talk.accept()
    assert talk.invitation.headers.get("X-Trunkline-To") == CALLEE
    await world.hears("call.answered")
    bot.sound.murmur()
    phone.sound.murmur()
    greeting = babble(300)
    await until(lambda: phone.sound.packets)
    bot.sound.hush()
    await bot.sound.speak(greeting)
    bot.sound.murmur()
    await until(lambda: share_heard(greeting, phone.sound.heard()) > 0.8)
    leg.bye()
    await talk.next(ByeReceived)
    await world.ended("completed", "user_disconnected", "callee")
    assert not [event for event in talk.events if isinstance(event, InfoReceived)]
