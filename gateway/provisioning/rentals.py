"""Looking after what is rented: due purchases, rentals that end, and whether the provider agrees with us."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.providers.protocol import NumberProvider, ProviderError, Rental
from gateway.provisioning.purchase import CLAIM_SECONDS, Purchasing
from gateway.routing.table import NumberStatus, PhoneNumber, RentalStatus
from gateway.store.engine.errors import StoreError

BY = "gateway"
"Who makes the changes of a sweep, in the history."


@dataclass(slots=True)
class Rentals:
    """The scheduled sweep. Several gateways on one database share the work: a row is claimed first."""

    purchasing: Purchasing
    _audit_due: datetime | None = field(default=None, init=False)
    _strays: frozenset[str] = field(default=frozenset(), init=False)
    "Told already."

    async def run(self) -> None:
        """Finish what an earlier run left, then sweep until cancelled."""
        await self._surely(self.purchasing.settle_left_over())
        while True:
            await self._surely(self.sweep())
            await asyncio.sleep(self.purchasing.settings.sweep_seconds)

    async def _surely(self, work: Coroutine[Any, Any, None]) -> None:
        """A database that is away is no reason to stop looking."""
        try:
            await work
        except StoreError as error:
            self.purchasing.tell("provisioning.stalled", level="warning", error=str(error))
        except Exception as error:  # a mistake of ours in one sweep must not be the last sweep
            self.purchasing.tell("provisioning.crashed", level="error", exc_info=error)

    async def sweep(self) -> None:
        """Do everything that is due."""
        now = self.purchasing.now()
        await self._settle_due(now)
        await self._expire(now)
        await self._give_up(now)
        if self._audit_due is None or self._audit_due <= now:
            self._audit_due = now + timedelta(seconds=self.purchasing.settings.audit_seconds)
            await self.audit()

    async def _settle_due(self, now: datetime) -> None:
        purchases = self.purchasing.there.purchases
        for purchase in await purchases.due(now):
            claimed = await purchases.claim(purchase, now + timedelta(seconds=CLAIM_SECONDS))
            if claimed is not None:
                await self.purchasing.settle(claimed)

    async def _expire(self, now: datetime) -> None:
        """Rentals whose end has passed; no call has been routed since that moment, sweep or no sweep."""
        numbers = self.purchasing.there.numbers
        for number in await numbers.ended_by(now, RentalStatus.ACTIVE):
            await numbers.change(number.id, {"rental_status": RentalStatus.EXPIRED}, BY)
            self._tell("number.rental_expired", number, level="warning", why="the rental ended")

    async def _give_up(self, now: datetime) -> None:
        """Rentals that ended long ago: the number is free for somebody else."""
        numbers = self.purchasing.there.numbers
        before = now - timedelta(days=self.purchasing.settings.grace_days)
        for number in await numbers.ended_by(before, RentalStatus.EXPIRED):
            await numbers.change(number.id, {"rental_status": RentalStatus.AVAILABLE}, BY)
            self._tell("number.rental_given_up", number)

    async def audit(self) -> None:
        """Hold our numbers to the provider's list: renewals, what is gone there, what is unknown here."""
        provider = self.purchasing.market.provider
        if provider is None:
            return
        try:
            listed = {rental.number: rental for rental in await provider.rentals()}
        except ProviderError as error:
            self.purchasing.tell("provisioning.stalled", level="warning", error=str(error))
            return
        ours = await self.purchasing.there.numbers.of_provider(provider.name)
        rented = [number for number in ours if number.rental_status is RentalStatus.ACTIVE]
        for number in rented:
            await self._renew(number, listed.get(number.e164))
        await self._missing(provider, [number for number in rented if number.e164 not in listed], len(rented))
        await self._tell_strays(listed, {number.e164 for number in ours})

    async def _renew(self, number: PhoneNumber, rental: Rental | None) -> None:
        if rental is None or rental.renews_at in (None, number.renews_at):
            return
        await self.purchasing.there.numbers.change(number.id, {"renews_at": rental.renews_at}, BY)
        self._tell("number.renewed", number, renews_at=rental.renews_at and rental.renews_at.isoformat())

    async def _missing(self, provider: NumberProvider, missing: Sequence[PhoneNumber], rented: int) -> None:
        """What the provider does not list any more has ended; unless it lists next to nothing of ours."""
        missing = [number for number in missing if number.status is not NumberStatus.PENDING]
        if len(missing) > max(1, rented // 2):
            why = f"it lists {rented - len(missing)} of our {rented} numbers: is it the right account?"
            self.purchasing.tell("provider.doubted", level="error", provider=provider.name, why=why)
            return
        for number in missing:
            await self._end(provider, number)

    async def _end(self, provider: NumberProvider, number: PhoneNumber) -> None:
        try:
            rental = await provider.rental(number.e164)
        except ProviderError:
            return  # the next audit asks again
        if rental is not None:
            return
        ended = {"rental_status": RentalStatus.EXPIRED, "rental_expires_at": self.purchasing.now()}
        await self.purchasing.there.numbers.change(number.id, ended, f"provider:{provider.name}")
        why = f"{provider.name} does not have it for us any more"
        self._tell("number.rental_expired", number, level="warning", why=why)

    async def _tell_strays(self, listed: Mapping[str, Rental], ours: set[str]) -> None:
        """What the provider has for us and nobody here knows costs money: it is told, once."""
        strays = [number for number in listed if number not in ours]
        open_for = self.purchasing.there.purchases.open_for
        unknown = frozenset([number for number in strays if await open_for(number) is None])
        for number in sorted(unknown - self._strays):
            self.purchasing.tell("number.stray", level="warning", number=number)
        self._strays = unknown

    def _tell(self, name: str, number: PhoneNumber, *, level: str = "info", **fields: object) -> None:
        about = {"number": number.e164, "workspace_id": number.workspace_id}
        self.purchasing.tell(name, level=level, **about, **fields)
