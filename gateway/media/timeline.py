"""Received audio laid out in real time: as many samples given on as time went by.

Longer than most: whatever is done to the audio has to leave the one count of units right.
"""

from math import inf

from gateway.media.audio import converter, from_l16, loudness, to_l16
from gateway.media.codecs import Codec
from gateway.media.comfort_noise import ComfortNoise
from gateway.media.concealment import FADED_MS, Continuation, bytes_of, joined, lengthened, shortened
from gateway.media.packet import timestamp_distance
from gateway.media.patience import Patience
from gateway.media.plain import EARLIEST, LATEST, QUIET, PlainRun, Sink

_SILENT = 200
"Root mean square below which nobody misses a frame: about -44 dB of full scale."

_SETTLED = 50
"Packets in a row that have to be off before it is the sender's clock and not the network."

_COUNTS = (
    "_done",
    "_excused",
    "concealed",
    "discarded",
    "filled",
    "inserted",
    "spoilt",
    "withheld",
)
"What is counted in units, but for those that timestamps and clock give."

_PERSISTS = 0.1
"Seconds for which a jump of the delay has to last: a burst behind a stall is over sooner."


class Timeline:
    """Gives audio on so that the count of its units follows the clock from the first packet on.

    A unit is one of the timestamps: with G.711 a sample, which is a byte. Its *lag* is how far the units
    given are behind the clock just before a packet is taken; negative, the audio runs ahead. Timestamps say
    how much is missing between two packets; the clock alone says how much of that to fill in, since senders
    pause with running or with halted timestamps, and jump.

    What is off is put right where nobody hears it: a silent packet is left out or given twice. Where
    the sender is never silent, one period of its voice is taken out, or put in, with a cross-fade. Only
    what is far off, by a burst behind an outage or a jump of the delay, is cut.

    A packet that is exactly the expected one does not come here: `PlainRun` gives it on, and `RtpReceiver`
    moves `media` past it.
    """

    __slots__ = (
        "_ahead_far",
        "_ahead_firm",
        "_ahead_hard",
        "_ahead_soft",
        "_amid_word",
        "_catch_up",
        "_codec",
        "_convert",
        "_cut",
        "_decode",
        "_done",
        "_excused",
        "_format",
        "_frame",
        "_give",
        "_going_on",
        "_lag_firm",
        "_lag_hard",
        "_lag_held",
        "_lag_soft",
        "_late_since",
        "_longest_fill",
        "_noise",
        "_off",
        "_off_at",
        "_offset",
        "_origin",
        "_rate",
        "_run",
        "_shortened",
        "_silence",
        "_sink",
        "_sink_format",
        "_stalls",
        "_unit_bytes",
        "concealed",
        "discarded",
        "filled",
        "inserted",
        "media",
        "spoilt",
        "withheld",
    )

    def __init__(
        self,
        run: PlainRun,
        sink: Sink,
        codec: Codec,
        longest_stall: float = 0.5,
        catch_up: float = 0.4,
        fmtp: str = "",
    ) -> None:
        """`codec` is the first of the stream, whose format the sink gets whatever comes later.

        `longest_stall`: how late audio may be, in seconds, before it is given up for silence.

        `catch_up`: how far ahead of the clock audio may be given, in seconds, when it comes in a burst.

        Long, since each part of the state is told beside its first value.
        """
        self._run = run
        self._catch_up = catch_up
        self._sink = sink
        self._sink_format = codec.format
        self._stalls = Patience(QUIET, longest_stall, QUIET)
        "How long a sender may be silent before it is taken for a pause."
        self._going_on: Continuation | None = None
        "What was made up since the last packet."
        self._cut: bytes | None = None
        "The first packet that was left out since the last one."
        self._amid_word = False
        "Whether what was filled since the last packet stands amid a word."
        self._shortened = False
        "Whether the packet before was made shorter."
        self._excused = 0
        "Units that may yet be cut of what came behind a stall, and whose place was counted as spoilt."
        self._noise: ComfortNoise | None = None
        "What the sender wants its pause to sound like."
        self._wind(codec.clock_rate)
        self._take_as(codec, fmtp)
        self.media = 0
        "Extended timestamp that the next packet should carry."
        self._offset = 0
        "Units given, minus `media`."
        self._origin = 0.0
        "The clock, in units, when the first packet came."
        self._done = 0
        "Units filled since the last packet: that much of the next gap in the timestamps is done."
        self._off = 0
        "Packets in a row that were off, all to the same side: behind the clock, or below 0 ahead of it."
        self._off_at = 0
        self._late_since = 0.0
        "When the first of them came."
        self.concealed = 0
        "Units made up for lost packets, and for ones that were late in the middle of a word."
        self.filled = 0
        "Units of silence for pauses of the sender."
        self.inserted = 0
        "Units repeated because the sender's clock is slow."
        self.discarded = 0
        "Units dropped: came too fast, in a burst or by the sender's clock, or waited too long for us."
        self.spoilt = 0
        "Units of audio that can be missed: not given on, or silence in their place amid a word."
        self.withheld = 0
        "Units that had their time and were given to nobody, since we stood still."

    @property
    def given(self) -> int:
        """Units given on so far."""
        return self.media + self._offset - self.withheld

    def start(self, timestamp: int, now: float) -> None:
        """Begin with the packet at hand, which is right on time by definition."""
        self.media, self._offset = timestamp, -timestamp
        self._origin = now * self._rate
        self._run.heard_at = now
        self._bound()

    def rebase(self, timestamp: int) -> None:
        """Go on with a sender whose timestamps have nothing to do with those before."""
        self._offset += self.media - timestamp
        self.media = timestamp
        self._bound()

    def switch(self, codec: Codec, fmtp: str, timestamp: int) -> None:
        """Take audio of another codec from here on, the first of it with this timestamp; the sink's stays."""
        if codec.clock_rate != self._rate:
            self._reckon_by(codec.clock_rate)
            self.rebase(timestamp)  # another clock: what the timestamps skip cannot be told (RFC 7160)
        self._take_as(codec, fmtp)

    def renew(self, fmtp: str) -> None:
        """Another stream of the same codec begins: a decoder knows nothing of it."""
        if self._codec.decoder is not None:
            self._take_as(self._codec, fmtp)

    def _take_as(self, codec: Codec, fmtp: str) -> None:
        self._codec = codec
        self._format = codec.format
        self._unit_bytes = codec.unit_bytes
        self._decode = None if codec.decoder is None else codec.decoder(fmtp)
        self._silence = codec.format.silence(20)
        self._run.last = self._run.before = b""
        self._going_on = self._cut = self._noise = None
        self._convert = converter(codec.format, self._sink_format)
        self.redirect(self._sink)

    def _wind(self, clock_rate: int) -> None:
        """Know all bounds in units of this clock."""
        per_ms = clock_rate // 1000
        self._rate = clock_rate
        self._frame = 20 * per_ms
        self._longest_fill = 1000 * per_ms
        self._ahead_soft, self._ahead_firm = round(-EARLIEST * clock_rate), 80 * per_ms
        self._lag_soft, self._lag_firm = round(LATEST * clock_rate), 100 * per_ms
        self._ahead_far, self._lag_hard = 160 * per_ms, 200 * per_ms
        self._ahead_hard = max(self._ahead_far, round(self._catch_up * clock_rate))
        self._lag_held = 120 * per_ms

    def _reckon_by(self, clock_rate: int) -> None:
        """Turn every count of units into one of another clock."""
        before = self._rate
        self._wind(clock_rate)
        self._origin *= clock_rate / before
        self._offset = (self.media + self._offset) * clock_rate // before - self.media
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) * clock_rate // before)

    def redirect(self, sink: Sink) -> None:
        """Give the audio to somebody else from here on."""
        self._sink = sink
        convert = self._convert
        self._aim(sink if convert is None else lambda audio: sink(convert(audio)))

    def _aim(self, give: Sink) -> None:
        self._give = give
        self._run.give = give if self._decode is None else self._give_decoded

    def withhold(self) -> None:
        """Give what comes to nobody, until `redirect`: it had its time, and waited for us too long."""
        self._aim(self._drop)

    def resume(self) -> None:
        """Give audio on again."""
        self.redirect(self._sink)

    def stand_still(self, now: float) -> None:
        """Let time go by up to now in which we gave nothing, where no audio waited for us either."""
        whole = int(self._lag(now)) // self._frame * self._frame
        if now - self._run.heard_at > QUIET and whole > 0:
            self.withheld += whole
            self._offset += whole
            self._done += whole
            self._run.due_at = inf

    def decoded(self, payload: bytes) -> bytes:
        """The audio of a payload, in the codec's format; empty where it makes no sense."""
        decode = self._decode
        return payload if decode is None else decode(payload)[: self._longest_fill * self._unit_bytes]

    def _give_decoded(self, payload: bytes) -> None:
        """In the place of the sink of plain packets, where a codec has a decoder."""
        run = self._run
        audio = run.last = self.decoded(payload)
        self._offset += len(audio) // self._unit_bytes - run.units
        self._give(audio)

    def take(self, audio: bytes, timestamp: int, now: float, *, lost: bool, prompt: bool) -> int:
        """The audio of one packet in sequence; returns how many units of the timestamps it lasts.

        `lost`: some before it never came; `prompt`: it was not held back.
        """
        units = len(audio) // self._unit_bytes
        self._bridge(timestamp, now, lost)
        lag = self._lag(now)
        settled = self._settled(lag, units, now)
        if prompt and lag > self._lag_hard and now - self._late_since >= _PERSISTS:
            self._fill(lag - self._lag_soft)
        if lag < 0:
            self._give_early(audio, lag, settled=settled)
        else:
            self._give_late(audio, lag, settled=settled and prompt)
        self.media += units
        run = self._run
        run.before, run.last = run.last, audio
        run.heard_at = now
        self._noise = None
        self._bound()
        return units

    def pause(self, now: float, noise_level: int | None = None) -> None:
        """Fill in silence up to now: something came in the place of audio, maybe noise of this level."""
        if noise_level is not None and (self._noise is None or self._noise.level != noise_level):
            self._noise = ComfortNoise(noise_level, self._format)
        self._fill(self._lag(now), amid_word=False)

    def tick(self, now: float, *, audio_at_hand: bool) -> None:
        """Fill in silence when no audio was taken for a while; later when some waits for its turn.

        Below `QUIET` since the last packet there is nothing to do.
        """
        quiet = now - self._run.heard_at
        if quiet > QUIET and (self._done or self._noise or quiet > self._stalls.wait(now)):
            lag = self._lag(now)
            allowed = self._lag_held if audio_at_hand else self._lag_soft
            if lag > allowed:
                self._fill(lag - allowed + self._frame)

    def _lag(self, now: float) -> float:
        return now * self._rate - self._origin - self.media - self._offset

    def _bound(self) -> None:
        """Say anew when a plain packet is due."""
        if self._going_on is not None or self._cut is not None:
            self._run.due_at = inf  # the next packet has to be joined to what came in between
        else:
            self._run.due_at = (self._origin + self._offset + self.media) / self._rate

    def _bridge(self, timestamp: int, now: float, lost: bool) -> None:
        """Give what is missing between the last packet and this one, as far as the clock agrees."""
        gap = timestamp_distance(self.media & 0xFFFFFFFF, timestamp)
        on_time = EARLIEST < now - self._run.due_at < LATEST
        if gap == 0 and not lost and self._run.last and not on_time:
            # What is on time is plain where nothing else is the matter, and then does not come here.
            self._stalls.came(now - self._run.heard_at, now)
        if self._amid_word and not lost:
            self._spoil(self._done - max(0, gap))
        owed = min(gap - self._done, int(self._lag(now)) + self._ahead_soft, self._longest_fill)
        if owed > 0 and lost:
            self._conceal(owed)
        elif owed > 0:
            self._be_silent(owed)
        self._done = 0
        self._amid_word = False
        self.media += gap
        self._offset -= gap

    def _spoil(self, stalled: int) -> None:
        """Silence stood where audio belongs that comes only now: what of that is cut is no further harm."""
        if stalled > 0:
            self.spoilt += stalled
            self._excused = stalled

    def _give_early(self, audio: bytes, lag: float, *, settled: bool) -> None:
        """Audio ahead of the clock: left out where it is silent, or too far ahead; else made shorter.

        At once where it is far ahead, as behind a stall that was filled; every other packet, so that it is no
        faster than people can talk.
        """
        if lag < -self._ahead_soft and self._silent(audio):
            self._leave_out(audio)
        elif lag < -self._ahead_hard:
            self._miss(self._leave_out(audio))
        else:
            if lag < -self._ahead_far or (settled and lag < -self._ahead_firm):
                audio = self._shorter(audio)
            self._give(self._joined(audio))

    def _leave_out(self, audio: bytes) -> int:
        units = len(audio) // self._unit_bytes
        self.discarded += units
        self._offset -= units
        self._cut = self._cut or audio
        return units

    def _shorter(self, audio: bytes) -> bytes:
        self._shortened = not self._shortened
        if not self._shortened:
            return audio
        shorter = from_l16(shortened(to_l16(audio, self._format), self._format.rate), self._format)
        less = (len(audio) - len(shorter)) // self._unit_bytes
        self.discarded += less
        self._offset -= less
        self._miss(less)
        return shorter

    def _miss(self, units: int) -> None:
        """So much of what was said is not heard."""
        excused = min(self._excused, units)
        self._excused -= excused
        self.spoilt += units - excused

    def _drop(self, audio: bytes) -> None:
        """In the place of the sink, while audio is withheld."""
        units = len(audio) // self._unit_bytes
        self.withheld += units
        self.discarded += units
        self.spoilt += units

    def _give_late(self, audio: bytes, lag: float, *, settled: bool) -> None:
        """Audio behind the clock: given twice where it is silent; where it never is, made longer."""
        if settled and lag > self._lag_soft and self._silent(audio):
            self.inserted += self._emit(audio)
        elif settled and lag > self._lag_firm and self._going_on is None:
            longer = lengthened(self._history(), to_l16(audio, self._format), self._format.rate)
            longer = from_l16(longer, self._format)
            added = (len(longer) - len(audio)) // self._unit_bytes
            self.inserted += added
            self._offset += added
            self._give(longer)
            return
        self._give(self._joined(audio))

    def _joined(self, audio: bytes) -> bytes:
        """The packet, its beginning grown out of what was made up, or left out, before it."""
        going_on, cut = self._going_on, self._cut
        if going_on is None and cut is None:
            return audio
        self._going_on = self._cut = None
        samples = to_l16(audio, self._format)
        if going_on is not None:
            samples = going_on.joined(samples)
        elif cut is not None:
            samples = joined(to_l16(cut, self._format), samples, self._format.rate)
        return from_l16(samples, self._format)

    def _conceal(self, units: int) -> None:
        """Let the newest sound go on, and die away."""
        self.concealed += units
        if self._going_on is None:
            self._going_on = Continuation(self._history(), self._format.rate)
        for start in range(0, units, self._frame):
            count = min(self._frame, units - start) * self._codec.samples_a_unit
            self._emit(from_l16(bytes_of(self._going_on.more(count)), self._format))

    def _be_silent(self, units: int) -> None:
        self.filled += units
        for start in range(0, units, self._frame):
            size = min(self._frame, units - start) * self._unit_bytes
            self._emit(self._noise.more(size) if self._noise else self._silence[:size])

    def _fill(self, units: float, *, amid_word: bool = True) -> None:
        """As many whole frames as fit, before the packet to come: silence, unless it may be amid a word."""
        whole = int(min(units, self._longest_fill)) // self._frame * self._frame
        if whole <= 0:
            return
        dying = min(whole, self._dying()) if amid_word and self._noise is None else 0
        if dying > 0:
            self._conceal(dying)
            self._amid_word = True
        if whole > dying:
            self._be_silent(whole - dying)
        self._done += whole
        self._run.due_at = inf  # the next packet has to look at how much was done

    def _dying(self) -> int:
        """Units for which the last sound still goes on, if it was one; a pause is silent from there."""
        if self._going_on is not None:
            return self._going_on.left // self._codec.samples_a_unit
        return 0 if self._silent(self._run.last) else FADED_MS * self._rate // 1000

    def _emit(self, audio: bytes) -> int:
        """Give audio that no timestamp stands for; returns how many units it is."""
        units = len(audio) // self._unit_bytes
        self._offset += units
        self._give(audio)
        return units

    def _history(self) -> bytes:
        size = 2 * self._frame * self._unit_bytes
        return to_l16((self._run.before + self._run.last)[-size:], self._format)

    def _silent(self, audio: bytes) -> bool:
        return not audio or loudness(audio, self._format) < _SILENT

    def _settled(self, lag: float, units: int, now: float) -> bool:
        """Whether packets have been off for so long that the sender's clock is to blame."""
        side = (lag > self._lag_soft) - (lag < -self._ahead_soft)
        goes_on = side * self._off > 0 and self._off_at == self.media
        self._off = (self._off if goes_on else 0) + side
        self._off_at = self.media + units
        if not goes_on:
            self._late_since = now
        return abs(self._off) > _SETTLED
