"""`scripts/bench`: media and set-up figures, beside a floor taken in the same run, as a table and as JSON."""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.benchmark import c_relay
from scripts.benchmark.batch import BatchFigures, measure_batch
from scripts.benchmark.beside import BesideFigures, measure_beside
from scripts.benchmark.dialects import DialectFigures, measure_dialects
from scripts.benchmark.flooder import NAMES
from scripts.benchmark.floods import FloodFigures, measure_floods
from scripts.benchmark.load import Heard, Load, Phone, held, open_phone, percentile, phones_up
from scripts.benchmark.outbound import OutboundFigures, outbound_run
from scripts.benchmark.overload import OverloadFigures, measure_overload
from scripts.benchmark.pages import PageFigures, Plan, measure_pages
from scripts.benchmark.rules import RulesFigures, measure_rules
from scripts.benchmark.setup import SetupFigures, setup_run
from scripts.benchmark.sip import Dialler
from scripts.benchmark.soak import SoakFigures, measure_soak
from scripts.benchmark.under_test import CALLED, Process, agents, floor, gateway, settle

SETUP_RATE = 200
OUTBOUND_RATE = 100
SOAK_RATE = 50


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """Calls with audio both ways, for one system and one number of calls."""

    system: str
    calls: int
    cpu_ms: float
    "CPU milliseconds of the process per call and second."
    held: bool
    "Less than 0.5 % lost and made up, jitter p99 below 10 ms, in every round: else there is no ratio."
    times_floor: float | None
    times_c: float | None
    "Of the relay in C; None where there is none, too."
    made_up_percent: float
    "Of what the phones heard, what was not said to them."
    lost_percent: float
    "Of the packets that were sent, those whose echo never came."
    jitter_p50_ms: float
    jitter_p99_ms: float
    "Of what was sent to the phones, by kernel timestamps: how far the gap of two packets is from 20 ms."
    round_trip_p50_ms: float
    round_trip_p99_ms: float
    memory_kb: float
    "Resident memory per call, over that without calls."


Figures = (
    MediaFigures
    | SetupFigures
    | OutboundFigures
    | SoakFigures
    | RulesFigures
    | DialectFigures
    | PageFigures
    | BesideFigures
    | FloodFigures
    | OverloadFigures
    | BatchFigures
)


def main() -> None:
    """Run what was asked for, bounded in time, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        help="media, setup, outbound (by default), rules, dialects, pages, beside, floods, overload, batch, "
        "soak",
    )
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--dialects", nargs="+", default=["native", "twilio"], choices=sorted(CALLED))
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring, for each row")
    parser.add_argument("--rounds", type=int, default=1, help="of media: floor and dialects in turn; medians")
    parser.add_argument("--setup-calls", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=SETUP_RATE, help="new calls a second")
    parser.add_argument(
        "--hold", type=float, default=0.5, help="seconds from the answer to the BYE, of set-up; 0: at once"
    )
    parser.add_argument("--outbound-rate", type=int, default=OUTBOUND_RATE, help="new calls out a second")
    parser.add_argument("--minutes", type=float, default=60.0, help="of a soak")
    parser.add_argument("--soak-rate", type=int, default=SOAK_RATE, help="new calls a second of a soak")
    parser.add_argument("--rows", type=int, default=1_000_000, help="calls in the database of pages")
    parser.add_argument("--repeats", type=int, default=15, help="requests of each page")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument(
        "--folder", type=Path, help="where the SQLite database of pages is made, and kept for the next run"
    )
    parser.add_argument("--most-calls", type=int, default=800, help="that overload offers at most")
    parser.add_argument("--overload-seconds", type=float, default=3.0, help="of measuring each of its steps")
    parser.add_argument("--floods", nargs="+", default=[], choices=NAMES, help="default: every kind")
    parser.add_argument("--json", type=Path, default=Path("out/bench.json"))
    arguments = parser.parse_args()
    arguments.what = arguments.what or ["media", "setup", "outbound"]
    console = Console(width=None if sys.stdout.isatty() else 120)
    tested, other = cores()
    if other is not None:
        os.sched_setaffinity(0, {other})
    results: dict[str, object] = {
        "machine": machine(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def tell(what: str) -> None:
            progress.update(task, description=what)

        with agents(other) as agent_port:
            media = measure_media(arguments, agent_port, tested, tell) if "media" in arguments.what else []
            setup = measure_setup(arguments, agent_port, tested, tell) if "setup" in arguments.what else []
            beside, floods, overload = measure_disturbed(arguments, agent_port, tested, tell)
            batch = measure_batch(arguments, agent_port, tested, tell) if "batch" in arguments.what else []
            outbound = []
            if "outbound" in arguments.what:
                outbound = measure_outbound(arguments, agent_port, tested, tell)
            soaked: list[SoakFigures] = []
            if "soak" in arguments.what:
                soaked = measure_soak(
                    arguments.dialects[0],
                    arguments.minutes,
                    arguments.soak_rate,
                    arguments.hold,
                    agent_port,
                    tested,
                    tell,
                )
    results |= {"media": [asdict(row) for row in media], "setup": [asdict(row) for row in setup]}
    decided = measure_rules() if "rules" in arguments.what else []
    packets = measure_dialects() if "dialects" in arguments.what else []
    pages: list[PageFigures] = []
    plans: list[Plan] = []
    if "pages" in arguments.what:
        pages, plans = measure_pages(arguments, tested, lambda what: console.print(f"[dim]{what}[/dim]"))
    results |= {"pages": [asdict(row) for row in pages], "plans": [asdict(plan) for plan in plans]}
    results["dialects"] = [asdict(row) for row in packets]
    results["rules"] = [asdict(row) for row in decided]
    results["beside"] = [asdict(row) for row in beside]
    results["floods"] = [asdict(row) for row in floods]
    results["overload"] = [asdict(row) for row in overload]
    results["batch"] = [asdict(row) for row in batch]
    results["outbound"] = [asdict(row) for row in outbound]
    results["soak"] = [asdict(row) for row in soaked]
    tables: tuple[tuple[str, str, dict[str, str], Sequence[Figures]], ...] = (
        ("Calls with audio both ways", "system", MEDIA_COLUMNS, media),
        ("Call set-up", "dialect", SETUP_COLUMNS, setup),
        ("Outbound calls", "dialect", OUTBOUND_COLUMNS, outbound),
        ("Memory in a soak", "minute", SOAK_COLUMNS, soaked),
        ("Decisions about destinations", "destinations", RULES_COLUMNS, decided),
        ("One packet of 20 ms", "dialect", DIALECT_COLUMNS, packets),
        ("Calls beside API requests", "beside", BESIDE_COLUMNS, beside),
        ("Calls beside an agent that floods", "flood", FLOOD_COLUMNS, floods),
        ("More calls than a core carries", "step", OVERLOAD_COLUMNS, overload),
        ("Pages over a big database", "page", PAGE_COLUMNS, pages),
        ("Batches", "what", BATCH_COLUMNS, batch),
    )
    for title, label, heads, rows in tables:
        if rows:
            console.print(table_of(title, label, heads, rows))
    if media:
        console.print(FLOOR_NOTE, markup=False)
    for plan in plans:
        console.print(f"{plan.database}, {plan.page}: {plan.ms} ms\n{plan.plan}\n", markup=False)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=2))
    console.print(f"[dim]{machine()}; written to {arguments.json}[/dim]")


def measure_disturbed(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> tuple[list[BesideFigures], list[FloodFigures], list[OverloadFigures]]:
    """What running calls hear of requests, of floods, and of too much to do."""
    what = set(arguments.what)
    measured = arguments, agent_port, core, tell
    return (
        measure_beside(*measured) if "beside" in what else [],
        measure_floods(*measured) if what & {"beside", "floods"} else [],
        measure_overload(*measured) if "overload" in what else [],
    )


def cores() -> tuple[int | None, int | None]:
    """The core of what is measured, and the one for everything else."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def machine() -> str:
    """What the figures were taken on."""
    system = f"{platform.system()} {platform.release()}"
    return f"{platform.machine()}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def measure_media(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[MediaFigures]:
    """For each number of calls the floor, then each dialect: the median of so many rounds."""
    rows = []
    for calls in arguments.calls:
        rounds: dict[str, list[MediaFigures]] = {}
        relays: list[float] = []
        for number in range(1, arguments.rounds + 1):
            if c_relay.available():
                tell(f"relay in C, {calls} calls, round {number}")
                relays.append(c_relay.measure(calls, arguments.seconds, core))
            tell(f"floor, {calls} calls, round {number}")
            base = measure_floor(calls, arguments.seconds, agent_port, core)
            rounds.setdefault(base.system, []).append(base)
            for dialect in arguments.dialects:
                tell(f"{dialect}, {calls} calls, round {number}")
                row = measure_bridge(dialect, calls, arguments.seconds, agent_port, core, base.cpu_ms)
                rounds.setdefault(dialect, []).append(row)
        relay = statistics.median(relays) if relays else None
        rows += [middle(system, calls, taken, relay) for system, taken in rounds.items()]
    return rows


WORST = ("lost_percent", "made_up_percent")


def middle(system: str, calls: int, taken: list[MediaFigures], relay: float | None) -> MediaFigures:
    """The median of each figure; of what is lost or made up, the worst; no ratio where one was not held."""
    every = all(row.held for row in taken)
    rest = {"system", "calls", "held", "times_floor", "times_c", *WORST}
    medians = {
        name: statistics.median(getattr(row, name) for row in taken)
        for name in MediaFigures.__dataclass_fields__
        if name not in rest
    }
    worst = {name: max(getattr(row, name) for row in taken) for name in WORST}
    ratio = statistics.median(row.times_floor or 0.0 for row in taken) if every else None
    in_c = round(medians["cpu_ms"] / relay, 2) if every and relay else None
    return MediaFigures(system, calls, held=every, times_floor=ratio, times_c=in_c, **medians, **worst)


def measure_floor(calls: int, seconds: float, agent_port: int, core: int | None) -> MediaFigures:
    """The relay under load."""
    with floor(calls, agent_port, core) as (process, ports):
        phones = [Phone(open_phone(), ("127.0.0.1", port)) for port in ports]
        return loaded("floor", process, phones, seconds, None, 0)


def measure_bridge(
    dialect: str, calls: int, seconds: float, agent_port: int, core: int | None, base: float
) -> MediaFigures:
    """The gateway under load, its calls set up by SIP."""
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
        settle(process)
        idle = process.memory_kb()
        dialler = Dialler(process.port, CALLED[dialect])
        phones = phones_up(dialler, calls)
        figures = loaded(dialect, process, phones, seconds, base, idle)
        for call in tuple(dialler.calls.values()):
            dialler.bye(call)
            dialler.listen(0.005)
        dialler.listen(0.5)
        return figures


def loaded(
    system: str, process: Process, phones: list[Phone], seconds: float, base: float | None, idle_kb: int
) -> MediaFigures:
    """Send, hear, and reckon."""
    marks: list[tuple[float, float, int]] = []

    def mark() -> None:
        marks.append((time.monotonic(), process.cpu_seconds(), process.memory_kb()))

    load = Load(phones)
    load.run(seconds, mark)
    (began, cpu_before, _), (ended, cpu_after, memory) = marks
    cpu = (cpu_after - cpu_before) * 1000 / len(phones) / (ended - began)
    for phone in phones:
        phone.socket.close()
    return figures_of(system, len(phones), cpu, base, load.heard, (memory - idle_kb) if idle_kb else 0)


def figures_of(
    system: str, calls: int, cpu: float, base: float | None, heard: Heard, memory_kb: int
) -> MediaFigures:
    """One row."""
    gaps = sorted(map(abs, heard.gaps))
    trips = sorted(heard.trips)
    lost = max(0.0, 100 * (1 - heard.echoed / max(1, heard.sent)))
    made_up = 100 * (heard.received - heard.echoed) / max(1, heard.received)
    return MediaFigures(
        system=system,
        calls=calls,
        cpu_ms=round(cpu, 3),
        held=held(lost, made_up, percentile(gaps, 99)),
        times_floor=round(cpu / base, 2) if base else 1.0,
        times_c=None,
        lost_percent=round(lost, 3),
        made_up_percent=round(made_up, 3),
        jitter_p50_ms=round(percentile(gaps, 50), 3),
        jitter_p99_ms=round(percentile(gaps, 99), 3),
        round_trip_p50_ms=round(percentile(trips, 50), 2),
        round_trip_p99_ms=round(percentile(trips, 99), 2),
        memory_kb=round(memory_kb / calls, 1),
    )


def measure_setup(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[SetupFigures]:
    """Calls at a steady rate, each held for a while and then ended by its caller."""
    rows = []
    for dialect in arguments.dialects:
        tell(f"set-up, {dialect}, {arguments.rate} calls a second, each held {arguments.hold:g} s")
        with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
            settle(process)
            rows.append(setup_run(dialect, process, arguments.setup_calls, arguments.rate, arguments.hold))
    return rows


def measure_outbound(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[OutboundFigures]:
    """Calls out at a steady rate: each costs an HTTP request besides."""
    rows = []
    rate = arguments.outbound_rate
    for dialect in arguments.dialects:
        tell(f"outbound, {dialect}, {rate} calls a second")
        with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
            settle(process)
            media = open_phone().getsockname()[1]
            rows.append(outbound_run(dialect, process, arguments.setup_calls // 2, rate, media))
    return rows


FLOOR_NOTE = (
    "The floor is a loop in Python, about 1.5 times a relay in C that does the same, which is measured\n"
    "beside it where gcc and ../shared/tools/load are.\n"
    "Not held: 0.5 % or more lost or made up, or jitter p99 of 10 ms or more, in any round."
)
MEDIA_COLUMNS = {
    "calls": "calls",
    "cpu_ms": "CPU ms\na call·s",
    "times_floor": "× floor\nin Python",
    "times_c": "× relay\nin C",
    "lost_percent": "lost\n%",
    "made_up_percent": "made\nup %",
    "jitter_p50_ms": "jitter ms\np50",
    "jitter_p99_ms": "\np99",
    "round_trip_p50_ms": "round trip ms\np50",
    "round_trip_p99_ms": "\np99",
    "memory_kb": "kB\na call",
}
SETUP_COLUMNS = {
    "rate": "calls/s",
    "hold_seconds": "held\ns",
    "calls": "calls",
    "failed": "failed",
    "cpu_ms": "CPU ms\na call",
    "answer_p50_ms": "answer ms\np50",
    "answer_p99_ms": "\np99",
    "answer_most_ms": "\nmost",
}
DIALECT_COLUMNS = {
    "to_agent_us": "µs to\nthe agent",
    "from_agent_us": "µs from\nthe agent",
    "to_agent_bytes": "bytes to\nthe agent",
    "from_agent_bytes": "bytes from\nthe agent",
}
BESIDE_COLUMNS = {
    "calls": "calls",
    "requests": "requests",
    "unexpected": "unex-\npected",
    "jitter_p50_ms": "jitter ms\np50",
    "jitter_p99_ms": "\np99",
    "lost_percent": "lost\n%",
    "cpu_ms": "CPU ms\na second",
    "answer_p50_ms": "answer ms\np50",
    "answer_p99_ms": "\np99",
}
FLOOD_COLUMNS = {
    "dialect": "dialect",
    "calls": "calls",
    "worst_gap_ms": "worst gap\nms",
    "jitter_p99_ms": "jitter\np99",
    "lost_percent": "lost\n%",
    "cpu_ms": "CPU ms\na second",
    "memory_mb": "MB\nmore",
    "flooder": "flooder",
}
OVERLOAD_COLUMNS = {
    "offered": "offered",
    "running": "running",
    "shed": "shed",
    "lost_percent": "lost\n%",
    "made_up_percent": "made\nup %",
    "jitter_p99_ms": "jitter\np99 ms",
    "round_trip_p50_ms": "trip\np50 ms",
    "held": "held",
    "clean_after": "clean\nafter s",
    "generator_late_ms": "generator\nlate ms",
}
BATCH_COLUMNS = {
    "rows": "rows\nor calls",
    "per_second": "a\nsecond",
    "memory_mb": "MB",
    "cpu_ms": "CPU ms\na call",
    "jitter_p99_ms": "jitter\np99 ms",
    "worst_gap_ms": "worst\ngap ms",
}
PAGE_COLUMNS = {
    "database": "database",
    "status": "status",
    "rows": "rows",
    "p50_ms": "ms\np50",
    "p99_ms": "\np99",
    "cpu_ms": "CPU ms",
    "lag_ms": "loop\nstood ms",
}
RULES_COLUMNS = {
    "decisions_per_second": "decisions\na second",
    "p50_us": "µs\np50",
    "p99_us": "\np99",
    "memory_mb": "MB",
}
SOAK_COLUMNS = {
    "calls": "calls",
    "failed": "failed",
    "memory_mb": "MB",
    "slope_kb_a_minute": "kB\na minute",
}
OUTBOUND_COLUMNS = {
    "rate": "calls/s",
    "calls": "calls",
    "failed": "failed",
    "cpu_ms": "CPU ms\na call",
    "request_p50_ms": "request ms\np50",
    "request_p99_ms": "\np99",
}


def table_of(title: str, label: str, columns: dict[str, str], rows: Sequence[Figures]) -> Table:
    """Figures as a person reads them: one line a row, the floor above what is held against it."""
    table = Table("", title=title, title_justify="left")
    for head in columns.values():
        table.add_column(head, justify="right")
    for row in rows:
        figures = asdict(row)
        not_held = figures.get("held") is False
        shown = {
            name: "not held" if not_held and name == "times_floor" else _shown(figures[name])
            for name in columns
        }
        table.add_row(str(figures[label]), *shown.values())
    return table


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    main()
