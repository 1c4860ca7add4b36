"""No input costs more than its length: 64 kB of the worst is read or refused in under five milliseconds."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.sip.authenticator import Authenticator
from gateway.sip.body import unwrap
from gateway.sip.digest import Challenge, Credentials, challenges_to_answer
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.framing import StreamFramer
from gateway.sip.grammar import MAX_LIST, MAX_PARAMS
from gateway.sip.headers import CSeq, MediaType, NameAddr, Via
from gateway.sip.message import Request, make_response, parse_message, stamp_via
from gateway.sip.uri import parse_uri
from gateway.sip.validation import validate_request
from tests.cost import cost

SIZE = 65_000
LIMIT = 5.0
"Milliseconds of an idle machine."
RUNS = 5


def fill(unit: str, before: str = "", after: str = "") -> str:
    """As many repetitions as fit into a datagram between two texts."""
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


VALUES = {
    "spaces": fill(" "),
    "tabs, then a letter": fill("\t", after="x"),
    "commas": fill(","),
    "commas with spaces": fill(" , "),
    "semicolons": fill(";"),
    "bare parameters": fill(";a", "x"),
    "parameters": fill(";a=b", "<sip:a@b>"),
    "parameters with spaces": fill("; a = b ", "<sip:a@b>"),
    "quoted parameters": fill(';a="b"', "<sip:a@b>"),
    "one long parameter": fill("a", "<sip:a@b>;tag=", '"'),
    "equal signs": fill("=", "<sip:a@b>;a"),
    "quotes": fill('"'),
    "an open quote": fill("a", '"'),
    "escaped quotes": fill('\\"', '"'),
    "escapes": fill("\\\\", '"', '"'),
    "open quotes after closed ones": fill('"a" ', after='"'),
    "opening brackets": fill("<"),
    "closing brackets": fill(">"),
    "empty brackets": fill("<>"),
    "an open bracket": fill("a", "<sip:"),
    "words without quotes": fill("a ", after="<sip:a@b"),
    "addresses": fill("<sip:a@b>,"),
    "addresses with parameters": fill("<sip:a@b;c;d>;e;f,"),
    "quoted names": fill('"a" <sip:a@b>,', after="<sip:a@b>"),
    "dots": fill(".", "sip:a@"),
    "digits": fill("9"),
    "zeros": fill("0"),
    "at signs": fill("@", "sip:"),
    "a long user": fill("a", "sip:"),
    "escapes in the user": fill("%41", "sip:", "@b"),
    "escapes cut short": fill("%4", "sip:", "@b"),
    "colons": fill(":", "sip:a@["),
    "open IPv6 reference": fill("[", "sip:a@"),
    "a long host": fill("a.", "sip:a@", "a"),
    "URI parameters": fill(";a=b", "sip:a@b"),
    "URI parameters ending badly": fill(";a=b", "sip:a@b", ";="),
    "URI headers": fill("&a=b", "sip:a@b?a=b"),
    "URI headers ending badly": fill("a", "sip:a@b?a=b", "&"),
    "telephone separators": fill("-", "tel:+1", "x"),
    "slashes": fill("/", "SIP/2.0"),
    "spaces around slashes": fill(" ", "SIP / 2.0 / UDP", "x"),
    "hops": fill("SIP/2.0/UDP a;branch=z9hG4bK1,", after="SIP/2.0/UDP a"),
    "a hop with parameters": fill(";a=b", "SIP/2.0/UDP a"),
    "hops with parameters": fill(
        ",SIP/2.0/UDP a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a",
        "SIP/2.0/UDP a",
    ),
    "auth parameters": fill('a="x", ', "Digest ", "!"),
    "auth parameters, all different": "Digest " + ",".join(f'{n}="x"' for n in range(7000)),
    "an auth parameter of escapes": fill('\\"', 'Digest realm="', '"'),
    "auth commas": fill(",", "Digest "),
    "a realm without end": fill("x", 'Digest realm="'),
    "not ASCII": fill("é")[: SIZE // 2],
    "control characters": fill("\x01", '"', '"'),
}

VALUE_PARSERS: dict[str, Callable[[str], object]] = {
    "uri": parse_uri,
    "via": Via.parse,
    "name-addr": NameAddr.parse,
    "cseq": CSeq.parse,
    "media type": MediaType.parse,
    "challenge": Challenge.parse,
    "credentials": Credentials.parse,
    "challenge choice": lambda text: challenges_to_answer([text]),
    "verification": lambda text: Authenticator(b"secret", "here").verify(
        text, "INVITE", "sip:a@b", {"a": "b"}.get, 0.0, "192.0.2.1"
    ),
}

FIELDS = (
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Record-Route",
    "Max-Forwards",
    "Content-Type",
    "Content-Length",
    "Accept",
    "Require",
)

MINIMAL = (
    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
)

FULL_PARAMS = "; a = b " * MAX_PARAMS
FULL_ADDRESSES = ",".join(["<sip:b" + ";a=b" * MAX_PARAMS + ">" + FULL_PARAMS] * (MAX_LIST // 2))
FULL_HOPS = ",".join(["SIP/2.0/UDP a" + FULL_PARAMS] * (MAX_LIST - 1))

MESSAGES = {
    "everything at its bound": (
        f"{MINIMAL}m: <sip:a@b>\r\nv: {FULL_HOPS}\r\n"
        f"Record-Route: {FULL_ADDRESSES}\r\nRecord-Route: {FULL_ADDRESSES}\r\n\r\n"
    ),
    "nothing but line ends": fill("\r\n"),
    "nothing but line feeds": fill("\n"),
    "nothing but carriage returns": fill("\r"),
    "nothing but NUL": fill("\0"),
    "no line at all": fill("a"),
    "spaces in the request line": fill(" ", "INVITE ", "SIP/2.0\r\n\r\n"),
    "a long method": fill("A", after=" sip:a@b SIP/2.0\r\n\r\n"),
    "a long version": fill("9", "INVITE sip:a@b SIP/"),
    "a long status": fill("9", "SIP/2.0 "),
    "empty header fields": fill("a:\r\n", MINIMAL, "\r\n"),
    "lines without colon": fill("a\r\n", MINIMAL, "\r\n"),
    "colons only": fill(":", MINIMAL, "\r\n\r\n"),
    "colons and line ends": fill(":\r\n", MINIMAL, "\r\n"),
    "folded lines": fill("\r\n a", MINIMAL + "X: ", "\r\n\r\n"),
    "folds of nothing": fill("\r\n ", MINIMAL + "X: ", "\r\n\r\n"),
    "spaces before the colon": fill(" ", MINIMAL + "X", ": a\r\n\r\n"),
    "a long name": fill("X-", MINIMAL, ": a\r\n\r\n"),
    "names all different": MINIMAL + "".join(f"X{n}:\r\n" for n in range(7000)),
    "many hops in lines": fill("v:SIP/2.0/UDP a\r\n", MINIMAL, "\r\n"),
    "hops in lines with lists": fill(
        "v:" + "SIP/2.0/UDP a;b;c,".join([""] * 20) + "SIP/2.0/UDP a\r\n", MINIMAL, "\r\n"
    ),
    "contacts in lines with lists": fill(
        "m:" + "<sip:a@b;c;d>;e;f,".join([""] * 20) + "<sip:a@b>\r\n", MINIMAL, "\r\n"
    ),
    "record routes with lists": fill(
        "Record-Route:" + "<sip:b;lr>,".join([""] * 20) + "<sip:b;lr>\r\n", MINIMAL, "\r\n"
    ),
    "two hundred full headers": MINIMAL + ("Record-Route: " + "<sip:b;lr>," * 28 + "<sip:b>\r\n") * 194,
    "lengths": fill("l:0\r\n", MINIMAL, "\r\n"),
    "a folded length": fill("\r\n 0", MINIMAL + "l:", "\r\n\r\n"),
    "lone line ends": fill("\r\n\ra", MINIMAL, "\r\n\r\n"),
    "not UTF-8": fill("\udcff", MINIMAL + "X: ", "\r\n\r\n"),
    "a body": fill("a", MINIMAL + "l: 1\r\n\r\n"),
}


def test_the_fullest_message_is_one() -> None:
    """The message that has as much of everything as is allowed passes for valid, so all of it is parsed."""
    message = parse_message(octets(MESSAGES["everything at its bound"]))
    assert isinstance(message, Request)
    validate_request(message)
    assert len(message.vias) == len(message.record_routes) == MAX_LIST


def octets(text: str) -> bytes:
    """The text as it would arrive; lone surrogates become octets that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def cost_of(action: Callable[[], object]) -> float:
    """The milliseconds that it takes, well-formed or not."""

    def judged() -> None:
        with suppress(RemoteProtocolError):
            action()

    return cost(judged)


def receive(data: bytes) -> None:
    """Everything that the value layer does with a datagram, whatever is wrong with it."""
    message = parse_message(data)
    if isinstance(message, Request):
        with suppress(RemoteProtocolError):
            stamp_via(message, "192.0.2.1", 5060)
        with suppress(RemoteProtocolError):
            validate_request(message)
        for name in FIELDS:
            with suppress(RemoteProtocolError):
                message.headers.elements(name)
        bytes(make_response(message, 400, to_tag="a"))


@pytest.mark.parametrize("parser", VALUE_PARSERS)
@pytest.mark.parametrize("shape", VALUES)
def test_every_value_is_judged_in_time(parser: str, shape: str) -> None:
    """A header value or URI as long as a datagram is parsed or refused within the limit."""
    assert cost_of(lambda: VALUE_PARSERS[parser](VALUES[shape])) < LIMIT


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("shape", VALUES)
def test_every_field_is_judged_in_time(field: str, shape: str) -> None:
    """A message with one field as long as a datagram is parsed, validated and answered within the limit."""
    data = octets(f"{MINIMAL}{field}: {VALUES[shape]}\r\n\r\n")[:65_535]
    assert cost_of(lambda: receive(data)) < LIMIT


@pytest.mark.parametrize("shape", MESSAGES)
def test_every_message_is_judged_in_time(shape: str) -> None:
    """A datagram full of whatever is parsed, validated and answered within the limit."""
    data = octets(MESSAGES[shape])
    assert cost_of(lambda: receive(data)) < LIMIT


INVITE = f"{MINIMAL}c: multipart/mixed;boundary=b\r\n"
BODIES = {
    "delimiters": fill("\r\n--b"),
    "delimiters of line feeds": fill("\n--b\n"),
    "almost delimiters": fill("\r\n--bb"),
    "delimiters with spaces": fill("\r\n--b" + " " * 100),
    "empty parts": fill("--b\r\n\r\n\r\n"),
    "a part of header fields": fill("a: b\r\n", "--b\r\n"),
    "folded header fields": fill("a: b\r\n c\r\n", "--b\r\n", "\r\n\r\n"),
    "line feeds": fill("\n", "--b"),
    "bodies in bodies": fill("--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"),
    "base64": fill("A", "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
    "quoted": fill(
        "=41", "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ),
}


@pytest.mark.parametrize("shape", BODIES)
def test_every_body_is_taken_apart_in_time(shape: str) -> None:
    """A multipart body of whatever is read or refused within the limit."""
    body = octets(BODIES[shape])[:60_000]
    data = octets(f"{INVITE}l: {len(body)}\r\n\r\n") + body

    def take_apart() -> None:
        message = parse_message(data)
        assert isinstance(message, Request)
        unwrap(message, ("application/sdp",))

    assert cost_of(take_apart) < LIMIT


@pytest.mark.parametrize("shape", MESSAGES)
def test_every_stream_is_cut_in_time(shape: str) -> None:
    """A stream full of whatever is cut into messages, or given up, within the limit."""
    data = octets(MESSAGES[shape])
    assert cost_of(lambda: StreamFramer().feed(data)) < LIMIT


PIECES = {
    "one by one": octets(fill("a", MINIMAL)),
    "one by one, folded": octets(fill("\r\n a", MINIMAL + "X:")),
    "one by one, line ends": octets(fill("\r\n")),
    "one by one, a body": octets(fill("a", MINIMAL + "l: 60000\r\n\r\n")),
}


@pytest.mark.parametrize("shape", PIECES)
def test_one_octet_costs_no_more_than_another(shape: str) -> None:
    """In one-octet pieces, the last thousand octets cost about what the first did: nothing is read twice."""

    def run() -> tuple[float, float]:
        framer = StreamFramer()
        marks = []
        for start in range(0, 64_000, 1000):
            begun = time.process_time()
            with suppress(RemoteProtocolError):
                for octet in PIECES[shape][start : start + 1000]:
                    framer.feed(bytes((octet,)))
            marks.append(time.process_time() - begun)
        return min(marks[:8]), min(marks[-8:])

    assert min(last - first for first, last in (run() for _ in range(RUNS))) < LIMIT / 1000
