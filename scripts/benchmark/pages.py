"""Pages and lists over a big database: what each costs a running gateway, and how the database finds it.

10 000 numbers and a million calls, on SQLite and, where Debian's package is installed, on PostgreSQL. Each
request goes through the HTTP port of a gateway process; the statements that were slow or that read whole
tables or indexes are told with the database's own plan.
"""

import argparse
import asyncio
import http.client
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from gateway.config.loading import load_config
from scripts.benchmark.filled import NOW, e164, fill, postgresql_server
from scripts.benchmark.under_test import Process, free_port, running

LIMIT_MS = 150.0
"What a page may take on the server, as the median of its requests."
CALLS = "/v1/calls?"
NUMBERS = "/v1/organization-phone-numbers?"
WARM_UPS = 2
DAY = f"{NOW:%Y-%m-%d}"
SCANS = re.compile(r"Seq Scan on (calls|phone_numbers)|SCAN (calls|phone_numbers)(?! USING)|TEMP B-TREE")

API = {
    "numbers": NUMBERS,
    "numbers, last page": f"{NUMBERS}page=490",
    "numbers, by name": f"{NUMBERS}search=Branch+97",
    "numbers, by digits": f"{NUMBERS}search=5559",
    "calls": CALLS,
    "calls, 200": f"{CALLS}limit=200",
    "calls, oldest first": f"{CALLS}created_at=asc",
    "calls, page 1 000": f"{CALLS}page=1000",
    "calls, page 10 000": f"{CALLS}page=10000",
    "one call": f"{CALLS}call_id=call_{500_003:026}",
    "agent": f"{CALLS}agent_id=agent_007",
    "three agents": f"{CALLS}agent_id=agent_007,agent_008,agent_009",
    "version": f"{CALLS}agent_version_id=ver_007_1",
    "version name, an agent's": f"{CALLS}agent_version_name=desk+007",
    "version name, all": f"{CALLS}agent_version_name=Desk",
    "version name, one in five": f"{CALLS}agent_version_name=/3",
    "version name, none": f"{CALLS}agent_version_name=nobody",
    "batch": f"{CALLS}batch_call_id=batch_100",
    "category": f"{CALLS}category=batch",
    "category, none": f"{CALLS}category=workflow",
    "category id": f"{CALLS}category_id=batch_100",
    "from": f"{CALLS}from={quote(e164(77))}",
    "to": f"{CALLS}to={quote(e164(77))}",
    "nobody's number": f"{CALLS}from=%2B19999999999",
    "type phone": f"{CALLS}type=phone",
    "type web": f"{CALLS}type=web",
    "direction": f"{CALLS}call_direction=outbound",
    "latency, common": f"{CALLS}latency_min=800",
    "latency, rare": f"{CALLS}latency_min=1900",
    "latency, none": f"{CALLS}latency_min=60000",
    "sentiment": f"{CALLS}sentiment=unknown",
    "from a day": f"{CALLS}start_date={NOW.year - 1}-12-31",
    "to a day": f"{CALLS}end_date={NOW.year}-03-01",
    "a day of last winter": f"{CALLS}start_date={NOW.year}-02-01&end_date={NOW.year}-02-01",
    "duration, common": f"{CALLS}duration_min=30000",
    "duration, rare": f"{CALLS}duration_min=900000",
    "duration, none": f"{CALLS}duration_min=90000000",
    "duration, a narrow span": f"{CALLS}duration_greater_than=400000&duration_less_than=400100",
    "status": f"{CALLS}status=completed",
    "statuses, rare": f"{CALLS}status=cancelled,busy",
    "status, none": f"{CALLS}status=initiated",
    "end reason": f"{CALLS}end_reason=max_duration",
    "end reason, none": f"{CALLS}end_reason=media_lost",
    "longest first": f"{CALLS}duration=desc",
    "shortest first": f"{CALLS}duration=asc",
    "longest, page 1 000": f"{CALLS}duration=desc&page=1000",
    "status and agent": f"{CALLS}status=busy&agent_id=agent_007",
    "status and to": f"{CALLS}status=failed&to={quote(e164(77))}",
    "status and day": f"{CALLS}status=busy&start_date={NOW.year}-02-01&end_date={NOW.year}-02-01",
    "agent and direction": f"{CALLS}agent_id=agent_007&call_direction=outbound",
    "agent and latency, none": f"{CALLS}agent_id=agent_007&latency_min=60000",
    "status and duration, none": f"{CALLS}status=busy&duration_min=1",
    "type and direction": f"{CALLS}type=web&call_direction=inbound",
    "web, none so long": f"{CALLS}type=web&duration_min=90000000",
    "direction and reason, none": f"{CALLS}call_direction=inbound&end_reason=media_lost",
    "inbound, none so late": f"{CALLS}call_direction=inbound&latency_min=60000",
    "longest of an agent": f"{CALLS}agent_id=agent_007&duration=desc",
    "longest of a status": f"{CALLS}status=busy&duration=desc",
    "longest of a day": f"{CALLS}duration=desc&start_date={NOW.year}-02-01&end_date={NOW.year}-02-01",
    "longest of a number": f"{CALLS}to={quote(e164(77))}&duration=desc",
    "export, 10 000 rows": f"{CALLS}export=true",
}
"What is asked, by the name that the table shows."
WEB = {
    "numbers": "/numbers",
    "numbers, last page": "/numbers?page=392",
    "numbers, 100": "/numbers?size=100",
    "numbers, by name": "/numbers?q=Branch+97",
    "numbers of an agent": "/numbers?agent=agent_007",
    "a number": "/numbers/phn_00077",
    "calls": "/calls",
    "calls, next": "/calls?after={after}",
    "calls, longest": "/calls?sort=longest",
    "calls of an agent": "/calls?agent=agent_007",
    "calls, busy": "/calls?status=busy",
    "calls, a day": f"/calls?start={NOW.year}-02-01&end={NOW.year}-02-01",
    "calls, from a part": "/calls?from=5559",
    "calls, a part of nobody": "/calls?from=1234567",
    "calls, running": "/calls/live",
    "a call": f"/calls/call_{500_003:026}",
    "agents": "/agents",
    "an agent": "/agents/agent_007",
    "trunks": "/trunks",
    "a trunk": "/trunks/trunk_01",
    "export, 10 000 rows": "/calls/export.csv",
}


@dataclass(frozen=True, slots=True)
class PageFigures:
    """One request, made several times."""

    page: str
    database: str
    status: int
    rows: int
    "Lines of the export, items of the list; 0 for pages of HTML."
    p50_ms: float
    p99_ms: float
    "From the request to the last byte of its answer."
    cpu_ms: float
    "CPU milliseconds of the gateway a request, its database threads among them."
    lag_ms: float
    "The longest that the gateway's loop stood still, meanwhile: what calls would hear."


@dataclass(frozen=True, slots=True)
class Plan:
    """How a database finds what a statement asks for."""

    database: str
    page: str
    ms: float
    statement: str
    plan: str


def measure_pages(
    arguments: argparse.Namespace, core: int | None, tell: Callable[[str], None]
) -> tuple[list[PageFigures], list[Plan]]:
    """Fill, serve, ask; on each database."""
    figures, plans = [], []
    wanted = "postgresql" in arguments.databases
    with postgresql_server() if wanted else nullcontext() as url:
        for name, place in (("sqlite", ""), ("postgresql", url)):
            if place is None or name not in arguments.databases:
                continue
            with tempfile.TemporaryDirectory() as own:
                folder = arguments.folder if arguments.folder and not place else Path(own)
                tell(f"{name}: {arguments.rows:,} calls are made")
                with serving(folder, place, arguments.rows, core) as process:
                    asked = Asked(name, process, folder / "statements", arguments.repeats)
                    figures += asked.all(tell)
                    plans += asked.plans
    return figures, plans


@contextmanager
def serving(folder: Path, url: str, rows: int, core: int | None) -> Iterator[Process]:
    """A gateway on a database that was filled."""
    environment = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(folder),
        "TRUNKLINE_HTTP__PORT": str(free_port()),
        "TRUNKLINE_HTTP__REQUESTS_PER_MINUTE": "1000000",
        "TRUNKLINE_LOG__FORMAT": "json",
        "BENCH_STATEMENTS": str(folder / "statements"),
        **({"TRUNKLINE_STORE__URL": url} if url else {}),
    }
    config = load_config(None, {k: v for k, v in environment.items() if k.startswith("TRUNK")})
    kept = folder / "key"
    if not kept.exists():
        kept.write_text(asyncio.run(fill(config, rows)))
    key = kept.read_text()
    port = free_port()
    command = [sys.executable, "-m", "scripts.benchmark.serve", str(port), str(folder / "gateway.log")]
    with running(command, core, environment) as (pid, _):
        yield Process(pid, port, config.http.port, key)


class Asked:
    """Everything that is asked of one gateway."""

    def __init__(self, database: str, process: Process, statements: Path, repeats: int) -> None:
        self.plans: list[Plan] = []
        self._database = database
        self._process = process
        self._statements = statements
        self._repeats = repeats
        self._read = 0
        self._told: list[dict[str, Any]] = []
        self._wire = http.client.HTTPConnection("127.0.0.1", process.http_port, timeout=120)

    def all(self, tell: Callable[[str], None]) -> list[PageFigures]:
        """The API, then the dashboard."""
        rows = []
        for name, path in API.items():
            tell(f"{self._database}: {name}")
            rows.append(self._measure(name, path, {"Authorization": f"Bearer {self._process.key}"}))
        cookie = {"Cookie": self._log_in()}
        for name, path in WEB.items():
            tell(f"{self._database}: dashboard, {name}")
            after = quote(f"{NOW:%Y}-02-01T00:00:00+00:00~call_0")
            rows.append(self._measure(f"dashboard: {name}", "/dashboard" + path.format(after=after), cookie))
        return rows

    def _measure(self, name: str, path: str, headers: dict[str, str]) -> PageFigures:
        repeats = 3 if "export" in path else self._repeats
        for _ in range(1 if repeats == 3 else WARM_UPS):
            self._get(path, headers)
        self._lag()
        took, before = [], self._process.cpu_seconds()
        for _ in range(repeats):
            began = time.monotonic()
            status, body = self._get(path, headers)
            took.append((time.monotonic() - began) * 1000)
        cpu = (self._process.cpu_seconds() - before) * 1000 / repeats
        lag = self._lag()
        took.sort()
        self._look_at(name)
        return PageFigures(
            page=name,
            database=self._database,
            status=status,
            rows=_rows(path, body),
            p50_ms=round(took[len(took) // 2], 1),
            p99_ms=round(took[-1], 1),
            cpu_ms=round(cpu, 1),
            lag_ms=lag,
        )

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self._wire.request("GET", path, headers=headers)
        answer = self._wire.getresponse()
        return answer.status, answer.read()

    def _log_in(self) -> str:
        """The cookie of somebody who has given the API key."""
        self._wire.request("GET", "/dashboard/login")
        answer = self._wire.getresponse()
        form = answer.read().decode()
        token = re.search(r'name="csrf" value="([^"]+)"', form)
        assert token is not None
        origin = f"http://127.0.0.1:{self._process.http_port}"
        cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
        headers = {"Cookie": cookie, "Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"csrf": token[1], "how": "key", "key": self._process.key, "next": ""})
        self._wire.request("POST", "/dashboard/login", body, headers)
        answer = self._wire.getresponse()
        answer.read()
        cookies = answer.headers.get_all("Set-Cookie") or []
        return next(one.split(";")[0] for one in cookies if one.startswith("trunkline_session="))

    def _lag(self) -> float:
        """The longest stretch since this was last asked."""
        return max((line["lag_ms"] for line in self._lines() if "lag_ms" in line), default=0.0)

    def _lines(self) -> list[dict[str, Any]]:
        with self._statements.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text.rpartition("\n")[0]
        self._read += len(whole.encode()) + bool(whole)
        lines: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
        self._told += lines
        return lines

    def _look_at(self, name: str) -> None:
        """Keep the plans of slow statements, and of those that go through whole tables."""
        for line in self._told:
            if "plan" in line and (line["ms"] > LIMIT_MS or SCANS.search(line["plan"])):
                self.plans.append(Plan(self._database, name, line["ms"], line["statement"], line["plan"]))
        self._told.clear()


def _rows(path: str, body: bytes) -> int:
    if "export" in path:
        return body.count(b"\n") - 1
    if not path.startswith("/v1/"):
        return 0
    found = json.loads(body)
    return len(found["items"] if isinstance(found, dict) and "items" in found else found)
