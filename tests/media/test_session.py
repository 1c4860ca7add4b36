"""Offers and answers in SIP: whose turn it is, whatever crosses (RFC 3264, RFC 6337)."""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.session import (
    ACK,
    ANSWER,
    APPLY,
    BARE,
    EARLY,
    FAILED,
    INVITE,
    KEEP,
    LATER,
    MISSING,
    NOTHING,
    OFFER,
    OUR_INVITE,
    OURS,
    PENDING,
    PRACK,
    PRACK_SUCCESS,
    PREVIEW,
    PROVISIONAL,
    RELIABLE,
    SDP,
    STABLE,
    SUCCESS,
    THEIRS,
    UPDATE,
    UPDATE_SUCCESS,
    WANTED,
    Action,
    Message,
    OutOfTurn,
    Refusal,
    Session,
    State,
)

PATTERNS = [
    (INVITE, SUCCESS),
    (INVITE, RELIABLE),
    (PRACK, PRACK_SUCCESS),
    (UPDATE, UPDATE_SUCCESS),
]
"Offer and answer of RFC 6337 table 1, without those whose offer answers a request that has none."

ASKED = [(SUCCESS, ACK), (RELIABLE, PRACK)]
"Those: the offer to an INVITE without one, and its answer."

REQUESTS = [(INVITE, SDP), (INVITE, BARE), (PRACK, SDP), (UPDATE, SDP)]


def session(state: State) -> Session:
    """One that stands there."""
    made = Session()
    made.state = state
    return made


@pytest.mark.parametrize(("offer", "answer"), PATTERNS)
def test_our_offer(offer: Message, answer: Message) -> None:
    """Our offer is out until its answer comes in the message that may bring it; then that holds."""
    ours = Session()
    assert ours.send(offer) is OFFER
    assert ours.state in OURS
    assert not ours.may_offer
    assert ours.receive(answer, SDP) is APPLY
    assert ours.may_offer


@pytest.mark.parametrize(("offer", "answer"), PATTERNS)
def test_their_offer(offer: Message, answer: Message) -> None:
    """Their offer is answered in the message that may carry the answer, and in no other."""
    for message in Message:
        theirs = Session()
        assert theirs.receive(offer, SDP) is ANSWER
        assert theirs.state in THEIRS
        if message is answer or (offer, message) in PATTERNS:
            assert theirs.send(message) is ANSWER
            assert theirs.may_offer
            assert theirs.agreed
        elif message in {INVITE, PRACK, UPDATE}:
            with pytest.raises(OutOfTurn):
                theirs.send(message)
        else:
            assert theirs.send(message) is NOTHING
            assert theirs.state in THEIRS


@pytest.mark.parametrize(("offer", "answer"), ASKED)
def test_an_invite_without_an_offer(offer: Message, answer: Message) -> None:
    """It gets ours in the first reliable response, and brings the answer in what acknowledges that."""
    asked = Session()
    assert asked.receive(INVITE, BARE) is OFFER
    assert asked.state is WANTED
    assert asked.send(PROVISIONAL) is NOTHING
    assert asked.send(offer) is OFFER
    assert asked.state in OURS
    assert asked.receive(answer, SDP) is APPLY
    assert asked.state is STABLE


@pytest.mark.parametrize(("offer", "answer"), [*PATTERNS, *ASKED])
def test_no_answer(offer: Message, answer: Message) -> None:
    """What should have had the answer and has none says so; only a reliable 1xx need not have it."""
    ours = Session()
    if (offer, answer) in ASKED:
        ours.receive(INVITE, BARE)
    ours.send(offer)
    if answer is RELIABLE:
        assert ours.receive(answer, BARE) is NOTHING
        assert ours.state is OUR_INVITE
    else:
        assert ours.receive(answer, BARE) is MISSING
        assert ours.state is STABLE
    assert not ours.agreed


def test_early_answer() -> None:
    """An unreliable 1xx shows the answer; of use, it holds where the 2xx has none; each later one counts."""
    ours = Session()
    ours.send(INVITE)
    assert ours.receive(PROVISIONAL, BARE) is NOTHING
    assert ours.receive(PROVISIONAL, SDP) is PREVIEW
    assert ours.state is OUR_INVITE, "it may have made no sense"
    ours.previewed()
    assert ours.state is EARLY
    assert ours.receive(PROVISIONAL, SDP) is PREVIEW
    assert not ours.agreed
    assert ours.receive(SUCCESS, BARE) is KEEP
    assert ours.state is STABLE


def test_the_answer_behind_an_early_one() -> None:
    """The SDP of the 2xx is the answer, whatever a 1xx said before."""
    ours = Session()
    ours.send(INVITE)
    ours.receive(PROVISIONAL, SDP)
    ours.previewed()
    assert ours.receive(SUCCESS, SDP) is APPLY


def test_the_copy_of_an_answer() -> None:
    """Behind the answer in a reliable 1xx, an SDP in the 2xx means nothing more (RFC 6337 section 3.1)."""
    ours = Session()
    ours.send(INVITE)
    assert ours.receive(RELIABLE, SDP) is APPLY
    assert ours.receive(SUCCESS, SDP) is NOTHING
    assert ours.receive(PROVISIONAL, SDP) is NOTHING


@pytest.mark.parametrize("state", [state for state in State if state in OURS])
@pytest.mark.parametrize(("message", "sdp"), REQUESTS)
def test_their_offer_crosses_ours(state: State, message: Message, sdp: bool) -> None:
    """491, and ours stays out; a PRACK that brings its answer is the only exception."""
    ours = session(state)
    if (state, message) == (State.OUR_RELIABLE, PRACK):
        assert ours.receive(message, sdp) is APPLY
        return
    assert ours.receive(message, sdp) == PENDING == Refusal(491)
    assert ours.state is state


@pytest.mark.parametrize("state", [state for state in State if state in {WANTED} | THEIRS])
@pytest.mark.parametrize(("message", "sdp"), REQUESTS)
def test_their_offer_overtakes_our_answer(state: State, message: Message, sdp: bool) -> None:
    """500 with a Retry-After, and theirs still waits for its answer."""
    theirs = session(state)
    assert theirs.receive(message, sdp) == LATER == Refusal(500, retry_after=True)
    assert theirs.state is state


@pytest.mark.parametrize("state", State)
def test_an_update_without_an_offer(state: State) -> None:
    """It is none of the session's business, in whatever state (RFC 3311 section 5.2)."""
    one = session(state)
    assert one.receive(UPDATE, BARE) is NOTHING
    assert one.state is state


@pytest.mark.parametrize("state", State)
def test_a_failed_request(state: State) -> None:
    """It takes with it what it offered or asked for; each open state belongs to exactly one request."""
    closed = []
    for request in (INVITE, PRACK, UPDATE):
        one = session(state)
        one.fail(request)
        if one.state is not state:
            assert one.state is STABLE
            closed.append(request)
    assert len(closed) == (state is not STABLE)
    assert FAILED.keys() == {INVITE, PRACK, UPDATE}


@pytest.mark.parametrize("state", [state for state in State if state is not STABLE])
@pytest.mark.parametrize("message", [INVITE, PRACK, UPDATE])
def test_no_second_offer_of_ours(state: State, message: Message) -> None:
    """A request with an offer of ours while one is open is our mistake, and changes nothing."""
    one = session(state)
    with pytest.raises(OutOfTurn):
        one.send(message)
    assert one.state is state


@given(st.lists(st.tuples(st.sampled_from(Message), st.booleans())))
def test_anything_may_come(heard: list[tuple[Message, bool]]) -> None:
    """Whatever a peer sends, in whatever order: a refusal changes nothing, an answer ends the exchange."""
    one = Session()
    for message, sdp in heard:
        before = one.state
        action = one.receive(message, sdp)
        if isinstance(action, Refusal) or action in {NOTHING, PREVIEW}:
            assert one.state is before
        elif action in {APPLY, KEEP, MISSING}:
            assert before in OURS
            assert one.state is STABLE
        else:
            assert before is STABLE
            assert one.state in {WANTED} | THEIRS
        if one.state is WANTED:
            one.send(SUCCESS)


Sent = tuple[Message, bool | int]
"A message, and whether it has a description; a final answer that refuses one has its status."


@dataclass
class Side:
    """A user agent that offers when it may, and answers what comes, each when the test lets it."""

    session: Session = field(default_factory=Session)
    inbox: deque[Sent] = field(default_factory=deque)
    due: deque[Message] = field(default_factory=deque)
    "Requests of the peer's that wait for our answer."
    asking: Message | None = None
    "Our request that waits for its final answer."
    applied: int = 0
    answered: int = 0
    missed: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def ask(self, other: "Side", message: Message, sdp: bool) -> None:
        """Send a request, if that may be now: one at a time, and an INVITE without an offer as well."""
        if self.asking is not None or self.due or not self.session.may_offer:
            return
        if sdp:
            assert self.session.send(message) is OFFER
        self.asking = message
        other.inbox.append((message, sdp))

    def hear(self, other: "Side") -> None:
        """Take the oldest message that has come."""
        if not self.inbox:
            return
        message, what = self.inbox.popleft()
        if what is not SDP and what is not BARE:
            self.session.fail(message)
            self.asking = None
            return
        if message is INVITE and self.asking is INVITE and self.session.may_offer:
            action: Action | Refusal = PENDING  # as the dialog sees to it, also where ours has no offer
        else:
            action = self.session.receive(message, bool(what))
        if isinstance(action, Refusal):
            self.refused.append(action)
            other.inbox.append((message, action.status))
        elif message in {INVITE, UPDATE}:
            self.due.append(message)
        else:
            self.take(action)
        if message is SUCCESS:
            # The peer's offer in it, to our INVITE without one, is answered in the ACK.
            other.inbox.append((ACK, bool(what) and action is NOTHING))
        if message in {SUCCESS, UPDATE_SUCCESS}:
            self.asking = None

    def take(self, action: Action) -> None:
        """Count what became of an offer of ours."""
        self.applied += action in {APPLY, KEEP}
        self.missed += action is MISSING

    def reply(self, other: "Side") -> None:
        """Answer the oldest request, with what the session says."""
        if self.due:
            message = SUCCESS if self.due.popleft() is INVITE else UPDATE_SUCCESS
            action = self.session.send(message)
            self.answered += action is ANSWER
            other.inbox.append((message, action is not NOTHING))


MOVES = st.one_of(
    st.tuples(st.just("ask"), st.booleans(), st.sampled_from([(INVITE, SDP), (INVITE, BARE), (UPDATE, SDP)])),
    st.tuples(st.just("hear"), st.booleans(), st.none()),
    st.tuples(st.just("reply"), st.booleans(), st.none()),
)


@given(st.lists(MOVES, max_size=60))
def test_two_sides(moves: list[tuple[str, bool, tuple[Message, bool] | None]]) -> None:
    """However their requests cross, both come to rest, and each answer of one was used by the other."""
    sides = Side(), Side()
    for verb, which, request in moves:
        one, other = (sides[0], sides[1]) if which else (sides[1], sides[0])
        if request is not None:
            one.ask(other, *request)
        elif verb == "hear":
            one.hear(other)
        else:
            one.reply(other)
        # Where both have offered, one of the two has not been heard yet, and will be refused.
        if all(side.session.state in OURS for side in sides):
            assert any(side.inbox for side in sides)
    for _ in range(2 * len(moves) + 2):
        for one, other in (sides, sides[::-1]):
            one.hear(other)
            one.reply(other)
    assert not any(side.inbox or side.due or side.asking for side in sides)
    assert [side.session.state for side in sides] == [STABLE, STABLE]
    assert not any(side.missed for side in sides)
    for one, other in (sides, sides[::-1]):
        # An answer in an ACK was sent by nobody's `reply`: that of an INVITE without an offer.
        assert one.applied >= other.answered
        assert {refusal.status for refusal in one.refused} <= {491, 500}
