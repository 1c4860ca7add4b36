"""What `gateway agent-check` does in its call, and what it makes of what it hears."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.agent.dialects import dialect_named
from gateway.agent.notices import Digit
from gateway.agent.placeholders import fill_headers, fill_url, placeholder_values
from gateway.agent.protocol import CallStart
from gateway.commands.agent_trial import Line, Pace, TrialLeg, is_silent, roughness
from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.settings import AgentsSettings
from gateway.net.agent import AgentDialer, AgentUnreachable, Unreachable
from gateway.routing.table import AgentVersion, Dialect, VersionState
from gateway.store.configuration.fields import VERSION, parse_fields
from gateway.store.configuration.rules import checked_version
from gateway.store.engine.ids import new_id

NOISE = 1.15
"Roughness above which audio is hardly speech."
SLOW_SECONDS = 2.0
"A connection that takes longer is heard by the caller as ringing."
SETTLE = 0.1
"Seconds for the socket to close behind the last word."
GAPS = 3
"Underruns that may happen to anybody."

OURS = {
    Unreachable.TLS: ", or give its authority by --ca",
    Unreachable.NOT_ALLOWED: " ([security] allowed_networks)",
}
"What only whoever has the command line can do, beside what the owner of a runtime can."


def advice_for(error: AgentUnreachable) -> str:
    """What to look at, with what the command line has for it."""
    return error.look_at + OURS.get(error.why, "")


@dataclass
class Trial:
    """One call by the script, and what was found in it."""

    version: AgentVersion
    pace: Pace = field(default_factory=Pace)
    settings: AgentsSettings = field(default_factory=lambda: AgentsSettings(connect_attempts=1))
    findings: list[Finding] = field(default_factory=list)

    async def run(self) -> list[Finding]:
        """Call, and say what was right and wrong, in the order of a call."""
        async with self._dialled() as (leg, line):
            if leg is None or line is None:
                return self.findings
            await self._converse(leg, line)
            await self._hang_up(leg, line)
            self._judge_audio(leg, line)
            self._judge_messages(leg, line)
        return self.findings

    @asynccontextmanager
    async def _dialled(self) -> AsyncIterator[tuple[TrialLeg | None, Line | None]]:
        version, loop = self.version, asyncio.get_running_loop()
        secret = version.secret.reveal() if version.secret else None
        start = _call(version)
        values = placeholder_values(start, secret)
        dialect = dialect_named(
            version.dialect,
            secret=secret,
            audio=version.audio,
            options=dict(version.options),
            nonce=secrets.token_hex(16),
        )
        dialer = AgentDialer(self.settings)
        leg = TrialLeg(dialect, start, dialer)
        line, began = Line(leg), loop.time()
        try:
            await leg.connect(
                fill_url(version.runtime_url, values), fill_headers(version.headers, values), line
            )
        except AgentUnreachable as error:
            found = f"{error}: {error.said}" if error.said else str(error)
            self.findings.append(bad("connection", found, advice_for(error)))
            yield None, None
            return
        self._tell_connection(loop.time() - began)
        line.start()
        try:
            yield leg, line
        finally:
            line.stop()
            leg.end("completed", "gateway")
            await dialer.close()
            await asyncio.sleep(SETTLE)

    def _tell_connection(self, seconds: float) -> None:
        found = f"connected in {seconds * 1000:.0f} ms"
        if seconds > SLOW_SECONDS:
            self.findings.append(warn("connection", found, "answer the upgrade first, and load models after"))
        else:
            self.findings.append(ok("connection", found))

    async def _converse(self, leg: TrialLeg, line: Line) -> None:
        """Greeting, interruption, a question and its answer, digits."""
        loop, pace = asyncio.get_running_loop(), self.pace
        leg.begin()
        began = loop.time()
        greeted = await line.until(lambda: line.first_audio, pace.greeting)
        if greeted and line.first_audio is not None:
            self.findings.append(ok("greeting", f"first audio after {_ms(line.first_audio - began)}"))
        interrupted = greeted and await self._interrupt(line)
        await line.until(lambda: not line.queued_ms, pace.quiet)
        if not await self._ask(line, greeted=greeted) and not greeted:
            return
        if not interrupted:
            await self._interrupt(line, last=True)
        if leg.closed.done():
            self._tell_end(leg)
            return
        for digit in "15#":
            leg.notice(Digit(digit, 120))
            await asyncio.sleep(pace.moment / 3)
        await line.until(lambda: False, pace.moment)
        if leg.closed.done() and leg.closed.result().clean:
            found = f"1, 5 and # were pressed, and it hung up: {leg.closed.result().detail}"
            self.findings.append(ok("digits", found))
        elif leg.closed.done():
            self._tell_end(leg)
        else:
            self.findings.append(ok("digits", "1, 5 and # were taken"))

    async def _ask(self, line: Line, *, greeted: bool) -> bool:
        """Speak, and wait for an answer."""
        loop, pace = asyncio.get_running_loop(), self.pace
        began = loop.time()
        line.speak(pace.speech)
        answered = await line.until(lambda: (line.last_audio or 0) > began, pace.speech + pace.answer)
        if answered and line.last_audio is not None:
            self.findings.append(
                ok("answer", f"audio {_ms(line.last_audio - began)} after the caller's first word")
            )
        elif greeted:
            found = f"nothing was said within {pace.answer:g} s of the caller's words"
            self.findings.append(warn("answer", found, "see whether it hears the caller at all"))
        else:
            found = "it says nothing, before or after the caller speaks"
            self.findings.append(bad("answer", found, "send audio in the dialect's words; see its log"))
        return answered

    async def _interrupt(self, line: Line, *, last: bool = False) -> bool:
        """Speak while the agent does; False: it was not ahead, and so had nothing to drop."""
        loop, pace = asyncio.get_running_loop(), self.pace
        await asyncio.sleep(pace.moment)
        if line.queued_ms < 200 or self.version.dialect is Dialect.AUDIOSOCKET:
            if last:
                self.findings.append(ok("interruption", "nothing to drop: it was never far ahead"))
            return False
        began, cleared = loop.time(), len(line.clears)
        line.speak(pace.speech)
        if await line.until(lambda: len(line.clears) > cleared, pace.interruption):
            self.findings.append(ok("interruption", f"fell silent {_ms(line.clears[cleared] - began)} after"))
        else:
            found = (
                f"{line.queued_ms} ms of its words still waited when the caller had been speaking for a while"
            )
            self.findings.append(warn("interruption", found, "clear what is queued when the caller speaks"))
        return True

    async def _hang_up(self, leg: TrialLeg, line: Line) -> None:
        loop = asyncio.get_running_loop()
        if leg.closed.done():
            return
        began = loop.time()
        line.abandon()
        leg.end("user_disconnected", "caller")
        await asyncio.wait([leg.closed], timeout=3)
        if leg.closed.done() and loop.time() - began < 0.9:
            self.findings.append(ok("hang-up", f"closed {_ms(loop.time() - began)} after the caller did"))
        else:
            mend = "answer a Close frame with one, and close when the call ends"
            self.findings.append(warn("hang-up", "did not close its side within a second", mend))

    def _tell_end(self, leg: TrialLeg) -> None:
        how = leg.closed.result()
        if how.clean:
            self.findings.append(warn("connection", how.detail, "was the call meant to end here?"))
        else:
            mend = "close with code 1000 to hang up: this counts as a crash, and the fallback takes over"
            self.findings.append(bad("connection", how.detail, mend))

    def _judge_audio(self, leg: TrialLeg, line: Line) -> None:
        heard, playout = bytes(line.heard), line.playout
        named = f"{self.version.audio} of the dialect {self.version.dialect}"
        if line.has_header:
            self.findings.append(bad("audio", "WAV headers are sent as sound", "send samples alone"))
        elif heard and is_silent(heard):
            self.findings.append(bad("audio", "all that it sent is silence", f"send {named}"))
        elif roughness(heard) > NOISE:
            mend = f"is it {named}? L16 is little-endian; μ-law is no L16"
            self.findings.append(warn("audio", "it sounds like noise", mend))
        elif heard:
            longest, seconds = f"{line.longest_ms:.0f} ms", f"{len(heard) / 8000:.1f} s"
            said = f"{line.messages} messages of at most {longest}, {seconds} in all"
            self.findings.append(ok("audio", said))
        if playout.dropped_ms:
            found = f"{playout.dropped_ms} ms were dropped: more than a minute waited"
            self.findings.append(warn("pace", found, "send later, or clear"))
        elif playout.underruns > GAPS:
            found = f"{playout.underruns} gaps: audio came too late, or utterances end without a mark"
            self.findings.append(warn("pace", found, "send faster than real time"))
        if leg.figures()["audio_dropped"]:
            found = "it does not read what it is sent: audio of the caller was dropped"
            self.findings.append(bad("reading", found, "read without waiting for other work"))

    def _judge_messages(self, leg: TrialLeg, line: Line) -> None:
        if line.marks:
            waited = f", {line.unreached} not reached when the caller hung up" if line.unreached else ""
            self.findings.append(ok("marks", f"{line.marks} asked for, {line.marks_told} told{waited}"))
        for why, count in leg.complaints.most_common(5):
            times = "once" if count == 1 else f"{count} times"
            mend = "see docs/agents.md and docs/dialects.md for what can be said"
            found = f"made no sense, {times}, first message #{leg.first_at[why]}: {why}"
            self.findings.append(bad("messages", found, mend))


def version_of(given: Mapping[str, object]) -> AgentVersion:
    """The version that a trial is about; `InvalidInput` where it could not be one."""
    version = AgentVersion(new_id("ver"), "agent_check", 1, VersionState.PUBLISHED)
    return checked_version(replace(version, **parse_fields(VERSION, given)))


def _call(version: AgentVersion) -> CallStart:
    return CallStart(
        call_id=new_id("call"),
        stream_id=new_id("str"),
        account_id="org_check",
        from_number="+12025550100",
        to_number="+12025550199",
        direction="inbound",
        agent_id="agent_check",
        agent_version=version.number,
        parameters=dict(version.parameters),
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
