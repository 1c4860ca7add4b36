"""`gateway do-not-call`: the numbers that a workspace never calls."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.batch.wording import counted
from gateway.commands.assignments import confirmed
from gateway.commands.noun import noun
from gateway.commands.output import BAD_INPUT, fail
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run

if TYPE_CHECKING:
    from gateway.batch.do_not_call import Gathered
    from gateway.routing.table import Workspace
    from gateway.store.configuration.do_not_call import Updated

app = noun("The numbers that a workspace never calls.")

NumbersArgument = Annotated[
    list[str],
    typer.Argument(metavar="NUMBER…", help="+, calling code, number; or as the workspace's country dials."),
]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads the list or a refused call.")]
COLUMNS = ("phone_number", "reason", "added_by", "added_at")


@app.command("list")
def list_all(
    search: Annotated[str, typer.Option(help="A number, or how numbers begin: +44.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Which of the pages.")] = 1,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List numbers that are never called, in the order of their digits."""

    async def work(session: Session) -> None:
        from dataclasses import asdict

        from gateway.batch.do_not_call import beginning

        own = await session.configuration.workspaces.find(workspace)
        begins = beginning(search, own.default_country)
        found = await session.configuration.do_not_call.page(
            own.id, begins=begins, limit=limit, offset=(page - 1) * limit
        )
        session.output.rows([asdict(one) for one in found.items], COLUMNS, _none(search))
        if not session.output.is_json and found.total > len(found.items):
            session.output.console.print(f"{len(found.items)} of {found.total}; --page {page + 1} goes on")

    run(config, as_json, work)


def _none(search: str) -> str:
    return f"No number on the list begins {search}" if search else "The list is empty"


@app.command()
def add(
    numbers: NumbersArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Never call these numbers again: all of them, or none where one is written wrongly."""

    async def work(session: Session) -> None:
        own = await session.configuration.workspaces.find(workspace)
        gathered = await _gathered(own, numbers)
        updated = await session.configuration.do_not_call.add(
            own.id, gathered.numbers, session.by, reason=reason
        )
        _tell_added(session, own, updated)

    run(config, as_json, work)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX or XLS, or one number a line.")],
    reason: ReasonOption = "",
    column: Annotated[str, typer.Option(help="The one with the numbers. Default: phone_number.")] = "",
    sheet: Annotated[str, typer.Option(help="Of a workbook. Default: the first.")] = "",
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Pass by lines that are no numbers.")
    ] = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Never call the numbers of a file: all of them, or none where a line is no number."""

    async def work(session: Session) -> None:
        from gateway.batch.checking import Choice
        from gateway.batch.do_not_call import gather_file
        from gateway.batch.files.upload import UnreadableFile, Upload

        own = await session.configuration.workspaces.find(workspace)
        choice = Choice(phone_column=column, sheet=sheet)
        try:
            gathered = await gather_file(Upload(file, file.name), own.default_country, choice)
        except UnreadableFile as error:
            fail(error.message, BAD_INPUT)
        if gathered.wrong_count and not skip_invalid:
            lines = [f"{file}: line {each.line}: {each.given}: {each.why}" for each in gathered.wrong]
            them = counted(gathered.wrong_count, "line is", "lines are")
            why = f"{them} no number; --skip-invalid passes them by"
            lines.append(f"nothing was added: {why}")
            fail("\n".join(lines), BAD_INPUT)
        updated = await session.configuration.do_not_call.add(
            own.id, gathered.numbers, session.by, reason=reason, source=file.name
        )
        _tell_added(session, own, updated)

    run(config, as_json, work)


@app.command()
def remove(
    numbers: NumbersArgument,
    yes: YesOption = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let these numbers be called again."""

    async def work(session: Session) -> None:
        own = await session.configuration.workspaces.find(workspace)
        gathered = await _gathered(own, numbers)
        confirmed(f"Let calls of {own.name} go to {', '.join(list(gathered.numbers)[:5])} again?", yes=yes)
        updated = await session.configuration.do_not_call.remove(own.id, gathered.numbers, session.by)
        said = {"removed": updated.changed, "not_listed": updated.unchanged, "total": updated.total}
        sentence = f"{counted(updated.changed, 'number')} may be called again"
        rest = f"; {counted(updated.unchanged, 'number')} not on the list" if updated.unchanged else ""
        session.output.done(said, sentence + rest)

    run(config, as_json, work)


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the whole list as CSV, as import reads it."""

    async def work(session: Session) -> None:
        from gateway.events.call_sheet import line

        own = await session.configuration.workspaces.find(workspace)
        kept = nullcontext(sys.stdout)
        with kept if out is None else out.open("x", newline="", encoding="utf-8") as sheet:
            sheet.write(line(COLUMNS))
            async for part in session.configuration.do_not_call.everything(own.id):
                for one in part:
                    added_at = one.added_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                    sheet.write(line((one.phone_number, one.reason, one.added_by, added_at)))

    run(config, False, work)


async def _gathered(own: "Workspace", numbers: list[str]) -> "Gathered":
    """The numbers as E.164; ends the command where one is none."""
    from gateway.batch.do_not_call import gather

    gathered = await gather(enumerate(numbers, 1), own.default_country)
    if gathered.wrong_count:
        fail("\n".join(f"NUMBER {each.given}: {each.why}" for each in gathered.wrong), BAD_INPUT)
    return gathered


def _tell_added(session: Session, own: "Workspace", updated: "Updated") -> None:
    said = {"added": updated.changed, "already_listed": updated.unchanged, "total": updated.total}
    rest = f"; {counted(updated.unchanged, 'number')} on the list already" if updated.unchanged else ""
    sentence = f"{counted(updated.changed, 'number')} added{rest}: {own.name} never calls {updated.total}"
    session.output.done(said, sentence)
