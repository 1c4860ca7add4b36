"""The codecs that a call may use: one entry in a list each.

All that depends on a codec stands in its entry; its name in a trunk's `codecs` lets calls use it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.media.audio import ALAW_8K, ULAW_8K, AudioFormat, converter, in_whole_frames

Decode = Callable[[bytes], bytes]
"""Turns one payload into audio, in order, without those that were lost; into none where it makes no sense.

It belongs to one stream, takes whatever a peer may send, and never raises.
"""
Encode = Callable[[bytes], bytes]
"Turns the audio of one packet time into a payload, again for one stream."

Payload = Callable[[bytes | None], bytes]
"Turns one frame of a call's audio into a payload; None is silence."


@dataclass(frozen=True, slots=True)
class Codec:
    """One RTP payload format (RFC 3551)."""

    name: str
    "The encoding name of `a=rtpmap`."
    payload_type: int | None
    "The static payload type (RFC 3551 section 6); None: a dynamic one is found for each call."
    clock_rate: int
    "Of the timestamps. Not always the rate of the samples: G.722 says 8000 (RFC 3551 section 4.5.2)."
    format: AudioFormat
    "The audio that it carries, at a whole multiple of the clock."
    decoder: Callable[[str], Decode] | None = None
    "Makes a decoder, of the peer's `a=fmtp`; None: the payload *is* audio in `format`, a byte a sample."
    encoder: Callable[[str], Encode] | None = None
    "Makes an encoder likewise."
    channels: int = 1
    "Of `a=rtpmap`: Opus always says 2 (RFC 7587 section 7)."
    fmtp: str = ""
    "What we say of it in `a=fmtp`."

    def __post_init__(self) -> None:
        if self.format.rate % self.clock_rate or self.clock_rate % 1000:
            raise ValueError(f"{self.name}: {self.format.rate} is no multiple of {self.clock_rate}")
        if (self.decoder is None) != (self.encoder is None):
            raise ValueError(f"{self.name} has a decoder or an encoder, and needs both")
        if self.decoder is None and self.unit_bytes != 1:
            raise ValueError(f"{self.name} needs a decoder: a byte of it is no sample")

    @property
    def samples_a_unit(self) -> int:
        """Samples in one unit of the timestamps."""
        return self.format.rate // self.clock_rate

    @property
    def unit_bytes(self) -> int:
        """Bytes of `format` in one unit of the timestamps: what durations of audio are told by."""
        return self.samples_a_unit * self.format.sample_bytes


PCMU = Codec("PCMU", 0, 8000, ULAW_8K)
PCMA = Codec("PCMA", 8, 8000, ALAW_8K)

CODECS: Mapping[str, Codec] = MappingProxyType({codec.name: codec for codec in (PCMU, PCMA)})
"In the order in which a trunk is offered them, unless it says otherwise."


def payload_maker(source: AudioFormat, codec: Codec, fmtp: str, ptime_ms: int) -> Payload | None:
    """What turns frames of `source` into payloads, one packet time each; None where they are the payloads."""
    convert = converter(source, codec.format)
    encode = None if codec.encoder is None else codec.encoder(fmtp)
    if convert is None and encode is None:
        return None
    silence = source.silence(ptime_ms)
    if source.rate != codec.format.rate:
        assert convert is not None
        convert = in_whole_frames(convert, codec.format.silence(ptime_ms))
    steps = [step for step in (convert, encode) if step is not None]

    def payload(frame: bytes | None) -> bytes:
        made = silence if frame is None else frame
        for step in steps:
            made = step(made)
        return made

    return payload
