"""aiomqtt's client, mended where we need more: acknowledging in our hands, refusals seen, sockets watched.

Imported only where there is a broker: aiomqtt is an extra.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

ERRORS: tuple[type[Exception], ...] = (aiomqtt.MqttError, OSError, ValueError, TimeoutError)
"What a broker that is away, or does not behave, can raise out of the libraries."
REFUSED = 0x80
"Reason codes from here on are refusals (MQTT 5 section 2.4)."


class Client(aiomqtt.Client):
    """One connection, used once."""

    def __init__(self, host: str, port: int, refused: Callable[[ReasonCode], None], **options: Any) -> None:
        """`refused` hears of publications that the broker threw away; `options` are those of aiomqtt."""
        super().__init__(
            host, port, protocol=aiomqtt.ProtocolVersion.V5, clean_start=False, logger=_silent(), **options
        )
        self.pending_calls_threshold = 1 << 30  # how many may wait is for the queue in front of us to say
        self._refused = refused
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """PUBACK: the broker may forget it."""
        if message.qos:
            self._client.ack(message.mid, message.qos)

    def hang_up(self) -> None:
        """End the connection whatever its state, without a goodbye, and let go whoever waits for it."""
        wire, over = self._client.socket(), self._disconnected
        if isinstance(wire, socket.socket):
            with suppress(OSError):
                # Not closed, which is paho's to do when it reads the end: it may be about to write.
                wire.shutdown(socket.SHUT_RDWR)
        if not over.done():
            over.set_result(None)
        elif not over.cancelled():
            over.exception()  # seen: asyncio need not complain of it on standard error

    def _on_publish(
        self, client: Paho, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        # aiomqtt takes every PUBACK for a success.
        if reason_code.value >= REFUSED:
            self._refused(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_socket_register_write(self, client: Paho, userdata: Any, sock: Any) -> None:
        # aiomqtt watches the descriptor a little later, when it may be closed, or another's already.
        def watch() -> None:
            is_open = client.socket() is sock
            if is_open:
                self._loop.add_writer(sock.fileno(), write)

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        self._loop.call_soon_threadsafe(watch)


def _silent() -> logging.Logger:
    """The libraries' own log says nothing that our events do not."""
    logger = logging.getLogger("gateway.mqtt")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
