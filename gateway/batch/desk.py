"""Writes what becomes of recipients, many in one transaction: a commit costs more than all the rest."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from gateway.store.batches.values import Move
from gateway.store.engine.errors import StoreError, Unacceptable
from gateway.store.engine.tenure import NameLost

MOST = 200
"Moves that share a transaction."
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
"Pauses between attempts while the database is away; the last one goes on."


class Moving(Protocol):
    """Moves recipients in one transaction; see `Queue.move`."""

    async def move(self, owner: str, moves: Sequence[Move]) -> list[bool]:
        """Of each, whether it was the owner's to move."""
        ...


class Desk:
    """The one task that moves recipients: `run` it, and `move` from anywhere on the loop."""

    def __init__(self, queue: Moving, owner: str) -> None:
        self._queue = queue
        self._owner = owner
        self._waiting: deque[tuple[Move, asyncio.Future[bool]]] = deque()
        self._came = asyncio.Event()

    async def move(self, move: Move) -> bool:
        """Have a move written, and wait until it is; False where the recipient was not ours any more.

        While the database is away this waits for it. Raises `NameLost` where another process has our name.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((move, written))
        self._came.set()
        return await written

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                await self._write(some)

    async def _write(self, some: Sequence[tuple[Move, "asyncio.Future[bool]"]]) -> None:
        try:
            held = await self._insist([move for move, _ in some])
        except Unacceptable as error:
            await self._single_out(some, error)
            return
        except BaseException as error:
            for _, written in some:
                _fail(written, error)
            if not isinstance(error, NameLost):
                raise
            return
        for (_, written), is_ours in zip(some, held, strict=True):
            if not written.done():
                written.set_result(is_ours)

    async def _single_out(
        self, some: Sequence[tuple[Move, "asyncio.Future[bool]"]], error: Unacceptable
    ) -> None:
        """One move that can never be written must not keep the others out."""
        if len(some) == 1:
            _fail(some[0][1], error)
            return
        for one in some:
            await self._write([one])

    async def _insist(self, moves: Sequence[Move]) -> list[bool]:
        """Try until the database takes them: what it may have taken already changes nothing a second time."""
        attempt = 0
        while True:
            try:
                return await self._queue.move(self._owner, moves)
            except (NameLost, Unacceptable):
                raise
            except StoreError:
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1


def _fail(written: "asyncio.Future[bool]", error: BaseException) -> None:
    if written.done():
        return
    if isinstance(error, asyncio.CancelledError):
        written.cancel()
    else:
        written.set_exception(error)
