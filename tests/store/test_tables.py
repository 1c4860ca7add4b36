"""Routing tables among many numbers: which ones a change touches, and that they hold the right ones."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.routing.calling import OutboundRequest, calling_number
from gateway.routing.table import (
    AgentVersion,
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    RoutingTable,
    Trunk,
    Workspace,
)
from gateway.store import snapshot
from gateway.store.configuration.values import columns_of
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import numbers
from gateway.store.news import MOST, read_news
from gateway.store.sql import SqlStore, open_store
from gateway.store.tables import MOST_NEAR, Calling
from tests.cost import cost_of_waiting
from tests.store.furnished import Furnished, furnish

MANY = 10_000


async def pour(store: SqlStore, made: list[PhoneNumber]) -> None:
    """Many numbers at once, past the rules and the history."""
    box = store.configuration.numbers.editing.box
    rows = [{**columns_of(number, box), "created_at": datetime.now(UTC)} for number in made]
    async with store._database.writing() as connection:
        for at in range(0, len(rows), 500):
            await connection.execute(numbers.insert(), rows[at : at + 500])


def many(there: Furnished, count: int, **fields: Any) -> list[PhoneNumber]:
    """Numbers of the workspace, from +12025000000 on."""
    return [
        PhoneNumber(new_id("phn"), there.workspace.id, f"+1202{5_000_000 + at}", **fields)
        for at in range(count)
    ]


def calling(there: Furnished, **fields: Any) -> Calling:
    """A call as the agent."""
    return replace(Calling(there.workspace.id, there.agent.id, None), **fields)


async def test_a_nickname_touches_nothing(store: SqlStore, furnished: Furnished) -> None:
    """Neither table is read again because people call a number something else."""
    inbound = await store.routing_table("+442079460018")
    outbound = await store.outbound_table(calling(furnished))
    await store.configuration.numbers.change(furnished.number.id, {"nickname": "Front desk"}, "test")
    assert await store.routing_table("+442079460018") is inbound
    assert await store.outbound_table(calling(furnished)) is outbound


async def test_a_change_touches_the_tables_that_hold_it(store: SqlStore, furnished: Furnished) -> None:
    """The number's own table is read again, another number's is not."""
    other = PhoneNumber(new_id("phn"), furnished.workspace.id, "+12025550100")
    other = await store.configuration.numbers.add(other, "test")
    inbound, others = await store.routing_table("+442079460018"), await store.routing_table("+12025550100")
    await store.configuration.numbers.change(furnished.number.id, {"channel_limit": 3}, "test")
    assert await store.routing_table("+12025550100") is others
    found = await store.routing_table("+442079460018")
    assert found is not inbound
    assert found.numbers[0].channel_limit == 3


async def test_a_new_number_is_found_where_there_was_none(store: SqlStore, furnished: Furnished) -> None:
    """A table that says that nobody has a number does not outlive its coming; nor a number its going."""
    assert (await store.routing_table("12025550100")).numbers == ()
    number = PhoneNumber(new_id("phn"), furnished.workspace.id, "+12025550100")
    number = await store.configuration.numbers.add(number, "test")
    assert (await store.routing_table("12025550100")).numbers == (number,)
    await store.configuration.numbers.remove(number.id, "test")
    assert (await store.routing_table("12025550100")).numbers == ()


async def test_a_renamed_agent_and_a_changed_workspace_are_seen(
    store: SqlStore, furnished: Furnished
) -> None:
    """All that a decision is made from or tells is as it stands, in both directions."""
    await store.routing_table("+442079460018"), await store.outbound_table(calling(furnished))
    await store.configuration.agents.rename(furnished.agent.id, "Desk", "test")
    await store.configuration.workspaces.change(furnished.workspace.id, {"concurrency_limit": 7}, "test")
    tables = (await store.routing_table("+442079460018"), await store.outbound_table(calling(furnished)))
    for table in tables:
        assert [agent.name for agent in table.agents] == ["Desk"]
        assert [workspace.concurrency_limit for workspace in table.workspaces] == [7]


async def test_a_trunk_changes_in_a_table_that_stays(store: SqlStore, furnished: Furnished) -> None:
    """A table that is not read again has the trunks of now all the same."""
    before = await store.routing_table("+442079460018")
    await store.configuration.trunks.change(furnished.trunk.id, {"enabled": False}, "test")
    after = await store.routing_table("+442079460018")
    assert not after.trunks.by_id[furnished.trunk.id].enabled
    assert after.numbers is before.numbers
    assert before.trunks.by_id[furnished.trunk.id].enabled, "what was handed out never changes"


async def test_many_changes_at_once_are_all_seen(store: SqlStore, furnished: Furnished) -> None:
    """Where there were too many to look at each, everything is read again."""
    await store.routing_table("+442079460018")
    async with store.configuration.together("test") as there:
        for limit in range(1, MOST + 10):
            await there.numbers.change(furnished.number.id, {"channel_limit": limit}, "test")
    assert (await store.routing_table("+442079460018")).numbers[0].channel_limit == MOST + 9


async def test_news_say_what_changed(store: SqlStore, furnished: Furnished) -> None:
    """Prices are read again for a change of prices, trunks for one of trunks."""
    await store.refresh()
    seen = store._snapshots.revision
    await store.wallets.open(furnished.workspace, Decimal(5), "test")
    trunk = Trunk(new_id("trunk"), furnished.workspace.id, "Second")
    async with store._database.reading() as connection:
        assert (await read_news(connection, seen)).prices
    await store.configuration.trunks.add(trunk, "test")
    async with store._database.reading() as connection:
        news = await read_news(connection, seen + 1)
    assert not news.prices
    assert not news.touched
    assert news.trunk_ids == {trunk.id}


async def test_an_older_database_in_its_place_is_read(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore the revision is lower than the one that is known: nothing of before is believed."""
    await store.routing_table("+442079460018")
    store._snapshots.changed(10_000)
    assert (await store.routing_table("+442079460018")).numbers == (furnished.number,)
    await store.configuration.numbers.change(furnished.number.id, {"channel_limit": 4}, "test")
    assert (await store.routing_table("+442079460018")).numbers[0].channel_limit == 4


async def test_change_while_a_table_is_read_is_in_it(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed between the reading of a table and its keeping is not lost."""
    real, changed = snapshot._read_table, False

    async def changing_after(*given: Any) -> Any:
        nonlocal changed
        read = await real(*given)
        if not changed:
            changed = True
            await store.configuration.numbers.change(furnished.number.id, {"channel_limit": 9}, "test")
            await store.refresh()
        return read

    monkeypatch.setattr(snapshot, "_read_table", changing_after)
    assert (await store.routing_table("+442079460018")).numbers[0].channel_limit == 9


async def test_rental_that_runs_out_chooses_another_number(store: SqlStore, furnished: Furnished) -> None:
    """A table that was chosen by a rental is read again when that has ended, without any change."""
    there, soon = store.configuration, datetime.now(UTC) + timedelta(seconds=0.2)
    first, second = [
        await there.numbers.add(replace(number, outbound_version_id=furnished.published.id), "test")
        for number in many(furnished, 2)
    ]
    first = await there.numbers.change(first.id, {"rental_expires_at": soon, "is_default": True}, "test")
    assert (await store.outbound_table(calling(furnished))).numbers == (first,)
    kept = next(iter(store._snapshots._tables.values()))
    assert kept.good_until is not None
    key = next(iter(store._snapshots._tables))
    ended = datetime.now(UTC) - timedelta(seconds=1)
    store._snapshots._tables[key] = replace(kept, good_until=ended)
    await there.numbers.change(second.id, {"nickname": "x"}, "test")
    await there.numbers.change(first.id, {"rental_expires_at": ended}, "test")
    assert (await store.outbound_table(calling(furnished))).numbers[0].id == second.id


async def versions_of(store: SqlStore, there: Furnished, count: int) -> list[AgentVersion]:
    """Some more published versions of the agent."""
    agents = store.configuration.agents
    drafts = [await agents.draft(there.agent.id, {}, "test") for _ in range(count)]
    return [await agents.publish(draft.id, "test") for draft in drafts]


@pytest.mark.parametrize("seed", range(4))
async def test_the_best_number_is_the_one_that_a_search_finds(
    store: SqlStore, furnished: Furnished, seed: int
) -> None:
    """The database chooses as `routing.calling` does among all numbers of the workspace."""
    dice, now = random.Random(seed), datetime.now(UTC)
    published = [furnished.published, *await versions_of(store, furnished, 2)]
    made = [
        replace(
            number,
            status=dice.choice([NumberStatus.ACTIVE, NumberStatus.PENDING]),
            rental_status=dice.choice([RentalStatus.ACTIVE, RentalStatus.ACTIVE, RentalStatus.EXPIRED]),
            rental_expires_at=dice.choice([None, now - timedelta(days=1), now + timedelta(days=1)]),
            outbound_version_id=dice.choice([None, *(version.id for version in published)]),
            is_default=dice.random() < 0.3,
        )
        for number in many(furnished, 12)
    ]
    await pour(store, made)
    workspace = furnished.workspace
    whole = RoutingTable(
        numbers=tuple(made), versions=tuple(published), agents=(furnished.agent,), workspaces=(workspace,)
    )
    for version_number in (None, 1, 3, 4, 99):
        request = OutboundRequest(workspace.id, "+1", furnished.agent.id, version_number=version_number)
        table = await store.outbound_table(Calling.about(request))
        assert calling_number(table, workspace, request, now) == calling_number(
            whole, workspace, request, now
        )


async def test_number_of_another_workspace_is_never_called_from(
    store: SqlStore, furnished: Furnished
) -> None:
    """Neither by its number nor by an agent of another workspace."""
    other = await store.configuration.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    foreign = Calling(other.id, furnished.agent.id, furnished.number.e164)
    table = await store.outbound_table(foreign)
    assert (table.numbers, table.agents, table.versions) == ((), (), ())


async def test_drowned_number_is_found(store: SqlStore, furnished: Furnished) -> None:
    """However many numbers end the same way, the dialled one is in the table, and the table is bounded."""
    ends = [f"+4{prefix}9460018" for prefix in range(4_100_000, 4_100_000 + 2 * MOST_NEAR)]
    await pour(store, [PhoneNumber(new_id("phn"), furnished.workspace.id, e164) for e164 in ends])
    for called in ("+442079460018", "02079460018", "00442079460018", "9912#442079460018"):
        table = await store.routing_table(called)
        assert furnished.number in table.numbers
        assert len(table.numbers) == MOST_NEAR


async def test_decision_among_ten_thousand_numbers_costs_what_one_costs(config: Any) -> None:
    """After a change that matters, both tables are read in the same few milliseconds as ever."""
    store = await open_store(config)
    furnished = await furnish(store)
    limit = 0

    async def decide() -> None:
        nonlocal limit
        limit += 1
        await store.configuration.numbers.change(furnished.number.id, {"channel_limit": limit}, "test")
        await store.routing_table("+442079460018")
        await store.outbound_table(calling(furnished))

    alone = await cost_of_waiting(decide)
    await pour(store, many(furnished, MANY, outbound_version_id=furnished.published.id))
    among = await cost_of_waiting(decide)
    table = await store.outbound_table(calling(furnished))
    assert len(table.numbers) == 1
    assert among < alone + 25, "the choice itself is made in the database's thread or process, off the loop"
    await store.close()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
async def test_best_number_is_read_off_an_index(store: SqlStore, furnished: Furnished) -> None:
    """The choice among an agent's numbers reads no row of theirs; PostgreSQL plans by its statistics."""
    seen: list[str] = []
    sa.event.listen(
        store._database._engine.sync_engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: seen.append(statement),
    )
    await store.outbound_table(calling(furnished))
    chosen = next(text for text in seen if "is_default DESC" in text)
    async with store._database.reading() as connection:
        plan = await connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {chosen}", tuple(["x"] * chosen.count("?"))
        )
        assert "COVERING INDEX ix_phone_numbers_calling" in str(plan.all())
