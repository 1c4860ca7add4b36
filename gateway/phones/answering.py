"""A telephone that is picked up by itself: the callee of the demo, made of the gateway's own parts."""

import asyncio
import secrets
from typing import Self

from gateway.call.legs.phone_media import PhoneMedia
from gateway.config.settings import MediaSettings
from gateway.media.codecs import CODECS
from gateway.net.clock import MediaClock
from gateway.net.rtp_ports import PortRange, RtpPorts
from gateway.net.sip import Binding, SipEndpoint
from gateway.phones.speech import speech
from gateway.phones.telephone import AnybodyMayCall, Literals
from gateway.sip.events import ByeReceived, Cancelled, Event, InviteReceived

RING_SECONDS = 1.5
LEAD_SECONDS = 2.5
"How long it listens before it speaks."
SPEECH_SECONDS = 6.0
TALK_SECONDS = 14.0
"Then it hangs up."
MOST_AT_ONCE = 20
"So that a batch of the demo's can be heard out."
SILENCE = b"\xff"
"In μ-law."


class AnsweringTelephone:
    """Rings, answers, speaks for a while and hangs up. Use it as an async context."""

    def __init__(self, host: str, port: int) -> None:
        """Raises nothing yet; entering the context raises OSError where the port is not to be had."""
        self._host = host
        self._calls: dict[object, asyncio.Task[None]] = {}
        self._clock = MediaClock(_raise)
        self._ports = RtpPorts(PortRange(40_000, 40_998), 0)
        self._speech = b""
        self._endpoint = SipEndpoint(
            [Binding("callee", "UDP", host, port)],
            AnybodyMayCall(),
            lambda: secrets.token_hex(10),
            Literals(),
            self._hear,
        )

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._endpoint.start()
        self._clock.start()
        said = await asyncio.to_thread(speech, SPEECH_SECONDS, 2)
        self._speech = SILENCE * round(LEAD_SECONDS * 8000) + said
        return self

    async def __aexit__(self, *_: object) -> None:
        """Be gone, and leave whoever calls to find out."""
        for task in list(self._calls.values()):
            task.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        self._clock.stop()
        await self._endpoint.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._endpoint.listeners[0].port

    def _hear(self, event: Event) -> None:
        if isinstance(event, InviteReceived):
            self._take(event)
        elif isinstance(event, Cancelled | ByeReceived) and event.dialog in self._calls:
            self._calls[event.dialog].cancel()

    def _take(self, event: InviteReceived) -> None:
        if len(self._calls) >= MOST_AT_ONCE:
            event.dialog.refuse(self._endpoint.now(), 486)
            self._endpoint.flush()
            return
        task = asyncio.create_task(self._talk(event), name="answering telephone")
        self._calls[event.dialog] = task
        task.add_done_callback(lambda _: self._calls.pop(event.dialog, None))

    async def _talk(self, event: InviteReceived) -> None:
        endpoint, dialog = self._endpoint, event.dialog
        dialog.ring(endpoint.now())
        endpoint.flush()
        await asyncio.sleep(RING_SECONDS)
        port = self._ports.open(self._host, endpoint.now())
        media = PhoneMedia(port, self._host, [CODECS["PCMU"]], MediaSettings(), endpoint.now())
        try:
            media.signalled_by(event.source.host)
            answer = media.answer(event.request.body, endpoint.now())
            dialog.accept(endpoint.now(), answer)
            endpoint.flush()
            await self._speak(media)
            dialog.bye(endpoint.now())
        except ValueError:
            dialog.refuse(endpoint.now(), 488)
        finally:
            media.close(endpoint.now())
            endpoint.flush()

    async def _speak(self, media: PhoneMedia) -> None:
        beat = self._clock.join(_Voice(media, self._speech).tick, media.ptime_ms)
        try:
            await asyncio.sleep(TALK_SECONDS)
        finally:
            self._clock.leave(beat)


class _Voice:
    """What it says, a packet at a time; then silence."""

    def __init__(self, media: PhoneMedia, speech: bytes) -> None:
        self._media = media
        self._speech = speech
        self._at = 0

    def tick(self, now: float) -> None:
        """Say the next packet."""
        self._media.step(now, self._say)

    def _say(self) -> bytes:
        frame = self._speech[self._at : self._at + self._media.frame_bytes]
        self._at += len(frame)
        frame = frame.ljust(self._media.frame_bytes, SILENCE)
        self._media.send(frame)
        return frame


def _raise(error: Exception) -> None:
    raise error
