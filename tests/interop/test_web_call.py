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
from tests.interop.process import ROOT, Gateway, JsonProcess, require, wait_until
from tests.interop.sound import RATE, Samples, assert_came_back, compare, speech_like, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.alone]

SPEECH = speech_like(3.0, seed=7)
PAUSE = np.zeros(int(0.7 * RATE))
TONE_HZ = 440
AUDIO = ROOT / "gateway/web/static/web-call-audio.js"

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
    const tap = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => window.heard.push([performance.now(), data.audio]);
    connect.call(this, tap);
  }
  return connect.call(this, target, ...more);
};
"""
"""Keeps what goes to the loudspeaker, beside letting it go there, and when each 20 ms of it reached the page.

By the page's own microphone, whose frames wait for a page that is busy: a ScriptProcessorNode loses them.
"""

FORBIDDEN = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""

COLLECT = """() => {
  let text = "";
  for (const [, audio] of window.heard) text += String.fromCharCode(...new Uint8Array(audio));
  return btoa(text);
}"""

LATEST = """() => {
  const late = window.heard.map(([at], count) => at - 20 * count);
  return Math.max(...late) - Math.min(...late);
}"""
"How far the browser's audio thread and page fell behind real time, in milliseconds; nothing here is ours."

UNEVEN_MS = 40
"What the buffers of the page and of the gateway are there for."

PLAY = """([source, rate, arrivals]) => {
  class AudioWorkletProcessor { port = { postMessage: (told) => (node.told = told) }; }
  let node = {};
  const known = {};
  const given = [AudioWorkletProcessor, (name, kind) => (known[name] = kind), rate];
  new Function("AudioWorkletProcessor", "registerProcessor", "sampleRate", source)(...given);
  node = new known.playback();
  let heard = "";
  let sent = 0;
  const end = arrivals[arrivals.length - 1];
  for (let at = 0; (at * 1000) / rate < end; at += 128) {
    for (; arrivals[sent] <= (at * 1000) / rate; sent++) {
      const audio = Int16Array.from({ length: 320 }, (_, at) => 16384 * Math.sin((sent * 320 + at) * STEP));
      node.port.onmessage({ data: audio.buffer });
    }
    const output = new Float32Array(128);
    node.process([], [[output]]);
    heard += String.fromCharCode(...new Uint8Array(output.buffer));
  }
  return { heard: btoa(heard), gaps: node.gaps, waiting: node.told.waiting };
}""".replace("STEP", repr(2 * np.pi * TONE_HZ / 16_000))
"The page's audio thread without a clock: it plays a tone whose frames arrive at these milliseconds."


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
    assert dashboard.complaints == []


def played(page: Page) -> Samples:
    """What the page has played so far, at 8 kHz."""
    samples = np.frombuffer(base64.b64decode(page.evaluate(COLLECT)), "<i2") / 32_768
    if not len(samples):
        return samples
    # The lower half of the spectrum is the same sound at half the rate.
    return np.asarray(np.fft.irfft(np.fft.rfft(samples)[: len(samples) // 4 + 1], len(samples) // 2) / 2)


def play(browser: BrowserContext, rate: int, arrivals: Samples) -> tuple[Samples, int, int]:
    """What the page's audio thread plays when frames arrive so; its gaps, and how many milliseconds wait."""
    page = browser.new_page()
    told = page.evaluate(PLAY, [AUDIO.read_text(), rate, arrivals.tolist()])
    page.close()
    return np.frombuffer(base64.b64decode(told["heard"]), "<f4").astype(float), told["gaps"], told["waiting"]


def begin(dashboard: Dashboard, version: str) -> Page:
    """Start a call with a version."""
    page = dashboard.page
    page.get_by_label("Agent version").select_option(label=version)
    page.get_by_role("button", name="Start the call").click()
    return page


def moves(page: Page, meter: str) -> None:
    """One of the meters shows a voice; asked for from here, since the page's policy evaluates no text."""
    shown = page.locator(f"[data-meter-{meter}]")
    assert wait_until(lambda: float(shown.get_attribute("value") or 0) > 0.3)


def test_a_call_from_the_browser(dashboard: Dashboard, talking_gateway: Gateway) -> None:
    """Somebody speaks, the agent echoes, the page plays it; the call is in the history, without a price."""
    dashboard.go("/web-call")
    dashboard.page.get_by_label("Send the microphone as it is").check()
    page = begin(dashboard, "Echo, version 1")
    expect(page.get_by_role("status")).to_have_text("In conversation", timeout=30_000)
    page.wait_for_timeout(1000 * (2 * len(SPEECH) + 3 * len(PAUSE)) / RATE + 500)
    for meter in ("out", "in"):
        moves(page, meter)
    page.get_by_role("button", name="5", exact=True).click()
    if given := os.environ.get("TRUNKLINE_SCREENSHOTS"):
        dashboard.picture(Path(given) / "web-call-live.light.wide.png")
        dashboard.look("dark", NARROW)
        dashboard.picture(Path(given) / "web-call-live.dark.narrow.png")
        dashboard.look("light", WIDE)
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("status")).to_have_text("You hung up.")
    heard = played(page)
    # Pieces may come earlier than the one at whose lag most of them are: something was late in between.
    begins = max(0, round(compare(SPEECH, heard).delay_ms * RATE / 1000) - RATE // 4)
    late = page.evaluate(LATEST)
    gaps = page.locator("[data-web-call]").get_attribute("data-gaps")
    share = 0.9 if late < UNEVEN_MS else 0.7
    told = f"the browser was up to {late:.0f} ms late, the page had {gaps} gaps"
    assert_came_back(SPEECH, heard[begins:], share, told)
    page.get_by_role("link", name="See the call’s record").click()
    page.wait_for_url("**/calls/call_*")
    expect(page.get_by_role("heading", name="Web call")).to_be_visible()
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    (row,) = [row for row in talking_gateway.calls() if row["ended_at"]]
    assert (row["type"], row["end_reason"], row["ended_by"]) == ("web", "user_disconnected", "caller")
    assert (row["price"], row["number_id"], row["trunk_id"]) == (None, None, None)
    dashboard.go("/calls?type=web")
    expect(page.get_by_role("cell", name="Web call")).to_be_visible()


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_page_bridges_what_is_uneven(speaker: BrowserContext, rate: int) -> None:
    """Frames up to 40 ms late are played without a gap or a click at every sample rate of a loudspeaker."""
    late = np.random.default_rng(rate).uniform(0, UNEVEN_MS, 200)
    heard, gaps, _ = play(speaker, rate, np.maximum.accumulate(20 * np.arange(200) + late))
    assert gaps == 0
    tone = np.trim_zeros(heard)[rate // 100 :]
    # A sine goes on as it began: three samples in a row say what the fourth is.
    expected = 2 * np.cos(2 * np.pi * TONE_HZ / rate) * tone[1:-1] - tone[:-2]
    assert float(np.abs(tone[2:] - expected).max()) < 0.01
    assert float(np.sqrt(np.mean(tone**2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_the_page_learns_how_late_frames_come(speaker: BrowserContext) -> None:
    """One frame in ten that is 110 ms late leaves a few gaps at first, and none later."""
    arrivals = 20 * np.arange(500) + np.where(np.arange(500) % 10 == 9, 110, 0)
    _, few, _ = play(speaker, 48_000, np.maximum.accumulate(arrivals[:50]))
    _, gaps, waiting = play(speaker, 48_000, np.maximum.accumulate(arrivals))
    assert 0 < gaps == few < 5
    assert waiting < 200


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
