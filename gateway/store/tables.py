"""What one routing decision needs, read from the database: about a dialled number, or about a call out."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import Agent, AgentVersion, PhoneNumber, RoutingTable, Trunks, Workspace
from gateway.store.book import read
from gateway.store.schema import agents, numbers, versions, workspaces
from gateway.store.seal import SecretBox


@dataclass(frozen=True, slots=True)
class Calling:
    """What an outbound decision is about."""

    workspace_id: str
    agent_id: str | None
    "None: whoever the number to call from speaks as."
    tail: str | None
    "The last digits of the number to call from; None: any that the agent calls from."


async def read_inbound(
    connection: AsyncConnection, box: SecretBox, tail: str, trunks: Trunks, revision: int
) -> RoutingTable:
    """All trunks; the numbers that end like the dialled one, and all that these refer to."""
    near = await read(connection, box, PhoneNumber, numbers.c.tail == tail)
    assigned = {v for number in near for v in (number.inbound_version_id, number.outbound_version_id) if v}
    assigned |= {version_id for number in near for version_id, _ in number.inbound_split}
    own_versions = await read(connection, box, AgentVersion, versions.c.id.in_(assigned)) if assigned else []
    speaking = {version.agent_id for version in own_versions}
    own_agents = await read(connection, box, Agent, agents.c.id.in_(speaking)) if speaking else []
    tenants = {number.workspace_id for number in near} | {t.workspace_id for t in trunks if t.workspace_id}
    own_workspaces = await read(connection, box, Workspace, workspaces.c.id.in_(tenants)) if tenants else []
    return RoutingTable(
        trunks=trunks,
        numbers=tuple(near),
        versions=tuple(own_versions),
        agents=tuple(own_agents),
        workspaces=tuple(own_workspaces),
        revision=revision,
    )


async def read_outbound(
    connection: AsyncConnection, box: SecretBox, asked: Calling, trunks: Trunks, revision: int
) -> RoutingTable:
    """All trunks; the workspace; the agents that may speak with all their versions, and their numbers."""
    own = numbers.c.workspace_id == asked.workspace_id
    ending = numbers.c.tail == asked.tail
    named = await read(connection, box, PhoneNumber, own, ending) if asked.tail else []
    assigned = {number.outbound_version_id for number in named if number.outbound_version_id}
    speakers = sa.select(versions.c.agent_id).where(versions.c.id.in_(assigned))
    may_speak = agents.c.id.in_(speakers) if asked.agent_id is None else _either(asked.agent_id, speakers)
    own_agents = await read(connection, box, Agent, may_speak, agents.c.workspace_id == asked.workspace_id)
    theirs = versions.c.agent_id.in_([agent.id for agent in own_agents])
    own_versions = await read(connection, box, AgentVersion, theirs)
    speaking_as = numbers.c.outbound_version_id.in_([version.id for version in own_versions])
    calling = await read(connection, box, PhoneNumber, own, speaking_as)
    return RoutingTable(
        trunks=trunks,
        numbers=tuple({number.id: number for number in (*named, *calling)}.values()),
        versions=tuple(own_versions),
        agents=tuple(own_agents),
        workspaces=tuple(await read(connection, box, Workspace, workspaces.c.id == asked.workspace_id)),
        revision=revision,
    )


def _either(agent_id: str, speakers: sa.Select[tuple[str]]) -> sa.ColumnElement[bool]:
    return sa.or_(agents.c.id == agent_id, agents.c.id.in_(speakers))
