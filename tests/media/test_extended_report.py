"""Extended reports: one block is read, whatever stands around it, and nothing does harm."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.codecs import PCMU
from gateway.media.extended_report import VoipMetrics, voip_metrics
from gateway.media.rtcp import ReceiverReport, RtcpSession, parse_compound
from gateway.media.rtp import RtpReceiver, RtpSender

METRICS = bytes.fromhex(
    "07000008"  # VoIP metrics, eight words
    "00000007"  # about SSRC 7
    "05 0d 40 02 0078 1388 0064 0050".replace(" ", "")  # loss, discards, densities, durations, delays
    + "ec ba 37 10 5a 7f 2b 29 35 00".replace(" ", "")  # levels, RERL, Gmin, R, external R, both MOS, config
    + "0028 0064 012c".replace(" ", "")  # jitter buffer: nominal, largest, absolute
)
RECEIVER_TIMES = bytes.fromhex("04000002 0123456789abcdef")
"A block of another kind (section 4.4)."


def report(*blocks: bytes) -> bytes:
    """An extended report by SSRC 9."""
    body = struct.pack("!I", 9) + b"".join(blocks)
    return struct.pack("!BBH", 0x80, 207, len(body) // 4) + body


def test_a_block_is_read() -> None:
    """Section 4.7, field by field; what is 127 is unknown."""
    (read,) = parse_compound(report(RECEIVER_TIMES, METRICS))
    assert read == VoipMetrics(
        ssrc=7,
        loss_percent=5 / 2.56,
        discard_percent=13 / 2.56,
        burst_density=0.25,
        gap_density=2 / 256,
        burst_ms=120,
        gap_ms=5000,
        round_trip_ms=100,
        end_system_delay_ms=80,
        r_factor=90,
        mos_listening=4.3,
        mos_conversational=4.1,
        jitter_buffer_ms=40,
    )


@pytest.mark.parametrize(
    "data", [report(), report(RECEIVER_TIMES), b"\x80\xcf\0\0", report(METRICS[:4])[:-4]]
)
def test_a_report_without_the_block_says_nothing(data: bytes) -> None:
    """It is passed over like a packet of an unknown kind, and those behind it are read."""
    behind = ReceiverReport(9)
    if data[2:4] == struct.pack("!H", len(data) // 4 - 1):
        assert parse_compound(data + bytes(behind)) == [behind]


@given(st.binary(max_size=120))
def test_no_report_does_harm(body: bytes) -> None:
    """Whatever stands in it: a block, none, or ValueError."""
    try:
        voip_metrics(body)
    except ValueError:
        pass


def test_a_session_keeps_what_is_about_us() -> None:
    """The newest block of our SSRC; a malformed report is counted, and changes nothing."""
    sender = RtpSender(7, 0, 0, 0)
    session = RtcpSession(sender, RtpReceiver({0: PCMU}, sink=lambda _: None), "us", 0.0, lambda: 0.5)
    session.receive(report(METRICS), 1.0)
    assert session.remote_voip is not None
    assert session.remote_voip.r_factor == 90
    session.receive(report(METRICS.replace(b"\0\0\0\x07", b"\0\0\0\x08", 1)), 2.0)
    session.receive(report(b"\x07\0\xff\xff"), 3.0)
    assert session.remote_voip.r_factor == 90
    assert (session.malformed, session.heard_at) == (1, 2.0)
