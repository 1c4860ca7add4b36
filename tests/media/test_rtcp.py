"""RTCP: compound packets, reports, round trips."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.codecs import PCMU
from gateway.media.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpSession,
    SenderReport,
    SourceDescription,
    parse_compound,
)
from gateway.media.rtp import RtpReceiver, RtpSender
from tests.cost import cost

word = st.integers(0, 0xFFFFFFFF)
blocks = st.lists(
    st.builds(
        ReportBlock, word, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), word, word, word, word
    ),
    max_size=31,
).map(tuple)
texts = st.text(max_size=60)
packets = st.one_of(
    st.builds(SenderReport, word, st.integers(0, 2**64 - 1), word, word, word, blocks),
    st.builds(ReceiverReport, word, blocks),
    st.builds(SourceDescription, word, texts.filter(bool)),
    st.builds(Bye, st.lists(word, max_size=31).map(tuple), texts),
)


@given(st.lists(packets, max_size=16))
def test_compounds_read_as_they_were_written(compound: list[SenderReport]) -> None:
    """parse_compound and bytes are inverses, and every packet is whole words."""
    data = b"".join(map(bytes, compound))
    assert len(data) % 4 == 0
    assert parse_compound(data) == compound


@given(st.binary(max_size=200))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    """No datagram raises anything but ValueError."""
    try:
        parse_compound(data)
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80\xc8\0", "header"),
        (b"\x80\xc8\0\x01", "longer than its datagram"),
        (b"\x00\xc8\0\0", "not RTCP"),
        (b"\x80\x00\0\0", "not RTCP"),
        (b"\xa0\xc8\0\0", "padding"),
        (b"\xa0\xc8\0\x01\0\0\0\x05", "padding"),
        (b"\x80\xc8\0\x01\0\0\0\0", "sender report"),
        (b"\x80\xc9\0\0", "receiver report"),
        (b"\x81\xc9\0\x01\0\0\0\0", "report blocks"),
        (b"\x81\xca\0\0", "source description"),
        (b"\x81\xca\0\x02\0\0\0\0\x01\xffab", "description"),
        (b"\x82\xcb\0\x01\0\0\0\0", "sources"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    """Every length is checked against the datagram."""
    with pytest.raises(ValueError, match=why):
        parse_compound(data)


def test_what_we_do_not_know_is_passed_over() -> None:
    """Application packets, feedback and extended reports, padding and other items do no harm."""
    known = Bye((7,))
    extended = b"\x80\xcf\0\x01\0\0\0\x07"
    padded = b"\xa0\xc9\0\x02\0\0\0\x07\0\0\0\x04"
    described = b"\x81\xca\0\x03\0\0\0\x07\x02\x02ab\x01\x01c\0"
    assert parse_compound(extended + padded + described + bytes(known)) == [
        ReceiverReport(7),
        SourceDescription(7, "c"),
        known,
    ]
    assert parse_compound(b"\x80\xca\0\0") == [SourceDescription(0, "")]


def test_a_hostile_datagram_takes_no_time() -> None:
    """64 kB of empty or crowded packets are read in under 5 ms."""
    for data in (b"\x80\xca\0\0" * 16384, b"\x80\xcf\0\0" * 16384, b"\x9f\xc9\x3f\xff" + bytes(65532)):
        assert cost(partial(parse_compound, data)) < 5


class Side:
    """One end of a call, with a clock of its own."""

    def __init__(self, ssrc: int, *, wallclock: float) -> None:
        self.sender = RtpSender(ssrc, 0, 0, 0)
        self.receiver = RtpReceiver({0: PCMU}, sink=lambda audio: None)
        self.session = RtcpSession(self.sender, self.receiver, f"side-{ssrc}", 0.0, lambda: 0.5)
        self.wallclock = wallclock

    def report(self, now: float) -> bytes:
        return self.session.report(now, self.wallclock + now)


def talk(one: Side, other: Side, packets: int = 100) -> None:
    for n in range(packets):
        for sender, receiver in ((one, other), (other, one)):
            receiver.receiver.receive(sender.sender.packet(bytes(160)), 0.02 * n)


def test_reports_are_compound_and_say_what_was_sent() -> None:
    """A sender report with one block, and the canonical name (RFC 3550 section 6.1)."""
    one, other = Side(1, wallclock=1e9), Side(2, wallclock=2e9)
    talk(one, other)
    report, description = parse_compound(one.report(2.0))
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets, report.rtp_timestamp) == (1, 100, 16000, 16000)
    assert report.ntp >> 32 == 2208988800 + 1000000002
    assert [block.ssrc for block in report.blocks] == [2]
    assert description == SourceDescription(1, "side-1")


def test_who_does_not_send_makes_a_receiver_report() -> None:
    """On hold we still say what we hear."""
    one, other = Side(1, wallclock=1e9), Side(2, wallclock=2e9)
    assert parse_compound(one.report(0.5))[0] == ReceiverReport(1)
    talk(one, other)
    one.report(2.0)
    assert isinstance(parse_compound(one.report(7.0))[0], ReceiverReport)


def test_the_round_trip_is_measured() -> None:
    """Whatever the clocks of the two sides say, and however long the peer waited to answer."""
    one, other = Side(1, wallclock=1e9), Side(2, wallclock=5.0)
    talk(one, other)
    other.session.receive(one.report(2.0), 2.03)
    one.session.receive(other.report(5.0), 5.05)
    assert one.session.round_trip_ms == pytest.approx(80, abs=0.1)
    assert one.session.remote_lost == 0
    assert one.session.remote_fraction_lost == 0.0
    assert other.session.round_trip_ms is None


def test_reports_that_name_no_report_of_ours_measure_nothing() -> None:
    """A forged or stale block cannot make up a round trip, nor can one about somebody else."""
    one, _ = Side(1, wallclock=1e9), None
    one.report(2.0)
    one.session.receive(bytes(ReceiverReport(2, (ReportBlock(1, 128, -3, 0, 80, 12345, 0),))), 3.0)
    one.session.receive(bytes(ReceiverReport(2, (ReportBlock(9, 0, 99, 0, 0),))), 3.0)
    assert one.session.round_trip_ms is None
    assert (one.session.remote_lost, one.session.remote_fraction_lost) == (-3, 0.5)
    assert one.session.remote_jitter_ms == 10.0


def test_reports_are_due_at_random_intervals() -> None:
    """From half to one and a half times five seconds; the first after half of that."""
    draws = iter((0.0, 0.0, 1.0))
    side = Side(1, wallclock=0.0)
    session = RtcpSession(side.sender, side.receiver, "x", 10.0, lambda: next(draws))
    assert session.next_report_at == 11.25
    session.report(11.25, 0.0)
    assert session.next_report_at == 13.75
    session.report(13.75, 0.0)
    assert session.next_report_at == 21.25


def test_goodbye() -> None:
    """The last compound ends with a BYE, which only the stream we hear can say."""
    one, other = Side(1, wallclock=1e9), Side(2, wallclock=2e9)
    talk(one, other)
    other.session.receive(bytes(Bye((99,))), 2.0)
    assert not other.session.left
    other.session.receive(one.session.bye(2.0, 1e9, "done"), 2.0)
    assert other.session.left
    assert parse_compound(one.session.bye(2.0, 1e9, "done"))[-1] == Bye((1,), "done")


def test_garbage_is_counted() -> None:
    """And does nothing else."""
    side = Side(1, wallclock=0.0)
    side.session.receive(b"\x80\xc8\0\xff", 1.0)
    assert side.session.malformed == 1


def test_what_is_remembered_is_bounded() -> None:
    """Hours of reports that nobody answers cost no memory."""
    side = Side(1, wallclock=0.0)
    for n in range(1000):
        side.sender.packet(b"x")
        side.report(5.0 * n)
    assert len(side.session._sent) == 8
