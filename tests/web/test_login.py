"""Who gets in, who does not, and how somebody is out again."""

import asyncio
from datetime import UTC, datetime, timedelta

from gateway.store.configuration import passwords
from gateway.store.configuration.accounts import token_id
from tests.call.world import World
from tests.web.conftest import Enter
from tests.web.visitor import PASSWORD, Visitor, csrf_in, text_of


async def test_pages_ask_for_a_login(stranger: Visitor) -> None:
    """Without a session a page leads to the login, which leads back afterwards; nothing is shown."""
    answer = await stranger.get("/numbers?q=1")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/dashboard/login?next=%2Fnumbers%3Fq%3D1",
    )
    assert (await stranger.post("/agents", {"name": "X"}, csrf="x")).status_code == 401


async def test_the_start_leads_to_the_dashboard(stranger: Visitor) -> None:
    """The bare address of the gateway's HTTP port leads people to the dashboard."""
    answer = await stranger.http.get(stranger.origin + "/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/")


async def test_login_with_an_account(world: World, enter: Enter) -> None:
    """The cookie is no script's, its token is nowhere in the database, and the log says who came."""
    anna = await enter()
    await anna.http.aclose()
    visitor = Visitor(world.gateway.http.port)
    answer = await visitor.log_in(" Anna@Example.com ", next="/agents")
    assert answer.headers["location"] == "/dashboard/agents"
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("trunkline_session=")]
    assert {"HttpOnly", "SameSite=lax", "Path=/dashboard"} <= {part.strip() for part in cookie.split(";")}
    token = cookie.partition("=")[2].partition(";")[0]
    session = await world.gateway.store.web_sessions.find(token, datetime.now(UTC))
    assert session is not None
    assert session.id == token_id(token) != token
    assert world.told("web.logged_in")[-1].fields["name"] == "Anna@Example.com"
    assert "Phone numbers" in (await visitor.get("/numbers")).text
    await visitor.http.aclose()


async def test_next_leads_nowhere_else(world: World, anna: Visitor) -> None:
    """A login link can send nobody to another site."""
    for evil in ("//evil.example", "https://evil.example", "/\\evil.example", "\t//evil.example"):
        visitor = Visitor(world.gateway.http.port)
        answer = await visitor.log_in("anna@example.com", next=evil)
        assert answer.headers["location"].startswith("/dashboard/"), evil
        assert not answer.headers["location"].startswith("//")
        await visitor.http.aclose()


async def test_wrong_password(world: World, anna: Visitor, stranger: Visitor) -> None:
    """A wrong password and an unknown name get the same answer; no page and no log has the password."""
    answers = [await stranger.log_in(name, "a secret typed") for name in ("anna@example.com", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert text_of(answers[0].text) == text_of(answers[1].text)
    assert all("a secret typed" not in answer.text for answer in answers)
    assert "a secret typed" not in repr(world.events)
    assert len(world.told("web.login_failed")) == 2


async def test_guessing_is_slowed_down(world: World, anna: Visitor, stranger: Visitor) -> None:
    """After some failures even the right password has to wait, for that name from that address only."""
    for _ in range(5):
        assert (await stranger.log_in("anna@example.com", "wrong password")).status_code == 401
    assert (await stranger.log_in("anna@example.com")).status_code == 429
    await world.gateway.store.accounts.add(world.workspace.id, "berta", PASSWORD, "test")
    assert (await stranger.log_in("berta")).status_code == 303


async def test_login_needs_its_form(anna: Visitor, stranger: Visitor) -> None:
    """A login that another site's page sends is refused: by its token, and by its origin."""
    page = await stranger.get("/login")
    given = {"how": "account", "name": "anna@example.com", "password": PASSWORD}
    assert (await stranger.post("/login", given, csrf="forged")).status_code == 403
    evil = await stranger.post("/login", given, csrf=csrf_in(page.text), origin="https://evil.example")
    assert evil.status_code == 403


async def test_login_with_an_api_key(world: World, stranger: Visitor) -> None:
    """A key opens its workspace's dashboard, is named in the history, and closes it when it is revoked."""
    keys = world.gateway.store.configuration.keys
    key, secret = await keys.add(world.workspace.id, "laptop", "test")
    wrong = await stranger.log_in("", how="key", key=f"{key.id}:wrong")
    assert wrong.status_code == 401
    assert (await stranger.log_in("", how="key", key=f"{key.id}:{secret}")).status_code == 303
    assert "API key laptop" in (await stranger.get("/numbers")).text
    await stranger.post("/agents", {"name": "Made by key"})
    (agent,) = await world.gateway.store.configuration.agents.list_all(world.workspace.id)
    assert (await world.gateway.store.configuration.history(agent.id))[0].by == f"api:{key.id}"
    await keys.revoke(key.id, "test")
    assert (await stranger.get("/numbers")).status_code == 303


async def test_logout(world: World, anna: Visitor) -> None:
    """After a logout the cookie opens nothing, wherever it was copied to."""
    cookie = anna.http.cookies["trunkline_session"]
    assert (await anna.post("/logout")).status_code == 303
    copied = Visitor(world.gateway.http.port)
    copied.http.cookies.set("trunkline_session", cookie)
    assert (await copied.get("/numbers")).status_code == 303
    await copied.http.aclose()


async def test_sessions_end(world: World, anna: Visitor) -> None:
    """A session ends by its time, by another password, and with its account."""
    store = world.gateway.store
    (account,) = await store.accounts.list_all()
    now = datetime.now(UTC)
    token = await store.web_sessions.open_for_account(account, now, timedelta(hours=1))
    assert await store.web_sessions.find(token, now + timedelta(minutes=59)) is not None
    assert await store.web_sessions.find(token, now + timedelta(minutes=61)) is None
    await store.accounts.set_password(account.id, "another long password", "test")
    assert await store.web_sessions.find(token, now) is None
    assert (await anna.get("/numbers")).status_code == 303
    assert (await anna.log_in("anna@example.com", "another long password")).status_code == 303
    await store.accounts.remove(account.id, "test")
    assert (await anna.get("/numbers")).status_code == 303


async def test_tries_do_not_stop_calls(world: World, anna: Visitor) -> None:
    """While a password is being checked the loop turns: hashing happens elsewhere."""
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            worst = max(worst, loop.time() - before)

    passwords.COST, passwords.LANES = 2**15, 3
    stored = await asyncio.to_thread(passwords.hashed, PASSWORD)
    beating = asyncio.create_task(beat())
    began = asyncio.get_running_loop().time()
    assert await asyncio.to_thread(passwords.matches, PASSWORD, stored)
    took = asyncio.get_running_loop().time() - began
    beating.cancel()
    assert worst < took, "the loop stood still for as long as the hash took"
