"""How much a workspace may have, as far as it makes it itself; the operator is not held to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.config.settings import TenantsSettings
from gateway.routing.network import parse_network
from gateway.routing.table import Trunk
from gateway.store.configuration.editing import Changing
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.schema import agents, api_keys, numbers, trunks, versions, webhooks

TENANTS = ("api:", "web:")
"What the names of those begin with who act with a workspace's key or account."


def is_tenant(by: str) -> bool:
    """Whether somebody of a workspace makes a change, not the operator."""
    return by.startswith(TENANTS)


@dataclass(frozen=True, slots=True)
class Caps:
    """Holds changes to the settings; each refusal names the field, what there would be, and what may be."""

    settings: TenantsSettings

    async def one_more_number(self, changing: Changing, workspace_id: str) -> None:
        """`Conflict` where the workspace has all the numbers that it may have."""
        own = numbers.c.workspace_id == workspace_id
        await self._one_more(changing, "phone_number", "numbers", self.settings.numbers, own)

    async def one_more_agent(self, changing: Changing, workspace_id: str) -> None:
        """`Conflict` where the workspace has all the agents that it may have."""
        own = agents.c.workspace_id == workspace_id
        await self._one_more(changing, "agent", "agents", self.settings.agents, own)

    async def one_more_version(self, changing: Changing, agent_id: str) -> None:
        """`Conflict` where the agent has all the versions that it may have."""
        own = versions.c.agent_id == agent_id
        await self._one_more(changing, "version", "versions", self.settings.versions, own, whose="an agent")

    async def one_more_key(self, changing: Changing, workspace_id: str) -> None:
        """`Conflict` where the workspace has all the keys that it may have."""
        own = sa.and_(api_keys.c.workspace_id == workspace_id, api_keys.c.revoked_at.is_(None))
        await self._one_more(changing, "key", "keys", self.settings.keys, own)

    async def one_more_webhook(self, changing: Changing, workspace_id: str) -> None:
        """`Conflict` where the workspace has all the webhooks that it may have."""
        own = webhooks.c.workspace_id == workspace_id
        await self._one_more(changing, "url", "webhooks", self.settings.webhooks, own)

    def do_not_call(self, changing: Changing, numbers: int) -> None:
        """`Conflict` where a workspace's list would have more numbers than it may."""
        most = self.settings.do_not_call
        if is_tenant(changing.by) and numbers > most:
            right = f"a workspace has at most {most} numbers on its do-not-call list"
            raise Conflict("phone_numbers", numbers, right)

    async def trunk(self, changing: Changing, before: Trunk | None, after: Trunk) -> None:
        """`Conflict` for a trunk too many, `InvalidInput` for sources that are too many or too wide."""
        if not is_tenant(changing.by) or after.workspace_id is None:
            return
        if before is None:
            own = trunks.c.workspace_id == after.workspace_id
            await self._one_more(changing, "trunk", "trunks", self.settings.trunks, own)
        known = () if before is None else before.sources
        new = [source for source in after.sources if source not in known]
        self._narrow(new)
        if new and len(after.sources) > len(known):
            await self._few(changing, after)

    def _narrow(self, sources: Sequence[str]) -> None:
        """A list that has half of all addresses in it opens the gateway to them, for everybody."""
        least = {4: self.settings.least_ipv4_prefix, 6: self.settings.least_ipv6_prefix}
        for source in sources:
            network = parse_network(source)
            if network.prefixlen < least[network.version]:
                right = f"should name the carrier's networks: /{least[network.version]} or narrower"
                raise InvalidInput("sources", source, right)

    async def _few(self, changing: Changing, trunk: Trunk) -> None:
        most, in_all = self.settings.networks_per_trunk, self.settings.networks
        if len(trunk.sources) > most:
            raise InvalidInput("sources", len(trunk.sources), f"should be at most {most} networks")
        others = sa.select(trunks.c.sources).where(
            trunks.c.workspace_id == trunk.workspace_id, trunks.c.id != trunk.id
        )
        listed = (await changing.connection.execute(others)).scalars()
        count = sum(map(len, listed)) + len(trunk.sources)
        if count > in_all:
            right = f"should be at most {in_all} networks in all trunks of a workspace"
            raise InvalidInput("sources", count, right)

    async def _one_more(
        self,
        changing: Changing,
        field: str,
        what: str,
        most: int,
        own: sa.ColumnElement[bool],
        *,
        whose: str = "a workspace",
    ) -> None:
        if not is_tenant(changing.by):
            return
        count = (await changing.connection.execute(sa.select(sa.func.count()).where(own))).scalar_one()
        if count >= most:
            raise Conflict(field, count + 1, f"{whose} has at most {most} {what}")
