"""Batch calls on the dashboard: a file is uploaded, read, checked, mended; a draft is set and started."""

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import pytest

from gateway.routing.table import Workspace
from gateway.store.batches.values import Batch
from gateway.web.kept_files import MOST_OF_WORKSPACE
from tests.batch.files import workbook
from tests.call.world import World
from tests.web.conftest import Enter
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop

GOOD = "phone_number,name,timezone\n+442079460018,Anna,Europe/London\n+442079460019,Ben,\n"
MIXED = GOOD + "+19005550199,Cy,\nnobody,Di,\n020 7946 0018,Ed,\n,Flo,\n+442079460018,Gus,\n"


@pytest.fixture
async def version_id(world: World) -> str:
    """A published version with a number that it calls from, by a trunk that leads nowhere."""
    number = await world.way_out("127.0.0.1:9", parameters=(("name", "you"), ("city", "")))
    await world.change_trunk(flat_rate=Decimal("0.75"))
    assert number.outbound_version_id is not None
    return number.outbound_version_id


class Desk:
    """Somebody who makes batches."""

    def __init__(self, anna: Visitor, version_id: str, world: World) -> None:
        self.anna = anna
        self.version_id = version_id
        self.world = world

    async def send(
        self, content: str | bytes, name: str = "people.csv", *, script: bool = False, **form: str
    ) -> httpx2.Response:
        """The form of a new batch."""
        given = {"csrf": await self.anna.csrf(), "title": "Reminders", "version": self.version_id, **form}
        headers = {"origin": self.anna.origin} | ({"x-part": "1"} if script else {})
        raw = content.encode() if isinstance(content, str) else content
        files = {"file": (name, raw)}
        return await self.anna.http.post("/batches/new", data=given, files=files, headers=headers)

    async def upload(self, content: str | bytes, name: str = "people.csv", **form: str) -> str:
        """Where the file is looked at."""
        answer = await self.send(content, name, script=False, **form)
        assert answer.status_code == 303, text_of(answer.text)
        return answer.headers["location"].removeprefix("/dashboard")

    async def check(self, path: str, **form: str) -> str:
        """Check the rows, and wait for it: where that leads."""
        answer = await self.anna.post(f"{path}/check", {"phone_column": "phone_number", **form})
        assert answer.status_code == 303, text_of(answer.text)
        return await self.settled(path)

    async def settled(self, path: str) -> str:
        """Where a file leads when nothing is done with it any more."""
        async with asyncio.timeout(10):
            while "data-go" not in (await self.anna.get(f"{path}/state")).text:  # noqa: ASYNC110  as its page does
                await asyncio.sleep(0.01)
        answer = await self.anna.get(path)
        if answer.status_code != 303:
            return path
        return str(answer.headers["location"]).removeprefix("/dashboard")

    async def draft(self, content: str = GOOD, **form: str) -> str:
        """A draft; its address."""
        path = await self.check(await self.upload(content, **form))
        if path.startswith("/batches/files/"):
            await self.anna.post(f"{path}/go")
            path = await self.settled(path)
        assert path.startswith("/batches/batch_"), path
        return path

    async def batches(self) -> Sequence[Batch]:
        """All that there are, as people see them."""
        found, _ = await self.world.store.batches.page(self.world.workspace.id)
        return [batch for batch in found if batch.status != "deleted"]


@pytest.fixture
async def desk(world: World, anna: Visitor, version_id: str) -> Desk:
    """The way to a batch."""
    return Desk(anna, version_id, world)


async def test_nobody_has_made_one(anna: Visitor, desk: Desk) -> None:
    """The empty list leads to the form, which has the published versions and a template of each."""
    assert "No batch yet" in text_of((await anna.get("/batches")).text)
    form = (await anna.get("/batches/new")).text
    assert "Echo – version 1" in form
    template = await anna.get(f"/batches/template.csv?version={desk.version_id}")
    assert template.text == "phone_number,name,city\r\n"
    assert 'filename="Echo-1-template.csv"' in template.headers["content-disposition"]
    assert (await anna.get("/batches/template.csv?version=ver_none")).status_code == 404


async def test_a_file_is_looked_at_before_anything_is_made(desk: Desk) -> None:
    """Its columns with what stands in the first rows; the phone column is found; read otherwise on demand."""
    path = await desk.upload("Nom;Téléphone;timezone\nZoé;+33123456789;Europe/Paris\n".encode("cp1252"))
    page = text_of((await desk.anna.get(path)).text)
    assert "Téléphone variable +33123456789" in page
    assert "timezone variable, time zone Europe/Paris" in page
    assert "Read as: Windows-1252" in page
    assert "Read as: semicolon" in page
    assert '<option value="">Choose it</option>' in (await desk.anna.get(path)).text
    other = text_of((await desk.anna.get(f"{path}?separator=comma")).text)
    assert "1 column" in other
    path = await desk.upload(GOOD)
    assert "phone_number phone number +442079460018 · +442079460019" in text_of(
        (await desk.anna.get(path)).text
    )
    assert await desk.batches() == []


async def test_good_rows_become_a_draft(desk: Desk, world: World) -> None:
    """Nothing is wrong: the draft is there at once, with its first rows, its numbers and what it may cost."""
    path = await desk.draft()
    page = text_of((await desk.anna.get(path)).text)
    for told in (
        "Reminders",
        "Will be called 2",
        "Left out 0",
        "at most ₹",
        "+44 20 7946 0018",
        "name : Anna",
    ):
        assert told in page, told
    (batch,) = await desk.batches()
    assert (batch.status, batch.total, batch.file_name) == ("draft", 2, "people.csv")
    assert batch.created_by == "web:anna@example.com"
    listed = text_of((await desk.anna.get("/batches")).text)
    assert "Reminders Echo / 1 · people.csv draft 0 of 2" in listed


async def test_bad_rows_are_grouped(desk: Desk, world: World) -> None:
    """Each reason with its rows, all of them a click away, and as a file; nothing is made of them."""
    path = await desk.check(await desk.upload(MIXED))
    page = text_of((await desk.anna.get(path)).text)
    assert "5 of 7 rows cannot be called" in page
    for title in ("Invalid phone number", "Premium-rate number", "No phone number", "Duplicate phone number"):
        assert title in page, title
    assert await desk.batches() == []
    rows = text_of((await desk.anna.get(f"{path}/rows?reason=duplicate")).text)
    assert "8 +442079460018" in rows
    part = await desk.anna.get(f"{path}/rows?reason=duplicate", **{"x-part": "1"})
    assert "<html" not in part.text
    assert "+442079460018" in part.text
    assert (await desk.anna.get(f"{path}/rows?reason=none")).status_code == 404
    errors = list(csv.DictReader(io.StringIO((await desk.anna.get(f"{path}/errors.csv")).text)))
    assert [row["position"] for row in errors] == ["4", "5", "6", "7", "8"]
    assert errors[1]["failed_parsing_reason"].startswith("Invalid phone number")


async def test_going_ahead_with_the_good_rows(desk: Desk) -> None:
    """The draft has the good ones, and tells of the others with their rows and their file."""
    path = await desk.draft(MIXED)
    page = text_of((await desk.anna.get(path)).text)
    assert "Will be called 2" in page
    assert "5 rows left out" in page
    assert "Premium-rate number" in page
    rows = text_of((await desk.anna.get(f"{path}/rows?reason=invalid_phone_number")).text)
    assert "5 nobody" in rows
    errors = (await desk.anna.get(f"{path}/errors.csv")).text
    assert len(errors.splitlines()) == 6


async def test_mending_the_file(desk: Desk) -> None:
    """The mended file takes the place of the first, with the same title; what was read is thrown away."""
    path = await desk.check(await desk.upload(MIXED))
    file_id = path.rpartition("/")[2]
    mended = await desk.upload(GOOD, "mended.csv", kept=file_id)
    assert (await desk.anna.get(path)).status_code == 404
    draft = await desk.check(mended)
    (batch,) = await desk.batches()
    assert draft == f"/batches/{batch.id}"
    assert (batch.title, batch.file_name) == ("Reminders", "mended.csv")


async def test_another_file_for_a_draft(desk: Desk) -> None:
    """The rows are others, the settings stay, and there is still one draft."""
    path = await desk.draft()
    form = {"title": "Reminders", "timezone": "Asia/Kolkata", "retries": "2", "minutes": "90"}
    assert (await desk.anna.post(path, form)).status_code == 303
    batch_id = path.rpartition("/")[2]
    page = (await desk.anna.get(f"/batches/new?into={batch_id}")).text
    assert "The rows of Reminders are replaced" in text_of(page).replace(" .", ".")
    fresh = await desk.check(
        await desk.upload("phone\n+442079460099\n", "more.csv", into=batch_id), phone_column="phone"
    )
    (batch,) = await desk.batches()
    assert fresh == f"/batches/{batch.id}"
    assert (batch.total, batch.file_name, batch.timezone) == (1, "more.csv", "Asia/Kolkata")
    assert batch.retry["seconds"] == 5400


WRONG_FILES: list[tuple[dict[str, str], str | bytes, str]] = [
    ({"title": "x" * 42}, GOOD, "title must be 35 characters or fewer (received 42)"),
    ({"title": ""}, GOOD, "title must have 1 to 35 characters"),
    ({"version": "ver_none"}, GOOD, "Choose an agent version"),
    ({"into": f"batch_{'0' * 26}"}, GOOD, "Batch call not found"),
    ({"kept": "file_none"}, GOOD, "not here any more"),
]


async def test_what_is_not_taken(desk: Desk, subtests: pytest.Subtests) -> None:
    """The form says why and keeps what was typed; to the page's script it is one sentence."""
    for form, content, said in WRONG_FILES:
        with subtests.test(said):
            answer = await desk.send(content, script=True, **form)
            assert (answer.status_code, "<html" in answer.text) == (400, False)
            assert said in text_of(answer.text)
    plain = await desk.send(GOOD, title="x" * 42)
    assert plain.status_code == 400
    assert f'value="{"x" * 42}"' in plain.text
    nothing = await desk.anna.post("/batches/new", {"title": "A", "version": desk.version_id})
    assert "Choose a file first" in text_of(nothing.text)
    assert await desk.batches() == []


UNREADABLE: list[tuple[str | bytes, str]] = [
    (b"", "There is nothing in “people.csv”"),
    (b"%PDF-1.7 binary \x00\x01", "File must be a CSV or Excel file"),
    ("phone_number,name\n", "no rows"),
]


async def test_files_that_are_no_tables(desk: Desk, subtests: pytest.Subtests) -> None:
    """What they are, and what would be right; and another file can take their place."""
    for content, said in UNREADABLE:
        with subtests.test(said):
            path = await desk.upload(content)
            answer = await desk.anna.get(path)
            if answer.status_code == 200:
                await desk.check(path)
                answer = await desk.anna.get(path)
            assert answer.status_code == 400
            assert said in text_of(answer.text)
            assert "Another file in its place" in answer.text
            await desk.anna.post(f"{path}/drop")
    path = await desk.check(await desk.upload("a,b\n1,2\n"), phone_column="")
    assert "must include a phone_number column" in text_of((await desk.anna.get(path)).text)
    assert await desk.batches() == []


async def test_not_one_good_row(desk: Desk) -> None:
    """There is nothing to go ahead with, and going all the same makes nothing."""
    path = await desk.check(await desk.upload("phone_number\nnobody\n"))
    page = text_of((await desk.anna.get(path)).text)
    assert "1 of 1 rows cannot be called" in page
    assert "nothing to go ahead with" in page
    await desk.anna.post(f"{path}/go")
    assert await desk.settled(path) == path
    assert await desk.batches() == []


async def test_how_it_is_to_call(desk: Desk) -> None:
    """The form keeps all that it asks, in the batch's own time zone, and shows it again."""
    path = await desk.draft()
    form = {
        "title": "Autumn",
        "timezone": "asia/kolkata",
        "starts_at": "2035-12-01T09:00",
        "ends_at": "2035-12-02T18:30",
        "hours": "on",
        "hours_start": "10:00",
        "hours_end": "19:30",
        "weekdays": ["1", "6"],
        "holidays": "2035-12-25, 2036-01-01",
        "hours_by": "callee",
        "retries": "3",
        "minutes": "30",
        "growth": "2",
        "outcomes": ["busy", "voicemail"],
        "max_concurrent": "7",
        "per_day": "2",
        "when_uncertain": "dial_again",
    }
    assert (await desk.anna.post(path, form)).status_code == 303
    (batch,) = await desk.batches()
    assert batch.starts_at == datetime(2035, 12, 1, 3, 30, tzinfo=UTC)
    assert batch.ends_at == datetime(2035, 12, 2, 13, 0, tzinfo=UTC)
    assert batch.hours is not None
    assert (batch.hours["starts"], batch.hours["weekdays"], batch.hours["by"]) == (
        "10:00:00",
        [1, 6],
        "callee",
    )
    assert (batch.retry["most"], batch.retry["growth"]) == (3, 2.0)
    assert (batch.max_concurrent, batch.most_per_callee_per_day) == (7, 2)
    assert batch.when_uncertain == "dial_again"
    page = (await desk.anna.get(path)).text
    for shown in ('value="Autumn"', 'value="2035-12-01T09:00"', 'value="19:30"', "2035-12-25, 2036-01-01"):
        assert shown in page, shown
    assert re.search(r'value="6" checked', page)


WRONG_SETTINGS = (
    ({"timezone": "Mars"}, "Time zone “Mars”"),
    ({"starts_at": "soon"}, "Start “soon” should be a day and a time"),
    ({"ends_at": "2001-01-01T00:00"}, "End"),
    ({"hours": "on", "hours_start": "dawn", "hours_end": "dusk"}, "should be a time such as 09:00"),
    ({"hours": "on", "hours_start": "09:00", "hours_end": "18:00", "holidays": "Xmas"}, "Xmas"),
    ({"retries": "1", "minutes": "0"}, "Minutes between"),
    ({"max_concurrent": "many"}, "Calls at once “many” should be a whole number"),
    ({"title": "x" * 36}, "title must be 35 characters or fewer"),
    ({"from": "+15005550006"}, "must be a number that this workspace owns"),
)


async def test_settings_that_cannot_be(desk: Desk, subtests: pytest.Subtests) -> None:
    """Each is named with what would be right, what was typed stays, and nothing is kept."""
    path = await desk.draft()
    (before,) = await desk.batches()
    for form, said in WRONG_SETTINGS:
        with subtests.test(said):
            given = {"title": "Other", "timezone": "UTC", "retries": "0", "minutes": "60", **form}
            answer = await desk.anna.post(path, given)
            assert answer.status_code == 400
            assert said in text_of(answer.text)
            assert f'value="{given["title"]}"' in answer.text
    assert await desk.batches() == [before]


async def test_what_can_be_done_with_it(desk: Desk) -> None:
    """A draft is deleted; what is scheduled waits for its time, is paused, and cancelled for good."""
    path = await desk.draft()
    assert (await desk.anna.post(f"{path}/pause")).status_code == 400
    later = {"title": "Later", "timezone": "UTC", "starts_at": "2035-12-01T09:00", "start": "yes"}
    assert (await desk.anna.post(path, later)).status_code == 303
    page = text_of((await desk.anna.get(path)).text)
    assert "starts by itself when its time comes" in page
    assert "Start or schedule" not in page
    other = {**later, "title": "Later still", "starts_at": "2035-12-02T09:00"}
    assert (await desk.anna.post(path, other)).status_code == 303
    (batch,) = await desk.batches()
    assert (batch.status, batch.title) == ("scheduled", "Later still")
    await desk.anna.post(f"{path}/pause")
    page = text_of((await desk.anna.get(path)).text)
    assert "Paused: no new call is placed." in page
    assert "Resume" in page
    await desk.anna.post(f"{path}/cancel")
    page = text_of((await desk.anna.get(path)).text)
    assert "Cancelled for good" in page
    assert "Resume" not in page
    assert (await desk.anna.post(f"{path}/delete")).status_code == 400
    draft = await desk.draft(title="Second")
    gone = await desk.anna.post(f"{draft}/delete")
    assert gone.headers["location"] == "/dashboard/batches"
    assert [batch.title for batch in await desk.batches()] == ["Later still"]


async def test_others_see_nothing_of_it(desk: Desk, world: World, enter: Enter, other: Workspace) -> None:
    """Neither batches nor files of another workspace are listed, shown, changed or downloaded."""
    draft = await desk.draft()
    path = await desk.check(await desk.upload(MIXED, title="Secret"))
    stranger = await enter("eve@example.com", other)
    assert "No batch yet" in text_of((await stranger.get("/batches")).text)
    for page in (
        "",
        "/live",
        "/said",
        "/recipients",
        "/charts",
        "/rows?reason=duplicate",
        "/errors.csv",
        "/results.csv",
    ):
        assert (await stranger.get(draft + page)).status_code == 404, page
    for page in ("", "/state", "/rows?reason=duplicate", "/errors.csv"):
        assert (await stranger.get(path + page)).status_code == 404, page
    for deed in ("", "/pause", "/resume", "/cancel", "/delete"):
        assert (await stranger.post(draft + deed, {"title": "X"})).status_code == 404, deed
    for deed in ("/check", "/go", "/drop"):
        assert (await stranger.post(path + deed)).status_code == 404, deed
    assert (await desk.anna.get(path)).status_code == 200
    assert [batch.title for batch in await desk.batches()] == ["Reminders"]


async def test_what_a_file_is_called_is_text(desk: Desk) -> None:
    """Markup, quotes and line breaks in names and cells are shown as they are, and break no header."""
    name = '../../<script>alert(1)</script>".csv'
    hostile = 'phone_number,<b>name</b>\n+442079460018,"=HYPERLINK(""x"")<i>"\n+44<u>,x\n'
    path = await desk.check(await desk.upload(hostile, name, title='<b>"q"</b>'))
    for page in (path, f"{path}?columns=yes", f"{path}/rows?reason=invalid_phone_number", "/batches"):
        text = (await desk.anna.get(page)).text
        assert not re.search(r"<script>alert|<b>name|<i>|<u>", text), page
    errors = await desk.anna.get(f"{path}/errors.csv")
    assert errors.headers["content-disposition"].startswith('attachment; filename="b-q-b--errors.csv"')


async def test_few_files_are_kept(desk: Desk, world: World) -> None:
    """The oldest goes where there are too many; what is thrown away leaves nothing on the disk."""
    paths = [await desk.upload(GOOD) for _ in range(MOST_OF_WORKSPACE + 1)]
    assert (await desk.anna.get(paths[0])).status_code == 404
    folders = list(world.config.kept_folder.iterdir())
    assert len(folders) == MOST_OF_WORKSPACE
    for path in paths[1:]:
        await desk.anna.post(f"{path}/drop")
    assert list(world.config.kept_folder.iterdir()) == []


async def test_a_file_that_is_being_checked(desk: Desk, world: World) -> None:
    """The page says how far it is, without a script too; thrown away in the middle nothing stays."""
    many = "phone_number\n" + "".join(f"+4420{70_000_000 + at}\n" for at in range(500_000))
    path = await desk.upload(many)
    await desk.anna.post(f"{path}/check", {"phone_column": "phone_number"})
    page = (await desk.anna.get(path)).text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert '<progress max="100"' in page
    assert "rows so far" in text_of((await desk.anna.get(f"{path}/state?said=yes")).text)
    assert (await desk.anna.post(f"{path}/check")).status_code == 409
    assert "the rows are being checked" in text_of((await desk.anna.get("/batches")).text)
    await desk.anna.post(f"{path}/drop")
    assert list(world.config.kept_folder.iterdir()) == []
    assert await desk.batches() == []


async def test_local_numbers(desk: Desk, world: World) -> None:
    """They are numbers of the country that is chosen, else of the workspace's own, and the page says so."""
    local = "phone_number\n020 7946 0018\n"
    path = await desk.upload(local)
    assert "Cannot be called" in text_of((await desk.anna.get(path)).text)
    draft = await desk.check(path, default_country="GB")
    assert "written 020 7946 0018" in text_of((await desk.anna.get(draft)).text)
    book = world.gateway.store.configuration.workspaces
    await book.change(world.workspace.id, {"default_country": "GB"}, "test")
    path = await desk.upload(local)
    assert "As in the settings: United Kingdom (+44)" in text_of((await desk.anna.get(path)).text)
    assert "+44 20 7946 0018" in text_of((await desk.anna.get(await desk.check(path))).text)


async def test_a_page_that_was_left_leads_to_the_draft(desk: Desk, world: World) -> None:
    """Whoever comes back to the file finds the batch that it became; nothing of it is kept."""
    path = await desk.upload(GOOD)
    draft = await desk.check(path)
    again = await desk.anna.get(path)
    assert again.headers["location"] == f"/dashboard{draft}"
    assert list(world.config.kept_folder.iterdir()) == []
    assert "Uploaded, and no batch yet" not in text_of((await desk.anna.get("/batches")).text)


async def test_sheets_of_a_workbook(desk: Desk) -> None:
    """The sheet with the numbers is found; another one can be chosen, and is the one that is checked."""
    number = ["+442079460018"]
    book = workbook({"Notes": [["hello"]], "June": [["phone"], number], "July": [["phone"], number, [7]]})
    path = await desk.upload(book, "people.xlsx")
    page = (await desk.anna.get(path)).text
    assert '<option value="June"' in page
    assert "Separator" not in page
    assert "phone phone number +442079460018 · 7" in text_of((await desk.anna.get(f"{path}?sheet=July")).text)
    checked = await desk.check(path, sheet="July", phone_column="phone")
    assert "1 of 2 rows cannot be called" in text_of((await desk.anna.get(checked)).text)
    assert "Sheet July" in text_of((await desk.anna.get(checked)).text)
