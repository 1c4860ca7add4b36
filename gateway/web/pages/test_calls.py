"""Test calls from a number's page: out to any number, in from the gateway's own telephone."""

from starlette.responses import Response

from gateway.call.placing import CallRequest
from gateway.call.refusal import Refused
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Rejected
from gateway.web.page import Page, Visit, get, post
from gateway.web.pages.number import own_number, shown
from gateway.web.pages.trial_calls import Tried, can_ring_from_here, tests_of

CALLER = "+12025550190"
"Whom the gateway's own telephone says it is: a number that is kept free for examples."


async def look(visit: Visit) -> Response:
    """The latest call each way, for the script that keeps it fresh."""
    return visit.part("trial_calls.html", **await tests_of(visit, await own_number(visit)))


async def ring_out(visit: Visit) -> Response:
    """Call a number from this one, and stay on the page; a refusal says why, with the whole decision."""
    number, to = await own_number(visit), visit.form.text("to")[:40]
    route = OutboundRequest(visit.workspace.id, to, from_number=number.e164)
    try:
        record = (await visit.site.parts.placing.place(CallRequest(route, visit.by))).record
    except Rejected as refusal:
        return await shown(visit, number, Tried(to, refusal.message, refusal.decision), 409)
    except Refused as refusal:
        return await shown(visit, number, Tried(to, refusal.detail), 503)
    return await visit.go(f"/numbers/{number.id}", f"Calling {record.to_number}. Answer it, and listen.")


async def ring_in(visit: Visit) -> Response:
    """Have the gateway's own telephone call this number."""
    number = await own_number(visit)
    back = f"/numbers/{number.id}"
    if not can_ring_from_here(visit, number):
        say = "No trunk of this number takes calls from 127.0.0.1 without a password."
        return await visit.go(back, say, "bad")
    if not visit.site.parts.house_phone.call(number.e164, CALLER):
        say = "The gateway’s own telephone is in use; try again in a moment."
        return await visit.go(back, say, "bad")
    return await visit.go(back, f"The gateway’s own telephone is calling {number.e164}.")


PAGES: tuple[Page, ...] = (
    get("/numbers/{id}/tests", look),
    post("/numbers/{id}/ring-out", ring_out),
    post("/numbers/{id}/ring-in", ring_in),
)
