"""A batch in a real Chromium, from the upload to the finished page, with SIPp as the carrier."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.interop.browser import NARROW, WIDE, Dashboard, add_account, chromium
from tests.interop.carrier import carrier
from tests.interop.process import Gateway, JsonProcess, require
from tests.interop.untidy import ARABIC, LONG_WORD
from tests.interop.ways_out import WORKSPACE, WayOut, seed

pytestmark = pytest.mark.interop

GOOD = [f"+4420794600{at:02}" for at in range(4)]
BAD = ("112", "+19005550199", "9.19876E+11", "", f"nobody {LONG_WORD * 3}", "=HYPERLINK(0)", GOOD[0])
HEADER = f"phone_number,name,{LONG_WORD},الاسم\n"
NAME = f"Kunden <b>&amp;</b> “{'x' * 60}” {ARABIC[:12]}.csv"
TITLE = ARABIC[:35]

DROP = """([zone, name, text]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], name, { type: "text/csv" }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    zone.dispatchEvent(new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }));
  }
}"""
"Drops a file, as a mouse does: the browser gives no other way to a test."


@pytest.fixture(scope="module")
def way() -> WayOut:
    """The number that the batch calls from."""
    return WayOut("+12125550420", path="native/bye/5", version='parameters = { name = "you" }\n')


@pytest.fixture(scope="module")
def gateway(
    agent: JsonProcess, agent_port: int, way: WayOut, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with a way out, and an account."""
    require("chromium", "chromium")
    with Gateway(tmp_path_factory.mktemp("batches"), seed({"Reminders": way}, agent_port)) as running:
        add_account(running, "anna@example.com", "--workspace", WORKSPACE)
        yield running
        assert running.stop() == 0
        running.assert_clean()


@pytest.fixture(scope="module")
def dashboard(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Somebody who is logged in, whose browser has to have nothing to complain of."""
    with chromium(tmp_path_factory.mktemp("chromium")) as context:
        made = Dashboard(context.new_page(), gateway)
        made.log_in()
        yield made
        assert made.complaints == []


def rows(numbers: tuple[str, ...] | list[str]) -> str:
    """The lines of a file."""
    return "".join(f'"{number}",Anna {at},{LONG_WORD},{ARABIC}\n' for at, number in enumerate(numbers))


def read(file: Path) -> list[dict[str, str]]:
    """A CSV that was downloaded."""
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def looked_at(dashboard: Dashboard, name: str) -> None:
    """Everybody can use the page, at every width; with pictures where they are asked for."""
    assert dashboard.misfits() == {}, name
    for scheme, size in (("light", WIDE), ("dark", NARROW), ("light", (768, 1024))):
        dashboard.look(scheme, size)
        assert dashboard.faults() == [], (name, scheme, size)
        if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
            dashboard.picture(Path(given) / f"{name}.{scheme}.{size[0]}.png")
    dashboard.look("light", WIDE)


def test_from_the_upload_to_the_draft(dashboard: Dashboard) -> None:
    """A file with bad rows comes back in groups that open to their rows; mended, it becomes a draft."""
    page = dashboard.page
    dashboard.go("/batches")
    looked_at(dashboard, "batches-none")
    page.get_by_role("link", name="New batch").first.click()
    looked_at(dashboard, "batch-new")
    page.get_by_label("Title").fill("x" * 36)
    file = {"name": NAME, "mimeType": "text/csv", "buffer": (HEADER + rows([*GOOD, *BAD])).encode()}
    page.get_by_label("File of recipients").set_input_files(file)  # type: ignore[arg-type]  # as it says
    page.get_by_role("button", name="Upload, and look at it").click()
    expect(page.get_by_role("alert")).to_contain_text("35 characters or fewer (received 36)")
    page.get_by_label("Title").fill(TITLE)
    page.get_by_role("button", name="Upload, and look at it").click()
    page.wait_for_url("**/batches/files/file_*")
    expect(page.get_by_role("heading", name="Columns of the file")).to_be_visible()
    looked_at(dashboard, "batch-columns")
    page.get_by_role("button", name="Check the rows").click()
    expect(page.get_by_role("heading", name="7 of 11 rows cannot be called")).to_be_visible()
    page.get_by_text("Duplicate phone number").click()
    expect(page.locator("details[open]")).to_contain_text(GOOD[0])
    looked_at(dashboard, "batch-groups")
    with page.expect_download() as download:
        page.get_by_role("link", name="Error file", exact=True).click()
    errors = read(Path(download.value.path()))
    assert [error["position"] for error in errors] == [str(at) for at in range(6, 13)]
    assert errors[5]["phone_number"] == "'=HYPERLINK(0)"
    zone = page.locator("[data-drop]").element_handle()
    page.evaluate(DROP, [zone, "mended.csv", HEADER + rows(GOOD)])
    expect(page.get_by_role("status")).to_contain_text("mended.csv")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("button", name="Check the rows").click()
    page.wait_for_url("**/batches/batch_*")
    expect(page.get_by_text("at most ₹20.00")).to_be_visible()
    page.get_by_label("Only in calling hours").uncheck()
    looked_at(dashboard, "batch-draft")


def test_from_the_start_to_the_finished_page(dashboard: Dashboard, way: WayOut, sipp: Path) -> None:
    """It starts, is paused, goes on, is watched, and what came of everybody is one file."""
    page = dashboard.page
    dashboard.go("/batches")
    page.get_by_role("link", name=TITLE).click()
    page.get_by_label("Calls at once").fill("2")
    with carrier("uas", way.port, sipp / "batch", len(GOOD)):
        page.get_by_role("button", name="Start or schedule").click()
        page.get_by_role("dialog").get_by_role("button", name="Start or schedule").click()
        running = page.get_by_label("Running calls")
        running.get_by_role("button", name="Hang up").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
        expect(page.get_by_role("status").first).to_contain_text("The call is being ended")
        expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
        looked_at(dashboard, "batch-running")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("status").first).to_contain_text("Paused: no new call is placed")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text(f"{len(GOOD)} of {len(GOOD)} recipients are done")).to_be_visible(
            timeout=20_000
        )
    expect(page.locator("main")).to_contain_text("completed")
    dashboard.go(page.url.partition("/dashboard")[2])
    looked_at(dashboard, "batch-completed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Results (CSV)").click()
    results = read(Path(download.value.path()))
    assert [result["phone_number"] for result in results] == GOOD
    assert {result["outcome"] for result in results} == {"completed"}
    assert results[3]["name"] == "Anna 3"
    page.get_by_role("link", name="See the call").first.click()
    expect(page.locator(".ladder")).to_contain_text("INVITE")
    dashboard.go("/batches")
    looked_at(dashboard, "batches")
    expect(page.get_by_role("row", name=TITLE)).to_contain_text("completed")
