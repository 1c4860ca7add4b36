"""What the tests with real peers share: one gateway, one agent runtime, one Pipecat bot for all of them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.process import ROOT, Gateway, JsonProcess, Start, require
from tests.interop.seed import seed
from tests.interop.sipp import CAPTURES, free_port
from tests.interop.softphones import PEERS


@pytest.fixture(scope="session")
def agent_port() -> int:
    """Where the agent runtime listens."""
    return free_port()


@pytest.fixture(scope="session")
def pipecat_port() -> int:
    """Where the Pipecat bot listens, when a test has started it."""
    return free_port()


@pytest.fixture(scope="session")
def plivo_port() -> int:
    """Where the bot on Plivo's SDK listens, when a test has started it."""
    return free_port()


@pytest.fixture(scope="session")
def vendors() -> Path:
    """The Python that has the vendors' SDKs."""
    python = ROOT / ".venv-interop-vendors/bin/python"
    if not python.exists():
        pytest.skip("the vendors' SDKs are not installed: scripts/test does it")
    return python


@pytest.fixture(scope="session")
def plivo_bot(
    vendors: Path, plivo_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JsonProcess]:
    """A bot on Plivo's own stream SDK."""
    log = tmp_path_factory.mktemp("plivo") / "plivo.log"
    with JsonProcess([str(vendors), str(PEERS / "plivo_bot.py"), str(plivo_port)], log) as process:
        process.wait_listening(plivo_port)
        yield process


@pytest.fixture(scope="session")
def agent(agent_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonProcess]:
    """An agent runtime that does what the path of its URL says."""
    log = tmp_path_factory.mktemp("agent") / "agent.log"
    with JsonProcess([sys.executable, str(PEERS / "echo_agent.py"), str(agent_port)], log) as process:
        process.wait_listening(agent_port)
        yield process
        assert not process.stray_lines, process.output


@pytest.fixture(scope="session")
def pipecat(pipecat_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonProcess]:
    """A Pipecat bot in its own environment."""
    python = ROOT / ".venv-interop-pipecat/bin/python"
    if not python.exists():
        pytest.skip("Pipecat is not installed: scripts/test does it")
    log = tmp_path_factory.mktemp("pipecat") / "pipecat.log"
    with JsonProcess([str(python), str(PEERS / "pipecat_bot.py"), str(pipecat_port)], log) as process:
        process.wait_listening(pipecat_port)
        yield process


@pytest.fixture(scope="session")
def start_gateway(
    agent: JsonProcess,
    agent_port: int,
    pipecat_port: int,
    plivo_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Start:
    """Starts a gateway whose numbers lead to the runtimes above; keyword arguments are its settings."""

    def start(**settings: dict[str, object]) -> Gateway:
        folder = tmp_path_factory.mktemp("gateway")
        return Gateway(folder, seed(agent_port, pipecat_port, plivo_port), settings)

    return start


@pytest.fixture(scope="session")
def gateway(start_gateway: Start) -> Iterator[Gateway]:
    """The gateway that most tests call; after the last of them it has to have nothing to regret."""
    with start_gateway() as running:
        yield running
        assert running.stop() == 0
        running.assert_clean()


@pytest.fixture
def sipp(tmp_path: Path) -> Path:
    """A folder to run SIPp in."""
    require("sipp", "sip-tester")
    return tmp_path


@pytest.fixture
def captures() -> None:
    """SIPp may replay captured RTP: it has them, and raw sockets need root."""
    if not CAPTURES.is_dir() or os.geteuid() != 0:
        pytest.skip("SIPp replays captures only as root, and with those of Debian's sip-tester")


@pytest.fixture
def baresip(tmp_path: Path) -> Path:
    """A folder for a baresip."""
    require("baresip", "baresip-core")
    return tmp_path
