"""Requests that come twice stand for one call; those that a killed gateway held are taken over."""

import asyncio
from datetime import timedelta

import pytest

from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.records import requests
from gateway.store.records.requests import Requests
from gateway.store.sql import SqlStore


async def test_one_of_many_places_the_call(store: SqlStore) -> None:
    """Of many who ask at once, one has to place the call; all learn the same id."""
    found = await asyncio.gather(
        *(store.requests.reserve("org_1", "k", b"{}", f"call_{n}") for n in range(10))
    )
    assert sum(each.ours for each in found) == 1
    assert len({each.call_id for each in found}) == 1
    await store.requests.done("org_1", "k")
    later = await store.requests.reserve("org_1", "k", b"{}", "call_x")
    assert (later.call_id, later.ours, later.done) == (found[0].call_id, False, True)


async def test_another_body_is_a_conflict(store: SqlStore) -> None:
    """A key stands for one request; of another workspace it is another key."""
    await store.requests.reserve("org_1", "k", b"{}", "call_1")
    with pytest.raises(Conflict, match="was used for another request"):
        await store.requests.reserve("org_1", "k", b"{ }", "call_2")
    assert (await store.requests.reserve("org_2", "k", b"{ }", "call_3")).ours


async def test_refusal_frees_the_key(store: SqlStore) -> None:
    """A request that came to nothing can be sent again, changed or not; one that is done cannot be freed."""
    await store.requests.reserve("org_1", "k", b"{}", "call_1")
    await store.requests.release("org_1", "k")
    assert (await store.requests.reserve("org_1", "k", b"other", "call_2")).call_id == "call_2"
    await store.requests.done("org_1", "k")
    await store.requests.release("org_1", "k")
    assert (await store.requests.reserve("org_1", "k", b"other", "call_3")).done


async def test_what_a_killed_gateway_held_is_taken_over(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, or when the gateway starts again, another attempt goes on under the same call id."""
    await store.requests.reserve("org_1", "k", b"{}", "call_1")
    assert not (await store.requests.reserve("org_1", "k", b"{}", "call_2")).ours
    other = Requests(store.requests.database, "elsewhere")
    assert await other.let_go() == 0, "it is not his to give up"
    assert await store.requests.let_go() == 1
    again = await store.requests.reserve("org_1", "k", b"{}", "call_3")
    assert (again.call_id, again.ours) == ("call_1", True)
    monkeypatch.setattr(requests, "HELD_FOR", timedelta(0))
    assert (await other.reserve("org_1", "k", b"{}", "call_4")).ours


async def test_old_requests_are_swept(store: SqlStore) -> None:
    """A key is forgotten after its time."""
    await store.requests.reserve("org_1", "k", b"{}", "call_1")
    assert await store.requests.sweep(timedelta(hours=1)) == 0
    assert await store.requests.sweep(timedelta(0)) == 1
    assert (await store.requests.reserve("org_1", "k", b"other", "call_2")).ours


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\nb", "a b"])
async def test_keys_are_short_ascii(store: SqlStore, key: str) -> None:
    """A key that makes no key is refused."""
    with pytest.raises(InvalidInput, match="should be 1 to 255 printable ASCII characters"):
        await store.requests.reserve("org_1", key, b"{}", "call_1")
