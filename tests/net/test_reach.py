"""Where others may make us connect to: which addresses, and at every place where a socket is opened."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from gateway.config.settings import AgentsSettings
from gateway.net.agent import AgentDialer, AgentUnreachable, Unreachable
from gateway.net.reach import ANYWHERE, NotAllowed, Reach, is_public
from gateway.net.sip import Binding, SipEndpoint
from gateway.phones.telephone import AnybodyMayCall
from gateway.sip.target import Target

PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1")
SPECIAL = {
    "this network": ("0.0.0.0", "0.1.2.3"),
    "private": ("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    "between carrier and customers": ("100.64.0.1", "100.127.255.254"),
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "link-local": ("169.254.169.254", "fe80::1", "fe80::1%eth0"),
    "protocol assignments": ("192.0.0.8", "192.0.0.170", "2001:1::1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "relays of 6to4": ("192.88.99.1",),
    "benchmarking": ("198.18.0.1", "198.19.255.255", "2001:2::1"),
    "multicast": ("224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"),
    "reserved and broadcast": ("240.0.0.1", "255.255.255.255"),
    "unspecified": ("::",),
    "IPv4-mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    "IPv4-compatible": ("::127.0.0.1", "::8.8.8.8"),
    "IPv4-translated": ("::ffff:0:7f00:1", "::ffff:0:808:808"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:ffff::808:808"),
    "6to4": ("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1"),
    "Teredo": ("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    "ORCHID": ("2001:10::1", "2001:20::1"),
    "ISATAP": ("2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:127.0.0.1"),
    "unique local": ("fc00::1", "fd12:3456::1"),
    "site-local": ("fec0::1",),
    "discard": ("100::1", "100:0:0:1::1"),
    "segment routing": ("5f00::1",),
    "not assigned": ("4000::1", "8000::1", "e000::1"),
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    """What belongs to the public network may be reached by everybody."""
    assert Reach().allows(address)


@pytest.mark.parametrize("address", [one for group in SPECIAL.values() for one in group])
def test_special(address: str) -> None:
    """Every special range is out of reach, in whatever clothes, unless the operator says otherwise."""
    assert not is_public(ip_address(address))
    assert not Reach().allows(address)
    assert ANYWHERE.allows(address)


def test_python_knows_no_more() -> None:
    """What the standard library calls not global is out of reach too."""
    for first in range(256):
        for second in range(256):
            address = ip_address(f"{first}.{second}.1.1")
            assert address.is_global or not is_public(address), address


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.0.0.1", "2130706433", "017700000001", "example.com", "", "[::1]"]
)
def test_other_writings(host: str) -> None:
    """What is no address in its usual writing is none that was looked at."""
    assert not Reach().allows(host)


def test_networks_of_the_operator() -> None:
    """They are open beside the public network, also where a socket of IPv6 writes their addresses."""
    reach = Reach.of(["10.1.0.0/16", "fd00:1::/32"], private=False)
    assert all(map(reach.allows, ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "8.8.8.8")))
    assert not any(map(reach.allows, ("10.2.0.1", "fd00:2::5", "127.0.0.1")))


def test_a_name_with_both_kinds() -> None:
    """Of a name's addresses those are used that may be reached; where none may, no address is told."""
    assert Reach().among("x.example", ["10.0.0.1", "8.8.8.8", "::1"]) == ["8.8.8.8"]
    with pytest.raises(NotAllowed, match=r"^x\.example leads to no public address$"):
        Reach().among("x.example", ["10.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:{port}/",
        "ws://127.1:{port}/",
        "ws://2130706433:{port}/",
        "ws://0x7f000001:{port}/",
        "ws://localhost:{port}/",
        "ws://[::ffff:127.0.0.1]:{port}/",
        "ws://0.0.0.0:{port}/",
        "tcp://127.0.0.1:{port}",
        "wss://127.0.0.1:{port}/",
    ],
)
async def test_a_runtime_of_a_tenant(url: str) -> None:
    """No writing of a URL makes us knock at our own door, and the refusal does not say what is there."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        dialer = AgentDialer(AgentsSettings(connect_attempts=1), reach=Reach())
        with pytest.raises(AgentUnreachable) as refused:
            await dialer.connect(url.format(port=door.getsockname()[1]), on_message=_take, on_closed=_closed)
        assert refused.value.why is Unreachable.NOT_ALLOWED
        assert str(refused.value).endswith("leads to no public address")
        with pytest.raises(BlockingIOError):
            door.accept()


class Names:
    """Names that lead where the test says."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, target: Target) -> Sequence[Target]:
        """All of them."""
        return [Target(target.transport, address, target.port) for address in self.addresses]


@pytest.mark.parametrize("host", ["127.0.0.1", "carrier.example"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_carrier_of_a_tenant(host: str, transport: str) -> None:
    """No request leaves for a private address, whether it was written so or resolved to."""
    endpoint = SipEndpoint(
        [Binding("a", transport, "127.0.0.1", 0)],
        AnybodyMayCall(),
        iter(map(str, range(10**9, 2 * 10**9))).__next__,
        Names("127.0.0.1"),
        lambda event: None,
        reach=Reach(),
    )
    await endpoint.start()
    try:
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as door:
            door.bind(("127.0.0.1", 0))
            door.setblocking(False)
            if transport == "TCP":
                door.listen()
            target = Target(transport, host, door.getsockname()[1])
            answer = await endpoint.ask_options("sip:x@carrier.example", target=target, from_="<sip:a@b>")
            assert not answer.answered
            assert "no public address" in answer.reason_phrase
            assert "127.0.0.1 leads" in answer.reason_phrase or host != "127.0.0.1"
            with pytest.raises(BlockingIOError):
                door.accept() if transport == "TCP" else door.recv(100)
    finally:
        await endpoint.stop()
    assert endpoint.sockets.not_allowed == 1


def _take(text: bool, payload: bytes) -> None:
    raise AssertionError("nobody may have said anything")


def _closed(code: int | None, why: str) -> None:
    raise AssertionError("nothing may have been open")
