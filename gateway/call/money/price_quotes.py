"""Price questions: what a call would cost, asked of what the gateway knows at the moment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.call.record import utc_now
from gateway.routing.calling import OutboundRequest
from gateway.routing.plan import NumberingPlan
from gateway.routing.quoting import Offer, offer_call, offer_web
from gateway.store.sql import SqlStore
from gateway.store.tables import Calling


@dataclass(frozen=True, slots=True)
class PriceQuotes:
    """Answers what calls would cost; places none."""

    store: SqlStore
    plan: NumberingPlan
    balance: Callable[[str], Awaitable[Decimal | None]]
    "What a workspace's wallet has for new calls, None where it has none."

    async def call(
        self, workspace_id: str, to: str, from_number: str | None = None, agent_id: str | None = None
    ) -> Offer:
        """A call to a number; without `from_number` and agent, from the workspace's default number."""
        if from_number is None and agent_id is None:
            from_number = await self._default_number(workspace_id)
        return await self.of(OutboundRequest(workspace_id, to, agent_id=agent_id, from_number=from_number))

    async def of(self, request: OutboundRequest) -> Offer:
        """Exactly this call: decided as it would be if it were asked for now, and with its price."""
        table = await self.store.outbound_table(Calling.about(request), request.destination)
        balance = await self.balance(request.workspace_id)
        return offer_call(
            table,
            request,
            plan=self.plan,
            now_utc=utc_now(),
            decks=self.store.rate_decks(),
            balance=balance,
        )

    async def web(self, workspace_id: str) -> Offer:
        """A web call."""
        workspace = await self.store.configuration.workspaces.get(workspace_id)
        return offer_web(workspace, await self.balance(workspace_id))

    async def _default_number(self, workspace_id: str) -> str | None:
        number = await self.store.configuration.numbers.default_of(workspace_id)
        return None if number is None else number.e164
