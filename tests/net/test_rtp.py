"""RTP sockets: pairs from a range, quarantine, and the lock on one source."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest

from gateway.net.rtp import NoPortFree, PortRange, RtpPort, RtpPorts

LOOPBACK = "127.0.0.1"


def rtp(sequence: int, payload_type: int = 0) -> bytes:
    """One packet of 20 ms."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence, sequence * 160, 1) + b"\xff" * 160


class Peer:
    """A socket of the far end."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, port))
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """Where it is bound."""
        return int(self.socket.getsockname()[1])

    def send(self, port: RtpPort, data: bytes) -> None:
        """Send a datagram to a port of ours."""
        self.socket.sendto(data, (LOOPBACK, port.port))

    def received(self) -> list[bytes]:
        """What has come so far."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(2048))
            except BlockingIOError:
                return found


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    """Three far ends."""
    made = [Peer() for _ in range(3)]
    yield made
    for peer in made:
        peer.socket.close()


@pytest.fixture
async def port() -> AsyncIterator[RtpPort]:
    """A port that takes PCMU for its media, and keeps what it hears in `heard`."""
    opened = RtpPorts(PortRange(24_000, 24_999), 0).open(LOOPBACK, 0.0)
    opened.accepts = lambda data: data[1] & 0x7F == 0
    yield opened
    opened.close()


def listen(port: RtpPort) -> list[bytes]:
    """Collect what the port hears."""
    heard: list[bytes] = []
    port.on_rtp = lambda data, now: heard.append(data)
    return heard


async def settle() -> None:
    """Let datagrams on loopback arrive."""
    for _ in range(5):
        await asyncio.sleep(0.002)


def test_a_range_holds_even_ports_with_their_neighbours() -> None:
    """A range that begins odd starts one higher; the last port may be an RTCP port."""
    odd = PortRange(20_001, 20_006)
    assert [odd.pair(index) for index in range(odd.pairs)] == [20_002, 20_004]
    assert PortRange(20_000, 20_003).pairs == 2


async def test_a_taken_port_is_passed_over() -> None:
    """Where another program has a port of the pair (EADDRINUSE), the next pair is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 24_101))
        pool = RtpPorts(PortRange(24_100, 24_103), 0)
        opened = pool.open(LOOPBACK, 0.0)
        assert opened.port == 24_102
        with pytest.raises(NoPortFree):
            pool.open(LOOPBACK, 0.0)
        opened.close()


async def test_a_freed_pair_rests_before_it_is_used_again() -> None:
    """Within its quarantine a pair is not handed out; afterwards it is."""
    pool = RtpPorts(PortRange(24_200, 24_201), 5.0)
    opened = pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 1
    opened.close()
    opened.close()
    assert pool.in_use == 0
    now = asyncio.get_running_loop().time()
    with pytest.raises(NoPortFree):
        pool.open(LOOPBACK, now + 4)
    pool.open(LOOPBACK, now + 6).close()


async def test_pairs_come_in_no_order() -> None:
    """Each pair once, until none is left, by the numbers drawn and not one after the other."""
    drawn: list[int] = []

    def below(bound: int) -> int:
        drawn.append(bound)
        return bound // 2

    pool = RtpPorts(PortRange(24_300, 24_315), 0.0, below)
    opened = [pool.open(LOOPBACK, 0.0) for _ in range(8)]
    ports = [one.port for one in opened]
    assert ports[:3] == [24_308, 24_306, 24_312]
    assert set(ports) == set(range(24_300, 24_316, 2))
    assert drawn == [8, 7, 6, 5, 4, 3, 2, 1]
    with pytest.raises(NoPortFree):
        pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 8
    for one in opened:
        one.close()
    assert pool.in_use == 0
    again = pool.open(LOOPBACK, asyncio.get_running_loop().time())
    assert again.port in ports
    again.close()


async def test_the_last_pair_says_nothing_of_the_next() -> None:
    """By default no run of ports is a sequence."""
    pool = RtpPorts(PortRange(24_320, 24_519), 0.0)
    opened = [pool.open(LOOPBACK, 0.0) for _ in range(50)]
    steps = {second.port - first.port for first, second in pairwise(opened)}
    for one in opened:
        one.close()
    assert len(steps) > 20


async def test_a_pair_that_another_program_has_is_free_again_when_it_lets_go() -> None:
    """It is only passed over: it stays among those to be drawn."""
    pool = RtpPorts(PortRange(24_520, 24_521), 0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 24_521))
        for _ in range(3):
            with pytest.raises(NoPortFree):
                pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 0
    pool.open(LOOPBACK, 0.0).close()


async def test_the_source_from_the_sdp_is_locked_at_once(port: RtpPort, peers: list[Peer]) -> None:
    """What comes from the negotiated address is heard, and then nobody else is."""
    ours, stranger, _ = peers
    heard = listen(port)
    port.expect(LOOPBACK, ours.port)
    ours.send(port, rtp(1))
    await settle()
    stranger.send(port, rtp(1000))
    ours.send(port, rtp(2))
    await settle()
    assert heard == [rtp(1), rtp(2)]
    port.send(b"answer")
    await settle()
    assert ours.received() == [b"answer"]
    assert not stranger.received()


async def test_a_source_behind_nat_is_learnt(port: RtpPort, peers: list[Peer]) -> None:
    """Media from another address than the SDP's is taken, once, and answered where it came from."""
    said, real, stranger = peers
    heard = listen(port)
    port.expect(LOOPBACK, said.port)
    real.send(port, rtp(1))
    await settle()
    stranger.send(port, rtp(1))
    await settle()
    assert heard == [rtp(1)]
    assert port.foreign == 1
    port.send(b"answer")
    await settle()
    assert real.received() == [b"answer"]


async def test_the_sdp_address_takes_over_once_from_a_stranger(port: RtpPort, peers: list[Peer]) -> None:
    """Who was only faster than the negotiated address loses the lock to it."""
    said, stranger, _ = peers
    listen(port)
    port.expect(LOOPBACK, said.port)
    stranger.send(port, rtp(1))
    await settle()
    said.send(port, rtp(1))
    await settle()
    port.send(b"answer")
    await settle()
    assert said.received() == [b"answer"]
    assert not stranger.received()


async def test_what_is_not_our_media_locks_nothing(port: RtpPort, peers: list[Peer]) -> None:
    """Garbage and payload types that were not negotiated are counted, and teach us nothing."""
    real, stranger, _ = peers
    heard = listen(port)
    port.expect(LOOPBACK, 9)
    stranger.send(port, rtp(1, payload_type=96))
    stranger.send(port, b"\x00\x01")
    await settle()
    assert port.foreign == 2
    real.send(port, rtp(1))
    await settle()
    assert heard == [rtp(1)]


async def test_a_new_negotiation_learns_anew(port: RtpPort, peers: list[Peer]) -> None:
    """After a re-INVITE with another address the old source is not heard any more, the new one is."""
    old, new, _ = peers
    heard = listen(port)
    port.expect(LOOPBACK, old.port)
    old.send(port, rtp(1))
    await settle()
    port.expect(LOOPBACK, new.port)
    new.send(port, rtp(7))
    await settle()
    old.send(port, rtp(2))
    await settle()
    assert heard == [rtp(1), rtp(7)]
    port.send(b"answer")
    await settle()
    assert new.received() == [b"answer"]


async def test_a_peer_without_an_open_port_ends_nothing(port: RtpPort, peers: list[Peer]) -> None:
    """ICMP port unreachable, which a connected socket reports, is no reason to stop: peers come back."""
    peer, back = peers[:2]
    heard = listen(port)
    port.expect(LOOPBACK, peer.port)
    peer.send(port, rtp(1))
    await settle()
    number = peer.port
    peer.socket.close()
    for _ in range(3):
        port.send(b"into the void")
        await settle()
    back.socket.close()
    peers[0] = peers[1] = again = Peer(number)
    port.send(b"answer")
    again.send(port, rtp(2))
    await settle()
    assert again.received() == [b"answer"]
    assert heard == [rtp(1), rtp(2)]


async def test_rtcp_goes_to_the_port_above(port: RtpPort, peers: list[Peer]) -> None:
    """RTCP is sent to the negotiated RTCP address and heard from the peer's address alone."""
    peer = peers[0]
    heard: list[bytes] = []
    port.on_rtcp = lambda data, now: heard.append(data)
    port.expect(LOOPBACK, 9, (LOOPBACK, peer.port))
    port.send_rtcp(b"report")
    peer.socket.sendto(b"theirs", (LOOPBACK, port.port + 1))
    await settle()
    assert peer.received() == [b"report"]
    assert heard == [b"theirs"]
