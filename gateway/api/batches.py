"""`/v1/batch-calls`: a file of recipients becomes calls, in the reference platform's words."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.api.batch_refusal import uploads_refused
from gateway.api.calls import json, key_header
from gateway.api.description import answers, beside_words, in_path
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Problem, invalid
from gateway.api.shapes.batch import (
    BATCH,
    LEGACY,
    BatchCalls,
    BatchItem,
    BatchPage,
    RecipientPage,
    batch_item,
    recipient_item,
    statuses_of,
)
from gateway.api.shapes.batch_answers import BatchAction, BatchChanged, BatchCreated, changed, created
from gateway.api.shapes.batch_form import (
    BatchChange,
    BatchForm,
    form_of_change,
    form_read,
    form_schema,
    wish_of_form,
)
from gateway.api.shapes.batch_report import BatchReport, report_shown
from gateway.api.shapes.call import call_item, felt
from gateway.api.shapes.call_export import chosen_columns, exported
from gateway.api.shapes.call_query import CallQuery, call_filter, finds_nothing, only, words
from gateway.api.shapes.page import Limit, Page, paged
from gateway.batch.batches import Batches
from gateway.batch.checking import Checked
from gateway.batch.failures import FailureReason, error_file
from gateway.batch.files.multipart import TYPE, Uploads
from gateway.batch.files.upload import Upload
from gateway.batch.machine import BatchStatus, RecipientState, read_action
from gateway.batch.once import Asked, BatchOnce
from gateway.batch.origin import version_for
from gateway.batch.results import left_out_file, result_file
from gateway.batch.template import template_file
from gateway.store.batches.values import Batch
from gateway.store.records.calls import CallFilter
from gateway.store.sql import SqlStore
from gateway.web.csv_file import csv_file, lines_of

BATCH_ID = re.compile(r"^batch_[0-9a-z]{26}$")
Key = Annotated[str | None, key_header("batch")]
BatchId = Annotated[str, in_path("a batch", BATCH, BATCH_ID)]
ByBatch = beside_words({"template", "validate"})
STATUSES = (*BatchStatus, *LEGACY)
Statuses = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Any of these, separated by commas; `active` stands for `waiting` and `running`.",
    ),
    only(*STATUSES),
    words(*STATUSES),
]
States = Annotated[RecipientState | None, Query(description="Only those in this state.")]
Reason = Annotated[FailureReason | None, Query(description="Only the rows of this group.")]
AgentId = Annotated[str, Query(max_length=64, description="The agent whose parameters are the columns.")]
VersionNumber = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="A version of it; without it the latest published one.")
]
Format = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="`csv`: every row that fails, as the file of `…/errors.csv`."),
]

CSV: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}}
CSV_FILE: dict[int | str, dict[str, Any]] = {200: {"description": "A CSV file", "content": CSV}}
MADE: dict[int | str, dict[str, Any]] = {
    200: {
        "model": BatchCreated,
        "description": "The batch that was made under this `Idempotency-Key` before",
    },
    **answers(400, 403, 404, 409, 413, 415),
}
CALLS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The batch and its calls; with `export=true` a CSV file of them", "content": CSV}
}
CHECKED: dict[int | str, dict[str, Any]] = {
    200: {"description": "What the file has in it", "content": CSV},
    **answers(400, 403, 404, 413, 415),
}
SENT: dict[str, Any] = {"requestBody": {"required": True, "content": {TYPE: {"schema": form_schema()}}}}
"The form, as it is described: the routes read it by themselves, piece by piece."
ONE = answers(400, 404)
ACTED = answers(400, 404, 409, 413)


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What the routes about batches are made of."""

    batches: Batches
    uploads: Uploads
    store: SqlStore
    once: BatchOnce


def batches(gate: KeyGate, parts: BatchParts) -> APIRouter:
    """The routes about batches."""
    router = APIRouter(prefix="/v1/batch-calls", tags=["batch calls"], route_class=ByBatch)
    _making(router, gate, parts)
    _reading(router, gate, parts)
    _changing(router, gate, parts)
    return router


def _making(router: APIRouter, gate: KeyGate, parts: BatchParts) -> None:
    """What takes a file, and what helps to write one.

    Long, since each route stands in it as a function of its own.
    """

    @router.post("", status_code=201, response_model=BatchCreated, responses=MADE, openapi_extra=SENT)
    async def create_batch_call(
        request: Request, caller: Annotated[Caller, Depends(gate)], idempotency_key: Key = None
    ) -> Response:
        """Call everybody in a file: each row is checked before anything is made.

        Where rows fail nothing is made, unless `skip_invalid_rows` says to go ahead with the others.
        """
        with uploads_refused(parts.uploads.tell):
            async with _sent(request, parts) as (form, upload):
                wish = wish_of_form(form, await _zone(parts, caller))
                asked = Asked(
                    workspace_id=caller.workspace_id,
                    by=caller.by,
                    wish=wish,
                    upload=upload,
                    draft=form.draft,
                    skip_invalid=form.skip_invalid_rows,
                    fields=form.canonical(),
                )
                made = await parts.once.create(asked, idempotency_key)
        answer = json(created(made.batch, made.warning), 200 if made.again else 201)
        answer.headers["Location"] = f"/v1/batch-calls/{made.batch.id}"
        return answer

    @router.post("/validate", response_model=BatchReport, responses=CHECKED, openapi_extra=SENT)
    async def validate_batch_call(
        request: Request, caller: Annotated[Caller, Depends(gate)], kind: Format = "json"
    ) -> Response:
        """Check a file and what is wished of it, and make nothing: 200 also where rows fail."""
        with uploads_refused(parts.uploads.tell):
            async with _sent(request, parts) as (form, upload):
                wish = wish_of_form(form, await _zone(parts, caller))
                checked = await parts.batches.check(caller.workspace_id, wish, upload)
        if kind == "csv":
            return csv_file(_failed_rows(checked), f"{form.title}-errors")
        checked.close()
        return json(report_shown(checked.report))

    @router.get("/template", responses={**CSV_FILE, **answers(400, 404)})
    async def get_batch_template(
        agent_id: AgentId,
        caller: Annotated[Caller, Depends(gate)],
        agent_version_number: VersionNumber = None,
    ) -> Response:
        """An empty file for an agent: the number's column, and one for each parameter of its version."""
        there = parts.store.configuration
        version = await version_for(there, caller.workspace_id, agent_id, agent_version_number)
        lines = iter([template_file(name for name, _ in version.parameters)])
        return csv_file(lines_of(lines), f"{version.agent_id}-{version.number}-template")


def _reading(router: APIRouter, gate: KeyGate, parts: BatchParts) -> None:
    """What tells of batches.

    Long, since each route stands in it as a function of its own.
    """

    @router.get("", response_model=BatchPage, responses=answers(400))
    async def list_batch_calls(
        caller: Annotated[Caller, Depends(gate)],
        status: Statuses = None,
        limit: Limit = 20,
        page: Page = 1,
    ) -> Response:
        """Batches, newest first."""
        items, total = await parts.batches.page(caller.workspace_id, statuses_of(status), page, limit)
        return paged([batch_item(batch) for batch in items], total, page, limit)

    @router.get("/{batch_id}", response_model=BatchCalls, responses={**CALLS, **ONE})
    async def get_batch_call(
        batch_id: BatchId, query: Annotated[CallQuery, Query()], caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """A batch, and its calls, newest first, by the same filters as all calls."""
        batch = await _found(parts, batch_id, caller)
        which = await _calls_of(parts, batch, query)
        if query.export:
            rows = exported(parts.store, parts.store.texts, which, chosen_columns(query.columns))
            return csv_file(rows, f"{batch.title}-calls")
        return json({**await _page_of(parts, which, query), "batch": batch_item(batch)})

    @router.get("/{batch_id}/recipients", response_model=RecipientPage, responses=ONE)
    async def list_batch_recipients(
        batch_id: BatchId,
        caller: Annotated[Caller, Depends(gate)],
        state: States = None,
        limit: Limit = 20,
        page: Page = 1,
    ) -> Response:
        """The recipients of a batch, in the order of the file, each with its last call."""
        batch = await _found(parts, batch_id, caller)
        total = getattr(batch.counts, state) if state else batch.total
        rows = await parts.batches.recipients(
            batch.id, caller.workspace_id, page=page, limit=limit, state=state
        )
        return paged([recipient_item(row) for row in rows], total, page, limit)

    @router.get("/{batch_id}/errors.csv", responses={**CSV_FILE, **ONE})
    async def get_batch_errors(
        batch_id: BatchId, caller: Annotated[Caller, Depends(gate)], reason: Reason = None
    ) -> Response:
        """The rows of the file that were left out, each with what is wrong: to be mended and sent again."""
        batch = await _found(parts, batch_id, caller)
        rows = parts.batches.failures(batch.id, caller.workspace_id, reason)
        return csv_file(left_out_file(rows), f"{batch.title}-errors")

    @router.get("/{batch_id}/results.csv", responses={**CSV_FILE, **ONE})
    async def get_batch_results(batch_id: BatchId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """A line for each recipient: what came of it, the file's columns, and what the agent made out."""
        batch = await _found(parts, batch_id, caller)
        return csv_file(result_file(batch, parts.batches, parts.store), f"{batch.title}-results")


def _changing(router: APIRouter, gate: KeyGate, parts: BatchParts) -> None:
    """What is done with batches."""

    @router.patch("/{batch_id}/status", response_model=BatchChanged, responses=ACTED)
    async def change_batch_status(
        batch_id: BatchId, body: BatchAction, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Pause a batch (no new calls; running ones go on), resume it, or cancel it for good."""
        batch = await _found(parts, batch_id, caller)
        action = read_action(body.action)
        act = {"pause": parts.batches.pause, "resume": parts.batches.resume, "cancel": parts.batches.cancel}
        return json(changed(action, await act[action](batch.id, caller.workspace_id, caller.by)))

    @router.patch("/{batch_id}", response_model=BatchItem, responses=ACTED)
    async def change_batch_call(
        batch_id: BatchId, body: BatchChange, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Change how a draft, or a batch whose time has not come, is to call; its recipients stay."""
        batch = await _found(parts, batch_id, caller)
        wish = wish_of_form(form_of_change(batch_item(batch), body), await _zone(parts, caller))
        return json(batch_item(await parts.batches.change(batch.id, caller.workspace_id, wish, caller.by)))

    @router.post("/{batch_id}/start", response_model=BatchChanged, responses=ACTED)
    async def start_batch_call(batch_id: BatchId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Start a draft: now, or at its own time."""
        batch = await _found(parts, batch_id, caller)
        return json(changed("start", await parts.batches.start(batch.id, caller.workspace_id, caller.by)))

    @router.delete("/{batch_id}", status_code=204, responses=ACTED)
    async def delete_batch_call(batch_id: BatchId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Delete a draft, with its recipients."""
        batch = await _found(parts, batch_id, caller)
        await parts.batches.delete(batch.id, caller.workspace_id, caller.by)
        return Response(status_code=204)


@asynccontextmanager
async def _sent(request: Request, parts: BatchParts) -> AsyncIterator[tuple[BatchForm, Upload]]:
    """The form of a request, and its file as long as it is needed."""
    kind = request.headers.get("content-type", "")
    async with parts.uploads.receive(request.stream(), kind) as sent:
        form, file = form_read(sent)
        yield form, Upload(file.path, file.name)


async def _zone(parts: BatchParts, caller: Caller) -> str:
    return (await parts.store.configuration.workspaces.get(caller.workspace_id)).timezone


async def _found(parts: BatchParts, batch_id: str, caller: Caller) -> Batch:
    """A batch of the caller's workspace; raises `Declined` with 400 or 404."""
    if BATCH_ID.fullmatch(batch_id) is None:
        problem = Problem("batch_id", batch_id[:200], "should be batch_ and 26 characters")
        raise invalid(problem, message="Invalid batch call ID format")
    return await parts.batches.get(batch_id, caller.workspace_id)


async def _calls_of(parts: BatchParts, batch: Batch, query: CallQuery) -> CallFilter | None:
    """Which calls of a batch a query means; None: there can be none."""
    versions = None
    if query.agent_version_name is not None:
        named = parts.store.configuration.agents.versions_named
        versions = await named(query.agent_version_name, batch.workspace_id)
    which = call_filter(query, batch.workspace_id, versions)
    if finds_nothing(query, versions) or (which.batch_ids and batch.id not in which.batch_ids):
        return None
    return replace(which, batch_ids=(batch.id,))


async def _page_of(parts: BatchParts, which: CallFilter | None, query: CallQuery) -> dict[str, Any]:
    total = 0 if which is None else await parts.store.count_calls(which)
    page = () if which is None else (await parts.store.list_calls(which)).calls
    texts = await parts.store.texts.of([row.id for row in page])
    return {
        "callLogs": [call_item(row) | {"sentiment": felt(texts.get(row.id))} for row in page],
        "total": total,
        "page": query.page,
        "limit": query.limit,
        "totalPages": ceil(total / query.limit),
    }


async def _failed_rows(checked: Checked) -> AsyncIterator[bytes]:
    """The rows of a file that was only checked, off the disk."""
    try:
        async for part in lines_of(error_file(checked.failures())):
            yield part
    finally:
        checked.close()
