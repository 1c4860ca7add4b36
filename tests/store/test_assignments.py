"""Assignments that follow the latest version, or split callers: rules, history, and what is routed."""

from datetime import UTC, datetime

import pytest

from gateway.routing.inbound import route_inbound
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.sql import SqlStore
from tests.store.furnished import Furnished


async def test_latest_follows_what_is_published(store: SqlStore, furnished: Furnished) -> None:
    """Publishing moves the number on, in the same transaction and with a line in its history."""
    there = store.configuration
    number_id = furnished.number.id
    await there.numbers.assign(number_id, "inbound", furnished.published.id, "test", latest=True)
    await there.agents.publish(furnished.draft.id, "editor")
    number = await there.numbers.get(number_id)
    assert (number.inbound_version_id, number.inbound_latest) == (furnished.draft.id, True)
    change = (await there.history(number_id))[0]
    assert (change.action, change.by) == ("assign", "editor")
    assert change.fields["inbound_version_id"] == [furnished.published.id, furnished.draft.id]


async def test_an_explicit_version_stays(store: SqlStore, furnished: Furnished) -> None:
    """What is assigned to a version stays with it, also after it followed the latest one."""
    there = store.configuration
    number_id = furnished.number.id
    await there.numbers.assign(number_id, "inbound", furnished.published.id, "test", latest=True)
    await there.numbers.assign(number_id, "inbound", furnished.published.id, "test")
    await there.agents.publish(furnished.draft.id, "test")
    assert (await there.numbers.get(number_id)).inbound_version_id == furnished.published.id


async def test_splits_are_routed(store: SqlStore, furnished: Furnished) -> None:
    """Both versions answer, each caller always by the same one; unassigning takes the split along."""
    there = store.configuration
    second = await there.agents.publish(furnished.draft.id, "test")
    shares = [(furnished.published.id, 0.5), (second.id, 0.5)]
    await there.numbers.split(furnished.number.id, "inbound", shares, "test")
    await store.refresh()
    table = await store.routing_table(furnished.number.e164)

    def answered(caller: str) -> int:
        return route_inbound(
            table,
            called=furnished.number.e164,
            caller=caller,
            source="192.0.2.7",
            now_utc=datetime.now(UTC),
        ).version.number

    callers = [f"+1415555{caller:04}" for caller in range(40)]
    assert {answered(caller) for caller in callers} == {1, 2}
    assert all(answered(caller) == answered(caller.removeprefix("+")) for caller in callers)
    number = await there.numbers.unassign(furnished.number.id, "inbound", "test")
    assert (number.inbound_version_id, number.inbound_split) == (None, ())


async def test_what_makes_no_split(store: SqlStore, furnished: Furnished) -> None:
    """Drafts, sums other than 1, a version twice."""
    numbers, one = store.configuration.numbers, furnished.published.id
    with pytest.raises(Conflict, match="is a draft"):
        await numbers.split(furnished.number.id, "inbound", [(one, 0.5), (furnished.draft.id, 0.5)], "test")
    for shares in ([(one, 0.5)], [(one, 0.5), (one, 0.5)], [(one, 1.5)], [(one, 0.0), (one, 1.0)]):
        with pytest.raises(InvalidInput):
            await numbers.split(furnished.number.id, "inbound", shares, "test")
    assert (await numbers.get(furnished.number.id)).inbound_split == ()
