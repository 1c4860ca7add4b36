"""What call control sees of an open connection to an agent's runtime, whatever carries it."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = [
    "CLOSE_SECONDS",
    "NO_STATUS",
    "UNSENT_AUDIO",
    "UNSENT_LIMIT",
    "Connection",
    "OnClosed",
    "OnFlood",
    "OnMessage",
    "flood_ignored",
]

OnMessage: TypeAlias = Callable[[bool, bytes], None]
"Called with each message: whether it is text, and its payload. HOT."
OnClosed: TypeAlias = Callable[[int | None, str], None]
"Called once when the connection is over: the peer's close code (None: it sent none), and why."
OnFlood: TypeAlias = Callable[[], None]
"Called once when the runtime sends so much more than it may that it will be cut off."

UNSENT_AUDIO = 16_384
"Bytes waiting in our own buffer, about a second of audio, above which audio is dropped."
UNSENT_LIMIT = 262_144
"Bytes waiting above which even control messages are too many: the runtime has stopped reading."
CLOSE_SECONDS = 1.0
"How long the peer may take to finish the closing handshake and close the TCP connection."
NO_STATUS = 1005
"What RFC 6455 section 7.1.5 calls the code of a Close frame without one."


class Connection(Protocol):
    """One open connection. Sending never waits and never raises; after the end it does nothing."""

    subprotocol: str | None
    "What the runtime chose of what it was offered."
    audio_dropped: int
    "Messages of audio that were not sent because the runtime does not read."

    flooded: bool
    "It was cut off for that."

    def charge(self, work: int) -> None:
        """What came was more work than its bytes say (`net.throttle`)."""

    def send_audio(self, text: bool, payload: bytes) -> None:
        """HOT: send what is worth nothing later; dropped and counted while a second of it waits."""

    def send(self, text: bool, payload: bytes) -> None:
        """Send what has to arrive. A runtime that lets too much of it wait is cut off."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye after all that was sent; `on_closed` follows when the peer has, within a second."""

    def check_alive(self) -> bool:
        """Asked every few seconds: look after a peer that has gone silent; False: over."""


def flood_ignored() -> None:
    """For those who need not know: it is cut off all the same."""
