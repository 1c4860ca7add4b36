"""RTCP extended reports (RFC 3611), of which we read one block: what a peer's buffer made of our audio."""

import struct
from dataclasses import dataclass

_BLOCK = struct.Struct("!BBH")
_METRICS = struct.Struct("!IBBBBHHHHbbBBBBBBBxHHH")
_VOIP = 7
_MOST_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """The VoIP metrics report block (section 4.7). None: the peer does not know."""

    ssrc: int
    "The source that it is about."
    loss_percent: float
    discard_percent: float
    "Came, but too late or too early for its jitter buffer."
    burst_density: float
    gap_density: float
    burst_ms: int
    gap_ms: int
    round_trip_ms: int
    end_system_delay_ms: int
    r_factor: int | None
    mos_listening: float | None
    mos_conversational: float | None
    jitter_buffer_ms: int


def voip_metrics(body: bytes) -> VoipMetrics | None:
    """The first VoIP metrics block of an extended report behind its header, if there is one.

    ValueError where a block is longer than the report.
    """
    at = 4  # the reporter's own SSRC
    for _ in range(_MOST_BLOCKS):
        if at + _BLOCK.size > len(body):
            return None
        kind, _, words = _BLOCK.unpack_from(body, at)
        end = at + _BLOCK.size + 4 * words
        if end > len(body):
            raise ValueError("an extended report shorter than its blocks")
        if kind == _VOIP and end - at - _BLOCK.size >= _METRICS.size:
            return _metrics(body, at + _BLOCK.size)
        at = end
    return None


def _metrics(body: bytes, at: int) -> VoipMetrics:
    (
        ssrc, lost, discarded, burst_density, gap_density, burst, gap, round_trip, delay,
        _, _, _, _, r_factor, _, listening, conversational, _, nominal, _, _,
    ) = _METRICS.unpack_from(body, at)  # fmt: skip
    return VoipMetrics(
        ssrc=ssrc,
        loss_percent=lost / 2.56,
        discard_percent=discarded / 2.56,
        burst_density=burst_density / 256,
        gap_density=gap_density / 256,
        burst_ms=burst,
        gap_ms=gap,
        round_trip_ms=round_trip,
        end_system_delay_ms=delay,
        r_factor=None if r_factor > 100 else r_factor,
        mos_listening=_mos(listening),
        mos_conversational=_mos(conversational),
        jitter_buffer_ms=nominal,
    )


def _mos(tenths: int) -> float | None:
    """Sections 4.7.5: 10 to 50 are 1.0 to 5.0, 127 is unknown, all else is nonsense."""
    return tenths / 10 if 10 <= tenths <= 50 else None
