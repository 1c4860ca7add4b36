"""Two gateways on one Mosquitto: 200 requests, each placed by exactly one, whatever happens to the broker."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loading import load_config
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.sql import SqlStore, open_store
from tests.api.carrier import Carrier
from tests.interop import process
from tests.interop.process import Gateway, JsonProcess
from tests.mosquitto import NOBODY, Heard, Listener, Mosquitto, listener
from tests.store.postgresql import throw_away_cluster

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

COUNT = 200
FEW = 60
FROM = "+12125550101"
AGENT = "caller"


def seed(agent_port: int, carrier: str) -> str:
    """A workspace whose number calls out through the carrier."""
    return f"""
[[workspaces]]
name = "out"
kyc_verified = true
sip_byoc_enabled = true

[[trunks]]
workspace = "out"
name = "carrier"
sources = ["127.0.0.1"]
termination_uri = "{carrier}"
auth_mode = "ip"

[[agents]]
workspace = "out"
name = "{AGENT}"

[[agents.versions]]
runtime_url = "ws://127.0.0.1:{agent_port}/native/echo"
dialect = "native"
audio = "ulaw_8k"
state = "published"

[[numbers]]
workspace = "out"
e164 = "{FROM}"
trunk = "carrier"
sip_trunk_enabled = true
outbound = "{AGENT}/1"
"""


class World:
    """A broker, gateways that share one database, and somebody who asks and listens."""

    def __init__(
        self, folder: Path, mosquitto: Mosquitto, agent_port: int, carrier: Carrier, database: str
    ) -> None:
        self.folder = folder
        self.mosquitto = mosquitto
        self.carrier = carrier
        self._seed = seed(agent_port, carrier.uri)
        self.gateways: list[Gateway] = []
        self.heard: list[Heard] = []
        self._shared: dict[str, dict[str, object]] = {
            "store": {"url": database},
            "security": {"key_file": f"{folder}/secret.key"},
        }
        self.store: SqlStore
        self.workspace = ""
        self.key = ""

    async def furnish(self) -> None:
        """Fill the database that the gateways share, and make a key."""
        file = self.folder / "seed.toml"
        file.write_text(self._seed)
        given = {
            "TRUNKLINE_STORE__URL": str(self._shared["store"]["url"]),
            "TRUNKLINE_SECURITY__KEY_FILE": str(self._shared["security"]["key_file"]),
            "TRUNKLINE_DEMO__SEED": str(file),
        }
        self.store = await open_store(load_config(None, given), serving=False)
        (workspace,) = await self.store.configuration.workspaces.list_all()
        key, secret = await self.store.configuration.keys.add(workspace.id, "tests", "test")
        self.workspace, self.key = workspace.id, f"{key.id}:{secret}"

    def start(self, name: str) -> Gateway:
        """Start a gateway of this name."""
        own: dict[str, dict[str, object]] = {
            "gateway": {"name": name},
            "sip": {"drain_seconds": 1},
            "mqtt": {"url": self.mosquitto.url},
        }
        made = Gateway(self.folder / name, self._seed, {**self._shared, **own})
        self.gateways.append(made)
        made.wait_for(event="mqtt.connected")
        return made

    def stop(self) -> None:
        """Stop the gateways that still run."""
        for gateway in self.gateways:
            gateway.stop()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Hear everything; what comes while nobody listens is kept by the broker."""
        # Not the requests: who hears them is a subscriber, and a publisher is told of none only without any.
        topics = [f"trunkline/{what}/#" for what in ("answers", "calls", "gateways")]
        async with listener(self.mosquitto.port, *topics, client_id="ear") as ear:
            ear.heard = self.heard
            yield ear

    async def ask(self, mouth: Listener, number: int) -> None:
        """Request call `number`; again where the broker says that no gateway has subscribed yet."""
        body = {"phone_number": to(number), "from_number": FROM, "metadata": {"number": number}}
        for _ in range(300):
            code = await mouth.say(
                f"trunkline/requests/{self.workspace}/calls",
                json.dumps(body),
                response=f"trunkline/answers/{self.workspace}/test",
                correlation=str(number).encode(),
                authorization=f"Bearer {self.key}",
            )
            if code != NOBODY:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("no gateway subscribes")

    def answers(self) -> dict[int, list[dict[str, Any]]]:
        """The bodies of the answers so far, by the number of the request."""
        found: dict[int, list[dict[str, Any]]] = {}
        for each in self.heard:
            if "/answers/" in each.topic and each.correlation:
                found.setdefault(int(each.correlation), []).append(json.loads(each.payload))
        return found

    def events(self, name: str) -> set[str]:
        """The calls that have had this event."""
        return {each.topic.split("/")[3] for each in self.heard if each.topic.endswith(f"/{name}")}

    async def records(self, count: int) -> list[CallRow]:
        """All call records, once so many calls have ended."""
        async with asyncio.timeout(30):
            while True:
                found = (await self.store.list_calls(CallFilter(limit=200))).calls
                if sum(row.ended_at is not None for row in found) >= count:
                    return list(found)
                await asyncio.sleep(0.1)

    def invited(self) -> Counter[str]:
        """How often the carrier was called for each number; it hears retransmissions once."""
        return Counter(invite.request_uri.unescaped_user or "" for invite in self.carrier.invites)  # type: ignore[union-attr]


def to(number: int) -> str:
    """Whom a request calls."""
    return f"+1415555{1000 + number}"


@pytest.fixture
async def world(
    agent: JsonProcess, agent_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Two gateways that share the requests, and a carrier where everybody is busy."""
    # Five processes start on what may be a busy machine.
    monkeypatch.setattr(process, "STARTUP_SECONDS", 120.0)
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 60.0)
    async with AsyncExitStack() as stack:
        mosquitto = Mosquitto(tmp_path / "mosquitto")
        stack.callback(mosquitto.stop)
        carrier = Carrier()
        carrier.final = 486
        await carrier.start()
        stack.push_async_callback(carrier.stop)
        cluster = stack.enter_context(throw_away_cluster())
        database = f"postgresql://tests@127.0.0.1:{cluster.port}/postgres"
        made = World(tmp_path, mosquitto, agent_port, carrier, database)
        await made.furnish()
        stack.push_async_callback(made.store.close)
        stack.callback(made.stop)
        await asyncio.gather(*(asyncio.to_thread(made.start, name) for name in ("gw-1", "gw-2")))
        yield made
        for gateway in made.gateways:
            assert await asyncio.to_thread(gateway.stop) == 0
            gateway.assert_no_errors()


def assert_each_was_placed_once(world: World, records: list[CallRow], count: int) -> None:
    """One call, one record and one INVITE for each request, and one call in its answers."""
    assert Counter(row.metadata["number"] for row in records) == Counter(range(count))
    assert world.invited() == Counter(map(to, range(count)))
    ids = {number: {body["id"] for body in bodies} for number, bodies in world.answers().items()}
    assert {number: len(found) for number, found in ids.items()} == dict.fromkeys(range(count), 1)
    assert {next(iter(found)) for found in ids.values()} == {row.id for row in records}


async def test_two_gateways_share_200_requests(world: World) -> None:
    """Each is placed by exactly one, both take their share, and a restart of the broker changes nothing."""
    async with world.listening() as ear:
        for number in range(COUNT // 2):
            await world.ask(ear, number)
        await asyncio.to_thread(world.mosquitto.stop)
    await asyncio.to_thread(world.mosquitto.start)
    async with world.listening() as ear:
        for number in range(COUNT // 2, COUNT):
            await world.ask(ear, number)
        await ear.until(lambda: len(world.answers()) == COUNT, 60)
        await ear.until(lambda: len(world.events("ended")) == COUNT, 60)
    records = await world.records(COUNT)
    assert_each_was_placed_once(world, records, COUNT)
    assert {row.end_reason for row in records} == {"user_busy"}
    shares = Counter(row.instance for row in records)
    assert shares.keys() == {"gw-1", "gw-2"}
    assert min(shares.values()) > COUNT // 10


async def test_a_killed_gateway_finishes_its_share_when_it_is_back(world: World) -> None:
    """What it had taken, or was given meanwhile, waits at the broker; its will says that it is away."""
    (victim,) = (each for each in world.gateways if each.folder.name == "gw-2")
    world.gateways.remove(victim)
    async with world.listening() as ear:
        for number in range(FEW // 2):
            await world.ask(ear, number)
        await ear.until(lambda: world.answers())
        victim.process.kill()
        await asyncio.to_thread(victim.process.wait)
        state = "trunkline/gateways/gw-2/state"
        await ear.until(lambda: said(ear, state) == "offline")
        for number in range(FEW // 2, FEW):
            await world.ask(ear, number)
        await asyncio.to_thread(world.start, "gw-2")
        await ear.until(lambda: said(ear, state) == "online")
        await ear.until(lambda: len(world.answers()) == FEW, 60)
    records = await world.records(FEW)
    answers = [bodies[0] for bodies in world.answers().values()]
    assert Counter(row.metadata["number"] for row in records) == Counter(range(FEW))
    assert {body["id"] for body in answers} == {row.id for row in records}
    # What it was about to dial when it was killed is closed, not dialled; nobody is called twice.
    assert {row.end_reason for row in records} <= {"user_busy", "gateway_restarted"}
    assert max(world.invited().values()) == 1


def said(ear: Listener, topic: str) -> str:
    """The state that was last told on a topic."""
    found = [each for each in ear.heard if each.topic == topic]
    return str(json.loads(found[-1].payload)["state"]) if found else ""
