"""Numbers over HTTP: the reference's paths, fields, pages, refusals; nobody sees another workspace's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.routing.table import NetworkGroup
from tests.api.conftest import NUMBER, Api, furnished, opened
from tests.call.conftest import Build
from tests.provisioning.sip_peer import Carrier, carrier_on

NUMBERS = "/v1/organization-phone-numbers"


@pytest.fixture
async def shop(build: Build) -> AsyncIterator[Api]:
    """The API of a gateway that sells simulated numbers, to a workspace whose KYC is verified."""
    world = await furnished(
        build,
        PROVISIONING__PROVIDER="simulated",
        PROVISIONING__PRICES='{"US": "300", "GB": "400.5"}',
        PROVISIONING__TRIAL_SECONDS=1,
    )
    await world.store.configuration.workspaces.change("org_test", {"kyc_verified": True}, "test")
    async for made in opened(world):
        yield made


async def said(api: Api, method: str, path: str, status: int, **what: Any) -> Any:
    """What the gateway says, with the status that is expected."""
    answer = await api.client.request(method, path, **what)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_search_buy_change_and_give_back(shop: Api) -> None:
    """A number's whole life over HTTP."""
    found = await said(shop, "GET", f"{NUMBERS}/plivo-numbers?country_iso=US&type=local", 200)
    offer = found["objects"][0]
    assert offer["number"] == "12025550110"
    assert {"monthly_rental_rate", "setup_rate", "voice_enabled", "sms_enabled", "mms_enabled"} <= set(offer)
    assert found["meta"]["total_count"] == 140
    order = {"phoneNumber": "+12025550110", "telephonyProviderId": "simulated", "countryISO": "US"}
    bought = await said(shop, "POST", f"{NUMBERS}/purchase", 201, json=order)
    assert (bought["phoneNumber"], bought["status"]) == ("+12025550110", "active")
    number = bought["organizationPhoneNumber"]
    assert (number["provider"], number["country_code"], number["calling_code"]) == ("simulated", "US", "1")
    again = await said(shop, "POST", f"{NUMBERS}/purchase", 200, json=order)
    assert again["organizationPhoneNumber"]["id"] == number["id"]
    path = f"{NUMBERS}/{number['id']}"
    change = {"agent_id": "agent_test", "nickname": "Sales"}
    changed = await said(shop, "PATCH", path, 200, json=change)
    assert changed["inbound_agent_version"]["agent_id"] == "agent_test"
    assert (changed["nickname"], changed["outbound_agent_version"]) == ("Sales", None)
    assert (await said(shop, "PATCH", path, 200, json={"agent_id": None}))["inbound_agent_version"] is None
    assert (await said(shop, "GET", path, 200))["nickname"] == "Sales"
    await said(shop, "DELETE", path, 200)
    assert (await said(shop, "GET", path, 404))["message"] == "Phone number not found"


async def test_pages(shop: Api) -> None:
    """`limit` and `page`, and the total of all pages; a search narrows them."""
    for digit in range(3):
        order = {"phoneNumber": f"+1202555011{digit}", "countryISO": "US"}
        await said(shop, "POST", f"{NUMBERS}/purchase", 201, json=order)
    first = await said(shop, "GET", f"{NUMBERS}?limit=3", 200)
    second = await said(shop, "GET", f"{NUMBERS}?limit=3&page=2", 200)
    assert (first["total"], len(first["items"]), len(second["items"])) == (4, 3, 1)
    assert (second["page"], second["limit"]) == (2, 3)
    assert (await said(shop, "GET", f"{NUMBERS}?search=0111", 200))["total"] == 1
    await said(shop, "GET", f"{NUMBERS}?limit=0", 400)


async def test_refusals_of_a_purchase(shop: Api) -> None:
    """400, 403, 409 as the reference has them."""
    missing = await said(shop, "GET", f"{NUMBERS}/plivo-numbers", 400)
    assert missing["message"] == "country_iso is required"
    path = f"{NUMBERS}/purchase"
    off = await said(shop, "POST", path, 400, json={"phoneNumber": "+61491570006", "countryISO": "AU"})
    assert "cannot be bought here" in off["message"]
    await said(shop, "POST", path, 400, json={"phoneNumber": "12", "countryISO": "US"})
    taken = await said(shop, "POST", path, 409, json={"phoneNumber": NUMBER, "countryISO": "GB"})
    assert taken["message"] == "Phone number already registered"
    there = shop.world.store.configuration
    await there.workspaces.change("org_test", {"kyc_verified": False}, "test")
    kyc = await said(shop, "POST", path, 403, json={"phoneNumber": "+12025550110", "countryISO": "US"})
    assert kyc["message"].startswith("KYC is not verified")


async def test_without_a_provider(api: Api) -> None:
    """A gateway that sells nothing says which key of the configuration would change that."""
    said_no = await said(api, "GET", f"{NUMBERS}/plivo-numbers?country_iso=US", 400)
    assert "[provisioning] provider" in said_no["message"]


async def test_readiness(shop: Api) -> None:
    """What a country asks for, and the price, before anything is bought."""
    ready = await said(shop, "GET", f"{NUMBERS}/readiness?country_iso=GB&type=local", 200)
    assert (ready["can_buy"], ready["monthly_price"]) == (True, "400.5")
    assert ready["requirements"][0]["name"] == "Address in the United Kingdom"


async def test_a_word_in_the_place_of_an_id_has_its_own_methods(shop: Api) -> None:
    """What is asked of a number cannot be asked of `purchase`, and `Allow` says what can."""
    for path, allowed in (
        ("purchase", "POST"),
        ("carrier-setup", "GET, HEAD"),
        ("phn_test", "DELETE, GET, HEAD, PATCH"),
    ):
        answer = await shop.client.put(f"{NUMBERS}/{path}", json={})
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert (await shop.client.patch(f"{NUMBERS}/purchase", json={})).status_code == 405


async def test_strangers_find_nothing(shop: Api) -> None:
    """Another workspace's number is not found, by no verb; an id of no shape is a 400."""
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/checklist"),
        ("POST", "/trunk-test"),
    ):
        answer = await shop.stranger.request(method, f"{NUMBERS}/phn_test{path}", json={})
        assert answer.status_code == 404, (method, path)
    listed = await shop.stranger.get(NUMBERS)
    assert listed.json() == {"items": [], "total": 0, "page": 1, "limit": 20}
    wrong = await said(shop, "GET", f"{NUMBERS}/12", 400)
    assert wrong["message"] == "Invalid phone number ID format"
    assert (await shop.client.get(NUMBERS, headers={"Authorization": ""})).status_code == 401


async def test_default_numbers_stay(shop: Api) -> None:
    """409 names why."""
    await said(shop, "PATCH", f"{NUMBERS}/phn_test", 200, json={"is_default": True})
    kept = await said(shop, "DELETE", f"{NUMBERS}/phn_test", 409)
    assert "default" in kept["message"]


async def test_linking_over_http(shop: Api) -> None:
    """A wrong password is a 502 with the steps; the right one a number whose password nobody sees again."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        link = {
            "phoneNumber": "+442079460099",
            "terminationUri": carrier.uri,
            "sipTrunkUserName": "acme",
            "sipTrunkPassword": "wrong",
        }
        path = f"{NUMBERS}/sip-trunks"
        failed = await said(shop, "POST", path, 502, json=link)
        assert (failed["message"], failed["error"]) == ("SIP trunk registration failed", "Bad Gateway")
        assert [step["outcome"] for step in failed["report"]["steps"]] == ["pass", "pass", "pass", "fail"]
        tried = await said(shop, "POST", f"{path}/test", 200, json={**link, "sipTrunkPassword": "secret-1"})
        assert tried["proven"]
        linked = await said(shop, "POST", path, 201, json={**link, "sipTrunkPassword": "secret-1"})
        assert (linked["provider"], linked["status"], linked["country_code"]) == ("sip_trunk", "active", "GB")
        assert "secret-1" not in str(linked)
        again = await said(shop, "POST", path, 409, json=link)
        assert again["message"] == "Phone number already registered"
        test = await said(shop, "POST", f"{NUMBERS}/{linked['id']}/trunk-test", 200)
        assert test["passed"]
    for body, message in (
        (
            {**link, "sipTrunkPassword": None},
            "sipTrunkUserName and sipTrunkPassword are required when authMode=userpass",
        ),
        (
            {**link, "authMode": "ip"},
            "sipTrunkUserName and sipTrunkPassword are not allowed when authMode=ip",
        ),
    ):
        fresh = {**body, "phoneNumber": "+442079460098"}
        assert (await said(shop, "POST", path, 400, json=fresh))["message"] == message


async def test_the_carriers_side(shop: Api) -> None:
    """What a carrier has to set follows from the configuration; the flat rate stands beside it."""
    side = await said(shop, "GET", f"{NUMBERS}/carrier-setup", 200)
    assert side["codecs"] == ["PCMU", "PCMA"]
    assert side["signalling"][0]["inbound_uri"].startswith("sip:+E164@127.0.0.1:")
    (warning,) = side["warnings"]
    assert (
        warning
        == "127.0.0.1 is this machine only, so no carrier can reach it: the gateway needs another address"
    )
    assert side["flat_rate"]["currency"] == "INR"


async def test_the_checklist(shop: Api) -> None:
    """Seven steps, each done or with what mends it."""
    items = await said(shop, "GET", f"{NUMBERS}/phn_test/checklist", 200)
    assert [(item["key"], item["done"]) for item in items] == [
        ("active", True),
        ("readiness", True),
        ("versions", False),
        ("telephony", False),
        ("trunk", False),
        ("inbound_test", False),
        ("outbound_test", False),
    ]
    assert all(item["mend"] for item in items if not item["done"])


async def test_countries_and_prices(shop: Api) -> None:
    """Every country; the enabled ones with prefixes behind the calling code; prices with four places."""
    countries = await said(shop, "GET", "/v1/phone-country-rules/countries", 200)
    india = next(country for country in countries if country["country_iso"] == "IN")
    assert (india["calling_code"], india["is_deleted"]) == ("91", False)
    groups = (
        NetworkGroup("IN", "Mobile", ("98",)),
        NetworkGroup("IN", "More", ("99", "98")),
        NetworkGroup("US", "All"),
        NetworkGroup("GB", "Off", enabled=False),
    )
    there = shop.world.store.configuration
    await there.workspaces.change("org_test", {"network_groups": groups}, "test")
    rules = await said(shop, "GET", "/v1/phone-country-rules/enabled-network-groups", 200)
    assert [(rule["countryRule"]["country_iso"], rule["countryRule"]["prefixes"]) for rule in rules] == [
        ("IN", ["98", "99"]),
        ("US", []),
    ]
    assert {rule["prefix_mode"] for rule in rules} == {"allow_only_listed"}
    prices = await said(shop, "GET", "/v1/phone-number-pricing", 200)
    assert [(price["country_iso"], price["credit_cost"]) for price in prices] == [
        ("GB", "400.5000"),
        ("US", "300.0000"),
    ]
