"""The keys in use: read once, and good only as long as they are."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from gateway.config.settings import Config
from gateway.store.configuration import key_ring
from gateway.store.engine.errors import StoreError
from gateway.store.engine.schema import api_keys
from gateway.store.snapshot import FRESH_SECONDS
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished

Pair = tuple[str, str]


@pytest.fixture
async def elsewhere(config: Config) -> AsyncIterator[SqlStore]:
    """Another process on the same database, as `gateway keys revoke` is."""
    store = await open_store(config, serving=False)
    yield store
    await store.close()


@pytest.fixture
async def pair(store: SqlStore, furnished: Furnished) -> Pair:
    """A key and its secret."""
    key, secret = await store.configuration.keys.add(furnished.workspace.id, "ours", "test")
    return key.id, secret


class Readings:
    """How often keys were read from a store's database, or written."""

    def __init__(self, store: SqlStore) -> None:
        self.count = 0
        sa.event.listen(store._database._engine.sync_engine, "before_cursor_execute", self._seen)

    def _seen(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.count += "api_keys" in statement


async def opens(store: SqlStore, pair: Pair) -> bool:
    """Whether a key opens."""
    return await store.configuration.keys.opening(*pair) is not None


async def test_a_key_in_use_is_not_read_again(store: SqlStore, pair: Pair) -> None:
    """After the first request, which notes that the key was used, others cost no look at the keys."""
    assert await opens(store, pair)
    readings = Readings(store)
    assert all([await opens(store, pair) for _ in range(20)])
    assert not await opens(store, (pair[0], "wrong"))
    assert readings.count == 0


async def test_a_key_revoked_here_opens_nothing_at_once(store: SqlStore, pair: Pair) -> None:
    """The very next request is refused."""
    assert await opens(store, pair)
    await store.configuration.keys.revoke(pair[0], "test")
    assert not await opens(store, pair)


async def test_a_key_revoked_elsewhere_opens_nothing_soon(
    store: SqlStore, pair: Pair, elsewhere: SqlStore
) -> None:
    """Once the revision has to be asked for again; under steady use too."""
    assert await opens(store, pair)
    await elsewhere.configuration.keys.revoke(pair[0], "test")
    revoked = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < revoked + FRESH_SECONDS:
        await opens(store, pair)
    assert not await opens(store, pair)


async def test_a_new_key_is_good_at_once(store: SqlStore, pair: Pair, elsewhere: SqlStore) -> None:
    """Wherever it was made, and though it was asked for in vain before."""
    workspace_id = (await store.configuration.keys.list_all())[0].workspace_id
    assert not await opens(store, ("key_none", "x"))
    key, secret = await elsewhere.configuration.keys.add(workspace_id, "theirs", "test")
    assert await opens(store, (key.id, secret))


async def test_without_a_fresh_revision_nothing_opens(
    store: SqlStore, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer may have revoked the key since."""
    assert await opens(store, pair)

    async def away() -> int:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(store._snapshots._probe, "revision", away)
    await asyncio.sleep(FRESH_SECONDS)
    with pytest.raises(StoreError):
        await opens(store, pair)


async def test_what_is_kept_is_bounded(
    store: SqlStore, furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key that was not used for longest is read again; all of them open."""
    monkeypatch.setattr(key_ring, "MOST_KNOWN", 3)
    keys = store.configuration.keys
    made = [await keys.add(furnished.workspace.id, f"key {number}", "test") for number in range(5)]
    pairs = [(key.id, secret) for key, secret in made]
    for pair in (*pairs, pairs[2], *pairs):
        assert await opens(store, pair)
    ring = store.configuration.keys.ring
    assert len(ring._known) == 3


async def test_use_is_noted_once_a_minute(store: SqlStore, pair: Pair) -> None:
    """Of many requests one writes, and it is in the database when the request goes on."""
    readings = Readings(store)
    assert all([await opens(store, pair) for _ in range(5)])
    assert readings.count == 2
    async with store._database.reading() as connection:
        assert (await connection.execute(sa.select(api_keys.c.last_used_at))).scalar_one() is not None
