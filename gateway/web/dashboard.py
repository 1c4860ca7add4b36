"""The table of pages: what there is to look at and to do."""

from starlette.responses import Response

from gateway.web.page import Page, Visit, get
from gateway.web.pages import (
    agents,
    batch,
    batch_upload,
    batches,
    buy,
    call,
    calls,
    do_not_call,
    link,
    login,
    number,
    numbers,
    place_call,
    recording,
    refused,
    settings,
    telephony,
    test_calls,
    trunks,
    web_call,
    webhooks,
)
from gateway.web.parts import Parts
from gateway.web.site import Site


async def _home(visit: Visit) -> Response:
    return await visit.go("/numbers")


PAGES: tuple[Page, ...] = (
    get("/", _home),
    *login.PAGES,
    *numbers.PAGES,
    *buy.PAGES,
    *link.PAGES,
    *number.PAGES,
    *test_calls.PAGES,
    *agents.PAGES,
    *calls.PAGES,
    *place_call.PAGES,
    *web_call.PAGES,
    *refused.PAGES,
    *call.PAGES,
    *batches.PAGES,
    *batch_upload.PAGES,
    *batch.PAGES,
    *recording.PAGES,
    *telephony.PAGES,
    *do_not_call.PAGES,
    *trunks.PAGES,
    *settings.PAGES,
    *webhooks.PAGES,
)


def dashboard(parts: Parts) -> Site:
    """The dashboard, to be mounted at its `root`."""
    return Site(parts, PAGES)
