"""The figures of a call, from packets and reports that were really read."""

from typing import Any

import pytest

from gateway.media.codecs import PCMU
from gateway.media.meter import Meter, spoken
from gateway.media.rtcp import ReceiverReport, ReportBlock, RtcpSession
from gateway.media.rtp import RtpReceiver, RtpSender

LOUD = bytes((0x10, 0x90)) * 80


def a_call(lost: set[int], packets: int = 500) -> tuple[Meter, RtpSender, RtcpSession]:
    """Ten seconds of audio both ways, from which some of the peer's packets are missing."""
    ours, theirs = RtpSender(7, 0, 0, 0), RtpSender(8, 0, 0, 0)
    receiver = RtpReceiver({0: PCMU}, sink=lambda _: None)
    session = RtcpSession(ours, receiver, "us", 0.0, lambda: 0.5)
    for n in range(packets):
        ours.packet(LOUD)
        data = theirs.packet(LOUD)
        if n not in lost:
            receiver.receive(data, n * 0.02)
        receiver.tick(n * 0.02)
    return Meter(ours, receiver, session), ours, session


def reported(ours: RtpSender, session: RtcpSession, lost: int, fraction: int) -> None:
    """The peer says what it misses."""
    session.receive(bytes(ReceiverReport(8, (ReportBlock(ours.ssrc, fraction, lost, 499, 40),))), 10.0)


def test_a_clean_call() -> None:
    """The best opinion that G.711 gets, and nothing known of the way out without a report."""
    meter, _, _ = a_call(set())
    heard, said = meter.incoming(), meter.outgoing()
    assert (heard["packets"], heard["loss_percent"], heard["burst_density"]) == (500, 0.0, 0.0)
    assert heard["mos"] == pytest.approx(4.38, abs=0.02)
    assert (said["packets"], said["loss_percent"], said["mos"]) == (500, None, None)


def test_a_burst_of_loss() -> None:
    """Where it was, how dense, and what it costs."""
    lost = {100, 101, 103, 300}
    heard = a_call(lost)[0].incoming()
    assert (heard["lost"], heard["loss_percent"], heard["concealed_ms"]) == (4, 0.8, 80)
    assert (heard["burst_density"], heard["burst_ms"]) == (0.75, 80)
    assert heard["gap_density"] == pytest.approx(1 / 496, abs=0.0001)
    mos: Any = heard["mos"]
    assert 4.2 < mos < 4.36


@pytest.mark.parametrize("gap", [40, 60, 100])
def test_what_came_too_late_to_be_heard_counts(gap: int) -> None:
    """None is lost, but all of a long hold-up is silence or cut: that is no good call."""
    theirs = RtpSender(8, 0, 0, 0)
    receiver = RtpReceiver({0: PCMU}, sink=lambda _: None, max_stall_ms=200, catch_up_ms=160)
    session = RtcpSession(RtpSender(7, 0, 0, 0), receiver, "us", 0.0, lambda: 0.5)
    held: list[bytes] = []
    for n in range(600):
        held.append(theirs.packet(LOUD))
        if n % 120 >= gap or n < 120:
            for data in held:
                receiver.receive(data, n * 0.02)
            held = []
        receiver.tick(n * 0.02)
    heard = Meter(RtpSender(7, 0, 0, 0), receiver, session).incoming()
    assert heard["lost"] == 0
    unheard, mos = heard["loss_percent"], heard["mos"]
    assert isinstance(unheard, float)
    assert isinstance(mos, float)
    assert 100 * 4 * (gap - 10) / 600 < unheard < 100 * 4 * (gap + 15) / 600
    assert mos < 2.8


def test_a_pause_of_the_sender_harms_nobody() -> None:
    """Silence that stands for silence costs no opinion."""
    theirs = RtpSender(8, 0, 0, 0)
    receiver = RtpReceiver({0: PCMU}, sink=lambda _: None)
    session = RtcpSession(RtpSender(7, 0, 0, 0), receiver, "us", 0.0, lambda: 0.5)
    for n in range(500):
        if 100 <= n < 300:
            theirs.skip()
        else:
            receiver.receive(theirs.packet(LOUD), n * 0.02)
        receiver.tick(n * 0.02)
    heard = Meter(RtpSender(7, 0, 0, 0), receiver, session).incoming()
    assert receiver.filled_ms >= 3900
    assert (heard["loss_percent"], heard["mos"]) == (0.0, pytest.approx(4.38, abs=0.02))


def test_the_way_out() -> None:
    """By the peer's report: over the call, and of late."""
    meter, ours, session = a_call(set())
    reported(ours, session, lost=25, fraction=26)
    assert meter.outgoing() == {
        "packets": 500,
        "octets": 80_000,
        "lost": 25,
        "loss_percent": 5.0,
        "jitter_ms": 5.0,
        "mos": pytest.approx(2.15, abs=0.1),
    }
    told: Any = spoken(meter.sample(0))
    assert told["out"]["loss_percent"] == pytest.approx(10.16)


def test_samples_are_of_the_time_since_the_last() -> None:
    """What is not known is not told, and the record keeps all."""
    meter, _, _ = a_call({100, 101})
    first: Any = spoken(meter.sample(2))
    second: Any = spoken(meter.sample(2))
    assert first["in"]["loss_percent"] == pytest.approx(0.4)
    assert first["in"]["concealed_ms"] == 40
    assert first["out"] == {}
    assert "loss_percent" not in second["in"]
    series: Any = meter.series()
    assert [one[series["columns"].index("underruns")] for one in series["points"]] == [2, 0]
