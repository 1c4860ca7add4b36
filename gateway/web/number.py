"""One phone number: what it lacks before production, who answers it, who dials by it, what happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.responses import Response

from gateway.routing.assignment import is_ready
from gateway.routing.table import (
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    Trunk,
    VersionState,
    Workspace,
)
from gateway.store.calls import CallFilter, CallRow
from gateway.store.errors import NotFound
from gateway.store.fields import NUMBER, parse_fields
from gateway.store.number_list import VersionLabel
from gateway.store.numbers import Direction
from gateway.web.changes import told
from gateway.web.page import Page, Visit, get, post

EDITABLE = ("nickname", "channel_limit")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of preparing a number for production."""

    title: str
    is_done: bool
    found: str
    "What was looked at, and what is missing."
    mend: tuple[str, str] | None = None
    "Path and label of the button that mends it."


async def show(visit: Visit) -> Response:
    """The page."""
    number = await _own(visit)
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    trunk = await _trunk(visit, number)
    recent = (await store.list_calls(CallFilter(visit.workspace.id, number_ids=(number.id,), limit=8))).calls
    tests = {direction: await _last_good(visit, number, direction) for direction in ("inbound", "outbound")}
    steps = _steps(number, visit.workspace, labels, tests)
    published = [label for label in labels.values() if label.state is VersionState.PUBLISHED]
    return visit.page(
        "number.html",
        "numbers",
        number=number,
        trunk=trunk,
        labels=labels,
        inbound=labels.get(number.inbound_version_id or ""),
        outbound=labels.get(number.outbound_version_id or ""),
        published=[(label.id, f"{label.agent_name} – version {label.number}") for label in published],
        steps=steps,
        done=sum(step.is_done for step in steps),
        calls=recent,
        changes=told(await store.configuration.history(number.id, 30), labels),
    )


def _steps(
    number: PhoneNumber,
    workspace: Workspace,
    labels: Mapping[str, VersionLabel],
    tests: Mapping[str, CallRow | None],
) -> list[Step]:
    """The six steps of the reference's page, as they stand."""
    return [
        _active(number, workspace),
        _readiness(workspace),
        _assigned(number, labels),
        _config(number, workspace),
        _tested(number, "inbound", tests["inbound"]),
        _tested(number, "outbound", tests["outbound"]),
    ]


def _active(number: PhoneNumber, workspace: Workspace) -> Step:
    from gateway.call.record import utc_now

    if number.status is not NumberStatus.ACTIVE:
        found = f"The number is {number.status}. Pending numbers become active when the provider says so."
    elif not is_ready(number, utc_now()):
        found = "The rental has ended: pending or expired numbers are not used for calls."
    else:
        return Step("Confirm active state", True, "The number is active and its rental is in order.")
    return Step("Confirm active state", False, found)


def _readiness(workspace: Workspace) -> Step:
    if workspace.kyc_verified:
        return Step("Check readiness", True, "KYC is verified: calls can go to others than yourself.")
    known = workspace.verification_number
    only = (
        f"only {known} can be called"
        if known
        else "nobody can be called, since no verification number is set"
    )
    return Step("Check readiness", False, f"KYC is not verified, so {only}.", ("/telephony#kyc", "See KYC"))


def _assigned(number: PhoneNumber, labels: Mapping[str, VersionLabel]) -> Step:
    inbound = labels.get(number.inbound_version_id or "")
    outbound = labels.get(number.outbound_version_id or "")
    found = f"Inbound: {inbound or 'disabled'}. Outbound: {outbound or 'disabled'}."
    if inbound and outbound:
        return Step("Assign published versions", True, found)
    return Step("Assign published versions", False, found, ("#assignments", "Assign"))


def _config(number: PhoneNumber, workspace: Workspace) -> Step:
    title = "Review Telephony Config"
    mend = ("/telephony", "Open")
    if number.sip_trunk_enabled or workspace.sip_byoc_enabled:
        why = "this is a SIP trunk number" if number.sip_trunk_enabled else "SIP/BYOC is enabled"
        return Step(title, True, f"Country rules do not apply: {why}.", mend)
    countries = len(workspace.enabled_prefixes)
    if countries:
        return Step(
            title, True, f"{countries} {'country is' if countries == 1 else 'countries are'} enabled.", mend
        )
    return Step(title, False, "No country is enabled, so calls out are refused.", mend)


def _tested(number: PhoneNumber, direction: str, call: CallRow | None) -> Step:
    title = f"Run one {direction} test"
    if call is not None:
        found = f"An {direction} call was answered on {call.created_at:%d %b %Y at %H:%M} UTC."
        return Step(title, True, found, (f"/calls/{call.id}", "See the call"))
    if direction == "inbound":
        return Step(title, False, f"Call {number.e164} and confirm that the right agent answers.")
    return Step(
        title,
        False,
        "Start a call from this number; then look at status, recording, transcript and extracted fields.",
        (f"/calls/new?from={number.id}", "Place a call"),
    )


async def _last_good(visit: Visit, number: PhoneNumber, direction: str) -> CallRow | None:
    """The newest call of a direction that was connected, with the versions as they are assigned now."""
    which = CallFilter(
        visit.workspace.id, number_ids=(number.id,), direction=direction, statuses=("completed",), limit=1
    )
    found = (await visit.site.parts.store.list_calls(which)).calls
    return found[0] if found else None


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
    """Have a version answer, or dial by, the number; or nobody."""
    number = await _own(visit)
    direction = cast(Direction, visit.form.one_of("direction", ("inbound", "outbound"), "inbound"))
    version_id = visit.form.text("version")
    book = visit.site.parts.store.configuration.numbers
    back = f"/numbers/{number.id}"
    if not version_id:
        await book.unassign(number.id, direction, visit.by)
        return await visit.go(back, f"Disabled for {direction} calls from the next call on.")
    await book.assign(number.id, direction, version_id, visit.by)
    does = "answers" if direction == "inbound" else "speaks in calls from"
    return await visit.go(back, f"The version {does} this number from the next call on.")


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
    await visit.site.parts.store.configuration.numbers.remove(number.id, visit.by)
    return await visit.go("/numbers", f"{number.e164} is removed; nothing routes to it any more.")


RENTAL_ENDED = frozenset({RentalStatus.EXPIRED, RentalStatus.AVAILABLE})

PAGES: tuple[Page, ...] = (
    get("/numbers/{id}", show),
    post("/numbers/{id}", change),
    post("/numbers/{id}/assign", assign),
    post("/numbers/{id}/default", make_default),
    post("/numbers/{id}/remove", remove),
)
