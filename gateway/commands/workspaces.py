"""`gateway workspaces`: the tenants."""

from typing import Annotated

import typer

from gateway.commands import countries
from gateway.commands.assignments import AssignmentsArgument, assigned
from gateway.commands.noun import WORKSPACE, noun
from gateway.commands.session import ConfigOption, JsonOption, Session, run, shown
from gateway.store.engine.ids import new_id

app = noun("The tenants.")
app.add_typer(countries.app, name="countries")
NameArgument = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Name or id.")]


@app.command("list")
def list_all(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all workspaces."""

    async def work(session: Session) -> None:
        rows = [shown(each) for each in await session.configuration.workspaces.list_all()]
        columns = ("name", "kyc_verified", "sip_byoc_enabled", "concurrency_limit", "currency", "id")
        session.output.rows(rows, columns, "No workspace yet: gateway workspaces add NAME")

    run(config, as_json, work)


@app.command()
def show(workspace: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a workspace."""

    async def work(session: Session) -> None:
        session.output.one(shown(await session.configuration.workspaces.find(workspace)))

    run(config, as_json, work)


@app.command(cls=WORKSPACE.command)
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    fields: AssignmentsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a workspace."""

    async def work(session: Session) -> None:
        from gateway.routing.table import Workspace

        given = {"name": name, **assigned(WORKSPACE, fields)}
        added = await session.configuration.workspaces.add(Workspace(new_id("org"), **given), session.by)
        session.output.done(shown(added), f"workspace {added.name} is there ({added.id})")

    run(config, as_json, work)


@app.command("set", cls=WORKSPACE.command)
def change(
    workspace: NameArgument,
    fields: AssignmentsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change fields of a workspace."""

    async def work(session: Session) -> None:
        given = assigned(WORKSPACE, fields)
        found = await session.configuration.workspaces.find(workspace)
        changed = await session.configuration.workspaces.change(found.id, given, session.by)
        session.output.done(shown(changed), f"workspace {changed.name} is changed")

    run(config, as_json, work)
