"""Debian's Chromium, driven by Playwright, and what a page has to be like for everybody to use it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.interop.process import ROOT, Gateway

NAME, PASSWORD = "anna@example.com", "correct horse battery"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"No sandbox, since the tests run as root; and nothing that talks to anybody but the gateway."

WIDE, NARROW, NARROWEST = (1360, 900), (390, 844), (360, 740)
SIZES = (NARROWEST, NARROW, (768, 1024), (1024, 768), (1280, 800), (1920, 1080))
"The windows that every page has to fit: telephones, a tablet each way, a small and a large screen."
FINGERS = 800
"Up to this width it is a finger that presses."
TALLEST = 6000
AXE = (Path(__file__).parent / "accessible.js").read_text()
LAYOUT = (Path(__file__).parent / "layout.js").read_text()


@contextmanager
def chromium(folder: Path, *more: str) -> Iterator[BrowserContext]:
    """A browser with a profile of its own, and more arguments."""
    executable = shutil.which("chromium")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=executable,
            headless=True,
            args=[*ARGUMENTS, *more],
            viewport={"width": WIDE[0], "height": WIDE[1]},
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


class Dashboard:
    """A page of the browser that shows the dashboard of a gateway, and what it complained of."""

    def __init__(self, page: Page, gateway: Gateway) -> None:
        self.page = page
        self.root = f"http://127.0.0.1:{gateway.http_port}/dashboard"
        self.complaints: list[str] = []
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        # Chromium writes an error for each answer from 400 on, those that a test is about too.
        if kind in ("error", "warning") and "the server responded with a status of 4" not in text:
            self.complaints.append(text)

    def go(self, path: str) -> int:
        """Open a page; the status of the answer."""
        response = self.page.goto(self.root + path)
        return response.status if response is not None else 0

    def log_in(self, name: str = NAME) -> None:
        """With a mouse and a keyboard."""
        self.go("/login")
        self.page.fill("#f-name", name)
        self.page.fill("#f-password", PASSWORD)
        self.page.get_by_role("button", name="Log in", exact=True).click()
        self.page.wait_for_url("**/numbers")

    def look(self, scheme: str, size: tuple[int, int]) -> None:
        """Have a system that is light or dark, and a window of a size."""
        self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # light or dark
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def faults(self) -> list[str]:
        """What keeps somebody from using the page; see `accessible.js`."""
        found: list[str] = self.page.evaluate(AXE)
        return found

    def misfits(self) -> dict[str, list[int]]:
        """What does not fit, and at which widths; see `layout.js`."""
        found: dict[str, list[int]] = {}
        for width, height in SIZES:
            self.page.set_viewport_size({"width": width, "height": height})
            for fault in self.page.evaluate(LAYOUT, width <= FINGERS):
                found.setdefault(fault, []).append(width)
        return found

    def picture(self, path: Path) -> None:
        """The whole page as a PNG: the window grows to its height, for what is fixed to it."""
        size: Any = self.page.viewport_size
        height = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.set_viewport_size(
            {"width": size["width"], "height": max(size["height"], min(height, TALLEST))}
        )
        self.page.screenshot(path=str(path))
        self.page.set_viewport_size(size)


def add_account(gateway: Gateway, name: str = NAME, *more: str) -> None:
    """Somebody who may log in."""
    config = str(gateway.folder / "gateway.toml")
    command = [
        sys.executable,
        "-m",
        "gateway",
        "accounts",
        "add",
        name,
        *more,
        "--password-stdin",
        "--config",
        config,
    ]
    subprocess.run(
        command, cwd=ROOT, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60
    )
