"""RTP sockets: the lock on one source, and what waited for us."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.net.clock import MediaClock
from gateway.net.rtp import RtpPort, came_at
from gateway.net.rtp_ports import PortRange, RtpPorts

LOOPBACK = "127.0.0.1"


def rtp(sequence: int, payload_type: int = 0) -> bytes:
    """One packet of 20 ms."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence, sequence * 160, 1) + b"\xff" * 160


class Peer:
    """A socket of the far end."""

    def __init__(self, port: int = 0, host: str = LOOPBACK) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
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


async def test_what_waited_for_us_is_as_old_as_the_kernel_says(peers: list[Peer]) -> None:
    """While the loop stood still packets came every 20 ms: that is how they are told, all at once."""
    errors: list[Exception] = []
    clock = MediaClock(errors.append)
    port = RtpPorts(PortRange(24_300, 24_399), 0, clock=clock).open(LOOPBACK, 0.0)
    port.accepts = lambda data: True
    told: list[str] = []
    heard: list[tuple[bytes, float]] = []

    def hear(data: bytes, at: float) -> None:
        heard.append((data, at))
        told.append("packet")

    port.on_rtp = hear
    port.expect(LOOPBACK, peers[0].port)
    clock.start()
    beat = clock.join(lambda now: told.append("beat"), 5)
    peers[0].send(port, rtp(0))
    await settle()
    told.clear()
    sent = []
    for n in range(1, 26):
        time.sleep(0.02)  # noqa: ASYNC251 - the loop is what is to stand still
        sent.append(time.monotonic())
        peers[0].send(port, rtp(n))
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    clock.leave(beat)
    clock.stop()
    port.close()
    assert [data for data, _ in heard] == [rtp(n) for n in range(26)]
    assert told[:25] == ["packet"] * 25, "no beat is struck before what had come by then"
    assert [at for _, at in heard[1:]] == pytest.approx(sent, abs=0.01)
    assert not errors


async def test_every_call_hears_of_a_standstill(peers: list[Peer]) -> None:
    """Also one whose peer sent nothing meanwhile."""
    clock = MediaClock(_raise)
    port = RtpPorts(PortRange(24_400, 24_499), 0, clock=clock).open(LOOPBACK, 0.0)
    port.accepts = lambda data: True
    waited: list[int] = []
    port.expect(LOOPBACK, peers[0].port)
    clock.start()
    peers[0].send(port, rtp(0))
    await settle()
    port.on_waited = lambda datagrams, now: waited.append(len(datagrams))
    await settle()
    assert not waited
    time.sleep(0.3)  # noqa: ASYNC251 - the loop is what is to stand still
    await asyncio.sleep(0.01)
    clock.stop()
    port.close()
    assert waited == [0]


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ((1000, 500_000_000), 99.5),
        ((1001, 500_000_000), 100.0),
        ((900, 0), 100.0),
        (None, 100.0),
    ],
)
def test_a_clock_that_was_set_is_not_believed(stamp: tuple[int, int] | None, at: float) -> None:
    """What seems to come from the future, or from long ago, came now."""
    ancillary = [] if stamp is None else [(socket.SOL_SOCKET, 35, struct.pack("@ll", *stamp))]
    assert came_at(ancillary, 100.0, 901.0) == pytest.approx(at)


def _raise(error: Exception) -> None:
    raise error


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


ELSEWHERE = "127.0.0.2"
"The address of hosts that nobody spoke of, unless a test says otherwise."


@pytest.fixture
def strangers() -> Iterator[list[Peer]]:
    """Far ends at another address."""
    made = [Peer(host=ELSEWHERE) for _ in range(3)]
    yield made
    for peer in made:
        peer.socket.close()


def now() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


async def test_a_stranger_is_not_heard_and_owns_nothing(
    port: RtpPort, peers: list[Peer], strangers: list[Peer]
) -> None:
    """Who sends before the peer does, from another host, is counted, named and not sent to."""
    heard = listen(port)
    port.expect(LOOPBACK, peers[0].port)
    for number in range(30):
        strangers[0].send(port, rtp(number))
        await asyncio.sleep(0.001)
    await settle()
    assert heard == []
    assert port.foreign == 30
    assert port.stranger == (ELSEWHERE, strangers[0].port)
    peers[0].send(port, rtp(1))
    await settle()
    port.send(b"answer")
    await settle()
    assert (heard, peers[0].received(), strangers[0].received()) == ([rtp(1)], [b"answer"], [])


async def test_the_host_of_the_signalling_is_believed(
    port: RtpPort, peers: list[Peer], strangers: list[Peer]
) -> None:
    """Behind NAT the SDP's address is private: RTP of the host that signals counts."""
    heard = listen(port)
    port.latch.signalled_by(ELSEWHERE)
    port.expect("10.11.12.13", 4000)
    peers[0].send(port, rtp(7))
    strangers[0].send(port, rtp(1))
    await settle()
    port.send(b"answer")
    await settle()
    assert (heard, strangers[0].received(), peers[0].received()) == ([rtp(1)], [b"answer"], [])


async def test_the_sdp_address_takes_a_lock_back_however_late(
    port: RtpPort, peers: list[Peer], strangers: list[Peer]
) -> None:
    """The socket is connected to a worse source; a look from time to time finds the better one."""
    heard = listen(port)
    moves: list[tuple[object, object]] = []
    port.on_moved = lambda before, source: moves.append((before, source))
    port.latch.signalled_by(ELSEWHERE)
    said, worse = peers[0], strangers[0]
    port.expect(LOOPBACK, said.port)
    for number in range(40):
        worse.send(port, rtp(number))
        await asyncio.sleep(0.02)
    assert len(heard) == 40
    said.send(port, rtp(500))
    await settle()
    assert rtp(500) not in heard, "the kernel drops it"
    port.look(now())
    said.send(port, rtp(501))
    await settle()
    assert heard[-1] == rtp(501)
    worse.send(port, rtp(41))
    await settle()
    assert heard[-1] == rtp(501)
    assert moves == [((ELSEWHERE, worse.port), (LOOPBACK, said.port))]


async def test_a_look_that_finds_nobody_ends(port: RtpPort, peers: list[Peer], strangers: list[Peer]) -> None:
    """The lock is as it was, and nothing of the source was lost."""
    heard = listen(port)
    port.latch.signalled_by(ELSEWHERE)
    port.expect(LOOPBACK, peers[0].port)
    for number in range(60):
        if number in (35, 45):
            port.look(now())
            assert not port._connected
        strangers[0].send(port, rtp(number))
        await asyncio.sleep(0.02)
    assert port._connected
    assert heard == [rtp(number) for number in range(60)]


async def test_what_others_sent_before_the_lock_is_not_heard_behind_it(
    port: RtpPort, peers: list[Peer], strangers: list[Peer]
) -> None:
    """The kernel drops from the lock on; what waits in the socket by then is looked through."""
    said = peers[0]
    heard = listen(port)
    port.expect(LOOPBACK, said.port)
    said.send(port, rtp(1))
    for number in range(20):
        strangers[0].send(port, rtp(900 + number))
        peers[1].send(port, rtp(800 + number))
        said.send(port, rtp(2 + number))
    await settle()
    assert heard == [rtp(1 + number) for number in range(21)]
    assert port.foreign == 40


async def test_a_port_that_moves_is_followed_with_its_rtcp(port: RtpPort, peers: list[Peer]) -> None:
    """The old one is missed, the new one goes on with the stream: audio and reports go there."""
    old, new, _ = peers
    heard = listen(port)
    port.goes_on = lambda data, now: data[8:12] == rtp(0)[8:12]
    port.expect(LOOPBACK, old.port)
    old.send(port, rtp(1))
    await settle()
    new.send(port, rtp(2))
    await settle()
    assert heard == [rtp(1)]
    port.doubt(now() - 0.6, now(), on_purpose=False)
    new.send(port, rtp(3))
    await settle()
    assert heard == [rtp(1), rtp(3)]
    reports = Peer(new.port + 1)
    port.send(b"answer")
    port.send_rtcp(b"report")
    await settle()
    assert (new.received(), reports.received(), old.received()) == ([b"answer"], [b"report"], [])
    reports.socket.close()


async def test_a_source_that_was_only_silent_is_locked_to_again(port: RtpPort, peers: list[Peer]) -> None:
    """Its first packet ends the doubt."""
    old, new, _ = peers
    heard = listen(port)
    port.expect(LOOPBACK, old.port)
    old.send(port, rtp(1))
    await settle()
    port.doubt(now() - 0.6, now(), on_purpose=False)
    old.send(port, rtp(2))
    await settle()
    assert port._connected
    new.send(port, rtp(3))
    await settle()
    assert heard == [rtp(1), rtp(2)]


async def test_a_thousand_sources_are_the_kernels_again(port: RtpPort, peers: list[Peer]) -> None:
    """While ours is silent a flood is looked at for a moment, then dropped unseen, and looked at again."""
    old, new, _ = peers
    heard = listen(port)
    port.goes_on = lambda data, now: data[8:12] == rtp(0)[8:12]
    port.expect(LOOPBACK, old.port)
    old.send(port, rtp(1))
    await settle()
    since = now() - 0.6
    port.doubt(since, now(), on_purpose=False)
    flood = [Peer(host=f"127.1.{number // 250}.{number % 250 + 1}") for number in range(1000)]
    for one in flood:
        one.send(port, rtp(9))
        one.socket.close()
    await settle()
    for _ in range(80):
        await asyncio.sleep(0.001)
    assert port._connected
    assert heard == [rtp(1)]
    assert port.foreign <= 400, "at most what the socket's buffer held"
    port.doubt(since, now(), on_purpose=False)
    assert port._connected, "not at once"
    await asyncio.sleep(0.26)
    port.doubt(since, now(), on_purpose=False)
    new.send(port, rtp(2))
    await settle()
    assert heard == [rtp(1), rtp(2)]


async def test_reports_to_the_last_port(port: RtpPort, peers: list[Peer]) -> None:
    """RTP that comes from port 65535 has no port above it for its RTCP, and costs nothing."""
    last = Peer(65_535)
    port.expect(LOOPBACK, 9)
    last.send(port, rtp(1))
    await settle()
    port.send_rtcp(b"report")
    last.socket.close()
