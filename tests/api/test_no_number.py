"""What is no telephone number is 400 wherever one is taken, and the field is named as the client wrote it."""

from typing import Any

import pytest

from tests.api.carrier import Carrier
from tests.api.conftest import Api, furnish_out
from tests.api.test_numbers import shop  # noqa: F401  a fixture

NUMBERS = "/v1/organization-phone-numbers"
LINK = {"terminationUri": "sip.example.com", "authMode": "ip"}

FIELDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "phone_number": ("POST", "/v1/calls", {"json": {"phone_number": "{}", "from_number": "+442079460018"}}),
    "from_number": ("POST", "/v1/calls", {"json": {"phone_number": "+14155550100", "from_number": "{}"}}),
    "to": ("GET", "/v1/rates/quote", {"params": {"to": "{}"}}),
    "from": ("GET", "/v1/rates/quote", {"params": {"to": "+14155550100", "from": "{}"}}),
    "phoneNumber": ("POST", f"{NUMBERS}/purchase", {"json": {"phoneNumber": "{}", "countryISO": "US"}}),
    "phoneNumber ": ("POST", f"{NUMBERS}/sip-trunks", {"json": {"phoneNumber": "{}", **LINK}}),
    "phoneNumber  ": ("POST", f"{NUMBERS}/sip-trunks/test", {"json": {"phoneNumber": "{}", **LINK}}),
    "inbound_phone_number_id": (
        "PATCH",
        "/v1/agents/agent_test",
        {"json": {"inbound_phone_number_id": "{}", "is_published": True}},
    ),
    "outbound_phone_number_id": (
        "PATCH",
        "/v1/agents/agent_test",
        {"json": {"outbound_phone_number_id": "{}", "is_published": True}},
    ),
    "id": ("GET", f"{NUMBERS}/{{}}", {}),
}
"Every place that takes a number, or what names one."
NO_NUMBERS = (
    "123",
    "+123",
    "112",
    "sales",
    "+1415555",
    "+1 415 555 O100",
    "00",
    "*31#",
    "+",
    "12345678901234567890",
)


async def test_what_is_no_number(shop: Api, carrier: Carrier, subtests: pytest.Subtests) -> None:  # noqa: F811
    """400 with the field's name, whatever was written, and never 404, 409 or 500."""
    await furnish_out(shop.world, carrier)
    for name in FIELDS:
        with subtests.test(str(name)[:80]):
            method, path, more = FIELDS[name]
            for given in NO_NUMBERS:
                if name == "id" and given in ("*31#", "+"):
                    continue  # that is another path
                sent: dict[str, Any] = {
                    kind: {key: given if value == "{}" else value for key, value in fields.items()}
                    for kind, fields in more.items()
                }
                answer = await shop.client.request(method, path.replace("{}", given), **sent)
                assert answer.status_code == 400, (given, answer.text)
                assert [problem["field"] for problem in answer.json()["problems"]] == [name.strip()], given


async def test_what_is_pasted_is_cleaned_or_named(shop: Api, carrier: Carrier) -> None:  # noqa: F811
    """A call, a purchase and a search take what came along with a number; a letter O is named."""
    await furnish_out(shop.world, carrier)
    pasted = "\u202a+1\u00a0415\u2011555\u20110100\u202c"
    asked = {"phone_number": pasted, "from_number": "\ufeff+44\u00a020\u20137946\u20130018"}
    placed = await shop.client.post("/v1/calls", json=asked)
    assert placed.status_code == 201, placed.text
    assert placed.json()["to_phone_number"] == "+14155550100"
    order = {"phoneNumber": "+1202555\uff10\uff11\uff11\uff10\u200b", "countryISO": "US"}
    bought = await shop.client.post(f"{NUMBERS}/purchase", json=order)
    assert (bought.status_code, bought.json()["phoneNumber"]) == (201, "+12025550110")
    for path in (f"{NUMBERS}?search=\u200e555\u20110110", "/v1/calls?to=\u202a%2B14155550100\u202c"):
        found = (await shop.client.get(path)).json()
        assert len(found if isinstance(found, list) else found["items"]) == 1, path
    named = await shop.client.post(f"{NUMBERS}/purchase", json={**order, "phoneNumber": "+1202555O110"})
    assert "LATIN CAPITAL LETTER O (U+004F), perhaps for 0" in named.json()["message"]
    assert "did you mean +12025550110?" in named.json()["message"]
    named = await shop.client.post("/v1/calls", json={**asked, "phone_number": "+1415555\u043e100"})
    assert "CYRILLIC SMALL LETTER O (U+043E), perhaps for 0" in named.json()["message"]
