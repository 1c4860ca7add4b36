"""A body that runs until a call's ending is known."""

import asyncio

import pytest

from gateway.call.record import Ending, EndReason, Status
from gateway.call.until import Ended, until

ENDING = Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "caller", "the caller hung up")


async def test_the_body_ends_first() -> None:
    """Without an ending the body runs to its end, and is not disturbed afterwards."""
    over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    async with until(over):
        await asyncio.sleep(0)
    over.set_result(ENDING)
    await asyncio.sleep(0.01)


async def test_the_ending_comes_first() -> None:
    """The body is interrupted where it waits, and the ending is raised."""
    over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, over.set_result, ENDING)
    with pytest.raises(Ended) as ended:
        async with until(over):
            await asyncio.sleep(60)
    assert ended.value.ending is ENDING
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_ended_before_it_began() -> None:
    """With an ending already there the body is not begun."""
    over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    over.set_result(ENDING)
    with pytest.raises(Ended):
        async with until(over):
            raise AssertionError("it was begun")


async def test_inside_a_timeout_of_the_body() -> None:
    """An ending passes through the body's own timeouts, and is not taken for one of them."""
    over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, over.set_result, ENDING)
    with pytest.raises(Ended):
        async with until(over), asyncio.timeout(60):
            await asyncio.sleep(60)


async def test_cancelled_from_outside() -> None:
    """A cancellation by somebody else stays one."""
    over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def body() -> None:
        async with until(over):
            await asyncio.sleep(60)

    task = asyncio.get_running_loop().create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
