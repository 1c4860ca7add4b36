"""Run something until a call's ending is known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.call.record import Ending


class Ended(Exception):
    """The call has ended while something was still under way; carries the ending."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


@asynccontextmanager
async def until(over: "asyncio.Future[Ending]") -> AsyncIterator[None]:
    """Cancel the body as soon as `over` has a result, and raise `Ended` with it.

    As `asyncio.timeout`, with an ending in the place of the clock.
    """
    if over.done():
        raise Ended(over.result())
    task = asyncio.current_task()
    assert task is not None
    interrupted = False

    def interrupt(_: object) -> None:
        nonlocal interrupted
        interrupted = True
        task.cancel()

    over.add_done_callback(interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if interrupted and task.uncancel() == 0:
            raise Ended(over.result()) from None
        raise
    finally:
        over.remove_done_callback(interrupt)
