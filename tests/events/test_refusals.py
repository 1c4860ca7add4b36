"""What was refused is written down, bounded, and found by its owner alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from gateway.events import refusals as module
from gateway.events.bus import Event
from gateway.events.refusals import RefusalDesk
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.records import refusals as store_module
from gateway.store.records.refusals import Refusals
from tests.tables import lay_tables


@pytest.fixture
async def refusals(tmp_path: Path) -> AsyncIterator[Refusals]:
    """An empty list."""
    url = make_url(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    lay_tables(url)
    database = Database(url)
    yield Refusals(database)
    await database.close()


def refused(workspace_id: str = "org_1", to: str = "+919812345678", **more: object) -> Event:
    """A request that a rule refused."""
    fields = {
        "workspace_id": workspace_id,
        "type": "phone",
        "by": "api:key_1",
        "agent_id": None,
        "from": "+12025550101",
        "to": to,
        "reason": "country_not_enabled",
        "detail": "India is not enabled",
        "decision": {"reason": "country_not_enabled", "checks": []},
    }
    return Event("call.refused", {**fields, **more}, "warning")


async def test_each_owner_finds_the_own_ones(refusals: Refusals) -> None:
    """Newest first; the same ones in a row are one, counted."""
    desk = RefusalDesk(refusals)
    for event in (refused(), refused(), refused(to="+1\x00\x1b[31m" + "9" * 500), refused("org_2")):
        desk.hear(event)
    desk.hear(Event("call.ended", {"workspace_id": "org_1"}))
    desk.hear(refused(workspace_id=None))  # type: ignore[arg-type]  # whose it was is not known
    await desk.write()
    mine = await refusals.page("org_1", 10)
    assert [(one.count, one.reason) for one in mine] == [
        (1, "country_not_enabled"),
        (2, "country_not_enabled"),
    ]
    assert len(mine[0].to_number) == module.LONGEST
    assert mine[0].to_number.isprintable()
    assert mine[1].decision == {"reason": "country_not_enabled", "checks": []}
    assert len(await refusals.page("org_2", 10)) == 1
    assert await refusals.page("org_1", 10, before=mine[1].id) == []


async def test_a_flood_costs_only_its_own_list(refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is bounded in memory, on disk and in age."""
    monkeypatch.setattr(module, "MAX_OF_ONE", 5)
    monkeypatch.setattr(store_module, "KEPT", 8)
    desk = RefusalDesk(refusals)
    desk.hear(refused("org_2"))
    for turn in range(3):
        for number in range(10):
            desk.hear(refused(to=f"+{turn}{number}"))
        await desk.write()
    assert desk.dropped == 15
    assert [one.to_number for one in await refusals.page("org_1", 20)] == [
        *("+24", "+23", "+22", "+21", "+20", "+14", "+13", "+12")
    ]
    assert len(await refusals.page("org_2", 20)) == 1
    assert await refusals.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await refusals.sweep(datetime.now(UTC) + timedelta(hours=1)) == 9


async def test_a_database_that_is_away_gets_it_later(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is tried again."""
    monkeypatch.setattr(module, "GATHER_SECONDS", 0.01)
    away = [True]
    keep = Refusals.keep

    async def kept(self: Refusals, new: object) -> None:
        if away[0]:
            raise StoreError("away")
        await keep(self, new)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Refusals, "keep", kept)
    desk = RefusalDesk(refusals)
    running = asyncio.create_task(desk.run())
    desk.hear(refused())
    await asyncio.sleep(0.1)
    away[0] = False
    async with asyncio.timeout(5):
        while not await refusals.page("org_1", 1):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
