"""Which stream of a session description we can carry, and where its media may go (RFC 3264 section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.media.session_description import (
    STATIC_PAYLOAD_TYPES,
    Connection,
    Direction,
    MediaDescription,
    RtpMap,
    SessionDescription,
    family_of,
    is_host_name,
    parse_address,
)

PROFILES = ("RTP/AVP", "RTP/AVPF")
"What we answer. The second differs only in how early RTCP may be sent, and mixes with the first (RFC 4585)."

NO_SUCH_MEDIA = 304
"The `Warning` code for a kind of media that is not carried (RFC 3261 section 20.43)."


class NotAcceptable(ValueError):
    """There is no stream in it that we can carry: 488, or the end of a call whose answer says so."""

    def __init__(self, why: str, warning: int = 399, phrase: str = "Media Not Acceptable") -> None:
        super().__init__(why)
        self.warning = warning
        "The code of a `Warning` header that says the same (RFC 3261 section 20.43)."
        self.phrase = phrase
        "The same in the few words of a reason phrase."


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the peer's that we can carry, as far as the codecs let us."""

    index: int
    media: MediaDescription
    host: str
    direction: Direction
    "The peer's. The null address takes the receiving half away (RFC 3264 section 8.4)."
    encodings: dict[int, RtpMap]


def carried(
    description: SessionDescription,
    index: int,
    address: str,
    known: Mapping[int, RtpMap] = STATIC_PAYLOAD_TYPES,
) -> Stream:
    """The stream at that place, if we can carry it from our `address`; raises `NotAcceptable`."""
    media = description.media[index]
    if media.kind != "audio":
        raise NotAcceptable(f"{word(media.kind)} is not carried", NO_SUCH_MEDIA, "No Audio Stream")
    if not media.port:
        raise NotAcceptable("the audio stream has port 0", 399, "Audio Stream Has Port 0")
    if media.protocol not in PROFILES:
        phrase = "SRTP Not Supported" if "SAVP" in media.protocol.upper() else "Media Transport Not Supported"
        raise NotAcceptable(f"{word(media.protocol)} is not carried, only RTP/AVP", 302, phrase)
    if media.ports != 1:
        why = f"{media.ports} ports for one stream are not carried"
        raise NotAcceptable(why, 302, "Port Count Not Supported")
    connection = description.connection_of(media)
    if connection is None:
        raise NotAcceptable("there is no c= line", 301, "No Connection Address")
    _check_connection(connection, address)
    said = description.direction_of(media)
    direction = said.within(Direction.SENDONLY) if connection.is_null else said
    return Stream(index, media, connection.host, direction, media.encodings(known))


def _check_connection(connection: Connection, ours: str) -> None:
    """Raises `NotAcceptable` where nothing can be sent there, or should not; a name is judged when known."""
    if not is_host_name(connection.host):
        check_host(connection.host, ours)
        return
    mine = parse_address(ours)
    if mine is not None and connection.family != family_of(ours):
        why = f"media to a name in {connection.family}, but ours is IPv{mine.version}"
        raise NotAcceptable(why, 301, f"{connection.family} Media Not Supported".replace("IP", "IPv", 1))


def check_host(host: str, ours: str) -> None:
    """Raises `NotAcceptable` where we could not send to that address, or should not."""
    address = parse_address(host)
    if address is None:
        raise NotAcceptable("media to what is neither an address nor a name", 301, "No Media Address")
    # An offer must not make us flood a group, or a broadcast address (all of which lie in 240.0.0.0/4).
    if address.is_multicast or (address.version == 4 and address.is_reserved):
        why = "media to an address that is not one host's"
        raise NotAcceptable(why, 301, "Media Address Is Not One Host's")
    mine = parse_address(ours)
    if mine is not None and mine.version != address.version and not address.is_unspecified:
        why = f"media to IPv{address.version}, but ours is IPv{mine.version}"
        raise NotAcceptable(why, 301, f"IPv{address.version} Media Not Supported")


def word(text: str) -> str:
    """A word of the peer's, fit to stand in a log line or a reason phrase."""
    return "".join(character if "!" <= character <= "~" else "?" for character in text[:24])
