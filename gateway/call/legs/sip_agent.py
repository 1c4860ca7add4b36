"""The second leg of a call as a SIP dialog: for agents that are SIP endpoints themselves.

To the agent's leg it looks like any connection to a runtime; behind it are an INVITE, an RTP port and the one
media clock. What the phone says waits in a queue of its own, so that RTP leaves in even steps.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.agent.protocol import CallStart
from gateway.agent.sip import SipDialect, call_headers
from gateway.call.legs.dialogs import Receives
from gateway.call.legs.phone import MediaUser
from gateway.call.legs.phone_media import PhoneMedia
from gateway.call.legs.sip_leg import SipLeg
from gateway.call.record import Ending, EndReason, Status
from gateway.call.until import Ended, until
from gateway.media.audio import Converter, converter
from gateway.media.pace import LOOK_MS, Pace
from gateway.media.playout import Playout
from gateway.net.agent import AgentUnreachable, Unreachable
from gateway.net.clock import Beat, MediaClock
from gateway.net.connection import NO_STATUS, Connection, OnClosed, OnFlood, OnMessage, flood_ignored
from gateway.net.sip import SipEndpoint
from gateway.sip.dialog import Dialog
from gateway.sip.errors import LocalProtocolError
from gateway.sip.grammar import format_host_port
from gateway.sip.settings import Login
from gateway.sip.target import Target
from gateway.sip.uri import SipUri, parse_uri

LOOK_AT = "look at the SIP agent’s own log, at its account, and at the URI of the version"
QUEUE_SECONDS = 1.0
"Of the phone's audio that may wait for an agent's packets: more than its jitter."
SWEEP_MS = 1000


@dataclass(frozen=True, slots=True)
class SipParts:
    """What of the gateway a second dialog is made of."""

    endpoint: SipEndpoint
    clock: MediaClock
    open_media: Callable[[Target, MediaUser], PhoneMedia]
    "An RTP port at the address by which the target is spoken to; raises `Refused` where none is free."
    register: Callable[[Dialog, Receives], None]
    "Lets somebody have the events of a dialog until it is over."
    answer_seconds: float
    "How long an agent may take to answer."
    no_media_seconds: float
    on_error: Callable[[Exception], None]


class SipAgentDialer:
    """Dials the agents of one call by SIP; the counterpart of `net.agent.AgentDialer`."""

    def __init__(self, parts: SipParts, call: CallStart, secret: str | None) -> None:
        self._parts = parts
        self._call = call
        self._secret = secret

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        on_message: OnMessage,
        on_closed: OnClosed,
        on_flood: OnFlood = flood_ignored,
    ) -> Connection:
        """Call the agent at a SIP URI, and return when it has answered; raises `AgentUnreachable`.

        Its audio comes as RTP does, in real time: it cannot flood.
        """
        uri = parse_uri(url)
        if not isinstance(uri, SipUri):
            raise AgentUnreachable(Unreachable.INVALID, f"{url} is no SIP URI")
        agent = SipAgent(self._parts, on_message, on_closed)
        try:
            await agent.call(uri, self._from(), [*call_headers(self._call), *headers], self._login(uri))
        except BaseException:
            agent.close()
            raise
        return agent

    def _from(self) -> str:
        return self._call.from_number or "anonymous"

    def _login(self, uri: SipUri) -> Login | None:
        """The version's secret is the password of the user that the URI names."""
        if self._secret is None or uri.user is None:
            return None
        return Login(uri.unescaped_user, self._secret)


class SipAgent:
    """An agent's dialog and its audio, behind the interface of a connection."""

    def __init__(self, parts: SipParts, on_message: OnMessage, on_closed: OnClosed) -> None:
        self.subprotocol: str | None = None
        self.audio_dropped = 0
        self.flooded = False
        self._parts = parts
        self._on_message = on_message
        self._on_closed = on_closed
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._leg = SipLeg("agent", parts.endpoint, self)
        self._media: PhoneMedia | None = None
        self._playout: Playout | None = None
        self._pace = Pace(SipDialect.format.rate, live=True)
        self._to_agent: Converter | None = None
        self._from_agent: Converter | None = None
        self._beats: list[Beat] = []
        self._closed = False

    async def call(
        self, uri: SipUri, caller: str, headers: Sequence[tuple[str, str]], login: Login | None
    ) -> None:
        """Send the INVITE, and wait for the answer; raises `AgentUnreachable`."""
        target = self._target_of(uri)
        self._media = self._parts.open_media(target, self)
        self._invite(uri, target, caller, headers, login)
        try:
            async with asyncio.timeout(self._parts.answer_seconds), until(self._over):
                await self._leg.picked_up.wait()
        except Ended as ended:
            status = ended.ending.sip_status
            raise AgentUnreachable(Unreachable.STATUS, ended.ending.detail, status, look_at=LOOK_AT) from None
        except TimeoutError:
            detail = f"the agent did not answer within {self._parts.answer_seconds:g} s"
            raise AgentUnreachable(Unreachable.TIMEOUT, detail) from None
        self._begin(self._media)

    def charge(self, work: int) -> None:
        """Nothing: what comes by RTP and SIP is bounded there."""

    def send_audio(self, text: bool, payload: bytes) -> None:
        """HOT: queue the phone's audio for the next packets."""
        playout, convert = self._playout, self._to_agent
        if playout is not None:
            self.audio_dropped += playout.write(payload if convert is None else convert(payload)) > 0

    def send(self, text: bool, payload: bytes) -> None:
        """Press a digit."""
        if self._media is not None and text:
            self._media.press(payload.decode())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up, in the way that the dialog's state asks for; twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._stop()
        ending = Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "gateway", reason)
        self.end(ending)
        self._leg.close(ending)
        if self._media is not None:
            self._media.sink = _drop

    def check_alive(self) -> bool:
        """Whether it is still open; its own sweep looks after it."""
        return not self._closed

    def _target_of(self, uri: SipUri) -> Target:
        transport = "TLS" if uri.secure else (uri.param("transport") or "UDP").upper()
        target = Target(transport, uri.host, uri.port)
        try:
            listener = self._parts.endpoint.user_agent.listener_for(target)
        except LocalProtocolError as error:
            detail = f"this gateway does not speak SIP over {transport}"
            raise AgentUnreachable(Unreachable.INVALID, detail) from error
        return Target(transport, uri.host, uri.port, listener.name)

    def _invite(
        self,
        uri: SipUri,
        target: Target,
        caller: str,
        headers: Sequence[tuple[str, str]],
        login: Login | None,
    ) -> None:
        assert self._media is not None
        agent, endpoint = self._parts.endpoint.user_agent, self._parts.endpoint
        our_host = format_host_port(agent.listener_for(target).host, None)
        dialog = agent.invite(
            str(uri),
            targets=[target],
            from_=f"<sip:{caller}@{our_host}>",
            contact_user=caller,
            body=self._leg.offer(self._media),
            headers=headers,
            credentials=login,
            now=endpoint.now(),
        )
        self._leg.begin(dialog)
        self._parts.register(dialog, self._leg)
        endpoint.flush()

    def _begin(self, media: PhoneMedia) -> None:
        """The agent has answered: audio flows both ways."""
        ours = SipDialect.format
        self._to_agent = converter(ours, media.format)
        self._from_agent = converter(media.format, ours)
        silence = media.format.silence(media.ptime_ms)
        self._playout = Playout(media.frame_bytes, silence, QUEUE_SECONDS)
        media.sink = self._hear
        self._start(media)
        self._over.add_done_callback(self._tell_closed)

    def _start(self, media: PhoneMedia) -> None:
        clock = self._parts.clock
        self._beats = [
            clock.join(self._tick, media.ptime_ms),
            clock.join(self._look, LOOK_MS),
            clock.join(self._sweep, SWEEP_MS),
        ]

    def _stop(self) -> None:
        for beat in self._beats:
            self._parts.clock.leave(beat)
        self._beats = []

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Nothing: what happens in the agent's dialog is told by the agent's leg."""

    def rings(self, status: int, early: bool) -> None:
        """Nothing: what the phone hears meanwhile is the call's to say."""

    def picked_up(self) -> None:
        """Nothing: `call` waits for it."""

    def acknowledged(self) -> None:
        """Nothing: the INVITE was ours."""

    def held(self, held: bool) -> None:
        """Nothing: an agent that holds its call has nothing more to say to the phone."""

    def retuned(self) -> None:
        """The agent has changed the session: another length of packets, maybe."""
        media, playout = self._media, self._playout
        if self._closed or media is None or playout is None:
            return
        playout.reframe(media.frame_bytes, media.format.silence(media.ptime_ms))
        self._stop()
        self._start(media)

    def _hear(self, audio: bytes) -> None:
        """HOT: the agent's audio."""
        convert = self._from_agent
        self._on_message(False, audio if convert is None else convert(audio))

    def pressed(self, digit: str, milliseconds: int) -> None:
        """The agent dials."""
        self._on_message(True, digit.encode())

    def _tick(self, now: float) -> None:
        """HOT: one packet to the agent."""
        media = self._media
        assert media is not None
        try:
            media.step(now, self._speak)
        except Exception as error:
            self.close()
            self._parts.on_error(error)

    def _speak(self) -> bytes | None:
        """HOT."""
        media, playout = self._media, self._playout
        assert media is not None
        assert playout is not None
        frame = playout.read()
        media.send(frame)
        return frame

    def _look(self, now: float) -> None:
        """Let nothing of the phone's wait for longer than it must."""
        media, playout, pace = self._media, self._playout, self._pace
        assert media is not None
        assert playout is not None
        pace.look(now, playout.came, playout.queued, playout.underruns, heard=media.may_send)
        if pace.elapsed:
            pace.pass_over(playout, media.format)
        elif pace.excess:
            pace.shorten(playout, media.format)

    def _sweep(self, now: float) -> None:
        """Once a second: RTCP, and whether the agent still sends."""
        media, limit = self._media, self._parts.no_media_seconds
        assert media is not None
        media.sweep(now)
        if media.is_lost(now, limit):
            detail = f"no RTP came from the agent for {limit:g} s"
            self.end(Ending(Status.FAILED, EndReason.MEDIA_LOST, "gateway", detail))

    def end(self, ending: Ending) -> None:
        """The agent has hung up, or its dialog cannot go on."""
        if not self._over.done():
            self._over.set_result(ending)

    def _tell_closed(self, over: "asyncio.Future[Ending]") -> None:
        if self._closed:
            return
        ending = over.result()
        clean = ending.reason is EndReason.USER_DISCONNECTED
        self.close()
        self._on_closed(NO_STATUS if clean else None, ending.detail)


def _drop(audio: bytes) -> None:
    """Nobody listens any more."""
