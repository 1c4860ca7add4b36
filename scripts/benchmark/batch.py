"""Batches: files that are checked, calls that go on beside that, and calls that a batch places."""

import argparse
import asyncio
import http.client
import json
import random
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.batch.checking import Checker, check_file
from gateway.batch.files.upload import Upload
from gateway.routing.rating import quote_by_prefix
from scripts.benchmark.load import Load, open_phone, percentile, phones_up
from scripts.benchmark.outbound import Callee, asker
from scripts.benchmark.rules import SEED, destinations, loaded
from scripts.benchmark.sip import Dialler
from scripts.benchmark.under_test import CALLED, Process, gateway, settle

ROWS = 100_000
CALLS = 50
"With audio, beside the check of a file."
PLACED = 500
"Calls of a batch, and as many by the API."
PATIENCE_SECONDS = 60.0
BOUNDARY = "a-boundary-that-no-row-has"
FAST = {"TRUNKLINE_BATCH__CALLS_PER_SECOND": "1000", "TRUNKLINE_BATCH__WINDOW": "200"}


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """One thing that was done with many rows."""

    what: str
    rows: int
    per_second: float
    "Rows, or calls."
    memory_mb: float | None = None
    "Most that the process had resident, with all rates."
    cpu_ms: float | None = None
    "CPU milliseconds of the gateway for each call."
    jitter_p99_ms: float | None = None
    worst_gap_ms: float | None = None
    "Between two RTP packets of a call, less 20."


def measure_batch(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[BatchFigures]:
    """A file checked alone, then beside calls; then calls by the API, and as many by a batch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell(f"{ROWS} rows, 250 countries and 100 000 rates")
        rows = [asyncio.run(_checked(folder))]
        with gateway(folder / "gateway", agent_port, core, settings=FAST) as process:
            settle(process)
            dialect = arguments.dialects[0]
            rows += _beside(process, dialect, arguments.seconds, folder, tell)
            rows += _placed(process, dialect, tell)
    return rows


async def _checked(folder: Path) -> BatchFigures:
    plan, workspace, deck = loaded(random.Random(SEED))  # noqa: S311 - the same every time, on purpose
    file = _file(folder, destinations(plan, ROWS))
    checker = Checker(
        workspace=workspace,
        plan=plan,
        is_sip_trunk=False,
        quote=lambda number: quote_by_prefix(number, deck, workspace),
    )
    began = time.process_time()
    checked = await check_file(Upload(file, file.name), checker, folder=folder)
    seconds = time.process_time() - began
    checked.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return BatchFigures("a file is checked", ROWS, round(ROWS / seconds), memory_mb=round(memory))


def _file(folder: Path, numbers: list[str]) -> Path:
    file = folder / "recipients.csv"
    lines = (f"{number},Name {place},{place}" for place, number in enumerate(numbers))
    file.write_text("\n".join(("phone_number,name,order", *lines)))
    return file


def _beside(
    process: Process, dialect: str, seconds: float, folder: Path, tell: Callable[[str], None]
) -> Iterator[BatchFigures]:
    dialler = Dialler(process.port, CALLED[dialect])
    phones = phones_up(dialler, CALLS)
    mobiles = [f"+44{7_400_000_000 + place}" for place in range(ROWS)]
    body = _form(_file(folder, mobiles).read_bytes(), dialect)
    for what, doing in ((f"{CALLS} calls alone", _nothing), (f"{CALLS} calls, files checked", _checking)):
        tell(what)
        load = Load(phones)
        with doing(process, body) as rows:
            load.run(seconds, lambda: None)
        gaps = sorted(map(abs, load.heard.gaps))
        yield BatchFigures(
            what,
            sum(rows),
            round(sum(rows) / seconds),
            jitter_p99_ms=round(percentile(gaps, 99), 2),
            worst_gap_ms=round(gaps[-1], 1),
        )
    for call in tuple(dialler.calls.values()):
        dialler.bye(call)
        dialler.listen(0.005)
    dialler.listen(0.5)


@contextmanager
def _nothing(_process: Process, _body: bytes) -> Iterator[list[int]]:
    yield []


@contextmanager
def _checking(process: Process, body: bytes) -> Iterator[list[int]]:
    """One file after the other while the context lasts; gives the rows of each."""
    stopped, rows = threading.Event(), list[int]()

    def run() -> None:
        while not stopped.is_set():
            rows.append(int(str(_ask(process, "POST", "/v1/batch-calls/validate", body)["total_records"])))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield rows
    finally:
        stopped.set()
        thread.join()


def _form(file: bytes, dialect: str) -> bytes:
    fields = {"title": "Bench", "agent_id": f"agent_{dialect}"}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="list.csv"\r\nContent-Type: text/csv\r\n\r\n'
    )
    return b"".join((*parts, head.encode(), file, f"\r\n--{BOUNDARY}--\r\n".encode()))


def _ask(process: Process, method: str, path: str, body: bytes) -> dict[str, object]:
    wire = http.client.HTTPConnection("127.0.0.1", process.http_port, timeout=PATIENCE_SECONDS)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    wire.request(method, path, body, {"Authorization": f"Bearer {process.key}", "Content-Type": kind})
    answer = wire.getresponse()
    said: dict[str, object] = json.loads(answer.read())
    wire.close()
    assert answer.status < 300, said
    return said


def _placed(process: Process, dialect: str, tell: Callable[[str], None]) -> Iterator[BatchFigures]:
    """The callee answers and hangs up at once; from the first request to the last call's end."""
    callee = Callee(open_phone().getsockname()[1])
    thread = threading.Thread(target=callee.run)
    thread.start()

    def by_api() -> None:
        ask = asker(process, dialect)
        for _ in range(PLACED):
            ask()

    def by_batch() -> None:
        lines = (f"+44{7_400_000_000 + place},Name {place}" for place in range(PLACED))
        file = "\n".join(("phone_number,name", *lines)).encode()
        _ask(process, "POST", "/v1/batch-calls", _form(file, dialect))

    try:
        for what, place in (("calls by the API", by_api), ("calls by a batch", by_batch)):
            tell(f"{PLACED} {what}")
            known, before, began = len(callee.ended), process.cpu_seconds(), time.monotonic()
            place()
            while len(callee.ended) - known < PLACED and time.monotonic() - began < PATIENCE_SECONDS:
                time.sleep(0.02)
            ended, seconds = len(callee.ended) - known, time.monotonic() - began
            cpu = (process.cpu_seconds() - before) * 1000 / max(1, ended)
            yield BatchFigures(what, ended, round(ended / seconds, 1), cpu_ms=round(cpu, 2))
    finally:
        callee.stop()
        thread.join()
