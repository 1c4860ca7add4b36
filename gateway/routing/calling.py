"""Which number an outbound call goes out from, and which version of which agent speaks."""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.routing.assignment import assigned_version, is_ready, named, published_version
from gateway.routing.decision import Reason, Rejected, Trail
from gateway.routing.number import normalise
from gateway.routing.table import AgentVersion, PhoneNumber, RoutingTable, VersionState, Workspace
from gateway.routing.typed import cleaned, strange_in

NOT_FOUND = "Agent or phone number not found"
NOT_OURS = "from_number must be a number that this workspace owns or has verified"
INVALID_FROM = "from_number must be a valid E.164 phone number"
NO_FROM_NUMBER = "Neither an agent nor a number to call from is given"
NO_OUTBOUND_NUMBER = "No outbound phone number is assigned to agent {agent}"
NO_OUTBOUND_VERSION = "Phone number {number} has no outbound agent version"
OTHER_AGENT = "Phone number {number} places its calls as another agent"
NO_VERSION = "Agent {agent} has no version {version}. Published versions: {published}."
DRAFT = "Version {version} of agent {agent} is a draft. Publish it before starting {what}."


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """What somebody asks for: a call from a workspace to a number."""

    workspace_id: str
    destination: str | None
    agent_id: str | None = None
    "None: the agent that `from_number` places its calls as."
    version_number: int | None = None
    "None: the agent's latest published version."
    from_number: str | None = None
    "None: a number that is assigned to the version for outbound calls, or else to the agent."
    ring_seconds: int | None = None
    "None: as the version says."
    max_seconds: int | None = None
    "Only ever shortens what the version allows."
    version_id: str | None = None
    "The version that speaks in a call which is put through: its number needs no outbound assignment."
    what: str = "a call"
    "What is being started, for the refusal of a draft: `a call`, `a batch call`."


@dataclass(frozen=True, slots=True)
class Calling:
    """The number that a call would go out from, found but not judged; its route decides which rules apply."""

    number: PhoneNumber | None
    caller_id: str = ""
    looked_at: str = ""
    found: str = ""
    reason: Reason = Reason.FROM_NUMBER_UNKNOWN
    message: str = NOT_FOUND


def calling_number(
    table: RoutingTable, workspace: Workspace, request: OutboundRequest, now_utc: datetime
) -> Calling:
    """Find the number that a request would go out from: the one it names, or one assigned to its agent."""
    if request.from_number is None:
        return _assigned_number(table, workspace, request, now_utc)
    e164s = [reading.e164 for reading in normalise(cleaned(request.from_number)).readings]
    for e164 in e164s:
        number = table.number_by_e164.get(e164)
        if number is not None and number.workspace_id == workspace.id:
            return Calling(number, e164, request.from_number, f"a number of this workspace ({number.id})")
    for e164 in e164s:
        if e164 in workspace.verified_caller_ids:
            assigned = _assigned_number(table, workspace, request, now_utc)
            found = f"verified as caller ID; {assigned.found}"
            return replace(assigned, caller_id=e164, looked_at=request.from_number, found=found)
    if not e164s:
        strange = strange_in(request.from_number)
        found = f"not a telephone number: it has {strange}" if strange else "not a telephone number"
        message = f"{INVALID_FROM}: it has {strange}" if strange else INVALID_FROM
        return Calling(None, looked_at=request.from_number, found=found, message=message)
    found = "neither a number of this workspace, nor verified by it"
    return Calling(
        None,
        looked_at=request.from_number,
        found=found,
        reason=Reason.CALLER_ID_NOT_ALLOWED,
        message=NOT_OURS,
    )


def _assigned_number(
    table: RoutingTable, workspace: Workspace, request: OutboundRequest, now_utc: datetime
) -> Calling:
    """The best number that places its calls as the agent: one in order, and of the version asked for."""
    if request.agent_id is None:
        return Calling(None, "", "nothing", NO_FROM_NUMBER, Reason.FROM_NUMBER_MISSING, NO_FROM_NUMBER)
    agent = table.agent_by_id.get(request.agent_id)
    if agent is None or agent.workspace_id != workspace.id:
        return Calling(None, "", request.agent_id, "no such agent", Reason.AGENT_MISSING, NOT_FOUND)
    wanted = _wanted(table, request, agent.id)
    candidates = [
        n for n in table.numbers if n.workspace_id == workspace.id and _speaks_as(table, n, agent.id)
    ]
    if not candidates:
        message = NO_OUTBOUND_NUMBER.format(agent=agent.id)
        return Calling(
            None,
            "",
            f"“{agent.name}” ({agent.id})",
            "no number places its calls as this agent",
            Reason.NO_OUTBOUND_NUMBER,
            message,
        )
    best = min(
        candidates,
        key=lambda n: (
            not is_ready(n, now_utc),
            wanted is None or n.outbound_version_id != wanted.id,
            not n.is_default,
            n.id,
        ),
    )
    found = f"{best.e164} ({best.id}) is assigned for its outbound calls"
    return Calling(best, best.e164, f"“{agent.name}” ({agent.id})", found)


def _speaks_as(table: RoutingTable, number: PhoneNumber, agent_id: str) -> bool:
    version = table.version_by_id.get(number.outbound_version_id or "")
    return version is not None and version.agent_id == agent_id


def _wanted(table: RoutingTable, request: OutboundRequest, agent_id: str) -> AgentVersion | None:
    """The version that the request is about, if there is one and it is published."""
    published = [v for v in table.versions_of(agent_id) if v.state is VersionState.PUBLISHED]
    if request.version_number is None:
        return published[-1] if published else None
    return next((v for v in published if v.number == request.version_number), None)


def from_number(trail: Trail, calling: Calling) -> PhoneNumber:
    """The number that was found to call from; raises Rejected where there is none."""
    if calling.number is None:
        raise trail.refused(
            calling.reason, "from number", calling.looked_at, calling.found, message=calling.message
        )
    trail.passed("from number", calling.looked_at, calling.found)
    return calling.number


def calling_version(trail: Trail, table: RoutingTable, number: PhoneNumber, destination: str) -> AgentVersion:
    """The outbound assignment alone counts: the inbound one never places a call."""
    if number.outbound_version_id is not None:
        return assigned_version(trail, table, number, "outbound", destination)
    if number.inbound_version_id is not None:
        trail.near(["an inbound version is assigned, but it never places outbound calls"])
    found = "no outbound agent version is assigned"
    message = NO_OUTBOUND_VERSION.format(number=number.e164)
    raise trail.refused(Reason.NO_OUTBOUND_VERSION, "outbound version", "none", found, message=message)


def version_for(
    trail: Trail, table: RoutingTable, request: OutboundRequest, number: PhoneNumber, destination: str
) -> AgentVersion:
    """The version that a call out of this number belongs to; raises Rejected where there is none."""
    if request.version_id is not None:
        return published_version(trail, table, request.version_id, "agent version")
    return speaking_version(trail, table, request, calling_version(trail, table, number, destination))


def speaking_version(
    trail: Trail, table: RoutingTable, request: OutboundRequest, assigned: AgentVersion
) -> AgentVersion:
    """Who speaks: the version asked for, the agent's latest published one, or else the number's own."""
    if request.agent_id is None:
        return assigned
    if assigned.agent_id != request.agent_id:
        raise _other_agent(trail, table, request, assigned)
    wanted = _wanted(table, request, assigned.agent_id)
    if wanted is None:
        raise _no_such_version(trail, table, request, assigned.agent_id)
    why = "the latest published one" if request.version_number is None else "as asked for"
    trail.passed("agent version", named(table, wanted), f"{why} ({wanted.id})")
    if wanted.id != assigned.id:
        trail.noted("agent version", named(table, assigned), f"assigned to the number ({assigned.id})")
    return wanted


def _other_agent(
    trail: Trail, table: RoutingTable, request: OutboundRequest, assigned: AgentVersion
) -> Rejected:
    agent = table.agent_by_id.get(request.agent_id or "")
    if agent is None or agent.workspace_id != request.workspace_id:
        return trail.refused(
            Reason.AGENT_MISSING, "agent", request.agent_id, "no such agent", message=NOT_FOUND
        )
    found = f"the number places its calls as {assigned.agent_id}"
    message = OTHER_AGENT.format(number=request.from_number)
    return trail.refused(Reason.FROM_NUMBER_OF_OTHER_AGENT, "agent", request.agent_id, found, message=message)


def _no_such_version(trail: Trail, table: RoutingTable, request: OutboundRequest, agent_id: str) -> Rejected:
    """The reference's words for a version that is missing (404) or a draft (400)."""
    versions = table.versions_of(agent_id)
    published = ", ".join(str(v.number) for v in versions if v.state is VersionState.PUBLISHED)
    number = request.version_number
    if any(version.number == number for version in versions):
        message = DRAFT.format(version=number, agent=agent_id, what=request.what)
        return trail.refused(Reason.VERSION_NOT_PUBLISHED, "agent version", number, message)
    message = NO_VERSION.format(agent=agent_id, version=number, published=published or "none")
    return trail.refused(Reason.VERSION_MISSING, "agent version", number, message)
