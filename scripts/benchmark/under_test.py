"""What is measured: the gateway, or the floor, as a process of its own on a core of its own."""

import asyncio
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.agent.dialects import DIALECTS
from gateway.config.loading import load_config
from gateway.config.settings import Config
from gateway.routing.table import Agent, Dialect, PhoneNumber, Trunk, Workspace
from gateway.store.sql import open_store

CALLED = {
    dialect.value: f"+4420794600{10 + place}"
    for place, dialect in enumerate(Dialect)
    if dialect is not Dialect.SIP
}
"The number of each dialect's agent."

CALLEE_PORT = 35_060
"Where the callee of outbound calls listens."

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Other:
    """An agent with a number of its own."""

    number: str
    dialect: str
    url: str
    name: str = ""


class Process:
    """A running process, and what it costs."""

    def __init__(self, pid: int, port: int, http_port: int = 0, key: str = "") -> None:
        self.pid = pid
        self.port = port
        "Where it takes SIP."
        self.http_port = http_port
        self.key = key
        "For its API."

    def cpu_seconds(self) -> float:
        """User and system time so far, as the kernel counts it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_kb(self) -> int:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def free_port() -> int:
    """A TCP port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def free_ports(count: int) -> int:
    """The first of so many TCP ports in a row that nobody has at this moment."""
    for first in range(36_000, 46_000, count):
        held = []
        try:
            held += [socket.create_server(("127.0.0.1", port)) for port in range(first, first + count)]
        except OSError:
            continue
        else:
            return first
        finally:
            for one in held:
                one.close()
    raise RuntimeError(f"no {count} TCP ports in a row are free")


@contextmanager
def running(
    command: list[str], core: int | None, environment: dict[str, str] | None = None
) -> Iterator[tuple[int, str]]:
    """Run until the context is left; gives the process and its first line."""
    cores = set(os.sched_getaffinity(0))
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: os.sched_setaffinity(0, {core} if core is not None else cores),
    )
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield process.pid, line
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def agents(core: int | None) -> Iterator[int]:
    """The echoing agents; gives their port."""
    port = free_port()
    with running([sys.executable, "-m", "scripts.benchmark.agent", str(port)], core):
        yield port


@contextmanager
def floor(calls: int, agent_port: int, core: int | None) -> Iterator[tuple[Process, list[int]]]:
    """The relay; gives its UDP ports, one a call."""
    command = [sys.executable, "-m", "scripts.benchmark.floor", str(calls), str(agent_port)]
    with running(command, core) as (pid, line):
        yield Process(pid, 0), [int(port) for port in line.split()]


@contextmanager
def gateway(
    folder: Path,
    agent_port: int,
    core: int | None,
    others: Sequence[Other] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """The gateway with a trunk on loopback, a number for each dialect, and other agents' numbers.

    `settings` are environment variables of the gateway's.
    """
    port, http_port = free_port(), free_port()
    environment = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(folder),
        "TRUNKLINE_HTTP__PORT": str(http_port),
        "TRUNKLINE_HTTP__REQUESTS_PER_MINUTE": "1000000",
        "TRUNKLINE_LOG__LEVEL": os.environ.get("BENCH_LOG_LEVEL", "info"),
        "TRUNKLINE_LOG__FORMAT": "json",
        "TRUNKLINE_SECURITY__ALLOW_PRIVATE": "yes",  # the agents are on loopback
        "BENCH_SIP_PORT": str(port),
        **(settings or {}),
    }
    config = load_config(None, {k: v for k, v in environment.items() if k.startswith("TRUNK")})
    key = asyncio.run(_furnish(config, agent_port, others))
    command = [sys.executable, "-m", "scripts.benchmark.serve", str(port), str(folder / "gateway.log")]
    with running(command, core, environment) as (pid, _):
        yield Process(pid, port, http_port, key)


async def _furnish(config: Config, agent_port: int, others: Sequence[Other]) -> str:
    """A workspace, a trunk, an agent and a number for each dialect; the key for the API."""
    store = await open_store(config, serving=False)
    try:
        book = store.configuration
        workspace = Workspace("org_bench", "Bench", kyc_verified=True, sip_byoc_enabled=True)
        await book.workspaces.add(workspace, "bench")
        trunk = Trunk(
            "trunk_bench",
            workspace.id,
            "loopback",
            sources=("127.0.0.0/8",),
            termination_uri=f"127.0.0.1:{CALLEE_PORT}",
        )
        await book.trunks.add(trunk, "bench")
        echoing = [
            Other(number, name, f"{DIALECTS[name].schemes[0]}://127.0.0.1:{agent_port}/", name)
            for name, number in CALLED.items()
        ]
        for other in [*echoing, *others]:
            name = other.name or other.number[1:]
            agent = await book.agents.add(Agent(f"agent_{name}", workspace.id, name), "bench")
            fields = {"runtime_url": other.url, "dialect": Dialect(other.dialect)}
            version = await book.agents.draft(agent.id, fields, "bench")
            await book.agents.publish(version.id, "bench")
            ours = PhoneNumber(
                f"phn_{name}", workspace.id, other.number, sip_trunk_enabled=True, trunk_id=trunk.id
            )
            owned = await book.numbers.add(ours, "bench")
            for direction in ("inbound", "outbound"):
                await book.numbers.assign(owned.id, direction, version.id, "bench")
        key, secret = await book.keys.add(workspace.id, "bench", "bench")
        return f"{key.id}:{secret}"
    finally:
        await store.close()


def settle(process: Process, seconds: float = 1.0) -> None:
    """Let a process come to rest."""
    before = process.cpu_seconds()
    for _ in range(20):
        time.sleep(seconds)
        now = process.cpu_seconds()
        if now - before < 0.05 * seconds:
            return
        before = now
