"""The provider of the demo: as real ones behave, without money."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.providers.protocol import NumberGone, NumberType, ProviderAway, RentalState, Wanted
from gateway.providers.simulated import Simulated
from gateway.routing.number import parse_e164

START = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


async def test_searches_by_country_type_region_and_digits() -> None:
    """The same search gives the same numbers, page by page, and all of them are possible ones."""
    provider = Simulated()
    found = await provider.search(Wanted("us", NumberType.LOCAL, region="california", pattern="01", limit=2))
    assert [offer.number for offer in found.items] == ["+12135550100", "+12135550101"]
    more = await provider.search(Wanted("US", NumberType.LOCAL, region="california", limit=1, offset=1))
    assert [offer.number for offer in more.items] == ["+12135550101"]
    for country in ("US", "CA", "GB", "AU"):
        offers = (await provider.search(Wanted(country, limit=2000))).items
        assert offers
        assert all(parse_e164(offer.number) is not None for offer in offers)
    assert (await provider.search(Wanted("DE"))).total == 0


async def test_a_bought_number_is_gone_until_it_is_released() -> None:
    """Nobody buys a number twice; a release puts it on offer again, and twice is as good as once."""
    provider = Simulated()
    await provider.buy("+12025550110")
    assert "+12025550110" not in [offer.number for offer in (await provider.search(Wanted("US"))).items]
    for number in ("+12025550110", "+491234", "no number"):
        with pytest.raises(NumberGone):
            await provider.buy(number)
    await provider.release("+12025550110")
    await provider.release("+12025550110")
    assert await provider.rental("+12025550110") is None
    assert (await provider.search(Wanted("US"))).items[0].number == "+12025550110"


async def test_numbers_with_proofs_are_pending_for_a_while() -> None:
    """Where a country asks for proofs, a number becomes active a moment after it was bought."""
    clock = Clock()
    provider = Simulated(clock, pending_seconds=5)
    assert await provider.requirements("GB", NumberType.LOCAL)
    assert not await provider.requirements("US", NumberType.LOCAL)
    assert (await provider.buy("+442079460001")).state is RentalState.PENDING
    clock.now += timedelta(seconds=5)
    rental = await provider.rental("+442079460001")
    assert rental is not None
    assert rental.state is RentalState.ACTIVE


async def test_rentals_are_renewed() -> None:
    """The renewal date is always ahead."""
    clock = Clock()
    provider = Simulated(clock)
    rental = await provider.buy("+12025550110")
    assert rental.renews_at == START + timedelta(days=30)
    clock.now += timedelta(days=61)
    (rental,) = await provider.rentals()
    assert rental.renews_at == START + timedelta(days=90)


async def test_fails_on_demand() -> None:
    """Before anything is done, or after it, as the answer that never came."""
    provider = Simulated()
    provider.failures.append(ProviderAway("away"))
    with pytest.raises(ProviderAway):
        await provider.buy("+12025550110")
    assert await provider.rental("+12025550110") is None
    provider.late_failures.append(ProviderAway("away", uncertain=True))
    with pytest.raises(ProviderAway):
        await provider.buy("+12025550110")
    assert await provider.rental("+12025550110") is not None


async def test_remembers_in_a_file(tmp_path: Path) -> None:
    """With a file, another process sees what was bought."""
    file = tmp_path / "data" / "simulated.json"
    await Simulated(file=file).buy("+12025550110")
    again = Simulated(file=file)
    assert [rental.number for rental in await again.rentals()] == ["+12025550110"]
    await again.release("+12025550110")
    assert not await Simulated(file=file).rentals()
