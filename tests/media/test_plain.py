"""A run of plain packets: a short way that has to lead where the long one does."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.media.codecs import PCMU
from gateway.media.dtmf import TelephoneEvent
from gateway.media.plain import PlainRun
from gateway.media.rtp import RtpPacket, RtpReceiver

START = 100.0

COUNTED = (
    "packets",
    "octets",
    "expected",
    "lost",
    "late",
    "duplicate",
    "reordered",
    "unheard",
    "given_ms",
    "concealed_ms",
    "filled_ms",
    "inserted_ms",
    "discarded_ms",
    "out_of_sequence",
    "restarts",
    "last_at",
)

Arrivals = list[tuple[float, bytes]]


def stream(first: RtpPacket, sizes: list[int]) -> list[RtpPacket]:
    """Packets in order, each of so many bytes of audio."""
    made, timestamp = [], first.timestamp
    for number, size in enumerate(sizes):
        payload = bytes((17 * number + n) % 256 for n in range(size))
        sequence = (first.sequence + number) & 0xFFFF
        made.append(replace(first, sequence=sequence, timestamp=timestamp & 0xFFFFFFFF, payload=payload))
        timestamp += size
    return made


def heard(arrivals: Arrivals, until: float) -> tuple[bytes, dict[str, object], float, int]:
    """What a receiver makes of them: audio, figures, jitter; and how many packets were plain."""
    audio = bytearray()
    others, queue, tick, came = 0, sorted(arrivals), START, 0
    longer_way = RtpReceiver._receive_other

    def counted(self: RtpReceiver, data: bytes, now: float) -> None:
        nonlocal others
        others += 1
        longer_way(self, data, now)

    with patch.object(RtpReceiver, "_receive_other", counted):
        receiver = RtpReceiver({0: PCMU}, {101: 8000}, sink=audio.extend)
        while tick < until:
            while queue and queue[0][0] <= tick:
                at, data = queue.pop(0)
                receiver.receive(data, at)
                came += 1
            receiver.tick(tick)
            tick += 0.02
    figures = {name: getattr(receiver, name) for name in COUNTED}
    return bytes(audio), figures, receiver.jitter, came - others


def both_ways(arrivals: Arrivals) -> int:
    """Take them with and without the short way, compare, and say how many packets took it."""
    until = max(at for at, _ in arrivals) + 0.3
    audio, figures, jitter, plain = heard(arrivals, until)
    with patch.object(PlainRun, "begin", lambda self, *_: self.end()):
        wanted_audio, wanted, wanted_jitter, none = heard(arrivals, until)
    assert none == 0
    assert figures == wanted
    assert audio == wanted_audio
    assert jitter == pytest.approx(wanted_jitter, abs=1e-3)
    return plain


FIRST = RtpPacket(0, 65_500, 0xFFFF_F000, 7, b"")
"Both its counters wrap around within a second."


def test_nearly_all_packets_of_a_good_stream_are_plain_also_where_counters_wrap_around() -> None:
    """Of two hundred only the first, and one behind each wrap, go the long way."""
    packets = stream(FIRST, [160] * 200)
    plain = both_ways([(START + 0.02 * n, bytes(packet)) for n, packet in enumerate(packets)])
    assert plain >= 196


def test_a_marker_is_nothing_special() -> None:
    """Senders mark the first packet of each talkspurt; some mark every packet."""
    packets = [replace(packet, marker=True) for packet in stream(FIRST, [160] * 50)]
    assert both_ways([(START + 0.02 * n, bytes(packet)) for n, packet in enumerate(packets)]) >= 46


def test_another_stream_is_not_plain() -> None:
    """Whoever guesses all of the header but the SSRC is not heard."""
    packets = stream(replace(FIRST, sequence=5, timestamp=5), [160] * 50)
    arrivals = [(START + 0.02 * n, bytes(packet)) for n, packet in enumerate(packets)]
    forged = [
        (at + 0.001, bytes(replace(packet, ssrc=8)))
        for (at, _), packet in zip(arrivals, packets, strict=True)
    ]
    assert both_ways(arrivals + forged) == 49


STEP = st.tuples(
    st.sampled_from([160, 160, 160, 160, 80, 240]),
    st.floats(0, 0.05) | st.just(0.0) | st.just(0.0) | st.floats(0, 0.3),
    st.sampled_from(["once", "once", "once", "once", "lost", "twice", "digit"]),
    st.booleans(),
)
"Bytes of audio, seconds of delay, what became of it, and whether it is marked."


@settings(max_examples=200)
@example(
    [(160, 0.0, "once", False)] * 3 + [(160, 0.046875, "once", False), (160, 0.125, "once", False)], 0, 0
)
@given(st.lists(STEP, min_size=3, max_size=120), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF))
def test_what_is_heard_and_counted_does_not_depend_on_the_way(
    steps: list[tuple[int, float, str, bool]], sequence: int, timestamp: int
) -> None:
    """Through loss, delay, duplicates, digits and packets of other lengths."""
    first = RtpPacket(0, sequence, timestamp, 7, b"")
    packets = stream(first, [size for size, *_ in steps])
    arrivals: Arrivals = []
    at = START
    for packet, (size, delay, fate, marker) in zip(packets, steps, strict=True):
        sent = replace(packet, marker=marker)
        if fate == "digit":
            event = bytes(TelephoneEvent(5, True, size))
            sent = replace(sent, payload_type=101, payload=event)
        if fate != "lost" or not arrivals:
            arrivals += [(at + delay, bytes(sent))] * (1 + (fate == "twice"))
        at += size / 8000
    both_ways(arrivals)
