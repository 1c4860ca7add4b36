"""What calls came to whose gateway was killed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.config.settings import Config
from gateway.store.engine.ids import new_id
from gateway.store.money.purses import Purse
from gateway.store.records.calls import EPOCH, CallFilter, CallRow
from gateway.store.records.closing import close_all
from gateway.store.sql import SqlStore, open_store
from tests.store.furnished import Furnished

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEGAN_MS = 5_000_000
"The monotonic clock at T0."
LEFT = CallRow(
    id="call_left",
    direction="outbound",
    status="sent",
    created_at=T0,
    answered_at=T0 + timedelta(seconds=2.5),
    workspace_id="org_1",
    to_number="+919812345678",
    currency="INR",
    rate=Decimal("0.60"),
    increment="6/6",
    connection_fee=Decimal("0.05"),
    prepaid=True,
    epoch_ms=(T0 - EPOCH) // timedelta(milliseconds=1) - BEGAN_MS,
)


def closed(row: CallRow, died_ms: int | None, *, balance: str = "100") -> CallRow:
    """The row as the next start closes it."""
    (found,) = close_all([row], died_ms, {}, {"org_1": Purse(Decimal(balance), Decimal(0))})
    return found


@pytest.mark.parametrize("step", [timedelta(0), timedelta(hours=1), timedelta(hours=-1)])
def test_a_call_ends_at_the_last_sign_of_life(step: timedelta) -> None:
    """By the monotonic clock: a call that began after the wall clock was set lies in its new time."""
    began = replace(
        LEFT,
        created_at=T0 + step,
        answered_at=T0 + step + timedelta(seconds=2.5),
        epoch_ms=(LEFT.epoch_ms or 0) + step // timedelta(milliseconds=1),
    )
    found = closed(began, BEGAN_MS + 20_750)
    assert found.ended_at == T0 + step + timedelta(seconds=20.75)
    assert found.duration_ms == 18_250
    assert (found.billed_seconds, found.price) == (24, Decimal("0.29"))


@pytest.mark.parametrize("died_ms", [None, 0, BEGAN_MS + 1000])
def test_its_own_record_is_a_sign_of_life(died_ms: int | None) -> None:
    """A call answered after the last beat lived until then at least."""
    found = closed(LEFT, died_ms)
    assert (found.ended_at, found.duration_ms) == (LEFT.answered_at, 0)
    assert found.billed_seconds == 6


def test_an_unanswered_call_is_free() -> None:
    """And has no length."""
    found = closed(replace(LEFT, answered_at=None), BEGAN_MS + 9000)
    assert (found.ended_at, found.duration_ms) == (T0 + timedelta(seconds=9), 0)
    assert (found.billed_seconds, found.price) == (0, Decimal(0))


def test_no_more_is_charged_than_the_wallet_could_pay() -> None:
    """As where the call was ended for want of money; two calls share what there is."""
    found = closed(LEFT, BEGAN_MS + 62_500, balance="0.30")
    assert (found.duration_ms, found.billed_seconds, found.price) == (60_000, 24, Decimal("0.29"))
    both = close_all([LEFT, LEFT], BEGAN_MS + 32_500, {}, {"org_1": Purse(Decimal("0.60"), Decimal("0.05"))})
    assert [one.price for one in both] == [Decimal("0.35"), Decimal("0.17")]


def test_a_call_that_is_not_prepaid_is_charged_whatever_is_in_the_wallet() -> None:
    """It is billed later."""
    assert closed(replace(LEFT, prepaid=False), BEGAN_MS + 62_500, balance="0").price == Decimal("0.65")


async def test_closing_again_changes_and_charges_nothing(
    config: Config, store: SqlStore, furnished: Furnished
) -> None:
    """A kill during the recovery is a kill like any other."""
    workspace = furnished.workspace
    await store.wallets.open(workspace, Decimal(100), "test")
    row = replace(LEFT, id=new_id("call"), workspace_id=workspace.id)
    store.save_call(row)
    await store.flush()
    (first,) = (await store.close_open_calls(BEGAN_MS + 20_750)).closed
    again = await open_store(config)
    assert (await again.close_open_calls(BEGAN_MS + 99_000)).closed == ()
    await again.close()
    assert (await store.list_calls(CallFilter())).calls == (first,)
    assert first.price == Decimal("0.29")
    assert (await store.wallets.get(workspace.id)).balance == Decimal("99.71")
    assert await store.untold_calls() == [row.id]


async def test_a_clock_set_back_keeps_no_record_open(store: SqlStore) -> None:
    """The order of the closed record is above that of the open one all the same."""
    store.save_call(replace(LEFT, prepaid=False))
    store._writer._order += 10**18
    store.save_call(replace(LEFT, prepaid=False, status="initiated"))
    await store.flush()
    store._writer._order = 0
    assert [row.status for row in (await store.close_open_calls(None)).closed] == ["failed"]
    found = await store.get_call("call_left")
    assert found is not None
    assert found.status == "failed"


async def test_calls_that_ended_just_before_are_told_of_again(store: SqlStore) -> None:
    """Their webhooks may not have been filed; after a stop that was none of a kill they were."""
    for number, seconds in enumerate((0, 3600, 3630)):
        ended_at = T0 + timedelta(seconds=seconds)
        store.save_call(replace(LEFT, id=f"call_{number}", ended_at=ended_at, prepaid=False))
    await store.flush()
    assert (await store.close_open_calls(BEGAN_MS)).ended == ("call_1", "call_2")
    assert (await store.close_open_calls(None)).ended == ()
