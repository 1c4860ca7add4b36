"""A small world to make decisions in: one carrier, one workspace, one agent in three versions."""

from datetime import UTC, datetime

import pytest

from gateway.routing.table import (
    Agent,
    AgentVersion,
    PhoneNumber,
    RoutingTable,
    Trunk,
    Trunks,
    VersionState,
    Workspace,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """The moment at which all decisions of a test are made."""
    return NOW


@pytest.fixture
def workspace() -> Workspace:
    """The tenant that owns everything, KYC verified."""
    return Workspace("org_1", "Demo", kyc_verified=True)


@pytest.fixture
def trunk() -> Trunk:
    """The carrier's trunk, known by its addresses alone."""
    return Trunk("trunk_1", "org_1", "Carrier", sources=("192.0.2.0/29", "2001:db8::/48"))


@pytest.fixture
def number() -> PhoneNumber:
    """A number in order, with different versions for each direction."""
    return PhoneNumber(
        "phn_1",
        "org_1",
        "+14155550123",
        nickname="Main line",
        trunk_id="trunk_1",
        sip_trunk_enabled=True,
        inbound_version_id="ver_1",
        outbound_version_id="ver_2",
    )


@pytest.fixture
def table(trunk: Trunk, number: PhoneNumber, workspace: Workspace) -> RoutingTable:
    """All of it together; tests replace what they are about."""
    return RoutingTable(
        trunks=Trunks([trunk]),
        numbers=(number,),
        versions=(
            AgentVersion("ver_1", "agent_1", 1, VersionState.PUBLISHED, "ws://agent.example/1"),
            AgentVersion("ver_2", "agent_1", 2, VersionState.PUBLISHED, "ws://agent.example/2"),
            AgentVersion("ver_3", "agent_1", 3, VersionState.DRAFT, "ws://agent.example/3"),
        ),
        agents=(Agent("agent_1", "org_1", "Reception"),),
        workspaces=(workspace,),
        revision=7,
    )
