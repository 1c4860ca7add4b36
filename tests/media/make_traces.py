"""Makes the arrival traces in `traces/`: `python -m tests.media.make_traces`.

They are models of what networks do to packets every 20 ms, with the figures that captures of such networks
show; fixed files, so that what a test measures does not change by chance.
"""

import random
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent / "traces"
COUNT = 1500
PERIOD = 20.0

Arrivals = list[list[float]]
"For each packet, the milliseconds at which it, and any copy of it, came."


def steady(source: random.Random, jitter: float = 1.0) -> Arrivals:
    """A quiet line: packets on time, give or take a millisecond."""
    return [[n * PERIOD + 20 + abs(source.gauss(0, jitter))] for n in range(COUNT)]


def loss_2_percent(source: random.Random) -> Arrivals:
    """An oversold uplink: one packet in fifty is gone, by chance alone."""
    return [[] if source.random() < 0.02 else one for one in steady(source, 2.0)]


def wifi_bursts(source: random.Random) -> Arrivals:
    """A crowded Wi-Fi: every second or two the sender is held up for 60 to 190 ms, then all comes at once."""
    arrivals = steady(source, 3.0)
    at = 2000.0
    while at < COUNT * PERIOD - 1000:
        until = at + source.uniform(60, 190)
        for n, (arrival,) in enumerate(arrivals):
            if at <= arrival < until:
                arrivals[n] = [until + 0.4 * (n % 16)]
        at = until + source.uniform(700, 2500)
    return arrivals


def lte_handover(source: random.Random) -> Arrivals:
    """A train: at each change of cell 120 to 240 ms are lost or late, and the delay is another one then."""
    arrivals, delay = [], 45.0
    change = 6000.0
    outage = 0.0
    for n in range(COUNT):
        sent = n * PERIOD
        if sent >= change:
            outage, change = change + source.uniform(120, 240), change + 7000
            delay = source.choice((40.0, 70.0, 95.0))
        arrival = max(sent + delay + abs(source.gauss(0, 6)), outage)
        arrivals.append([] if sent < outage and source.random() < 0.4 else [arrival])
    return arrivals


def duplicates(source: random.Random) -> Arrivals:
    """A mirrored port: a tenth of the packets comes twice, the copy up to 30 ms later."""
    return [[at, at + source.uniform(0, 30)] if source.random() < 0.1 else [at] for (at,) in steady(source)]


def reordering(source: random.Random) -> Arrivals:
    """Two paths of unequal length: one packet in twelve takes the one that is 25 to 45 ms longer."""
    return [
        [at + source.uniform(25, 45)] if source.random() < 1 / 12 else [at] for (at,) in steady(source, 2.0)
    ]


def skew(parts_per_million: float) -> Callable[[random.Random], Arrivals]:
    """A sender whose clock is off, heard through a little jitter."""

    def arrivals(source: random.Random) -> Arrivals:
        """Each packet a little later, or earlier, than the last one should have been."""
        period = PERIOD / (1 + parts_per_million / 1e6)
        return [[n * period + 20 + abs(source.gauss(0, 2.0))] for n in range(COUNT)]

    return arrivals


TRACES: dict[str, Callable[[random.Random], Arrivals]] = {
    "steady": steady,
    "loss_2_percent": loss_2_percent,
    "wifi_bursts": wifi_bursts,
    "lte_handover": lte_handover,
    "duplicates": duplicates,
    "reordering": reordering,
    "skew_plus_200ppm": skew(200),
    "skew_minus_200ppm": skew(-200),
}


def main() -> None:
    """Write them all: a line a packet, with its arrivals in milliseconds; an empty one was lost."""
    for name, make in TRACES.items():
        lines = [" ".join(f"{at:.1f}" for at in one) for one in make(random.Random(name))]
        (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
