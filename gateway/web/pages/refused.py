"""Refused requests: calls that somebody asked for, that were not placed, and what mends that."""

from starlette.responses import Response

from gateway.call.refusal import mend_for
from gateway.web.page import Page, Visit, get
from gateway.web.who import who_of

SIZE = 50


async def table(visit: Visit) -> Response:
    """The newest, of this workspace."""
    before = visit.query.text("before")[:60]
    refusals = visit.site.parts.store.refusals
    found = await refusals.page(visit.workspace.id, SIZE + 1, before)
    shown = found[:SIZE]
    return visit.page(
        "refused.html",
        "calls",
        refused=[(one, mend_for(one.reason)) for one in shown],
        who=await who_of(visit),
        before=before,
        next=shown[-1].id if len(found) > SIZE else "",
    )


PAGES: tuple[Page, ...] = (get("/calls/refused", table),)
