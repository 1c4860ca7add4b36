"""What an agent is told of its call, as values: the mirror of `protocol.AgentEvent`.

A dialect has words for some of them, and for the others none; call control says everything to everyone.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

__all__ = [
    "Abandoned",
    "Answered",
    "BalanceLow",
    "Cleared",
    "Digit",
    "Dropped",
    "Flooding",
    "Held",
    "MarkPassed",
    "MarkPlayed",
    "Misunderstood",
    "Notice",
    "Quality",
    "RecordingIs",
    "TransferFailed",
]


class Answered(msgspec.Struct, frozen=True):
    """The call was answered; told only to an agent whose `start` came before that (early media)."""


class Digit(msgspec.Struct, frozen=True):
    """The other party has pressed a key."""

    digit: str
    duration_ms: int


class MarkPlayed(msgspec.Struct, frozen=True):
    """The last sample before this mark has left."""

    name: str


class MarkPassed(msgspec.Struct, frozen=True):
    """The time of the audio before this mark has gone by unheard: on hold, or behind a stall."""

    name: str


class Cleared(msgspec.Struct, frozen=True):
    """A `Clear` was obeyed: these marks were dropped, in order, with so much audio."""

    names: Sequence[str]
    dropped_ms: int


class Abandoned(msgspec.Struct, frozen=True):
    """The call is over before these marks were reached: nobody heard so much audio."""

    names: Sequence[str]
    unheard_ms: int


class Dropped(msgspec.Struct, frozen=True):
    """So much of the agent's audio was refused because the queue is full."""

    milliseconds: int


class Held(msgspec.Struct, frozen=True):
    """The other party has put the call on hold, so that nobody hears the agent; or the hold is over."""

    held: bool


class Quality(msgspec.Struct, frozen=True):
    """How the call sounds at the moment (`docs/media.md` lists the figures)."""

    figures: Mapping[str, object]


class BalanceLow(msgspec.Struct, frozen=True):
    """The wallet runs dry: the call will end in so many seconds, unless somebody tops it up."""

    seconds: float


class RecordingIs(msgspec.Struct, frozen=True):
    """The call's recording is `idle`, `recording`, `paused`, `stopped` or `failed` now."""

    state: str
    why: str = ""
    "What was not done of what the agent had asked for."


class TransferFailed(msgspec.Struct, frozen=True):
    """The transfer that the agent asked for came to nothing: it keeps the call."""

    to: str
    reason: str
    why: str


class Misunderstood(msgspec.Struct, frozen=True):
    """A message of the agent's was `Malformed`, or asked for what cannot be done."""

    why: str


class Flooding(msgspec.Struct, frozen=True):
    """The agent sends more than can be taken: said once, before it is cut off."""

    why: str


Notice: TypeAlias = (
    Answered
    | Digit
    | MarkPlayed
    | MarkPassed
    | Cleared
    | Abandoned
    | Dropped
    | Held
    | Quality
    | BalanceLow
    | RecordingIs
    | TransferFailed
    | Misunderstood
    | Flooding
)
