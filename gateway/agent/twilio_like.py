"""What Telnyx's and Exotel's streams have in common with Twilio's: three messages, and marks that come back.

The stream's id is the one thing in the messages that each calls differently: a dialect adds it to all three.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from gateway.agent.notices import Abandoned, Cleared, Digit, MarkPassed, MarkPlayed, Notice
from gateway.agent.protocol import MAX_NAME, AgentEvent, Audio, Clear, Dialect, Frame, Malformed, Mark

__all__ = ["ClearMessage", "MarkMessage", "MarksComeBack", "MediaMessage"]


class Payload(msgspec.Struct, gc=False):
    """Audio, in base64 on the wire."""

    payload: bytes


class MediaMessage(msgspec.Struct, tag_field="event", tag="media", gc=False):
    """Audio to play."""

    media: Payload

    def events(self) -> Sequence[AgentEvent]:
        """HOT: the audio, if there is any."""
        payload = self.media.payload
        return (Audio(payload),) if payload else ()


class Name(msgspec.Struct):
    """What a mark is called."""

    name: str


class MarkMessage(msgspec.Struct, tag_field="event", tag="mark"):
    """A mark behind the audio so far."""

    mark: Name

    def events(self) -> Sequence[AgentEvent]:
        """The mark, unless its name is endless."""
        name = self.mark.name
        if len(name) > MAX_NAME:
            return (Malformed(f"a mark with a name of {len(name)} characters"),)
        return (Mark(name),)


class ClearMessage(msgspec.Struct, tag_field="event", tag="clear"):
    """The caller has interrupted."""

    def events(self) -> Sequence[AgentEvent]:
        """That nothing more is to be played."""
        return (Clear(),)


class MarksComeBack(Dialect, ABC):
    """A dialect in which every mark comes back as it was sent, whatever became of it."""

    def notice(self, notice: Notice) -> list[Frame]:
        """Keys and marks: every mark that is pending comes back at once where the queue is cleared.

        As if played, since none of the vendors tells the two apart; nor is one left without an answer when
        the call ends. The rest they tell elsewhere, not on the stream.
        """
        match notice:
            case Digit(digit, duration_ms):
                return [self._message("dtmf", self._key(digit, duration_ms))]
            case MarkPlayed(name) | MarkPassed(name):
                return [self._message("mark", {"name": name})]
            case Cleared(names, _) | Abandoned(names, _):
                return [self._message("mark", {"name": name}) for name in names]
            case _:
                return []

    @abstractmethod
    def _key(self, digit: str, duration_ms: int) -> dict[str, object]:
        """The body of a `dtmf` frame."""

    @abstractmethod
    def _message(self, event: str, body: dict[str, object]) -> Frame:
        """A frame with the next number and the stream's id."""
