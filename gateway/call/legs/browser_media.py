"""The audio of a browser: 16 kHz PCM both ways, in messages of a WebSocket."""

import json

from gateway.call.legs.phone import Sink, Speak
from gateway.call.legs.phone_media import PTIME_MS, drop
from gateway.media.audio import L16_16K, AudioFormat
from gateway.media.inflow import Inflow
from gateway.net.connection import Connection

MAX_AUDIO_BYTES = 100 * L16_16K.bytes_per_ms
"Most audio in one message: 100 ms."


class BrowserMedia:
    """What the bridge, the recording and the watch see of a browser; see `phone.Media`."""

    def __init__(self, now: float) -> None:
        self.format: AudioFormat = L16_16K
        self.ptime_ms = PTIME_MS
        self.held = False
        self.may_send = False
        self.sink: Sink = drop
        self.sent = 0
        self.received = 0
        "Messages of audio that came."
        self.malformed = 0
        "Messages that made no sense."
        self.peer = ""
        "Address and port of the browser, or of the proxy before it."
        self._connection: Connection | None = None
        self._inflow = Inflow(self.format, PTIME_MS)
        self._silence = self.format.silence(PTIME_MS)
        self._heard_at = now

    codec_name = "L16/16000"
    frame_bytes = PTIME_MS * L16_16K.bytes_per_ms
    pressing = False  # digits are messages of their own
    silent_on_purpose = False
    lost_there = 0.0

    @property
    def send_errors(self) -> int:
        """Frames that were dropped because the browser does not read."""
        return 0 if self._connection is None else self._connection.audio_dropped

    def open(self, connection: Connection, peer: str, now: float) -> None:
        """Take audio from a browser, and send it some from the answer on."""
        self._connection, self.peer, self._heard_at = connection, peer, now

    def take(self, audio: bytes, now: float) -> None:
        """HOT: a message of audio."""
        if not audio or len(audio) & 1 or len(audio) > MAX_AUDIO_BYTES:
            self.malformed += 1
            return
        self._heard_at = now
        self.received += 1
        self._inflow.write(audio)

    def step(self, now: float, speak: Speak) -> bytes | None:
        """HOT: one frame each way; before the answer none leaves."""
        frame = speak() if self.may_send else None
        heard = self._inflow.read()
        if heard is not None:
            self.sink(heard)
        return frame

    def send(self, frame: bytes | None) -> None:
        """HOT: one frame; None is silence."""
        if self._connection is not None:
            self.sent += 1
            self._connection.send_audio(False, self._silence if frame is None else frame)

    def press(self, digits: str) -> bool:
        """Tell the browser what the agent dials."""
        if self._connection is None:
            return False
        self._connection.send(True, json.dumps({"type": "dtmf", "digits": digits}).encode())
        return True

    def sweep(self, now: float) -> None:
        """Once a second: let no more wait than has to."""
        self._inflow.second()

    def silent_for(self, now: float) -> float:
        """Seconds since the browser sent audio; one that is muted sends silence."""
        return now - self._heard_at

    def is_lost(self, now: float, limit: float) -> bool:
        """Whether the browser has sent nothing for so long."""
        return self.silent_for(now) > limit

    def ignored(self, now: float) -> str:
        """Nobody: a connection has one peer."""
        return ""

    def sample(self, underruns: int) -> dict[str, object] | None:
        """TCP says nothing of how it sounds."""
        return None

    def whereabouts(self) -> dict[str, object]:
        """What to look at when one side hears nothing."""
        return {
            "codec": self.codec_name,
            "theirs": self.peer,
            "packets_in": self.received,
            "packets_out": self.sent,
            "send_errors": self.send_errors,
        }

    def figures(self) -> dict[str, object]:
        """Both directions in numbers: `docs/calls.md` lists the keys."""
        inflow, per_ms = self._inflow, self.format.bytes_per_ms
        return {
            "codec": self.codec_name,
            "remote": self.peer,
            "in": {
                "packets": self.received,
                "octets": inflow.octets,
                "filled_ms": inflow.filled // per_ms,
                "discarded_ms": inflow.discarded // per_ms,
                "malformed": self.malformed,
            },
            "out": {
                "packets": self.sent,
                "octets": self.sent * self.frame_bytes,
                "send_errors": self.send_errors,
            },
        }
