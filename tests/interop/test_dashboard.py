"""The dashboard in a real Chromium: by mouse, by keyboard, narrow and wide, light and dark, with real calls.

With `TRUNKLINE_SCREENSHOTS=FOLDER` (scripts/screenshots) a picture of every page is left there.
"""

import asyncio
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gateway.phones.telephone import Telephone
from tests.interop import untidy
from tests.interop.browser import NAME, NARROW, PASSWORD, SIZES, WIDE, Dashboard, add_account, chromium
from tests.interop.process import Gateway, JsonProcess, require, wait_until
from tests.interop.sipp import free_port
from tests.interop.softphones import answering_baresip
from tests.interop.sound import RATE, assert_came_back, speech_like, ulaw
from tests.provisioning.sip_peer import Carrier, carrier_on

pytestmark = pytest.mark.interop

CALLEE = "+442079460018"
FRONT_DESK, SUPPORT, SALES = "+12025550101", "+12025550102", "+442079460019"

SEED = """
[[workspaces]]
name = "Acme Telephony"
kyc_verified = true
verification_number = "+12025550199"
sip_flat_rate = "0.50"

[[trunks]]
workspace = "Acme Telephony"
name = "Carrier One"
sources = ["127.0.0.1"]
termination_uri = "127.0.0.1:{phone}"
channel_limit = 50

[[trunks]]
workspace = "Acme Telephony"
name = "Backup carrier"
sources = ["192.0.2.0/24", "198.51.100.7"]
termination_uri = "sip.example.net:5061"
transport = "TCP"

[[agents]]
workspace = "Acme Telephony"
name = "Front desk"
[[agents.versions]]
runtime_url = "ws://127.0.0.1:{agent}/native/echo"
dialect = "native"
state = "published"
parameters = {{ greeting = "Good morning", language = "en" }}
[[agents.versions]]
runtime_url = "ws://127.0.0.1:{agent}/native/echo"
dialect = "native"

[[agents]]
workspace = "Acme Telephony"
name = "Appointments"
[[agents.versions]]
runtime_url = "wss://agents.example.com/appointments"
state = "published"

[[numbers]]
workspace = "Acme Telephony"
e164 = "+12025550101"
nickname = "Main line"
trunk = "Carrier One"
sip_trunk_enabled = true
recording = "both"
inbound = "Front desk/1"
outbound = "Front desk/1"
is_default = true

[[numbers]]
workspace = "Acme Telephony"
e164 = "+12025550102"
nickname = "Support"
trunk = "Carrier One"
sip_trunk_enabled = true
inbound = "Appointments/1"

[[numbers]]
workspace = "Acme Telephony"
e164 = "+442079460019"
nickname = "Sales UK"
provider = "plivo"
status = "pending"
renews_at = 2027-03-01
outbound = "Appointments/1"

[[numbers]]
workspace = "Acme Telephony"
e164 = "+919876543210"
provider = "plivo"
rental_status = "expired"
rental_expires_at = 2026-01-31
renews_at = 2026-01-31
"""


@pytest.fixture(scope="module")
def phone_port() -> int:
    """Where calls go out to."""
    return free_port()


@pytest.fixture(scope="module")
def busy_gateway(
    agent: JsonProcess, agent_port: int, phone_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with some calls behind it, and an account."""
    require("chromium", "chromium")
    seed = SEED.format(phone=phone_port, agent=agent_port) + untidy.SEED
    settings: dict[str, dict[str, object]] = {
        "provisioning": {"provider": "simulated"},
        "webhooks": {"allow_http": "yes", "allow_private": "yes"},
    }
    with Gateway(tmp_path_factory.mktemp("dashboard"), seed, settings) as running:
        add_account(running, NAME, "--workspace", "Acme Telephony")
        add_account(running, untidy.ACCOUNT, "--workspace", untidy.WORKSPACE)
        # A call has to be long for its page to show all that it can.
        said = ulaw(speech_like(12.0 if os.environ.get("TRUNKLINE_SCREENSHOTS") else 3.0))
        for called in (FRONT_DESK, "+919876543210"):
            asyncio.run(_call(running, called, said))
        assert wait_until(lambda: len([row for row in running.calls() if row["ended_at"]]) == 2)
        tell_of(running, ids(running)["call"])
        yield running
        assert running.stop() == 0
        running.assert_clean()


def tell_of(gateway: Gateway, call_id: str) -> None:
    """Post what was said in a call, as the agent's runtime does."""
    key = json.loads(gateway.command("keys", "add", "runtime", "--workspace", "Acme Telephony", "--json"))[
        "key"
    ]
    turns = [
        {"role": "assistant", "content": "Good morning, how can I help you?", "start": 0.4},
        {"role": "user", "content": "I would like to move my appointment to Tuesday.", "start": 2.1},
    ]
    said = {"transcript": turns, "summary": "An appointment is moved.", "sentiment": "positive"}
    found = {"fields": {"appointment": "2026-12-01T10:30", "callback": False}}
    api = f"http://127.0.0.1:{gateway.http_port}/v1/calls/{call_id}"
    for what, body in (("transcript", said), ("extracted", found)):
        answer = httpx2.post(f"{api}/{what}", json=body, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 204, answer.text


async def _call(gateway: Gateway, called: str, said: bytes) -> None:
    await Telephone().call("127.0.0.1", gateway.sip_port, called, "+12025550190", said)


@pytest.fixture(scope="module")
def browser(busy_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser that is logged in."""
    with chromium(tmp_path_factory.mktemp("chromium")) as context:
        dashboard = Dashboard(context.new_page(), busy_gateway)
        dashboard.log_in()
        dashboard.page.close()
        yield context


@pytest.fixture
def dashboard(browser: BrowserContext, busy_gateway: Gateway) -> Iterator[Dashboard]:
    """A page of that browser, which has to have nothing to complain of."""
    page = browser.new_page()
    dashboard = Dashboard(page, busy_gateway)
    dashboard.look("light", WIDE)
    yield dashboard
    page.close()
    assert dashboard.complaints == []


def ids(gateway: Gateway) -> dict[str, str]:
    """What the addresses of pages are made with."""
    questions = {
        "number": f"SELECT id FROM phone_numbers WHERE e164 = '{FRONT_DESK}'",
        "agent": "SELECT id FROM agents WHERE name = 'Front desk'",
        "published": "SELECT id FROM agent_versions WHERE state = 'published' ORDER BY id",
        "draft": "SELECT id FROM agent_versions WHERE state = 'draft' ORDER BY id",
        "trunk": "SELECT id FROM trunks WHERE name = 'Carrier One'",
        "call": "SELECT id FROM calls WHERE status = 'completed' ORDER BY id",
        "told": "SELECT coalesce(min(call_id), '') FROM call_texts",
        "refused": "SELECT id FROM calls WHERE status = 'failed' ORDER BY id",
    }
    with closing(sqlite3.connect(f"file:{gateway.folder}/data/trunkline.db?mode=ro", uri=True)) as database:
        return {name: database.execute(question).fetchone()[0] for name, question in questions.items()}


def places(gateway: Gateway) -> dict[str, str]:
    """Every page by a name for its picture."""
    known = ids(gateway)
    return {
        "numbers": "/numbers",
        "numbers-none-found": "/numbers?q=nothing",
        "number": f"/numbers/{known['number']}",
        "buy": "/numbers/buy?country=US",
        "link": "/numbers/link",
        "agents": "/agents",
        "agent": f"/agents/{known['agent']}",
        "version-published": f"/versions/{known['published']}",
        "version-draft": f"/versions/{known['draft']}",
        "calls": "/calls",
        "call": f"/calls/{known['call']}",
        "call-refused": f"/calls/{known['refused']}",
        "place-a-call": "/calls/new",
        "web-call": "/web-call",
        "batches": "/batches",
        "batch-new": "/batches/new",
        "telephony": "/telephony",
        "telephony-answer": "/telephony?to=%2B442079460018&q=united+kingdom",
        "telephony-sip": "/telephony?provider=sip_trunk",
        "do-not-call": "/telephony/do-not-call",
        "trunks": "/trunks",
        "trunk": f"/trunks/{known['trunk']}",
        "settings": "/settings",
        "webhooks": "/webhooks",
        "nothing-there": "/nothing-there",
    }


def looked_at(dashboard: Dashboard, pages: dict[str, str], prefix: str, tmp_path: Path) -> dict[str, object]:
    """What keeps somebody from using these pages, at every width, light and dark; with pictures."""
    given = os.environ.get("TRUNKLINE_SCREENSHOTS")
    folder = Path(given) if given else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    faults: dict[str, object] = {}
    for name, path in pages.items():
        status = dashboard.go(path)
        if status != (404 if path == "/nothing-there" else 200):
            faults[path] = status
        if found := dashboard.misfits():
            faults[f"{path} at"] = found
        for scheme, usual in (("light", WIDE), ("dark", NARROW)):
            for size in SIZES if given else (usual,):
                dashboard.look(scheme, size)
                if wrong := dashboard.faults():
                    faults[f"{path} {scheme} {size[0]}"] = wrong
                if given:
                    dashboard.picture(folder / f"{prefix}{name}.{scheme}.{size[0]}.png")
    dashboard.look("light", WIDE)
    return faults


def test_everybody_can_use_every_page(dashboard: Dashboard, busy_gateway: Gateway, tmp_path: Path) -> None:
    """Labels, names, order and contrast are right on every page; nothing is cut off, covered or too small."""
    assert looked_at(dashboard, places(busy_gateway), "", tmp_path) == {}


def test_untidy_data_fits_every_page(browser: BrowserContext, busy_gateway: Gateway, tmp_path: Path) -> None:
    """The same holds for names without a blank, other scripts, long addresses, and every ending of a call."""
    database = busy_gateway.folder / "data/trunkline.db"
    known = untidy.fill(database)
    cookies = browser.cookies()
    browser.clear_cookies()
    dashboard = Dashboard(browser.new_page(), busy_gateway)
    try:
        dashboard.log_in(untidy.ACCOUNT)
        with receiving() as address:
            dashboard.go("/webhooks")
            dashboard.page.get_by_label("Address").fill(address + untidy.HOOK_PATH)
            dashboard.page.get_by_role("button", name="Verify and add").click()
            expect(dashboard.page.get_by_text("it is shown this once")).to_be_visible()
        known["webhook"] = untidy.deliver(database, known["call"])
        assert looked_at(dashboard, untidy.places(known), "untidy-", tmp_path) == {}
        assert dashboard.complaints == []
    finally:
        dashboard.page.close()
        untidy.tidy_up(database)
        browser.clear_cookies()
        browser.add_cookies(cookies)  # type: ignore[arg-type]  # they are as they came


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_door(browser: BrowserContext, busy_gateway: Gateway, scheme: str, tmp_path: Path) -> None:
    """Somebody without a mouse logs in, and a wrong password says so where a screen reader hears it."""
    cookies = browser.cookies()
    browser.clear_cookies()
    door = Dashboard(browser.new_page(), busy_gateway)
    try:
        door.look(scheme, NARROW)
        door.go("/numbers?q=desk")
        assert door.faults() == []
        if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
            door.picture(Path(given) / f"login.{scheme}.narrow.png")
            door.look(scheme, WIDE)
            door.picture(Path(given) / f"login.{scheme}.wide.png")
        press(door.page, "Tab", until="#f-name")
        door.page.keyboard.type(NAME)
        door.page.keyboard.press("Tab")
        door.page.keyboard.type("wrong password")
        door.page.keyboard.press("Enter")
        expect(door.page.get_by_role("alert")).to_contain_text("do not belong together")
        assert door.faults() == []
        press(door.page, "Tab", until="#f-password")
        door.page.keyboard.type(PASSWORD)
        door.page.keyboard.press("Enter")
        door.page.wait_for_url("**/numbers?q=desk")
    finally:
        door.page.close()
        browser.add_cookies(cookies)  # type: ignore[arg-type]  # they are as they came


def press(page: Page, key: str, until: str) -> None:
    """Press a key until something has the focus, as somebody without a mouse does; and it has to be seen."""
    for _ in range(80):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement?.matches(selector)", until):
            width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
            assert float(width.removesuffix("px")) >= 2, "the focus cannot be seen"
            return
    raise AssertionError(f"no way by {key} to {until}")


def test_by_keyboard(dashboard: Dashboard) -> None:
    """The first stop skips the navigation; a number's page and its dialog work without a mouse."""
    page = dashboard.page
    dashboard.go("/numbers")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    press(page, "Tab", until="td.main a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/numbers/phn_*")
    press(page, "Tab", until="form[data-confirm] button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "/numbers/phn_" in page.url


def test_navigation_on_a_phone(dashboard: Dashboard) -> None:
    """Where it is narrow the navigation is behind a button, and Escape puts it away."""
    page = dashboard.page
    dashboard.look("light", NARROW)
    dashboard.go("/numbers")
    navigation = page.get_by_role("navigation", name="Main")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).click()
    expect(navigation).to_be_visible()
    if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
        page.screenshot(path=str(Path(given) / "navigation.light.narrow.png"))
    page.keyboard.press("Escape")
    expect(navigation).to_be_hidden()


def test_light_and_dark(dashboard: Dashboard) -> None:
    """The switch overrides the system, at once and for the next pages."""
    page = dashboard.page
    dashboard.go("/numbers")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    dashboard.go("/agents")
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == light
    page.context.clear_cookies(name="trunkline_theme")


def test_the_box_answers_while_one_types(dashboard: Dashboard) -> None:
    """A number is judged without a button: why not, with the check that failed, and at what price."""
    page = dashboard.page
    dashboard.go("/telephony")
    box = page.get_by_label("A telephone number")
    box.press_sequentially("+1 900 555 0199", delay=10)
    answer = page.locator("#answer")
    expect(answer).to_contain_text("premium")
    expect(answer.locator("li.fail").first).to_contain_text("not opted in")
    box.fill("+44 20 7946 0018")
    expect(answer).to_contain_text("May be called")
    expect(answer).to_contain_text("₹0.50")


def test_a_refused_call_is_explained(dashboard: Dashboard) -> None:
    """The form says why before it is sent, and again where it is sent all the same."""
    page = dashboard.page
    dashboard.go("/calls/new")
    page.get_by_role("textbox", name="To", exact=True).fill("112")
    expect(page.locator("#answer")).to_contain_text("Emergency numbers and short codes are never dialled")
    page.get_by_role("button", name="Call now").click()
    expect(page.get_by_role("alert")).to_contain_text("The call was not placed")
    expect(page.get_by_role("textbox", name="To", exact=True)).to_have_value("112")
    assert dashboard.faults() == []
    if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
        dashboard.picture(Path(given) / "place-a-call-refused.light.wide.png")


def test_assigning_an_agent(dashboard: Dashboard) -> None:
    """A version is chosen for one direction; the page says so, and the other direction stays."""
    page = dashboard.page
    dashboard.go("/numbers?q=Support")
    page.get_by_role("link", name=re.compile("555.0102")).click()
    expect(page.locator("#assignments")).to_contain_text("outbound calls are disabled")
    page.get_by_label("Outbound agent version").select_option(label="Front desk – version 1")
    page.get_by_role("button", name="Assign outbound").click()
    expect(page.get_by_role("status")).to_contain_text("from the next call on")
    expect(page.get_by_label("Inbound agent version")).to_have_value(re.compile("ver_"))
    page.get_by_label("Outbound agent version").select_option("")
    page.get_by_role("button", name="Assign outbound").click()
    expect(page.get_by_role("status")).to_contain_text("Disabled for outbound calls")


def test_a_call_that_rings(dashboard: Dashboard, phone_port: int, tmp_path: Path) -> None:
    """A call from the page rings a real SIP client, which hears the agent; the page follows it."""
    require("baresip", "baresip-core")
    page = dashboard.page
    speech = speech_like(4.0)
    with answering_baresip(phone_port, CALLEE, speech, tmp_path / "baresip") as heard:
        dashboard.go("/calls/new")
        page.get_by_label("From").select_option(index=0)
        page.get_by_role("textbox", name="To", exact=True).fill("+44 20 7946 0018")
        page.get_by_role("button", name="Call now").click()
        page.wait_for_url("**/calls/call_*")
        expect(page.get_by_text("in conversation").first).to_be_visible()
        if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
            dashboard.picture(Path(given) / "call-live.light.wide.png")
        expect(page.locator(".notice").last).to_contain_text("disconnected", ignore_case=True, timeout=25_000)
    expect(page.locator(".ladder")).to_contain_text("INVITE")
    # It speaks as soon as it has picked up: on a busy machine the agent is there a moment later.
    assert_came_back(speech[RATE:], heard.samples[RATE:], 0.8, heard.output)


def test_called_from_here(dashboard: Dashboard, busy_gateway: Gateway) -> None:
    """Without a telephone: the gateway's own calls the number, the page follows, and it is heard again."""
    page = dashboard.page
    dashboard.go(f"/numbers/{ids(busy_gateway)['number']}")
    page.get_by_role("button", name="Call it from here").click()
    expect(page.get_by_role("status")).to_contain_text("is calling +12025550101")
    seen = page.locator("#seen-inbound")
    expect(seen).to_contain_text("Front desk / 1 has answered", timeout=15_000)
    expect(seen).to_contain_text("It went well: Front desk / 1", timeout=40_000)
    assert dashboard.faults() == []
    if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
        dashboard.picture(Path(given) / "number-tested.light.wide.png")
    seen.get_by_role("link", name="See the call").click()
    expect(page.locator(".waveform rect").nth(100)).to_be_attached(timeout=15_000)
    charts = page.locator(".chart polyline")
    expect(charts.first).to_be_attached()  # a flat line has no height, so it counts as hidden
    drawn = [len((one.get_attribute("points") or "").split()) for one in charts.all()]
    assert len(drawn) >= 3, "opinion, loss and jitter"
    assert min(drawn) >= 2
    heard = page.locator("audio").evaluate(PLAYED)
    assert 10 < heard["duration"] < 20
    assert heard["at"] > 0.5
    slider = page.get_by_role("slider", name="Position in the recording")
    where = slider.bounding_box()
    assert where is not None
    page.mouse.click(where["x"] + where["width"] / 2, where["y"] + where["height"] / 2)
    at = page.locator("audio").evaluate("audio => audio.currentTime")
    assert at == pytest.approx(heard["duration"] / 2, abs=0.5)
    slider.press("ArrowLeft")
    assert page.locator("audio").evaluate("audio => audio.currentTime") == pytest.approx(at - 5, abs=0.1)
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^0:0\d of 0:1\d$"))
    assert dashboard.faults() == []


PLAYED = """async (audio) => {
  audio.muted = true;
  await audio.play();
  for (let n = 0; n < 200 && audio.currentTime <= 0.5; n++) await new Promise((go) => setTimeout(go, 50));
  audio.pause();
  return { duration: audio.duration, at: audio.currentTime };
}"""
"Plays a little of a recording, and says how long it is and how far it came."


def test_what_was_said(dashboard: Dashboard, busy_gateway: Gateway) -> None:
    """What the agent's runtime posted stands on the call's page."""
    page = dashboard.page
    dashboard.go(f"/calls/{ids(busy_gateway)['told']}")
    expect(page.get_by_label("Transcript")).to_contain_text("move my appointment to Tuesday")
    expect(page.get_by_text("2026-12-01T10:30")).to_be_visible()
    expect(page.get_by_text("An appointment is moved.")).to_be_visible()


class Receiver(BaseHTTPRequestHandler):
    """Takes every webhook."""

    def do_POST(self) -> None:
        """Read it, and say so."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is printed."""


@contextmanager
def receiving() -> Iterator[str]:
    """The address of a receiver of webhooks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/calls"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook(dashboard: Dashboard, busy_gateway: Gateway) -> None:
    """An address that does not answer is explained; one that does is told of a call, and again by hand."""
    page = dashboard.page
    dashboard.go("/webhooks")
    page.get_by_label("Address").fill(f"http://127.0.0.1:{free_port()}/nobody")
    page.get_by_label("call.failed").check()
    page.get_by_role("button", name="Verify and add").click()
    expect(page.get_by_role("alert")).to_contain_text("should answer a verification with 2xx, but:")
    expect(page.get_by_label("call.failed")).to_be_checked()
    assert dashboard.faults() == []
    with receiving() as address:
        page.get_by_label("Address").fill(address)
        page.get_by_role("button", name="Verify and add").click()
        expect(page.get_by_text("it is shown this once")).to_be_visible()
        expect(page.get_by_text("whsec_")).to_be_visible()
        assert dashboard.faults() == []
        with ThreadPoolExecutor() as threads:  # the browser has this thread's loop
            threads.submit(asyncio.run, _call(busy_gateway, "+919876543210", b"")).result()
        log = page.get_by_role("table")
        expect(log).to_contain_text("call.failed")
        expect(log.get_by_text("delivered").first).to_be_visible()
        again = log.get_by_role("button", name=re.compile("Deliver call.failed"))
        again.click()
        expect(page.get_by_role("status")).to_contain_text("being delivered again")
        expect(page.get_by_role("table")).to_contain_text("again, by hand")
        if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
            for scheme, size, name in (("light", WIDE, "wide"), ("dark", NARROW, "narrow")):
                dashboard.look(scheme, size)
                dashboard.picture(Path(given) / f"webhook.{scheme}.{name}.png")
        assert dashboard.faults() == []
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("paused", exact=True)).to_be_visible()


def test_buying_a_number(dashboard: Dashboard) -> None:
    """A country is chosen, an offer bought after a question, and the number is there."""
    page = dashboard.page
    dashboard.go("/numbers/buy")
    page.get_by_label("Country").select_option("US")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing is missing before buying")).to_be_visible()
    offer = page.get_by_role("button", name=re.compile(r"Buy \+1")).first
    number = (offer.get_attribute("aria-label") or "").removeprefix("Buy ")
    offer.click()
    page.get_by_role("dialog").get_by_role("button", name="Buy").click()
    page.wait_for_url("**/numbers/phn_*")
    expect(page.get_by_role("status")).to_contain_text(f"{number} is yours")
    expect(page.get_by_role("heading", name="Prepare for production")).to_be_visible()
    assert dashboard.faults() == []


@contextmanager
def live_carrier(password: str) -> Iterator[Carrier]:
    """A SIP peer on a thread of its own, since the browser has this one."""
    carrier, ready, over = Carrier(password), threading.Event(), threading.Event()

    async def serve() -> None:
        async with carrier_on(carrier):
            ready.set()
            while not over.is_set():  # noqa: ASYNC110  the event is of another thread
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield carrier
    finally:
        over.set()
        thread.join()


def test_linking_a_trunk(dashboard: Dashboard) -> None:
    """A wrong password is found out by a live SIP peer and told in words; the right one links the number."""
    page = dashboard.page
    with live_carrier("the right one") as carrier:
        dashboard.go("/numbers/link")
        expect(page.get_by_text("₹0.50/min")).to_be_visible()
        page.get_by_label("Phone number").fill("+442079460018")
        page.get_by_label("Termination URI").fill(carrier.uri)
        page.get_by_label("SIP user name").fill("acme")
        page.get_by_label("SIP password").fill("a wrong one")
        page.get_by_role("button", name="Test connection").click()
        trial = page.locator("#trial")
        expect(trial).to_contain_text("it does not work yet")
        expect(trial.locator("li.fail")).to_contain_text("check user name and password")
        assert dashboard.faults() == []
        if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
            dashboard.picture(Path(given) / "link-wrong-password.light.wide.png")
        page.get_by_label("SIP password").fill("the right one")
        page.get_by_role("button", name="Test connection").click()
        expect(trial).to_contain_text("the connection works")
        page.get_by_role("button", name="Link number").click()
        page.wait_for_url("**/numbers/phn_*")
    expect(page.get_by_role("status")).to_contain_text("is linked")


def test_an_empty_workspace(browser: BrowserContext, busy_gateway: Gateway) -> None:
    """Whoever has nothing yet is led: first to a number, wide and narrow, light and dark."""
    busy_gateway.command("workspaces", "add", "Fresh start")
    add_account(busy_gateway, "newcomer", "--workspace", "Fresh start")
    cookies = browser.cookies()
    browser.clear_cookies()
    fresh = Dashboard(browser.new_page(), busy_gateway)
    try:
        fresh.log_in("newcomer")
        steps = fresh.page.get_by_role("region", name="From here to your first call")
        expect(steps.locator("[aria-current=step]")).to_contain_text("Get a number")
        for scheme, size, name in (("light", WIDE, "wide"), ("dark", NARROW, "narrow")):
            fresh.look(scheme, size)
            for path in ("/numbers", "/calls", "/agents", "/trunks"):
                fresh.go(path)
                assert fresh.faults() == [], path
                if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
                    fresh.picture(Path(given) / f"empty-{path[1:]}.{scheme}.{name}.png")
        fresh.go("/numbers")
        steps.get_by_role("link", name="Link SIP trunk").click()
        fresh.page.wait_for_url("**/numbers/link")
        assert fresh.complaints == []
    finally:
        fresh.page.close()
        browser.clear_cookies()
        browser.add_cookies(cookies)  # type: ignore[arg-type]  # they are as they came
