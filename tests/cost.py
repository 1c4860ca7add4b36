"""What a piece of work costs, in a measure that a slow or busy machine does not change."""

from collections.abc import Callable
from time import process_time

ROUNDS = 30_000
"Rounds of the yardstick that take a millisecond on an idle machine."
TRIES = 5


def cost(work: Callable[[], object]) -> float:
    """CPU milliseconds of an idle machine: the work's best of a few tries, against a yardstick's beside them.

    A neighbour that takes half the processor, or its caches, slows both; a quadratic mistake slows one.
    """
    tries = [(_seconds(work), _seconds(_yardstick)) for _ in range(TRIES)]
    return min(one for one, _ in tries) / min(one for _, one in tries)


def _seconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began


def _yardstick() -> int:
    return sum(one * one for one in range(ROUNDS))
