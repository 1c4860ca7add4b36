"""Whether the versions that numbers are assigned are published: a draft takes no call."""

from collections.abc import AsyncIterator

from gateway.commands.finding import Finding, bad, warn
from gateway.routing.table import AgentVersion, PhoneNumber, VersionState
from gateway.store.configuration.nouns import Configuration


async def check_drafts(there: Configuration) -> AsyncIterator[Finding]:
    """Numbers whose version is a draft or gone, and agents that nobody can reach as nothing is published."""
    labels: dict[str, tuple[str, AgentVersion]] = {}
    for agent in await there.agents.list_all():
        versions = await there.agents.versions(agent.id)
        labels |= {version.id: (f"{agent.name}/{version.number}", version) for version in versions}
        if not any(version.state is VersionState.PUBLISHED for version in versions):
            mend = f"gateway agents publish '{agent.name}'"
            yield warn(f"agent {agent.name}", "has no published version: no number can have it", mend)
    for number in await there.numbers.list_all():
        for finding in _of_number(number, labels):
            yield finding


def _of_number(number: PhoneNumber, labels: dict[str, tuple[str, AgentVersion]]) -> list[Finding]:
    found = []
    for direction in ("inbound", "outbound"):
        assigned = [getattr(number, f"{direction}_version_id")]
        assigned += [version for version, _ in getattr(number, f"{direction}_split")]
        for version_id in dict.fromkeys(filter(None, assigned)):
            label, version = labels.get(version_id, (version_id, None))
            if version is None or version.state is not VersionState.PUBLISHED:
                what = "is a draft" if version is not None else "is not there"
                mend = f"gateway agents publish '{label}', or assign {number.e164} another"
                refused = f"{label}, which is assigned {direction}, {what}: calls are refused"
                found.append(bad(f"number {number.e164}", refused, mend))
    return found
