"""Agents and their versions: a draft takes no calls, a published version takes calls and never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.routing.table import Agent, AgentVersion, PhoneNumber, VersionState, Workspace
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Changing, Editing, pick_named
from gateway.store.configuration.rules import checked_name, checked_version
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import agents, numbers, versions

FIXED_FIELDS = frozenset({"id", "agent_id", "number", "state", "published_at"})
"What of a version only the store sets."


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents in the store, with their versions."""

    editing: Editing
    caps: Caps

    async def list_all(self, workspace_id: str | None = None) -> list[Agent]:
        """Those of a workspace, or all; oldest first."""
        conditions = [] if workspace_id is None else [agents.c.workspace_id == workspace_id]
        return await self.editing.read(Agent, *conditions)

    async def get(self, agent_id: str) -> Agent:
        """One by its id."""
        return await self.editing.get(Agent, agent_id)

    async def find(self, name_or_id: str, workspace_id: str | None = None) -> Agent:
        """The one that a person means by id or name."""
        return pick_named(Agent, name_or_id, await self.list_all(workspace_id), lambda agent: agent.name)

    async def add(self, agent: Agent, by: str) -> Agent:
        """Add an agent under a name that is free in its workspace."""
        checked_name(agent.name)
        async with self.editing.changing(by) as changing:
            await changing.get(Workspace, agent.workspace_id)
            await changing.refuse_taken(agent)
            await self.caps.one_more_agent(changing, agent.workspace_id)
            await changing.add(agent)
        return agent

    async def rename(self, agent_id: str, name: str, by: str) -> Agent:
        """Give an agent another name."""
        checked_name(name)
        async with self.editing.changing(by) as changing:
            before = await changing.get(Agent, agent_id)
            after = replace(before, name=name)
            await changing.refuse_taken(after)
            await changing.change(before, after)
        return after

    async def remove(self, agent_id: str, by: str) -> Agent:
        """Remove an agent with all its versions, where no number uses one."""
        async with self.editing.changing(by) as changing:
            agent = await changing.get(Agent, agent_id)
            own = await changing.read(AgentVersion, versions.c.agent_id == agent_id)
            for version in own:
                await _refuse_assigned(changing, agent, version)
                await changing.remove(version)
            await changing.remove(agent)
        return agent

    async def versions(self, agent_id: str) -> list[AgentVersion]:
        """All versions of an agent, oldest first."""
        return await self.editing.read(AgentVersion, versions.c.agent_id == agent_id)

    async def versions_named(self, text: str, workspace_id: str) -> tuple[str, ...]:
        """The ids of a workspace's versions with this text in their name: `Front desk/3`, in any case."""
        names = {agent.id: agent.name for agent in await self.list_all(workspace_id)}
        within = versions.c.agent_id.in_(
            agents.select().with_only_columns(agents.c.id).where(agents.c.workspace_id == workspace_id)
        )
        found = await self.editing.read(AgentVersion, within)
        wanted = text.lower()
        return tuple(v.id for v in found if wanted in f"{names.get(v.agent_id)}/{v.number}".lower())

    async def version(self, version_id: str) -> AgentVersion:
        """One version by its id."""
        return await self.editing.get(AgentVersion, version_id)

    async def find_version(self, name_or_id: str, workspace_id: str | None = None) -> AgentVersion:
        """The one that a person means: `ver_…`, `agent/3`, or `agent` for its newest published version."""
        if name_or_id.startswith("ver_"):
            version = await self.version(name_or_id)
            agent = await self.get(version.agent_id)
            if workspace_id not in (None, agent.workspace_id):
                raise NotFound("version", name_or_id, "there is no such version")
            return version
        name, slash, number = name_or_id.rpartition("/")
        agent = await self.find(name if slash else name_or_id, workspace_id)
        return _pick_version(agent, number if slash else None, await self.versions(agent.id))

    async def draft(self, agent_id: str, fields: Mapping[str, Any], by: str) -> AgentVersion:
        """Make a new draft: the newest version with some fields changed, or defaults where there is none."""
        _refuse_fixed(fields)
        async with self.editing.changing(by) as changing:
            agent = await changing.get(Agent, agent_id)
            await self.caps.one_more_version(changing, agent_id)
            own = await changing.read(
                AgentVersion, versions.c.agent_id == agent_id, order=[versions.c.number.desc()], limit=1
            )
            base = own[0] if own else AgentVersion(id="", agent_id=agent.id, number=0)
            fresh = replace(
                base,
                **fields,
                id=new_id("ver"),
                number=base.number + 1,
                state=VersionState.DRAFT,
                published_at=None,
            )
            await changing.add(checked_version(fresh))
        return fresh

    async def change_draft(self, version_id: str, fields: Mapping[str, Any], by: str) -> AgentVersion:
        """Change some fields of a draft; a published version is refused."""
        _refuse_fixed(fields)
        async with self.editing.changing(by) as changing:
            before = await changing.get(AgentVersion, version_id)
            await _refuse_published(changing, before)
            after = checked_version(replace(before, **fields))
            await changing.change(before, after)
        return after

    async def publish(self, version_id: str, by: str) -> AgentVersion:
        """Make a draft a version that takes calls and never changes again."""
        async with self.editing.changing(by) as changing:
            before = await changing.get(AgentVersion, version_id)
            await _refuse_published(changing, before)
            after = replace(before, state=VersionState.PUBLISHED, published_at=datetime.now(UTC))
            checked_version(after)
            await changing.change(before, after, "publish")
            await _move_on(changing, after)
        return after

    async def remove_draft(self, version_id: str, by: str) -> AgentVersion:
        """Throw a draft away; a published version stays, since records refer to it."""
        async with self.editing.changing(by) as changing:
            version = await changing.get(AgentVersion, version_id)
            await _refuse_published(changing, version)
            await changing.remove(version)
        return version


def _pick_version(agent: Agent, number: str | None, own: list[AgentVersion]) -> AgentVersion:
    """The texts are the reference platform's, where it has them."""
    published = [version for version in own if version.state is VersionState.PUBLISHED]
    listed = ", ".join(str(version.number) for version in published) or "none"
    if number is None:
        if published:
            return published[-1]
        right = f"Agent {agent.name} has no published version. Publish one first."
        raise NotFound("version", agent.name, right)
    for version in own:
        if str(version.number) == number:
            return version
    right = f"Agent {agent.name} has no version {number}. Published versions: {listed}."
    raise NotFound("version", f"{agent.name}/{number}", right)


def _refuse_fixed(fields: Mapping[str, Any]) -> None:
    for name in FIXED_FIELDS.intersection(fields):
        raise InvalidInput(name, fields[name], "cannot be chosen")


async def _refuse_published(changing: Changing, version: AgentVersion) -> None:
    if version.state is VersionState.PUBLISHED:
        agent = await changing.get(Agent, version.agent_id)
        right = "is published and never changes: make a draft from it and publish that"
        raise Conflict("version", f"{agent.name}/{version.number}", right)


async def _move_on(changing: Changing, published: AgentVersion) -> None:
    """Numbers that are assigned to the latest published version of the agent get this one."""
    own = sa.select(versions.c.id).where(versions.c.agent_id == published.agent_id)
    for direction in ("inbound", "outbound"):
        follows = numbers.c[f"{direction}_latest"]
        assigned = numbers.c[f"{direction}_version_id"].in_(own)
        for number in await changing.read(PhoneNumber, follows, assigned):
            current = await changing.get(AgentVersion, getattr(number, f"{direction}_version_id"))
            if current.number < published.number:
                fields: dict[str, Any] = {f"{direction}_version_id": published.id}
                moved = replace(number, **fields)
                await changing.change(number, moved, "assign")


async def _refuse_assigned(changing: Changing, agent: Agent, version: AgentVersion) -> None:
    uses = sa.or_(numbers.c.inbound_version_id == version.id, numbers.c.outbound_version_id == version.id)
    users = await changing.read(PhoneNumber, uses)
    if users:
        listed = ", ".join(number.e164 for number in users[:10])
        raise Conflict(
            "agent", f"{agent.name}/{version.number}", f"is assigned to {listed}: unassign it first"
        )
