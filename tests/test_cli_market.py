"""Buying, linking and testing from the command line."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from tests.test_cli import answer

Gateway = Callable[..., Result]


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The command, with a data directory of its own and the simulated provider."""
    for name, value in {
        "GATEWAY__DATA_DIR": str(tmp_path),
        "PROVISIONING__PROVIDER": "simulated",
        "PROVISIONING__PRICES": '{"US": "300"}',
        "PROVISIONING__TRIAL_SECONDS": "1",
        "SECURITY__ALLOW_PRIVATE": "yes",
    }.items():
        monkeypatch.setenv(f"TRUNKLINE_{name}", value)
    return lambda *words, given=None: CliRunner().invoke(app, [str(word) for word in words], input=given)


def verified(gateway: Gateway) -> None:
    """A workspace whose KYC is verified."""
    answer(gateway("workspaces", "add", "Acme", "kyc_verified=true"))


def test_search_buy_check_and_remove(gateway: Gateway) -> None:
    """A number's life on the command line; the same purchase again is the same number."""
    verified(gateway)
    found = answer(gateway("numbers", "search", "US", "--pattern", "2135550"))
    number = found[0]["number"]
    bought = answer(gateway("numbers", "buy", number, "--country", "US", "--yes"))
    assert (bought["e164"], bought["status"]) == (number, "active")
    again = answer(gateway("numbers", "buy", number, "--country", "US", "--yes"))
    assert again["id"] == bought["id"]
    steps = answer(gateway("numbers", "check", number))["steps"]
    assert [step["key"] for step in steps if step["done"]] == ["active", "readiness"]
    answer(gateway("numbers", "remove", number, "--yes"))
    assert answer(gateway("numbers", "list")) == []
    assert answer(gateway("numbers", "search", "US", "--pattern", "2135550"))[0]["number"] == number


def test_refusals_are_sentences(gateway: Gateway) -> None:
    """KYC, and a country that is not sold."""
    answer(gateway("workspaces", "add", "Acme"))
    kyc = gateway("numbers", "buy", "+12135550100", "--country", "US", "--yes")
    assert (kyc.exit_code, "KYC is not verified" in kyc.stderr) == (2, True)
    off = gateway("numbers", "search", "GB")
    assert (off.exit_code, "cannot be bought here" in off.stderr) == (2, True)


def test_linking_tests_first(gateway: Gateway) -> None:
    """A carrier that does not answer is told step by step, and nothing is saved."""
    verified(gateway)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        uri = f"127.0.0.1:{silent.getsockname()[1]}"
        words = ("trunks", "link", "+442079460099", uri, "--username", "acme", "--password", "-", "--yes")
        failed = gateway(*words, given="secret-1\n")
    assert failed.exit_code == 1
    assert "SIP trunk registration failed" in failed.stderr
    assert "no answer within 1 s" in failed.stderr
    assert "secret-1" not in failed.output + failed.stderr
    assert answer(gateway("trunks", "list")) == []


def test_linking_untested(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the test switched off, the link is saved; then it can be tested by itself."""
    verified(gateway)
    monkeypatch.setenv("TRUNKLINE_PROVISIONING__TEST_BEFORE_LINKING", "no")
    linked = answer(gateway("trunks", "link", "+442079460099", "127.0.0.1:9", "--yes"))
    assert (linked["e164"], linked["trunk"]["termination_uri"]) == ("+442079460099", "127.0.0.1:9")
    tested = gateway("trunks", "test", "+442079460099")
    assert tested.exit_code == 1


def test_the_carriers_side(gateway: Gateway) -> None:
    """What a carrier has to set, from the configuration."""
    side: dict[str, Any] = answer(gateway("trunks", "setup"))
    assert side["signalling"][0] == {
        "transport": "UDP",
        "address": "127.0.0.1:5060",
        "inbound_uri": "sip:+E164@127.0.0.1:5060",
    }


def test_assignments_that_follow_or_split(gateway: Gateway) -> None:
    """AGENT/latest follows what is published; shares name versions of one agent and add up to 1."""
    verified(gateway)
    answer(gateway("numbers", "add", "+442079460018"))
    answer(gateway("agents", "add", "Echo", "runtime_url=ws://127.0.0.1:9/calls"))
    answer(gateway("agents", "publish", "Echo"))
    words = ("numbers", "assign", "+442079460018", "inbound")
    assert answer(gateway(*words, "Echo/latest"))["inbound"] == "Echo/1 (latest)"
    answer(gateway("agents", "draft", "Echo"))
    answer(gateway("agents", "publish", "Echo"))
    assert answer(gateway("numbers", "show", "+442079460018"))["inbound"] == "Echo/2 (latest)"
    assert answer(gateway(*words, "Echo/1:0.8,Echo/2:0.2"))["inbound"] == "Echo/1:0.8, Echo/2:0.2"
    refused = gateway(*words, "Echo/1:0.8,Echo/2:0.3")
    assert (refused.exit_code, "add up to 1" in refused.stderr) == (2, True)
    assert answer(gateway("numbers", "unassign", "+442079460018", "inbound"))["inbound"] is None
