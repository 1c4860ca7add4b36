"""`/v1/calls`: asking for calls, reading their records, following and ending them."""

import re
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath

from gateway.api.call_shape import CallDetail, call_detail
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Problem, invalid, not_found
from gateway.call.lookup import Lookup
from gateway.store.calls import CallRow

CALL_ID = re.compile(r"call_[0-9a-z]{1,40}")
CallId = Annotated[
    str,
    InPath(description="`call_…`", openapi_examples={"a call": {"value": "call_01m85m1gbt83exwnbdjt8m8z3n"}}),
]


def calls(gate: KeyGate, lookup: Lookup) -> APIRouter:
    """The routes about calls."""
    router = APIRouter(prefix="/v1/calls", tags=["calls"])

    @router.get("/{call_id}", response_model=CallDetail, responses=answers(400, 404))
    async def get_call(call_id: CallId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Everything about one call, as it stands."""
        return json(call_detail(await found(lookup, call_id, caller)))

    return router


async def found(lookup: Lookup, call_id: str, caller: Caller) -> CallRow:
    """A call of the caller's workspace; raises `Declined` with 400 or 404."""
    if CALL_ID.fullmatch(call_id) is None:
        problem = Problem("call_id", call_id[:200], "should be call_ and 26 characters")
        raise invalid(problem, message="Invalid call ID format")
    row = await lookup.find(call_id, caller.workspace_id)
    if row is None:
        raise not_found("Call")
    return row


def json(content: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(content, default=str), status, media_type="application/json")
