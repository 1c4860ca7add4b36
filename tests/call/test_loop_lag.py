"""Nothing that people configure keeps the event loop, and with it all audio, for long."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.config.loading import load_config
from gateway.net.clock import MediaClock
from gateway.routing.rating import Rate, RateDeck
from gateway.routing.table import PhoneNumber, Trunk
from gateway.store.configuration.values import Value, columns_of
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import numbers, trunks
from gateway.store.tables import Calling
from tests.cost import no_collector, slowness
from tests.store.furnished import Furnished, furnish

NUMBERS, TRUNKS, RATES, BIG = 10_000, 1000, 100_000, 40
"`BIG` of the trunks have a thousand networks each."
SECONDS = 6
MOST, GAP, PACKET = 0.010, 0.030, 0.020
"Seconds: the loop's absence, the gap between two RTP packets, and what it is undisturbed."


class Watch:
    """How long the loop was away at a time, as far as this process was at work meanwhile.

    What other processes take of the processor is no stall of ours.
    """

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        """Look every few milliseconds until cancelled."""
        while True:
            began, worked = time.monotonic(), time.process_time()
            await asyncio.sleep(0.005)
            late = time.monotonic() - began - 0.005
            self.worst = max(self.worst, min(late, time.process_time() - worked))


class MediaWatch:
    """How late the media clock's beats are, and with them all RTP, as far as this process is to blame."""

    def __init__(self, clock: MediaClock) -> None:
        self._clock = clock
        self._worked = time.process_time()
        self.worst = 0.0

    def tick(self, _now: float) -> None:
        """On every beat of the clock."""
        worked = time.process_time()
        self.worst = max(self.worst, min(self._clock.behind, worked - self._worked))
        self._worked = worked


def deck(cents: int) -> RateDeck:
    """A hundred thousand prefixes, one of them at another price."""
    rate = Rate("Somewhere", Decimal("0.5"))
    entries = {str(10_000_000 + at): rate for at in range(RATES)}
    entries["10000000"] = Rate("Somewhere else", Decimal(cents) / 100)
    made = RateDeck("INR")
    made.extend(entries.items())
    return made


async def pour(gateway: Gateway, made: list[Value]) -> None:
    """Many at once, past the rules and the history."""
    table = trunks if isinstance(made[0], Trunk) else numbers
    box, now = gateway.store.configuration.numbers.editing.box, datetime.now(UTC)
    async with gateway.store._database.writing() as connection:
        for at in range(0, len(made), 500):
            rows = [{**columns_of(value, box), "created_at": now} for value in made[at : at + 500]]
            await connection.execute(table.insert(), rows)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Gateway, Furnished]]:
    """A real gateway with as much in it as the bound speaks of."""
    environ = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path),
        "TRUNKLINE_HTTP__PORT": "0",
        "TRUNKLINE_SIP__LISTENERS__0__TRANSPORT": "udp",
        "TRUNKLINE_SIP__LISTENERS__0__BIND": "127.0.0.1",
        "TRUNKLINE_SIP__LISTENERS__0__PORT": "0",
    }
    gateway = Gateway(load_config(None, environ))
    await gateway.start()
    there = await furnish(gateway.store)
    many: list[Value] = [
        PhoneNumber(
            new_id("phn"),
            there.workspace.id,
            f"+1202{5_000_000 + at}",
            outbound_version_id=there.published.id,
        )
        for at in range(NUMBERS)
    ]
    await pour(gateway, many)
    carriers: list[Value] = [
        Trunk(
            new_id("trunk"),
            there.workspace.id,
            f"T{at}",
            sources=tuple(f"10.{at % 256}.{n // 256}.{n % 256}" for n in range(1000 if at < BIG else 2)),
        )
        for at in range(TRUNKS)
    ]
    await pour(gateway, carriers)
    await gateway.store.configuration.trunks.change(carriers[0].id, {"name": "Changed"}, "test")
    await gateway.store.configuration.decks.put("plivo", deck(1), "test")
    await gateway.store.refresh()
    yield gateway, replace(there, trunk=carriers[0])  # type: ignore[arg-type]  # it is a trunk
    await gateway.close()


async def change(gateway: Gateway, there: Furnished, turn: int) -> None:
    """A nickname, an assignment, a trunk with a thousand networks, one after the other."""
    nouns = gateway.store.configuration
    await nouns.numbers.change(there.number.id, {"nickname": f"N{turn}"}, "test")
    await nouns.numbers.assign(there.number.id, "outbound", there.published.id, "test", latest=turn % 2 == 0)
    sources = tuple(f"11.{turn}.{n // 256}.{n % 256}" for n in range(1000))
    await nouns.trunks.change(there.trunk.id, {"sources": sources}, "test")


async def decide(gateway: Gateway, there: Furnished) -> float:
    """An inbound decision and an outbound one; the seconds that the slower one took."""
    began = time.monotonic()
    inbound = await gateway.store.routing_table(there.number.e164)
    middle = time.monotonic()
    outbound = await gateway.store.outbound_table(Calling(there.workspace.id, there.agent.id, None))
    assert (len(inbound.numbers), len(outbound.numbers)) == (1, 1)
    return max(middle - began, time.monotonic() - middle)


@pytest.mark.alone
async def test_no_change_keeps_the_loop(house: tuple[Gateway, Furnished], tmp_path: Path) -> None:
    """With changes of everything each second, and a decision each way after them."""
    gateway, there = house
    with no_collector():
        await asyncio.sleep(0.1)
        watch, media = Watch(), MediaWatch(gateway.parts.clock)
        beat = gateway.parts.clock.join(media.tick, 5)
        watching = asyncio.create_task(watch.run())
        rates = asyncio.create_task(_import_rates(gateway, tmp_path))
        for turn in range(SECONDS):
            await change(gateway, there, turn)
            await decide(gateway, there)
            await asyncio.sleep(1.0)
        await rates
        gateway.parts.clock.leave(beat)
        watching.cancel()
    factor = slowness()
    told = f"loop {watch.worst:.4f} s, beats {media.worst:.4f} s, on a machine {factor:.2f} times as slow"
    assert watch.worst <= MOST * factor, told
    assert PACKET + media.worst <= GAP * factor, told
    read = gateway.registry.get_sample_value
    assert (read("trunkline_loop_lag_seconds_count") or 0) > SECONDS * 50
    assert gateway.loop_lag.worst == read("trunkline_loop_lag_worst_seconds")


async def _import_rates(gateway: Gateway, folder: Path) -> None:
    """A rate changes each second, as `gateway rates import` changes it: in a process of its own."""
    for cents in range(2, 2 + SECONDS // 2):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", IMPORT, str(folder), str(cents)), stdout=asyncio.subprocess.DEVNULL
        )
        assert await child.wait() == 0
        await asyncio.sleep(0.5)


IMPORT = """
import asyncio, sys
from gateway.config.loading import load_config
from gateway.store.sql import open_store
from tests.call.test_loop_lag import deck

async def main():
    config = load_config(None, {"TRUNKLINE_GATEWAY__DATA_DIR": sys.argv[1]})
    store = await open_store(config, serving=False)
    await store.configuration.decks.put("plivo", deck(int(sys.argv[2])), "test")
    await store.close()

asyncio.run(main())
"""
