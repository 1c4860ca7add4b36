"""Outbound calls over HTTP, with SIPp as the carrier and baresip as the callee."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.carrier import carrier
from tests.interop.process import ROOT, Gateway, JsonProcess, Line, wait_until
from tests.interop.softphones import answering_baresip
from tests.interop.sound import RATE, assert_came_back, speech_like
from tests.interop.ways_out import CALLEE, LOGIN, WayOut, seed

pytestmark = pytest.mark.interop

SCENARIOS = {
    "callee_answers": ("completed", "user_disconnected", "callee", None),
    "callee_busy": ("busy", "user_busy", "callee", 486),
    "callee_declines": ("busy", "user_busy", "callee", 603),
    "trunk_is_down": ("failed", "network_failure", "gateway", 503),
    "callee_rings_out": ("did_not_pick", "user_did_not_pick_up", "gateway", None),
    "callee_answers_too_late": ("did_not_pick", "user_did_not_pick_up", "gateway", None),
}


@dataclass
class Exchange:
    """A gateway that calls out, and the key for its API."""

    gateway: Gateway
    key: str
    ways: dict[str, WayOut]

    def place(self, way: str, **more: object) -> str:
        """Ask for a call; its id."""
        body = {"phone_number": CALLEE, "from_number": self.ways[way].number, "metadata": {}, **more}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.gateway.http_port}/v1/calls",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with closing(urllib.request.urlopen(request, timeout=10)) as answer:
            assert answer.status == 201
            return str(json.load(answer)["id"])

    def ended(self, call_id: str) -> Line:
        """The record of a call, when it has ended."""

        def found() -> list[Line]:
            return [row for row in self.gateway.calls() if row["id"] == call_id and row["ended_at"]]

        assert wait_until(found, 40), self.gateway.output[-4000:]
        return found()[0]


def _ways() -> dict[str, WayOut]:
    quick = "ring_duration_sec = 2\n"
    names = [*SCENARIOS, "uas", "silence", "baresip"]
    ways = {
        name: WayOut(f"+1212555{index:04}", version=quick if "rings" in name or "late" in name else "")
        for index, name in enumerate(names, 200)
    }
    ways["silence"] = WayOut("+12125550301", version="ring_duration_sec = 3\n")
    for name, password in (("good login", "open sesame"), ("bad login", "abracadabra")):
        ways[name] = WayOut(f"+1212555{310 + len(ways):04}", trunk=LOGIN.format(password))
    return ways


@pytest.fixture(scope="module")
def exchange(
    agent: JsonProcess, agent_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exchange]:
    """A gateway with a way out for each scenario; nothing may have gone wrong in it at the end."""
    ways = _ways()
    with Gateway(tmp_path_factory.mktemp("outbound"), seed(ways, agent_port)) as gateway:
        key = json.loads(gateway.command("keys", "add", "tests", "--json"))["key"]
        yield Exchange(gateway, key, ways)
        assert gateway.stop() == 0
        gateway.assert_clean()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_carriers_answer(exchange: Exchange, sipp: Path, scenario: str) -> None:
    """Each answer of a carrier ends the call in its own words, and SIPp finds nothing wrong with ours."""
    with carrier(scenario, exchange.ways[scenario].port, sipp):
        call_id = exchange.place(scenario)
        row = exchange.ended(call_id)
    status, reason, by, sip_status = SCENARIOS[scenario]
    assert (row["status"], row["end_reason"], row["ended_by"]) == (status, reason, by)
    assert row["sip_status"] == sip_status


@pytest.mark.parametrize(
    ("way", "status", "reason", "sip_status"),
    [("good login", "busy", "user_busy", 486), ("bad login", "failed", "sip_auth_failed", 401)],
)
def test_carriers_that_ask_who_calls(
    exchange: Exchange, sipp: Path, way: str, status: str, reason: str, sip_status: int
) -> None:
    """The digest is right where the password is; a second 401 means that it is not."""
    with carrier("trunk_asks_who", exchange.ways[way].port, sipp):
        row = exchange.ended(exchange.place(way))
    assert (row["status"], row["end_reason"], row["sip_status"]) == (status, reason, sip_status)


def test_carrier_that_says_nothing(exchange: Exchange) -> None:
    """An address that takes datagrams and answers none: the trunk is unreachable, not the callee."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", exchange.ways["silence"].port))
        row = exchange.ended(exchange.place("silence"))
    assert (row["status"], row["end_reason"]) == ("failed", "sip_trunk_unreachable")


def test_fifty_calls_at_once(exchange: Exchange, sipp: Path) -> None:
    """SIPp's own `uas` answers fifty calls, each of which is hung up by whoever asked for it."""
    with carrier("uas", exchange.ways["uas"].port, sipp, 50):
        placed = [exchange.place("uas") for _ in range(50)]
        answered = {"event": "call.answered"}
        assert wait_until(
            lambda: {line["call_id"] for line in exchange.gateway.find(**answered)} >= set(placed), 20
        )
        for call_id in placed:
            _delete(exchange, call_id)
        rows = [exchange.ended(call_id) for call_id in placed]
    assert {(row["status"], row["end_reason"]) for row in rows} == {("completed", "ended_by_request")}


def _delete(exchange: Exchange, call_id: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{exchange.gateway.http_port}/v1/calls/{call_id}",
        headers={"Authorization": f"Bearer {exchange.key}"},
        method="DELETE",
    )
    with closing(urllib.request.urlopen(request, timeout=10)) as answer:
        assert answer.status == 202


def test_baresip_answers(exchange: Exchange, baresip: Path) -> None:
    """A softphone that picks up and speaks hears itself back through the agent."""
    speech = speech_like(4.0)
    with answering_baresip(exchange.ways["baresip"].port, CALLEE, speech, baresip / "baresip") as heard:
        call_id = exchange.place("baresip", max_call_duration_sec=60)
        assert wait_until(lambda: list(exchange.gateway.find(event="call.answered", call_id=call_id)))
        row = exchange.ended(call_id)
    assert (row["status"], row["end_reason"], row["ended_by"]) == ("completed", "user_disconnected", "callee")
    # It speaks as soon as it has picked up: on a busy machine the agent is there a moment later.
    assert_came_back(speech[RATE:], heard.samples[RATE:], 0.8, heard.output)


def test_from_the_command_line(exchange: Exchange, sipp: Path) -> None:
    """`gateway call` follows a call to its end, and its exit status says how that was."""
    way = exchange.ways["callee_busy"]
    config = str(exchange.gateway.folder / "gateway.toml")
    command = [sys.executable, "-m", "gateway", "call", CALLEE, "--from", way.number, "--config", config]
    with carrier("callee_busy", way.port, sipp):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 4, result.stdout + result.stderr
    assert "user_busy" in result.stdout
