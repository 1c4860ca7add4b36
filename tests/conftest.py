"""What every test shares: both event loops, what is slow, and a CI in which nothing is skipped."""

import asyncio
import gc
import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest
import uvloop

ONE_LOOP = frozenset(
    {"api", "batch", "call", "commands", "providers", "provisioning", "store", "tenants", "web"}
)
"""Folders whose subject is not the loop: SQL, HTTP and whole calls cost too much to have each of them twice.

Those whole calls that carry the most on the way (audio both ways, holds, each transport) are `both_loops`.
"""

FAST = frozenset({"agent", "media", "routing", "sip", "store", "test_architecture.py", "test_config.py"})
"What computes, and the store where it is on SQLite. All else is `slow`; so is what says so itself."
FAST_ONLY = "not slow"
"The `-m` of those who want no more than that; then other folders are not even read."


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Sockets, clocks and whole gateways (`net`, …) hold on either loop, asyncio's and uvloop.

    Tests with real peers take uvloop only, as the gateway does: their cost is the peers' own time. So do the
    folders of `ONE_LOOP`, tests that are marked so, and with LOOPS=one all of them.
    """
    folder = item.path.relative_to(config.rootpath).parts[1]
    marked = item.get_closest_marker("interop") or item.get_closest_marker("one_loop")
    elsewhere = folder in ONE_LOOP and not item.get_closest_marker("both_loops")
    if marked or elsewhere or os.environ.get("LOOPS") == "one":
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only fast tests are wanted, leave out unread what has none."""
    inside = collection_path.relative_to(config.rootpath).parts
    is_left_out = len(inside) > 1 and inside[0] == "tests" and inside[1] not in FAST
    return True if is_left_out and config.option.markexpr == FAST_ONLY else None


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what is not among the fast ones, and what needs PostgreSQL."""
    for item in items:
        if item.path.relative_to(config.rootpath).parts[1] not in FAST or is_on_postgresql(item):
            item.add_marker("slow")


def is_on_postgresql(item: pytest.Item) -> bool:
    """Whether a test is the one of its parameters that needs a cluster, or has a cluster to itself."""
    parameters = getattr(item, "callspec", None)
    asked_for = {"cluster", "postgresql_port"} & {*getattr(item, "fixturenames", ())}
    return bool(asked_for) or (parameters is not None and "postgresql" in parameters.params.values())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Who ran the fast tests alone is told what has not run."""
    if config.option.markexpr == FAST_ONLY:
        here = config.rootpath / "tests"
        tests = [path for path in here.iterdir() if path.match("test_*.py") or any(path.glob("test_*.py"))]
        others = sorted(path.name for path in tests if path.name not in FAST)
        terminalreporter.write_line(f"left out as slow: the store on PostgreSQL, {', '.join(others)}")


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run: its pauses would be heard in calls."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs something that lies beside the project, and is no part of it, is left out without it."""
    marker = item.get_closest_marker("beside")
    if marker is not None and not Path(marker.args[0]).exists():
        pytest.skip(f"{marker.args[1]} are not at hand in {marker.args[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failed one: what CI does not run, nobody knows to work.

    Not so what is marked `beside`: a clone has no other project's files, and its own tests stand for them.
    """
    report = yield
    told = hasattr(report, "wasxfail") or item.get_closest_marker("beside") is not None
    if report.skipped and not told and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing is: {report.longrepr}"
    return report
