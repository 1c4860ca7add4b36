"""A packet capture on loopback: what left, and when, by the kernel's clock and not by anybody's loop."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.media.packet import RtpPacket

ETH_P_IP, ETH_P_ALL = 0x0800, 3
"What leaves is shown only to who wants everything."
OUTGOING = 4
"`PACKET_OUTGOING` of packet(7): on loopback everything is seen once leaving and once arriving."
TIMESTAMPS = 35
"`SO_TIMESTAMPNS`."
UDP, TCP = 17, 6


@dataclass(frozen=True, slots=True)
class Captured:
    """One IP packet."""

    at: float
    "Unix time at which it left."
    protocol: int
    source: int
    destination: int
    sequence: int
    "TCP alone."
    payload: bytes


class Capture:
    """Records what leaves on loopback from now on; PermissionError for who is not root."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self._socket.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)
        self._socket.bind(("lo", ETH_P_ALL))
        self._packets: list[Captured] = []

    def close(self) -> None:
        """Stop."""
        self._socket.close()

    def packets(self) -> list[Captured]:
        """Everything so far, in the order in which it left."""
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(1 << 17, 64)
            except BlockingIOError:
                return self._packets
            if (address[1], address[2]) == (ETH_P_IP, OUTGOING):
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
                found = _parse(data, seconds + nanoseconds / 1e9)
                self._packets += [found] if found is not None else []

    def rtp(self, source: int, destination: int) -> list[tuple[float, RtpPacket]]:
        """The RTP packets from one port to another."""
        return [
            (one.at, RtpPacket.parse(one.payload))
            for one in self.packets()
            if (one.protocol, one.source, one.destination) == (UDP, source, destination)
        ]

    def websocket(self, destination: int) -> list[tuple[float, int, bytes]]:
        """When, opcode and payload of each message that a client sent to this port, one connection in all."""
        segments = [one for one in self.packets() if (one.protocol, one.destination) == (TCP, destination)]
        stream, times, expected = bytearray(), [], None
        for one in segments:
            if not one.payload or (expected is not None and one.sequence != expected):
                continue  # a bare ACK, or a retransmission
            expected = (one.sequence + len(one.payload)) & 0xFFFFFFFF
            stream += one.payload
            times.append((len(stream), one.at))
        start = stream.index(b"\r\n\r\n") + 4
        return [(_when(times, end), opcode, payload) for end, opcode, payload in _frames(stream, start)]


def _when(times: list[tuple[int, float]], end: int) -> float:
    return next(at for length, at in times if length >= end)


def _frames(stream: bytearray, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Where each masked frame ends, its opcode and what it says (RFC 6455 section 5.2)."""
    while at + 2 <= len(stream):
        opcode, size, at = stream[at] & 0x0F, stream[at + 1] & 0x7F, at + 2
        if size == 126:
            size, at = int.from_bytes(stream[at : at + 2]), at + 2
        elif size == 127:
            size, at = int.from_bytes(stream[at : at + 8]), at + 8
        mask, at = stream[at : at + 4], at + 4
        if at + size > len(stream):
            return
        body = bytes(byte ^ mask[n & 3] for n, byte in enumerate(stream[at : at + size]))
        at += size
        yield at, opcode, body


def _parse(data: bytes, at: float) -> Captured | None:
    header = 4 * (data[0] & 0x0F)
    length, protocol = int.from_bytes(data[2:4]), data[9]
    if protocol not in (UDP, TCP):
        return None
    source, destination = struct.unpack_from("!HH", data, header)
    if protocol == UDP:
        return Captured(at, protocol, source, destination, 0, data[header + 8 : length])
    sequence = int.from_bytes(data[header + 4 : header + 8])
    offset = 4 * (data[header + 12] >> 4)
    return Captured(at, protocol, source, destination, sequence, data[header + offset : length])
