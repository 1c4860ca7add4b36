"""Phone Numbers: the table of what the workspace rents or brings along, and where each number leads."""

from dataclasses import replace
from math import ceil
from typing import Any

from starlette.responses import Response

from gateway.routing.table import NumberStatus, RentalStatus
from gateway.store.configuration.number_list import NumberFilter
from gateway.web.assignments import assigned
from gateway.web.page import Page, Visit, get
from gateway.web.pages.start import first_steps

SIZES = (25, 50, 100)
ASSIGNED = (
    ("", "Any"),
    ("inbound", "Takes calls"),
    ("outbound", "Places calls"),
    ("both", "Both directions"),
    ("none", "Neither"),
)


async def table(visit: Visit) -> Response:
    """The page."""
    store, query = visit.site.parts.store, visit.query
    labels = await store.number_list.labels(visit.workspace.id)
    which, shown = _asked(visit)
    found = await store.number_list.page(which)
    pages = max(1, ceil(found.total / which.limit))
    if not found.numbers and found.total:  # beyond the last page: numbers have gone since the link was made
        found = await store.number_list.page(replace(which, offset=which.limit * (pages - 1)))
    agents = {label.agent_id: label.agent_name for label in labels.values()}
    return visit.page(
        "numbers.html",
        "numbers",
        numbers=found.numbers,
        steps=await first_steps(visit),
        labels=labels,
        assigned=assigned,
        total=found.total,
        page=min(query.whole("page", 1, 1, 100_000), pages),
        pages=pages,
        query=shown,
        is_filtered=any(value for name, value in shown.items() if name != "size"),
        statuses=[("", "Any"), *((status.value, status.value) for status in NumberStatus)],
        rentals=[("", "Any"), *((rental.value, rental.value) for rental in RentalStatus)],
        providers=found.providers,
        agents=[("", "Any"), *agents.items()],
        call_types=ASSIGNED,
        sizes=[(size, size) for size in SIZES],
    )


def _asked(visit: Visit) -> tuple[NumberFilter, dict[str, Any]]:
    """The filter that the query asks for, and the query as links to other pages of the list repeat it."""
    query = visit.query
    assigned = query.one_of("assigned", [value for value, _ in ASSIGNED], "")
    size = query.whole("size", SIZES[0], SIZES[0], SIZES[-1])
    shown: dict[str, Any] = {
        "q": query.text("q")[:100],
        "status": query.one_of("status", list(map(str, NumberStatus)), ""),
        "rental": query.one_of("rental", list(map(str, RentalStatus)), ""),
        "provider": query.text("provider")[:64],
        "agent": query.text("agent")[:64],
        "assigned": assigned,
        "size": size if size != SIZES[0] else "",
    }
    which = NumberFilter(
        visit.workspace.id,
        text=shown["q"],
        status=shown["status"],
        rental=shown["rental"],
        provider=shown["provider"],
        agent_id=shown["agent"],
        assigned=assigned or None,  # type: ignore[arg-type]  # one of ASSIGNED, or nothing
        limit=size,
        offset=size * (query.whole("page", 1, 1, 100_000) - 1),
    )
    return which, shown


PAGES: tuple[Page, ...] = (get("/numbers", table),)
