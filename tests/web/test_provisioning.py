"""Buying numbers, linking trunks, testing connections, giving numbers back."""

import re
from http import HTTPStatus

import pytest

from tests.call.conftest import Build
from tests.call.phone import Phone
from tests.call.world import World
from tests.web.visitor import PASSWORD, Visitor, text_of

pytestmark = pytest.mark.one_loop


@pytest.fixture
async def world(build: Build) -> World:
    """A gateway with the simulated provider, and little patience with carriers."""
    return await build(PROVISIONING__PROVIDER="simulated", PROVISIONING__TRIAL_SECONDS="1")


async def test_without_a_provider(build: Build) -> None:
    """Where no provider is set up the page says so, and what can be done all the same."""
    world = await build()
    await world.gateway.store.accounts.add(world.workspace.id, "anna", PASSWORD, "test")
    visitor = Visitor(world.gateway.http.port)
    await visitor.log_in("anna")
    text = text_of((await visitor.get("/numbers/buy")).text)
    assert "No number provider is set up" in text
    assert "Link SIP trunk" in text
    await visitor.http.aclose()


async def test_buying(world: World, anna: Visitor) -> None:
    """Offers come with rates and capabilities; KYC is asked for first; a second click buys nothing more."""
    page = await anna.get("/numbers/buy?country=US")
    text = text_of(page.text)
    assert "complete KYC before buying" in text
    assert "Monthly" in text
    assert "voice" in text
    book = world.gateway.store.configuration
    number, key = (re.search(f'name="{name}" value="([^"]+)"', page.text) for name in ("number", "key"))
    assert number is not None
    assert key is not None
    form = {"number": number[1], "key": key[1], "country": "US"}
    refused = await anna.post("/numbers/buy", form)
    assert refused.status_code == 409
    assert await book.numbers.list_all() == []
    await book.workspaces.change(world.workspace.id, {"kyc_verified": True}, "test")
    first = await anna.post("/numbers/buy", form)
    assert first.status_code == 303, text_of(first.text)
    again = await anna.post("/numbers/buy", form)
    assert again.headers["location"] == first.headers["location"]
    (bought,) = await book.numbers.list_all()
    assert (bought.e164, bought.workspace_id) == (number[1], world.workspace.id)
    assert "is yours" in text_of((await anna.get(f"/numbers/{bought.id}")).text)
    assert (await anna.post(f"/numbers/{bought.id}/remove")).status_code == 303
    assert await book.numbers.list_all() == []


@pytest.mark.parametrize(
    ("prices", "currency", "said", "asked"),
    [
        (
            {},
            "INR",
            "These are the provider’s own rates, charged in USD, not in INR, the currency of this workspace.",
            r"for \$\d+\.\d\d \(USD\) a month\?",
        ),
        ({}, "USD", "All amounts are in USD, the currency of this workspace.", r"\(USD\) a month\?"),
        (
            {"PROVISIONING__PRICES": '{"US": "300"}'},
            "INR",
            "A month is charged in INR, the currency of this workspace;"
            " setting up is the provider’s own rate, in USD.",
            r"for ₹300\.00 \(INR\) a month\?",
        ),
    ],
)
async def test_what_buying_costs(
    build: Build, prices: dict[str, str], currency: str, said: str, asked: str
) -> None:
    """The page and the question before buying say each amount's currency, and whose it is."""
    world = await build(PROVISIONING__PROVIDER="simulated", **prices)
    store = world.gateway.store
    fields = {"kyc_verified": True, "currency": currency}
    await store.configuration.workspaces.change(world.workspace.id, fields, "test")
    await store.accounts.add(world.workspace.id, "anna", PASSWORD, "test")
    visitor = Visitor(world.gateway.http.port)
    await visitor.log_in("anna")
    page = await visitor.get("/numbers/buy?country=US")
    await visitor.http.aclose()
    assert said in text_of(page.text)
    question = re.search(r'data-confirm="Buy (.*?)"', page.text)
    assert question is not None
    assert re.search(asked, question[1]), question[1]


async def test_searches_that_make_no_sense(anna: Visitor) -> None:
    """An unknown country is told on the page, and nothing breaks."""
    answer = await anna.get("/numbers/buy?country=XX")
    assert answer.status_code == 400
    assert "two letters" in text_of(answer.text)
    assert (await anna.get("/numbers/buy?country=US&type=wrong&page=400")).status_code == 200


async def test_linking(world: World, anna: Visitor, phone: Phone) -> None:
    """A test saves nothing and shows each step; then number and trunk are there, the password nowhere."""
    where = phone.endpoint.listeners[0]
    book = world.gateway.store.configuration
    await book.workspaces.change(world.workspace.id, {"sip_flat_rate": 1}, "test")
    form = {
        "number": "+442079460018",
        "nickname": "London",
        "termination_uri": f"{where.host}:{where.port}",
        "transport": "UDP",
        "auth_mode": "userpass",
        "username": "user",
        "password": "very secret",
        "act": "test",
    }
    assert "₹1.00/min" in text_of((await anna.get("/numbers/link")).text)
    tested = await anna.post("/numbers/link", form)
    text = text_of(tested.text)
    assert tested.status_code == 200
    assert "the connection works" in text
    for step in ("address", "resolve", "reach", "log in"):
        assert step in text, step
    assert "very secret" not in tested.text
    assert await book.numbers.list_all() == []
    linked = await anna.post("/numbers/link", {**form, "act": "link"})
    assert linked.status_code == 303, text_of(linked.text)
    (number,) = await book.numbers.list_all()
    assert (number.nickname, number.sip_trunk_enabled, number.provider) == ("London", True, "sip_trunk")
    page = await anna.get(f"/trunks/{number.trunk_id}")
    assert "very secret" not in page.text
    taken = await anna.post("/numbers/link", {**form, "act": "link"})
    assert "Phone number already registered" in text_of(taken.text)
    again = await anna.http.post(
        f"/trunks/{number.trunk_id}/test",
        data={"csrf": await anna.csrf()},
        headers={"origin": anna.origin, "x-part": "1"},
    )
    assert "the connection works" in text_of(again.text)
    assert "<html" not in again.text


NO_LINKS: list[tuple[dict[str, str], int, str]] = [
    ({"termination_uri": "sip:example.com"}, 400, "without sip: before it"),
    ({"number": "12"}, 400, "possible international number"),
    ({"password": ""}, 400, "User name and password are both needed."),
    ({"auth_mode": "carrier pigeon"}, 400, "userpass or ip"),
    ({"termination_uri": "127.0.0.1:9"}, 502, "SIP trunk registration failed"),
]
"What is wrong in the form, the answer's status, and what it says."


async def test_links_that_fail(world: World, anna: Visitor, subtests: pytest.Subtests) -> None:
    """What is wrong is said in words, what was typed stays, and nothing is saved."""
    form = {
        "number": "+442079460018",
        "termination_uri": "127.0.0.1:9",
        "auth_mode": "userpass",
        "username": "user",
        "password": "secret",
        "act": "link",
    }
    for wrong, status, told in NO_LINKS:
        with subtests.test(str((wrong, status, told))[:80]):
            answer = await anna.post("/numbers/link", {**form, **wrong})
            assert (answer.status_code, told in text_of(answer.text)) == (status, True), text_of(answer.text)
            assert 'value="user"' in answer.text
            assert await world.gateway.store.configuration.numbers.list_all() == []
            assert len(await world.gateway.store.configuration.trunks.list_all()) == 1


async def test_runtime(world: World, anna: Visitor, stranger: Visitor) -> None:
    """The button on a version's page tests its runtime, and says what to look at; nobody else's can be."""
    version = await world.version()
    path = f"/versions/{version.id}"
    assert "Test runtime" in (await anna.get(path)).text
    headers = {"origin": anna.origin, "x-part": "1"}
    part = await anna.http.post(f"{path}/test", data={"csrf": await anna.csrf()}, headers=headers)
    assert "the connection works" in text_of(part.text)
    assert "<html" not in part.text
    whole = await anna.post(f"{path}/test")
    assert "the connection works" in text_of(whole.text)
    world.runtime.status = HTTPStatus.BAD_GATEWAY
    assert "look whether the runtime runs" in text_of((await anna.post(f"{path}/test")).text)
    assert (await stranger.post(f"{path}/test", csrf="")).status_code in (303, 401)
