"""What every answer carries, and what every change has to prove."""

import pytest

from gateway.routing.table import Agent, PhoneNumber, Workspace
from gateway.store.engine.ids import new_id
from gateway.web.dashboard import PAGES
from tests.call.world import World
from tests.web.conftest import Enter
from tests.web.visitor import Visitor

pytestmark = pytest.mark.one_loop


async def test_headers(anna: Visitor, stranger: Visitor) -> None:
    """Pages, refusals, redirects and files all come with the policy; pages are stored nowhere."""
    for visitor, path in (
        (anna, "/numbers"),
        (anna, "/nothing"),
        (stranger, "/login"),
        (stranger, "/numbers"),
        (stranger, "/static/app.css"),
        (anna, "/numbers/phn_none"),
    ):
        answer = await visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        stored = answer.headers["cache-control"]
        assert stored == "no-store" or path.startswith("/static"), (path, stored)


async def test_no_page_needs_inline_code(anna: Visitor) -> None:
    """What the policy forbids no page has: scripts, styles and event attributes in the markup."""
    for page in PAGES:
        if page.method == "GET" and "{" not in page.path:
            text = (await anna.http.get(page.path, follow_redirects=True)).text
            for forbidden in ("<style", " style=", "javascript:", " onclick", " onload", "<script>"):
                assert forbidden not in text, (page.path, forbidden)


FORGED: list[tuple[dict[str, str], str | None]] = [
    ({}, "wrong"),
    ({}, ""),
    ({"origin": "https://evil.example"}, None),
    ({"origin": "null"}, None),
    ({"sec-fetch-site": "cross-site"}, None),
    ({"sec-fetch-site": "same-site"}, None),
]
"Headers of a request, and its token; None is the right one."


async def test_forged_forms(world: World, anna: Visitor, subtests: pytest.Subtests) -> None:
    """A form without the session's token, or from another origin, changes nothing."""
    for headers, csrf in FORGED:
        with subtests.test(str((headers, csrf))[:80]):
            token = await anna.csrf() if csrf is None else csrf
            answer = await anna.post("/agents", {"name": "Forged"}, csrf=token, **headers)
            assert answer.status_code == 403
            assert await world.gateway.store.configuration.agents.list_all() == []


async def test_every_change_asks_for_the_token(anna: Visitor) -> None:
    """No POST of the table gets as far as what it does without the token."""
    posts = [page for page in PAGES if page.method == "POST"]
    assert len(posts) > 5
    for page in posts:
        path = page.path.replace("{id}", "any")
        assert (await anna.post(path, csrf="forged")).status_code == 403, page.path


async def test_other_workspaces_are_not_there(world: World, anna: Visitor, other: Workspace) -> None:
    """What belongs to another workspace is neither listed nor shown nor changed."""
    book = world.gateway.store.configuration
    agent = await book.agents.add(Agent(new_id("agent"), other.id, "Theirs"), "test")
    draft = await book.agents.draft(agent.id, {"runtime_url": "ws://127.0.0.1:1/"}, "test")
    number = await book.numbers.add(PhoneNumber(new_id("phn"), other.id, "+12125550155"), "test")
    for path in ("/numbers", "/agents"):
        text = (await anna.get(path)).text
        assert "Theirs" not in text
        assert "555-0155" not in text
    for path in (f"/numbers/{number.id}", f"/agents/{agent.id}", f"/versions/{draft.id}"):
        assert (await anna.get(path)).status_code == 404, path
    for path in (
        f"/numbers/{number.id}/remove",
        f"/numbers/{number.id}/assign",
        f"/agents/{agent.id}/remove",
        f"/agents/{agent.id}/draft",
        f"/versions/{draft.id}",
        f"/versions/{draft.id}/remove",
    ):
        assert (await anna.post(path, {"name": "X", "publish": "yes"})).status_code == 404, path
    assert await book.numbers.get(number.id) == number
    assert await book.agents.version(draft.id) == draft


async def test_versions_of_others_cannot_be_assigned(world: World, anna: Visitor, other: Workspace) -> None:
    """Naming another workspace's version for one's own number is refused."""
    book = world.gateway.store.configuration
    agent = await book.agents.add(Agent(new_id("agent"), other.id, "Theirs"), "test")
    draft = await book.agents.draft(agent.id, {"runtime_url": "ws://127.0.0.1:1/"}, "test")
    await book.agents.publish(draft.id, "test")
    number = await book.numbers.add(PhoneNumber(new_id("phn"), world.workspace.id, "+12125550156"), "test")
    form = {"direction": "inbound", "version": draft.id}
    assert (await anna.post(f"/numbers/{number.id}/assign", form)).status_code == 400
    assert (await book.numbers.get(number.id)).inbound_version_id is None


async def test_what_strangers_write_is_text(world: World, enter: Enter) -> None:
    """Markup in a name is shown as it was written."""
    anna = await enter()
    name = "<script>alert(1)</script>"
    book = world.gateway.store.configuration
    await book.agents.add(Agent(new_id("agent"), world.workspace.id, name), "test")
    text = (await anna.get("/agents")).text
    assert name not in text
    assert "&lt;script&gt;" in text


async def test_odd_requests(anna: Visitor) -> None:
    """A body that is no form, a form that is too long, a wrong method, a wild path: pages, not accidents."""
    headers = {"origin": anna.origin}
    for body, kind, status in (
        (b"{}", "application/json", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a" for _ in range(5000)), "application/x-www-form-urlencoded", 400),
    ):
        answer = await anna.http.post("/agents", content=body, headers={**headers, "content-type": kind})
        assert answer.status_code == status
    assert (await anna.http.put("/agents")).status_code == 405
    for path in ("/static/../app.py", "/static/%2e%2e%2fapp.py", "/numbers/%00", "/" + "x" * 3000):
        assert (await anna.get(path)).status_code == 404, path
