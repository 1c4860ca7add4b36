"""`/v1/do-not-call`: the numbers that a workspace never calls."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from gateway.api.batch_refusal import uploads_refused
from gateway.api.calls import json
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.numbers import ByNumber
from gateway.api.refusal import Declined, Problem, invalid, not_found
from gateway.api.shapes.batch_form import form_schema, read_form
from gateway.api.shapes.do_not_call import (
    DoNotCallAdded,
    DoNotCallBody,
    DoNotCallForm,
    DoNotCallItem,
    DoNotCallPage,
    DoNotCallRemoval,
    DoNotCallRemoved,
    do_not_call_item,
)
from gateway.api.shapes.number import E164
from gateway.api.shapes.page import Limit, Page, paged
from gateway.batch.checking import Choice
from gateway.batch.do_not_call import Gathered, beginning, gather, gather_file
from gateway.batch.files.multipart import TYPE, SentFile, Uploads
from gateway.batch.files.upload import Upload
from gateway.batch.wording import counted
from gateway.events.call_sheet import line
from gateway.routing.number import MAX_RAW
from gateway.store.configuration.do_not_call import Updated
from gateway.store.configuration.nouns import Configuration
from gateway.store.configuration.rules import checked_country

COLUMNS = ("phone_number", "reason", "added_by", "added_at")
PATH = "/v1/do-not-call"
LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of the list; with `export=true` all of it as a CSV file",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    },
    **answers(400),
}
ADDED: dict[int | str, dict[str, Any]] = {
    200: {"model": DoNotCallAdded, "description": "All of them were on the list before"},
    **answers(400, 409, 413),
}
UPLOADED: dict[int | str, dict[str, Any]] = {
    200: {"model": DoNotCallAdded, "description": "All of them were on the list before"},
    **answers(400, 409, 413, 415),
}
SENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {TYPE: {"schema": form_schema(DoNotCallForm, "Who is never called")}},
    }
}
Written = Annotated[
    str,
    InPath(
        description="A number, with its plus or without.",
        openapi_examples={"number": {"value": "+442079460018"}},
        json_schema_extra={**E164},
    ),
]


@dataclass(frozen=True, slots=True)
class DoNotCallParts:
    """What the routes about the list are made of."""

    there: Configuration
    uploads: Uploads
    busy: Callable[[], bool]
    "Whether calls run: a file is read more slowly then."


def do_not_call(gate: KeyGate, parts: DoNotCallParts) -> APIRouter:
    """The routes about the list."""
    router = APIRouter(prefix=PATH, tags=["do not call"], route_class=ByNumber)
    _reading(router, gate, parts.there)
    _changing(router, gate, parts.there)
    _uploading(router, gate, parts)
    return router


def _uploading(router: APIRouter, gate: KeyGate, parts: DoNotCallParts) -> None:
    there = parts.there

    @router.post(
        "/upload", status_code=201, response_model=DoNotCallAdded, responses=UPLOADED, openapi_extra=SENT
    )
    async def upload_do_not_call(request: Request, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Never call the numbers of a file; none of them where a line is no number, unless it is skipped."""
        kind = request.headers.get("content-type", "")
        with uploads_refused(parts.uploads.tell):
            async with parts.uploads.receive(request.stream(), kind) as sent:
                form, file = read_form(sent, DoNotCallForm, "the numbers, as CSV or Excel")
                gathered = await _read(parts, form, file, await _country(there, caller))
        if gathered.wrong_count and not form.skip_invalid_rows:
            raise _wrong_lines(gathered)
        updated = await there.do_not_call.add(
            caller.workspace_id, gathered.numbers, caller.by, reason=form.reason, source=file.name
        )
        return added(gathered, updated)


async def _read(parts: DoNotCallParts, form: DoNotCallForm, file: SentFile, country: str | None) -> Gathered:
    given = form.default_country
    country = country if given is None else checked_country("default_country", given)
    choice = Choice(form.phone_column or "", form.sheet or "", form.separator or "", form.encoding or "")
    return await gather_file(Upload(file.path, file.name), country, choice, parts.busy)


def _wrong_lines(gathered: Gathered) -> Declined:
    problems = [Problem(f"line {each.line}", each.given, each.why) for each in gathered.wrong]
    them = counted(gathered.wrong_count, "line is", "lines are")
    return invalid(*problems, message=f"Nothing was added: {them} no number that is clear")


def _reading(router: APIRouter, gate: KeyGate, there: Configuration) -> None:
    lists = there.do_not_call

    @router.get("", response_model=DoNotCallPage, responses=LISTED)
    async def list_do_not_call(
        caller: Annotated[Caller, Depends(gate)],
        limit: Limit = 20,
        page: Page = 1,
        search: Annotated[
            str, Query(max_length=MAX_RAW, description="A number, or how numbers begin: `+44`, `4420`.")
        ] = "",
        export: Annotated[bool, Query(description="All of it as a CSV file, in place of a page.")] = False,
    ) -> Response:
        """The numbers that this workspace never calls, in the order of their digits."""
        if export:
            headers = {"Content-Disposition": 'attachment; filename="do-not-call.csv"'}
            sheet = exported(there, caller.workspace_id)
            return StreamingResponse(sheet, media_type="text/csv; charset=utf-8", headers=headers)
        country = await _country(there, caller)
        begins = beginning(search, country)
        found = await lists.page(caller.workspace_id, begins=begins, limit=limit, offset=(page - 1) * limit)
        return paged([do_not_call_item(one) for one in found.items], found.total, page, limit)

    @router.get("/{phone_number}", response_model=DoNotCallItem, responses=answers(400, 404))
    async def get_do_not_call(phone_number: Written, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """What the list says of a number; 404 where it is not on it."""
        e164 = await _one(phone_number, await _country(there, caller))
        found = await lists.find(caller.workspace_id, e164)
        if found is None:
            raise not_found("Phone number")
        return json(do_not_call_item(found))


def _changing(router: APIRouter, gate: KeyGate, there: Configuration) -> None:
    lists = there.do_not_call

    @router.post("", status_code=201, response_model=DoNotCallAdded, responses=ADDED)
    async def add_do_not_call(body: DoNotCallBody, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Never call these numbers: from the next call on. Where one is written wrongly, none is added."""
        gathered = await _gathered(body.phone_numbers, await _country(there, caller))
        updated = await lists.add(caller.workspace_id, gathered.numbers, caller.by, reason=body.reason)
        return added(gathered, updated)

    @router.delete("", response_model=DoNotCallRemoved, responses=answers(400, 413))
    async def remove_do_not_call(
        body: DoNotCallRemoval, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Let these numbers be called again; where one is written wrongly, none is removed."""
        gathered = await _gathered(body.phone_numbers, await _country(there, caller))
        updated = await lists.remove(caller.workspace_id, gathered.numbers, caller.by)
        return json(_removed(updated))

    @router.delete("/{phone_number}", response_model=DoNotCallRemoved, responses=answers(400, 404))
    async def remove_one_do_not_call(
        phone_number: Written, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Let a number be called again; 404 where it is not on the list."""
        e164 = await _one(phone_number, await _country(there, caller))
        updated = await lists.remove(caller.workspace_id, [e164], caller.by)
        if not updated.changed:
            raise not_found("Phone number")
        return json(_removed(updated))


async def exported(there: Configuration, workspace_id: str) -> AsyncIterator[bytes]:
    """The whole list as CSV, written while it is read."""
    yield line(COLUMNS).encode()
    async for part in there.do_not_call.everything(workspace_id):
        items = (do_not_call_item(one) for one in part)
        yield "".join(line(item[column] for column in COLUMNS) for item in items).encode()
        await asyncio.sleep(0)


def added(gathered: Gathered, updated: Updated) -> Response:
    """The answer to an addition: 201 where anything is new."""
    said = {
        "added": updated.changed,
        "already_listed": updated.unchanged,
        "duplicates": gathered.twice,
        "skipped": gathered.wrong_count,
        "total": updated.total,
    }
    return json(said, 201 if updated.changed else 200)


def _removed(updated: Updated) -> dict[str, int]:
    return {"removed": updated.changed, "not_listed": updated.unchanged, "total": updated.total}


async def _country(there: Configuration, caller: Caller) -> str | None:
    """Whose numbers may be written as they are dialled there."""
    return (await there.workspaces.get(caller.workspace_id)).default_country


async def _gathered(texts: Sequence[str], country: str | None) -> Gathered:
    """The numbers of a list; 400 names the places of those that are none."""
    gathered = await gather(enumerate(texts), country)
    empty = [place for place, text in enumerate(texts) if not text.strip()]
    problems = [Problem(f"phone_numbers.{each.line}", each.given, each.why) for each in gathered.wrong]
    problems += [Problem(f"phone_numbers.{place}", "", "should not be empty") for place in empty[:1]]
    if problems:
        raise invalid(*problems)
    return gathered


async def _one(text: str, country: str | None) -> str:
    gathered = await gather([(0, text)], country)
    for each in gathered.wrong:
        raise invalid(Problem("phone_number", each.given, each.why))
    for e164 in gathered.numbers:
        return e164
    raise invalid(Problem("phone_number", text, "should be a number"))
