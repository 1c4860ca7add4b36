"""RTP packets as values."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.packet import RtpPacket, sequence_distance, timestamp_distance
from tests.cost import cost

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=400),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(
        st.integers(0, 0xFFFF), st.binary(max_size=40).map(lambda data: data + bytes(-len(data) % 4))
    ),
)


@given(packets)
def test_packets_read_as_they_were_written(packet: RtpPacket) -> None:
    """parse and bytes are inverses."""
    assert RtpPacket.parse(bytes(packet)) == packet


@given(packets, st.integers(1, 255))
def test_padding_is_taken_off(packet: RtpPacket, count: int) -> None:
    """The last octet of padding says how much there is (RFC 3550 section 5.1)."""
    data = bytearray(bytes(packet) + bytes(count - 1) + bytes((count,)))
    data[0] |= 0x20
    assert RtpPacket.parse(bytes(data)) == packet


@given(st.binary(max_size=100))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    """No datagram raises anything but ValueError."""
    try:
        packet = RtpPacket.parse(data)
    except ValueError:
        return
    assert len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "header"),
        (b"\x80" + bytes(10), "header"),
        (b"\x40" + bytes(20), "version"),
        (b"\x8f" + bytes(20), "contributing"),
        (b"\x90" + bytes(11), "extension"),
        (b"\x90" + bytes(13) + b"\xff\xff" + bytes(8), "extension"),
        (b"\xa0" + bytes(11), "padding"),
        (b"\xa0" + bytes(20) + b"\xff", "padding"),
        (b"\xa1" + bytes(15) + b"\x04", "contributing"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    """Each bound of the header is checked, and named."""
    with pytest.raises(ValueError, match=why):
        RtpPacket.parse(data)


@pytest.mark.parametrize(
    ("earlier", "later", "distance"), [(0, 1, 1), (65535, 0, 1), (0, 65535, -1), (5, 5, 0), (10, 3, -7)]
)
def test_sequence_numbers_wrap(earlier: int, later: int, distance: int) -> None:
    """65535 is followed by 0."""
    assert sequence_distance(earlier, later) == distance


def test_timestamps_wrap() -> None:
    """2^32 - 1 is followed by 0."""
    assert timestamp_distance(0xFFFFFFFF, 159) == 160
    assert timestamp_distance(159, 0xFFFFFFFF) == -160


def test_a_large_datagram_takes_no_time() -> None:
    """64 kB of the worst header are read or refused in well under 5 ms."""
    worst = [
        b"\x9f" + b"\xff" * 65535,
        b"\xbf" + b"\xff" * 65535,
        b"\x90" + bytes(13) + b"\x3f\xff" + bytes(65520),
    ]
    for data in worst:
        assert cost(partial(parse_or_refuse, data)) < 5


def parse_or_refuse(data: bytes) -> None:
    """Read a packet, if it is one."""
    try:
        RtpPacket.parse(data)
    except ValueError:
        pass
