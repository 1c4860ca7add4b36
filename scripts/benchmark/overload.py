"""More calls than one core carries, up to twice its capacity and back; and a process that stands still.

Calls are offered until as many were refused as run, or until the given number. What counts is what the
running ones hear meanwhile, and how soon all is well again.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.load import (
    RAMP,
    Heard,
    Load,
    Phone,
    held,
    open_phone,
    percentile,
)
from scripts.benchmark.sip import Dialled, Dialler
from scripts.benchmark.under_test import CALLED, Process, gateway, settle

STOPS = (0.1, 0.5, 2.0)
"Seconds that the process is stopped for."
STOPPED_WITH = 100
"Calls that run meanwhile."
WINDOW = 0.5
WATCHED = 8.0
"Seconds in which it is looked whether all is well again."
OWN_LATE_MS = 10.0
"How late the generator may send itself; beyond it figures are its own fault."


@dataclass(frozen=True, slots=True)
class OverloadFigures:
    """One step."""

    step: str
    offered: int
    running: int
    shed: int
    "Calls that were refused, of those offered so far."
    lost_percent: float
    made_up_percent: float
    "Of what the phones heard, what was not said to them."
    jitter_p99_ms: float
    round_trip_p50_ms: float
    held: str
    clean_after: str
    "Seconds from the end of a standstill until a window is clean."
    generator_late_ms: float
    "p99 of how late the phones themselves sent."


def measure_overload(
    arguments: argparse.Namespace, agent_port: int, core: int | None, tell: Callable[[str], None]
) -> list[OverloadFigures]:
    """The standstills, then the ramp; both on one gateway."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), agent_port, core) as process:
        settle(process)
        offer = _Offer(process, CALLED[arguments.dialects[0]])
        offer.up(STOPPED_WITH)
        for seconds in STOPS:
            tell(f"stopped for {seconds:g} s with {offer.running} calls")
            rows.append(_stopped(offer, process, seconds))
        for step in _steps(arguments.most_calls):
            tell(f"{step} calls offered")
            offer.up(step)
            rows.append(_watched(offer, f"{step} offered", arguments.overload_seconds))
            if offer.running and offer.shed >= offer.running:
                break
        tell("back to a quarter")
        offer.down(max(1, offer.running // 4))
        time.sleep(2.0)
        rows.append(_watched(offer, "and back", arguments.overload_seconds))
    return rows


def _steps(most: int) -> list[int]:
    return list(range(200, most + 1, 100))


class _Offer:
    """Calls that are offered, those that run, and those that were refused."""

    def __init__(self, process: Process, called: str) -> None:
        self._dialler = Dialler(process.port, called)
        self._calls: list[tuple[Dialled, Phone]] = []
        self.offered = 0
        self.shed = 0

    @property
    def running(self) -> int:
        return len(self._calls)

    @property
    def phones(self) -> list[Phone]:
        return [phone for _, phone in self._calls]

    def up(self, offered: int) -> None:
        """Offer more, until it were so many, while those that run go on talking."""
        wanted = [(number, open_phone()) for number in range(self.offered, offered)]
        self.offered = max(self.offered, offered)
        talking = threading.Thread(target=self._talk, args=(len(wanted) / RAMP + 1.0,))
        talking.start()
        asked = []
        for number, one in wanted:
            asked.append((self._dialler.invite(number, one.getsockname()[1]), one))
            self._dialler.listen(1 / RAMP)
        self._dialler.listen(1.0)
        talking.join()
        for call, one in asked:
            if call.state == "up":
                self._calls.append((call, Phone(one, ("127.0.0.1", call.remote_media))))
            else:
                self.shed += call.status == 503
                one.close()

    def down(self, running: int) -> None:
        """Hang up, until so many are left."""
        while len(self._calls) > running:
            call, phone = self._calls.pop()
            self._dialler.bye(call)
            self._dialler.listen(0.003)
            phone.socket.close()

    def _talk(self, seconds: float) -> None:
        if self._calls:
            Load(self.phones).run(max(0.1, seconds - 2.0), lambda: None)


def _watched(offer: _Offer, step: str, seconds: float) -> OverloadFigures:
    load = Load(offer.phones)
    load.run(seconds, lambda: None)
    return _row(offer, step, load.heard, "")


def _stopped(offer: _Offer, process: Process, seconds: float) -> OverloadFigures:
    """Stop the process once, and look at each window behind it."""
    before = Load(offer.phones)
    before.run(2.0, lambda: None)
    usual = percentile(sorted(before.heard.trips), 50)
    windows: list[tuple[float, Heard]] = []
    load = Load(offer.phones)
    begun = threading.Event()

    def disturb() -> None:
        begun.wait()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGCONT)
        end = time.monotonic()
        while time.monotonic() < end + WATCHED:
            load.heard = heard = Heard()
            time.sleep(WINDOW)
            windows.append((time.monotonic() - end, heard))

    thread = threading.Thread(target=disturb)
    thread.start()
    load.run(seconds + WATCHED + WINDOW, begun.set)
    thread.join()
    clean = next((at for place, (at, _) in enumerate(windows) if _all_clean(windows[place:], usual)), None)
    last = windows[-4:]
    total = Heard()
    for _, heard in last:
        total.sent += heard.sent
        total.received += heard.received
        total.echoed += heard.echoed
        total.late += heard.late
        total.gaps += heard.gaps
        total.trips += heard.trips
    when = "not in 8" if clean is None else f"{max(0.0, clean - WINDOW):.1f}"
    return _row(offer, f"stop {seconds:g} s", total, when)


def _all_clean(windows: list[tuple[float, Heard]], usual: float) -> bool:
    return all(_clean(heard, usual) for _, heard in windows)


def _clean(heard: Heard, usual: float) -> bool:
    """Nothing made up, in time, and no later than before."""
    made_up = heard.received - heard.echoed
    return (
        made_up <= 0.005 * max(1, heard.received)
        and percentile(sorted(map(abs, heard.gaps)), 99) < 10.0
        and percentile(sorted(heard.trips), 50) < usual + 15.0
    )


def _row(offer: _Offer, step: str, heard: Heard, clean_after: str) -> OverloadFigures:
    lost = max(0.0, 100 * (1 - heard.echoed / max(1, heard.sent)))
    made_up = 100 * (heard.received - heard.echoed) / max(1, heard.received)
    jitter = percentile(sorted(map(abs, heard.gaps)), 99)
    late = percentile(sorted(heard.late), 99)
    good = "yes" if held(lost, made_up, jitter) else "not held"
    return OverloadFigures(
        step=step,
        offered=offer.offered,
        running=offer.running,
        shed=offer.shed,
        lost_percent=round(lost, 2),
        made_up_percent=round(made_up, 2),
        jitter_p99_ms=round(jitter, 2),
        round_trip_p50_ms=round(percentile(sorted(heard.trips), 50), 1),
        held=good if late < OWN_LATE_MS else f"{good}, generator late",
        clean_after=clean_after,
        generator_late_ms=round(late, 2),
    )
