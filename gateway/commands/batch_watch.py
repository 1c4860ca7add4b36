"""A batch that is followed: a bar on a terminal, a line of JSON for each change elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import orjson
import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from gateway.commands.batch_asking import Gateway
from gateway.commands.batch_page import show_batch, styled
from gateway.commands.output import escaped

LOOK_SECONDS = 1.0
FINAL = ("completed", "cancelled", "deleted")
Batch = Mapping[str, Any]


def watch_batch(gateway: Gateway, batch_id: str) -> None:
    """Follow a batch until nothing more comes of it."""
    try:
        if gateway.output.is_json:
            _lines(gateway, batch_id)
        else:
            show_batch(gateway.output, _bar(gateway, batch_id))
    except KeyboardInterrupt:
        typer.echo(f"notice: {batch_id} goes on; gateway batch pause {batch_id} would hold it", err=True)
        raise


def _lines(gateway: Gateway, batch_id: str) -> None:
    before = None
    while True:
        batch = gateway.batch(batch_id)
        if batch != before:
            sys.stdout.write(orjson.dumps(batch).decode() + "\n")
            sys.stdout.flush()
            before = batch
        if is_over(batch):
            return
        time.sleep(LOOK_SECONDS)


def _bar(gateway: Gateway, batch_id: str) -> Batch:
    batch = gateway.batch(batch_id)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=gateway.output.console,
    ) as progress:
        bar = progress.add_task("", total=max(1, batch["total_lead_count"]), said="")
        while True:
            title = f"{escaped(batch['title'])} {styled(batch['status'])}"
            progress.update(bar, completed=batch["processed_lead_count"], description=title, said=said(batch))
            if is_over(batch):
                return batch
            time.sleep(LOOK_SECONDS)
            batch = gateway.batch(batch_id)


def is_over(batch: Batch) -> bool:
    """Whether nothing more comes of it: also calls that are under way have ended."""
    return batch["status"] in FINAL and not batch["running_lead_count"]


def said(batch: Batch) -> str:
    """How it goes, beside the bar."""
    words = [
        ("running", "running"),
        ("picked_up", "answered"),
        ("failed", "failed"),
        ("uncertain", "uncertain"),
    ]
    counted = [f"{batch[f'{name}_lead_count']} {word}" for name, word in words if batch[f"{name}_lead_count"]]
    return "  ".join([*counted, *([escaped(batch["detail"])] if batch["detail"] else [])])
