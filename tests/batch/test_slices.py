"""Long work on the event loop, in slices."""

import asyncio
from collections.abc import Generator
from time import perf_counter

import pytest

from gateway.batch.slices import in_slices


def work(steps: int, log: list[str]) -> Generator[float, None, str]:
    """So many steps."""
    try:
        for _ in range(steps):
            yield 0.0
        return "done"
    finally:
        log.append("closed")


async def test_work_gives_way_and_has_a_result() -> None:
    """Others run between its slices, and it says so each time."""
    log: list[str] = []
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    pauses: list[int] = []
    found = await in_slices(work(2000, log), slice_seconds=0.0, pause=lambda: pauses.append(turns))
    beside.cancel()
    assert (found, log) == ("done", ["closed"])
    assert turns > 100
    assert pauses == sorted(pauses)


async def test_work_that_waits_is_waited_for() -> None:
    """Where it says that there is nothing to do, nothing is done."""

    def waiting() -> Generator[float, None, int]:
        asked = 0
        for _ in range(3):
            yield 0.02
            asked += 1
        return asked

    began = perf_counter()
    assert await in_slices(waiting()) == 3
    assert perf_counter() - began >= 0.05  # a loop tells time in milliseconds


async def test_beside_calls_it_rests_as_long_as_it_works() -> None:
    """Half of the core stays theirs."""

    def busy() -> Generator[float, None, float]:
        worked = 0.0
        for _ in range(40):
            began = perf_counter()
            while perf_counter() - began < 0.001:
                pass
            worked += perf_counter() - began
            yield 0.0
        return worked

    began = perf_counter()
    worked = await in_slices(busy(), busy=lambda: True, slice_seconds=0.002)
    assert perf_counter() - began > 1.7 * worked


async def test_cancelled_work_is_closed() -> None:
    """And what it raises reaches whoever waits for it."""
    log: list[str] = []
    task = asyncio.create_task(in_slices(work(10_000_000, log)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["closed"]

    def failing() -> Generator[float, None, None]:
        yield 0.0
        raise KeyError("x")

    with pytest.raises(KeyError):
        await in_slices(failing())
