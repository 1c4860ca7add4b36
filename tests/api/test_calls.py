"""Calls by HTTP: asked for, asked for twice, followed, ended and read back, through a real SIP leg."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from gateway.api.shapes.call import CallCreated, CallDetail
from gateway.events.recall import KEPT_AFTER
from gateway.sip.events import ByeReceived, Cancelled
from gateway.store.records.calls import CallRow
from tests.api.carrier import Carrier
from tests.api.conftest import NUMBER, Api, furnish_out, furnished, opened
from tests.call.conftest import Build

THEM = "+14155550100"
ASKED: dict[str, Any] = {"phone_number": THEM, "agent_id": "agent_test", "metadata": {"name": "Ada"}}


async def place(api: Api, **more: Any) -> dict[str, Any]:
    """Ask for a call that is placed."""
    answer = await api.client.post("/v1/calls", json=ASKED | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ended(api: Api, call_id: str) -> dict[str, Any]:
    """The call once it has ended."""
    async with asyncio.timeout(15):
        while True:
            found: dict[str, Any] = (await api.client.get(f"/v1/calls/{call_id}")).json()
            if found["endedAt"] is not None:
                return found
            await asyncio.sleep(0.05)


async def events(
    client: httpx2.AsyncClient, call_id: str, **headers: str
) -> list[tuple[int, dict[str, Any]]]:
    """All events of a call to its ending, with their ids."""
    found = []
    async with (
        asyncio.timeout(15),
        client.stream("GET", f"/v1/calls/{call_id}/events", headers=headers) as stream,
    ):
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        number = 0
        async for line in stream.aiter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            if line.startswith("data: "):
                found.append((number, json.loads(line[6:])))
    return found


async def test_call_is_placed_and_read_back(out: Api, carrier: Carrier) -> None:
    """A request becomes a call with the reference's field names; its record says what became of it."""
    asked = {"notes": {"ticket": 7}, "headers": {"X-Ticket": "7"}, "max_call_duration_sec": 30}
    answer = await out.client.post("/v1/calls", json=ASKED | asked)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    CallCreated.model_validate(made, extra="forbid")
    assert answer.headers["location"] == f"/v1/calls/{made['id']}"
    assert (made["to_phone_number"], made["agent_id"], made["agent_version_number"]) == (
        THEM,
        "agent_test",
        1,
    )
    assert (made["status"], made["from_number"], made["call_direction"]) == ("created", NUMBER, "outbound")
    invite = await carrier.until_called()
    assert invite.headers.get("X-Ticket") == "7"
    running = (await out.client.get(f"/v1/calls/{made['id']}")).json()
    assert running["endedAt"] is None
    carrier.hang_up()
    over = await ended(out, made["id"])
    CallDetail.model_validate(over, extra="forbid")
    assert (over["status"], over["end_reason"], over["notes"]) == (
        "completed",
        "user_disconnected",
        {"ticket": 7},
    )
    assert over["metadata"] == {"name": "Ada"}
    assert over["decision"]["allowed"]
    assert [moment["event"] for moment in over["timeline"]][-1] == "call_ended"
    listed = (await out.client.get("/v1/calls")).json()
    assert [each["id"] for each in listed] == [made["id"]]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"phone_number": None}, 400, "destination_missing"),
    ({"phone_number": "12"}, 400, "destination_short_code"),
    ({"phone_number": "+141555501"}, 400, "destination_impossible"),
    ({"phone_number": "+19005550100"}, 403, "destination_premium"),
    ({"agent_id": "agent_other"}, 404, "agent_missing"),
    ({"agent_version_number": 9}, 404, "version_missing"),
    ({"from_number": "+14155559999"}, 403, "caller_id_not_allowed"),
]


async def test_refusal_says_why_and_records_nothing(
    out: Api, carrier: Carrier, subtests: pytest.Subtests
) -> None:
    """Each rule has its status and reason, the whole decision goes along, and nothing has happened."""
    for change, status, reason in REFUSED:
        with subtests.test(str((change, status, reason))[:80]):
            answer = await out.client.post("/v1/calls", json={**ASKED, **change})
            said = answer.json()
            assert (answer.status_code, said["reason"]) == (status, reason)
            assert said["decision"]["checks"][-1]["outcome"] == "fail"
            await out.world.store.flush()
            assert (await out.client.get("/v1/calls")).json() == []
            assert not carrier.invites


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"phone_number": 5}, "phone_number", "should be"),
    ({"metadata": []}, "metadata", "should be an object"),
    ({"metadata": {"n": 2**70}}, "metadata", "should be an object of JSON that can be kept"),
    ({"notes": {str(n): n for n in range(16)}}, "notes", "at most 15 keys, not 16"),
    ({"agent_version_number": "1"}, "agent_version_number", "should be a whole number"),
    ({"ring_duration_sec": 0}, "ring_duration_sec", "greater than or equal to 1"),
    ({"to_phone_number": THEM}, "to_phone_number", "is no field of this request"),
    ({"headers": {"Via": "x"}}, "headers.Via", "is not a header that a request may set"),
    ({"headers": {"X-A": "b\r\nVia: x"}}, "headers.X-A", "should be printable ASCII"),
]
"What is asked for besides, the field that is wrong, and what is said of it."


async def test_wrong_fields_are_named(out: Api, subtests: pytest.Subtests) -> None:
    """A request that is written wrongly is 400, with the field, what stood there and what would be right."""
    for body, field, said in MISTAKES:
        with subtests.test(str((body, field, said))[:80]):
            answer = await out.client.post("/v1/calls", json=ASKED | body)
            assert answer.status_code == 400, answer.text
            (problem,) = answer.json()["problems"]
            assert problem["field"] == field
            assert said in problem["expected"]


NO_REQUESTS: list[bytes] = [b"", b"{", b"[]", b'{"metadata": {"a": "\\ud800"}}', b"\xff", b"[" * 9999]


async def test_what_is_no_request_is_400(out: Api, subtests: pytest.Subtests) -> None:
    """No JSON, other JSON, half a character, too deep: 400 in the usual shape."""
    for content in NO_REQUESTS:
        with subtests.test(str(content)[:80]):
            headers = {"Content-Type": "application/json"}
            answer = await out.client.post("/v1/calls", content=content, headers=headers)
            assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)


async def test_creeping_body_is_413(out: Api) -> None:
    """A body that does not say its size is stopped where it grows too large."""

    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    answer = await out.client.post("/v1/calls", content=pieces())
    assert answer.status_code == 413


async def test_same_key_same_call(out: Api, carrier: Carrier) -> None:
    """However often and however written, a request under one key is one call; another request is 409."""
    key = {"Idempotency-Key": "order-7"}
    many = [out.client.post("/v1/calls", json=ASKED, headers=key) for _ in range(8)]
    answers = await asyncio.gather(*many)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    (call_id,) = {answer.json()["id"] for answer in answers}
    written = json.dumps(dict(reversed(ASKED.items())), indent=4)
    headers = key | {"Content-Type": "application/json"}
    again = await out.client.post("/v1/calls", content=written, headers=headers)
    assert (again.status_code, again.json()["id"]) == (200, call_id)
    other = await out.client.post("/v1/calls", json=ASKED | {"metadata": {}}, headers=key)
    assert (other.status_code, other.json()["reason"]) == (409, "conflict")
    await carrier.until_called()
    carrier.hang_up()
    await ended(out, call_id)
    assert len(carrier.invites) == 1
    late = await out.client.post("/v1/calls", json=ASKED, headers=key)
    assert (late.status_code, late.json()["status"]) == (200, "completed")


async def test_refused_request_leaves_its_key_free(out: Api, carrier: Carrier) -> None:
    """What was refused can be asked again under the same key once it is mended."""
    key = {"Idempotency-Key": "order-8"}
    bad = await out.client.post("/v1/calls", json=ASKED | {"phone_number": "+141555501"}, headers=key)
    assert bad.status_code == 400
    good = await out.client.post("/v1/calls", json=ASKED, headers=key)
    assert good.status_code == 201
    assert (await out.client.delete(good.headers["location"])).status_code == 202


async def test_request_that_was_reserved_and_never_dialled_is_placed(out: Api, carrier: Carrier) -> None:
    """What a gateway that was killed before it dialled had reserved is dialled when it is asked again."""
    from gateway.api.shapes.call_request import CallBody

    requests = out.world.store.requests
    body = CallBody.model_validate(ASKED).canonical()
    await requests.reserve("org_test", "order-9", body, "call_reserved")
    await requests.let_go()
    answer = await out.client.post("/v1/calls", json=ASKED, headers={"Idempotency-Key": "order-9"})
    assert (answer.status_code, answer.json()["id"]) == (201, "call_reserved")
    await carrier.until_called()
    carrier.hang_up()


async def test_delete_hangs_up(out: Api, carrier: Carrier) -> None:
    """An answered call gets BYE, and its record says who asked; a second time nothing happens."""
    made = await place(out)
    path = f"/v1/calls/{made['id']}"
    await carrier.until_called()
    async with asyncio.timeout(10):
        while (await out.client.get(path)).json()["answeredAt"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await out.stranger.delete(path)).status_code == 404
    assert (await out.client.delete(path)).status_code == 202
    assert isinstance(await carrier.until_over(), ByeReceived)
    over = await ended(out, made["id"])
    assert (over["status"], over["end_reason"], over["ended_by"]) == (
        "completed",
        "ended_by_request",
        "request",
    )
    again = await out.client.delete(path)
    assert (again.status_code, again.json()["id"]) == (200, made["id"])


async def test_delete_while_it_rings(out: Api, carrier: Carrier) -> None:
    """A call that rings gets CANCEL."""
    carrier.final = None
    made = await place(out)
    await carrier.until_called()
    assert (await out.client.delete(f"/v1/calls/{made['id']}")).status_code == 202
    assert isinstance(await carrier.until_over(), Cancelled)
    assert (await ended(out, made["id"]))["status"] == "cancelled"


async def test_events_from_the_beginning_to_the_end(out: Api, carrier: Carrier) -> None:
    """Whoever follows hears all, live or late; who was cut off goes on; a stranger finds no such call."""
    made = await place(out)
    following = asyncio.create_task(events(out.client, made["id"]))
    await carrier.until_called()
    async with asyncio.timeout(10):
        while not out.world.told("call.answered"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    carrier.hang_up()
    heard = await following
    names = [event["event"] for _, event in heard]
    assert names[0] == "call.created"
    assert names[-1] == "call.ended"
    assert names.index("call.sent") < names.index("call.ringing") < names.index("call.answered")
    assert [number for number, _ in heard] == list(range(1, len(heard) + 1))
    assert await events(out.client, made["id"]) == heard, "the ending comes at once"
    assert await events(out.client, made["id"], **{"Last-Event-ID": str(len(heard) - 1)}) == heard[-1:]
    await out.world.store.flush()
    out.world.gateway.recall.forget(datetime.now(UTC) + KEPT_AFTER)
    late = [event for _, event in await events(out.client, made["id"])]
    assert [late[0]["event"], late[-1]["event"]] == ["call.created", "call.ended"]
    assert late[-1]["reason"] == heard[-1][1]["reason"] == "user_disconnected"
    assert (await out.stranger.get(f"/v1/calls/{made['id']}/events")).status_code == 404


async def test_the_operators_stream_of_a_call_ends_with_it(out: Api, carrier: Carrier) -> None:
    """Live, right after the end, long after it: the last event comes, and no more; an unknown call is 404."""
    made = await place(out)
    token = (out.world.gateway.config.gateway.data_dir / "operator.token").read_text().strip()
    async with out.with_key(f"Bearer {token}") as operator:
        path = f"/events?call_id={made['id']}"
        following = asyncio.create_task(operator.get(path))
        await carrier.until_called()
        async with asyncio.timeout(10):
            while not out.world.told("call.answered"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            carrier.hang_up()
            live = (await following).text
            await ended(out, made["id"])
            again = (await operator.get(path)).text
        await out.world.store.flush()
        out.world.gateway.recall.forget(datetime.now(UTC) + KEPT_AFTER)
        late = (await operator.get(path)).text
        for text in (live, again, late):
            names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
            assert (names[0], names[-1]) == ("call.created", "call.ended")
        assert again == live
        unknown = await operator.get("/events?call_id=call_01m85m1gbt83exwnbdjt8m8z3n")
        assert (unknown.status_code, unknown.json()["message"]) == (404, "Call not found")


async def test_call_of_another_gateway_is_followed_by_its_record(out: Api) -> None:
    """What happens elsewhere is told as the database learns of it, to the ending."""
    now = datetime.now(UTC)
    row = CallRow("call_elsewhere", "outbound", "sent", now, workspace_id="org_test", ringing_at=now)
    out.world.store.save_call(row)
    await out.world.store.flush()
    following = asyncio.create_task(events(out.client, row.id))
    await asyncio.sleep(0.3)
    refused = await out.client.delete(f"/v1/calls/{row.id}")
    assert (refused.status_code, refused.json()["reason"]) == (409, "other_gateway")
    over = replace(row, status="completed", end_reason="unknown", answered_at=now, ended_at=now)
    out.world.store.save_call(over)
    names = [event["event"] for _, event in await following]
    assert names == ["call.created", "call.ringing", "call.answered", "call.ended"]


async def test_streams_are_bounded(build: Build, carrier: Carrier) -> None:
    """More streams than are allowed get 429; a place is free again when one has gone."""
    world = await furnished(build, HTTP__MAX_FOLLOWERS=1)
    await furnish_out(world, carrier)
    async for api in opened(world):
        path = f"/v1/calls/{(await place(api))['id']}/events"
        async with api.client.stream("GET", path) as first:
            lines = first.aiter_lines()
            await anext(lines)
            assert (await api.client.get(path)).status_code == 429
        await carrier.until_called()
        async with asyncio.timeout(10):
            while world.gateway.calls.streams.open:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        carrier.hang_up()
        await ended(api, path.split("/")[3])
        assert (await api.client.get(path)).status_code == 200


async def test_busy_is_told(out: Api, carrier: Carrier) -> None:
    """A refused call ends with the reference's status and reason."""
    carrier.final = 486
    made = await place(out)
    _, last = (await events(out.client, made["id"]))[-1]
    assert (last["status"], last["reason"]) == ("busy", "user_busy")
