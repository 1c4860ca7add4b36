"""Place a call: one outbound call from a number, watched while it happens; a refusal with its reason."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway.call.placing import CallRequest
from gateway.call.refusal import Refused
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Decision, Rejected
from gateway.routing.table import PhoneNumber
from gateway.store.configuration.number_list import MAX_PAGE, NumberFilter
from gateway.store.engine.errors import InvalidInput
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.verdicts import verdict

MOST_SECONDS = 5400


async def show(visit: Visit) -> Response:
    """The form."""
    query = visit.query
    given = {
        "from": query.text("from")[:64],
        "to": query.text("to")[:40],
        "parameters": "",
        "max_seconds": "",
    }
    return await _form(visit, given)


async def _form(
    visit: Visit,
    given: dict[str, str],
    problem: str = "",
    decision: Decision | None = None,
    status: int = 200,
) -> Response:
    numbers = await _numbers(visit, given["from"])
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    return visit.page(
        "place.html",
        "place",
        status,
        numbers=[(number.id, _named(number, labels)) for number in numbers],
        given=given,
        problem=problem,
        decision=decision,
    )


def _named(number: PhoneNumber, labels: Any) -> str:
    name = f" – {number.nickname}" if number.nickname else ""
    speaks = labels.get(number.outbound_version_id or "")
    return f"{number.e164}{name} ({f'as {speaks}' if speaks else 'no outbound version'})"


async def _numbers(visit: Visit, chosen: str) -> Sequence[PhoneNumber]:
    """The numbers that place calls, and the chosen one whatever it does."""
    store = visit.site.parts.store
    calling = NumberFilter(visit.workspace.id, assigned="outbound", limit=MAX_PAGE)
    found = list((await store.number_list.page(calling)).numbers)
    if chosen and chosen not in {number.id for number in found}:
        number = await store.configuration.numbers.get(chosen)
        visit.own("number", number.id, number.workspace_id)
        found.insert(0, number)
    return found


async def check(visit: Visit) -> Response:
    """What would become of the call, for the script that asks while one types."""
    to, chosen = visit.query.text("to")[:40], visit.query.text("from")[:64]
    if not to or not chosen:
        return visit.part("verdicts.html", to="", verdicts=[], left_out=0)
    number = await visit.site.parts.store.configuration.numbers.get(chosen)
    visit.own("number", number.id, number.workspace_id)
    return visit.part("verdicts.html", to=to, verdicts=[await verdict(visit, to, number)], left_out=0)


async def place(visit: Visit) -> Response:
    """Place the call, or say why not."""
    form = visit.form
    given = {name: form.text(name)[:2000] for name in ("from", "to", "parameters", "max_seconds")}
    try:
        request = await _request(visit, given)
        record = (await visit.site.parts.placing.place(request)).record
    except Rejected as refusal:
        return await _form(visit, given, refusal.message, refusal.decision, 409)
    except Refused as refusal:
        return await _form(visit, given, refusal.detail, None, 503)
    except InvalidInput as error:
        return await _form(visit, given, complaint(error), None, 400)
    return await visit.go(f"/calls/{record.id}", f"Calling {record.to_number}.")


async def _request(visit: Visit, given: dict[str, str]) -> CallRequest:
    if not given["from"]:
        raise InvalidInput("from", None, "Choose a number to call from.", whole=True)
    number = await visit.site.parts.store.configuration.numbers.get(given["from"])
    visit.own("number", number.id, number.workspace_id)
    route = OutboundRequest(
        visit.workspace.id,
        given["to"],
        from_number=number.e164,
        max_seconds=_seconds(given["max_seconds"]),
    )
    return CallRequest(route, visit.by, metadata=_parameters(given["parameters"]))


def _seconds(given: str) -> int | None:
    if not given:
        return None
    if len(given) > 10 or not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= MOST_SECONDS:
        raise InvalidInput("longest call", given, f"should be a number of seconds from 1 to {MOST_SECONDS}")
    return int(given)


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if line.strip() and (not colon or not name.strip()):
            raise InvalidInput("parameters", line[:60], "should be written name: value, one a line")
        if line.strip():
            found[name.strip()] = value.strip()
    return found


PAGES: tuple[Page, ...] = (
    get("/calls/new", show),
    get("/calls/new/check", check),
    post("/calls/new", place),
)
