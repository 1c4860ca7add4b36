"""A real Mosquitto for a test, and a plain client for what the test itself has to say and hear."""

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

NOBODY = 16
"No matching subscribers (MQTT 5 section 3.4.2.1)."
SECONDS = 20.0
"Longer than anything in here takes."


class Mosquitto:
    """The broker as a process; it keeps sessions over a restart, as brokers in production do."""

    def __init__(self, folder: Path, *lines: str, tls: dict[str, Path] | None = None) -> None:
        """`lines` are more lines of its configuration; `tls` has `cafile`, `certfile` and `keyfile`."""
        if not shutil.which("mosquitto"):
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.port = free_tcp_port()
        written = [
            f"listener {self.port} 127.0.0.1",
            *(f"{name} {path}" for name, path in (tls or {}).items()),
            "persistence true",
            f"persistence_location {folder}/",
            # A listener of ours that is slow for once shall miss nothing.
            "max_queued_messages 0",
            "max_inflight_messages 0",
            f"log_dest file {folder}/mosquitto.log",
            # It changes its user away from root, unless told otherwise.
            f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}",
            *(lines or ["allow_anonymous true"]),
        ]
        (folder / "mosquitto.conf").write_text("\n".join(written) + "\n")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [shutil.which("mosquitto") or "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it: it writes down what it holds."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(SECONDS)
            self.process = None


def free_tcp_port() -> int:
    """A TCP port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that a listener got."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    properties: dict[str, str] = field(default_factory=dict)


class Listener:
    """Collects what comes on the topics it subscribed to."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.heard: list[Heard] = []
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Collect until cancelled, or until the broker is gone."""
        try:
            async for message in self.client.messages:
                properties = message.properties
                self.heard.append(
                    Heard(
                        str(message.topic),
                        bytes(message.payload),
                        message.retain,
                        getattr(properties, "CorrelationData", None),
                        dict(getattr(properties, "UserProperty", [])),
                    )
                )
                self._news.set()
        except aiomqtt.MqttError:
            pass

    async def until(self, holds: Callable[[], Any], seconds: float = SECONDS) -> None:
        """Wait for a condition that what comes can make true."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(
                f"heard {len(self.heard)}, the last on {[each.topic for each in self.heard[-20:]]}"
            ) from None

    async def say(
        self,
        topic: str,
        payload: bytes | str,
        *,
        qos: int = 1,
        response: str = "",
        correlation: bytes = b"",
        **users: str,
    ) -> int:
        """Publish; `users` are user properties, with `-` for `_`. The reason code of the PUBACK."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if response:
            properties.ResponseTopic = response
        if correlation:
            properties.CorrelationData = correlation
        if users:
            properties.UserProperty = [(name.replace("_", "-"), value) for name, value in users.items()]
        await self.client.publish(topic, payload, qos=qos, properties=properties)
        return self.client.said[-1] if qos else 0


class Client(aiomqtt.Client):
    """Keeps what the broker says of each publication, which aiomqtt passes over."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.said: list[int] = []

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        self.said.append(reason_code.value)
        super()._on_publish(client, userdata, mid, reason_code, properties)


@asynccontextmanager
async def listener(port: int, *topics: str, client_id: str = "", **options: Any) -> AsyncIterator[Listener]:
    """A client of the test's own; with a `client_id` the broker keeps what comes while it is away."""
    connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    connect.SessionExpiryInterval = 600 if client_id else 0
    connect.ReceiveMaximum = 1000
    logger = logging.getLogger("tests.mosquitto")
    logger.setLevel(logging.CRITICAL)
    client = Client(
        "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, identifier=client_id or None,
        clean_start=not client_id, properties=connect, logger=logger, **options,
    )  # fmt: skip
    client.pending_calls_threshold = 10_000
    await client.__aenter__()
    made = Listener(client)
    listening = asyncio.create_task(made.listen())
    try:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield made
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await _left(client)


async def _left(client: aiomqtt.Client) -> None:
    """Disconnect, from a broker that may be gone: then the library waits, and reaches for a closed socket."""
    client.timeout = 1.0
    with suppress(aiomqtt.MqttError, RuntimeError):
        await client.__aexit__(None, None, None)
    over = client._disconnected
    if over.done() and not over.cancelled():
        over.exception()
