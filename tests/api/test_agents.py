"""Agents over HTTP: drafts, publishing, and numbers that are bound only together with it."""

from typing import Any

from gateway.api.shapes.agent import AgentBody, AgentChange
from gateway.store.configuration.fields import VERSION
from tests.api.conftest import Api
from tests.api.test_numbers import said

FIRST = {"name": "Sales", "runtime_url": "ws://127.0.0.1:9/calls", "dialect": "native"}


async def made(api: Api, **more: Any) -> dict[str, Any]:
    """A new agent."""
    found: dict[str, Any] = await said(api, "POST", "/v1/agents", 201, json={**FIRST, **more})
    return found


async def test_drafts_and_publishing(api: Api) -> None:
    """A new agent has a draft; publishing makes it live, and the next change begins another draft."""
    agent = await made(api)
    assert (agent["draft_version"], agent["latest_published_version"]) == (1, None)
    path = f"/v1/agents/{agent['id']}"
    changed = await said(api, "PATCH", path, 200, json={"ring_duration_sec": 20})
    assert changed["draft_version"] == 1
    version = await said(api, "POST", f"{path}/versions/1/publish", 200)
    assert (version["is_published"], version["ring_duration_sec"]) == (True, 20)
    await said(api, "POST", f"{path}/versions/1/publish", 409)
    await said(api, "POST", f"{path}/versions/9/publish", 404)
    changed = await said(api, "PATCH", path, 200, json={"name": "Desk", "ring_duration_sec": 30})
    assert (changed["name"], changed["draft_version"], changed["latest_published_version"]) == ("Desk", 2, 1)
    versions = await said(api, "GET", f"{path}/versions", 200)
    assert [(each["version_number"], each["ring_duration_sec"]) for each in versions] == [(1, 20), (2, 30)]
    await said(api, "DELETE", path, 204)
    await said(api, "GET", path, 404)


def test_every_field_of_a_version_is_described() -> None:
    """What an operator can give on the command line, a request can have too, and the description says so."""
    assert set(VERSION) <= set(AgentChange.model_fields)
    whole, change = AgentBody.model_json_schema()["properties"], AgentChange.model_json_schema()["properties"]
    assert whole["ring_duration_sec"]["default"] == 30
    assert not [name for name, field in change.items() if "default" in field]


async def test_secrets_are_not_shown(api: Api) -> None:
    """Of headers and secrets a version says only that they are set."""
    agent = await made(api, secret="hush-hush", headers={"Authorization": "Bearer hush-hush"})
    versions = await said(api, "GET", f"/v1/agents/{agent['id']}/versions", 200)
    assert (versions[0]["secret"], versions[0]["headers"]) == ("(set)", "(set)")
    assert "hush-hush" not in str(versions)


async def test_numbers_are_bound_with_publishing_only(api: Api) -> None:
    """Binding claims live routing only with is_published: true; an empty string detaches."""
    agent = await made(api)
    path = f"/v1/agents/{agent['id']}"
    bind = {"inbound_phone_number_id": "phn_test"}
    left = await said(api, "PATCH", path, 200, json=bind)
    assert left["inbound_phone_number_ids"] == []
    assert "is_published" in left["warnings"][0]
    bound = await said(api, "PATCH", path, 200, json={**bind, "is_published": True})
    assert (bound["inbound_phone_number_ids"], bound["warnings"]) == (["phn_test"], [])
    await said(api, "DELETE", path, 409)
    freed = await said(api, "PATCH", path, 200, json={"inbound_phone_number_id": "", "is_published": True})
    assert freed["inbound_phone_number_ids"] == []


async def test_what_is_wrong_changes_nothing(api: Api) -> None:
    """An unknown field, a number of nobody, a name that is taken: the whole request is undone."""
    agent = await made(api)
    path = f"/v1/agents/{agent['id']}"
    unknown = await said(api, "PATCH", path, 400, json={"name": "Other", "ring_duration": 3})
    assert "ring_duration_sec" in unknown["message"]
    await said(
        api,
        "PATCH",
        path,
        404,
        json={"name": "Other", "is_published": True, "inbound_phone_number_id": "phn_x"},
    )
    still = await said(api, "GET", path, 200)
    assert (still["name"], still["latest_published_version"]) == ("Sales", None)
    await said(api, "POST", "/v1/agents", 409, json=FIRST)
    await said(api, "POST", "/v1/agents", 400, json={})


async def test_strangers_find_nothing(api: Api) -> None:
    """Another workspace's agent is not found."""
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/versions")):
        answer = await api.stranger.request(method, f"/v1/agents/agent_test{path}", json={})
        assert answer.status_code == 404
    assert (await api.stranger.get("/v1/agents")).json()["total"] == 0
    await said(api, "GET", "/v1/agents/12", 400)
    assert (await said(api, "GET", "/v1/agents?limit=1", 200))["items"][0]["id"] == "agent_test"
