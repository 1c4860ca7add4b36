"""One phone number: what it lacks before production, who answers it, who dials by it, what happened to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from gateway.provisioning.checklist import Item, checklist
from gateway.provisioning.errors import Upstream
from gateway.routing.table import (
    PhoneNumber,
    Trunk,
)
from gateway.store.calls import CallFilter
from gateway.store.errors import NotFound
from gateway.store.fields import NUMBER, parse_fields
from gateway.web.assignments import assigned, choice, choices, chosen, published, shares_of
from gateway.web.changes import told
from gateway.web.page import Page, Visit, get, post

EDITABLE = ("nickname", "channel_limit", "recording")
RECORDINGS = (
    ("", "As the agent version or trunk says"),
    ("off", "Never"),
    ("inbound", "Inbound calls"),
    ("outbound", "Outbound calls"),
    ("both", "All calls"),
    ("on_demand", "When the agent asks"),
)
DIRECTIONS = ("inbound", "outbound")
MOST_SHARED = 40
"Versions that the form of a split lists; the newest of each agent come first."


CALL_ID = re.compile(r"call_[0-9a-z]+")
"What a step begins with that was done by a call."

MENDS = {
    "readiness": ("/telephony#kyc", "See KYC"),
    "versions": ("#assignments", "Assign"),
    "telephony": ("/telephony", "Open"),
    "outbound_test": ("/calls/new?from={id}", "Place a call"),
}
"Where the button of a step leads, and what it says."
DONE_MENDS = frozenset({"telephony"})
"Steps whose button is of use when they are done, too."


@dataclass(frozen=True, slots=True)
class Step:
    """One step of preparing a number for production, and the button that mends it."""

    item: Item
    mend: tuple[str, str] | None


async def show(visit: Visit) -> Response:
    """The page."""
    number = await _own(visit)
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    trunk = await _trunk(visit, number)
    recent = (await store.list_calls(CallFilter(visit.workspace.id, number_ids=(number.id,), limit=8))).calls
    steps = _steps(number, await checklist(store, number, visit.site.parts.now()))
    return visit.page(
        "number.html",
        "numbers",
        number=number,
        trunk=trunk,
        labels=labels,
        assigned={one: assigned(number, one, labels) for one in DIRECTIONS},
        chosen={one: chosen(number, one, labels) for one in DIRECTIONS},
        shares={one: shares_of(number, one) for one in DIRECTIONS},
        choices=choices(labels),
        published=published(labels)[:MOST_SHARED],
        steps=steps,
        done=sum(step.item.done for step in steps),
        calls=recent,
        recordings=RECORDINGS,
        changes=told(await store.configuration.history(number.id, 30), labels),
    )


def _steps(number: PhoneNumber, items: Sequence[Item]) -> list[Step]:
    """The six steps of the reference's page, each with its button where one helps."""
    steps = []
    for item in items:
        test = CALL_ID.match(item.found)
        if test is not None:
            told = replace(item, found=f"A call {item.found.removeprefix(test[0]).strip()}.")
            steps.append(Step(told, (f"/calls/{test[0]}", "See the call")))
            continue
        path, label = MENDS.get(item.key, ("", ""))
        is_of_use = bool(path) and (not item.done or item.key in DONE_MENDS)
        steps.append(Step(item, (path.format(id=number.id), label) if is_of_use else None))
    return steps


async def _own(visit: Visit) -> PhoneNumber:
    number = await visit.site.parts.store.configuration.numbers.get(visit.path["id"])
    visit.own("number", number.id, number.workspace_id)
    return number


async def _trunk(visit: Visit, number: PhoneNumber) -> Trunk | None:
    if number.trunk_id is None:
        return None
    try:
        return await visit.site.parts.store.configuration.trunks.get(number.trunk_id)
    except NotFound:
        return None


async def assign(visit: Visit) -> Response:
    """Have a version answer, or dial by, the number: itself, an agent's latest, a split; or nobody."""
    number = await _own(visit)
    store = visit.site.parts.store
    made = choice(visit.form, await store.number_list.labels(visit.workspace.id))
    book, back = store.configuration.numbers, f"/numbers/{number.id}"
    if made.shares:
        await book.split(number.id, made.direction, made.shares, visit.by)
        return await visit.go(
            back, "Callers are shared out from the next call on; each stays with one version."
        )
    if not made.version_id:
        await book.unassign(number.id, made.direction, visit.by)
        return await visit.go(back, f"Disabled for {made.direction} calls from the next call on.")
    await book.assign(number.id, made.direction, made.version_id, visit.by, latest=made.latest)
    does = "answers" if made.direction == "inbound" else "speaks in calls from"
    what = "The latest version" if made.latest else "The version"
    return await visit.go(back, f"{what} {does} this number from the next call on.")


async def change(visit: Visit) -> Response:
    """Nickname and limit."""
    number = await _own(visit)
    fields: dict[str, Any] = parse_fields(NUMBER, {name: visit.form.text(name) for name in EDITABLE})
    await visit.site.parts.store.configuration.numbers.change(number.id, fields, visit.by)
    return await visit.go(f"/numbers/{number.id}", "Saved.")


async def make_default(visit: Visit) -> Response:
    """Make it the workspace's default number."""
    number = await _own(visit)
    await visit.site.parts.store.configuration.numbers.change(number.id, {"is_default": True}, visit.by)
    return await visit.go(f"/numbers/{number.id}", "This is the default number now.")


async def remove(visit: Visit) -> Response:
    """Remove the number, where nothing uses it."""
    number = await _own(visit)
    try:
        await visit.site.parts.counter.releasing.release(number.id, visit.by)
    except Upstream as error:
        return await visit.go(f"/numbers/{number.id}", error.message, "bad")
    return await visit.go("/numbers", f"{number.e164} is removed; nothing routes to it any more.")


PAGES: tuple[Page, ...] = (
    get("/numbers/{id}", show),
    post("/numbers/{id}", change),
    post("/numbers/{id}/assign", assign),
    post("/numbers/{id}/default", make_default),
    post("/numbers/{id}/remove", remove),
)
