"""New calls are refused while beats are late for long, and only then."""

from typing import Any

from gateway.net.overload import Overload

LIMIT = 0.010


class Told:
    """What was told, by name."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self.events.append((name, {"level": level, **fields}))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def beaten(overload: Overload, begin: float, seconds: float, late: float) -> float:
    """A beat every 20 ms that is so late."""
    now = begin
    while now < begin + seconds:
        overload.look(now + late, late)
        now += 0.02
    return now


def test_beats_in_time_refuse_nobody() -> None:
    """Nor does a lateness below the limit, however long."""
    told = Told()
    overload = Overload(LIMIT, told, lambda: 100, 50)
    beaten(overload, 0.0, 60.0, 0.009)
    assert not overload.refuse()
    assert (overload.shed, told.names) == (0, [])


def test_lateness_that_lasts_refuses_calls_soon() -> None:
    """Within a third of a second where beats are twice as late as they may be, and one line says so."""
    told = Told()
    overload = Overload(LIMIT, told, lambda: 100, 50)
    now = beaten(overload, 0.0, 5.0, 0.001)
    beaten(overload, now, 0.45, 0.020)
    assert overload.refuse()
    assert told.names == ["gateway.overloaded"]
    assert told.events[0][1]["level"] == "warning"


def test_one_hiccup_refuses_nobody() -> None:
    """Whether its beats are made up for at once or skipped, from a twentieth of a second to two."""
    for hiccup in (0.05, 0.1, 0.2, 0.5, 2.0):
        told = Told()
        overload = Overload(LIMIT, told, lambda: 100, 50)
        now = beaten(overload, 0.0, 5.0, 0.001) + hiccup
        for beat in range(round(min(hiccup, 0.2) / 0.02)):
            overload.look(now, min(hiccup, 0.2) - 0.02 * beat)
        beaten(overload, now + 0.02, 5.0, 0.001)
        assert told.names == [], hiccup


def test_what_follows_a_hiccup_refuses_for_about_a_second() -> None:
    """Half a second of catching up behind it is soon forgotten."""
    told = Told()
    overload = Overload(LIMIT, told, lambda: 100, 50)
    now = beaten(overload, 0.0, 5.0, 0.001) + 2.0
    now = beaten(overload, now, 0.5, 0.100)
    assert overload.shedding
    beaten(overload, now, 1.2, 0.001)
    assert not overload.shedding
    assert told.names == ["gateway.overloaded", "gateway.calm"]


def test_it_does_not_flutter() -> None:
    """Between half of the limit and all of it nothing changes."""
    told = Told()
    overload = Overload(LIMIT, told, lambda: 100, 50)
    now = beaten(overload, 0.0, 2.0, 0.030)
    now = beaten(overload, now, 10.0, 0.007)
    assert overload.shedding
    beaten(overload, now, 2.0, 0.002)
    assert not overload.shedding
    assert told.names == ["gateway.overloaded", "gateway.calm"]


def test_refused_calls_are_counted_and_told_once_a_second() -> None:
    """A flood of them makes one line a second."""
    told = Told()
    overload = Overload(LIMIT, told, lambda: 100, 50)
    now = beaten(overload, 0.0, 1.0, 0.030)
    for _ in range(50):
        for _ in range(100):
            assert overload.refuse()
        now = beaten(overload, now, 0.1, 0.030)
    assert overload.shed == 5000
    lines = [fields for name, fields in told.events if name == "gateway.shedding"]
    assert 4 <= len(lines) <= 6
    assert sum(fields["refused"] for fields in lines) <= 5000
    beaten(overload, now, 3.0, 0.0)
    lines = [fields for name, fields in told.events if name == "gateway.shedding"]
    assert sum(fields["refused"] for fields in lines) == 5000
    assert told.names[-1] == "gateway.calm"


def test_few_calls_are_not_what_makes_it_late() -> None:
    """A busy machine is no reason to refuse the third call; and it is over when the calls are."""
    told, running = Told(), [49]
    overload = Overload(LIMIT, told, lambda: running[0], 50)
    now = beaten(overload, 0.0, 5.0, 0.050)
    assert not overload.refuse()
    running[0] = 50
    now = beaten(overload, now, 0.1, 0.050)
    assert overload.refuse()
    running[0] = 49
    beaten(overload, now, 0.1, 0.050)
    assert not overload.refuse()
    assert told.names == ["gateway.overloaded", "gateway.shedding", "gateway.calm"]
