"""Batch calls: the list and history of a workspace's batches, and what is under way to become one."""

from math import ceil
from typing import Any

from starlette.responses import Response

from gateway.batch.machine import BatchStatus
from gateway.store.batches.values import Batch
from gateway.store.engine.errors import Conflict
from gateway.web.batch_figures import ACTIVE, Standing
from gateway.web.page import Page, Visit, get
from gateway.web.who import who_of
from gateway.web.words import say

SIZE = 25
SHOWN = tuple(status.value for status in BatchStatus if status is not BatchStatus.DELETED)
CHANGEABLE = ("draft", "scheduled")


async def table(visit: Visit) -> Response:
    """The page."""
    found = await _found(visit)
    kept = [file for file in visit.site.parts.kept_files.of(visit.workspace.id) if not file.made]
    statuses = [("", "Any"), *((status, say(status)) for status in SHOWN)]
    return visit.page("batches.html", "batches", statuses=statuses, kept=kept, **found)


async def rows(visit: Visit) -> Response:
    """The table alone, for the script that keeps it fresh."""
    return visit.part("batches_table.html", **await _found(visit))


async def _found(visit: Visit) -> dict[str, Any]:
    status = visit.query.one_of("status", SHOWN, "")
    page = visit.query.whole("page", 1, 1, 1_000_000)
    batches, which = visit.site.parts.batches, (status,) if status else SHOWN
    found, total = await batches.page(visit.workspace.id, which, page, SIZE)
    pages = max(1, ceil(total / SIZE))
    if page > pages:
        page = pages
        found, total = await batches.page(visit.workspace.id, which, page, SIZE)
    return {
        "batches": [Standing(batch) for batch in found],
        "is_moving": any(batch.status in ACTIVE for batch in found),
        "labels": await visit.site.parts.store.number_list.labels(visit.workspace.id),
        "who": await who_of(visit),
        "chosen": status,
        "page": page,
        "pages": pages,
        "total": total,
    }


async def own_batch(visit: Visit) -> Batch:
    """The batch that the address names; `NotFound` where it is another workspace's."""
    return await visit.site.parts.batches.get(visit.path["id"], visit.workspace.id)


async def draft_of(visit: Visit, batch_id: str) -> Batch:
    """A batch whose rows can still be replaced."""
    batch = await visit.site.parts.batches.get(batch_id, visit.workspace.id)
    if batch.status not in CHANGEABLE:
        text = f"“{batch.title}” is {say(batch.status)}: its rows stay as they are."
        raise Conflict("batch", batch.id, text, whole=True)
    return batch


PAGES: tuple[Page, ...] = (
    get("/batches", table),
    get("/batches/table", rows),
)
