"""Whose turn it is to describe the session: offers and answers in SIP, as a table (RFC 3264, RFC 6337).

There is never more than one offer open between two sides. Which message may carry one, and which has to bring
its answer, are the six patterns of RFC 6337 table 1; what crosses is refused. Nothing here reads a session
description: `offer_answer` says what both sides agree on, and who owns a `Session` does what it returns.

What INVITEs themselves may cross, with an offer or without, the dialog has decided before
(`sip.dialog.Dialog`, RFC 3261 section 14).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias


class State(Enum):
    """Which offer is open, named by whose it is and what carried it."""

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    STABLE = auto()
    "None: what was agreed on last holds."
    WANTED = auto()
    "None yet: their INVITE has none, so that our first reliable response to it carries ours."
    OUR_INVITE = auto()
    EARLY = auto()
    "That of our INVITE, and an unreliable response has shown what its answer will be (RFC 3960)."
    OUR_RELIABLE = auto()
    OUR_SUCCESS = auto()
    OUR_PRACK = auto()
    OUR_UPDATE = auto()
    THEIR_INVITE = auto()
    THEIR_PRACK = auto()
    THEIR_UPDATE = auto()


class Message(Enum):
    """What can carry a session description."""

    __hash__ = object.__hash__

    INVITE = auto()
    "The one that begins a call, or one within it."
    PROVISIONAL = auto()
    "101 to 199 that nobody acknowledges: what it says may be another thing in the end."
    RELIABLE = auto()
    "101 to 199 that a PRACK acknowledges (RFC 3262)."
    SUCCESS = auto()
    "200 to 299 to the INVITE."
    ACK = auto()
    PRACK = auto()
    PRACK_SUCCESS = auto()
    UPDATE = auto()
    "RFC 3311."
    UPDATE_SUCCESS = auto()


class Action(Enum):
    """What a message asks of the side that hears it, or is to carry."""

    NOTHING = auto()
    "No session description; one that it has all the same is not looked at."
    OFFER = auto()
    "Heard: the answer to it will carry our offer. Sent: it carries our offer."
    ANSWER = auto()
    "Heard: it has an offer, to be answered. Sent: it carries our answer."
    APPLY = auto()
    "It has the answer to our offer."
    PREVIEW = auto()
    "It has what is likely the answer: `previewed` says that it was of use."
    KEEP = auto()
    "It has none, and the preview was the answer (RFC 3261 section 13.2.1)."
    MISSING = auto()
    "It should have had the answer to our offer, and has none."


@dataclass(frozen=True, slots=True)
class Refusal:
    """The final status that a request is refused with; the session stays as it was."""

    status: int
    retry_after: bool = False
    "With a Retry-After of 0 to 10 seconds, drawn at random."


Arrow: TypeAlias = tuple[State, Action | Refusal]

# The words of the tables, each in the order of its class.
STABLE, WANTED, OUR_INVITE, EARLY, OUR_RELIABLE, OUR_SUCCESS, OUR_PRACK, OUR_UPDATE, *_THEIRS = State
THEIR_INVITE, THEIR_PRACK, THEIR_UPDATE = _THEIRS
INVITE, PROVISIONAL, RELIABLE, SUCCESS, ACK, PRACK, PRACK_SUCCESS, UPDATE, UPDATE_SUCCESS = Message
NOTHING, OFFER, ANSWER, APPLY, PREVIEW, KEEP, MISSING = Action
SDP, BARE = True, False

OURS: Final = frozenset({OUR_INVITE, EARLY, OUR_RELIABLE, OUR_SUCCESS, OUR_PRACK, OUR_UPDATE})
"Our offer is out."
THEIRS: Final = frozenset({THEIR_INVITE, THEIR_PRACK, THEIR_UPDATE})
"Their offer is in, and has no answer yet."

PENDING: Final = Refusal(491)
"Our offer is out, and theirs has crossed it (RFC 3261 section 14.2, RFC 3311 section 5.2)."
LATER: Final = Refusal(500, retry_after=True)
"They ask again before they were answered (the same sections)."
UNACCEPTABLE: Final = Refusal(488)
"There is nothing in the offer that we can take part in (RFC 3261 section 21.4.26)."

_REQUESTS: Final = ((INVITE, SDP), (INVITE, BARE), (PRACK, SDP), (UPDATE, SDP))
"What begins an exchange where none is open."

# What is absent is no business of the session's: a message without a description where none is due, and a
# description where it means nothing, such as the copy of the answer in a 2xx behind a reliable 1xx.
RECEIVED: Final[Mapping[tuple[State, Message, bool], Arrow]] = {
    (STABLE, INVITE, SDP): (THEIR_INVITE, ANSWER),
    (STABLE, INVITE, BARE): (WANTED, OFFER),
    (STABLE, PRACK, SDP): (THEIR_PRACK, ANSWER),
    (STABLE, UPDATE, SDP): (THEIR_UPDATE, ANSWER),
    # Two requests that begin an exchange cross, or one overtakes the answer to the other.
    **{(state, *request): (state, PENDING) for state in OURS for request in _REQUESTS},
    **{(state, *request): (state, LATER) for state in {WANTED} | THEIRS for request in _REQUESTS},
    # The answers to our offers, each where its pattern has it.
    (OUR_INVITE, PROVISIONAL, SDP): (OUR_INVITE, PREVIEW),
    (OUR_INVITE, RELIABLE, SDP): (STABLE, APPLY),
    (OUR_INVITE, SUCCESS, SDP): (STABLE, APPLY),
    (OUR_INVITE, SUCCESS, BARE): (STABLE, MISSING),
    (EARLY, PROVISIONAL, SDP): (EARLY, PREVIEW),
    (EARLY, RELIABLE, SDP): (STABLE, APPLY),
    (EARLY, SUCCESS, SDP): (STABLE, APPLY),
    (EARLY, SUCCESS, BARE): (STABLE, KEEP),
    (OUR_RELIABLE, PRACK, SDP): (STABLE, APPLY),
    (OUR_RELIABLE, PRACK, BARE): (STABLE, MISSING),
    (OUR_SUCCESS, ACK, SDP): (STABLE, APPLY),
    (OUR_SUCCESS, ACK, BARE): (STABLE, MISSING),
    (OUR_PRACK, PRACK_SUCCESS, SDP): (STABLE, APPLY),
    (OUR_PRACK, PRACK_SUCCESS, BARE): (STABLE, MISSING),
    (OUR_UPDATE, UPDATE_SUCCESS, SDP): (STABLE, APPLY),
    (OUR_UPDATE, UPDATE_SUCCESS, BARE): (STABLE, MISSING),
}

# Our INVITEs always carry an offer. Responses that are absent carry no description; requests that are absent
# would be a second offer beside an open one (RFC 3264 section 4).
SENT: Final[Mapping[tuple[State, Message], tuple[State, Action]]] = {
    (STABLE, INVITE): (OUR_INVITE, OFFER),
    (STABLE, PRACK): (OUR_PRACK, OFFER),
    (STABLE, UPDATE): (OUR_UPDATE, OFFER),
    (WANTED, RELIABLE): (OUR_RELIABLE, OFFER),
    (WANTED, SUCCESS): (OUR_SUCCESS, OFFER),
    (THEIR_INVITE, RELIABLE): (STABLE, ANSWER),
    (THEIR_INVITE, SUCCESS): (STABLE, ANSWER),
    (THEIR_PRACK, PRACK_SUCCESS): (STABLE, ANSWER),
    (THEIR_UPDATE, UPDATE_SUCCESS): (STABLE, ANSWER),
}

# A request that failed takes what it offered, or asked for, with it: the session is what it was before.
FAILED: Final[Mapping[Message, frozenset[State]]] = {
    INVITE: frozenset({WANTED, OUR_INVITE, EARLY, OUR_RELIABLE, OUR_SUCCESS, THEIR_INVITE}),
    PRACK: frozenset({OUR_PRACK, THEIR_PRACK}),
    UPDATE: frozenset({OUR_UPDATE, THEIR_UPDATE}),
}


class OutOfTurn(Exception):
    """An offer of ours while another is open: a mistake of ours, and not the peer's."""


class Session:
    """Where the offers and answers of one dialog stand."""

    __slots__ = ("agreed", "state")

    def __init__(self) -> None:
        self.state = STABLE
        self.agreed = False
        "Whether an offer has ever had its answer: there is a session to go back to."

    @property
    def may_offer(self) -> bool:
        """Whether a request of ours may carry an offer now."""
        return self.state is STABLE

    def receive(self, message: Message, sdp: bool) -> Action | Refusal:
        """What is to be done about a message of the peer's, with a session description or without."""
        self.state, action = RECEIVED.get((self.state, message, sdp), (self.state, NOTHING))
        return action

    def send(self, message: Message) -> Action:
        """What a message of ours has to carry; of requests only those that are to carry an offer.

        Raises `OutOfTurn` where that may not be.
        """
        arrow = SENT.get((self.state, message))
        if arrow is None and (STABLE, message) in SENT:
            raise OutOfTurn(f"{message.name} with an offer in {self.state.name}")
        self.state, action = arrow or (self.state, NOTHING)
        self.agreed = self.agreed or action is ANSWER
        return action

    def previewed(self) -> None:
        """What `PREVIEW` was about was of use, and holds until the answer."""
        if self.state is OUR_INVITE:
            self.state = EARLY

    def applied(self) -> None:
        """What `APPLY` or `KEEP` was about was of use, and holds."""
        self.agreed = True

    def fail(self, request: Message) -> None:
        """A request, theirs or ours, was refused or taken back, or nobody answered it."""
        if self.state in FAILED[request]:
            self.state = STABLE
