"""Which version of which agent talks to a browser: a web call has no number, no trunk and no price."""

from dataclasses import dataclass

from gateway.routing.decision import Decision, Reason, Trail
from gateway.routing.recording import NOT_RECORDED, RecordingRule, recording_rule
from gateway.routing.table import Agent, AgentVersion, RoutingTable, VersionState, Workspace

NO_AGENT = "Agent not found"
NO_VERSION = "Agent {agent} has no version {version}. Published versions: {published}."
NONE_PUBLISHED = "Agent {agent} has no published version"
DRAFT = "Version {version} of agent {agent} is a draft. Publish it before starting a web call."


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What somebody asks for: a web call with an agent of a workspace."""

    workspace_id: str
    agent_id: str
    version_number: int | None = None
    "None: the latest published version."


@dataclass(frozen=True, slots=True)
class WebRoute:
    """A web call that may begin, and with whom."""

    workspace: Workspace
    agent: Agent
    version: AgentVersion
    max_seconds: float
    decision: Decision
    recording: RecordingRule = NOT_RECORDED


def route_web(table: RoutingTable, request: WebRequest) -> WebRoute:
    """Decide who talks to a browser; raises Rejected, and either way there is a Decision that says why."""
    trail = Trail()
    agent, workspace = _agent(trail, table, request)
    version = _version(trail, table, request, agent)
    recording = recording_rule(trail, None, version, None, "inbound")
    summary = f"version {version.number} of agent “{agent.name}” talks to a browser"
    return WebRoute(
        workspace=workspace,
        agent=agent,
        version=version,
        max_seconds=float(version.max_call_duration_sec),
        decision=trail.decided(summary),
        recording=recording,
    )


def _agent(trail: Trail, table: RoutingTable, request: WebRequest) -> tuple[Agent, Workspace]:
    agent = table.agent_by_id.get(request.agent_id)
    workspace = table.workspace_by_id.get(request.workspace_id)
    if agent is None or workspace is None or agent.workspace_id != workspace.id:
        found = "no such agent in this workspace"
        raise trail.refused(Reason.AGENT_MISSING, "agent", request.agent_id, found, message=NO_AGENT)
    trail.passed("agent", f"“{agent.name}”", f"of this workspace ({agent.id})")
    return agent, workspace


def _version(trail: Trail, table: RoutingTable, request: WebRequest, agent: Agent) -> AgentVersion:
    """A published one: a draft still changes, and a call has to be able to say what it was held by."""
    versions = table.versions_of(agent.id)
    published = [version for version in versions if version.state is VersionState.PUBLISHED]
    number = request.version_number
    if number is None and published:
        trail.passed("agent version", "latest", f"version {published[-1].number}, published")
        return published[-1]
    for version in published:
        if version.number == number:
            trail.passed("agent version", number, "published, as asked for")
            return version
    if any(version.number == number for version in versions):
        message = DRAFT.format(version=number, agent=agent.id)
        raise trail.refused(Reason.VERSION_NOT_PUBLISHED, "agent version", number, message)
    numbers = ", ".join(str(version.number) for version in published) or "none"
    message = NO_VERSION.format(agent=agent.id, version=number, published=numbers)
    if number is None:
        message = NONE_PUBLISHED.format(agent=agent.id)
    raise trail.refused(Reason.VERSION_MISSING, "agent version", number or "latest", message)
