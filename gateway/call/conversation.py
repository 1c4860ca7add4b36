"""The agent that a call talks to: the version's runtime first, its fallback when that fails."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gateway.agent.dialects import SIP
from gateway.agent.placeholders import fill_headers, fill_url, placeholder_values
from gateway.agent.protocol import CallStart, Dialect
from gateway.call.agent_leg import AgentClosed, AgentLeg, Dialer, Tell
from gateway.call.bridge import Bridge
from gateway.call.record import Ending, EndReason, Status
from gateway.call.refusal import Refused
from gateway.media.audio import read_wav
from gateway.net.agent import AgentUnreachable
from gateway.routing.table import AgentVersion
from gateway.settings import AgentsSettings


class Conversation:
    """Keeps somebody on the line with the phone: `dial`, `begin` at the answer, `run` until it is over."""

    def __init__(
        self,
        version: AgentVersion,
        start: CallStart,
        make_dialect: Callable[[], Dialect],
        bridge: Bridge,
        dialer: Dialer,
        settings: AgentsSettings,
        tell: Tell,
    ) -> None:
        self._version = version
        self._start = start
        self._make_dialect = make_dialect
        self._bridge = bridge
        self._dialer = dialer
        self._settings = settings
        self._tell = tell
        self._agent: AgentLeg | None = None
        self._begun = False
        self._held = False
        self._fallbacks = [version.fallback_url] if version.fallback_url else []

    async def dial(self) -> None:
        """Connect to the runtime, or to its fallback; `Refused` when neither answers and no WAV stands in."""
        try:
            await self._connect(self._version.runtime_url)
        except AgentUnreachable as error:
            url = shown(self._version.runtime_url)
            self._tell("agent.unreachable", level="warning", url=url, why=str(error))
            if not await self._fall_back() and self._version.fallback_wav is None:
                raise Refused(EndReason.AGENT_UNREACHABLE, f"{url}: {error}") from error

    @property
    def speaks_at_once(self) -> bool:
        """An agent that is a SIP endpoint takes the connection itself for the answer."""
        return self._version.dialect.value == "sip" and not self._version.early_media

    def begin(self) -> None:
        """The agent's call begins: with the answer, or while it rings where the agent hears early media."""
        self._begun = True
        if self._agent is not None:
            self._agent.begin()
            self._bridge.listen()

    def answered(self) -> None:
        """The call is answered: the agent's call begins, or has, and what it says is heard from now on."""
        if self._agent is not None and self._agent.begun:
            self._agent.answered()
        else:
            self.begin()

    async def run(self) -> Ending:
        """Talk until the agent hangs up or dies, and say which."""
        while self._agent is not None:
            how = await self._agent.closed
            self._tell(
                "agent.closed", level="info" if how.clean else "warning", clean=how.clean, why=how.detail
            )
            if how.clean:
                await self._play_out()
                return Ending(Status.COMPLETED, EndReason.AGENT_DISCONNECTED, "agent", how.detail)
            if not await self._fall_back():
                await self._play_out()
                return await self._last_words(how)
        return await self._last_words(AgentClosed(clean=False, detail="no runtime answered"))

    def close(self, ending: Ending) -> None:
        """Tell the agent what was not heard any more and how its call ended, and close its connection."""
        if self._agent is not None:
            self._bridge.abandon()
            self._agent.end(ending.reason.value, ending.by)

    def figures(self) -> dict[str, object]:
        """What passed between us and the agent, for the record."""
        playout, agent = self._bridge.playout, self._agent
        per_ms = self._bridge.phone.format.bytes_per_ms
        figures: dict[str, object] = {
            "dropped_ms": playout.dropped_ms,
            "underruns": playout.underruns,
            "shortened_ms": self._bridge.shortened // per_ms,
            "lengthened_ms": self._bridge.seam.made_up // per_ms,
        }
        if agent is not None:
            figures |= agent.figures()
        return figures

    def balance_low(self, seconds: float) -> None:
        """The wallet that pays for the call runs dry, and the call will end in so many seconds."""
        if self._agent is not None:
            self._agent.balance_low(seconds)

    def hold(self, held: bool) -> None:
        """The caller has put the call on hold, or taken it back."""
        self._held = held
        if self._agent is not None:
            self._agent.hold(held)

    async def _connect(self, url: str) -> None:
        version = self._version
        agent = AgentLeg(self._make_dialect(), self._start, self._dialer, self._tell)
        self._tell("agent.connecting", url=shown(url))
        self._bridge.attach(agent)
        values = placeholder_values(self._start, version.secret.reveal() if version.secret else None)
        await agent.connect(fill_url(url, values), fill_headers(version.headers, values), self._bridge)
        self._agent = agent
        self._tell("agent.connected", url=shown(url), dialect=agent.dialect.name)
        if self._begun:
            self.begin()
            if self._held:
                agent.hold(True)

    async def _fall_back(self) -> bool:
        while self._fallbacks:
            url = self._fallbacks.pop(0)
            try:
                await self._connect(url)
            except AgentUnreachable as error:
                self._tell("agent.unreachable", level="warning", url=shown(url), why=str(error))
            else:
                return True
        return False

    async def _last_words(self, how: AgentClosed) -> Ending:
        """The fallback WAV where there is one, then the end of a call whose agent is dead."""
        if self._version.fallback_wav is not None:
            await self._announce(self._version.fallback_wav)
        return Ending(Status.FAILED, EndReason.AGENT_FAILED, "agent", how.detail, q850=41)

    async def _announce(self, file: str) -> None:
        try:
            audio_format, audio = read_wav(await asyncio.to_thread(Path(file).read_bytes))
        except (OSError, ValueError) as error:
            self._tell("agent.fallback_wav", level="error", file=file, why=str(error))
            return
        self._tell("agent.fallback_wav", file=file)
        self._bridge.announce(audio_format, audio)
        await self._bridge.played_out()

    async def _play_out(self) -> None:
        """What the agent has said is heard to its end, within bounds: the goodbye is not cut off."""
        try:
            async with asyncio.timeout(self._settings.drain_audio_seconds):
                await self._bridge.played_out()
        except TimeoutError:
            self._tell("agent.cut_off", queued_ms=self._bridge.playout.queued_ms)


def shown(url: str) -> str:
    """A runtime's URL for logs and records: without login and query, which is where secrets are."""
    try:
        parts = urlsplit(url)
        if parts.scheme in SIP:
            return f"{parts.scheme}:{parts.path}"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "a URL that cannot be read"
