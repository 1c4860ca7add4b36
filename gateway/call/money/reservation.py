"""What running calls cost as they go: each sets the next step of its price aside before it comes to it.

Calls of one workspace share a wallet, so what one has set aside no other can use. A call whose next step the
wallet does not cover is told so, goes on for as long as it is paid for and a grace beyond, and is ended. Time
is an argument: whoever owns the meter lets it `tick`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from gateway.routing.rating import Quote
from gateway.store.engine.errors import StoreError
from gateway.store.money.purses import Exchange, Hold, Purse
from gateway.tell import Tell

LEAD_SECONDS = 10.0
"How far ahead of its connected time a call is paid for: so early the agent hears that the wallet runs dry."
TICK_SECONDS = 0.5
EXCHANGE_SECONDS = 1.0
"How often holds are written and balances read, and so how old a balance can be."

PATIENCE_SECONDS = 1.0
"How long a new call waits for a balance before it makes do with the last one."


class Purses(Protocol):
    """What a meter needs of the store."""

    def has_wallet(self, workspace_id: str) -> bool:
        """Whether a workspace pays in advance; see `Store.has_wallet`."""
        ...

    async def purses(self, ended: Collection[str], workspace_ids: Collection[str]) -> Exchange:
        """How wallets stand; see `Store.purses`."""
        ...

    async def exchange(
        self, holds: Sequence[Hold], ended: Collection[str], workspace_ids: Collection[str]
    ) -> Exchange:
        """Holds out, balances in; see `Store.exchange`."""
        ...


@dataclass(slots=True)
class Metered:
    """A call that a wallet pays for, from its placing until its debit is in the database."""

    call_id: str
    workspace_id: str
    quote: Quote
    max_seconds: float
    "It will not be connected for longer, so no more is set aside."
    on_low: Callable[[float], None]
    "Called when its next step cannot be paid, with the seconds that are left."
    on_dry: Callable[[], None]
    "Called when these are over."
    paid_seconds: float = 0.0
    held: Decimal = Decimal(0)
    answered_at: float | None = None
    is_low: bool = False
    is_placed: bool = False
    "False: it may be given up yet, and the database knows nothing of it."
    has_ended: bool = False
    told: Hold | None = None
    "What the database knows of it."

    def connected(self, now: float) -> float | None:
        """Seconds since the answer, None before it."""
        return None if self.answered_at is None else max(0.0, now - self.answered_at)

    def hold(self, now: float) -> Hold:
        """What is set aside, and what the call has come to."""
        charge = self.quote.charge(self.connected(now))
        return Hold(self.call_id, self.workspace_id, self.held, charge.price, charge.billed_seconds)


class Reservations:
    """The prepaid calls of this gateway. `start` it; `begin`, `answered` and `ended` for each call."""

    def __init__(self, purses: Purses, grace_seconds: float, now: Callable[[], float], tell: Tell) -> None:
        self._purses = purses
        self._grace = grace_seconds
        self._now = now
        self._tell = tell
        self._calls: dict[str, Metered] = {}
        self._known: dict[str, Purse | None] = {}
        self._held: dict[str, Decimal] = {}
        "What the calls have set aside in all, by workspace."
        self._away = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Tick, and exchange with the database, until `stop`."""
        self._tasks = [
            asyncio.create_task(self._tick_on(), name="meter-tick"),
            asyncio.create_task(self._exchange_on(), name="meter-exchange"),
        ]

    async def stop(self) -> None:
        """Stop both; what ended calls are to be charged is in their records."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def balance(self, workspace_id: str) -> Decimal | None:
        """What a new call of a workspace may cost; None: it has no wallet, so anything.

        While the database is away, the last balance that was seen counts, less what calls here have set aside
        since; `StoreError` where none was seen. `begin` the call before anything is awaited, so that no other
        is promised the same money.
        """
        if not self._purses.has_wallet(workspace_id):
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._learn(await self._purses.purses(self._ended(), [workspace_id]), [workspace_id])
        except (StoreError, TimeoutError) as error:
            if workspace_id not in self._known:
                raise StoreError(
                    f"the balance cannot be read: {str(error) or 'no answer in time'}"
                ) from error
        return self._available(workspace_id)

    def begin(
        self,
        call_id: str,
        workspace_id: str,
        quote: Quote,
        max_seconds: float,
        on_low: Callable[[float], None],
        on_dry: Callable[[], None],
    ) -> None:
        """A call is about to be placed, and its first step is affordable: set it aside.

        `placed` or `give_up` comes next.
        """
        call = Metered(call_id, workspace_id, quote, max_seconds, on_low, on_dry)
        call.paid_seconds = float(quote.increment.first) if quote.per_minute else float("inf")
        self._calls[call_id] = call
        self._set_aside(call, quote.price(0.0))

    def placed(self, call_id: str) -> None:
        """The call has begun: from now on other gateways learn of what it has set aside."""
        call = self._calls.get(call_id)
        if call is not None:
            call.is_placed = True

    def give_up(self, call_id: str) -> None:
        """The call is not placed after all."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            self._set_aside(call, Decimal(0))

    def answered(self, call_id: str) -> None:
        """The call's time begins to count; nothing happens for a call that no wallet pays for."""
        call = self._calls.get(call_id)
        if call is not None:
            call.answered_at = self._now()
            self._extend(call, call.answered_at)

    def ended(self, call_id: str) -> float | None:
        """The call is over: the connected seconds that it is charged for at most, None where all are paid.

        What it has set aside stays so until its debit is in the database.
        """
        call = self._calls.get(call_id)
        if call is None:
            return None
        call.has_ended = True
        return call.paid_seconds if call.is_low else None

    def tick(self, now: float) -> None:
        """Set aside what answered calls come to next; warn and end those whose wallet is dry."""
        for call in list(self._calls.values()):
            if call.answered_at is not None and not call.has_ended:
                self._extend(call, now)

    async def exchange(self) -> None:
        """Write what has changed to the database, and learn how the wallets stand; raises `StoreError`."""
        if not self._calls:
            return
        now = self._now()
        changed = [(call, hold) for call, hold in self._holds(now) if hold != call.told]
        workspaces = {call.workspace_id for call in self._calls.values()}
        exchanged = await self._purses.exchange([hold for _, hold in changed], self._ended(), workspaces)
        self._learn(exchanged, workspaces)
        for call, hold in changed:
            call.told = hold
        for call_id in exchanged.settled:
            self._calls.pop(call_id, None)

    def _ended(self) -> list[str]:
        return [call.call_id for call in self._calls.values() if call.has_ended]

    def _learn(self, exchange: Exchange, workspaces: Collection[str]) -> None:
        self._known.update({workspace: exchange.purses.get(workspace) for workspace in workspaces})
        for call_id in exchange.settled:
            if call_id in self._calls:
                self._set_aside(self._calls[call_id], Decimal(0))  # it is out of the balance already

    def _holds(self, now: float) -> Iterator[tuple[Metered, Hold]]:
        going_on = (call for call in self._calls.values() if call.is_placed and not call.has_ended)
        return ((call, call.hold(now)) for call in going_on)

    def _available(self, workspace_id: str) -> Decimal | None:
        purse = self._known.get(workspace_id)
        if purse is None:
            return None
        return purse.balance - purse.held - self._held.get(workspace_id, Decimal(0))

    def _set_aside(self, call: Metered, amount: Decimal) -> None:
        """From now on so much in all, and no longer what it was."""
        held = self._held.get(call.workspace_id, Decimal(0)) + amount - call.held
        call.held = amount
        self._held[call.workspace_id] = held
        if not held:
            del self._held[call.workspace_id]

    def _extend(self, call: Metered, now: float) -> None:
        connected = call.connected(now)
        assert connected is not None, "a call that was not answered costs nothing yet"
        if self._pay_up_to(call, min(connected + LEAD_SECONDS, call.max_seconds)):
            call.is_low = False
            return
        left = call.paid_seconds + self._grace - connected
        if not call.is_low:
            call.is_low = True
            call.on_low(max(0.0, left))
        if left <= 0:
            call.on_dry()

    def _pay_up_to(self, call: Metered, seconds: float) -> bool:
        """Set aside step by step until so many seconds are paid for; False where the wallet does not do."""
        while call.paid_seconds < seconds:
            further = call.paid_seconds + call.quote.increment.further
            held = call.quote.price(further)
            available = self._available(call.workspace_id)
            if available is not None and held - call.held > available:
                return False
            self._set_aside(call, held)
            call.paid_seconds = further
        return True

    async def _tick_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.tick(self._now())

    async def _exchange_on(self) -> None:
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            try:
                await self.exchange()
            except StoreError as error:
                self._stalled(error)
            else:
                self._away = False

    def _stalled(self, error: StoreError) -> None:
        if not self._away:
            self._away = True
            self._tell("wallet.stalled", level="warning", error=str(error), calls=len(self._calls))
