"""The first-run path: what an empty workspace is told to do, one step after the other."""

import re

import pytest

from tests.call.world import World
from tests.web.test_calls import keep
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop


async def step(anna: Visitor) -> str:
    """The step that the start page says comes next; empty where it says nothing."""
    page = (await anna.get("/numbers")).text
    found = re.search(r'<li class="next".*?</li>', page, re.DOTALL)
    return "" if found is None else text_of(found[0])


async def test_the_way(world: World, anna: Visitor) -> None:
    """Number, agent, assignment, test: each comes when the one before is done; a call ends it."""
    home = await anna.http.get("/", follow_redirects=True)
    assert "From here to your first call" in text_of(home.text)
    assert "Get a number" in await step(anna)
    book = world.gateway.store.configuration
    version = await world.version(publish=False)
    await world.line("+12125550101", runtime_url="ws://127.0.0.1:9/")
    (number,) = await book.numbers.list_all()
    assert "Test it" in await step(anna)
    await book.numbers.unassign(number.id, "inbound", "test")
    assert "Assign it" in await step(anna)
    await book.agents.publish(version.id, "test")
    assert f"/numbers/{number.id}#assignments" in (await anna.get("/numbers")).text
    await keep(world)
    assert await step(anna) == ""
    assert "From here to your first call" not in (await anna.get("/numbers")).text
