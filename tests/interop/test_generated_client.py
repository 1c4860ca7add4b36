"""A client that a generator makes of the gateway's description, untouched: it places a call, and a batch."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.interop.carrier import carrier
from tests.interop.process import ROOT, Gateway, JsonProcess
from tests.interop.sipp import free_port
from tests.interop.softphones import PEERS
from tests.interop.ways_out import CALLEE, WayOut, seed

pytestmark = pytest.mark.interop

BIN = ROOT / ".venv-interop-openapi/bin"
NUMBER = "+12125550401"
LEFT_OUT = ("audio/wav",)
"Media types that the generator has no method for, and says so."


def generated(gateway: Gateway, folder: Path) -> None:
    """Make the package `generated` in a folder; nothing of the description may be left out but sounds."""
    url = f"http://127.0.0.1:{gateway.http_port}/openapi.json"
    with urllib.request.urlopen(url, timeout=30) as answer:
        (folder / "openapi.json").write_bytes(answer.read())
    words = [str(BIN / "openapi-python-client"), "generate", "--path", "openapi.json"]
    words += ["--output-path", "generated", "--meta", "none"]
    path = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=folder, env=path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    complaints = [
        line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Unable", "Cannot"))
    ]
    assert [line for line in complaints if not any(kind in line for kind in LEFT_OUT)] == []


def test_a_generated_client_places_a_call(sipp: Path, tmp_path: Path) -> None:
    """Refusal, call, repetition, record, list, hang-up, recipients: all as objects of its classes."""
    if not BIN.exists():
        pytest.skip("openapi-python-client is not installed: scripts/test does it")
    port = free_port()
    way = WayOut(NUMBER, path="native")
    agent = [sys.executable, "-m", "gateway.demo.sample_agent", "--port", str(port)]
    with (
        JsonProcess(agent, tmp_path / "agent.log") as runtime,
        Gateway(tmp_path / "gateway", seed({"callee": way}, port)) as gateway,
        carrier("uas", way.port, tmp_path / "carrier"),
    ):
        runtime.wait_listening(port)
        generated(gateway, tmp_path)
        key = json.loads(gateway.command("keys", "add", "generated", "--json"))["key"]
        words = [str(BIN / "python"), str(PEERS / "generated_client.py"), str(tmp_path)]
        words += [f"http://127.0.0.1:{gateway.http_port}", key, CALLEE, NUMBER]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        refused, placed, answered, ended, batch = map(json.loads, done.stdout.splitlines())
        assert refused == {"refused": 400, "field": "phone_number"}
        assert (placed["again"], placed["status"]) == (placed["placed"], 200)
        assert answered == {"answered": CALLEE}
        assert ended == {"ended": "completed", "reason": "ended_by_request", "listed": [placed["placed"]]}
        assert batch == {"batch": "Generated", "recipients": 1, "status": "draft", "deleted": 204}
        assert gateway.stop() == 0
        gateway.assert_clean()
