"""The torture messages of RFC 4475 and our own of each class, over UDP and byte by byte over TCP.

The RFC's messages are used where they stand beside the project, with what `verdicts.tsv` there allows.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.sip.events import InviteReceived
from gateway.sip.framing import KeepAlive, StreamFramer, Unframable
from gateway.sip.message import Response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone

MESSAGES = Path(__file__).parents[2].parent / "shared" / "reference" / "rfc4475"


class Case(NamedTuple):
    """A message, and what may be answered: statuses, `any` (but 400, 408 and 500) or `none`."""

    name: str
    data: bytes
    accepted: frozenset[str]


def message(text: str) -> bytes:
    """A message as it is on the wire."""
    return text.lstrip("\n").replace("\n", "\r\n").encode()


def own(name: str, accepted: str, text: str) -> Case:
    return Case(name, message(text), frozenset(accepted.split("/")))


OUR_OWN = [
    own(
        "valid, folded and compact",
        "any",
        """
INVITE sip:+14155550100@gw.example;x=%C3%A9;lr SIP/2.0
tO
 :   "Agent \\\\\\"One\\\\\\"" <sip:+14155550100@gw.example>
f:sip:caller@carrier.example;user=phone   ;tag   = a-1
i: own-1@[2001:db8::9]
cSeQ: 007
  INVITE
V:SIP / 2.0 / UDP carrier.example ; branch = z9hG4bK.own.1;rport , SIP/2.0/SCTP [2001:db8::9]:5061
 ;branch=390skdjuw
mAx-FoRwArDs: 0070
m: "A, B" <sip:c@carrier.example;transport=udp> ; q = 0.5
X-Odd: ;;,,;;,;
c: application/sdp
l: 5

v=0
""",
    ),
    own(
        "valid, what is behind the body is not read",
        "any",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown2
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-2
CSeq: 1 OPTIONS
Content-Length: 0

INVITE sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown2b
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-2b
CSeq: 1 INVITE
Contact: <sip:a@b.example>
Content-Length: 0

""",
    ),
    own(
        "valid, a response that nobody asked for",
        "none",
        """
SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKown3
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>;tag=2
Call-ID: own-3
CSeq: 1 INVITE
Contact: <sip:c@d.example>
Content-Length: 0

""",
    ),
    own(
        "invalid, the body is shorter than it says",
        "400",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown4
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-4
CSeq: 1 OPTIONS
Content-Length: 9999

short
""",
    ),
    own(
        "invalid, a number out of range",
        "400",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown5
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-5
CSeq: 36893488147419103232 OPTIONS
Content-Length: 0

""",
    ),
    own(
        "invalid, header fields hidden in the Request-URI",
        "400",
        """
INVITE sip:+1415@gw.example?Route=%3Csip:evil.example%3E SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown6
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-6
CSeq: 1 INVITE
Contact: <sip:a@b.example>
Content-Length: 0

""",
    ),
    own(
        "invalid, a quote that does not end",
        "400",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown7
From: <sip:a@b.example>;tag=1
To: "Mr. J <sip:c@d.example>
Call-ID: own-7
CSeq: 1 OPTIONS
Content-Length: 0

""",
    ),
    own(
        "transaction, a branch that is only the cookie",
        "any",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bK
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-8
CSeq: 1 OPTIONS
Content-Length: 0

""",
    ),
    own(
        "application, extensions that nobody has",
        "420",
        """
INVITE sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown9
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-9
CSeq: 1 INVITE
Contact: <sip:a@b.example>
Require: nobodyHasThis
Proxy-Require: norThis
Content-Length: 0

""",
    ),
    own(
        "application, an answer that nobody can write",
        "406/488",
        """
INVITE sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown10
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
Call-ID: own-10
CSeq: 1 INVITE
Contact: <sip:a@b.example>
Accept: text/poem
Content-Length: 0

""",
    ),
    own(
        "application, two of what there may be one of",
        "400",
        """
OPTIONS sip:gw.example SIP/2.0
Via: SIP/2.0/UDP carrier.example;branch=z9hG4bKown11
From: <sip:a@b.example>;tag=1
To: <sip:c@d.example>
t: <sip:e@f.example>
Call-ID: own-11
CSeq: 1 OPTIONS
Content-Length: 0

""",
    ),
    own(
        "RFC 2543, no branch, no tag, no Max-Forwards, no Contact",
        "any",
        """
INVITE sip:+14155550100@gw.example SIP/2.0
Via: SIP/2.0/UDP 198.51.100.2
From: sip:+12125550111@b.example;user=phone
To: sip:+14155550100@gw.example
Call-ID: own-12
CSeq: 56 INVITE
Content-Length: 0

""",
    ),
]


def of_the_rfc() -> list[Case]:
    """The RFC's own messages, where they are at hand."""
    verdicts = MESSAGES / "verdicts.tsv"
    if not verdicts.exists():
        return []
    lines = [line for line in verdicts.read_text().splitlines() if not line.startswith("#")]
    return [
        Case(row["file"], (MESSAGES / row["file"]).read_bytes(), frozenset(row["accepted"].split("/")))
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    ]


CASES = OUR_OWN + of_the_rfc()

CLOSES = {"ncl.dat", "mcl01.dat", "inv2543.dat"}
"Over TCP, two, negative or missing Content-Lengths end the connection, since nobody knows what follows."

WAITS = {"clerr.dat", "invalid, the body is shorter than it says"}
"Over TCP, the rest of the body may still come; the shell cuts a sender off that is too slow."

TWO = {"dblreq.dat", "valid, what is behind the body is not read"}
"Over TCP, what stands behind a message is the next one."

REMAINS = {"dblreq.dat"}
"Behind its second message stand a few octets more, which begin a third that cannot be one."


def application(phone: Phone) -> None:
    """Answer every call as an agent that is not there, or as one that cannot be understood."""
    for event in phone.events():
        assert isinstance(event, InviteReceived)
        accept = event.request.accept
        understood = accept is None or any(one.covers("application/sdp") for one in accept)
        event.dialog.refuse(phone.now, 404 if understood else 406)


def finals(phone: Phone) -> list[Response]:
    """The final responses to all that was said; nothing else may have been sent."""
    sent = phone.heard()
    application(phone)
    responses = [one for one in sent + phone.heard() if isinstance(one, Response)]
    return [one for one in responses if one.status >= 200]


def receive(phone: Phone, framer: StreamFramer, piece: bytes) -> bool:
    """Take a piece of a stream; False when it cannot go on."""
    fault = None
    try:
        items = framer.feed(piece)
    except Unframable as error:
        items, fault = error.complete, error
    for item in items:
        if not isinstance(item, KeepAlive):
            phone.agent.receive(item, phone.source, phone.now)
    if fault is not None:
        phone.agent.refuse(fault, phone.source, phone.now)
    return fault is None


def check(case: Case, answers: list[Response], most: int = 1) -> None:
    """Hold the answers to the verdict."""
    assert len(answers) <= most
    # The verdict is on the first message; one glued behind it may have faults of its own.
    allowed = [str(one.status) in case.accepted or fits_any(case, one) for one in answers[:1]]
    assert all(allowed), [(one.status, one.reason) for one in answers]
    assert answers or "none" in case.accepted


def fits_any(case: Case, answer: Response) -> bool:
    return "any" in case.accepted and answer.status not in {400, 408, 500}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_over_udp(phone: Phone, case: Case) -> None:
    """Each message gets an answer that its RFC allows, once, and leaves nothing that lasts."""
    phone.agent.receive(case.data, phone.source, 0.0)
    check(case, finals(phone))
    phone.wait(64)
    assert phone.idle()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_over_tcp_byte_by_byte(make_phone: Callable[..., Phone], case: Case) -> None:
    """The same over a stream, one byte at a time; what cannot be framed closes it."""
    phone = make_phone("TCP")
    framer = StreamFramer()
    closed = not all(receive(phone, framer, bytes([octet])) for octet in case.data)
    answers = finals(phone)
    assert closed == (case.name in CLOSES | REMAINS)
    if case.name in CLOSES:
        assert [one.status for one in answers] == [400]
    elif case.name in WAITS:
        assert framer.pending
        assert answers == []
    else:
        check(case, answers, 2 if case.name in TWO else 1)
    phone.wait(64)
    assert phone.idle()
