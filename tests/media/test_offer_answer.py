"""Offers and answers (RFC 3264): what both sides said decides what holds, and nothing else does."""

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.codecs import PCMA, PCMU, Codec
from gateway.media.sdp import (
    Capabilities,
    Direction,
    Negotiated,
    NotAcceptable,
    SessionDescription,
    apply_answer,
    make_answer,
    make_offer,
)
from tests.cost import cost

BOTH = Capabilities((PCMU, PCMA))
OURS = "198.51.100.9"
OURS_IPV6 = "2001:db8::9"
PORT = 30_000
SESSION_ID = 4711

PLAIN = "m=audio 4000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n"


def describe(media: str, *, connection: str = "IN IP4 192.0.2.1", session: str = "") -> SessionDescription:
    """A peer's description with this `m=` line and those after it."""
    c = f"c={connection}\n" if connection else ""
    return SessionDescription.parse(
        f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n{c}t=0 0\n{session}{media}".encode()
    )


def answer(
    offer: SessionDescription,
    capabilities: Capabilities = BOTH,
    direction: Direction = Direction.SENDRECV,
    address: str = OURS,
) -> tuple[SessionDescription, Negotiated]:
    """Our answer to the offer, from an ordinary port."""
    return make_answer(offer, capabilities, address, PORT, SESSION_ID, 1, direction)


def offer_of_ours(
    capabilities: Capabilities = BOTH,
    direction: Direction = Direction.SENDRECV,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """Our offer, from an ordinary port."""
    return make_offer(capabilities, OURS, PORT, SESSION_ID, 0, direction, previous=previous)


def refusal(
    offer: SessionDescription, capabilities: Capabilities = BOTH, address: str = OURS
) -> NotAcceptable:
    """How the offer is refused."""
    with pytest.raises(NotAcceptable) as caught:
        answer(offer, capabilities, address=address)
    return caught.value


def test_an_answer_as_it_goes_out() -> None:
    """The first codec of the offer that we have, events under the offer's number, everything spelled out."""
    described, negotiated = answer(describe(PLAIN))
    assert bytes(described) == (
        b"v=0\r\n"
        b"o=- 4711 1 IN IP4 198.51.100.9\r\n"
        b"s=-\r\n"
        b"c=IN IP4 198.51.100.9\r\n"
        b"t=0 0\r\n"
        b"m=audio 30000 RTP/AVP 0 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n"
        b"a=fmtp:101 0-15\r\n"
        b"a=ptime:20\r\n"
        b"a=sendrecv\r\n"
    )
    assert negotiated == Negotiated(
        codec=PCMU,
        payload_type=0,
        event_payload_type=101,
        receives=((0, PCMU),),
        receives_events=((101, 8000),),
        ptime_ms=20,
        remote_host="192.0.2.1",
        remote_port=4000,
        remote_rtcp=("192.0.2.1", 4001),
        direction=Direction.SENDRECV,
        on_hold=False,
        media_index=0,
        rtcp_mux=False,
    )


def test_an_offer_as_it_goes_out() -> None:
    """Our offer lists the trunk's codecs in its order, then events."""
    assert bytes(offer_of_ours(Capabilities((PCMA, PCMU), event_payload_type=96, ptime_ms=30))) == (
        b"v=0\r\n"
        b"o=- 4711 0 IN IP4 198.51.100.9\r\n"
        b"s=-\r\n"
        b"c=IN IP4 198.51.100.9\r\n"
        b"t=0 0\r\n"
        b"m=audio 30000 RTP/AVP 8 0 96\r\n"
        b"a=rtpmap:8 PCMA/8000\r\n"
        b"a=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:96 telephone-event/8000\r\n"
        b"a=fmtp:96 0-15\r\n"
        b"a=ptime:30\r\n"
        b"a=sendrecv\r\n"
    )


@pytest.mark.parametrize(("formats", "chosen"), [("0 8", 0), ("8 0", 8), ("18 3 8 0", 8), ("18 0", 0)])
def test_the_order_of_the_offer_chooses_the_codec(formats: str, chosen: int) -> None:
    """The answerer SHOULD follow the offerer's preference (RFC 3264 section 6.1)."""
    capabilities = Capabilities((PCMA, PCMU))
    described, negotiated = answer(describe(f"m=audio 4000 RTP/AVP {formats}\n"), capabilities)
    assert negotiated.payload_type == chosen
    assert described.media[0].formats == (str(chosen),)


def test_dynamic_payload_types_are_the_offers() -> None:
    """PCMU, PCMA and events may come under any number, and are answered and sent under it."""
    offered = describe(
        "m=audio 4000 RTP/AVP 110 120 96\n"
        "a=rtpmap:110 pcma/8000\na=rtpmap:120 PCMU/8000/1\na=rtpmap:96 Telephone-Event/8000\n"
    )
    described, negotiated = answer(offered)
    assert described.media[0].formats == ("110", "96")
    assert described.media[0].attribute("rtpmap") == "110 PCMA/8000"
    assert (negotiated.codec, negotiated.payload_type) == (PCMA, 110)
    assert negotiated.receives == ((110, PCMA),)
    assert negotiated.event_payload_type == 96
    assert negotiated.receives_events == ((96, 8000),)


@pytest.mark.parametrize(
    ("formats", "rtpmaps", "events"),
    [
        ("0", "", None),
        ("0 101", "", None),
        ("0 101", "a=rtpmap:101 telephone-event/48000\n", None),
        ("0 100 101", "a=rtpmap:100 telephone-event/16000\na=rtpmap:101 telephone-event/8000\n", 101),
        ("0 96", "a=rtpmap:96 telephone-event/8000\na=fmtp:96 0-15\n", 96),
    ],
)
def test_events_need_the_clock_of_the_codec(formats: str, rtpmaps: str, events: int | None) -> None:
    """Of several telephone-events the one at the codec's rate is taken, and none that was not offered."""
    described, negotiated = answer(describe(f"m=audio 4000 RTP/AVP {formats}\n{rtpmaps}"))
    assert negotiated.event_payload_type == events
    assert negotiated.receives_events == (() if events is None else ((events, 8000),))
    assert (described.media[0].attribute("fmtp") is not None) == (events is not None)


def test_events_are_left_out_where_the_trunk_has_none() -> None:
    """Without telephone-event among our capabilities it is neither offered nor answered."""
    capabilities = Capabilities((PCMU,), telephone_event=False)
    assert answer(describe(PLAIN), capabilities)[0].media[0].formats == ("0",)
    assert offer_of_ours(capabilities).media[0].formats == ("0",)


@pytest.mark.parametrize(
    ("attributes", "ptime"),
    [
        ("", 20),
        ("a=ptime:10\n", 10),
        ("a=ptime:30\na=maxptime:150\n", 30),
        ("a=ptime:60\n", 60),
        ("a=ptime:25.0\n", 20),
        ("a=maxptime:10\n", 10),
        ("a=ptime:40\na=maxptime:20\n", 20),
        ("a=ptime:5\n", 10),
        ("a=ptime:200\n", 60),
        ("a=ptime:0\n", 20),
        ("a=ptime:soon\n", 20),
        ("a=ptime\n", 20),
        ("a=ptime:99999999999999999999\n", 20),
    ],
)
def test_the_packet_time_is_the_peers_within_bounds(attributes: str, ptime: int) -> None:
    """Asked for 10 to 60 ms in tens, we send that and ask for the same; 20 otherwise; maxptime is obeyed."""
    described, negotiated = answer(describe(PLAIN + attributes))
    assert negotiated.ptime_ms == ptime
    assert described.media[0].attribute("ptime") == str(ptime)


HOLDS = [
    # what is offered, from which address, what we answer, whether that is a hold
    ("sendrecv", "192.0.2.1", "sendrecv", False),
    ("sendonly", "192.0.2.1", "recvonly", True),
    ("recvonly", "192.0.2.1", "sendonly", False),
    ("inactive", "192.0.2.1", "inactive", True),
    ("sendrecv", "0.0.0.0", "recvonly", True),
    ("sendonly", "0.0.0.0", "recvonly", True),
    ("recvonly", "0.0.0.0", "inactive", True),
    ("inactive", "0.0.0.0", "inactive", True),
    ("sendrecv", "::", "recvonly", True),
]


@pytest.mark.parametrize("level", ["session", "media"])
@pytest.mark.parametrize(("offered", "host", "answered", "on_hold"), HOLDS)
def test_hold_is_answered_with_what_it_leaves(
    offered: str, host: str, answered: str, on_hold: bool, level: str
) -> None:
    """The answer is the offer's direction seen from here, never sendrecv to anything less (section 6.1)."""
    connection = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    if level == "session":
        peer = describe(PLAIN, connection=connection, session=f"a={offered}\n")
    else:
        peer = describe(f"{PLAIN}c={connection}\na={offered}\n", session="a=sendrecv\n")
    described, negotiated = answer(peer)
    assert negotiated.direction == answered
    assert described.media[0].flag(answered)
    assert negotiated.on_hold is on_hold


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nothing_is_sent_to_the_null_address(host: str) -> None:
    """A peer that gives the null address gets neither RTP nor RTCP (RFC 3264 section 8.4)."""
    _, negotiated = answer(describe(PLAIN, connection=f"IN {'IP6' if ':' in host else 'IP4'} {host}"))
    assert negotiated.remote is None
    assert negotiated.remote_rtcp is None
    assert not negotiated.direction.sends


def test_hold_and_resume_within_a_call() -> None:
    """Each offer is answered for what it says itself: audio flows again after the resume."""
    directions = ["sendrecv", "sendonly", "sendrecv", "inactive", "sendrecv"]
    seen = [answer(describe(f"{PLAIN}a={one}\n"))[1] for one in directions]
    assert [one.direction for one in seen] == ["sendrecv", "recvonly", "sendrecv", "inactive", "sendrecv"]
    assert [one.on_hold for one in seen] == [False, True, False, True, False]
    assert seen[0] == seen[2] == seen[4]


@pytest.mark.parametrize("offered", list(Direction))
@pytest.mark.parametrize("wanted", list(Direction))
def test_an_answer_never_takes_more_than_either_side_wants(offered: Direction, wanted: Direction) -> None:
    """We send only if the peer receives and we want to, and the other way round."""
    _, negotiated = answer(describe(f"{PLAIN}a={offered}\n"), direction=wanted)
    assert negotiated.direction.sends == (offered.receives and wanted.sends)
    assert negotiated.direction.receives == (offered.sends and wanted.receives)


def test_every_other_stream_is_refused_in_its_place() -> None:
    """Count and order of the m= lines stay; one audio stream is taken, the rest get port 0 (section 6)."""
    offered = describe(
        "m=video 5000 RTP/AVP 96 97\na=rtpmap:96 H264/90000\n"
        "m=audio 5002 RTP/SAVPF 0\n"
        "m=audio 0 RTP/AVP 0\n"
        "m=audio 5004 RTP/AVP 18\n"
        "m=audio 5006/2 RTP/AVP 0\n"
        "m=audio 5008 RTP/AVPF 0\n"
        "m=audio 5010 RTP/AVP 0\n"
        "m=image 5012 udptl t38\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"
    )
    described, negotiated = answer(offered)
    assert [(media.kind, media.port, media.protocol, media.formats) for media in described.media] == [
        ("video", 0, "RTP/AVP", ("96",)),
        ("audio", 0, "RTP/SAVPF", ("0",)),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("audio", 0, "RTP/AVP", ("18",)),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("audio", PORT, "RTP/AVPF", ("0",)),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("image", 0, "udptl", ("t38",)),
        ("application", 0, "UDP/DTLS/SCTP", ("webrtc-datachannel",)),
    ]
    assert (negotiated.media_index, negotiated.remote_port) == (5, 5008)


@pytest.mark.parametrize(
    ("media", "why", "warning"),
    [
        ("", "no m= line", 304),
        ("m=video 4000 RTP/AVP 96\n", "video is not carried", 304),
        ("m=audio 0 RTP/AVP 0\n", "port 0", 399),
        ("m=audio 4000 RTP/SAVP 0\n", "RTP/SAVP is not carried", 302),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\n", "UDP/TLS/RTP/SAVPF is not carried", 302),
        ("m=audio 4000 RTP/AVP 18 3\n", "the peer has G729, GSM, we take PCMU, PCMA", 305),
        ("m=audio 4000 RTP/AVP 96\n", "the peer has no known codec", 305),
        ("m=audio 4000 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n", "no common codec", 305),
        ("m=audio 4000 RTP/AVP 96\na=rtpmap:96 PCMU/8000/2\n", "no common codec", 305),
        ("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", "no common codec", 305),
        ("m=video 4000 RTP/AVP 96\nm=audio 4000 RTP/AVP 18\n", "^no common codec", 305),
    ],
)
def test_without_a_stream_that_we_carry_the_offer_is_refused(media: str, why: str, warning: int) -> None:
    """The refusal says why, the audio's reason first, and has the Warning code that says the same."""
    error = refusal(describe(media))
    assert error.warning == warning
    with pytest.raises(NotAcceptable, match=why):
        raise error


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("233.252.0.1/127", "not one host"),
        ("ff02::1", "not one host"),
        ("255.255.255.255", "not one host"),
        ("240.0.0.1", "not one host"),
        ("999.1.1.1", "nor a name"),
        ("192.0.2.010", "nor a name"),
        ("127.1", "nor a name"),
        ("2130706433", "nor a name"),
        ("0x7f.1", "nor a name"),
        ("-.example", "nor a name"),
        ("a..b", "nor a name"),
        ("x" * 64 + ".example", "nor a name"),
        (".".join(["x" * 60] * 5), "nor a name"),
        ("fe80::1%eth0", "nor a name"),
        ("[2001:db8::1]", "nor a name"),
        ("2001:db8::1", "IPv6, but ours is IPv4"),
    ],
)
def test_media_goes_to_one_host_that_we_can_reach(host: str, why: str) -> None:
    """Groups, broadcast, names and addresses of the other family are refused."""
    error = refusal(describe(PLAIN, connection=f"IN {'IP6' if ':' in host else 'IP4'} {host}"))
    assert error.warning == 301
    assert why in str(error)


def test_a_stream_without_connection_data_is_refused() -> None:
    """Media has nowhere to go when neither the session nor the stream has a c= line."""
    assert "no c= line" in str(refusal(describe(PLAIN, connection="")))


def test_words_of_the_peer_are_fit_for_a_log_line() -> None:
    """A refusal quotes the peer in printable ASCII, and little of it."""
    text = str(refusal(describe(f"m=audio 4000 RTP/AVP 96\na=rtpmap:96 \x1b[31mé{'x' * 4000}/8000\n")))
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 100


def test_a_refusal_of_many_streams_stays_short() -> None:
    """However many streams are refused, the reason is one line."""
    streams = "".join(f"m=stream{index} 4000 RTP/AVP 0\n" for index in range(32))
    assert len(str(refusal(describe(streams)))) < 120


def test_ipv6_is_answered_with_ipv6() -> None:
    """Both o= and c= of the answer name our IPv6 address, without brackets."""
    described, negotiated = answer(describe(PLAIN, connection="IN IP6 2001:db8::1"), address=OURS_IPV6)
    assert b"o=- 4711 1 IN IP6 2001:db8::9\r\n" in bytes(described)
    assert b"c=IN IP6 2001:db8::9\r\n" in bytes(described)
    assert negotiated.remote == ("2001:db8::1", 4000)


@pytest.mark.parametrize(
    ("line", "remote"),
    [
        ("a=rtcp:5000\n", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 192.0.2.1\n", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 203.0.113.66\n", ("192.0.2.1", 5000)),
        ("a=rtcp:0\n", ("192.0.2.1", 4001)),
        ("a=rtcp:70000\n", ("192.0.2.1", 4001)),
        ("a=rtcp\n", ("192.0.2.1", 4001)),
        ("a=rtcp-mux\n", ("192.0.2.1", 4001)),
    ],
)
def test_reports_go_to_the_port_that_the_peer_names(line: str, remote: tuple[str, int]) -> None:
    """a=rtcp gives the port (RFC 3605), else it is one above RTP's; never another host's."""
    assert answer(describe(PLAIN + line))[1].remote_rtcp == remote


def test_the_highest_port_has_none_above_it() -> None:
    """RTP on port 65535 does not send reports to a port that does not exist."""
    assert answer(describe("m=audio 65535 RTP/AVP 0\n"))[1].remote_rtcp == ("192.0.2.1", 65535)


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("offered", [True, False])
def test_rtcp_shares_the_port_only_when_both_sides_say_so(able: bool, offered: bool) -> None:
    """rtcp-mux is answered only if it was offered and we can do it (RFC 5761 section 5.1.1)."""
    peer = describe(PLAIN + ("a=rtcp-mux\n" if offered else ""))
    described, negotiated = answer(peer, replace(BOTH, rtcp_mux=able))
    assert negotiated.rtcp_mux == described.media[0].flag("rtcp-mux") == (able and offered)
    assert negotiated.remote_rtcp == ("192.0.2.1", 4000 if able and offered else 4001)


def test_an_answer_to_our_offer() -> None:
    """We send the answer's first codec under the answer's numbers, and hear under those of our offer."""
    theirs = describe("m=audio 4000 RTP/AVP 8 0 96\na=rtpmap:96 telephone-event/8000\na=ptime:30\n")
    negotiated = apply_answer(offer_of_ours(), theirs)
    assert (negotiated.codec, negotiated.payload_type) == (PCMA, 8)
    assert negotiated.receives == ((8, PCMA), (0, PCMU))
    assert (negotiated.event_payload_type, negotiated.receives_events) == (96, ((101, 8000),))
    assert negotiated.ptime_ms == 30
    assert negotiated.remote == ("192.0.2.1", 4000)


def test_an_answer_with_one_codec_is_heard_in_that_one() -> None:
    """What the answer leaves out is not expected to arrive."""
    negotiated = apply_answer(offer_of_ours(), describe("m=audio 4000 RTP/AVP 8\n"))
    assert negotiated.receives == ((8, PCMA),)
    assert (negotiated.event_payload_type, negotiated.receives_events) == (None, ())


def test_an_answer_need_not_repeat_what_numbers_mean() -> None:
    """A payload type of the answer without a=rtpmap means what our offer said."""
    negotiated = apply_answer(offer_of_ours(), describe("m=audio 4000 RTP/AVP 8 101\n"))
    assert negotiated.event_payload_type == 101


def test_an_answer_without_a_packet_time_gets_the_offered_one() -> None:
    """The packet time of our offer holds unless the answer asks for another."""
    offered = offer_of_ours(replace(BOTH, ptime_ms=40))
    assert apply_answer(offered, describe("m=audio 4000 RTP/AVP 8\n")).ptime_ms == 40


def test_events_that_we_did_not_offer_are_not_sent() -> None:
    """An answer cannot add telephone-events to an offer without them (section 6.1)."""
    offered = offer_of_ours(replace(BOTH, telephone_event=False))
    assert apply_answer(offered, describe(PLAIN)).event_payload_type is None


@pytest.mark.parametrize(
    ("media", "why"),
    [
        ("", "no stream in the place of ours"),
        ("m=audio 0 RTP/AVP 0\n", "port 0"),
        ("m=video 4000 RTP/AVP 0\n", "video is not carried"),
        ("m=audio 4000 RTP/SAVP 0\n", "RTP/SAVP"),
        ("m=audio 4000 RTP/AVP 18\n", "no common codec: the peer has G729, we take PCMU"),
        ("m=audio 4000 RTP/AVP 8\n", "no common codec: the peer has PCMA, we take PCMU"),
    ],
)
def test_an_answer_that_we_cannot_carry_ends_the_call(media: str, why: str) -> None:
    """An answer that refuses our stream, or takes what was not offered, is not acceptable."""
    with pytest.raises(NotAcceptable, match=why):
        apply_answer(offer_of_ours(Capabilities((PCMU,))), describe(media))


def test_an_answer_with_more_streams_than_offered_is_forgiven() -> None:
    """Streams that were never offered do not cost the call."""
    assert apply_answer(offer_of_ours(), describe(PLAIN + "m=video 5000 RTP/AVP 96\n")).payload_type == 0


@pytest.mark.parametrize(
    ("offered", "answered", "direction"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "recvonly", "sendonly"),
        ("sendonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_the_answers_direction_is_seen_from_our_side(offered: str, answered: str, direction: str) -> None:
    """What holds is what the answer allows, and never more than we offered."""
    theirs = describe(f"{PLAIN}a={answered}\n")
    assert apply_answer(offer_of_ours(direction=Direction(offered)), theirs).direction == direction


def test_a_later_offer_keeps_the_places_and_the_payload_types() -> None:
    """Our re-INVITE has every stream that the call ever had, and its numbers mean what they meant."""
    first, _ = answer(
        describe(
            "m=video 5000 RTP/AVP 101\n"
            "m=audio 4000 RTP/AVP 120 97\na=rtpmap:120 PCMA/8000\na=rtpmap:97 telephone-event/8000\n"
        )
    )
    later = offer_of_ours(direction=Direction.SENDONLY, previous=first)
    assert [(media.kind, media.port, media.formats) for media in later.media] == [
        ("video", 0, ("101",)),
        ("audio", PORT, ("0", "120", "97")),
    ]
    negotiated = apply_answer(
        later, describe("m=video 0 RTP/AVP 101\nm=audio 4000 RTP/AVP 120\na=recvonly\n")
    )
    assert (negotiated.media_index, negotiated.codec, negotiated.payload_type) == (1, PCMA, 120)
    assert negotiated.direction is Direction.SENDONLY


def test_a_later_offer_adds_a_stream_where_all_are_over() -> None:
    """When every stream has port 0, ours comes after them."""
    over = SessionDescription.parse(bytes(describe("m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 96\n")))
    assert [media.port for media in offer_of_ours(previous=over).media] == [0, 0, PORT]


def test_events_give_way_to_a_codec_under_their_number() -> None:
    """Where a codec has taken the number that events would get, they take the next free one."""
    first, _ = answer(describe("m=audio 4000 RTP/AVP 101\na=rtpmap:101 PCMU/8000\n"))
    assert offer_of_ours(previous=first).media[0].formats == ("101", "8", "96")


payload_types = st.lists(st.integers(0, 127), min_size=1, max_size=10, unique=True)
encodings = st.sampled_from(["PCMU/8000", "PCMA/8000", "telephone-event/8000", "G722/8000", "opus/48000/2"])


@st.composite
def streams(draw: st.DrawFn) -> str:
    """One `m=` line with all that may matter to an answer."""
    numbers = draw(payload_types)
    kind = draw(st.sampled_from(["audio", "audio", "audio", "video"]))
    profile = draw(st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP"]))
    lines = [f"m={kind} {draw(st.integers(0, 65535))} {profile} {' '.join(map(str, numbers))}"]
    lines += [f"a=rtpmap:{number} {draw(encodings)}" for number in numbers if draw(st.booleans())]
    lines += [f"a=ptime:{draw(st.integers(0, 200))}"] if draw(st.booleans()) else []
    lines += [f"a={draw(st.sampled_from(list(Direction)))}"] if draw(st.booleans()) else []
    lines += ["c=IN IP4 0.0.0.0"] if draw(st.booleans()) else []
    return "".join(f"{line}\n" for line in lines)


@given(st.lists(streams(), min_size=1, max_size=5), st.sampled_from(list(Direction)))
def test_what_the_answer_says_is_what_we_do(media: list[str], wanted: Direction) -> None:
    """Any offer is refused, or answered with its streams in place and with exactly what was negotiated."""
    offered = describe("".join(media))
    try:
        described, negotiated = answer(offered, direction=wanted)
    except NotAcceptable:
        return
    assert SessionDescription.parse(bytes(described)) == described
    assert [one.kind for one in described.media] == [one.kind for one in offered.media]
    (index,) = (index for index, one in enumerate(described.media) if one.port)
    live, theirs = described.media[index], offered.media[index]
    assert index == negotiated.media_index
    assert set(live.formats) <= set(theirs.formats)
    assert live.protocol == theirs.protocol
    assert described.direction_of(live) is negotiated.direction
    assert negotiated.direction.within(offered.direction_of(theirs).reverse) is negotiated.direction
    assert 10 <= negotiated.ptime_ms <= 60


@given(
    st.permutations([PCMU, PCMA]),
    st.permutations([PCMU, PCMA]),
    st.sampled_from(list(Direction)),
    st.sampled_from(list(Direction)),
    st.booleans(),
)
def test_both_sides_of_a_negotiation_agree(
    caller: list[Codec], callee: list[Codec], offers: Direction, answers: Direction, mux: bool
) -> None:
    """Two of us, one offering and one answering, end up with the same codec and with matching directions."""
    offered = make_offer(Capabilities(caller, rtcp_mux=mux), OURS, PORT, 1, 0, offers)
    described, theirs = make_answer(
        offered, Capabilities(callee, rtcp_mux=True), "192.0.2.1", 4000, 2, 0, answers
    )
    ours = apply_answer(offered, SessionDescription.parse(bytes(described)))
    assert (
        (ours.codec, ours.payload_type)
        == (theirs.codec, theirs.payload_type)
        == (caller[0], caller[0].payload_type)
    )
    assert ours.direction is theirs.direction.reverse
    assert (ours.event_payload_type, ours.rtcp_mux) == (theirs.event_payload_type, mux)
    assert (ours.remote, theirs.remote) == (("192.0.2.1", 4000), (OURS, PORT))


def test_the_worst_offer_is_answered_in_little_time() -> None:
    """64 kB of streams, payload types and attributes are refused in some 4 ms, reading included."""
    formats = " ".join(str(number) for number in range(96, 128))
    rtpmaps = "".join(f"a=rtpmap:{number} telephone-event/8000\n" for number in range(96, 125))
    stream = f"m=audio 4000 RTP/AVP {formats}\n{rtpmaps}"
    data = bytes(describe(stream * 32))
    assert cost(lambda: refuse(data)) < 15, "generous: what it costs is only not to explode"


def refuse(data: bytes) -> None:
    """From the bytes of an offer to its refusal."""
    with pytest.raises(NotAcceptable):
        answer(SessionDescription.parse(data))


WITH_NOISE = "m=audio 4000 RTP/AVP 0 13 101\na=rtpmap:101 telephone-event/8000\n"


@pytest.mark.parametrize(("wish", "taken"), [("off", False), ("accept", True), ("offer", True)])
def test_comfort_noise_that_is_offered(wish: Literal["off", "accept", "offer"], taken: bool) -> None:
    """It is taken where it may be (RFC 3389), with or without its line in the offer, and never made up."""
    capabilities = Capabilities((PCMU,), comfort_noise=wish)
    answer, negotiated = make_answer(describe(WITH_NOISE), capabilities, OURS, PORT, 1, 0)
    assert negotiated.comfort_noise is taken
    assert (b"a=rtpmap:13 CN/8000" in bytes(answer)) is taken
    plain, negotiated = make_answer(describe("m=audio 4000 RTP/AVP 0\n"), capabilities, OURS, PORT, 1, 0)
    assert not negotiated.comfort_noise
    assert b"CN" not in bytes(plain)


@pytest.mark.parametrize("answered", [True, False])
def test_comfort_noise_that_we_offer(answered: bool) -> None:
    """It holds where the answer has it too."""
    offer = make_offer(Capabilities((PCMU,), comfort_noise="offer"), OURS, PORT, 1, 0)
    assert b"a=rtpmap:13 CN/8000" in bytes(offer)
    theirs = describe(WITH_NOISE if answered else WITH_NOISE.replace(" 13", ""))
    assert apply_answer(offer, theirs).comfort_noise is answered
    assert b"CN" not in bytes(make_offer(Capabilities((PCMU,), comfort_noise="accept"), OURS, PORT, 1, 0))
