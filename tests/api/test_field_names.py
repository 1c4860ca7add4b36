"""Refusals name fields as the client wrote them; the reference's fields are taken, typing mistakes told."""

from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_numbers import shop  # noqa: F401  a fixture

NUMBERS = "/v1/organization-phone-numbers"
LINK = {"phoneNumber": "+12025550177", "terminationUri": "sip.example.com", "authMode": "ip"}


MISTAKES: list[tuple[str, str, Any, str]] = [
    ("POST", "/sip-trunks", {**LINK, "authMode": "userpass"}, "sipTrunkUserName"),
    ("POST", "/sip-trunks", {**LINK, "sipTrunkPassword": "x"}, "sipTrunkPassword"),
    ("POST", "/sip-trunks", {**LINK, "terminationUri": "sip:a"}, "terminationUri"),
    ("POST", "/sip-trunks", {**LINK, "authMode": 7}, "authMode"),
    ("POST", "/sip-trunks", {**LINK, "sources": [7]}, "sources.0"),
    ("POST", "/sip-trunks", {**LINK, "nickname": "x" * 65}, "nickname"),
    ("POST", "/purchase", {"phoneNumber": "+12025550110"}, "countryISO"),
    ("POST", "/purchase", {"phoneNumber": "+12025550110", "countryISO": "ZZ"}, "countryISO"),
    ("GET", "/plivo-numbers?country_iso=ZZ", None, "country_iso"),
    ("GET", "/readiness?country_iso=US&type=none", None, "type"),
    ("GET", "?limit=0", None, "limit"),
    ("PATCH", "/phn_test", {"inbound_split": [{"agent_version_id": "ver_1"}]}, "inbound_split.0.weight"),
]


async def test_fields_have_the_clients_names(shop: Api, subtests: pytest.Subtests) -> None:  # noqa: F811
    """In bodies, queries, lists and objects, whether the shape refuses or the rules behind it do."""
    for method, path, sent, field in MISTAKES:
        with subtests.test(str((method, path, sent, field))[:80]):
            answer = await shop.client.request(method, f"{NUMBERS}{path}", json=sent)
            assert answer.status_code == 400, answer.text
            assert answer.json()["problems"][0]["field"] == field
            assert "outbound_" not in answer.text


async def test_a_header_has_its_name(api: Api) -> None:
    """As it is written on the wire."""
    asked = {"phone_number": "+14155550100"}
    answer = await api.client.post("/v1/calls", json=asked, headers={"Idempotency-Key": "with space"})
    assert answer.json()["problems"][0]["field"] == "Idempotency-Key"


TYPED: list[tuple[str, Any, str]] = [
    ("/v1/calls", {"phone_number": "+14155550100", "metdata": {}}, "metadata"),
    (f"{NUMBERS}/purchase", {"phoneNumbr": "+12025550110", "countryISO": "US"}, "phoneNumber"),
    (f"{NUMBERS}/sip-trunks", {**LINK, "terminationUrl": "a"}, "terminationUri"),
    ("/v1/agents", {"name": "A", "runtime_ulr": "ws://a"}, "runtime_url"),
    ("/v1/user-webhooks", {"url": "https://a.example", "event": []}, "events"),
]


async def test_a_typing_mistake_gets_the_near_name(api: Api, subtests: pytest.Subtests) -> None:
    """A field that there is none of is never dropped in silence."""
    for path, sent, near in TYPED:
        with subtests.test(str((path, sent, near))[:80]):
            answer = await api.client.post(path, json=sent)
            assert answer.status_code == 400
            assert f"did you mean {near}?" in answer.text


async def test_the_references_fields_are_taken(api: Api) -> None:
    """How an agent talks is its runtime's affair: the answer says so, and keeps what is ours."""
    talking = {
        "voicemail_detection": True,
        "timezone": "Asia/Kolkata",
        "digit_limit": 4,
        "ring_duration_sec": 20,
    }
    made = await api.client.post(
        "/v1/agents", json={"name": "Ported", "runtime_url": "ws://127.0.0.1:9/native", **talking}
    )
    assert made.status_code == 201, made.text
    assert [warning.split()[0] for warning in made.json()["warnings"]] == [
        "digit_limit",
        "timezone",
        "voicemail_detection",
    ]
    asked = {"phone_number": "123", "agent_id": "agent_test", "metadata": {}, "retry": {"max_retries": 1}}
    assert (await api.client.post("/v1/calls", json=asked)).json()["problems"][0]["field"] == "phone_number"
