"""The recording of a call: pausing it, fetching any part of it, deleting it."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from gateway.api.calls import CallId, found, json
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.recording_link import RecordingLinks
from gateway.api.refusal import Answer, Declined, not_found
from gateway.call.lookup import Lookup
from gateway.call.recording.call_recording import RecordingRefused
from gateway.call.switchboard import Switchboard
from gateway.recordings.keeping import Keeping, key_in
from gateway.recordings.protocol import is_call_id
from gateway.store.records.calls import CallRow

MEDIA_TYPE = "audio/wav"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

RangeHeader = Annotated[str | None, Header(alias="Range", description="`bytes=0-65535`: one part of it.")]


class RecordingAction(BaseModel):
    """What is to become of a running call's recording."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    action: Literal["start", "pause", "resume", "stop"]
    "`start` where it is on demand; `pause` and `resume` around a card number; `stop` for good."


class RecordingState(BaseModel):
    """How a recording stands."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    "The call."
    state: Literal["idle", "recording", "paused", "stopped", "failed"]
    "What it is now."


WAV: dict[str, Any] = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
FETCHED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The WAV: stereo, caller left, agent right", **WAV},
    206: {"description": "The part that `Range` asks for", **WAV},
}
LINKED = {status: about for status, about in answers(404, 416).items() if status in (404, 416, 503)} | FETCHED
CHANGED = answers(400, 404, 409)
DELETED: dict[int | str, dict[str, Any]] = {204: {"description": "It is gone"}, **answers(400, 404, 409)}


@dataclass(frozen=True, slots=True)
class RecordingParts:
    """What the routes about recordings are made of."""

    lookup: Lookup
    board: Switchboard
    keeping: Keeping
    links: RecordingLinks


def recordings(gate: KeyGate, parts: RecordingParts) -> APIRouter:
    """The routes about recordings.

    Long, since each route stands in it as a function of its own.
    """
    router = APIRouter(tags=["recordings"])
    lookup = parts.lookup

    @router.post("/v1/calls/{call_id}/recording", response_model=RecordingState, responses=CHANGED)
    async def change_recording(
        call_id: CallId, body: RecordingAction, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Start, pause, resume or stop the recording of a running call; doing it again changes nothing."""
        row = await found(lookup, call_id, caller)
        recording = parts.board.recording_of(call_id)
        if recording is None:
            raise _conflict(_why_not_here(row, lookup.instance))
        try:
            state = recording.act(body.action, caller.by)
        except RecordingRefused as refusal:
            raise _conflict(f"{refusal}") from None
        return json({"id": call_id, "state": state})

    @router.get(
        "/v1/calls/{call_id}/recording",
        response_class=StreamingResponse,
        responses={**answers(400, 404, 416), **FETCHED},
    )
    async def get_recording(
        call_id: CallId, caller: Annotated[Caller, Depends(gate)], wanted: RangeHeader = None
    ) -> Response:
        """The recording, or the part of it that `Range` asks for."""
        return await served(parts.keeping, await found(lookup, call_id, caller), wanted)

    @router.delete("/v1/calls/{call_id}/recording", status_code=204, responses=DELETED)
    async def delete_recording(call_id: CallId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Delete the recording; the call's record says when, and who."""
        row = await found(lookup, call_id, caller)
        if row.recording_status == "recording":
            raise _conflict("it is still being written; stop it first")
        _key(row)
        await parts.keeping.delete(row, caller.by, datetime.now(UTC))
        return Response(status_code=204)

    _linked_routes(router, parts)
    return router


def _linked_routes(router: APIRouter, parts: RecordingParts) -> None:
    """What `recording_url` leads to."""
    call = Annotated[str, InPath(description="`call_…`")]
    signed = Annotated[str, Query(description="As `recording_url` has it.")]

    async def linked(call_id: str, expires: str, signature: str) -> CallRow:
        row = None
        if is_call_id(call_id) and parts.links.opens(call_id, expires, signature, datetime.now(UTC)):
            row = await parts.lookup.store.get_call(call_id)
        if row is None:
            # The same for a wrong link, one that has run out, and a call that is gone: it says nothing.
            raise not_found("Recording")
        return row

    @router.get(
        "/recordings/{call_id}.wav",
        response_class=StreamingResponse,
        responses=LINKED,
    )
    async def get_linked_recording(
        call_id: call, expires: signed = "", signature: signed = "", wanted: RangeHeader = None
    ) -> Response:
        """The recording, for whoever has the link."""
        return await served(parts.keeping, await linked(call_id, expires, signature), wanted)


async def served(keeping: Keeping, row: CallRow, wanted: str | None) -> Response:
    """The recording of a call, or the part that `Range` asks for; raises `Declined`."""
    size = await _size(keeping, row)
    start, end = _part(wanted, size)
    headers = _headers(row) | {"Content-Length": str(end - start)}
    status = 200
    if (start, end) != (0, size) or (wanted is not None and _RANGE.fullmatch(wanted)):
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    pieces = await asyncio.to_thread(keeping.recordings.read, _key(row), start, end - start)
    return StreamingResponse(pieces, status, headers, media_type=MEDIA_TYPE)


async def _size(keeping: Keeping, row: CallRow) -> int:
    try:
        return await asyncio.to_thread(keeping.recordings.size, _key(row))
    except FileNotFoundError:
        message = f"The recording is not on this gateway; “{row.instance}” made it"
        raise Declined(Answer(404, message, "other_gateway")) from None


def _headers(row: CallRow) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform",
        "Content-Disposition": f'inline; filename="{row.id}.wav"',
    }
    sha256 = (row.recording or {}).get("sha256")
    return headers | {"ETag": f'"{sha256}"'} if sha256 else headers


def _part(wanted: str | None, size: int) -> tuple[int, int]:
    """First byte and the one behind the last (RFC 9110 section 14); what is no single range is all of it."""
    asked = _RANGE.fullmatch(wanted) if wanted is not None else None
    if asked is None or (not asked[1] and not asked[2]):
        return 0, size
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Declined(
            Answer(416, f"The recording has {size} bytes", "range_not_satisfiable", headers=headers)
        )
    return start, end


def _key(row: CallRow) -> str:
    key = key_in(row)
    if key is None:
        raise not_found("Recording")
    return key


def _conflict(message: str) -> Declined:
    return Declined(Answer(409, message, "conflict"))


def _why_not_here(row: CallRow, instance: str) -> str:
    if row.ended_at is not None:
        return "The call is over"
    if row.instance not in ("", instance):
        return f"This call runs on the gateway “{row.instance}”, which alone records it"
    return "The call has not come so far yet"
