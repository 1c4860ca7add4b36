"""`gateway calls`: their records, and hanging one up."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.noun import noun
from gateway.commands.output import Output, Row
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run
from gateway.store.engine.errors import NotFound, StoreError
from gateway.store.records.calls import MAX_PAGE, CallFilter, CallRow, whole_seconds

app = noun("The calls: their records, and those that are running.")
CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="call_…")]


class Direction(StrEnum):
    """Which way a call goes."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@app.command("list")
def list_all(
    status: Annotated[str | None, typer.Option(help="Any of these, separated by commas.")] = None,
    end_reason: Annotated[str | None, typer.Option(help="Any of these, separated by commas.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The calling number, in any writing.")] = None,
    to: Annotated[str | None, typer.Option(help="The called number, in any writing.")] = None,
    trunk: Annotated[str | None, typer.Option(help="Name or id.")] = None,
    category: Annotated[str | None, typer.Option(help="batch, workflow, or both with a comma.")] = None,
    category_id: Annotated[str | None, typer.Option(help="Of a batch, or your own of a workflow.")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Which way they go.")] = None,
    open_: Annotated[
        bool | None, typer.Option("--open/--ended", help="Only running, or only ended ones.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Day or time, such as 2027-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Day or time; calls before it.")] = None,
    limit: Annotated[int, typer.Option(help=f"How many, up to {MAX_PAGE}.")] = 20,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List calls, newest first; on a terminal in UTC, and on two lines each where one is too narrow."""

    async def work(session: Session) -> None:
        from gateway.commands import call_choice as meant

        which = CallFilter(
            workspace_id=await session.workspace_id(workspace),
            statuses=meant.statuses_meant(status),
            end_reasons=meant.reasons_meant(end_reason),
            from_numbers=meant.numbers_meant(from_),
            to_numbers=meant.numbers_meant(to),
            categories=meant.categories_meant(category),
            category_ids=meant.category_ids_meant(category_id),
            trunk_ids=[] if trunk is None else [(await session.configuration.trunks.find(trunk)).id],
            direction=direction,
            open=open_,
            **_times(since=since, until=until),
            limit=limit,
        )
        _show(session.output, (await session.store.list_calls(which)).calls)

    run(config, as_json, work)


def _times(**written: str | None) -> dict[str, Any]:
    """What `since` and `until` ask for, where they were given; an error names them as they were written."""
    from gateway.store.configuration.fields import Field, moment, parse_fields

    given = {name: text for name, text in written.items() if text is not None}
    times = parse_fields({name: Field(moment, "") for name in written}, given)
    return {"created_from": times.get("since"), "created_before": times.get("until")}


def _show(output: Output, calls: Sequence[CallRow]) -> None:
    from gateway.commands.call_page import listed_calls

    if output.is_json or not calls:
        output.rows([_row(call) for call in calls], (), "No such call.")
    else:
        output.console.print(listed_calls(calls, output.console))


def _row(call: CallRow) -> Row:
    return {**_plain(call), "seconds": whole_seconds(call.duration_ms)}


def _plain(call: CallRow) -> dict[str, object]:
    """Times as ISO 8601 to the millisecond."""
    return {
        name: value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if isinstance(value, datetime)
        else value
        for name, value in asdict(call).items()
        if name != "sealed_caller"
    }


@app.command()
def recording(
    call_id: CallArgument,
    out: Annotated[Path, typer.Option(help="The WAV file to write.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the recording of a call, on the machine that keeps it."""

    async def work(session: Session) -> None:
        from gateway.recordings.folder import FolderStore
        from gateway.recordings.keeping import key_in

        row = await _found(session, call_id)
        key = key_in(row)
        if key is None:
            status = row.recording_status or "it was not recorded"
            raise NotFound("recording", call_id, f"there is none: {status}")
        store = FolderStore(session.config.recordings_folder, session.store.key_for("recordings"))
        try:
            size = store.size(key)
            with out.open("xb") as file:
                file.writelines(store.read(key, 0, size))
        except OSError as error:
            raise StoreError(f"{error.filename or key}: {error.strerror or error}") from None
        session.output.one({"file": str(out), "bytes": size, **dict(row.recording or {})})

    run(config, as_json, work)


async def _found(session: Session, call_id: str) -> CallRow:
    row = await session.store.get_call(call_id)
    if row is None:
        raise NotFound("call", call_id, "there is no such call; gateway calls list shows them")
    return row


@app.command()
def show(call_id: CallArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show everything about one call; on a terminal in sections, with what mends a refusal."""

    async def work(session: Session) -> None:
        row = await _found(session, call_id)
        # Whoever may run this has the key: the operator, who has to find a caller that made trouble.
        caller = None if row.sealed_caller is None else session.store.open_sealed(row.sealed_caller)
        if session.output.is_json:
            session.output.one({**_plain(row), "withheld_caller": caller})
            return
        from gateway.commands.call_page import names_of, page_of

        session.output.console.print(page_of(row, await names_of(session, row), caller))

    run(config, as_json, work)


@app.command("hangup")
def hang_up(call_id: CallArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Hang up a call of the running gateway.

    Exits with 0 when it was told to hang up, 1 when the call had ended before, runs on another gateway, or
    none runs here, 2 when there is no such call.
    """

    async def work(session: Session) -> None:
        from gateway.commands import running

        call = await running.standing(session, call_id)
        running.refuse_ended(call)
        said = running.hang_up(session.config, call)
        session.output.done(said, f"{call_id} hangs up; gateway calls show {call_id} tells how it went")

    run(config, as_json, work)
