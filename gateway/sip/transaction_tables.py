"""The four figures of RFC 3261 section 17 as tables, with the corrections of RFC 6026.

One line an arrow; what is absent from a table is ignored, on purpose. Beside it stands which timers run in
which state, and below how long each runs. `gateway.sip.transaction` follows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias


class State(Enum):
    """Where a transaction stands; each machine uses some of them."""

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen to a transaction.

    For a client the responses are those that arrive; for a server, those that its user sends.
    """

    __hash__ = object.__hash__  # there is one of each; Enum would hash its name, in Python

    REQUEST = auto()
    "The request once more: a retransmission."
    ACK = auto()
    PROVISIONAL = auto()
    "100 to 199."
    SUCCESS = auto()
    "200 to 299."
    FAILURE = auto()
    "300 to 699."
    UNDELIVERABLE = auto()
    "The transport says that a message could not be sent."
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()


class Action(Enum):
    """What a transaction does on the way to its next state."""

    SEND = auto()
    "Send the response that its user gave."
    RESEND = auto()
    "Send the last message again; the timer that asked for it runs twice as long next time."
    RESEND_AT_T2 = auto()
    "The same, next time in T2."
    ACKNOWLEDGE = auto()
    "Send the ACK of section 17.1.1.3."
    TELL = auto()
    "Pass the message to the transaction's user."
    TELL_TIMEOUT = auto()
    TELL_UNDELIVERABLE = auto()


Arrow: TypeAlias = tuple[State, tuple[Action, ...]]


# The words of the tables, each in the order of its class.
CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = State


REQUEST, ACK, PROVISIONAL, SUCCESS, FAILURE, UNDELIVERABLE, *_TIMERS = Input


TIMER_A, TIMER_B, TIMER_D, TIMER_E, TIMER_F, TIMER_G, TIMER_H, TIMER_I, TIMER_J = _TIMERS[:9]


TIMER_K, TIMER_L, TIMER_M = _TIMERS[9:]


SEND, RESEND, RESEND_AT_T2, ACKNOWLEDGE, TELL, TELL_TIMEOUT, TELL_UNDELIVERABLE = Action


@dataclass(frozen=True, slots=True)
class Running:
    """The timers of a state: one that repeats, one that ends it."""

    repeat: Input | None = None
    end: Input | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """One figure of section 17."""

    start: State
    arrows: Mapping[tuple[State, Input], Arrow]
    timers: Mapping[State, Running]


# Figure 5, as RFC 6026 draws it. Timer B is for Calling only: after a 1xx the phone may ring for ever.
INVITE_CLIENT: Final = Machine(
    start=CALLING,
    arrows={
        (CALLING, TIMER_A): (CALLING, (RESEND,)),
        (CALLING, TIMER_B): (TERMINATED, (TELL_TIMEOUT,)),
        (CALLING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (CALLING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (CALLING, SUCCESS): (ACCEPTED, (TELL,)),
        (CALLING, FAILURE): (COMPLETED, (ACKNOWLEDGE, TELL)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (PROCEEDING, SUCCESS): (ACCEPTED, (TELL,)),
        (PROCEEDING, FAILURE): (COMPLETED, (ACKNOWLEDGE, TELL)),
        (COMPLETED, FAILURE): (COMPLETED, (ACKNOWLEDGE,)),
        (COMPLETED, UNDELIVERABLE): (TERMINATED, ()),
        (COMPLETED, TIMER_D): (TERMINATED, ()),
        (ACCEPTED, SUCCESS): (ACCEPTED, (TELL,)),
        (ACCEPTED, TIMER_M): (TERMINATED, ()),
    },
    timers={
        CALLING: Running(repeat=TIMER_A, end=TIMER_B),
        COMPLETED: Running(end=TIMER_D),
        ACCEPTED: Running(end=TIMER_M),
    },
)


# Figure 6. Timer F started in Trying runs on in Proceeding.
NON_INVITE_CLIENT: Final = Machine(
    start=TRYING,
    arrows={
        (TRYING, TIMER_E): (TRYING, (RESEND,)),
        (TRYING, TIMER_F): (TERMINATED, (TELL_TIMEOUT,)),
        (TRYING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (TRYING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (TRYING, SUCCESS): (COMPLETED, (TELL,)),
        (TRYING, FAILURE): (COMPLETED, (TELL,)),
        (PROCEEDING, TIMER_E): (PROCEEDING, (RESEND_AT_T2,)),
        (PROCEEDING, TIMER_F): (TERMINATED, (TELL_TIMEOUT,)),
        (PROCEEDING, UNDELIVERABLE): (TERMINATED, (TELL_UNDELIVERABLE,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (TELL,)),
        (PROCEEDING, SUCCESS): (COMPLETED, (TELL,)),
        (PROCEEDING, FAILURE): (COMPLETED, (TELL,)),
        (COMPLETED, TIMER_K): (TERMINATED, ()),
    },
    timers={
        TRYING: Running(repeat=TIMER_E, end=TIMER_F),
        PROCEEDING: Running(repeat=TIMER_E, end=TIMER_F),
        COMPLETED: Running(end=TIMER_K),
    },
)


# Figure 7, as RFC 6026 draws it. The transport's bad news is no arrow of ours: in Proceeding and
# Completed the figure tells it to the user and stays, and our user would only wait, as it does anyway.
INVITE_SERVER: Final = Machine(
    start=PROCEEDING,
    arrows={
        (PROCEEDING, REQUEST): (PROCEEDING, (RESEND,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (PROCEEDING, SUCCESS): (ACCEPTED, (SEND,)),
        (PROCEEDING, FAILURE): (COMPLETED, (SEND,)),
        (COMPLETED, REQUEST): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_G): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_H): (TERMINATED, ()),
        (COMPLETED, ACK): (CONFIRMED, ()),
        (CONFIRMED, TIMER_I): (TERMINATED, ()),
        # The figure only absorbs the request here, since the user resends the 2xx by its own timer.
        # A caller that asks again has not heard it: answering at once saves up to four seconds.
        (ACCEPTED, REQUEST): (ACCEPTED, (RESEND,)),
        (ACCEPTED, SUCCESS): (ACCEPTED, (SEND,)),
        (ACCEPTED, ACK): (ACCEPTED, (TELL,)),
        (ACCEPTED, TIMER_L): (TERMINATED, ()),
    },
    timers={
        COMPLETED: Running(repeat=TIMER_G, end=TIMER_H),
        CONFIRMED: Running(end=TIMER_I),
        ACCEPTED: Running(end=TIMER_L),
    },
)


# Figure 8.
NON_INVITE_SERVER: Final = Machine(
    start=TRYING,
    arrows={
        (TRYING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (TRYING, SUCCESS): (COMPLETED, (SEND,)),
        (TRYING, FAILURE): (COMPLETED, (SEND,)),
        (PROCEEDING, REQUEST): (PROCEEDING, (RESEND,)),
        (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND,)),
        (PROCEEDING, SUCCESS): (COMPLETED, (SEND,)),
        (PROCEEDING, FAILURE): (COMPLETED, (SEND,)),
        (COMPLETED, REQUEST): (COMPLETED, (RESEND,)),
        (COMPLETED, TIMER_J): (TERMINATED, ()),
    },
    timers={
        COMPLETED: Running(end=TIMER_J),
    },
)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a timer runs, as a multiple of T1 or T4 (RFC 3261 table 4)."""

    t1: int = 0
    t4: int = 0
    reliable: bool = True
    "Whether it has that length over TCP and TLS too, where otherwise nothing is repeated or awaited."

    up_to_t2: bool = False
    "How far a repeating timer doubles."


# Table 4, with L and M of RFC 6026. Timer D is at least 32 s, which 64*T1 is by default.
LENGTHS: Final[Mapping[Input, Length]] = {
    TIMER_A: Length(t1=1, reliable=False),
    TIMER_B: Length(t1=64),
    TIMER_D: Length(t1=64, reliable=False),
    TIMER_E: Length(t1=1, reliable=False, up_to_t2=True),
    TIMER_F: Length(t1=64),
    TIMER_G: Length(t1=1, reliable=False, up_to_t2=True),
    TIMER_H: Length(t1=64),
    TIMER_I: Length(t4=1, reliable=False),
    TIMER_J: Length(t1=64, reliable=False),
    TIMER_K: Length(t4=1, reliable=False),
    TIMER_L: Length(t1=64),
    TIMER_M: Length(t1=64),
}


def kind_of(status: int) -> Input:
    """Which input a response of that status is."""
    if status < 200:
        return PROVISIONAL
    return SUCCESS if status < 300 else FAILURE
