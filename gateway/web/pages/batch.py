"""One batch: how it is to call while it is a draft, how it goes while it runs, and what came of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from gateway.batch.machine import BatchStatus, RecipientState, allowed
from gateway.batch.results import attempts, left_out_file, result_file
from gateway.batch.wish import retry_of
from gateway.batch.wording import counted
from gateway.routing.table import AgentVersion, PhoneNumber
from gateway.store.batches.values import Batch, QueueRow
from gateway.store.configuration.number_list import MAX_PAGE, NumberFilter, VersionLabel
from gateway.store.engine.errors import InvalidInput, NotFound
from gateway.web.batch_figures import (
    MINUTE,
    WINDOW,
    Standing,
    charts,
    estimate,
    outcome_bars,
    pace,
    percent,
    stage_bars,
    time_left,
)
from gateway.web.batch_wish import (
    BY,
    GROWTHS,
    OUTCOMES,
    RETRIES,
    UNCERTAIN,
    WEEKDAYS,
    given_of,
    typed,
    wished,
    zone_names,
)
from gateway.web.csv_file import csv_file
from gateway.web.drawing import PLOT
from gateway.web.failed_rows import RowPage, rows_page
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.pages.batches import CHANGEABLE, own_batch
from gateway.web.pages.calls import live_calls
from gateway.web.who import who_of
from gateway.web.words import say

SIZE = 50
RUNNING_SHOWN = 20
STATES = tuple(state.value for state in RecipientState)
ZONES = zone_names(available_timezones())


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit, await own_batch(visit))


async def _page(
    visit: Visit, batch: Batch, problem: str = "", given: Mapping[str, Any] | None = None
) -> Response:
    if batch.status in CHANGEABLE:
        values = await _draft(visit, batch, given)
        return visit.page("batch_draft.html", "batches", 400 if problem else 200, problem=problem, **values)
    return visit.page("batch.html", "batches", **await _whole(visit, batch))


async def _whole(visit: Visit, batch: Batch) -> dict[str, Any]:
    return {
        **await _seen(visit, batch),
        **await _people(visit, batch),
        **await _curves(visit, batch),
        "report": batch.report or {},
        "made_by": (await who_of(visit)).name(batch.created_by),
    }


async def _draft(visit: Visit, batch: Batch, given: Mapping[str, Any] | None) -> dict[str, Any]:
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    version = await _version(visit, batch)
    available = await store.wallets.available(visit.workspace.id)
    cost = None
    if version is not None:
        increment = visit.workspace.billing_increment
        longest = version.max_call_duration_sec
        cost = estimate(batch.report, longest, increment, retry_of(batch), available)
    return {
        "batch": batch,
        "path": f"/batches/{batch.id}",
        "report": batch.report or {},
        "given": given or given_of(batch),
        "numbers": [(number.e164, _named(number)) for number in await _numbers(visit, batch, labels)],
        "zones": ZONES,
        "weekdays": WEEKDAYS,
        "outcomes": OUTCOMES,
        "growths": GROWTHS,
        "retries": RETRIES,
        "by": BY,
        "uncertain": UNCERTAIN,
        "estimate": cost,
        "label": labels.get(batch.version_id),
        "made_by": (await who_of(visit)).name(batch.created_by),
    }


def _named(number: PhoneNumber) -> str:
    return f"{number.e164} – {number.nickname}" if number.nickname else number.e164


async def _numbers(visit: Visit, batch: Batch, labels: Mapping[str, VersionLabel]) -> list[PhoneNumber]:
    """The numbers that the batch's agent calls from."""
    which = NumberFilter(visit.workspace.id, assigned="outbound", agent_id=batch.agent_id, limit=MAX_PAGE)
    own = {label.id for label in labels.values() if label.agent_id == batch.agent_id}
    found = (await visit.site.parts.store.number_list.page(which)).numbers
    return [number for number in found if number.outbound_version_id in own]


async def _version(visit: Visit, batch: Batch) -> AgentVersion | None:
    try:
        return await visit.site.parts.store.configuration.agents.version(batch.version_id)
    except NotFound:
        return None


async def fresh(visit: Visit) -> Response:
    """What changes while the batch goes on, for the script that keeps it fresh."""
    return visit.part("batch_live.html", **await _seen(visit, await own_batch(visit)))


async def said(visit: Visit) -> Response:
    """The same in one sentence, for who hears the page."""
    batch = await own_batch(visit)
    return visit.part("batch_said_live.html", batch=batch, standing=Standing(batch), tenth=_tenth(batch))


def _tenth(batch: Batch) -> int:
    """How much is done, so roughly that it is not said all the time."""
    return int(Standing(batch).share // 10) * 10


async def curves(visit: Visit) -> Response:
    """The curves alone: the database counts all calls of the batch for them."""
    batch = await own_batch(visit)
    return visit.part("batch_charts.html", **await _curves(visit, batch))


async def _curves(visit: Visit, batch: Batch) -> dict[str, Any]:
    store = visit.site.parts.store
    return {
        "charts": charts(await store.call_minutes.of_batch(batch.id)),
        "outcomes": outcome_bars(await store.recipients.outcomes(batch.id)),
        "plot": PLOT,
        "batch": batch,
    }


async def _seen(visit: Visit, batch: Batch) -> dict[str, Any]:
    parts, now = visit.site.parts, visit.site.parts.now()
    running = await live_calls(visit, batch.id)
    a_minute = None
    if batch.status == "running":
        a_minute = pace(await parts.store.call_minutes.of_batch(batch.id, since=_lately(now)), now)
    dialled, ringing = batch.dialled, batch.counts.dialling
    return {
        "batch": batch,
        "actions": allowed(BatchStatus(batch.status)),
        "standing": Standing(batch),
        "stages": stage_bars(batch),
        "running": running[:RUNNING_SHOWN],
        "more_running": max(0, len(running) - RUNNING_SHOWN),
        "a_minute": a_minute,
        "left": time_left(batch, a_minute),
        "rate": percent(batch.counts.picked_up, max(0, dialled - ringing) or dialled),
        "path": f"/batches/{batch.id}",
        "labels": await parts.store.number_list.labels(visit.workspace.id),
        "is_over": batch.status in ("completed", "cancelled", "deleted") and not running,
    }


async def recipients(visit: Visit) -> Response:
    """The recipients alone, for the script that keeps them fresh."""
    return visit.part("batch_people.html", **await _people(visit, await own_batch(visit)))


def _lately(now: datetime) -> datetime:
    return now - (WINDOW + 1) * MINUTE


async def _people(visit: Visit, batch: Batch) -> dict[str, Any]:
    """The recipients, a page of them, in the order of the file."""
    state = visit.query.one_of("state", STATES, "")
    total = getattr(batch.counts, state) if state else batch.total
    pages = max(1, ceil(total / SIZE))
    page = min(visit.query.whole("page", 1, 1, 1_000_000), pages)
    return {
        "people": await visit.site.parts.batches.recipients(
            batch.id, visit.workspace.id, page=page, limit=SIZE, state=state or None
        ),
        "attempts": attempts,
        "due": _due,
        "state": state,
        "states": [("", "All"), *((one, say(one)) for one in STATES)],
        "page": page,
        "pages": pages,
        "total": total,
        "path": f"/batches/{batch.id}",
    }


def _due(row: QueueRow) -> datetime:
    """When a recipient is called next, at the earliest."""
    return datetime.fromtimestamp(row.due_at_ms / 1000, UTC)


async def save(visit: Visit) -> Response:
    """Keep how the batch is to call; with “start” pressed, start it as well."""
    batch, form = await own_batch(visit), visit.form
    batches = visit.site.parts.batches
    try:
        await batches.change(batch.id, visit.workspace.id, wished(form, batch), visit.by)
        if batch.status != BatchStatus.DRAFT or not form.on("start"):
            return await visit.go(f"/batches/{batch.id}", SAVED.get(batch.status, "Saved."))
        changed = await batches.start(batch.id, visit.workspace.id, visit.by)
    except InvalidInput as error:
        if batch.status not in CHANGEABLE:
            raise
        return await _page(visit, batch, complaint(error), typed(form))
    return await visit.go(f"/batches/{batch.id}", STARTED.get(changed.batch.status, "The batch is started."))


SAVED = {
    "draft": "Saved. Nothing is dialled yet.",
    "scheduled": "Saved: it starts by itself when its time comes.",
}
STARTED = {
    "running": "The batch is running.",
    "waiting": "Started: it runs as soon as no other batch of the workspace does.",
    "scheduled": "The batch starts by itself when its time comes.",
}


async def pause(visit: Visit) -> Response:
    """No new calls."""
    changed = await visit.site.parts.batches.pause(*_which(visit))
    on = changed.affected.initiated
    return await _done(visit, f"Paused: no new call is placed{f', {on} go on to their end' if on else ''}.")


async def resume(visit: Visit) -> Response:
    """Go on."""
    changed = await visit.site.parts.batches.resume(*_which(visit))
    return await _done(visit, STARTED.get(changed.batch.status, "The batch goes on."))


async def cancel(visit: Visit) -> Response:
    """End it for good."""
    changed = await visit.site.parts.batches.cancel(*_which(visit))
    gone = changed.affected.removed_from_queue
    return await _done(visit, f"Cancelled for good: {counted(gone, 'recipient')} are not called.")


async def delete(visit: Visit) -> Response:
    """Take a draft away."""
    changed = await visit.site.parts.batches.delete(*_which(visit))
    return await visit.go("/batches", f"“{changed.batch.title}” is deleted.")


def _which(visit: Visit) -> tuple[str, str, str]:
    return visit.path["id"], visit.workspace.id, visit.by


async def _done(visit: Visit, text: str) -> Response:
    return await visit.go(f"/batches/{visit.path['id']}", text)


async def rows(visit: Visit) -> Response:
    """The rows that were left out for one reason, paged."""
    batch = await own_batch(visit)
    reason = visit.query.text("reason")[:64]
    groups: Any = (batch.report or {}).get("groups", ())
    group = next((each for each in groups if each["reason"] == reason), None)
    if group is None:
        raise NotFound("reason", reason, "No row was left out for this reason.", whole=True)
    page = RowPage.asked(visit, group["count"])
    start, end = page.bounds
    found, at = [], 0
    async for row in visit.site.parts.batches.failures(batch.id, visit.workspace.id, reason):
        if at >= start:
            found.append(row)
        at += 1
        if at >= end:
            break
    back = (batch.title, f"/batches/{batch.id}")
    return rows_page(visit, f"/batches/{batch.id}", group["title"], page, found, back)


async def errors(visit: Visit) -> Response:
    """The rows that were left out, with their reasons, as CSV."""
    batch = await own_batch(visit)
    left_out = visit.site.parts.batches.failures(batch.id, visit.workspace.id)
    return csv_file(left_out_file(left_out), f"{batch.title}-errors")


async def results(visit: Visit) -> Response:
    """What came of each recipient, with what the agent made out, as CSV."""
    batch, parts = await own_batch(visit), visit.site.parts
    return csv_file(result_file(batch, parts.batches, parts.store), f"{batch.title}-results")


PAGES: tuple[Page, ...] = (
    get("/batches/{id}", show),
    post("/batches/{id}", save),
    get("/batches/{id}/live", fresh),
    get("/batches/{id}/said", said),
    get("/batches/{id}/recipients", recipients),
    get("/batches/{id}/charts", curves),
    get("/batches/{id}/rows", rows),
    get("/batches/{id}/errors.csv", errors),
    get("/batches/{id}/results.csv", results),
    post("/batches/{id}/pause", pause),
    post("/batches/{id}/resume", resume),
    post("/batches/{id}/cancel", cancel),
    post("/batches/{id}/delete", delete),
)
