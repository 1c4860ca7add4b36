"""Which version talks to a browser, and why not."""

from dataclasses import replace

import pytest

from gateway.routing.decision import Reason, Rejected
from gateway.routing.limits import Limits, Scope, claims_of_web_call
from gateway.routing.table import (
    Agent,
    AgentVersion,
    RecordingMode,
    RoutingTable,
    Trunks,
    VersionState,
    Workspace,
)
from gateway.routing.web import WebRequest, route_web

ACME, OTHER = Workspace("org_1", "Acme", concurrency_limit=2), Workspace("org_2", "Other")
DESK, STRANGE, EMPTY = (
    Agent("agent_1", "org_1", "Desk"),
    Agent("agent_2", "org_2", "Theirs"),
    Agent("agent_3", "org_1", "Empty"),
)


def version(number: int, *, published: bool = True, recording: RecordingMode | None = None) -> AgentVersion:
    """A version of the desk."""
    state = VersionState.PUBLISHED if published else VersionState.DRAFT
    return AgentVersion(f"ver_{number}", "agent_1", number, state, "wss://a.example.com", recording=recording)


TABLE = RoutingTable(
    trunks=Trunks(()),
    numbers=(),
    versions=(version(1), version(2, recording=RecordingMode.INBOUND), version(3, published=False)),
    agents=(DESK, STRANGE, EMPTY),
    workspaces=(ACME,),
    revision=1,
)


def ask(agent: str = "agent_1", number: int | None = None) -> WebRequest:
    """A request of Acme's."""
    return WebRequest("org_1", agent, number)


def test_the_latest_published_version_talks() -> None:
    """Without a number it is the newest that is published; its own word on recording holds."""
    route = route_web(TABLE, ask())
    assert (route.version.number, route.agent, route.workspace) == (2, DESK, ACME)
    assert route.recording.begins
    assert route.decision.allowed
    assert not route_web(TABLE, ask(number=1)).recording.allowed


@pytest.mark.parametrize(
    ("request_", "reason", "message"),
    [
        (ask("agent_9"), Reason.AGENT_MISSING, "Agent not found"),
        (ask("agent_2"), Reason.AGENT_MISSING, "Agent not found"),
        (ask(number=3), Reason.VERSION_NOT_PUBLISHED, "Publish it before starting a web call"),
        (ask(number=7), Reason.VERSION_MISSING, "Published versions: 1, 2."),
        (ask("agent_3"), Reason.VERSION_MISSING, "has no published version"),
    ],
)
def test_why_not(request_: WebRequest, reason: Reason, message: str) -> None:
    """What is not there, is another workspace's, or a draft, is refused with the reason."""
    with pytest.raises(Rejected) as refused:
        route_web(TABLE, request_)
    assert refused.value.reason is reason
    assert message in refused.value.message
    assert refused.value.decision.checks[-1].outcome == "fail"


def test_nobody_has_them_all() -> None:
    """A workspace that has its share gets no more; what is left is another's."""
    limits, decision = Limits(), route_web(TABLE, ask()).decision
    for _ in range(2):
        limits.take(claims_of_web_call(ACME, 3, 2), None, decision, 0.0)
    with pytest.raises(Rejected) as full:
        limits.take(claims_of_web_call(ACME, 3, 2), None, decision, 0.0)
    assert full.value.reason is Reason.WEB_CALL_LIMIT
    limits.take(claims_of_web_call(replace(ACME, id="org_2"), 3, 2), None, decision, 0.0)


def test_it_takes_its_places() -> None:
    """One of the workspace's and one of the gateway's; what is refused takes none."""
    limits, decision = Limits(), route_web(TABLE, ask()).decision
    lease = limits.take(claims_of_web_call(ACME, 1), None, decision, 0.0)
    assert [check.name for check in lease.decision.checks[-2:]] == ["workspace channels", "web call channels"]
    with pytest.raises(Rejected) as full:
        limits.take(claims_of_web_call(ACME, 1), None, decision, 0.0)
    assert full.value.reason is Reason.WEB_CALL_LIMIT
    assert limits.taken(Scope.WORKSPACE, "org_1") == 1
    lease.release()
    assert limits.taken(Scope.WORKSPACE, "org_1") == 0
