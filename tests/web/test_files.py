"""Forms that bring a file: who may send one, and what the page that takes it gets."""

import httpx2
import pytest
from starlette.responses import PlainTextResponse, Response

from gateway.web import dashboard
from gateway.web.page import Visit, upload
from tests.call.world import World
from tests.web.visitor import Visitor

pytestmark = pytest.mark.one_loop


async def told(visit: Visit) -> Response:
    """What came."""
    sent = visit.file
    what = "nothing" if sent is None else f"{sent.name} {sent.size} {sent.path.read_bytes().decode()}"
    return PlainTextResponse(f"{visit.form.text('title')}: {what}")


@pytest.fixture(autouse=True)
def taking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes a file, where a large one may come."""
    monkeypatch.setattr(dashboard, "PAGES", (upload("/batches/new", told), *dashboard.PAGES))


async def send(anna: Visitor, name: str, content: bytes, csrf: str = "", **headers: str) -> httpx2.Response:
    """A form with a file, as a browser sends it."""
    form = {"csrf": csrf or await anna.csrf(), "title": "Reminders"}
    given = {"origin": anna.origin, **headers}
    return await anna.http.post("/batches/new", data=form, files={"file": (name, content)}, headers=given)


def left(world: World) -> list[str]:
    """What lies on the disk of what was sent."""
    return [path.name for path in world.config.upload_folder.iterdir()]


async def test_a_file_comes_with_its_form(world: World, anna: Visitor) -> None:
    """The page gets both, whatever the file is called; when it has answered, the file is gone."""
    answer = await send(anna, "../../<b>.csv", b"phone_number")
    assert answer.text == "Reminders: <b>.csv 12 phone_number"
    without = await anna.post("/batches/new", {"title": "Reminders"})
    assert without.text == "Reminders: nothing"
    assert left(world) == []


async def test_forged_files(world: World, anna: Visitor) -> None:
    """Without the session's token, or from elsewhere, no page gets the file, and none stays."""
    assert (await send(anna, "a.csv", b"x", csrf="forged")).status_code == 403
    assert (await send(anna, "a.csv", b"x", origin="https://evil.example")).status_code == 403
    assert left(world) == []


async def test_what_cannot_be_taken(world: World, anna: Visitor) -> None:
    """Too large, no form: the page says what is right, and to a script the sentence alone."""
    large = await send(anna, "a.csv", b"x" * (10 * 1024 * 1024 + 1))
    assert large.status_code == 400
    assert "at most 10 MB" in large.text
    assert "<h1>" in large.text
    told = await send(anna, "a.csv", b"x" * (10 * 1024 * 1024 + 1), **{"x-part": "1"})
    assert "at most 10 MB" in told.text
    assert "<html" not in told.text
    headers = {"origin": anna.origin, "content-type": "multipart/form-data; boundary=x"}
    broken = await anna.http.post("/batches/new", content=b"no part at all", headers=headers)
    assert broken.status_code == 400
    assert left(world) == []
