"""Call history, the calls that go on now, and their export."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from starlette.responses import Response, StreamingResponse

from gateway.api.shapes.call_query import numbers_in
from gateway.call.record import EndReason, Status
from gateway.events.call_sheet import Rows, call_sheet
from gateway.routing.decision import Reason
from gateway.routing.typed import cleaned
from gateway.store.configuration.fields import moment
from gateway.store.records.calls import MAX_PAGE, CallFilter, CallRow, Category, Cursor
from gateway.web import words
from gateway.web.page import Page, Visit, get, post, safe_path

SIZE = 50
MOST_EXPORTED = 10_000
LIVE_SHOWN = 50

SORTS = (
    ("newest", "Newest first"),
    ("oldest", "Oldest first"),
    ("longest", "Longest first"),
    ("shortest", "Shortest first"),
)
COLUMNS = (
    "id",
    "type",
    "call_direction",
    "status",
    "from_number",
    "to_number",
    "agent_id",
    "agent_version_number",
    "created_at",
    "answered_at",
    "ended_at",
    "duration_ms",
    "end_reason",
    "ended_by",
    "sip_status",
    "price",
    "currency",
    "rate",
    "rate_prefix",
    "batch_call_id",
    "category",
    "category_id",
)
TEXTS = (
    "from",
    "to",
    "id",
    "batch",
    "category",
    "category_id",
    "number",
    "agent",
    "status",
    "reason",
    "direction",
    "type",
    "start",
    "end",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query of the list asks for."""

    which: CallFilter
    query: dict[str, str]
    "The query as links repeat it."
    is_filtered: bool
    problem: str = ""


async def table(visit: Visit) -> Response:
    """The page."""
    store = visit.site.parts.store
    asked = _asked(visit)
    asked = replace(asked, which=await store.narrowed(asked.which))
    page = await store.list_calls(
        replace(asked.which, after=_cursor(visit.query.text("after"), asked.which.sort))
    )
    labels = await store.number_list.labels(visit.workspace.id)
    agents = {label.agent_id: label.agent_name for label in labels.values()}
    return visit.page(
        "calls.html",
        "calls",
        calls=page.calls,
        labels=labels,
        live=await live_calls(visit),
        query=asked.query,
        problem=asked.problem,
        is_filtered=asked.is_filtered,
        is_first=not visit.query.text("after"),
        next=None if page.next is None else _written(page.next),
        statuses=[("", "Any"), *((status.value, words.say(status.value)) for status in Status)],
        reasons=[("", "Any"), *((reason, words.say(reason)) for reason in _REASONS)],
        agents=[("", "Any"), *agents.items()],
        sorts=SORTS,
        categories=[("", "Any"), *((str(each), str(each)) for each in Category)],
    )


_REASONS = tuple(
    dict.fromkeys([*(reason.value for reason in EndReason), *(reason.value for reason in Reason)])
)


async def live(visit: Visit) -> Response:
    """The running calls alone, for the script that keeps them fresh."""
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    return visit.part("live.html", live=await live_calls(visit), labels=labels)


async def live_calls(visit: Visit, batch_id: str = "") -> list[CallRow]:
    """The running calls of the workspace, or of a batch of it, the newest first.

    Ours as they stand, those of other gateways by the database.
    """
    here = {
        record.id: record.row()
        for record in visit.site.parts.switchboard.running()
        if record.workspace_id == visit.workspace.id and batch_id in ("", record.batch_id)
    }
    batches = (batch_id,) if batch_id else ()
    open_ones = CallFilter(visit.workspace.id, batch_ids=batches, open=True, limit=MAX_PAGE, whole=False)
    instance = visit.site.parts.config.gateway.name
    for row in (await visit.site.parts.store.list_calls(open_ones)).calls:
        if row.instance != instance:
            here.setdefault(row.id, row)
    return sorted(here.values(), key=lambda row: row.created_at, reverse=True)[:LIVE_SHOWN]


async def hang_up(visit: Visit) -> Response:
    """End a running call."""
    call_id = visit.path["id"]
    running = {record.id: record for record in visit.site.parts.switchboard.running()}
    record = running.get(call_id)
    if record is None:
        row = await visit.site.parts.store.get_call(call_id)
        visit.own("call", call_id, None if row is None else row.workspace_id)
        say = "That call is over, or runs on another gateway."
        return await visit.go("/calls", say, "bad")
    visit.own("call", call_id, record.workspace_id)
    visit.site.parts.switchboard.hang_up(call_id, visit.by)
    return await visit.go(_back(visit), "The call is being ended.")


def _back(visit: Visit) -> str:
    return (
        f"/calls/{visit.path['id']}"
        if visit.form.text("from") == "call"
        else safe_path(visit.form.text("back") or "/calls")
    )


async def export(visit: Visit) -> Response:
    """The filtered list as CSV."""
    store = visit.site.parts.store
    sheet = call_sheet(store, await store.narrowed(_asked(visit).which), COLUMNS, MOST_EXPORTED, _rows)
    name = f"calls-{visit.site.parts.now():%Y%m%d-%H%M%S}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(sheet, media_type="text/csv; charset=utf-8", headers=headers)


async def _rows(calls: Sequence[CallRow]) -> Rows:
    return map(_cells, calls)


def _cells(row: CallRow) -> Sequence[object]:
    return (
        row.id,
        row.type,
        row.direction,
        row.status,
        row.from_number,
        row.to_number,
        row.agent_id,
        row.version_number,
        _iso(row.created_at),
        _iso(row.answered_at),
        _iso(row.ended_at),
        row.duration_ms,
        row.end_reason,
        row.ended_by,
        row.sip_status,
        row.price,
        row.currency,
        row.rate,
        row.rate_prefix,
        row.batch_id,
        row.category,
        row.category_id,
    )


def _iso(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _asked(visit: Visit) -> Asked:
    form = visit.query
    query = {name: form.text(name)[:100] for name in TEXTS}
    query["sort"] = form.one_of("sort", [name for name, _ in SORTS], "newest")
    query["least"], query["most"] = form.text("least")[:6], form.text("most")[:6]
    is_filtered = any(value for name, value in query.items() if name != "sort")
    sort = query["sort"]
    which = CallFilter(
        workspace_id=visit.workspace.id,
        ids=_several(query["id"]),
        agent_ids=_several(query["agent"]),
        batch_ids=_several(query["batch"]),
        categories=_several(query["category"]),
        category_ids=_several(query["category_id"]),
        number_ids=_several(query["number"]),
        from_parts=_parts(query["from"]),
        to_parts=_parts(query["to"]),
        statuses=_several(query["status"]),
        end_reasons=_several(query["reason"]),
        direction=form.one_of("direction", ("inbound", "outbound"), "") or None,
        type=form.one_of("type", ("phone", "web"), "") or None,
        created_from=_day(query["start"]),
        created_before=_day(query["end"], timedelta(days=1)),
        min_duration_ms=_milliseconds(query["least"]),
        max_duration_ms=_milliseconds(query["most"]),
        sort="duration" if sort in ("longest", "shortest") else "created_at",
        descending=sort in ("newest", "longest"),
        limit=SIZE,
        whole=False,
    )
    problem = next(
        (f"{name} is no day such as 2026-12-31" for name in ("start", "end") if _is_wrong(query[name])), ""
    )
    return Asked(which, query, is_filtered, problem)


def _several(given: str) -> tuple[str, ...]:
    """A list separated by commas, as the reference's filters are."""
    return tuple(part.strip() for part in given.split(",") if part.strip())[:50]


def _parts(given: str) -> tuple[str, ...]:
    """What a number or a name may have in it, for each that was typed: whole or in part, in any writing."""
    found: list[str] = []
    for part in _several(given):
        plain = cleaned(part).replace("(0)", "")
        digits = "".join(filter(str.isdecimal, plain))
        if any(map(str.isalpha, plain)) or not digits:
            found.append(plain)
            continue
        # A plus, an access code and a national zero are no part of what is kept.
        own = (digits, digits.removeprefix("00"), digits.removeprefix("0"))
        found += [*numbers_in((plain,)), *own]
    return tuple(dict.fromkeys(filter(None, found)))


def _day(given: str, after: timedelta = timedelta()) -> datetime | None:
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC) + after
    except (ValueError, OverflowError):
        # OverflowError: the day after the last that there is, before which all calls are.
        return None


def _is_wrong(given: str) -> bool:
    return bool(given) and _day(given) is None


def _milliseconds(seconds: str) -> int | None:
    """A length of time; one that no call can have, for one that is longer still."""
    return int(seconds[:10]) * 1000 if seconds.isascii() and seconds.isdecimal() else None


def _written(cursor: Cursor) -> str:
    value = cursor.value
    return f"{value.isoformat() if isinstance(value, datetime) else value}~{cursor.id}"


def _cursor(given: str, sort: str) -> Cursor | None:
    """Where a page that is sorted so ended; None for what such a page never ends with."""
    value, tilde, call_id = given.partition("~")
    if not tilde or len(given) > 200:
        return None
    if sort == "duration":
        ended = value.isascii() and value.isdecimal()
        return Cursor(min(int(value), 2**53), call_id) if ended else None
    try:
        return Cursor(moment(value), call_id)
    except ValueError:
        return None


PAGES: tuple[Page, ...] = (
    get("/calls", table),
    get("/calls/live", live),
    get("/calls/export.csv", export),
    post("/calls/{id}/hangup", hang_up),
)
