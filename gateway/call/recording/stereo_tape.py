"""What both sides of a call sounded like, sample beside sample, on its way to the recording.

Both channels follow the media clock. What leaves for the phone is one frame a tick, and beats that the clock
had to skip are silence. What was heard is laid out in real time by the receiver, which conceals losses and
fills pauses; it may lag the clock by its jitter buffer, so a second of both is handed over once it is there.
"""

from collections.abc import Callable

from gateway.media.audio import AudioFormat
from gateway.net.clock import GRID, MediaClock

CHUNK_MS = 1000
"Milliseconds handed over at once."
SLACK_MS = 500
"As far as what was heard may lag, or lead, before it is no jitter: then it is put where the clock is."

Give = Callable[[AudioFormat, bytes, bytes], None]
"Takes the next piece of both channels, heard and said, of the same length."


class StereoTape:
    """Two channels of one call: `hear` and `said` once a packet, `cut` at the end."""

    __slots__ = (
        "_at",
        "_beat_bytes",
        "_chunk",
        "_clock",
        "_due",
        "_format",
        "_give",
        "_given",
        "_heard",
        "_origin",
        "_paused",
        "_quiet_until",
        "_said",
        "_second",
        "_silence",
        "_slack",
        "_started",
    )

    def __init__(self, audio_format: AudioFormat, ptime_ms: int, clock: MediaClock, give: Give) -> None:
        self._paused = False
        self._quiet_until = 0
        "What was heard before this place is silence, though it comes only now."
        self._clock = clock
        self._give = give
        self._origin = clock.beat
        self._at = 0
        "Bytes of `_said` since the start; what was heard is measured against it."
        self._given = 0
        "Bytes of each channel that were handed over."
        self._heard = bytearray()
        self._said = bytearray()
        self._started = False
        "Something was heard, so that the receiver keeps that channel in real time."
        self._tune(audio_format, ptime_ms)

    @property
    def position_ms(self) -> int:
        """Milliseconds recorded so far."""
        return self._at // self._format.bytes_per_ms

    def hear(self, audio: bytes) -> None:
        """HOT: the phone's next audio."""
        heard = self._heard
        if not self._started:
            self._started = True
            self._pad(heard, self._at - self._given - len(heard))
        end = self._given + len(heard)
        if end > self._at + self._slack:
            return  # nobody ticks: nothing may grow
        if self._paused or end < self._quiet_until:
            self._pad(heard, len(audio))
        else:
            heard += audio

    def said(self, frame: bytes | None) -> None:
        """HOT: what left for the phone in this tick; None is silence."""
        behind = (self._clock.beat - self._origin) * self._beat_bytes - self._at
        if behind > 0:
            self._pad(self._said, behind)
            self._at += behind
        if frame is None or self._paused:
            frame = self._silence
        self._said += frame
        self._at += len(frame)
        if self._at >= self._due:
            self._hand_over()

    def pause(self) -> None:
        """Both channels are silence from now on, what was heard but is still on its way too."""
        self._paused = True

    def resume(self) -> None:
        """Both channels are heard again; what belongs into the pause stays silence, however late it comes."""
        self._paused = False
        self._quiet_until = self._at

    def retune(self, audio_format: AudioFormat, ptime_ms: int) -> None:
        """The phone's audio has another format, or frames of another length, from here on."""
        if audio_format != self._format:
            self.cut()
            milliseconds = self.position_ms
            self._tune(audio_format, ptime_ms)
            self._at = self._given = self._quiet_until = milliseconds * audio_format.bytes_per_ms
            self._due = self._at + self._chunk
        else:
            self._silence = audio_format.silence(ptime_ms)

    def cut(self) -> None:
        """Hand over all that is there; what was said sets the end."""
        length = len(self._said)
        self._pad(self._heard, length - len(self._heard))
        self._take(length)
        self._heard.clear()
        self._started = False

    def _tune(self, audio_format: AudioFormat, ptime_ms: int) -> None:
        self._format: AudioFormat = audio_format
        self._silence = audio_format.silence(ptime_ms)
        self._second = audio_format.silence(1000)
        self._beat_bytes = round(GRID * 1000) * audio_format.bytes_per_ms
        self._slack = SLACK_MS * audio_format.bytes_per_ms
        self._chunk: int = CHUNK_MS * audio_format.bytes_per_ms
        self._due = self._chunk

    def _hand_over(self) -> None:
        heard, said = self._heard, self._said
        if not self._started or len(said) - len(heard) > self._slack:
            self._pad(heard, len(said) - len(heard))
            self._started = False
        self._take(min(len(heard), len(said)))
        self._due = self._at + self._chunk

    def _take(self, length: int) -> None:
        if length:
            self._give(self._format, bytes(self._heard[:length]), bytes(self._said[:length]))
            del self._heard[:length]
            del self._said[:length]
            self._given += length

    def _pad(self, channel: bytearray, length: int) -> None:
        while length > 0:
            quiet = self._second[:length]
            channel += quiet
            length -= len(quiet)
