"""Testing the connection to a carrier, step by step, each told in words with what to do about it.

1. **address** – the termination URI is `host[:port]`.
2. **resolve** – NAPTR, SRV and addresses (RFC 3263), as a call would look them up.
3. **reach** – OPTIONS to each address in turn until one answers. Any answer proves that a SIP peer is there
   and that its answers find us.
4. **log in** – only with user name and password. The OPTIONS offers them: a peer that challenges it has
   proven them, or refused them. One that does not is asked by REGISTER for the bindings it has (RFC 3261
   section 10.2.3), which changes none. One that challenges neither asks only when a call comes: then nothing
   is proven, and the step says so instead of guessing.

No call is placed, so nothing rings and nothing costs.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from weakref import WeakValueDictionary

from gateway.call.legs.dialling import login_of
from gateway.net.dns import Resolver, Unresolvable
from gateway.net.reach import ANYWHERE, NOT_PUBLIC, Reach
from gateway.net.sip import SipEndpoint
from gateway.routing.decision import Check, Outcome
from gateway.routing.table import Trunk
from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import OptionsAnswered
from gateway.sip.grammar import format_host_port
from gateway.sip.settings import Login
from gateway.sip.target import Target
from gateway.store.configuration.rules import checked_host_port
from gateway.store.engine.errors import InvalidInput

MAX_ADDRESSES = 3
"Addresses of a carrier that are tried."

MAX_AT_ONCE = 4
"Tests under way on one gateway: each sends packets to where a person says."

UNRESERVED = "-_.!~*'()&=+$,;?/"
"What may stand unescaped in the user part of a SIP URI beside letters and digits (RFC 3261 section 25.1)."

DENIED = (401, 403, 407)

FIREWALL = (
    "check the address and port, that a firewall lets our packets out and theirs back in, and that the"
    " carrier has our signalling address"
)
BEYOND = "have whoever runs the gateway allow the carrier's network, if it is to be reached"
NOT_LISTED = "have the carrier put our signalling address on its list, or link with user name and password"
WRONG_LOGIN = "check user name and password, and that the account at the carrier is enabled"
CALL_IT = "place a test call: a carrier may ask only then"


@dataclass(frozen=True, slots=True)
class Peer:
    """The carrier's side, as it would be dialled."""

    termination_uri: str
    transport: str = "UDP"
    login: Login | None = None


@dataclass(slots=True)
class Report:
    """What a test found."""

    steps: list[Check] = field(default_factory=list)
    well: str = "the carrier answers"
    "What it comes to where nothing fails."
    addresses: tuple[str, ...] = ()
    "Of the carrier, as they resolved: where its calls will come from, unless it says otherwise."

    @property
    def passed(self) -> bool:
        """Whether nothing failed; a step that could prove nothing does not count."""
        return all(step.outcome != "fail" for step in self.steps)

    @property
    def proven(self) -> bool:
        """Whether every step passed."""
        return all(step.outcome == "pass" for step in self.steps)

    @property
    def summary(self) -> str:
        """The test in one sentence."""
        for step in self.steps:
            if step.outcome == "fail":
                return f"{step.name}: {step.found}"
        return self.well + ("" if self.proven else "; not everything could be proven without a call")

    def lines(self) -> list[str]:
        """For a terminal."""
        return [*map(str, self.steps), f"= {'passed' if self.passed else 'failed'}: {self.summary}"]

    def as_dict(self) -> dict[str, object]:
        """The report in JSON types."""
        return {
            "passed": self.passed,
            "proven": self.proven,
            "summary": self.summary,
            "steps": [{**step.as_dict(), "mend": step.mend or None} for step in self.steps],
        }

    def add(self, name: str, outcome: Outcome, looked_at: str, found: str, mend: str = "") -> None:
        """One more step."""
        self.steps.append(Check(name, looked_at, found, outcome, mend))


class Trials:
    """Tests connections through the endpoint that calls use, so that what works here works for them."""

    def __init__(
        self,
        endpoint: SipEndpoint,
        resolver: Callable[[Callable[[str], None]], Resolver],
        seconds: float,
        reach: Reach = ANYWHERE,
    ) -> None:
        """`resolver` makes one that tells its questions; `seconds` is how long each step waits.

        `reach` says which addresses may be tried, and told of.
        """
        self._reach_of = reach
        self._endpoint = endpoint
        self._resolver = resolver
        self._seconds = seconds
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        "One test of a workspace at a time, so that none has all the room."

    async def try_trunk(self, trunk: Trunk) -> Report:
        """Test a trunk that is there."""
        if trunk.termination_uri is None:
            report = Report()
            report.add(
                "address", "fail", "none", "no calls go out by this trunk", "give it a termination URI"
            )
            return report
        peer = Peer(trunk.termination_uri, trunk.transport, login_of(trunk))
        return await self.try_peer(peer, trunk.workspace_id or "")

    async def try_peer(self, peer: Peer, workspace_id: str = "") -> Report:
        """Test what is not saved yet. Sends a handful of packets to where `peer` says, and nothing else."""
        turn = self._turns.setdefault(workspace_id, asyncio.Lock())
        async with turn, self._room:
            report = Report()
            targets = await self._resolve(report, peer)
            answer = await self._reach(report, peer, targets) if targets else None
            if answer is not None and peer.login is not None:
                await self._log_in(report, peer, peer.login, answer)
            return report

    async def _resolve(self, report: Report, peer: Peer) -> list[Target]:
        uri = peer.termination_uri
        try:
            at = checked_host_port("terminationUri", uri)
        except InvalidInput as error:
            report.add("address", "fail", uri, error.right, "write it as host or host:port")
            return []
        report.add(
            "address", "pass", uri, f"host {at.host}, port {at.port or 'by DNS'}, over {peer.transport}"
        )
        questions: list[str] = []
        try:
            found = await self._resolver(questions.append).resolve(Target(peer.transport, at.host, at.port))
        except Unresolvable as error:
            asked = "; ".join([*questions, str(error)])
            report.add("resolve", "fail", at.host, asked, "check the name; the carrier's documents have it")
            return []
        allowed = [one for one in found if self._reach_of.allows(one.host)]
        if not allowed:
            report.add("resolve", "fail", at.host, NOT_PUBLIC, BEYOND)
            return []
        addresses = ", ".join(format_host_port(one.host, one.port) for one in allowed)
        told = questions if len(allowed) == len(found) else []
        report.add("resolve", "pass", at.host, "; ".join([*told, f"so {addresses}"]))
        report.addresses = tuple(dict.fromkeys(one.host for one in allowed))
        return allowed[:MAX_ADDRESSES]

    async def _reach(self, report: Report, peer: Peer, targets: Sequence[Target]) -> OptionsAnswered | None:
        """The answer of the first address that has one."""
        for target in targets:
            request = f"OPTIONS to {format_host_port(target.host, target.port)} over {target.transport}"
            began = self._endpoint.now()
            try:
                answer = await self._options(peer, target)
            except LocalProtocolError:
                mend = f"add a listener with transport = {target.transport.lower()}"
                report.add("reach", "fail", request, f"this gateway has no {target.transport} listener", mend)
                return None
            except TimeoutError:
                report.add("reach", "fail", request, f"no answer within {self._seconds:g} s", FIREWALL)
                continue
            if not answer.answered:
                report.add("reach", "fail", request, f"not sent: {answer.reason_phrase}", FIREWALL)
                continue
            took = round((self._endpoint.now() - began) * 1000)
            report.steps = [step for step in report.steps if step.name != "reach"]
            return answer if _judge_reach(report, peer, request, answer, took) else None
        return None

    async def _options(self, peer: Peer, target: Target) -> OptionsAnswered:
        async with asyncio.timeout(self._seconds):
            return await self._endpoint.ask_options(
                _uri(peer), target=target, from_=_address(peer), credentials=peer.login
            )

    async def _log_in(self, report: Report, peer: Peer, login: Login, answer: OptionsAnswered) -> None:
        if answer.realms or answer.status in DENIED:
            _judge_login(report, "OPTIONS", login, answer)
            return
        target = answer.target
        try:
            async with asyncio.timeout(self._seconds):
                registered = await self._endpoint.ask_bindings(
                    _uri(peer), target=target, address=_address(peer), credentials=login
                )
        except TimeoutError:
            registered = OptionsAnswered("", target, 408, "no answer", answered=False)
        if registered.realms or registered.status == 401:
            _judge_login(report, "REGISTER", login, registered)
            return
        status = f"{registered.status} {registered.reason_phrase}".strip()
        found = f"never asked for them: OPTIONS got {answer.status}, REGISTER {status}"
        report.add("log in", "note", f"user {login.username}", found, CALL_IT)


def _judge_reach(report: Report, peer: Peer, request: str, answer: OptionsAnswered, took: int) -> bool:
    """What a status says about the peer; True where a login is worth trying."""
    found = f"{answer.status} {answer.reason_phrase} in {took} ms"
    if answer.status in DENIED and peer.login is None:
        report.add("reach", "fail", request, f"{found}: it does not know us by our address", NOT_LISTED)
        return False
    if answer.status >= 500 and answer.status not in (501, 505):
        report.add("reach", "fail", request, f"{found}: it is there, but does not serve", "ask the carrier")
        return False
    report.add("reach", "pass", request, found)
    return True


def _judge_login(report: Report, method: str, login: Login, answer: OptionsAnswered) -> None:
    who = f"user {login.username}"
    status = f"{answer.status} {answer.reason_phrase}"
    if answer.status not in DENIED:
        realm = ", ".join(answer.realms)
        report.add("log in", "pass", who, f"{method} with them got {status}; realm {realm}")
    elif answer.realms:
        report.add("log in", "fail", who, f"{method} with them got {status}", WRONG_LOGIN)
    elif answer.status == 403:
        report.add("log in", "fail", who, f"{method} got {status} without being asked for them", NOT_LISTED)
    else:
        mend = "outbound_realm of the trunk should be the realm of the challenge, or empty"
        report.add("log in", "fail", who, f"{method} got {status}, a challenge that we could not meet", mend)


def _uri(peer: Peer) -> str:
    """The carrier itself, without a user."""
    parameter = "" if peer.transport == "UDP" else f";transport={peer.transport.lower()}"
    return f"sip:{peer.termination_uri}{parameter}"


def _address(peer: Peer) -> str:
    """Who asks: the user at the carrier's host, as registrars know their own."""
    host = checked_host_port("terminationUri", peer.termination_uri).host
    user = "trunkline" if peer.login is None else peer.login.username.partition("@")[0]
    return f"<sip:{quote(user, safe=UNRESERVED)}@{format_host_port(host, None)}>"
