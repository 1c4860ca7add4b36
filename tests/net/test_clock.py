"""The media clock: one timer, every call at its packet time, spread over the beats."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from gateway.net.clock import GRID, MediaClock


class Loop:
    """A loop whose time is a number; it has room for the one timer that a clock may have."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timer: tuple[float, Callable[[], None]] | None = None

    def time(self) -> float:
        """The number."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "Loop":
        """Set the timer."""
        assert self.timer is None, "a second timer"
        self.timer = when, callback
        return self

    def cancel(self) -> None:
        """Unset the timer."""
        self.timer = None

    def advance(self, seconds: float) -> None:
        """Let time pass, firing each timer when it is due."""
        end = self.now + seconds
        while self.timer is not None and self.timer[0] <= end + 1e-9:
            (when, callback), self.timer = self.timer, None
            self.now = max(self.now, when)
            callback()
        self.now = end

    def stall(self, seconds: float) -> None:
        """Do nothing for so long."""
        self.now += seconds


class CoarseLoop(Loop):
    """A loop whose time has steps of a millisecond, and whose timers are rounded to them, as uvloop's are."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.milliseconds = round(now * 1000)
        self.now = self.milliseconds / 1000
        self.timers = 0

    def call_at(self, when: float, callback: Callable[[], None]) -> "Loop":
        """Set the timer; one of no time at all fires within the same millisecond."""
        self.timers += 1
        return super().call_at((self.milliseconds + round((when - self.now) * 1000)) / 1000, callback)

    def advance(self, seconds: float) -> None:
        """Let time pass, a millisecond at a time; a loop goes round some ten times in one."""
        for _ in range(round(seconds * 1000)):
            for _ in range(10):
                if self.timer is not None and self.timer[0] <= self.now:
                    (_, callback), self.timer = self.timer, None
                    callback()
            self.milliseconds += 1
            self.now = self.milliseconds / 1000


@pytest.fixture
def loop() -> Loop:
    """Virtual time."""
    return Loop()


def started(loop: Loop, errors: list[Exception] | None = None) -> MediaClock:
    """A clock that runs on virtual time."""
    clock = MediaClock((errors if errors is not None else []).append)
    clock.start(loop)
    return clock


@pytest.mark.parametrize(
    ("milliseconds", "ticks"), [(10, 100), (20, 50), (30, 33), (40, 25), (60, 17), (1000, 1)]
)
def test_a_tick_runs_at_its_packet_time(loop: Loop, milliseconds: int, ticks: int) -> None:
    """In a second a tick of 20 ms runs 50 times, and every other packet time likewise."""
    clock = started(loop)
    times: list[float] = []
    clock.join(times.append, milliseconds)
    loop.advance(1.0)
    assert abs(len(times) - ticks) <= 1
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert all(abs(step - milliseconds / 1000) < 1e-6 for step in steps)


@pytest.mark.parametrize("start", [0.001, 100.0, 23_456.789, 1_234_567.333])
def test_no_beat_is_waited_for_in_circles(start: float) -> None:
    """Whatever sums of 5 ms round to, where time has steps each beat is struck at its step, by one timer."""
    loop = CoarseLoop(start)
    clock = started(loop)
    times: list[float] = []
    clock.join(times.append, 20)
    loop.advance(10.0)
    assert loop.timers <= 10 / GRID + 2
    assert len(times) in (499, 500)
    assert {round(1000 * (later - earlier)) for earlier, later in pairwise(times)} == {20}


def test_calls_are_spread_over_the_beats(loop: Loop) -> None:
    """Of a hundred calls of 20 ms a quarter sends at each of the four beats."""
    clock = started(loop)
    times: list[float] = []
    for _ in range(100):
        clock.join(times.append, 20)
    loop.advance(0.0201)
    assert sorted(times.count(time) for time in set(times)) == [25, 25, 25, 25]


def test_who_has_left_gets_no_tick(loop: Loop) -> None:
    """Leaving stops the ticks, also from within a tick, and twice is as good as once."""
    clock = started(loop)
    seen: list[float] = []

    def once(now: float) -> None:
        seen.append(now)
        clock.leave(beat)
        clock.leave(beat)

    beat = clock.join(once, 20)
    loop.advance(1.0)
    assert len(seen) == 1


def test_a_stall_is_caught_up_within_bounds(loop: Loop) -> None:
    """After 100 ms without the loop each tick is made up for; after a minute most are skipped and counted."""
    clock = started(loop)
    times: list[float] = []
    clock.join(times.append, 20)
    loop.stall(0.1)
    loop.advance(0.0)
    assert len(times) == 5
    loop.stall(60)
    loop.advance(GRID)
    assert len(times) <= 7
    assert clock.skipped_beats == pytest.approx(60 / GRID, abs=2)


def test_a_clock_knows_how_late_it_is(loop: Loop) -> None:
    """Each tick can ask by how much its beat is late; on time, that is nothing."""
    clock = started(loop)
    behind: list[float] = []
    clock.join(lambda now: behind.append(clock.behind), 20)
    loop.advance(1.0)
    assert max(behind) < 1e-6
    behind.clear()
    loop.stall(0.1)
    loop.advance(GRID)
    assert max(behind) == pytest.approx(0.1, abs=0.011)
    assert behind == sorted(behind, reverse=True)
    loop.advance(0.1)
    assert behind[-1] < 1e-6


@pytest.mark.parametrize(("stall", "lateness"), [(0.1, 0.01), (0.5, 0.16), (2.0, 0.98), (60.0, 30.0)])
def test_lateness_is_remembered_for_a_while(loop: Loop, stall: float, lateness: float) -> None:
    """A standstill shows, the longer the more, and is forgotten within seconds."""
    clock = started(loop)
    loop.advance(1.0)
    assert clock.lateness < 1e-6
    loop.stall(stall)
    loop.advance(0.0)
    assert clock.lateness == pytest.approx(lateness, rel=0.2)
    loop.advance(2.0 if stall < 60 else 5.0)
    assert clock.lateness < 0.02


def test_a_loop_that_is_always_late_is_known_for_it(loop: Loop) -> None:
    """Beats that come 50 ms late, one after the other, make it as late as they are."""
    clock = started(loop)
    for _ in range(40):
        loop.stall(0.05)
        loop.advance(0.0)
    assert clock.lateness == pytest.approx(0.025, rel=0.2), "half of the time that a round takes"


def test_a_tick_that_raises_does_not_stop_the_others(loop: Loop) -> None:
    """An error of one call is reported, and the other calls go on."""
    errors: list[Exception] = []
    clock = started(loop, errors)
    times: list[float] = []

    def broken(now: float) -> None:
        raise ValueError("broken")

    clock.join(broken, 20)
    clock.join(times.append, 20)
    loop.advance(0.1)
    assert len(times) == 5
    assert len(errors) == 5


def test_a_stopped_clock_is_silent(loop: Loop) -> None:
    """Nothing runs after `stop`."""
    clock = started(loop)
    times: list[float] = []
    clock.join(times.append, 20)
    clock.stop()
    loop.advance(1.0)
    assert not times
