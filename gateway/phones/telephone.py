"""A telephone made of the gateway's own parts: it calls, plays audio, and keeps what it hears."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from gateway.call.legs.phone_media import PhoneMedia
from gateway.call.legs.sip_words import first_line
from gateway.config.settings import MediaSettings
from gateway.media.codecs import CODECS
from gateway.net.clock import MediaClock
from gateway.net.rtp_ports import PortRange, RtpPorts
from gateway.net.sip import Binding, SipEndpoint
from gateway.sip.events import Answered, ByeReceived, Event, Refused, Ringing
from gateway.sip.message import Request
from gateway.sip.screening import Admit, MessageRefused, Screening
from gateway.sip.target import Target

ANSWER_SECONDS = 15.0
TAIL_SECONDS = 1.0
"How long the caller goes on listening after its last word."


@dataclass(slots=True)
class CallReport:
    """What a test call was like from the caller's side."""

    ladder: list[tuple[float, bool, str]] = field(default_factory=list)
    "Seconds since the INVITE, whether we sent it, and the message's first line."
    status: int = 0
    "The final SIP status; 0: none came."
    phrase: str = ""
    answer_seconds: float = 0.0
    said: bytes = b""
    "What we sent, from our first packet on, in μ-law."
    heard: bytes = b""
    "What we were sent, in μ-law, laid out on the same clock as `said`."
    figures: dict[str, object] = field(default_factory=dict)


class AnybodyMayCall:
    """A gatekeeper without a gate: a telephone on loopback answers whoever talks to it."""

    def knows(self, source: Target) -> bool:
        """Yes."""
        return True

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """Never happens."""

    def refused(self, refusal: MessageRefused, now: float) -> None:
        """Nobody to tell."""

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        """In."""
        return Admit()


class Literals:
    """A resolver for a telephone that dials addresses only."""

    async def resolve(self, target: Target) -> list[Target]:
        """The target itself."""
        return [target]


class Telephone:
    """Places one call from a loopback address: `call` returns what it was like."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._clock = MediaClock(_raise)
        self._report = CallReport()
        self._began = 0.0
        self._endpoint = SipEndpoint(
            [Binding("caller", "UDP", host, 0)],
            AnybodyMayCall(),
            lambda: secrets.token_hex(10),
            Literals(),
            self._events.put_nowait,
            trace=self._trace,
        )

    async def call(self, host: str, port: int, to: str, from_: str, speech: bytes) -> CallReport:
        """Dial `to` at a gateway, say `speech` (μ-law, 8 kHz), listen a little longer, and hang up."""
        await self._endpoint.start()
        self._clock.start()
        ports = RtpPorts(PortRange(30_000, 39_998), 0)
        media = PhoneMedia(
            ports.open(self._host, self._endpoint.now()),
            self._host,
            [CODECS["PCMU"]],
            MediaSettings(),
            self._endpoint.now(),
        )
        try:
            await self._dial(host, port, to, from_, media, speech)
        finally:
            self._report.figures = media.figures()
            media.close(self._endpoint.now())
            self._clock.stop()
            try:
                # The last message, our BYE or the answer to theirs, is on its way.
                await asyncio.sleep(0.1)
            finally:
                await self._endpoint.stop()
        return self._report

    async def _dial(
        self, host: str, port: int, to: str, from_: str, media: PhoneMedia, speech: bytes
    ) -> None:
        endpoint, report = self._endpoint, self._report
        self._began = time.monotonic()
        dialog = endpoint.user_agent.invite(
            f"sip:{to}@{host}:{port}",
            targets=[Target("UDP", host, port)],
            from_=f'"Trunkline telephone" <sip:{from_}@{self._host}>',
            contact_user="caller",
            body=media.offer(),
            now=endpoint.now(),
        )
        endpoint.flush()
        media.signalled_by(host)
        answer = await self._final_answer()
        report.answer_seconds = time.monotonic() - self._began
        if isinstance(answer, Refused):
            report.status, report.phrase = answer.status, answer.reason_phrase
            return
        report.status, report.phrase = 200, "OK"
        media.take_answer(answer.body, endpoint.now())
        answer.dialog.ack(endpoint.now())
        endpoint.flush()
        if await self._talk(media, speech):
            dialog = answer.dialog
            dialog.bye(endpoint.now())
            endpoint.flush()

    async def _final_answer(self) -> Answered | Refused:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                event = await self._events.get()
                if isinstance(event, Answered | Refused):
                    return event
                assert isinstance(event, Ringing), event

    async def _talk(self, media: PhoneMedia, speech: bytes) -> bool:
        """Say and hear; False when the other side hung up first."""
        call = _Talk(media, speech)
        beat = self._clock.join(call.tick, media.ptime_ms)
        try:
            async with asyncio.timeout(len(speech) / 8000 + TAIL_SECONDS):
                while not isinstance(await self._events.get(), ByeReceived):
                    pass
            return False
        except TimeoutError:
            return True
        finally:
            self._clock.leave(beat)
            self._report.said, self._report.heard = bytes(call.said), bytes(call.heard)

    def _trace(self, sent: bool, data: bytes, peer: Target) -> None:
        self._report.ladder.append((time.monotonic() - self._began, sent, first_line(data)))


class _Talk:
    """Both directions of the audio on one clock."""

    def __init__(self, media: PhoneMedia, speech: bytes) -> None:
        self.said = bytearray()
        self.heard = bytearray()
        self._media = media
        self._speech = speech
        media.sink = self._hear

    def tick(self, now: float) -> None:
        """Say the next frame."""
        self._media.step(now, self._say)

    def _say(self) -> bytes:
        at = len(self.said)
        frame = self._speech[at : at + 160].ljust(160, b"\xff")
        self._media.send(frame)
        self.said += frame
        return frame

    def _hear(self, audio: bytes) -> None:
        if not self.heard:
            # Until now there was silence, for as long as we have been talking.
            self.heard += b"\xff" * len(self.said)
        self.heard += audio


def _raise(error: Exception) -> None:
    raise error
