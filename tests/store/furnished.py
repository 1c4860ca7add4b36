"""A store with something in it."""

from dataclasses import dataclass

from gateway.routing.table import Agent, AgentVersion, PhoneNumber, Trunk, Workspace
from gateway.store.engine.ids import new_id
from gateway.store.sql import SqlStore


@dataclass(frozen=True)
class Furnished:
    """A workspace: a trunk, an agent with a published version and a draft, a number that it answers."""

    workspace: Workspace
    trunk: Trunk
    agent: Agent
    published: AgentVersion
    draft: AgentVersion
    number: PhoneNumber


async def furnish(store: SqlStore) -> Furnished:
    """Write them, as `test`."""
    there = store.configuration
    workspace = await there.workspaces.add(Workspace(new_id("org"), "Acme"), "test")
    trunk = Trunk(new_id("trunk"), workspace.id, "Carrier", sources=("192.0.2.0/24",))
    trunk = await there.trunks.add(trunk, "test")
    agent = await there.agents.add(Agent(new_id("agent"), workspace.id, "Echo"), "test")
    first = await there.agents.draft(agent.id, {"runtime_url": "ws://127.0.0.1:8765/native"}, "test")
    published = await there.agents.publish(first.id, "test")
    draft = await there.agents.draft(agent.id, {}, "test")
    number = PhoneNumber(
        new_id("phn"), workspace.id, "+442079460018", trunk_id=trunk.id, inbound_version_id=published.id
    )
    number = await there.numbers.add(number, "test")
    return Furnished(workspace, trunk, agent, published, draft, number)
