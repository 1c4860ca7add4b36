"""Call records: written as they were, listed as asked, closed after a crash."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.config.settings import Config
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.ids import new_id
from gateway.store.protocol import Store
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)

FULL = CallRow(
    id="call_full",
    direction="inbound",
    status="completed",
    created_at=T0,
    type="phone",
    workspace_id="org_1",
    trunk_id="trunk_1",
    number_id="phn_1",
    agent_id="agent_1",
    version_id="ver_1",
    version_number=3,
    from_number="+12025550100",
    to_number="+442079460018",
    sip_call_id="a84b4c76e66710@pc33.example.com",
    end_reason="user_disconnected",
    ended_by="caller",
    detail="The caller hung up.",
    sip_status=200,
    q850=16,
    decision={"allowed": True, "checks": [{"name": "source address", "outcome": "pass"}]},
    ringing_at=T0 + timedelta(milliseconds=5),
    answered_at=T0 + timedelta(seconds=1),
    first_audio_in_at=T0 + timedelta(seconds=1.02),
    first_audio_out_at=T0 + timedelta(seconds=1.25, microseconds=1),
    ended_at=T0 + timedelta(seconds=61),
    duration_ms=60_000,
    latency_ms=812,
    media={"in": {"packets": 3000, "lost": 2, "jitter_ms": 0.4}, "out": {"packets": 3000}},
    ladder=({"at": "2026-11-23T12:00:00Z", "sent": False, "line": "INVITE"},),
    metadata={"customer": "Ünïcode ☎"},
    notes={"a": [1, 2.5, None]},
    parent_call_id="call_0",
    batch_id="batch_1",
    price=Decimal("0.0125"),
    currency="EUR",
    rate=Decimal("0.0125"),
    rate_prefix="4420",
    billed_seconds=60,
    instance="trunkline",
)


async def save(store: SqlStore, *rows: CallRow) -> None:
    for row in rows:
        store.save_call(row)
    await store.flush()


async def test_every_field_comes_back(store: SqlStore) -> None:
    """A record is read as it was written: times to the microsecond in UTC, money exact."""
    await save(store, FULL)
    assert await store.get_call("call_full") == FULL


async def test_least_record_comes_back(store: SqlStore) -> None:
    """A call of which next to nothing is known yet has its record."""
    row = CallRow("call_least", "inbound", "received", T0)
    await save(store, row)
    assert await store.get_call("call_least") == replace(row, instance="trunkline")
    assert await store.get_call("call_none") is None


async def test_later_row_replaces_earlier(store: SqlStore) -> None:
    """Saved again, a call has the later state, in memory and in the database."""
    row = replace(FULL, id="call_1", status="received", ended_at=None)
    await save(store, row)
    await save(store, replace(row, status="initiated"), replace(row, status="completed"))
    found = await store.get_call("call_1")
    assert found is not None
    assert found.status == "completed"
    assert len((await store.list_calls(CallFilter())).calls) == 1


async def test_hostile_text_is_saved(store: SqlStore) -> None:
    """What a peer may put into a header is no reason to lose the record: NUL, half a surrogate, huge."""
    row = replace(
        FULL,
        from_number="a\x00b",
        sip_call_id="x\ud800y" * 1000,
        media={"k\x00": "v\x00", "\udfff": 2**70},
        decision={"found": "\x00\\u0000"},
    )
    await save(store, row)
    found = await store.get_call("call_full")
    assert found is not None
    assert found.from_number == "a\ufffdb"
    assert "\ud800" not in found.sip_call_id


async def test_hundred_calls_at_once(store: SqlStore) -> None:
    """Rows that come faster than they are written are all written."""
    rows = [replace(FULL, id=new_id("call"), created_at=T0 + timedelta(seconds=i)) for i in range(450)]
    await save(store, *rows)
    page = await store.list_calls(CallFilter(limit=200))
    assert [call.id for call in page.calls] == [row.id for row in reversed(rows)][:200]


# --- after a crash


async def test_open_records_are_closed(config: Config, store: SqlStore) -> None:
    """What a killed run of this gateway left open ends now, saying why; others' calls and ended ones stay."""
    left = replace(FULL, id="call_left", status="initiated", end_reason=None, ended_at=None)
    await save(
        store, replace(left, created_at=T0 + timedelta(seconds=1)), FULL, replace(left, id="call_before")
    )
    another = await open_store(
        config.model_copy(update={"gateway": config.gateway.model_copy(update={"name": "another"})})
    )
    assert (await another.close_open_calls(1000)).closed == ()
    await another.close()
    closed = (await store.close_open_calls(None)).closed
    assert [row.id for row in closed] == ["call_before", "call_left"]
    found = await store.get_call("call_left")
    assert found == closed[1]
    assert (found.status, found.end_reason, found.ended_by) == ("failed", "gateway_restarted", "gateway")
    assert found.ended_at == FULL.first_audio_out_at, "the last that is known of it"
    assert "the gateway was killed" in found.detail
    assert await store.get_call("call_full") == FULL
    assert await store.untold_calls() == ["call_before", "call_left"]
    assert (await store.close_open_calls(None)).closed == ()
    await store.told("call_before")
    assert await store.untold_calls() == ["call_left"]


async def test_number_in_a_call_is_not_removed(store: SqlStore, furnished: Furnished) -> None:
    """A number can be removed when its calls have ended."""
    number = furnished.number
    call = replace(FULL, number_id=number.id, workspace_id=number.workspace_id, ended_at=None)
    await save(store, call)
    with pytest.raises(Conflict, match="is in a call"):
        await store.configuration.numbers.remove(number.id, "test")
    await save(store, replace(call, ended_at=T0))
    await store.configuration.numbers.remove(number.id, "test")


# --- listing


def some_calls() -> list[CallRow]:
    """Three hundred calls of all sorts, some at the same moment."""
    dice = random.Random(7)
    return [
        replace(
            FULL,
            id=f"call_{index:04}",
            created_at=T0 + timedelta(seconds=dice.randrange(200)),
            workspace_id=dice.choice(["org_1", "org_2"]),
            agent_id=dice.choice(["agent_1", "agent_2", "agent_3"]),
            version_id=dice.choice(["ver_1", "ver_2"]),
            trunk_id=dice.choice(["trunk_1", "trunk_2"]),
            number_id=dice.choice(["phn_1", "phn_2"]),
            batch_id=dice.choice([None, "batch_1"]),
            from_number=dice.choice(["+1", "+2"]),
            to_number=dice.choice(["+3", "+4"]),
            direction=dice.choice(["inbound", "outbound"]),
            type=dice.choice(["phone", "web"]),
            status=dice.choice(["completed", "busy", "failed", "no_answer"]),
            end_reason=dice.choice(["user_disconnected", "user_busy", "unknown"]),
            duration_ms=dice.randrange(0, 50) * 1000,
            latency_ms=dice.choice([None, 300, 900]),
            ended_at=dice.choice([None, T0 + timedelta(hours=1)]),
            sip_call_id=f"{index % 100}@x",
        )
        for index in range(300)
    ]


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({}, lambda c: True),
    ({"workspace_id": "org_1"}, lambda c: c.workspace_id == "org_1"),
    ({"ids": ["call_0001", "call_0250", "call_9999"]}, lambda c: c.id in ("call_0001", "call_0250")),
    ({"agent_ids": ["agent_1"]}, lambda c: c.agent_id == "agent_1"),
    ({"agent_ids": ["agent_1", "agent_3"]}, lambda c: c.agent_id != "agent_2"),
    ({"version_ids": ["ver_2"]}, lambda c: c.version_id == "ver_2"),
    ({"batch_ids": ["batch_1"]}, lambda c: c.batch_id == "batch_1"),
    ({"number_ids": ["phn_1"]}, lambda c: c.number_id == "phn_1"),
    ({"trunk_ids": ["trunk_1"]}, lambda c: c.trunk_id == "trunk_1"),
    ({"from_numbers": ["+1"], "to_numbers": ["+3"]}, lambda c: (c.from_number, c.to_number) == ("+1", "+3")),
    ({"statuses": ["busy", "failed"]}, lambda c: c.status in ("busy", "failed")),
    (
        {
            "workspace_id": "org_2",
            "statuses": ["busy", "failed", "busy"],
            "end_reasons": ["unknown", "user_busy"],
        },
        lambda c: (
            c.workspace_id == "org_2"
            and c.status in ("busy", "failed")
            and c.end_reason in ("unknown", "user_busy")
        ),
    ),
    ({"direction": "inbound", "type": "web"}, lambda c: (c.direction, c.type) == ("inbound", "web")),
    ({"sip_call_id": "7@x"}, lambda c: c.sip_call_id == "7@x"),
    ({"open": True}, lambda c: c.ended_at is None),
    ({"open": False}, lambda c: c.ended_at is not None),
    (
        {"created_from": T0 + timedelta(seconds=50), "created_before": T0 + timedelta(seconds=100)},
        lambda c: T0 + timedelta(seconds=50) <= c.created_at < T0 + timedelta(seconds=100),
    ),
    ({"min_duration_ms": 10_000, "max_duration_ms": 20_000}, lambda c: 10_000 <= c.duration_ms <= 20_000),
    ({"min_latency_ms": 500}, lambda c: (c.latency_ms or 0) >= 500),
    ({"max_latency_ms": 500}, lambda c: (c.latency_ms or 999) <= 500),
]
ORDERS: list[tuple[str, bool, Any]] = [
    ("created_at", True, lambda c: (c.created_at, c.id)),
    ("created_at", False, lambda c: (c.created_at, c.id)),
    ("duration", True, lambda c: (c.duration_ms, c.id)),
    ("duration", False, lambda c: (c.duration_ms, c.id)),
]


async def test_every_filter_in_every_order(store: SqlStore) -> None:
    """Each filter gives exactly the calls that it names, in each order, page after page."""
    rows = some_calls()
    await save(store, *rows)
    for fields, wanted in FILTERS:
        for sort, descending, key in ORDERS:
            expected = [row.id for row in sorted(filter(wanted, rows), key=key, reverse=descending)]
            which = CallFilter(**fields, sort=sort, descending=descending, limit=70)  # type: ignore[arg-type]  # a str
            found, after = [], None
            while True:
                page = await store.list_calls(replace(which, after=after))
                found += [call.id for call in page.calls]
                after = page.next
                if after is None:
                    break
            assert found == expected, (fields, sort, descending)
            second = await store.list_calls(replace(which, offset=70))
            assert [call.id for call in second.calls] == expected[70:140]


async def test_pages_far_in(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ids are looked up before rows are read, the pages are the same."""
    monkeypatch.setattr("gateway.store.records.call_pages.DEEP", 1)
    rows = some_calls()
    await save(store, *rows)
    for sort, descending, key in ORDERS:
        expected = [row.id for row in sorted(rows, key=key, reverse=descending)]
        which = CallFilter(sort=sort, descending=descending, limit=70, offset=140)  # type: ignore[arg-type]  # a str
        assert [call.id for call in (await store.list_calls(which)).calls] == expected[140:210]


async def test_lists_go_without_the_bulk(store: SqlStore) -> None:
    """A row that is not whole lacks what lists do not show, and nothing else."""
    await save(store, FULL)
    (row,) = (await store.list_calls(CallFilter(whole=False))).calls
    assert row == replace(FULL, decision=None, ladder=(), media={}, recording=None)


@pytest.mark.parametrize("limit", [0, 201, -1])
async def test_page_has_a_size(store: SqlStore, limit: int) -> None:
    """A page holds 1 to 200 calls."""
    with pytest.raises(InvalidInput, match=f"limit = {limit}: should be from 1 to 200"):
        await store.list_calls(CallFilter(limit=limit))


async def test_store_keeps_the_protocol(store: SqlStore) -> None:
    """What call control may ask of a store, this one answers; mypy reads it here."""
    promised: Store = store
    assert await promised.healthy() is None


async def test_saving_never_waits(store: SqlStore) -> None:
    """`save_call` is no coroutine and needs the loop only later."""
    store.save_call(FULL)
    assert store.counters["unsaved"] == 1
    await asyncio.wait_for(store.flush(), 5)
    assert store.counters["unsaved"] == 0


def test_an_id_is_its_number_in_base_32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.engine.ids._last", 0)
    monkeypatch.setattr("gateway.store.engine.ids.time.time", lambda: 1_790_000_000.123)
    monkeypatch.setattr("gateway.store.engine.ids.secrets.randbits", lambda bits: (1 << bits) - 2)
    letters = new_id("call").removeprefix("call_")
    number = 0
    for letter in letters:
        number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    assert len(letters) == 26
    assert number == 1_790_000_000_123 << 80 | (1 << 80) - 2


def test_ids_sort_by_time() -> None:
    """An id made later sorts later, and no two are alike."""
    ids = [new_id("call") for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(each) == len("call_") + 26 for each in ids)
    times = [each[:15] for each in ids]
    assert times == sorted(times)
