"""Guessing gets slower with each failure, and only for who guesses."""

from gateway.call.throttle import FORGET_SECONDS, LONGEST_WAIT, REMEMBERED, Throttle

KEYS = [("pair", 3), ("source", 10)]


def test_some_failures_are_free() -> None:
    """Mistyping a few times costs nothing."""
    throttle = Throttle()
    throttle.failed(KEYS, 0)
    throttle.failed(KEYS, 0)
    assert throttle.wait(KEYS, 0) == 0


def test_waits_grow() -> None:
    """Each further failure doubles the wait, up to a bound."""
    throttle = Throttle()
    waits = []
    for _ in range(30):
        throttle.failed(KEYS, 0)
        waits.append(throttle.wait(KEYS, 0))
    assert waits[:5] == [0, 0, 2, 4, 8]
    assert max(waits) == LONGEST_WAIT


def test_waiting_helps() -> None:
    """When the wait is over the next try is heard; after long enough all is forgotten."""
    throttle = Throttle()
    for _ in range(4):
        throttle.failed(KEYS, 100)
    assert throttle.wait(KEYS, 101) == 3
    assert throttle.wait(KEYS, 104) == 0
    throttle.failed(KEYS, 100 + FORGET_SECONDS + 1)
    assert throttle.wait(KEYS, 100 + FORGET_SECONDS + 1) == 0


def test_success_forgives() -> None:
    """Who was right after all starts anew."""
    throttle = Throttle()
    for _ in range(5):
        throttle.failed(KEYS, 0)
    throttle.succeeded("pair")
    assert throttle.wait([("pair", 3)], 0) == 0
    assert throttle.wait([("other", 3)], 0) == 0


def test_memory_is_bounded() -> None:
    """A flood of names costs no more memory than the bound."""
    throttle = Throttle()
    for number in range(REMEMBERED + 500):
        throttle.failed([(f"name {number}", 1)], 0)
    assert len(throttle._failures) == REMEMBERED
