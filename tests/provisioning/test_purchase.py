"""Buying: never twice, never lost, on both databases, in virtual time."""

import asyncio
from datetime import timedelta

import pytest

from gateway.providers.protocol import ProviderAway, ProviderRefused
from gateway.provisioning.errors import Forbidden, Upstream
from gateway.provisioning.purchase import Bought
from gateway.routing.table import NumberStatus, PhoneNumber
from gateway.store.engine.errors import Conflict, InvalidInput, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.money.purchases import PurchaseState
from gateway.store.sql import SqlStore
from tests.provisioning.office import START, Office, open_office

LOST = ProviderAway("no answer", uncertain=True)


async def only_state(office: Office) -> PurchaseState:
    """The state of the only purchase there is."""
    (purchase,) = await office.there.purchases.list_all()
    return purchase.state  # type: ignore[no-any-return]


async def numbers_of(office: Office) -> list[str]:
    """What the workspace has from the provider."""
    return [number.e164 for number in await office.there.numbers.of_provider("simulated")]


async def test_buys_a_number(office: Office) -> None:
    """An active number of the workspace, with its renewal date, and the intent settled."""
    number = (await office.purchasing.buy(office.order(nickname="Front desk"))).number
    assert (number.e164, number.country_code, number.provider) == ("+12025550110", "1", "simulated")
    assert (number.status, number.nickname) == (NumberStatus.ACTIVE, "Front desk")
    assert number.renews_at == START + timedelta(days=30)
    assert await only_state(office) is PurchaseState.REGISTERED
    assert office.names() == ["number.buying", "number.bought"]
    assert (await office.there.history(number.id))[0].by == "test"


async def test_kyc_comes_first(office: Office) -> None:
    """Without KYC nothing is asked of the provider."""
    await office.there.workspaces.change(office.workspace_id, {"kyc_verified": False}, "test")
    with pytest.raises(Forbidden, match="KYC is not verified"):
        await office.purchasing.buy(office.order())
    assert not await office.there.purchases.list_all()


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"number": "12"}, "phoneNumber"),
        ({"country_iso": "XX"}, "countryISO"),
        ({"country_iso": "GB"}, "countryISO"),
        ({"country_iso": "CA"}, "countryISO"),
        ({"provider": "twilio"}, "telephonyProviderId"),
        ({"nickname": "Front\ndesk"}, "nickname"),
    ],
)
async def test_orders_that_make_no_sense(
    store: SqlStore, office: Office, order: dict[str, str], field: str
) -> None:
    """Everything is checked before anything is written down or paid for; Canada is not sold."""
    selling = open_office(store, office.workspace_id, prices={"US": "300.00", "GB": "400"})
    with pytest.raises(InvalidInput) as told:
        await selling.purchasing.buy(office.order(**order))
    assert told.value.field == field
    assert not await office.there.purchases.list_all()


async def test_the_same_order_again_is_the_same_number(office: Office) -> None:
    """With a key or without one, a repeated order gives the number that was bought."""
    first = (await office.purchasing.buy(office.order(key="k1"))).number
    assert (await office.purchasing.buy(office.order(key="k1"))).number.id == first.id
    assert (await office.purchasing.buy(office.order())).number.id == first.id
    assert len(await office.there.purchases.list_all()) == 1


async def test_a_key_is_for_one_number(office: Office) -> None:
    """A key that bought another number is refused, naming that number."""
    await office.purchasing.buy(office.order(key="k1"))
    with pytest.raises(Conflict, match=r"\+12025550110"):
        await office.purchasing.buy(office.order("+12025550111", key="k1"))


async def test_somebody_else_has_it(office: Office, store: SqlStore) -> None:
    """A number that is registered already, here or by another workspace, is a conflict."""
    await office.purchasing.buy(office.order())
    from gateway.routing.table import Workspace

    other = await office.there.workspaces.add(Workspace(new_id("org"), "Other", kyc_verified=True), "test")
    rival = open_office(store, other.id, office.provider)
    with pytest.raises(Conflict, match="Phone number already registered"):
        await rival.purchasing.buy(rival.order())
    linked = PhoneNumber(new_id("phn"), other.id, "+12025550120")
    await office.there.numbers.add(linked, "test")
    with pytest.raises(Conflict, match="Phone number already registered"):
        await office.purchasing.buy(office.order("+12025550120"))


async def test_a_refusal_fails_and_can_be_tried_again(office: Office) -> None:
    """What the provider refuses is told in its words; the same order may be given again, with its key."""
    office.provider.failures.append(ProviderRefused("Plivo refused (400): insufficient balance"))
    with pytest.raises(Upstream, match="insufficient balance"):
        await office.purchasing.buy(office.order(key="k1"))
    assert await only_state(office) is PurchaseState.FAILED
    number = (await office.purchasing.buy(office.order(key="k1"))).number
    assert number.status is NumberStatus.ACTIVE
    assert await only_state(office) is PurchaseState.REGISTERED


async def test_a_number_that_is_gone(office: Office) -> None:
    """Taken by another buyer: a conflict, and nothing is left open."""
    await office.provider.buy("+12025550110")
    with pytest.raises(Conflict, match="choose another"):
        await office.purchasing.buy(office.order())
    assert await only_state(office) is PurchaseState.FAILED


async def test_a_lost_answer_is_settled_by_the_buyer_who_asks_again(office: Office) -> None:
    """The provider did it, its answer was lost: asking again finds the number and buys nothing."""
    office.provider.late_failures.append(LOST)
    with pytest.raises(Upstream, match="nothing is bought twice") as told:
        await office.purchasing.buy(office.order())
    assert told.value.retry_after == 5
    assert await numbers_of(office) == []
    number = (await office.purchasing.buy(office.order())).number
    assert number.status is NumberStatus.ACTIVE
    assert office.names().count("number.buying") == 1


async def test_a_lost_answer_is_settled_by_the_sweep(office: Office) -> None:
    """Nobody asks again: the sweep finds the number and registers it for the workspace."""
    office.provider.late_failures.append(LOST)
    with pytest.raises(Upstream):
        await office.purchasing.buy(office.order())
    office.wait(5)
    await office.rentals.sweep()
    assert await numbers_of(office) == ["+12025550110"]
    assert await only_state(office) is PurchaseState.REGISTERED


async def test_a_purchase_that_never_happened(office: Office) -> None:
    """Only after `settle_seconds` without a trace it counts as failed; what arrives late is not lost."""
    office.provider.failures.append(LOST)
    with pytest.raises(Upstream):
        await office.purchasing.buy(office.order())
    for _ in range(4):
        office.wait(29)
        await office.rentals.sweep()
    assert await only_state(office) is PurchaseState.REQUESTED
    office.wait(60)
    await office.rentals.sweep()
    assert await only_state(office) is PurchaseState.FAILED
    assert office.told[-1][0] == "number.purchase_failed"


async def test_a_purchase_that_happened_late(office: Office) -> None:
    """The provider carries a request out after we have asked whether it did."""
    office.provider.failures.append(LOST)
    with pytest.raises(Upstream):
        await office.purchasing.buy(office.order())
    office.wait(30)
    await office.rentals.sweep()
    await office.provider.buy("+12025550110")
    office.wait(60)
    await office.rentals.sweep()
    assert await numbers_of(office) == ["+12025550110"]


@pytest.mark.parametrize("bought", [True, False], ids=["bought", "never-asked"])
async def test_a_crash_is_settled_at_the_next_start(office: Office, store: SqlStore, bought: bool) -> None:
    """The process died between intent and answer; its next start asks the provider, once."""
    intent = office.purchasing._intent(office.order(), "+12025550110", "US")
    await office.there.purchases.begin(intent)
    if bought:
        await office.provider.buy("+12025550110")
    again = open_office(store, office.workspace_id, office.provider)
    again.wait(1 if bought else 200)
    await again.purchasing.settle_left_over()
    assert await numbers_of(office) == (["+12025550110"] if bought else [])
    assert await only_state(office) is (PurchaseState.REGISTERED if bought else PurchaseState.FAILED)


async def test_a_crash_between_provider_and_register(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database goes away after the provider said yes: the next look registers the number."""

    async def away(*_: object, **__: object) -> None:
        raise StoreError("the database does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(type(office.there.numbers), "add", away)
        with pytest.raises(StoreError):
            await office.purchasing.buy(office.order())
    assert await only_state(office) is PurchaseState.BOUGHT
    office.wait(60)
    await office.rentals.sweep()
    assert await numbers_of(office) == ["+12025550110"]


async def test_two_buyers_at_once(office: Office, store: SqlStore) -> None:
    """The same order by two processes at once: one number, one purchase, at most one is told to wait."""
    twin = open_office(store, office.workspace_id, office.provider)
    done = await asyncio.gather(
        office.purchasing.buy(office.order()),
        twin.purchasing.buy(twin.order()),
        return_exceptions=True,
    )
    assert all(isinstance(each, Bought | Upstream | Conflict) for each in done), done
    assert any(isinstance(each, Bought) for each in done)
    assert await numbers_of(office) == ["+12025550110"]
    assert len(await office.there.purchases.list_all()) == 1


async def test_pending_numbers_become_active(office: Office) -> None:
    """A number of a country that asks for proofs is pending, asked after later each time, then active."""
    office.provider._pending = timedelta(seconds=500)
    number = (await office.purchasing.buy(office.order("+442079460001", country_iso="GB"))).number
    assert number.status is NumberStatus.PENDING
    waits = []
    for _ in range(30):
        (purchase,) = await office.there.purchases.list_all()
        if purchase.due_at is None:
            break
        waits.append((purchase.due_at - office.now).total_seconds())
        office.now = purchase.due_at
        await office.rentals.sweep()
    assert waits == [60, 60, 120, 240, 480]
    assert (await office.there.numbers.get(number.id)).status is NumberStatus.ACTIVE
    assert office.names()[-1] == "number.activated"


async def test_the_sweep_claims_before_it_asks(office: Office, store: SqlStore) -> None:
    """Of two gateways that sweep at once, one looks at a row."""
    office.provider.late_failures.append(LOST)
    with pytest.raises(Upstream):
        await office.purchasing.buy(office.order())
    office.wait(5)
    (purchase,) = await office.there.purchases.due(office.now)
    until = office.now + timedelta(seconds=60)
    claims = await asyncio.gather(*(office.there.purchases.claim(purchase, until) for _ in range(2)))
    assert [claim is None for claim in claims].count(False) == 1
    assert await office.there.purchases.due(office.now) == []
