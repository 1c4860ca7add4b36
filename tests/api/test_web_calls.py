"""`POST /v1/web-calls`: the ticket, its record, and who gets none."""

from typing import Any

import pytest

from tests.api.conftest import Api


async def agent_of(api: Api) -> str:
    """The agent of the furnished house."""
    there = api.world.store.configuration
    agent = (await there.agents.list_all("org_test"))[0]
    return agent.id


async def test_a_ticket(api: Api) -> None:
    """A web call has a record from its beginning, is found by its type, and ends before anybody came."""
    agent_id = await agent_of(api)
    body = {"agent_id": agent_id, "metadata": {"page": "/pricing"}}
    answer = await api.client.post("/v1/web-calls", json=body)
    assert answer.status_code == 201, answer.text
    ticket = answer.json()
    port = api.world.gateway.http.port
    assert ticket["url"] == f"ws://127.0.0.1:{port}/v1/web-calls/{ticket['id']}/audio"
    assert (ticket["protocol"], len(ticket["token"]) >= 40) == ("trunkline.web.v1", True)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/v1/calls/{ticket['id']}"
    assert (await api.stranger.get(f"/v1/calls/{ticket['id']}")).status_code == 404
    ended = await api.client.delete(f"/v1/calls/{ticket['id']}")
    assert ended.status_code == 202
    await api.world.gateway.switchboard.quiet()
    await api.world.store.flush()
    call = (await api.client.get(f"/v1/calls/{ticket['id']}")).json()
    assert (call["type"], call["call_direction"], call["status"]) == ("web", "inbound", "cancelled")
    assert (call["price"], call["trunk_id"], call["number_id"]) == (None, None, None)
    assert call["metadata"] == {"page": "/pricing"}
    assert ticket["token"] not in str(call)
    by_type = {}
    for kind in ("web", "phone"):
        page = (await api.client.get("/v1/calls", params={"type": kind})).json()
        by_type[kind] = [one["id"] for one in page]
    assert by_type == {"web": [ticket["id"]], "phone": []}


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "agent_id is required"),
    ({"agent_id": "agent_nobody"}, 404, "Agent not found"),
    ({"agent_id": "", "agent_version_number": 9}, 404, "has no version 9"),
    ({"agent_id": "", "colour": "blue"}, 400, "is no field of this request"),
]
"An empty agent_id stands for the one that there is."


async def test_who_gets_none(api: Api, subtests: pytest.Subtests) -> None:
    """What is wrong is said, and nothing is recorded."""
    for body, status, said in MISTAKES:
        with subtests.test(str((body, status, said))[:80]):
            if body.get("agent_id") == "":
                body = {**body, "agent_id": await agent_of(api)}
            answer = await api.client.post("/v1/web-calls", json=body)
            assert answer.status_code == status, answer.text
            assert said in str(answer.json()["message"])
            assert (await api.client.get("/v1/calls")).json() == []


async def test_another_workspace(api: Api) -> None:
    """Somebody else's agent is not there."""
    body = {"agent_id": await agent_of(api)}
    assert (await api.stranger.post("/v1/web-calls", json=body)).status_code == 404
