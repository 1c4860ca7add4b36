"""Settings and trunks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.routing.table import NetworkGroup, Trunk, Workspace
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallRow
from gateway.web.pages.trunks import judged
from tests.call.world import World
from tests.web.visitor import PASSWORD, Visitor, text_of

pytestmark = pytest.mark.one_loop

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def call(reason: str, hours_ago: float, *, answered: bool = False) -> CallRow:
    """A call of a trunk that ended so."""
    at = NOW - timedelta(hours=hours_ago)
    return CallRow(
        new_id("call"), "outbound", "completed", at, end_reason=reason, answered_at=at if answered else None
    )


@pytest.mark.parametrize(
    ("calls", "enabled", "word"),
    [
        ([], True, "unknown"),
        ([], False, "disabled"),
        ([call("user_disconnected", 1, answered=True)], True, "healthy"),
        ([call("user_busy", 1)], True, "healthy"),
        ([call("sip_trunk_unreachable", 1), call("user_disconnected", 2)], True, "failing"),
        ([call("user_disconnected", 1), call("sip_trunk_unreachable", 2)], True, "healthy"),
    ],
)
def test_health(calls: list[CallRow], enabled: bool, word: str) -> None:
    """A trunk fails by its own failures, not by a busy callee, and recovers by a later good one."""
    trunk = Trunk("trunk_1", None, "T", enabled=enabled)
    assert judged(trunk, calls, NOW - timedelta(hours=24)).word == word


async def test_trunk_page(world: World, anna: Visitor, other: Workspace) -> None:
    """A trunk shows what to set on the carrier's side, is changed, and never shows its password."""
    form = {
        "name": "Carrier",
        "transport": "UDP",
        "codecs": "PCMA, PCMU",
        "number_format": "plus",
        "sources": "127.0.0.1",
        "termination_uri": "sip.example.com:5060",
        "outbound_username": "user",
        "outbound_password": "very secret",
        "enabled": "on",
    }
    path = f"/trunks/{world.trunk.id}"
    assert (await anna.post(path, form)).status_code == 303
    page = await anna.get(path)
    assert "very secret" not in page.text
    assert "sip:+E164@127.0.0.1" in text_of(page.text)
    refused = await anna.post(path, {**form, "termination_uri": "sip:wrong"})
    assert "without sip: before it" in text_of(refused.text)
    assert 'value="sip:wrong"' in refused.text
    book = world.gateway.store.configuration.trunks
    theirs = await book.add(Trunk(new_id("trunk"), other.id, "Theirs"), "test")
    operators = await book.add(Trunk(new_id("trunk"), None, "Operator's"), "test")
    for trunk in (theirs, operators):
        assert (await anna.get(f"/trunks/{trunk.id}")).status_code == 404
        assert (await anna.post(f"/trunks/{trunk.id}", form)).status_code == 404


async def test_keys(world: World, anna: Visitor) -> None:
    """A fresh key is shown once and opens the API; revoked it opens nothing."""
    page = await anna.post("/settings/keys", {"name": "CRM"})
    secret = page.text.partition('data-copy="')[2].partition('"')[0]
    key_id, _, word = secret.partition(":")
    keys = world.gateway.store.configuration.keys
    assert await keys.opening(key_id, word) is not None
    assert word not in (await anna.get("/settings")).text
    await anna.post(f"/settings/keys/{key_id}/revoke")
    assert await keys.opening(key_id, word) is None


async def test_accounts(world: World, anna: Visitor, other: Workspace) -> None:
    """Accounts are added and removed within the workspace, and never one's own."""
    accounts = world.gateway.store.accounts
    assert (await anna.post("/settings/accounts", {"name": "berta", "password": "short"})).status_code == 400
    assert (await anna.post("/settings/accounts", {"name": "berta", "password": PASSWORD})).status_code == 303
    mine = {account.name: account for account in await accounts.list_all(world.workspace.id)}
    assert mine.keys() == {"anna@example.com", "berta"}
    own = await anna.post(f"/settings/accounts/{mine['anna@example.com'].id}/remove")
    assert "That is your own account" in text_of(own.text)
    theirs = await accounts.add(other.id, "carla", PASSWORD, "test")
    assert (await anna.post(f"/settings/accounts/{theirs.id}/remove")).status_code == 404
    await anna.post(f"/settings/accounts/{mine['berta'].id}/remove")
    assert {account.name for account in await accounts.list_all()} == {"anna@example.com", "carla"}


async def test_own_password(anna: Visitor) -> None:
    """Another password needs the current one, and ends the session that it is changed in."""
    wrong = await anna.post("/settings/password", {"current": "wrong", "password": "another long one"})
    assert "The current password is another one" in text_of(wrong.text)
    right = await anna.post("/settings/password", {"current": PASSWORD, "password": "another long one"})
    assert right.status_code == 303
    assert (await anna.get("/settings")).status_code == 303
    assert (await anna.log_in("anna@example.com", "another long one")).status_code == 303


async def test_the_wallet(world: World, anna: Visitor) -> None:
    """Where calls are prepaid, Settings says what is left."""
    assert "calls are not prepaid" in text_of((await anna.get("/settings")).text)
    await world.gateway.store.wallets.open(world.workspace, Decimal("12.5"), "test")
    assert "₹12.50 left" in text_of((await anna.get("/settings")).text)


async def test_history_names_keys_accounts_and_groups(world: World, anna: Visitor) -> None:
    """Who did what is told by names, of what is gone as well."""
    store = world.gateway.store
    made = await anna.post("/settings/keys", {"name": "CRM"})
    assert made.status_code == 200
    key = (await store.configuration.keys.list_all(world.workspace.id))[-1]
    await anna.post("/settings/accounts", {"name": "bob", "password": "long enough to be one"})
    bob = next(one for one in await store.accounts.list_all(world.workspace.id) if one.name == "bob")
    await anna.post(f"/settings/accounts/{bob.id}/remove")
    await anna.post(f"/settings/keys/{key.id}/revoke")
    groups = (NetworkGroup("IN", "Mobile", ("98",), True), NetworkGroup("GB", "All", (), True))
    await store.configuration.workspaces.change(
        world.workspace.id, {"network_groups": groups}, f"api:{key.id}"
    )
    text = text_of((await anna.get("/settings")).text)
    for told in (
        "anna@example.com added API key “CRM”",
        "anna@example.com revoked API key “CRM”",
        "anna@example.com added account “bob”",
        "anna@example.com removed account “bob”",
        f"API key “CRM” ({key.id}) changed it",
        "network groups enabled IN Mobile, GB All",
    ):
        assert told in text, told
