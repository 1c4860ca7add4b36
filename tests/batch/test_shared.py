"""Two gateways on one PostgreSQL share a batch, and what one leaves when it dies the other takes over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from gateway.config.loading import load_config
from gateway.store.engine.database import Database
from gateway.store.engine.tenure import NameFile, Tenure
from gateway.store.sql import SqlStore, open_store
from gateway.tell import tell_nobody
from tests.batch.simulation import ANSWERED, Carrier, Simulation
from tests.batch.world import is_over
from tests.store.conftest import _copy, migrated, postgresql_port  # noqa: F401  fixtures
from tests.store.furnished import furnish

# Fixtures are arguments by their names.
# ruff: noqa: F811


@pytest.fixture
async def shared_url(postgresql_port: int) -> URL:
    """A database of PostgreSQL."""
    url = await _copy(postgresql_port, "template0")
    database = Database(url)
    await database.migrate()
    await database.close()
    return url


@asynccontextmanager
async def gateway(url: URL, folder: Path, name: str) -> AsyncIterator[tuple[SqlStore, Tenure]]:
    """One gateway's store and its name, alive while the context is open."""
    given = {"GATEWAY__NAME": name, "GATEWAY__DATA_DIR": str(folder / name)}
    key = {"SECURITY__KEY_FILE": str(folder / "secret.key")}
    given |= key | {"STORE__URL": url.render_as_string(hide_password=False)}
    config = load_config(None, {f"TRUNKLINE_{name}": value for name, value in given.items()})
    tenure = Tenure(name, Database(url), NameFile(config.name_file), tell_nobody, lambda: None)
    await tenure.take()
    store = await open_store(config, fence=tenure.fence)
    try:
        yield store, tenure
    finally:
        await store.close()
        await tenure.give_up()


async def test_they_share_a_batch_and_survive_each_other(
    shared_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is called twice; when one dies with calls under way, the other ends the batch without it."""
    monkeypatch.setattr("gateway.batch.lost_rows.STALE_SECONDS", 0.5)
    monkeypatch.setattr("gateway.batch.engine.TAKE_OVER_SECONDS", 0.1)
    async with (
        gateway(shared_url, tmp_path, "one") as (store, alive),
        gateway(shared_url, tmp_path, "two") as (
            theirs,
            dead,
        ),
    ):
        furnished = await furnish(store)
        settings = load_config(None, {}).batch.model_copy(update={"window": 10, "calls_per_second": 100.0})
        first = Simulation(store, furnished, Carrier(), settings, owner=alive.token)
        second = Simulation(theirs, furnished, Carrier(), settings, owner=dead.token)
        first.engine.start()
        second.engine.start()
        batch = await first.batch(150)
        await first.comes_to(batch, lambda it: it.status == "running")
        second.engine.wake()
        await first.comes_to(batch, lambda it: it.counts.done >= 60)
        second.carrier.answer = lambda _: None
        await second.until(lambda: len(second.carrier.ringing) >= 3)
        for task in (
            *second.engine._tasks,
            *second.engine._calls,
            *(run[1] for run in second.engine._runs.values()),
        ):
            task.cancel()  # killed: it says nothing more, and its name gives no signs of life
        beating = asyncio.create_task(_beat(alive))
        done = await first.comes_to(batch, is_over, 20)
        beating.cancel()
        called = first.carrier.numbers + second.carrier.numbers
        assert len(called) == len(set(called))
        found = await first.outcomes(batch)
        uncertain = {to for to, (state, _) in found.items() if state == "uncertain"}
        assert uncertain == set(second.carrier.ringing)
        assert set(called) == found.keys()
        assert done.counts.done + done.counts.uncertain == 150
        assert first.carrier.numbers
        assert second.carrier.numbers
        for ends in second.carrier.ringing.values():
            ends.set_result(ANSWERED)
        await first.engine.close()


async def _beat(tenure: Tenure) -> None:
    while True:
        await tenure._beat()
        await asyncio.sleep(0.1)
