"""The connection to a real broker: lost and found, acknowledgements, the last will, access rules, TLS."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.net import mqtt
from gateway.net.mqtt import Broker, BrokerAddress, Delivery, Publication
from gateway.net.mqtt_client import Client
from gateway.net.tls import client_context
from tests.interop.process import self_signed
from tests.mosquitto import Mosquitto, free_tcp_port, listener

SECONDS = 20.0
STATE = "test/state"


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that lets everybody in."""
    running = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield running
    running.stop()


class Link:
    """A broker connection under test, and what it told."""

    def __init__(self, address: BrokerAddress) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []
        self.came: asyncio.Queue[Delivery] = asyncio.Queue()
        will = Publication(STATE, b"offline", retain=True)
        self.broker = Broker(address, lambda: Publication(STATE, b"online", retain=True), will, self.tell)

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Keep an event."""
        self.told.append((name, fields))

    def names(self) -> list[str]:
        """What it told, in order."""
        return [name for name, _ in self.told]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(SECONDS):
            while not holds():  # noqa: ASYNC110 - of several things, some of them in the library
                await asyncio.sleep(0.02)

    async def up(self) -> None:
        """Wait for the connection."""
        async with asyncio.timeout(SECONDS):
            await self.broker.connected()

    async def next(self, seconds: float = SECONDS) -> Delivery:
        """The next message."""
        async with asyncio.timeout(seconds):
            return await self.came.get()


@asynccontextmanager
async def linked(
    port: int, client_id: str = "one", *, up: bool = True, **more: object
) -> AsyncIterator[Link]:
    """A connection that runs."""
    # Both loops' tests share the broker, which would take one for the other.
    name = f"{client_id}-{uuid4().hex}"
    link = Link(BrokerAddress("127.0.0.1", port, name, **more))  # type: ignore[arg-type]
    running = asyncio.create_task(link.broker.run())
    try:
        if up:
            await link.up()
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def cut(link: Link) -> None:
    """End the connection under the client's feet, as a network does."""
    client = link.broker._client
    assert client is not None
    wire = client._client.socket()
    assert isinstance(wire, socket.socket)
    wire.shutdown(socket.SHUT_RDWR)


async def test_the_state_follows_the_connection(mosquitto: Mosquitto) -> None:
    """Online is retained while we are there, the will when we vanish, the last word when we leave."""
    async with listener(mosquitto.port, STATE) as ear:
        async with linked(mosquitto.port, "state") as link:
            await ear.until(lambda: ear.heard and ear.heard[-1].payload == b"online")
            cut(link)
            await ear.until(lambda: [h.payload for h in ear.heard][-2:] == [b"offline", b"online"])
            await link.up()
            await link.broker.say_goodbye(Publication(STATE, b"bye", retain=True))
            await ear.until(lambda: ear.heard[-1].payload == b"bye")
        async with listener(mosquitto.port, STATE) as late:
            await late.until(lambda: late.heard)
            assert (late.heard[0].payload, late.heard[0].retain) == (b"bye", True)
        assert link.names() == ["mqtt.connected", "mqtt.away", "mqtt.connected"]


async def test_messages_go_out_in_their_order(mosquitto: Mosquitto) -> None:
    """What is published together arrives in order, with its properties, and is acknowledged."""
    async with listener(mosquitto.port, "order/#") as ear, linked(mosquitto.port, "order") as link:
        sent = [
            Publication(
                f"order/{number % 3}", str(number).encode(), correlation=b"c", properties=[("a", "b")]
            )
            for number in range(20)
        ]
        assert await link.broker.publish(sent) == 20
        await ear.until(lambda: len(ear.heard) == 20)
        assert [heard.payload for heard in ear.heard] == [each.payload for each in sent]
        assert {heard.correlation for heard in ear.heard} == {b"c"}
        assert ear.heard[0].properties == {"a": "b"}


async def test_what_is_not_acknowledged_comes_again(mosquitto: Mosquitto) -> None:
    """A message counts as taken only when it is acknowledged; until then every connection brings it again."""
    async with linked(mosquitto.port, "again", session_seconds=60) as link:
        await link.broker.subscribe(f"$share/{uuid4().hex}/again/+", link.came.put_nowait)
        async with listener(mosquitto.port) as mouth:
            await mouth.say("again/a", "one", response="r", correlation=b"c", Some_Name="x")
        first = await link.next()
        assert (first.topic, first.payload, first.response_topic, first.correlation) == (
            "again/a", b"one", "r", b"c",
        )  # fmt: skip
        assert first.properties == {"some-name": "x"}
        cut(link)
        second = await link.next()
        assert second == first
        first.acknowledge()  # of a connection that is gone: says nothing
        second.acknowledge()
        await asyncio.sleep(0.1)
        cut(link)
        await link.until(lambda: link.names().count("mqtt.connected") == 3)
        with pytest.raises(TimeoutError):
            await link.next(0.3)


async def test_what_an_earlier_run_left_waits_until_it_is_taken(mosquitto: Mosquitto) -> None:
    """The broker brings it as soon as we connect; it is kept for whoever subscribes later."""
    address = BrokerAddress("127.0.0.1", mosquitto.port, uuid4().hex, session_seconds=60)
    shared = f"$share/{uuid4().hex}/left/+"
    for run in ("killed", "next"):
        link = Link(address)
        running = asyncio.create_task(link.broker.run())
        await link.up()
        if run == "killed":
            await link.broker.subscribe(shared, link.came.put_nowait)
            async with listener(mosquitto.port) as mouth:
                await mouth.say("left/a", "one")
            await link.next()
        else:
            await asyncio.sleep(0.3)
            await link.broker.subscribe(shared, link.came.put_nowait)
            delivery = await link.next(1)
            assert delivery.payload == b"one"
            delivery.acknowledge()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_broker_gives_no_more_than_the_receive_maximum(mosquitto: Mosquitto) -> None:
    """What exceeds it waits at the broker, and comes as acknowledgements leave."""
    async with linked(mosquitto.port, "bound", session_seconds=60, receive_maximum=3) as link:
        await link.broker.subscribe(f"$share/{uuid4().hex}/bound/+", link.came.put_nowait)
        async with listener(mosquitto.port) as mouth:
            for number in range(8):
                await mouth.say("bound/a", str(number))
        await link.until(lambda: link.came.qsize() == 3)
        await asyncio.sleep(0.2)
        assert link.came.qsize() == 3
        got: list[bytes] = []
        while len(got) < 8:
            delivery = await link.next()
            got.append(delivery.payload)
            delivery.acknowledge()
        assert got == [str(number).encode() for number in range(8)]


async def test_after_unsubscribing_the_others_take_it_all(mosquitto: Mosquitto) -> None:
    """Who has unsubscribed gets nothing new; who shares the subscription gets all of it."""
    shared = f"$share/{uuid4().hex}/leave/+"
    async with linked(mosquitto.port, "leaver") as leaver, linked(mosquitto.port, "stayer") as stayer:
        for link in (leaver, stayer):
            await link.broker.subscribe(shared, link.came.put_nowait)
        await leaver.broker.unsubscribe()
        async with listener(mosquitto.port) as mouth:
            for number in range(6):
                await mouth.say("leave/a", str(number))
        await stayer.until(lambda: stayer.came.qsize() == 6)
        assert leaver.came.empty()


async def test_a_broker_that_comes_back_finds_us_again(tmp_path: Path) -> None:
    """Without a broker nothing is published, one line says so, and its return is noticed."""
    mosquitto = Mosquitto(tmp_path / "m")
    try:
        async with linked(mosquitto.port, session_seconds=60) as link:
            await link.broker.subscribe(f"$share/{uuid4().hex}/back/+", link.came.put_nowait)
            mosquitto.stop()
            await link.until(lambda: not link.broker.is_connected)
            assert await link.broker.publish([Publication("a", b"")]) == 0
            await asyncio.sleep(1.0)
            assert link.names() == ["mqtt.connected", "mqtt.away"]
            mosquitto.start()
            await link.up()
            async with listener(mosquitto.port) as mouth:
                await mouth.say("back/a", "one")
            assert (await link.next()).payload == b"one"
    finally:
        mosquitto.stop()


async def test_no_broker_at_all_is_no_crash() -> None:
    """A port that nobody listens on is told once, and tried again."""
    async with linked(free_tcp_port(), up=False) as link:
        await link.until(lambda: "mqtt.away" in link.names())
        await asyncio.sleep(0.5)
        assert link.names() == ["mqtt.away"]
        assert "refused" in str(link.told[0][1]["why"]).lower()


async def test_a_peer_that_is_no_broker_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever answers on the port instead, the connection is given up and tried again."""

    monkeypatch.setattr(mqtt, "ANSWER_SECONDS", 0.5)

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
        await writer.drain()
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with linked(port, up=False) as link:
            await link.until(lambda: "mqtt.away" in link.names())
            assert not link.broker.is_connected


def rules(folder: Path) -> tuple[str, ...]:
    """A password and access rules, as lines of a broker's configuration."""
    if not Path("/usr/bin/mosquitto_passwd").exists():
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    subprocess.run(
        ["/usr/bin/mosquitto_passwd", "-b", "-c", folder / "passwords", "gw", "secret"], check=True
    )
    (folder / "acl").write_text("user gw\ntopic readwrite allowed/#\ntopic readwrite test/#\n")
    for name in ("passwords", "acl"):
        (folder / name).chmod(0o600)
    return f"password_file {folder}/passwords", f"acl_file {folder}/acl", "allow_anonymous false"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker that speaks TLS only, wants a password, and has access rules."""
    folder = tmp_path_factory.mktemp("guarded")
    files = self_signed(folder)
    tls = {"certfile": Path(str(files["certificate"])), "keyfile": Path(str(files["private_key"]))}
    running = Mosquitto(folder, *rules(folder), tls=tls)
    yield running, folder / "cert.pem"
    running.stop()


def trusting(certificate: Path) -> ssl.SSLContext:
    """A context that trusts this certificate alone."""
    return client_context(certificate)


async def test_tls_and_a_password_let_us_in(guarded: tuple[Mosquitto, Path]) -> None:
    """With the right authority and the right password there is a connection, and messages both ways."""
    mosquitto, certificate = guarded
    tls = trusting(certificate)
    async with linked(mosquitto.port, username="gw", password="secret", tls=tls) as link:
        await link.broker.subscribe("allowed/#", link.came.put_nowait)
        assert await link.broker.publish([Publication("allowed/a", b"one")]) == 1
        assert (await link.next()).payload == b"one"


async def test_a_wrong_password_is_told(guarded: tuple[Mosquitto, Path]) -> None:
    """The broker's reason stands in the log, the password does not."""
    mosquitto, certificate = guarded
    tls = trusting(certificate)
    async with linked(mosquitto.port, username="gw", password="wrong", tls=tls, up=False) as link:
        await link.until(lambda: link.told)
        assert "authori" in str(link.told[0][1]["why"]).lower()
        assert "wrong" not in repr(link.told) + repr(link.broker.address)


# The library leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_certificate_that_nobody_vouches_for_is_refused(guarded: tuple[Mosquitto, Path]) -> None:
    """The password is not shown to a broker whose certificate does not come from a known authority."""
    mosquitto, _ = guarded
    tls = client_context()
    async with linked(mosquitto.port, username="gw", password="secret", tls=tls, up=False) as link:
        await link.until(lambda: link.told)
        assert "certificate verify failed" in str(link.told[0][1]["why"])


async def test_what_access_rules_forbid_is_told() -> None:
    """A publication that the broker throws away is told to whoever made the connection, with the reason.

    Without a broker: Mosquitto 2.0.11, Debian's, reads a forbidden message again after it has freed it, so
    that what it does then is chance.
    """
    refused: list[str] = []
    client = Client("127.0.0.1", 1, lambda code: refused.append(str(code)))
    forbidden = ReasonCode(PacketTypes.PUBACK, identifier=0x87)
    taken = ReasonCode(PacketTypes.PUBACK)
    for mid, code in enumerate((taken, forbidden, forbidden), 1):
        client._on_publish(client._client, None, mid, code, Properties(PacketTypes.PUBACK))  # type: ignore[no-untyped-call]
    assert refused == ["Not authorized", "Not authorized"]
