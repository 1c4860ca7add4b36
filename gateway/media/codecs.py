"""The codecs that a call may use: one entry in a table each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.media.audio import ALAW_8K, ULAW_8K, AudioFormat


@dataclass(frozen=True, slots=True)
class Codec:
    """One RTP payload format (RFC 3551).

    The payload of every codec here *is* audio in `format`, and one byte of it is one unit of the
    RTP timestamp: senders, receivers and the playout queue count time in payload bytes. A codec
    for which that does not hold (Opus) brings an encoder and a decoder of its own per call.
    """

    name: str
    "The encoding name of `a=rtpmap`."
    payload_type: int
    "The static payload type (RFC 3551 section 6)."
    clock_rate: int
    format: AudioFormat


PCMU = Codec("PCMU", 0, 8000, ULAW_8K)
PCMA = Codec("PCMA", 8, 8000, ALAW_8K)

CODECS: Mapping[str, Codec] = MappingProxyType({codec.name: codec for codec in (PCMU, PCMA)})
