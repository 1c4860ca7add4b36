"""Where SIP messages to a name go: NAPTR, SRV and addresses, in the order in which to try them (RFC 3263)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import islice
from socket import AF_INET, AF_INET6, SOCK_STREAM
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdatatype import AAAA, NAPTR, SRV, A, RdataType

from gateway.sip.target import Target

QUERY_SECONDS = 2.0
"How long one question may take; each name server has half of that before the next one is asked."

TOTAL_QUERIES = 3
"How many such times a name may take: NAPTR and SRV, the addresses, and what the system asks."

FAILURE_SECONDS = 5.0
"How long a name that did not resolve is not asked for again; what DNS says is missing is kept for its TTL."

LONGEST_TTL_SECONDS = 3600.0
"A record is asked for again after this, whatever its TTL: a mistake in a zone has an end."

MAX_CACHED = 1000
"Answers kept, and names that failed."

MAX_SERVERS = 8
"Servers of a name that are looked up; a zone could list hundreds."

MAX_ADDRESSES = 8
"Addresses of one server and family that are used."

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}

_SERVICES = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
"RFC 3263 section 4.1."

_NAPTR_SERVICES = {b"SIP+D2U": "UDP", b"SIP+D2T": "TCP", b"SIPS+D2T": "TLS"}

_ADDRESS_RECORDS: dict[int, RdataType] = {AF_INET: A, AF_INET6: AAAA}


class Unresolvable(OSError):
    """The name leads nowhere; the message says which question failed and how."""


class _Silent(Unresolvable):
    """The name servers did not answer, or not usefully."""


class _Cache(dns.resolver.LRUCache):
    """dnspython's cache of answers, found ones and missing ones, with an upper bound for the time."""

    def get(self, key: dns.resolver.CacheKey) -> dns.resolver.Answer | None:
        """An answer that is still good. One that is good for too long was kept before the clock was set."""
        answer = super().get(key)
        if answer is None or answer.expiration <= time.time() + LONGEST_TTL_SECONDS:
            return answer
        self.flush(key)
        return None

    def put(self, key: dns.resolver.CacheKey, value: dns.resolver.Answer) -> None:
        """Keep an answer until its TTL is over, or ours."""
        value.expiration = min(value.expiration, time.time() + LONGEST_TTL_SECONDS)
        super().put(key, value)


_Question = tuple[str, str, int | None, tuple[int, ...]]
"Transport, host, port and families: what decides how a look-up ends."


@dataclass(frozen=True, slots=True)
class _Server:
    """One place to send to, whose name may still have to be turned into addresses."""

    transport: str
    host: str
    port: int


class Resolver:
    """Turns the target of a request into addresses.

    SRV and addresses come from the name servers; what these do not know (`/etc/hosts`, names of containers)
    comes from the system. A name without a dot goes to the system at once: nobody has SRV records for such.
    """

    def __init__(
        self,
        *,
        name_servers: Sequence[tuple[str, int]] = (),
        families: Sequence[int] = (AF_INET, AF_INET6),
        naptr: bool = False,
        query_seconds: float = QUERY_SECONDS,
        told: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`name_servers` are addresses and ports; without any, those of the system are asked.

        `families` are those that our sockets have, the preferred one first. `naptr` asks for NAPTR records
        even when the transport is known, for peers whose SRV records have names of their own.
        `told` hears each question and what came of it, in words.
        """
        self._families = tuple(families)
        self._naptr = naptr
        self._told = told
        self._failed: dict[_Question, tuple[float, str]] = {}
        self._total_seconds = query_seconds * TOTAL_QUERIES
        self._dns = _client(name_servers, query_seconds)

    async def resolve(self, target: Target, *, families: Sequence[int] | None = None) -> list[Target]:
        """Addresses of `target`, never none, in the order in which to try them (RFC 3263 section 4).

        An empty transport leaves the choice to the peer's NAPTR and SRV records. Raises `Unresolvable`.
        """
        target = replace(target, host=target.host.strip("[]"))
        if _is_address(target.host):
            return [_at(target, _default(target))]
        question = (target.transport, target.host, target.port, tuple(families or self._families))
        self._raise_known_failure(question)
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._look_up(target, question[3])
        except TimeoutError:
            raise self._failure(question, f"no answer within {self._total_seconds:g} s") from None
        except Unresolvable as error:
            raise self._failure(question, str(error)) from error

    async def addresses(self, host: str, family: int) -> list[str]:
        """The addresses of a host in one family, never none; raises `Unresolvable`."""
        # A port says that it is one host, and not a domain with SRV records.
        targets = await self.resolve(Target("UDP", host, 1), families=(family,))
        return [one.host for one in targets]

    def _raise_known_failure(self, question: _Question) -> None:
        until, why = self._failed.get(question, (0.0, ""))
        if asyncio.get_running_loop().time() < until:
            raise Unresolvable(why)

    def _failure(self, question: _Question, reason: str) -> Unresolvable:
        now = asyncio.get_running_loop().time()
        why = f"{question[1]}: {reason}"
        if len(self._failed) >= MAX_CACHED:
            self._failed = {name: kept for name, kept in self._failed.items() if kept[0] > now}
        if len(self._failed) < MAX_CACHED:
            self._failed[question] = (now + FAILURE_SECONDS, why)
        return Unresolvable(why)

    async def _look_up(self, target: Target, families: tuple[int, ...]) -> list[Target]:
        servers = await self._servers(target)
        results = await asyncio.gather(*(self._addresses(server.host, families) for server in servers))
        addresses = [
            _at(target, replace(server, host=address))
            for server, result in zip(servers, results, strict=True)
            if not isinstance(result, Unresolvable)
            for address in result
        ]
        if not addresses:
            raise next(result for result in results if isinstance(result, Unresolvable))
        return addresses

    async def _servers(self, target: Target) -> list[_Server]:
        """The servers of a name: RFC 3263 sections 4.1 and 4.2."""
        if target.port is not None or "." not in target.host:
            return [_default(target)]
        try:
            servers = await self._srv_servers(target)
        except _Silent:
            # Some networks lose SRV questions and nothing else: then the address is the best there is.
            servers = []
        return servers or [_default(target)]

    async def _srv_servers(self, target: Target) -> list[_Server]:
        ask_naptr = self._naptr or not target.transport
        services = (await self._naptr_services(target) if ask_naptr else []) or _usual_services(target)
        servers: list[_Server] = []
        declined: list[str] = []
        for transport, name in services:
            records = await self._records(name, SRV)
            if len(records) == 1 and records[0].target == dns.name.root:
                # RFC 2782: "the service is decidedly not available at this domain".
                declined.append(transport)
            else:
                servers += [_Server(transport, _text(one.target), one.port) for one in records if one.port]
        if declined and not servers:
            raise Unresolvable(f"its SRV record says that it has no SIP over {' or '.join(declined)}")
        return servers[:MAX_SERVERS]

    async def _naptr_services(self, target: Target) -> list[tuple[str, dns.name.Name]]:
        """The names of the SRV records, by transport, as the peer prefers them (RFC 3263 section 4.1)."""
        records = await self._records(_name(target.host), NAPTR)
        services = [
            (_NAPTR_SERVICES.get(one.service.upper(), ""), one.replacement)
            for one in records
            if one.flags.lower() == b"s"
        ]
        return [(transport, name) for transport, name in services if transport in _transports(target)]

    async def _records(self, name: dns.name.Name, kind: RdataType) -> list[Any]:
        """Records in the order in which to use them, none where there are none; raises `_Silent`."""
        try:
            answer = await self._dns.resolve(name, kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            self._told(f"{kind.name} {_text(name)}: there is no such name")
            return []
        except (dns.exception.DNSException, OSError) as error:
            self._told(f"{kind.name} {_text(name)}: no answer from the name servers")
            raise _Silent(f"the name servers gave no answer ({type(error).__name__})") from error
        records = list(answer.rrset.processing_order()) if answer.rrset is not None else []
        self._told(f"{kind.name} {_text(name)}: {', '.join(map(str, records)) or 'none'}")
        return records

    async def _addresses(self, host: str, families: tuple[int, ...]) -> list[str] | Unresolvable:
        """The addresses of one server, or why there are none."""
        if _is_address(host):
            return [host]
        try:
            addresses = await self._dns_addresses(host, families) if "." in host else []
        except Unresolvable as error:
            return await self._system(host, families) or error
        return addresses or await self._system(host, families) or Unresolvable("it has no address")

    async def _system(self, host: str, families: tuple[int, ...]) -> list[str]:
        addresses = await _system_addresses(host, families)
        self._told(f"the system's {host}: {', '.join(addresses) or 'unknown'}")
        return addresses

    async def _dns_addresses(self, host: str, families: tuple[int, ...]) -> list[str]:
        name = _name(host)
        answers = await asyncio.gather(*(self._answer(name, _ADDRESS_RECORDS[one]) for one in families))
        silence = next((answer for answer in answers if isinstance(answer, _Silent)), None)
        answered = [answer for answer in answers if not isinstance(answer, _Silent)]
        if silence is not None and not any(answered):
            raise silence
        return [str(record.address) for records in answered for record in islice(records, MAX_ADDRESSES)]

    async def _answer(self, name: dns.name.Name, kind: RdataType) -> list[Any] | _Silent:
        """Records, or the silence: some name servers never answer for one family and serve the other well."""
        try:
            return await self._records(name, kind)
        except _Silent as silence:
            return silence


def _client(name_servers: Sequence[tuple[str, int]], query_seconds: float) -> dns.asyncresolver.Resolver:
    try:
        client = dns.asyncresolver.Resolver(configure=not name_servers)
    except dns.resolver.NoResolverConfiguration:
        # A machine without name servers still has /etc/hosts.
        client = dns.asyncresolver.Resolver(configure=False)
    if name_servers:
        client.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in name_servers]
    client.lifetime, client.timeout = query_seconds, query_seconds / 2
    client.cache = _Cache(MAX_CACHED)
    return client


async def _system_addresses(host: str, families: tuple[int, ...]) -> list[str]:
    """What the system knows of a name: by `/etc/hosts`, search domains, and whatever else it asks."""
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(host, None, type=SOCK_STREAM)
    except (OSError, ValueError):
        # ValueError: a name that cannot even be asked for, such as one with a label of 64 letters.
        return []
    return [str(entry[4][0]) for family in families for entry in entries if entry[0] == family]


def _transports(target: Target) -> tuple[str, ...]:
    return (target.transport,) if target.transport else tuple(_SERVICES)


def _usual_services(target: Target) -> list[tuple[str, dns.name.Name]]:
    return [(one, _name(f"{_SERVICES[one]}.{target.host}")) for one in _transports(target)]


def _default(target: Target) -> _Server:
    """The target as it stands, with the default transport and port where it has none."""
    transport = target.transport or "UDP"
    return _Server(transport, target.host, target.port or DEFAULT_PORTS[transport])


def _at(target: Target, server: _Server) -> Target:
    return replace(target, transport=server.transport, host=server.host, port=server.port)


def _name(host: str) -> dns.name.Name:
    try:
        return dns.name.from_text(host)
    except (dns.exception.DNSException, ValueError) as error:
        raise Unresolvable("it is no name that DNS could know") from error


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
