"""RTP packets as values, and the arithmetic of their wrapping counters."""

import struct
from dataclasses import dataclass

_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


def sequence_distance(earlier: int, later: int) -> int:
    """Steps from one 16 bit sequence number to another, negative when the second is before the first."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(earlier: int, later: int) -> int:
    """Units from one 32 bit timestamp to another, negative when the second is before the first."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 section 5.1); padding is taken off when parsed and never made."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    "Profile word and data; the data is whole 32 bit words (section 5.3.1)."

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read a datagram; ValueError says what is wrong with it."""
        if len(data) < _FIXED.size:
            raise ValueError("shorter than an RTP header")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != 2:
            raise ValueError("not RTP version 2")
        end = len(data) - _padding(data) if first & 0x20 else len(data)
        start = _FIXED.size + 4 * (first & 0x0F)
        if start > end:
            raise ValueError("shorter than its list of contributing sources")
        csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, _FIXED.size)
        extension = None
        if first & 0x10:
            extension = _extension(data, start, end)
            start += _EXTENSION.size + len(extension[1])
        return cls(
            payload_type=second & 0x7F,
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=data[start:end],
            marker=second >= 0x80,
            csrcs=csrcs,
            extension=extension,
        )

    def __bytes__(self) -> bytes:
        first = 0x80 | (self.extension is not None) << 4 | len(self.csrcs)
        second = self.marker << 7 | self.payload_type
        fixed = _FIXED.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        csrcs = struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
        if self.extension is None:
            return fixed + csrcs + self.payload
        profile, words = self.extension
        return fixed + csrcs + _EXTENSION.pack(profile, len(words) // 4) + words + self.payload


def _padding(data: bytes) -> int:
    count = data[-1]
    if not 0 < count <= len(data) - _FIXED.size:
        raise ValueError("padding longer than the packet")
    return count


def _extension(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    if start + _EXTENSION.size > end:
        raise ValueError("shorter than its header extension")
    profile, words = _EXTENSION.unpack_from(data, start)
    start += _EXTENSION.size
    if start + 4 * words > end:
        raise ValueError("shorter than its header extension")
    return profile, data[start : start + 4 * words]


class Stray:
    """A run of packets in sequence with each other, but not with the stream."""

    __slots__ = ("_expected", "_run", "since")

    def __init__(self) -> None:
        self._expected = (-1, -1)
        self._run = 0
        self.since = 0.0

    def follow(self, sequence: int, stream_next: int, now: float) -> int:
        """Length of the run with this packet; one that the stream's own packets interrupt starts again."""
        if (sequence, stream_next) == self._expected:
            self._run += 1
        else:
            self._run = 1
            self.since = now
        self._expected = (sequence + 1) & 0xFFFF, stream_next
        return self._run
