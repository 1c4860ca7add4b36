"""Telephony Config: the box that answers, groups that are switched, prices, opt-ins."""

from decimal import Decimal

import pytest

from gateway.routing.groups import KnownGroup
from gateway.routing.plan import Country
from gateway.routing.rating import Rate, RateDeck
from gateway.routing.table import NetworkGroup
from gateway.web.prices import PriceIndex
from tests.call.world import World
from tests.web.test_calls import outbound_line
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop

INDIA = Country("IN", "India", "91", (), 10)
MOBILE = KnownGroup(INDIA, NetworkGroup("IN", "India - Mobile", ("98", "99"), enabled=False))
BRITAIN = KnownGroup(Country("GB", "United Kingdom", "44"), NetworkGroup("GB", "United Kingdom", (), False))


def test_price_spans() -> None:
    """The span takes what is inside a range, and what is around it where that is all there is."""
    rates = {"91": "1.00", "9198": "0.50", "91987": "0.75", "44": "2.00"}
    deck = RateDeck("INR", [(prefix, Rate("x", Decimal(price))) for prefix, price in rates.items()])
    index = PriceIndex(deck)
    whole = index.span(MOBILE.full_prefixes)
    assert whole is not None
    assert (whole.least, whole.most) == (Decimal("0.50"), Decimal("1.00"))
    britain = index.span(BRITAIN.full_prefixes)
    assert britain is not None
    assert britain.least == britain.most == Decimal("2.00")
    assert index.span(["1"]) is None


async def test_groups_are_switched(world: World, anna: Visitor) -> None:
    """One by one, by ticks and by a search, and the page comes back to where it was."""
    text = text_of((await anna.get("/telephony?q=india")).text)
    assert "India - Mobile" in text
    assert (
        "enabled"
        not in text.partition("India - Fixed")[2].partition("How a destination")[0].split("disabled")[0]
    )
    answer = await anna.post("/telephony/groups", {"act": "enable:IN|India - Mobile", "q": "india"})
    assert "q=india" in answer.headers["location"]
    book = world.gateway.store.configuration.workspaces
    assert [group.name for group in (await book.get(world.workspace.id)).network_groups] == ["India - Mobile"]
    await anna.post(
        "/telephony/groups", {"act": "enable", "group": ["US|United States", "GB|United Kingdom - Fixed"]}
    )
    enabled = (await book.get(world.workspace.id)).network_groups
    assert {group.country_iso for group in enabled if group.enabled} == {"IN", "US", "GB"}
    await anna.post("/telephony/groups", {"act": "disable-all", "q": "india"})
    enabled = (await book.get(world.workspace.id)).network_groups
    assert {group.country_iso for group in enabled if group.enabled} == {"US", "GB"}
    nothing = await anna.post("/telephony/groups", {"act": "enable"})
    assert nothing.status_code == 303
    assert "Tick the groups first" in text_of((await anna.get("/telephony")).text)


async def test_the_box_explains(world: World, anna: Visitor) -> None:
    """A number is judged from each of mine: refused with the check that failed, allowed with the price."""
    await outbound_line(world)
    await world.change_trunk(termination_uri="127.0.0.1:9", flat_rate=Decimal("0.75"))
    refused = text_of((await anna.get("/telephony/answer?to=%2B442079460018")).text)
    assert "May not be called" in refused
    assert "kyc" in refused.lower()
    await world.gateway.store.configuration.workspaces.change(
        world.workspace.id, {"kyc_verified": True}, "test"
    )
    allowed = text_of((await anna.get("/telephony/answer?to=%2B442079460018")).text)
    assert "May be called" in allowed
    assert "₹0.75 a minute" in allowed
    emergency = text_of((await anna.get("/telephony?to=112")).text)
    assert "Emergency numbers and short codes are never dialled" in emergency


async def test_special_ranges_and_byoc(world: World, anna: Visitor) -> None:
    """Each opt-in is what was ticked, the rest is off; the KYC state is nothing that the form can change."""
    await anna.post(
        "/telephony/rules", {"allow_premium": "on", "kyc_verified": "on", "sip_byoc_enabled": "on"}
    )
    book = world.gateway.store.configuration.workspaces
    workspace = await book.get(world.workspace.id)
    assert (workspace.allow_premium, workspace.allow_satellite, workspace.kyc_verified) == (
        True,
        False,
        False,
    )
    assert not workspace.sip_byoc_enabled
    await anna.post("/telephony/rules", {"what": "byoc", "sip_byoc_enabled": "on"})
    workspace = await book.get(world.workspace.id)
    assert workspace.sip_byoc_enabled
    assert workspace.allow_premium
