"""Test calls from a number's page, and the buttons of its checklist."""

import pytest

from gateway.routing.table import NumberStatus
from tests.call.phone import Phone, babble
from tests.call.runtime import Runtime
from tests.call.world import CALLEE, NUMBER, World
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop


async def number_id(world: World) -> str:
    """The id of the only number."""
    (number,) = await world.gateway.store.configuration.numbers.list_all()
    return number.id


async def test_called_from_here(world: World, anna: Visitor, agent: Runtime) -> None:
    """The gateway's own telephone calls the number by SIP; the page says who answered, and what was heard."""
    await world.line()
    page = f"/numbers/{await number_id(world)}"
    assert "Waiting for a call to this number" in text_of((await anna.get(page)).text)
    assert (await anna.post(f"{page}/ring-in")).status_code == 303
    await world.hears("call.first_audio_in")
    talk = await agent.talk()
    await talk.say(babble(400))
    await world.hears("call.first_audio_out")
    seen = text_of((await anna.get(f"{page}/tests")).text)
    assert "has answered" in seen
    assert "The telephone is heard; the agent is heard." in seen
    for record in world.gateway.switchboard.running():
        world.gateway.switchboard.hang_up(record.id, "test")
    row = await world.record()
    assert (row.direction, row.from_number) == ("inbound", "+12025550190")
    assert "with sound both ways" in text_of((await anna.get(f"{page}/tests")).text)
    assert "7 of 7" not in text_of((await anna.get(page)).text)


async def test_not_from_here(world: World, anna: Visitor) -> None:
    """Where no trunk takes calls from this machine there is no button, and asking all the same says why."""
    await world.line()
    await world.change_trunk(sources=("192.0.2.7",))
    page = f"/numbers/{await number_id(world)}"
    assert "Call it from here" not in text_of((await anna.get(page)).text)
    await anna.post(f"{page}/ring-in")
    assert "takes calls from 127.0.0.1 without a password" in text_of((await anna.get(page)).text)


async def test_rung_from_the_page(world: World, anna: Visitor, phone: Phone) -> None:
    """A number that one types rings; one that must not be called is explained, and what was typed stays."""
    number = await world.way_out(phone.uri())
    page = f"/numbers/{number.id}"
    refused = await anna.post(f"{page}/ring-out", {"to": "112"})
    assert refused.status_code == 409
    assert "Emergency numbers and short codes are never dialled" in text_of(refused.text)
    assert 'value="112"' in refused.text
    assert (await anna.post(f"{page}/ring-out", {"to": CALLEE})).status_code == 303
    leg = await phone.called()
    leg.ring()
    await world.hears("call.ringing")
    assert "It is ringing" in text_of((await anna.get(f"{page}/tests")).text)
    leg.refuse(486)
    row = await world.record()
    assert (row.status, row.from_number) == ("busy", NUMBER)
    assert "It was not answered" in text_of((await anna.get(f"{page}/tests")).text)


async def test_buttons_of_the_active_step(world: World, anna: Visitor) -> None:
    """A linked number is activated by its owner; a provider's number only by the provider."""
    await world.line()
    book = world.gateway.store.configuration.numbers
    page = f"/numbers/{await number_id(world)}"
    await book.change(await number_id(world), {"status": NumberStatus.UNAVAILABLE}, "test")
    assert "Set active" in text_of((await anna.get(page)).text)
    await anna.post(f"{page}/activate")
    assert (await book.get(await number_id(world))).status is NumberStatus.ACTIVE
    await book.change(await number_id(world), {"status": NumberStatus.PENDING, "provider": "plivo"}, "test")
    assert "Ask the provider" in text_of((await anna.get(page)).text)
    await anna.post(f"{page}/activate")
    await anna.post(f"{page}/ask")
    assert "No purchase of this number is under way" in text_of((await anna.get(page)).text)
    assert (await book.get(await number_id(world))).status is NumberStatus.PENDING
