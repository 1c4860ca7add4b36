"""Calls that share a wallet, in virtual time: what each sets aside, when it is warned, when it ends."""

import asyncio
from collections.abc import Collection, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call.money import reservation as meter_module
from gateway.call.money.reservation import LEAD_SECONDS, TICK_SECONDS, Reservations
from gateway.routing.rating import Quote
from gateway.routing.table import Increment
from gateway.store.engine.errors import StoreError
from gateway.store.money.purses import Exchange, Hold, Purse

# Money.
pytestmark = pytest.mark.one_loop

GRACE = 5.0
ORG = "org_1"


def quote(per_minute: str = "60", increment: str = "60/60", fee: str = "0") -> Quote:
    """A price; 60 a minute is 1 a second."""
    return Quote(Decimal(per_minute), "INR", Increment.parse(increment), "", Decimal(fee))


class Database:
    """The database's side of one workspace's wallet."""

    def __init__(self, balance: str | None) -> None:
        self.balance = None if balance is None else Decimal(balance)
        self.others = Decimal(0)
        self.holds: dict[str, Hold] = {}
        self.settled: set[str] = set()
        self.away = False
        self.stalls = False
        self.asked = 0

    def settle(self, call_id: str, price: Decimal) -> None:
        """A final record comes in."""
        assert self.balance is not None
        self.balance -= price
        self.settled.add(call_id)
        self.holds.pop(call_id, None)

    def has_wallet(self, workspace_id: str) -> bool:
        return workspace_id != "org_without"

    async def purses(self, ended: Collection[str], workspace_ids: Collection[str]) -> Exchange:
        self.asked += 1
        if self.stalls:
            await asyncio.sleep(3600)
        if self.away:
            raise StoreError("the database is away")
        purse = {} if self.balance is None else {ORG: Purse(self.balance, self.others)}
        return Exchange(purse, frozenset(self.settled & set(ended)))

    async def exchange(
        self, holds: Sequence[Hold], ended: Collection[str], workspace_ids: Collection[str]
    ) -> Exchange:
        found = await self.purses(ended, workspace_ids)
        self.holds |= {hold.call_id: hold for hold in holds}
        return found


class Bench:
    """A meter, a clock that is a number, and what happened."""

    def __init__(self, balance: str | None) -> None:
        self.now = 0.0
        self.database = Database(balance)
        self.happened: list[tuple[float, str, str]] = []
        self.told: list[str] = []
        self.meter = Reservations(
            self.database, GRACE, lambda: self.now, lambda name, /, **_: self.told.append(name)
        )

    def _tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self.told.append(name)

    async def call(self, name: str, price: Quote, *, at_most: float = 5400.0) -> bool:
        """Place a call if the wallet covers its first step, and have it answered at once."""
        balance = await self.meter.balance(ORG)
        if balance is not None and price.affordable_seconds(balance) <= 0:
            return False
        if balance is not None:
            self.meter.begin(
                name,
                ORG,
                price,
                at_most,
                lambda left: self.happened.append((self.now, name, f"low {left:g}")),
                lambda: self.happened.append((self.now, name, "dry")),
            )
            self.meter.placed(name)
        self.meter.answered(name)
        return True

    def until(self, moment: float) -> None:
        """Let the clock run, tick by tick."""
        while self.now < moment:
            self.now += TICK_SECONDS
            self.meter.tick(self.now)

    def first(self, what: str) -> float:
        """When something first happened."""
        return next(moment for moment, _, happened in self.happened if happened.startswith(what))


async def test_a_call_pays_step_by_step_ahead_of_its_time() -> None:
    """The first step before it is dialled; the next one when the last is nearly used up."""
    bench = Bench("1000")
    assert await bench.call("a", quote())
    assert await bench.meter.balance(ORG) == 940
    bench.until(60 - LEAD_SECONDS)
    assert await bench.meter.balance(ORG) == 940
    bench.until(60 - LEAD_SECONDS + TICK_SECONDS)
    assert await bench.meter.balance(ORG) == 880
    bench.until(600)
    assert await bench.meter.balance(ORG) == 1000 - 11 * 60
    assert bench.happened == []


async def test_a_call_is_warned_and_ends_after_the_grace() -> None:
    """It goes on for what is paid and the grace, and pays for no more than was in the wallet."""
    bench = Bench("130")
    await bench.call("a", quote())
    bench.until(120 + GRACE - TICK_SECONDS)
    assert bench.happened == [(110.5, "a", "low 14.5")]
    bench.until(120 + GRACE)
    assert bench.happened[1:] == [(125.0, "a", "dry")]
    assert bench.meter.ended("a") == 120.0


async def test_a_top_up_in_time_saves_the_call() -> None:
    """And if that runs out too, the call is warned again."""
    bench = Bench("60")
    await bench.call("a", quote())
    bench.until(60)
    assert [what for _, _, what in bench.happened] == ["low 14.5"]
    bench.database.balance = Decimal("120")
    await bench.meter.exchange()
    bench.until(61)
    assert await bench.meter.balance(ORG) == 0
    bench.until(130)
    assert [what for _, _, what in bench.happened] == ["low 14.5", "low 14.5", *["dry"] * 11]


async def test_calls_of_a_workspace_share_the_balance() -> None:
    """What one has set aside no other is promised, and the last step goes to who comes to it first."""
    bench = Bench("200")
    assert await bench.call("a", quote())
    bench.until(5)
    assert await bench.call("b", quote())
    assert await bench.call("c", quote())
    assert not await bench.call("d", quote()), "20 are left, and a step costs 60"
    bench.until(60)
    assert [name for _, name, what in bench.happened if what.startswith("low")] == ["a", "b", "c"]


async def test_an_ended_call_holds_its_price_until_the_debit_is_there() -> None:
    """Neither lost in between, nor counted twice afterwards."""
    bench = Bench("180")
    await bench.call("a", quote())
    bench.until(55)
    assert bench.meter.ended("a") is None
    await bench.meter.exchange()
    assert await bench.meter.balance(ORG) == 60, "a second step was set aside"
    bench.database.settle("a", Decimal(60))
    assert await bench.meter.balance(ORG) == 120
    await bench.meter.exchange()
    assert await bench.meter.balance(ORG) == 120


async def test_what_calls_hold_and_have_come_to_is_written() -> None:
    """The price so far is what a kill would cost; it is written when it changes."""
    bench = Bench("1000")
    await bench.call("a", quote(increment="30/6"))
    await bench.meter.exchange()
    assert bench.database.holds["a"] == Hold("a", ORG, Decimal(30), Decimal(30), 30)
    bench.until(31)
    await bench.meter.exchange()
    assert bench.database.holds["a"] == Hold("a", ORG, Decimal(42), Decimal(36), 36)
    bench.database.holds.clear()
    await bench.meter.exchange()
    assert bench.database.holds == {}


async def test_an_unanswered_call_holds_its_first_step_and_comes_to_nothing() -> None:
    """However long it rings."""
    bench = Bench("60")
    assert await bench.meter.balance(ORG) == 60
    bench.meter.begin("a", ORG, quote(), 600, lambda _: None, lambda: None)
    bench.meter.placed("a")
    bench.until(100)
    await bench.meter.exchange()
    assert bench.database.holds["a"] == Hold("a", ORG, Decimal(60), Decimal(0), 0)
    assert bench.meter.ended("a") is None


async def test_the_database_away_stops_no_call() -> None:
    """The last balance counts, less what was set aside since; a workspace never seen is an error."""
    bench = Bench("120")
    await bench.call("a", quote())
    bench.database.away = True
    assert await bench.meter.balance(ORG) == 60
    with pytest.raises(StoreError):
        await bench.meter.exchange()
    bench.until(60)
    assert await bench.meter.balance(ORG) == 0
    with pytest.raises(StoreError):
        await bench.meter.balance("org_2")


async def test_nothing_is_set_aside_beyond_the_calls_own_limit() -> None:
    """Nor is a call warned that ends anyway."""
    bench = Bench("60")
    await bench.call("a", quote(), at_most=60)
    bench.until(60)
    assert bench.happened == []


async def test_a_wallet_that_is_closed_lets_its_calls_go_on() -> None:
    """Nothing limits them any more."""
    bench = Bench("60")
    await bench.call("a", quote())
    bench.database.balance = None
    await bench.meter.exchange()
    bench.until(300)
    assert bench.happened == []


async def test_a_free_route_needs_no_money() -> None:
    """But for its connection fee."""
    bench = Bench("2")
    assert await bench.call("a", quote("0", fee="1.5"))
    bench.until(1000)
    assert (bench.happened, await bench.meter.balance(ORG)) == ([], Decimal("0.5"))
    assert not await bench.call("b", quote("0", fee="1.5"))
    assert await bench.call("c", quote("0"))


@given(
    balance=st.integers(0, 500),
    starts=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 240)), min_size=1, max_size=6),
    increment=st.sampled_from(["60/60", "30/6", "1/1", "10/20"]),
)
async def test_one_gateway_never_spends_more_than_there_is(
    balance: int, starts: list[tuple[int, int]], increment: str
) -> None:
    """Whoever calls when and for how long: what all calls are charged fits into the wallet."""
    bench, price = Bench(str(balance)), quote(increment=increment)
    hang_up = {f"call_{index}": start + length for index, (start, length) in enumerate(starts)}
    running: dict[str, float] = {}
    charged = Decimal(0)

    def end(name: str) -> None:
        nonlocal charged
        connected, paid = bench.now - running.pop(name), bench.meter.ended(name)
        charged += price.price(connected if paid is None else min(connected, paid))

    for moment in range(310):
        bench.until(moment)
        for name in [n for _, n, what in bench.happened if what == "dry" and n in running]:
            end(name)
        for name in [n for n in running if hang_up[n] <= moment]:
            end(name)
        for index, (start, _) in enumerate(starts):
            if start == moment and await bench.call(f"call_{index}", price):
                running[f"call_{index}"] = bench.now
    assert not running
    assert charged <= balance


async def test_a_database_that_stalls_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a second."""
    monkeypatch.setattr(meter_module, "EXCHANGE_SECONDS", 0.001)
    bench = Bench("60")
    await bench.call("a", quote())
    bench.database.away = True
    bench.meter.start()
    try:
        async with asyncio.timeout(10):
            while bench.database.asked < 5:  # noqa: ASYNC110 - attempts have no event to wait for
                await asyncio.sleep(0.001)
    finally:
        await bench.meter.stop()
    assert bench.told == ["wallet.stalled"]


async def test_a_workspace_without_a_wallet_asks_nobody() -> None:
    """Nor does its call wait for the database."""
    bench = Bench("60")
    bench.database.away = True
    assert await bench.meter.balance("org_without") is None
    assert bench.database.asked == 0


async def test_a_database_that_hangs_holds_up_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is away: the last balance counts, and without one there is an error."""
    monkeypatch.setattr(meter_module, "PATIENCE_SECONDS", 0.01)
    bench = Bench("60")
    assert await bench.meter.balance(ORG) == 60
    bench.database.stalls = True
    assert await bench.meter.balance(ORG) == 60
    with pytest.raises(StoreError, match="no answer in time"):
        await bench.meter.balance("org_2")


async def test_a_call_that_is_given_up_gives_its_money_back() -> None:
    """And no other gateway ever hears of it."""
    bench = Bench("60")
    assert await bench.meter.balance(ORG) == 60
    bench.meter.begin("a", ORG, quote(), 600, lambda _: None, lambda: None)
    assert await bench.meter.balance(ORG) == 0
    await bench.meter.exchange()
    bench.meter.give_up("a")
    assert await bench.meter.balance(ORG) == 60
    assert bench.database.holds == {}
