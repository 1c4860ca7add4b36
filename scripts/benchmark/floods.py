"""Calls with audio beside one whose agent floods the gateway, a kind of flood after the other."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.flooder import FLOODS, NAMES
from scripts.benchmark.load import Load, Phone, open_phone, percentile, phones_up
from scripts.benchmark.sip import Dialler
from scripts.benchmark.under_test import CALLED, Other, Process, free_ports, gateway, running, settle

CALLS = 20
PTIME_MS = 20.0
QUIET = "no flood"


@dataclass(frozen=True, slots=True)
class FloodFigures:
    """Good calls beside one flood."""

    flood: str
    dialect: str
    calls: int
    worst_gap_ms: float
    "The longest between two packets that a good call was sent; 20 is how it should be."
    jitter_p99_ms: float
    lost_percent: float
    cpu_ms: float
    "CPU milliseconds of the gateway a second, of one core's 1000."
    memory_mb: float
    "By which it grew."
    flooder: str
    "What became of its call by the end of the measurement."


def measure_floods(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[FloodFigures]:
    """One gateway, the same good calls beside all floods."""
    wanted = [name for name in NAMES if not arguments.floods or name in arguments.floods]
    with flooders() as port, tempfile.TemporaryDirectory() as folder:
        others = [_other(name, port) for name in wanted]
        with gateway(Path(folder), agent_port, core, others) as process:
            settle(process)
            phones = phones_up(Dialler(process.port, CALLED["native"]), CALLS)
            tell(QUIET)
            rows = [_measured(QUIET, "", None, phones, process, arguments.seconds)]
            for name in wanted:
                tell(f"beside a flood of {name}")
                rows.append(_beside(name, phones, process, arguments.seconds))
            return rows


@contextmanager
def flooders() -> Iterator[int]:
    """The flooding agents; gives their first port."""
    port = free_ports(len(NAMES) + 1)
    cores = sorted(os.sched_getaffinity(0))
    with running([sys.executable, "-m", "scripts.benchmark.flooder", str(port)], cores[-1]):
        yield port


def _other(name: str, port: int) -> Other:
    place = NAMES.index(name)
    dialect, _ = FLOODS[name]
    bare = dialect == "audiosocket"
    url = f"tcp://127.0.0.1:{port + 1 + place}/" if bare else f"ws://127.0.0.1:{port}/{place}"
    return Other(_number(name), dialect, url)


def _number(name: str) -> str:
    return f"+44207946{700 + NAMES.index(name):04}"


def _beside(name: str, phones: list[Phone], process: Process, seconds: float) -> FloodFigures:
    dialler, media = Dialler(process.port, _number(name)), open_phone()
    call = dialler.invite(1_000_000 + NAMES.index(name) + 1000 * int(time.time()), media.getsockname()[1])
    dialler.listen(0.5)
    try:
        return _measured(name, FLOODS[name][0], dialler, phones, process, seconds)
    finally:
        if call.state == "up":
            dialler.bye(call)
            dialler.listen(2.0)
        media.close()


def _measured(
    name: str,
    dialect: str,
    flooding: Dialler | None,
    phones: list[Phone],
    process: Process,
    seconds: float,
) -> FloodFigures:
    marks: list[tuple[float, float, int]] = []
    load = Load(phones)
    load.run(seconds, lambda: marks.append((time.monotonic(), process.cpu_seconds(), process.memory_kb())))
    (began, before, small), (ended, after, big) = marks
    gaps = load.heard.gaps
    heard = load.heard
    return FloodFigures(
        flood=name,
        dialect=dialect,
        calls=len(phones),
        worst_gap_ms=round(max(gaps, default=0.0) + PTIME_MS, 1),
        jitter_p99_ms=round(percentile(sorted(map(abs, gaps)), 99), 2),
        lost_percent=round(max(0.0, 100 * (1 - heard.echoed / max(1, heard.sent))), 2),
        cpu_ms=round((after - before) * 1000 / (ended - began), 1),
        memory_mb=round((big - small) / 1024, 1),
        flooder="" if flooding is None else _fate(flooding),
    )


def _fate(dialler: Dialler) -> str:
    """Whether the gateway has hung up on the flooder's phone."""
    dialler.listen(0.1)
    call = next(iter(dialler.calls.values()))
    return "closed" if dialler.hung_up else {"up": "goes on"}.get(call.state, call.state)
