"""The receiving end of an RTP stream: packets as they come in, audio in real time out.

Longer than most: it is one machine, and what its parts hand each other for every packet is its state.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from gateway.media import comfort_noise
from gateway.media.codecs import Codec
from gateway.media.dtmf import EventDetector, OnDigit
from gateway.media.packet import RtpPacket, Stray, sequence_distance, timestamp_distance
from gateway.media.patience import Patience
from gateway.media.plain import PlainRun, Sink
from gateway.media.quality import Bursts, LossRuns
from gateway.media.rtcp import ReportBlock
from gateway.media.timeline import Timeline

_VERSION = 0x8000
_NEVER = -1
"In place of an SSRC or a payload type: nothing equals it."

_FURTHEST = 3000
"Steps in sequence numbers beyond which it is another sequence (RFC 3550 appendix A.1, MAX_DROPOUT)."

_SHORTEST_WAIT, _FIRST_WAIT = 0.02, 0.06
"Seconds that a gap stays open in a network that never reorders, and before anything is known of it."

_REPLACEABLE = 25
"Packets for which the old stream stays replaceable behind a negotiation: half a second of 20 ms ones."

_SLACK_PACKETS, _SLACK_SECONDS = 50, 1.0
"By how much more than was missed a stream may have gone on that is still taken for the same one."

_LONGEST_MS = 200
"Of a packet's audio: what has more bytes than that in the codec's own format is no packet of it."

NO_EVENTS: Mapping[int, int] = MappingProxyType({})
"Where no payload type of telephone-events was agreed on."

_MOST_HELD = 64
_MOST_MISSED = 256


class RtpReceiver:
    """Orders the packets of one stream, gives their audio on in real time, and counts what happened.

    `sink` gets audio in the format of the first codec of `payload_types`, the pieces as long as the
    packets were; `on_digit` gets each digit that was pressed, when it is released.
    """

    __slots__ = (
        "_base",
        "_catch_up_seconds",
        "_clock_rate",
        "_codecs",
        "_digits",
        "_event_clocks",
        "_expected_before",
        "_fmtp",
        "_gap",
        "_held",
        "_highest",
        "_longest",
        "_losses",
        "_measured",
        "_missed",
        "_newest",
        "_next",
        "_octets",
        "_other_at",
        "_packets",
        "_patience",
        "_payload_type",
        "_rate",
        "_replaceable_until",
        "_reported",
        "_ssrc",
        "_ssrc_silence",
        "_stray",
        "_timeline",
        "_transit",
        "_waited",
        "dtx",
        "duplicate",
        "first_at",
        "ignored_payload_type",
        "late",
        "malformed",
        "out_of_sequence",
        "reordered",
        "restarts",
        "run",
        "ssrc_ignored",
    )

    def __init__(
        self,
        payload_types: Mapping[int, Codec],
        event_clocks: Mapping[int, int] = NO_EVENTS,
        *,
        sink: Sink,
        on_digit: OnDigit = lambda digit, duration_ms: None,
        fmtp: str = "",
        max_wait_ms: int = 120,
        max_stall_ms: int = 500,
        catch_up_ms: int = 400,
        ssrc_silence_ms: int = 300,
    ) -> None:
        """`event_clocks` has the clock rate of each payload type that telephone-events come in.

        `fmtp`: what the peer says of the first codec of `payload_types`; the others are as we described them.
        `max_wait_ms`: how long a gap may stay open at most before it is concealed.

        How long it does follows what lately paid off, from `_SHORTEST_WAIT` up.
        `max_stall_ms`: how late audio may be, likewise, before the sender counts as pausing.
        `catch_up_ms`: how much of what waited for us, or came in a burst, is given on faster than real time.
        `ssrc_silence_ms`: how long a stream has to be silent before another may take its place.

        Long, since each part of the stream's state is told beside its first value.
        """
        self._patience = Patience(_SHORTEST_WAIT, max_wait_ms / 1000, _FIRST_WAIT)
        self._ssrc_silence = ssrc_silence_ms / 1000
        self._negotiate(payload_types, event_clocks, fmtp)
        self._payload_type, codec = next(iter(self._codecs.items()))
        self._clock_rate = codec.clock_rate
        self._rate = float(codec.clock_rate)
        self.run = PlainRun(self._receive_other)
        "The packets as long as each is the expected one."
        self._catch_up_seconds = catch_up_ms / 1000
        self._timeline = Timeline(self.run, sink, codec, max_stall_ms / 1000, self._catch_up_seconds, fmtp)
        self._digits = EventDetector(on_digit)

        self._ssrc = _NEVER
        self._base = self._next = self._highest = 0
        "Extended sequence numbers: the first of the stream, the one expected, the highest held."
        self._held: dict[int, tuple[RtpPacket, float]] = {}
        self._gap = False
        "Whether packets before the next one were given up."
        self._missed: dict[int, float] = {}
        "Extended sequence numbers that were given up and may still come, and when the one behind them came."
        self._losses = LossRuns()
        self._waited = 0.0
        "Seconds that packets were held back for others before them, all together."
        self._stray = Stray()
        self._replaceable_until = 0
        "Count of packets up to which another stream may take over."

        self._transit = 0.0
        self._measured = 0.0, 0
        "When the packet that it was taken from came, and its timestamp."
        self._newest = 0, 0
        "Bytes and units of the newest payload that was given on, but for plain ones, which are like it."
        self._other_at = 0.0
        self._expected_before = 0
        self._reported = (0, 0)
        self.first_at: float | None = None
        "When the first packet came."
        self._packets = self._octets = 0
        "Without those that the run has not told of yet."
        self.late = 0
        "Packets that came when their gap had been given up."
        self.duplicate = 0
        self.reordered = 0
        self.out_of_sequence = 0
        "Packets far from the sequence, dropped unless the sender went on from there."
        self.ignored_payload_type = 0
        "Packets of payload types that were not negotiated."
        self.ssrc_ignored = 0
        "Packets of other streams while this one was alive."
        self.malformed = 0
        self.dtx = False
        "Whether the newest packet was comfort noise: the sender says that it is silent on purpose."
        self.restarts = 0
        "How often the stream was left for one with another SSRC or sequence."

    @property
    def receive(self) -> Callable[[bytes, float], None]:
        """Takes one datagram from the peer; what is not of the stream is dropped and counted."""
        return self.run.receive

    def receive_waited(self, waited: Sequence[tuple[bytes, float]], now: float) -> None:
        """Take datagrams that waited for us, each with when it came: it is not them who are late.

        What belongs to the time that we stood still is given to nobody but for the newest of it.
        """
        since = now - self._catch_up_seconds
        fresh = next((index for index, (_, at) in enumerate(waited) if at >= since), len(waited))
        receive = self.run.receive
        if fresh:
            self._timeline.withhold()
            for data, at in waited[:fresh]:
                receive(data, at)
            self._timeline.resume()
        if self.first_at is not None and since > self.first_at:
            self._catch_up()
            self._timeline.stand_still(since)
        for data, at in waited[fresh:]:
            receive(data, at)

    def redirect(self, sink: Sink) -> None:
        """Give the audio to somebody else from here on."""
        self._timeline.redirect(sink)

    def close(self) -> None:
        """Take nothing any more: what came is counted, and nobody is told."""
        self._catch_up()
        self.run.close()
        self._digits.on_digit = _no_digit

    def tick(self, now: float) -> None:
        """Let time pass, about every 20 ms: gaps are given up, pauses filled, lost digit ends found."""
        self._catch_up()
        if self._digits.pressed:
            self._digits.tick(now)
        if self._held:
            self._release(now)
        self._timeline.tick(now, audio_at_hand=bool(self._held))

    def relearn(
        self,
        payload_types: Mapping[int, Codec] | None = None,
        event_clocks: Mapping[int, int] = NO_EVENTS,
        fmtp: str = "",
    ) -> None:
        """Let another stream take over at once, as after a new offer and answer; the timeline goes on.

        Packets of the old stream may still be under way, and often it is not replaced at all: it stays
        the stream until another comes, and is locked again when it has gone on for a while. With
        `payload_types` those, and the other two, hold from here on.
        """
        self._replaceable_until = self.packets + _REPLACEABLE
        self._payload_type = _NEVER
        self.run.end()
        if payload_types is not None:
            self._negotiate(payload_types, event_clocks, fmtp)

    def _negotiate(
        self, payload_types: Mapping[int, Codec], event_clocks: Mapping[int, int], fmtp: str
    ) -> None:
        self._codecs = dict(payload_types)
        self._event_clocks = dict(event_clocks)
        self._fmtp = {payload_type: codec.fmtp for payload_type, codec in self._codecs.items()}
        self._fmtp[next(iter(self._codecs))] = fmtp
        self._longest = max(_LONGEST_MS * codec.format.bytes_per_ms for codec in self._codecs.values())

    def goes_on(self, data: bytes, now: float) -> bool:
        """Whether a datagram could be the next one of the stream, though nothing of it came for a while."""
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            return False
        if packet.ssrc != self._ssrc:
            return False
        self._catch_up()
        silent, quiet = now - max(self._other_at, self.run.heard_at), now - self.run.heard_at
        steps = sequence_distance(self._next & 0xFFFF, packet.sequence)
        samples = timestamp_distance(self._timeline.media & 0xFFFFFFFF, packet.timestamp)
        # What was sent in the meantime, at most, is lost: packets of 10 ms, and their audio.
        fits = 0 <= steps <= _SLACK_PACKETS + silent * 100
        return fits and abs(samples) <= (_SLACK_SECONDS + quiet) * self._rate

    def _receive_other(self, data: bytes, now: float) -> None:
        """A packet that is anything but plain."""
        self._catch_up()
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            self.malformed += 1
            return
        # RFC 5761 section 4: these would be RTCP, which nobody may send here; unless one was agreed on.
        known = self._knows(packet.payload_type)
        if (64 <= packet.payload_type <= 95 and not known) or len(packet.payload) > self._longest:
            self.malformed += 1
        elif packet.ssrc == self._ssrc:
            self._place(packet, now)
        elif not known:
            self.ignored_payload_type += 1
        elif self._replaceable(now):
            self._adopt(packet, now)
        else:
            self.ssrc_ignored += 1

    def _knows(self, payload_type: int) -> bool:
        return (
            payload_type in self._codecs
            or payload_type in self._event_clocks
            or payload_type == comfort_noise.PAYLOAD_TYPE
        )

    def _replaceable(self, now: float) -> bool:
        """Whether a packet of another SSRC begins the stream that is followed from here on."""
        if self._ssrc == _NEVER or self.packets < self._replaceable_until:
            return True
        return now - max(self._other_at, self.run.heard_at) > self._ssrc_silence

    def _adopt(self, packet: RtpPacket, now: float) -> None:
        """Follow the stream that begins with this packet."""
        if self.first_at is None:
            self.first_at = now
            self._timeline.start(packet.timestamp, now)
        else:
            self._release(now, all_of_it=True)
            self._timeline.rebase(packet.timestamp)
            self._timeline.renew(self._fmtp.get(self._payload_type, ""))
            self._expected_before += self._next - self._base
            self.restarts += 1
        self._ssrc = packet.ssrc
        self._replaceable_until = 0
        self._base = self._next = self._highest = packet.sequence
        self._missed.clear()
        self._transit = now * self._rate - packet.timestamp
        self._place(packet, now)

    def _place(self, packet: RtpPacket, now: float) -> None:
        """Find where in the sequence a packet belongs."""
        self._other_at = now
        ahead = sequence_distance(self._next & 0xFFFF, packet.sequence)
        if abs(ahead) > _FURTHEST:
            self.out_of_sequence += 1
            self._outside(packet, now, packets=2, seconds=0.0)
        elif ahead < 0:
            self._behind(packet, self._next + ahead, now)
        elif self._next + ahead in self._held:
            self.duplicate += 1
        else:
            self._hold(packet, self._next + ahead, now)
            self._release(now)

    def _hold(self, packet: RtpPacket, position: int, now: float) -> None:
        self._count(packet)
        if packet.payload_type in self._codecs:
            self._measure(packet, now)
        if position < self._highest:
            self.reordered += 1
            self._patience.came(now - self._gap_since(), now)
        else:
            self._highest = position
        self._held[position] = packet, now

    def _behind(self, packet: RtpPacket, position: int, now: float) -> None:
        """A packet from before the expected one: late, or a duplicate, or the sender began anew."""
        if position not in self._missed:
            self.duplicate += 1
            self._outside(packet, now, packets=5, seconds=0.06)
            return
        self._patience.came(now - self._missed.pop(position), now)
        self._count(packet)
        self.late += 1
        if packet.payload_type in self._event_clocks:
            self._take_event(packet, now)

    def _outside(self, packet: RtpPacket, now: float, packets: int, seconds: float) -> None:
        """Adopt a sequence of packets that do not fit, once it is long enough and nothing else comes."""
        run = self._stray.follow(packet.sequence, self._next, now)
        if run >= packets and now - self._stray.since >= seconds:
            self._adopt(packet, now)

    def _catch_up(self) -> None:
        """Count the plain packets that came since this was last done."""
        packets, octets = self.run.came()
        if packets:
            self._next += packets
            self._packets += packets
            self._octets += octets
            units = self.run.units
            media = self._timeline.media = self._timeline.media + packets * units
            self._transit = self.run.heard_at * self._rate - (media - units)
            self._measured = self.run.heard_at, (media - units) & 0xFFFFFFFF

    def _count(self, packet: RtpPacket) -> None:
        self._packets += 1
        self._octets += len(packet.payload)

    def _measure(self, packet: RtpPacket, now: float) -> None:
        if self._codecs[packet.payload_type].clock_rate != self._clock_rate:
            return  # how late it is can be told from the next one on
        media = self._timeline.media
        transit = now * self._rate - media - timestamp_distance(media & 0xFFFFFFFF, packet.timestamp)
        difference = abs(transit - self._transit)
        self._transit = transit
        self._measured = now, packet.timestamp
        if difference < self._rate:  # else the timestamps jumped, which is no jitter
            self.run.measure(difference / self._rate)

    def _release(self, now: float, *, all_of_it: bool = False) -> None:
        """Take what is next in sequence, and what is behind a gap when its wait is over."""
        held = self._held
        while held:
            next_up = held.pop(self._next, None)
            if next_up is not None:
                self._take(*next_up, now)
            elif all_of_it or self._overdue(now):
                self._give_up()
            else:
                break
        self._expect_plain()

    def _expect_plain(self) -> None:
        """Begin a run, where all that came was given on and nothing is under way."""
        run, media = self.run, self._timeline.media
        size, units = self._newest
        measured = run.heard_at, (media - units) & 0xFFFFFFFF
        if self._held or self._digits.pressed or self._measured != measured:
            run.end()
        else:
            first_word = _VERSION | self._payload_type
            header = first_word << 80 | (self._next & 0xFFFF) << 64 | (media & 0xFFFFFFFF) << 32 | self._ssrc
            run.begin(header, size, units, self._clock_rate)

    def _overdue(self, now: float) -> bool:
        return now - self._gap_since() >= self._patience.wait(now) or len(self._held) > _MOST_HELD

    def _gap_since(self) -> float:
        """When the oldest packet came that is held back."""
        return next(iter(self._held.values()))[1]

    def _give_up(self) -> None:
        """Go on behind the gap."""
        resume = min(self._held)
        since = self._gap_since()
        self._missed |= dict.fromkeys(range(max(self._next, resume - _MOST_MISSED), resume), since)
        while len(self._missed) > _MOST_MISSED:
            del self._missed[next(iter(self._missed))]
        self._losses.add(self._next, resume)
        self._next = resume
        self._gap = True

    def _take(self, packet: RtpPacket, arrived_at: float, now: float) -> None:
        """A packet whose turn it is."""
        self._next += 1
        self._waited += now - arrived_at
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            self._take_other(packet, now)
            return
        if packet.payload_type != self._payload_type:
            self._switch(packet, codec, now)
        audio = self._timeline.decoded(packet.payload)
        if audio:
            prompt = arrived_at == now
            units = self._timeline.take(audio, packet.timestamp, now, lost=self._gap, prompt=prompt)
            self._newest = len(packet.payload), units
            self._gap = self.dtx = False
        elif packet.payload:
            self.malformed += 1

    def _switch(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """The sender goes on with another codec, as it may at any time (RFC 3264 section 5.1)."""
        self._payload_type = packet.payload_type
        self._timeline.switch(codec, self._fmtp[packet.payload_type], packet.timestamp)
        if codec.clock_rate != self._clock_rate:
            self._clock_rate, self._rate = codec.clock_rate, float(codec.clock_rate)
            self._transit = now * self._rate - packet.timestamp

    def _take_other(self, packet: RtpPacket, now: float) -> None:
        """What comes in the place of audio: to the agent it is silence, or what the sender calls that."""
        noise = None
        if packet.payload_type in self._event_clocks:
            self._take_event(packet, now)
        elif packet.payload_type == comfort_noise.PAYLOAD_TYPE:
            noise = comfort_noise.level_in(packet.payload)
            self.dtx = True
        else:
            self.ignored_payload_type += 1
        self._timeline.pause(now, noise)

    def _take_event(self, packet: RtpPacket, now: float) -> None:
        clock_rate = self._event_clocks[packet.payload_type]
        self._digits.receive(packet.timestamp, packet.payload, packet.marker, now, clock_rate)

    @property
    def ssrc(self) -> int | None:
        """The stream that is followed; None before there is one."""
        return None if self._ssrc == _NEVER else self._ssrc

    @property
    def packets(self) -> int:
        """Packets of the stream, duplicates apart."""
        self._catch_up()
        return self._packets

    @property
    def octets(self) -> int:
        """Payload octets of those packets."""
        self._catch_up()
        return self._octets

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers say were sent."""
        self._catch_up()
        return self._expected_before + self._next - self._base

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self.expected - self.packets + len(self._held))

    @property
    def unheard(self) -> int:
        """Packets that never came, or too late to be heard."""
        return self._losses.lost

    @property
    def bursts(self) -> Bursts:
        """Where those were."""
        return self._losses.summary(self.expected)

    @property
    def mean_wait_ms(self) -> float:
        """Milliseconds that a packet was held back for others before it, on average."""
        return 1000 * self._waited / self.packets if self.packets else 0.0

    def wait_ms(self, now: float) -> float:
        """Milliseconds that a gap would stay open now: the delay of the jitter buffer when it has to act."""
        return 1000 * self._patience.wait(now)

    @property
    def jitter(self) -> float:
        """Interarrival jitter in milliseconds (RFC 3550 section 6.4.1)."""
        return 1000 * self.run.jitter

    @property
    def last_at(self) -> float | None:
        """When the newest packet of the stream came."""
        return None if self.first_at is None else max(self._other_at, self.run.heard_at)

    @property
    def given_ms(self) -> int:
        """Milliseconds of audio that the sink got."""
        self._catch_up()
        return self._ms(self._timeline.given)

    @property
    def concealed_ms(self) -> int:
        """Milliseconds made up for lost packets."""
        return self._ms(self._timeline.concealed)

    @property
    def filled_ms(self) -> int:
        """Milliseconds of silence for pauses of the sender, digits included."""
        return self._ms(self._timeline.filled)

    @property
    def inserted_ms(self) -> int:
        """Milliseconds repeated because the sender's clock is slow."""
        return self._ms(self._timeline.inserted)

    @property
    def discarded_ms(self) -> int:
        """Milliseconds dropped: too fast, by a burst or the sender's clock, or waited for us too long."""
        return self._ms(self._timeline.discarded)

    @property
    def spoilt_ms(self) -> int:
        """Milliseconds that can be missed, beside lost packets: audio cut, or silence in its place."""
        return self._ms(self._timeline.spoilt)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds of the stream's time, heard or not."""
        self._catch_up()
        return self._ms(self._timeline.given + self._timeline.withheld)

    def _ms(self, units: int) -> int:
        return units * 1000 // self._clock_rate

    def report_block(self, now: float) -> ReportBlock | None:
        """What to tell the sender in the next report (appendix A.3); None before there is a stream.

        The fraction lost is that since the last call.
        """
        if self._ssrc == _NEVER:
            return None
        expected, lost = self.expected, self.lost
        expected_since, lost_since = expected - self._reported[0], lost - self._reported[1]
        self._reported = expected, lost
        fraction = 256 * lost_since // expected_since if expected_since > 0 and lost_since > 0 else 0
        return ReportBlock(
            ssrc=self._ssrc,
            fraction_lost=min(fraction, 255),
            lost=lost,
            highest_sequence=max(self._next - 1, self._highest) & 0xFFFFFFFF,
            jitter=int(self.run.jitter * self._rate),
        )


def _no_digit(digit: str, milliseconds: int) -> None:
    """Nobody listens any more."""
