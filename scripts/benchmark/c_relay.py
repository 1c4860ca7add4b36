"""The other floor: a relay in C, by tools outside of this repository, where they and a compiler are.

It says how much of the floor is Python's. Its echo agent takes port 8765 of loopback.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmark.load import Load, Phone, open_phone
from scripts.benchmark.under_test import Process, running

SOURCES = Path(__file__).resolve().parents[3] / "shared" / "tools" / "load"
AGENT_PORT = 8765
BASE_PORT = 46_000


def available() -> bool:
    """Whether there is a compiler, the sources, and the port."""
    if shutil.which("gcc") is None or not (SOURCES / "floor.c").exists():
        return False
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one.connect_ex(("127.0.0.1", AGENT_PORT)) != 0


def measure(calls: int, seconds: float, core: int | None) -> float:
    """CPU milliseconds of the relay a call-second, under the same phones as all others."""
    with tempfile.TemporaryDirectory() as folder, _relaying(Path(folder), calls, core) as process:
        phones = [Phone(open_phone(), ("127.0.0.1", BASE_PORT + 2 * place)) for place in range(calls)]
        marks: list[tuple[float, float]] = []
        Load(phones).run(seconds, lambda: marks.append((time.monotonic(), process.cpu_seconds())))
        for phone in phones:
            phone.socket.close()
        (began, before), (ended, after) = marks
        return round((after - before) * 1000 / calls / (ended - began), 3)


@contextmanager
def _relaying(folder: Path, calls: int, core: int | None) -> Iterator[Process]:
    for name in ("floor", "echo_agent"):
        source = SOURCES / f"{name}.c"
        subprocess.run(["gcc", "-O2", str(source), "-o", str(folder / name), "-lm"], check=True)
    agent = subprocess.Popen(
        [str(folder / "echo_agent")], stdout=subprocess.DEVNULL, preexec_fn=lambda: _stay_with_us()
    )
    try:
        time.sleep(0.3)
        command = [str(folder / "floor"), str(calls), "native", str(BASE_PORT)]
        with running(command, core) as (pid, _):
            yield Process(pid, 0)
    finally:
        agent.kill()
        agent.wait()


def _stay_with_us() -> None:
    os.sched_setaffinity(0, os.sched_getaffinity(0))
