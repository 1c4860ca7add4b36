"""Calls with audio, with and without API requests beside them: what these do to the RTP that is sent."""

import argparse
import http.client
import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from scripts.benchmark.load import Load, Phone, percentile, phones_up
from scripts.benchmark.sip import Dialler
from scripts.benchmark.under_test import CALLED, Process, gateway, settle

CALLS = 50
REQUESTS = 50
"A second."
ROUNDS = 3
"Each of them without and with requests, on the same calls of the same process."
REFUSED = json.dumps({"phone_number": "+19005550123", "agent_id": "agent_native", "metadata": {}})
"To a premium number, which is not enabled: it is decided, and nothing is recorded."
MIX: tuple[tuple[str, str, str | None, int], ...] = (
    ("GET", "/v1/calls?limit=100", None, 200),
    ("GET", "/v1/organization-phone-numbers?limit=100", None, 200),
    ("POST", "/v1/calls", REFUSED, 403),
    ("GET", "/v1/calls?status=completed&duration=desc", None, 200),
    ("GET", "/v1/agents", None, 200),
)


@dataclass(frozen=True, slots=True)
class BesideFigures:
    """Calls with audio, measured over the rounds of one kind."""

    beside: str
    "What went on beside them."
    calls: int
    requests: int
    "That were answered, over all rounds."
    unexpected: int
    "Answers with another status than the request should get."
    jitter_p50_ms: float
    jitter_p99_ms: float
    lost_percent: float
    cpu_ms: float
    "CPU milliseconds of the gateway a second, of one core's 1000."
    answer_p50_ms: float
    answer_p99_ms: float


class Requests:
    """A thread that asks at a steady rate over one connection."""

    def __init__(self, process: Process) -> None:
        self.took: list[float] = []
        self.unexpected = 0
        self._process = process
        self._stopped = threading.Event()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask while the context lasts."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
            self._stopped.clear()

    def _run(self) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", self._process.http_port, timeout=10)
        wire.connect()
        assert wire.sock is not None
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Authorization": f"Bearer {self._process.key}", "Content-Type": "application/json"}
        due = time.monotonic()
        for method, path, body, expected in cycle(MIX):
            if self._stopped.is_set():
                break
            began = time.monotonic()
            wire.request(method, path, body, headers)
            answer = wire.getresponse()
            answer.read()
            self.took.append((time.monotonic() - began) * 1000)
            self.unexpected += answer.status != expected
            due += 1 / REQUESTS
            time.sleep(max(0.0, due - time.monotonic()))
        wire.close()


def measure_beside(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[BesideFigures]:
    """Alternate, so that a machine that gets busier does so for both."""
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
        settle(process)
        dialler = Dialler(process.port, CALLED[arguments.dialects[0]])
        phones = phones_up(dialler, CALLS)
        alone, busy = _Round("nothing"), _Round(f"{REQUESTS} requests a second")
        requests = Requests(process)
        for place in range(ROUNDS):
            tell(f"{CALLS} calls, round {place + 1} of {ROUNDS}")
            alone.run(phones, arguments.seconds, process)
            with requests.asked():
                busy.run(phones, arguments.seconds, process)
        return [alone.figures(None), busy.figures(requests)]


class _Round:
    """All rounds of one kind, added up."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._gaps: list[float] = []
        self._sent = self._echoed = 0
        self._cpu = self._seconds = 0.0

    def run(self, phones: list[Phone], seconds: float, process: Process) -> None:
        """One more."""
        marks: list[tuple[float, float]] = []
        load = Load(phones)
        load.run(seconds, lambda: marks.append((time.monotonic(), process.cpu_seconds())))
        self._gaps += map(abs, load.heard.gaps)
        self._sent += load.heard.sent
        self._echoed += load.heard.echoed
        self._seconds += marks[1][0] - marks[0][0]
        self._cpu += marks[1][1] - marks[0][1]

    def figures(self, requests: Requests | None) -> BesideFigures:
        """What came of them."""
        gaps, took = sorted(self._gaps), sorted(requests.took if requests else [])
        return BesideFigures(
            beside=self._name,
            calls=CALLS,
            requests=len(requests.took) if requests else 0,
            unexpected=requests.unexpected if requests else 0,
            jitter_p50_ms=round(percentile(gaps, 50), 3),
            jitter_p99_ms=round(percentile(gaps, 99), 3),
            lost_percent=round(max(0.0, 100 * (1 - self._echoed / max(1, self._sent))), 3),
            cpu_ms=round(self._cpu * 1000 / self._seconds, 1),
            answer_p50_ms=round(percentile(took, 50), 1),
            answer_p99_ms=round(percentile(took, 99), 1),
        )
