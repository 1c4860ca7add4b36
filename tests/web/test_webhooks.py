"""Webhooks in the dashboard: added when their address answers, switched, told again, removed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.events.webhook_bodies import EVENTS
from gateway.routing.table import Secret, Workspace
from gateway.store.configuration.webhooks import Webhook
from gateway.store.engine.ids import new_id
from gateway.web.pages.webhooks import MEANINGS
from tests.call.conftest import Build
from tests.call.phone import Phone, until
from tests.call.world import World
from tests.hook_receiver import Receiver, receiving
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def world(build: Build) -> World:
    """A gateway that may tell receivers on this machine, and gives up at once."""
    return await build(WEBHOOKS__ALLOW_HTTP="yes", WEBHOOKS__ALLOW_PRIVATE="yes", WEBHOOKS__RETRIES="0")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with receiving() as made:
        yield made


def test_every_event_is_explained() -> None:
    """Whatever a webhook can ask for has words on the page."""
    assert set(MEANINGS) == set(EVENTS)


async def test_added_when_it_answers(world: World, anna: Visitor, receiver: Receiver) -> None:
    """What is wrong is said and what was typed stays; the secret is shown once, to who adds it."""
    form = {"url": receiver.url, "events": ["call_ended", "call.failed"], "secret": "a secret of ours"}
    receiver.answers = [503]
    refused = await anna.post("/webhooks", form)
    assert refused.status_code == 400
    assert "should answer a verification with 2xx, but: answered 503" in text_of(refused.text)
    assert f'value="{receiver.url}"' in refused.text
    assert 'value="call.failed" checked' in refused.text
    assert "a secret of ours" not in refused.text
    for wrong, why in (
        ({"url": "ftp://x"}, "valid URL"),
        ({"events": []}, "at least one"),
        ({"secret": "x"}, "8 to 200"),
    ):
        assert why in text_of((await anna.post("/webhooks", {**form, **wrong})).text)
    assert "Nobody is told yet" in text_of((await anna.get("/webhooks")).text)
    added = await anna.post("/webhooks", form)
    assert 'data-copy="a secret of ours"' in added.text
    (hook,) = await world.gateway.store.configuration.webhooks.list_all()
    assert (hook.events, hook.is_active) == (("call_ended", "call.failed"), True)
    for path in ("/webhooks", f"/webhooks/{hook.id}"):
        page = await anna.get(path)
        assert receiver.url in page.text
        assert "a secret of ours" not in page.text
    made_up = await anna.post("/webhooks", {**form, "secret": ""})
    assert 'data-copy="whsec_' in made_up.text


async def test_log_and_redelivery(world: World, anna: Visitor, receiver: Receiver, phone: Phone) -> None:
    """A delivery that failed says what was answered, and goes again by hand; paused, nothing goes."""
    await anna.post("/webhooks", {"url": receiver.url, "events": ["call.failed"]})
    hooks = world.gateway.store.configuration.webhooks
    (hook,) = await hooks.list_all()
    page = f"/webhooks/{hook.id}"
    receiver.answers = [500]
    await phone.invite(world.at(), "+442079460099").refused()
    await until(lambda: world.gateway.desk.counters["failed"] == 1)
    log = await anna.get(f"{page}/log")
    assert "<html" not in log.text
    assert "answered 500 1 attempt" in text_of(log.text)
    again = log.text.partition(f"{page}/deliveries/")[2].partition('"')[0]
    assert (await anna.post(f"{page}/deliveries/{again}")).status_code == 303
    await until(lambda: world.gateway.desk.counters["delivered"] == 1)
    assert "again, by hand" in text_of((await anna.get(page)).text)
    assert len(receiver.bodies()) == 2
    await anna.post(f"{page}/switch", {})
    assert not (await hooks.get(hook.id, world.workspace.id)).is_active
    assert "paused" in text_of((await anna.get(page)).text)
    await anna.post(f"{page}/switch", {"active": "on"})
    assert (await hooks.get(hook.id, world.workspace.id)).is_active
    await anna.post(page, {"url": receiver.url, "events": ["recording.saved"]})
    changed = await hooks.get(hook.id, world.workspace.id)
    assert changed.events == ("recording.saved",)
    assert changed.secret.reveal() == hook.secret.reveal(), "left empty it stays"
    await anna.post(f"{page}/remove")
    assert await hooks.list_all() == []


async def test_webhooks_of_others(world: World, anna: Visitor, other: Workspace) -> None:
    """Another workspace's webhooks are neither shown nor changed."""
    hook = Webhook(
        new_id("webhook"),
        other.id,
        "https://theirs.example/",
        ("call_ended",),
        Secret("their secret"),
        is_active=True,
        created_by="test",
        created_at=NOW,
    )
    await world.gateway.store.configuration.webhooks.add(hook)
    assert "theirs" not in (await anna.get("/webhooks")).text
    for path in ("", "/log"):
        assert (await anna.get(f"/webhooks/{hook.id}{path}")).status_code == 404
    for path in ("", "/switch", "/remove", "/deliveries/whd_1/again"):
        assert (await anna.post(f"/webhooks/{hook.id}{path}")).status_code == 404
    assert await world.gateway.store.configuration.webhooks.list_all() == [hook]
