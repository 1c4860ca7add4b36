"""`gateway batch`: a file of recipients becomes calls; checked, started, watched and ended."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.noun import noun
from gateway.commands.output import FAILED, fail, mistakes_told
from gateway.commands.session import ConfigOption, JsonOption, WorkspaceOption, YesOption, user_name

if TYPE_CHECKING:
    from gateway.commands.batch_asking import Gateway

app = noun("Batches of calls: a file of recipients, checked and dialled.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX or XLS, one recipient a row.")]
BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="batch_…")]
Title = Annotated[str | None, typer.Option(help="What people call it. Default: the file's name.")]
Agent = Annotated[str | None, typer.Option(help="Who speaks, by name or id. Default: the only agent.")]
Version = Annotated[int | None, typer.Option(help="A published version. Default: the latest.")]
From = Annotated[
    list[str] | None,
    typer.Option("--from", help="A number to call from; several call in turn. Default: the agent's."),
]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it begins. Default: now.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends at the latest.")]
Timezone = Annotated[str | None, typer.Option(help="Of times and hours. Default: the workspace's.")]
Hours = Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="When calls may begin each day.")]
Days = Annotated[str | None, typer.Option(help="On which days, such as mon-fri.")]
Holidays = Annotated[str | None, typer.Option(help="Dates without calls, separated by commas.")]
ByCallee = Annotated[bool, typer.Option("--by-callee", help="Hours by the callee's own clock.")]
Retries = Annotated[int | None, typer.Option(help="Further attempts for each recipient, up to 4.")]
RetryMinutes = Annotated[float | None, typer.Option(help="Minutes between two attempts.")]
RetryGrowth = Annotated[float | None, typer.Option(help="2 doubles each pause.")]
RetryOn = Annotated[
    str | None, typer.Option(help="Of no_answer, busy, voicemail, carrier_failure; separated by commas.")
]
MaxCalls = Annotated[int | None, typer.Option(help="Its calls at once.")]
PerDay = Annotated[int | None, typer.Option(help="Calls to one number within a day.")]
DialAgain = Annotated[
    bool, typer.Option("--dial-again", help="Also whom a killed gateway may have called already.")
]
Country = Annotated[str | None, typer.Option(help="Whose local numbers are meant. Default: the workspace's.")]
Column = Annotated[str | None, typer.Option(help="The column with the numbers.")]
Sheet = Annotated[str | None, typer.Option(help="The sheet of a workbook.")]
Separator = Annotated[str | None, typer.Option(help="Of a text file: comma, semicolon, tab or pipe.")]
Encoding = Annotated[str | None, typer.Option(help="Of a text file.")]
Out = Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")]


def _gateway(config: Path | None, workspace: str | None, as_json: bool) -> "Gateway":
    """The running gateway, as its operator asks it."""
    from urllib.parse import quote

    from gateway.commands.batch_asking import Gateway
    from gateway.commands.output import Output
    from gateway.config.loading import load_config

    who = {"X-Operator": user_name()} | ({} if workspace is None else {"X-Workspace": quote(workspace)})
    return Gateway(load_config(config, os.environ), who, Output(as_json=as_json))


@app.command()
def check(
    file: FileArgument,
    agent: Agent = None,
    version: Version = None,
    country: Country = None,
    column: Column = None,
    sheet: Sheet = None,
    separator: Separator = None,
    encoding: Encoding = None,
    errors: Annotated[Path | None, typer.Option(help="Write the rows that fail to this CSV file.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a file as starting it would, and make nothing.

    Exits with 0 where every row can be called, 3 where some cannot, 2 where the file cannot be read.
    """
    with mistakes_told():
        from gateway.commands.batch_making import check_file

        wish = {"agent_version_number": version, **_reading(country, column, sheet, separator, encoding)}
        raise typer.Exit(check_file(_gateway(config, workspace, as_json), file, agent, wish, errors))


@app.command()
def start(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One recipient a row; or batch_…, a draft.")],
    title: Title = None,
    agent: Agent = None,
    version: Version = None,
    from_: From = None,
    at: At = None,
    until: Until = None,
    timezone: Timezone = None,
    hours: Hours = None,
    days: Days = None,
    holidays: Holidays = None,
    by_callee: ByCallee = False,
    retries: Retries = None,
    retry_minutes: RetryMinutes = None,
    retry_growth: RetryGrowth = None,
    retry_on: RetryOn = None,
    max_calls: MaxCalls = None,
    per_day: PerDay = None,
    dial_again: DialAgain = False,
    country: Country = None,
    column: Column = None,
    sheet: Sheet = None,
    separator: Separator = None,
    encoding: Encoding = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Go ahead without the rows that fail.")
    ] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Make it, and do not begin.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    yes: YesOption = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call everybody in a file, or start a draft.

    Every row is checked first; where some fail nothing is made, unless --skip-invalid, or a yes at the
    terminal, says to go ahead with the others. Exits with 0 when it was made, 3 when a rule or rows refuse
    it, 2 when it was asked for wrongly.\f

    Long, since each of its options is a parameter.
    """
    with mistakes_told():
        from gateway.commands.batch_making import start_draft, start_file

        gateway = _gateway(config, workspace, as_json)
        if file.startswith("batch_") and not Path(file).exists():
            batch_id = start_draft(gateway, file)
        else:
            wish = {
                "title": title,
                "agent_version_number": version,
                "from_numbers": from_ and ",".join(from_),
                "starts_at": at,
                "ends_at": until,
                "timezone": timezone,
                **_hours(hours),
                "calling_hours_days": days,
                "holidays": holidays,
                "hours_by": "callee" if by_callee else None,
                "retry_max": retries,
                "retry_interval_minutes": retry_minutes,
                "retry_growth": retry_growth,
                "retry_outcomes": retry_on,
                "max_concurrent_calls": max_calls,
                "calls_per_callee_per_day": per_day,
                "when_uncertain": "dial_again" if dial_again else None,
                "draft": "true" if draft else None,
                **_reading(country, column, sheet, separator, encoding),
            }
            batch_id = start_file(gateway, Path(file), agent, wish, skip_invalid, yes)
        if watch:
            _watch(gateway, batch_id)


def _hours(given: str | None) -> dict[str, str | None]:
    """`09:00-18:00`; the gateway says what is wrong with either."""
    if given is None:
        return {}
    begin, _, end = given.partition("-")
    return {"calling_hours_start": begin.strip(), "calling_hours_end": end.strip()}


def _reading(
    country: str | None, column: str | None, sheet: str | None, separator: str | None, encoding: str | None
) -> dict[str, str | None]:
    """How the file is read."""
    return {
        "default_country": country,
        "phone_column": column,
        "sheet": sheet,
        "separator": separator,
        "encoding": encoding,
    }


@app.command("list")
def list_all(
    status: Annotated[str | None, typer.Option(help="Any of these, separated by commas.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List batches, newest first."""
    with mistakes_told():
        from gateway.commands.batch_page import show_list

        gateway = _gateway(config, workspace, as_json)
        which = {"limit": str(limit)} | ({} if status is None else {"status": status})
        show_list(gateway.output, gateway.get("/v1/batch-calls", which)["items"])


@app.command()
def show(
    batch: BatchArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about a batch: where it stands, and what it is to do."""
    with mistakes_told():
        from gateway.commands.batch_page import show_batch

        gateway = _gateway(config, workspace, as_json)
        show_batch(gateway.output, gateway.batch(batch))


@app.command()
def watch(
    batch: BatchArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a batch to its end; an interrupt ends the watching, and not the batch.

    Where there is no terminal, a line of JSON comes whenever something has changed.
    """
    with mistakes_told():
        _watch(_gateway(config, workspace, as_json), batch)


def _watch(gateway: "Gateway", batch_id: str) -> None:
    from gateway.commands.batch_watch import watch_batch

    watch_batch(gateway, batch_id)


def _act(action: str, batch: str, workspace: str | None, config: Path | None, as_json: bool) -> None:
    with mistakes_told():
        gateway = _gateway(config, workspace, as_json)
        said = gateway.ask("PATCH", f"/v1/batch-calls/{batch}/status", json={"action": action})
        gateway.output.done(said, _sentence(said))


def _sentence(said: dict[str, dict[str, int]]) -> str:
    """What an action has led to."""
    counts = said["affectedCalls"]
    told = [("under way", counts["initiated"]), ("waiting", counts["queued"])]
    told += [("will not be called", counts["removedFromQueue"])]
    more = ", ".join(f"{count} {what}" for what, count in told if count)
    return f"{said['message']}{': ' if more else ''}{more}"


@app.command()
def pause(
    batch: BatchArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a batch place no new calls; running ones go on to their end."""
    _act("pause", batch, workspace, config, as_json)


@app.command()
def resume(
    batch: BatchArgument,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused batch go on."""
    _act("resume", batch, workspace, config, as_json)


@app.command()
def cancel(
    batch: BatchArgument,
    yes: YesOption = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a batch for good: whoever waits is not called; running calls go on to their end."""
    if not yes:
        from gateway.commands.questions import confirm

        confirm(f"End {batch} for good?")
    _act("cancel", batch, workspace, config, as_json)


@app.command()
def remove(
    batch: BatchArgument,
    yes: YesOption = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a draft, with its recipients."""
    with mistakes_told():
        gateway = _gateway(config, workspace, as_json)
        if not yes:
            from gateway.commands.questions import confirm

            confirm(f"Delete {batch}, with its recipients?")
        gateway.ask("DELETE", f"/v1/batch-calls/{batch}")
        gateway.output.done({"id": batch, "deleted": True}, f"{batch} is deleted")


@app.command()
def template(
    agent: Agent = None,
    version: Version = None,
    out: Out = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
) -> None:
    """Write an empty file for an agent: the number's column, and one for each of its parameters."""
    with mistakes_told():
        gateway = _gateway(config, workspace, as_json=False)
        which = {"agent_id": gateway.agent_id(agent)}
        which |= {} if version is None else {"agent_version_number": str(version)}
        _write(gateway, "/v1/batch-calls/template", which, out)


@app.command()
def errors(
    batch: BatchArgument, out: Out = None, workspace: WorkspaceOption = None, config: ConfigOption = None
) -> None:
    """Write the rows that were left out as CSV, each with what is wrong."""
    with mistakes_told():
        _write(_gateway(config, workspace, as_json=False), f"/v1/batch-calls/{batch}/errors.csv", {}, out)


@app.command()
def results(
    batch: BatchArgument, out: Out = None, workspace: WorkspaceOption = None, config: ConfigOption = None
) -> None:
    """Write what came of each recipient as CSV, with the fields that the agent made out."""
    with mistakes_told():
        _write(_gateway(config, workspace, as_json=False), f"/v1/batch-calls/{batch}/results.csv", {}, out)


def _write(gateway: "Gateway", path: str, which: dict[str, str], out: Path | None) -> None:
    """A file of the gateway's, as it comes."""
    parts = gateway.parts(path, which)
    if out is None:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    if out.exists():
        fail(f"{out} is there already", FAILED)
    with out.open("xb") as file:
        file.writelines(parts)
