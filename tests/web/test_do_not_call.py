"""The do-not-call list on the dashboard: added by hand or by a file, found, taken off."""

import httpx2
import pytest

from gateway.routing.table import Workspace
from tests.call.world import World
from tests.web.conftest import Enter
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop

PATH = "/telephony/do-not-call"
ANNA, BORIS = "+442079460001", "+442079460002"


async def send(visitor: Visitor, fields: dict[str, str], file: bytes | None = None) -> httpx2.Response:
    """The form, as a browser sends it."""
    form = {"csrf": await visitor.csrf(), "numbers": "", "reason": "", **fields}
    files = {"file": ("" if file is None else "old list.csv", file or b"")}
    return await visitor.http.post(PATH, data=form, files=files, headers={"origin": visitor.origin})


async def test_added_found_and_removed(world: World, anna: Visitor) -> None:
    """By hand in any writing; the page says how many, who, when and why, and a number comes off again."""
    assert "Every number may be called" in text_of((await anna.get(PATH)).text)
    answer = await send(anna, {"numbers": f"+44 20 7946 0001, {ANNA}\n{BORIS}", "reason": "asked us"})
    assert answer.status_code == 303
    text = text_of((await anna.get(PATH)).text)
    assert "2 numbers added." in text
    assert "asked us" in text
    assert "by anna@example.com" in text
    assert "On the list 2" in text_of((await anna.get("/telephony")).text)
    assert BORIS in (await anna.get(f"{PATH}?q=%2B44+20+7946+0002")).text
    assert "No number fits" in text_of((await anna.get(f"{PATH}?q=555")).text)
    sheet = (await anna.get(f"{PATH}/export.csv")).text
    assert sheet.splitlines()[1].startswith(f"{ANNA},asked us,web:anna@example.com,")
    answer = await anna.post(f"{PATH}/remove", {"number": ANNA, "q": "+44"})
    assert answer.headers["location"].endswith("q=%2B44")
    assert f"{ANNA} may be called again." in text_of((await anna.get(PATH)).text)
    await anna.post(f"{PATH}/remove", {"number": ANNA})
    assert "That number is not on the list." in text_of((await anna.get(PATH)).text)
    lists = world.gateway.store.configuration.do_not_call
    assert await lists.total(world.workspace.id) == 1
    settings = text_of((await anna.get("/settings")).text)
    assert "put 2 numbers on the do-not-call list" in settings
    assert f"took {ANNA} off the do-not-call list" in settings


async def test_a_file_is_taken_whole_or_not_at_all(world: World, anna: Visitor) -> None:
    """What is wrong is told by its line, and nothing is added; skipped where that is asked for."""
    lists = world.gateway.store.configuration.do_not_call
    file = f"name,phone_number\nAnna,{ANNA}\nNobody,<b>x</b>\nBoris,98765 43210\n".encode()
    answer = await send(anna, {"reason": "kept <b>"}, file)
    assert answer.status_code == 400
    text = text_of(answer.text)
    assert "Nothing was added: 2 lines are no number that is clear." in text
    assert "3 <b>x</b>" in text
    assert "4 98765 43210" in text
    assert 'value="kept &lt;b&gt;"' in answer.text
    assert await lists.total(world.workspace.id) == 0
    assert (await send(anna, {"skip": "on"}, file)).status_code == 303
    assert "1 number added, 2 skipped." in text_of((await anna.get(PATH)).text)
    await anna.post("/settings", {"name": "Demo", "timezone": "asia/kolkata", "default_country": "IN"})
    assert (await send(anna, {}, b"phone_number\n98765 43210\n")).status_code == 303
    assert await lists.contains(world.workspace.id, "+919876543210")
    text = text_of((await send(anna, {}, b"a,b\n1,2\n")).text)
    assert "Nothing was added. The uploaded file must include a phone_number column" in text
    for empty in ({"numbers": " "}, {"numbers": "\n,;\n"}):
        assert "there is no number" in text_of((await send(anna, empty)).text)
    assert (await send(anna, {"numbers": ANNA, "reason": "x" * 201})).status_code == 400


async def test_settings_of_the_workspace(world: World, anna: Visitor) -> None:
    """Time zone and country are shown, changed, told in the history, and refused where they are none."""
    page = await anna.get("/settings")
    assert 'value="UTC" list="zones"' in page.text
    await anna.post("/settings", {"name": "Demo", "timezone": "Asia/Kolkata", "default_country": "IN"})
    found = await world.gateway.store.configuration.workspaces.get(world.workspace.id)
    assert (found.timezone, found.default_country) == ("Asia/Kolkata", "IN")
    text = text_of((await anna.get("/settings")).text)
    assert "timezone UTC → Asia/Kolkata" in text
    wrong = await anna.post("/settings", {"name": "Demo", "timezone": "Kolkata", "default_country": "IN"})
    assert wrong.status_code == 400
    assert "did you mean Asia/Kolkata?" in text_of(wrong.text)
    assert (await anna.post("/settings", {"name": "Other name"})).status_code == 303
    found = await world.gateway.store.configuration.workspaces.get(world.workspace.id)
    assert (found.name, found.timezone, found.default_country) == ("Other name", "Asia/Kolkata", "IN")


async def test_another_workspaces_list(world: World, anna: Visitor, other: Workspace, enter: Enter) -> None:
    """It is not seen, and cannot be emptied."""
    lists = world.gateway.store.configuration.do_not_call
    await lists.add(other.id, [ANNA], "test", reason="theirs")
    assert "Every number may be called" in text_of((await anna.get(PATH)).text)
    assert ANNA not in (await anna.get(f"{PATH}/export.csv")).text
    await anna.post(f"{PATH}/remove", {"number": ANNA})
    assert await lists.contains(other.id, ANNA)
