"""The way of messages to the broker: in order, over outages, restarts and disks that do not want."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.events.bus import Event, EventBus
from gateway.events.outbox import TOLD_EVERY, WINDOW, Outbox
from gateway.net.mqtt import Publication
from gateway.store.engine.errors import StoreError
from gateway.store.engine.queue import DiskQueue

SECONDS = 10.0


class Wire:
    """A broker connection that the test holds in its hand."""

    def __init__(self, up: bool = True) -> None:
        self.got: list[Publication] = []
        self.batches: list[int] = []
        self.takes = 1 << 30
        "Messages that it acknowledges before it is lost."
        self.up = asyncio.Event()
        if up:
            self.up.set()
        self._news = asyncio.Event()

    async def connected(self) -> None:
        """Wait for the test to say so."""
        await self.up.wait()

    async def publish(self, publications: list[Publication], /) -> int:
        """Acknowledge as many as the test lets through; all of them have arrived."""
        await asyncio.sleep(0)
        self.got += publications
        self.batches.append(len(publications))
        done = min(len(publications), self.takes)
        self.takes -= done
        if done < len(publications):
            self.up.clear()
        self._news.set()
        return done

    async def until(self, count: int) -> list[str]:
        """Wait for so many messages; their payloads."""
        async with asyncio.timeout(SECONDS):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return [each.payload.decode() for each in self.got]


class World:
    """An outbox on a folder, with what it told."""

    def __init__(self, folder: Path, wire: Wire, items: int = 10_000) -> None:
        self.events: list[Event] = []
        self.queue = DiskQueue(folder / "outbox.queue", items, 10_000_000)
        self.outbox = Outbox(self.queue, wire, EventBus(self.events.append), items)

    def put(self, *numbers: int) -> None:
        """Have these published."""
        for number in numbers:
            self.outbox.put(Publication(f"calls/{number % 3}", str(number).encode()))


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    """From `open` to `close`."""
    await world.outbox.open()
    task = asyncio.create_task(world.outbox.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await world.outbox.close()


def texts(*numbers: int) -> list[str]:
    """Payloads."""
    return [str(number) for number in numbers]


async def test_messages_go_out_in_order_and_leave_nothing(tmp_path: Path) -> None:
    """At most a window of them is under way, and what is acknowledged waits no more."""
    wire = Wire()
    async with running(World(tmp_path, wire)) as world:
        world.put(*range(100))
        assert await wire.until(100) == texts(*range(100))
        async with asyncio.timeout(SECONDS):
            await world.outbox.empty()
        assert world.outbox.waiting == 0
        assert world.outbox.counters == {"published": 100, "dropped": 0}
        assert max(wire.batches) <= WINDOW


async def test_what_was_not_acknowledged_goes_out_again_under_the_same_number(tmp_path: Path) -> None:
    """After an outage delivery goes on with the first message that has no acknowledgement."""
    wire = Wire()
    wire.takes = 5
    async with running(World(tmp_path, wire)) as world:
        world.put(*range(10))
        await wire.until(6)
        await asyncio.sleep(0.05)
        first = list(wire.got)
        wire.takes = 1000
        wire.up.set()
        async with asyncio.timeout(SECONDS):
            await world.outbox.empty()
    numbers = [int(dict(each.properties)["sequence"]) for each in wire.got]
    again = wire.got[len(first) :]
    assert [each.payload.decode() for each in again] == texts(*range(5, 10))
    assert numbers[len(first) :] == sorted(set(numbers))[5:]
    assert len(set(numbers)) == 10


async def test_a_restart_replays_what_waits(tmp_path: Path) -> None:
    """What a run could not publish the next one does, before its own."""
    async with running(World(tmp_path, Wire(up=False))) as world:
        world.put(*range(30))
        assert world.outbox.waiting == 30
    wire = Wire()
    async with running(World(tmp_path, wire)) as world:
        world.put(30)
        assert await wire.until(31) == texts(*range(31))


async def test_what_is_settled_survives_a_kill(tmp_path: Path) -> None:
    """Once it is said to be on disk it is there, whoever reads the file."""
    world = World(tmp_path, Wire(up=False))
    async with running(world):
        world.put(1, 2, 3)
        async with asyncio.timeout(SECONDS):
            await world.outbox.settled()
        other = DiskQueue(tmp_path / "outbox.queue", 100, 10_000)
        other.open()
        assert other.items == 3
        other.close()


async def test_a_full_queue_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    """The newest are delivered in order; the lost ones are counted, and told a few times only."""
    wire = Wire(up=False)
    async with running(World(tmp_path, wire, items=200)) as world:
        for number in range(3000):
            world.put(number)
            if number % 50 == 0:
                await world.outbox.settled()
        await world.outbox.settled()
        dropped = world.outbox.counters["dropped"]
        assert world.outbox.waiting == 3000 - dropped <= 200
        told = [event for event in world.events if event.name == "mqtt.dropped"]
        assert 1 <= len(told) <= 2 + 3000 // TOLD_EVERY
        wire.up.set()
        assert await wire.until(3000 - dropped) == texts(*range(dropped, 3000))


async def test_a_disk_that_refuses_costs_no_message(tmp_path: Path) -> None:
    """They stay in memory, in order, until it takes them; one line says what is wrong."""
    wire = Wire()
    world = World(tmp_path, wire)
    append = world.queue.append
    trouble = [True]

    def failing(items: list[bytes]) -> int:
        if trouble[0]:
            raise StoreError("disk full")
        return append(items)

    world.queue.append = failing  # type: ignore[method-assign,assignment]
    async with running(world):
        world.put(1, 2)
        async with asyncio.timeout(SECONDS):
            while not world.events:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        world.put(3)
        trouble[0] = False
        assert await wire.until(3) == texts(1, 2, 3)
    assert [event.name for event in world.events] == ["mqtt.queue_failed"]
