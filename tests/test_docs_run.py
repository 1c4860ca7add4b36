"""The shell blocks of the documents run as they stand, one after another, in a fresh demo."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import DOCS, ROOT

DOCUMENTS = ("api.md", "numbers.md", "trunks.md", "webhooks.md")

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+) -->\n)?^```(?P<kind>\S*)\n(?P<text>.*?)^```$", re.M | re.S
)
"A fenced block, with what stands above one that cannot run."

MOST_NOT_RUN = 2

STARTED = 60.0
"Seconds that the demo may take to start."

# An HTTP answer that is an error ends the block, as a reader would see it.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body "$@"; }\n'


def blocks(name: str) -> list[re.Match[str]]:
    """The shell blocks of a document, those that cannot run included."""
    text = (DOCS / name).read_text()
    return [found for found in BLOCK.finditer(text) if found["kind"] in ("", "sh", "bash")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A gateway that serves the demo's workspace: its folder, and the environment for commands beside it."""
    folder = tmp_path_factory.mktemp("demo")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
        "TRUNKLINE_DEMO__SEED": str(ROOT / "gateway/data/demo.toml"),
        "TRUNKLINE_PROVISIONING__PROVIDER": "simulated",
        "TRUNKLINE_SIP__LISTENERS__0__PORT": "0",
        "TRUNKLINE_SIP__LISTENERS__1__PORT": "0",
        "TRUNKLINE_HTTP__PORT": "0",
        "TRUNKLINE_LOG__FORMAT": "json",
    }
    log = folder / "gateway.log"
    with log.open("w") as out:
        served = subprocess.Popen(["gateway", "serve"], cwd=folder, env=environ, stdout=out, stderr=out)
    try:
        environ["TRUNKLINE_HTTP__PORT"] = port_of(served, log)
        yield folder, environ
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(30)


def port_of(served: "subprocess.Popen[bytes]", log: Path) -> str:
    """The HTTP port that the demo says it has, once it is up."""
    end = time.monotonic() + STARTED
    while time.monotonic() < end and served.poll() is None:
        found = re.search(r'"http":\s*"[^"]*:(\d+)"', log.read_text())
        if found is not None:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_reader_can_paste_what_stands_there(name: str, demo: tuple[Path, dict[str, str]]) -> None:
    """Each block succeeds, in one shell for the document; `KEY` is the one that api.md makes."""
    folder, environ = demo
    texts = [found["text"] for found in blocks(name) if not found["reason"]]
    if name != "api.md" and any("$KEY" in text for text in texts):
        texts.insert(0, next(found["text"] for found in blocks("api.md") if "KEY=" in found["text"]))
    script = "\n".join(texts).replace("127.0.0.1:8080", f"127.0.0.1:{environ['TRUNKLINE_HTTP__PORT']}")
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-x", "-c", PRELUDE + script], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]


def test_few_blocks_cannot_run() -> None:
    """Each says why, in the document's source."""
    reasons = [found["reason"] for name in DOCUMENTS for found in blocks(name) if found["reason"]]
    assert len(reasons) <= MOST_NOT_RUN
    assert all(len(reason.split()) > 3 for reason in reasons)
