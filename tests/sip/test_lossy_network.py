"""Calls over a network that loses, repeats and reorders: both sides agree in the end, and nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import pytest

from gateway.sip.events import (
    AckMissing,
    Acknowledged,
    Answered,
    Cancelled,
    DialogTerminated,
    Event,
    InviteReceived,
    Refused,
    ReinviteAnswered,
    ReinviteReceived,
)
from gateway.sip.useragent import Dialog, Target, UserAgent

if TYPE_CHECKING:
    from tests.sip.conftest import Wire

SECONDS_IN_THE_NETWORK = 4.0
"Less than T4, for which the transactions are made."

LOSSES_IN_A_ROW = 4
"Of one message: a network that lost more would be a broken one, and then nobody can agree."


class Side:
    """One user agent and an application that does what chance has it do."""

    def __init__(self, agent: UserAgent, host: str) -> None:
        self.agent = agent
        self.host = host
        self.dialogs: list[Dialog] = []
        self.history: list[Event] = []
        self.proposed = b""
        self.session = b""
        "The last offer that both sides agreed on, as this one knows."

    def saw(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.history if isinstance(event, kind)]


class Weather:
    """Two sides, the messages between them, and what they do next, in the order of time."""

    def __init__(self, wire: Wire, seed: int, transport: str) -> None:
        self.random = Random(seed)
        self.transport = transport
        self.caller = Side(wire.caller, "192.0.2.1")
        self.callee = Side(wire.callee, "198.51.100.2")
        self.now = 0.0
        self.losses: Counter[bytes] = Counter()
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.cancelled = False
        self.loss = self.random.choice([0.0, 0.1, 0.3, 0.6]) if transport == "UDP" else 0.0
        self.hanging_up = self.random.choice(["caller", "callee", "both", "nobody"])

    def after(self, least: float, most: float, do: Callable[[], None]) -> None:
        """Have something done at a random time from now."""
        heappush(self.queue, (self.now + self.random.uniform(least, most), next(self.order), do))

    def run(self, until: float) -> None:
        """Let time pass, one thing after the other."""
        while True:
            self.collect()
            timers = [side.agent.next_timeout() for side in (self.caller, self.callee)]
            due = [when for when in timers if when is not None] + [when for when, _, _ in self.queue[:1]]
            if not due or min(due) > until:
                break
            assert min(due) >= self.now
            self.now = min(due)
            if self.queue and self.queue[0][0] == self.now:
                heappop(self.queue)[2]()
            for side in (self.caller, self.callee):
                side.agent.handle_timeout(self.now)
        self.now = until

    def collect(self) -> None:
        """Take what both have to say, to each other and to their applications."""
        for side, other in ((self.caller, self.callee), (self.callee, self.caller)):
            for data, target in side.agent.messages_to_send():
                self.carry(data, Target(target.transport, side.host, 5060, target.transport.lower()), other)
            while (event := side.agent.next_event()) is not None:
                side.history.append(event)
                self.react(side, event)

    def carry(self, data: bytes, source: Target, receiver: Side) -> None:
        """Deliver a message in a while: never, once, or twice."""

        def deliver() -> None:
            receiver.agent.receive(data, source, self.now)

        if self.transport != "UDP":
            self.after(0.01, 0.01, deliver)
            return
        if self.random.random() < self.loss and self.losses[data] < LOSSES_IN_A_ROW:
            self.losses[data] += 1
            return
        self.losses[data] = 0
        for _ in range(1 + (self.random.random() < 0.2)):
            self.after(0.001, self.random.choice([0.05, 0.05, 0.8, SECONDS_IN_THE_NETWORK]), deliver)

    # The applications.

    def begin(self) -> None:
        dialog = self.caller.agent.invite(
            f"sip:bob@198.51.100.2;transport={self.transport.lower()}",
            targets=[Target(self.transport, "198.51.100.2", 5060)],
            from_="<sip:alice@192.0.2.1>",
            contact_user="alice",
            body=b"first offer",
            now=self.now,
        )
        self.caller.dialogs.append(dialog)
        if self.random.random() < 0.3:
            self.after(0, 6, lambda: self.cancel(dialog))

    def cancel(self, dialog: Dialog) -> None:
        if dialog.state == "early":
            self.cancelled = True
            dialog.cancel(self.now)

    def react(self, side: Side, event: Event) -> None:
        match event:
            case InviteReceived(dialog=dialog):
                side.dialogs.append(dialog)
                self.after(0, 1, lambda: dialog.ring(self.now) if not side.session else None)
                self.after(1, 6, lambda: self.decide(side, dialog))
            case Answered(dialog=dialog):
                dialog.ack(self.now)
                side.session = b"first offer"
                self.live(side, dialog)
            case Acknowledged(dialog=dialog) if len(side.saw(Acknowledged)) == 1 and side is self.callee:
                self.live(side, dialog)
            case AckMissing(dialog=dialog):
                dialog.bye(self.now)
            case ReinviteReceived(dialog=dialog, request=request):
                self.after(0, 1, lambda: self.agree(side, dialog, request.body))
            case ReinviteAnswered(status=status) if status == 200:
                side.session = side.proposed
            case _:
                pass

    def decide(self, side: Side, dialog: Dialog) -> None:
        if self.random.random() < 0.3:
            dialog.refuse(self.now, 486)
        else:
            dialog.accept(self.now, b"first answer")
            side.session = b"first offer" if dialog.state == "confirmed" else b""

    def agree(self, side: Side, dialog: Dialog, offer: bytes) -> None:
        if dialog.state != "terminated" and not side.saw(DialogTerminated):
            dialog.accept(self.now, b"answer to " + offer)
            side.session = offer

    def live(self, side: Side, dialog: Dialog) -> None:
        """What a side does in an answered call."""
        name = b"caller" if side is self.caller else b"callee"
        for number in range(self.random.randrange(3)):
            self.after(0, 30, lambda n=number: self.propose(side, dialog, name + b" %d" % n))  # type: ignore[misc]  # mypy takes n for an argument
        self.after(0, 30, lambda: dialog.info(self.now, "application/dtmf-relay", b"Signal=1"))
        if self.hanging_up in {name.decode(), "both"}:
            self.after(0, 40, lambda: dialog.bye(self.now))

    def propose(self, side: Side, dialog: Dialog, offer: bytes) -> None:
        if dialog.settled:
            side.proposed = offer
            dialog.reinvite(self.now, offer)

    def clear(self) -> None:
        """Hang up what is still there."""
        for side in (self.caller, self.callee):
            for dialog in side.dialogs:
                if dialog.state == "confirmed":
                    dialog.bye(self.now)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("block", range(10))
def test_both_sides_agree_in_the_end(make_wire: Callable[[], Wire], transport: str, block: int) -> None:
    """Whatever is lost, repeated or late: one call, one outcome, one session, and no state remains."""
    for seed in range(block * 30, block * 30 + 30):
        weather = Weather(make_wire(), seed, transport)
        weather.begin()
        weather.run(120)
        check_outcome(weather, seed)
        weather.clear()
        weather.run(120 + 3 * 32)
        check_end(weather, seed)


def check_outcome(weather: Weather, seed: int) -> None:
    """While the call may still be up: both know the same about it."""
    caller, callee = weather.caller, weather.callee
    assert len(callee.saw(InviteReceived)) == 1, seed
    accepted = bool(callee.session)
    if caller.saw(Answered):
        assert accepted, seed
        assert not caller.saw(Refused), seed
    elif not weather.cancelled:
        (refused,) = caller.saw(Refused)
        assert isinstance(refused, Refused)
        assert (refused.status, accepted) == (486, False), seed
    elif accepted:
        assert callee.saw(DialogTerminated), seed
    if not (caller.saw(DialogTerminated) or callee.saw(DialogTerminated)):
        assert weather.hanging_up == "nobody", seed
        assert caller.session == callee.session, seed
    if weather.loss == 0 and not weather.cancelled:
        assert not callee.saw(Cancelled), seed


def check_end(weather: Weather, seed: int) -> None:
    """When it is over: each dialog has ended once, and nothing is kept or waited for."""
    for side in (weather.caller, weather.callee):
        assert len(side.saw(DialogTerminated)) == 1, seed
        assert isinstance(side.history[-1], DialogTerminated), seed
        assert side.agent.dialog_count == 0, seed
        assert side.agent.transaction_count == 0, seed
        assert side.agent.next_timeout() is None, seed
