"""Messages as far from the ordinary as RFC 3261 allows, and a little further (RFC 4475).

The cases of our own stand for the five classes of RFC 4475. Its 49 messages are tested too where they are at
hand: a folder `shared/reference/rfc4475` beside the project, with their accepted answers in `verdicts.tsv`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.framing import KeepAlive, StreamFramer, Unframable
from gateway.sip.message import Request, Response, Unparsable, make_response, parse_message
from gateway.sip.uri import SipUri
from gateway.sip.validation import validate_request, validate_response

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference" / "rfc4475"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the value layer makes of a datagram."""

    kind: str
    "`valid`, `refused`, or `dropped`."
    status: int = 0
    reason: str = ""


def judge(data: bytes) -> Outcome:
    """Parse and validate; a refusal has to be a response that could be sent."""
    request: Request | Response | None = None
    try:
        request = parse_message(data)
        if isinstance(request, Request):
            validate_request(request)
        else:
            validate_response(request)
    except RemoteProtocolError as error:
        if isinstance(error, Unparsable):
            request = error.request
        if not isinstance(request, Request):
            return Outcome("dropped")
        answer = parse_message(bytes(make_response(request, error.status, error.reason, to_tag="ours")))
        assert isinstance(answer, Response)
        return Outcome("refused", answer.status, answer.reason)
    return Outcome("valid")


def datagram(text: str, body: str = "") -> bytes:
    """The text of a header with the line ends of the wire, an empty line, and a body."""
    return text.strip("\n").replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode()


VALID = {
    "white space and folds wherever they are allowed": """
OPTIONS sip:gw.example.com;unknown SIP/2.0
TO :
 sip:gw@example.com ;   TAG    = 1918181833n
from   : "J \\\\\\""       <sip:j@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
I: white.space@192.0.2.1
cseq: 0009
  OPTIONS
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
Unknown: ;;,,;;,;
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted \\"\\"" <sip:j@example.com> ; new =
      value ;
  second ; q = 0.33
Content-Length   : 0""",
    "a method of every character a token has": """
!odd-Method09_*+`.%indeed'~ sip:1_odd~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!@example.com SIP/2.0
Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\a NUL:\\\0 DEL:\\\x7f" <sip:1_odd.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` token2'+_ token3*%!.- <sip:a@b>;p''~+*_!.-%="работающий";tag=_token~1'+`*%!-.
Call-ID: word%ZK-!.*_+'@word`~)(><:\\/"][?}{
CSeq: 139122385 !odd-Method09_*+`.%indeed'~
Extension-!.%*+_`'~:\ufeff大停電
Content-Length: 0""",
    "escapes in URIs": """
OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces%00@example.net>;tag=938
i: escapes
CSeq: 234234 OPTIONS
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw
Contact:
  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
L:0""",
    "an escaped method is another method": """
RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: escaped.method
Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
C%6Fntact: <sip:alias2@host2.example.com>
l: 0""",
    "no space before the bracket": """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Call-ID: no.space
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0""",
    "semicolons in the user part": """
OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Call-ID: semicolons
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
l: 0""",
    "transports that nobody has": """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Call-ID:  transports
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
l: 0""",
    "a long one": f"""
OPTIONS sip:user@example.com SIP/2.0
To: "{"extreme" * 40}"<sip:user@example.com:6000;p1={"very" + "long" * 80};p2=short>;{"x" * 200}={"long" * 50}
F: sip:{"amazing" * 60}@example.net;tag={"1298" * 120};p={"q" * 300}
Call-ID: {"really" * 60}
CSeq: 3882340 OPTIONS
Unknown-{"Long" * 40}-Name: {"unknown-" + "long" * 60}
{chr(10).join(f"v : SIP/2.0/TCP sip{number}.example.com" for number in range(33))}
l: 0""",
    "an odd reason phrase": """
SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: odd.reason
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 0""",
    "no reason phrase": """
SIP/2.0 100\x20
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: no.reason
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0""",
}

PLAIN = """
INVITE sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Call-ID: plain.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Max-Forwards: 7
Contact: <sip:caller@host5.example.net>
Content-Length: 0"""

INVALID = {
    "extraneous separators": ("branch=z9hG4bKkdjuw", ";,;,,", 400, "Via: malformed parameter name"),
    "a length past the end": ("Length: 0", "Length: 9999", 400, "Content-Length is larger than the body"),
    "a negative length": ("Length: 0", "Length: -999", 400, "Content-Length: not a number"),
    "a number past its range": ("CSeq: 8", "CSeq: 36893488147419103232", 400, "CSeq: number too large"),
    "an open quote": ("To: ", 'To: "Mr. J. User ', 400, "To: unbalanced quote"),
    "brackets around the Request-URI": (
        "sip:user@example.com SIP",
        "<sip:user@example.com> SIP",
        400,
        "Request-URI: malformed URI",
    ),
    "white space in the Request-URI": (
        "example.com SIP/2.0",
        "example.com; lr SIP/2.0",
        400,
        "Request line is not method, URI and version with one space between",
    ),
    "two spaces in the request line": (
        "INVITE sip",
        "INVITE  sip",
        400,
        "Request line is not method, URI and version with one space between",
    ),
    "a space after the request line": (
        "SIP/2.0\n",
        "SIP/2.0  \n",
        400,
        "Request line is not method, URI and version with one space between",
    ),
    "header fields in the Request-URI": (
        "example.com SIP/2.0",
        "example.com?Route=%3Csip:example.com%3E SIP/2.0",
        400,
        "Request-URI: header fields are not allowed in it",
    ),
    "a question without brackets": (
        "<sip:caller@host5.example.net>",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        400,
        "Contact: URI needs angle brackets",
    ),
    "white space inside brackets": (
        "To: sip:j.user@example.com",
        'To: "Watson, Thomas" < sip:t.watson@example.org >',
        400,
        "To: white space in the URI",
    ),
    "a version to come": ("SIP/2.0\nVia: SIP/2.0", "SIP/7.0\nVia: SIP/7.0", 505, "Version Not Supported"),
    "a method that is not that of the CSeq": (
        "CSeq: 8 INVITE",
        "CSeq: 8 OPTIONS",
        400,
        "CSeq: method is not that of the request",
    ),
    "two lengths": ("Max-Forwards: 7", "Content-Length: 13", 400, "Content-Length: more than one"),
    "two of what there is one of": ("Max-Forwards: 7", "CSeq: 59 INVITE", 400, "CSeq: more than one"),
    "no Call-ID": ("Call-ID: plain", "Call-Me: plain", 400, "Call-ID: missing"),
}

ANSWER = """
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9 OPTIONS
Call-ID: response
Content-Length: 0"""

DROPPED = {
    "a response with a number past its range": ANSWER.replace("CSeq: 9", "CSeq: 9292394834772304023312"),
    "a response with a status past its range": ANSWER.replace("503", "4294967301"),
    "a response of a version to come": ANSWER.replace("SIP/2.0 503", "SIP/7.0 503"),
    "a broken request that nobody can be told about": PLAIN.replace("INVITE sip", "INVITE  sip").replace(
        "Via", "Viaduct"
    ),
}


@pytest.mark.parametrize("case", VALID)
def test_the_unusual_is_valid(case: str) -> None:
    """What the grammar allows is read without complaint."""
    assert judge(datagram(VALID[case])) == Outcome("valid")


@pytest.mark.parametrize("case", INVALID)
def test_the_invalid_is_answered_with_what_is_wrong(case: str) -> None:
    """What the grammar or the procedures forbid is refused, and the reason phrase says why."""
    before, after, status, reason = INVALID[case]
    assert before in PLAIN
    if case.startswith(("two l", "two o")):
        after = f"{before}\n{after}"
    assert judge(datagram(PLAIN)) == Outcome("valid")
    assert judge(datagram(PLAIN.replace(before, after))) == Outcome("refused", status, reason)


@pytest.mark.parametrize("case", DROPPED)
def test_what_has_nobody_to_answer_is_dropped(case: str) -> None:
    """A bad response, or a bad request without the fields of a response, is for the counter."""
    assert judge(datagram(DROPPED[case])) == Outcome("dropped")


def test_a_second_message_in_a_datagram_is_ignored() -> None:
    """A datagram is one message: what follows its Content-Length belongs to nobody."""
    assert judge(datagram(PLAIN) + b"\r\n" + datagram(PLAIN)) == Outcome("valid")
    request = parse_message(datagram(PLAIN) + datagram(PLAIN))
    assert request.body == b""


def test_a_body_may_be_any_octets() -> None:
    """A multipart body with NULs and empty lines is as long as it says."""
    parts = "--x\r\n\r\nHello\r\n\r\n\0\x01\r\n--x--\r\n"
    text = PLAIN.replace("Length: 0", f"Length: {len(parts)}\nContent-Type: multipart/mixed;boundary=x")
    assert judge(datagram(text, parts)) == Outcome("valid")
    request = parse_message(datagram(text, parts))
    assert (request.body, str(request.content_type)) == (parts.encode(), "multipart/mixed;boundary=x")


def test_a_bare_cookie_is_no_branch() -> None:
    """The transaction class: a branch that is nothing but the cookie tells no transactions apart."""
    request = parse_message(datagram(PLAIN.replace("z9hG4bKkdjuw", "z9hG4bK")))
    assert not request.via.has_cookie


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sip:user@example.com SIP", "nobodyKnowsThisScheme:opaque SIP"),
        ("sip:user@example.com SIP", "soap.beep://192.0.2.103:3002 SIP"),
        ("To: sip:j.user@example.com", "To: isbn:2983792873"),
        ("From: sip:caller@example.net", "From: <http://www.example.com>"),
        ("Max-Forwards: 7", "Max-Forwards: 0"),
        ("Max-Forwards: 7", "Require: nothingSupportsThis, nothingSupportsThisEither"),
        ("Max-Forwards: 7", "Content-Type: application/unknownformat"),
        ("Max-Forwards: 7", "Authorization: NoOneKnowsThisScheme opaque-data=here"),
        ("Max-Forwards: 7", "Accept: text/nobodyKnowsThis"),
        ("Max-Forwards: 7", "Date: Fri, 01 Jan 2010 16:00:00 EST"),
        ("<sip:caller@host5.example.net>", "sip:+19725552222@gw1.example.net;unknownparam"),
        ("<sip:caller@host5.example.net>", "<sip:+19725552222@gw1.example.net;unknownparam>"),
        ("<sip:caller@host5.example.net>", "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"),
    ],
)
def test_what_only_the_application_can_judge_is_valid(before: str, after: str) -> None:
    """The application class: schemes, extensions, types and schemes of authentication are well-formed."""
    assert before in PLAIN
    assert judge(datagram(PLAIN.replace(before, after))) == Outcome("valid")


def test_what_rfc_2543_allowed_is_valid() -> None:
    """The old class: no branch, no From tag, no Max-Forwards, no Contact, no Content-Length."""
    old = """
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: old.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp"""
    assert judge(datagram(old, "v=0\r\n")) == Outcome("valid")
    assert parse_message(datagram(old, "v=0\r\n")).body == b"v=0\r\n"


def framed(pieces: Iterable[bytes]) -> tuple[list[bytes | KeepAlive], str, bool]:
    """What a framer makes of a stream: its items, the fault that ends it, and whether more is awaited."""
    framer = StreamFramer()
    items: list[bytes | KeepAlive] = []
    try:
        for piece in pieces:
            items += framer.feed(piece)
    except Unframable as error:
        return [*items, *error.complete], error.reason, False
    return items, "", framer.pending


def octets(data: bytes) -> list[bytes]:
    """The worst way to split a stream."""
    return [bytes((octet,)) for octet in data]


@pytest.mark.parametrize("case", [*VALID, *INVALID])
def test_a_stream_of_torture_is_cut_at_its_lengths(case: str) -> None:
    """Octet by octet a message with one good length is itself again; other lengths end the stream."""
    text = VALID[case] if case in VALID else PLAIN.replace(*INVALID[case][:2])
    if case == "two lengths":
        text = PLAIN.replace("Max-Forwards: 7", "Content-Length: 13")
    data = datagram(text)
    lengths = {
        "a negative length": "Content-Length: not a number",
        "two lengths": "Content-Length: more than one",
    }
    if case in lengths:
        assert framed(octets(data)) == ([], lengths[case], False)
    elif case == "a length past the end":
        assert framed(octets(data)) == ([], "", True)
    else:
        assert framed(octets(data)) == ([data], "", False)


# The messages of RFC 4475 themselves.


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of verdicts.tsv: what the RFC names first, and what it accepts."""

    file: str
    section: str
    kind: str
    first: str
    accepted: str
    note: str


def verdicts() -> list[Verdict]:
    """The table, empty where it is not at hand."""
    if not FOLDER.is_dir():
        return []
    with (FOLDER / "verdicts.tsv").open(encoding="utf-8") as table:
        rows = list(csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Verdict(*row) for row in rows if row[0].endswith(".dat")]


rfc4475 = pytest.mark.beside(str(FOLDER), "the messages of RFC 4475")
each_verdict = pytest.mark.parametrize("verdict", verdicts(), ids=lambda verdict: verdict.file)


@rfc4475
def test_all_torture_messages_are_there() -> None:
    """RFC 4475 has 49 messages in five classes."""
    assert len(verdicts()) == 49
    assert {verdict.kind for verdict in verdicts()} == {
        "valid",
        "invalid",
        "transaction",
        "application",
        "valid2543",
    }


NOT_NEEDED = {"baddn.dat", "regbadct.dat"}
"Broken where nothing depends on it: the caller's name, the Contact of what begins no dialog."


@rfc4475
@each_verdict
def test_a_torture_message_gets_its_answer(verdict: Verdict) -> None:
    """What the RFC refuses as malformed we refuse, with the status it names first; the rest is valid."""
    outcome = judge((FOLDER / verdict.file).read_bytes())
    accepted = verdict.accepted.split("/")
    if verdict.first in {"400", "505"} and verdict.file not in NOT_NEEDED:
        assert outcome.kind == "refused"
        assert outcome.status == int(verdict.first)
    elif outcome.kind == "refused":
        assert str(outcome.status) in accepted
    elif outcome.kind == "dropped":
        assert "none" in accepted
    else:
        assert accepted != ["400"]


@rfc4475
@each_verdict
def test_a_torture_message_survives_a_stream(verdict: Verdict) -> None:
    """Octet by octet or in one piece, a stream gives the same messages, the same fault, the same wait."""
    data = (FOLDER / verdict.file).read_bytes()
    items, fault, awaited = framed([data])
    assert framed(octets(data)) == (items, fault, awaited)
    for item in items:
        if isinstance(item, bytes):
            assert judge(item).kind == judge(data).kind or verdict.file == "dblreq.dat"


@rfc4475
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("mcl01.dat", "Content-Length: more than one"),
        ("ncl.dat", "Content-Length: not a number"),
        ("inv2543.dat", "Content-Length: missing"),
    ],
)
def test_torture_messages_that_end_a_stream(file: str, reason: str) -> None:
    """Two lengths, a negative one and none close the connection."""
    items, fault, _ = framed(octets((FOLDER / file).read_bytes()))
    assert (items, fault) == ([], reason)


@rfc4475
def test_a_torture_user_part_is_understood() -> None:
    """intmeth.dat has a Request-URI that looks like several."""
    request = parse_message((FOLDER / "intmeth.dat").read_bytes())
    assert isinstance(request, Request)
    assert isinstance(request.request_uri, SipUri)
    assert request.request_uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert request.to.display == "BEL:  NUL:  DEL: "
    assert request.from_.tag == "_token~1'+`*%!-."
