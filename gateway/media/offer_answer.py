"""Offers and answers (RFC 3264): what two sides of a call agree on, as a plain function of what both said.

One audio stream is carried; every other stream of an offer is refused with port 0, in its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.media import comfort_noise
from gateway.media.carried_stream import NO_SUCH_MEDIA, NotAcceptable, Stream, carried, word
from gateway.media.codecs import CODECS, Codec
from gateway.media.session_description import (
    MAX_PORT,
    STATIC_PAYLOAD_TYPES,
    Attribute,
    Connection,
    Direction,
    MediaDescription,
    Origin,
    RtpMap,
    SessionDescription,
    number,
    parse_address,
)

TELEPHONE_EVENT = "telephone-event"
EVENTS = "0-15"
"The digits, *, # and A to D (RFC 4733 section 3.2)."

SHORTEST_PTIME, LONGEST_PTIME = 10, 60
"Milliseconds of audio in a packet that we are willing to send."

DYNAMIC_PAYLOAD_TYPES = range(96, 128)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What we can do on a trunk."""

    codecs: Sequence[Codec]
    "In the trunk's order: that of our offers."
    telephone_event: bool = True
    event_payload_type: int = 101
    "Of our offers; an answer takes the offer's."
    ptime_ms: int = 20
    "Audio in a packet, each way, unless the peer asks for another."
    comfort_noise: Literal["off", "accept", "offer"] = "off"
    """Whether the peer may send comfort noise (RFC 3389) when it asks to, or is asked to. One that may stops
    sending in pauses; some stop anyway, and then at least say what the pause should sound like."""
    rtcp_mux: bool = False
    "Whether RTCP may share the RTP port when the peer offers that, and whether we offer it (RFC 5761)."


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What holds for the audio of a call after an offer and its answer."""

    codec: Codec
    "Of the audio that we send."
    payload_type: int
    "That of `codec` in our packets."
    event_payload_type: int | None
    "That of telephone-events in our packets; None: the peer takes none."
    receives: tuple[tuple[int, Codec], ...]
    "Every payload type that audio may come in, ours first; the peer may switch without a word (section 5.1)."
    receives_events: tuple[tuple[int, int], ...]
    "Every payload type that telephone-events may come in, and its clock: one for each clock of a codec."
    ptime_ms: int
    "Audio in each packet that we send."
    remote_host: str
    "An address, or a name that has to be looked up (RFC 8866 section 5.7)."
    remote_port: int
    remote_rtcp: tuple[str, int] | None
    "Where our reports go; None where the peer gave the null address, to which nothing may be sent."
    direction: Direction
    "Ours: whether we send, whether audio will come."
    on_hold: bool
    "The peer wants to hear nothing."
    media_index: int
    "Which `m=` line the audio is."
    rtcp_mux: bool
    comfort_noise: bool = False
    "The peer may send comfort noise. We send none: our packets never stop."
    fmtp: str = ""
    "What the peer says of `codec` in `a=fmtp`; the codec alone can tell what it means."

    @property
    def remote(self) -> tuple[str, int] | None:
        """Where RTP goes; None where the peer gave the null address."""
        return None if self.remote_rtcp is None else (self.remote_host, self.remote_port)


def make_offer(
    capabilities: Capabilities,
    address: str,
    port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    *,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """Our offer of one audio stream.

    `previous` is our last description in the same call, if any: its streams keep their places, and
    its payload types keep their meaning (RFC 3264 sections 8 and 8.3.2).
    """
    audio = _offered_audio(capabilities, port, direction, previous)
    return SessionDescription(
        origin=Origin.of(address, session_id, version),
        connection=Connection.to(address),
        media=_in_place(audio, previous),
    )


def make_answer(
    offer: SessionDescription,
    capabilities: Capabilities,
    address: str,
    port: int,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
) -> tuple[SessionDescription, Negotiated]:
    """Our answer, and what now holds. Raises `NotAcceptable`, saying why for each stream.

    `direction` is what we would like; no more of it is answered than the offer leaves (section 6.1).
    """
    stream = _first_acceptable(offer, capabilities, address)
    negotiated = _negotiated(
        stream,
        _answered_formats(stream, capabilities),
        direction,
        capabilities.ptime_ms,
        rtcp_mux=capabilities.rtcp_mux and stream.media.flag("rtcp-mux"),
        noise=capabilities.comfort_noise != "off" and _has_noise(stream.encodings),
    )
    streams = [_refused(media) for media in offer.media]
    streams[stream.index] = _answered_audio(stream.media, negotiated, port)
    answer = SessionDescription(
        origin=Origin.of(address, session_id, version),
        connection=Connection.to(address),
        media=tuple(streams),
    )
    return answer, negotiated


def apply_answer(
    offer: SessionDescription, answer: SessionDescription, codecs: Iterable[Codec] = CODECS.values()
) -> Negotiated:
    """What holds after the peer's answer to our offer. Raises `NotAcceptable`: the call cannot go on.

    `codecs` are those that offers are made of. A peer that answers more, or fewer, streams than were offered
    breaks section 6, and is forgiven as long as ours is in its place.
    """
    index = _audio_index(offer)
    assert index is not None, "an offer of ours has an audio stream"
    if index >= len(answer.media):
        raise NotAcceptable("the answer has no stream in the place of ours")
    ours = offer.media[index]
    address = offer.connection.host if offer.connection is not None else ""
    # An answer need not repeat the a=rtpmap of a number: it then means what we offered under it.
    stream = carried(answer, index, address, {**STATIC_PAYLOAD_TYPES, **ours.encodings()})
    return _negotiated(
        stream,
        _agreed_formats(ours.encodings(), stream.encodings, tuple(codecs)),
        offer.direction_of(ours),
        _milliseconds(ours, "ptime") or LONGEST_PTIME,
        rtcp_mux=ours.flag("rtcp-mux") and stream.media.flag("rtcp-mux"),
        noise=_has_noise(ours.encodings()) and _has_noise(stream.encodings),
    )


@dataclass(frozen=True, slots=True)
class _Formats:
    """The part of `Negotiated` that payload types decide."""

    codec: Codec
    payload_type: int
    event_payload_type: int | None
    receives: tuple[tuple[int, Codec], ...]
    receives_events: tuple[tuple[int, int], ...]


def _first_acceptable(offer: SessionDescription, capabilities: Capabilities, address: str) -> Stream:
    refusals: list[NotAcceptable] = []
    for index in range(len(offer.media)):
        try:
            stream = carried(offer, index, address)
            if _common(stream.encodings, capabilities.codecs):
                return stream
            raise _no_common_codec(stream.encodings, capabilities.codecs)
        except NotAcceptable as refusal:
            refusals.append(refusal)
    if not refusals:
        raise NotAcceptable("the offer has no m= line", NO_SUCH_MEDIA, "No Audio Stream")
    # A video stream beside the audio that failed is not what anybody wants to hear of.
    refusals.sort(key=lambda refusal: refusal.warning == NO_SUCH_MEDIA)
    why = "; ".join(dict.fromkeys(str(refusal) for refusal in refusals[:3]))
    raise NotAcceptable(why, refusals[0].warning, refusals[0].phrase)


def _no_common_codec(encodings: dict[int, RtpMap], codecs: Sequence[Codec]) -> NotAcceptable:
    names = list(dict.fromkeys(word(encoding.name) for encoding in encodings.values()))
    theirs = ", ".join(names[:6]) or "no known codec"
    ours = ", ".join(codec.name for codec in codecs)
    return NotAcceptable(f"no common codec: the peer has {theirs}, we take {ours}", 305, NO_COMMON_CODEC)


NO_COMMON_CODEC = "No Common Codec"


def _common(encodings: dict[int, RtpMap], codecs: Sequence[Codec]) -> list[tuple[int, Codec]]:
    """What both sides have, in the order of the peer's payload types."""
    return [
        (payload_type, codec)
        for payload_type, encoding in encodings.items()
        for codec in codecs
        if encoding.matches(codec.name, codec.clock_rate, codec.channels)
    ]


def _event_payload_type(encodings: dict[int, RtpMap], clock_rate: int) -> int | None:
    """Events share the timestamps of the audio, so the clock is the codec's (RFC 4733 section 2.1)."""
    matching = (one for one, encoding in encodings.items() if encoding.matches(TELEPHONE_EVENT, clock_rate))
    return next(matching, None)


def _has_noise(encodings: dict[int, RtpMap]) -> bool:
    encoding = encodings.get(comfort_noise.PAYLOAD_TYPE)
    return encoding is not None and encoding.matches(comfort_noise.NAME, comfort_noise.CLOCK_RATE)


def _answered_formats(stream: Stream, capabilities: Capabilities) -> _Formats:
    """The codec that the offer lists first, its events, under its payload types (RFC 3264 section 6.1)."""
    common = _common(stream.encodings, capabilities.codecs)
    payload_type, codec = common[0]
    wants_events = capabilities.telephone_event
    events = _event_payload_type(stream.encodings, codec.clock_rate) if wants_events else None
    heard = () if events is None else ((events, codec.clock_rate),)
    return _Formats(codec, payload_type, events, (common[0],), heard)


def _agreed_formats(ours: dict[int, RtpMap], theirs: dict[int, RtpMap], codecs: Sequence[Codec]) -> _Formats:
    """We send what the answer puts first, under its payload types, and hear under those of our offer."""
    offered = _common(ours, codecs)
    answered = _common(theirs, [codec for _, codec in offered])
    if not answered:
        raise _no_common_codec(theirs, [codec for _, codec in offered])
    payload_type, codec = answered[0]
    expected = [entry for entry in offered if entry[1] == codec]
    expected += [entry for entry in offered if entry[1] != codec and entry[1] in dict(answered).values()]
    events = tuple(_agreed_events(ours, theirs, [codec for _, codec in expected]))
    says = _event_payload_type(theirs, codec.clock_rate) if events else None
    hears = tuple((heard, clock_rate) for heard, clock_rate in events)
    return _Formats(codec, payload_type, says, tuple(expected), hears)


def _agreed_events(
    ours: dict[int, RtpMap], theirs: dict[int, RtpMap], codecs: Sequence[Codec]
) -> Iterator[tuple[int, int]]:
    """Our payload type for telephone-events of each clock that both sides have, and the clock."""
    for clock_rate in dict.fromkeys(codec.clock_rate for codec in codecs):
        hears = _event_payload_type(ours, clock_rate)
        if hears is not None and _event_payload_type(theirs, clock_rate) is not None:
            yield hears, clock_rate


def _negotiated(
    stream: Stream, formats: _Formats, preferred: Direction, ptime_ms: int, *, rtcp_mux: bool, noise: bool
) -> Negotiated:
    return Negotiated(
        codec=formats.codec,
        payload_type=formats.payload_type,
        event_payload_type=formats.event_payload_type,
        receives=formats.receives,
        receives_events=formats.receives_events,
        ptime_ms=_packet_time(stream.media, ptime_ms),
        remote_host=stream.host,
        remote_port=stream.media.port,
        remote_rtcp=_remote_rtcp(stream, rtcp_mux),
        direction=preferred.within(stream.direction.reverse),
        on_hold=not stream.direction.receives,
        media_index=stream.index,
        rtcp_mux=rtcp_mux,
        # It shares the audio's timestamps, so that its clock has to be theirs (RFC 3389 section 4).
        comfort_noise=noise and formats.codec.clock_rate == comfort_noise.CLOCK_RATE,
        fmtp=stream.media.fmtp(formats.payload_type),
    )


def _packet_time(media: MediaDescription, ours: int) -> int:
    asked = min(_milliseconds(media, "ptime") or ours, _milliseconds(media, "maxptime") or LONGEST_PTIME)
    return max(SHORTEST_PTIME, min(asked, LONGEST_PTIME)) // 10 * 10


def _milliseconds(media: MediaDescription, name: str) -> int | None:
    whole, _, _ = (media.attribute(name) or "").strip().partition(".")
    return number(whole, 4)


def _remote_rtcp(stream: Stream, rtcp_mux: bool) -> tuple[str, int] | None:
    """Where our reports go: the port of `a=rtcp` (RFC 3605), or the one above RTP's.

    An address in `a=rtcp` is not followed: a third party is never meant, except by an attacker.
    """
    address = parse_address(stream.host)
    if address is not None and address.is_unspecified:
        return None
    if rtcp_mux:
        return stream.host, stream.media.port
    named = number((stream.media.attribute("rtcp") or "").strip().partition(" ")[0], 5)
    above = min(stream.media.port + 1, MAX_PORT)
    return stream.host, named if named is not None and 0 < named <= MAX_PORT else above


def _offered_audio(
    capabilities: Capabilities, port: int, direction: Direction, previous: SessionDescription | None
) -> MediaDescription:
    known, codecs = _known_encodings(previous), capabilities.codecs
    formats: dict[int, RtpMap] = {}
    parameters: dict[int, str] = {}
    for codec in codecs:
        kept = next((one for one, _ in _common(known, (codec,))), codec.payload_type)
        payload_type = _free(kept, formats, known)
        formats[payload_type], parameters[payload_type] = _rtpmap(codec), codec.fmtp
    clocks = list(dict.fromkeys(codec.clock_rate for codec in codecs))
    if capabilities.comfort_noise == "offer" and comfort_noise.CLOCK_RATE in clocks:
        formats[comfort_noise.PAYLOAD_TYPE] = _NOISE
    if capabilities.telephone_event:
        for clock_rate in clocks:
            preferred = _event_payload_type(known, clock_rate) or capabilities.event_payload_type
            payload_type = _free(preferred, formats, known)
            formats[payload_type], parameters[payload_type] = RtpMap(TELEPHONE_EVENT, clock_rate), EVENTS
    shape = _Shape(formats, parameters, capabilities.ptime_ms, direction, capabilities.rtcp_mux)
    return _audio("RTP/AVP", port, shape)


def _free(preferred: int | None, taken: Mapping[int, RtpMap], known: Mapping[int, RtpMap]) -> int:
    """A payload type for one more format: what is wanted, or a dynamic one that never meant anything else."""
    if preferred is not None and preferred not in taken:
        return preferred
    free = [one for one in DYNAMIC_PAYLOAD_TYPES if one not in taken]
    return next((one for one in free if one not in known), free[0])


def _known_encodings(previous: SessionDescription | None) -> dict[int, RtpMap]:
    index = _audio_index(previous) if previous is not None else None
    return previous.media[index].encodings() if previous is not None and index is not None else {}


_NOISE = RtpMap(comfort_noise.NAME, comfort_noise.CLOCK_RATE)


def _rtpmap(codec: Codec) -> RtpMap:
    return RtpMap(codec.name, codec.clock_rate, codec.channels)


def _answered_audio(offered: MediaDescription, negotiated: Negotiated, port: int) -> MediaDescription:
    codec = negotiated.codec
    formats, parameters = {negotiated.payload_type: _rtpmap(codec)}, {negotiated.payload_type: codec.fmtp}
    if negotiated.comfort_noise:
        formats[comfort_noise.PAYLOAD_TYPE] = _NOISE
    if negotiated.event_payload_type is not None:
        formats[negotiated.event_payload_type] = RtpMap(TELEPHONE_EVENT, codec.clock_rate)
        parameters[negotiated.event_payload_type] = EVENTS
    # The packet time that we send is also the one that we ask for: few peers can do with two.
    ptime_ms, direction = negotiated.ptime_ms, negotiated.direction
    return _audio(
        offered.protocol, port, _Shape(formats, parameters, ptime_ms, direction, negotiated.rtcp_mux)
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a stream of ours is like."""

    formats: Mapping[int, RtpMap]
    parameters: Mapping[int, str]
    "Of each format that has some: its `a=fmtp`."
    ptime_ms: int
    direction: Direction
    rtcp_mux: bool


def _audio(protocol: str, port: int, shape: _Shape) -> MediaDescription:
    attributes: list[Attribute] = []
    for payload_type, encoding in shape.formats.items():
        attributes.append(("rtpmap", f"{payload_type} {encoding}"))
        if parameters := shape.parameters.get(payload_type):
            attributes.append(("fmtp", f"{payload_type} {parameters}"))
    attributes += [("ptime", str(shape.ptime_ms)), *([("rtcp-mux", None)] if shape.rtcp_mux else [])]
    attributes.append((shape.direction.value, None))
    return MediaDescription("audio", port, protocol, tuple(map(str, shape.formats)), (), tuple(attributes))


def _refused(media: MediaDescription) -> MediaDescription:
    # One format has to stand there, and says nothing (RFC 3264 section 6).
    return MediaDescription(media.kind, 0, media.protocol, media.formats[:1])


def _audio_index(description: SessionDescription) -> int | None:
    live = (index for index, media in enumerate(description.media) if media.kind == "audio" and media.port)
    return next(live, None)


def _in_place(audio: MediaDescription, previous: SessionDescription | None) -> tuple[MediaDescription, ...]:
    """The offer's streams: those of the previous description stay, refused, and ours takes its place."""
    if previous is None:
        return (audio,)
    streams = [_refused(media) for media in previous.media]
    index = _audio_index(previous)
    if index is None:
        return (*streams, audio)
    streams[index] = audio
    return tuple(streams)
