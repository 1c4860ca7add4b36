"""Lists of numbers that are never called: each workspace's own, found at once, told in the history."""

import asyncio

import pytest
import sqlalchemy as sa

from gateway.config.settings import Config, TenantsSettings
from gateway.routing.table import Workspace
from gateway.store.configuration.do_not_call import LOOK_UP, LOT, DoNotCall, Updated
from gateway.store.engine.database import Database
from gateway.store.engine.errors import Conflict, InvalidInput, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.sql import SqlStore, open_store
from gateway.store.tables import Calling
from tests.store.furnished import Furnished

ANNA, BORIS, CLARA = "+442079460001", "+442079460002", "+919876500003"


def numbers(first: int, last: int) -> list[str]:
    """Many different ones."""
    return [f"+1202{number:07}" for number in range(first, last)]


@pytest.fixture
def lists(store: SqlStore) -> DoNotCall:
    """The lists of a store."""
    return store.configuration.do_not_call


async def test_numbers_come_and_go(lists: DoNotCall, furnished: Furnished) -> None:
    """What is on the list already, or is not on it, is counted and left alone."""
    own = furnished.workspace.id
    assert await lists.add(own, [ANNA, BORIS], "api:key_1", reason="asked us") == Updated(2, 0, 2)
    assert await lists.add(own, [BORIS, CLARA], "cli:root") == Updated(1, 1, 3)
    assert await lists.contains(own, ANNA)
    assert await lists.among(own, [ANNA, CLARA, "+442079460009"]) == {ANNA, CLARA}
    page = await lists.page(own)
    assert [each.phone_number for each in page.items] == [ANNA, BORIS, CLARA]
    assert [(each.reason, each.added_by) for each in page.items] == [
        *[("asked us", "api:key_1")] * 2,
        ("", "cli:root"),
    ]
    assert await lists.remove(own, [ANNA, "+442079460009"], "cli:root") == Updated(1, 1, 2)
    assert not await lists.contains(own, ANNA)
    assert await lists.total(own) == 2
    assert await lists.add(own, [], "cli:root") == Updated(0, 0, 2)


async def test_pages_and_beginnings(lists: DoNotCall, furnished: Furnished) -> None:
    """A page is in the order of digits; a beginning narrows it, the same digits further in do not."""
    own = furnished.workspace.id
    await lists.add(own, [ANNA, BORIS, CLARA, "+44204420", "+4420"], "test")
    page = await lists.page(own, limit=2, offset=1)
    assert ([each.phone_number for each in page.items], page.total) == (["+44204420", ANNA], 5)
    page = await lists.page(own, begins="+44207")
    assert ([each.phone_number for each in page.items], page.total) == ([ANNA, BORIS], 2)
    assert (await lists.page(own, begins="+9198765000031")).total == 0
    found = [each.phone_number async for part in lists.everything(own) for each in part]
    assert found == sorted(found)
    assert len(found) == 5


async def test_another_workspaces_list_is_its_own(
    store: SqlStore, lists: DoNotCall, furnished: Furnished
) -> None:
    """Neither seen, counted nor emptied by another."""
    other = await store.configuration.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    await lists.add(furnished.workspace.id, [ANNA], "test")
    assert await lists.among(other.id, [ANNA]) == set()
    assert (await lists.page(other.id)).total == await lists.total(other.id) == 0
    assert await lists.remove(other.id, [ANNA], "test") == Updated(0, 1, 0)
    assert [part async for part in lists.everything(other.id)] == []
    assert await lists.contains(furnished.workspace.id, ANNA)


async def test_a_decision_sees_a_change_at_once(
    store: SqlStore, lists: DoNotCall, furnished: Furnished
) -> None:
    """The next decision knows, though the table is the one that is kept."""
    own = furnished.workspace.id
    asked = Calling(own, furnished.agent.id, None)
    table = await store.outbound_table(asked, ANNA)
    assert (table.has_do_not_call, table.listed) == (False, None)
    await lists.add(own, [ANNA], "api:key_1", reason="asked us")
    listed = (await store.outbound_table(asked, "+44 20 7946-0001")).listed
    assert listed is not None
    assert (listed.phone_number, listed.reason, listed.added_by) == (ANNA, "asked us", "api:key_1")
    assert listed == (await lists.page(own)).items[0], "the driver's answer is read as SQLAlchemy reads it"
    free = await store.outbound_table(asked, BORIS)
    assert (free.has_do_not_call, free.listed) == (True, None)
    await lists.add(own, [BORIS], "test")
    assert (await store.outbound_table(asked, BORIS)).listed is not None
    await lists.remove(own, [ANNA], "test")
    assert (await store.outbound_table(asked, ANNA)).listed is None
    assert (await store.outbound_table(asked, "112")).listed is None, "what is no number is on no list"
    assert await store.outbound_table(asked) is await store.outbound_table(asked), "the kept table itself"


async def test_another_gateways_first_number_counts(
    store: SqlStore, furnished: Furnished, config: Config
) -> None:
    """A list that somebody else begins is heard of by its revision."""
    asked = Calling(furnished.workspace.id, furnished.agent.id, None)
    assert (await store.outbound_table(asked, ANNA)).listed is None
    other = await open_store(config, serving=False)
    await other.configuration.do_not_call.add(furnished.workspace.id, [ANNA], "cli:root")
    await other.close()
    await asyncio.sleep(0.03)
    assert (await store.outbound_table(asked, ANNA)).listed is not None


async def test_nobody_is_called_unasked(
    store: SqlStore, lists: DoNotCall, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that cannot be asked refuses; a workspace without one goes on with what is in memory."""
    asked = Calling(furnished.workspace.id, furnished.agent.id, None)
    await store.outbound_table(asked, ANNA)

    async def away(*_: object) -> None:
        raise OSError("the cable is out")

    with monkeypatch.context() as broken:
        broken.setattr(Database, "connect", away)
        await store._snapshots._lookups.close()
        assert (await store.outbound_table(asked, ANNA)).listed is None
    await lists.add(furnished.workspace.id, [ANNA], "test")
    with monkeypatch.context() as broken:
        broken.setattr(Database, "connect", away)
        await store._snapshots._lookups.close()
        with pytest.raises(StoreError, match="do-not-call list could not be asked"):
            await store.outbound_table(asked, BORIS)
    assert (await store.outbound_table(asked, ANNA)).listed is not None


async def test_many_numbers_are_one_line_of_the_history(
    store: SqlStore, lists: DoNotCall, furnished: Furnished
) -> None:
    """Several transactions, one change; each number that is named is found by it."""
    own, many = furnished.workspace.id, numbers(0, LOT + 200)
    assert await lists.add(own, many, "api:key_1", source="old.csv") == Updated(LOT + 200, 0, LOT + 200)
    assert await lists.add(own, [ANNA], "api:key_1", reason="asked us") == Updated(1, 0, LOT + 201)
    assert await lists.remove(own, many[1:], "cli:root") == Updated(LOT + 199, 0, 2)
    changes = await store.configuration.history_of_workspace(own)
    removed, added, imported = (change for change in changes if change.kind == "do_not_call")
    assert (removed.action, removed.by, removed.fields["numbers"]) == ("remove", "cli:root", [LOT + 201, 2])
    assert added.fields == {
        "numbers": [LOT + 200, LOT + 201],
        "e164": [None, ANNA],
        "reason": [None, "asked us"],
    }
    assert (imported.fields["numbers"], imported.fields["file"]) == ([0, LOT + 200], [None, "old.csv"])
    assert imported.fields["e164s"][1] == many[:20]
    assert [change.id for change in await store.configuration.history_of_name(ANNA)] == [added.id]


async def test_a_tenants_list_is_bounded(config: Config) -> None:
    """Told before anything is added, with numbers of the list counted once; the operator's may be longer."""
    store = await open_store(
        config.model_copy(update={"tenants": TenantsSettings(do_not_call=3)}), serving=False
    )
    lists = store.configuration.do_not_call
    own = (await store.configuration.workspaces.add(Workspace(new_id("org"), "Acme"), "test")).id
    await lists.add(own, [ANNA, BORIS], "api:key_1")
    with pytest.raises(Conflict, match="at most 3 numbers"):
        await lists.add(own, [ANNA, CLARA, "+12025550123"], "api:key_1")
    assert await lists.total(own) == 2
    assert (await lists.add(own, [ANNA, BORIS, CLARA], "web:anna@acme")).total == 3
    assert (await lists.add(own, numbers(0, 5), "cli:root")).total == 8
    await store.close()


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 201, "a\x00b"])
async def test_a_reason_is_a_line(lists: DoNotCall, furnished: Furnished, reason: str) -> None:
    """What a list could not show is refused, and nothing is added."""
    with pytest.raises(InvalidInput, match="reason"):
        await lists.add(furnished.workspace.id, [ANNA], "test", reason=reason)
    assert await lists.total(furnished.workspace.id) == 0


async def test_a_decision_reads_one_row(store: SqlStore, database: Database, furnished: Furnished) -> None:
    """A list of any length is looked up by its key."""
    if database.dialect != "sqlite":
        return
    async with database.reading() as connection:
        plan = (await connection.execute(sa.text("EXPLAIN QUERY PLAN " + LOOK_UP.replace("?", "'a'")))).all()
    assert "SEARCH do_not_call USING PRIMARY KEY (workspace_id=? AND phone_number=?)" in str(plan)
