"""Linking one's own number: the reference's rules and words, and nothing half done."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL, make_url

from gateway.provisioning.errors import Upstream
from gateway.provisioning.linking import Link, Linking
from gateway.routing.table import NumberStatus, Secret, TrunkAuthMode
from gateway.store.engine.errors import Conflict, InvalidInput
from tests.provisioning.office import Office
from tests.provisioning.sip_peer import Carrier, carrier_on, trials_on
from tests.provisioning.test_trial import plain

MINE = "+442079460099"


@pytest.fixture
def empty_url(tmp_path: Path) -> URL:
    """SQLite alone: the statements are those of other tests, which run on both databases."""
    return make_url(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    """A carrier with a user."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        yield carrier


@pytest.fixture
async def linking(office: Office) -> AsyncIterator[Linking]:
    """Links numbers of the office's workspace."""
    async with trials_on(plain, seconds=0.5) as trials:
        yield Linking(office.there, trials, office.purchasing.tell)


def link_of(office: Office, carrier: Carrier, **differing: Any) -> Link:
    """A link that works."""
    fields = {
        "number": MINE,
        "termination_uri": carrier.uri,
        "by": "test",
        "username": "acme",
        "password": Secret("secret-1"),
        **differing,
    }
    return Link(office.workspace_id, **fields)


async def test_links(office: Office, carrier: Carrier, linking: Linking) -> None:
    """A trunk that dials and is dialled from where the carrier is, and an active number on it."""
    linked = await linking.link(link_of(office, carrier, nickname="Sales"))
    number, trunk = linked.number, linked.trunk
    assert (number.e164, number.country_code, number.provider) == (MINE, "44", "sip_trunk")
    assert (number.status, number.sip_trunk_enabled) == (NumberStatus.ACTIVE, True)
    assert number.trunk_id == trunk.id
    assert (trunk.name, trunk.sources, trunk.linked) == ("Sales", ("127.0.0.1",), True)
    saved = await office.there.trunks.get(trunk.id)
    assert saved.outbound_password == Secret("secret-1")
    assert "secret-1" not in str(await office.there.history(trunk.id))
    assert office.told[-1][0] == "number.linked"


async def test_a_wrong_password_saves_nothing(office: Office, carrier: Carrier, linking: Linking) -> None:
    """502 in the reference's words, with every step; then the right password works."""
    with pytest.raises(Upstream, match=r"^SIP trunk registration failed$") as told:
        await linking.link(link_of(office, carrier, password=Secret("wrong")))
    assert told.value.report is not None
    assert told.value.report["passed"] is False
    assert MINE not in [number.e164 for number in await office.there.numbers.list_all()]
    assert all(not trunk.linked for trunk in await office.there.trunks.list_all())
    assert (await linking.link(link_of(office, carrier))).number.e164 == MINE


async def test_registered_numbers(office: Office, carrier: Carrier, linking: Linking) -> None:
    """409 before a packet is sent, and no trunk is left behind."""
    await linking.link(link_of(office, carrier))
    carrier.asked.clear()
    with pytest.raises(Conflict, match=r"^Phone number already registered$"):
        await linking.link(link_of(office, carrier))
    assert not carrier.asked
    assert len([trunk for trunk in await office.there.trunks.list_all() if trunk.linked]) == 1


@pytest.mark.parametrize(
    ("differing", "words"),
    [
        ({"password": None}, "sipTrunkUserName and sipTrunkPassword are required when authMode=userpass"),
        ({"username": None}, "sipTrunkUserName and sipTrunkPassword are required when authMode=userpass"),
        ({"auth_mode": "ip"}, "sipTrunkUserName and sipTrunkPassword are not allowed when authMode=ip"),
        ({"auth_mode": "none"}, "authMode = none: should be userpass or ip"),
        ({"termination_uri": "sip:127.0.0.1"}, "without sip: before it"),
        ({"termination_uri": "127.0.0.1:99999"}, "should be host or host:port"),
        ({"number": "12"}, "phoneNumber = 12"),
        ({"transport": "SCTP"}, "should be of UDP, TCP, TLS"),
        ({"nickname": "x" * 65}, "nickname"),
        ({"username": "a\r\nVia: x"}, "outbound_username"),
    ],
)
async def test_rules(
    office: Office, carrier: Carrier, linking: Linking, differing: dict[str, Any], words: str
) -> None:
    """400 in the reference's words, before a packet is sent; nothing is saved."""
    with pytest.raises(InvalidInput, match=words):
        await linking.link(link_of(office, carrier, **differing))
    assert not carrier.asked
    assert MINE not in [number.e164 for number in await office.there.numbers.list_all()]


async def test_by_address(office: Office, linking: Linking) -> None:
    """authMode=ip links without credentials."""
    async with carrier_on(Carrier()) as carrier:
        link = link_of(office, carrier, auth_mode="ip", username=None, password=None)
        assert (await linking.link(link)).trunk.auth_mode is TrunkAuthMode.IP


async def test_without_a_test(office: Office, carrier: Carrier, linking: Linking) -> None:
    """An operator may switch the test off, for carriers that answer nothing but calls."""
    untested = Linking(office.there, linking.trials, office.purchasing.tell, testing=False)
    linked = await untested.link(link_of(office, carrier, sources=("192.0.2.7",)))
    assert (linked.report, linked.trunk.sources) == (None, ("192.0.2.7",))
    assert not carrier.asked


async def test_trying_saves_nothing(office: Office, carrier: Carrier, linking: Linking) -> None:
    """The test alone, before saving."""
    assert (await linking.try_link(link_of(office, carrier))).proven
    assert MINE not in [number.e164 for number in await office.there.numbers.list_all()]


async def test_the_flat_rate(office: Office, linking: Linking) -> None:
    """The rate is there before anything is saved, as the reference writes it."""
    assert "not charged" in str(await linking.flat_rate(office.workspace_id))
    await office.there.workspaces.change(office.workspace_id, {"sip_flat_rate": Decimal("0.5")}, "test")
    assert str(await linking.flat_rate(office.workspace_id)) == "₹0.50/min"


async def test_unlinking(office: Office, carrier: Carrier, linking: Linking) -> None:
    """Releasing a linked number takes its trunk, and the credentials in it, along."""
    linked = await linking.link(link_of(office, carrier))
    assert await office.releasing.release(linked.number.id, "test") is None
    assert linked.trunk.id not in [trunk.id for trunk in await office.there.trunks.list_all()]
