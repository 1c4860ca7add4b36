"""A web call in a real Chromium, whose microphone is a file: what the page plays is what was said into it."""

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.interop.browser import NARROW, WIDE, Dashboard, add_account, chromium
from tests.interop.process import Gateway, JsonProcess, require
from tests.interop.sound import RATE, Samples, came_back, compare, compare_pieces, speech_like, write_wav

pytestmark = pytest.mark.interop

SPEECH = speech_like(3.0, seed=7)
PAUSE = np.zeros(int(0.7 * RATE))

SEED = """
[[workspaces]]
name = "Acme Telephony"

[[agents]]
name = "Echo"
[[agents.versions]]
runtime_url = "ws://127.0.0.1:{agent}/native/echo"
dialect = "native"
audio = "l16_16k"
state = "published"
[[agents.versions]]
runtime_url = "ws://127.0.0.1:9/nobody"
dialect = "native"
state = "published"
"""

LISTEN = """
window.heard = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...more) {
  if (target === this.context.destination) {
    const tap = this.context.createScriptProcessor(4096, 1, 1);
    window.rate = this.context.sampleRate;
    tap.onaudioprocess = ({ inputBuffer }) => window.heard.push(inputBuffer.getChannelData(0).slice());
    connect.call(this, tap);
    connect.call(tap, target);
  }
  return connect.call(this, target, ...more);
};
"""
"Keeps what goes to the loudspeaker, beside letting it go there."

FORBIDDEN = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""

COLLECT = """() => {
  let text = "";
  for (const piece of window.heard)
    for (const sample of piece) {
      const value = Math.round(Math.max(-1, Math.min(1, sample)) * 32767) & 0xffff;
      text += String.fromCharCode(value & 255, value >> 8);
    }
  return [window.rate ?? 0, btoa(text)];
}"""


@pytest.fixture(scope="module")
def talking_gateway(
    agent: JsonProcess, agent_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose agent echoes."""
    require("chromium", "chromium")
    with Gateway(tmp_path_factory.mktemp("web-call"), SEED.format(agent=agent_port)) as running:
        add_account(running)
        yield running
        assert running.stop() == 0
        running.assert_clean()


@pytest.fixture(scope="module")
def speaker(talking_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser that is logged in, and into which somebody speaks the same words over and over."""
    folder = tmp_path_factory.mktemp("speaker")
    words = write_wav(folder / "words.wav", np.concatenate([PAUSE, SPEECH]))
    arguments = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={words}",
    )
    with chromium(folder, *arguments) as context:
        context.add_init_script(LISTEN)
        dashboard = Dashboard(context.new_page(), talking_gateway)
        dashboard.log_in()
        dashboard.page.close()
        yield context


@pytest.fixture
def dashboard(speaker: BrowserContext, talking_gateway: Gateway) -> Iterator[Dashboard]:
    """A page of that browser, which has to have nothing to complain of."""
    page = speaker.new_page()
    dashboard = Dashboard(page, talking_gateway)
    dashboard.look("light", WIDE)
    yield dashboard
    page.close()
    # The tap of these tests is one that Chromium would rather not see in pages.
    assert [said for said in dashboard.complaints if "ScriptProcessorNode" not in said] == []


def played(page: Page) -> Samples:
    """What the page has played so far, at 8 kHz."""
    rate, text = page.evaluate(COLLECT)
    samples = np.frombuffer(base64.b64decode(text), "<i2") / 32_768
    if not len(samples):
        return samples
    # The lower part of the spectrum is the same sound at the lower rate.
    count = int(len(samples) * RATE / rate)
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, count) * count / len(samples))


def begin(dashboard: Dashboard, version: str) -> Page:
    """Start a call with a version."""
    page = dashboard.page
    page.get_by_label("Agent version").select_option(label=version)
    page.get_by_role("button", name="Start the call").click()
    return page


def test_a_call_from_the_browser(dashboard: Dashboard, talking_gateway: Gateway) -> None:
    """Somebody speaks, the agent echoes, the page plays it; the call is in the history, without a price."""
    dashboard.go("/web-call")
    dashboard.page.get_by_label("Send the microphone as it is").check()
    page = begin(dashboard, "Echo, version 1")
    expect(page.get_by_role("status")).to_have_text("In conversation", timeout=30_000)
    page.wait_for_timeout(1000 * (2 * len(SPEECH) + 3 * len(PAUSE)) / RATE + 500)
    for meter in ("out", "in"):
        page.wait_for_function(f"document.querySelector('[data-meter-{meter}]').value > 0.3")
    page.get_by_role("button", name="5", exact=True).click()
    if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
        dashboard.picture(Path(given) / "web-call-live.light.wide.png")
        dashboard.look("dark", NARROW)
        dashboard.picture(Path(given) / "web-call-live.dark.narrow.png")
        dashboard.look("light", WIDE)
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("status")).to_have_text("You hung up.")
    heard = played(page)
    lag = int(compare(SPEECH, heard).delay_ms * RATE / 1000)
    assert came_back(SPEECH, heard[lag:]), (compare_pieces(SPEECH, heard[lag:]), page.evaluate("window.rate"))
    page.get_by_role("link", name="See the call’s record").click()
    page.wait_for_url("**/calls/call_*")
    expect(page.get_by_role("heading", name="Web call")).to_be_visible()
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    (row,) = [row for row in talking_gateway.calls() if row["ended_at"]]
    assert (row["type"], row["end_reason"], row["ended_by"]) == ("web", "user_disconnected", "caller")
    assert (row["price"], row["number_id"], row["trunk_id"]) == (None, None, None)
    dashboard.go("/calls?type=web")
    expect(page.get_by_role("cell", name="Web call")).to_be_visible()


def test_who_is_on_mute(dashboard: Dashboard) -> None:
    """Muted, nothing of the microphone leaves: the agent has nothing to echo; by keyboard alone."""
    dashboard.go("/web-call")
    page = begin(dashboard, "Echo, version 1")
    expect(page.get_by_role("status")).to_have_text("In conversation", timeout=30_000)
    page.get_by_role("button", name="Mute").press("Enter")
    expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(1000)
    page.evaluate("window.heard.length = 0")
    page.wait_for_timeout(3000)
    heard = played(page)
    assert len(heard) > 2 * RATE
    assert float(np.abs(heard).max()) < 0.001
    page.get_by_role("button", name="Hang up").press("Enter")
    expect(page.get_by_role("status")).to_have_text("You hung up.")


def test_what_goes_wrong_is_said(dashboard: Dashboard) -> None:
    """An agent that is not there, and a microphone that may not be used, are explained in words."""
    dashboard.go("/web-call")
    page = begin(dashboard, "Echo, version 2")
    expect(page.get_by_role("status")).to_have_text(re.compile("could not be reached"), timeout=30_000)
    assert dashboard.faults() == []
    page.add_init_script(FORBIDDEN)
    dashboard.go("/web-call")
    begin(dashboard, "Echo, version 1")
    expect(page.get_by_role("alert")).to_contain_text("does not let this page use the microphone")
    expect(page.get_by_role("button", name="Start the call")).to_be_visible()


def test_it_ends_where_somebody_else_hangs_up(
    dashboard: Dashboard, speaker: BrowserContext, talking_gateway: Gateway
) -> None:
    """The live call is in the history, and its button ends it: the page says so."""
    dashboard.go("/web-call")
    page = begin(dashboard, "Echo, version 1")
    expect(page.get_by_role("status")).to_have_text("In conversation", timeout=30_000)
    other = Dashboard(speaker.new_page(), talking_gateway)
    other.go("/calls")
    other.page.get_by_role("region", name="Live calls").get_by_role("link", name="Web call").first.click()
    other.page.get_by_role("button", name="Hang up").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("status")).to_have_text("Somebody ended the call.", timeout=15_000)
    other.page.close()
