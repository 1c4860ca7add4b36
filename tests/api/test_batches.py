"""Batches by HTTP: made, refused in the reference's words, listed, paused, resumed, cancelled, called."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from gateway.api.shapes.batch import BatchCalls, BatchItem, RecipientPage
from gateway.api.shapes.batch_answers import BatchChanged, BatchCreated
from gateway.api.shapes.batch_report import BatchReport
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import requests
from tests.api.carrier import Carrier
from tests.api.conftest import NUMBER, Api, furnish_out, furnished, opened
from tests.call.conftest import Build
from tests.call.phone import until
from tests.hook_receiver import receiving

PATH = "/v1/batch-calls"
NOBODY = "batch_01m85m1gbt83exwnbdjt8m8z3n"
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()
FAR = (datetime.now(UTC) + timedelta(days=9)).isoformat()
GOOD = b"phone_number,name\n+14155550100,Ada\n+14155550101,Bob\n"
MIXED = GOOD + b"12,Short\n+14155550100,Twice\n,Nobody\n+19005550100,Premium\n"


async def post(api: Api, content: bytes = GOOD, path: str = "", **fields: Any) -> httpx2.Response:
    """Send a file with fields; a batch of tomorrow, unless they say otherwise."""
    given = {"title": "Spring", "agent_id": "agent_test", "starts_at": LATER} | fields
    key = {"Idempotency-Key": given.pop("key")} if "key" in given else {}
    name = given.pop("name", "people.csv")
    data = {field: value for field, value in given.items() if value is not None}
    return await api.client.post(f"{PATH}{path}", data=data, files={"file": (name, content)}, headers=key)


async def make(api: Api, content: bytes = GOOD, **fields: Any) -> dict[str, Any]:
    """A batch that is made."""
    answer = await post(api, content, **fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def standing(api: Api, batch_id: str) -> dict[str, Any]:
    """A batch as it stands."""
    found: dict[str, Any] = (await api.client.get(f"{PATH}/{batch_id}")).json()["batch"]
    return found


async def until_status(api: Api, batch_id: str, status: str) -> dict[str, Any]:
    """The batch once it stands there."""
    await until(lambda: [one for one in api.world.told(f"batch.{status}") if one.batch_id == batch_id], 20)
    return await standing(api, batch_id)


async def nothing(api: Api) -> bool:
    """Whether there is no batch, and no file left on the disk."""
    listed = (await api.client.get(PATH)).json()
    left = [*api.world.gateway.config.upload_folder.glob("*")]
    return listed == {"items": [], "total": 0, "page": 1, "limit": 20} and not left


async def test_made_listed_and_shown(out: Api) -> None:
    """The reference's fields, in each of its shapes; a page of calls and the recipients beside."""
    answer = await post(out, from_number=NUMBER, retry_max="2", calling_hours_days="1-5")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    BatchCreated.model_validate(made, extra="forbid")
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert {name: made[name] for name in ("title", "total_records", "status", "from_number")} == {
        "title": "Spring",
        "total_records": 2,
        "status": "initiated",
        "from_number": NUMBER,
    }
    listed = (await out.client.get(PATH, params={"status": "scheduled,running"})).json()
    assert (listed["total"], listed["page"], listed["limit"]) == (1, 1, 20)
    (item,) = listed["items"]
    BatchItem.model_validate(item, extra="forbid")
    assert item == made["batch"]
    assert (item["status"], item["total_lead_count"], item["sent_lead_count"]) == ("scheduled", 2, 0)
    assert [(stage["depth"], stage["attempted"]) for stage in item["attempt_stages"]] == [
        (0, 0),
        (1, 0),
        (2, 0),
    ]
    assert (item["number_of_retries"], item["first_retry_count"], item["fourth_retry_count"]) == (0, 0, 0)
    assert item["calling_hours_days"] == [1, 2, 3, 4, 5]
    detail = (await out.client.get(f"{PATH}/{made['id']}")).json()
    BatchCalls.model_validate(detail, extra="forbid")
    assert detail == {"callLogs": [], "total": 0, "page": 1, "limit": 20, "totalPages": 0, "batch": item}
    people = (await out.client.get(f"{PATH}/{made['id']}/recipients")).json()
    RecipientPage.model_validate(people, extra="forbid")
    assert [(one["position"], one["phone_number"], one["variables"]) for one in people["items"]] == [
        (2, "+14155550100", {"name": "Ada"}),
        (3, "+14155550101", {"name": "Bob"}),
    ]
    assert (await out.client.get(PATH, params={"status": "active"})).json()["total"] == 0
    begun = await out.client.get(PATH, params={"status": "begun"})
    assert (begun.status_code, "should be any of draft, " in begun.json()["message"]) == (400, True)


async def test_rows_that_fail_are_grouped_and_nothing_is_made(out: Api) -> None:
    """400 with the groups; with `skip_invalid_rows` the good rows are called, and the others are a file."""
    refused = await post(out, MIXED)
    said = refused.json()
    assert (refused.status_code, said["reason"]) == (400, "rows_failed")
    assert (said["total_records"], said["valid_records"], said["failed_records"]) == (6, 2, 4)
    groups = {group["reason"]: group for group in said["groups"]}
    assert groups["duplicate"]["rows"] == [5]
    assert groups["no_phone_number"]["title"] == "No phone number"
    assert groups["premium_number"]["samples"][0]["phone_number"] == "+19005550100"
    assert all(group["mend"] for group in said["groups"])
    assert said["message"].startswith("4 of 6 rows cannot be called: 1 ")
    assert await nothing(out)
    checked = await post(out, MIXED, "/validate")
    assert checked.status_code == 200
    report = checked.json()
    BatchReport.model_validate(report, extra="forbid")
    assert report["groups"] == said["groups"]
    assert report["preview"][0]["variables"] == {"name": "Ada"}
    assert await nothing(out)
    wrong = await post(out, MIXED, "/validate?format=csv")
    made = await make(out, MIXED, skip_invalid_rows="true")
    assert (made["total_records"], made["failed_records"]) == (2, 4)
    kept = await out.client.get(f"{PATH}/{made['id']}/errors.csv")
    assert kept.headers["content-type"] == "text/csv; charset=utf-8"
    assert kept.headers["content-disposition"].startswith('attachment; filename="Spring-errors.csv"')
    assert kept.text == wrong.text
    rows = [*csv.DictReader(io.StringIO(kept.text))]
    assert [*rows[0]] == ["position", "phone_number", "failed_parsing_reason"]
    assert [row["position"] for row in rows] == ["4", "5", "6", "7"]
    one = await out.client.get(f"{PATH}/{made['id']}/errors.csv", params={"reason": "duplicate"})
    assert [row["position"] for row in csv.DictReader(io.StringIO(one.text))] == ["5"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (
        {"content": b"name,mobile\nAda,+14155550100\n"},
        400,
        "The uploaded file must include a phone_number column",
    ),
    ({"content": b"%PDF-1.7\n\x00\x01"}, 400, "File must be a CSV or Excel file (.csv, .xlsx, .xls)"),
    ({"content": b"phone_number\n12\n,\n13\n"}, 400, "No valid phone numbers found in CSV"),
    ({"title": "x" * 42}, 400, "title must be 35 characters or fewer (received 42)."),
    (
        {"agent_version_number": "2"},
        400,
        "Version 2 of agent agent_test is a draft. Publish it before starting a batch call.",
    ),
    ({"agent_version_number": "9"}, 404, "Agent agent_test has no version 9. Published versions: 1."),
    ({"agent_id": "agent_other"}, 404, "Agent"),
    ({"default_country": "XX"}, 400, "default_country = XX: should be the two letters of a country"),
    ({"default_country": "India"}, 400, "default_country = India: should be the two letters of a country"),
]


async def test_refusals_have_the_references_words(out: Api, subtests: pytest.Subtests) -> None:
    """Each with its status; nothing is made, and nothing stays on the disk."""
    await out.world.store.configuration.agents.draft("agent_test", {}, "test")
    for change, status, text in REFUSED:
        for path in ("", "/validate"):
            with subtests.test(f"{path} {text}"):
                answer = await post(out, **{"path": path, **change})
                if path == "/validate" and text.startswith("No valid"):
                    assert answer.json()["valid_records"] == 0
                    continue
                assert (answer.status_code, answer.json()["message"][: len(text)]) == (status, text)
    assert await nothing(out)


async def test_a_version_without_a_number(api: Api) -> None:
    """It has nobody to call from: 400, which names the version."""
    answer = await post(api)
    assert answer.status_code == 400
    assert answer.json()["message"] == "No outbound phone number is assigned to agent agent_test"


async def test_destinations_that_are_not_enabled(out: Api) -> None:
    """Where all rows fail for that it is 403 as for a single call, with the groups."""
    there = out.world.store.configuration
    await there.workspaces.change("org_test", {"sip_byoc_enabled": False}, "test")
    await there.numbers.change("phn_test", {"sip_trunk_enabled": False}, "test")
    await out.world.store.refresh()
    answer = await post(out)
    said = answer.json()
    assert (answer.status_code, said["message"]) == (
        403,
        "Destination country or network prefix is not enabled for this workspace",
    )
    assert said["groups"][0]["count"] == 2


async def test_a_key_makes_one_batch(out: Api) -> None:
    """The same again gives the same batch; another file or field is 409; a refusal leaves the key free."""
    assert (await post(out, MIXED, key="spring-1")).status_code == 400
    first = await post(out, key="spring-1")
    again = await post(out, key="spring-1", name="renamed.csv")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert (await post(out, GOOD + b"+14155550102,Cy\n", key="spring-1")).status_code == 409
    assert (await post(out, key="spring-1", retry_max="1")).status_code == 409
    both = await asyncio.gather(*(post(out, key="summer", title="Summer") for _ in range(3)))
    assert sorted(answer.status_code for answer in both) == [200, 200, 201]
    assert len({answer.json()["id"] for answer in both}) == 1
    assert (await out.client.get(PATH)).json()["total"] == 2
    assert (await post(out, key="with space")).json()["problems"][0]["field"] == "Idempotency-Key"


async def left_by_a_kill(api: Api, key: str, **fields: object) -> None:
    """Have a request under a key stand as a gateway that was killed has left it."""
    past = datetime.fromtimestamp(0, UTC)
    given = {"done": False, "holder": "dead", "held_at": past, **fields}
    async with api.world.gateway.store.requests.database.writing() as connection:
        await connection.execute(requests.update().where(requests.c.key == key).values(**given))


async def test_a_key_outlives_a_kill(out: Api) -> None:
    """Killed before the key was marked, its batch is found; killed before that, it is made under its id."""
    first = await make(out, key="spring-1")
    await left_by_a_kill(out, "spring-1")
    again = await post(out, key="spring-1")
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    promised = new_id("batch")
    await left_by_a_kill(out, "spring-1", call_id=promised)
    assert (await make(out, key="spring-1"))["id"] == promised
    assert (await post(out, key="spring-1")).status_code == 200
    assert (await out.client.get(PATH)).json()["total"] == 2


async def test_actions_and_their_counts(out: Api, subtests: pytest.Subtests) -> None:
    """Pause, resume, cancel with the reference's answers; each refusal says why and what instead."""
    made = await make(out)
    path = f"{PATH}/{made['id']}/status"
    for action, done, status in (
        ("pause", "paused", "paused"),
        ("resume", "resumed", "scheduled"),
        ("cancel", "cancelled", "cancelled"),
    ):
        with subtests.test(action):
            answer = await out.client.patch(path, json={"action": action})
            said = answer.json()
            assert answer.status_code == 200, said
            BatchChanged.model_validate(said, extra="forbid")
            assert said["success"] is True
            assert said["message"] == f"Campaign {done} successfully"
            assert said["campaign"] == {"id": made["id"], "status": status, "title": "Spring"}
    assert said["affectedCalls"]["removedFromQueue"] == 2
    for wrong in ({"action": "stop"}, {"action": "start"}, {}, {"action": None}, {"action": 7}):
        with subtests.test(str(wrong)):
            answer = await out.client.patch(path, json=wrong)
            assert answer.status_code == 400
            assert answer.json()["message"] == "Invalid action. Must be one of: pause, resume, cancel"
    late = await out.client.patch(path, json={"action": "resume"})
    assert late.status_code == 400
    assert late.json()["message"].startswith("Batch call cannot be resumed: it is cancelled")
    typed = await out.client.patch(path, json={"acton": "pause"})
    assert "did you mean action?" in typed.text


async def test_a_draft_is_started_or_deleted(out: Api) -> None:
    """It does not begin by itself; only a draft can be deleted."""
    made = await make(out, draft="true")
    path = f"{PATH}/{made['id']}"
    assert (made["status"], made["batch"]["status"]) == ("draft", "draft")
    started = await out.client.post(f"{path}/start")
    assert started.json()["message"] == "Campaign started successfully"
    assert started.json()["campaign"]["status"] == "scheduled"
    assert (await out.client.delete(path)).status_code == 400
    other = await make(out, draft="true", title="Other")
    assert (await out.client.delete(f"{PATH}/{other['id']}")).status_code == 204
    assert (await standing(out, made["id"]))["status"] == "scheduled"


async def test_a_draft_is_changed(out: Api) -> None:
    """What is said changes, null is as if never said, the rest stays; what runs is not changed."""
    wish: dict[str, Any] = {
        "retry_max": "2",
        "calling_hours_start": "09:00",
        "calling_hours_end": "18:00",
        "ends_at": FAR,
    }
    made = await make(out, draft="true", **wish)
    path = f"{PATH}/{made['id']}"
    same = await out.client.patch(path, json={})
    assert (same.status_code, same.json()) == (200, made["batch"])
    said = {
        "title": "Summer",
        "retry_max": 3,
        "retry_growth": 2,
        "calling_hours_days": [1, 2],
        "ends_at": None,
    }
    changed = (await out.client.patch(path, json={**said, "starts_at": None})).json()
    assert {name: changed[name] for name in said} == said
    assert (changed["starts_at"], changed["calling_hours_start"]) == (None, "09:00")
    free = dict.fromkeys(("calling_hours_start", "calling_hours_end", "calling_hours_days"))
    assert (await out.client.patch(path, json=free)).json()["calling_hours_days"] is None
    for wrong, field in (
        ({"retry_max": 9}, "retry_max"),
        ({"retry_max": "2"}, "retry_max"),
        ({"title": "x" * 36}, "title"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"titel": "x"}, "titel"),
        ({"file": "x"}, "file"),
    ):
        refused = await out.client.patch(path, json=wrong)
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (400, field)
    assert (await out.stranger.patch(path, json={})).status_code == 404
    assert (await standing(out, made["id"]))["title"] == "Summer"
    await out.client.patch(path, json={"starts_at": LATER})
    await out.client.post(f"{path}/start")
    await out.client.patch(f"{path}/status", json={"action": "cancel"})
    late = await out.client.patch(path, json={"title": "Late"})
    assert (late.status_code, "it is cancelled" in late.json()["message"]) == (400, True)


async def test_a_warning_names_the_others(out: Api) -> None:
    """Batches run one at a time: whoever makes one hears of those that are there, and it is made."""
    assert "warning" not in await make(out, title="First")
    warning = (await make(out, title="Second"))["warning"]
    assert warning["message"]
    (other,) = warning["conflicts"]
    assert {name: other[name] for name in ("kind", "batch_name", "processed_leads", "total_leads")} == {
        "kind": "scheduled",
        "batch_name": "First",
        "processed_leads": 0,
        "total_leads": 2,
    }
    assert other["starts_at"] is not None


async def test_what_is_not_there(out: Api, subtests: pytest.Subtests) -> None:
    """An id that is none is 400, one that is nobody's or another's 404, on every route."""
    made = await make(out)
    routes = [("GET", ""), ("GET", "/recipients"), ("GET", "/errors.csv"), ("GET", "/results.csv")]
    routes += [("PATCH", "/status"), ("POST", "/start"), ("DELETE", "")]
    for method, rest in routes:
        sent: dict[str, Any] = {"json": {"action": "pause"}} if method == "PATCH" else {}
        with subtests.test(f"{method} {rest}"):
            wrong = await out.client.request(method, f"{PATH}/call_1{rest}", **sent)
            assert (wrong.status_code, wrong.json()["message"]) == (400, "Invalid batch call ID format")
            for client, batch_id in ((out.client, NOBODY), (out.stranger, made["id"])):
                none = await client.request(method, f"{PATH}/{batch_id}{rest}", **sent)
                assert (none.status_code, none.json()["message"]) == (404, "Batch call not found")
    assert (await out.stranger.get(PATH)).json()["total"] == 0
    theirs = {"title": "T", "agent_id": "agent_test"}
    made_by_them = await out.stranger.post(PATH, data=theirs, files={"file": ("a.csv", GOOD)})
    assert made_by_them.status_code == 404
    assert (await out.stranger.get(f"{PATH}/template?agent_id=agent_test")).status_code == 404
    assert (await standing(out, made["id"]))["status"] == "scheduled"


async def test_a_template_has_the_versions_parameters(out: Api) -> None:
    """The number's column, then the parameters."""
    version = await out.world.version(parameters=(("plan", "basic"), ("name", "")))
    answer = await out.client.get(f"{PATH}/template", params={"agent_id": version.agent_id})
    assert answer.text == "phone_number,plan,name\r\n"
    none = await out.client.get(
        f"{PATH}/template", params={"agent_id": version.agent_id, "agent_version_number": 9}
    )
    assert none.status_code == 404


async def test_a_batch_is_called_and_read_back(out: Api, carrier: Carrier) -> None:
    """Its calls by the filters of all calls, in the reference's shape; what came of each as a file."""
    carrier.final = 486
    made = await make(out, starts_at=None)
    batch = await until_status(out, made["id"], "completed")
    assert (batch["sent_lead_count"], batch["processed_lead_count"], batch["picked_up_calls"]) == (2, 2, 0)
    assert batch["last_call_sent_at"] is not None
    await out.world.store.flush()
    path = f"{PATH}/{made['id']}"
    page = (await out.client.get(path, params={"limit": 1})).json()
    assert (page["total"], page["limit"], page["totalPages"], len(page["callLogs"])) == (2, 1, 2, 1)
    call = page["callLogs"][0]
    assert (call["batch_call_id"], call["category"], call["category_id"]) == (made["id"], "batch", made["id"])
    for which, count in (({"status": "busy"}, 2), ({"to": "+14155550100"}, 1), ({"status": "completed"}, 0)):
        assert (await out.client.get(path, params=which)).json()["total"] == count
    assert (await out.client.get(path, params={"batch_call_id": NOBODY})).json()["total"] == 0
    sheet = await out.client.get(path, params={"export": "true", "columns": "to_number,status"})
    assert sorted(sheet.text.split()[1:]) == ["+14155550100,busy", "+14155550101,busy"]
    ada = next(
        one for one in (await out.client.get(path)).json()["callLogs"] if one["metadata"]["name"] == "Ada"
    )
    posted = await out.client.post(
        f"/v1/calls/{ada['id']}/extracted", json={"fields": {"plan": "=pro", "n": 2}}
    )
    assert posted.status_code == 204
    results = await out.client.get(f"{path}/results.csv")
    rows = [*csv.DictReader(io.StringIO(results.text))]
    assert [(row["position"], row["name"], row["call_status"]) for row in rows] == [
        ("2", "Ada", "busy"),
        ("3", "Bob", "busy"),
    ]
    assert (rows[0]["extracted: plan"], rows[0]["extracted: n"]) == ("'=pro", "2")
    assert rows[1]["extracted_data"] == ""
    assert rows[0]["call_id"] == ada["id"]
    people = (await out.client.get(f"{path}/recipients")).json()["items"]
    assert [(one["attempts"], one["outcome"]) for one in people] == [(1, "busy"), (1, "busy")]
    assert [one.fields["batch_id"] for one in out.world.told("batch.completed")] == [made["id"]]
    await until(lambda: not [*out.world.gateway.config.upload_folder.glob("*")])


async def test_webhooks_are_told_of_it(build: Build, carrier: Carrier) -> None:
    """Paused by hand and completed as the reference's campaigns; each call's own events name the batch."""
    allowed = {"WEBHOOKS__ALLOW_HTTP": "yes", "WEBHOOKS__ALLOW_PRIVATE": "yes"}
    world = await furnished(build, **allowed)
    await furnish_out(world, carrier)
    carrier.final = 486
    async with receiving() as receiver:
        async for api in opened(world):
            events = ["campaign.completed", "campaign.paused", "call_initiated", "call.no_answer"]
            hook = {"url": receiver.url, "events": events, "secret": "a secret of ours"}
            assert (await api.client.post("/v1/user-webhooks", json=hook)).status_code == 201
            made = await make(api)
            path = f"{PATH}/{made['id']}"
            await api.client.patch(f"{path}/status", json={"action": "pause"})
            await until(lambda: receiver.bodies(), 20)
            (paused,) = receiver.bodies()
            assert (paused["event"], paused["campaign_id"]) == ("campaign.paused", made["id"])
            assert (paused["status"], paused["reason"]) == ("paused", "by_request")
            await make(api, starts_at=None, title="Second")
            await until(lambda: len(receiver.bodies()) >= 6, 20)
            told = {str(body.get("event", body.get("event_type"))): body for body in receiver.bodies()}
            completed = told["campaign.completed"]
            names = ("title", "status", "total_lead_count", "sent_lead_count", "picked_up_calls")
            assert [completed[name] for name in names] == ["Second", "completed", 2, 2, 0]
            assert told["call.no_answer"]["category"] == "batch"
            call = told["call_initiated"]["payload"]["call"]
            assert (call["category"], call["category_id"]) == ("batch", completed["category_id"])
