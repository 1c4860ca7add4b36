"""The connection to an MQTT 5 broker: kept up, one last will, requests acknowledged only when they are done.

aiomqtt (and paho beneath it) speaks the protocol. It is imported where it is used: who has no broker need not
install it.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.tell import Tell

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from gateway.net.mqtt_client import Client

ANSWER_SECONDS = 10.0
"How long the broker may take to answer a CONNECT, a SUBSCRIBE or a PUBLISH."
GOODBYE_SECONDS = 2.0
"How long a goodbye may take to leave us."
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"Seconds between attempts to connect, each a little off so that many gateways do not come at once."


@dataclass(frozen=True, slots=True)
class Publication:
    """A message on its way out, at least once (QoS 1)."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    "Correlation data (MQTT 5 section 3.3.2.3.6)."
    properties: Sequence[tuple[str, str]] = ()
    "User properties."
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that came; `acknowledge` it when nothing of it can be lost any more."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], None] = field(compare=False)
    "Does nothing where the connection that it came by is gone: the broker sends it again."
    qos: int = 1
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    "User properties, the names in lower case; of several alike the first counts."


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and how to be let in."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    keepalive_seconds: int = 30
    session_seconds: int = 0
    "How long the broker keeps our subscription and what came by it while we are away."
    receive_maximum: int = 20
    "Messages that the broker may have given us without our acknowledgement."

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


Take = Callable[[Delivery], None]
"Gets each message that comes; must neither block nor raise."


class Broker:
    """One broker, connected to again and again until `run` is cancelled.

    `will` is published by the broker when we vanish, and `birth` by us at each connection.
    """

    def __init__(
        self, address: BrokerAddress, birth: Callable[[], Publication], will: Publication, tell: Tell
    ) -> None:
        self.address = address
        self._birth = birth
        self._will = will
        self._tell = tell
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._subscription: str | None = None
        self._take: Take | None = None
        self._early: list[Delivery] = []
        self._leaving = False
        self._is_away_told = False
        self._refusals_told: set[str] = set()

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in, as far as we know."""
        return self._client is not None

    async def connected(self) -> None:
        """Wait until there is a connection."""
        await self._up.wait()

    async def run(self) -> None:
        """Connect, serve, and connect again, until cancelled or after `say_goodbye`."""
        attempt = 0
        while not self._leaving:
            try:
                client = await self._connect()
                attempt = 0
                await self._serve(client)
            except _errors() as error:
                self._lost(error)
            if self._leaving:
                break
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            attempt += 1

    async def publish(self, publications: Sequence[Publication]) -> int:
        """Publish in this order, and wait for the acknowledgements; how many from the front have theirs.

        All the others have to be published again, since nobody knows whether they arrived.
        """
        client = self._client
        if client is None:
            return 0
        # paho sends in the order of these calls, each of which runs to its PUBLISH before it first waits.
        sent = [asyncio.ensure_future(_publish(client, each)) for each in publications]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        for done, outcome in enumerate(outcomes):
            if isinstance(outcome, BaseException):
                if not isinstance(outcome, _errors()):
                    raise outcome
                # What is late may still come: on a new connection it cannot mix with what is sent again.
                self._drop(client)
                return done
        return len(outcomes)

    async def subscribe(self, topic: str, take: Take) -> None:
        """Take what comes on a topic, now or as soon as the broker is there, and after each reconnection."""
        self._subscription, self._take = topic, take
        early, self._early = self._early, []
        for delivery in early:
            take(delivery)
        if self._client is not None:
            with suppress(*_errors()):
                await self._subscribe(self._client)

    async def unsubscribe(self) -> None:
        """Take nothing new. What the broker has already given us, or set aside for us, still comes."""
        topic, self._subscription = self._subscription, None
        if self._client is not None and topic is not None:
            with suppress(*_errors()):
                await self._client.unsubscribe(topic, timeout=ANSWER_SECONDS)

    async def say_goodbye(self, last: Publication) -> None:
        """Publish a last word and disconnect, so that there is no will; then `run` returns."""
        self._leaving = True
        client = self._client
        if client is None:
            return
        with suppress(*_errors()):
            await _publish(client, last)
            client.timeout = GOODBYE_SECONDS
            await client.__aexit__(None, None, None)
        self._drop(client)

    def _drop(self, client: "Client") -> None:
        """This connection is no good any more."""
        client.hang_up()
        if self._client is client:
            self._client = None
            self._up.clear()

    async def _connect(self) -> "Client":
        """A client that the broker has let in."""
        client = _client(self.address, self._will, self._refused)
        try:
            await client.__aenter__()
        except BaseException:
            client.hang_up()
            raise
        return client

    async def _serve(self, client: "Client") -> None:
        """Announce ourselves, subscribe, and hand on what comes, until the connection ends."""
        self._early.clear()  # what came by another connection comes again by this one
        try:
            await _publish(client, self._birth())
            await self._subscribe(client)
            self._client = client
            self._up.set()
            self._is_away_told = False
            self._refusals_told.clear()
            self._tell("mqtt.connected", broker=str(self.address))
            async for message in client.messages:
                self._hand_on(self._delivery(client, message))
        finally:
            self._drop(client)

    def _hand_on(self, delivery: Delivery) -> None:
        """An earlier run's share comes as soon as we connect, which may be before anybody takes it."""
        if self._take is None:
            self._early.append(delivery)  # no more than the receive maximum
        else:
            self._take(delivery)

    async def _subscribe(self, client: "Client") -> None:
        if self._subscription is None:
            return
        codes: Any = await client.subscribe(self._subscription, qos=1, timeout=ANSWER_SECONDS)
        for code in codes:
            if code.is_failure:
                self._tell(
                    "mqtt.refused", level="error", what=f"subscribe to {self._subscription}", why=str(code)
                )

    def _delivery(self, client: "Client", message: "aiomqtt.Message") -> Delivery:
        properties = message.properties
        users = getattr(properties, "UserProperty", [])

        def acknowledge() -> None:
            if self._client is client:
                client.acknowledge(message)

        return Delivery(
            topic=str(message.topic),
            payload=message.payload,
            acknowledge=acknowledge,
            qos=message.qos,
            retain=message.retain,
            response_topic=getattr(properties, "ResponseTopic", None),
            correlation=getattr(properties, "CorrelationData", None),
            properties={name.lower(): value for name, value in reversed(users)},
        )

    def _refused(self, code: "ReasonCode") -> None:
        """The broker took a message and threw it away, mostly by its access rules."""
        if str(code) not in self._refusals_told:
            self._refusals_told.add(str(code))
            self._tell("mqtt.refused", level="error", what="publish", why=str(code))

    def _lost(self, error: BaseException) -> None:
        """One line for each outage, not for each attempt."""
        why = str(error).strip() or type(error).__name__
        if not self._is_away_told and not self._leaving:
            self._is_away_told = True
            self._tell("mqtt.away", level="warning", broker=str(self.address), why=why)


async def try_broker(address: BrokerAddress) -> str:
    """Log in to a broker as a client of another name, and out again; what went wrong, empty: nothing.

    With the gateway's own name the broker would throw the running gateway out, and with a session it would
    keep one.
    """
    name = f"{address.client_id}-check-{random.randrange(1 << 32):08x}"  # noqa: S311 - no secret
    other = replace(address, client_id=name, session_seconds=0)
    client = _client(other, Publication("trunkline/check", b""), lambda _code: None)
    try:
        async with client:
            return ""
    except _errors() as error:
        client.hang_up()
        return str(error) or type(error).__name__


def _client(address: BrokerAddress, will: Publication, refused: "Callable[[ReasonCode], None]") -> "Client":
    import aiomqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    from gateway.net.mqtt_client import Client

    connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    connect.SessionExpiryInterval = address.session_seconds
    connect.ReceiveMaximum = address.receive_maximum
    last = aiomqtt.Will(will.topic, will.payload, 1, will.retain, _properties(will, PacketTypes.WILLMESSAGE))
    return Client(
        address.host,
        address.port,
        refused,
        username=address.username,
        password=address.password,
        identifier=address.client_id,
        properties=connect,
        keepalive=address.keepalive_seconds,
        timeout=ANSWER_SECONDS,
        tls_context=address.tls,
        will=last,
    )


async def _publish(client: "Client", publication: Publication) -> None:
    from paho.mqtt.packettypes import PacketTypes

    await client.publish(
        publication.topic,
        publication.payload,
        qos=1,
        retain=publication.retain,
        properties=_properties(publication, PacketTypes.PUBLISH),
        timeout=ANSWER_SECONDS,
    )


def _properties(publication: Publication, kind: int) -> "Properties":
    from paho.mqtt.properties import Properties

    properties = Properties(kind)  # type: ignore[no-untyped-call]
    properties.ContentType = publication.content_type
    properties.PayloadFormatIndicator = 1
    if publication.correlation is not None:
        properties.CorrelationData = publication.correlation
    if publication.properties:
        properties.UserProperty = list(publication.properties)
    return properties


def _errors() -> tuple[type[Exception], ...]:
    from gateway.net.mqtt_client import ERRORS

    return ERRORS
