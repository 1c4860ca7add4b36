"""Schemathesis asks the running gateway whatever its own description allows, and what it forbids."""

import json
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from gateway.api.shapes.number import E164, HOST_PORT
from tests.interop.process import ROOT, Gateway
from tests.interop.sipp import free_port

pytestmark = pytest.mark.interop

COMMAND = ROOT / ".venv-interop-schemathesis/bin/schemathesis"
SECONDS = 50
"How long it may go on; most of it is the coverage phase, which comes first, then it fuzzes."
NOT_HELD = r"^/events$"
"The operator's stream of all events: another key, and it has no end."
EXAMPLES = {
    "agent": "agent_01m85m1gbt83exwnbdjt8m8z3n",
    "call": "call_01m85m1gbt83exwnbdjt8m8z3n",
    "number": "phn_01m85m1gbt83exwnbdjt8m8z3n",
    "webhook": "webhook_01m85m1gbt83exwnbdjt8m8z3n",
    "batch": "batch_01m85m1gbt83exwnbdjt8m8z3n",
    "receiver": "https://example.com/hooks/calls",
    "carrier": "31974861099010243.zt.plivo.com:5060",
    "provider": '"plivo"',
}
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

[[numbers]]
e164 = "+12025550102"
trunk = "Nobody"
sip_trunk_enabled = true
"""
"A number that calls are placed from, and one that may be given back."


SETTINGS = """
# Whatever fits the description is taken; a body that is too large fits all the same.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 402, 403, 404, 409, 413, 429, 502]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415]

# No schema says in full what a telephone number is, when it may be left out, which headers may be set, and
# that no number in `metadata` or `fields` may be larger than 64 bits.
[[operations]]
include-name-regex = "^(POST /v1/calls(/.call_id./extracted)?|POST /v1/web-calls|GET /v1/rates/quote)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 402, 403, 404, 409, 413, 429]

# Address, audio and options have to be the dialect's, and placeholders those that the parameters name.
# A draft may lack its address, a published version may not.
[[operations]]
include-name-regex = "^(POST|PATCH) /v1/agents(/.agent_id.(/versions/.version_number./publish)?)?$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 429]

# A number has to be of the country; shares have to add up; no network of a tenant's may be wide.
[[operations]]
include-name-regex = "^(POST .*/(purchase|sip-trunks)|PATCH /v1/organization-phone-numbers/.number_id.)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 429, 502]

# No schema says what a table of recipients is, nor where a batch stands: a draft is not paused, nor another
# deleted.
[[operations]]
include-name-regex = "^(POST|PATCH|DELETE|GET) /v1/batch-calls"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 429]

# Nor what a list of numbers is, a time zone, or whether a number may be written as its country dials it.
[[operations]]
include-name-regex = "^(GET|POST|DELETE|PATCH) /v1/(do-not-call|workspace)"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 429]

# Telnyx's word for a call that has ended.
[[operations]]
include-name-regex = "^POST /v2/calls/"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 422, 429]
"""


class Receiver(BaseHTTPRequestHandler):
    """Takes the deliveries of webhooks, at one address."""

    path_taken = "/hooks/calls"

    def do_POST(self) -> None:
        """204, or 404."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204 if self.path == self.path_taken else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def receiver() -> Iterator[str]:
    """Where a webhook is taken."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{Receiver.path_taken}"
        server.shutdown()


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


def batch(gateway: Gateway, key: str, agent_id: str) -> str:
    """A batch that waits to be started; its id."""
    said = {"title": "Described", "agent_id": agent_id, "draft": "true"}
    file = ("people.csv", b"phone_number,name\n+14155550100,Ada\n")
    answer = httpx2.post(
        f"http://127.0.0.1:{gateway.http_port}/v1/batch-calls",
        data=said,
        files={"file": file},
        headers={"Authorization": f"Bearer {key}"},
    )
    return str(answer.json()["id"])


def described(gateway: Gateway, key: str, receiver: str, carrier: str) -> str:
    """The gateway's description, in which every example names something that there is.

    What no pattern can say is narrowed: that a receiver answers, and that a number is a possible one.
    Nobody else's address is asked by this test.
    """
    call = json.loads(
        ask(gateway, "/v1/calls", key, {"phone_number": "+14155550100", "from_number": "+12025550101"})
    )
    numbers = json.loads(ask(gateway, "/v1/organization-phone-numbers", key))["items"]
    hook = {"url": receiver, "events": ["call.completed"], "secret": "described"}
    there = {
        "agent": call["agent_id"],
        "call": call["id"],
        "number": numbers[-1]["id"],
        "webhook": json.loads(ask(gateway, "/v1/user-webhooks", key, hook))["id"],
        "batch": batch(gateway, key, call["agent_id"]),
        "receiver": receiver,
        "carrier": carrier,
        "provider": '"simulated"',
    }
    text = ask(gateway, "/openapi.json", key).decode()
    for name, example in EXAMPLES.items():
        assert example in text, name
        text = text.replace(example, there[name])
    for pattern, narrower in (
        (r"^https?://", f"^{re.escape(receiver)}$"),
        (HOST_PORT["pattern"], f"^{re.escape(carrier)}$"),
        (E164["pattern"], r"^\+1202555[0-9]{4}$"),
    ):
        assert json.dumps(pattern) in text, pattern
        text = text.replace(json.dumps(pattern), json.dumps(narrower))
    return text


def test_the_api_does_as_it_is_described(tmp_path: Path) -> None:
    """No answer that is not described, no server error, nothing let in that should not be, in any order."""
    if not COMMAND.exists():
        pytest.skip("Schemathesis is not installed: scripts/test does it")
    # Calls are placed and fail: nobody listens there.
    port = free_port()
    seed = SEED.format(port=port)
    settings: dict[str, dict[str, object]] = {
        "http": {"requests_per_minute": 1_000_000},
        # Web calls that nobody came for would be waited for.
        "sip": {"drain_seconds": 1},
        "provisioning": {"provider": "simulated", "test_before_linking": "no", "trial_seconds": 1},
        "webhooks": {"allow_http": "yes", "allow_private": "yes", "timeout_ms": 1000, "retries": 0},
    }
    with receiver() as url, Gateway(tmp_path / "gateway", seed, settings) as gateway:
        key = json.loads(gateway.command("keys", "add", "schemathesis"))["key"]
        (tmp_path / "openapi.json").write_text(described(gateway, key, url, f"127.0.0.1:{port}"))
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
        words += ["--header", f"Authorization: Bearer {key}", "--exclude-path-regex", NOT_HELD]
        words += [
            "--phases",
            "coverage,fuzzing,stateful",
            "--checks",
            "all",
            "--seed",
            "1",
            "--max-time",
            str(SECONDS),
            "--request-timeout",
            "10",
        ]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert gateway.stop() == 0
        gateway.assert_no_errors()
