"""Routing tables and trunks: what is in them, how fresh they are, and what happens without a database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.config.settings import Config
from gateway.routing.table import PhoneNumber, RoutingTable, Trunk
from gateway.store import snapshot
from gateway.store.configuration.values import tail_of
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.sql import SqlStore, open_store
from gateway.store.tables import Reader
from tests.store.furnished import Furnished


@pytest.mark.parametrize(
    "called",
    [
        "+442079460018",
        "442079460018",
        "00442079460018",
        "02079460018",
        "9912#442079460018",
        "+44-20-7946-0018",
        "+442079460018;phone-context=+44",
        "tel:+442079460018",
        "+442079460018@gw.example.com",
    ],
)
def test_tail_is_the_last_seven_digits(called: str) -> None:
    """However a carrier writes a number, its last digits are the same."""
    assert tail_of(called) == "9460018"


async def test_table_holds_what_a_decision_needs(store: SqlStore, furnished: Furnished) -> None:
    """All trunks; the numbers with the same end; their versions, agents and workspaces; no others."""
    there = store.configuration
    near = PhoneNumber(new_id("phn"), furnished.workspace.id, "+12029460018")
    far = PhoneNumber(new_id("phn"), furnished.workspace.id, "+12025550100")
    near, _ = await there.numbers.add(near, "test"), await there.numbers.add(far, "test")
    table = await store.routing_table("02079460018")
    assert list(table.trunks) == [furnished.trunk]
    assert set(table.numbers) == {furnished.number, near}
    assert table.versions == (furnished.published,)
    assert table.agents == (furnished.agent,)
    assert table.workspaces == (furnished.workspace,)


async def test_table_of_an_unknown_number_has_the_trunks(store: SqlStore, furnished: Furnished) -> None:
    """Nobody has this number, but whose trunk it came by can be told."""
    table = await store.routing_table("+12025550199")
    assert (table.numbers, list(table.trunks)) == ((), [furnished.trunk])


async def test_change_takes_effect_on_the_next_call(store: SqlStore, furnished: Furnished) -> None:
    """The table that is asked for after a change has it, however recently it was asked for before."""
    await store.routing_table("+442079460018")
    await store.configuration.numbers.unassign(furnished.number.id, "inbound", "test")
    table = await store.routing_table("+442079460018")
    assert table.number_by_e164["+442079460018"].inbound_version_id is None


async def test_change_by_another_process_is_seen_within_20_ms(
    store: SqlStore, furnished: Furnished, config: Config
) -> None:
    """The command line changes a route: the gateway knows at its next look, 20 ms later at most."""
    await store.routing_table("+442079460018")
    other = await open_store(config, serving=False)
    await other.configuration.numbers.unassign(furnished.number.id, "inbound", "test")
    await other.close()
    await asyncio.sleep(snapshot.FRESH_SECONDS)
    table = await store.routing_table("+442079460018")
    assert table.number_by_e164["+442079460018"].inbound_version_id is None


async def test_unchanged_table_is_the_same_object(store: SqlStore, furnished: Furnished) -> None:
    """As long as nothing changes, tables and trunks are kept, not read again."""
    table, trunks = await store.routing_table("+442079460018"), store.trunks()
    await asyncio.sleep(snapshot.FRESH_SECONDS)
    await store.refresh()
    assert await store.routing_table("+442079460018") is table
    assert store.trunks() is trunks


async def test_trunks_are_polled(store: SqlStore, furnished: Furnished, config: Config) -> None:
    """A trunk that another process adds is known to the gatekeeper soon, without any call."""
    other = await open_store(config, serving=False)
    trunk = Trunk(new_id("trunk"), furnished.workspace.id, "Second", sources=("203.0.113.0/24",))
    await other.configuration.trunks.add(trunk, "test")
    await other.close()
    async with asyncio.timeout(5):
        while [found.name for _, found in store.trunks().at("203.0.113.9")] != ["Second"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_number_change_keeps_the_trunks(store: SqlStore, furnished: Furnished) -> None:
    """The index of trunks is not built again when something else changes."""
    await store.refresh()
    trunks = store.trunks()
    await store.configuration.numbers.change(furnished.number.id, {"nickname": "x"}, "test")
    await store.refresh()
    assert store.trunks() is trunks


async def test_cache_is_bounded(config: Config) -> None:
    """However many numbers are dialled, no more tables are kept than configured."""
    limits = config.limits.model_copy(update={"cached_tables": 10})
    store = await open_store(config.model_copy(update={"limits": limits}))
    for index in range(50):
        await store.routing_table(f"+1202555{index:04}")
    assert len(store._snapshots._tables) == 10
    await store.close()


async def test_burst_of_calls_asks_once(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred calls at the same moment to one number read its table once."""
    reads = 0
    real = Reader.inbound

    async def counting(reader: Reader, digits: str) -> RoutingTable:
        nonlocal reads
        reads += 1
        return await real(reader, digits)

    monkeypatch.setattr(Reader, "inbound", counting)
    tables = await asyncio.gather(*(store.routing_table("+442079460018") for _ in range(100)))
    assert reads == 1
    assert all(table is tables[0] for table in tables)


async def test_cached_table_costs_next_to_nothing(store: SqlStore, furnished: Furnished) -> None:
    """A call to a number that is known costs well under 0.2 ms, the look at the revision included."""
    await store.routing_table("+442079460018")
    took = []
    for _ in range(200):
        store._snapshots._checked_at = float("-inf")
        began = time.perf_counter()
        await store.routing_table("+442079460018")
        took.append(time.perf_counter() - began)
    assert sorted(took)[100] < 0.001, "generous: the machine may be busy; on an idle one it is 0.00004"


# --- without a database


class Away(Exception):
    """What a driver raises when the server is gone."""


class _Gone:
    """A transaction that cannot be begun."""

    def __init__(self, gone: Callable[[], Awaitable[None]]) -> None:
        self._gone = gone

    async def __aenter__(self) -> None:
        await self._gone()

    async def __aexit__(self, *_: object) -> None: ...


def take_database_away(store: SqlStore, monkeypatch: pytest.MonkeyPatch, *, silent: bool) -> None:
    """From now on the database refuses at once, or says nothing at all."""

    async def gone(*_: object) -> None:
        if silent:
            await asyncio.Event().wait()
        raise Away("connection refused")

    monkeypatch.setattr(store._snapshots._probe, "_ask", gone)
    monkeypatch.setattr(store._database, "connect", gone)
    monkeypatch.setattr(store._database, "reading", lambda: _Gone(gone))


@pytest.mark.parametrize("silent", [False, True])
async def test_known_number_is_served_without_database(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """While the database is away, calls to numbers that were called before go on as before."""
    monkeypatch.setattr(snapshot, "PATIENCE_SECONDS", 0.05)
    known = await store.routing_table("+442079460018")
    take_database_away(store, monkeypatch, silent=silent)
    store._snapshots._checked_at = float("-inf")
    assert await store.routing_table("+442079460018") is known


@pytest.mark.parametrize("silent", [False, True])
async def test_unknown_number_without_database_is_an_error(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """A number that was never called cannot be routed then, and the error says so, soon."""
    monkeypatch.setattr(snapshot, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(snapshot, "ONLY_HOPE_SECONDS", 0.05)
    take_database_away(store, monkeypatch, silent=silent)
    store._snapshots._checked_at = float("-inf")
    async with asyncio.timeout(2):
        with pytest.raises(StoreError, match="has not been called before"):
            await store.routing_table("+12025550100")


async def test_unknown_number_waits_for_a_slow_database(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory has nothing, a call outlasts a database that is slower than one would wait for news."""
    monkeypatch.setattr(snapshot, "PATIENCE_SECONDS", 0.05)
    load = store._snapshots._load_table

    async def slowly(*given: Any) -> RoutingTable:
        await asyncio.sleep(0.3)
        return await load(*given)

    monkeypatch.setattr(store._snapshots, "_load_table", slowly)
    assert (await store.routing_table("+442079460018")).numbers == (furnished.number,)


async def test_changed_number_without_database_is_served_stale(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that cannot be read any more leaves the old route, and that is counted."""
    monkeypatch.setattr(snapshot, "PATIENCE_SECONDS", 0.05)
    known = await store.routing_table("+442079460018")
    take_database_away(store, monkeypatch, silent=False)
    store._snapshots.changed(known.revision + 1)
    assert await store.routing_table("+442079460018") is known
    assert store.counters["stale_table"] == 1


async def test_health_says_what_is_wrong(store: SqlStore) -> None:
    """A database that answers is healthy; one whose tables are gone still answers."""
    assert await store.healthy() is None


async def test_many_trunks_are_found_in_a_table(store: SqlStore, furnished: Furnished) -> None:
    """A table shares the index of trunks, whatever their number."""
    for index in range(30):
        trunk = replace(
            furnished.trunk, id=new_id("trunk"), name=f"T{index}", sources=(f"198.51.100.{index}",)
        )
        await store.configuration.trunks.add(trunk, "test")
    first, second = await store.routing_table("+442079460018"), await store.routing_table("+12025550100")
    assert first.trunks is second.trunks is store.trunks()
    assert [trunk.name for _, trunk in first.trunks.at("198.51.100.17")] == ["T17"]


async def test_a_question_that_is_answered_keeps_nobody(store: SqlStore) -> None:
    """Its task is done before its callbacks have their turn: who needs a newer answer asks anew."""
    asked = asyncio.create_task(asyncio.sleep(0))
    await asked
    store._snapshots._running[("revision",)] = asked
    store._snapshots._asked_at = float("-inf")
    assert await store._snapshots.fresh_revision() == store._snapshots.revision
    assert store._snapshots._asked_at > 0
