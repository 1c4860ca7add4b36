"""What the store knows of recordings: which are too old, which never came to an end, what became of each."""

from datetime import UTC, datetime, timedelta

from gateway.routing.table import Workspace
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


async def saved(store: SqlStore, workspace: str, days: float, status: str = "saved") -> CallRow:
    """The record of a call so many days ago."""
    row = CallRow(
        id=new_id("call"),
        direction="inbound",
        status="completed",
        created_at=NOW - timedelta(days=days),
        ended_at=NOW - timedelta(days=days),
        workspace_id=workspace,
        recording_status=status,
        recording={"key": "2026/08/01/call_1.wav", "pauses": [{"from_ms": 1, "to_ms": 2}]},
    )
    store.save_call(row)
    await store.flush()
    return row


async def expired(store: SqlStore, days: int) -> set[str]:
    """The calls whose recordings are to go."""
    return {row.id for row in await store.expired_recordings(days, NOW, 10)}


async def workspace(store: SqlStore, name: str, keep_days: int | None) -> str:
    """A workspace that keeps its recordings for so long."""
    made = Workspace(new_id("org"), name, recording_keep_days=keep_days)
    return (await store.configuration.workspaces.add(made, "test")).id


async def test_each_workspace_keeps_its_recordings_for_its_own_time(store: SqlStore) -> None:
    """Or for the gateway's, where it says nothing; what is deleted or being written is not looked at."""
    usual, brief = await workspace(store, "Usual", None), await workspace(store, "Brief", 7)
    old, new = await saved(store, usual, 100), await saved(store, usual, 80)
    gone, kept = await saved(store, brief, 8, "recovered"), await saved(store, brief, 6)
    for status in ("deleted", "recording"):
        await saved(store, usual, 100, status)
    assert await expired(store, 90) == {old.id, gone.id}
    assert await expired(store, 0) == {gone.id}, "0 is for ever, but not where the workspace says otherwise"
    assert await expired(store, 5) == {old.id, new.id, gone.id}
    assert kept.id not in await expired(store, 1)
    assert len(await store.expired_recordings(90, NOW, 1)) == 1


async def test_what_became_of_a_recording_is_added_to_its_facts(store: SqlStore) -> None:
    """Beside those that are there already, such as its pauses."""
    row = await saved(store, await workspace(store, "Usual", None), 1)
    assert await store.change_recording(row.id, "deleted", {"key": None, "deleted_by": "retention"})
    found = await store.get_call(row.id)
    assert found is not None
    assert found.recording_status == "deleted"
    pauses = [{"from_ms": 1, "to_ms": 2}]
    assert found.recording == {"key": None, "pauses": pauses, "deleted_by": "retention"}
    assert not await store.change_recording("call_nobody", "deleted", {})


async def test_recordings_that_never_came_to_an_end_are_found(store: SqlStore) -> None:
    """Those of this gateway alone."""
    own = await workspace(store, "Usual", None)
    left = await saved(store, own, 1, "recording")
    await saved(store, own, 1, "saved")
    assert await store.unfinished_recordings() == [left.id]
