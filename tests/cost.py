"""What a piece of work costs, in a measure that a slow or busy machine does not change."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import process_time

ROUNDS = 30_000
"Rounds of the yardstick that take a millisecond on an idle machine."
TRIES = 5


def cost(work: Callable[[], object]) -> float:
    """CPU milliseconds of an idle machine: the work's best of a few tries, against a yardstick's beside them.

    A neighbour that takes half the processor, or its caches, slows both; a quadratic mistake slows one.
    """
    tries = [(_seconds(work), _seconds(_yardstick)) for _ in range(TRIES)]
    return _against_yardstick(tries)


async def cost_of_waiting(work: Callable[[], Awaitable[object]]) -> float:
    """The same of work that a loop, and threads of this process, do for whoever awaits it."""
    tries = []
    for _ in range(TRIES):
        began = process_time()
        await work()
        tries.append((process_time() - began, _seconds(_yardstick)))
    return _against_yardstick(tries)


def _against_yardstick(tries: list[tuple[float, float]]) -> float:
    return min(one for one, _ in tries) / min(one for _, one in tries)


def _seconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began


def _yardstick() -> int:
    return sum(one * one for one in range(ROUNDS))


def slowness() -> float:
    """How many times as long as on an idle machine a piece of work takes here, now; at least once."""
    return max(1.0, min(_seconds(_yardstick) for _ in range(TRIES)) * 1000)


@contextmanager
def no_collector() -> Iterator[None]:
    """Meanwhile the collector does not run: what earlier tests left is not looked through.

    A gateway that serves spares it too (`process.spare_the_collector`).
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
