"""`/v1/do-not-call`: numbers in any clear writing, all of them or none; who is on the list is not called."""

from typing import Any

import httpx2
import pytest

from gateway.api.shapes.do_not_call import DoNotCallAdded, DoNotCallItem, DoNotCallPage
from gateway.batch.do_not_call import never_called
from tests.api.carrier import Carrier
from tests.api.conftest import Api, furnished, opened
from tests.call.conftest import Build

PATH = "/v1/do-not-call"
ANNA, BORIS, CLARA = "+442079460001", "+442079460002", "+12125550123"


async def listed(api: Api, **query: str | int) -> list[str]:
    """The numbers of a page."""
    answer = await api.client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    page = DoNotCallPage.model_validate(answer.json(), extra="forbid")
    return [item.phone_number for item in page.items]


async def add(api: Api, *numbers: str, status: int = 201, **more: Any) -> dict[str, Any]:
    """Add numbers, and what is said of it."""
    answer = await api.client.post(PATH, json={"phone_numbers": numbers, **more})
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_a_list_is_kept(api: Api) -> None:
    """Added, told what was new, read back page by page and one by one, found by how it begins, removed."""
    said = await add(api, ANNA, "+44 (0)20 7946-0002", "0044 20 7946 0001", reason="asked us")
    assert DoNotCallAdded.model_validate(said, extra="forbid")
    assert said == {"added": 2, "already_listed": 0, "duplicates": 1, "skipped": 0, "total": 2}
    assert (await add(api, ANNA, status=200))["already_listed"] == 1
    await add(api, CLARA)
    assert await listed(api) == [CLARA, ANNA, BORIS]
    assert await listed(api, limit=1, page=3) == [BORIS]
    assert await listed(api, search="+44") == await listed(api, search="4420") == [ANNA, BORIS]
    assert await listed(api, search="+44 20 7946 0002") == [BORIS]
    assert await listed(api, search="nobody") == []
    answer = await api.client.get(f"{PATH}/{ANNA}")
    item = DoNotCallItem.model_validate(answer.json(), extra="forbid")
    assert (item.phone_number, item.reason, item.added_by) == (ANNA, "asked us", f"api:{api.key.id}")
    assert (await api.client.delete(f"{PATH}/{ANNA}")).json() == {"removed": 1, "not_listed": 0, "total": 2}
    assert (await api.client.get(f"{PATH}/{ANNA}")).status_code == 404
    assert (await api.client.delete(f"{PATH}/{ANNA}")).status_code == 404
    answer = await api.client.request("DELETE", PATH, json={"phone_numbers": [ANNA, BORIS, CLARA]})
    assert answer.json() == {"removed": 2, "not_listed": 1, "total": 0}


async def test_who_is_on_the_list_is_not_called(out: Api, carrier: Carrier) -> None:
    """403 with its own reason, the decision and what mends it; the next call after a change knows it."""
    body = {"phone_number": "+1 212 555 0123", "agent_id": "agent_test"}
    await add(out, CLARA, reason="opted out")
    answer = await out.client.post("/v1/calls", json=body)
    said = answer.json()
    assert (answer.status_code, said["reason"]) == (403, "do_not_call")
    assert said["message"] == "Destination is on the do-not-call list of this workspace"
    assert said["decision"]["checks"][-1]["found"].endswith("“opted out”")
    assert said["mend"]["command"].startswith("gateway do-not-call remove")
    quote = (await out.client.get("/v1/rates/quote", params={"to": CLARA})).json()
    assert (quote["allowed"], quote["reason"]) == (False, "do_not_call")
    assert carrier.invites == []
    await out.client.delete(f"{PATH}/{CLARA}")
    assert (await out.client.post("/v1/calls", json=body)).status_code == 201


async def test_local_numbers_are_the_workspaces_countrys(api: Api) -> None:
    """Once it says which; until then what was perhaps meant is named, and nothing is added."""
    said = await add(api, ANNA, "98765 43210", "919876543210", status=400)
    assert [problem["field"] for problem in said["problems"]] == ["phone_numbers.1", "phone_numbers.2"]
    assert "no default country" in said["problems"][0]["expected"]
    assert "did you mean +919876543210?" in said["problems"][1]["expected"]
    assert await listed(api) == []
    assert (await api.client.patch("/v1/workspace", json={"default_country": "in"})).status_code == 200
    assert (await add(api, "98765 43210", "919876543210", "098765-43210"))["added"] == 1
    assert await listed(api) == ["+919876543210"]
    assert (await api.client.get(f"{PATH}/098765 43210")).status_code == 200


WRONG: list[tuple[Any, str]] = [
    ({}, "phone_numbers"),
    ({"phone_numbers": []}, "phone_numbers"),
    ({"phone_numbers": [ANNA] * 5001}, "phone_numbers"),
    ({"phone_numbers": [ANNA, 5]}, "phone_numbers.1"),
    ({"phone_numbers": [ANNA, " "]}, "phone_numbers.1"),
    ({"phone_numbers": [ANNA, "112"]}, "phone_numbers.1"),
    ({"phone_numbers": [ANNA, "+44207946\u04300001"]}, "phone_numbers.1"),
    ({"phone_numbers": [ANNA], "reason": "two\nlines"}, "reason"),
    ({"phone_numbers": [ANNA], "reson": "typed wrongly"}, "reson"),
    ({"phone_number": ANNA}, "phone_numbers"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
async def test_wrong_lists_are_refused_whole(api: Api, body: Any, field: str) -> None:
    """400 names the place, and nothing of the list is added."""
    answer = await api.client.post(PATH, json=body)
    assert answer.status_code == 400
    assert field in [problem["field"] for problem in answer.json()["problems"]]
    assert await listed(api) == []


async def test_the_whole_list_as_a_file(api: Api) -> None:
    """Every number with its reason; what a spreadsheet would run is marked as text."""
    await add(api, ANNA, reason="=cmd()")
    await api.world.store.configuration.do_not_call.add("org_test", [BORIS], "cli:root")
    answer = await api.client.get(PATH, params={"export": "true"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = answer.text.splitlines()
    assert rows[0] == "phone_number,reason,added_by,added_at"
    assert rows[1].startswith(f"{ANNA},'=cmd(),api:{api.key.id},20")
    assert rows[2].startswith(f"{BORIS},,operator,20"), "who at the operator's, is nobody's affair"


async def test_a_list_is_bounded(build: Build) -> None:
    """409 where it would be too long, and what there is stays."""
    async for api in opened(await furnished(build, TENANTS__DO_NOT_CALL="2")):
        said = await add(api, ANNA, BORIS, CLARA, status=409)
        assert "at most 2 numbers" in str(said["message"])
        assert await listed(api) == []


async def test_the_workspace(api: Api) -> None:
    """Read, and changed where it is the owner's to say; each change is in the history."""
    found = (await api.client.get("/v1/workspace")).json()
    assert (found["id"], found["timezone"], found["default_country"]) == ("org_test", "UTC", None)
    answer = await api.client.patch(
        "/v1/workspace", json={"timezone": "asia/kolkata", "default_country": "IN"}
    )
    assert (answer.json()["timezone"], answer.json()["default_country"]) == ("Asia/Kolkata", "IN")
    assert (await api.client.patch("/v1/workspace", json={"default_country": None})).json()["timezone"] == (
        "Asia/Kolkata"
    )
    assert (await api.client.get("/v1/workspace")).json()["default_country"] is None
    change = (await api.world.store.configuration.history("org_test", 1))[0]
    assert (change.by, change.fields) == (f"api:{api.key.id}", {"default_country": ["IN", None]})
    for body, field in (
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "Europe/Berln"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": None}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"default_country": "XX"}, "default_country"),
        ({"default_country": "001"}, "default_country"),
        ({"kyc_verified": True}, "kyc_verified"),
    ):
        answer = await api.client.patch("/v1/workspace", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["problems"][0]["field"] == field
        if body == {"timezone": "Europe/Berln"}:
            assert "did you mean Europe/Berlin?" in answer.text


async def test_another_workspaces_list_is_not_there(api: Api) -> None:
    """Neither seen, counted, changed nor heeded."""
    await add(api, ANNA)
    assert (await api.stranger.get(PATH)).json()["total"] == 0
    assert (await api.stranger.get(f"{PATH}/{ANNA}")).status_code == 404
    assert (await api.stranger.delete(f"{PATH}/{ANNA}")).status_code == 404
    answer = await api.stranger.request("DELETE", PATH, json={"phone_numbers": [ANNA]})
    assert answer.json() == {"removed": 0, "not_listed": 1, "total": 0}
    assert ANNA not in (await api.stranger.get(PATH, params={"export": "true"})).text
    assert await listed(api) == [ANNA]


async def upload(api: Api, content: bytes, **fields: str) -> httpx2.Response:
    """Send a file."""
    return await api.client.post(f"{PATH}/upload", data=fields, files={"file": ("old.csv", content)})


async def test_a_file_is_taken_whole_or_not_at_all(api: Api) -> None:
    """What is no number is told by its line; skipped where that is asked for; local ones by a country."""
    content = f"name;phone\nAnna;{ANNA}\nNobody;112\nBoris;98765 43210\nAnna;{ANNA}\n".encode()
    refused = await upload(api, content)
    said = refused.json()
    assert (refused.status_code, [problem["field"] for problem in said["problems"]]) == (
        400,
        ["line 3", "line 4"],
    )
    assert said["message"] == "Nothing was added: 2 lines are no number that is clear"
    assert await listed(api) == []
    answer = await upload(api, content, skip_invalid_rows="true", default_country="in", reason="old system")
    assert (answer.status_code, answer.json()) == (
        201,
        {"added": 2, "already_listed": 0, "duplicates": 1, "skipped": 1, "total": 2},
    )
    assert await listed(api) == [ANNA, "+919876543210"]
    assert (await upload(api, f"{ANNA}\n".encode())).status_code == 200
    change = (await api.world.store.configuration.history_of_workspace("org_test", 1))[0]
    assert (change.by, change.fields["file"]) == (f"api:{api.key.id}", [None, "old.csv"])


UPLOADS: list[tuple[bytes, dict[str, str], str]] = [
    (b"", {}, "file"),
    (b"name,mail\nAnna,x\n", {}, "file"),
    (b"phone\n+442079460001\n", {"phone_column": "mobile"}, "phone_column"),
    (b"phone\n+442079460001\n", {"default_country": "XX"}, "default_country"),
    (b"phone\n+442079460001\n", {"reson": "typed wrongly"}, "reson"),
    (b"phone\n+442079460001\n", {"skip_invalid_rows": "perhaps"}, "skip_invalid_rows"),
    (b"phone\n+442079460001\n", {"reason": "x" * 201}, "reason"),
]


async def test_what_is_no_list_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    """400 with the field, and nothing is added; no form at all is 415, no file a missing field."""
    for content, fields, field in UPLOADS:
        with subtests.test(str((content, fields))):
            answer = await upload(api, content, **fields)
            assert answer.status_code == 400, answer.text
            assert [problem["field"] for problem in answer.json()["problems"]] == [field]
    assert (await api.client.post(f"{PATH}/upload", json={})).status_code == 415
    assert (await api.client.get(f"{PATH}/upload")).headers["allow"] == "POST"
    form = {"reason": (None, "x")}
    assert (await api.client.post(f"{PATH}/upload", files=form)).json()["problems"][0]["field"] == "file"
    assert await listed(api) == []


async def test_a_batchs_rows_are_held_to_it(api: Api) -> None:
    """What a file of recipients is checked against is the list as it stands, of numbers of any length."""
    lists = api.world.store.configuration.do_not_call
    numbers = [ANNA, BORIS, CLARA, "+4930123456", "+49301234567", "+1684733123"]
    await lists.add("org_test", numbers, "test")
    found = await never_called(lists, "org_test")
    assert all(number in found for number in numbers)
    assert not any(number in found for number in ("+442079460003", "+493012345", "+4930123457", "+88213"))
    assert ANNA not in await never_called(lists, "org_other")
