"""What a wall clock that is set leaves alone."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.store.configuration.webhooks import Delivery, DeliveryState
from gateway.store.engine.database import Database
from gateway.store.engine.ids import new_id
from gateway.store.records import requests
from gateway.store.records.requests import Requests
from gateway.store.sql import SqlStore

HOUR = 3600.0


class Clock(datetime):
    """A wall clock that can be set."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        """The time that it shows."""
        return datetime.now(tz) + cls.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Clock]]:
    """The wall clock of the requests."""
    monkeypatch.setattr(requests, "datetime", Clock)
    yield Clock
    Clock.ahead = timedelta(0)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_request_at_work_stays_held(database: Database, clock: type[Clock], step: float) -> None:
    """Whoever asks again while the first is being decided places no second call."""
    first = Requests(database, "gw")
    assert (await first.reserve("org", "key", b"{}", "call_1")).ours
    clock.ahead = timedelta(seconds=step)
    assert not (await first.reserve("org", "key", b"{}", "call_2")).ours
    await first.release("org", "key")
    assert (await first.reserve("org", "key", b"{}", "call_3")).ours


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_what_a_dead_gateway_held_is_taken_over(
    database: Database, clock: type[Clock], step: float
) -> None:
    """Also where it held it in what is the future now."""
    assert (await Requests(database, "dead").reserve("org", "key", b"{}", "call_1")).ours
    clock.ahead = timedelta(seconds=step)
    there = await Requests(database, "gw").reserve("org", "key", b"{}", "call_2")
    assert (there.ours, there.call_id) == (True, "call_1")


def test_ids_go_on_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the order of wallet entries and of pages."""
    before = new_id("x")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - HOUR)
    after = [new_id("x") for _ in range(100)]
    assert [before, *after] == sorted([before, *after])
    assert len(set(after)) == 100


PAUSES = (timedelta(0), timedelta(seconds=5), timedelta(seconds=30))


def _waiting(now: datetime, attempts: int) -> Delivery:
    return Delivery(
        id=new_id("whd"),
        webhook_id="webhook_1",
        workspace_id="org_1",
        event="call_ended",
        call_id="call_1",
        body="{}",
        state=DeliveryState.PENDING,
        attempts=attempts,
        created_at=now,
        next_at=now + PAUSES[attempts],
    )


async def test_deliveries_are_not_late_by_what_the_clock_was_set_back(store: SqlStore) -> None:
    """A retry waits for its pause, however the clock is set; what others put off a moment ahead waits."""
    hooks = store.configuration.webhooks
    now = datetime.now().astimezone()
    await hooks.enqueue([_waiting(now, 0), _waiting(now, 1), _waiting(now, 2)])
    ahead = [one.attempts for one in await hooks.take(now - timedelta(seconds=20), 10, PAUSES)]
    assert ahead == []
    late = await hooks.take(now - timedelta(hours=1), 10, PAUSES)
    assert sorted(one.attempts for one in late) == [0, 1, 2]


async def test_what_a_killed_gateway_was_delivering_is_taken_up(store: SqlStore) -> None:
    """After no longer than an attempt can take, and not before."""
    hooks, now = store.configuration.webhooks, datetime.now().astimezone()
    await hooks.enqueue([_waiting(now, 0)])
    claim = timedelta(seconds=25)
    assert len(await hooks.take(now, 10, PAUSES, claim)) == 1
    assert await hooks.take(now + timedelta(seconds=24), 10, PAUSES, claim) == []
    assert len(await hooks.take(now + timedelta(seconds=26), 10, PAUSES, claim)) == 1


async def test_an_ending_is_filed_once(store: SqlStore) -> None:
    """Who does not know whether it was told before a kill tells it again; others come as often as told."""
    hooks, now = store.configuration.webhooks, datetime.now().astimezone()
    for _ in range(2):
        await hooks.enqueue([_waiting(now, 0)], once=("call_ended",))
    assert len(await hooks.take(now, 10)) == 1
    await hooks.enqueue([_waiting(now, 0)])
    assert len(await hooks.take(now, 10)) == 1
