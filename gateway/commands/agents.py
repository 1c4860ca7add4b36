"""`gateway agents`: the agents, and the versions that speak for them."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.assignments import AssignmentsArgument, assigned, confirmed
from gateway.commands.noun import VERSION, noun
from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run, shown
from gateway.store.engine.errors import NotFound
from gateway.store.engine.ids import new_id

if TYPE_CHECKING:
    from gateway.routing.table import Agent, AgentVersion

app = noun("The agents, and the versions that speak for them.")
AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="Name or id.")]
VersionArgument = Annotated[str, typer.Argument(metavar="AGENT/NUMBER", help="Such as Echo/2, or an id.")]
VERSION_COLUMNS = ("number", "state", "dialect", "audio", "runtime_url", "published_at", "id")


@app.command("list")
def list_all(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the agents with the numbers of their versions."""

    async def work(session: Session) -> None:
        within = await session.workspace_id(workspace)
        rows = [
            await _summary(session, agent) for agent in await session.configuration.agents.list_all(within)
        ]
        columns = ("name", "published", "drafts", "id")
        session.output.rows(rows, columns, "No agent yet: gateway agents add NAME runtime_url=wss://…")

    run(config, as_json, work)


async def _summary(session: Session, agent: "Agent") -> Row:
    from gateway.routing.table import VersionState

    versions = await session.configuration.agents.versions(agent.id)
    numbers = {
        state: [version.number for version in versions if version.state is state] for state in VersionState
    }
    return {
        **shown(agent),
        "published": numbers[VersionState.PUBLISHED],
        "drafts": numbers[VersionState.DRAFT],
    }


@app.command()
def show(version: VersionArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a version; with an agent's name alone, its newest published one."""

    async def work(session: Session) -> None:
        found = await session.configuration.agents.find_version(version)
        agent = await session.configuration.agents.get(found.agent_id)
        session.output.one({"agent": agent.name, **shown(found)})

    run(config, as_json, work)


@app.command()
def versions(agent: AgentArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all versions of an agent."""

    async def work(session: Session) -> None:
        found = await session.configuration.agents.find(agent)
        rows = [shown(version) for version in await session.configuration.agents.versions(found.id)]
        empty = f"No version yet: gateway agents draft {found.name!r} runtime_url=wss://…"
        session.output.rows(rows, VERSION_COLUMNS, empty)

    run(config, as_json, work)


@app.command(cls=VERSION.command)
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    fields: AssignmentsArgument = None,
    workspace: WorkspaceOption = None,
    publish_it: Annotated[bool, typer.Option("--publish", help="Publish the first version at once.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an agent with its first version: gateway agents add Echo runtime_url=ws://127.0.0.1:8765/native"""

    async def work(session: Session) -> None:
        from gateway.routing.table import Agent

        given = assigned(VERSION, fields)
        owner = await session.owner(workspace)
        async with session.configuration.together(session.by) as configuration:
            agent = await configuration.agents.add(Agent(new_id("agent"), owner.id, name), session.by)
            version = await configuration.agents.draft(agent.id, given, session.by)
            if publish_it:
                version = await configuration.agents.publish(version.id, session.by)
        sentence = f"agent {agent.name} is there, its version 1 a {version.state}"
        session.output.done({**shown(agent), "version": shown(version)}, sentence)

    run(config, as_json, work)


@app.command()
def rename(
    agent: AgentArgument,
    name: Annotated[str, typer.Argument(help="The new name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an agent another name."""

    async def work(session: Session) -> None:
        found = await session.configuration.agents.find(agent)
        renamed = await session.configuration.agents.rename(found.id, name, session.by)
        session.output.done(shown(renamed), f"agent {found.name} is now {renamed.name}")

    run(config, as_json, work)


@app.command()
def remove(
    what: Annotated[str, typer.Argument(metavar="AGENT[/NUMBER]", help="The agent, or one draft of it.")],
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an agent with all its versions, where no number uses one; or a draft: Echo/2."""

    async def work(session: Session) -> None:
        if what.startswith("ver_") or "/" in what:
            await _remove_draft(session, what, yes)
        else:
            await _remove_agent(session, what, yes)

    run(config, as_json, work)


async def _remove_agent(session: Session, given: str, yes: bool) -> None:
    found = await session.configuration.agents.find(given)
    confirmed(f"Remove agent {found.name} with all its versions?", yes=yes)
    await session.configuration.agents.remove(found.id, session.by)
    session.output.done(shown(found), f"agent {found.name} is removed")


async def _remove_draft(session: Session, given: str, yes: bool) -> None:
    found = await session.configuration.agents.find_version(given)
    confirmed(f"Throw draft {found.number} away?", yes=yes)
    await session.configuration.agents.remove_draft(found.id, session.by)
    session.output.done(shown(found), f"draft {found.number} is removed")


@app.command(cls=VERSION.command)
def draft(
    agent: AgentArgument,
    fields: AssignmentsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new draft from the newest version, with some fields changed."""

    async def work(session: Session) -> None:
        given = assigned(VERSION, fields)
        found = await session.configuration.agents.find(agent)
        made = await session.configuration.agents.draft(found.id, given, session.by)
        hint = f"publish it: gateway agents publish '{found.name}/{made.number}'"
        session.output.done(shown(made), f"version {made.number} of {found.name} is a draft; {hint}")

    run(config, as_json, work)


@app.command("set", cls=VERSION.command)
def change(
    version: VersionArgument,
    fields: AssignmentsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change fields of a draft."""

    async def work(session: Session) -> None:
        given = assigned(VERSION, fields)
        found = await session.configuration.agents.find_version(version)
        changed = await session.configuration.agents.change_draft(found.id, given, session.by)
        session.output.done(shown(changed), f"draft {changed.number} is changed")

    run(config, as_json, work)


@app.command()
def publish(
    version: Annotated[
        str, typer.Argument(metavar="AGENT[/NUMBER]", help="Without number: the newest draft.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a draft: from then on it takes calls where it is assigned, and never changes."""

    async def work(session: Session) -> None:
        found = await _draft_meant(session, version)
        published = await session.configuration.agents.publish(found.id, session.by)
        agent = await session.configuration.agents.get(published.agent_id)
        label = f"{agent.name}/{published.number}"
        hint = f"gateway numbers assign +… inbound '{label}'"
        session.output.done(shown(published), f"{label} is published; have it answer a number: {hint}")

    run(config, as_json, work)


async def _draft_meant(session: Session, given: str) -> "AgentVersion":
    from gateway.routing.table import VersionState

    if given.startswith("ver_") or "/" in given:
        return await session.configuration.agents.find_version(given)
    agent = await session.configuration.agents.find(given)
    drafts = [
        each
        for each in await session.configuration.agents.versions(agent.id)
        if each.state is VersionState.DRAFT
    ]
    if not drafts:
        raise NotFound("version", given, "has no draft; make one: gateway agents draft")
    return drafts[-1]
