"""A gateway with too much to do refuses new calls of every kind, says so, and keeps those that run."""

import asyncio
import time

import pytest

from gateway.call.refusal import Refused
from gateway.call.web_calls import WebCallRequest
from gateway.routing.web import WebRequest
from gateway.sip.events import OptionsAnswered
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Phone, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World


async def keep_busy(world: World, seconds: float) -> None:
    """Be late at every beat, as with more calls than there is time for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not world.gateway.switchboard.overload.shedding:
        time.sleep(0.05)  # noqa: ASYNC251 - the loop stands still
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)


async def test_new_calls_are_refused_while_it_is_late(
    build: Build, agent: Runtime, phone: Phone, make_phone: MakePhone
) -> None:
    """INVITE gets 503 with Retry-After and leaves no record; running calls go on; then it is over."""
    world = await build(LIMITS__SHED_LATE_MS=10, LIMITS__SHED_FROM_CALLS=1)
    version = await world.line()
    running = phone.invite(world.at(), NUMBER)
    await running.answered()
    await keep_busy(world, 10)
    overload = world.gateway.switchboard.overload
    assert overload.shedding
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Gateway Overloaded")
    assert dict(refused.headers)["Retry-After"] == "5"
    overload.level = 1.0  # however long the lines before took
    assert await world.gateway.ready() == "overloaded"
    overload.shedding = True
    with pytest.raises(Refused) as outbound:
        await world.place()
    assert (outbound.value.reason.value, outbound.value.retry_after) == ("gateway_overloaded", 5)
    with pytest.raises(Refused) as web:
        await world.gateway.web_calls.place(
            WebCallRequest(WebRequest(world.workspace.id, version.agent_id), by="test")
        )
    assert web.value.reason.value == "gateway_overloaded"
    await until(lambda: not overload.shedding)
    another = (await make_phone()).invite(world.at(), NUMBER)
    await another.answered()
    running.bye()
    another.bye()
    assert len(await world.records()) == 2
    assert overload.shed >= 3
    assert len(world.told("gateway.overloaded")) >= 1
    assert world.told("gateway.calm")


async def test_options_are_refused_too(world: World, phone: Phone) -> None:
    """So that a carrier that asks goes elsewhere."""
    await world.line()
    board = world.gateway.switchboard
    board.overload.level, board.overload.shedding = 1.0, True
    answer = await asyncio.wait_for(asked(world, phone), 5)
    assert answer.status == 503
    assert board.overload.shed == 0, "a question is no call"


async def asked(world: World, phone: Phone) -> OptionsAnswered:
    """What OPTIONS is answered."""
    return await phone.endpoint.ask_options("sip:gateway", target=world.at(), from_="<sip:phone@127.0.0.1>")


async def test_calls_without_an_ack_are_bounded(build: Build, phone: Phone) -> None:
    """Two that are answered and never acknowledged, and the source's third is refused, another's is not."""
    world = await build(LIMITS__UNACKNOWLEDGED_CALLS=2)
    await world.line()
    newcomers = world.gateway.parts.newcomers
    first = phone.invite(world.at(), NUMBER)
    await first.answered()
    await until(lambda: not newcomers._waiting)
    newcomers.answered("127.0.0.1")
    newcomers.answered("127.0.0.1")
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Too Many Calls Without ACK")
    newcomers.settled("127.0.0.1")
    second = phone.invite(world.at(), NUMBER)
    await second.answered()
    first.bye()
    second.bye()
