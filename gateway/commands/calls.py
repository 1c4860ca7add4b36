"""`gateway calls`: the records."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run
from gateway.recordings.folder import FolderStore
from gateway.recordings.keeping import key_in
from gateway.store.calls import MAX_PAGE, CallFilter, CallRow, whole_seconds
from gateway.store.errors import NotFound, StoreError
from gateway.store.fields import Field, listed, moment, parse_fields

app = typer.Typer(no_args_is_help=True, help="The call records.")
COLUMNS = ("created_at", "direction", "from_number", "to_number", "status", "end_reason", "seconds", "id")
TIMES = {name: Field(moment, "") for name in ("since", "until")}


@app.command("list")
def list_all(
    status: Annotated[str | None, typer.Option(help="Any of these, separated by commas.")] = None,
    end_reason: Annotated[str | None, typer.Option(help="Any of these, separated by commas.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The calling number.")] = None,
    to: Annotated[str | None, typer.Option(help="The called number.")] = None,
    trunk: Annotated[str | None, typer.Option(help="Name or id.")] = None,
    direction: Annotated[str | None, typer.Option(help="inbound or outbound.")] = None,
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
    """List calls, newest first."""

    async def work(session: Session) -> None:
        times = parse_fields(TIMES, {n: v for n, v in (("since", since), ("until", until)) if v is not None})
        which = CallFilter(
            workspace_id=await session.workspace_id(workspace),
            statuses=listed(status or ""),
            end_reasons=listed(end_reason or ""),
            from_numbers=listed(from_ or ""),
            to_numbers=listed(to or ""),
            trunk_ids=[] if trunk is None else [(await session.there.trunks.find(trunk)).id],
            direction=direction,
            open=open_,
            created_from=times.get("since"),
            created_before=times.get("until"),
            limit=limit,
        )
        page = await session.store.list_calls(which)
        session.output.rows([_row(call) for call in page.calls], COLUMNS, "No such call.")

    run(config, as_json, work)


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
    call_id: Annotated[str, typer.Argument(help="call_…")],
    out: Annotated[Path, typer.Option(help="The WAV file to write.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the recording of a call, on the machine that keeps it."""

    async def work(session: Session) -> None:
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
        raise NotFound("call", call_id, "there is no such call")
    return row


@app.command()
def show(
    call_id: Annotated[str, typer.Argument(help="call_…")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about one call."""

    async def work(session: Session) -> None:
        row = await _found(session, call_id)
        # Whoever may run this has the key: the operator, who has to find a caller that made trouble.
        caller = None if row.sealed_caller is None else session.store.open_sealed(row.sealed_caller)
        session.output.one({**_plain(row), "withheld_caller": caller})

    run(config, as_json, work)
