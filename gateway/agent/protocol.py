"""What every dialect offers, and what agents can say in any of them.

A dialect turns call events into WebSocket frames and frames into events. It owns no socket and no clock; one
object serves one call and counts that call's frames.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import msgspec

from gateway.agent.notices import Notice
from gateway.media.audio import AudioFormat

__all__ = [
    "AgentEvent",
    "Audio",
    "CallStart",
    "Clear",
    "Dialect",
    "Frame",
    "Hangup",
    "Malformed",
    "Mark",
    "Pause",
    "Recording",
    "Reply",
    "SendDigits",
    "Terms",
    "Transfer",
    "bearer",
    "text_frame",
]

MAX_MESSAGE = 1 << 20
"Bytes of one message that are looked at, far above any that an agent has a reason to send."
MAX_NAME = 1024
"Characters in the name of a mark."
MAX_DIGITS = 64
"Digits in one request to dial."
DIGITS = frozenset("0123456789*#ABCD")

MAX_ERRORS = 100
"How often in a call an agent is told what it did wrong: enough to read, too few to flood it."

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"What decoding an agent's message raises."

Frame: TypeAlias = tuple[bool, bytes]
"One WebSocket message: whether it is text, and its payload. On a byte stream: bytes, never text."


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agent version asks of its dialect, for one call."""

    secret: str | None = None
    audio: str = ""
    "The name of one of the dialect's formats; any other means its first."
    options: Mapping[str, str] = field(default_factory=dict)
    "Choices that the dialect leaves; checked where they are saved."
    nonce: str = ""
    "Random, new for each call, for signatures that want one."


@dataclass(frozen=True, slots=True)
class CallStart:
    """What an agent is told about its call before anything else."""

    call_id: str
    stream_id: str
    account_id: str
    "The workspace."
    from_number: str
    to_number: str
    direction: str
    "`inbound` or `outbound`, seen from us."
    agent_id: str
    agent_version: int
    parameters: Mapping[str, str]
    "What the agent version and the caller of the API set for this call."


# The events are msgspec's structs, not dataclasses: one is made per frame of audio, in a seventh of the time.


class Audio(msgspec.Struct, frozen=True, gc=False):
    """Audio to play after all that came before it; any length, in the dialect's format."""

    payload: bytes


class Mark(msgspec.Struct, frozen=True):
    """Tell the agent by this name when all audio before it has left, or was cleared."""

    name: str


class Clear(msgspec.Struct, frozen=True):
    """Drop the audio that is not played yet: the caller has interrupted."""


class Hangup(msgspec.Struct, frozen=True):
    """End the call once the audio before this has left (after a `Clear`: at once)."""

    reason: str


class SendDigits(msgspec.Struct, frozen=True):
    """Press these keys (`0-9*#A-D`) towards the other party."""

    digits: str


class Recording(msgspec.Struct, frozen=True):
    """Start, pause, resume or stop the recording of the call."""

    action: str
    "`start`, `pause`, `resume` or `stop`."


class Transfer(msgspec.Struct, frozen=True):
    """Put the phone through to this number, in the place of the agent."""

    to: str
    caller_id: str | None = None
    "The number that is shown; None: the one that the call has."
    ring_seconds: int | None = None
    "None: as the agent's version says."
    max_seconds: int | None = None


class Malformed(msgspec.Struct, frozen=True):
    """A message that means nothing to us. It is counted, told to the agent where possible, and skipped."""

    why: str


class Pause(msgspec.Struct, frozen=True):
    """Keep what is queued and play silence, until the same with `paused` false."""

    paused: bool


class Reply(msgspec.Struct, frozen=True):
    """Frames to send back at once: what the dialect answers by itself."""

    frames: Sequence[Frame]


AgentEvent: TypeAlias = (
    Audio | Mark | Clear | Hangup | SendDigits | Recording | Transfer | Malformed | Pause | Reply
)


class Dialect(Protocol):
    """How one agent runtime wants to be spoken to, for one call.

    The order is `start`, then `audio` and `notice` as things happen, then `stop` once. What a dialect has no
    word for returns no frames. A dialect inherits from this class, and so what it does not say otherwise.
    """

    name: str
    "`twilio`, `native`, …"
    format: AudioFormat
    "The audio that `audio` takes and that `Audio` events hold."
    subprotocols: tuple[str, ...] = ()
    "To be offered in the upgrade, in order (RFC 6455 section 1.9)."
    live: bool = False
    "Its audio comes as it is spoken, by a clock: what of it waits is nothing but delay."

    def headers(self, url: str) -> list[tuple[str, str]]:
        """Headers of the upgrade request that prove to the agent at `url` who we are."""
        return []

    @abstractmethod
    def start(self, call: CallStart) -> list[Frame]:
        """The frames that open the stream."""

    @abstractmethod
    def audio(self, payload: bytes) -> Frame:
        """A frame with the caller's next audio."""

    @abstractmethod
    def notice(self, notice: Notice) -> list[Frame]:
        """The frames that tell the agent of something."""

    def stop(self, reason: str, by: str) -> list[Frame]:
        """The call has ended for this reason (`Ending`'s word), by `caller`, `agent`, `gateway`, …

        Without a word for it the end of the connection says it.
        """
        return []

    @abstractmethod
    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """What one message of the agent's asks for. Whatever it holds, this returns and never raises."""


_compact = json.JSONEncoder(separators=(",", ":")).encode


def text_frame(message: Mapping[str, object]) -> Frame:
    """A message of JSON, without a space that it can do without."""
    return True, _compact(message).encode()


def not_taken(text: bool, payload: bytes) -> Sequence[AgentEvent]:
    """The answer to a message that is too long, or binary where a dialect is text only."""
    said = f"a message of {len(payload)} bytes" if text else "a binary message: this dialect is text only"
    return (Malformed(said),)


def not_read(error: Exception) -> Sequence[AgentEvent]:
    """The answer to a message whose decoding raised one of `UNREADABLE`."""
    return (Malformed(str(error)[:200]),)


def not_ours(field: str, stream: str) -> Sequence[AgentEvent]:
    """The answer to a message that is of another stream, by the field in which the dialect names it."""
    return (Malformed(f"{field} {stream[:40]!r} is not this stream's"),)


def bearer(secret: str | None) -> list[tuple[str, str]]:
    """The secret as a bearer token (RFC 6750 section 2.1): our way where a vendor has none of its own."""
    return [] if secret is None else [("Authorization", f"Bearer {secret}")]
