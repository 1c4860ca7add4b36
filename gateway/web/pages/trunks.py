"""Trunks with their health: what went by them lately, and when it last failed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from gateway.provisioning.carrier_side import carrier_side
from gateway.routing.table import Secret, Trunk, TrunkAuthMode
from gateway.store.configuration.fields import TRUNK, parse_fields
from gateway.store.engine.errors import InvalidInput
from gateway.store.records.calls import CallFilter, CallRow
from gateway.web.changes import shown_changes
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.who import who_of

RECENT = timedelta(hours=24)
LOOKED_AT = 200
LISTED = 50
"Numbers that a trunk's page names."
BROKEN = frozenset(
    {"sip_trunk_unreachable", "sip_auth_failed", "network_failure", "media_lost", "trunk_rate_limit"}
)
"Endings that speak against the trunk, not against the number that was called."
EDITABLE = (
    "name",
    "sources",
    "termination_uri",
    "transport",
    "codecs",
    "number_format",
    "channel_limit",
    "calls_per_second",
    "outbound_username",
)


@dataclass(frozen=True, slots=True)
class Health:
    """How a trunk has been doing."""

    word: str
    "`healthy`, `failing`, `disabled` or `unknown`."
    calls: int
    "Of the last day, as far as `LOOKED_AT` of them."
    answered: int
    last: CallRow | None
    failure: CallRow | None
    "The newest call that the trunk itself is to blame for."


async def table(visit: Visit) -> Response:
    """The page."""
    own = await visit.site.parts.store.configuration.trunks.list_all(visit.workspace.id)
    used = await visit.site.parts.store.configuration.numbers.by_trunk(visit.workspace.id)
    rows = [(trunk, await health(visit, trunk), used.get(trunk.id, 0)) for trunk in own]
    return visit.page("trunks.html", "trunks", trunks=rows)


async def health(visit: Visit, trunk: Trunk) -> Health:
    """How a trunk has been doing, by the records of its calls."""
    since = visit.site.parts.now() - RECENT
    which = CallFilter(visit.workspace.id, trunk_ids=(trunk.id,), limit=LOOKED_AT, whole=False)
    calls = (await visit.site.parts.store.list_calls(which)).calls
    return judged(trunk, list(calls), since)


def judged(trunk: Trunk, calls: list[CallRow], since: datetime) -> Health:
    """The health of a trunk from its calls, newest first."""
    recent = [call for call in calls if call.created_at >= since]
    failure = next((call for call in calls if call.end_reason in BROKEN), None)
    answered = sum(call.answered_at is not None for call in recent)
    last = calls[0] if calls else None
    if not trunk.enabled:
        word = "disabled"
    elif last is None:
        word = "unknown"
    else:
        word = "failing" if last is failure else "healthy"
    return Health(word, len(recent), answered, last, failure)


async def show(
    visit: Visit,
    problem: str = "",
    given: dict[str, Any] | None = None,
    wrong: str = "",
    said: dict[str, Any] | None = None,
) -> Response:
    """One trunk."""
    trunk = await _own(visit)
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    numbers = await store.configuration.numbers.on_trunk(trunk.id, LISTED)
    latest = CallFilter(visit.workspace.id, trunk_ids=(trunk.id,), limit=8, whole=False)
    calls = (await store.list_calls(latest)).calls
    return visit.page(
        "trunk.html",
        "trunks",
        400 if problem else 200,
        trunk=trunk,
        health=await health(visit, trunk),
        numbers=[number for number in numbers if number.workspace_id == visit.workspace.id],
        given=_given(trunk) if given is None else given,
        calls=calls,
        labels=labels,
        side=carrier_side(visit.site.parts.config),
        problem=problem,
        wrong=wrong,
        report=None if said is None else said["report"],
        passed=said is not None and said["passed"],
        changes=shown_changes(await store.configuration.history(trunk.id, 20), labels, await who_of(visit)),
    )


def _given(trunk: Trunk) -> dict[str, Any]:
    return {
        **{name: getattr(trunk, name) for name in EDITABLE},
        "sources": ", ".join(trunk.sources),
        "codecs": ", ".join(trunk.codecs),
        "enabled": trunk.enabled,
    }


async def test(visit: Visit) -> Response:
    """Test the connection of a trunk that is there, step by step."""
    trunk = await _own(visit)
    report = await visit.site.parts.linking.trials.try_trunk(trunk)
    said = {"problem": "", "report": report.as_dict(), "passed": report.passed}
    if visit.request.headers.get("x-part") is not None:
        return visit.part("trial.html", **said)
    return await show(visit, said=said)


async def save(visit: Visit) -> Response:
    """Change a trunk."""
    trunk = await _own(visit)
    typed: dict[str, Any] = {name: visit.form.text(name) for name in EDITABLE}
    try:
        fields = parse_fields(TRUNK, typed)
        fields["enabled"] = visit.form.on("enabled")
        if visit.form.raw("outbound_password"):
            fields["outbound_password"] = Secret(visit.form.raw("outbound_password"))
        fields = {**fields, **_mode(fields)}
        changed = await visit.site.parts.store.configuration.trunks.change(trunk.id, fields, visit.by)
    except InvalidInput as error:
        given = {**typed, "enabled": visit.form.on("enabled")}
        return await show(visit, complaint(error), given, error.field)
    await visit.site.parts.store.refresh()
    return await visit.go(
        f"/trunks/{trunk.id}", f"{changed.name} is saved; the next call goes by it as it is now."
    )


def _mode(fields: dict[str, Any]) -> dict[str, Any]:
    """A user name means credentials, none means that the carrier knows our address."""
    if fields.get("outbound_username"):
        return {"auth_mode": TrunkAuthMode.USERPASS}
    return {"auth_mode": TrunkAuthMode.IP, "outbound_password": None}


async def remove(visit: Visit) -> Response:
    """Remove a trunk that no number uses."""
    trunk = await _own(visit)
    await visit.site.parts.store.configuration.trunks.remove(trunk.id, visit.by)
    return await visit.go("/trunks", f"{trunk.name} is removed.")


async def _own(visit: Visit) -> Trunk:
    trunk = await visit.site.parts.store.configuration.trunks.get(visit.path["id"])
    visit.own("trunk", trunk.id, trunk.workspace_id)
    return trunk


PAGES: tuple[Page, ...] = (
    get("/trunks", table),
    get("/trunks/{id}", show),
    post("/trunks/{id}", save),
    post("/trunks/{id}/test", test),
    post("/trunks/{id}/remove", remove),
)
