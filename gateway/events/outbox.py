"""Messages on their way to the broker: from memory to disk at once, from disk in their order."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol, TypeVar

import msgspec

from gateway.events.bus import EventBus
from gateway.net.mqtt import Publication
from gateway.store.engine.errors import StoreError
from gateway.store.engine.queue import DiskQueue, Queued

WINDOW = 20
"Messages under way at once: as many as brokers take by default (Mosquitto's receive maximum)."
RETRY_SECONDS = 1.0
"Between attempts on a disk that refuses."
TOLD_EVERY = 1000
"Dropped messages for each line in the log."

T = TypeVar("T")


class Line(Protocol):
    """The way to the broker, as the outbox sees it."""

    async def connected(self) -> None:
        """Wait until there is a connection."""
        ...

    async def publish(self, publications: list[Publication], /) -> int:
        """Publish in this order; how many from the front are acknowledged."""
        ...


class Outbox:
    """A queue that calls never wait for: `put` from anywhere on the loop, `run` it beside.

    What has to go is on disk within milliseconds, and leaves it when the broker has acknowledged it. So a
    broker that is away, and a gateway that is killed, cost nothing but time; until the bounds are reached and
    the oldest give way, counted and told.
    """

    def __init__(self, queue: DiskQueue, line: Line, bus: EventBus, max_items: int) -> None:
        """`max_items` bounds what is in memory only, while the disk refuses."""
        self._queue = queue
        self._line = line
        self._bus = bus
        self._max_items = max_items
        self._pending: deque[bytes] = deque()
        self._writing: list[bytes] = []
        self._came = asyncio.Event()
        self._stored = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._emptied = asyncio.Event()
        # One thread: the queue's calls come one at a time, and in their order.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._is_refusing = False
        self.counters: Counter[str] = Counter(published=0, dropped=0)
        "Messages `published` and `dropped`."

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return self._queue.items + len(self._pending) + len(self._writing)

    async def open(self) -> None:
        """Take up what an earlier run left; StoreError where the disk refuses."""
        if not await self._on_disk(self._queue.open):
            why = "the queue's file could not be read; it was moved aside, and a new one begun"
            self._bus.tell("mqtt.queue_failed", level="error", error=why)

    def put(self, publication: Publication) -> None:
        """Have this published; neither waits nor fails."""
        self._pending.append(msgspec.msgpack.encode(publication))
        if len(self._pending) > self._max_items:
            self._pending.popleft()
            self._dropped(1)
        self._settled.clear()
        self._emptied.clear()
        self._came.set()

    async def settled(self) -> None:
        """Wait until everything so far is on disk."""
        await self._settled.wait()

    async def run(self) -> None:
        """Store and send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store())
            tasks.create_task(self._send())

    async def empty(self) -> None:
        """Wait until the broker has everything."""
        await self._emptied.wait()

    async def close(self) -> None:
        """Put what is left on disk, and let go of it; after `run`."""
        try:
            await self._write()
            await self._on_disk(self._queue.close)
        except StoreError as error:
            self._bus.tell("mqtt.queue_failed", level="error", error=str(error))
        self._disk.shutdown()

    async def _store(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                await self._write()
            except StoreError as error:
                self._refused(error)
                await asyncio.sleep(RETRY_SECONDS)
                self._came.set()

    async def _write(self) -> None:
        """All that is in memory goes to the disk as one transaction."""
        if not self._pending:
            return
        items = self._writing = list(self._pending)
        self._pending.clear()
        try:
            dropped = await self._on_disk(lambda: self._queue.append(items))
        except StoreError:
            self._pending.extendleft(reversed(items))
            raise
        finally:
            self._writing = []
        self._is_refusing = False
        self._dropped(dropped)
        if not self._pending:
            self._settled.set()
        self._stored.set()

    async def _send(self) -> None:
        while True:
            await self._line.connected()
            try:
                batch = await self._next()
                if sent := await self._line.publish([_publication(each) for each in batch]):
                    await self._forget(batch[sent - 1])
                    self.counters["published"] += sent
            except StoreError as error:
                self._refused(error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _forget(self, last: Queued) -> None:
        await self._on_disk(lambda: self._queue.forget(last.id))

    async def _next(self) -> list[Queued]:
        """The oldest messages; waits for the first."""
        while True:
            self._stored.clear()
            if not self.waiting:
                self._emptied.set()
            if batch := await self._on_disk(lambda: self._queue.read(WINDOW)):
                return batch
            await self._stored.wait()

    def _refused(self, error: StoreError) -> None:
        if not self._is_refusing:
            self._is_refusing = True
            self._bus.tell("mqtt.queue_failed", level="error", error=str(error))

    def _dropped(self, count: int) -> None:
        before = self.counters["dropped"]
        self.counters["dropped"] += count
        if count and (not before or before // TOLD_EVERY != self.counters["dropped"] // TOLD_EVERY):
            self._bus.tell(
                "mqtt.dropped", level="error", dropped=self.counters["dropped"], waiting=self.waiting
            )

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _publication(queued: Queued) -> Publication:
    """The message, with its number: who has seen a higher one of this gateway has seen this one, too."""
    publication = msgspec.msgpack.decode(queued.item, type=Publication)
    return replace(publication, properties=(*publication.properties, ("sequence", str(queued.id))))
