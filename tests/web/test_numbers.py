"""Phone Numbers and a number's own page."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.routing.table import Agent, PhoneNumber, Workspace
from gateway.store.engine.ids import new_id
from tests.call.world import NUMBER, World
from tests.cost import cost_of_waiting
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop


async def add(world: World, e164: str, **fields: object) -> PhoneNumber:
    """A number of the workspace."""
    number = PhoneNumber(new_id("phn"), world.workspace.id, e164, **fields)  # type: ignore[arg-type]
    return await world.gateway.store.configuration.numbers.add(number, "test")


async def test_empty_says_what_to_do(anna: Visitor) -> None:
    """Without a number the page says what to do first."""
    assert "Start with a number" in text_of((await anna.get("/numbers")).text)


async def test_the_table(world: World, anna: Visitor) -> None:
    """Each row has the reference's fields; an unset direction says that it is disabled."""
    version = await world.line()
    renews = datetime(2027, 3, 1, tzinfo=UTC)
    await add(world, "+12125550102", nickname="Front desk", renews_at=renews, outbound_version_id=version.id)
    text = text_of((await anna.get("/numbers")).text)
    for expected in (
        "+1 212-555-0102",
        "Front desk",
        "SIP trunk",
        "01 Mar 2027",
        "disabled",
        "version 1",
        "active",
    ):
        assert expected in text, expected


SEARCHES: list[tuple[str, set[str]]] = [
    ("q=555-0101", {"0101"}),
    ("q=%2B1 212 555 01 02", {"0102"}),
    ("q=desk", {"0102"}),
    ("q=100%25", {"0103"}),
    ("status=pending", {"0103"}),
    ("assigned=inbound", {"0101"}),
    ("assigned=none", {"0102", "0103"}),
    ("q=nothing+such", set()),
    ("status=nonsense", {"0101", "0102", "0103"}),
    ("page=99", {"0101", "0102", "0103"}),
]
"A query, and the ends of the numbers that it finds."


async def test_search_and_filters(world: World, anna: Visitor, subtests: pytest.Subtests) -> None:
    """The table holds what was asked for, however it was written; LIKE's own signs mean themselves."""
    await world.line()
    await add(world, "+12125550102", nickname="Front desk")
    await add(world, "+12125550103", nickname="100% sure", status="pending")
    for query, expected in SEARCHES:
        with subtests.test(str((query, expected))[:80]):
            text = text_of((await anna.get(f"/numbers?{query}")).text)
            assert {tail for tail in ("0101", "0102", "0103") if f"555-{tail}" in text} == expected


async def test_assigning(world: World, anna: Visitor) -> None:
    """Each direction is assigned by itself, from published versions only; the history says who did it."""
    version = await world.version()
    draft = await world.version(publish=False)
    number = await add(world, NUMBER)
    book = world.gateway.store.configuration
    form = {"direction": "outbound", "version": version.id}
    assert (await anna.post(f"/numbers/{number.id}/assign", form)).status_code == 303
    changed = await book.numbers.get(number.id)
    assert (changed.inbound_version_id, changed.outbound_version_id) == (None, version.id)
    text = text_of((await anna.get(f"/numbers/{number.id}")).text)
    assert "speaks in calls from this number from the next call on" in text
    assert "inbound calls are disabled" in text
    assert "anna@example.com assigned an agent" in text
    refused = await anna.post(f"/numbers/{number.id}/assign", {"direction": "inbound", "version": draft.id})
    assert refused.status_code == 409
    assert "is a draft. Publish it first." in text_of(refused.text)
    await anna.post(f"/numbers/{number.id}/assign", {"direction": "outbound", "version": ""})
    assert (await book.numbers.get(number.id)).outbound_version_id is None


async def test_checklist(world: World, anna: Visitor) -> None:
    """The steps say what is missing, and what was done counts as done."""
    number = await add(world, NUMBER, status="pending")
    page = await anna.get(f"/numbers/{number.id}")
    text = text_of(page.text)
    assert "0 of 7 done" in text
    for step in (
        "Confirm active state",
        "Check readiness",
        "Assign published versions",
        "Review Telephony Config",
        "Run one inbound test",
        "Run one outbound test",
    ):
        assert f"{step} – missing" in text, step
    book = world.gateway.store.configuration
    version = await world.version()
    await book.workspaces.change(world.workspace.id, {"kyc_verified": True}, "test")
    ready = {"status": "active", "inbound_version_id": version.id, "outbound_version_id": version.id}
    await book.numbers.change(number.id, {**ready, "sip_trunk_enabled": True}, "test")
    assert "4 of 7 done" in text_of((await anna.get(f"/numbers/{number.id}")).text)


async def test_an_expired_rental_is_not_active(world: World, anna: Visitor) -> None:
    """A rental that has ended by its date fails the first step, whatever its status says."""
    past = datetime.now(UTC) - timedelta(days=1)
    number = await add(world, NUMBER, rental_expires_at=past)
    assert "Confirm active state – missing" in text_of((await anna.get(f"/numbers/{number.id}")).text)


async def test_removing(world: World, anna: Visitor) -> None:
    """A default number stays, and the page says why; another one goes."""
    number = await add(world, NUMBER, is_default=True)
    refused = await anna.post(f"/numbers/{number.id}/remove")
    assert refused.status_code == 409
    assert "is the workspace's default number" in text_of(refused.text)
    other = await add(world, "+12125550102")
    assert (await anna.post(f"/numbers/{other.id}/remove")).status_code == 303
    assert [each.id for each in await world.gateway.store.configuration.numbers.list_all()] == [number.id]


async def test_agents_from_nothing_to_published(world: World, anna: Visitor) -> None:
    """An agent is created, drafted, refused with what was typed, published, and never changes again."""
    made = await anna.post("/agents", {"name": "Front desk"})
    draft = made.headers["location"].removeprefix("/dashboard")
    form = {
        "runtime_url": "http://wrong",
        "dialect": "native",
        "audio": "l16_16k",
        "max_call_duration_sec": "300",
        "ring_duration_sec": "20",
        "parameters": "greeting: hello\nlanguage: en",
        "headers": "Authorization: Bearer very secret",
        "secret": "signing secret",
        "publish": "yes",
    }
    refused = await anna.post(draft, form)
    assert refused.status_code == 400
    assert "http://wrong" in refused.text
    assert "should be a WebSocket URL" in text_of(refused.text)
    assert (await anna.post(draft, {**form, "runtime_url": "ws://127.0.0.1:9/"})).status_code == 303
    book = world.gateway.store.configuration.agents
    (agent,) = await book.list_all(world.workspace.id)
    (version,) = await book.versions(agent.id)
    assert version.parameters == (("greeting", "hello"), ("language", "en"))
    page = (await anna.get(draft)).text
    assert "never changes" in page
    assert "very secret" not in page
    assert "signing secret" not in page
    again = await anna.post(draft, {**form, "runtime_url": "ws://127.0.0.1:10/"})
    assert "is published and never changes" in text_of(again.text)
    assert await book.version(version.id) == version


async def test_ten_thousand_numbers(world: World, anna: Visitor, other: Workspace) -> None:
    """With ten thousand numbers a page of the table, and a search in it, cost well under 150 ms."""
    await fill(world, 10_000)
    for query in ("", "?page=300", "?q=99", "?assigned=both&status=active&size=100"):
        answer = await anna.get(f"/numbers{query}")
        assert answer.status_code == 200
        assert float(answer.headers["server-timing"].rpartition("=")[2]) > 0
        took = await cost_of_waiting(lambda query=query: anna.get(f"/numbers{query}"))  # type: ignore[misc]
        assert took < 150, (query, took)


async def fill(world: World, count: int) -> None:
    """Many numbers at once, past the history that one by one would write."""
    from gateway.store.configuration.values import columns_of
    from gateway.store.engine.schema import numbers

    store = world.gateway.store
    agent = await store.configuration.agents.add(Agent(new_id("agent"), world.workspace.id, "A"), "test")
    draft = await store.configuration.agents.draft(agent.id, {"runtime_url": "ws://127.0.0.1:9/"}, "test")
    version = await store.configuration.agents.publish(draft.id, "test")
    rows = []
    for number in range(count):
        e164 = f"+1212{5_000_000 + number}"
        assigned = version.id if number % 2 else None
        made = PhoneNumber(
            f"phn_{number:06}",
            world.workspace.id,
            e164,
            "1",
            e164[2:],
            inbound_version_id=assigned,
            outbound_version_id=assigned,
        )
        rows.append({**columns_of(made, store.number_list.box), "created_at": datetime.now(UTC)})
    async with store.number_list.database.writing() as connection:
        await connection.execute(numbers.insert(), rows)


async def test_latest_and_splits(world: World, anna: Visitor) -> None:
    """A number follows an agent's latest version, or shares its callers out, where the shares add up to 1."""
    first = await world.version()
    book = world.gateway.store.configuration
    draft = await book.agents.draft(first.agent_id, {}, "test")
    second = await book.agents.publish(draft.id, "test")
    number = await add(world, NUMBER)
    path = f"/numbers/{number.id}/assign"
    await anna.post(path, {"direction": "inbound", "version": f"latest:{first.agent_id}"})
    changed = await book.numbers.get(number.id)
    assert (changed.inbound_version_id, changed.inbound_latest) == (second.id, True)
    assert "latest, now 2" in text_of((await anna.get("/numbers")).text)
    shares = {f"share-{first.id}": "80", f"share-{second.id}": "20", "direction": "inbound", "split": "on"}
    assert (await anna.post(path, shares)).status_code == 303
    changed = await book.numbers.get(number.id)
    assert dict(changed.inbound_split) == {first.id: 0.8, second.id: 0.2}
    text = text_of((await anna.get(f"/numbers/{number.id}")).text)
    assert "80 % version 1" in text
    assert "20 % version 2" in text
    wrong = await anna.post(path, {**shares, f"share-{second.id}": "30"})
    assert wrong.status_code == 400
    assert "add up to 1" in text_of(wrong.text)
    assert (await anna.post(path, {"direction": "inbound", "split": "on"})).status_code == 400
    theirs = {"direction": "inbound", "version": "latest:agent_of_others"}
    assert (await anna.post(path, theirs)).status_code == 400
