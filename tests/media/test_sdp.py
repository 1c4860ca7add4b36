"""Session descriptions (RFC 8866): parse and str are inverses, and no input costs much."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.session_description import (
    MAX_BYTES,
    MAX_FORMATS,
    MAX_LINES,
    MAX_MEDIA,
    Connection,
    Direction,
    MalformedSdp,
    MediaDescription,
    Origin,
    RtpMap,
    SessionDescription,
)
from tests.cost import cost

RFC_8866_EXAMPLE = (
    b"v=0\r\n"
    b"o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n"
    b"s=Call to John Smith\r\n"
    b"i=SDP Offer #1\r\n"
    b"u=http://www.jdoe.example.com/home.html\r\n"
    b"e=Jane Doe <jane@jdoe.example.com>\r\n"
    b"p=+1 617 555-6011\r\n"
    b"c=IN IP4 198.51.100.1\r\n"
    b"t=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0\r\n"
    b"m=audio 49180 RTP/AVP 0\r\n"
    b"m=video 51372 RTP/AVP 99\r\n"
    b"c=IN IP6 2001:db8::2\r\n"
    b"a=rtpmap:99 h263-1998/90000\r\n"
)
"Section 5."

TELEPHONE = (
    b"v=0\r\n"
    b"o=- 8000 8000 IN IP4 192.0.2.1\r\n"
    b"s=SIP Call\r\n"
    b"c=IN IP4 192.0.2.1\r\n"
    b"b=AS:80\r\n"
    b"t=0 0\r\n"
    b"a=sendrecv\r\n"
    b"m=audio 16384 RTP/SAVP 8 0 101\r\n"
    b"i=the call\r\n"
    b"b=RS:0\r\n"
    b"a=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-16\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    b"a=ptime:20\r\n"
    b"a=maxptime:150\r\n"
)

HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def parse_audio(lines: bytes) -> MediaDescription:
    """The one medium of a description whose session part is ordinary."""
    (media,) = SessionDescription.parse(HEAD + lines).media
    return media


@pytest.mark.parametrize("data", [RFC_8866_EXAMPLE, TELEPHONE])
def test_a_description_is_written_as_it_was_read(data: bytes) -> None:
    """Every line of a well-formed description survives, in its place, known to us or not."""
    assert bytes(SessionDescription.parse(data)) == data


def test_the_fields_of_the_rfc_example() -> None:
    """What the example of RFC 8866 says is found where it belongs."""
    description = SessionDescription.parse(RFC_8866_EXAMPLE)
    assert description.origin == Origin("jdoe", "3724394400", "3724394405", Connection("IP4", "198.51.100.1"))
    assert description.name == "Call to John Smith"
    assert [(media.kind, media.port, media.formats) for media in description.media] == [
        ("audio", 49170, ("0",)),
        ("audio", 49180, ("0",)),
        ("video", 51372, ("99",)),
    ]
    hosts = [description.connection_of(media) for media in description.media]
    assert [str(host) for host in hosts] == [
        "IN IP4 198.51.100.1",
        "IN IP4 198.51.100.1",
        "IN IP6 2001:db8::2",
    ]


@pytest.mark.parametrize(
    "data",
    [
        TELEPHONE.replace(b"\r\n", b"\n"),
        TELEPHONE + b"\r\n\r\n",
        TELEPHONE.removesuffix(b"\r\n"),
        TELEPHONE.replace(b"a=sendrecv\r\n", b"\r\na=sendrecv \r\n"),
        TELEPHONE.replace(
            b"c=IN IP4 192.0.2.1\r\nb=AS:80\r\nt=0 0\r\n", b"t=0 0\r\nb=AS:80\r\nc=IN  IP4 192.0.2.1\r\n"
        ),
    ],
    ids=["bare line feeds", "blank lines after", "last line open", "blank line inside", "lines misplaced"],
)
def test_what_peers_get_wrong_is_forgiven(data: bytes) -> None:
    """Ends of lines, blank lines and the order within a section do not change what a description says."""
    ours, theirs = SessionDescription.parse(TELEPHONE), SessionDescription.parse(data)
    assert theirs.media == ours.media
    assert theirs.connection == ours.connection
    assert sorted(theirs.other) == sorted(ours.other)


def test_lines_left_out_take_their_defaults() -> None:
    """A description without s= and t= is read, and written with them."""
    description = SessionDescription.parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n")
    assert bytes(description) == b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"


def test_a_user_name_with_spaces_does_not_move_the_other_fields() -> None:
    """The fields of o= are counted from the right, as some peers put a full name in front."""
    origin = Origin.parse("John Doe 1 2 IN IP6 ::1")
    assert (origin.username, origin.session_id, origin.version) == ("John Doe", "1", "2")


def test_text_in_any_encoding_survives() -> None:
    """A session name that is not UTF-8 comes out as the same bytes."""
    data = HEAD.replace(b"s=-", b"s=caf\xe9 \xc3\xa9")
    assert bytes(SessionDescription.parse(data)) == data


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "does not begin with v=0"),
        (b"v=1\r\no=- 1 1 IN IP4 192.0.2.1\r\n", "does not begin with v=0"),
        (b"o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", "does not begin with v=0"),
        (b"v=0\r\ns=-\r\n", "no o= line"),
        (HEAD + b"o=- 1 1 IN IP4 192.0.2.1\r\n", "more than one o= line"),
        (HEAD + b"c=IN IP4 192.0.2.1\r\n", "more than one c= line"),
        (HEAD + b"sendrecv\r\n", "line 6 is not"),
        (HEAD + b" a=sendrecv\r\n", "line 6 is not"),
        (HEAD + b"a=x\ry\r\n", "carriage return"),
        (HEAD + b"a=x\0\r\n", "zero byte"),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", "o= should have six fields"),
        (b"v=0\r\no=- 1 1 ATM NSAP 47.0091\r\n", "o= should have six fields"),
        (b"v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4\r\n", "c= should read"),
        (b"v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP5 192.0.2.1\r\n", "c= should read"),
        (HEAD + b"m=audio 16384 RTP/AVP 0\r\nc=192.0.2.1\r\n", "c= should read"),
        (HEAD + b"m=audio 16384 RTP/AVP\r\n", "m= should have"),
        (HEAD + b"m=audio 65536 RTP/AVP 0\r\n", "port"),
        (HEAD + b"m=audio -1 RTP/AVP 0\r\n", "port"),
        (HEAD + b"m=audio 16384/0 RTP/AVP 0\r\n", "port"),
        (HEAD + b"m=audio 1e3 RTP/AVP 0\r\n", "port"),
        (HEAD + "m=audio ٣ RTP/AVP 0\r\n".encode(), "port"),
        (HEAD + b"m=audio " + b"9" * 5000 + b" RTP/AVP 0\r\n", "port"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(data: bytes, what: str) -> None:
    """What cannot be a description, or leaves open where media goes, says so in its error."""
    with pytest.raises(MalformedSdp, match=what):
        SessionDescription.parse(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (HEAD + b"a=x\r\n" * (MAX_LINES - 4), "lines"),
        (HEAD + b"m=audio 0 RTP/AVP 0\r\n" * (MAX_MEDIA + 1), "m= lines"),
        (HEAD + b"m=audio 9 RTP/AVP" + b" 0" * (MAX_FORMATS + 1), "formats"),
        (HEAD + b"a=" + b"x" * MAX_BYTES, "longer"),
    ],
)
def test_sizes_are_bounded(data: bytes, what: str) -> None:
    """Bytes, lines, streams and formats have limits, and the limits themselves are allowed."""
    with pytest.raises(MalformedSdp, match=what):
        SessionDescription.parse(data)


def test_the_limits_themselves_are_allowed() -> None:
    """As many streams and formats as are allowed are read."""
    medium = b"m=audio 9 RTP/AVP" + b" 0" * MAX_FORMATS + b"\r\n"
    description = SessionDescription.parse(HEAD + medium * MAX_MEDIA)
    assert [len(media.formats) for media in description.media] == [MAX_FORMATS] * MAX_MEDIA


def test_payload_types_without_rtpmap_mean_what_rfc_3551_says() -> None:
    """Static payload types need no a=rtpmap; others without one mean nothing."""
    assert parse_audio(b"m=audio 9 RTP/AVP 18 0 8 96 x 999\r\n").encodings() == {
        18: RtpMap("G729", 8000),
        0: RtpMap("PCMU", 8000),
        8: RtpMap("PCMA", 8000),
    }


def test_rtpmap_wins_over_the_static_table() -> None:
    """What the peer says of a payload type counts, in the order of its m= line."""
    media = parse_audio(
        b"m=audio 9 RTP/AVP 97 0\r\n"
        b"a=rtpmap:0 pcma/8000/1\r\na=rtpmap: 97\topus/48000/2\r\na=rtpmap:98 x/1\r\n"
    )
    assert list(media.encodings().items()) == [
        (97, RtpMap("opus", 48000, 2)),
        (0, RtpMap("pcma", 8000)),
    ]


@pytest.mark.parametrize(
    "text", ["", "PCMU", "PCMU/", "/8000", "PCMU/x", "PCMU/0", "PCMU/8000/0", "PCMU/8000/", "PCMU/9999999999"]
)
def test_an_rtpmap_without_sense_spoils_only_itself(text: str) -> None:
    """A bad a=rtpmap leaves its payload type unknown and the rest of the line alone."""
    media = parse_audio(f"m=audio 9 RTP/AVP 96 8\r\na=rtpmap:96 {text}\r\na=rtpmap\r\n".encode())
    assert media.encodings() == {8: RtpMap("PCMA", 8000)}


@pytest.mark.parametrize(
    ("session", "media", "direction"),
    [
        (b"", b"", Direction.SENDRECV),
        (b"a=sendonly\r\n", b"", Direction.SENDONLY),
        (b"a=sendonly\r\n", b"a=inactive\r\n", Direction.INACTIVE),
        (b"a=inactive\r\n", b"a=ptime:20\r\na=sendrecv\r\n", Direction.SENDRECV),
        (b"", b"a=recvonly \r\n", Direction.RECVONLY),
    ],
)
def test_the_direction_of_the_stream_goes_before_that_of_the_session(
    session: bytes, media: bytes, direction: Direction
) -> None:
    """RFC 8866 section 6.7: the media level, else the session level, else sendrecv."""
    description = SessionDescription.parse(HEAD + session + b"m=audio 9 RTP/AVP 0\r\n" + media)
    assert description.direction_of(description.media[0]) is direction


def test_directions_compose() -> None:
    """A direction is its two halves; reversing twice changes nothing, and within is the common part."""
    for direction in Direction:
        assert Direction.of(direction.sends, direction.receives) is direction
        assert direction.reverse.reverse is direction
        assert direction.within(Direction.SENDRECV) is direction
        assert direction.within(Direction.INACTIVE) is Direction.INACTIVE
    for one, other in product(Direction, Direction):
        assert one.within(other) is other.within(one)
        assert one.within(other).sends == (one.sends and other.sends)


def test_null_addresses_are_told_from_others() -> None:
    """0.0.0.0 and :: are the hold of RFC 2543; names and multicast groups are not."""
    hosts = ["0.0.0.0", "::", "192.0.2.1", "host.invalid", "233.252.0.1/127"]
    assert [Connection.to(host).is_null for host in hosts] == [True, True, False, False, False]


words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=20)
connections = st.builds(Connection, st.sampled_from(["IP4", "IP6"]), words)
attribute_names = words.map(lambda word: word.replace(":", "-"))
attributes = st.lists(st.tuples(attribute_names, st.none() | texts), max_size=6).map(tuple)


def other_lines(*groups: str) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Lines of the given letters, group after group."""
    lists = [st.lists(st.tuples(st.sampled_from(group), texts), max_size=3) for group in groups]
    return st.tuples(*lists).map(lambda parts: tuple(line for part in parts for line in part))


media_descriptions = st.builds(
    MediaDescription,
    kind=words,
    port=st.integers(0, 65535),
    protocol=words,
    formats=st.lists(words, min_size=1, max_size=8).map(tuple),
    connections=st.lists(connections, max_size=2).map(tuple),
    attributes=attributes,
    other=other_lines("i", "bk"),
    ports=st.integers(1, 99999),
)
descriptions = st.builds(
    SessionDescription,
    origin=st.builds(Origin, words, words, words, connections),
    media=st.lists(media_descriptions, max_size=4).map(tuple),
    connection=st.none() | connections,
    attributes=attributes,
    name=texts,
    other=other_lines("iuep", "btrzk").filter(bool),
)


@given(descriptions)
def test_parse_reads_what_bytes_wrote(description: SessionDescription) -> None:
    """Any description, however odd its words, is read back as the same value."""
    assert SessionDescription.parse(bytes(description)) == description


lines_of_any_kind = st.lists(
    st.one_of(
        st.sampled_from(TELEPHONE.split(b"\r\n") + RFC_8866_EXAMPLE.split(b"\r\n")),
        st.binary(max_size=30),
        st.tuples(st.sampled_from(b"vosiuepcbtrzkam"), st.binary(max_size=20)).map(
            lambda line: bytes([line[0]]) + b"=" + line[1]
        ),
    ),
    max_size=30,
)


@given(st.sampled_from([b"", HEAD]), lines_of_any_kind)
def test_any_bytes_are_read_or_refused(head: bytes, lines: list[bytes]) -> None:
    """Any bytes are a description that reads back as itself, or `MalformedSdp`, and nothing else happens."""
    try:
        description = SessionDescription.parse(head + b"\r\n".join(lines))
    except MalformedSdp:
        return
    assert SessionDescription.parse(bytes(description)) == description
    for media in description.media:
        media.encodings()


def filled(line: bytes) -> bytes:
    """A description as long as it may be, by repeating one piece."""
    return HEAD + line * ((MAX_BYTES - len(HEAD)) // len(line))


WORST = {
    "empty lines": filled(b"\n"),
    "short attributes": filled(b"a=\n"),
    "carriage returns": filled(b"\r"),
    "streams": filled(b"m=audio 9 RTP/AVP 0\r\n"),
    "one line": filled(b"x"),
    "formats": HEAD + b"m=audio 9 RTP/AVP" + b" 0" * 32_000,
    "spaces": HEAD + b"m=audio 9 RTP/AVP" + b" " * 64_000,
    "digits": HEAD + b"m=audio " + b"9" * 64_000 + b" RTP/AVP 0",
    "colons": HEAD + b"m=audio 9 RTP/AVP 0\r\na=rtpmap:" + b":" * 64_000,
    "slashes": HEAD + b"m=audio 9 RTP/AVP 0\r\na=rtpmap:0 " + b"/" * 64_000,
    "address": b"v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP6 " + b"1:" * 32_000 + b"\r\nm=audio 9 RTP/AVP 0\r\n",
    "rtpmaps": HEAD
    + b"m=audio 9 RTP/AVP 0\r\n"
    + b"a=rtpmap:96 some-long-encoding-name-that-nobody-knows/8000\r\n" * 990,
    "full streams": HEAD
    + (b"m=audio 9 RTP/AVP " + b" ".join(b"%d" % one for one in range(127)) + b"\r\n") * 31,
    "origin": b"v=0\r\no=" + b"- " * 32_000,
    "not utf-8": filled(b"\xff"),
}


@pytest.mark.parametrize("data", WORST.values(), ids=WORST.keys())
def test_the_worst_input_takes_little_time(data: bytes) -> None:
    """64 kB of anything are read, or refused, in less than 5 ms."""
    assert cost(lambda: read(data)) < 5


def read(data: bytes) -> None:
    """From the bytes to what each stream offers, or to the refusal."""
    try:
        description = SessionDescription.parse(data)
        for media in description.media:
            description.connection_of(media)
            media.encodings()
    except MalformedSdp:
        pass
