"""The figures of one call's audio, both ways: for its record, for its agent, and over time."""

from gateway.media.quality import (
    Counts,
    Point,
    Report,
    Series,
    heard_mos,
    point,
    said_mos,
    unheard_percent,
)
from gateway.media.receiver import RtpReceiver
from gateway.media.rtcp import RtcpSession
from gateway.media.rtp import RtpSender

Figures = dict[str, object]


class Meter:
    """Reads the two ends of a stream and the reports about it; `sample` it every `STEP_SECONDS`."""

    def __init__(self, sender: RtpSender, receiver: RtpReceiver, rtcp: RtcpSession) -> None:
        self.ptime_ms = 20
        "Milliseconds of audio in a packet: half of what audio takes within us."
        self._sender = sender
        self._receiver = receiver
        self._rtcp = rtcp
        self._series = Series()
        self._before = Counts()

    def sample(self, underruns: int) -> Point:
        """The time since the last sample."""
        now = self._counts(underruns)
        made = point(self._before, now, self._receiver.jitter, self._report(), self._buffer_ms)
        self._before = now
        self._series.add(made)
        return made

    def incoming(self) -> Figures:
        """What came, in numbers: the part `in` of the record."""
        receiver = self._receiver
        loss = unheard_percent(Counts(), self._counts(0)) or 0.0
        bursts = receiver.bursts
        mos = heard_mos(loss, self._rtcp.round_trip_ms, self._buffer_ms, bursts.ratio)
        return {
            "packets": receiver.packets,
            "octets": receiver.octets,
            "lost": receiver.lost,
            "late": receiver.late,
            "duplicate": receiver.duplicate,
            "reordered": receiver.reordered,
            "loss_percent": round(loss, 2),
            "burst_density": round(bursts.burst_density, 3),
            "burst_ms": round(bursts.burst_packets * self.ptime_ms),
            "gap_density": round(bursts.gap_density, 4),
            "gap_ms": round(bursts.gap_packets * self.ptime_ms),
            "concealed_ms": receiver.concealed_ms,
            "filled_ms": receiver.filled_ms,
            "inserted_ms": receiver.inserted_ms,
            "discarded_ms": receiver.discarded_ms,
            "wait_ms": round(receiver.mean_wait_ms, 2),
            "other_payload_type": receiver.ignored_payload_type,
            "malformed": receiver.malformed,
            "restarts": receiver.restarts,
            "jitter_ms": round(receiver.jitter, 2),
            "mos": round(mos, 2) if receiver.packets else None,
        }

    def _counts(self, underruns: int) -> Counts:
        receiver = self._receiver
        return Counts(
            expected=receiver.expected,
            unheard=receiver.unheard,
            concealed_ms=receiver.concealed_ms,
            underruns=underruns,
            spoilt_ms=receiver.spoilt_ms,
            elapsed_ms=receiver.elapsed_ms,
        )

    def outgoing(self) -> Figures:
        """What left, and what the peer says of it: the part `out` of the record."""
        sender, rtcp = self._sender, self._rtcp
        loss = self._loss_out()
        mos = said_mos(Report(loss, rtcp.remote_jitter_ms, rtcp.round_trip_ms))
        figures: Figures = {
            "packets": sender.packets,
            "octets": sender.octets,
            "lost": rtcp.remote_lost,
            "loss_percent": _rounded(loss),
            "jitter_ms": _rounded(rtcp.remote_jitter_ms),
            "mos": _rounded(mos),
        }
        return figures if rtcp.remote_voip is None else {**figures, "peer": self._peer()}

    def series(self) -> Figures:
        """The call's points so far."""
        return dict(self._series.as_dict())

    @property
    def _buffer_ms(self) -> float:
        return 2 * self.ptime_ms + self._receiver.mean_wait_ms

    def _report(self) -> Report:
        rtcp = self._rtcp
        fraction = rtcp.remote_fraction_lost
        return Report(None if fraction is None else 100 * fraction, rtcp.remote_jitter_ms, rtcp.round_trip_ms)

    def _loss_out(self) -> float | None:
        lost, packets = self._rtcp.remote_lost, self._sender.packets
        if lost is None or not packets:
            return None
        return min(100.0, max(0.0, 100 * lost / packets))

    def _peer(self) -> Figures:
        """What the peer's own measurement says (RFC 3611)."""
        voip = self._rtcp.remote_voip
        assert voip is not None
        return {
            "loss_percent": round(voip.loss_percent, 2),
            "discard_percent": round(voip.discard_percent, 2),
            "burst_density": round(voip.burst_density, 3),
            "burst_ms": voip.burst_ms,
            "gap_density": round(voip.gap_density, 4),
            "gap_ms": voip.gap_ms,
            "delay_ms": voip.end_system_delay_ms,
            "r_factor": voip.r_factor,
            "mos": voip.mos_conversational or voip.mos_listening,
        }


def spoken(sound: Point) -> Figures:
    """A point as an agent is told it; what is not known is left out."""
    incoming = {
        "loss_percent": sound.loss_in,
        "jitter_ms": sound.jitter_in,
        "concealed_ms": sound.concealed,
        "mos": sound.mos_in,
    }
    outgoing = {"loss_percent": sound.loss_out, "jitter_ms": sound.jitter_out, "mos": sound.mos_out}
    figures: Figures = {"in": _known(incoming), "out": _known(outgoing)}
    return figures | _known({"round_trip_ms": sound.round_trip})


def _known(figures: dict[str, float | None]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
