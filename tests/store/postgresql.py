"""A real PostgreSQL for a while, where Debian's package is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

VERSIONS = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Cluster:
    """A throw-away PostgreSQL on a loopback port."""

    port: int
    control: Callable[..., None]
    "Takes `start` or `stop`."


@contextmanager
def postgresql_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that runs, as an ordinary user, until the context is left."""
    programs = sorted(VERSIONS.glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        pytest.skip(f"PostgreSQL is not installed (nothing in {VERSIONS})")
    data = folder / "cluster"
    run_as = _ordinary_user(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str | Path) -> None:
        command = [programs[-1] / program, "-D", data, *arguments]
        subprocess.run(command, user=run_as, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "tests", "-A", "trust", "-N")
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"

    def control(action: str) -> None:
        run("pg_ctl", "-o", options, "-m", "immediate", "-w", "-l", folder / "log", action)

    control("start")
    try:
        yield Cluster(port, control)
    finally:
        control("stop")


def _ordinary_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else gets the folder and runs it."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_name


@contextmanager
def throw_away_cluster() -> Iterator[Cluster]:
    """A cluster in a folder of its own; skips the test where PostgreSQL is not installed."""
    # Not below pytest's folder, which nobody but its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="trunkline-postgresql-"))
    try:
        with postgresql_cluster(folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
