"""`gateway keys`: who may use the API."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.assignments import confirmed
from gateway.commands.noun import noun
from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run

if TYPE_CHECKING:
    from gateway.store.configuration.key_ring import ApiKey

app = noun("Who may use the API.")
COLUMNS = ("name", "workspace_id", "created_by", "created_at", "last_used_at", "revoked_at", "id")


@app.command("list")
def list_all(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the keys, of one workspace or of all; never their secrets."""

    async def work(session: Session) -> None:
        keys = await session.configuration.keys.list_all(await session.workspace_id(workspace))
        session.output.rows([_row(key) for key in keys], COLUMNS, "No key yet: gateway keys add NAME")

    run(config, as_json, work)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is for, such as the program that uses it.")],
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, this once: only a hash of its secret is kept."""

    async def work(session: Session) -> None:
        owner = await session.owner(workspace)
        key, secret = await session.configuration.keys.add(owner.id, name, session.by)
        session.output.one({**_row(key), "key": f"{key.id}:{secret}"})

    run(config, as_json, work)


@app.command()
def remove(
    key: Annotated[str, typer.Argument(metavar="KEY", help="key_…")],
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: it opens nothing any more, at once and for good."""

    async def work(session: Session) -> None:
        confirmed(f"Remove {key}?", yes=yes)
        revoked = await session.configuration.keys.revoke(key, session.by)
        session.output.done(_row(revoked), f"key {revoked.name} opens nothing any more")

    run(config, as_json, work)


def _row(key: "ApiKey") -> Row:
    times = ("created_at", "last_used_at", "revoked_at")
    shown = {
        name: at and at.isoformat(timespec="seconds").replace("+00:00", "Z")
        for name, at in ((name, getattr(key, name)) for name in times)
    }
    return {**asdict(key), **shown}
