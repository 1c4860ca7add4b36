"""Webhooks: whom the workspace tells of its calls, and what became of every attempt."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from starlette.responses import Response

from gateway.events.subscribing import Wish
from gateway.events.webhook_bodies import CAMPAIGNS, ENVELOPED, FLAT
from gateway.store.configuration.webhooks import Webhook
from gateway.store.engine.errors import InvalidInput
from gateway.web.changes import shown_changes
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.who import who_of

SIZE = 25
MEANINGS: Mapping[str, str] = {
    "call_initiated": "a call was accepted and begins",
    "call_ended": "a call is over, with transcript and analysis as far as they are there",
    "transfer_completed": "a call was handed on to somebody else",
    "call.completed": "a call was answered and is over",
    "call.no_answer": "busy, not picked up, or no answer",
    "call.failed": "a call came to nothing",
    "call.transcript_ready": "the agent’s runtime has posted the transcript",
    "call.analysis_ready": "the runtime has posted extracted fields",
    "recording.saved": "the recording can be fetched",
    "campaign.completed": "every recipient of a batch has an outcome",
    "campaign.paused": "a batch places no new calls, by hand or by itself",
}
"When each event is told."
GROUPS = (
    ("In the envelope of agents’ webhooks", ENVELOPED),
    ("Flat, as REST subscriptions have them", FLAT),
    ("Of batches, flat", CAMPAIGNS),
)


async def table(visit: Visit) -> Response:
    """All webhooks, and the form for another one."""
    return await _table(visit, {"url": "", "events": ["call_ended"]})


async def _table(visit: Visit, given: Mapping[str, Any], problem: str = "") -> Response:
    hooks = visit.site.parts.subscribing.webhooks
    found = await hooks.list_all(visit.workspace.id)
    latest = {one.id: await hooks.log(one.id, 1) for one in found}
    return visit.page(
        "webhooks.html",
        "webhooks",
        400 if problem else 200,
        webhooks=found,
        latest=latest,
        groups=GROUPS,
        meanings=MEANINGS,
        given=given,
        problem=problem,
        schemes=_schemes(visit),
    )


def _schemes(visit: Visit) -> str:
    return "https:// or http://" if visit.site.parts.config.webhooks.allow_http == "yes" else "https://"


async def add(visit: Visit) -> Response:
    """Ask the address, keep the webhook, and show its secret once."""
    form = visit.form
    wish = Wish(form.text("url"), form.all("events"), form.text("secret") or None)
    try:
        added = await visit.site.parts.subscribing.add(visit.workspace.id, wish, visit.by)
    except InvalidInput as error:
        return await _table(visit, {"url": wish.url, "events": wish.events}, complaint(error))
    return await _one(visit, added, secret=added.secret.reveal())


async def show(visit: Visit) -> Response:
    """One webhook, with its log."""
    return await _one(visit, await _own(visit))


async def log(visit: Visit) -> Response:
    """The log alone, for the script that keeps it fresh."""
    return visit.part("deliveries.html", **await _log(visit, await _own(visit)))


async def _one(
    visit: Visit,
    hook: Webhook,
    *,
    secret: str = "",
    problem: str = "",
    given: Mapping[str, Any] | None = None,
) -> Response:
    history = await visit.site.parts.store.configuration.history(hook.id, 20)
    who = await who_of(visit)
    return visit.page(
        "webhook.html",
        "webhooks",
        400 if problem else 200,
        secret=secret,
        problem=problem,
        given=given or {"url": hook.url, "events": hook.events},
        groups=GROUPS,
        meanings=MEANINGS,
        schemes=_schemes(visit),
        changes=shown_changes(history, {}, who),
        made_by=who.name(hook.created_by),
        **await _log(visit, hook),
    )


async def _log(visit: Visit, hook: Webhook) -> dict[str, Any]:
    page = visit.query.whole("page", 1, 1, 100_000)
    deliveries, total = await visit.site.parts.subscribing.webhooks.log(hook.id, SIZE, SIZE * (page - 1))
    return {
        "hook": hook,
        "deliveries": deliveries,
        "total": total,
        "page": page,
        "pages": max(1, ceil(total / SIZE)),
    }


async def _own(visit: Visit) -> Webhook:
    return await visit.site.parts.subscribing.webhooks.get(visit.path["id"], visit.workspace.id)


async def change(visit: Visit) -> Response:
    """Another address or other events; a new address is asked first."""
    hook, form = await _own(visit), visit.form
    wish = Wish(form.text("url"), form.all("events"), form.text("secret") or None)
    try:
        await visit.site.parts.subscribing.change(hook, wish, visit.by)
    except InvalidInput as error:
        given = {"url": form.text("url"), "events": form.all("events")}
        return await _one(visit, hook, problem=complaint(error), given=given)
    return await visit.go(f"/webhooks/{hook.id}", "Saved.")


async def switch(visit: Visit) -> Response:
    """Tell it of calls, or of none until further notice."""
    hook = await _own(visit)
    wish = Wish(is_active=visit.form.on("active"))
    after = await visit.site.parts.subscribing.change(hook, wish, visit.by)
    say = "It is told of calls from now on." if after.is_active else "It is told nothing until it is resumed."
    return await visit.go(f"/webhooks/{hook.id}", say)


async def again(visit: Visit) -> Response:
    """Deliver something once more."""
    hook = await _own(visit)
    await visit.site.parts.subscribing.again(hook, visit.path["delivery"])
    return await visit.go(f"/webhooks/{hook.id}", "It is being delivered again.")


async def remove(visit: Visit) -> Response:
    """Remove it, with its log."""
    hook = await _own(visit)
    await visit.site.parts.subscribing.remove(hook, visit.by)
    return await visit.go("/webhooks", f"{hook.url} is told nothing any more.")


PAGES: tuple[Page, ...] = (
    get("/webhooks", table),
    post("/webhooks", add),
    get("/webhooks/{id}", show),
    post("/webhooks/{id}", change),
    get("/webhooks/{id}/log", log),
    post("/webhooks/{id}/switch", switch),
    post("/webhooks/{id}/deliveries/{delivery}/again", again),
    post("/webhooks/{id}/remove", remove),
)
