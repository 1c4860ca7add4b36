"""Webhooks: verified before they are kept, signed over the raw body, tried again, told of in a log."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.net.webhook import WebhookSender
from gateway.store.records.call_texts import CallTexts
from tests.api.conftest import NUMBER, Api, furnished, opened
from tests.call.conftest import Build
from tests.call.phone import Phone, until
from tests.hook_receiver import Receiver, receiving

SECRET = "a secret of ours"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with receiving() as made:
        yield made


@pytest.fixture
async def api(build: Build) -> AsyncIterator[Api]:
    """A gateway that may tell receivers on this machine."""
    world = await furnished(
        build,
        WEBHOOKS__ALLOW_HTTP="yes",
        WEBHOOKS__ALLOW_PRIVATE="yes",
        WEBHOOKS__RETRY_SECONDS="0.1",
        WEBHOOKS__TIMEOUT_MS="2000",
    )
    async for made in opened(world):
        yield made


async def make(api: Api, receiver: Receiver, *events: str) -> dict[str, Any]:
    """A webhook to the receiver."""
    body = {"url": receiver.url, "events": list(events), "secret": SECRET}
    answer = await api.client.post("/v1/user-webhooks", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def one_call(api: Api, phone: Phone) -> str:
    """A call that is refused, since nobody has the number; the id of its record."""
    await phone.invite(api.world.at(), "+442079460099").refused()
    return (await api.world.record()).id


async def test_made_shown_and_removed(api: Api, receiver: Receiver) -> None:
    """The secret is shown once; another workspace has no such webhook; removed is removed."""
    made = await make(api, receiver, "call.completed", "call_ended")
    assert made["secret"] == SECRET
    assert made["id"].startswith("webhook_")
    path = f"/v1/user-webhooks/{made['id']}"
    shown = (await api.client.get(path)).json()
    assert shown["secret"] == "********"
    assert shown["events"] == ["call.completed", "call_ended"]
    assert (await api.stranger.get(path)).status_code == 404
    assert (await api.stranger.delete(path)).status_code == 404
    changed = await api.client.patch(path, json={"is_active": False, "events": ["call.failed"]})
    assert (changed.json()["is_active"], changed.json()["events"]) == (False, ["call.failed"])
    assert (await api.client.delete(path)).status_code == 204
    assert (await api.client.get("/v1/user-webhooks")).json() == []


async def test_verified_before_it_is_kept(api: Api, receiver: Receiver) -> None:
    """An address that does not answer the verification with 2xx is not kept, nor asked again."""
    receiver.answers = [500]
    body = {"url": receiver.url, "events": ["call.completed"], "secret": SECRET}
    answer = await api.client.post("/v1/user-webhooks", json=body)
    assert answer.status_code == 400
    assert "answered 500" in answer.json()["message"]
    assert len(receiver.posts) == 1
    assert json.loads(receiver.posts[0][1])["event_type"] == "verification"
    assert (await api.client.get("/v1/user-webhooks")).json() == []


MISTAKES: list[tuple[str, object]] = [
    ("url", "ftp://example.com/"),
    ("url", "https://"),
    ("url", "https://user:secret@example.com/"),
    ("url", f"https://example.com/{'a' * 150}"),
    ("events", []),
    ("events", ["call.finished"]),
    ("secret", "short"),
]


async def test_mistakes_are_named(api: Api, subtests: pytest.Subtests) -> None:
    """400 with the field, what was given and what would be right."""
    for field, value in MISTAKES:
        with subtests.test(str((field, value))[:80]):
            body = {"url": "https://example.com/", "events": ["call.failed"], "secret": SECRET, field: value}
            answer = await api.client.post("/v1/user-webhooks", json=body)
            assert answer.status_code == 400
            assert answer.json()["problems"][0]["field"].startswith(field)


async def test_told_signed_and_logged(api: Api, receiver: Receiver, phone: Phone) -> None:
    """A call that ended reaches the receiver in both shapes, signed over the raw body."""
    made = await make(api, receiver, "call_initiated", "call_ended", "call.failed", "call.completed")
    call_id = await one_call(api, phone)
    await until(lambda: len(receiver.bodies()) >= 2)
    by_event = {body.get("event_type", body.get("event")): body for body in receiver.bodies()}
    assert set(by_event) == {"call_ended", "call.failed"}, "it was never initiated"
    assert by_event["call_ended"]["payload"]["call"]["id"] == call_id
    assert by_event["call_ended"]["payload"]["call"]["hangup_reason"] == "unknown_number"
    assert by_event["call_ended"]["payload"]["call"]["status"] == "hangup"
    assert by_event["call.failed"]["call_id"] == call_id
    for headers, body in receiver.posts:
        right = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
        assert headers["x-nexa-signature"] == headers["x-trunkline-signature"] == right
    path = f"/v1/user-webhooks/{made['id']}/deliveries"
    await until(lambda: api.world.gateway.desk.counters["delivered"] >= 2)
    log = (await api.client.get(path, params={"limit": 1})).json()
    assert (log["total"], len(log["items"])) == (2, 1)
    assert all(item["is_success"] and item["response_status"] == 200 for item in log["items"])
    again = await api.client.post(f"{path}/{log['items'][0]['id']}/redeliver")
    assert again.json()["parent_delivery_id"] == log["items"][0]["id"]
    await until(lambda: len(receiver.bodies()) >= 3)


async def test_batches_are_told_as_campaigns(api: Api, receiver: Receiver) -> None:
    """Completed and paused, in the reference's names, signed, logged, and to the workspace alone."""
    made = await make(api, receiver, "campaign.completed", "campaign.paused")
    await make(api, receiver, "call.completed")
    tell, whose = api.world.gateway.bus.tell, {"batch_id": "batch_1", "workspace_id": "org_test"}
    tell("batch.completed", batch_id="batch_2", workspace_id="org_other", title="Theirs")
    tell("batch.started", **whose, title="Spring")
    tell("batch.paused", **whose, title="Spring", status="paused", why_code="by_request", why="asked", sent=3)
    tell("batch.completed", **whose, title="Spring", status="completed", total=5, sent=5)
    await until(lambda: len(receiver.bodies()) >= 2)
    paused, completed = sorted(receiver.bodies(), key=lambda body: str(body["event"]), reverse=True)
    assert paused == {
        "event": "campaign.paused",
        "campaign_id": "batch_1",
        "category": "batch",
        "category_id": "batch_1",
        "title": "Spring",
        "status": "paused",
        "reason": "by_request",
        "detail": "asked",
        "sent_lead_count": 3,
    }
    assert (completed["event"], completed["total_lead_count"]) == ("campaign.completed", 5)
    await until(lambda: api.world.gateway.desk.counters["delivered"] >= 2)
    log = (await api.client.get(f"/v1/user-webhooks/{made['id']}/deliveries")).json()
    assert {item["event"] for item in log["items"]} == {"campaign.completed", "campaign.paused"}
    assert {item["call_id"] for item in log["items"]} == {None}
    for headers, body in receiver.posts:
        assert headers["x-nexa-signature"] == "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()


async def test_answered_call_is_told_from_its_beginning(api: Api, receiver: Receiver, phone: Phone) -> None:
    """`call_initiated` when it was routed, `call_ended` and `call.completed` when it was over."""
    await make(api, receiver, "call_initiated", "call_ended", "call.completed")
    leg = phone.invite(api.world.at(), NUMBER)
    await leg.answered()
    leg.bye()
    await api.world.records()
    await until(lambda: len(receiver.bodies()) >= 3)
    told = [str(body.get("event_type", body.get("event"))) for body in receiver.bodies()]
    assert sorted(told) == ["call.completed", "call_ended", "call_initiated"]


async def test_tried_again_then_given_up(api: Api, receiver: Receiver, phone: Phone) -> None:
    """What is not taken comes again after a pause, and is given up after the last retry."""
    made = await make(api, receiver, "call.failed")
    receiver.answers = [500, 429, 500, 503]
    await one_call(api, phone)
    await until(lambda: api.world.told("webhook.failed"), 30)
    assert len(receiver.bodies()) == 4
    log = (await api.client.get(f"/v1/user-webhooks/{made['id']}/deliveries")).json()
    (item,) = log["items"]
    assert (item["state"], item["retry_attempt"], item["response_status"]) == ("failed", 3, 503)
    assert item["error_message"] == "answered 503"


async def test_transcript_and_fields(api: Api, receiver: Receiver, phone: Phone) -> None:
    """What a runtime posts about a call is read back with it, and told."""
    await make(api, receiver, "call.transcript_ready", "call.analysis_ready")
    call_id = await one_call(api, phone)
    turns = [{"role": "user", "content": "hello", "start": 0.0, "end": 0.5}]
    path = f"/v1/calls/{call_id}"
    posted = await api.client.post(
        f"{path}/transcript", json={"transcript": turns, "summary": "a greeting", "sentiment": "positive"}
    )
    assert posted.status_code == 204, posted.text
    posted = await api.client.post(f"{path}/extracted", json={"fields": {"name": "Ada", "age": 36}})
    assert posted.status_code == 204, posted.text
    detail = (await api.client.get(path)).json()
    assert detail["transcript"] == turns
    assert (detail["summary"], detail["sentiment"]) == ("a greeting", "positive")
    assert detail["extracted_data"] == {"name": "Ada", "age": 36}
    await until(lambda: len(receiver.bodies()) >= 2)
    assert receiver.bodies()[-1]["extracted_data"] == {"name": "Ada", "age": 36}
    assert (await api.stranger.post(f"{path}/extracted", json={"fields": {}})).status_code == 404
    wrong = await api.client.post(f"{path}/transcript", json={"transcript": [{"role": "user"}]})
    assert wrong.json()["problems"][0]["field"] == "transcript.0.content"


async def test_texts_of_two_posts_add_up(api: Api) -> None:
    """What is not given again stays."""
    texts = api.world.store.texts
    await texts.put(CallTexts("call_1", "org_test", [{"role": "user", "content": "hi"}], "short"))
    await texts.put(CallTexts("call_1", "org_test", extracted={"a": 1}))
    found = await texts.get("call_1")
    assert found is not None
    assert (found.summary, found.extracted) == ("short", {"a": 1})
    assert found.transcript == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://[::1]:9/",
        "http://10.1.2.3/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]:9/",
        "http://0.0.0.0:9/",
        "http://2130706433/",
    ],
)
async def test_private_addresses_are_refused(url: str) -> None:
    """No address leads into our own network, in whatever writing, before and after DNS."""
    sender = WebhookSender(allow_private=False, timeout_seconds=2)
    outcome = await sender.post(url, b"{}", {})
    await sender.close()
    assert outcome.status is None
    assert "no public address" in outcome.error


async def test_slow_receiver_stops_no_call(api: Api, receiver: Receiver, phone: Phone) -> None:
    """A receiver that takes its time delays its own deliveries, and nothing else."""
    await make(api, receiver, "call.failed")
    receiver.delay = 1.9
    began = asyncio.get_running_loop().time()
    assert await one_call(api, phone)
    assert asyncio.get_running_loop().time() - began < 5
