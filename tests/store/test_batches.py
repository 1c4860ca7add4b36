"""Batches in the store: written whole or not at all, each recipient taken by one and ended once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.store.batches.batch_table import LOT, BatchTable
from gateway.store.batches.recipients import Queue
from gateway.store.batches.values import Batch, FailedRow, Move, NewRecipient, QueueRow
from gateway.store.engine.batch_schema import batch_recipients
from gateway.store.engine.errors import NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore
from tests.store.furnished import Furnished

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def a_batch(furnished: Furnished, **fields: object) -> Batch:
    """A batch of the furnished workspace, of which nothing is written yet."""
    made = Batch(
        new_id("batch"),
        furnished.workspace.id,
        "Spring",
        "draft",
        NOW,
        "test",
        furnished.agent.id,
        furnished.published.id,
        1,
        ("+442079460018",),
        (furnished.number.id,),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # handed through


def some(count: int, first: int = 2) -> list[NewRecipient]:
    """Recipients on the lines of a file from the second on."""
    return [NewRecipient(n, f"+1415555{n:04}", {"name": f"n{n}"}) for n in range(first, first + count)]


async def running(store: SqlStore, furnished: Furnished, count: int = 3, **fields: object) -> Batch:
    """A batch that runs."""
    batch = a_batch(furnished, **fields)
    table = store.batches
    await table.begin(batch, "me")
    await table.append(batch.id, some(count))
    return await table.open(batch.id, status="running")


@pytest.fixture
def table(store: SqlStore) -> BatchTable:
    """The batches."""
    return store.batches


@pytest.fixture
def queue(store: SqlStore) -> Queue:
    """Their recipients."""
    return store.recipients


def dialled(row: QueueRow, call_id: str) -> Move:
    """The recipient's call is about to go out."""
    return Move(row, "dialling", row.depth, row.due_at_ms, call_id, at=NOW)


def ended(row: QueueRow, state: str = "done", **fields: object) -> Move:
    """The recipient's call is over."""
    move = Move(row, state, row.depth, row.due_at_ms, row.call_id, at=NOW)
    return replace(move, **fields)  # type: ignore[arg-type]  # handed through


async def test_nobody_sees_a_batch_that_is_being_written(
    table: BatchTable, queue: Queue, furnished: Furnished
) -> None:
    """Until it is opened it is in no list, and nothing of it is taken; discarded it has left nothing."""
    batch = a_batch(furnished, status="running")
    await table.begin(batch, "me")
    await table.append(batch.id, some(LOT + 3))
    await table.append_failures(batch.id, [FailedRow(9, "x", "invalid", "why")])
    assert await table.page(furnished.workspace.id) == ([], 0)
    with pytest.raises(NotFound, match="Batch call not found"):
        await table.get(batch.id, furnished.workspace.id)
    assert (await queue.claim(batch.id, "me", 10, NOW_MS)).rows == ()
    await table.discard(batch.id)
    assert await queue.page(batch.id, 10) == []
    assert [one async for one in table.failures(batch.id)] == []


async def test_an_opened_batch_is_as_it_was_written(
    table: BatchTable, queue: Queue, furnished: Furnished
) -> None:
    """With its counts, its stage, its recipients' variables whatever is in them, and what was left out."""
    hard = {"naïve": "\x00 and \ud800", "{b}": '"', "": ""}
    batch = a_batch(furnished, hours={"starts": "09:00"}, retry={"most": 2}, ends_at=NOW)
    await table.begin(batch, "me")
    await table.append(batch.id, [NewRecipient(2, "+14155550002", hard, "Europe/Paris")])
    await table.append_failures(
        batch.id, [FailedRow(3, "12\x00", "invalid_number"), FailedRow(4, "", "none")]
    )
    opened = await table.open(batch.id, status="scheduled", starts_at=NOW)
    assert (opened.status, opened.total, opened.failed_rows, opened.starts_at) == ("scheduled", 1, 2, NOW)
    assert (opened.hours, opened.retry, opened.from_numbers) == (
        {"starts": "09:00"},
        {"most": 2},
        batch.from_numbers,
    )
    assert (opened.counts.queued, opened.stages[0].total) == (1, 1)
    (row,) = await queue.page(batch.id, 10)
    assert row.variables == {"naïve": "\N{REPLACEMENT CHARACTER} and ?", "{b}": '"', "": ""}
    assert (row.timezone, row.state) == ("Europe/Paris", "queued")
    assert [one.position async for one in table.failures(batch.id)] == [3, 4]
    assert [one.position async for one in table.failures(batch.id, "none")] == [4]


async def test_a_tenant_sees_its_own(table: BatchTable, store: SqlStore, furnished: Furnished) -> None:
    """Of another workspace there is no such batch, to be read or moved; lists have the newest first."""
    first, second = await running(store, furnished), await running_too(store, furnished)
    found, total = await table.page(furnished.workspace.id, limit=1)
    assert ([one.id for one in found], total) == ([second.id], 2)
    assert (await table.page(furnished.workspace.id, ["running"]))[1] == 1
    with pytest.raises(NotFound):
        await table.get(first.id, "org_other")
    with pytest.raises(NotFound):
        await table.move(first.id, "org_other", lambda _: {"status": "paused"})


async def running_too(store: SqlStore, furnished: Furnished) -> Batch:
    """A batch beside one that runs."""
    table = store.batches
    batch = a_batch(furnished)
    await table.begin(batch, "me")
    return await table.open(batch.id, status="waiting")


async def test_one_batch_of_a_workspace_runs(
    table: BatchTable, store: SqlStore, furnished: Furnished
) -> None:
    """The database itself holds it, whichever gateways give turns at the same time."""
    await running(store, furnished)
    waiting = await running_too(store, furnished)
    with pytest.raises(StoreError):
        await table.move(waiting.id, None, lambda _: {"status": "running"})
    assert (await table.get(waiting.id)).status == "waiting"


async def test_each_recipient_is_taken_by_one(queue: Queue, store: SqlStore, furnished: Furnished) -> None:
    """Of many who take at once each gets others, in the order of the file; then nobody gets any."""
    batch = await running(store, furnished, 100)
    taken = await asyncio.gather(*(queue.claim(batch.id, f"g{n}", 7, NOW_MS) for n in range(20)))
    rows = [row for claimed in taken for row in claimed.rows]
    assert sorted(row.position for row in rows) == list(range(2, 102))
    assert all(row.epoch == 1 and row.state == "claimed" for row in rows)
    assert (await queue.claim(batch.id, "g1", 7, NOW_MS)).rows == ()
    counts = (await store.batches.get(batch.id)).counts
    assert (counts.queued, counts.claimed) == (0, 100)


async def test_a_batch_has_no_more_in_hand_than_it_may(
    queue: Queue, store: SqlStore, furnished: Furnished
) -> None:
    """All gateways together; a call that ends makes room for one."""
    batch = await running(store, furnished, 10, max_concurrent=3)
    first = (await queue.claim(batch.id, "a", 2, NOW_MS)).rows
    assert len((await queue.claim(batch.id, "b", 5, NOW_MS)).rows) == 1
    assert (await queue.claim(batch.id, "b", 5, NOW_MS)).rows == ()
    assert await queue.move("a", [dialled(first[0], "call_1")]) == [True]
    assert (await queue.claim(batch.id, "b", 5, NOW_MS)).rows == ()
    calling = replace(first[0], state="dialling", call_id="call_1")
    assert await queue.move("a", [ended(calling)]) == [True]
    assert len((await queue.claim(batch.id, "b", 5, NOW_MS)).rows) == 1


async def test_what_is_due_later_waits(queue: Queue, store: SqlStore, furnished: Furnished) -> None:
    """A recipient that was put off is taken when its time has come, and whoever asks before is told when."""
    batch = await running(store, furnished, 1)
    (row,) = (await queue.claim(batch.id, "me", 5, NOW_MS)).rows
    await queue.move("me", [ended(row, "queued", due_at_ms=NOW_MS + 60_000)])
    early = await queue.claim(batch.id, "me", 5, NOW_MS + 59_999)
    assert (early.rows, early.next_due_ms) == ((), NOW_MS + 60_000)
    (again,) = (await queue.claim(batch.id, "me", 5, NOW_MS + 60_000)).rows
    assert again.epoch == 2


async def test_counters_stand_as_the_recipients_do(
    queue: Queue, table: BatchTable, store: SqlStore, furnished: Furnished
) -> None:
    """After first and further attempts, answered and not: by batch and by stage."""
    batch = await running(store, furnished, 3)
    rows = (await queue.claim(batch.id, "me", 3, NOW_MS)).rows
    await queue.move("me", [dialled(row, f"call_{row.position}") for row in rows])
    calling = [replace(row, state="dialling", call_id=f"call_{row.position}") for row in rows]
    later = {"depth": 1, "due_at_ms": NOW_MS + 1, "outcome": "busy"}
    await queue.move(
        "me",
        [
            ended(calling[0], picked_up=True),
            ended(calling[1], "queued", **later),
            ended(calling[2], "failed"),
        ],
    )
    stands = await table.get(batch.id)
    assert (stands.counts.done, stands.counts.queued, stands.counts.failed, stands.counts.open) == (
        1,
        1,
        1,
        1,
    )
    assert (stands.counts.sent, stands.counts.picked_up, stands.counts.picked_up_leads) == (3, 1, 1)
    assert [(one.depth, one.total, one.attempted, one.picked_up) for one in stands.stages] == [
        (0, 3, 3, 1),
        (1, 1, 0, 0),
    ]
    assert stands.last_call_sent_at == NOW
    (again,) = (await queue.claim(batch.id, "me", 3, NOW_MS + 1)).rows
    assert (again.depth, again.call_id, again.outcome) == (1, "call_3", "busy")
    await queue.move("me", [dialled(again, "call_x")])
    await queue.move("me", [ended(replace(again, state="dialling", call_id="call_x"), picked_up=True)])
    stands = await table.get(batch.id)
    assert (stands.counts.sent, stands.counts.picked_up, stands.counts.done, stands.dialled) == (3, 2, 2, 4)
    (row,) = await queue.page(batch.id, 10, state="failed")
    assert (row.position, row.ended_at) == (4, NOW)


async def test_a_word_that_comes_late_changes_nothing(
    queue: Queue, table: BatchTable, store: SqlStore, furnished: Furnished
) -> None:
    """Whoever lost a recipient neither dials nor ends it; the same word said twice counts once."""
    batch = await running(store, furnished, 1)
    (old,) = (await queue.claim(batch.id, "dead", 1, NOW_MS)).rows
    assert await queue.move("dead", [ended(old, "queued")]) == [True], "as whoever finds it dead does"
    (new,) = (await queue.claim(batch.id, "alive", 1, NOW_MS)).rows
    assert await queue.move("dead", [dialled(old, "call_old")]) == [False]
    assert await queue.move("alive", [dialled(new, "call_new")]) == [True]
    assert await queue.move("alive", [dialled(new, "call_new")]) == [True], "its answer may have been lost"
    assert await queue.move("dead", [ended(replace(old, state="dialling", call_id="call_old"))]) == [False]
    over = ended(replace(new, state="dialling", call_id="call_new"), picked_up=True)
    assert await queue.move("alive", [over, over]) == [True, True]
    assert await queue.move("alive", [over]) == [True]
    counts = (await table.get(batch.id)).counts
    assert (counts.done, counts.dialling, counts.picked_up, counts.sent) == (1, 0, 1, 1)


async def test_nothing_goes_out_of_a_batch_that_was_stopped(
    queue: Queue, table: BatchTable, store: SqlStore, furnished: Furnished
) -> None:
    """What was in hand is not dialled any more, can be put back, and is ended for good lot by lot."""
    batch = await running(store, furnished, LOT + 2)
    (row,) = (await queue.claim(batch.id, "me", 1, NOW_MS)).rows
    await table.move(batch.id, None, lambda _: {"status": "cancelled"})
    assert await queue.move("me", [dialled(row, "call_1")]) == [False]
    assert await queue.move("me", [ended(row, "queued")]) == [True]
    assert [one.id for one in await table.left_to_clear(["cancelled"])] == [batch.id]
    assert await queue.clear(batch.id, "cancelled", "why", NOW) == LOT
    assert await queue.clear(batch.id, "cancelled", "why", NOW) == 2
    assert await queue.clear(batch.id, "cancelled", "why", NOW) == 0
    counts = (await table.get(batch.id)).counts
    assert (counts.cancelled, counts.open) == (LOT + 2, 0)


async def test_the_dead_are_found_by_what_they_have(
    queue: Queue, store: SqlStore, furnished: Furnished
) -> None:
    """Who has recipients in hand and no name is dead; his calls come with their records, if any."""
    batch = await running(store, furnished, 3)
    rows = (await queue.claim(batch.id, "dead", 3, NOW_MS)).rows
    await queue.move("dead", [dialled(row, f"call_{row.position}") for row in rows[:2]])
    store.save_call(CallRow("call_2", "outbound", "busy", NOW, end_reason="user_busy", sip_status=486))
    await store.flush()
    recovery = store.recovery
    assert await recovery.owners() == {"dead": None}
    found = await recovery.in_hand("dead")
    assert {one.row.position: one.row.state for one in found} == {2: "dialling", 3: "dialling", 4: "claimed"}
    left = {one.row.position: one.call for one in found}
    assert left[2] is not None
    assert (left[2].end_reason, left[2].sip_status, left[3]) == ("user_busy", 486, None)
    assert await recovery.in_hand("others") == []


async def test_calls_of_a_day_are_counted(queue: Queue, store: SqlStore, furnished: Furnished) -> None:
    """Those that a workspace placed to a number since a moment, whoever asked for them."""
    for n, at in enumerate([NOW, NOW - timedelta(days=1), NOW]):
        own = furnished.workspace.id if n < 2 else "org_other"
        row = CallRow(f"call_{n}", "outbound", "busy", at, workspace_id=own, to_number="+14155550001")
        store.save_call(row)
    await store.flush()
    found = await queue.called_since(furnished.workspace.id, ["+14155550001", "+1415"], NOW)
    assert found == {"+14155550001": 1}


async def test_sweep_deletes_what_a_kill_left_half_written(
    table: BatchTable, queue: Queue, store: SqlStore, furnished: Furnished
) -> None:
    """A batch whose writer has no name any more goes with all its rows."""
    batch = a_batch(furnished)
    await table.begin(batch, "killed")
    await table.append(batch.id, some(3))
    assert await table.sweep() == 1
    assert await queue.page(batch.id, 10) == []
    async with store.batches.database.reading() as connection:
        left = await connection.execute(sa.select(sa.func.count()).select_from(batch_recipients))
        assert left.scalar_one() == 0


async def test_what_came_of_them(store: SqlStore, furnished: Furnished) -> None:
    """Outcomes of those who are through, the most first; who is to be called again has none yet."""
    batch = await running(store, furnished, 4)
    came = {2: ("done", "busy"), 3: ("done", "busy"), 4: ("failed", "do_not_call"), 5: ("queued", "busy")}
    async with store.batches.database.writing() as connection:
        for position, (state, outcome) in came.items():
            same = batch_recipients.c.position == position
            await connection.execute(
                batch_recipients.update().where(same).values(state=state, outcome=outcome)
            )
    assert await store.recipients.outcomes(batch.id) == [("busy", 2), ("do_not_call", 1)]
    assert await store.recipients.outcomes("batch_none") == []
