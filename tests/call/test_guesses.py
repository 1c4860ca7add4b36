"""Guessing gets slower with each failure, and only for who guesses."""

from gateway.call.guesses import FORGET_SECONDS, LONGEST_WAIT, REMEMBERED, Guesses

KEYS = [("pair", 3), ("source", 10)]


def test_some_failures_are_free() -> None:
    """Mistyping a few times costs nothing."""
    guesses = Guesses()
    guesses.failed(KEYS, 0)
    guesses.failed(KEYS, 0)
    assert guesses.wait(KEYS, 0) == 0


def test_waits_grow() -> None:
    """Each further failure doubles the wait, up to a bound."""
    guesses = Guesses()
    waits = []
    for _ in range(30):
        guesses.failed(KEYS, 0)
        waits.append(guesses.wait(KEYS, 0))
    assert waits[:5] == [0, 0, 2, 4, 8]
    assert max(waits) == LONGEST_WAIT


def test_waiting_helps() -> None:
    """When the wait is over the next try is heard; after long enough all is forgotten."""
    guesses = Guesses()
    for _ in range(4):
        guesses.failed(KEYS, 100)
    assert guesses.wait(KEYS, 101) == 3
    assert guesses.wait(KEYS, 104) == 0
    guesses.failed(KEYS, 100 + FORGET_SECONDS + 1)
    assert guesses.wait(KEYS, 100 + FORGET_SECONDS + 1) == 0


def test_success_forgives() -> None:
    """Who was right after all starts anew."""
    guesses = Guesses()
    for _ in range(5):
        guesses.failed(KEYS, 0)
    guesses.succeeded("pair")
    assert guesses.wait([("pair", 3)], 0) == 0
    assert guesses.wait([("other", 3)], 0) == 0


def test_memory_is_bounded() -> None:
    """A flood of names costs no more memory than the bound."""
    guesses = Guesses()
    for number in range(REMEMBERED + 500):
        guesses.failed([(f"name {number}", 1)], 0)
    assert len(guesses._failures) == REMEMBERED
