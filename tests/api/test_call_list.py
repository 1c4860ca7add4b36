"""The list of calls: each filter of the reference, its pages and orders, and the export."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.api.shapes.call import CallItem
from gateway.api.shapes.call_export import COLUMNS, most_rows
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow
from tests.api.conftest import Api

T0 = datetime(2027, 1, 31, 12, tzinfo=UTC)


def row(number: int, **fields: Any) -> CallRow:
    """A call of the workspace, an hour after the one before it."""
    given: dict[str, Any] = {
        "direction": "outbound",
        "status": "completed",
        "workspace_id": "org_test",
        "agent_id": "agent_test",
        "from_number": "+442079460018",
        "to_number": f"+1415555010{number}",
        "duration_ms": number * 1000,
        "created_at": T0 + timedelta(hours=number),
        "ended_at": T0 + timedelta(hours=number, minutes=1),
        "end_reason": "user_disconnected",
        **fields,
    }
    return CallRow(f"call_{number}", **given)


CALLS = (
    row(0, status="busy", end_reason="user_busy"),
    row(1, direction="inbound", from_number="=cmd()", batch_id="batch_1"),
    row(2, latency_ms=700, type="web", metadata={"a": 1}),
    row(3, status="failed", end_reason="unknown", agent_id="agent_other"),
    row(4, version_id="VERSION", duration_ms=3999),
)


@pytest.fixture
async def listed(api: Api) -> Api:
    """An API with some calls in its store, and one of another workspace."""
    store = api.world.store
    (version,) = await store.configuration.agents.versions("agent_test")
    for call in CALLS:
        fields = {name: getattr(call, name) for name in CallRow.__slots__}
        fields["version_id"] = version.id if call.version_id else None
        store.save_call(CallRow(**fields))
    store.save_call(row(9, workspace_id="org_other"))
    await store.flush()
    await store.texts.put(
        CallTexts(
            "call_2",
            "org_test",
            transcript=[{"role": "user", "content": "Hello", "start": 0.1, "end": 0.5}],
            summary="=a greeting",
            sentiment="positive",
            extracted={"name": "Anna"},
        )
    )
    await store.texts.put(CallTexts("call_4", "org_test", summary="A complaint", sentiment="negative"))
    return api


async def ids(api: Api, query: str) -> str:
    """The numbers of the calls that a query finds, in their order."""
    answer = await api.client.get(f"/v1/calls?{query}")
    assert answer.status_code == 200, answer.text
    for item in answer.json():
        CallItem.model_validate(item, extra="forbid")
    return "".join(item["id"].removeprefix("call_") for item in answer.json())


FILTERS = [
    ("", "43210"),
    ("agent_id=agent_other", "3"),
    ("agent_id=agent_other,agent_test", "43210"),
    ("call_id=call_1,call_3,call_9", "31"),
    ("batch_call_id=batch_1", "1"),
    ("from=%2B442079460018&status=busy", "0"),
    ("from=+442079460018&status=busy", "0"),
    ("to=14155550102", "2"),
    ("type=web", "2"),
    ("type=web,phone", "43210"),
    ("call_direction=inbound", "1"),
    ("latency_min=700&latency_max=700", "2"),
    ("latency_min=701", ""),
    ("agent_version_name=echo/1", "4"),
    ("agent_version_name=ECHO", "4"),
    ("agent_version_name=nobody", ""),
    ("agent_version_name=echo&agent_version_id=ver_other", ""),
    ("sentiment=unknown", "310"),
    ("sentiment=positive", "2"),
    ("sentiment=positive,negative", "42"),
    ("sentiment=unknown,negative", "4310"),
    ("sentiment=neutral", ""),
    ("sentiment=positive&type=web&limit=1", "2"),
    ("sentiment=unknown&status=busy,failed&limit=1&page=2", "0"),
    ("sentiment=unknown,positive&duration=asc", "0123"),
    ("start_date=2027-01-31T14:00:00Z", "432"),
    ("start_date=2027-01-31T15:00:00%2B01:00", "432"),
    ("end_date=2027-01-31T13:00:00Z", "10"),
    ("start_date=2027-01-31&end_date=2027-01-31", "43210"),
    ("end_date=2027-01-30", ""),
    ("duration_min=1000&duration_max=2000", "21"),
    ("duration_greater_than=1000&duration_less_than=3000", "2"),
    ("status=busy,failed", "30"),
    ("end_reason=user_busy,unknown", "30"),
    ("created_at=asc", "01234"),
    ("duration=desc", "43210"),
    ("created_at=desc&duration=asc", "01234"),
    ("duration=asc&limit=2", "01"),
    ("limit=2", "43"),
    ("limit=2&page=2", "21"),
    ("limit=2&page=4", ""),
    ("status=busy,failed&limit=1&page=2", "0"),
]


async def test_filters(listed: Api) -> None:
    """Each filter finds its calls, alone and together, of the own workspace and newest first."""
    assert [(query, await ids(listed, query)) for query, _ in FILTERS] == FILTERS


async def test_long_lists_are_one_query(listed: Api) -> None:
    """Many values are looked for at once."""
    many = ",".join(f"call_{number}" for number in range(1, 60))
    assert await ids(listed, f"call_id={many}") == "4321"


WRONG = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("page=0", "page"),
    ("page=x", "page"),
    ("status=nonsense", "status"),
    ("type=fax", "type"),
    ("sentiment=sad", "sentiment"),
    ("call_direction=up", "call_direction"),
    ("start_date=yesterday", "start_date"),
    ("start_date=2027-01-31T12:00:00", "start_date"),
    ("end_date=9999-12-31", "end_date"),
    ("duration_min=-1", "duration_min"),
    ("latency_max=99999999999", "latency_max"),
    ("created_at=down", "created_at"),
    ("columns=id,nonsense", "columns"),
    ("end_reason=%00", "end_reason"),
    ("agent=agent_test", "agent"),
    ("call_id=" + "x," * 101, "call_id"),
]


async def test_wrong_queries_are_named(listed: Api) -> None:
    """What makes no sense is 400 and names the parameter, one that there is not as well."""
    for query, field in WRONG:
        answer = await listed.client.get(f"/v1/calls?{query}")
        assert answer.status_code == 400, query
        assert [problem["field"] for problem in answer.json()["problems"]] == [field]


async def test_export(listed: Api) -> None:
    """The export is a CSV file of all pages; what a stranger wrote is no formula in it."""
    answer = await listed.client.get("/v1/calls?export=true&limit=1&created_at=asc")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "calls.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [each["id"] for each in rows] == [f"call_{number}" for number in range(5)]
    assert tuple(rows[0]) == COLUMNS
    assert (rows[1]["from_number"], rows[2]["metadata"], rows[4]["duration"]) == ("'=cmd()", '{"a":1}', "4")
    assert rows[0]["from_number"] == "+442079460018"
    chosen = await listed.client.get("/v1/calls?export=true&columns=status,id&status=busy")
    assert chosen.text == "status,id\r\nbusy,call_0\r\n"
    nothing = await listed.client.get("/v1/calls?export=true&columns=id&sentiment=neutral")
    assert nothing.text == "id\r\n"


async def test_what_was_said_is_exported(listed: Api) -> None:
    """Transcript and fields as JSON, the summary as it is and no formula; the list says the sentiment."""
    answer = await listed.client.get("/v1/calls?export=true&created_at=asc")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [each["sentiment"] for each in rows] == ["unknown", "unknown", "positive", "unknown", "negative"]
    assert [each["summary"] for each in rows] == ["", "", "'=a greeting", "", "A complaint"]
    (turn,) = json.loads(rows[2]["transcript"])
    assert turn == {"role": "user", "content": "Hello", "start": 0.1, "end": 0.5}
    assert json.loads(rows[2]["extracted_data"]) == {"name": "Anna"}
    assert rows[0]["transcript"] == rows[0]["extracted_data"] == ""
    found = (await listed.client.get("/v1/calls?created_at=asc")).json()
    assert [each["sentiment"] for each in found] == [each["sentiment"] for each in rows]
    assert most_rows(COLUMNS) == most_rows(("id", "summary")) == most_rows(("transcript",)) == 5000
    assert most_rows(("id", "sentiment")) == 10_000
