"""What a call needs of the side that an agent talks to: a phone behind a trunk, or a browser."""

from collections.abc import Callable
from typing import Literal, Protocol

from gateway.call.one_shot import OneShot
from gateway.call.record import Ending
from gateway.media.audio import AudioFormat

Party = Literal["caller", "callee", "agent"]
Sink = Callable[[bytes], None]
Speak = Callable[[], bytes | None]
"Sends the frame that is due, and returns what it sent; None is silence."


class Media(Protocol):
    """Audio of one phone, both ways, in frames of `format`."""

    format: AudioFormat
    ptime_ms: int
    held: bool
    "The peer has put the call on hold: it hears nobody, and the agent hears silence."
    may_send: bool
    sink: Sink
    "Gets the phone's audio, in order and in real time. HOT."

    @property
    def codec_name(self) -> str:
        """What we send, for the log."""
        ...

    @property
    def frame_bytes(self) -> int:
        """Bytes of `format` in a frame."""
        ...

    @property
    def pressing(self) -> bool:
        """Whether digits are on their way, in the place of audio."""
        ...

    @property
    def sent(self) -> int:
        """Frames that we sent."""
        ...

    @property
    def send_errors(self) -> int:
        """Those of them that did not leave."""
        ...

    @property
    def lost_there(self) -> float:
        """The part of them that the peer missed of late, as far as it says."""
        ...

    @property
    def silent_on_purpose(self) -> bool:
        """Whether the peer has said that nothing need come for a while."""
        ...

    def step(self, now: float, speak: Speak) -> bytes | None:
        """HOT: let the time of a frame go by, both ways; returns what `speak` did where a frame was due.

        None is due on hold, and while a piece of a digit goes in its place (RFC 4733 section 2.5.1.1).
        """
        ...

    def send(self, frame: bytes | None) -> None:
        """HOT: one frame, where `speak` was called; None is silence."""

    def press(self, digits: str) -> bool:
        """Send digits; False where the peer takes none, or too many wait already."""
        ...

    def sweep(self, now: float) -> None:
        """Once a second."""

    def silent_for(self, now: float) -> float:
        """Seconds since audio came, or could first have come."""
        ...

    def is_lost(self, now: float, limit: float) -> bool:
        """Whether none came for more than `limit` seconds, and for no good reason."""
        ...

    def ignored(self, now: float) -> str:
        """Who alone sends what could be the phone's audio, and is not believed; empty where all is well."""
        ...

    def sample(self, underruns: int) -> dict[str, object] | None:
        """How the last few seconds sounded, for the agent; None where nothing is known."""
        ...

    def whereabouts(self) -> dict[str, object]:
        """What to look at when one side hears nothing."""
        ...

    def figures(self) -> dict[str, object]:
        """Both directions in numbers, for the call's record."""
        ...


class MediaUser(Protocol):
    """Who has the audio of a phone: hears of what comes with it."""

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Something happened that is worth a line in the log."""

    def pressed(self, digit: str, milliseconds: int) -> None:
        """A key was pressed there, for so long."""


class PhoneUser(MediaUser, Protocol):
    """Who has a phone in its call: hears of what the phone's side does, until it has closed the leg."""

    def rings(self, status: int, early: bool) -> None:
        """A provisional answer of the callee's came, with this status; `early`: it brings audio."""

    def picked_up(self) -> None:
        """The callee has answered our INVITE, this moment."""

    def acknowledged(self) -> None:
        """The caller has acknowledged our answer."""

    def retuned(self) -> None:
        """Something was negotiated within the call: another format, or length of packets, maybe."""

    def held(self, held: bool) -> None:
        """The peer has put the call on hold, or taken it back."""

    def end(self, ending: Ending) -> None:
        """The phone's side is gone, or its call cannot go on."""


class Phone(Protocol):
    """The phone's side of a call, whatever carries it."""

    party: Party
    connected: OneShot
    "Set when the peer surely hears us."

    @property
    def media(self) -> Media:
        """Its audio, once there is some."""
        ...

    def close(self, ending: Ending) -> None:
        """Hang up, and free the media; right at any time. From then on nobody is told anything."""

    def figures(self) -> dict[str, object]:
        """What became of the audio, for the record; nothing where there was none."""
        ...
