"""How fast new calls may come: a flood from one source is held off, and costs no other its way in."""

from gateway.call.newcomers import MOST_SOURCES, Newcomers


def taken(newcomers: Newcomers, source: str, calls: int, begin: float, seconds: float) -> int:
    """How many of so many calls, evenly over so long, are let in."""
    return sum(newcomers.in_pace(source, begin + seconds * call / calls) for call in range(calls))


def test_the_pace_holds_for_one_source() -> None:
    """It gets a second's worth at once, what is due by the second, and the little that any source has."""
    newcomers = Newcomers(100, 10)
    let_in = taken(newcomers, "10.0.0.1", 10_000, 100.0, 10.0)
    assert 1000 <= let_in <= 1100 + 60


def test_a_source_that_sends_few_gets_in_beside_a_flood() -> None:
    """Two calls a second of one carrier, beside ten thousand of another."""
    newcomers = Newcomers(100, 10)
    light = 0
    for moment in range(10_000):
        now = 100.0 + moment / 1000
        newcomers.in_pace("10.0.0.1", now)
        if moment % 500 == 0:
            light += newcomers.in_pace("10.0.0.2", now)
    assert light == 20


def test_many_forged_sources_do_not_get_past_the_reserve() -> None:
    """A flood from thousands of addresses gets the pace and a quarter, and little memory."""
    newcomers = Newcomers(100, 10)
    let_in = sum(
        newcomers.in_pace(f"10.0.{call % 250}.{call // 250 % 250}", 100.0 + call / 5000)
        for call in range(50_000)
    )
    assert let_in <= 1.25 * 1100 + 5
    assert len(newcomers._light) <= MOST_SOURCES


def test_calls_without_an_ack_are_bounded_for_each_source() -> None:
    """And counted off when the ACK comes, or the call is over."""
    newcomers = Newcomers(100, 2)
    newcomers.answered("10.0.0.1")
    assert not newcomers.too_many("10.0.0.1")
    newcomers.answered("10.0.0.1")
    assert newcomers.too_many("10.0.0.1")
    assert not newcomers.too_many("10.0.0.2")
    newcomers.settled("10.0.0.1")
    assert not newcomers.too_many("10.0.0.1")
    newcomers.settled("10.0.0.1")
    assert not newcomers._waiting
