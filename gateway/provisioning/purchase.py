"""Buying a number: never twice, never lost, whatever dies in between.

The intent is a row before the provider is asked, and the row says how far it came. Whoever finds a row
without an answer asks the provider whether the number is ours, and goes on from there: the buyer who asks
again, the sweep of any gateway, the next start of the one that died.

| state | what happened last | what follows |
|---|---|---|
| requested | the provider is asked, or was in vain | it is ours: bought; it is not, for long enough: failed |
| bought | the provider has it for us | it becomes one of our numbers: registered |
| registered | it is one of our numbers | while it is pending, the provider is asked now and then |
| releasing | it is none of our numbers any more | the provider is told until it has understood: released |
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.config.provider_settings import ProvisioningSettings
from gateway.providers.protocol import (
    NumberGone,
    NumberProvider,
    ProviderAway,
    ProviderError,
    Rental,
    RentalState,
)
from gateway.provisioning.errors import Forbidden, Upstream
from gateway.provisioning.market import KYC_MISSING, Market, told
from gateway.routing.table import NumberStatus, PhoneNumber
from gateway.store.configuration.nouns import Configuration
from gateway.store.configuration.rules import checked_e164, checked_nickname
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.money.purchases import Purchase, PurchaseState
from gateway.tell import Tell

CLAIM_SECONDS = 60.0
"For so long a row belongs to whoever looks at it."

LONGEST_PAUSE_SECONDS = 3600.0

UNSETTLED = (
    "{provider} has not said whether {number} was bought. Ask again in a moment: nothing is bought twice,"
    " and the number is yours as soon as the answer comes"
)
BEING_RELEASED = "is being given back to the provider: try again in a few minutes"
OTHER_NUMBER = "was used to buy {number}: a new purchase should have a new key"

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The time by the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants to buy a number."""

    workspace_id: str
    number: str
    country_iso: str
    by: str
    "`api:key_…`, `cli:root`."
    provider: str | None = None
    "The one that is meant; None: the one that is set up."
    key: str | None = None
    "The same key, the same purchase."
    nickname: str = ""


@dataclass(frozen=True, slots=True)
class Bought:
    """What an order came to."""

    number: PhoneNumber
    "Active or pending."
    again: bool
    "It was ours before this order came: an earlier one of the same kind bought it."


@dataclass(frozen=True, slots=True)
class Purchasing:
    """Buys numbers, and finishes what was begun."""

    settings: ProvisioningSettings
    instance: str
    "The name of this gateway."
    there: Configuration
    market: Market
    tell: Tell
    now: Now = utc_now

    async def buy(self, order: Order) -> Bought:
        """Buy a number, or go on with a purchase that was begun.

        `InvalidInput` for what makes no sense, `Forbidden` without KYC, `Conflict` where somebody has it,
        `Upstream` where the provider did not answer: then the same order may be given again.
        """
        provider = self.market.known_provider(order.provider)
        e164 = "+" + "".join(checked_e164("phoneNumber", order.number))
        country = self.market.check_country(order.country_iso, e164)
        # What cannot be kept must not be paid for first.
        checked_nickname(order.nickname)
        begun = await self._begun(order, e164)
        if begun is not None:
            number = await self._go_on(begun, order, provider)
            return Bought(number, again=begun.number_id is not None)
        workspace = await self.there.workspaces.get(order.workspace_id)
        if not workspace.kyc_verified:
            raise Forbidden("workspace", None, KYC_MISSING, whole=True)
        await self.there.numbers.refuse_full(order.workspace_id, order.by)
        purchase = await self.there.purchases.begin(self._intent(order, e164, country))
        return Bought(await self._ask(purchase), again=False)

    def _intent(self, order: Order, number: str, country: str) -> Purchase:
        now = self.now()
        return Purchase(
            id="",
            workspace_id=order.workspace_id,
            number=number,
            country_iso=country,
            provider=self.market.known_provider().name,
            state=PurchaseState.REQUESTED,
            by=order.by,
            instance=self.instance,
            asked_at=now,
            due_at=now + timedelta(seconds=CLAIM_SECONDS),
            idempotency_key=order.key,
            nickname=order.nickname,
        )

    async def _begun(self, order: Order, number: str) -> Purchase | None:
        """The purchase that an order repeats, if it repeats one."""
        purchases = self.there.purchases
        if order.key is not None:
            same_key = await purchases.by_key(order.workspace_id, order.key)
            if same_key is not None and same_key.number != number:
                raise Conflict("Idempotency-Key", order.key, OTHER_NUMBER.format(number=same_key.number))
            if same_key is not None:
                return same_key
        found = await purchases.open_for(number)
        return found if found is not None and found.workspace_id == order.workspace_id else None

    async def _go_on(self, begun: Purchase, order: Order, provider: NumberProvider) -> PhoneNumber:
        if begun.state in (PurchaseState.RELEASING, PurchaseState.RELEASED):
            raise Conflict("phoneNumber", begun.number, BEING_RELEASED)
        if begun.state is PurchaseState.FAILED:
            return await self._ask_again(begun, order)
        settled = await self.settle(begun)
        if settled.state is PurchaseState.FAILED:
            return await self._ask_again(settled, order)
        if settled.number_id is None:
            raise self._unsettled(settled)
        return await self.there.numbers.get(settled.number_id)

    async def _ask_again(self, failed: Purchase, order: Order) -> PhoneNumber:
        """Buy what an earlier attempt of the same order did not get."""
        fresh = await self.there.purchases.reopen(
            failed, self._intent(order, failed.number, failed.country_iso)
        )
        return await self._ask(fresh)

    async def _ask(self, purchase: Purchase) -> PhoneNumber:
        """Ask the provider, once."""
        self.tell("number.buying", **_fields(purchase))
        try:
            rental = await self.market.known_provider().buy(purchase.number)
        except ProviderAway as error:
            if not error.uncertain:
                await self._fail(purchase, str(error))
                raise told(error) from error
            await self.leave(purchase, str(error))
            raise self._unsettled(purchase) from error
        except NumberGone as error:
            await self._fail(purchase, str(error))
            raise Conflict("phoneNumber", purchase.number, str(error)) from error
        except ProviderError as error:
            await self._fail(purchase, str(error))
            raise told(error) from error
        return await self._register(await self._bought(purchase), rental)

    def _unsettled(self, purchase: Purchase) -> Upstream:
        words = UNSETTLED.format(provider=purchase.provider.capitalize(), number=purchase.number)
        return Upstream(words, retry_after=5.0)

    async def _fail(self, purchase: Purchase, why: str) -> Purchase:
        self.tell("number.purchase_failed", level="warning", why=why, **_fields(purchase))
        return await self.there.purchases.save(purchase, state=PurchaseState.FAILED, detail=why, due_at=None)

    async def leave(self, purchase: Purchase, why: str) -> Purchase:
        """Have a row looked at again, later each time."""
        if purchase.tries == 0:
            self.tell("number.unsettled", level="warning", why=why, state=purchase.state, **_fields(purchase))
        pause = min(5.0 * 2**purchase.tries, LONGEST_PAUSE_SECONDS)
        due = self.now() + timedelta(seconds=pause)
        return await self.there.purchases.save(purchase, detail=why, due_at=due, tries=purchase.tries + 1)

    async def _bought(self, purchase: Purchase) -> Purchase:
        bought = PurchaseState.BOUGHT
        return await self.there.purchases.save(purchase, state=bought, detail="", tries=0)

    async def _register(self, purchase: Purchase, rental: Rental) -> PhoneNumber:
        """Make what was bought one of our numbers, in one transaction with the row that says so."""
        pending = rental.state is RentalState.PENDING
        number = PhoneNumber(
            new_id("phn"),
            purchase.workspace_id,
            purchase.number,
            nickname=purchase.nickname,
            provider=purchase.provider,
            status=NumberStatus.PENDING if pending else NumberStatus.ACTIVE,
            renews_at=rental.renews_at,
        )
        due = self.now() + timedelta(seconds=self.settings.pending_seconds) if pending else None
        async with self.there.together(purchase.by) as there:
            current = await there.purchases.get(purchase.id)
            if current.number_id is not None:
                return await there.numbers.get(current.number_id)
            number = await there.numbers.add(number, purchase.by, bought=True)
            await there.purchases.save(
                current,
                state=PurchaseState.REGISTERED,
                number_id=number.id,
                due_at=due,
                tries=0,
                detail=rental.detail,
            )
        self.tell("number.bought", status=number.status, **_fields(purchase))
        return number

    # What was begun earlier.

    async def settle_left_over(self) -> None:
        """Finish what an earlier run of this gateway was doing when it died."""
        for purchase in await self.there.purchases.left_by(self.instance):
            await self.settle(purchase)

    async def settle(self, purchase: Purchase) -> Purchase:
        """Go on with a purchase where it stands; the purchase as it is afterwards.

        What the provider fails with is written down, not raised.
        """
        provider = self.market.provider
        if provider is None or provider.name != purchase.provider:
            return await self.leave(purchase, f"the provider {purchase.provider} is not set up any more")
        try:
            match purchase.state:
                case PurchaseState.REQUESTED:
                    return await self._settle_requested(purchase, provider)
                case PurchaseState.BOUGHT:
                    return await self._settle_bought(purchase, provider)
                case PurchaseState.REGISTERED:
                    return await self._settle_pending(purchase, provider)
                case PurchaseState.RELEASING:
                    return await self.settle_releasing(purchase, provider)
                case _:
                    return purchase
        except (ProviderError, InvalidInput) as error:
            return await self.leave(purchase, str(error))

    async def _settle_requested(self, purchase: Purchase, provider: NumberProvider) -> Purchase:
        rental = await provider.rental(purchase.number)
        if rental is not None:
            bought = await self._bought(purchase)
            await self._register(bought, rental)
            return await self.there.purchases.get(purchase.id)
        patience = timedelta(seconds=self.settings.settle_seconds)
        if self.now() - purchase.asked_at < patience:
            # The request may still be on its way: what arrives late must not be lost.
            return await self.leave(purchase, "the provider does not have it for us yet")
        return await self._fail(purchase, "it was never bought: the provider does not have it for us")

    async def _settle_bought(self, purchase: Purchase, provider: NumberProvider) -> Purchase:
        rental = await provider.rental(purchase.number)
        pending = Rental(purchase.number, RentalState.PENDING, detail="the provider does not list it yet")
        await self._register(purchase, rental or pending)
        return await self.there.purchases.get(purchase.id)

    async def _settle_pending(self, purchase: Purchase, provider: NumberProvider) -> Purchase:
        """Ask after a number that is pending; it is never given up, proofs can take weeks."""
        number = await self._number_of(purchase)
        if number is None or number.status is not NumberStatus.PENDING:
            return await self.there.purchases.save(purchase, due_at=None, tries=0, detail="")
        rental = await provider.rental(purchase.number)
        if rental is None or rental.state is RentalState.PENDING:
            detail = "the provider does not list it yet" if rental is None else rental.detail
            pause = min(self.settings.pending_seconds * 2**purchase.tries, LONGEST_PAUSE_SECONDS)
            due = self.now() + timedelta(seconds=pause)
            tries = purchase.tries + 1
            return await self.there.purchases.save(purchase, due_at=due, tries=tries, detail=detail)
        active = {"status": NumberStatus.ACTIVE, "renews_at": rental.renews_at}
        await self.there.numbers.change(number.id, active, f"provider:{provider.name}")
        self.tell("number.activated", **_fields(purchase))
        return await self.there.purchases.save(purchase, due_at=None, tries=0, detail="")

    async def settle_releasing(self, purchase: Purchase, provider: NumberProvider) -> Purchase:
        """Tell the provider that a number is given back; raises `ProviderError`."""
        await provider.release(purchase.number)
        self.tell("number.released", **_fields(purchase))
        return await self.there.purchases.save(
            purchase, state=PurchaseState.RELEASED, due_at=None, tries=0, detail=""
        )

    async def _number_of(self, purchase: Purchase) -> PhoneNumber | None:
        try:
            return await self.there.numbers.get(purchase.number_id or "")
        except NotFound:
            return None


def _fields(purchase: Purchase) -> dict[str, Any]:
    """What the events about a purchase have in common."""
    return {
        "number": purchase.number,
        "workspace_id": purchase.workspace_id,
        "provider": purchase.provider,
        "purchase_id": purchase.id,
    }
