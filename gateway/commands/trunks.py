"""`gateway trunks`: who may call in, and how calls go out."""

from typing import Annotated

import typer

from gateway.commands.assignments import AssignmentsArgument, assigned, confirmed
from gateway.commands.noun import TRUNK, noun
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run, shown
from gateway.store.engine.ids import new_id

app = noun("Who may call in, and how calls go out.")
TrunkArgument = Annotated[str, typer.Argument(metavar="TRUNK", help="Name or id.")]
COLUMNS = (
    "name",
    "enabled",
    "sources",
    "username",
    "number_format",
    "channel_limit",
    "termination_uri",
    "id",
)


@app.command("list")
def list_all(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the trunks, of one workspace or of all."""

    async def work(session: Session) -> None:
        within = await session.workspace_id(workspace)
        rows = [shown(trunk) for trunk in await session.configuration.trunks.list_all(within)]
        empty = "No trunk yet, so nobody can call in: gateway trunks add NAME sources=192.0.2.0/24"
        session.output.rows(rows, COLUMNS, empty)

    run(config, as_json, work)


@app.command()
def show(trunk: TrunkArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a trunk; of its passwords only whether they are set."""

    async def work(session: Session) -> None:
        session.output.one(shown(await session.configuration.trunks.find(trunk)))

    run(config, as_json, work)


@app.command(cls=TRUNK.command)
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    fields: AssignmentsArgument = None,
    workspace: WorkspaceOption = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="The operator's own: for every workspace's numbers.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a trunk, such as: gateway trunks add Carrier sources=192.0.2.0/24 number_format=digits"""

    async def work(session: Session) -> None:
        from gateway.routing.table import Trunk

        given = {"name": name, **assigned(TRUNK, fields)}
        owner = None if shared else (await session.owner(workspace)).id
        added = await session.configuration.trunks.add(Trunk(new_id("trunk"), owner, **given), session.by)
        sources = ", ".join(added.sources) or "nowhere, until it has sources"
        session.output.done(shown(added), f"trunk {added.name} is there; calls may come from {sources}")

    run(config, as_json, work)


@app.command("set", cls=TRUNK.command)
def change(
    trunk: TrunkArgument,
    fields: AssignmentsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change fields of a trunk, such as: gateway trunks set Carrier channel_limit=30 password=-"""

    async def work(session: Session) -> None:
        given = assigned(TRUNK, fields)
        found = await session.configuration.trunks.find(trunk)
        changed = await session.configuration.trunks.change(found.id, given, session.by)
        session.output.done(shown(changed), f"trunk {changed.name} is changed, from the next call on")

    run(config, as_json, work)


@app.command()
def remove(
    trunk: TrunkArgument, yes: YesOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Remove a trunk that no number uses."""

    async def work(session: Session) -> None:
        found = await session.configuration.trunks.find(trunk)
        confirmed(f"Remove trunk {found.name}?", yes=yes)
        removed = await session.configuration.trunks.remove(found.id, session.by)
        session.output.done(shown(removed), f"trunk {removed.name} is removed")

    run(config, as_json, work)
