"""Who calls: the agent's version that speaks, the numbers that it calls from, and what its calls cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.batch.dialling import WHAT
from gateway.batch.wish import BatchWish
from gateway.routing.assignment import is_ready
from gateway.routing.calling import DRAFT, NO_OUTBOUND_NUMBER, NO_VERSION, NOT_FOUND, NOT_OURS, OTHER_AGENT
from gateway.routing.number import E164, parse_e164
from gateway.routing.outbound import trunks_for, way_out
from gateway.routing.rating import Quote, quote_by_prefix, quote_flat
from gateway.routing.table import Agent, AgentVersion, PhoneNumber, VersionState, Workspace
from gateway.routing.typed import cleaned
from gateway.store.configuration.nouns import Configuration
from gateway.store.engine.errors import InvalidInput, NotFound
from gateway.store.sql import SqlStore

NO_PUBLISHED = "Agent {agent} has no published version. Publish one before starting a batch call."
NOT_READY = "Phone number {number} is not active, or its rental has ended"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a batch calls as."""

    workspace: Workspace
    agent: Agent
    version: AgentVersion
    numbers: tuple[PhoneNumber, ...]
    "Whose rules and prices its calls have."
    from_numbers: tuple[str, ...]
    "What the callees see, in turn: these numbers, or verified ones that are shown in their place."

    @property
    def is_sip_trunk(self) -> bool:
        """Whether the country rules are not asked: so only where no call could fall under them."""
        return all(number.sip_trunk_enabled for number in self.numbers)


async def origin_of(there: Configuration, workspace_id: str, wish: BatchWish, now: datetime) -> Origin:
    """Find them; `NotFound` or `InvalidInput`, in the words of a single call, where there is none such."""
    workspace = await there.workspaces.get(workspace_id)
    agent = await _agent(there, workspace_id, wish.agent_id)
    versions = await there.agents.versions(agent.id)
    version = _version(agent, versions, wish.version_number)
    own = {one.id for one in versions}
    assigned = [
        number
        for number in await there.numbers.speaking(sorted(own))
        if number.outbound_version_id in own and number.workspace_id == workspace_id
    ]
    if wish.from_numbers:
        return await _named(there, Origin(workspace, agent, version, (), ()), wish, assigned, now)
    ready = [number for number in assigned if is_ready(number, now)]
    best = [number for number in ready if number.outbound_version_id == version.id] or ready
    if not best:
        right = NO_OUTBOUND_NUMBER.format(agent=agent.id)
        raise InvalidInput("agent_id", None, right, whole=True)
    best.sort(key=lambda number: (not number.is_default, number.id))
    return Origin(workspace, agent, version, tuple(best), tuple(number.e164 for number in best))


async def version_for(
    there: Configuration, workspace_id: str, agent_id: str, number: int | None
) -> AgentVersion:
    """The published version of that number, or the latest one; refused as a batch with it would be."""
    agent = await _agent(there, workspace_id, agent_id)
    return _version(agent, await there.agents.versions(agent.id), number)


async def _agent(there: Configuration, workspace_id: str, agent_id: str) -> Agent:
    try:
        agent = await there.agents.get(agent_id)
    except NotFound:
        agent = None
    if agent is None or agent.workspace_id != workspace_id:
        raise NotFound("agent_id", agent_id, NOT_FOUND, whole=True)
    return agent


def _version(agent: Agent, versions: Sequence[AgentVersion], number: int | None) -> AgentVersion:
    published = [one for one in versions if one.state is VersionState.PUBLISHED]
    if number is None:
        if not published:
            raise InvalidInput("agent_id", None, NO_PUBLISHED.format(agent=agent.id), whole=True)
        return published[-1]
    for one in versions:
        if one.number == number and one.state is VersionState.PUBLISHED:
            return one
        if one.number == number:
            right = DRAFT.format(version=number, agent=agent.id, what=WHAT)
            raise InvalidInput("agent_version_number", None, right, whole=True)
    listed = ", ".join(str(one.number) for one in published) or "none"
    right = NO_VERSION.format(agent=agent.id, version=number, published=listed)
    raise NotFound("agent_version_number", str(number), right, whole=True)


async def _named(
    there: Configuration, origin: Origin, wish: BatchWish, assigned: Sequence[PhoneNumber], now: datetime
) -> Origin:
    """Each number that is named has to be one of the agent's, or verified by the workspace."""
    by_e164 = {number.e164: number for number in assigned}
    numbers: dict[str, PhoneNumber] = {}
    shown = []
    for given in wish.from_numbers:
        parsed = parse_e164(cleaned(given))
        e164 = given if parsed is None else parsed.e164
        number = by_e164.get(e164)
        if number is None and e164 in origin.workspace.verified_caller_ids and assigned:
            number = assigned[0]
        if number is None:
            raise await _not_ours(there, origin, given, e164)
        if not is_ready(number, now):
            raise InvalidInput("from_number", given, NOT_READY.format(number=number.e164), whole=True)
        numbers[number.id] = number
        shown.append(e164)
    return Origin(
        origin.workspace, origin.agent, origin.version, tuple(numbers.values()), tuple(dict.fromkeys(shown))
    )


async def _not_ours(there: Configuration, origin: Origin, given: str, e164: str) -> InvalidInput:
    own = await there.numbers.list_all(origin.workspace.id)
    right = NOT_OURS if e164 not in {number.e164 for number in own} else OTHER_AGENT.format(number=e164)
    return InvalidInput("from_number", given, right, whole=True)


def quoting(origin: Origin, store: SqlStore) -> Callable[[E164], Quote | None] | None:
    """What a call costs at most, whichever of the numbers it goes out from; None: nothing is charged."""
    asked = {one.provider if not one.sip_trunk_enabled else one.id: one for one in origin.numbers}
    quotes = [quote for number in asked.values() if (quote := _quoting(origin, number, store)) is not None]
    if not quotes:
        return None

    def dearest(number: E164) -> Quote | None:
        found = [quoted for quote in quotes if (quoted := quote(number)) is not None]
        return max(found, key=lambda one: one.per_minute, default=None)

    return dearest


def _quoting(origin: Origin, number: PhoneNumber, store: SqlStore) -> Callable[[E164], Quote | None] | None:
    workspace = origin.workspace
    if number.sip_trunk_enabled:
        trunk, _ = way_out(trunks_for(store.trunks(), number), number)
        if trunk is None:
            return None
        flat = quote_flat(trunk, workspace)
        return lambda _: flat
    deck = store.rate_decks().of(number.provider)
    if deck is None:
        return None
    return lambda called: quote_by_prefix(called, deck, workspace)
