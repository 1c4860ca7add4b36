"""Testing an agent version's runtime, step by step, each told in words with what to look at.

1. **address** – the version's URL, with its placeholders filled as for a call.
2. **name**, **reach**, **TLS**, **upgrade** – the connection as a call makes it, within the same reach.
3. **start** – the runtime is told that a call begins, and hears silence; what it says is counted, and
   whatever else it asks for is left alone.
4. **goodbye** – the call ends, and the runtime closes its side.

Nothing rings and nothing is recorded: the runtime sees a call of some seconds.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gateway.agent.dialects import SIP, dialect_named
from gateway.agent.notices import MarkPlayed
from gateway.agent.placeholders import fill_headers, fill_url, placeholder_values
from gateway.agent.protocol import CallStart, Dialect, Transfer
from gateway.call.conversation import shown
from gateway.call.legs.agent_leg import AgentLeg
from gateway.net.agent import AgentDialer, AgentUnreachable
from gateway.net.agent_advice import Unreachable
from gateway.provisioning.trial import Report
from gateway.routing.table import AgentVersion
from gateway.store.engine.ids import new_id
from gateway.tell import tell_nobody

LONGEST = 12.0
"Seconds for the connection."
LISTENED = 3.0
"Seconds in which a runtime should have said its first word; one that waits for the caller's says none."
GOODBYE = 1.0
"Seconds in which it should have closed its side."
MOMENT = 0.2
"Seconds for which it is heard after its first word."
FRAME = 0.02
MAX_AT_ONCE = 4
"Tests under way on one gateway: each makes it connect to where a person says."

STEPS = ("address", "name", "reach", "TLS", "upgrade")
"Those of the connection, in their order."
FAILS_AT = {
    Unreachable.INVALID: "address",
    Unreachable.DNS: "name",
    Unreachable.NOT_ALLOWED: "name",
    Unreachable.REFUSED: "reach",
    Unreachable.NETWORK: "reach",
    Unreachable.TIMEOUT: "reach",
    Unreachable.TLS: "TLS",
    Unreachable.STATUS: "upgrade",
    Unreachable.BAD_UPGRADE: "upgrade",
    Unreachable.CLOSED: "upgrade",
}
WENT_WELL = {
    "address": "a URL that can be dialled",
    "name": "leads to an address that may be reached",
    "reach": "takes connections",
    "TLS": "the certificate is good",
    "upgrade": "agreed, as for a call",
}
SECURE = ("wss:", "tls:")
NO_TLS = "; or it speaks no TLS at this port, and the URL should begin with ws://"
WORDS_OF = "look at what its dialect lets it say; docs of the dialect have each message"


@dataclass
class _Ear:
    """Hears what the runtime says, and does nothing of it."""

    told_mark: Callable[[str], None] | None = None
    spoke_at: float | None = None
    "On the loop's clock."

    def play(self, audio: bytes) -> None:
        """Remember when it first spoke."""
        if self.spoke_at is None:
            self.spoke_at = asyncio.get_running_loop().time()

    def mark(self, name: str) -> None:
        """What was said has been heard, as far as the runtime can tell."""
        if self.told_mark is not None:
            self.told_mark(name)

    def clear(self) -> None:
        """There is nothing to drop."""

    def pause(self, paused: bool) -> None:
        """There is nothing to hold."""

    def press(self, digits: str) -> None:
        """There is no telephone."""

    def recording_action(self, action: str) -> None:
        """There is nothing to record."""

    def transfer(self, transfer: Transfer) -> None:
        """There is nobody to put through."""


class _Leg(AgentLeg):
    """The agent's leg of a call that is a test: complaints are kept, the log has none."""

    __slots__ = ("complaints",)

    def __init__(self, dialect: Dialect, start: CallStart, dialer: AgentDialer) -> None:
        super().__init__(dialect, start, dialer, tell_nobody)
        self.complaints: Counter[str] = Counter()

    def complain(self, why: str) -> None:
        """Keep it, and tell the runtime as a call would."""
        if len(self.complaints) < 100 or why in self.complaints:
            self.complaints[why] += 1
        super().complain(why)


@dataclass
class RuntimeTrials:
    """Tests runtimes through the dialer that calls use, so that what works here works for them."""

    dialer: AgentDialer
    listened: float = LISTENED
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    "One test of a workspace at a time, so that none has all the room."

    async def try_version(self, version: AgentVersion, workspace_id: str) -> Report:
        """Test a version, draft or published, as it is saved."""
        report = Report(well="the runtime takes calls")
        turn = self._turns.setdefault(workspace_id, asyncio.Lock())
        if not version.runtime_url:
            report.add("address", "fail", "none", "the version has no runtime URL", "save one, then test it")
        elif version.runtime_url.partition(":")[0] in SIP:
            found = "a SIP endpoint is reached by a call alone"
            report.add("address", "note", shown(version.runtime_url), found, "place a web call to it")
        else:
            async with turn, self._room:
                await self._call(report, version, workspace_id)
        return report

    async def _call(self, report: Report, version: AgentVersion, workspace_id: str) -> None:
        secret = version.secret.reveal() if version.secret else None
        start = _start(version, workspace_id)
        values = placeholder_values(start, secret)
        dialect = dialect_named(
            version.dialect.value,
            secret=secret,
            audio=version.audio,
            options=dict(version.options),
            nonce=secrets.token_hex(16),
        )
        leg, ear = _Leg(dialect, start, self.dialer), _Ear()
        ear.told_mark = lambda name: leg.notice(MarkPlayed(name))
        try:
            if await self._connected(report, version, leg, ear, values):
                await self._listen(report, leg, ear)
                await _say_goodbye(report, leg)
        finally:
            leg.end("completed", "gateway")

    async def _connected(
        self, report: Report, version: AgentVersion, leg: _Leg, ear: _Ear, values: Mapping[str, str]
    ) -> bool:
        url, headers = fill_url(version.runtime_url, values), fill_headers(version.headers, values)
        where, loop = shown(version.runtime_url), asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(LONGEST):
                await leg.connect(url, headers, ear)
        except AgentUnreachable as error:
            mend = error.look_at
            if error.why is Unreachable.CLOSED and where.startswith(SECURE):
                mend += NO_TLS
            _tell_connection(report, where, FAILS_AT[error.why], str(error), mend)
            return False
        except TimeoutError:
            late = AgentUnreachable(Unreachable.TIMEOUT, f"no answer within {LONGEST:g} s")
            _tell_connection(report, where, "reach", str(late), late.look_at)
            return False
        _tell_connection(report, where, "", f"agreed after {1000 * (loop.time() - began):.0f} ms")
        return True

    async def _listen(self, report: Report, leg: _Leg, ear: _Ear) -> None:
        """Begin the call, be silent for a while, and hear what comes."""
        leg.begin()
        loop = asyncio.get_running_loop()
        began, silence = loop.time(), leg.dialect.format.silence(round(1000 * FRAME))
        until = began + self.listened
        while loop.time() < until and not leg.closed.done():
            leg.hear(silence)
            await asyncio.sleep(FRAME)
            if ear.spoke_at is not None:
                until = min(until, ear.spoke_at + MOMENT)
        took = f"{1000 * ((ear.spoke_at or loop.time()) - began):.0f} ms"
        if ear.spoke_at is not None and (not leg.closed.done() or leg.closed.result().clean):
            report.add("start", "pass", leg.dialect.name, f"spoke after {took}")
        elif not leg.closed.done():
            found = f"taken; nothing was said within {self.listened:g} s of silence"
            mend = "if it waits for the caller’s first word all is well: talk to it by a web call"
            report.add("start", "note", leg.dialect.name, found, mend)
        elif leg.closed.result().clean:
            mend = "look whether it was meant to hang up at once"
            report.add("start", "fail", leg.dialect.name, f"hung up after {took}", mend)
        else:
            how = leg.closed.result()
            report.add("start", "fail", leg.dialect.name, how.what, how.look_at)
        for why, count in leg.complaints.most_common(3):
            times = "once" if count == 1 else f"{count} times"
            report.add("messages", "fail", leg.dialect.name, f"made no sense, {times}: {why}", WORDS_OF)


async def _say_goodbye(report: Report, leg: _Leg) -> None:
    if leg.closed.done():
        return
    leg.end("completed", "gateway")
    await asyncio.wait([leg.closed], timeout=GOODBYE)
    if leg.closed.done():
        report.add("goodbye", "pass", "close 1000", "closed its side")
    else:
        found = f"did not close its side within {GOODBYE:g} s"
        report.add("goodbye", "note", "close 1000", found, "answer a Close frame with one")


def _tell_connection(report: Report, where: str, failed: str, found: str, mend: str = "") -> None:
    """The steps up to the one that failed, or all of them."""
    for step in STEPS:
        if step == failed:
            report.add(step, "fail", where, found, mend)
            return
        if step == "TLS" and not where.startswith(SECURE):
            continue
        report.add(step, "pass", where, found if step == "upgrade" else WENT_WELL[step])


def _start(version: AgentVersion, workspace_id: str) -> CallStart:
    return CallStart(
        call_id=new_id("call"),
        stream_id=new_id("str"),
        account_id=workspace_id,
        from_number="+12025550100",
        to_number="+12025550199",
        direction="inbound",
        agent_id=version.agent_id,
        agent_version=version.number,
        parameters=dict(version.parameters),
    )
