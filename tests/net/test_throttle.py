"""What floods waits its turn: a small part of the time for all that wait, and an end for who goes on."""

from collections.abc import Callable

from gateway.net.throttle import MOST, NAP, SHARE, Account, Throttle

Callback = Callable[[], None]


class World:
    """A loop and a clock of our own work, both numbers."""

    def __init__(self) -> None:
        self.now = 50.0
        self.worked = 0.0
        self._due: list[tuple[float, Callback]] = []

    def time(self) -> float:
        return self.now

    def spent(self) -> float:
        return self.worked

    def call_soon(self, callback: Callback) -> object:
        return self.call_at(self.now, callback)

    def call_at(self, when: float, callback: Callback) -> "World":
        self._due.append((when, callback))
        return self

    def cancel(self) -> None:
        raise AssertionError("nothing of the throttle's is cancelled")

    def run(self, seconds: float) -> None:
        """Let time pass; work takes some of it."""
        end = self.now + seconds
        while self._due and min(self._due)[0] <= end:
            self._due.sort(key=lambda entry: entry[0])
            when, callback = self._due.pop(0)
            self.now = max(self.now, when)
            before = self.worked
            callback()
            self.now += self.worked - before
        self.now = max(self.now, end)


class Sender:
    """A connection with so many messages that wait, each of which costs so much."""

    def __init__(self, world: World, name: str, messages: int, cost: float, log: list[str]) -> None:
        self.account: Account | None = None
        self.left = messages
        self.warned = 0
        self.over = False
        self._world, self._name, self._cost, self._log = world, name, cost, log

    def work(self) -> bool:
        self.left -= 1
        self._world.worked += self._cost
        self._log.append(self._name)
        return self.left > 0

    def warn(self) -> None:
        self.warned += 1

    def cut_off(self) -> None:
        self.over = True


def test_all_that_wait_together_get_a_part_of_the_time() -> None:
    """Ten that flood cost no more than one does, and no round takes longer than it may."""
    for count in (1, 10):
        world, log = World(), list[str]()
        throttle = Throttle(1e9, spent=world.spent)
        for place in range(count):
            throttle.hold(Sender(world, f"{place}", 1_000_000, 1e-5, log), world)
        world.run(10.0)
        assert 0.8 * SHARE < world.worked / 10.0 < 1.1 * SHARE
        shares = [log.count(f"{place}") for place in range(count)]
        assert max(shares) - min(shares) <= 1, "each has its turn"


def test_no_round_is_long() -> None:
    """What is done at once is bounded, however long nothing had to be done before."""
    world, log = World(), list[str]()
    throttle = Throttle(1e9, spent=world.spent)
    world.run(1000.0)
    throttle.hold(Sender(world, "a", 1_000_000, 1e-5, log), world)
    world.run(NAP / 2)
    assert world.worked <= MOST + 1e-5


def test_a_minute_of_speech_is_a_moment_late_and_nobody_is_told() -> None:
    """3000 messages of 5 µs are done within a fifth of a second, and are no flood."""
    world, log = World(), list[str]()
    throttle = Throttle(1.0, spent=world.spent)
    sender = Sender(world, "a", 3000, 5e-6, log)
    throttle.hold(sender, world)
    world.run(0.2)
    assert sender.left == 0
    assert (sender.warned, sender.over) == (0, False)


def test_who_goes_on_is_told_and_then_cut_off() -> None:
    """By the time that we spent, whatever it was spent on; the telling comes once and well before."""
    world, log = World(), list[str]()
    throttle = Throttle(1.0, spent=world.spent)
    sender = Sender(world, "a", 10**9, 1e-5, log)
    throttle.hold(sender, world)
    world.run(2.0)
    assert (sender.warned, sender.over) == (0, False)
    world.run(2.0)
    assert (sender.warned, sender.over) == (1, False)
    world.run(10.0)
    assert (sender.warned, sender.over) == (1, True)
    done = len(log)
    world.run(10.0)
    assert len(log) == done, "and nothing more is done for it"


def test_what_was_spent_is_forgotten_while_it_behaves() -> None:
    """A prompt a minute, all day, is nobody's flood."""
    world, log = World(), list[str]()
    throttle = Throttle(1.0, spent=world.spent)
    sender = Sender(world, "a", 0, 5e-6, log)
    for _ in range(500):
        sender.left = 3000
        throttle.hold(sender, world)
        world.run(60.0)
    assert (sender.left, sender.warned, sender.over) == (0, 0, False)


def test_a_message_that_takes_long_is_paid_for_by_all_that_wait() -> None:
    """20 ms of work at once are followed by a fifth of a second without any."""
    world, log = World(), list[str]()
    throttle = Throttle(1e9, spent=world.spent)
    throttle.hold(Sender(world, "big", 100, 0.02, log), world)
    world.run(2.0)
    assert 8 <= len(log) <= 11


def test_one_that_is_over_has_no_more_turns() -> None:
    """`let_go` takes it out, and does nothing for one that does not wait."""
    world, log = World(), list[str]()
    throttle = Throttle(1.0, spent=world.spent)
    sender, other = Sender(world, "a", 100, 1e-5, log), Sender(world, "b", 3, 1e-5, log)
    throttle.hold(sender, world)
    throttle.hold(other, world)
    throttle.let_go(sender)
    throttle.let_go(sender)
    world.run(1.0)
    assert log == ["b"] * 3
