"""Transfers, whole: the agent leaves, a second call goes out by the trunk, and the two phones talk."""

import asyncio

import pytest

from gateway.call.record import CallRecord
from gateway.sip.events import ByeReceived, Cancelled
from gateway.store.records.calls import CallRow
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Leg, Phone, babble, share_heard, until
from tests.call.runtime import Runtime, Talk
from tests.call.world import CALLEE, NUMBER, World

SAYS = {"dialect": "native"}


@pytest.fixture
async def other(make_phone: MakePhone) -> Phone:
    """The telephone that a call is put through to."""
    return await make_phone()


async def answered(world: World, agent: Runtime, phone: Phone, other: Phone, **version: object) -> Leg:
    """A caller who talks to an agent whose number can call out, to the other phone."""
    await world.way_out(other.uri(), **SAYS, **version)
    numbers = world.gateway.store.configuration.numbers
    number = await numbers.find(NUMBER)
    assert number.outbound_version_id is not None
    await numbers.assign(number.id, "inbound", number.outbound_version_id, "test")
    # No outbound version is needed: nobody of ours speaks in the call that goes out.
    await numbers.unassign(number.id, "outbound", "test")
    await world.gateway.store.refresh()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    await talk.message("start")
    phone.sound.murmur()
    return leg


async def both(world: World) -> tuple[CallRow, CallRow]:
    """The records of the first call and of the one that was dialled for it."""
    first, second = await world.records()
    assert second.parent_call_id == first.id
    assert (second.direction, second.from_number, second.to_number) == ("outbound", NUMBER, CALLEE)
    assert not world.gateway.switchboard._by_name
    return first, second


async def transfer(talk: Talk, to: str = CALLEE, **more: object) -> None:
    """The agent asks."""
    await talk.tell(type="transfer", to=to, **more)


async def test_agent_puts_a_call_through(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """The agent stays until the number answers; then both phones hear each other, and one hangs up both."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    await transfer(talk)
    there = await other.called()
    assert there.invitation.from_.uri.user == NUMBER  # type: ignore[union-attr]
    there.ring()
    words = babble(200, seed=3)
    await talk.say(words)
    await until(lambda: words in phone.sound.heard())
    there.accept()
    assert (await talk.message("stop"))["reason"] == "transferred"
    event = await world.hears("call.transferred")
    assert event.fields["to"] == CALLEE
    other.sound.murmur()
    await until(lambda: len(other.sound.packets) > 10)
    phone.sound.hush()
    speech = babble(400, seed=4)
    await phone.sound.speak(speech)
    phone.sound.murmur()
    await until(lambda: share_heard(speech, other.sound.heard()) > 0.8)
    other.sound.hush()
    reply = babble(400, seed=5)
    await other.sound.speak(reply)
    other.sound.murmur()
    await until(lambda: share_heard(reply, phone.sound.heard()) > 0.8)
    phone.sound.press(5)
    await until(lambda: other.sound.heard(101))
    assert other.sound.heard(101)[0] == 5
    leg.bye()
    await there.next(ByeReceived)
    first, second = await both(world)
    assert (first.status, first.end_reason, first.ended_by) == ("completed", "user_disconnected", "caller")
    assert (second.status, second.end_reason, second.ended_by) == ("completed", "transfer_ended", "caller")
    assert event.fields["transfer_call_id"] == second.id
    names = [event.name for event in world.events if event.call_id == second.id]
    assert names[:4] == ["call.created", "call.routed", "call.sent", "call.ringing"]
    assert names[-1] == "call.ended"
    assert "call.answered" in names


async def test_the_other_side_hangs_up(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """The caller is hung up when the number that it was put through to hangs up."""
    leg = await answered(world, agent, phone, other)
    await transfer(await agent.talk())
    there = await other.called()
    there.accept()
    await world.hears("call.transferred")
    there.bye()
    await leg.next(ByeReceived)
    first, second = await both(world)
    assert (first.end_reason, first.ended_by) == ("transfer_ended", "callee")
    assert (second.end_reason, second.ended_by) == ("user_disconnected", "callee")


async def test_agent_keeps_the_call_when_nobody_is_reached(
    world: World, agent: Runtime, phone: Phone, other: Phone
) -> None:
    """Busy: the agent is told why, is still heard, and may try again."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    await transfer(talk)
    (await other.called()).refuse(486)
    failed = await talk.message("transfer_failed")
    assert (failed["to"], failed["reason"]) == (CALLEE, "user_busy")
    assert (await world.hears("call.transfer_failed")).fields["reason"] == "user_busy"
    words = babble(200, seed=3)
    await talk.say(words)
    await until(lambda: words in phone.sound.heard())
    await transfer(talk)
    (await other.called(2)).accept()
    await talk.message("stop")
    await world.hears("call.transferred")
    leg.bye()
    first, busy, second = await world.records()
    assert (busy.status, busy.end_reason) == ("busy", "user_busy")
    assert {busy.parent_call_id, second.parent_call_id} == {first.id}


async def test_rules_refuse_a_transfer(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """What no call may do, a transfer may not: the agent learns the reason, and nothing was dialled."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    await transfer(talk, "+1900")
    assert (await talk.message("transfer_failed"))["reason"] == "destination_short_code"
    await transfer(talk, caller_id="+442079460999")
    # A number that is none of ours has no trunk of ours either: the countries are asked first.
    assert (await talk.message("transfer_failed", 2))["reason"] == "no_enabled_countries"
    lists = world.gateway.store.configuration.do_not_call
    await lists.add(world.workspace.id, [CALLEE], "test")
    await transfer(talk)
    assert (await talk.message("transfer_failed", 3))["reason"] == "do_not_call"
    await transfer(talk, "x" * 100)
    assert "64" in (await talk.message("error"))["message"]
    assert not other.calls
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_only_one_transfer_at_a_time(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """A second request while the first one rings is refused, and dials nobody."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    await transfer(talk)
    await transfer(talk)
    assert (await talk.message("transfer_failed"))["reason"] == "not_now"
    there = await other.called()
    there.ring()
    await world.hears("call.ringing", 2)
    leg.bye()
    await there.next(Cancelled)
    first, second = await both(world)
    assert (first.end_reason, first.ended_by) == ("user_disconnected", "caller")
    assert (second.status, second.end_reason) == ("cancelled", "caller_cancelled")
    assert len(other.calls) == 1


async def test_agent_leaves_while_it_rings(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """Then the caller hears ringing, and is put through all the same."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    await transfer(talk)
    there = await other.called()
    there.ring()
    await talk.close()
    await until(lambda: len(phone.sound.voice()) > 1600)
    there.accept()
    await world.hears("call.transferred")
    leg.bye()
    await both(world)


async def at_once(world: World, to: str = CALLEE) -> CallRecord:
    """A transfer asked for by an API, after which the agent is gone."""
    from gateway.agent.protocol import Transfer

    (record,) = world.gateway.switchboard.running()
    call = world.gateway.switchboard.call_named(record.id)
    assert call is not None
    return await world.gateway.transfers.begin(call, Transfer(to, ring_seconds=5), "test", at_once=True)


async def test_last_words_before_a_blind_transfer(
    world: World, agent: Runtime, phone: Phone, other: Phone
) -> None:
    """What the agent has said is heard to its end, also when the number answers before that."""
    leg = await answered(world, agent, phone, other)
    talk = await agent.talk()
    words = babble(600, seed=3)
    await talk.say(words)
    await talk.mark("said")
    await at_once(world)
    (await other.called()).accept()
    await talk.message("stop")
    await world.hears("call.transferred")
    assert words in phone.sound.heard()
    leg.bye()
    await both(world)


async def test_blind_transfer_that_fails(world: World, agent: Runtime, phone: Phone, other: Phone) -> None:
    """No agent is there any more to take the call back: the caller is hung up, and the record says why."""
    leg = await answered(world, agent, phone, other)
    await at_once(world)
    (await other.called()).refuse(486)
    await leg.next(ByeReceived)
    first, second = await both(world)
    assert (first.status, first.end_reason, first.ended_by) == ("completed", "transfer_failed", "callee")
    assert "user_busy" in first.detail
    assert second.end_reason == "user_busy"


async def test_limits_hold_for_transfers(build: Build, agent: Runtime, phone: Phone, other: Phone) -> None:
    """A workspace with one call at a time transfers none, and every place is free again afterwards."""
    world = await build()
    book = world.gateway.store.configuration
    leg = await answered(world, agent, phone, other)
    await book.workspaces.change(world.workspace.id, {"concurrency_limit": 1}, "test")
    await world.gateway.store.refresh()
    talk = await agent.talk()
    await transfer(talk)
    assert (await talk.message("transfer_failed"))["reason"] == "workspace_concurrency_limit"
    leg.bye()
    await world.records()
    await asyncio.sleep(0)
    assert not other.calls
