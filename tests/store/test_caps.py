"""What a workspace may have, as far as it makes it itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.config.settings import Config, TenantsSettings
from gateway.routing.table import Agent, PhoneNumber, Secret, Trunk, Workspace
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished, furnish

TENANT, OPERATOR = "api:key_1", "cli:root"
FEW = TenantsSettings(
    trunks=2, networks=6, networks_per_trunk=4, numbers=2, agents=2, versions=3, keys=1, webhooks=1
)
"With what `furnish` makes, there is room for one more of each."


@pytest.fixture
async def small(config: Config) -> AsyncIterator[SqlStore]:
    """A store whose workspaces may have few of each."""
    store = await open_store(config.model_copy(update={"tenants": FEW}))
    yield store
    await store.close()


def trunk(there: Furnished, name: str, *sources: str, **fields: object) -> Trunk:
    """A trunk of the workspace."""
    return replace(Trunk(new_id("trunk"), there.workspace.id, name, sources=sources), **fields)  # type: ignore[arg-type]


Add = Callable[[SqlStore, Furnished, str, int], Awaitable[object]]


async def add_trunk(store: SqlStore, there: Furnished, by: str, index: int) -> object:
    """One more trunk."""
    return await store.configuration.trunks.add(trunk(there, f"T{index}"), by)


async def add_number(store: SqlStore, there: Furnished, by: str, index: int) -> object:
    """One more number."""
    number = PhoneNumber(new_id("phn"), there.workspace.id, f"+1202555010{index}")
    return await store.configuration.numbers.add(number, by)


async def add_agent(store: SqlStore, there: Furnished, by: str, index: int) -> object:
    """One more agent."""
    return await store.configuration.agents.add(Agent(new_id("agent"), there.workspace.id, f"A{index}"), by)


async def add_version(store: SqlStore, there: Furnished, by: str, index: int) -> object:
    """One more version of the agent."""
    return await store.configuration.agents.draft(there.agent.id, {}, by)


async def add_key(store: SqlStore, there: Furnished, by: str, index: int) -> object:
    """One more key."""
    return await store.configuration.keys.add(there.workspace.id, f"K{index}", by)


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (add_trunk, "trunk = 3: a workspace has at most 2 trunks"),
        (add_number, "phone_number = 3: a workspace has at most 2 numbers"),
        (add_agent, "agent = 3: a workspace has at most 2 agents"),
        (add_version, "version = 4: an agent has at most 3 versions"),
        (add_key, "key = 2: a workspace has at most 1 keys"),
    ],
)
async def test_a_tenant_has_so_many_and_the_operator_more(small: SqlStore, add: Add, told: str) -> None:
    """The refusal says what there would be and what may be; the operator is not held to it."""
    there = await furnish(small)
    await add(small, there, TENANT, 1)
    with pytest.raises(Conflict) as refused:
        await add(small, there, TENANT, 2)
    assert str(refused.value) == told
    await add(small, there, OPERATOR, 3)
    with pytest.raises(Conflict):
        await add(small, there, "web:anna", 4)


async def test_another_workspace_s_are_not_counted(small: SqlStore) -> None:
    """Each workspace has its own room."""
    there = await furnish(small)
    await add_trunk(small, there, TENANT, 1)
    other = await small.configuration.workspaces.add(Workspace(new_id("org"), "Other"), OPERATOR)
    await small.configuration.trunks.add(Trunk(new_id("trunk"), other.id, "T"), TENANT)


async def test_a_revoked_key_makes_room(small: SqlStore) -> None:
    """Keys that open nothing do not count."""
    there = await furnish(small)
    key, _ = await small.configuration.keys.add(there.workspace.id, "one", TENANT)
    await small.configuration.keys.revoke(key.id, TENANT)
    await small.configuration.keys.add(there.workspace.id, "two", TENANT)


async def test_a_bought_number_is_taken_in(small: SqlStore) -> None:
    """What is paid for already is registered; whether there is room, was asked before."""
    there = await furnish(small)
    await add_number(small, there, TENANT, 1)
    with pytest.raises(Conflict, match="at most 2 numbers"):
        await small.configuration.numbers.refuse_full(there.workspace.id, TENANT)
    number = PhoneNumber(new_id("phn"), there.workspace.id, "+12025550109")
    await small.configuration.numbers.add(number, TENANT, bought=True)


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["0.0.0.0/1", "128.0.0.0/1"], r"sources = 0.0.0.0/1: should name the carrier's networks: /16"),
        (["0.0.0.0/0"], "should name the carrier's networks"),
        (["10.0.0.0/15"], "/16 or narrower"),
        (["::ffff:0:0/97"], "sources = 0.0.0.0/1: .*/16 or narrower"),
        (["::ffff:10.0.0.0/111"], "/16 or narrower"),
        (["2001::/31"], "sources = 2000::/31.*/32 or narrower|sources = 2001::/31.*/32 or narrower"),
        (["::/1", "8000::/1"], "/32 or narrower"),
        (["192.0.2.1", "10.0.0.0/1"], "/16 or narrower"),
    ],
)
async def test_a_wide_source_is_not_for_tenants(
    store: SqlStore, furnished: Furnished, sources: list[str], told: str
) -> None:
    """Neither new nor in a change, with credentials or without; for the operator it is."""
    login = {"username": "u", "password": Secret("p")}
    for fields in ({}, login):
        with pytest.raises(InvalidInput, match=told):
            await store.configuration.trunks.add(trunk(furnished, "W", *sources, **fields), TENANT)
    with pytest.raises(InvalidInput, match=told):
        await store.configuration.trunks.change(furnished.trunk.id, {"sources": tuple(sources)}, TENANT)
    made = await store.configuration.trunks.add(trunk(furnished, "W", *sources, **login), OPERATOR)
    await store.configuration.trunks.change(made.id, {"name": "Wide"}, TENANT)


async def test_narrow_sources_are_for_tenants(store: SqlStore, furnished: Furnished) -> None:
    """What carriers write in their documentation."""
    sources = ("54.172.60.0/30", "10.0.0.0/16", "::ffff:10.1.0.0/112", "2001:db8::/32", "192.0.2.7")
    await store.configuration.trunks.add(trunk(furnished, "Twilio", *sources), TENANT)


async def test_networks_are_counted_a_trunk_and_in_all(small: SqlStore) -> None:
    """Four in one list, six in all lists of the workspace, of which one is there."""
    there = await furnish(small)
    many = [f"192.0.2.{index}" for index in range(5)]
    with pytest.raises(InvalidInput, match="sources = 5: should be at most 4 networks"):
        await small.configuration.trunks.add(trunk(there, "T", *many), TENANT)
    made = await small.configuration.trunks.add(trunk(there, "T", *many[:4]), TENANT)
    more = {"sources": ("192.0.2.0/24", "198.51.100.1", "198.51.100.2")}
    with pytest.raises(InvalidInput, match="sources = 7: should be at most 6 networks in all trunks"):
        await small.configuration.trunks.change(there.trunk.id, more, TENANT)
    await small.configuration.trunks.change(made.id, {"sources": ("192.0.2.9",)}, TENANT)
    await small.configuration.trunks.change(there.trunk.id, more, TENANT)


async def test_errors_do_not_name_what_is_another_s(store: SqlStore, furnished: Furnished) -> None:
    """Who gives the id of another workspace's trunk, version or number gets back that id, and no name."""
    there = store.configuration
    other = await there.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    number = PhoneNumber(new_id("phn"), other.id, "+12025550100")
    foreign: list[dict[str, Any]] = [
        {"trunk_id": furnished.trunk.id},
        {"inbound_version_id": furnished.published.id},
    ]
    for fields in foreign:
        with pytest.raises(InvalidInput) as refused:
            await there.numbers.add(replace(number, **fields), TENANT)
        for name in (furnished.trunk.name, furnished.agent.name, furnished.workspace.name):
            assert name not in str(refused.value)
    for finding in (
        there.agents.find_version(furnished.published.id, other.id),
        there.numbers.find(furnished.number.id, other.id),
    ):
        with pytest.raises(NotFound, match="there is no such"):
            await finding
