"""Long work on the event loop, in slices so short that no call hears of it."""

import asyncio
from collections.abc import Callable, Generator
from time import perf_counter
from typing import TypeVar

SLICE_SECONDS = 0.003
"A packet of audio is due every 0.02 s; a step of the work begins only within a slice."

T = TypeVar("T")


def _never() -> bool:
    return False


def _nothing() -> None:
    """Nobody is told."""


async def in_slices(
    work: Generator[float, None, T],
    *,
    busy: Callable[[], bool] = _never,
    pause: Callable[[], None] = _nothing,
    slice_seconds: float = SLICE_SECONDS,
) -> T:
    """Do the work to its end, and give way between slices; `pause` is called with each.

    The work yields how many seconds there is nothing to do, mostly none. While `busy` says that calls run, it
    rests as long as it worked, so that it never has more than half of the core. Cancelled, it is closed.
    """
    try:
        while True:
            ends = perf_counter() + slice_seconds
            while True:
                try:
                    rest = next(work)
                except StopIteration as done:
                    result: T = done.value
                    return result
                if rest or perf_counter() >= ends:
                    break
            pause()
            await asyncio.sleep(rest or (slice_seconds if busy() else 0.0))
    finally:
        work.close()
