"""The sending end of an RTP stream."""

import pytest

from gateway.media.dtmf import TelephoneEvent
from gateway.media.rtp import RtpPacket, RtpSender

FRAME = b"\xff" * 160


def sender(**options: int) -> RtpSender:
    return RtpSender(0x12345678, 65534, 0xFFFFFF00, 0, event_payload_type=101, **options)


def tick(sender: RtpSender) -> RtpPacket:
    """What call control does once a packet time."""
    return RtpPacket.parse(sender.next_event_packet() or sender.packet(FRAME))


def test_packets_are_numbered_and_stamped() -> None:
    """Sequence and timestamp count on, wrap, and only the first packet is marked."""
    stream = sender()
    sent = [RtpPacket.parse(stream.packet(FRAME)) for _ in range(4)]
    assert [packet.sequence for packet in sent] == [65534, 65535, 0, 1]
    assert [packet.timestamp for packet in sent] == [0xFFFFFF00, 0xFFFFFFA0, 0x40, 0xE0]
    assert [packet.marker for packet in sent] == [True, False, False, False]
    assert {(packet.ssrc, packet.payload_type, packet.payload) for packet in sent} == {(0x12345678, 0, FRAME)}
    assert (stream.packets, stream.octets) == (4, 640)


def test_a_pause_moves_the_timestamp_and_marks_what_follows() -> None:
    """The sequence does not move: nothing was sent (RFC 3551 section 4.1)."""
    stream = sender()
    stream.packet(FRAME)
    for _ in range(5):
        stream.skip()
    packet = RtpPacket.parse(stream.packet(FRAME))
    assert (packet.sequence, packet.timestamp, packet.marker) == (
        65535,
        (0xFFFFFFA0 + 800) & 0xFFFFFFFF,
        True,
    )
    assert not RtpPacket.parse(stream.packet(FRAME)).marker


def test_a_digit_takes_the_place_of_audio() -> None:
    """One timestamp, a growing duration, the marker first, the end three times (RFC 4733 section 2.5.1)."""
    stream = sender()
    stream.packet(FRAME)
    stream.digit("5", 100)
    sent = [tick(stream) for _ in range(8)]
    events = [TelephoneEvent.parse(packet.payload) for packet in sent[:7]]
    assert [packet.payload_type for packet in sent] == [101] * 7 + [0]
    assert {packet.timestamp for packet in sent[:7]} == {0xFFFFFFA0}
    assert [packet.marker for packet in sent[:7]] == [True] + [False] * 6
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert sent[7].timestamp == (0xFFFFFFA0 + 7 * 160) & 0xFFFFFFFF
    assert [packet.sequence for packet in sent] == [65535, *range(7)]


def test_digits_are_kept_apart() -> None:
    """Two packet times of audio or silence stand between them, and waiting is over behind the last."""
    stream = sender()
    for digit in "1#":
        stream.digit(digit, 40)
    assert stream.digits_waiting
    kinds = [tick(stream).payload_type for _ in range(12)]
    assert kinds == [101] * 4 + [0] * 2 + [101] * 4 + [0] * 2
    assert not stream.digits_waiting


@pytest.mark.parametrize(("asked", "sent"), [(0, 320), (40, 320), (90, 720), (8000, 64000), (10**9, 64000)])
def test_the_duration_of_a_digit_is_bounded(asked: int, sent: int) -> None:
    """From 40 ms, which a detector needs, to 8 s, which fit one segment."""
    stream = sender()
    stream.digit("D", asked)
    events = []
    while stream.digits_waiting:
        if (data := stream.next_event_packet()) is not None:
            events.append(TelephoneEvent.parse(RtpPacket.parse(data).payload))
    assert events[-1] == TelephoneEvent(15, True, sent)


def test_what_cannot_be_dialled_is_refused() -> None:
    """No digit, or a peer that takes none."""
    with pytest.raises(ValueError, match="not a telephone digit"):
        sender().digit("x")
    with pytest.raises(ValueError, match="takes no telephone-events"):
        RtpSender(1, 2, 3, 0).digit("1")


def test_a_new_negotiation_changes_the_payload_types() -> None:
    """The stream goes on; digits that nobody takes any more are dropped."""
    stream = sender()
    stream.packet(FRAME)
    stream.digit("1")
    stream.next_event_packet()
    stream.renegotiate(8)
    assert not stream.digits_waiting
    assert stream.next_event_packet() is None
    packet = RtpPacket.parse(stream.packet(FRAME))
    assert (packet.payload_type, packet.sequence, packet.marker) == (8, 0, True)


def test_another_packet_time() -> None:
    """Events step by it too."""
    stream = sender(ptime_ms=30)
    stream.digit("1", 60)
    durations = []
    while (data := stream.next_event_packet()) is not None:
        durations.append(TelephoneEvent.parse(RtpPacket.parse(data).payload).duration)
    assert durations == [240, 480, 480, 480]
