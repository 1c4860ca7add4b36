"""Workspaces, trunks, agents, versions, numbers: what is written, what refused, what remembered."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.routing.number import NumberFormat
from gateway.routing.table import (
    Agent,
    AgentVersion,
    Dialect,
    Increment,
    NetworkGroup,
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    Secret,
    Trunk,
    TrunkAuthMode,
    VersionState,
    Workspace,
)
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import trunks
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished

FULL_TRUNK: dict[str, Any] = {
    "name": "Everything",
    "enabled": False,
    "sources": ("192.0.2.7", "198.51.100.0/24", "2001:db8::/48"),
    "username": "in",
    "password": Secret("geheim-in"),
    "trust_pai": True,
    "codecs": ("PCMA", "PCMU"),
    "transport": "TLS",
    "number_format": NumberFormat.parse("national:GB;tech=9912"),
    "channel_limit": 30,
    "calls_per_second": 2.5,
    "termination_uri": "sip.example.com:5061",
    "auth_mode": TrunkAuthMode.USERPASS,
    "outbound_username": "out",
    "outbound_password": Secret("geheim-out"),
    "outbound_realm": "example.com",
    "outbound_format": NumberFormat.parse("prefixed:011"),
    "provider": "plivo",
    "flat_rate": Decimal("0.0125"),
}


async def test_every_field_of_a_workspace_comes_back(store: SqlStore) -> None:
    """A workspace is read as it was written, network groups and money included."""
    workspace = Workspace(
        new_id("org"),
        "Acme",
        kyc_verified=True,
        verification_number="+919876543210",
        sip_byoc_enabled=True,
        network_groups=(NetworkGroup("IN", "Mobile", ("98", "99")), NetworkGroup("US", "All", (), False)),
        allow_premium=True,
        verified_caller_ids=("+12025550100",),
        concurrency_limit=25,
        currency="EUR",
        sip_flat_rate=Decimal("1.500001"),
        billing_increment=Increment(6, 6),
    )
    await store.configuration.workspaces.add(workspace, "test")
    assert await store.configuration.workspaces.get(workspace.id) == workspace


async def test_every_field_of_a_trunk_comes_back(store: SqlStore, furnished: Furnished) -> None:
    """A trunk is read as it was written, passwords included."""
    trunk = Trunk(new_id("trunk"), furnished.workspace.id, **FULL_TRUNK)
    await store.configuration.trunks.add(trunk, "test")
    assert await store.configuration.trunks.get(trunk.id) == trunk


async def test_every_field_of_a_version_comes_back(store: SqlStore, furnished: Furnished) -> None:
    """An agent version is read as it was written, headers and secret included."""
    fields = {
        "runtime_url": "wss://agents.example.com/x",
        "dialect": Dialect.NATIVE,
        "headers": (("Authorization", "Bearer geheim"), ("X-Zone", "b")),
        "secret": Secret("geheim"),
        "audio": "l16_16k",
        "options": (("subprotocol", "mine"),),
        "parameters": (("greeting", "Grüß Gott"), ("b", "2"), ("a", "1")),
        "max_call_duration_sec": 90,
        "ring_duration_sec": 12,
        "early_media": True,
        "fallback_url": "ws://127.0.0.1:9/",
        "fallback_wav": "/var/lib/trunkline/sorry.wav",
    }
    version = await store.configuration.agents.draft(furnished.agent.id, fields, "test")
    assert {name: getattr(version, name) for name in fields} == fields
    assert await store.configuration.agents.version(version.id) == version


async def test_every_field_of_a_number_comes_back(store: SqlStore, furnished: Furnished) -> None:
    """A number is read as it was written, times in UTC, its country code apart from the local number."""
    number = PhoneNumber(
        new_id("phn"),
        furnished.workspace.id,
        "+12025550100",
        nickname="Front desk",
        provider="plivo",
        status=NumberStatus.PENDING,
        rental_status=RentalStatus.EXPIRED,
        rental_expires_at=datetime(2027, 1, 31, 12, tzinfo=UTC),
        renews_at=datetime(2027, 1, 1, tzinfo=UTC),
        sip_trunk_enabled=True,
        trunk_id=furnished.trunk.id,
        inbound_version_id=furnished.published.id,
        outbound_version_id=furnished.published.id,
        is_default=True,
        channel_limit=3,
    )
    added = await store.configuration.numbers.add(number, "test")
    assert added == replace(number, country_code="1", local_number="2025550100")
    assert await store.configuration.numbers.get(number.id) == added


async def test_secrets_are_sealed_in_the_database(store: SqlStore, furnished: Furnished) -> None:
    """No column holds a password in clear, nor does the history of changes."""
    trunk = Trunk(new_id("trunk"), furnished.workspace.id, **FULL_TRUNK)
    there = store.configuration
    await there.trunks.add(trunk, "test")
    await there.trunks.change(trunk.id, {"password": Secret("geheim-neu")}, "test")
    headers = (("Authorization", "geheim-header"),)
    version = await there.agents.draft(
        furnished.agent.id, {"secret": Secret("geheim-s"), "headers": headers}, "t"
    )
    async with store._database.reading() as connection:
        rows = [
            (await connection.execute(sa.text(f"SELECT * FROM {table}"))).all()
            for table in ("trunks", "agent_versions", "changes")
        ]
    history = await there.history(trunk.id) + await there.history(version.id)
    assert "geheim" not in repr(rows) + repr(history)


# --- what is refused


async def test_refused_value_is_not_written(store: SqlStore, furnished: Furnished) -> None:
    """Adding and changing hold a trunk, a version and a number to the rules."""
    there, workspace_id = store.configuration, furnished.workspace.id
    for attempt in (
        there.trunks.add(Trunk(new_id("trunk"), workspace_id, " "), "test"),
        there.trunks.change(furnished.trunk.id, {"codecs": ()}, "test"),
        there.agents.draft(furnished.agent.id, {"audio": "opus"}, "test"),
        there.agents.draft(furnished.agent.id, {"number": 7}, "test"),
        there.agents.change_draft(furnished.draft.id, {"state": VersionState.PUBLISHED}, "test"),
        there.agents.add(Agent(new_id("agent"), workspace_id, ""), "test"),
        there.numbers.add(PhoneNumber(new_id("phn"), workspace_id, "12345"), "test"),
        there.numbers.change(furnished.number.id, {"channel_limit": 0}, "test"),
        there.workspaces.change(workspace_id, {"currency": "x"}, "test"),
    ):
        with pytest.raises(InvalidInput):
            await attempt
    assert await there.trunks.list_all() == [furnished.trunk]
    assert await there.agents.versions(furnished.agent.id) == [furnished.published, furnished.draft]
    assert await there.numbers.list_all() == [furnished.number]


async def test_number_is_registered_once(store: SqlStore, furnished: Furnished) -> None:
    """The same number, however it is spaced, cannot be added again, not even elsewhere."""
    other = await store.configuration.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    number = PhoneNumber(new_id("phn"), other.id, "+44 20 7946 0018")
    with pytest.raises(Conflict, match="Phone number already registered"):
        await store.configuration.numbers.add(number, "test")


async def test_names_are_free_once(store: SqlStore, furnished: Furnished) -> None:
    """Two trunks or agents of a workspace, or two workspaces, do not share a name, whatever its capitals."""
    there = store.configuration
    with pytest.raises(Conflict, match="no other trunk has"):
        await there.trunks.add(Trunk(new_id("trunk"), furnished.workspace.id, "CARRIER"), "test")
    with pytest.raises(Conflict, match="no other agent has"):
        await there.agents.add(Agent(new_id("agent"), furnished.workspace.id, "echo"), "test")
    with pytest.raises(Conflict, match="no other workspace has"):
        await there.workspaces.add(Workspace(new_id("org"), "acme"), "test")
    other = await there.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    await there.trunks.add(Trunk(new_id("trunk"), other.id, "Carrier"), "test")


async def test_workspace_has_to_exist(store: SqlStore) -> None:
    """Nothing is added to a workspace that is not there."""
    with pytest.raises(NotFound, match="there is no such workspace"):
        await store.configuration.trunks.add(Trunk(new_id("trunk"), "org_none", "X"), "test")


# --- versions and assignments


async def test_drafts_count_on_and_start_from_the_newest(store: SqlStore, furnished: Furnished) -> None:
    """A draft takes over what the version before it had, under the next number."""
    assert (furnished.published.number, furnished.draft.number) == (1, 2)
    assert furnished.draft.runtime_url == furnished.published.runtime_url
    assert furnished.draft.state is VersionState.DRAFT
    assert furnished.draft.published_at is None


async def test_published_version_never_changes(store: SqlStore, furnished: Furnished) -> None:
    """A published version can be neither changed, nor published again, nor thrown away."""
    there, version_id = store.configuration.agents, furnished.published.id
    for attempt in (
        there.change_draft(version_id, {"ring_duration_sec": 9}, "test"),
        there.publish(version_id, "test"),
        there.remove_draft(version_id, "test"),
    ):
        with pytest.raises(Conflict, match=r"version = Echo/1: is published and never changes: make a draft"):
            await attempt
    assert await there.version(version_id) == furnished.published


async def test_version_without_runtime_cannot_be_published(store: SqlStore, furnished: Furnished) -> None:
    """A draft may lack its runtime URL, a published version may not."""
    agent = await store.configuration.agents.add(
        Agent(new_id("agent"), furnished.workspace.id, "New"), "test"
    )
    draft = await store.configuration.agents.draft(agent.id, {}, "test")
    with pytest.raises(InvalidInput, match="runtime_url = : should be a WebSocket URL"):
        await store.configuration.agents.publish(draft.id, "test")


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_draft_cannot_be_assigned(store: SqlStore, furnished: Furnished, direction: Any) -> None:
    """Assigning a draft is refused, and says to publish it first."""
    with pytest.raises(Conflict, match=r"Version 2 of agent Echo is a draft. Publish it first.") as raised:
        await store.configuration.numbers.assign(furnished.number.id, direction, furnished.draft.id, "test")
    assert raised.value.field == f"{direction}_version"


async def test_directions_are_assigned_apart(store: SqlStore, furnished: Furnished) -> None:
    """Assigning or unassigning one direction leaves the other as it is."""
    there = store.configuration.numbers
    first, second = furnished.published, await store.configuration.agents.publish(furnished.draft.id, "test")
    number = await there.assign(furnished.number.id, "outbound", second.id, "test")
    assert (number.inbound_version_id, number.outbound_version_id) == (first.id, second.id)
    number = await there.unassign(furnished.number.id, "inbound", "test")
    assert (number.inbound_version_id, number.outbound_version_id) == (None, second.id)


async def test_version_of_another_workspace_cannot_be_assigned(store: SqlStore, furnished: Furnished) -> None:
    """A number's agent and trunk are of its own workspace; the operator's trunks serve every workspace."""
    there = store.configuration
    other = await there.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    number = await there.numbers.add(PhoneNumber(new_id("phn"), other.id, "+12025550100"), "test")
    with pytest.raises(InvalidInput, match="should be of an agent of the number's workspace"):
        await there.numbers.assign(number.id, "inbound", furnished.published.id, "test")
    with pytest.raises(InvalidInput, match="should be a trunk of the number's workspace"):
        await there.numbers.change(number.id, {"trunk_id": furnished.trunk.id}, "test")
    shared = await there.trunks.add(Trunk(new_id("trunk"), None, "Operator"), "test")
    assert (await there.numbers.change(number.id, {"trunk_id": shared.id}, "test")).trunk_id == shared.id


async def test_what_is_in_use_is_not_removed(store: SqlStore, furnished: Furnished) -> None:
    """A trunk or an agent that a number needs stays, and the refusal names the number."""
    there = store.configuration
    with pytest.raises(Conflict, match=r"is used by \+442079460018"):
        await there.trunks.remove(furnished.trunk.id, "test")
    with pytest.raises(Conflict, match=r"Echo/1: is assigned to \+442079460018"):
        await there.agents.remove(furnished.agent.id, "test")
    await there.numbers.remove(furnished.number.id, "test")
    await there.trunks.remove(furnished.trunk.id, "test")
    await there.agents.remove(furnished.agent.id, "test")
    assert [await there.numbers.list_all(), await there.trunks.list_all(), await there.agents.list_all()] == [
        []
    ] * 3


async def test_default_number_stays(store: SqlStore, furnished: Furnished) -> None:
    """The default number cannot be removed until another is the default, and there is only ever one."""
    there = store.configuration.numbers
    first = await there.change(furnished.number.id, {"is_default": True}, "test")
    with pytest.raises(Conflict, match="default"):
        await there.remove(first.id, "test")
    await there.add(
        PhoneNumber(new_id("phn"), furnished.workspace.id, "+12025550100", is_default=True), "test"
    )
    assert not (await there.get(first.id)).is_default
    await there.remove(first.id, "test")


async def test_number_itself_cannot_be_changed(store: SqlStore, furnished: Furnished) -> None:
    """Another number is another row."""
    with pytest.raises(InvalidInput, match="remove the number and add another"):
        await store.configuration.numbers.change(furnished.number.id, {"e164": "+12025550100"}, "test")


# --- finding


async def test_things_are_found_by_name_number_or_id(store: SqlStore, furnished: Furnished) -> None:
    """A person names things as they come to mind."""
    there = store.configuration
    assert await there.workspaces.find(None) == furnished.workspace
    assert await there.workspaces.find("acme") == furnished.workspace
    assert await there.trunks.find("carrier") == furnished.trunk
    assert await there.trunks.find(furnished.trunk.id) == furnished.trunk
    assert await there.agents.find("ECHO") == furnished.agent
    for spelling in ("+442079460018", "442079460018", "+44 20 7946-0018", furnished.number.id):
        assert await there.numbers.find(spelling) == furnished.number
    for spelling in ("echo/1", "Echo", furnished.published.id):
        assert await there.agents.find_version(spelling) == furnished.published
    assert await there.agents.find_version("Echo/2") == furnished.draft


async def test_what_is_not_found_is_helped(store: SqlStore, furnished: Furnished) -> None:
    """A name that is not there is answered with the nearest one, or with what there is."""
    there = store.configuration
    with pytest.raises(NotFound, match=r"did you mean Carrier\?"):
        await there.trunks.find("Carier")
    with pytest.raises(NotFound, match=r"there is Echo"):
        await there.agents.find("Zebra")
    with pytest.raises(NotFound, match=r"did you mean \+442079460018\?"):
        await there.numbers.find("+442079460019")
    with pytest.raises(NotFound, match=r"Agent Echo has no version 9. Published versions: 1."):
        await there.agents.find_version("Echo/9")


async def test_workspace_has_to_be_named_among_several(store: SqlStore, furnished: Furnished) -> None:
    """With more than one workspace, none is meant by default."""
    await store.configuration.workspaces.add(Workspace(new_id("org"), "Other"), "test")
    with pytest.raises(InvalidInput, match="should be one of Acme, Other"):
        await store.configuration.workspaces.find(None)


# --- history and revision


async def test_every_change_is_in_the_history(store: SqlStore, furnished: Furnished) -> None:
    """Who changed what, from what to what, newest first, each with its own revision."""
    there = store.configuration
    await there.trunks.change(
        furnished.trunk.id, {"channel_limit": 5, "password": Secret("x"), "username": "u"}, "ann"
    )
    await there.trunks.change(furnished.trunk.id, {"channel_limit": 5}, "bob")
    changed, added = await there.history(furnished.trunk.id)
    assert (changed.by, changed.kind, changed.action) == ("ann", "trunk", "change")
    assert changed.fields == {
        "channel_limit": [None, 5],
        "password": [None, "(set)"],
        "username": [None, "u"],
    }
    assert (added.by, added.action, added.workspace_id) == ("test", "add", furnished.workspace.id)
    assert added.at <= changed.at <= datetime.now(UTC)
    assert added.revision < changed.revision


async def test_refused_change_leaves_no_trace(store: SqlStore, furnished: Furnished) -> None:
    """Neither the revision nor the history moves when a change is refused."""
    there = store.configuration
    await store.refresh()
    before = store._snapshots.revision
    with pytest.raises(Conflict):
        await there.numbers.assign(furnished.number.id, "inbound", furnished.draft.id, "test")
    await store.refresh()
    assert store._snapshots.revision == before
    assert len(await there.history(furnished.number.id)) == 1


async def test_changes_at_once_all_count(store: SqlStore, furnished: Furnished) -> None:
    """Twenty changes at the same time are twenty revisions, and none is lost."""
    await store.refresh()
    before = store._snapshots.revision
    there = store.configuration.agents
    await asyncio.gather(*(there.draft(furnished.agent.id, {}, f"user {index}") for index in range(20)))
    assert store._snapshots.revision == before + 20
    assert [version.number for version in await there.versions(furnished.agent.id)] == list(range(1, 23))


async def test_other_key_is_told_at_start(store: SqlStore, config: Any) -> None:
    """A database whose secrets were sealed with another key is not opened, and the file is named."""
    config.key_file.unlink()
    with pytest.raises(StoreError, match=r"secret.key is not what the database's secrets are sealed with"):
        await open_store(config)


async def test_secret_of_another_key_is_an_error(store: SqlStore, furnished: Furnished) -> None:
    """A secret that does not open is an error that says so, never an empty password."""
    async with store._database.writing() as connection:
        await connection.execute(trunks.update().values(sealed_password="gAAAAA", username="u"))
    with pytest.raises(StoreError, match="sealed with another key"):
        await store.configuration.trunks.get(furnished.trunk.id)


def test_sqlite_is_recent_enough() -> None:
    """UPSERT, RETURNING and row values are there."""
    assert sqlite3.sqlite_version_info >= (3, 35)


def test_version_is_told_from_the_others() -> None:
    """A new version is a draft by default."""
    assert AgentVersion("ver_1", "agent_1", 1).state is VersionState.DRAFT
