"""Run something until a call's ending is known."""

import asyncio
from types import TracebackType
from typing import Any

from gateway.call.record import Ending


class Ended(Exception):
    """The call has ended while something was still under way; carries the ending."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


class until:  # noqa: N801 – read as a verb, like asyncio.timeout
    """Cancel the body as soon as `over` has a result, and raise `Ended` with it.

    As `asyncio.timeout`, with an ending in the place of the clock. A class, as that is: the frame that
    `contextlib` has around a generator keeps the cancellation, whose traceback keeps the frame, and with it
    all that the call had, until the collector comes (Python 3.12 and later).
    """

    __slots__ = ("_interrupted", "_over", "_task")

    def __init__(self, over: "asyncio.Future[Ending]") -> None:
        self._over = over
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False

    async def __aenter__(self) -> None:
        if self._over.done():
            raise Ended(self._over.result())
        self._task = asyncio.current_task()
        self._over.add_done_callback(self._interrupt)

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.remove_done_callback(self._interrupt)
        if self._is_ours(kind):
            # A task group that was cancelled has it in a frame, which its traceback has.
            assert raised is not None
            raised.__traceback__ = None
            raise Ended(self._over.result()) from None

    def _interrupt(self, _: object) -> None:
        assert self._task is not None
        self._interrupted = True
        self._task.cancel()

    def _is_ours(self, kind: type[BaseException] | None) -> bool:
        """Whether the body ends by our own cancellation, and by no other."""
        if not self._interrupted or kind is None or not issubclass(kind, asyncio.CancelledError):
            return False
        assert self._task is not None
        return self._task.uncancel() == 0
