"""A new batch: its file is uploaded, read, checked; then one goes ahead with the good rows, or mends it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from starlette.responses import Response

from gateway.batch.checking import Checked
from gateway.batch.columns import phone_column
from gateway.batch.failures import error_file
from gateway.batch.files.multipart import MAX_FILE_BYTES
from gateway.batch.files.opening import open_table
from gateway.batch.files.upload import Header, UnreadableFile, Upload
from gateway.batch.origin import origin_of
from gateway.batch.template import template_file
from gateway.batch.wish import BatchWish, checked_wish, wish_of
from gateway.store.engine.errors import InvalidInput, NotFound
from gateway.web.assignments import published
from gateway.web.csv_file import csv_file, lines_of
from gateway.web.failed_rows import RowPage, rows_page
from gateway.web.kept_files import KeptFile, Progress
from gateway.web.page import Page, Visit, complaint, get, post, upload
from gateway.web.pages.batches import draft_of

ACCEPT = ".csv,.tsv,.txt,.xlsx,.xls,text/csv"
FIRST_ROWS = 5
"Rows that the page of columns shows."
SEPARATORS = ("", "comma", "semicolon", "tab", "pipe")
ENCODINGS = (
    ("", "As found"),
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("windows-1252", "Windows-1252"),
    ("iso-8859-1", "Latin-1"),
)


async def show(visit: Visit, problem: str = "", given: Mapping[str, str] | None = None) -> Response:
    """The form: title, agent version, file; or another file for a draft that there is."""
    into = (given or {}).get("into") or visit.query.text("into")[:64]
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    chosen = visit.query.text("version")[:64]
    return visit.page(
        "batch_upload.html",
        "batches",
        400 if problem else 200,
        draft=await draft_of(visit, into) if into else None,
        versions=[(label.id, f"{label.agent_name} – version {label.number}") for label in published(labels)],
        given=given or {"title": "", "version": chosen},
        problem=problem,
        most=MAX_FILE_BYTES,
        accept=ACCEPT,
    )


async def receive(visit: Visit) -> Response:
    """Keep what was uploaded: for a new batch, for a draft, or in the place of a file that is here."""
    files, form = visit.site.parts.kept_files, visit.form
    before = form.text("kept")[:64]
    try:
        if visit.file is None:
            raise InvalidInput("file", None, "Choose a file first.", whole=True)
        old = files.get(before, visit.workspace.id) if before else None
        wish, into = (_unread(old.wish), old.into) if old is not None else await _wished(visit)
        kept = await files.keep(visit.workspace.id, visit.file, wish, into)
    except InvalidInput as error:
        return await _refused(visit, complaint(error), before)
    if old is not None:
        await files.drop(old)
    return await visit.go(_path(kept))


async def _refused(visit: Visit, problem: str, before: str) -> Response:
    """Say why nothing was kept: to the script a sentence, else the form again."""
    if visit.wants_part:
        return visit.site.html("problem.html", 400, visit=visit, problem=problem)
    if before:
        return await visit.go(f"/batches/files/{before}", problem, "bad")
    names = ("title", "version", "into")
    return await show(visit, problem, {name: visit.form.text(name)[:200] for name in names})


async def _wished(visit: Visit) -> tuple[BatchWish, str]:
    """What the batch is to be, and the draft that it goes into."""
    form = visit.form
    into = form.text("into")[:64]
    if into:
        return _unread(wish_of(await draft_of(visit, into))), into
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    label = labels.get(form.text("version"))
    if label is None:
        raise InvalidInput("version", None, "Choose an agent version.", whole=True)
    wish = BatchWish(title=form.text("title"), agent_id=label.agent_id, version_number=label.number)
    now = visit.site.parts.now()
    await origin_of(visit.site.parts.store.configuration, visit.workspace.id, checked_wish(wish, now), now)
    return wish, ""


def _unread(wish: BatchWish) -> BatchWish:
    """The wish for another file, which may have other columns."""
    return replace(wish, phone_column="", sheet="", separator="", encoding="")


async def kept_page(visit: Visit) -> Response:
    """Where a file is: read, being checked, found wanting, or become a batch."""
    kept = _own(visit)
    if kept.made:
        return await visit.go(f"/batches/{kept.made}")
    if kept.is_busy:
        return visit.page("batch_checking.html", "batches", **_work(visit, kept))
    if kept.checked is not None and not visit.query.on("columns"):
        return _result(visit, kept, kept.checked)
    return await _columns(visit, kept)


async def state(visit: Visit) -> Response:
    """How far the work on it is, for the script that keeps the page fresh."""
    kept = _own(visit)
    template = "batch_said.html" if visit.query.on("said") else "batch_working.html"
    return visit.part(template, **_work(visit, kept))


def _work(visit: Visit, kept: KeptFile) -> dict[str, Any]:
    go = "" if kept.is_busy else visit.url(_path(kept))
    return {"kept": kept, "path": _path(kept), "work": kept.progress or Progress(""), "go": go}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, and what is in it."""

    name: str
    values: Sequence[str]
    is_phone: bool
    is_zone: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What the file was read as."""

    header: Header
    rows: Sequence[Sequence[str]]
    phone: str
    "The column of the phone number; empty: it has to be chosen."

    @property
    def columns(self) -> list[Column]:
        """By the order of the file."""
        return [
            Column(
                name,
                [row[at] if at < len(row) else "" for row in self.rows],
                name == self.phone,
                name.lower() == "timezone",
            )
            for at, name in enumerate(self.header.names)
        ]


def _read(file: Upload, asked: Mapping[str, str], phone: str) -> Read:
    """The header and the first rows; `UnreadableFile` where it is no table."""
    table = open_table(file, **asked)
    try:
        rows = [row.cells for row in islice(table, FIRST_ROWS)]
    finally:
        table.close()
    header = table.header
    try:
        found = header.names[phone_column(header, phone)]
    except UnreadableFile:
        found = ""
    return Read(header, rows, found)


async def _columns(visit: Visit, kept: KeptFile) -> Response:
    """What the file was read as, with what can be chosen about it."""
    query, wish, problem, read = visit.query, kept.wish, kept.problem, None
    asked = {
        "sheet": query.raw("sheet")[:100] or wish.sheet,
        "separator": query.one_of("separator", SEPARATORS, wish.separator),
        "encoding": query.one_of("encoding", [name for name, _ in ENCODINGS], wish.encoding),
    }
    try:
        read = await asyncio.to_thread(_read, kept.upload, asked, wish.phone_column)
    except UnreadableFile as error:
        problem = problem or error.message
    return visit.page(
        "batch_columns.html",
        "batches",
        400 if problem else 200,
        kept=kept,
        path=_path(kept),
        problem=problem,
        header=None if read is None else read.header,
        columns=[] if read is None else read.columns,
        names=[] if read is None else [name for name in dict.fromkeys(read.header.names) if name],
        phone="" if read is None else read.phone,
        read=asked,
        sheets=[] if read is None else [(name, name) for name in read.header.sheets],
        separators=[(name, name or "As found") for name in SEPARATORS],
        encodings=ENCODINGS,
        is_workbook=kept.upload.name.lower().endswith((".xlsx", ".xls")),
        countries=_countries(visit),
        country=wish.default_country,
        size=kept.size,
        most=MAX_FILE_BYTES,
        accept=ACCEPT,
    )


def _countries(visit: Visit) -> list[tuple[str, str]]:
    names = {each.country.iso: each.country for each in visit.site.groups.of(visit.workspace)}
    by_name = sorted(names.values(), key=lambda country: country.name)
    known = [(one.iso, f"{one.name} (+{one.calling_code})") for one in by_name]
    usual = dict(known).get(visit.workspace.default_country or "")
    return [("", f"As in the settings: {usual}" if usual else "Cannot be called"), *known]


async def check(visit: Visit) -> Response:
    """Check every row, beside this request."""
    kept, form = _own(visit), visit.form
    kept.wish = replace(
        kept.wish,
        phone_column=form.raw("phone_column")[:1000],
        sheet=form.raw("sheet")[:100],
        separator=form.one_of("separator", SEPARATORS, ""),
        encoding=form.one_of("encoding", [name for name, _ in ENCODINGS], ""),
        default_country=form.text("default_country")[:2],
    )
    work = partial(_check, visit, kept)
    visit.site.parts.kept_files.begin(kept, "The rows are being checked", work)
    return await visit.go(_path(kept))


async def _check(visit: Visit, kept: KeptFile, progress: Progress) -> None:
    kept.forget()
    batches = visit.site.parts.batches
    checked = await batches.check(kept.workspace_id, kept.wish, kept.upload, progress.tell)
    kept.checked = checked
    if checked.report.good and not checked.report.failed:
        await _take_over(visit, kept, progress)


async def go(visit: Visit) -> Response:
    """Make a draft of the good rows, beside this request."""
    kept = _own(visit)
    if kept.checked is None:
        raise InvalidInput("file", None, "Check its rows first.", whole=True)
    work = partial(_take_over, visit, kept)
    visit.site.parts.kept_files.begin(kept, "The rows are being taken over", work)
    return await visit.go(_path(kept))


async def _take_over(visit: Visit, kept: KeptFile, progress: Progress) -> None:
    """The new rows are there as a whole before the old draft goes."""
    assert kept.checked is not None
    batches = visit.site.parts.batches
    progress.write(kept.checked.report.good)
    created = await batches.create(
        kept.workspace_id, kept.wish, kept.checked, visit.by, draft=True, skip_invalid=True
    )
    if kept.into:
        await batches.delete(kept.into, kept.workspace_id, visit.by)
    await visit.site.parts.kept_files.became(kept, created.batch.id)


def _result(visit: Visit, kept: KeptFile, checked: Checked) -> Response:
    """What is wrong with the file, grouped, and the choice."""
    report = checked.report
    return visit.page(
        "batch_result.html",
        "batches",
        kept=kept,
        path=_path(kept),
        report=report,
        groups=report.groups,
        read_as=f"Sheet {report.sheet}" if report.sheet else report.encoding,
        problem=kept.problem,
        most=MAX_FILE_BYTES,
        accept=ACCEPT,
    )


async def rows(visit: Visit) -> Response:
    """The rows of one group, paged."""
    kept = _own(visit)
    checked = _checked(kept)
    reason = visit.query.text("reason")[:64]
    group = next((each for each in checked.report.groups if each.reason == reason), None)
    if group is None:
        raise NotFound("reason", reason, "No row failed for this reason.", whole=True)
    page = RowPage.asked(visit, group.count)
    found = await asyncio.to_thread(lambda: list(islice(checked.failures(group.reason), *page.bounds)))
    return rows_page(visit, _path(kept), group.title, page, found, ("The file", _path(kept)))


async def errors(visit: Visit) -> Response:
    """The error file."""
    kept = _own(visit)
    return csv_file(lines_of(error_file(_checked(kept).failures())), f"{kept.wish.title}-errors")


def _checked(kept: KeptFile) -> Checked:
    if kept.checked is None:
        raise NotFound("file", kept.id, "Its rows are not checked yet.", whole=True)
    return kept.checked


async def drop(visit: Visit) -> Response:
    """Throw an upload away."""
    await visit.site.parts.kept_files.drop(_own(visit))
    return await visit.go("/batches", "The file is thrown away. Nothing was created.")


async def template(visit: Visit) -> Response:
    """A file with the columns that a version has parameters for."""
    agents = visit.site.parts.store.configuration.agents
    version = await agents.version(visit.query.text("version")[:64])
    agent = await agents.get(version.agent_id)
    visit.own("version", version.id, agent.workspace_id)
    lines = iter([template_file(name for name, _ in version.parameters)])
    return csv_file(lines_of(lines), f"{agent.name}-{version.number}-template")


def _own(visit: Visit) -> KeptFile:
    return visit.site.parts.kept_files.get(visit.path["id"], visit.workspace.id)


def _path(kept: KeptFile) -> str:
    return f"/batches/files/{kept.id}"


PAGES: tuple[Page, ...] = (
    get("/batches/new", show),
    upload("/batches/new", receive),
    get("/batches/template.csv", template),
    get("/batches/files/{id}", kept_page),
    get("/batches/files/{id}/state", state),
    post("/batches/files/{id}/check", check),
    post("/batches/files/{id}/go", go),
    post("/batches/files/{id}/drop", drop),
    get("/batches/files/{id}/rows", rows),
    get("/batches/files/{id}/errors.csv", errors),
)
