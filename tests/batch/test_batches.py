"""What people do with batches: made whole or not at all, refused in the reference's words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.batch.answers import DestinationNotEnabled, NobodyToCall, RowsFailed
from gateway.batch.files.upload import UnreadableFile, Upload
from gateway.batch.retrying import RetryRule
from gateway.batch.wish import BatchWish, wish_of
from gateway.routing.table import NetworkGroup
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from tests.batch.world import a_batch, a_file, batches, comes_to, stands
from tests.call.conftest import Build
from tests.call.phone import Phone
from tests.call.world import AGENT, NUMBER, WORKSPACE, World

WISH = BatchWish("Spring", AGENT)
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def calling(world: World, phone: Phone) -> World:
    """A gateway that can call out; nobody picks up."""
    await world.way_out(phone.uri())
    return world


def written(folder: Path, *rows: str) -> Upload:
    """A file of one column."""
    path = folder / "rows.csv"
    path.write_text("\n".join(["phone_number", *rows]) + "\n")
    return Upload(path, "rows.csv")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (replace(WISH, title="x" * 42), r"title must be 35 characters or fewer \(received 42\)\."),
        (replace(WISH, title=" "), "title must have 1 to 35 characters"),
        (replace(WISH, agent_id="agent_other"), "Agent or phone number not found"),
        (replace(WISH, version_number=9), r"Agent agent_test has no version 9\. Published versions: 1\."),
        (
            replace(WISH, version_number=2),
            "Version 2 of agent agent_test is a draft. Publish it before starting",
        ),
        (replace(WISH, ends_at=datetime(2020, 1, 1, tzinfo=UTC)), "ends_at = .*: should be later than now"),
        (replace(WISH, starts_at=LATER, ends_at=LATER), "should be later than starts_at"),
        (replace(WISH, starts_at=datetime(2030, 1, 1)), "should end in its time zone"),  # noqa: DTZ001 - the point
        (replace(WISH, timezone="Mars/Olympus"), "timezone = Mars/Olympus"),
        (replace(WISH, retry=RetryRule(5)), "retry_max = 5: should be from 0 to 4"),
        (replace(WISH, max_concurrent=0), "max_concurrent_calls = 0: should be from 1"),
        (
            replace(WISH, from_numbers=("+15005550006",)),
            "from_number must be a number that this workspace owns",
        ),
    ],
)
async def test_wishes_that_cannot_be(calling: World, tmp_path: Path, wish: BatchWish, message: str) -> None:
    """Each is refused with its field, before the file is read, and nothing is made."""
    await calling.store.configuration.agents.draft(AGENT, {}, "test")
    with pytest.raises((InvalidInput, NotFound), match=message):
        await batches(calling).create(WORKSPACE, wish, Upload(tmp_path / "none.csv"), "test")
    assert await batches(calling).page(WORKSPACE) == ([], 0)


async def test_an_agent_without_a_number_calls_nobody(world: World, tmp_path: Path) -> None:
    """As a single call is refused."""
    await world.line()
    with pytest.raises(InvalidInput, match="No outbound phone number is assigned to agent agent_test"):
        await batches(world).create(WORKSPACE, WISH, a_file(tmp_path, 1), "test")


async def test_rows_that_fail_keep_the_batch_from_being_made(calling: World, tmp_path: Path) -> None:
    """Unless somebody says to go ahead; then they are kept apart, with their reasons and lines."""
    file = written(tmp_path, "+14155550101", "12", "+14155550101", "", "+14155550102")
    with pytest.raises(RowsFailed) as failed:
        await batches(calling).create(WORKSPACE, WISH, file, "test")
    assert (failed.value.report.good, failed.value.report.failed) == (2, 2)
    assert await batches(calling).page(WORKSPACE) == ([], 0)
    made = await batches(calling).create(WORKSPACE, WISH, file, "test", draft=True, skip_invalid=True)
    assert (made.batch.total, made.batch.failed_rows, made.batch.status) == (2, 2, "draft")
    left_out = [row async for row in batches(calling).failures(made.batch.id, WORKSPACE)]
    assert [(row.position, row.reason) for row in left_out] == [(3, "short_code"), (4, "duplicate")]
    rows = await batches(calling).recipients(made.batch.id, WORKSPACE)
    assert [(row.position, row.phone_number) for row in rows] == [(2, "+14155550101"), (6, "+14155550102")]
    assert made.batch.report is not None
    assert made.batch.report["failed"] == 2


async def test_nobody_to_call_says_why(calling: World, tmp_path: Path) -> None:
    """A country that is not enabled is a refusal of its own, where every row has it."""
    book = calling.store.configuration
    number = await book.numbers.find(NUMBER)
    groups = (NetworkGroup("GB", "United Kingdom"),)
    await book.workspaces.change(WORKSPACE, {"network_groups": groups}, "test")
    await book.numbers.change(number.id, {"sip_trunk_enabled": False, "provider": "plivo"}, "test")
    with pytest.raises(DestinationNotEnabled):
        await batches(calling).create(WORKSPACE, WISH, a_file(tmp_path, 2), "test", skip_invalid=True)
    with pytest.raises(NobodyToCall) as refused:
        await batches(calling).create(WORKSPACE, WISH, written(tmp_path, "+14155550101", "12"), "test")
    assert not isinstance(refused.value, DestinationNotEnabled)
    with pytest.raises(UnreadableFile):
        await batches(calling).check(WORKSPACE, WISH, written(tmp_path))


async def test_a_check_makes_nothing_and_its_result_can_be_made(calling: World, tmp_path: Path) -> None:
    """The same file need not be read twice; who is on the do-not-call list is told."""
    await calling.store.configuration.do_not_call.add(WORKSPACE, ["+14155550101"], "test")
    told: list[tuple[int, int, int]] = []
    checked = await batches(calling).check(
        WORKSPACE, WISH, a_file(tmp_path, 3), lambda *how_far: told.append(how_far)
    )
    assert [(group.reason, group.count) for group in checked.report.groups] == [("do_not_call", 1)]
    assert await batches(calling).page(WORKSPACE) == ([], 0)
    made = await batches(calling).create(WORKSPACE, WISH, checked, "test", draft=True, skip_invalid=True)
    checked.close()
    assert (made.batch.total, made.warning) == (2, None)


async def test_others_that_come_first_are_named(calling: World, tmp_path: Path) -> None:
    """A warning that keeps nothing from being made."""
    first = await a_batch(calling, tmp_path, 2, starts_at=LATER)
    assert first.status == "scheduled"
    second = await batches(calling).create(WORKSPACE, WISH, a_file(tmp_path, 1), "test")
    assert second.warning is not None
    (other,) = second.warning.conflicts
    assert (other.kind, other.batch_name, other.total_leads, other.starts_at) == (
        "scheduled",
        "Spring",
        2,
        LATER,
    )


async def test_actions_are_held_to_the_states(calling: World, tmp_path: Path) -> None:
    """A draft is started or deleted; what is cancelled stays so; each refusal says why."""
    draft = await a_batch(calling, tmp_path, 2, draft=True, ends_at=LATER)
    own = batches(calling)
    with pytest.raises(InvalidInput, match="Batch call cannot be paused: it is a draft"):
        await own.pause(draft.id, WORKSPACE, "test")
    for wrong in ("batch_x", "call_01m8q8cvk2jcpqh1e827ezypjj"):
        with pytest.raises(InvalidInput, match="Invalid batch call ID format"):
            await own.get(wrong, WORKSPACE)
    with pytest.raises(NotFound, match="Batch call not found"):
        await own.cancel(draft.id, "org_other", "test")
    changed = await own.change(draft.id, WORKSPACE, replace(wish_of(draft), title="Summer"), "test")
    assert (changed.title, changed.total, changed.ends_at) == ("Summer", 2, LATER)
    gone = await own.delete(draft.id, WORKSPACE, "test")
    assert gone.batch.status == "deleted"
    await comes_to(calling, draft, lambda it: it.counts.queued == 0)
    assert await own.recipients(draft.id, WORKSPACE) == []
    waiting = await a_batch(calling, tmp_path, 2, starts_at=LATER)
    cancelled = await own.cancel(waiting.id, WORKSPACE, "test")
    assert (cancelled.affected.removed_from_queue, cancelled.affected.cancelled_call_logs) == (2, 2)
    await comes_to(calling, waiting, lambda it: it.counts.cancelled == 2)
    with pytest.raises(InvalidInput, match="permanent"):
        await own.resume(waiting.id, WORKSPACE, "test")
    with pytest.raises(InvalidInput, match="Only drafts and scheduled batch calls can"):
        await own.change(waiting.id, WORKSPACE, wish_of(waiting), "test")


async def test_a_number_in_use_is_not_given_back(calling: World, tmp_path: Path) -> None:
    """The refusal names the batch; a draft keeps nothing."""
    await a_batch(calling, tmp_path, 1, draft=True)
    number = await calling.store.configuration.numbers.find(NUMBER)
    assert await batches(calling).uses_of(number) == []
    batch = await a_batch(calling, tmp_path, 1, starts_at=LATER)
    with pytest.raises(Conflict, match=rf"is used by batch call {batch.id} \(scheduled\)"):
        await calling.gateway.counter.releasing.release(number.id, "test")
    assert (await stands(calling, batch)).number_ids == (number.id,)


async def test_a_workspace_has_so_many_batches_at_once(build: Build, phone: Phone, tmp_path: Path) -> None:
    """As far as it makes them itself; those that are over do not count."""
    world = await build(TENANTS__BATCHES=2)
    await world.way_out(phone.uri())
    own, by = batches(world), "api:key_test"
    made = [await own.create(WORKSPACE, WISH, a_file(tmp_path, 1), by, draft=True) for _ in range(2)]
    with pytest.raises(Conflict, match="at most 2 batch calls that are not over"):
        await own.create(WORKSPACE, WISH, a_file(tmp_path, 1), by, draft=True)
    await own.create(WORKSPACE, WISH, a_file(tmp_path, 1), "cli:root", draft=True)
    for one in made:
        await own.delete(one.batch.id, WORKSPACE, by)
    await own.create(WORKSPACE, WISH, a_file(tmp_path, 1), by, draft=True)
