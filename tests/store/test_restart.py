"""PostgreSQL is restarted under a running gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.loading import load_config
from gateway.store.engine.errors import StoreError
from gateway.store.records.calls import CallFilter
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import furnish
from tests.store.postgresql import Cluster
from tests.store.test_calls import FULL


@asynccontextmanager
async def opened(cluster: Cluster, folder: Path, told: list[str]) -> AsyncIterator[SqlStore]:
    """A store on the cluster, which keeps in `told` what it tells."""
    environ = {
        "TRUNKLINE_STORE__URL": f"postgresql://tests@127.0.0.1:{cluster.port}/postgres",
        "TRUNKLINE_GATEWAY__DATA_DIR": str(folder),
    }
    store = await open_store(load_config(None, environ), lambda name, /, **_: told.append(name))
    try:
        yield store
    finally:
        await store.close()


async def wait_for(store: SqlStore, *, healthy: bool) -> None:
    """Until the database answers, or does not any more."""
    async with asyncio.timeout(20):
        while (await store.healthy() is None) != healthy:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.05)


async def test_gateway_lives_through_a_restart_of_the_database(cluster: Cluster, tmp_path: Path) -> None:
    """While PostgreSQL is away calls are routed and recorded; when it is back, nothing is missing."""
    told: list[str] = []
    async with opened(cluster, tmp_path, told) as store:
        await furnish(store)
        known = await store.routing_table("+442079460018")
        store.save_call(replace(FULL, id="call_before"))
        await store.flush()

        await asyncio.to_thread(cluster.control, "stop")
        await wait_for(store, healthy=False)
        assert await store.routing_table("+442079460018") is known
        assert len(store.trunks()) == 1
        for index in range(50):
            store.save_call(replace(FULL, id=f"call_{index}"))
        async with asyncio.timeout(10):
            await store.flush()
        assert told == ["store.stalled"]

        await asyncio.to_thread(cluster.control, "start")
        await wait_for(store, healthy=True)
        async with asyncio.timeout(20):
            while "store.recovered" not in told:  # noqa: ASYNC110 - what is told has no event to wait for
                await asyncio.sleep(0.05)
        assert len((await store.list_calls(CallFilter(limit=200))).calls) == 51
        await store.configuration.numbers.unassign(known.numbers[0].id, "inbound", "test")
        table = await store.routing_table("+442079460018")
        assert table.numbers[0].inbound_version_id is None
        assert store.counters["lost"] == 0


async def test_configuring_without_database_is_an_error(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever changes something then is told that it did not happen."""
    async with opened(cluster, tmp_path, []) as store:
        await asyncio.to_thread(cluster.control, "stop")
        with pytest.raises(StoreError, match=r"the database postgresql://tests@127\.0\.0\.1"):
            await furnish(store)
        await asyncio.to_thread(cluster.control, "start")
