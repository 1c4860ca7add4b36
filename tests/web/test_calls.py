"""Call history, a call's page, live calls, and calls placed by hand."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.routing.table import Trunk, Workspace
from gateway.store.engine.ids import new_id
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow
from gateway.web.drawing import PLOT, times
from gateway.web.pages.call import charts
from tests.call.phone import Phone, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def keep(world: World, **fields: object) -> CallRow:
    """A call in the history."""
    given = {
        "id": new_id("call"),
        "direction": "inbound",
        "status": "completed",
        "created_at": NOW,
        "ended_at": NOW + timedelta(seconds=65),
        "workspace_id": world.workspace.id,
        "from_number": "+12025550190",
        "to_number": NUMBER,
        "end_reason": "user_disconnected",
        "ended_by": "caller",
        "duration_ms": 65_000,
        **fields,
    }
    row = CallRow(**given)  # type: ignore[arg-type]
    world.gateway.store.save_call(row)
    await world.gateway.store.flush()
    return row


async def test_history_and_filters(world: World, anna: Visitor) -> None:
    """Calls are found by what they were, and a filter that fits none says so."""
    await keep(world, price=Decimal("1.5"), currency="INR")
    await keep(world, to_number="+442079460018", direction="outbound", status="busy", end_reason="user_busy")
    text = text_of((await anna.get("/calls")).text)
    assert "₹1.50" in text
    assert "1:05" in text
    for query, there, gone in (
        ("direction=outbound", "7946 0018", "555-0101"),
        ("status=completed", "555-0101", "7946 0018"),
        ("to=0044 20 7946 0018", "7946 0018", "555-0101"),
        ("to=020 7946 0018", "7946 0018", "555-0101"),
        ("to=%2B44 (0)20 7946 0018", "7946 0018", "555-0101"),
        ("to=46-0018", "7946 0018", "555-0101"),
        ("to=٧٩٤٦", "7946 0018", "555-0101"),
        ("from=5550190&direction=outbound", "7946 0018", "555-0101"),
        ("reason=user_busy", "7946 0018", "555-0101"),
        ("least=60&status=busy,failed", "7946 0018", "555-0101"),
    ):
        text = text_of((await anna.get(f"/calls?{query}")).text)
        assert there in text, query
        assert gone not in text, query
    assert "No call fits" in text_of((await anna.get("/calls?start=2030-01-01")).text)
    assert "is no day" in text_of((await anna.get("/calls?start=yesterday")).text)


async def test_pages_of_the_history(world: World, anna: Visitor) -> None:
    """Following the link reaches every call once; a cursor that makes no sense is the first page."""
    kept = {(await keep(world, created_at=NOW + timedelta(seconds=n))).id for n in range(120)}
    seen: list[str] = []
    path: str | None = "/calls"
    while path is not None:
        page = (await anna.get(path)).text
        seen += [
            part.partition('"')[0]
            for part in page.split('class="main" data-label="When"><a href="/dashboard/calls/')[1:]
        ]
        link = page.partition('rel="next" href="/dashboard')[2].partition('"')[0]
        path = link.replace("&amp;", "&") or None
    assert sorted(seen) == sorted(kept)
    assert (await anna.get("/calls?after=nonsense~x")).status_code == 200


async def test_export(world: World, anna: Visitor) -> None:
    """The export has the filtered calls, quoted, and nothing that a spreadsheet would run."""
    await keep(world, from_number='=HYPERLINK("https://evil.example")')
    await keep(world, to_number="+442079460018")
    answer = await anna.get("/calls/export.csv?status=completed")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert {row["to_number"] for row in rows} == {NUMBER, "+442079460018"}
    assert any(row["from_number"].startswith("'=HYPERLINK") for row in rows)


async def test_what_was_said(world: World, anna: Visitor) -> None:
    """Transcript, summary, sentiment and fields that a runtime posts stand on the call's page."""
    row = await keep(world, answered_at=NOW)
    page = f"/calls/{row.id}"
    assert "Nothing was posted." in text_of((await anna.get(page)).text)
    turns: list[dict[str, object]] = [
        {"role": "assistant", "content": "Good morning", "start": 0.4},
        {"role": "user", "content": "<b>Is anybody there?</b>", "start": 65},
    ]
    turns += [{"role": "user", "content": f"turn {n}"} for n in range(600)]
    texts = world.gateway.store.texts
    await texts.put(CallTexts(row.id, world.workspace.id, turns, "A lonely caller.", "negative"))
    fields = {"appointment": "2026-12-01", "callback": True, "sizes": [1, 2]}
    await texts.put(CallTexts(row.id, world.workspace.id, extracted=fields))
    answer = await anna.get(page)
    assert "data-settled" in answer.text, "it is long over"
    text = text_of(answer.text)
    for told in (
        "A lonely caller.",
        "negative",
        "assistant 0:00 Good morning",
        "user 1:05 <b>Is anybody there?</b>",
        "and 102 more turns",
        "appointment 2026-12-01",
        "callback yes",
        "sizes [1,2]",
    ):
        assert told in text, told
    assert "<b>Is anybody" not in answer.text


async def test_calls_of_others(world: World, anna: Visitor, other: Workspace) -> None:
    """Another workspace's calls are in neither list, page, export nor reach."""
    theirs = await keep(world, workspace_id=other.id, from_number="+12025550666")
    unrouted = await keep(world, workspace_id=None, from_number="+12025550667")
    for path in ("/calls", "/calls/live", "/calls/export.csv", f"/calls?id={theirs.id}"):
        text = (await anna.get(path)).text
        assert "0666" not in text, path
        assert "0667" not in text, path
    for row in (theirs, unrouted):
        assert (await anna.get(f"/calls/{row.id}")).status_code == 404
        assert (await anna.get(f"/calls/{row.id}/body")).status_code == 404
        assert (await anna.post(f"/calls/{row.id}/hangup")).status_code == 404


async def test_a_live_call(world: World, anna: Visitor, agent: Runtime, phone: Phone) -> None:
    """A running call is on the page while it runs, its page shows it live, and hanging up ends it."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    text = text_of((await anna.get("/calls/live")).text)
    assert "1 live call" in text
    assert "in conversation" in text
    call_id = world.told("call.received")[0].call_id
    page = (await anna.get(f"/calls/{call_id}")).text
    assert "data-fresh" in page
    assert "data-settled" not in page
    await anna.post(f"/calls/{call_id}/hangup")
    await until(lambda: not world.gateway.switchboard.active)
    row = await world.record()
    assert (row.status, row.ended_by) == ("completed", "request")
    page = (await anna.get(f"/calls/{call_id}")).text
    assert "data-settled" not in page, "the agent's runtime may still post what was said"
    text = text_of(page)
    assert "in conversation" not in text
    for expected in ("INVITE", "200 OK", "BYE", "answered", "source address", "PCMU", "Packets"):
        assert expected in text, expected
    again = await anna.post(f"/calls/{call_id}/hangup")
    assert again.status_code == 303
    assert "is over, or runs on another gateway" in text_of((await anna.get("/calls")).text)


async def test_a_refused_call_is_explained(world: World, anna: Visitor) -> None:
    """A call form that the rules refuse keeps what was typed, and shows the decision; nothing is recorded."""
    number, _ = await outbound_line(world)
    form = {"from": number, "to": "+44 20 7946 0018", "parameters": "name: Anna"}
    answer = await anna.post("/calls/new", form)
    assert answer.status_code == 409
    text = text_of(answer.text)
    assert "KYC is not verified: only the registered verification number can be called" in text
    assert "Failed: KYC" in text.replace("  ", " ")
    assert 'value="+44 20 7946 0018"' in answer.text
    await world.gateway.store.flush()
    assert "No call yet" in text_of((await anna.get("/calls")).text)
    for wrong in ({"max_seconds": "0"}, {"parameters": "no colon"}, {"from": ""}):
        assert (await anna.post("/calls/new", {**form, **wrong})).status_code == 400, wrong


async def outbound_line(world: World) -> tuple[str, str]:
    """A number that places calls by the trunk, and the version that speaks."""
    from gateway.routing.table import PhoneNumber

    version = await world.version()
    number = PhoneNumber(
        new_id("phn"),
        world.workspace.id,
        NUMBER,
        sip_trunk_enabled=True,
        trunk_id=world.trunk.id,
        outbound_version_id=version.id,
    )
    await world.gateway.store.configuration.numbers.add(number, "test")
    return number.id, version.id


async def test_placing_a_call(world: World, anna: Visitor, agent: Runtime, phone: Phone) -> None:
    """A call that is placed rings a real SIP client, and its page follows it."""
    number, _ = await outbound_line(world)
    book = world.gateway.store.configuration
    await book.workspaces.change(world.workspace.id, {"kyc_verified": True}, "test")
    where = phone.endpoint.listeners[0]
    await world.change_trunk(termination_uri=f"{where.host}:{where.port}")
    checked = text_of((await anna.get(f"/calls/new/check?from={number}&to=%2B442079460018")).text)
    assert "May be called" in checked
    answer = await anna.post(
        "/calls/new", {"from": number, "to": "+442079460018", "parameters": "name: Anna"}
    )
    assert answer.status_code == 303, text_of(answer.text)
    await until(lambda: phone.received("INVITE"))
    page = text_of((await anna.get(answer.headers["location"].removeprefix("/dashboard"))).text)
    assert "Asked for by anna@example.com" in page
    call_id = answer.headers["location"].rpartition("/")[2]
    await anna.post(f"/calls/{call_id}/hangup")
    await until(lambda: not world.gateway.switchboard.active)


async def test_a_recording(world: World, anna: Visitor, agent: Runtime, phone: Phone) -> None:
    """A recorded call has a waveform and a player, which asks for parts; deleted, it says so."""
    version = await world.line()
    book = world.gateway.store.configuration
    (number,) = await book.numbers.list_all()
    await book.numbers.change(number.id, {"recording": "both"}, "test")
    assert version.number == 1
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    await until(lambda: (recording := world.gateway.switchboard.running()) and recording[0].first_audio_in_at)
    await asyncio.sleep(0.4)
    leg.bye()
    row = await world.record()
    await until_saved(world, row.id)
    page = (await anna.get(f"/calls/{row.id}")).text
    assert 'class="waveform"' in page
    assert page.count('class="caller"') > 100
    path = f"/calls/{row.id}/recording.wav"
    part = await anna.get(path, range="bytes=0-43")
    assert (part.status_code, part.content[:4], len(part.content)) == (206, b"RIFF", 44)
    assert (await anna.get(path, range="bytes=99999999-")).status_code == 416
    assert (await anna.post(f"/calls/{row.id}/recording/delete")).status_code == 303
    assert (await anna.get(path)).status_code == 404
    assert "deleted" in text_of((await anna.get(f"/calls/{row.id}")).text)


async def until_saved(world: World, call_id: str) -> None:
    """Until a recording is where it is kept."""
    async with asyncio.timeout(10):
        while True:
            await world.gateway.store.flush()
            row = await world.gateway.store.get_call(call_id)
            if row is not None and row.recording_status == "saved":
                return
            await asyncio.sleep(0.02)


def test_charts() -> None:
    """A chart is drawn from what is known, within its box; two points are the least."""
    columns = ["loss_in", "mos_in", "jitter_in", "mos_out"]
    points = [[0.0, 4.4, 1.0, None], [50.0, 2.0, 90.0, None], [0.0, 4.4, 1.0, None]]
    found = charts({"quality": {"step_seconds": 5, "columns": columns, "points": points}})
    assert [(chart.title, [tick.label for tick in chart.heights]) for chart in found] == [
        ("Opinion (MOS)", ["1", "3", "5"]),
        ("Loss, % of packets", ["0", "25", "50"]),
        ("Jitter, ms", ["0", "50", "100"]),
    ]
    assert [tick.label for tick in found[0].times] == ["0:00", "0:05", "0:10", "0:15"]
    assert [len(chart.curves) for chart in found] == [1, 1, 1]
    places = [pair.split(",") for chart in found for pair in chart.curves[0].points.split()]
    assert all(PLOT.left <= float(x) <= PLOT.right and PLOT.top <= float(y) <= PLOT.bottom for x, y in places)
    assert charts({"quality": {"step_seconds": 5, "columns": columns, "points": points[:1]}}) == []
    assert charts({}) == []


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (10, ["0:00", "0:05", "0:10"]),
        (61, ["0:00", "0:15", "0:30", "0:45", "1:00"]),
        (3600, ["0:00", "15:00", "30:00", "45:00", "60:00"]),
    ],
)
def test_marks_of_time(seconds: float, labels: list[str]) -> None:
    """The axis of time has a few marks, in round numbers, whatever the call's length."""
    assert [tick.label for tick in times(seconds)] == labels


async def test_callers_by_a_part(world: World, anna: Visitor) -> None:
    """A part of a number or of a name finds its calls, few or many; a part that nobody has finds none."""
    for at in range(25):
        await keep(world, from_number=f"+4989123{at:04}")
    await keep(world, from_number="Alice@Example")
    many = text_of((await anna.get("/calls?from=89123")).text)
    assert "25 calls on this page" in many
    assert "1 call on this page" in text_of((await anna.get("/calls?from=123 0007")).text)
    assert "1 call on this page" in text_of((await anna.get("/calls?from=alice")).text)
    assert "No call fits" in text_of((await anna.get("/calls?from=7777777")).text)
    assert "No call fits" in text_of((await anna.get("/calls?from=%25")).text)
    exported = await anna.get("/calls/export.csv?from=123 0007")
    assert len(exported.text.splitlines()) == 2


async def test_a_decision_leads_to_what_it_names(world: World, anna: Visitor) -> None:
    """Ids in a decision are links; what somebody else wrote there is text."""
    made = Trunk(new_id("trunk"), world.workspace.id, "Second", sources=("192.0.2.9",))
    trunk = await world.store.configuration.trunks.add(made, "test")
    await world.store.refresh()
    found = f"by trunk “<b>{trunk.name}</b>” ({trunk.id}), version ver_{'0' * 26}"
    check = {"name": "number", "looked_at": NUMBER, "found": found, "outcome": "pass"}
    decision = {"allowed": True, "reason": None, "summary": "", "checks": [check], "near_misses": []}
    page = (await anna.get(f"/calls/{(await keep(world, decision=decision)).id}")).text
    assert f'<a href="/dashboard/versions/ver_{"0" * 26}" class="id">' in page
    assert f"<b>{trunk.name}</b>" not in page
    assert f'href="/dashboard/trunks/{trunk.id}"' in page
