"""SIP's sockets by themselves: messages in and out over every transport, with no user agent behind them."""

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence

import pytest

from gateway.net.reach import ANYWHERE, Reach
from gateway.net.sip_sockets import Binding, SipSockets
from gateway.sip.framing import Unframable
from gateway.sip.target import Target

MESSAGE = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\nhi"
SECONDS = 5.0


class Side:
    """Sockets, and what they told."""

    def __init__(self, *transports: str, resolver: "Names | None" = None, reach: Reach = ANYWHERE) -> None:
        self.messages: list[tuple[bytes, Target]] = []
        self.faults: list[Unframable] = []
        self.failures: list[tuple[Target, str]] = []
        self.connections: Collection[int] = ()
        self.traced: list[tuple[bool, bytes]] = []
        self._news = asyncio.Event()
        bindings = [Binding(transport.lower(), transport, "127.0.0.1", 0) for transport in transports]
        self.sockets = SipSockets(
            bindings,
            self,
            resolver or Names({}),
            trace=lambda sent, data, _: self.traced.append((sent, data)),
            reach=reach,
        )

    async def start(self) -> "Side":
        """Bind; where it listens is in `ports`."""
        self.ports = {one.transport: one.port for one in await self.sockets.start()}
        return self

    def knows(self, source: Target) -> bool:
        """Everybody."""
        return True

    def received(self, data: bytes, source: Target) -> None:
        """Keep it."""
        self.messages.append((data, source))
        self._news.set()

    def unframable(self, fault: Unframable, source: Target) -> None:
        """Keep it."""
        self.faults.append(fault)
        self._news.set()

    def failed(self, target: Target, why: str) -> None:
        """Keep it."""
        self.failures.append((target, why))
        self._news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what is to be told."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._news.clear()
                await self._news.wait()


class Names:
    """What names stand for; a question is answered in the loop's next round."""

    def __init__(self, known: dict[str, Sequence[Target]]) -> None:
        self.known = known
        self.asked: list[str] = []

    async def resolve(self, target: Target) -> Sequence[Target]:
        """As the DNS would."""
        self.asked.append(target.host)
        await asyncio.sleep(0)
        if target.host not in self.known:
            raise OSError(f"{target.host} is unknown")
        return self.known[target.host]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_there_and_back(transport: str) -> None:
    """A message arrives whole, and goes back to the source that it came with; both are traced."""
    ours, theirs = await Side(transport).start(), await Side(transport).start()
    ours.sockets.send(MESSAGE, Target(transport, "127.0.0.1", theirs.ports[transport]))
    await theirs.until(lambda: theirs.messages)
    data, source = theirs.messages[0]
    assert (data, source.transport, source.host, source.heard) == (MESSAGE, transport, "127.0.0.1", True)
    assert (source.connection is None) == (transport == "UDP")
    theirs.sockets.send(MESSAGE, source)
    await ours.until(lambda: ours.messages)
    assert ours.traced == [(True, MESSAGE), (False, MESSAGE)]
    await ours.sockets.stop()
    await theirs.sockets.stop()


async def test_a_name_is_looked_up_once() -> None:
    """What waits for it is sent in order, and later messages go to the same place."""
    theirs = await Side("UDP").start()
    names = Names({"carrier.example": [Target("UDP", "127.0.0.1", theirs.ports["UDP"])]})
    ours = await Side("UDP", resolver=names).start()
    there = Target("UDP", "carrier.example", None)
    for number in range(3):
        ours.sockets.send(b"%d" % number, there)
    await theirs.until(lambda: len(theirs.messages) == 3)
    ours.sockets.send(b"3", there)
    await theirs.until(lambda: len(theirs.messages) == 4)
    assert [data for data, _ in theirs.messages] == [b"0", b"1", b"2", b"3"]
    assert names.asked == ["carrier.example"]
    await ours.sockets.stop()
    await theirs.sockets.stop()


async def test_what_cannot_be_sent_is_told_afterwards() -> None:
    """A name that leads nowhere, a port that nobody has, and an address that nobody may make us send to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    ours = await Side("UDP", reach=Reach()).start()
    ours.sockets.send(MESSAGE, Target("UDP", "127.0.0.1", closed))
    assert ours.failures == [], "not while it is being sent"
    await ours.until(lambda: ours.failures)
    assert ours.sockets.not_allowed == 1
    ours.sockets.send(MESSAGE, Target("UDP", "nowhere.example", None))
    await ours.until(lambda: len(ours.failures) == 2)
    ours.sockets.send(MESSAGE, Target("TCP", "127.0.0.1", closed, heard=True))
    await ours.until(lambda: len(ours.failures) == 3)
    assert [target.host for target, _ in ours.failures] == ["127.0.0.1", "nowhere.example", "127.0.0.1"]
    assert ours.failures[1][1] == "nowhere.example is unknown"
    await ours.sockets.stop()


async def test_a_stream_that_breaks_off() -> None:
    """What came whole before it is a message, the rest a fault."""
    theirs = await Side("TCP").start()
    _, writer = await asyncio.open_connection("127.0.0.1", theirs.ports["TCP"])
    writer.write(MESSAGE + b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n")
    await theirs.until(lambda: theirs.faults)
    assert [data for data, _ in theirs.messages] == [MESSAGE]
    writer.close()
    await theirs.sockets.stop()


async def test_a_port_that_is_taken() -> None:
    """The error names the listener and where it was to be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        side = Side()
        side.sockets._bindings = [Binding("mine", "UDP", "127.0.0.1", port)]
        with pytest.raises(OSError, match=rf"mine \(UDP 127\.0\.0\.1 port {port}\)"):
            await side.sockets.start()
