"""Prometheus metrics: counted from events, and read from the running parts when asked.

Nothing here runs per packet: figures of live media are read at the moment of the scrape.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.events.bus import Event

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
MILLISECONDS = (1, 2, 5, 10, 20, 40, 80, 160)
ROUND_TRIPS = (10, 20, 50, 100, 150, 200, 300, 400, 600, 1000)
PERCENT = (0.1, 0.5, 1, 2, 3, 5, 10, 20)
OPINIONS = (1.5, 2, 2.6, 3.1, 3.6, 4.03, 4.2, 4.34, 4.5)
"Mean opinion scores: among them the borders of user satisfaction (ITU-T G.107 table B.1)."


class Metrics:
    """Counts what the events tell."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Long, since it is the list of what is counted."""
        self._received = Counter("trunkline_calls_received", "INVITEs that became a call", registry=registry)
        self._ended = Counter(
            "trunkline_calls_ended",
            "Calls by how they ended",
            ["status", "reason", "by"],
            registry=registry,
        )
        self._refused = Counter(
            "trunkline_calls_refused", "Calls and requests for calls refused", ["reason"], registry=registry
        )
        self._ignored = Counter(
            "trunkline_sip_ignored_sources", "INVITEs of unknown sources", registry=registry
        )
        self._agents = Counter(
            "trunkline_agent_connections", "Connections to agent runtimes", ["outcome"], registry=registry
        )
        self._setup = Histogram(
            "trunkline_call_setup_seconds", "From INVITE to answer", buckets=SECONDS, registry=registry
        )
        self._first_word = Histogram(
            "trunkline_first_word_seconds",
            "From answer to first audio of the agent",
            buckets=SECONDS,
            registry=registry,
        )
        self._first_heard = Histogram(
            "trunkline_first_audio_in_seconds",
            "From answer to first audio of the phone",
            buckets=SECONDS,
            registry=registry,
        )
        self._mos = Histogram(
            "trunkline_call_mos",
            "Estimated mean opinion score (ITU-T G.107)",
            ["direction"],
            buckets=OPINIONS,
            registry=registry,
        )
        self._loss = Histogram(
            "trunkline_rtp_loss_percent",
            "Packets lost or too late",
            ["direction"],
            buckets=PERCENT,
            registry=registry,
        )
        self._round_trip = Histogram(
            "trunkline_rtp_round_trip_milliseconds",
            "Round trip by RTCP",
            buckets=ROUND_TRIPS,
            registry=registry,
        )
        self._one_way = Counter(
            "trunkline_calls_one_way",
            "Calls with audio in one direction only",
            ["missing"],
            registry=registry,
        )
        self._media_ignored = Counter(
            "trunkline_calls_media_ignored",
            "Calls whose only RTP came from where it is not believed",
            registry=registry,
        )
        self._media_moved = Counter(
            "trunkline_media_moved",
            "Times that a call's RTP came from another source from then on",
            ["standing"],
            registry=registry,
        )
        self._jitter = Histogram(
            "trunkline_rtp_jitter_milliseconds",
            "Jitter of received RTP",
            buckets=MILLISECONDS,
            registry=registry,
        )
        self._lost = Counter(
            "trunkline_rtp_lost_packets", "RTP packets lost on the way to us", registry=registry
        )

        self._requests = Counter(
            "trunkline_mqtt_requests",
            "Requests from the broker by their answer",
            ["status"],
            registry=registry,
        )
        self._recordings = Counter(
            "trunkline_recordings", "Recordings by what became of them", ["outcome"], registry=registry
        )
        self._recorded = Counter(
            "trunkline_recorded_seconds", "Seconds of calls that were recorded", registry=registry
        )
        self._gaps = Counter(
            "trunkline_recording_gaps", "Times that the disk was too slow for a recording", registry=registry
        )

    def hear(self, event: Event) -> None:
        """Count one event."""
        fields = event.fields
        match event.name:
            case "call.received":
                self._received.inc()
            case "call.ended":
                self._count_ending(fields)
            case "call.refused":
                self._refused.labels(str(fields["reason"])).inc()
            case "mqtt.request":
                self._requests.labels(str(fields["status"])).inc()
            case "call.one_way":
                self._one_way.labels(str(fields["missing"])).inc()
            case "call.media_ignored":
                self._media_ignored.inc()
            case "call.media_moved":
                self._media_moved.labels(str(fields["standing"])).inc()
            case "sip.ignored":
                self._ignored.inc(_number(fields, "count"))
            case "recording.saved" | "recording.recovered" | "recording.failed" | "recording.deleted":
                self._recordings.labels(event.name.partition(".")[2]).inc()
                self._recorded.inc(_number(fields, "seconds"))
            case "recording.gap":
                self._gaps.inc()
            case "agent.connected" | "agent.unreachable":
                self._agents.labels(event.name.partition(".")[2]).inc()

    def _count_ending(self, fields: Mapping[str, object]) -> None:
        reason = str(fields["reason"])
        self._ended.labels(str(fields["status"]), reason, str(fields["by"])).inc()
        if fields.get("refused"):
            self._refused.labels(reason).inc()
        for histogram, name in (
            (self._setup, "setup_seconds"),
            (self._first_word, "first_word_seconds"),
            (self._first_heard, "first_heard_seconds"),
            (self._jitter, "jitter_ms"),
            (self._mos.labels("in"), "mos_in"),
            (self._mos.labels("out"), "mos_out"),
            (self._loss.labels("in"), "loss_in"),
            (self._loss.labels("out"), "loss_out"),
            (self._round_trip, "round_trip_ms"),
        ):
            if fields.get(name) is not None:
                histogram.observe(_number(fields, name))
        self._lost.inc(_number(fields, "lost"))


def _number(fields: Mapping[str, object], name: str) -> float:
    value = fields.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


Gauges = Callable[[], Mapping[str, float]]
"Live figures by metric name."
Counts = Callable[[], Mapping[str, int]]
"Growing counts by the value of their one label."


class LiveFigures(Collector):
    """Reads the running parts at the moment of a scrape."""

    def __init__(self, gauges: Gauges, sip_counters: Counts) -> None:
        self._gauges = gauges
        self._sip_counters = sip_counters

    def collect(self) -> Iterable[Metric]:
        """One family a figure."""
        for name, value in self._gauges().items():
            family = GaugeMetricFamily(f"trunkline_{name}", name.replace("_", " ").capitalize())
            family.add_metric([], value)
            yield family
        counts = CounterMetricFamily(
            "trunkline_sip_messages", "SIP messages by what became of them", labels=["what"]
        )
        for what, count in self._sip_counters().items():
            counts.add_metric([what], count)
        yield counts
