"""Refused requests in the dashboard: found by their owner, with what mends them."""

import asyncio

import pytest

from gateway.call.placing import CallRequest
from gateway.routing.decision import Rejected
from gateway.routing.outbound import OutboundRequest
from gateway.routing.table import Workspace
from gateway.store.engine.ids import new_id
from tests.call.world import World
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop


async def ask(world: World, workspace_id: str, to: str) -> None:
    """A request that is refused."""
    asked = OutboundRequest(workspace_id, to)
    with pytest.raises(Rejected):
        await world.gateway.placing.place(CallRequest(asked, "api:key_1"))


async def test_refused_requests_are_listed(world: World, anna: Visitor) -> None:
    """Who asked, for what, which check failed and where to mend it; another workspace's are not there."""
    assert "Nothing was refused" in text_of((await anna.get("/calls/refused")).text)
    book = world.gateway.store.configuration
    other = await book.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    await ask(world, other.id, "+919812345678")
    await ask(world, world.workspace.id, "+1<b>2")
    await ask(world, world.workspace.id, "112")
    refusals = world.gateway.store.refusals
    async with asyncio.timeout(10):
        while len(await refusals.page(world.workspace.id, 9)) < 2:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.05)
    page = await anna.get("/calls/refused")
    text = text_of(page.text)
    assert "API key key_1" in text
    assert "+1<b>2" in text
    assert "112" in text
    assert "9198" not in text
    assert 'href="/dashboard/' in page.text
    told = world.told("call.refused")
    assert [event.fields["to"] for event in told] == ["+919812345678", "+1<b>2", "112"]
    assert all(event.fields["failed"] and event.fields["mend"] for event in told)
    registry = world.gateway.registry
    names = {sample.labels.get("reason") for family in registry.collect() for sample in family.samples}
    assert {event.fields["reason"] for event in told} <= names
    assert "Refused requests" in (await anna.get("/calls")).text


async def test_a_listed_number_is_among_them(world: World, anna: Visitor) -> None:
    """With its reason, what was found, and the way to the list."""
    there = world.gateway.store.configuration
    await there.workspaces.change(
        world.workspace.id, {"kyc_verified": True, "sip_byoc_enabled": True}, "test"
    )
    await there.do_not_call.add(world.workspace.id, ["+14155550100"], "cli:root", reason="opted out")
    await world.gateway.store.refresh()
    await ask(world, world.workspace.id, "+1 415 555 0100")
    async with asyncio.timeout(10):
        while not await world.gateway.store.refusals.page(world.workspace.id, 9):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    page = await anna.get("/calls/refused")
    text = text_of(page.text)
    assert "do not call" in text
    assert "on the list since" in text
    assert "“opted out”" in text
    assert "root" not in text
    assert 'href="/dashboard/telephony"' in page.text
