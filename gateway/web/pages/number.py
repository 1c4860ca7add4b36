"""One phone number: what it lacks before production, who answers it, who dials by it, what happened to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from gateway.provisioning.checklist import Item, checklist
from gateway.provisioning.errors import Upstream
from gateway.provisioning.linking import PROVIDER as OWN
from gateway.provisioning.purchase import CLAIM_SECONDS
from gateway.routing.table import NumberStatus, PhoneNumber, RentalStatus, Trunk
from gateway.store.configuration.fields import NUMBER, parse_fields
from gateway.store.engine.errors import NotFound
from gateway.store.records.calls import CallFilter
from gateway.web.assignments import assigned, choice, choices, chosen, published, shares_of
from gateway.web.changes import shown_changes
from gateway.web.page import Page, Visit, get, post
from gateway.web.pages.trial_calls import NOT_TRIED, Tried, tests_of
from gateway.web.who import who_of

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


MENDS = {
    "readiness": ("/telephony#kyc", "See KYC"),
    "versions": ("#assignments", "Assign"),
    "telephony": ("/telephony", "Open"),
    "trunk": ("/trunks", "See the trunks"),
    "inbound_test": ("#try", "Test it"),
    "outbound_test": ("#try", "Test it"),
}
"Where the button of a step leads, and what it says."
DONE_MENDS = frozenset({"telephony"})
"Steps whose button is of use when they are done, too."


@dataclass(frozen=True, slots=True)
class Step:
    """One step of preparing a number for production, and the button that mends it."""

    item: Item
    mend: tuple[str, str] | None
    is_done_here: bool = False
    "Its button does something, instead of leading somewhere."


async def show(visit: Visit) -> Response:
    """The page."""
    return await shown(visit, await own_number(visit), NOT_TRIED)


async def shown(visit: Visit, number: PhoneNumber, tried: Tried, status: int = 200) -> Response:
    """The page, with what came of an attempt to place a test call."""
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    trunk = await _trunk(visit, number)
    latest = CallFilter(visit.workspace.id, number_ids=(number.id,), limit=8, whole=False)
    recent = (await store.list_calls(latest)).calls
    steps = _steps(number, await checklist(store, number, visit.site.parts.now()))
    return visit.page(
        "number.html",
        "numbers",
        status,
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
        tried=tried,
        **await tests_of(visit, number),
        recordings=RECORDINGS,
        changes=shown_changes(await store.configuration.history(number.id, 30), labels, await who_of(visit)),
    )


def _steps(number: PhoneNumber, items: Sequence[Item]) -> list[Step]:
    """The steps of the reference's page, each with its button where one helps."""
    steps = []
    for item in items:
        if item.key == "active":
            steps.append(_active(number, item))
            continue
        if item.call_id:
            called = replace(item, found=f"A call {item.found}.")
            steps.append(Step(called, (f"/calls/{item.call_id}", "See the call")))
            continue
        path, label = MENDS.get(item.key, ("", ""))
        if item.key == "trunk" and not number.sip_trunk_enabled:
            path = ""  # a trunk of the provider is none of the workspace's
        is_of_use = bool(path) and (not item.done or item.key in DONE_MENDS)
        steps.append(Step(item, (path.format(id=number.id), label) if is_of_use else None))
    return steps


def _active(number: PhoneNumber, item: Item) -> Step:
    """What helps a number that is not active: its provider, its owner, or another number."""
    if item.done:
        return Step(item, None)
    if number.provider == OWN:
        return Step(item, (f"/numbers/{number.id}/activate", "Set active"), is_done_here=True)
    if number.status is NumberStatus.PENDING:
        return Step(item, (f"/numbers/{number.id}/ask", "Ask the provider"), is_done_here=True)
    return Step(item, ("/numbers/buy", "Buy another"))


async def own_number(visit: Visit) -> PhoneNumber:
    """The number that the address names, if it is of this workspace."""
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
    number = await own_number(visit)
    store = visit.site.parts.store
    made = choice(visit.form, await store.number_list.labels(visit.workspace.id))
    numbers, back = store.configuration.numbers, f"/numbers/{number.id}"
    if made.shares:
        await numbers.split(number.id, made.direction, made.shares, visit.by)
        return await visit.go(
            back, "Callers are shared out from the next call on; each stays with one version."
        )
    if not made.version_id:
        await numbers.unassign(number.id, made.direction, visit.by)
        return await visit.go(back, f"Disabled for {made.direction} calls from the next call on.")
    await numbers.assign(number.id, made.direction, made.version_id, visit.by, latest=made.latest)
    does = "answers" if made.direction == "inbound" else "speaks in calls from"
    what = "The latest version" if made.latest else "The version"
    return await visit.go(back, f"{what} {does} this number from the next call on.")


async def change(visit: Visit) -> Response:
    """Nickname and limit."""
    number = await own_number(visit)
    fields: dict[str, Any] = parse_fields(NUMBER, {name: visit.form.text(name) for name in EDITABLE})
    await visit.site.parts.store.configuration.numbers.change(number.id, fields, visit.by)
    return await visit.go(f"/numbers/{number.id}", "Saved.")


async def activate(visit: Visit) -> Response:
    """Activate a number of one's own carrier; of a provider's number only the provider can."""
    number = await own_number(visit)
    back = f"/numbers/{number.id}"
    if number.provider != OWN:
        return await visit.go(back, "Only its provider can activate this number.", "bad")
    fields = {"status": NumberStatus.ACTIVE, "rental_status": RentalStatus.ACTIVE, "rental_expires_at": None}
    await visit.site.parts.store.configuration.numbers.change(number.id, fields, visit.by)
    return await visit.go(back, "The number is active.")


async def ask(visit: Visit) -> Response:
    """Ask the provider now how far a pending number has come."""
    number = await own_number(visit)
    purchasing = visit.site.parts.counter.purchasing
    purchase = await purchasing.there.purchases.open_for(number.e164)
    back = f"/numbers/{number.id}"
    if purchase is None:
        return await visit.go(back, "No purchase of this number is under way here.", "bad")
    until = visit.site.parts.now() + timedelta(seconds=CLAIM_SECONDS)
    claimed = await purchasing.there.purchases.claim(purchase, until)
    settled = purchase if claimed is None else await purchasing.settle(claimed)
    after = await purchasing.there.numbers.get(number.id)
    if after.status is NumberStatus.ACTIVE:
        return await visit.go(back, "The provider has activated it.")
    return await visit.go(back, f"It is still pending. {settled.detail}".strip(), "bad")


async def make_default(visit: Visit) -> Response:
    """Make it the workspace's default number."""
    number = await own_number(visit)
    await visit.site.parts.store.configuration.numbers.change(number.id, {"is_default": True}, visit.by)
    return await visit.go(f"/numbers/{number.id}", "This is the default number now.")


async def remove(visit: Visit) -> Response:
    """Remove the number, where nothing uses it."""
    number = await own_number(visit)
    try:
        await visit.site.parts.counter.releasing.release(number.id, visit.by)
    except Upstream as error:
        return await visit.go(f"/numbers/{number.id}", error.message, "bad")
    return await visit.go("/numbers", f"{number.e164} is removed; nothing routes to it any more.")


PAGES: tuple[Page, ...] = (
    get("/numbers/{id}", show),
    post("/numbers/{id}", change),
    post("/numbers/{id}/assign", assign),
    post("/numbers/{id}/activate", activate),
    post("/numbers/{id}/ask", ask),
    post("/numbers/{id}/default", make_default),
    post("/numbers/{id}/remove", remove),
)
