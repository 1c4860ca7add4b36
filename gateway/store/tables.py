"""What one routing decision needs, read from the database: about a dialled number, or about a call out.

Nothing here grows with what a workspace has: a decision among ten thousand numbers reads as much as one among
ten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.calling import OutboundRequest
from gateway.routing.number import normalise
from gateway.routing.table import (
    Agent,
    AgentVersion,
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    RoutingTable,
    VersionState,
    Workspace,
)
from gateway.routing.typed import cleaned
from gateway.store.configuration.do_not_call import count
from gateway.store.configuration.editing import V, read
from gateway.store.configuration.values import TABLES, TAIL_DIGITS
from gateway.store.engine.schema import agents, numbers, versions
from gateway.store.engine.seal import SecretBox
from gateway.store.news import ending, everything_of

MOST_NEAR = 256
"""Numbers with the same last digits that a table holds, those most like the dialled one first.

There are fewer countries, and so fewer numbers that a call in the national writing can have meant.
"""
MOST_DIGITS = 15
"Of an E.164 number (ITU-T E.164 section 6.2.1)."
NEWEST = 20
"Published versions of an agent that a table holds."


@dataclass(frozen=True, slots=True)
class Calling:
    """What an outbound decision is about."""

    workspace_id: str
    agent_id: str | None
    "None: whoever the number to call from speaks as."
    from_number: str | None
    "As it was written; None: any that the agent calls from."
    version_number: int | None = None
    "None: the agent's latest published version."
    version_id: str | None = None
    "The version that speaks, whoever the number speaks as."

    @classmethod
    def about(cls, request: OutboundRequest) -> "Calling":
        """What a request is decided by."""
        return cls(
            request.workspace_id,
            request.agent_id,
            request.from_number,
            request.version_number,
            request.version_id,
        )


def digits_of(called: str) -> str:
    """The last digits of a dialled number that a table is read by."""
    user = called.partition(";")[0].partition("@")[0]
    return "".join(filter(str.isdecimal, user))[-MOST_DIGITS:]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables from one state of the database; `RoutingTable.trunks` is for the caller to put in."""

    connection: AsyncConnection
    box: SecretBox
    revision: int

    async def inbound(self, digits: str) -> RoutingTable:
        """The numbers that end like the dialled one, and all that these refer to."""
        near = await self._read(
            PhoneNumber, numbers.c.tail == digits[-TAIL_DIGITS:], order=_likeness(digits), limit=MOST_NEAR
        )
        own_versions = await self._some(AgentVersion, _assigned(near))
        return RoutingTable(
            numbers=tuple(near),
            versions=tuple(own_versions),
            agents=tuple(await self._some(Agent, {version.agent_id for version in own_versions})),
            workspaces=tuple(await self._some(Workspace, {number.workspace_id for number in near})),
            revision=self.revision,
        )

    async def outbound(self, asked: Calling) -> RoutingTable:
        """The number that is named, or else the best that the agent calls from; who may speak, as what."""
        named = await self._named(asked)
        assigned = await self._some(AgentVersion, {*_assigned(named), *filter(None, [asked.version_id])})
        speaking = {version.agent_id for version in assigned} | set(filter(None, [asked.agent_id]))
        own_agents = await self._some(Agent, speaking, agents.c.workspace_id == asked.workspace_id)
        by_id = {version.id: version for version in await self._versions(own_agents, asked)}
        calling = named or await self._calling(asked, by_id.values(), own_agents)
        further = await self._some(AgentVersion, _assigned(calling) - by_id.keys())
        theirs = {agent.id for agent in own_agents}
        for version in (*assigned, *further):
            if version.agent_id in theirs:
                by_id[version.id] = version
        return RoutingTable(
            numbers=tuple({number.id: number for number in (*named, *calling)}.values()),
            versions=tuple(by_id.values()),
            agents=tuple(own_agents),
            workspaces=tuple(await self._some(Workspace, {asked.workspace_id})),
            revision=self.revision,
            has_do_not_call=await count(self.connection, asked.workspace_id) > 0,
        )

    async def _named(self, asked: Calling) -> list[PhoneNumber]:
        """The workspace's numbers that `from_number` can be read as."""
        e164s = {reading.e164 for reading in normalise(cleaned(asked.from_number or "")).readings}
        if not e164s:
            return []
        own = numbers.c.workspace_id == asked.workspace_id
        return await self._read(PhoneNumber, own, numbers.c.e164.in_(e164s))

    async def _versions(self, own_agents: Iterable[Agent], asked: Calling) -> list[AgentVersion]:
        """The newest published versions of each agent, and the one that is asked for."""
        found = []
        for agent in own_agents:
            own = versions.c.agent_id == agent.id
            published = versions.c.state == VersionState.PUBLISHED.value
            found += await self._read(
                AgentVersion, own, published, order=[versions.c.number.desc()], limit=NEWEST
            )
            if asked.version_number is not None and agent.id == asked.agent_id:
                found += await self._read(AgentVersion, own, versions.c.number == asked.version_number)
        return found

    async def _calling(
        self, asked: Calling, known: Iterable[AgentVersion], own_agents: Sequence[Agent]
    ) -> list[PhoneNumber]:
        """The best number that places its calls as the agent, in the order of `routing.calling`."""
        agent_id = asked.agent_id
        if agent_id is None or agent_id not in {agent.id for agent in own_agents}:
            return []
        wanted = _wanted((version for version in known if version.agent_id == agent_id), asked)
        speaks = sa.select(versions.c.id).where(versions.c.agent_id == agent_id)
        best = (
            sa.case((_is_ready(datetime.now(UTC)), 0), else_=1),
            sa.case((numbers.c.outbound_version_id == wanted, 0), else_=1),
            numbers.c.is_default.desc(),
            numbers.c.id,
        )
        # The rows are as many as the agent has numbers; an index has all that is asked of them.
        query = sa.select(numbers.c.id).where(
            numbers.c.outbound_version_id.in_(speaks), numbers.c.workspace_id == asked.workspace_id
        )
        found = (await self.connection.execute(query.order_by(*best).limit(1))).scalars().all()
        return await self._some(PhoneNumber, set(found))

    async def _some(self, kind: type[V], ids: set[str], *conditions: sa.ColumnElement[bool]) -> list[V]:
        if not ids:
            return []
        return await self._read(kind, TABLES[kind].c.id.in_(sorted(ids)), *conditions)

    async def _read(
        self,
        kind: type[V],
        *conditions: sa.ColumnElement[bool],
        order: Sequence[sa.ColumnElement[Any]] | None = None,
        limit: int | None = None,
    ) -> list[V]:
        return await read(self.connection, self.box, kind, *conditions, limit=limit, order=order)


def needed_inbound(digits: str, table: RoutingTable) -> frozenset[str]:
    """What an inbound table depends on, by the names that `news` has."""
    parts = (table.numbers, table.versions, table.agents, table.workspaces)
    return frozenset([ending(digits[-TAIL_DIGITS:]), *(value.id for part in parts for value in part)])


def needed_outbound(asked: Calling) -> frozenset[str]:
    """What an outbound table depends on: any number or version of the workspace may become the best."""
    return frozenset([everything_of(asked.workspace_id)])


def _likeness(digits: str) -> list[sa.ColumnElement[Any]]:
    """Numbers that share most of the last digits come first, the shorter ones before others."""
    e164 = numbers.c.e164
    shared = [
        sa.case((sa.func.substr(e164, sa.func.length(e164) - length + 1) == digits[-length:], 1), else_=0)
        for length in range(TAIL_DIGITS + 1, len(digits) + 1)
    ]
    like = [sum(shared[1:], start=shared[0]).desc()] if shared else []
    return [*like, sa.func.length(e164), numbers.c.id]


def _assigned(assigned: Iterable[PhoneNumber]) -> set[str]:
    """The versions that numbers are assigned to."""
    both = {v for number in assigned for v in (number.inbound_version_id, number.outbound_version_id) if v}
    splits = (split for number in assigned for split in (number.inbound_split, number.outbound_split))
    return both | {version_id for split in splits for version_id, _ in split}


def _wanted(published: Iterable[AgentVersion], asked: Calling) -> str | None:
    """The version that a request is about, of an agent's."""
    by_number = {v.number: v.id for v in published if v.state is VersionState.PUBLISHED}
    number = asked.version_number if asked.version_number is not None else max(by_number, default=None)
    return None if number is None else by_number.get(number)


def _is_ready(now: datetime) -> sa.ColumnElement[bool]:
    """What `routing.assignment.is_ready` asks."""
    return sa.and_(
        numbers.c.status == NumberStatus.ACTIVE.value,
        numbers.c.rental_status == RentalStatus.ACTIVE.value,
        sa.or_(numbers.c.rental_expires_at.is_(None), numbers.c.rental_expires_at > now),
    )
