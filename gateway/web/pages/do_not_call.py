"""Do not call: the numbers that this workspace never calls; added by hand or by a file, found, taken off."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import ceil

from starlette.responses import Response, StreamingResponse

from gateway.api.do_not_call import exported
from gateway.batch.do_not_call import Gathered, beginning, gather, gather_file
from gateway.batch.files.upload import UnreadableFile, Upload
from gateway.batch.wording import counted
from gateway.store.engine.errors import InvalidInput
from gateway.web.page import Page, Visit, complaint, get, post, upload
from gateway.web.who import who_of

SIZE = 50
PATH = "/telephony/do-not-call"
BETWEEN = re.compile(r"[\n,;]")
"What stands between numbers that are pasted."


async def show(visit: Visit, problem: str = "", gathered: Gathered | None = None) -> Response:
    """The page."""
    query = visit.query
    text, page = query.text("q")[:64], query.whole("page", 1, 1, 100_000)
    lists = visit.site.parts.store.configuration.do_not_call
    begins = beginning(text, visit.workspace.default_country)
    found = await lists.page(visit.workspace.id, begins=begins, limit=SIZE, offset=SIZE * (page - 1))
    return visit.page(
        "do_not_call.html",
        "telephony",
        400 if problem else 200,
        items=found.items,
        found=found.total,
        total=found.total if not begins else await lists.total(visit.workspace.id),
        page=page,
        pages=max(1, ceil(found.total / SIZE)),
        query={"q": text},
        who=await who_of(visit),
        problem=problem,
        wrong=() if gathered is None else gathered.wrong,
        wrong_count=0 if gathered is None else gathered.wrong_count,
        given={name: visit.form.text(name) for name in ("numbers", "reason")},
    )


async def add(visit: Visit) -> Response:
    """Never call the numbers that were pasted, or that the file has; none of them where one is wrong."""
    form, lists = visit.form, visit.site.parts.store.configuration.do_not_call
    try:
        gathered = await _gathered(visit)
    except UnreadableFile as error:
        return await show(visit, f"Nothing was added. {error.message}.")
    if gathered.wrong_count and not form.on("skip"):
        them = counted(gathered.wrong_count, "line is", "lines are")
        problem = f"Nothing was added: {them} no number that is clear."
        return await show(visit, problem, gathered)
    if not gathered.numbers:
        return await show(visit, "Nothing was added: there is no number.")
    try:
        updated = await lists.add(
            visit.workspace.id,
            gathered.numbers,
            visit.by,
            reason=form.text("reason"),
            source="" if visit.file is None else visit.file.name,
        )
    except InvalidInput as error:
        return await show(visit, complaint(error))
    told = [f"{counted(updated.changed, 'number')} added"]
    told += [f"{updated.unchanged} on the list already"] if updated.unchanged else []
    told += [f"{gathered.wrong_count} skipped"] if gathered.wrong_count else []
    return await visit.go(PATH, f"{', '.join(told)}.")


async def _gathered(visit: Visit) -> Gathered:
    country, file, board = visit.workspace.default_country, visit.file, visit.site.parts.switchboard
    if file is not None:
        upload = Upload(file.path, file.name)
        return await gather_file(upload, country, busy=lambda: board.active > 0)
    return await gather(enumerate(BETWEEN.split(visit.form.raw("numbers")), 1), country)


async def remove(visit: Visit) -> Response:
    """Let a number be called again."""
    lists = visit.site.parts.store.configuration.do_not_call
    e164 = visit.form.text("number")[:20]
    updated = await lists.remove(visit.workspace.id, [e164], visit.by)
    if not updated.changed:
        return await visit.go(PATH, "That number is not on the list.", "bad")
    return await visit.go(PATH, f"{e164} may be called again.", q=visit.form.text("q")[:64])


async def export(visit: Visit) -> Response:
    """The whole list as CSV."""
    store, name = visit.site.parts.store, f"do-not-call-{_day(visit.site.parts.now())}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    sheet = exported(store.configuration, visit.workspace.id)
    return StreamingResponse(sheet, media_type="text/csv; charset=utf-8", headers=headers)


def _day(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S}"


PAGES: Sequence[Page] = (
    get(PATH, show),
    upload(PATH, add),
    post(f"{PATH}/remove", remove),
    get(f"{PATH}/export.csv", export),
)
