"""What every dialect offers, and what agents can say in any of them.

A dialect turns call events into WebSocket frames and frames into events. It owns no socket and no clock; one
object serves one call and counts that call's frames.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import msgspec

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
    "Reticent",
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

    The order is `start`, then any of the others, then `stop` once. A verb that the dialect has no word for
    returns no frames, so call control says everything to everyone.
    """

    @property
    def name(self) -> str:
        """`twilio`, `native`, …"""

    @property
    def format(self) -> AudioFormat:
        """The audio that `audio` takes and that `Audio` events hold."""

    subprotocols: tuple[str, ...]
    "To be offered in the upgrade, in order (RFC 6455 section 1.9)."
    live: bool
    "Its audio comes as it is spoken, by a clock: what of it waits is nothing but delay."

    def headers(self, url: str) -> list[tuple[str, str]]:
        """Headers of the upgrade request that prove to the agent at `url` who we are."""

    def start(self, call: CallStart) -> list[Frame]:
        """The frames that open the stream."""

    def answered(self) -> list[Frame]:
        """The call was answered; said only to an agent whose `start` came before that (early media)."""

    def audio(self, payload: bytes) -> Frame:
        """A frame with the caller's next audio."""

    def digit(self, digit: str, duration_ms: int) -> list[Frame]:
        """The caller has pressed a key."""

    def mark_played(self, name: str) -> list[Frame]:
        """The last sample before this mark has left."""

    def mark_passed(self, name: str) -> list[Frame]:
        """The time of the audio before this mark has gone by unheard: on hold, or behind a stall."""

    def cleared(self, names: Sequence[str], dropped_ms: int) -> list[Frame]:
        """A `Clear` was obeyed: these marks were dropped, in order, with so much audio."""

    def abandoned(self, names: Sequence[str], unheard_ms: int) -> list[Frame]:
        """The call is over before these marks were reached: nobody heard so much audio."""

    def dropped(self, ms: int) -> list[Frame]:
        """So much of the agent's audio was refused because the queue is full."""

    def hold(self) -> list[Frame]:
        """The other party has put the call on hold: nobody hears the agent."""

    def resume(self) -> list[Frame]:
        """The hold is over."""

    def quality(self, figures: Mapping[str, object]) -> list[Frame]:
        """How the call sounds at the moment (`docs/media.md` lists the figures)."""

    def balance_low(self, seconds: float) -> list[Frame]:
        """The wallet runs dry: the call will end in so many seconds, unless somebody tops it up."""

    def recording(self, state: str, why: str) -> list[Frame]:
        """The call's recording is `idle`, `recording`, `paused`, `stopped` or `failed` now.

        `why` says what was not done of what the agent had asked for; usually it is empty.
        """

    def transfer_failed(self, to: str, reason: str, why: str) -> list[Frame]:
        """The transfer that the agent asked for came to nothing: it keeps the call."""

    def malformed(self, why: str) -> list[Frame]:
        """What to answer to a message that was reported as `Malformed`."""

    def flooding(self, why: str) -> list[Frame]:
        """It sends more than can be taken: said once, before it is cut off."""

    def stop(self, reason: str, by: str) -> list[Frame]:
        """The call has ended for this reason (`Ending`'s word), by `caller`, `agent`, `gateway`, …"""

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """What one message of the agent's asks for. Whatever it holds, this returns and never raises."""


class Reticent:
    """Says nothing by the verbs that few dialects have a word for; a dialect overrides those that it has."""

    subprotocols: tuple[str, ...] = ()
    live = False

    def headers(self, url: str) -> list[tuple[str, str]]:
        """No proof of who we are."""
        return []

    def answered(self) -> list[Frame]:
        """Nothing."""
        return []

    def mark_passed(self: Dialect, name: str) -> list[Frame]:
        """As if it was heard: it is what an agent waits for that goes on when its words are over."""
        return self.mark_played(name)

    def abandoned(self, names: Sequence[str], unheard_ms: int) -> list[Frame]:
        """Nothing: the end of the connection says it."""
        return []

    def dropped(self, ms: int) -> list[Frame]:
        """Nothing."""
        return []

    def hold(self) -> list[Frame]:
        """Nothing."""
        return []

    def resume(self) -> list[Frame]:
        """Nothing."""
        return []

    def quality(self, figures: Mapping[str, object]) -> list[Frame]:
        """Nothing."""
        return []

    def balance_low(self, seconds: float) -> list[Frame]:
        """Nothing."""
        return []

    def recording(self, state: str, why: str) -> list[Frame]:
        """Nothing."""
        return []

    def transfer_failed(self, to: str, reason: str, why: str) -> list[Frame]:
        """Nothing."""
        return []

    def malformed(self, why: str) -> list[Frame]:
        """Nothing."""
        return []

    def flooding(self, why: str) -> list[Frame]:
        """As any other complaint."""
        return self.malformed(why)

    def stop(self, reason: str, by: str) -> list[Frame]:
        """Nothing: the end of the connection says it."""
        return []


_compact = json.JSONEncoder(separators=(",", ":")).encode


def text_frame(message: Mapping[str, object]) -> Frame:
    """A message of JSON, without a space that it can do without."""
    return True, _compact(message).encode()


def bearer(secret: str | None) -> list[tuple[str, str]]:
    """The secret as a bearer token (RFC 6750 section 2.1): our way where a vendor has none of its own."""
    return [] if secret is None else [("Authorization", f"Bearer {secret}")]
