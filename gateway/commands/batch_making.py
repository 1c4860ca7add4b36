"""Checking a file of recipients, and making a batch of it, through the running gateway."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from gateway.batch.wording import counted
from gateway.commands.batch_asking import CHECKING_SECONDS, Gateway, refuse, show_groups
from gateway.commands.batch_page import report_lines
from gateway.commands.calling import REFUSED
from gateway.commands.output import BAD_INPUT, escaped, fail
from gateway.commands.questions import confirm

Wish = Mapping[str, object]
PATH = "/v1/batch-calls"
MAX_TITLE = 35


def check_file(gateway: Gateway, file: Path, agent: str | None, wish: Wish, errors: Path | None) -> int:
    """Show what a file has in it; what the command exits with."""
    form = _form(gateway, file, agent, wish)
    report = _sent(gateway, f"{PATH}/validate", file, form)
    if errors is not None and report["failed_records"]:
        _write_errors(gateway, file, form, errors)
    gateway.output.lines(report, report_lines(report))
    if not gateway.output.is_json:
        show_groups(gateway.output.console, report["groups"])
    return REFUSED if report["failed_records"] else 0


def start_file(
    gateway: Gateway, file: Path, agent: str | None, wish: Wish, skip_invalid: bool, yes: bool
) -> str:
    """Make a batch of a file; its id. On a terminal, whether to go ahead without the bad rows is asked."""
    form = _form(gateway, file, agent, wish)
    answer = _answer(gateway, PATH, file, {**form, "skip_invalid_rows": "true"} if skip_invalid else form)
    said = answer.json()
    if not answer.is_success and said["reason"] == "rows_failed" and _may_ask(gateway):
        show_groups(gateway.output.console, said["groups"])
        if not yes:
            confirm(f"Go ahead with the {said['valid_records']} others?")
        answer = _answer(gateway, PATH, file, {**form, "skip_invalid_rows": "true"})
        said = answer.json()
    if not answer.is_success:
        refuse(answer)
    gateway.output.done(said, _made(said))
    if warning := said.get("warning"):
        _warn(gateway, warning)
    return str(said["id"])


def start_draft(gateway: Gateway, batch_id: str) -> str:
    """Start a draft; its id."""
    said = gateway.ask("POST", f"{PATH}/{batch_id}/start")
    campaign = said["campaign"]
    gateway.output.done(said, f"{campaign['title']} ({campaign['id']}) is {campaign['status']}")
    return batch_id


def _may_ask(gateway: Gateway) -> bool:
    """Whether somebody is there who can be asked."""
    return not gateway.output.is_json and sys.stdin.isatty()


def _form(gateway: Gateway, file: Path, agent: str | None, wish: Wish) -> dict[str, str]:
    """The fields of the request; those that were not given are left out. The file is looked for first."""
    _opened(file).close()
    given = {name: str(value) for name, value in wish.items() if value is not None}
    return {"title": file.stem[:MAX_TITLE], "agent_id": gateway.agent_id(agent), **given}


def _sent(gateway: Gateway, path: str, file: Path, form: Mapping[str, str]) -> dict[str, Any]:
    answer = _answer(gateway, path, file, form)
    if not answer.is_success:
        refuse(answer)
    said: dict[str, Any] = answer.json()
    return said


def _answer(gateway: Gateway, path: str, file: Path, form: Mapping[str, str]) -> Any:
    with _opened(file) as content:
        files = {"file": (file.name, content)}
        if gateway.output.is_json:
            return gateway.answer("POST", path, CHECKING_SECONDS, data=dict(form), files=files)
        with gateway.output.console.status(f"{escaped(file.name)} is being checked"):
            return gateway.answer("POST", path, CHECKING_SECONDS, data=dict(form), files=files)


def _opened(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}", BAD_INPUT)


def _write_errors(gateway: Gateway, file: Path, form: Mapping[str, str], out: Path) -> None:
    if out.exists():
        fail(f"{out} is there already", BAD_INPUT)
    out.write_bytes(_answer(gateway, f"{PATH}/validate?format=csv", file, form).content)


def _made(said: Mapping[str, Any]) -> str:
    left_out = f", {counted(said['failed_records'], 'row')} left out" if said["failed_records"] else ""
    recipients = counted(said["total_records"], "recipient")
    return f"{said['title']} ({said['id']}) is {said['batch']['status']}: {recipients}{left_out}"


def _warn(gateway: Gateway, warning: Mapping[str, Any]) -> None:
    if gateway.output.is_json:
        return
    typer.echo(f"notice: {warning['message']}", err=True)
    for other in warning["conflicts"]:
        when = f", from {other['starts_at']}" if other["starts_at"] else ""
        done = f"{other['processed_leads']} of {other['total_leads']} done"
        typer.echo(f"  {other['batch_name']} is {other['kind']}: {done}{when}", err=True)
