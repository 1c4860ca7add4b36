"""A codec that is none of G.711 is one entry: shown with two made-up ones."""

import random
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.media.audio import L16_16K, ULAW_8K, converter, to_l16
from gateway.media.codecs import CODECS, PCMA, PCMU, Codec, payload_maker
from gateway.media.comfort_noise import ComfortNoise
from gateway.media.playout import Playout
from gateway.media.rtp import RtpPacket, RtpReceiver, RtpSender
from gateway.media.sdp import (
    Capabilities,
    Negotiated,
    SessionDescription,
    apply_answer,
    make_answer,
    make_offer,
)
from gateway.routing.table import Trunk
from gateway.store.configuration.fields import TRUNK
from gateway.store.configuration.rules import checked_trunk
from gateway.store.engine.errors import InvalidInput


def swapped(audio: bytes) -> bytes:
    """16 bit in network byte order (RFC 3551 section 4.5.11); an odd byte makes no sense."""
    samples = array("h", b"" if len(audio) % 2 else audio)
    samples.byteswap()
    return samples.tobytes()


def halved(audio: bytes) -> bytes:
    """Every other sample's upper byte."""
    return audio[1::4]


def doubled(payload: bytes) -> bytes:
    """The reverse, so far as that goes."""
    return b"".join(bytes((0, one, 0, one)) for one in payload)


L16 = Codec("L16", None, 16000, L16_16K, lambda _: swapped, lambda _: swapped, fmtp="emphasis=none")
"A clock of 16 kHz, two bytes a sample."

HALF = Codec("HALF", 9, 8000, L16_16K, lambda _: doubled, lambda _: halved)
"As G.722: 16 kHz of audio, a byte for two samples, and a clock of 8 kHz."

MADE_UP = [L16, HALF]


def test_one_list() -> None:
    """What a trunk may have is what there is, and its help says so."""
    trunk = Trunk("trk_1", "ten_1", "carrier", codecs=tuple(CODECS))
    assert checked_trunk(trunk).codecs == ("PCMU", "PCMA")
    with pytest.raises(InvalidInput, match="PCMU, PCMA"):
        checked_trunk(replace(trunk, codecs=("L16",)))
    assert TRUNK["codecs"].about.startswith("PCMU and PCMA ")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"clock_rate": 12000}, "no multiple"),
        ({"clock_rate": 44100, "format": L16_16K}, "no multiple"),
        ({"encoder": None}, "needs both"),
        ({"decoder": None, "encoder": None}, "needs a decoder"),
    ],
)
def test_an_entry_that_makes_no_sense(change: dict[str, object], why: str) -> None:
    """It says so at once, and not in a call."""
    with pytest.raises(ValueError, match=why):
        replace(L16, **change)  # type: ignore[arg-type]


# Offer and answer.

CAPABLE = Capabilities((L16, PCMU), comfort_noise="offer")


def offer(capabilities: Capabilities = CAPABLE) -> SessionDescription:
    """Ours."""
    return make_offer(capabilities, "192.0.2.1", 30_000, 7, 0)


def peer(formats: str, *attributes: str) -> SessionDescription:
    """What the peer says."""
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0"]
    lines += [f"m=audio 40000 RTP/AVP {formats}", *(f"a={attribute}" for attribute in attributes)]
    return SessionDescription.parse("".join(f"{line}\r\n" for line in lines).encode())


WIDE = ("rtpmap:111 L16/16000", "fmtp:111 emphasis=50-15", "rtpmap:97 telephone-event/16000")
NARROW = ("rtpmap:102 telephone-event/8000", "fmtp:102 0-15")


def answered(description: SessionDescription, capabilities: Capabilities = CAPABLE) -> tuple[str, Negotiated]:
    """Our answer to it, without the lines that are always there, and what holds."""
    answer, negotiated = make_answer(description, capabilities, "192.0.2.1", 30_000, 7, 0)
    return "\n".join(list(answer.lines())[5:]), negotiated


def test_the_offer() -> None:
    """A dynamic payload type, what is to be said of it, and telephone-events for each clock."""
    assert "\n".join(list(offer().lines())[5:]) == (
        "m=audio 30000 RTP/AVP 96 0 13 101 97\n"
        "a=rtpmap:96 L16/16000\n"
        "a=fmtp:96 emphasis=none\n"
        "a=rtpmap:0 PCMU/8000\n"
        "a=rtpmap:13 CN/8000\n"
        "a=rtpmap:101 telephone-event/16000\n"
        "a=fmtp:101 0-15\n"
        "a=rtpmap:97 telephone-event/8000\n"
        "a=fmtp:97 0-15\n"
        "a=ptime:20\n"
        "a=sendrecv"
    )


def test_the_answer_to_an_offer_of_both() -> None:
    """The codec under the offer's number, and the telephone-events whose clock is its own."""
    lines, negotiated = answered(peer("111 0 97 102", *WIDE, *NARROW))
    assert lines == (
        "m=audio 30000 RTP/AVP 111 97\n"
        "a=rtpmap:111 L16/16000\n"
        "a=fmtp:111 emphasis=none\n"
        "a=rtpmap:97 telephone-event/16000\n"
        "a=fmtp:97 0-15\n"
        "a=ptime:20\n"
        "a=sendrecv"
    )
    assert (negotiated.codec, negotiated.payload_type, negotiated.fmtp) == (L16, 111, "emphasis=50-15")
    assert (negotiated.event_payload_type, negotiated.receives_events) == (97, ((97, 16000),))


def test_the_answer_where_the_peer_prefers_g711() -> None:
    """Its telephone-events of 8 kHz are taken, whatever stands first among them."""
    lines, negotiated = answered(peer("0 111 97 102", *WIDE, *NARROW))
    assert "telephone-event/8000" in lines
    assert "telephone-event/16000" not in lines
    assert (negotiated.codec, negotiated.fmtp) == (PCMU, "")
    assert (negotiated.event_payload_type, negotiated.receives_events) == (102, ((102, 8000),))


def test_events_of_another_clock_are_none() -> None:
    """They share the timestamps of the audio (RFC 4733 section 2.1)."""
    _, negotiated = answered(peer("111 102", *WIDE[:2], *NARROW))
    assert (negotiated.event_payload_type, negotiated.receives_events) == (None, ())


def test_the_peer_answers_both() -> None:
    """We hear either codec, each with the telephone-events of its clock, under the numbers of our offer."""
    negotiated = apply_answer(offer(), peer("111 0 97 102", *WIDE, *NARROW), CAPABLE.codecs)
    assert (negotiated.codec, negotiated.payload_type, negotiated.fmtp) == (L16, 111, "emphasis=50-15")
    assert negotiated.receives == ((96, L16), (0, PCMU))
    assert negotiated.event_payload_type == 97
    assert negotiated.receives_events == ((101, 16000), (97, 8000))
    assert not negotiated.comfort_noise


def test_the_peer_answers_one() -> None:
    """What it left out, we do not hear, and need no telephone-events for."""
    negotiated = apply_answer(offer(), peer("0 13 102", *NARROW), CAPABLE.codecs)
    assert negotiated.receives == ((0, PCMU),)
    assert (negotiated.event_payload_type, negotiated.receives_events) == (102, ((97, 8000),))
    assert negotiated.comfort_noise


def test_events_of_one_clock_only() -> None:
    """A peer that has them for G.711 alone gets none beside the other codec; its own are heard."""
    negotiated = apply_answer(offer(), peer("111 0 102", *WIDE[:2], *NARROW), CAPABLE.codecs)
    assert negotiated.event_payload_type is None
    assert negotiated.receives_events == ((97, 8000),)


def test_numbers_keep_their_meaning() -> None:
    """A later offer in the call has each format under its number, a new one under a number of its own."""
    first = offer()
    again = make_offer(CAPABLE, "192.0.2.1", 30_000, 7, 1, previous=first)
    assert again.media == first.media
    other = replace(L16, name="OTHER")
    more = make_offer(Capabilities((other, PCMU)), "192.0.2.1", 30_000, 7, 1, previous=first)
    encodings = more.media[0].encodings()
    assert {str(encoding): number for number, encoding in encodings.items()} == {
        "OTHER/16000": 98,
        "PCMU/8000": 0,
        "telephone-event/16000": 101,
        "telephone-event/8000": 97,
    }


def test_channels_of_an_rtpmap() -> None:
    """A codec whose rtpmap says two channels, as that of Opus does, is met by nothing else."""
    opus = replace(L16, name="opus", channels=2)
    capable = Capabilities((opus,))
    assert answered(peer("111", "rtpmap:111 opus/16000/2"), capable)[1].codec is opus
    with pytest.raises(ValueError, match="no common codec"):
        answered(peer("111", "rtpmap:111 opus/16000"), capable)


@pytest.mark.parametrize("said", ["", " ", "111", "111 ", "x y", "1111 y", "111\t", "² z"])
def test_an_fmtp_that_says_nothing(said: str) -> None:
    """Nonsense is nothing, and harms nothing."""
    _, negotiated = answered(peer("111", "rtpmap:111 L16/16000", f"fmtp:{said}"))
    assert negotiated.fmtp == ""


def test_what_the_peer_says_reaches_the_codec() -> None:
    """`a=fmtp` of its description makes the encoder, and the decoder of that payload type."""
    told: list[str] = []

    def made(fmtp: str) -> Callable[[bytes], bytes]:
        told.append(fmtp)
        return swapped

    codec = replace(L16, decoder=made, encoder=made)
    payload_maker(L16_16K, codec, "theirs", 20)
    RtpReceiver({96: codec}, sink=lambda _: None, fmtp="of it")
    assert told == ["theirs", "of it"]


# Sending and receiving.


def sound(milliseconds: int, seed: int = 1) -> bytes:
    """Loud noise at 16 kHz, smooth enough that half of its samples tell all of it."""
    chance = random.Random(seed)
    levels = [chance.randrange(-90, 90) for _ in range(milliseconds * 8)]
    return array("h", [257 * level for level in levels for _ in range(2)]).tobytes()


def payloads(codec: Codec, audio: bytes, ptime_ms: int = 20) -> list[bytes]:
    """The same as payloads of a codec, which begins at 16 kHz."""
    make = payload_maker(L16_16K, codec, "", ptime_ms)
    size = ptime_ms * L16_16K.bytes_per_ms
    frames = [audio[at : at + size] for at in range(0, len(audio), size)]
    return [frame if make is None else make(frame) for frame in frames]


@pytest.mark.parametrize("codec", MADE_UP, ids=lambda codec: codec.name)
@pytest.mark.parametrize("ptime_ms", [10, 20, 40])
def test_there_and_back(codec: Codec, ptime_ms: int) -> None:
    """What was said is heard, as plain packets whose timestamps go by the codec's clock."""
    units = ptime_ms * codec.clock_rate // 1000
    said, heard = sound(1000), bytearray()
    # The value of HALF's lower byte is gone.
    expected = said if codec is L16 else bytes(b for at in range(1, len(said), 2) for b in (0, said[at]))
    sender = RtpSender(7, 3, 5, 96, codec.clock_rate, ptime_ms=ptime_ms)
    receiver = RtpReceiver({96: codec}, sink=heard.extend)
    made = payloads(codec, said, ptime_ms)
    for n, payload in enumerate(made):
        before = sender.timestamp
        receiver.receive(sender.packet(payload), n * ptime_ms / 1000)
        assert (sender.timestamp - before) % 2**32 == units
        assert receiver.run.unbroken
    assert heard == expected
    assert (receiver.packets, receiver.lost, receiver.given_ms) == (len(made), 0, 1000)
    assert receiver.octets == sender.octets == sum(map(len, made))


def test_an_octet_is_no_duration() -> None:
    """Silence on hold takes its time, and no octets; a digit takes those that it has."""
    sender = RtpSender(7, 0, 0, 96, 16000, event_payload_type=97)
    sender.packet(bytes(640))
    sender.skip()
    assert (sender.timestamp, sender.octets, sender.packets) == (640, 640, 1)
    sender.digit("5", 100)
    sent = []
    while sender.digits_waiting:
        if (packet := sender.next_event_packet()) is not None:
            sent.append(RtpPacket.parse(packet))
    assert [int.from_bytes(packet.payload[2:4]) for packet in sent[:5]] == [320, 640, 960, 1280, 1600]
    assert sender.octets == 640 + 4 * len(sent)


FIGURES = (
    "packets",
    "lost",
    "late",
    "unheard",
    "given_ms",
    "concealed_ms",
    "filled_ms",
    "discarded_ms",
    "spoilt_ms",
    "reordered",
    "jitter",
)


@pytest.mark.parametrize("codec", MADE_UP, ids=lambda codec: codec.name)
@pytest.mark.parametrize("seed", range(25))
def test_a_bad_network(codec: Codec, seed: int) -> None:
    """Loss, order, stalls and bursts come to the same milliseconds as with G.711."""
    assert through(codec, seed) == pytest.approx(through(PCMU, seed))


def through(codec: Codec, seed: int) -> dict[str, float]:
    """The figures of six seconds through a bad network."""
    chance = random.Random(seed)
    # A voice with periods of 10 ms, so that what is taken out of it is as long at either rate.
    said, heard = 600 * sound(10), bytearray()
    sender = RtpSender(7, 65_500, 2**32 - 5000, 96, codec.clock_rate)
    receiver = RtpReceiver({96: codec}, sink=heard.extend)
    arrivals, stalled = [], 0.0
    for n, payload in enumerate(payloads(codec, said)):
        at = 100 + 0.02 * n + chance.choice([0, 0, 0.01, chance.random() / 8])
        stalled = at + 0.4 if chance.random() < 0.005 else stalled
        data = sender.packet(payload)
        if chance.random() > 0.05:
            arrivals.append((max(at, stalled), data))
    arrivals.sort()
    tick = 100.0
    while arrivals:
        while arrivals and arrivals[0][0] <= tick:
            at, data = arrivals.pop(0)
            receiver.receive(data, at)
        receiver.tick(tick)
        tick += 0.02
    figures = {name: float(getattr(receiver, name)) for name in FIGURES}
    assert len(heard) == pytest.approx(figures["given_ms"] * codec.format.bytes_per_ms, abs=40)
    return figures


@pytest.mark.parametrize("codec", MADE_UP, ids=lambda codec: codec.name)
@pytest.mark.parametrize("parts_per_million", [-2000, 2000])
def test_a_drifting_clock(codec: Codec, parts_per_million: int) -> None:
    """What is heard stays within 125 ms of real time, in a voice that is never silent."""
    said, given = payloads(codec, sound(2000)), 0

    def sink(audio: bytes) -> None:
        nonlocal given
        given += len(audio)

    receiver = RtpReceiver({96: codec}, sink=sink)
    sender = RtpSender(7, 0, 0, 96, codec.clock_rate)
    for n in range(15_000):
        at = n * 0.02 * (1 - parts_per_million / 1e6)
        receiver.receive(sender.packet(said[n % len(said)]), at)
        receiver.tick(at)
        assert abs(given / codec.format.bytes_per_ms - 1000 * at) < 125
    assert receiver.inserted_ms + receiver.discarded_ms > 400


def test_the_sender_changes_its_codec() -> None:
    """From one clock to the other and back without a word: the sink's format stays, and real time goes on."""
    heard = bytearray()
    receiver = RtpReceiver({96: L16, 0: PCMU, 9: HALF}, sink=heard.extend)
    timestamp, sequence = 2**32 - 3000, 0
    for turn in range(9):
        number, codec = [(96, L16), (0, PCMU), (9, HALF)][turn % 3]
        for payload in payloads(codec, sound(500, seed=turn)):
            packet = RtpPacket(number, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 7, payload)
            receiver.receive(bytes(packet), 0.02 * sequence)
            receiver.tick(0.02 * sequence)
            sequence, timestamp = sequence + 1, timestamp + codec.clock_rate // 50
            assert len(heard) / 32 == pytest.approx(20 * sequence, abs=8)  # what filters hold back
    assert receiver.given_ms == 4500
    assert (receiver.lost, receiver.concealed_ms, receiver.filled_ms) == (0, 0, 0)
    assert receiver.jitter < 0.01


def test_a_payload_that_makes_no_sense() -> None:
    """It is counted, its time is made up, and what is behind it is heard in its place."""
    heard = bytearray()
    receiver = RtpReceiver({96: L16}, sink=heard.extend)
    said = payloads(L16, sound(400))
    said[5:15] = [payload + b"!" for payload in said[5:15]]
    for n, payload in enumerate(said):
        receiver.receive(bytes(RtpPacket(96, n, 320 * n, 7, payload)), 0.02 * n)
        receiver.tick(0.02 * n)
    assert receiver.malformed == 10
    assert receiver.lost == 0
    assert heard.endswith(sound(400)[-80 * 32 :])
    assert len(heard) == pytest.approx(400 * 32, abs=32)


def test_payloads_of_one_size_that_last_differently() -> None:
    """A codec that says so inside is followed, also where packets are plain."""
    longer = replace(L16, decoder=lambda _: lambda payload: payload * (1 + payload[0] % 2))
    heard = bytearray()
    receiver = RtpReceiver({96: longer}, sink=heard.extend)
    timestamp, at = 0, 0.0
    for n in range(100):
        payload = bytes((n // 10,)) * 640
        receiver.receive(bytes(RtpPacket(96, n, timestamp, 7, payload)), at)
        milliseconds = 20 * (1 + payload[0] % 2)
        timestamp, at = timestamp + 16 * milliseconds, at + milliseconds / 1000
        receiver.tick(at)
    assert len(heard) == pytest.approx(100 * 30 * 32, abs=160 * 32)
    assert abs(receiver.given_ms - 3000) <= 160


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
def test_a_digit_of_any_clock(clock_rate: int) -> None:
    """Its duration is in units of the payload type's clock, whatever the audio's is."""
    told: list[tuple[str, int]] = []
    receiver = RtpReceiver(
        {0: PCMU}, {101: clock_rate}, sink=lambda _: None, on_digit=lambda *digit: told.append(digit)
    )
    sender = RtpSender(7, 0, 0, 0, clock_rate, event_payload_type=101)
    sender.digit("7", 180)
    sender.digit("7", 80)
    for n in range(40):
        if (packet := sender.next_event_packet()) is not None:
            receiver.receive(packet, 0.02 * n)
        else:
            sender.skip()
    assert told == [("7", 180), ("7", 80)]


def test_noise_of_two_bytes() -> None:
    """Comfort noise in samples of 16 bits goes on in whole ones, for ever."""
    noise = ComfortNoise(40, L16_16K)
    made = b"".join(noise.more(640) for _ in range(200))
    assert len(made) == 200 * 640
    assert max(map(abs, array("h", made))) < 2000


# What waits for the phone before it has said how it speaks.


@pytest.mark.parametrize(("guess", "agreed"), [(L16_16K, ULAW_8K), (ULAW_8K, L16_16K)])
def test_queued_audio_in_another_format(guess: object, agreed: object) -> None:
    """It lasts as long, its marks stand where they stood, and the queue holds as many seconds."""
    one, other = (L16_16K, ULAW_8K) if guess is L16_16K else (ULAW_8K, L16_16K)
    convert = converter(one, other)
    assert convert is not None
    playout = Playout(20 * one.bytes_per_ms, one.silence(20), 2.0, one.bytes_per_ms)
    playout.write(bytes(100 * one.bytes_per_ms))
    playout.mark("amid")
    playout.write(bytes(107 * one.bytes_per_ms))
    playout.mark("end")
    assert playout.ended
    playout.recode(convert, other.bytes_per_ms)
    playout.reframe(20 * other.bytes_per_ms, other.silence(20))
    assert playout.ended
    assert playout.queued_ms in {203, 204, 205, 206, 207}, "but for what the filter holds back"
    told: list[tuple[int, str]] = []
    for tick in range(1, 13):
        playout.read()
        told += [(tick, name) for name in playout.played()]
    assert told == [(5, "amid"), (11, "end")]
    assert playout.write(bytes(3000 * other.bytes_per_ms)) == 1000 * other.bytes_per_ms


def test_g711_needs_no_maker() -> None:
    """Its frames are its payloads: nothing is called for a packet but where the other law is spoken."""
    assert payload_maker(ULAW_8K, PCMU, "", 20) is None
    make = payload_maker(ULAW_8K, PCMA, "", 20)
    assert make is not None
    assert make(None) == b"\xd5" * 160


def test_another_rate_in_whole_packets() -> None:
    """A call that began at one rate fills each packet of another; silence is silence."""
    make = payload_maker(ULAW_8K, L16, "", 20)
    assert make is not None
    made = [make(b"\x10" * 160) for _ in range(10)] + [make(None) for _ in range(3)]
    assert {len(payload) for payload in made} == {640}
    assert not any(made[-1])
    loud = to_l16(b"\x10", ULAW_8K) * 2
    assert abs(array("h", swapped(made[5]))[100] - array("h", loud)[0]) < 200
