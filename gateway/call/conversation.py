"""The agent that a call talks to: the version's runtime first, its fallback when that fails."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.agent.dialects import SIP
from gateway.agent.notices import Answered, BalanceLow, Held, TransferFailed
from gateway.agent.placeholders import fill_headers, fill_url, placeholder_values
from gateway.agent.protocol import CallStart, Dialect
from gateway.agent.sip import SipDialect
from gateway.call.bridge import Bridge
from gateway.call.legs.agent_leg import AgentClosed, AgentLeg, Dialer
from gateway.call.patch import Patch
from gateway.call.record import Ending, EndReason, Status
from gateway.call.recording.sounds import NoSound, Sounds
from gateway.call.refusal import Refused
from gateway.config.settings import AgentsSettings
from gateway.media.audio import L16_8K
from gateway.media.tones import RINGBACK_SECONDS, ringback
from gateway.net.agent import AgentUnreachable
from gateway.routing.table import AgentVersion
from gateway.tell import Tell

Farewell = Callable[[AgentClosed], Ending]
"What it means for a call that its agent has hung up."


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
        sounds: Sounds,
        tell: Tell,
        farewell: Farewell,
    ) -> None:
        """`farewell` says what it means for the call that its agent has hung up."""
        self._version = version
        self._start = start
        self._make_dialect = make_dialect
        self._bridge = bridge
        self._dialer = dialer
        self._settings = settings
        self._sounds = sounds
        self._tell = tell
        self._farewell = farewell
        self._agent: AgentLeg | None = None
        self._patch: Patch | None = None
        "What the agent has transferred the call by."
        self._over = False
        self._begun = False
        self._held = False
        self._dry_at: float | None = None
        "When the wallet will be empty, on the loop's clock, as long as the agent has not been told."
        self._fallbacks = [version.fallback_url] if version.fallback_url else []

    async def dial(self) -> None:
        """Connect to the runtime, or to its fallback; `Refused` when neither answers and no WAV stands in."""
        try:
            await self._connect(self._version.runtime_url)
        except AgentUnreachable as error:
            url = shown(self._version.runtime_url)
            self._unreachable(url, error)
            if not await self._fall_back() and self._version.fallback_wav is None:
                raise Refused(EndReason.AGENT_UNREACHABLE, f"{url}: {error}; {error.look_at}") from error

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
            self._tell_low()

    def answered(self) -> None:
        """The call is answered: the agent's call begins, or has, and what it says is heard from now on."""
        if self._agent is not None and self._agent.begun:
            self._agent.notice(Answered())
        else:
            self.begin()

    async def run(self) -> Ending:
        """Talk until the agent hangs up or dies, and say which."""
        while self._agent is not None:
            how = await self._agent.closed
            if self._patch is not None:
                return await self._hand_over(self._agent, self._patch)
            self._tell(
                "agent.closed", level="info" if how.clean else "warning", clean=how.clean, why=how.detail
            )
            if how.clean:
                await self._play_out()
                return self._farewell(how)
            if not await self._fall_back():
                await self._play_out()
                return await self._last_words(how)
        return await self._last_words(AgentClosed(clean=False, what="no runtime answered"))

    @property
    def talking(self) -> bool:
        """An agent is in the call, and has not said that it is done."""
        return self._agent is not None and self._agent.begun and not self._agent.closed.done()

    @property
    def transferred(self) -> bool:
        """The agent has given the call away, or is about to."""
        return self._patch is not None

    def leave(self, detail: str) -> None:
        """The agent is done: what it has said is heard to its end, and then the call ends."""
        if self._agent is not None:
            self._agent.leave(detail)

    def transfer(self, patch: Patch, *, at_once: bool) -> None:
        """Put the phone through by a patch as soon as its number has answered.

        Until then the agent stays, and keeps the call where nobody answers; `at_once`: it leaves now.
        """
        self._patch = patch
        patch.reached.add_done_callback(lambda _: self._reached(patch))
        if at_once:
            self.leave(f"the agent transferred the call to {patch.to}")

    def transfer_failed(self, to: str, reason: str, why: str) -> None:
        """Tell the agent, and everybody else, that a transfer came to nothing."""
        self._tell("call.transfer_failed", level="warning", to=to, reason=reason, why=why)
        if self._agent is not None:
            self._agent.notice(TransferFailed(to, reason, why))

    def close(self, ending: Ending) -> None:
        """Tell the agent what was not heard any more and how its call ended, and close its connection."""
        self._over = True
        if self._patch is not None:
            self._patch.give_up(ending.reason.value)
        if self._agent is not None:
            self._bridge.abandon()
            self._agent.end(ending.reason.value, ending.by)
        self._bridge.close()

    def figures(self) -> dict[str, object]:
        """What passed between us and the agent, for the record."""
        playout, agent = self._bridge.playout, self._agent
        per_ms = self._bridge.phone.format.bytes_per_ms
        figures: dict[str, object] = {
            "dropped_ms": playout.dropped_ms,
            "underruns": playout.underruns,
            "shortened_ms": self._bridge.shortened // per_ms,
            "elapsed_ms": self._bridge.passed // per_ms,
            "lengthened_ms": self._bridge.seam.made_up // per_ms,
        }
        if agent is not None:
            figures |= agent.figures()
        return figures

    def balance_low(self, seconds: float) -> None:
        """The wallet that pays for the call runs dry, and the call will end in so many seconds.

        An agent whose call has not begun hears of it then.
        """
        self._dry_at = asyncio.get_running_loop().time() + seconds
        self._tell_low()

    def hold(self, held: bool) -> None:
        """The caller has put the call on hold, or taken it back."""
        self._held = held
        if self._agent is not None:
            self._agent.notice(Held(held))

    def _tell_low(self) -> None:
        if self._dry_at is not None and self._agent is not None and self._agent.begun:
            left = self._dry_at - asyncio.get_running_loop().time()
            self._agent.notice(BalanceLow(max(0.0, left)))
            self._dry_at = None

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
                agent.notice(Held(True))

    def _reached(self, patch: Patch) -> None:
        """The number has answered, or never will."""
        failed = patch.reached.result()
        if self._over or self._agent is None:
            return
        if failed is None:
            self.leave(f"the agent transferred the call to {patch.to}")
            return
        if not self._agent.closed.done():
            self._patch = None
        self.transfer_failed(patch.to, failed.reason.value, failed.detail)

    async def _hand_over(self, agent: AgentLeg, patch: Patch) -> Ending:
        """Let the agent's last words be heard, and the caller ringing; then put the call through."""
        await self._play_out()
        agent.end("transferred", "agent")
        failed = await self._ring_until(patch)
        return await self._put_through(patch) if failed is None else patch.failed(failed)

    async def _ring_until(self, patch: Patch) -> Ending | None:
        """The phone hears ringing until the number has answered: None; or its ending."""
        ringing = asyncio.create_task(self._ring())
        try:
            return await asyncio.shield(patch.reached)
        finally:
            ringing.cancel()
            self._bridge.clear()

    async def _ring(self) -> None:
        while True:
            self._bridge.announce(L16_8K, ringback())
            await asyncio.sleep(RINGBACK_SECONDS)

    async def _put_through(self, patch: Patch) -> Ending:
        """Both phones hear each other until one of them hangs up."""
        agent = AgentLeg(SipDialect(), self._start, patch.first, self._tell)
        self._bridge.attach(agent)
        try:
            await agent.connect("", (), self._bridge)
        except AgentUnreachable:
            return patch.second_ended()
        self._agent = agent
        self._tell("call.transferred", to=patch.to, transfer_call_id=patch.call_id)
        self.begin()
        await agent.closed
        await self._play_out()
        return patch.second_ended()

    async def _fall_back(self) -> bool:
        while self._fallbacks:
            url = self._fallbacks.pop(0)
            try:
                await self._connect(url)
            except AgentUnreachable as error:
                self._unreachable(shown(url), error)
            else:
                return True
        return False

    def _unreachable(self, url: str, error: AgentUnreachable) -> None:
        # What it said may be an internal server's, if not ours: for the log, and for nobody's API.
        said = {"said": error.said} if error.said else {}
        self._tell("agent.unreachable", level="warning", url=url, why=str(error), **said)

    async def _last_words(self, how: AgentClosed) -> Ending:
        """The fallback WAV where there is one, then the end of a call whose agent is dead."""
        if self._version.fallback_wav is not None:
            await self._announce(self._version.fallback_wav)
        reason = EndReason.AGENT_FLOODED if how.flooded else EndReason.AGENT_FAILED
        return Ending(Status.FAILED, reason, "agent", how.detail, q850=41)

    async def _announce(self, file: str) -> None:
        audio_format = self._bridge.phone.format
        try:
            audio = await self._sounds.play(file, audio_format)
        except NoSound as error:
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


def hung_up(how: AgentClosed) -> Ending:
    """The call ends because its agent is done."""
    return Ending(Status.COMPLETED, EndReason.AGENT_DISCONNECTED, "agent", how.detail)


def shown(url: str) -> str:
    """A runtime's URL for logs and records: without login and query, which is where secrets are."""
    try:
        parts = urlsplit(url)
        if parts.scheme in SIP:
            return f"{parts.scheme}:{parts.path}"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "a URL that cannot be read"
