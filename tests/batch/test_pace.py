"""How fast calls begin, with which number, and when a batch stops itself."""

from collections import Counter

import pytest

from gateway.batch.guard import BLAMED, CODES, Blame, Guard
from gateway.batch.pace import FromNumber, Pace, Rota
from gateway.call.record import EndReason
from gateway.routing.number import E164, parse_e164


@pytest.mark.parametrize("per_second", [0.5, 5.0, 50.0])
def test_a_pace_is_kept(per_second: float) -> None:
    """Over twenty seconds no more calls begin than it allows, and no fewer, however often it is asked."""
    pace, begun, now = Pace(per_second), 0, 100.0
    while now < 120.0:
        wait = pace.wait(now)
        if not wait:
            pace = pace.take(now)
            begun += 1
        now += wait or 0.001
    assert begun == pytest.approx(20 * per_second, abs=2)
    assert pace.wait(now + 100) == 0.0  # what was not used is not saved up
    assert pace.take(now + 100).wait(now + 100) == pytest.approx(1 / per_second)


def test_no_pace() -> None:
    """Has no due time."""
    pace = Pace(None)
    assert pace.take(0.0, 1000) == pace
    assert pace.wait(0.0) == 0.0


def number(e164: str) -> FromNumber:
    """A from-number whose id is its digits."""
    return FromNumber.of(e164, e164)


def callee(e164: str) -> E164:
    """Somebody to call."""
    found = parse_e164(e164)
    assert found is not None
    return found


def free(_: FromNumber) -> bool:
    """No number is taken."""
    return True


@pytest.mark.parametrize(
    ("called", "country", "chosen"),
    [
        ("+12125550100", "US", "+12125550199"),
        ("+14155550100", "US", "+14155550199"),
        ("+14165550100", "CA", "+14165550199"),
        ("+16045550100", "CA", "+14165550199"),
        ("+442071234567", "GB", "+442079460018"),
        ("+441211234567", "GB", "+441214960018"),
        ("+447911123456", "GB", "+442079460018"),
        ("+13125550100", "US", "+12125550199"),
        ("+919876543210", "IN", "+12125550199"),
    ],
)
def test_local_presence(called: str, country: str, chosen: str) -> None:
    """The area code first, then the country, then whichever has rested longest."""
    own = ("+12125550199", "+14155550199", "+14165550199", "+442079460018", "+441214960018")
    found = Rota(tuple(map(number, own))).choose(callee(called), country, free)
    assert found is not None
    assert found[0].e164 == chosen


def test_area_codes_that_look_alike() -> None:
    """212 and 213 are three thousand miles apart."""
    rota = Rota((number("+13125550199"), number("+12135550199")))
    found = rota.choose(callee("+12125550100"), "US", free)
    assert found is not None
    assert found[0].e164 == "+13125550199"


def test_numbers_take_turns() -> None:
    """Among equals each is used as often, also where the nearest take their calls apart."""
    own = ("+919810000001", "+919810000002", "+918040000003", "+12125550199")
    rota, used = Rota(tuple(map(number, own))), Counter[str]()
    for _ in range(90):
        found = rota.choose(callee("+919876543210"), "IN", free)
        assert found is not None
        chosen, rota = found
        used[chosen.e164] += 1
    assert used == {own[0]: 30, own[1]: 30, own[2]: 30}


def test_a_full_number_is_passed_over() -> None:
    """The next nearest is taken, and none where all are full."""
    rota = Rota((number("+12125550199"), number("+14155550199")))
    found = rota.choose(callee("+12125550100"), "US", lambda each: each.e164 != "+12125550199")
    assert found is not None
    assert found[0].e164 == "+14155550199"
    assert rota.choose(callee("+12125550100"), "US", lambda _: False) is None


def watched(reasons: list[EndReason], rows: int = 10, share: float = 0.5) -> Guard:
    """A guard that has seen these endings."""
    guard = Guard(rows, share)
    for reason in reasons:
        guard = guard.seen(reason, f"told of {reason}")
    return guard


FINE, DOWN = EndReason.USER_DID_NOT_PICK_UP, EndReason.SIP_TRUNK_UNREACHABLE


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ([DOWN] * 9, None),
        ([DOWN] * 10, "trunk_failing"),
        ([FINE] * 5 + [DOWN] * 5, None),
        ([FINE] * 4 + [DOWN] * 6, "trunk_failing"),
        ([DOWN] * 6 + [FINE] * 5, None),
        ([FINE] * 100, None),
        ([EndReason.USER_BUSY] * 20, None),
        ([EndReason.AGENT_UNREACHABLE] * 7 + [FINE] * 3, "agent_failing"),
        ([EndReason.UNALLOCATED_PHONE_NUMBER] * 9 + [FINE], None),
        ([EndReason.UNALLOCATED_PHONE_NUMBER] * 10, "numbers_unknown"),
    ],
)
def test_the_guard_stops_what_fails(reasons: list[EndReason], code: str | None) -> None:
    """Most of the last rows, and not before so many have ended; people who do not pick up are no failure."""
    stop = watched(reasons).stop()
    assert (None if stop is None else stop.code) == code


def test_the_guard_says_why() -> None:
    """With figures, the last failure's own words, and what mends it."""
    stop = watched([FINE] * 3 + [DOWN] * 7).stop()
    assert stop is not None
    assert "the trunk failed for 7 of the last 10 calls" in stop.why
    assert "told of sip_trunk_unreachable" in stop.why
    assert stop.why.endswith("then resume.")
    assert set(CODES) == set(Blame)


def test_a_sleeping_guard() -> None:
    """No rows: it never stops, and keeps nothing; a share of all: it never stops either."""
    assert watched([DOWN] * 50, rows=0) == Guard(0)
    assert watched([DOWN] * 50, rows=0).stop() is None
    assert watched([DOWN] * 50, share=1.0).stop() is None
    assert len(watched([DOWN] * 50).last) == 10


def test_those_who_are_blamed_exist() -> None:
    """Each is an end reason that calls have."""
    assert set(BLAMED) <= set(EndReason)
