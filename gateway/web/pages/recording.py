"""A call's recording on its page: the WAV itself, and how to delete it."""

from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.api.recordings import served
from gateway.api.refusal import Declined
from gateway.recordings.keeping import key_in
from gateway.web.page import Page, Visit, get, post
from gateway.web.pages.call import own_call


async def sound(visit: Visit) -> Response:
    """The WAV, or the part of it that the player asks for."""
    row = await own_call(visit)
    try:
        return await served(visit.site.parts.keeping, row, visit.request.headers.get("range"))
    except Declined as declined:
        answer = declined.answer
        raise HTTPException(answer.status, str(answer.text), dict(answer.headers)) from None


async def delete(visit: Visit) -> Response:
    """Delete the recording; the record keeps who did it and when."""
    row = await own_call(visit)
    back = f"/calls/{row.id}"
    if key_in(row) is None or row.recording_status == "recording":
        return await visit.go(back, "There is no recording to delete, or it is still being written.", "bad")
    now: datetime = visit.site.parts.now()
    await visit.site.parts.keeping.delete(row, visit.by, now)
    return await visit.go(back, "The recording is deleted.")


PAGES: tuple[Page, ...] = (
    get("/calls/{id}/recording.wav", sound),
    post("/calls/{id}/recording/delete", delete),
)
