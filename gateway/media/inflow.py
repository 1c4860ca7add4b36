"""Audio that comes in order, whenever it likes, made into one frame a tick: what a browser sends by TCP.

Nothing is lost on the way, but all of it can be late: behind a stall comes a burst. A few frames wait so that
the usual unevenness is not heard, and one more after each time that they were too few; what a burst leaves
waiting beyond them is taken out again where nobody misses it, so that a call does not stay late for ever.
"""

from gateway.media.audio import AudioFormat
from gateway.media.pace import cut

_LEAD_MS = 40
"What has to wait before a stretch of audio begins to be read, at first and at least."
_LONGEST_LEAD_MS = 160
"The same, where audio has come late again and again."
_CALM_SECONDS = 10
"Seconds without a gap after which a frame less has to wait."
_MOST_MS = 400
"What may wait at most: more than real time is dropped, the oldest first."
_URGENT_MS = 120
"How much may wait too long before it is taken out amid speech, where there is no silence."


class Inflow:
    """Frames in real time out of audio that comes unevenly: `write`, `read` a tick, `second` a second."""

    __slots__ = (
        "_calm",
        "_flowing",
        "_format",
        "_frame",
        "_lead",
        "_least",
        "_longest",
        "_low",
        "_most",
        "_silence",
        "_waiting",
        "discarded",
        "filled",
        "octets",
    )

    def __init__(self, audio_format: AudioFormat, frame_ms: int = 20) -> None:
        per_ms = audio_format.bytes_per_ms
        self._format = audio_format
        self._frame = frame_ms * per_ms
        self._silence = audio_format.silence(frame_ms)
        self._least, self._longest = _LEAD_MS * per_ms, _LONGEST_LEAD_MS * per_ms
        self._lead, self._most = self._least, _MOST_MS * per_ms
        self._calm = 0
        "Seconds since audio was late, or since the lead was last made shorter."
        self._waiting = bytearray()
        self._flowing = False
        self._low = 0
        "The least that waited in this second."
        self.octets = 0
        "Bytes that came."
        self.discarded = 0
        "Bytes that were dropped or taken out, since they did not keep real time."
        self.filled = 0
        "Bytes of silence that stand where nothing had come in time."

    def write(self, audio: bytes) -> None:
        """HOT: take audio, of whole samples."""
        waiting = self._waiting
        self.octets += len(audio)
        waiting += audio
        over = len(waiting) - self._most
        if over > 0:
            del waiting[:over]
            self.discarded += over

    def read(self) -> bytes | None:
        """HOT: the next frame, silence where it is late; None before anything came."""
        waiting = self._waiting
        if len(waiting) >= (self._frame if self._flowing else self._lead):
            self._flowing = True
            frame = bytes(waiting[: self._frame])
            del waiting[: self._frame]
            self._low = min(self._low, len(waiting))
            return frame
        if self._flowing:
            self._run_dry()
        self._low = 0
        if not self.octets:
            return None
        self.filled += self._frame
        return self._silence

    def second(self) -> None:
        """A second went by: let no more wait than has to."""
        self._calm += 1
        if self._calm >= _CALM_SECONDS:
            self._lead, self._calm = max(self._lead - self._frame, self._least), 0
        excess, self._low = self._low - self._lead, len(self._waiting)
        urgent = excess > _URGENT_MS * self._format.bytes_per_ms
        while excess > 0:
            made = cut(bytes(self._waiting), self._format, urgent=urgent)
            if made is None or len(made[1]) == len(self._waiting):
                return
            removed = len(self._waiting) - len(made[1])
            self._waiting = bytearray(made[1])
            self.discarded += removed
            excess -= removed

    def _run_dry(self) -> None:
        """A frame is late: the next stretch begins with more in hand."""
        self._flowing = False
        self._lead, self._calm = min(self._lead + self._frame, self._longest), 0
