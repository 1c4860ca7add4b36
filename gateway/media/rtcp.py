"""RTCP (RFC 3550 section 6): compound packets as values, and the reports of one call."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.media.extended_report import VoipMetrics, voip_metrics

if TYPE_CHECKING:
    from gateway.media.receiver import RtpReceiver
    from gateway.media.rtp import RtpSender

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE, _EXTENDED = 200, 201, 202, 203, 207
_CNAME = 1

_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")
_WORD = struct.Struct("!I")

_MOST_PACKETS = 16
"Packets of one compound that are read; peers send two or three."

_NTP_EPOCH = 2208988800
"Seconds from 1900, where NTP begins, to 1970."


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source (section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    "Lost since the last report, in 256ths."
    lost: int
    "Lost in all; duplicates may make it negative."
    highest_sequence: int
    "Extended by the count of wraps in its upper half."
    jitter: int
    "In timestamp units."
    last_sender_report: int = 0
    "Middle 32 bits of the NTP timestamp of the last sender report; 0 when there was none."
    delay_since: int = 0
    "From that report to this one, in 65536ths of a second."

    def __bytes__(self) -> bytes:
        lost = max(-0x800000, min(self.lost, 0x7FFFFF)) & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay_since,
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a source has sent, and when its timestamps were (section 6.4.1)."""

    ssrc: int
    ntp: int
    "NTP time, 32.32 bits."
    rtp_timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        body = _SENDER.pack(self.ssrc, self.ntp, self.rtp_timestamp, self.packets & _32, self.octets & _32)
        return _packet(_SENDER_REPORT, len(self.blocks), body + b"".join(map(bytes, self.blocks)))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Report blocks of someone who does not send (section 6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        body = _WORD.pack(self.ssrc) + b"".join(map(bytes, self.blocks))
        return _packet(_RECEIVER_REPORT, len(self.blocks), body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of a source (section 6.5); other items are not kept."""

    ssrc: int
    cname: str

    def __bytes__(self) -> bytes:
        name = self.cname.encode()[:255]
        item = bytes((_CNAME, len(name))) + name
        # The list ends with one to four zero bytes, up to the next word.
        return _packet(_DESCRIPTION, 1, _WORD.pack(self.ssrc) + item + bytes(4 - len(item) % 4))


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that have left (section 6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""

    def __bytes__(self) -> bytes:
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        reason = self.reason.encode()[:255]
        if reason:
            body += bytes((len(reason),)) + reason
        return _packet(_BYE, len(self.ssrcs), body + bytes(-len(body) % 4))


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye | VoipMetrics

_32 = 0xFFFFFFFF


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """The packets of one datagram that we know, in order; ValueError when it is not RTCP.

    Packets of other kinds (application-defined, feedback) are passed over, and so are extended reports
    without the one block that we read.
    """
    packets: list[RtcpPacket] = []
    for kind, count, body in _split(data):
        read = _READERS.get(kind)
        packet = None if read is None else read(count, body)
        if packet is not None:
            packets.append(packet)
    return packets


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, count and body of each packet (the checks of appendix A.2, but for which comes first)."""
    start = 0
    for _ in range(_MOST_PACKETS):
        if start == len(data):
            return
        if start + 4 > len(data):
            raise ValueError("shorter than an RTCP header")
        first, kind, words = _HEADER.unpack_from(data, start)
        end = start + 4 + 4 * words
        if first >> 6 != 2 or not 192 <= kind <= 223:
            raise ValueError("not RTCP")
        if end > len(data):
            raise ValueError("longer than its datagram")
        yield kind, first & 0x1F, _unpadded(data[start + 4 : end]) if first & 0x20 else data[start + 4 : end]
        start = end


def _unpadded(body: bytes) -> bytes:
    if not body or not 0 < body[-1] <= len(body):
        raise ValueError("padding longer than the packet")
    return body[: -body[-1]]


def _blocks(count: int, body: bytes) -> tuple[ReportBlock, ...]:
    if len(body) < count * _BLOCK.size:
        raise ValueError("shorter than its report blocks")
    return tuple(_block(body[i * _BLOCK.size : (i + 1) * _BLOCK.size]) for i in range(count))


def _block(data: bytes) -> ReportBlock:
    ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack(data)
    lost = ((loss & 0xFFFFFF) + 0x800000 & 0xFFFFFF) - 0x800000
    return ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay)


def _sender_report(count: int, body: bytes) -> RtcpPacket:
    if len(body) < _SENDER.size:
        raise ValueError("shorter than a sender report")
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(count, body[_SENDER.size :]))


def _receiver_report(count: int, body: bytes) -> RtcpPacket:
    if len(body) < 4:
        raise ValueError("shorter than a receiver report")
    return ReceiverReport(_WORD.unpack_from(body)[0], _blocks(count, body[4:]))


def _description(count: int, body: bytes) -> RtcpPacket:
    """The first source of the packet: nobody but a mixer describes two."""
    if not count:
        return SourceDescription(0, "")
    if len(body) < 4:
        raise ValueError("shorter than a source description")
    names = (text for kind, text in _items(body) if kind == _CNAME)
    return SourceDescription(_WORD.unpack_from(body)[0], next(names, b"").decode("utf-8", "replace"))


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 4
    while at + 2 <= len(body) and body[at]:
        end = at + 2 + body[at + 1]
        if end > len(body):
            raise ValueError("shorter than its description")
        yield body[at], body[at + 2 : end]
        at = end


def _bye(count: int, body: bytes) -> RtcpPacket:
    if len(body) < 4 * count:
        raise ValueError("shorter than its list of sources")
    ssrcs = struct.unpack_from(f"!{count}I", body)
    rest = body[4 * count :]
    return Bye(ssrcs, rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else "")


def _extended(count: int, body: bytes) -> RtcpPacket | None:
    return voip_metrics(body)


_READERS: dict[int, Callable[[int, bytes], RtcpPacket | None]] = {
    _SENDER_REPORT: _sender_report,
    _RECEIVER_REPORT: _receiver_report,
    _DESCRIPTION: _description,
    _BYE: _bye,
    _EXTENDED: _extended,
}


class RtcpSession:
    """The reports of one call: when they are due, what they say, and what the peer's say of us."""

    __slots__ = (
        "_cname",
        "_mean_interval",
        "_packets_reported",
        "_random",
        "_received",
        "_receiver",
        "_sender",
        "_sent",
        "heard_at",
        "left",
        "malformed",
        "next_report_at",
        "remote_fraction_lost",
        "remote_jitter_ms",
        "remote_lost",
        "remote_voip",
        "round_trip_ms",
    )

    _REMEMBERED = 8

    def __init__(
        self,
        sender: "RtpSender",
        receiver: "RtpReceiver",
        cname: str,
        now: float,
        random: Callable[[], float],
        interval: float = 5.0,
    ) -> None:
        """`random` gives numbers from 0 to 1, so that calls that began together do not report together.

        `interval`: mean seconds between reports (section 6.2); the first comes after half of it.
        """
        self._mean_interval = interval
        self._sender = sender
        self._receiver = receiver
        self._cname = cname
        self._random = random
        self._packets_reported = 0
        self._sent: dict[int, float] = {}
        "When each of the newest sender reports was sent, by the middle of its NTP time."
        self._received: tuple[int, float] | None = None
        "The middle of the NTP time of the peer's newest sender report, and when it came."
        self.next_report_at = now + self._interval() / 2
        self.round_trip_ms: float | None = None
        self.remote_lost: int | None = None
        "Packets of ours that the peer misses."
        self.remote_fraction_lost: float | None = None
        "The part of our packets that the peer missed in its last interval, 0 to 1."
        self.remote_jitter_ms: float | None = None
        self.remote_voip: VoipMetrics | None = None
        "What the peer measured of our audio, by its newest extended report."
        self.heard_at: float | None = None
        "When the newest report came."
        self.left = False
        "Whether the peer said that it has left."
        self.malformed = 0

    def report(self, now: float, wallclock: float) -> bytes:
        """The compound packet to send now; `wallclock` is Unix time. Moves `next_report_at`."""
        self.next_report_at = now + self._interval()
        return self._compound(now, wallclock) + bytes(SourceDescription(self._sender.ssrc, self._cname))

    def bye(self, now: float, wallclock: float, reason: str = "") -> bytes:
        """The last compound packet of the call."""
        return self.report(now, wallclock) + bytes(Bye((self._sender.ssrc,), reason))

    def receive(self, data: bytes, now: float) -> None:
        """One datagram from the peer; what is not RTCP is dropped and counted."""
        try:
            packets = parse_compound(data)
        except ValueError:
            self.malformed += 1
            return
        self.heard_at = now
        for packet in packets:
            match packet:
                case SenderReport():
                    self._note(packet, now)
                    self._learn(packet.blocks, now)
                case ReceiverReport():
                    self._learn(packet.blocks, now)
                case VoipMetrics(ssrc):
                    self.remote_voip = packet if ssrc == self._sender.ssrc else self.remote_voip
                case Bye():
                    self.left = self.left or self._receiver.ssrc in packet.ssrcs

    def _interval(self) -> float:
        return self._mean_interval * (0.5 + self._random())

    def _compound(self, now: float, wallclock: float) -> bytes:
        block = self._block(now)
        blocks = () if block is None else (block,)
        sender = self._sender
        if sender.packets == self._packets_reported:
            return bytes(ReceiverReport(sender.ssrc, blocks))
        self._packets_reported = sender.packets
        ntp = int((wallclock + _NTP_EPOCH) * 2**32) & 0xFFFFFFFFFFFFFFFF
        self._remember(ntp >> 16 & _32, now)
        return bytes(SenderReport(sender.ssrc, ntp, sender.timestamp, sender.packets, sender.octets, blocks))

    def _block(self, now: float) -> ReportBlock | None:
        block = self._receiver.report_block(now)
        if block is None or self._received is None:
            return block
        stamp, at = self._received
        return replace(block, last_sender_report=stamp, delay_since=min(int((now - at) * 65536), _32))

    def _remember(self, stamp: int, now: float) -> None:
        self._sent[stamp] = now
        if len(self._sent) > self._REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def _note(self, report: SenderReport, now: float) -> None:
        if report.ssrc == self._receiver.ssrc:
            self._received = report.ntp >> 16 & _32, now

    def _learn(self, blocks: Sequence[ReportBlock], now: float) -> None:
        for block in blocks:
            if block.ssrc == self._sender.ssrc:
                self.remote_lost = block.lost
                self.remote_fraction_lost = block.fraction_lost / 256
                self.remote_jitter_ms = block.jitter / self._sender.clock_rate * 1000
                self._time(block, now)

    def _time(self, block: ReportBlock, now: float) -> None:
        """Round trip (section 6.4.1, figure 2), from a report of ours that the peer names."""
        sent_at = self._sent.get(block.last_sender_report)
        if sent_at is not None:
            round_trip = now - sent_at - block.delay_since / 65536
            if round_trip >= 0:
                self.round_trip_ms = round_trip * 1000
