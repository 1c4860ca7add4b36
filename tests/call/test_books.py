"""Gateways that are processes of their own: started twice, killed, stopped in a hurry, their clock set."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.sip.events import ByeReceived
from tests.call.phone import Leg, Phone, until
from tests.call.runtime import Runtime
from tests.call.test_wallet_kill import SEED, wallet
from tests.call.world import CALLEE, NUMBER
from tests.hook_receiver import Receiver, receiving
from tests.interop.sipp import free_port

# Processes of their own: one at a time, and on the loop that the gateway takes.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(480)]

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long step(void) {
    char text[32] = {0};
    int file = open(getenv("STEP_FILE"), O_RDONLY);
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int found = real(id, at);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += step();
    return found;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
"Sets the wall clock of one process, and leaves its monotonic clock alone."


@dataclass
class House:
    """A folder with a configuration, and the processes that are started from it."""

    folder: Path
    seed: str
    settings: dict[str, object]
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def http(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.settings['HTTP__PORT']}"

    def log(self, number: int = -1) -> str:
        """What a process has said."""
        return (self.folder / f"{number % len(self.processes)}.log").read_text()

    async def serve(self, **more: str) -> "subprocess.Popen[bytes]":
        """Start a process; it may still be starting."""
        (self.folder / "seed.toml").write_text(self.seed)
        environ = {f"TRUNKLINE_{name}": str(value) for name, value in self.settings.items()}
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, "-m", "gateway", "serve"],
                env=os.environ | environ | more,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    async def served(self, **more: str) -> "subprocess.Popen[bytes]":
        """Start a process, and wait until it is up."""
        process = await self.serve(**more)
        await until(lambda: "gateway.started" in self.log() or process.poll() is not None, 120)
        assert "gateway.started" in self.log(), self.log()
        return process

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        database = sqlite3.connect(f"file:{self.folder / 'data' / 'trunkline.db'}?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def client(self) -> httpx2.AsyncClient:
        """As the operator."""
        token = (self.folder / "data" / "operator.token").read_text().strip()
        return httpx2.AsyncClient(
            base_url=self.http, headers={"Authorization": f"Bearer {token}"}, trust_env=False
        )

    async def call(self, phone: Phone, agent: Runtime) -> Leg:
        """A call that goes out, and is answered."""
        async with self.client() as client:
            asked = {"phone_number": CALLEE, "from_number": NUMBER}
            answer = await client.post("/v1/calls", json=asked)
            assert answer.status_code == 201, answer.text
        leg = await phone.called()
        leg.accept()
        await (await agent.talk()).message("start")
        phone.sound.murmur()
        return leg


@pytest.fixture
async def house(agent: Runtime, phone: Phone, tmp_path: Path) -> AsyncIterator[House]:
    """A configuration with a way out to the phone."""
    first = free_port()
    settings: dict[str, object] = {
        "GATEWAY__DATA_DIR": tmp_path / "data",
        "DEMO__SEED": tmp_path / "seed.toml",
        "SIP__LISTENERS__0__PORT": first,
        "SIP__LISTENERS__1__PORT": 0,
        "HTTP__PORT": free_port(),
        "MEDIA__PORT_MIN": 42_000,
        "MEDIA__PORT_MAX": 42_999,
        "LOG__FORMAT": "json",
        "WEBHOOKS__ALLOW_HTTP": "yes",
        "WEBHOOKS__ALLOW_PRIVATE": "yes",
    }
    made = House(tmp_path, SEED.format(url=agent.url(), number=NUMBER, carrier=phone.uri()), settings)
    yield made
    for process in made.processes:
        process.kill()
        await asyncio.to_thread(process.wait)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks on loopback."""
    async with receiving() as made:
        yield made


async def ended(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """A process' exit status."""
    return await asyncio.to_thread(process.wait, seconds)


async def test_a_second_start_leaves_the_first_alone(house: House, phone: Phone, agent: Runtime) -> None:
    """It says who runs and how to mend it; the call goes on, and ends as it would have."""
    first = await house.served()
    leg = await house.call(phone, agent)
    await until(lambda: house.query("SELECT 1 FROM calls WHERE answered_at IS NOT NULL"), 10)
    before = house.query("SELECT * FROM calls")
    second = await house.serve()
    assert await ended(second, 60) == 1
    assert f"a gateway named “trunkline” is running already: process {first.pid} on " in house.log()
    assert "set gateway.name and gateway.data_dir" in house.log()
    assert "call.closed_at_start" not in house.log()
    assert house.query("SELECT * FROM calls") == before
    assert first.poll() is None
    leg.bye()
    await until(lambda: house.query("SELECT 1 FROM calls WHERE ended_at IS NOT NULL"), 10)
    assert house.query("SELECT status, end_reason FROM calls") == [("completed", "user_disconnected")]


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_clock_that_is_set_costs_nothing(
    house: House, phone: Phone, agent: Runtime, step: int
) -> None:
    """A call during which the wall clock jumps by an hour has the length and the price that it had."""
    (house.folder / "clock.c").write_text(CLOCK)
    library, file = house.folder / "clock.so", house.folder / "step"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(house.folder / "clock.c"), "-ldl"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    await house.served(LD_PRELOAD=str(library), STEP_FILE=str(file))
    leg = await house.call(phone, agent)
    await asyncio.sleep(1)
    file.write_text(str(step))
    await asyncio.sleep(1)
    leg.bye()
    await until(lambda: house.query("SELECT 1 FROM calls WHERE ended_at IS NOT NULL"), 10)
    ((duration, price, billed, created),) = house.query(
        "SELECT duration_ms, price, billed_seconds, created_at FROM calls"
    )
    assert 1500 < duration < 20_000
    assert (Decimal(price), billed) == (Decimal(2), 60)
    (line,) = [line for line in house.log().splitlines() if '"event":"call.ended"' in line]
    told = line.partition('"time":"')[2][:13]
    assert told != str(created)[:13].replace(" ", "T"), "the wall clock was set"
    async with house.client() as client:
        (call,) = (await client.get("/v1/calls")).json()
        shown = (await client.get(f"/v1/calls/{call['id']}")).json()
    assert (shown["duration_ms"], shown["duration"]) == (duration, -(-duration // 1000))
    assert seconds(shown["endedAt"]) - seconds(shown["answeredAt"]) == pytest.approx(
        duration / 1000, abs=1e-6
    )


def seconds(text: str) -> float:
    """A time of the API in seconds of its day and month."""
    day, _, rest = text.removesuffix("Z").partition("T")
    hours, minutes, more = rest.split(":")
    return int(day[-2:]) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + round(float(more), 3)


async def test_a_killed_call_is_told_of_once(
    house: House, phone: Phone, agent: Runtime, receiver: Receiver
) -> None:
    """After the restart, with the length up to the kill, which is charged; however often it is killed."""
    first = await house.served()
    await asyncio.to_thread(wallet, house.folder, "open", "Acme", "10")
    async with house.client() as client:
        events = ["call_ended", "call.failed"]
        hook = {"url": receiver.url, "events": events, "secret": "s" * 20}
        assert (await client.post("/v1/user-webhooks", json=hook)).status_code == 201
        async with asyncio.timeout(20):
            while not (await client.get("/v1/rates/quote", params={"to": CALLEE})).json()["balance"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # until the gateway has seen the wallet
    await house.call(phone, agent)
    began = time.monotonic()
    await asyncio.sleep(4)
    first.send_signal(signal.SIGKILL)
    lasted = time.monotonic() - began
    await ended(first, 10)
    for pause in (0.8, 1.0, 1.2):  # about where the calls are closed, and told of
        process = await house.serve()
        await asyncio.sleep(pause)
        process.send_signal(signal.SIGKILL)
        await ended(process, 10)
    last = await house.served()
    assert "gateway.waiting_for_name" not in house.log(), "its disk says that the other is dead"
    await until(lambda: len(receiver.bodies()) >= 2, 20)
    await asyncio.sleep(1)
    envelope, flat = sorted(receiver.bodies(), key=lambda body: "event_type" not in body)
    ((duration, price, billed, prepaid, ended_at, answered_at),) = house.query(
        "SELECT duration_ms, price, billed_seconds, prepaid, ended_at, answered_at FROM calls"
    )
    assert lasted * 1000 - 2500 < duration < lasted * 1000 + 500
    assert (Decimal(price), billed, prepaid) == (Decimal(2), 60, 1)
    debits = house.query("SELECT amount FROM wallet_entries WHERE kind = 'call'")
    assert [Decimal(amount) for (amount,) in debits] == [Decimal(-2)]
    assert envelope["payload"]["call"]["duration_in_seconds"] == flat["duration"] == -(-duration // 1000)
    assert flat["end_reason"] == "gateway_restarted"
    assert ended_at > answered_at
    logs = "".join(house.log(number) for number in range(len(house.processes)))
    assert logs.count('"event":"call.closed_at_start"') == 1
    assert '"event":"call.ended"' in logs
    assert last.poll() is None


async def test_a_second_sigterm_ends_at_once(house: House, phone: Phone, agent: Runtime) -> None:
    """After the calls have had their BYE, and their records."""
    house.settings["SIP__DRAIN_SECONDS"] = 60
    process = await house.served()
    leg = await house.call(phone, agent)
    process.send_signal(signal.SIGTERM)
    await until(lambda: "gateway.draining" in house.log(), 10)
    await asyncio.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    await leg.next(ByeReceived)
    assert await ended(process, 10) == 0
    assert time.monotonic() - began < 15
    assert house.query("SELECT status, end_reason FROM calls") == [("completed", "gateway_drained")]


async def test_a_process_that_slept_hangs_up(house: House, phone: Phone, agent: Runtime) -> None:
    """Another machine has the name and the calls by then; the one that wakes says so and ends."""
    database = f"sqlite:///{house.folder / 'data' / 'trunkline.db'}"
    sleeper = await house.served()
    leg = await house.call(phone, agent)
    await until(lambda: house.query("SELECT 1 FROM calls WHERE answered_at IS NOT NULL"), 10)
    sleeper.send_signal(signal.SIGSTOP)
    other = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(house.folder / "other"),
        "TRUNKLINE_STORE__URL": database,
        "TRUNKLINE_SECURITY__KEY_FILE": str(house.folder / "data" / "secret.key"),
        "TRUNKLINE_SIP__LISTENERS__0__PORT": "0",
        "TRUNKLINE_HTTP__PORT": "0",
    }
    began = time.monotonic()
    await house.served(**other)
    assert time.monotonic() - began > 14
    assert "gateway.waiting_for_name" in house.log()
    closed = house.query("SELECT * FROM calls")
    sleeper.send_signal(signal.SIGCONT)
    assert await ended(sleeper, 60) == 1
    await leg.next(ByeReceived)
    assert "gateway.name_lost" in house.log(0)
    assert house.query("SELECT * FROM calls") == closed
