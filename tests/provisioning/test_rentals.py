"""Rentals in virtual time: renewals, ends, what the provider has lost and what it has too many."""

from datetime import timedelta

from gateway.providers.protocol import ProviderAway
from gateway.routing.table import RentalStatus
from tests.provisioning.office import START, Office


async def test_renewals_follow_the_provider(office: Office) -> None:
    """A month later the renewal date is the provider's new one."""
    number = (await office.purchasing.buy(office.order())).number
    office.wait(days=31)
    await office.rentals.sweep()
    renewed = await office.there.numbers.get(number.id)
    assert renewed.renews_at == START + timedelta(days=60)
    assert "number.renewed" in office.names()
    told = len(office.told)
    await office.rentals.audit()
    assert len(office.told) == told, "nothing new, nothing said"


async def test_rentals_end(office: Office) -> None:
    """Past its end a rental is expired, and after the days of grace available for reassignment."""
    number = (await office.purchasing.buy(office.order())).number
    ends = START + timedelta(days=10)
    await office.there.numbers.change(number.id, {"rental_expires_at": ends}, "test")
    statuses = []
    for day in (9, 10, 39, 40):
        office.now = START + timedelta(days=day)
        await office.rentals.sweep()
        statuses.append((await office.there.numbers.get(number.id)).rental_status.value)
    assert statuses == ["active", "expired", "expired", "available"]
    expired = next(
        change for change in await office.there.history(number.id) if "expired" in str(change.fields)
    )
    assert expired.by == "gateway"


async def test_what_the_provider_took_back(office: Office) -> None:
    """A number that the provider does not have for us any more takes no calls, and the history says why."""
    numbers = [
        (await office.purchasing.buy(office.order(f"+1202555011{digit}"))).number for digit in range(3)
    ]
    await office.provider.release(numbers[0].e164)
    await office.rentals.audit()
    ended, *others = [await office.there.numbers.get(number.id) for number in numbers]
    assert ended.rental_status is RentalStatus.EXPIRED
    assert ended.rental_expires_at == office.now
    assert all(number.rental_status is RentalStatus.ACTIVE for number in others)
    assert (await office.there.history(ended.id))[0].by == "provider:simulated"


async def test_a_provider_that_forgets_most_is_doubted(office: Office) -> None:
    """The credentials of another account would end every rental: nothing is done, and it is told."""
    numbers = [
        (await office.purchasing.buy(office.order(f"+1202555011{digit}"))).number for digit in range(3)
    ]
    for number in numbers[:2]:
        await office.provider.release(number.e164)
    await office.rentals.audit()
    statuses = {(await office.there.numbers.get(number.id)).rental_status for number in numbers}
    assert statuses == {RentalStatus.ACTIVE}
    assert office.names()[-1] == "provider.doubted"


async def test_strays_are_told_once(office: Office) -> None:
    """What the provider has for us and nobody here knows costs money."""
    await office.provider.buy("+12025550130")
    await office.rentals.audit()
    await office.rentals.audit()
    assert office.names() == ["number.stray"]
    assert office.told[0][1]["number"] == "+12025550130"


async def test_a_provider_that_is_away_changes_nothing(office: Office) -> None:
    """The audit is made up for next time."""
    number = (await office.purchasing.buy(office.order())).number
    office.provider.failures.append(ProviderAway("away"))
    await office.rentals.audit()
    assert (await office.there.numbers.get(number.id)).rental_status is RentalStatus.ACTIVE
    assert office.names()[-1] == "provisioning.stalled"
