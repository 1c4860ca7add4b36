"""How long is waited: learnt, bounded, forgotten."""

import pytest

from gateway.media.patience import Patience


def test_it_sinks_to_its_floor() -> None:
    """Half of what is above it is forgotten every ten seconds."""
    patience = Patience(0.02, 0.12, 0.06)
    assert patience.wait(0.0) == pytest.approx(0.06)
    assert patience.wait(10.0) == pytest.approx(0.04)
    assert patience.wait(300.0) == pytest.approx(0.02)


def test_it_learns_what_would_have_been_enough() -> None:
    """A little more than the latest that came, and a shorter delay does not lower it."""
    patience = Patience(0.02, 0.12, 0.02)
    patience.came(0.04, 1.0)
    patience.came(0.01, 1.0)
    assert patience.wait(1.0) == pytest.approx(0.05)


def test_it_never_exceeds_its_bound() -> None:
    """However late; and what no wait could have caught teaches nothing."""
    patience = Patience(0.02, 0.12, 0.02)
    patience.came(5.0, 1.0)
    assert patience.wait(1.0) == pytest.approx(0.02)
    patience.came(0.119, 1.0)
    assert patience.wait(1.0) == 0.12


def test_a_bound_below_the_floor() -> None:
    """`media.reorder_ms = 0` waits for nothing."""
    assert Patience(0.02, 0.0, 0.06).wait(0.0) == 0.0
