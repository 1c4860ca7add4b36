"""`GET /v1/rates/quote`: what a call would cost, and why, and whether it would be placed."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.routing.rating import Rate, RateDeck
from gateway.routing.table import Increment, NetworkGroup, PhoneNumber, Trunk
from gateway.store.engine.ids import new_id
from tests.api.conftest import Api

RENTED = "+14155550100"
MOBILE, LANDLINE = "+919812345678", "+912212345678"
DECK = RateDeck(
    "INR",
    [
        ("91", Rate("India", Decimal("0.55"))),
        ("9198", Rate("India - Mobile", Decimal("0.701"), Decimal("0.25"), Increment(30, 6))),
    ],
)


@pytest.fixture
async def shop(out: Api) -> Api:
    """A workspace with a rented number beside the one on its trunk, a rate deck, and India open."""
    world = out.world
    there = world.store.configuration
    fields = {"sip_byoc_enabled": False, "network_groups": (NetworkGroup("IN", "All"),)}
    await there.workspaces.change("org_test", fields, "test")
    trunk = Trunk(new_id("trunk"), None, "Plivo", termination_uri="127.0.0.1:5999", provider="plivo")
    await there.trunks.add(trunk, "test")
    version = (await there.agents.versions("agent_test"))[0]
    number = PhoneNumber(
        new_id("phn"), "org_test", RENTED, provider="plivo", outbound_version_id=version.id, is_default=True
    )
    await there.numbers.add(number, "test")
    await there.decks.put("plivo", DECK, "test")
    await world.store.refresh()
    return out


async def quoted(api: Api, **query: str) -> dict[str, Any]:
    answer = await api.client.get("/v1/rates/quote", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_quote_says_what_a_call_costs_and_why(shop: Api) -> None:
    """By the longest prefix of the called number, from the default number, with examples."""
    found = await quoted(shop, to="+91 98123 45678")
    decision = found.pop("decision")
    assert decision["allowed"]
    assert found == {
        "to": MOBILE,
        "from": RENTED,
        "allowed": True,
        "reason": None,
        "message": None,
        "source": "deck",
        "provider": "plivo",
        "prefix": "9198",
        "destination": "India - Mobile",
        "currency": "INR",
        "per_minute": "0.701",
        "connection_fee": "0.25",
        "increment": "30/6",
        "why": f"{MOBILE} begins with 9198, the longest prefix in the rate deck (India - Mobile)",
        "prices": [
            {"minutes": 1, "billed_seconds": 60, "price": "0.951"},
            {"minutes": 5, "billed_seconds": 300, "price": "3.755"},
            {"minutes": 10, "billed_seconds": 600, "price": "7.26"},
        ],
        "balance": None,
    }
    assert (await quoted(shop, to=LANDLINE))["prefix"] == "91"


async def test_a_trunks_number_has_the_flat_rate(shop: Api) -> None:
    """Whatever the deck says of the destination."""
    there = shop.world.store.configuration
    number = await there.numbers.get("phn_test")
    await there.trunks.change("trunk_test", {"flat_rate": Decimal("0.4")}, "test")
    found = await quoted(shop, to=MOBILE, **{"from": number.e164})
    assert (found["source"], found["prefix"], found["per_minute"]) == ("flat_rate", None, "0.4")
    assert found["from"] == number.e164


async def test_a_web_call_has_no_carrier_price(shop: Api) -> None:
    """And needs no number."""
    found = await quoted(shop, type="web")
    assert (found["source"], found["allowed"], found["per_minute"]) == ("web_call", True, "0")
    assert [each["price"] for each in found["prices"]] == ["0", "0", "0"]


async def test_a_refused_call_has_its_price_and_the_reason(shop: Api) -> None:
    """A person who asks for a price learns in the same answer why the call would not go out."""
    there = shop.world.store.configuration
    await there.workspaces.change("org_test", {"network_groups": (NetworkGroup("US", "All"),)}, "test")
    found = await quoted(shop, to=MOBILE)
    assert (found["allowed"], found["reason"]) == (False, "country_not_enabled")
    assert found["message"] == "Destination country or network prefix is not enabled for this workspace"
    assert (found["prefix"], found["per_minute"]) == ("9198", "0.701")
    assert found["decision"]["checks"][-1]["outcome"] == "fail"


async def test_a_destination_without_a_rate_has_no_price(shop: Api) -> None:
    """And would be refused."""
    there = shop.world.store.configuration
    groups = (NetworkGroup("IN", "All"), NetworkGroup("GB", "All"))
    await there.workspaces.change("org_test", {"network_groups": groups}, "test")
    found = await quoted(shop, to="+442079460018")
    assert (found["allowed"], found["reason"], found["source"]) == (False, "no_rate", "none")
    assert (found["per_minute"], found["prices"]) == (None, [])


async def test_an_empty_wallet_is_a_reason(shop: Api) -> None:
    """With what is in it."""
    workspace = await shop.world.store.configuration.workspaces.get("org_test")
    await shop.world.store.wallets.open(workspace, Decimal("0.3"), "test")
    await shop.world.store.refresh()
    found = await quoted(shop, to=MOBILE)
    assert (found["allowed"], found["reason"], found["balance"]) == (False, "insufficient_balance", "0.3")


NO_NUMBERS: list[str | None] = [None, "", "hello", "12125550100"]


async def test_what_is_no_number_is_a_wrong_request(shop: Api, subtests: pytest.Subtests) -> None:
    """In the API's one shape."""
    for to in NO_NUMBERS:
        with subtests.test(str(to)[:80]):
            answer = await shop.client.get("/v1/rates/quote", params={} if to is None else {"to": to})
            assert answer.status_code == 400
            assert answer.json()["error"] == "Bad Request"


async def test_a_price_is_the_workspaces_own(shop: Api) -> None:
    """Another one has neither the number nor the wallet; without a key there is no answer."""
    answer = await shop.stranger.get("/v1/rates/quote", params={"to": MOBILE, "from": RENTED})
    assert answer.json()["allowed"] is False
    assert answer.json()["from"] is None
    async with shop.with_key("") as nobody:
        assert (await nobody.get("/v1/rates/quote", params={"to": MOBILE})).status_code == 401
