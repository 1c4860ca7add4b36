"""The phone's leg may be closed, or refused, in whatever state its dialog is: never an error of ours."""

from collections.abc import Callable
from itertools import count

import pytest

from gateway.call.legs.sip_leg import SipLeg
from gateway.call.record import Ending, EndReason, Status
from gateway.call.refusal import Refused
from gateway.media.session import State
from gateway.phones.telephone import AnybodyMayCall
from gateway.sip.dialog import Dialog
from gateway.sip.events import InviteReceived, ReinviteReceived
from gateway.sip.message import Response, parse_message
from gateway.sip.settings import Settings
from gateway.sip.target import Listener, Target
from gateway.sip.useragent import UserAgent

PEER = Target("UDP", "192.0.2.1", 5060, "udp")
SETTINGS = Settings(t1=0.5)
ENDINGS = (
    Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "caller", "the caller hung up"),
    Ending(Status.COMPLETED, EndReason.MAX_DURATION, "gateway", "too long"),
    Ending(Status.FAILED, EndReason.GATEWAY_DRAINED, "gateway", "stopped", 503, 41),
    Ending(Status.FAILED, EndReason.BAD_SESSION, "gateway", "no answer", 200, 95),
)


class Call:
    """Keeps how it ends; what else its leg tells is not looked at here."""

    def __init__(self, endings: list[Ending]) -> None:
        self._endings = endings

    def end(self, ending: Ending) -> None:
        """Keep it."""
        self._endings.append(ending)

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Nobody listens to this leg's events."""

    def pressed(self, digit: str, milliseconds: int) -> None:
        """Nobody listens."""

    def rings(self, status: int, early: bool) -> None:
        """Nobody listens."""

    def picked_up(self) -> None:
        """Nobody listens."""

    def acknowledged(self) -> None:
        """Nobody listens."""

    def retuned(self) -> None:
        """Nobody listens."""

    def held(self, held: bool) -> None:
        """Nobody listens."""


class Line:
    """A user agent in virtual time that was called, and the messages it sends."""

    def __init__(self) -> None:
        numbers = count()
        listener = Listener("udp", "UDP", "192.0.2.2", 5060)
        self.user_agent = UserAgent(
            [listener], AnybodyMayCall(), lambda: f"token{next(numbers)}", settings=SETTINGS
        )
        self.time = 100.0
        self.sent: list[str] = []
        self.endings: list[Ending] = []
        self.receive("INVITE", 1, to_tag=False)
        event = self.user_agent.next_event()
        assert isinstance(event, InviteReceived)
        self.dialog: Dialog = event.dialog
        self.leg = SipLeg("caller", self, Call(self.endings))  # type: ignore[arg-type]
        self.leg.begin(self.dialog)

    def now(self) -> float:
        """As an endpoint's."""
        return self.time

    def flush(self) -> None:
        """As an endpoint's: keep the first lines of what is sent, and let the leg hear of what happened."""
        for data, _ in self.user_agent.messages_to_send():
            message = parse_message(data)
            self.sent.append(str(message.status) if isinstance(message, Response) else message.method)

    def receive(self, method: str, number: int, *, to_tag: bool = True, branch: str = "") -> None:
        """A request of the caller's."""
        tag = f";tag={self.dialog.local_tag}" if to_tag else ""
        lines = [
            f"{method} sip:1@192.0.2.2 SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch or method}{number}",
            "From: <sip:2@192.0.2.1>;tag=theirs",
            f"To: <sip:1@192.0.2.2>{tag}",
            "Call-ID: a-call",
            f"CSeq: {number} {method}",
            "Contact: <sip:2@192.0.2.1>",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        self.user_agent.receive("".join(f"{line}\r\n" for line in [*lines, ""]).encode(), PEER, self.time)

    def wait(self, seconds: float) -> None:
        """Let time go by, and do what comes due."""
        until = self.time + seconds
        while (due := self.user_agent.next_timeout()) is not None and due <= until:
            self.time = max(self.time, due)
            self.user_agent.handle_timeout(self.time)
            self.flush()
        self.time = until

    def tell_the_leg(self) -> None:
        """Hand it the events that wait."""
        while (event := self.user_agent.next_event()) is not None:
            self.leg.receive(event)


def _ringing(line: Line) -> None:
    line.dialog.ring(line.time)


def _cancelled(line: Line) -> None:
    line.receive("CANCEL", 1, to_tag=False, branch="INVITE")


def _refused(line: Line) -> None:
    line.dialog.refuse(line.time, 486)


def _bye_while_early(line: Line) -> None:
    line.dialog.ring(line.time)
    line.receive("BYE", 2)


def _accepted(line: Line) -> None:
    line.dialog.accept(line.time, b"")


def _acknowledged(line: Line) -> None:
    _accepted(line)
    line.receive("ACK", 1, branch="late")


def _ack_missing(line: Line) -> None:
    _accepted(line)
    line.wait(64 * SETTINGS.t1 + 0.1)


def _peer_hung_up(line: Line) -> None:
    _acknowledged(line)
    line.receive("BYE", 2)


def _peer_hung_up_before_its_ack(line: Line) -> None:
    _accepted(line)
    line.receive("BYE", 2)


def _we_hung_up(line: Line) -> None:
    _acknowledged(line)
    line.dialog.bye(line.time)


def _both_hung_up(line: Line) -> None:
    _we_hung_up(line)
    line.receive("BYE", 2)


def _reinvited(line: Line) -> None:
    _acknowledged(line)
    line.receive("INVITE", 2)


def _reinvite_cancelled(line: Line) -> None:
    _reinvited(line)
    line.receive("CANCEL", 2, branch="INVITE")


def _reinvite_accepted(line: Line) -> None:
    _reinvited(line)
    line.dialog.accept(line.time, b"")


def _given_up(line: Line) -> None:
    line.wait(SETTINGS.invite_timeout + 1)


STATES: list[Callable[[Line], None]] = [
    lambda line: None,
    _ringing,
    _cancelled,
    _refused,
    _bye_while_early,
    _accepted,
    _acknowledged,
    _ack_missing,
    _peer_hung_up,
    _peer_hung_up_before_its_ack,
    _we_hung_up,
    _both_hung_up,
    _reinvited,
    _reinvite_cancelled,
    _reinvite_accepted,
    _given_up,
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_<>"))
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.reason.value)
@pytest.mark.parametrize("told", [False, True], ids=["untold", "told"])
def test_close(state: Callable[[Line], None], ending: Ending, told: bool) -> None:
    """Closing hangs up or refuses where that is still due; in the end nothing of the dialog is left."""
    line = Line()
    state(line)
    if told:
        _without_reinvites(line)
    line.leg.close(ending)
    line.leg.close(ending)
    line.wait(200)
    assert line.dialog.state == "terminated"
    assert line.user_agent.dialog_count == 0
    line.wait(100)
    assert line.user_agent.transaction_count == 0


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_<>"))
def test_refuse(state: Callable[[Line], None]) -> None:
    """A refusal that comes too late does nothing, and closing behind it ends what there is."""
    line = Line()
    state(line)
    line.leg.refuse(Refused(EndReason.AGENT_UNREACHABLE, "nobody there"))
    line.leg.close(ENDINGS[1])
    line.wait(300)
    assert line.user_agent.dialog_count == 0


def test_bye_waits_for_the_ack() -> None:
    """A call that ends before the ACK of its 200 says BYE when that has come (RFC 3261 section 15)."""
    line = Line()
    _accepted(line)
    line.leg.close(ENDINGS[1])
    assert "BYE" not in line.sent
    line.receive("ACK", 1, branch="late")
    line.flush()
    assert line.sent[-1] == "BYE"


def test_a_reinvite_that_meets_our_bye() -> None:
    """An INVITE within a call that we have ended is answered, with 481, and disturbs nothing."""
    line = Line()
    _acknowledged(line)
    line.leg.close(ENDINGS[1])
    line.receive("INVITE", 2)
    line.flush()
    assert line.sent[-1] == "481"
    line.tell_the_leg()
    assert [ending.reason for ending in line.endings] == []


def test_a_reinvite_that_was_not_answered_yet() -> None:
    """An INVITE within the call that waits when we hang up is answered too, not left to time out."""
    line = Line()
    _reinvited(line)
    line.flush()
    line.leg.close(ENDINGS[1])
    line.wait(1)
    assert "BYE" in line.sent
    line.wait(100)
    assert line.user_agent.transaction_count == 0


@pytest.mark.parametrize(("state", "status"), [(State.OUR_UPDATE, "491"), (State.THEIR_UPDATE, "500")])
def test_an_offer_that_crosses_another(state: State, status: str) -> None:
    """An INVITE whose offer may not be answered now is refused as the session's table says."""
    line = Line()
    _acknowledged(line)
    line.tell_the_leg()
    line.leg._session.state = state
    line.receive("INVITE", 2)
    line.tell_the_leg()
    assert line.sent[-1] == status
    assert line.leg._session.state is state


def _without_reinvites(line: Line) -> None:
    """Tell the leg everything but what it would need media for."""
    while (event := line.user_agent.next_event()) is not None:
        if not isinstance(event, ReinviteReceived):
            line.leg.receive(event)
