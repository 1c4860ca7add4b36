"""How long the event loop is kept from its work: all audio waits for it, whatever keeps it busy."""

import asyncio
import time

from prometheus_client import CollectorRegistry, Gauge, Histogram

EVERY = 0.01
"Seconds between two looks."
LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2)
"Nothing of ours takes more than 0.01; audio that is 0.03 late is heard."


class LoopLag:
    """A timer that notes how late it is, a hundred times a second."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lags = Histogram(
            "trunkline_loop_lag_seconds", "How late the event loop is", buckets=LAGS, registry=registry
        )
        self._worst = Gauge(
            "trunkline_loop_lag_worst_seconds", "The most that it was late since the start", registry=registry
        )
        self._worst.set_function(lambda: self.worst)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.worst = 0.0
        "Seconds, since the start."

    def start(self) -> None:
        """Begin to look, on the running loop."""
        self._wait(asyncio.get_running_loop())

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the loop's own time: uvloop reads it once a round, so a stall within the round would not show.
        self._due = time.monotonic() + EVERY
        self._timer = loop.call_later(EVERY, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        lag = max(0.0, time.monotonic() - self._due)
        self._lags.observe(lag)
        self.worst = max(self.worst, lag)
        self._wait(loop)
