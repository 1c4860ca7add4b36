"""What Telnyx's and Exotel's streams have in common with Twilio's: three messages, and marks that come back.

The stream's id is the one thing in the messages that each calls differently: a dialect adds it to all three.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from gateway.agent.protocol import MAX_NAME, AgentEvent, Audio, Clear, Frame, Malformed, Mark, Reticent

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


class MarksComeBack(Reticent, ABC):
    """A dialect in which every mark comes back as it was sent, whatever became of it."""

    def mark_played(self, name: str) -> list[Frame]:
        """The mark comes back."""
        return [self._message("mark", {"name": name})]

    def cleared(self, names: Sequence[str], dropped_ms: int) -> list[Frame]:
        """Every pending mark comes back at once, as if played: none of the vendors tells the two apart."""
        return [self._message("mark", {"name": name}) for name in names]

    def abandoned(self, names: Sequence[str], unheard_ms: int) -> list[Frame]:
        """As behind a clear: no mark is left without an answer."""
        return self.cleared(names, unheard_ms)

    @abstractmethod
    def _message(self, event: str, body: dict[str, object]) -> Frame:
        """A frame with the next number and the stream's id."""
