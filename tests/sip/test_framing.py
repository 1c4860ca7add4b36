"""Messages out of a stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.framing import KeepAlive, StreamFramer, Unframable
from gateway.sip.message import MAX_MESSAGE

HEAD = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nFrom: sip:a@b\r\nTo: sip:a@b\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)
OPTIONS = HEAD + b"Content-Length: 0\r\n\r\n"
INFO = (
    OPTIONS.replace(b"OPTIONS", b"INFO").replace(b"Content-Length: 0", b"l\t:\r\n  0009 ") + b"\r\n\r\nbody\0"
)
STREAM = b"\r\n" + OPTIONS + INFO + b"\r\n\r\n" + INFO + OPTIONS
ITEMS = [OPTIONS, INFO, KeepAlive.PING, INFO, OPTIONS]


def fault(stream: bytes) -> Unframable:
    """What ends a connection that sends this."""
    with pytest.raises(Unframable) as caught:
        StreamFramer().feed(stream)
    return caught.value


def test_pipelined_messages_come_one_by_one() -> None:
    """Several messages in one piece are told apart by their lengths, whatever their bodies hold."""
    framer = StreamFramer()
    assert framer.feed(STREAM) == ITEMS
    assert not framer.pending


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_a_stream_may_be_split_anywhere(cuts: list[int]) -> None:
    """Where the network splits the stream makes no difference."""
    framer = StreamFramer()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert [item for piece in pieces for item in framer.feed(piece)] == ITEMS


def test_a_stream_may_come_octet_by_octet() -> None:
    """Each message is complete with its last octet, and pending from its first."""
    framer = StreamFramer()
    for octet in OPTIONS[:-1]:
        assert framer.feed(bytes((octet,))) == []
        assert framer.pending
    assert framer.feed(OPTIONS[-1:]) == [OPTIONS]
    assert not framer.pending


def test_a_ping_is_two_line_ends() -> None:
    """A double CRLF asks for an answer (RFC 5626 section 4.4.1), a single one does not."""
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n") == [KeepAlive.PING]
    assert framer.feed(b"\r\n") == []
    assert framer.feed(b"\r\n") == [KeepAlive.PING]
    assert framer.feed(b"\r\n") == []
    assert framer.feed(OPTIONS) == [OPTIONS]
    assert framer.feed(b"\r\n\r\n" + OPTIONS) == [KeepAlive.PING, OPTIONS]


def test_line_ends_are_no_message() -> None:
    """Keep-alives leave nothing pending, and a flood of them is one."""
    framer = StreamFramer()
    assert framer.feed(b"\r\n" * 10_001) == [KeepAlive.PING]
    assert framer.feed(b"\r\n") == []
    assert not framer.pending
    assert framer.feed(b"O") == []
    assert framer.pending


def test_a_body_that_does_not_come_stays_pending() -> None:
    """A Content-Length larger than what follows waits; for how long is for the owner of the clock to say."""
    framer = StreamFramer()
    assert framer.feed(HEAD + b"Content-Length: 9999\r\n\r\nv=0\r\n") == []
    assert framer.pending


@pytest.mark.parametrize(
    ("lengths", "reason"),
    [
        (b"", "Content-Length: missing"),
        (b"X-Content-Length: 1\r\n", "Content-Length: missing"),
        (b"Content-Length: -1\r\n", "Content-Length: not a number"),
        (b"Content-Length: 1 1\r\n", "Content-Length: not a number"),
        (b"Content-Length: 1\r\n 1\r\n", "Content-Length: not a number"),
        (b"Content-Length:\r\n", "Content-Length: not a number"),
        (b"Content-Length: 0x1\r\n", "Content-Length: not a number"),
        (b"Content-Length: \xb2\r\n", "Content-Length: not a number"),
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: more than one"),
        (b"l: 1\r\nX: 1\r\nCONTENT-LENGTH : 2\r\n", "Content-Length: more than one"),
        (b"Content-Length: " + b"9" * 50 + b"\r\n", "Content-Length: number too large"),
    ],
)
def test_without_a_sure_length_a_stream_ends(lengths: bytes, reason: str) -> None:
    """Missing, doubled, negative or malformed, the length leaves open where the next message begins."""
    error = fault(HEAD + lengths + b"\r\n" + OPTIONS)
    assert (error.status, error.reason) == (400, reason)
    assert error.request is not None
    assert error.request.call_id == "1"


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (HEAD + b"Content-Length: 65535\r\n\r\n", "Message too large"),
        (HEAD + b"X: " + b"a" * MAX_MESSAGE, "Header fields too large"),
    ],
)
def test_messages_are_bounded(stream: bytes, reason: str) -> None:
    """A message that is or will be too large ends the stream before it is collected."""
    error = fault(stream)
    assert (error.status, error.reason) == (513, reason)
    assert error.request is not None


def test_the_largest_message_passes() -> None:
    """The bound is on the whole message, and inclusive."""
    framer = StreamFramer(len(OPTIONS))
    assert framer.feed(OPTIONS) == [OPTIONS]
    with pytest.raises(Unframable):
        framer.feed(OPTIONS.replace(b"a@b", b"aa@b", 1))


def test_what_came_before_a_fault_is_not_lost() -> None:
    """The messages that were complete come with the error that ends the connection."""
    error = fault(OPTIONS + b"\r\n\r\n" + HEAD + b"\r\n")
    assert error.complete == [OPTIONS, KeepAlive.PING]


def test_a_lost_stream_stays_lost() -> None:
    """After a fault, whatever else arrives is no message."""
    framer = StreamFramer()
    for _ in range(3):
        with pytest.raises(Unframable):
            framer.feed(HEAD + b"\r\n" + OPTIONS)


def test_noise_ends_a_stream_without_an_answer() -> None:
    """Another protocol's request is no SIP to answer."""
    assert fault(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").request is None
