"""Speech through networks: the arrivals in `traces/`, in virtual time, and what it costs to repair them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.media.audio import ULAW_8K, to_l16
from gateway.media.codecs import PCMU
from gateway.media.concealment import samples_of
from gateway.media.rtp import RtpPacket, RtpReceiver
from gateway.phones.speech import speech
from tests.media.make_traces import TRACES

FOLDER = Path(__file__).parent / "traces"
SPOKEN = speech(30.0, seed=3)
FRAME = 160


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one trace."""

    receiver: RtpReceiver
    heard: bytes
    behind_ms: float
    "The furthest behind the clock."
    ahead_ms: float

    @property
    def intact(self) -> int:
        """Packets that were heard, but for the 5 ms that may have been joined to something before."""
        at, count = 0, 0
        for start in range(0, len(SPOKEN), FRAME):
            found = self.heard.find(SPOKEN[start + 40 : start + FRAME], at, at + 16_000)
            if found >= 0:
                at, count = found, count + 1
        return count


def arrivals(name: str) -> list[tuple[float, bytes]]:
    """The datagrams of a trace, by the time they came."""
    found = [
        (float(at) / 1000, bytes(RtpPacket(0, n, FRAME * n, 7, SPOKEN[FRAME * n : FRAME * (n + 1)])))
        for n, line in enumerate((FOLDER / f"{name}.txt").read_text().splitlines())
        for at in line.split()
    ]
    return sorted(found, key=lambda one: one[0])


def heard(name: str, *, max_wait_ms: int = 120, max_stall_ms: int = 500) -> Outcome:
    """Play a trace to a receiver that is ticked every 20 ms."""
    out = bytearray()
    receiver = RtpReceiver(
        {0: PCMU}, {101: 8000}, sink=out.extend, max_wait_ms=max_wait_ms, max_stall_ms=max_stall_ms
    )
    queue = arrivals(name)
    behind = ahead = tick = 0.0
    end = queue[-1][0] + 0.04
    while tick < end:
        while queue and queue[0][0] <= tick:
            at, data = queue.pop(0)
            receiver.receive(data, at)
        receiver.tick(tick)
        if receiver.first_at is not None:
            off = len(out) / 8 - (tick - receiver.first_at) * 1000
            behind, ahead = min(behind, off), max(ahead, off)
        tick += 0.02
    return Outcome(receiver, bytes(out), -behind, ahead)


LIMITS: dict[str, dict[str, float]] = {
    # name: lost, concealed, filled, discarded in ms at most; mean wait in ms; packets not heard whole
    "steady": {"lost": 0, "concealed": 0, "filled": 0, "discarded": 0, "wait": 0.0, "broken": 0},
    "duplicates": {"lost": 0, "concealed": 0, "filled": 0, "discarded": 0, "wait": 0.0, "broken": 0},
    "skew_plus_200ppm": {"lost": 0, "concealed": 0, "filled": 0, "discarded": 0, "wait": 0.0, "broken": 0},
    "skew_minus_200ppm": {"lost": 0, "concealed": 0, "filled": 0, "discarded": 0, "wait": 0.0, "broken": 0},
    "reordering": {"lost": 0, "concealed": 0, "filled": 0, "discarded": 0, "wait": 1.5, "broken": 0},
    "loss_2_percent": {"lost": 32, "concealed": 640, "filled": 0, "discarded": 0, "wait": 2.0, "broken": 48},
    "wifi_bursts": {"lost": 0, "concealed": 40, "filled": 80, "discarded": 80, "wait": 0.5, "broken": 0},
    "lte_handover": {"lost": 12, "concealed": 360, "filled": 20, "discarded": 80, "wait": 1.0, "broken": 12},
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_a_network_costs(name: str) -> None:
    """Each kind of network, within what it has to cost; the delay stays bounded."""
    outcome, limits = heard(name), LIMITS[name]
    receiver = outcome.receiver
    found = {
        "lost": receiver.lost,
        "concealed": receiver.concealed_ms,
        "filled": receiver.filled_ms,
        "discarded": receiver.discarded_ms,
        "wait": receiver.mean_wait_ms,
        "broken": 1500 - outcome.intact,
    }
    assert {key: value for key, value in found.items() if value > limits[key]} == {}
    assert receiver.lost == receiver.unheard == limits["lost"]
    assert receiver.late == 0
    assert outcome.behind_ms <= 230
    assert outcome.ahead_ms <= 180


def test_the_wait_is_short_where_nothing_is_reordered() -> None:
    """Two per cent of plain loss: the wait sinks to its floor, and costs less than a fixed one."""
    outcome = heard("loss_2_percent")
    assert outcome.receiver.wait_ms(30.0) < 30


def test_the_wait_follows_what_is_reordered() -> None:
    """It stays as long as the longer path needs, no longer; each packet is heard."""
    outcome = heard("reordering")
    assert 25 < outcome.receiver.wait_ms(30.0) < 60
    assert outcome.intact == 1500


def test_a_fixed_short_wait_would_lose_what_an_adaptive_one_hears() -> None:
    """The same reordering, with at most 20 ms of patience."""
    assert heard("reordering", max_wait_ms=20).receiver.unheard > 5


def test_a_stall_is_learnt() -> None:
    """Only the first hold-ups of a Wi-Fi break a word; a receiver that may not learn breaks many."""
    learnt = heard("wifi_bursts").receiver
    stubborn = heard("wifi_bursts", max_stall_ms=70).receiver
    made_up = learnt.concealed_ms + learnt.filled_ms
    assert made_up < (stubborn.concealed_ms + stubborn.filled_ms) / 2
    assert learnt.discarded_ms < stubborn.discarded_ms / 2


def test_what_is_made_up_is_like_what_was_lost() -> None:
    """In the middle of vowels the error is far below that of silence, which is 1."""
    receiver_out = heard("loss_2_percent")
    spoken, out = samples_of(to_l16(SPOKEN, ULAW_8K)), samples_of(to_l16(receiver_out.heard, ULAW_8K))
    lines = (FOLDER / "loss_2_percent.txt").read_text().splitlines()
    lost = [n for n, line in enumerate(lines) if not line and n > 1]
    error = energy = 0
    for n in lost:
        for at in range(FRAME * n, FRAME * (n + 1)):
            error += (spoken[at] - out[at]) ** 2
            energy += spoken[at] ** 2
    assert len(out) >= FRAME * 1498, "the timeline holds, so that frames can be compared in place"
    assert error / energy < 0.75


def test_the_traces_are_all_used() -> None:
    """Each file has its limits, and is made by the script."""
    files = {path.stem for path in FOLDER.glob("*.txt")}
    assert files == LIMITS.keys() == TRACES.keys()
