"""This gateway on the broker: its state, the events of its calls, and what comes for it."""

import asyncio
import ssl

from gateway import __version__
from gateway.config.mqtt_settings import MqttSettings
from gateway.config.settings import Config
from gateway.events.bus import Event, EventBus
from gateway.events.mqtt import CallEvents, Topics, state
from gateway.events.outbox import Outbox
from gateway.net.mqtt import Broker, BrokerAddress, Publication, Take
from gateway.net.tls import client_context
from gateway.store.engine.queue import DiskQueue

LAST_SECONDS = 5.0
"How long a gateway that stops waits for the broker to take what is left; the rest waits on disk."


class BrokerLink:
    """`open` it before there are calls, `close` it after the last of them has ended."""

    def __init__(self, config: Config, bus: EventBus) -> None:
        mqtt = config.mqtt
        self.topics = Topics(mqtt.prefix, config.gateway.name)
        self._share_group = mqtt.share_group
        self._bus = bus
        self._state = "online"
        self._events = CallEvents(self.topics)
        will = state(self.topics, "offline", why="connection lost")
        self.broker = Broker(broker_address(mqtt, config.gateway.name), self._birth, will, bus.tell)
        queue = DiskQueue(config.outbox_file, mqtt.queue_events, mqtt.queue_bytes)
        self.outbox = Outbox(queue, self.broker, bus, mqtt.queue_events)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Take up what is left in the queue, and begin to connect; StoreError where the disk refuses."""
        await self.outbox.open()
        self._bus.add(self._hear)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self.broker.run(), name="mqtt-broker"),
            loop.create_task(self.outbox.run(), name="mqtt-outbox"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def listen(self, take: Take) -> None:
        """Take a share of the requests."""
        await self.broker.subscribe(f"$share/{self._share_group}/{self.topics.requests}", take)

    async def drain(self) -> None:
        """Leave further requests to the other gateways, and say so."""
        self._state = "draining"
        await self.broker.unsubscribe()
        await self.broker.publish([self._birth()])

    async def close(self) -> None:
        """Publish what is left, say goodbye, and keep the rest on disk."""
        if self.broker.is_connected:
            try:
                await asyncio.wait_for(self.outbox.empty(), LAST_SECONDS)
            except TimeoutError:
                pass  # it is on disk, for the next run
        await self.broker.say_goodbye(state(self.topics, "offline", why="stopped"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.outbox.close()

    def mute(self) -> None:
        """Say nothing more of calls: they are another gateway's by now."""
        self._bus.drop(self._hear)

    def _birth(self) -> Publication:
        return state(self.topics, self._state, version=__version__)

    def _hear(self, event: Event) -> None:
        publication = self._events.publication(event)
        if publication is not None:
            self.outbox.put(publication)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Neither task ends by itself; where one does, it is a mistake of ours."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._bus.tell("mqtt.crashed", level="error", exc_info=error)


def broker_address(mqtt: MqttSettings, gateway: str) -> BrokerAddress:
    """Where the broker of these settings is, and how this gateway is let in; `BadCertificate`."""
    host, port, tls = mqtt.address
    return BrokerAddress(
        host,
        port,
        mqtt.client_id or f"trunkline-{gateway}",
        username=mqtt.username or None,
        password=None if mqtt.password is None else mqtt.password.get_secret_value(),
        tls=_context(mqtt) if tls else None,
        keepalive_seconds=mqtt.keepalive_seconds,
        session_seconds=mqtt.session_seconds if mqtt.requests_at_once else 0,
        receive_maximum=mqtt.requests_at_once or 1,
    )


def _context(mqtt: MqttSettings) -> ssl.SSLContext:
    return client_context(mqtt.ca, mqtt.certificate, mqtt.private_key)
