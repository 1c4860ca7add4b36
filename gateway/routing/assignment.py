"""What both directions ask of a number: that it is ready, and that a published version stands behind it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Literal

from gateway.routing.decision import Reason, Rejected, Trail
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

Direction = Literal["inbound", "outbound"]


def is_ready(number: PhoneNumber, now_utc: datetime) -> bool:
    """Whether a number is active and paid for: what `number_is_ready` asks, without the reasons."""
    end = number.rental_expires_at
    rented = number.rental_status is RentalStatus.ACTIVE and (end is None or end > now_utc)
    return number.status is NumberStatus.ACTIVE and rented


def number_is_ready(trail: Trail, number: PhoneNumber, now_utc: datetime) -> None:
    """Hold the number to being active and paid for; raises Rejected.

    A rental that has ended by its date counts as expired before any sweep has said so.
    """
    _active(trail, number)
    _paid_for(trail, number, now_utc)


def _active(trail: Trail, number: PhoneNumber) -> None:
    status = number.status.value
    if number.status is not NumberStatus.ACTIVE:
        found = f"the number is {status}, not active"
        raise _unready(trail, Reason.NUMBER_NOT_ACTIVE, number, "number status", status, found)
    trail.passed("number status", status, "ready for calls")


def _paid_for(trail: Trail, number: PhoneNumber, now_utc: datetime) -> None:
    status, end = number.rental_status, number.rental_expires_at
    if status is RentalStatus.AVAILABLE:
        found = "the rental was given back, nobody rents the number"
        raise _unready(trail, Reason.RENTAL_NOT_TAKEN, number, "rental", status.value, found)
    if status is RentalStatus.EXPIRED or (end is not None and end <= now_utc):
        found = f"the rental expired on {end:%Y-%m-%d at %H:%M} UTC" if end else "the rental has expired"
        raise _unready(trail, Reason.RENTAL_EXPIRED, number, "rental", status.value, found)
    trail.passed("rental", status.value, f"paid until {end:%Y-%m-%d %H:%M} UTC" if end else "without an end")


def _unready(
    trail: Trail, reason: Reason, number: PhoneNumber, name: str, looked_at: str, found: str
) -> Rejected:
    return trail.refused(reason, name, looked_at, found, summary=f"{number.e164}: {found}")


def published_version(trail: Trail, table: RoutingTable, version_id: str, name: str) -> AgentVersion:
    """The version of an assignment, if it is there and published; raises Rejected.

    `name` is the check's: which direction the assignment is for.
    """
    version = table.version_by_id.get(version_id)
    if version is None:
        found = f"the assigned agent version {version_id} no longer exists"
        raise trail.refused(Reason.VERSION_MISSING, name, version_id, found)
    if version.state is not VersionState.PUBLISHED:
        raise _draft(trail, table, version, name)
    trail.passed(name, named(table, version), f"published ({version_id})")
    return version


def named(table: RoutingTable, version: AgentVersion) -> str:
    """A version as people know it."""
    agent = table.agent_by_id.get(version.agent_id)
    return f"version {version.number}" if agent is None else f"“{agent.name}”, version {version.number}"


def _named_by_id(table: RoutingTable, version_id: str) -> str:
    version = table.version_by_id.get(version_id)
    return version_id if version is None else f"{named(table, version)} ({version_id})"


def _draft(trail: Trail, table: RoutingTable, version: AgentVersion, name: str) -> Rejected:
    published = [v for v in table.versions_of(version.agent_id) if v.state is VersionState.PUBLISHED]
    trail.near(f"version {v.number} ({v.id}) of the same agent is published" for v in published[-1:])
    found = f"the assigned agent version {version.number} is a draft, and only published versions take calls"
    looked_at = f"{named(table, version)} ({version.id})"
    return trail.refused(Reason.VERSION_NOT_PUBLISHED, name, looked_at, found)


def assigned_version(
    trail: Trail, table: RoutingTable, number: PhoneNumber, direction: Direction, other: str
) -> AgentVersion:
    """The version that a direction of a number is assigned to; raises Rejected.

    `other` is the other party's number: in a split, the same caller always gets the same version.
    """
    name = f"{direction} version"
    version_id, split = _assignment(number, direction)
    assert version_id is not None, "an unset direction was refused before"
    if split:
        version_id, point = _share(split, f"{number.id} {other}")
        shares = ", ".join(f"{share:g}" for _, share in split)
        trail.noted("version split", other or "withheld", f"{point:.3f} of the shares {shares}")
    elif number.inbound_latest if direction == "inbound" else number.outbound_latest:
        trail.noted(name, _named_by_id(table, version_id), "the latest published version of its agent")
    return published_version(trail, table, version_id, name)


def _assignment(
    number: PhoneNumber, direction: Direction
) -> tuple[str | None, tuple[tuple[str, float], ...]]:
    if direction == "inbound":
        return number.inbound_version_id, number.inbound_split
    return number.outbound_version_id, number.outbound_split


def _share(split: Sequence[tuple[str, float]], key: str) -> tuple[str, float]:
    """Where a key falls among the shares: evenly over all keys, and the same point for the same key."""
    point = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64
    end = 0.0
    for version_id, share in split:
        end += share
        if point < end:
            return version_id, point
    return split[-1][0], point


def owner(
    trail: Trail, table: RoutingTable, number: PhoneNumber, version: AgentVersion
) -> tuple[Agent, Workspace]:
    """The agent of a version and the workspace of a number, which are one family; raises Rejected."""
    agent = table.agent_by_id.get(version.agent_id)
    workspace = table.workspace_by_id.get(number.workspace_id)
    if agent is None or workspace is None:
        missing = f"agent {version.agent_id}" if agent is None else f"workspace {number.workspace_id}"
        found = f"{missing}, which version {version.number} is for, no longer exists"
        raise trail.refused(Reason.AGENT_MISSING, "agent", version.agent_id, found)
    if agent.workspace_id != number.workspace_id:
        found = "the agent belongs to another workspace than the number"
        raise trail.refused(Reason.AGENT_MISSING, "agent", f"“{agent.name}” ({agent.id})", found)
    trail.passed("agent", f"“{agent.name}”", f"of workspace “{workspace.name}” ({agent.id})")
    return agent, workspace
