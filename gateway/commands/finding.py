"""What `gateway check` finds: one line each, with how to mend it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import typer

from gateway.commands.output import FAILED, Output, escaped

Level = Literal["ok", "warn", "fail"]
MARKS = {"ok": "[green]✓ ok[/green]", "warn": "[yellow]! warn[/yellow]", "fail": "[red]✗ fail[/red]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    "`fail`: calls will not work. `warn`: they may not, or not from everywhere."
    what: str
    "What was looked at: `listener udp-1`, `certificate`, `database`."
    found: str
    "What that turned out to be."
    mend: str = ""
    "What to do about it; empty where nothing needs doing."


def ok(what: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", what, found)


def warn(what: str, found: str, mend: str) -> Finding:
    """It may be meant, or may be a mistake."""
    return Finding("warn", what, found, mend)


def bad(what: str, found: str, mend: str) -> Finding:
    """Calls will not work like this."""
    return Finding("fail", what, found, mend)


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level among them."""
    levels = {finding.level for finding in findings}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"


def tell_findings(findings: Sequence[Finding], output: Output) -> None:
    """All of them; ends the command with 1 where one is a failure."""
    if output.is_json:
        output.rows([asdict(finding) for finding in findings], (), "")
    else:
        print_findings(findings)
    if worst(findings) == "fail":
        raise typer.Exit(FAILED)


def print_findings(findings: Sequence[Finding]) -> None:
    """As a table, and the count of each level."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", "what", "found", "to mend it", header_style="bold")
    for finding in findings:
        table.add_row(MARKS[finding.level], *map(escaped, (finding.what, finding.found, finding.mend)))
    console = Console()
    console.print(table)
    counts = {level: sum(finding.level == level for finding in findings) for level in MARKS}
    console.print(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
