"""Calls that a workflow asks for: known as such wherever calls are shown; their numbers stay for a day."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.api.shapes.call_request import CallBody
from gateway.call.record import utc_now
from gateway.events.webhook_bodies import EVENTS, Told, body_of
from gateway.store.records.calls import CallRow, Category
from tests.api.carrier import Carrier
from tests.api.conftest import Api
from tests.api.test_calls import ASKED, place

OURS: dict[str, Any] = {"category": "workflow", "category_id": "wf_7:lead/3"}


async def test_a_workflows_call_is_known_as_such(out: Api, carrier: Carrier) -> None:
    """By its answer, its record and the lists' filters; a single call has neither."""
    made = await place(out, **OURS)
    single = await place(out)
    assert (made["category"], made["category_id"]) == ("workflow", "wf_7:lead/3")
    assert (single["category"], single["category_id"]) == (None, None)
    await out.world.store.flush()

    async def found(**query: str) -> list[str]:
        answer = await out.client.get("/v1/calls", params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()]

    for query in (
        {"category": "workflow"},
        {"category": "workflow,batch"},
        {"category_id": "wf_7:lead/3,wf_8"},
        OURS,
    ):
        assert await found(**query) == [made["id"]]
    assert await found(category="batch") == await found(category_id="wf_8") == []
    answer = await out.client.get(
        "/v1/calls", params={"export": "true", "columns": "id,category,category_id"}
    )
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[1:] == [[single["id"], "", ""], [made["id"], "workflow", "wf_7:lead/3"]]
    assert (await out.client.get("/v1/calls", params={"category": "campaign"})).status_code == 400


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"category": "campaign"}, "category"),
    ({"category": "batch"}, "category"),
    ({"category": "Workflow"}, "category"),
    ({"category": ""}, "category"),
    ({"category": 7}, "category"),
    ({"category_id": "wf_7"}, "category_id"),
    ({"category": "workflow", "category_id": ""}, "category_id"),
    ({"category": "workflow", "category_id": "a,b"}, "category_id"),
    ({"category": "workflow", "category_id": "a b"}, "category_id"),
    ({"category": "workflow", "category_id": "x" * 129}, "category_id"),
]


async def test_other_categories_are_refused_by_name(out: Api, subtests: pytest.Subtests) -> None:
    """With the list of those that there are; an id needs its category."""
    for fields, field in WRONG:
        with subtests.test(str(fields)):
            answer = await out.client.post("/v1/calls", json=ASKED | fields)
            assert answer.status_code == 400
            (problem,) = answer.json()["problems"]
            assert problem["field"] == field
            if field == "category" and isinstance(fields["category"], str):
                assert "there are batch and workflow" in problem["expected"]


async def test_its_number_is_kept_for_a_day(out: Api, carrier: Carrier) -> None:
    """409 names the call; a day later, and after a single call, the number may go."""
    call = await place(out, **OURS)
    await out.client.delete(f"/v1/calls/{call['id']}")
    await out.world.gateway.switchboard.quiet()
    await out.world.store.flush()
    answer = await out.client.delete("/v1/organization-phone-numbers/phn_test")
    assert answer.status_code == 409
    assert f"is used by workflow call {call['id']} (until " in str(answer.json()["message"])
    store = out.world.store
    assert await store.newest_call("phn_test", Category.WORKFLOW, utc_now()) is None
    row = await store.get_call(call["id"])
    assert row is not None
    store.save_call(_yesterdays(row))
    await store.flush()
    assert (await out.client.delete("/v1/organization-phone-numbers/phn_test")).status_code == 200


def _yesterdays(row: CallRow) -> CallRow:
    fields = {name: getattr(row, name) for name in CallRow.__slots__}
    return CallRow(**{**fields, "created_at": row.created_at - timedelta(days=1, seconds=1)})


@pytest.mark.parametrize("event", EVENTS)
def test_webhooks_say_it(event: str) -> None:
    """In both shapes."""
    row = CallRow("call_1", "outbound", "completed", utc_now(), **OURS)
    said = json.loads(body_of(event, Told(row, None, None)))
    call = said.get("payload", {}).get("call", said)
    assert {name: call[name] for name in OURS} == OURS


def test_requests_of_before_keep_their_keys() -> None:
    """A request without a category has the bytes that it had: under its key it is still the same."""
    asked = {"phone_number": "+14155550100"}
    assert b"category" not in CallBody.model_validate(asked).canonical()
    assert b'"category":"workflow"' in CallBody.model_validate(asked | OURS).canonical()
