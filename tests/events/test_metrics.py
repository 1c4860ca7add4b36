"""Metrics are counted from the same events as everything else."""

import pytest
from prometheus_client import CollectorRegistry

from gateway.events.bus import Event
from gateway.events.metrics import Metrics

ENDED = {
    "status": "completed",
    "reason": "user_disconnected",
    "by": "caller",
    "refused": False,
    "first_heard_seconds": 0.02,
    "jitter_ms": 3.0,
    "lost": 4,
    "loss_in": 0.8,
    "loss_out": None,
    "mos_in": 4.31,
    "mos_out": None,
    "round_trip_ms": 48.0,
}


@pytest.fixture
def registry() -> CollectorRegistry:
    """What has been counted after one call that was one-way for a while."""
    made = CollectorRegistry()
    metrics = Metrics(made)
    metrics.hear(Event("call.one_way", {"missing": "in"}, "warning"))
    metrics.hear(Event("call.ended", ENDED))
    return made


def test_quality_is_counted(registry: CollectorRegistry) -> None:
    """Each figure once a call, in its bucket."""
    read = registry.get_sample_value
    assert read("trunkline_call_mos_bucket", {"direction": "in", "le": "4.2"}) == 0
    assert read("trunkline_call_mos_bucket", {"direction": "in", "le": "4.34"}) == 1
    assert read("trunkline_rtp_loss_percent_sum", {"direction": "in"}) == 0.8
    assert read("trunkline_rtp_round_trip_milliseconds_sum") == 48.0
    assert read("trunkline_first_audio_in_seconds_count") == 1
    assert read("trunkline_calls_one_way_total", {"missing": "in"}) == 1


def test_what_is_not_known_is_not_counted(registry: CollectorRegistry) -> None:
    """A peer that reports nothing is no peer that hears badly."""
    read = registry.get_sample_value
    assert read("trunkline_call_mos_count", {"direction": "out"}) == 0
    assert read("trunkline_rtp_loss_percent_count", {"direction": "out"}) == 0
