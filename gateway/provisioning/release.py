"""Giving a number back: refused while something uses it, then gone at once, here and at the provider.

It stops being one of our numbers in the transaction that decides so; from then on no call is routed to it.
The provider is told afterwards, and told again by the sweep until it has understood.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.providers.protocol import ProviderError
from gateway.provisioning.purchase import Purchasing
from gateway.routing.table import PhoneNumber
from gateway.store.configuration.nouns import Configuration
from gateway.store.engine.errors import Conflict
from gateway.store.money.purchases import Purchase, PurchaseState
from gateway.store.records.calls import Category

Uses = Callable[[PhoneNumber], Awaitable[Sequence[str]]]
"What uses a number and keeps it from being given back, each in words: `batch call batch_… (running)`."

NewestCall = Callable[[str, Category, datetime], Awaitable[tuple[str, datetime] | None]]
"The newest call by a number, of a category, since a moment: its id, and when it was asked for."
WORKFLOW_KEEPS = timedelta(days=1)
"So long a workflow may come back to the number that it called from."

NOT_SET_UP = "was bought from {provider}, which is not set up any more; whoever runs the gateway can do so"
USED = "is used by {users}: it can be removed when that is over"
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Releasing:
    """Gives numbers back."""

    purchasing: Purchasing
    uses: tuple[Uses, ...] = ()

    async def release(self, number_id: str, by: str) -> Purchase | None:
        """Give a number back, or take a linked one off its trunk; what is left to do at the provider.

        `Conflict` names what uses it: that it is the default, a call, a batch.
        """
        there = self.purchasing.there
        number = await there.numbers.get(number_id)
        users = [user for uses in self.uses for user in await uses(number)]
        if users:
            raise Conflict("phone_number", number.e164, USED.format(users=", ".join(users[:MAX_NAMED])))
        async with there.together(by) as together:
            number = await together.numbers.remove(number_id, by, given_back=True)
            purchase = await self._begin(together, number, by)
            await _remove_linked_trunk(together, number, by)
        fields = {"number": number.e164, "workspace_id": number.workspace_id, "by": by}
        self.purchasing.tell("number.removed", **fields)
        return None if purchase is None else await self._tell_provider(purchase)

    async def _begin(self, together: Configuration, number: PhoneNumber, by: str) -> Purchase | None:
        """Write down that the provider is to be told, where one is; None for numbers that nobody sold us."""
        purchase = await together.purchases.open_for(number.e164)
        provider = self.purchasing.market.provider
        sold_by = number.provider if purchase is None else purchase.provider
        if provider is None or provider.name != sold_by:
            if purchase is not None:
                right = NOT_SET_UP.format(provider=purchase.provider)
                raise Conflict("phone_number", number.e164, right)
            return None
        now = self.purchasing.now()
        if purchase is not None:
            releasing = PurchaseState.RELEASING
            return await together.purchases.save(
                purchase, state=releasing, due_at=now, asked_at=now, tries=0, by=by
            )
        return await together.purchases.add(
            Purchase(
                id="",
                workspace_id=number.workspace_id,
                number=number.e164,
                country_iso="",
                provider=provider.name,
                state=PurchaseState.RELEASING,
                by=by,
                instance=self.purchasing.instance,
                asked_at=now,
                due_at=now,
                number_id=number.id,
            )
        )

    async def _tell_provider(self, purchase: Purchase) -> Purchase:
        provider = self.purchasing.market.known_provider()
        try:
            return await self.purchasing.settle_releasing(purchase, provider)
        except ProviderError as error:
            return await self.purchasing.leave(purchase, str(error))


def workflow_calls(newest: NewestCall, now: Callable[[], datetime]) -> Uses:
    """The last call of a workflow that went out by the number, for a day."""

    async def uses(number: PhoneNumber) -> list[str]:
        newest_call = await newest(number.id, Category.WORKFLOW, now() - WORKFLOW_KEEPS)
        if newest_call is None:
            return []
        call_id, at = newest_call
        return [f"workflow call {call_id} (until {at + WORKFLOW_KEEPS:%Y-%m-%d %H:%M} UTC)"]

    return uses


async def _remove_linked_trunk(together: Configuration, number: PhoneNumber, by: str) -> None:
    """A trunk that was made by linking this number goes with it, unless another number has come to use it."""
    if number.trunk_id is None:
        return
    trunk = await together.trunks.get(number.trunk_id)
    if trunk.linked and not await together.numbers.on_trunk(trunk.id):
        await together.trunks.remove(trunk.id, by)
