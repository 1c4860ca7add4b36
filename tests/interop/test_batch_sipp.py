"""Batches against SIPp: mixed outcomes counted to the row, and kills that neither repeat nor lose one."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.interop.carrier import carrier, wait_bound
from tests.interop.process import ROOT, Gateway, JsonProcess, wait_until
from tests.interop.sipp import SCENARIOS, free_port
from tests.interop.softphones import PEERS
from tests.interop.ways_out import WayOut, seed

pytestmark = pytest.mark.interop

NUMBER = "+12125550400"
OUTCOMES = {
    "0": "busy",
    "1": "busy",
    "2": "declined",
    "3": "carrier_failure",
    "4": "failed",
    "5": "no_answer",
    **dict.fromkeys("6789", "completed"),
}
"By the last digit of the number, as `callees_differ.xml` answers it."

LOGGED = ("-trace_logs", "-log_file", "calls.log", "-timeout", "120s", "-recv_timeout", "20000")


def numbers(count: int) -> list[str]:
    """As many numbers."""
    return [f"+1415556{n:04}" for n in range(count)]


def a_file(folder: Path, called: list[str]) -> Path:
    """A file of recipients."""
    path = folder / "recipients.csv"
    path.write_text("phone_number,name\n" + "".join(f"{to},n{to[-4:]}\n" for to in called))
    return path


def dialled(folder: Path) -> Counter[str]:
    """How often SIPp was called for each number."""
    log = folder / "calls.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return Counter(re.findall(r"INVITE sip:(\+\d+)", text))


def recipients(folder: Path, batch_id: str) -> list[tuple[str, str, str | None, int]]:
    """Number, state, outcome and depth of each recipient, out of the database."""
    database = sqlite3.connect(f"file:{folder / 'data' / 'trunkline.db'}?mode=ro", uri=True)
    columns = "phone_number, state, outcome, depth"
    query = f"SELECT {columns} FROM batch_recipients WHERE batch_id = ? ORDER BY position"
    try:
        return database.execute(query, (batch_id,)).fetchall()
    finally:
        database.close()


def status(folder: Path, batch_id: str) -> dict[str, Any]:
    """The batch's row."""
    database = sqlite3.connect(f"file:{folder / 'data' / 'trunkline.db'}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        return dict(database.execute("SELECT * FROM batches WHERE id = ?", (batch_id,)).fetchone())
    finally:
        database.close()


def completes(folder: Path, batch_id: str) -> bool:
    """Whether all its recipients have their outcome in time."""
    return wait_until(lambda: status(folder, batch_id)["status"] == "completed", 60)


@contextmanager
def _sipp(way: WayOut, folder: Path, calls: int) -> Iterator[None]:
    with carrier("callees_differ", way.port, folder, calls, *LOGGED):
        yield


def _way(more: str = "") -> dict[str, WayOut]:
    return {"carrier": WayOut(NUMBER, version="ring_duration_sec = 2\n", trunk=more)}


def test_five_hundred_rows(agent: JsonProcess, agent_port: int, sipp: Path, tmp_path: Path) -> None:
    """Each is called once; counters, recipients, records and SIPp's own log say the same of them."""
    ways, called = _way(), numbers(500)
    settings: dict[str, dict[str, object]] = {"batch": {"calls_per_second": 100.0}}
    with Gateway(tmp_path / "gateway", seed(ways, agent_port), settings) as gateway:
        with _sipp(ways["carrier"], sipp, len(called)):
            said = gateway.command("batch", "start", str(a_file(tmp_path, called)), "--json")
            batch_id = json.loads(said)["id"]
            assert completes(gateway.folder, batch_id), gateway.output[-3000:]
        stands = status(gateway.folder, batch_id)
        expected = Counter(OUTCOMES[to[-1]] for to in called)
        found = recipients(gateway.folder, batch_id)
        assert Counter(outcome for _, _, outcome, _ in found) == expected
        assert [to for to, *_ in found] == called
        assert all(outcome == OUTCOMES[to[-1]] for to, _, outcome, _ in found)
        assert dialled(sipp) == Counter(called)
        counted = {
            name: stands[name] for name in ("total", "done", "sent", "picked_up", "queued", "dialling")
        }
        assert counted == {
            "total": 500,
            "done": 500,
            "sent": 500,
            "picked_up": expected["completed"],
            "queued": 0,
            "dialling": 0,
        }
        assert len(list(gateway.find(event="call.ended"))) == 500
        assert gateway.stop() == 0
        gateway.assert_clean()


def test_ten_kills(agent: JsonProcess, agent_port: int, sipp: Path, tmp_path: Path) -> None:
    """A gateway that is killed ten times at random moments dials no row twice, and loses none.

    Whose INVITE may have left when the gateway died is shown as uncertain, and not dialled again.
    """
    ways, called = _way(), [to for to in numbers(600) if to[-1] in "0134"]
    settings: dict[str, dict[str, object]] = {"batch": {"calls_per_second": 40.0, "guard_calls": 0}}
    source, folder = random.Random(7), tmp_path / "gateway"
    with _sipping(ways["carrier"], sipp):
        with Gateway(folder, seed(ways, agent_port), settings) as gateway:
            said = gateway.command("batch", "start", str(a_file(tmp_path, called)), "--json")
            batch_id = json.loads(said)["id"]
            gateway.process.kill()
        with Lives(folder) as lives:
            for _ in range(9):
                lives.begin()
                time.sleep(source.uniform(0.0, 0.6))
                lives.kill()
            lives.begin()
            assert completes(folder, batch_id), (status(folder, batch_id), lives.log.read_text()[-3000:])
            lives.kill()
        times = dialled(sipp)
    assert "batch.crashed" not in lives.log.read_text()
    assert "batch.rows_taken_over" in lives.log.read_text()
    found = {to: (state, outcome) for to, state, outcome, _ in recipients(folder, batch_id)}
    assert sorted(found) == sorted(called)
    assert max(times.values()) == 1, [to for to, count in times.items() if count > 1]
    uncertain = {to for to, (state, _) in found.items() if state == "uncertain"}
    assert times.keys() | uncertain == set(called), "nobody is lost"
    done = {to: outcome for to, (state, outcome) in found.items() if state == "done"}
    assert done.keys() | uncertain == set(called)
    assert all(outcome == OUTCOMES[to[-1]] for to, outcome in done.items())
    stands = status(folder, batch_id)
    assert (stands["done"], stands["uncertain"]) == (len(done), len(uncertain))
    assert len(uncertain) < 10 * 40, "only what was under way at a kill"


class Lives:
    """A gateway that is killed and begins again, each time without the wait for its imports."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "lives.log"
        self.log.touch()
        command = [
            sys.executable,
            str(PEERS / "gateway_lives.py"),
            str(folder / "gateway.toml"),
            str(self.log),
        ]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lives = 0
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid:
            self.kill()
        self._process.kill()
        self._process.communicate()

    def begin(self) -> None:
        """One more life, as soon as it takes calls."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("live\n")
        self._process.stdin.flush()
        self._pid = int(self._process.stdout.readline())
        self._lives += 1
        assert wait_until(self._is_up, 30), self.log.read_text()[-3000:]

    def kill(self) -> None:
        """End it where it stands."""
        os.kill(self._pid, signal.SIGKILL)
        self._pid = 0

    def _is_up(self) -> bool:
        return self.log.read_bytes().count(b'"gateway.started"') >= self._lives


@contextmanager
def _sipping(way: WayOut, folder: Path) -> Iterator[None]:
    """SIPp for as long as the context is open, however many calls come and whatever becomes of them."""
    command = [
        shutil.which("sipp") or "sipp",
        *("-sf", str(SCENARIOS / "callees_differ.xml"), "-i", "127.0.0.1", "-p", str(way.port)),
        *("-mi", "127.0.0.1", "-mp", str(free_port(count=4)), "-nostdin", *LOGGED),
    ]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "TERM": "dumb"}
        )
    try:
        wait_bound(way.port)
        yield
    finally:
        process.kill()
        process.wait()
