"""Received audio laid out in real time: as many samples given on as time went by."""

from collections.abc import Callable
from math import inf

from gateway.media.audio import AudioFormat, attenuated, converter, loudness
from gateway.media.packet import timestamp_distance

Sink = Callable[[bytes], None]

_FADE = (0.8, 0.5, 0.2)
"How loud the last 20 ms are repeated in place of the first, second and third lost 20 ms."

_SILENT = 200
"Root mean square below which nobody misses a frame: about -44 dB of full scale."

_SETTLED = 50
"Packets in a row that have to lag before it is the sender's clock and not the network."


class Timeline:
    """Gives audio on so that the count of its samples follows the clock from the first packet on.

    Its *lag* is how far the samples given are behind the clock just before a packet is taken;
    negative, the audio runs ahead. Timestamps say how much is missing between two packets; the
    clock alone says how much of that to fill in, since senders pause with running or with halted
    timestamps, and jump. What comes in a burst behind an outage that was already filled would make
    the audio run ahead for ever: the excess is discarded.

    `RtpReceiver` itself reads and moves `media`, `early`, `late`, `last` and `heard_at` for a
    packet that is exactly the expected one.
    """

    __slots__ = (
        "_ahead_hard",
        "_ahead_soft",
        "_convert",
        "_done",
        "_format",
        "_frame",
        "_lag_hard",
        "_lag_held",
        "_lag_soft",
        "_lagging",
        "_lagging_at",
        "_longest_fill",
        "_offset",
        "_origin",
        "_rate",
        "_silence",
        "_sink",
        "_sink_format",
        "concealed",
        "discarded",
        "early",
        "filled",
        "give",
        "heard_at",
        "inserted",
        "last",
        "late",
        "media",
    )

    QUIET = 0.07
    "Seconds without audio after which `tick` fills in silence: longer than a packet of 60 ms."

    give: Sink
    "Where audio in the codec of the moment goes."

    def __init__(self, sink: Sink, sink_format: AudioFormat, clock_rate: int) -> None:
        per_ms = clock_rate // 1000
        self._rate = clock_rate
        self._frame = 20 * per_ms
        self._longest_fill = 1000 * per_ms
        self._ahead_soft, self._ahead_hard = 40 * per_ms, 80 * per_ms
        self._lag_soft, self._lag_hard, self._lag_held = 60 * per_ms, 100 * per_ms, 120 * per_ms
        self._sink = sink
        self._sink_format = sink_format
        self.switch(sink_format)
        self.media = 0
        "Extended timestamp that the next packet should carry."
        self._offset = 0
        "Samples given, minus `media`."
        self._origin = 0.0
        "The clock, in samples, when the first packet came."
        self.early = inf
        "A packet is plain while its transit, the clock in samples minus `media`, is above this …"
        self.late = -inf
        "… and below this."
        self.last = b""
        "The newest audio."
        self.heard_at = inf
        self._done = 0
        "Samples filled since the last packet: that much of the next gap in the timestamps is done."
        self._lagging = 0
        self._lagging_at = 0
        self.concealed = 0
        "Samples made up for lost packets."
        self.filled = 0
        "Samples of silence for pauses of the sender."
        self.inserted = 0
        "Samples repeated because the sender's clock is slow."
        self.discarded = 0
        "Samples dropped because they came too fast: in a burst, or by the sender's clock."

    @property
    def given(self) -> int:
        """Samples given on so far."""
        return self.media + self._offset

    def start(self, timestamp: int, now: float) -> None:
        """Begin with the packet at hand, which is right on time by definition."""
        self.media, self._offset = timestamp, -timestamp
        self._origin = now * self._rate
        self.heard_at = now
        self._bound()

    def rebase(self, timestamp: int) -> None:
        """Go on with a sender whose timestamps have nothing to do with those before."""
        self._offset += self.media - timestamp
        self.media = timestamp
        self._bound()

    def switch(self, audio_format: AudioFormat) -> None:
        """Take audio in another format from here on; the sink's stays what it was."""
        self._format = audio_format
        self._silence = audio_format.silence(20)
        convert = converter(audio_format, self._sink_format)
        sink = self._sink
        self.give = sink if convert is None else lambda audio: sink(convert(audio))

    def take(self, payload: bytes, timestamp: int, now: float, *, lost: bool, prompt: bool) -> None:
        """One packet in sequence. `lost`: some before it never came; `prompt`: it was not held back."""
        self._bridge(timestamp, now, lost)
        lag = self._lag(now)
        if prompt and lag > self._lag_hard:
            self._fill(lag - self._lag_soft)
        if lag < -self._ahead_hard or (lag < -self._ahead_soft and self._silent(payload)):
            self.discarded += len(payload)
            self._offset -= len(payload)
        else:
            if prompt and lag > self._lag_soft and self._settled(len(payload)) and self._silent(payload):
                self.inserted += self._emit(payload)
            self.give(payload)
        self.media += len(payload)
        self.last = payload
        self.heard_at = now
        self._bound()

    def keep_up(self, now: float) -> None:
        """Fill in silence up to now: something came in the place of audio."""
        self._fill(self._lag(now))

    def tick(self, now: float, *, audio_at_hand: bool) -> None:
        """Fill in silence when no audio was taken for `QUIET`; later when some waits for its turn."""
        if now - self.heard_at > self.QUIET:
            lag = self._lag(now)
            allowed = self._lag_held if audio_at_hand else self._lag_soft
            if lag > allowed:
                self._fill(lag - allowed + self._frame)

    def _lag(self, now: float) -> float:
        return now * self._rate - self._origin - self.media - self._offset

    def _bound(self) -> None:
        """Say anew which packets are plain."""
        right_on_time = self._origin + self._offset
        self.early = right_on_time - self._ahead_soft
        self.late = right_on_time + self._lag_soft

    def _bridge(self, timestamp: int, now: float, lost: bool) -> None:
        """Give what is missing between the last packet and this one, as far as the clock agrees."""
        gap = timestamp_distance(self.media & 0xFFFFFFFF, timestamp)
        owed = min(gap - self._done, int(self._lag(now)) + self._ahead_soft, self._longest_fill)
        if owed > 0 and lost:
            self._conceal(owed)
        elif owed > 0:
            self._be_silent(owed)
        self._done = 0
        self.media += gap
        self._offset -= gap

    def _conceal(self, samples: int) -> None:
        self.concealed += samples
        for gain in _FADE:
            if samples <= 0 or not self.last:
                break
            samples -= self._emit(attenuated(self.last[-self._frame :], gain, self._format)[:samples])
        for start in range(0, samples, self._frame):
            self._emit(self._silence[: samples - start])

    def _be_silent(self, samples: int) -> None:
        self.filled += samples
        for start in range(0, samples, self._frame):
            self._emit(self._silence[: samples - start])

    def _fill(self, samples: float) -> None:
        """Silence of as many whole frames as fit, before the packet to come."""
        whole = int(min(samples, self._longest_fill)) // self._frame * self._frame
        if whole > 0:
            self._be_silent(whole)
            self._done += whole
            self.early = inf  # the next packet has to look at how much was done

    def _emit(self, audio: bytes) -> int:
        """Give audio that no timestamp stands for."""
        self._offset += len(audio)
        self.give(audio)
        return len(audio)

    def _silent(self, payload: bytes) -> bool:
        return loudness(payload, self._format) < _SILENT

    def _settled(self, size: int) -> bool:
        """Whether packets have lagged so long that the sender's clock is to blame."""
        self._lagging = self._lagging + 1 if self._lagging_at == self.media else 1
        self._lagging_at = self.media + size
        return self._lagging > _SETTLED
