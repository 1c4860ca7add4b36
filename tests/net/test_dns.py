"""RFC 3263 look-ups against a real name server on loopback."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

import gateway.net.dns
from gateway.net.dns import LONGEST_TTL_SECONDS, MAX_ADDRESSES, MAX_SERVERS, Resolver, Unresolvable
from gateway.sip.target import Target

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6


class NameServer(asyncio.DatagramProtocol):
    """A name server with a zone in memory, which counts what it is asked."""

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        self.aliases: dict[str, str] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent: set[tuple[str, str]] = set()
        "Questions that get no answer."
        self.failing: set[tuple[str, str]] = set()
        "Questions that get SERVFAIL."
        self.address = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no assertion: neither loop's datagram transports are subclasses on Python 3.11.
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        asked = question.question[0]
        key = (asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype))
        self.asked[key] += 1
        if key not in self.silent and self._transport is not None:
            self._transport.sendto(self._answer(question, key).to_wire(), source)

    def has(self, name: str, kind: str, *records: str, ttl: int = 300) -> None:
        """Put records of a kind under a name, instead of those it had."""
        self.zone[name, kind] = (ttl, records)

    def _answer(self, question: dns.message.Message, key: tuple[str, str]) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        if key in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif alias := self.aliases.get(key[0]):
            answer.answer.append(dns.rrset.from_text(f"{key[0]}.", 300, "IN", "CNAME", f"{alias}."))
            self._add_records(answer, (alias, key[1]))
        elif key in self.zone:
            self._add_records(answer, key)
        elif not any(name == key[0] for name, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def _add_records(self, answer: dns.message.Message, key: tuple[str, str]) -> None:
        if key in self.zone:
            ttl, records = self.zone[key]
            answer.answer.append(dns.rrset.from_text(f"{key[0]}.", ttl, "IN", key[1], *records))


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    """A name server with an empty zone."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the system knows of names, in place of what this machine's network knows."""
    known: dict[str, list[str]] = {}

    async def look_up(host: str, families: tuple[int, ...]) -> list[str]:
        return known.get(host, [])

    monkeypatch.setattr(gateway.net.dns, "_system_addresses", look_up)
    return known


def resolver_of(
    server: NameServer,
    *,
    naptr: bool = False,
    families: Iterable[int] = (IPV4, IPV6),
    query_seconds: float = 5.0,
) -> Resolver:
    """A resolver that asks this server only."""
    return Resolver(
        name_servers=[server.address], naptr=naptr, families=tuple(families), query_seconds=query_seconds
    )


def udp(host: str, port: int | None = None) -> Target:
    """A UDP target."""
    return Target("UDP", host, port)


def places(targets: Iterable[Target]) -> list[tuple[str, str, int | None]]:
    """What distinguishes the addresses found."""
    return [(target.transport, target.host, target.port) for target in targets]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (udp("192.0.2.1"), ("UDP", "192.0.2.1", 5060)),
        (udp("192.0.2.1", 5080), ("UDP", "192.0.2.1", 5080)),
        (Target("TCP", "[2001:db8::1]", None), ("TCP", "2001:db8::1", 5060)),
        (Target("TLS", "2001:db8::1", None), ("TLS", "2001:db8::1", 5061)),
        (Target("", "192.0.2.1", None), ("UDP", "192.0.2.1", 5060)),
    ],
)
async def test_addresses_are_not_looked_up(
    server: NameServer, target: Target, found: tuple[str, str, int]
) -> None:
    """An IP literal is its own answer, with the port of its transport where it has none."""
    assert places(await resolver_of(server).resolve(target)) == [found]
    assert not server.asked


async def test_where_it_leaves_from_stays(server: NameServer) -> None:
    """The listener of the target is that of every address found."""
    server.has("sip.example.com", "A", "192.0.2.1", "192.0.2.2")
    found = await resolver_of(server).resolve(replace(udp("sip.example.com", 5070), listener="udp-2"))
    assert [target.listener for target in found] == ["udp-2", "udp-2"]


async def test_servers_are_tried_by_priority(server: NameServer) -> None:
    """SRV records give hosts and ports, lowest priority number first (RFC 2782)."""
    server.has(
        "_sip._udp.example.com",
        "SRV",
        "20 1 5062 backup.example.com.",
        "10 1 5061 main.example.com.",
        "30 1 5063 last.example.com.",
    )
    for index, name in enumerate(("main", "backup", "last"), 1):
        server.has(f"{name}.example.com", "A", f"192.0.2.{index}")
    assert places(await resolver_of(server).resolve(udp("example.com"))) == [
        ("UDP", "192.0.2.1", 5061),
        ("UDP", "192.0.2.2", 5062),
        ("UDP", "192.0.2.3", 5063),
    ]


async def test_servers_of_one_priority_share_by_weight(server: NameServer) -> None:
    """Of two servers with weights 9 and 1, the first gets about nine calls of ten, from one cached answer."""
    server.has("_sip._udp.example.com", "SRV", "1 90 5060 big.example.com.", "1 10 5060 small.example.com.")
    server.has("big.example.com", "A", "192.0.2.1")
    server.has("small.example.com", "A", "192.0.2.2")
    resolver = resolver_of(server)
    first = Counter([(await resolver.resolve(udp("example.com")))[0].host for _ in range(300)])
    assert 220 < first["192.0.2.1"] < 299
    assert server.asked["_sip._udp.example.com", "SRV"] == 1


@pytest.mark.parametrize(
    ("transport", "service", "port"),
    [("UDP", "_sip._udp", 5060), ("TCP", "_sip._tcp", 5060), ("TLS", "_sips._tcp", 5061)],
)
async def test_each_transport_has_its_service_and_its_port(
    server: NameServer, transport: str, service: str, port: int
) -> None:
    """The SRV name follows the transport; without such a record the address with the default port serves."""
    server.has("example.com", "A", "192.0.2.1")
    resolver = resolver_of(server)
    assert places(await resolver.resolve(Target(transport, "example.com", None))) == [
        (transport, "192.0.2.1", port)
    ]
    assert server.asked[f"{service}.example.com", "SRV"] == 1


async def test_an_explicit_port_asks_for_no_service(server: NameServer) -> None:
    """A port in the target means that its host is meant, and no SRV record is asked for."""
    server.has("_sip._udp.example.com", "SRV", "1 1 5070 other.example.com.")
    server.has("example.com", "A", "192.0.2.1")
    assert places(await resolver_of(server).resolve(udp("example.com", 5090))) == [("UDP", "192.0.2.1", 5090)]
    assert all(kind in ("A", "AAAA") for _, kind in server.asked)


async def test_families_come_in_our_order(server: NameServer) -> None:
    """Only families that our sockets have are asked for, the preferred one first."""
    server.has("example.com", "A", "192.0.2.1")
    server.has("example.com", "AAAA", "2001:db8::1")
    both = resolver_of(server, families=(IPV6, IPV4))
    target = udp("example.com", 5060)
    assert [found.host for found in await both.resolve(target)] == ["2001:db8::1", "192.0.2.1"]
    assert [found.host for found in await both.resolve(target, families=(IPV4,))] == ["192.0.2.1"]
    server.asked.clear()
    assert [found.host for found in await resolver_of(server, families=(IPV4,)).resolve(target)] == [
        "192.0.2.1"
    ]
    assert server.asked == {("example.com", "A"): 1}


async def test_naptr_chooses_a_transport_that_was_left_open(server: NameServer) -> None:
    """Without a transport the peer's NAPTR records decide, in their order, as far as we speak them."""
    server.has(
        "example.com",
        "NAPTR",
        '30 50 "s" "SIP+D2U" "" _sip._udp.elsewhere.example.com.',
        '10 50 "s" "SIP+D2S" "" _sip._sctp.example.com.',
        '20 50 "S" "sips+d2t" "" _sips._tcp.example.com.',
        '15 50 "u" "SIP+D2T" "!.*!sip:x@y!" .',
    )
    server.has("_sips._tcp.example.com", "SRV", "1 1 5071 main.example.com.")
    server.has("_sip._udp.elsewhere.example.com", "SRV", "1 1 5072 main.example.com.")
    server.has("main.example.com", "A", "192.0.2.1")
    assert places(await resolver_of(server).resolve(Target("", "example.com", None))) == [
        ("TLS", "192.0.2.1", 5071),
        ("UDP", "192.0.2.1", 5072),
    ]


async def test_a_transport_left_open_without_naptr_is_found_by_srv(server: NameServer) -> None:
    """Without NAPTR the services of every transport are looked at, and UDP is the last resort."""
    server.has("_sip._tcp.example.com", "SRV", "1 1 5071 main.example.com.")
    server.has("main.example.com", "A", "192.0.2.1")
    server.has("plain.example.com", "A", "192.0.2.2")
    resolver = resolver_of(server)
    assert places(await resolver.resolve(Target("", "example.com", None))) == [("TCP", "192.0.2.1", 5071)]
    assert places(await resolver.resolve(Target("", "plain.example.com", None))) == [
        ("UDP", "192.0.2.2", 5060)
    ]


async def test_naptr_never_changes_a_transport_that_was_given(server: NameServer) -> None:
    """Asked to, NAPTR finds an unusual SRV name, but TLS never becomes anything less."""
    server.has(
        "example.com",
        "NAPTR",
        '10 50 "s" "SIP+D2U" "" _sip._udp.example.com.',
        '20 50 "s" "SIPS+D2T" "" _secure.example.com.',
    )
    server.has("_sip._udp.example.com", "SRV", "1 1 5071 main.example.com.")
    server.has("_secure.example.com", "SRV", "1 1 5072 main.example.com.")
    server.has("main.example.com", "A", "192.0.2.1")
    found = await resolver_of(server, naptr=True).resolve(Target("TLS", "example.com", None))
    assert places(found) == [("TLS", "192.0.2.1", 5072)]


async def test_naptr_is_not_asked_for_by_itself(server: NameServer) -> None:
    """With a known transport one look-up fewer is made."""
    server.has("example.com", "A", "192.0.2.1")
    await resolver_of(server).resolve(udp("example.com"))
    assert not [kind for _, kind in server.asked if kind == "NAPTR"]


async def test_a_service_that_is_not_there_says_so(server: NameServer) -> None:
    """The SRV target "." means no service, and the address of the name is not tried instead (RFC 2782)."""
    server.has("_sip._udp.example.com", "SRV", "0 0 0 .")
    server.has("example.com", "A", "192.0.2.1")
    with pytest.raises(Unresolvable, match=r"example.com: its SRV record says that it has no SIP over UDP"):
        await resolver_of(server).resolve(udp("example.com"))


async def test_one_dead_server_does_not_cost_the_others(server: NameServer) -> None:
    """Servers whose names lead nowhere are left out while another has an address."""
    server.has("_sip._udp.example.com", "SRV", "1 1 5060 gone.example.com.", "2 1 5060 main.example.com.")
    server.has("main.example.com", "A", "192.0.2.1")
    assert places(await resolver_of(server).resolve(udp("example.com"))) == [("UDP", "192.0.2.1", 5060)]


async def test_aliases_are_followed(server: NameServer) -> None:
    """A CNAME leads to the address behind it."""
    server.aliases["example.com"] = "real.example.com"
    server.has("real.example.com", "A", "192.0.2.7")
    assert places(await resolver_of(server).resolve(udp("example.com", 5060))) == [("UDP", "192.0.2.7", 5060)]


async def test_what_dns_does_not_know_the_system_may(
    server: NameServer, system: dict[str, list[str]]
) -> None:
    """A name of /etc/hosts resolves though the name servers deny it, and with the default port."""
    system["pbx.example.com"] = ["192.0.2.9"]
    assert places(await resolver_of(server).resolve(udp("pbx.example.com"))) == [("UDP", "192.0.2.9", 5060)]


async def test_names_without_a_dot_go_to_the_system(server: NameServer, system: dict[str, list[str]]) -> None:
    """Names of containers and of this machine need no name server."""
    system["kamailio"] = ["192.0.2.9"]
    assert places(await resolver_of(server).resolve(Target("TLS", "kamailio", None))) == [
        ("TLS", "192.0.2.9", 5061)
    ]
    assert not server.asked


async def test_localhost_resolves_on_any_machine(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    """The real system knows localhost, in the families asked for and in their order."""
    monkeypatch.undo()
    resolver = resolver_of(server, families=(IPV4,))
    assert places(await resolver.resolve(udp("localhost"))) == [("UDP", "127.0.0.1", 5060)]


async def test_a_machine_without_name_servers_has_its_system(
    monkeypatch: pytest.MonkeyPatch, system: dict[str, list[str]]
) -> None:
    """No /etc/resolv.conf is no failure: what the system knows still resolves."""

    def no_file(self: object, *arguments: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", no_file)
    system["pbx.example.com"] = ["192.0.2.9"]
    assert places(await Resolver().resolve(udp("pbx.example.com"))) == [("UDP", "192.0.2.9", 5060)]


@pytest.mark.parametrize("trouble", ["silent", "failing"])
async def test_an_unanswered_service_leaves_the_address(server: NameServer, trouble: str) -> None:
    """A network that loses SRV questions still leads to the name's own address."""
    server.has("example.com", "A", "192.0.2.1")
    getattr(server, trouble).add(("_sip._udp.example.com", "SRV"))
    assert places(await resolver_of(server, query_seconds=0.5).resolve(udp("example.com"))) == [
        ("UDP", "192.0.2.1", 5060)
    ]


@pytest.mark.parametrize("trouble", ["silent", "failing"])
async def test_a_family_without_answer_leaves_the_other(server: NameServer, trouble: str) -> None:
    """A name server that has no word for AAAA does not cost the IPv4 address."""
    server.has("example.com", "A", "192.0.2.1")
    getattr(server, trouble).add(("example.com", "AAAA"))
    found = await resolver_of(server, query_seconds=0.5).resolve(udp("example.com", 5060))
    assert places(found) == [("UDP", "192.0.2.1", 5060)]


async def test_silent_name_servers_are_given_up_in_time(server: NameServer) -> None:
    """Nothing answers: the failure comes within the bound, says what it is, and is remembered for a while."""
    server.silent = {("example.com", "A"), ("example.com", "AAAA")}
    resolver = resolver_of(server, query_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(Unresolvable, match=r"example.com: the name servers gave no answer"):
        await resolver.resolve(udp("example.com", 5060))
    assert time.monotonic() - began < 1.6
    asked = server.asked.total()
    with pytest.raises(Unresolvable, match=r"example.com: the name servers gave no answer"):
        await resolver.resolve(udp("example.com", 5060))
    assert server.asked.total() == asked


async def test_a_system_that_hangs_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, server: NameServer
) -> None:
    """The bound holds for the whole look-up, whichever part of it hangs."""

    async def hang(host: str, families: tuple[int, ...]) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(gateway.net.dns, "_system_addresses", hang)
    with pytest.raises(Unresolvable, match=r"example.com: no answer within 1.5 s"):
        await resolver_of(server, query_seconds=0.5).resolve(udp("example.com"))


async def test_a_failure_is_forgotten(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    """A name that did not resolve is asked for again after a while."""
    monkeypatch.setattr(gateway.net.dns, "FAILURE_SECONDS", 0.0)
    server.failing = {("example.com", "A"), ("example.com", "AAAA")}
    resolver = resolver_of(server, query_seconds=0.5)
    with pytest.raises(Unresolvable):
        await resolver.resolve(udp("example.com", 5060))
    server.failing = set()
    server.has("example.com", "A", "192.0.2.1")
    assert places(await resolver.resolve(udp("example.com", 5060))) == [("UDP", "192.0.2.1", 5060)]


async def test_records_are_kept_for_their_time(server: NameServer) -> None:
    """One look-up asks the servers, the next uses the answers; a TTL of 0 is not kept."""
    server.has("example.com", "A", "192.0.2.1")
    server.has("fresh.example.com", "A", "192.0.2.2", ttl=0)
    resolver = resolver_of(server, families=(IPV4,))
    for _ in range(3):
        await resolver.resolve(udp("example.com", 5060))
        await resolver.resolve(udp("fresh.example.com", 5060))
    assert server.asked["example.com", "A"] == 1
    assert server.asked["fresh.example.com", "A"] == 3


async def test_no_record_is_kept_for_ever(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    """A TTL of 68 years ends after an hour here."""
    server.has("example.com", "A", "192.0.2.1", ttl=2**31 - 1)
    resolver = resolver_of(server, families=(IPV4,))
    await resolver.resolve(udp("example.com", 5060))
    later = time.time() + LONGEST_TTL_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    await resolver.resolve(udp("example.com", 5060))
    assert server.asked["example.com", "A"] == 2


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    """Of more names than fit, the one not asked for longest has to be asked for again."""
    monkeypatch.setattr(gateway.net.dns, "MAX_CACHED", 2)
    resolver = resolver_of(server, families=(IPV4,))
    names = [f"{letter}.example.com" for letter in "abc"]
    for name in names:
        server.has(name, "A", "192.0.2.1")
        await resolver.resolve(udp(name, 5060))
    await resolver.resolve(udp("c.example.com", 5060))
    await resolver.resolve(udp("a.example.com", 5060))
    assert [server.asked[name, "A"] for name in names] == [2, 1, 1]


async def test_a_zone_cannot_make_us_work_without_end(server: NameServer) -> None:
    """Of hundreds of servers and addresses only the first few are looked up and used."""
    server.has("_sip._udp.example.com", "SRV", *(f"{n} 1 5060 host{n}.example.com." for n in range(60)))
    for n in range(60):
        server.has(f"host{n}.example.com", "A", *(f"192.0.2.{n}" for n in range(40)))
    found = await resolver_of(server, families=(IPV4,)).resolve(udp("example.com"))
    assert len(found) == MAX_SERVERS * MAX_ADDRESSES
    assert len(server.asked) == 1 + MAX_SERVERS


@pytest.mark.parametrize(
    "host", ["", "a..example.com", f"{'x' * 64}.example.com", f"{'x.' * 200}com", "x\0.y"]
)
async def test_what_is_no_name_is_refused(server: NameServer, host: str) -> None:
    """Text that cannot be a host's name leads nowhere, and nothing else happens."""
    with pytest.raises(Unresolvable):
        await resolver_of(server).resolve(udp(host))
