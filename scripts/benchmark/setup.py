"""Calls that come in at a steady rate: answered, held for a while, and hung up by the caller."""

import statistics
import time
from dataclasses import dataclass, field

from scripts.benchmark.load import open_phone, percentile
from scripts.benchmark.sip import Dialled, Dialler
from scripts.benchmark.under_test import CALLED, Process

WARM_UP = 10
AFTER_SECONDS = 4.0
"How long what is still under way may take when the last call has been placed."
OVER = ("refused", "ended")


@dataclass(frozen=True, slots=True)
class SetupFigures:
    """Calls that are set up, answered, held and ended at a steady rate."""

    dialect: str
    rate: int
    hold_seconds: float
    "From the answer to the BYE; audio goes out all the while."
    calls: int
    failed: int
    cpu_ms: float
    "CPU milliseconds of the process per call, INVITE to the answered BYE, agent connected."
    answer_p50_ms: float
    answer_p99_ms: float
    answer_most_ms: float


def setup_run(dialect: str, process: Process, calls: int, rate: int, hold: float) -> SetupFigures:
    """INVITE, 200, ACK and, `hold` seconds after the answer, BYE, at a rate."""
    dialler = Dialler(process.port, CALLED[dialect])
    callers = Callers(dialler, open_phone().getsockname()[1], hold)
    callers.warm_up()
    before, due = process.cpu_seconds(), time.monotonic()
    for number in range(calls):
        callers.call(1000 + number)
        due += 1 / rate
        callers.listen(max(0.0, due - time.monotonic()))
    callers.finish()
    cpu = (process.cpu_seconds() - before) * 1000 / calls
    answers = sorted(call.answer_seconds * 1000 for call in callers.placed if call.answer_seconds)
    return SetupFigures(
        dialect=dialect,
        rate=rate,
        hold_seconds=hold,
        calls=calls,
        failed=sum(call.state != "ended" for call in callers.placed),
        cpu_ms=round(cpu, 3),
        answer_p50_ms=round(statistics.median(answers), 1) if answers else 0.0,
        answer_p99_ms=round(percentile(answers, 99), 1),
        answer_most_ms=round(max(answers, default=0.0), 1),
    )


@dataclass(slots=True)
class Callers:
    """Callers who hang up some time after they were answered."""

    dialler: Dialler
    media: int
    "The port to which all of them want their audio."
    hold: float
    placed: list[Dialled] = field(default_factory=list)
    _open: list[Dialled] = field(default_factory=list)

    def call(self, number: int) -> None:
        """Place one more call."""
        call = self.dialler.invite(number, self.media)
        self.placed.append(call)
        self._open.append(call)

    def listen(self, seconds: float) -> None:
        """Take what comes for so long, and hang up where it is time."""
        self.dialler.listen(seconds)
        now = time.monotonic()
        self._open = [call for call in self._open if self._goes_on(call, now)]

    @property
    def failed(self) -> int:
        """Calls that were refused, or were not answered within a while."""
        late = time.monotonic() - self.hold - AFTER_SECONDS
        return sum(
            call.state != "ended" and (call.state == "refused" or call.began < late) for call in self.placed
        )

    def finish(self) -> None:
        """Until all have hung up, within bounds."""
        end = time.monotonic() + self.hold + AFTER_SECONDS
        while time.monotonic() < end and any(call.state not in OVER for call in self.placed):
            self.listen(0.05)

    def warm_up(self) -> None:
        """A few calls that are not counted: first-time imports and caches are not what a call costs."""
        for number in range(WARM_UP):
            self.call(number)
            self.listen(0.1)
        self.finish()
        self.placed.clear()

    def _goes_on(self, call: Dialled, now: float) -> bool:
        if call.state == "up" and now >= call.began + call.answer_seconds + self.hold:
            self.dialler.bye(call)
        return call.state in ("calling", "up")
