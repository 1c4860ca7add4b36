"""The receiving end of an RTP stream: order, loss, real time, digits, identity."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.audio import loudness
from gateway.media.codecs import PCMA, PCMU
from gateway.media.dtmf import TelephoneEvent
from gateway.media.rtp import RtpPacket, RtpReceiver, RtpSender
from tests.cost import cost

Arrival = tuple[float, bytes]

LOUD = bytes((0x10, 0x90)) * 80
QUIET = b"\xff" * 160


class Listener:
    """A receiver, the audio and the digits that came out of it, and how far it was from real time."""

    def __init__(self, **options: Any) -> None:
        self.audio = bytearray()
        self.digits: list[tuple[str, int]] = []
        self.receiver = RtpReceiver(
            {0: PCMU, 8: PCMA},
            {101: 8000},
            sink=self.audio.extend,
            on_digit=lambda digit, ms: self.digits.append((digit, ms)),
            **options,
        )
        self.behind: list[float] = []
        "At each tick: milliseconds of audio short of the time since the first packet."

    def hear(self, arrivals: Iterable[Arrival], until: float | None = None, *, start: float = 100.0) -> None:
        """Take the datagrams as they come, with a tick every 20 ms, up to the last or `until`."""
        queue = sorted(arrivals, key=lambda arrival: arrival[0])
        end = queue[-1][0] + 0.02 if until is None else until
        tick = start
        while tick <= end:
            while queue and queue[0][0] <= tick:
                at, data = queue.pop(0)
                self.receiver.receive(data, at)
            self.receiver.tick(tick)
            if self.receiver.first_at is not None:
                self.behind.append((tick - self.receiver.first_at) * 1000 - len(self.audio) / 8)
            tick += 0.02

    @property
    def furthest(self) -> float:
        """The largest distance from real time, in milliseconds."""
        return max(map(abs, self.behind))


def packet(
    number: int, payload: bytes = LOUD, *, payload_type: int = 0, timestamp: int | None = None, ssrc: int = 7
) -> RtpPacket:
    """Packet `number` of a stream that wraps both counters soon."""
    if timestamp is None:
        timestamp = (0xFFFFF800 + 160 * number) & 0xFFFFFFFF
    return RtpPacket(payload_type, (65530 + number) & 0xFFFF, timestamp, ssrc, payload)


def stream(count: int, *, period: float = 0.02, start: float = 100.0) -> list[Arrival]:
    """`count` packets on time, each filled with a byte of its own that is not silence."""
    return [(start + period * n, bytes(packet(n, bytes((n % 90,)) * 160))) for n in range(count)]


def spoken(*numbers: int) -> bytes:
    return b"".join(bytes((n % 90,)) * 160 for n in numbers)


class TestOrder:
    """Sequence: reordering, loss, duplicates."""

    def test_packets_in_order_pass_through(self) -> None:
        """Each is given on as it comes, past both wraps."""
        listener = Listener()
        for at, data in stream(100):
            before = len(listener.audio)
            listener.receiver.receive(data, at)
            assert len(listener.audio) == before + 160
        assert listener.audio == spoken(*range(100))
        receiver = listener.receiver
        assert (receiver.packets, receiver.octets, receiver.lost, receiver.reordered) == (100, 16000, 0, 0)
        assert receiver.first_at == 100.0
        assert receiver.last_at == pytest.approx(101.98)
        assert receiver.jitter == pytest.approx(0.0, abs=0.001)

    def test_swapped_packets_are_put_in_order(self) -> None:
        """The early one waits for the late one."""
        arrivals = stream(20)
        arrivals[5], arrivals[6] = (arrivals[5][0], arrivals[6][1]), (arrivals[6][0], arrivals[5][1])
        listener = Listener()
        listener.hear(arrivals)
        assert listener.audio == spoken(*range(20))
        assert listener.receiver.reordered == 1
        assert listener.receiver.lost == 0
        assert listener.receiver.concealed_ms == 0

    def test_a_lost_packet_is_concealed_by_its_predecessor_fading(self) -> None:
        """What follows it waits no longer than the wait, and stands where it should."""
        arrivals = [(at, bytes(packet(n, LOUD))) for n, (at, _) in enumerate(stream(20)) if n != 5]
        listener = Listener()
        listener.hear(arrivals)
        assert len(listener.audio) == 20 * 160
        made_up = bytes(listener.audio[5 * 160 : 6 * 160])
        assert 0 < loudness(made_up, PCMU.format) < loudness(LOUD, PCMU.format)
        assert listener.audio[6 * 160 + 40 :] == (LOUD * 14)[40:], "5 ms grow out of what was made up"
        assert listener.receiver.lost == 1
        assert listener.receiver.concealed_ms == 20

    def test_a_long_loss_fades_into_silence(self) -> None:
        """Three repeats, each fainter, then nothing."""
        arrivals = [(at, bytes(packet(n, LOUD))) for n, (at, _) in enumerate(stream(30)) if not 10 <= n < 13]
        listener = Listener()
        listener.hear(arrivals)
        frames = [bytes(listener.audio[start : start + 160]) for start in range(1600, 2080, 160)]
        levels = [loudness(frame, PCMU.format) for frame in frames]
        assert levels == sorted(levels, reverse=True)
        assert levels[-1] < levels[0]
        assert listener.receiver.lost == 3

    def test_the_wait_is_over_without_another_packet(self) -> None:
        """A tick gives the gap up when nothing else comes."""
        listener = Listener()
        for n in (0, 2):
            listener.receiver.receive(bytes(packet(n)), 100.0 + 0.02 * n)
        listener.receiver.tick(100.09)
        assert len(listener.audio) == 160
        listener.receiver.tick(100.11)
        assert len(listener.audio) == 480

    def test_a_packet_behind_its_gap_is_late(self) -> None:
        """It is dropped, counted, and no longer lost; the second copy of it is a duplicate."""
        listener = Listener()
        arrivals = stream(20)
        listener.hear([arrival for n, arrival in enumerate(arrivals) if n != 5])
        for _ in range(2):
            listener.receiver.receive(arrivals[5][1], 100.5)
        assert len(listener.audio) == 20 * 160
        receiver = listener.receiver
        assert (receiver.late, receiver.duplicate, receiver.lost, receiver.packets) == (1, 1, 0, 20)

    def test_duplicates_are_dropped(self) -> None:
        """Whether their like was given on already or is still held."""
        listener = Listener()
        arrivals = [arrival for n, arrival in enumerate(stream(20)) if n != 5]
        listener.hear([arrival for arrival in arrivals for _ in range(2)])
        assert len(listener.audio) == 20 * 160
        assert listener.receiver.duplicate == 19
        assert listener.receiver.packets == 19
        assert listener.receiver.lost == 1

    def test_held_packets_are_bounded(self) -> None:
        """A sender that leaves a gap and floods does not fill our memory."""
        listener = Listener(max_wait_ms=10**6)
        for n in (0, *range(2, 500)):
            listener.receiver.receive(bytes(packet(n)), 100.0)
        assert listener.receiver.lost == 1
        assert listener.receiver.packets == 499

    @settings(deadline=None)
    @given(
        seed=st.integers(0, 2**32),
        loss=st.sampled_from((0.0, 0.05, 0.3, 0.9)),
        twice=st.sampled_from((0.0, 0.5)),
        jitter_ms=st.sampled_from((0, 5, 25, 55)),
        pressed=st.lists(st.sampled_from("0123456789*#"), max_size=4),
    )
    def test_any_disturbance_within_the_wait_keeps_real_time_and_digits(
        self, seed: int, loss: float, twice: float, jitter_ms: int, pressed: list[str]
    ) -> None:
        """Permuted, doubled, thinned out: nothing raises, no digit is told twice, the timeline holds."""
        chance = random.Random(seed)
        sender = RtpSender(7, chance.getrandbits(16), chance.getrandbits(32), 0, event_payload_type=101)
        for digit in pressed:
            sender.digit(digit, 60)
        arrivals: list[Arrival] = []
        for n in range(100):
            made = sender.next_event_packet() or sender.packet(LOUD)
            copies = 0 if chance.random() < loss else 1 + (chance.random() < twice)
            delays = [chance.random() * jitter_ms for _ in range(copies)]
            arrivals += [(100 + 0.02 * n + delay / 1000, made) for delay in delays]
        listener = Listener()
        listener.hear(arrivals, until=103.0)
        assert is_subsequence([digit for digit, _ in listener.digits], pressed)
        assert not listener.behind or listener.furthest <= 125 + jitter_ms
        if not loss:
            assert "".join(digit for digit, _ in listener.digits) == "".join(pressed)
            assert listener.receiver.lost == 0


def is_subsequence(part: list[str], whole: list[str]) -> bool:
    remaining = iter(whole)
    return all(item in remaining for item in part)


class TestRealTime:
    """The samples given on count the time that went by."""

    def test_a_pause_with_running_timestamps_is_filled(self) -> None:
        """Silence suppression: the agent hears silence while it lasts, and no sample too many."""
        arrivals = [arrival for n, arrival in enumerate(stream(200)) if not 50 <= n < 150]
        arrivals[49] = arrivals[49][0], bytes(packet(49, QUIET))
        arrivals = [
            (at, bytes(replace(RtpPacket.parse(data), sequence=n))) for n, (at, data) in enumerate(arrivals)
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert len(listener.audio) == 200 * 160
        assert listener.audio[50 * 160 : 150 * 160] == b"\xff" * 16000
        assert listener.audio[150 * 160 :] == spoken(*range(150, 200))
        assert listener.furthest <= 100
        assert listener.receiver.lost == 0
        assert listener.receiver.filled_ms == 2000

    @pytest.mark.parametrize("ms", [20, 40, 60, 100, 333])
    def test_a_short_pause_is_exact(self, ms: int) -> None:
        """The timestamps say how much is missing, to the sample."""
        first, rest = stream(50)[:20], stream(50)[20:]
        shifted = [
            (at + ms / 1000, bytes(replace(parsed, timestamp=(parsed.timestamp + 8 * ms) & 0xFFFFFFFF)))
            for at, parsed in ((at, RtpPacket.parse(data)) for at, data in rest)
        ]
        listener = Listener()
        listener.hear(first + shifted)
        assert len(listener.audio) == 50 * 160 + 8 * ms

    def test_a_pause_with_halted_timestamps_is_filled(self) -> None:
        """Then the clock alone says how much."""
        arrivals = [(at + (2.0 if n >= 50 else 0.0), data) for n, (at, data) in enumerate(stream(100))]
        listener = Listener()
        listener.hear(arrivals)
        assert len(listener.audio) == pytest.approx(200 * 160, abs=800)
        assert listener.audio.endswith(spoken(*range(60, 100)))
        assert listener.furthest <= 100

    def test_an_outage_is_filled_and_its_loss_counted(self) -> None:
        """Two seconds of packets that never came are two seconds of audio."""
        listener = Listener()
        listener.hear([arrival for n, arrival in enumerate(stream(200)) if not 50 <= n < 150])
        assert listener.furthest <= 100
        assert listener.receiver.lost == 100

    def test_a_burst_behind_an_outage_does_not_delay_for_ever(self) -> None:
        """What was filled already is discarded but for a bounded part, counted, and real time goes on."""
        arrivals = [
            (max(at, 103.0) if 50 <= n < 150 else at, data) for n, (at, data) in enumerate(stream(250))
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.furthest <= 420
        assert abs(listener.behind[-1]) <= 200
        assert listener.receiver.discarded_ms > 1500
        assert listener.receiver.lost == 0

    def test_a_short_delay_loses_nothing(self) -> None:
        """A hiccup of the network of 100 ms comes out whole."""
        arrivals = [
            (max(at, 101.1) if 50 <= n < 55 else at, data) for n, (at, data) in enumerate(stream(100))
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.receiver.discarded_ms == 0
        assert listener.audio.startswith(spoken(*range(50)))
        assert listener.audio.endswith(spoken(*range(50, 100))[40:])

    @pytest.mark.slow
    @pytest.mark.parametrize("parts_per_million", [-200, 200])
    @pytest.mark.parametrize("pauses", [True, False])
    def test_two_hours_of_a_drifting_clock(self, parts_per_million: int, pauses: bool) -> None:
        """A frame is dropped or repeated now and then, in silence where there is some."""
        receiver_audio = 0

        def sink(audio: bytes) -> None:
            nonlocal receiver_audio
            receiver_audio += len(audio)

        receiver = RtpReceiver({0: PCMU}, sink=sink)
        sender = RtpSender(7, 0, 0, 0)
        jitter = random.Random(1)
        period = 0.02 * (1 - parts_per_million / 1e6)
        furthest = 0.0
        packets = int(7200 / period)
        tick = 0.02
        for n in range(packets):
            at = n * period + jitter.random() * 0.004
            while tick < at:
                receiver.tick(tick)
                tick += 0.02
            receiver.receive(sender.packet(QUIET if pauses and n % 500 > 400 else LOUD), at)
            furthest = max(furthest, abs(receiver_audio / 8 - at * 1000))
        assert furthest <= 125
        corrected = receiver.inserted_ms + receiver.filled_ms + receiver.discarded_ms
        assert 1200 <= corrected <= 1700
        assert (receiver.discarded_ms == 0) == (parts_per_million < 0)
        if pauses and parts_per_million < 0:
            assert receiver.filled_ms == 0
        assert receiver.lost == 0

    @pytest.mark.parametrize("jump", [-0x80000000, -16000, -80, 80000, 0x40000000])
    def test_a_timestamp_jump_costs_nothing(self, jump: int) -> None:
        """A sender may go on under another clock: the audio goes on too."""
        arrivals = [
            (
                at,
                bytes(packet(n, spoken(n), timestamp=(n * 160 + (jump if n >= 50 else 0)) & 0xFFFFFFFF)),
            )
            for n, (at, _) in enumerate(stream(100))
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.audio.startswith(spoken(*range(50)))
        assert listener.audio.endswith(spoken(*range(50, 100)))
        assert listener.furthest <= 100
        assert listener.receiver.jitter < 70

    def test_timestamps_that_never_move_do_no_harm(self) -> None:
        """A broken sender is heard by the clock."""
        listener = Listener()
        listener.hear([(at, bytes(packet(n, timestamp=5))) for n, (at, _) in enumerate(stream(200))])
        assert listener.audio == LOUD * 200

    def test_the_packet_time_may_change(self) -> None:
        """10 to 60 ms, and odd sizes, from one packet to the next."""
        sizes = [80, 160, 240, 320, 480, 1, 159, 161, 77] * 10
        at, arrivals, said = 100.0, [], bytearray()
        for n, size in enumerate(sizes):
            at += size / 8000  # a packet leaves when its last sample was spoken
            arrivals.append((at, bytes(RtpPacket(0, n, len(said), 7, bytes((n,)) * size))))
            said += bytes((n,)) * size
        listener = Listener()
        listener.hear(arrivals)
        assert listener.audio == said
        assert listener.receiver.lost == 0

    @pytest.mark.parametrize("level", [30, 45, 64, 78])
    def test_comfort_noise_is_noise(self, level: int) -> None:
        """Payload type 13 stands for the time that it covers, as loud as it says (RFC 3389 section 3)."""
        arrivals: list[Arrival] = []
        for n, (at, data) in enumerate(stream(100)):
            quiet = 30 <= n < 60
            arrivals.append((at, bytes(packet(n, bytes([level]), payload_type=13)) if quiet else data))
        listener = Listener()
        listener.hear(arrivals)
        noise = bytes(listener.audio[4800:9600])
        assert listener.audio == spoken(*range(30)) + noise + spoken(*range(60, 100))
        wanted = 32767 * 10 ** (-level / 20)
        assert loudness(noise, PCMU.format) == pytest.approx(wanted, rel=0.15, abs=4)
        assert len({noise[start : start + 160] for start in range(0, 4800, 160)}) > (25 if level < 60 else 1)
        assert listener.receiver.ignored_payload_type == 0

    def test_a_sender_that_stops_in_pauses_loses_nothing(self) -> None:
        """Discontinuous transmission: one packet of comfort noise, then nothing; no loss, no hole.

        The noise goes on by the clock for as long as nothing comes, and speech begins where it should.
        """
        arrivals = stream(50)
        noise = packet(50, b"\x2d", payload_type=13)
        arrivals.append((101.0, bytes(noise)))
        arrivals += [
            (
                105.0 + 0.02 * n,
                bytes(packet(51 + n, b"\x20" * 160, timestamp=0xFFFFF800 + 40000 + 160 * n & 0xFFFFFFFF)),
            )
            for n in range(50)
        ]
        listener = Listener()
        listener.hear(arrivals)
        receiver = listener.receiver
        assert (receiver.lost, receiver.unheard, receiver.concealed_ms, receiver.late) == (0, 0, 0, 0)
        assert receiver.filled_ms == 4000
        assert len(listener.audio) == 300 * 160
        assert listener.furthest <= 81
        pause = [bytes(listener.audio[start : start + 160]) for start in range(8000, 40000, 160)]
        levels = [loudness(frame, PCMU.format) for frame in pause]
        assert all(130 < level < 240 for level in levels), "-45 dBov is 184"
        assert not receiver.dtx

    def test_a_pause_amid_a_word_dies_away(self) -> None:
        """A sender that stops without a word of warning: 60 ms are made up, and the rest is a pause."""
        arrivals = stream(50) + [
            (
                104.0 + 0.02 * n,
                bytes(replace(packet(50 + n), timestamp=(0xFFFFF800 + 32000 + 160 * n) & 0xFFFFFFFF)),
            )
            for n in range(50)
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.receiver.concealed_ms == 60
        assert listener.receiver.filled_ms == 3000 - 60
        assert listener.audio[8000 + 480 : 32000].strip(b"\xff") == b""
        assert len(listener.audio) == 250 * 160

    def test_a_silent_sender_is_known_to_be_silent_on_purpose(self) -> None:
        """After comfort noise, until it speaks again."""
        listener = Listener()
        listener.hear([*stream(10), (100.2, bytes(packet(10, b"\x2d", payload_type=13)))], until=101.0)
        assert listener.receiver.dtx
        listener.receiver.receive(bytes(packet(11)), 101.0)
        assert not listener.receiver.dtx

    def test_silence_goes_on_for_as_long_as_nothing_comes(self) -> None:
        """The agent's clock runs through a pause of minutes, and a stall of ours is made up for."""
        listener = Listener()
        listener.hear(stream(50), until=160.0)
        assert listener.behind[-1] <= 61
        for _ in range(20):
            listener.receiver.tick(170.0)
        assert len(listener.audio) / 8 == pytest.approx(70000, abs=100)

    def test_nothing_is_heard_before_the_first_packet(self) -> None:
        """There is no time to fill before there is a stream."""
        listener = Listener()
        listener.hear([], until=101.0)
        assert not listener.audio
        assert listener.receiver.last_at is None


class TestLateBursts:
    """Audio that the network holds up and then brings at once; none is lost."""

    @staticmethod
    def held_up(arrivals: list[Arrival], gap: float, every: float) -> list[Arrival]:
        """What is sent in the first `gap` of each stretch of `every` seconds comes at the end of it."""
        return [
            (at - at % every + gap + 1e-6 * n if at >= 101 and at % every < gap else at, data)
            for n, (at, data) in enumerate(arrivals)
        ]

    @pytest.mark.parametrize("gap", [0.1, 0.2, 0.3, 0.4])
    @pytest.mark.parametrize("every", [1.0, 2.0, 4.0])
    def test_what_comes_late_is_heard_all_the_same(self, gap: float, every: float) -> None:
        """Twelve seconds with a burst again and again: after the first, next to nothing is cut or made up."""
        listener = Listener()
        listener.hear(self.held_up(stream(600), gap, every))
        receiver = listener.receiver
        assert receiver.lost == 0
        assert receiver.discarded_ms <= 560
        assert receiver.concealed_ms + receiver.filled_ms <= 640
        assert listener.furthest <= 1000 * gap + 40

    @pytest.mark.parametrize("gap", [0.1, 0.2, 0.4, 0.5, 1.0, 2.0])
    def test_the_delay_is_small_again_within_two_seconds(self, gap: float) -> None:
        """Whatever came at once: two seconds later the audio is less than 200 ms off the clock."""
        listener = Listener()
        listener.hear(self.held_up(stream(200), gap, 100.0), until=99.0)
        arrivals = [(max(at, 101.0 + gap) if at >= 101.0 else at, data) for at, data in stream(300)]
        listener = Listener()
        listener.hear(arrivals)
        after = listener.behind[round((1.0 + gap + 2.0) / 0.02) :]
        assert max(map(abs, after)) < 200
        assert listener.receiver.lost == 0

    def test_digits_in_a_burst_count(self) -> None:
        """Keys that were pressed while nothing came are told, once each."""
        sender = RtpSender(7, 0, 0, 0, event_payload_type=101)
        arrivals: list[Arrival] = []
        for n in range(200):
            if n == 55:
                sender.digit("7", 100)
            arrivals.append((100 + 0.02 * n, sender.next_event_packet() or sender.packet(LOUD)))
        listener = Listener()
        listener.hear([(max(at, 101.6) if at >= 101.0 else at, data) for at, data in arrivals])
        assert [digit for digit, _ in listener.digits] == ["7"]

    def test_a_burst_out_of_order_is_put_in_order(self) -> None:
        """Neighbours that changed places within a burst cost nothing more."""
        arrivals = stream(300)
        for n in range(50, 70, 2):
            arrivals[n], arrivals[n + 1] = arrivals[n + 1], arrivals[n]
        late = [(101.4 if 50 <= n < 70 else at, data) for n, (at, data) in enumerate(arrivals)]
        listener = Listener()
        listener.hear(late)
        assert listener.receiver.lost == listener.receiver.late == 0
        assert abs(listener.behind[-1]) < 100


class TestStandstill:
    """Our process stood still, and packets waited in the socket: it is us who were late."""

    @staticmethod
    def stood_still(listener: Listener, arrivals: list[Arrival], since: float, until: float) -> None:
        """Hear what came before, then at once what waited, then the rest."""
        listener.hear([one for one in arrivals if one[0] < since], until=since)
        listener.receiver.receive_waited([(data, at) for at, data in arrivals if since <= at <= until], until)
        listener.receiver.tick(until)
        listener.hear([one for one in arrivals if one[0] > until], start=until + 0.02)

    @pytest.mark.parametrize("seconds", [0.1, 0.2, 0.4])
    def test_a_short_one_loses_nothing(self, seconds: float) -> None:
        """All that waited is given on at once; nothing is made up, nothing cut."""
        listener = Listener()
        self.stood_still(listener, stream(200), 101.0, 101.0 + seconds)
        assert listener.audio == spoken(*range(200))
        receiver = listener.receiver
        assert (receiver.concealed_ms, receiver.filled_ms, receiver.discarded_ms) == (0, 0, 0)
        assert receiver.jitter == pytest.approx(0.0, abs=0.001)

    @pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 5.0])
    def test_behind_a_long_one_the_newest_is_heard(self, seconds: float) -> None:
        """What is older than `catch_up_ms` is counted and discarded; audio is on time at once."""
        listener = Listener()
        self.stood_still(listener, stream(500), 101.0, 101.0 + seconds)
        receiver = listener.receiver
        cut = receiver.discarded_ms
        assert cut == pytest.approx(1000 * seconds - 400, abs=21)
        first = 50 + cut // 20
        assert listener.audio == spoken(*range(50), *range(first, 500))
        assert (receiver.concealed_ms, receiver.filled_ms, receiver.lost) == (0, 0, 0)
        assert receiver.packets == 500
        assert receiver.given_ms == len(listener.audio) / 8
        assert receiver.elapsed_ms == 10_000

    def test_what_the_socket_could_not_hold_is_not_made_up_for_long(self) -> None:
        """The newest of ten seconds did not fit: a loss, concealed for no longer than any."""
        arrivals = stream(1000)
        waited = [arrival for n, arrival in enumerate(arrivals) if not 306 <= n < 550]
        listener = Listener()
        self.stood_still(listener, waited, 101.0, 111.0)
        receiver = listener.receiver
        assert receiver.lost == 244
        assert receiver.concealed_ms <= 120
        assert receiver.filled_ms <= 400
        assert listener.audio.endswith(spoken(*range(560, 1000)))

    def test_a_pause_meanwhile_is_not_caught_up_with(self) -> None:
        """Who was silent on purpose leaves no seconds of silence to be given at once."""
        arrivals = stream(50)
        arrivals += [
            (
                105.0 + 0.02 * n,
                bytes(replace(packet(50 + n), timestamp=(0xFFFFF800 + 40000 + 160 * n) % 2**32)),
            )
            for n in range(50)
        ]
        listener = Listener()
        listener.hear(arrivals[:50], until=101.5)
        before = len(listener.audio)
        listener.receiver.receive_waited([], 104.0)
        listener.receiver.tick(104.0)
        assert len(listener.audio) - before <= 8 * 480
        listener.hear(arrivals[50:], start=104.02)
        assert listener.audio.endswith(LOUD * 40)
        assert listener.receiver.elapsed_ms == pytest.approx(6000, abs=40)

    def test_digits_that_waited_count(self) -> None:
        """A key that was pressed meanwhile is told, however old."""
        sender = RtpSender(7, 0, 0, 0, event_payload_type=101)
        arrivals: list[Arrival] = []
        for n in range(200):
            if n == 60:
                sender.digit("3", 100)
            arrivals.append((100 + 0.02 * n, sender.next_event_packet() or sender.packet(LOUD)))
        listener = Listener()
        self.stood_still(listener, arrivals, 101.0, 103.0)
        assert listener.digits == [("3", 100)]


class TestDigits:
    """Telephone-events between audio."""

    def test_a_digit_is_told_once_and_is_silence_to_the_agent(self) -> None:
        """The audio's timeline goes on while keys are pressed."""
        sender = RtpSender(7, 0, 0, 0, event_payload_type=101)
        arrivals: list[Arrival] = []
        for n in range(100):
            if n == 20:
                sender.digit("5", 160)
                sender.digit("#", 100)
            arrivals.append((100 + 0.02 * n, sender.next_event_packet() or sender.packet(LOUD)))
        listener = Listener()
        listener.hear(arrivals)
        assert listener.digits == [("5", 160), ("#", 100)]
        assert len(listener.audio) == 100 * 160
        assert listener.audio[20 * 160 : 30 * 160] == b"\xff" * 1600
        assert listener.furthest <= 41
        assert listener.receiver.lost == 0

    def test_a_digit_behind_a_given_up_gap_still_counts(self) -> None:
        """Its end came late, but it came."""
        end = bytes(packet(5, bytes(TelephoneEvent(1, True, 800)), payload_type=101))
        listener = Listener()
        listener.hear([arrival for n, arrival in enumerate(stream(20)) if n != 5])
        listener.receiver.receive(end, 100.45)
        assert listener.digits == [("1", 100)]
        assert listener.receiver.late == 1

    def test_a_lost_end_is_told_by_a_tick(self) -> None:
        """Even when nothing else ever comes."""
        listener = Listener()
        listener.receiver.receive(
            bytes(packet(0, bytes(TelephoneEvent(1, False, 800)), payload_type=101)), 100.0
        )
        listener.receiver.tick(100.1)
        assert listener.digits == []
        listener.receiver.tick(100.3)
        assert listener.digits == [("1", 100)]


class TestIdentity:
    """Which stream is ours."""

    def test_another_stream_is_ignored_while_ours_is_alive(self) -> None:
        """Injected packets cost nothing but a count."""
        listener = Listener()
        intruder = [
            (at, bytes(packet(n, QUIET, ssrc=9))) for n, (at, _) in enumerate(stream(100, start=100.01))
        ]
        listener.hear(stream(100) + intruder)
        assert listener.audio == spoken(*range(100))
        assert listener.receiver.ssrc_ignored == 100
        assert listener.receiver.ssrc == 7

    def test_another_stream_may_follow_ours(self) -> None:
        """When ours has been silent for a while; the timeline goes on."""
        second = [
            (at, bytes(packet(n + 999, LOUD, ssrc=9))) for n, (at, _) in enumerate(stream(100, start=101.0))
        ]
        listener = Listener()
        listener.hear(stream(50) + second)
        assert listener.receiver.ssrc == 9
        assert listener.receiver.restarts == 1
        assert listener.audio.endswith(LOUD * 80)
        assert listener.furthest <= 100
        assert 10 <= listener.receiver.ssrc_ignored <= 16
        assert listener.receiver.lost == 0

    def test_another_stream_waits_no_longer_than_it_is_told(self) -> None:
        """A peer that begins anew loses what the silence takes that proves the old stream's end."""
        listener = Listener(ssrc_silence_ms=100)
        second = [
            (at, bytes(packet(n + 999, LOUD, ssrc=9))) for n, (at, _) in enumerate(stream(50, start=101.0))
        ]
        listener.hear(stream(50) + second)
        assert listener.receiver.ssrc_ignored <= 6

    @pytest.mark.parametrize(
        ("number", "late", "ssrc", "goes_on"),
        [
            (50, 0.5, 7, True),
            (75, 0.5, 7, True),
            (50, 30.0, 7, True),
            (1550, 30.0, 7, True),
            (49, 0.5, 7, False),
            (20, 0.5, 7, False),
            (400, 0.5, 7, False),
            (5000, 30.0, 7, False),
            (75, 0.5, 9, False),
        ],
    )
    def test_what_goes_on_with_the_stream(self, number: int, late: float, ssrc: int, goes_on: bool) -> None:
        """The same SSRC, no further ahead than the time that it was silent allows, and never behind."""
        listener = Listener()
        listener.hear(stream(50))
        data = bytes(packet(number, ssrc=ssrc))
        assert listener.receiver.goes_on(data, 100.98 + late) is goes_on
        assert not listener.receiver.goes_on(data[:11], 100.98 + late)

    def test_timestamps_that_jump_do_not_go_on(self) -> None:
        """The sequence alone is guessed too easily."""
        listener = Listener()
        assert not listener.receiver.goes_on(bytes(packet(0)), 100.0)
        listener.hear(stream(50))
        for jump, fits in ((7000, True), (-7000, True), (100_000, False), (-100_000, False)):
            data = bytes(packet(50, timestamp=(packet(50).timestamp + jump) & 0xFFFFFFFF))
            assert listener.receiver.goes_on(data, 101.5) is fits

    def test_an_agreed_payload_type_is_no_rtcp(self) -> None:
        """64 to 95 would be RTCP, unless audio or events were agreed on under the number."""
        listener = Listener()
        listener.receiver.relearn({0: PCMU}, {73: 8000})
        press = b"\x05\x8a\x03\x20"
        listener.receiver.receive(bytes(packet(0, press, payload_type=73)), 100.0)
        listener.receiver.receive(bytes(packet(1, press, payload_type=72)), 100.02)
        assert (listener.digits, listener.receiver.malformed) == ([("5", 100)], 1)

    def test_a_new_negotiation_takes_the_next_stream_at_once(self) -> None:
        """relearn lets another stream take over, and may change the payload types."""
        listener = Listener()
        listener.hear(stream(50))
        listener.receiver.relearn({8: PCMA}, {97: 8000})
        listener.receiver.receive(bytes(packet(3, payload_type=0, ssrc=9)), 101.0)
        assert listener.receiver.ssrc == 7
        listener.receiver.receive(bytes(packet(3, b"\xd5" * 160, payload_type=8, ssrc=9)), 101.0)
        assert listener.receiver.ssrc == 9
        assert listener.audio == spoken(*range(50)) + b"\xfe" * 160
        assert listener.receiver.ignored_payload_type == 1

    def test_packets_of_the_old_stream_that_are_under_way_do_not_keep_the_new_one_out(self) -> None:
        """They are played, and the new stream takes over with its first packet."""
        listener = Listener()
        listener.hear(stream(50))
        listener.receiver.relearn()
        for at, data in stream(55)[50:]:
            listener.receiver.receive(data, at)
        listener.receiver.receive(bytes(packet(900, ssrc=9)), 101.1)
        assert listener.audio == spoken(*range(55)) + LOUD
        assert listener.receiver.restarts == 1

    def test_a_negotiation_that_changes_no_stream_changes_nothing(self) -> None:
        """The stream goes on, and is locked again after half a second."""
        listener = Listener()
        listener.hear(stream(50))
        listener.receiver.relearn({0: PCMU}, {101: 8000})
        for at, data in stream(100)[50:]:
            listener.receiver.receive(data, at)
        listener.receiver.receive(bytes(packet(900, ssrc=9)), 102.0)
        assert listener.audio == spoken(*range(100))
        assert (listener.receiver.restarts, listener.receiver.ssrc_ignored) == (0, 1)

    def test_a_sequence_that_begins_anew_is_followed(self) -> None:
        """Two packets in sequence prove it (RFC 3550 appendix A.1)."""
        restarted = [
            (at, bytes(packet(n + 20000, LOUD))) for n, (at, _) in enumerate(stream(50, start=101.0))
        ]
        listener = Listener()
        listener.hear(stream(50) + restarted)
        assert listener.audio.endswith(LOUD * 49)
        assert listener.receiver.restarts == 1
        assert listener.receiver.lost == 0

    def test_one_packet_from_elsewhere_changes_nothing(self) -> None:
        """A single stray sequence number is no restart."""
        listener = Listener()
        stray = [(100.5, bytes(packet(30000))), (100.7, bytes(packet(50000)))]
        listener.hear(stream(100) + stray)
        assert listener.audio == spoken(*range(100))
        assert listener.receiver.restarts == 0
        assert listener.receiver.out_of_sequence == 2

    def test_a_sequence_that_steps_back_a_little_is_followed(self) -> None:
        """It looks like duplicates, until nothing else comes."""
        again = [(at + 1.0, data) for at, data in stream(50)]
        listener = Listener()
        listener.hear(stream(50) + again)
        assert listener.receiver.restarts == 1
        assert listener.audio.endswith(spoken(*range(5, 50)))
        assert listener.furthest <= 110

    def test_another_negotiated_codec_is_converted(self) -> None:
        """The sink's format is that of the first codec, whichever the peer sends."""
        arrivals = [
            (at, bytes(packet(n, b"\xd5" * 160, payload_type=8)) if n >= 10 else bytes(packet(n, QUIET)))
            for n, (at, _) in enumerate(stream(20))
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.audio == b"\xff" * 1600 + b"\xfe" * 1600  # A-law has no zero: its least is 8

    def test_a_payload_type_that_was_not_negotiated_is_dropped(self) -> None:
        """It counts as received, and is silence to the agent."""
        arrivals = [
            (at, bytes(packet(n, LOUD, payload_type=18)) if 10 <= n < 15 else bytes(packet(n)))
            for n, (at, _) in enumerate(stream(50))
        ]
        listener = Listener()
        listener.hear(arrivals)
        assert listener.audio == LOUD * 10 + b"\xff" * 800 + LOUD * 35
        assert listener.receiver.ignored_payload_type == 5
        assert listener.receiver.lost == 0

    def test_header_extension_padding_and_sources_are_understood(self) -> None:
        """The payload is found between them."""
        dressed = packet(1, b"\x01" * 160)
        dressed = replace(dressed, csrcs=(1, 2), extension=(0xBEDE, b"abcd"), marker=True)
        padded = bytearray(bytes(dressed) + b"\0\0\3")
        padded[0] |= 0x20
        listener = Listener()
        listener.receiver.receive(bytes(packet(0)), 100.0)
        listener.receiver.receive(bytes(padded), 100.02)
        assert listener.audio == LOUD + b"\x01" * 160

    @pytest.mark.parametrize(
        "data",
        [b"", b"\x80\0", b"\x40" + bytes(200), b"\x80\xc8" + bytes(50), bytes(packet(0, bytes(2000)))],
    )
    def test_garbage_teaches_nothing(self, data: bytes) -> None:
        """Neither STUN nor RTCP nor a giant becomes the stream."""
        listener = Listener()
        listener.receiver.receive(data, 100.0)
        assert listener.receiver.ssrc is None
        assert listener.receiver.malformed == 1

    @settings(deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.builds(
                    lambda n, t: bytes(packet(n, timestamp=t)),
                    st.integers(0, 70000),
                    st.integers(0, 0xFFFFFFFF),
                ),
            ),
            max_size=80,
        )
    )
    def test_no_datagram_raises_or_runs_ahead(self, datagrams: list[bytes]) -> None:
        """Whatever comes, the agent gets no more than time allows."""
        listener = Listener()
        listener.hear([(100 + 0.005 * n, data) for n, data in enumerate(datagrams)], until=101.0)
        assert not listener.behind or min(listener.behind) >= -190


class TestReports:
    """What RTCP and the record say."""

    def test_jitter_is_that_of_the_rfc(self) -> None:
        """Against appendix A.8 computed plainly."""
        source = random.Random(3)
        arrivals = [(at + source.random() * 0.015, data) for at, data in stream(500)]
        expected = plain_jitter(arrivals)
        listener = Listener()
        for at, data in arrivals:
            listener.receiver.receive(data, at)
        assert listener.receiver.jitter == pytest.approx(expected, rel=1e-6)

    def test_a_report_block_counts_since_the_last(self) -> None:
        """The fraction is of the interval, the rest of the whole stream."""
        listener = Listener()
        assert listener.receiver.report_block(100.0) is None
        arrivals = stream(100)
        listener.hear([arrival for n, arrival in enumerate(arrivals[:50]) if n % 4 or not n], until=101.1)
        block = listener.receiver.report_block(101.0)
        assert block is not None
        assert (block.ssrc, block.lost, block.fraction_lost) == (7, 12, 256 * 12 // 50)
        for at, data in arrivals[50:]:
            listener.receiver.receive(data, at)
        block = listener.receiver.report_block(102.0)
        assert block is not None
        assert (block.lost, block.fraction_lost) == (12, 0)
        assert block.highest_sequence == 65530 + 99


def plain_jitter(arrivals: list[Arrival]) -> float:
    jitter, last = 0.0, None
    for at, data in arrivals:
        transit = at * 8000 - ((RtpPacket.parse(data).timestamp + 0x800) & 0xFFFFFFFF)
        if last is not None:
            jitter += (abs(transit - last) - jitter) / 16
        last = transit
    return jitter / 8


def hostile_streams() -> list[Callable[[int], bytes]]:
    return [
        lambda n: bytes(packet(2 * n)),
        lambda n: bytes(packet(-n)),
        lambda n: bytes(packet(n * 2999)),
        lambda n: bytes(packet(n * 7919)),
        lambda n: bytes(packet(63 * n, timestamp=n * 0x7FFFFFF & 0xFFFFFFFF)),
        lambda n: bytes(packet(n, bytes(1600))),
        lambda n: bytes(packet(n, bytes(TelephoneEvent(n % 16, False, n & 0xFFFF)), payload_type=101)),
        lambda n: bytes(packet(n, payload_type=n % 128)),
    ]


@pytest.mark.parametrize("make", hostile_streams())
def test_hostile_packets_cost_little(make: Callable[[int], bytes]) -> None:
    """The worst orders that a sender can choose stay within 200 us a packet."""
    datagrams = [make(n) for n in range(2000)]

    def hear() -> None:
        listener = Listener()
        for n, data in enumerate(datagrams):
            listener.receiver.receive(data, 100 + n * 0.0001)

    assert cost(hear) < 400
