"""The engine in a time that tests set: turns, retries, hours, limits, pauses of its own, the dead."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from gateway.batch import judging
from gateway.batch.hours import CallingHours
from gateway.batch.machine import Action
from gateway.batch.retrying import Outcome, RetryRule
from gateway.call.record import EndReason
from gateway.call.refusal import Refused
from gateway.routing.decision import Reason
from gateway.store.batches.values import Batch, Move
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore
from tests.batch.simulation import (
    ANSWERED,
    BUSY,
    DOWN,
    DRAINED,
    RANG_OUT,
    Answer,
    Carrier,
    Simulation,
    by_number,
    declined,
    rejected,
    simulated,
)
from tests.batch.world import is_over
from tests.store.conftest import config, furnished, migrated, store, url  # noqa: F401  fixtures
from tests.store.furnished import Furnished

# Fixtures are arguments by their names.
# ruff: noqa: F811

ONE, TWO = "+14155550000", "+14155550001"


@pytest.fixture
def empty_url(tmp_path: Path) -> URL:
    """SQLite alone: what databases do is `tests/store`'s subject."""
    return make_url(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")


@pytest.fixture
async def simulation(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Simulation]:
    """An engine that runs, and looks for the dead whenever it looks."""
    monkeypatch.setattr("gateway.batch.engine.TAKE_OVER_SECONDS", 0.01)
    async with simulated(store, furnished) as made:
        yield made


async def test_retries_come_when_due_and_end_with_the_rule(simulation: Simulation) -> None:
    """Busy three times with two retries: each an hour on, twice as long the second time, with its parent."""
    simulation.carrier.answer = by_number({ONE: [BUSY]})
    rule = RetryRule(2, 3600, 2.0, frozenset({Outcome.BUSY}))
    batch = await simulation.batch(2, retry=rule.as_dict())
    await simulation.comes_to(batch, lambda it: it.counts.done == 1 and it.counts.queued == 1)
    await simulation.passes(minutes=59)
    await asyncio.sleep(0.05)
    assert simulation.carrier.numbers.count(ONE) == 1
    await simulation.passes(minutes=2)
    await simulation.until(lambda: simulation.carrier.numbers.count(ONE) == 2)
    await simulation.comes_to(batch, lambda it: it.counts.queued == 1)
    await simulation.passes(hours=2, minutes=1)
    done = await simulation.comes_to(batch, is_over)
    assert [(one.depth, one.total, one.attempted, one.picked_up) for one in done.stages] == [
        (0, 2, 2, 1),
        (1, 1, 1, 0),
        (2, 1, 1, 0),
    ]
    assert (done.counts.sent, done.counts.picked_up, done.counts.done) == (2, 1, 2)
    assert await simulation.outcomes(batch) == {ONE: ("done", "busy"), TWO: ("done", "completed")}
    first, second, third = (call for call in simulation.carrier.placed if call.route.destination == ONE)
    assert (first.parent_call_id, second.parent_call_id, third.parent_call_id) == (None, first.id, second.id)
    assert {call.batch_id for call in simulation.carrier.placed} == {batch.id}
    assert first.metadata == {"name": "n0"}


@pytest.mark.parametrize("status", [603, 607, 608])
async def test_whoever_declines_is_not_called_again(simulation: Simulation, status: int) -> None:
    """Whatever the rule says of busy."""
    simulation.carrier.answer = lambda _: declined(status)
    batch = await simulation.batch(1, retry=RetryRule(4, 60, outcomes=frozenset({Outcome.BUSY})).as_dict())
    done = await simulation.comes_to(batch, is_over)
    assert (done.dialled, await simulation.outcomes(batch)) == (1, {ONE: ("done", "declined")})


async def test_a_retry_that_comes_too_late_has_expired(simulation: Simulation) -> None:
    """The batch ends before it is due: `retry_expired`, at once."""
    simulation.carrier.answer = lambda _: RANG_OUT
    ends = simulation.now + timedelta(minutes=30)
    batch = await simulation.batch(1, retry=RetryRule(1, 3600).as_dict(), ends_at=ends)
    done = await simulation.comes_to(batch, is_over)
    assert await simulation.outcomes(batch) == {ONE: ("expired", "retry_expired")}
    assert done.counts.expired == 1


async def test_nobody_is_called_more_often_a_day_than_allowed(
    simulation: Simulation, store: SqlStore
) -> None:
    """Calls of others count; the next day's begins at midnight where the batch is."""
    row = CallRow(
        "call_before",
        "outbound",
        "busy",
        simulation.now,
        workspace_id=simulation.furnished.workspace.id,
        to_number=ONE,
    )
    store.save_call(row)
    await store.flush()
    batch = await simulation.batch(2, most_per_callee_per_day=1, timezone="Asia/Kolkata")
    await simulation.comes_to(batch, lambda it: it.counts.done == 1)
    assert simulation.carrier.numbers == [TWO]
    await simulation.passes(hours=9)
    await asyncio.sleep(0.05)
    assert simulation.carrier.numbers == [TWO], "it is 23:30 in Kolkata"
    await simulation.passes(minutes=31)
    await simulation.comes_to(batch, is_over)
    assert simulation.carrier.numbers == [TWO, ONE]


def hours(start: str, end: str, by: str = "workspace", zone: str = "UTC") -> dict[str, object]:
    """Calling hours as a batch keeps them."""
    clock = [datetime.strptime(text, "%H:%M").time() for text in (start, end)]  # noqa: DTZ007 - a wall clock's
    return CallingHours(clock[0], clock[1], by=by, zone=zone).as_dict()  # type: ignore[arg-type]


async def test_calls_wait_for_their_hours(simulation: Simulation) -> None:
    """Of the workspace: nothing is taken before; then all are called."""
    batch = await simulation.batch(2, hours=hours("10:00", "18:00"))
    await simulation.comes_to(batch, lambda it: it.status == "running")
    await asyncio.sleep(0.05)
    assert simulation.carrier.asked == []
    await simulation.passes(minutes=60)
    await simulation.comes_to(batch, is_over)
    assert simulation.carrier.numbers == [ONE, TWO]


async def test_each_callee_has_hours_of_its_own(simulation: Simulation) -> None:
    """At 09:00 UTC London may be called, California not yet, and a toll-free number never: it is anywhere."""
    numbers = ["+442079460018", "+14155550100", "+18005550100"]
    batch = await simulation.batch(numbers=numbers, hours=hours("09:00", "18:00", "callee"))
    await simulation.comes_to(batch, lambda it: it.counts.done == 1 and it.counts.queued == 1)
    assert simulation.carrier.numbers == ["+442079460018"]
    await simulation.passes(hours=8, minutes=1)
    done = await simulation.comes_to(batch, is_over)
    assert (done.counts.done, done.counts.expired) == (2, 1)
    assert simulation.carrier.numbers[1:] == ["+14155550100"]


async def test_hours_that_never_come_end_the_batch(simulation: Simulation) -> None:
    """Before the end there are none: nobody is called, and everybody has expired at once."""
    ends = simulation.now + timedelta(minutes=30)
    batch = await simulation.batch(3, hours=hours("10:00", "18:00"), ends_at=ends)
    done = await simulation.comes_to(batch, is_over)
    assert (done.counts.expired, simulation.carrier.asked) == (3, [])
    rows = await simulation.store.recipients.page(batch.id, 10)
    assert {row.detail.partition(" before")[0] for row in rows} == {
        "the calling hours 10:00–18:00 do not come"
    }


async def test_who_can_be_in_zones_without_a_common_hour_is_told_so(simulation: Simulation) -> None:
    """With the zones, and what would mend it."""
    ends = simulation.now + timedelta(days=3)
    batch = await simulation.batch(
        numbers=("+79161234567",), hours=hours("09:00", "18:00", "callee"), ends_at=ends
    )
    await simulation.comes_to(batch, is_over)
    (row,) = await simulation.store.recipients.page(batch.id, 10)
    assert "time zones that the number can be in, from Europe/Kaliningrad to" in row.detail
    assert row.detail.endswith("a timezone of its own in the row says which it is")


async def test_the_end_comes_while_recipients_wait(simulation: Simulation) -> None:
    """Calls that are under way go on, nobody else is called, and then it is over."""
    simulation.carrier.answer = lambda _: None
    ends = simulation.now + timedelta(hours=1)
    batch = await simulation.batch(3, max_concurrent=1, ends_at=ends)
    await simulation.until(lambda: ONE in simulation.carrier.ringing)
    await simulation.passes(hours=1)
    await simulation.comes_to(batch, lambda it: it.counts.expired == 2)
    assert (await simulation.stands(batch)).status == "running"
    simulation.carrier.ringing[ONE].set_result(ANSWERED)
    done = await simulation.comes_to(batch, is_over)
    assert (done.counts.done, done.counts.expired, simulation.carrier.numbers) == (1, 2, [ONE])


async def test_one_batch_of_a_workspace_runs_at_a_time(simulation: Simulation) -> None:
    """The others wait in order; a scheduled one waits for its time first."""
    simulation.carrier.answer = lambda _: None
    first = await simulation.batch(1, turn_order=1)
    third = await simulation.batch(numbers=["+14155550003"], turn_order=3)
    later = simulation.now + timedelta(hours=1)
    second = await simulation.batch(numbers=["+14155550002"], turn_order=2)
    fourth = await simulation.batch(status="scheduled", numbers=["+14155550004"], starts_at=later)
    await simulation.until(lambda: ONE in simulation.carrier.ringing)
    assert [(await simulation.stands(one)).status for one in (first, second, third, fourth)] == [
        "running",
        "waiting",
        "waiting",
        "scheduled",
    ]
    for number in (ONE, "+14155550002", "+14155550003"):
        await simulation.until(partial(simulation.carrier.ringing.get, number))
        simulation.carrier.ringing[number].set_result(ANSWERED)
    await simulation.comes_to(third, is_over)
    await simulation.passes(hours=1)
    await simulation.until(lambda: "+14155550004" in simulation.carrier.ringing)
    assert simulation.carrier.numbers == [ONE, "+14155550002", "+14155550003", "+14155550004"]


async def test_an_empty_wallet_pauses_the_batch(simulation: Simulation) -> None:
    """It burns no rows, says why, and goes on when somebody has paid in and resumes it."""
    simulation.carrier.answer = lambda _: rejected(Reason.INSUFFICIENT_BALANCE)
    batch = await simulation.batch(5)
    paused = await simulation.comes_to(batch, lambda it: it.status == "paused")
    assert (paused.why_code, paused.counts.failed, paused.dialled) == ("insufficient_balance", 0, 0)
    await simulation.comes_to(batch, lambda it: it.counts.queued == 5)
    (told,) = (event for event in simulation.events if event.name == "batch.paused")
    assert (told.level, told.fields["why_code"]) == ("warning", "insufficient_balance")
    simulation.carrier.answer = lambda _: ANSWERED
    await simulation.engine.act(batch.id, Action.RESUME)
    assert (await simulation.comes_to(batch, is_over)).counts.done == 5


async def test_a_trunk_that_fails_pauses_the_batch(simulation: Simulation) -> None:
    """After so many calls in a row, and not for people who do not pick up."""
    simulation.carrier.answer = lambda _: RANG_OUT
    calm = await simulation.batch(25)
    await simulation.comes_to(calm, is_over)
    simulation.carrier.answer = lambda _: DOWN
    batch = await simulation.batch(100, max_concurrent=5)
    paused = await simulation.comes_to(batch, lambda it: it.status == "paused")
    assert paused.why_code == "trunk_failing"
    assert "the trunk failed for 20 of the last 20 calls" in paused.why
    rested = await simulation.comes_to(batch, lambda it: it.counts.dialling + it.counts.claimed == 0)
    assert 20 <= rested.dialled <= 25
    assert rested.counts.queued == 100 - rested.dialled


async def test_a_rule_that_has_changed_ends_the_recipient(simulation: Simulation) -> None:
    """Its own rule: the others are called, and the reason is kept."""
    simulation.carrier.answer = by_number({ONE: [rejected(Reason.DO_NOT_CALL)]})
    batch = await simulation.batch(2)
    done = await simulation.comes_to(batch, is_over)
    assert await simulation.outcomes(batch) == {ONE: ("failed", "do_not_call"), TWO: ("done", "completed")}
    assert (done.counts.failed, done.counts.sent, done.dialled) == (1, 1, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        rejected(Reason.TRUNK_CHANNEL_LIMIT),
        rejected(Reason.WORKSPACE_CONCURRENCY_LIMIT),
        rejected(Reason.TRUNK_RATE_LIMIT),
        Refused(EndReason.GATEWAY_OVERLOADED, "too much to do"),
        Refused(EndReason.STORE_UNAVAILABLE, "the database is away"),
    ],
)
async def test_limits_are_waited_for(simulation: Simulation, refusal: Refused) -> None:
    """Nothing is lost, and the order stays, however often there is no place."""
    refusal.retry_after = 1
    simulation.carrier.answer = by_number({ONE: [refusal, ANSWERED]})
    batch = await simulation.batch(2)
    await simulation.comes_to(batch, is_over)
    assert simulation.carrier.numbers == [ONE, TWO]


async def test_numbers_take_turns_and_stand_in_for_each_other(simulation: Simulation) -> None:
    """Each calls as often as the other; one that is full, or out of order, is passed by."""
    pair = ("+12125550101", "+16465550102")
    batch = await simulation.batch(6, from_numbers=pair)
    await simulation.comes_to(batch, is_over)
    assert [call.route.from_number for call in simulation.carrier.placed] == [*pair] * 3
    simulation.carrier.placed.clear()
    broken = rejected(Reason.NUMBER_NOT_ACTIVE)
    full = rejected(Reason.NUMBER_CHANNEL_LIMIT, 5.0)
    third = "+13055550103"
    answers: dict[str | None, Answer] = {pair[0]: broken, pair[1]: full}
    simulation.carrier.answer = lambda call: answers.get(call.route.from_number, ANSWERED)
    batch = await simulation.batch(3, from_numbers=(*pair, third))
    await simulation.comes_to(batch, is_over)
    assert {call.route.from_number for call in simulation.carrier.placed} == {third}


async def test_no_number_left_pauses_the_batch(simulation: Simulation) -> None:
    """It says what is wrong with the last one."""
    simulation.carrier.answer = lambda _: rejected(Reason.RENTAL_EXPIRED)
    batch = await simulation.batch(3, from_numbers=("+12125550101", "+16465550102"))
    paused = await simulation.comes_to(batch, lambda it: it.status == "paused")
    assert paused.why_code == "rental_expired"
    assert (await simulation.comes_to(batch, lambda it: it.counts.queued == 3)).counts.failed == 0


async def test_a_share_is_left_to_others(simulation: Simulation) -> None:
    """Each call says so, and none waits long for the trunk's pace with its places taken."""
    batch = await simulation.batch(1)
    await simulation.comes_to(batch, is_over)
    (call,) = simulation.carrier.placed
    assert (call.leaves_free, call.patience) == (0.1, 0.2)


async def test_a_crowded_gateway_takes_no_more(simulation: Simulation) -> None:
    """Calls of every kind count; once they are fewer it goes on."""
    simulation.crowd = 1000
    batch = await simulation.batch(1)
    await simulation.comes_to(batch, lambda it: it.counts.claimed == 1)
    await asyncio.sleep(0.3)
    assert simulation.carrier.asked == []
    simulation.crowd = 0
    await simulation.comes_to(batch, is_over)


async def test_a_drain_puts_back_what_is_not_dialled(simulation: Simulation) -> None:
    """A call that is cut short by it is made once more, as if nothing had been."""
    simulation.carrier.answer = lambda _: None
    batch = await simulation.batch(5, max_concurrent=2)
    await simulation.until(lambda: len(simulation.carrier.ringing) == 2)
    await simulation.engine.drain()
    simulation.carrier.ringing[ONE].set_result(DRAINED)
    simulation.carrier.ringing[TWO].set_result(ANSWERED)
    rested = await simulation.comes_to(batch, lambda it: it.counts.queued == 4)
    assert (rested.status, rested.counts.done, rested.counts.sent, rested.dialled) == ("running", 1, 1, 1)
    simulation.carrier.answer = lambda _: ANSWERED
    again = simulation.another("next")
    await simulation.lives("next")
    again.start()
    await simulation.passes(seconds=11)
    again.wake()
    done = await simulation.comes_to(batch, is_over)
    await again.close()
    assert (done.counts.done, done.counts.sent, done.dialled) == (5, 5, 5)


async def test_pause_and_cancel_stop_new_calls_at_once(simulation: Simulation) -> None:
    """While calls ring: none follows, they end by themselves, and cancelling is for good."""
    simulation.carrier.answer = lambda _: None
    batch = await simulation.batch(200, max_concurrent=100)
    await simulation.until(lambda: len(simulation.carrier.ringing) == 100)
    await simulation.engine.act(batch.id, Action.PAUSE)
    for ends in simulation.carrier.ringing.values():
        ends.set_result(ANSWERED)
    rested = await simulation.comes_to(batch, lambda it: it.counts.done == 100)
    assert (rested.status, rested.counts.queued + rested.counts.claimed) == ("paused", 100)
    await asyncio.sleep(0.05)
    assert len(simulation.carrier.placed) == 100
    await simulation.engine.act(batch.id, Action.CANCEL)
    done = await simulation.comes_to(batch, lambda it: it.counts.cancelled == 100)
    assert (done.status, done.counts.open) == ("cancelled", 0)


async def test_what_a_killed_gateway_left_is_judged_by_its_calls(
    simulation: Simulation, store: SqlStore
) -> None:
    """Not dialled: called now. With a record: as it says. Without: uncertain, and not called again."""
    batch = await left_by_the_dead(simulation, store)
    done = await simulation.comes_to(batch, is_over)
    assert await simulation.outcomes(batch) == {
        "+14155550000": ("done", "busy"),
        "+14155550001": ("done", "failed"),
        "+14155550002": ("uncertain", "failed"),
        "+14155550003": ("uncertain", "failed"),
        "+14155550004": ("done", "completed"),
    }
    assert simulation.carrier.numbers == ["+14155550004"]
    assert (done.counts.uncertain, done.counts.picked_up, done.counts.sent) == (2, 2, 5)
    (told,) = (event for event in simulation.events if event.name == "batch.rows_taken_over")
    assert told.fields["rows"] == 5


async def test_whoever_is_uncertain_is_dialled_again_where_asked(
    simulation: Simulation, store: SqlStore
) -> None:
    """By the batch's own rule."""
    batch = await left_by_the_dead(simulation, store, when_uncertain="dial_again")
    done = await simulation.comes_to(batch, is_over)
    assert sorted(simulation.carrier.numbers) == ["+14155550002", "+14155550003", "+14155550004"]
    assert done.counts.uncertain == 0


async def left_by_the_dead(simulation: Simulation, store: SqlStore, **fields: object) -> Batch:
    """A batch of five: busy, answered and cut, rang and cut, without a record, not dialled."""
    batch = await simulation.batch(5, status="paused", **fields)
    await store.batches.move(batch.id, None, lambda _: {"status": "running"})
    rows = (await store.recipients.claim(batch.id, "dead", 5, int(simulation.now.timestamp() * 1000))).rows
    dialled = [Move(row, "dialling", 0, 0, f"call_{row.position}", at=simulation.now) for row in rows[:4]]
    assert await store.recipients.move("dead", dialled) == [True] * 4
    at = simulation.now
    cut = {"end_reason": "gateway_restarted", "ended_at": at}
    store.save_call(
        CallRow("call_2", "outbound", "busy", at, end_reason="user_busy", sip_status=486, ended_at=at)
    )
    store.save_call(CallRow("call_3", "outbound", "failed", at, answered_at=at, **cut))  # type: ignore[arg-type]
    store.save_call(CallRow("call_4", "outbound", "failed", at, **cut))  # type: ignore[arg-type]
    await store.flush()
    simulation.engine.wake()
    return batch


async def test_a_run_that_crashes_is_told_and_begins_again(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its recipients are put back; nobody is lost, nobody is called twice."""
    claim, crashes = simulation.store.recipients.claim, [ZeroDivisionError("once")]

    async def crashing(*given: object) -> object:
        if crashes:
            raise crashes.pop()
        return await claim(*given)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(type(simulation.store.recipients), "claim", lambda _, *given: crashing(*given))
    monkeypatch.setattr("gateway.batch.engine.PAUSES", (0.01,))
    batch = await simulation.batch(3)
    await simulation.comes_to(batch, is_over)
    (told,) = (event for event in simulation.events if event.name == "batch.crashed")
    assert (told.level, told.fields["batch_id"]) == ("error", batch.id)
    assert len(simulation.carrier.placed) == 3


async def test_a_call_whose_task_crashes_is_judged_after_all(
    simulation: Simulation, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its recipient does not stay in hand for ever: the record of its call decides."""
    ended, crashes = judging.Judge.ended, [ZeroDivisionError("once")]

    async def crashing(self: judging.Judge, *given: object) -> judging.Verdict:
        if crashes:
            raise crashes.pop()
        return await ended(self, *given)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(judging.Judge, "ended", crashing)
    batch = await simulation.batch(1)
    await simulation.until(lambda: "batch.crashed" in simulation.told())
    (call,) = simulation.carrier.placed
    row = CallRow(call.id, "outbound", "completed", simulation.now, ended_at=simulation.now)
    store.save_call(row)
    await store.flush()
    async with asyncio.timeout(10):
        while not is_over(await simulation.stands(batch)):
            simulation.engine.wake()
            await asyncio.sleep(0.05)
    assert await simulation.outcomes(batch) == {ONE: ("done", "completed")}


async def test_two_gateways_share_a_batch(store: SqlStore, furnished: Furnished) -> None:
    """Each recipient is called by one of them, and each has its part."""
    async with simulated(store, furnished, calls_per_second=100, window=10) as simulation:
        theirs = Carrier()
        other = simulation.another("other", theirs)
        await simulation.lives("other")
        other.start()
        batch = await simulation.batch(200)
        await simulation.comes_to(batch, lambda it: it.status == "running")
        for engine in (simulation.engine, other):
            engine.wake()
        await simulation.comes_to(batch, is_over)
        await other.close()
    called = simulation.carrier.numbers + theirs.numbers
    assert (len(called), len(set(called))) == (200, 200)
    assert min(len(simulation.carrier.numbers), len(theirs.numbers)) > 10
