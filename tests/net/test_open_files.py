"""The limit of open files: raised as far as it is needed, and what happens where it is reached."""

import errno
import resource
from collections.abc import Iterator

import pytest

from gateway.commands.check_sockets import check_sockets
from gateway.config.loading import load_config
from gateway.net import open_files
from gateway.net.rtp_ports import NoPortFree, bind_pair


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits, as they are again afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_is_raised_to_what_is_needed(limits: tuple[int, int]) -> None:
    """No further than allowed, and never lowered."""
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert open_files.raise_limit(600) == 600
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
    assert open_files.raise_limit(300) == 600


def test_the_check_does_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few files are worth a warning that says how many it takes, and where to allow them."""
    monkeypatch.setattr("gateway.commands.check_sockets.allowed", lambda: (1024, 1024))
    (finding,) = [one for one in check_sockets(load_config(None, {})) if one.what == "open files"]
    wanted = open_files.needed(load_config(None, {}))
    assert (finding.level, str(wanted) in finding.found) == ("warn", True)
    assert f"LimitNOFILE={wanted}" in finding.mend
    monkeypatch.setattr("gateway.commands.check_sockets.allowed", lambda: (1024, wanted))
    (finding,) = [one for one in check_sockets(load_config(None, {})) if one.what == "open files"]
    assert finding.level == "ok"


def test_no_descriptor_is_as_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call gets 503, and is nobody's crash."""

    def full(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("gateway.net.rtp_ports.socket.socket", full)
    with pytest.raises(NoPortFree, match="open files"):
        bind_pair("127.0.0.1", 40_000)
