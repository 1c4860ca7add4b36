"""Giving numbers back: refused while used, gone at once, told to the provider until it understands."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.providers.protocol import ProviderAway
from gateway.provisioning.release import Releasing
from gateway.routing.table import PhoneNumber, Trunk
from gateway.store.engine.errors import Conflict, NotFound
from gateway.store.engine.ids import new_id
from gateway.store.money.purchases import PurchaseState
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore
from tests.provisioning.office import Office
from tests.store.furnished import Furnished


async def test_gives_back(office: Office, store: SqlStore) -> None:
    """The number is none of ours any more, no table has it, the provider has it on offer again."""
    number = (await office.purchasing.buy(office.order())).number
    purchase = await office.releasing.release(number.id, "test")
    assert purchase is not None
    assert purchase.state is PurchaseState.RELEASED
    with pytest.raises(NotFound):
        await office.there.numbers.get(number.id)
    assert number.e164 not in (await store.routing_table(number.e164)).number_by_e164
    assert await office.provider.rental(number.e164) is None
    assert office.names()[-2:] == ["number.removed", "number.released"]
    assert (await office.purchasing.buy(office.order())).number.e164 == number.e164


async def test_the_provider_is_away(office: Office) -> None:
    """It stops being ours at once; the sweep tells the provider until it has understood."""
    number = (await office.purchasing.buy(office.order())).number
    office.provider.failures += [ProviderAway("away"), ProviderAway("away")]
    purchase = await office.releasing.release(number.id, "test")
    assert purchase is not None
    assert purchase.state is PurchaseState.RELEASING
    with pytest.raises(Conflict, match="being given back"):
        await office.purchasing.buy(office.order())
    for _ in range(2):
        office.wait(20)
        await office.rentals.sweep()
    assert await office.provider.rental(number.e164) is None
    assert (await office.there.purchases.get(purchase.id)).state is PurchaseState.RELEASED


async def test_not_the_default(office: Office) -> None:
    """The workspace's default number stays, at the provider too."""
    number = (await office.purchasing.buy(office.order())).number
    await office.there.numbers.change(number.id, {"is_default": True}, "test")
    with pytest.raises(Conflict, match="default"):
        await office.releasing.release(number.id, "test")
    assert await office.provider.rental(number.e164) is not None


async def test_not_in_a_call(office: Office, store: SqlStore) -> None:
    """A call that is open in the database keeps the number; the error names it."""
    number = (await office.purchasing.buy(office.order())).number
    row = CallRow("call_test", "inbound", "received", office.now)
    store.save_call(replace(row, workspace_id=office.workspace_id, number_id=number.id))
    await store.flush()
    with pytest.raises(Conflict, match=row.id):
        await office.releasing.release(number.id, "test")


async def test_not_while_something_else_uses_it(office: Office) -> None:
    """Whatever registers as a user, a batch for one, is named."""

    async def uses(_number: PhoneNumber) -> Sequence[str]:
        return ["batch call batch_1 (running)"]

    number = (await office.purchasing.buy(office.order())).number
    with pytest.raises(Conflict, match="batch_1"):
        await Releasing(office.purchasing, (uses,)).release(number.id, "test")


async def test_numbers_that_nobody_sold_us(office: Office, furnished: Furnished) -> None:
    """A number that was added by hand is removed; its trunk, added by hand as well, stays."""
    assert await office.releasing.release(furnished.number.id, "test") is None
    assert await office.there.trunks.get(furnished.trunk.id)


async def test_a_linked_trunk_goes_with_its_number(office: Office) -> None:
    """The trunk that was made by linking is removed with the last number that uses it."""
    trunk = Trunk(
        new_id("trunk"), office.workspace_id, "+442079460020", termination_uri="a.example", linked=True
    )
    await office.there.trunks.add(trunk, "test")
    numbers = [
        PhoneNumber(new_id("phn"), office.workspace_id, e164, trunk_id=trunk.id, sip_trunk_enabled=True)
        for e164 in ("+442079460020", "+442079460021")
    ]
    for number in numbers:
        await office.there.numbers.add(number, "test")
    await office.releasing.release(numbers[0].id, "test")
    assert await office.there.trunks.get(trunk.id)
    await office.releasing.release(numbers[1].id, "test")
    with pytest.raises(NotFound):
        await office.there.trunks.get(trunk.id)
