"""Schemathesis asks the running gateway whatever its own description allows, and what it forbids."""

import json
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.interop.process import ROOT, Gateway
from tests.interop.sipp import free_port

pytestmark = pytest.mark.interop

COMMAND = ROOT / ".venv-interop-schemathesis/bin/schemathesis"
HELD = r"^/v1/(calls(/[^/]+(/events)?)?|rates/quote)$"
"The routes that are held to their description: calls and quotes. The younger ones are to follow."
SECONDS = 20
"How long it may go on; the coverage phase comes first, then it fuzzes."
EXAMPLES = {"agent": "agent_01m85m1gbt83exwnbdjt8m8z3n", "call": "call_01m85m1gbt83exwnbdjt8m8z3n"}
"What the description's examples name; here they name what there is."
SEED = """
[[workspaces]]
name = "Described"
kyc_verified = true

[[trunks]]
name = "Nobody"
sources = ["127.0.0.1"]
termination_uri = "127.0.0.1:{port}"
transport = "TCP"

[[agents]]
name = "Echo"

[[agents.versions]]
state = "published"
runtime_url = "ws://127.0.0.1:{port}/native"

[[numbers]]
e164 = "+12025550101"
trunk = "Nobody"
sip_trunk_enabled = true
outbound = "Echo"
"""


SETTINGS = """
# No schema says in full what a telephone number is, and which headers may be set: some texts get 400.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 402, 403, 404, 409, 429]

# Where it does say all, whatever fits it is taken.
[[operations]]
include-name-regex = "^(GET|DELETE) /v1/calls(/.call_id.(/events)?)?$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 429]
"""


def ask(gateway: Gateway, path: str, key: str, body: object = None) -> bytes:
    """One request, which has to succeed."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.http_port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def test_the_api_does_as_it_is_described(tmp_path: Path) -> None:
    """No answer that is not described, no server error, nothing let in that should not be, in any order."""
    if not COMMAND.exists():
        pytest.skip("Schemathesis is not installed: scripts/test does it")
    # Calls are placed and fail: nobody listens there.
    seed = SEED.format(port=free_port(socket.SOCK_STREAM))
    settings: dict[str, dict[str, object]] = {
        "http": {"requests_per_minute": 1_000_000},
        # Web calls that nobody came for would be waited for.
        "sip": {"drain_seconds": 1},
    }
    with Gateway(tmp_path / "gateway", seed, settings) as gateway:
        key = json.loads(gateway.command("keys", "add", "schemathesis"))["key"]
        placed = json.loads(
            ask(gateway, "/v1/calls", key, {"phone_number": "+14155550100", "from_number": "+12025550101"})
        )
        text = ask(gateway, "/openapi.json", key).decode()
        assert all(example in text for example in EXAMPLES.values())
        text = text.replace(EXAMPLES["agent"], placed["agent_id"]).replace(EXAMPLES["call"], placed["id"])
        (tmp_path / "openapi.json").write_text(text)
        (tmp_path / "settings.toml").write_text(SETTINGS)
        words = [
            str(COMMAND),
            "--config-file",
            "settings.toml",
            "run",
            "openapi.json",
            "--url",
            f"http://127.0.0.1:{gateway.http_port}",
        ]
        words += ["--header", f"Authorization: Bearer {key}", "--include-path-regex", HELD]
        words += ["--checks", "all", "--seed", "1", "--max-time", str(SECONDS), "--request-timeout", "10"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert gateway.stop() == 0
        assert not gateway.stray_lines
        # A machine that is busy with other tests can keep a disk waiting; nothing is lost by it.
        errors = [line for line in gateway.lines if line["level"] == "error"]
        assert {line["event"] for line in errors} <= {"store.stalled"}, errors[:5]
