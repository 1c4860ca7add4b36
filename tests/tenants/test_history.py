"""A call is the number's workspace's: who lists another's carrier learns nothing of its calls."""

import pytest

from gateway.routing.table import Secret
from gateway.sip.settings import Login
from tests.call.conftest import MakePhone
from tests.call.phone import Phone
from tests.tenants.conftest import Tenants

NOBODY = "+13125550101"
LOGIN = Login("carrier", "a secret")


@pytest.fixture
async def tenants(tenants: Tenants) -> Tenants:
    """Theirs lists our carrier, and asks nobody for credentials; ours asks for them."""
    await tenants.ours.change_trunk(username="carrier", password=Secret("a secret"))
    await tenants.theirs.change_trunk(sources=("127.0.0.1", "127.0.0.2"))
    return tenants


async def everything(tenants: Tenants) -> list[tuple[str | None, str | None]]:
    """Workspace and reason of every record that there is."""
    return [(row.workspace_id, row.end_reason) for row in await tenants.world.records()]


async def test_a_call_with_credentials(tenants: Tenants, phone: Phone) -> None:
    """It is one call, ours, and the challenge before it is none."""
    leg = phone.invite(tenants.world.at(), tenants.ours.called, login=LOGIN)
    await leg.answered()
    assert len(phone.received("401")) == 1
    leg.bye()
    assert await everything(tenants) == [(tenants.ours.workspace.id, "user_disconnected")]
    assert len(await tenants.ours.history()) == 1
    assert await tenants.theirs.history() == []
    received = [event for event in tenants.world.events if event.name == "call.received"]
    assert [event.fields["workspace_id"] for event in received] == [tenants.ours.workspace.id]


async def test_a_challenge_alone(tenants: Tenants, phone: Phone) -> None:
    """Who does not answer it leaves neither record nor event, with anybody."""
    assert (await phone.invite(tenants.world.at(), tenants.ours.called).refused()).status == 401
    await tenants.world.gateway.switchboard.quiet()
    assert await tenants.ours.history() == await tenants.theirs.history() == []
    assert not [event for event in tenants.world.events if event.call_id is not None]


async def test_wrong_credentials(tenants: Tenants, phone: Phone) -> None:
    """They are in the history of whose number was called."""
    login = Login("carrier", "another")
    assert (await phone.invite(tenants.world.at(), tenants.ours.called, login=login).refused()).status == 403
    assert [call["end_reason"] for call in await tenants.ours.history()] == ["bad_credentials"]
    assert await tenants.theirs.history() == []


async def test_a_number_of_nobody(tenants: Tenants, phone: Phone, make_phone: MakePhone) -> None:
    """From a carrier of both it is nobody's call; from one that only one of them lists, that one's."""
    await phone.invite(tenants.world.at(), NOBODY).refused()
    assert [workspace for workspace, _ in await everything(tenants)] == [None]
    assert await tenants.ours.history() == await tenants.theirs.history() == []
    other = await make_phone("127.0.0.2")
    await other.invite(tenants.world.at(), NOBODY).refused()
    assert [call["end_reason"] for call in await tenants.theirs.history()] == ["unknown_number"]
    assert await tenants.ours.history() == []


async def test_a_carrier_that_only_they_list(tenants: Tenants, make_phone: MakePhone) -> None:
    """A call to our number from there is in nobody's history: it may be our carrier's new address."""
    other = await make_phone("127.0.0.2")
    assert (await other.invite(tenants.world.at(), tenants.ours.called).refused()).status == 404
    assert [workspace for workspace, _ in await everything(tenants)] == [None]
    assert await tenants.ours.history() == await tenants.theirs.history() == []


async def test_their_own_calls(tenants: Tenants, phone: Phone, make_phone: MakePhone) -> None:
    """By the carrier of both, and by their own, calls to their number need no challenge, and are theirs."""
    for each in (phone, await make_phone("127.0.0.2")):
        leg = each.invite(tenants.world.at(), tenants.theirs.called)
        await leg.answered()
        leg.bye()
    assert [call["status"] for call in await tenants.theirs.history()] == ["completed"] * 2
    assert await tenants.ours.history() == []
