"""Batches as a person reads them on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from gateway.batch.wording import counted
from gateway.commands.output import Output, escaped

STYLES = {
    "running": "green",
    "completed": "bold",
    "paused": "yellow",
    "waiting": "cyan",
    "scheduled": "cyan",
    "cancelled": "red",
    "deleted": "dim",
    "draft": "dim",
}
LISTED = ("id", "title", "status", "recipients", "done", "connected", "created_at")
Batch = Mapping[str, Any]


def show_list(output: Output, batches: Sequence[Batch]) -> None:
    """A line for each."""
    rows = [
        {
            **batch,
            "recipients": batch["total_lead_count"],
            "done": batch["processed_lead_count"],
            "connected": batch["picked_up_calls"],
        }
        for batch in batches
    ]
    output.rows(batches if output.is_json else rows, LISTED, "No such batch: gateway batch start FILE")


def show_batch(output: Output, batch: Batch) -> None:
    """One in sections: where it stands, how its rounds went, what it is to do."""
    if output.is_json:
        output.one(batch)
        return
    console = output.console
    console.print(
        f"[bold]{escaped(batch['title'])}[/bold]  {styled(batch['status'])}  [dim]{batch['id']}[/dim]"
    )
    if batch["detail"]:
        console.print(f"  [yellow]{escaped(batch['detail'])}[/yellow]")
    sections = {"Recipients": _counts(batch), "Calls": _calls(batch), "How it calls": _wish(batch)}
    for title, facts in sections.items():
        console.print(f"\n[bold]{title}[/bold]")
        console.print(_facts(facts))
    console.print("\n[bold]Attempts[/bold]")
    console.print(_stages(batch["attempt_stages"]))


def styled(status: str) -> str:
    """A status in its colour."""
    style = STYLES.get(status, "")
    return f"[{style}]{escaped(status)}[/{style}]" if style else escaped(status)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """What a file has in it."""
    how = ", ".join(filter(None, (report["sheet"], report["encoding"], report["separator"])))
    lines = [
        f"{report['file_name']}: {counted(report['total_records'], 'row')}{f' ({how})' if how else ''}, "
        f"numbers in “{report['phone_column']}”",
        f"{report['valid_records']} can be called, {report['failed_records']} cannot",
    ]
    if report["countries"]:
        lines.append(", ".join(f"{iso} {count}" for iso, count in [*report["countries"].items()][:12]))
    if report["most_per_minute"] is not None:
        lines.append(f"a minute with everybody: at most {report['currency']} {report['most_per_minute']}")
    return lines + [f"note: {note}" for note in report["notes"]]


def _counts(batch: Batch) -> dict[str, object]:
    names = ("total", "queued", "running", "completed", "failed", "cancelled", "expired", "uncertain")
    counted = {name: batch[f"{name}_lead_count"] for name in names}
    return {**counted, "rows left out": batch["failed_row_count"]}


def _calls(batch: Batch) -> dict[str, object]:
    return {
        "recipients called": batch["sent_lead_count"],
        "recipients who answered": batch["picked_up_lead_count"],
        "answered": batch["picked_up_calls"],
        "further attempts": batch["number_of_retries"],
        "last": batch["last_call_sent_at"],
    }


def _wish(batch: Batch) -> dict[str, object]:
    hours = batch["calling_hours_start"] and f"{batch['calling_hours_start']}–{batch['calling_hours_end']}"
    days = batch["calling_hours_days"]
    return {
        "from": ", ".join(batch["from_numbers"]),
        "agent": f"{batch['agent_id']}/{batch['agent_version_number']}",
        "begins": batch["starts_at"],
        "ends": batch["ends_at"],
        "hours": hours and f"{hours} {batch['timezone']}, by the {batch['hours_by']}’s clock",
        "days": days and ", ".join(map(str, days)),
        "retries": batch["retry_max"] and _retries(batch),
        "at once": batch["max_concurrent_calls"],
        "a day": batch["calls_per_callee_per_day"],
        "file": batch["file_name"],
        "made": f"{batch['created_at']} by {batch['created_by']}",
        "started": batch["started_at"],
        "ended": batch["ended_at"],
    }


def _retries(batch: Batch) -> str:
    growth = batch["retry_growth"]
    longer = f", each pause {growth:g} times the one before" if growth > 1 else ""
    after = ", ".join(batch["retry_outcomes"])
    return f"{batch['retry_max']}, {batch['retry_interval_minutes']:g} minutes apart{longer}, after {after}"


def _facts(facts: Mapping[str, object]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=True)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", False):
            table.add_row(name, escaped(str(value)))
    return table


def _stages(stages: Sequence[Mapping[str, int]]) -> Table:
    table = Table(box=None, header_style="dim")
    for name in ("", "planned", "dialled", "answered"):
        table.add_column(name, justify="right" if name else "left")
    for stage in stages:
        name = f"retry {stage['depth']}" if stage["depth"] else "first"
        table.add_row(name, *(str(stage[key]) for key in ("total", "attempted", "picked_up")))
    return table
