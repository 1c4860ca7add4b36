"""The E-model against what ITU-T recommendations say comes out of it."""

import itertools

import pytest

from gateway.media.emodel import G711_BARE, G711_CONCEALED, mean_opinion, rating


def test_a_perfect_connection() -> None:
    """With every parameter at its default R is 93.2 (G.107, clause 7.7)."""
    assert rating() == pytest.approx(93.2, abs=0.05)


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_the_scale_of_opinions(r: float, mos: float) -> None:
    """The borders of the categories of user satisfaction (G.107 table B.1)."""
    assert mean_opinion(r) == pytest.approx(mos, abs=0.01)


def test_the_ends_of_the_scale() -> None:
    """1 and 4.5, and never outside."""
    assert (mean_opinion(-3), mean_opinion(0), mean_opinion(100), mean_opinion(120)) == (1.0, 1.0, 4.5, 4.5)
    assert all(1 <= mean_opinion(r / 10) <= 4.5 for r in range(1001))


@pytest.mark.parametrize(
    ("loss", "burst", "codec", "impairment"),
    [
        (1, 1, G711_BARE, 95 * 1 / (1 + 4.3)),
        (2, 1, G711_CONCEALED, 95 * 2 / (2 + 25.1)),
        (2, 2, G711_CONCEALED, 95 * 2 / (1 + 25.1)),
        (10, 4, G711_BARE, 95 * 10 / (2.5 + 4.3)),
    ],
)
def test_loss(loss: float, burst: float, codec: object, impairment: float) -> None:
    """Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl) (clause 7.5), with G.113's values for G.711."""
    assert codec in (G711_BARE, G711_CONCEALED)
    chosen = G711_BARE if codec == G711_BARE else G711_CONCEALED
    r = rating(loss_percent=loss, burst_ratio=burst, codec=chosen)
    assert rating() - r == pytest.approx(impairment)


@pytest.mark.parametrize(
    ("ms", "r"), [(50, 91.8), (100, 90.7), (150, 89.5), (200, 85.8), (300, 72.7), (400, 62.2)]
)
def test_delay(ms: float, r: float) -> None:
    """One way, with the echo of default telephones: nobody minds 150 ms, many mind 400 (G.114)."""
    assert rating(one_way_ms=ms) == pytest.approx(r, abs=0.1)


def test_worse_is_never_better() -> None:
    """More delay or more loss lowers R, from nothing to absurd values."""
    delays = [rating(one_way_ms=ms) for ms in range(0, 5000, 10)]
    losses = [rating(loss_percent=loss / 2) for loss in range(300)]
    assert all(later <= earlier + 0.2 for earlier, later in itertools.pairwise(delays))
    assert losses == sorted(losses, reverse=True)
    assert rating(one_way_ms=-5, loss_percent=-1) == rating()
