"""Records of calls are forgotten when their time is over, with everything that belongs to them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.config.loading import load_config
from gateway.recordings.folder import FolderStore
from gateway.recordings.keeping import Keeping
from gateway.recordings.retention import Retention
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.sql import SqlStore, open_store
from tests.tables import lay_tables

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """An empty store."""
    config = load_config(None, {"TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path / "data")})
    lay_tables(config.store_url)
    store = await open_store(config)
    yield store
    await store.close()


def call(number: int, days: float, **fields: object) -> CallRow:
    """A call so many days ago."""
    began = NOW - timedelta(days=days)
    row = CallRow(f"call_{number:02}", "inbound", "completed", began, workspace_id="org_1", ended_at=began)
    return replace(row, **fields)  # type: ignore[arg-type]  # handed through


async def test_what_is_too_old_is_forgotten(store: SqlStore, tmp_path: Path) -> None:
    """Not what goes on, not what is younger; texts and recording go along."""
    folder = FolderStore(tmp_path / "recordings", None, seals=False)
    key = "2027/01/01/call_01.wav"
    file = folder.open(key)
    file.write(b"head", b"sound")
    file.finish()
    recorded = {"recording_status": "saved", "recording": {"key": key}}
    for row in (call(1, 30, **recorded), call(2, 8), call(3, 40, ended_at=None), call(4, 6.9)):
        store.save_call(row)
    await store.flush()
    await store.texts.put(CallTexts("call_02", "org_1", summary="old"))
    await store.texts.put(CallTexts("call_04", "org_1", summary="young"))
    told: list[str] = []
    keeping = Keeping(store, folder, 0, lambda name, /, **_: told.append(name))
    retention = Retention(store, keeping, 7, lambda name, /, **_: told.append(name))
    assert await retention.sweep(NOW) == 2
    assert [row.id for row in (await store.list_calls(CallFilter())).calls] == ["call_04", "call_03"]
    assert list(folder.list_all()) == []
    assert set(await store.texts.of(["call_02", "call_04"])) == {"call_04"}
    assert told == ["recording.deleted"]
    assert await retention.sweep(NOW) == 0


async def test_many_go_in_parts(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the sweep says how many."""
    monkeypatch.setattr("gateway.recordings.retention.BATCH", 3)
    monkeypatch.setattr("gateway.recordings.retention.PAUSE_SECONDS", 0.0)
    for number in range(10):
        store.save_call(call(number, 8))
    await store.flush()
    keeping = Keeping(store, FolderStore(tmp_path / "r", None, seals=False), 0, lambda *_, **__: None)
    assert await Retention(store, keeping, 7, lambda *_, **__: None).sweep(NOW) == 10


async def test_none_goes_by_default(store: SqlStore, tmp_path: Path) -> None:
    """Zero days are for ever."""
    store.save_call(call(1, 10_000))
    await store.flush()
    keeping = Keeping(store, FolderStore(tmp_path / "r", None, seals=False), 0, lambda *_, **__: None)
    await Retention(store, keeping, 0, lambda *_, **__: None).run(lambda: NOW)
    assert len((await store.list_calls(CallFilter())).calls) == 1
