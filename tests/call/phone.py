"""A telephone that does as a test tells it: SIP by our own endpoint, RTP by a bare socket."""

import asyncio
import random
import secrets
import socket
import ssl
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.media.packet import RtpPacket
from gateway.net.sip import Binding, SipEndpoint
from gateway.phones.telephone import AnybodyMayCall, Literals
from gateway.sip.dialog import Dialog
from gateway.sip.events import Answered, Event, InviteReceived, Refused, ReinviteAnswered
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.screening import Gatekeeper
from gateway.sip.settings import Login, Settings
from gateway.sip.target import Target

SILENCE = {0: 0xFF, 8: 0xD5}
"The byte of silence by payload type."
PATIENCE = 10.0
FRAME = 160

E = TypeVar("E")


def babble(milliseconds: int, seed: int = 1) -> bytes:
    """G.711 of which each piece is recognised, and in which nothing is silence."""
    source = random.Random(seed)
    return bytes(source.randrange(0x10, 0x60) for _ in range(8 * milliseconds))


def sdp(
    port: int,
    host: str = "127.0.0.1",
    payload_types: str = "0 8 101",
    *,
    direction: str = "sendrecv",
    more: Sequence[str] = (),
    version: int = 1,
) -> bytes:
    """An offer or an answer."""
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=phone 1 {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {payload_types}",
        "a=rtpmap:101 telephone-event/8000",
        f"a={direction}",
        *more,
    ]
    return "".join(line + "\r\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet that came."""

    at: float
    packet: RtpPacket


class Sound:
    """An RTP socket: keeps what comes, sends what it is told."""

    def __init__(self, host: str = "127.0.0.1", goes_on_from: "Sound | None" = None) -> None:
        """Another port of a phone goes on with its stream."""
        self.packets: list[Heard] = []
        self.host = host
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self.port = int(self._socket.getsockname()[1])
        self.remote: tuple[str, int] | None = None
        self.sequence = random.getrandbits(15)
        self.timestamp = random.getrandbits(31)
        self.ssrc = random.getrandbits(32)
        if goes_on_from is not None:
            self.sequence, self.timestamp = goes_on_from.sequence, goes_on_from.timestamp
            self.ssrc, self.remote = goes_on_from.ssrc, goes_on_from.remote
        self._stream: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Hear and say nothing more."""
        self.hush()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def send(self, payload: bytes, payload_type: int = 0, *, marker: bool = False) -> None:
        """One packet, now."""
        packet = RtpPacket(payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker)
        self.sequence = (self.sequence + 1) & 0xFFFF
        if payload_type in SILENCE:
            self.timestamp = (self.timestamp + len(payload)) & 0xFFFFFFFF
        assert self.remote is not None
        self._socket.sendto(bytes(packet), self.remote)

    def press(self, digit: int, *, duration: int = 800, payload_type: int = 101) -> None:
        """A key, as RFC 4733 tells it: begun, going on, and its end three times."""
        for elapsed, end in ((160, 0), (duration - 160, 0), *[(duration, 0x80)] * 3):
            payload = bytes([digit, end | 10]) + elapsed.to_bytes(2, "big")
            self.send(payload, payload_type, marker=elapsed == 160)
        self.timestamp = (self.timestamp + duration) & 0xFFFFFFFF

    def lose(self) -> None:
        """A packet that the network loses."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF

    async def speak(self, audio: bytes, payload_type: int = 0, *, lost: Container[int] = ()) -> None:
        """Say it in real time, 20 ms a packet, of which the network loses some."""
        due = self._loop.time()
        for number, start in enumerate(range(0, len(audio), FRAME)):
            if number in lost:
                self.lose()
            else:
                self.send(audio[start : start + FRAME].ljust(FRAME, b"\xff"), payload_type)
            due += 0.02
            await asyncio.sleep(due - self._loop.time())

    def murmur(self, payload_type: int = 0) -> None:
        """Send silence from now on, as a phone does whose user says nothing."""

        async def go_on() -> None:
            while True:
                await self.speak(bytes([SILENCE[payload_type]]) * 8000, payload_type)

        self.hush()
        self._stream = self._loop.create_task(go_on())

    def hush(self) -> None:
        """Send nothing from now on."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    def heard(self, payload_type: int = 0) -> bytes:
        """All audio that came, in order."""
        return b"".join(one.packet.payload for one in self.packets if one.packet.payload_type == payload_type)

    def voice(self, payload_type: int = 0) -> bytes:
        """What came from the first sound to the last."""
        return self.heard(payload_type).strip(bytes([SILENCE[payload_type]]))

    def reached(self, audio: bytes, payload_type: int = 0) -> float:
        """When the packet with the last sample of `audio` came."""
        end = self.heard(payload_type).index(audio) + len(audio)
        for one in self.packets:
            if one.packet.payload_type == payload_type:
                end -= len(one.packet.payload)
            if end <= 0:
                return one.at
        raise AssertionError("unreachable: the audio was found")

    def _readable(self) -> None:
        try:
            data = self._socket.recv(2048)
        except OSError:
            return
        self.packets.append(Heard(self._loop.time(), RtpPacket.parse(data)))


class Leg:
    """One call from the phone's side."""

    def __init__(self, phone: "Phone") -> None:
        self.dialog: Dialog
        self.events: list[Event] = []
        self._phone = phone
        self._taken = 0
        self._changed = asyncio.Event()

    def take(self, event: Event) -> None:
        """Keep an event of this call."""
        self.events.append(event)
        self._changed.set()

    async def next(self, *kinds: type[E]) -> E:
        """The next event of such a kind; those before it are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self._taken < len(self.events):
                    event = self.events[self._taken]
                    self._taken += 1
                    if isinstance(event, kinds):
                        return event
                self._changed.clear()
                await self._changed.wait()

    async def refused(self) -> Refused:
        """The final answer, which has to be a refusal."""
        final = await self.next(Answered, Refused)
        assert isinstance(final, Refused), final
        return final

    async def answered(self, *, ack: bool = True, sdp: bytes = b"") -> Answered:
        """The final answer, which has to be 200; RTP goes where it says."""
        final = await self.next(Answered, Refused)
        assert isinstance(final, Answered), final
        if final.body:
            self._phone.sound.remote = media_address(final.body)
        if ack:
            self.ack(sdp)
        return final

    def ack(self, sdp: bytes = b"") -> None:
        """Acknowledge the 200."""
        self.dialog.ack(self._phone.now(), sdp)
        self._phone.flush()

    def bye(self) -> None:
        """Hang up."""
        self.dialog.bye(self._phone.now())
        self._phone.flush()

    def cancel(self) -> None:
        """Give up before the answer."""
        self.dialog.cancel(self._phone.now())
        self._phone.flush()

    @property
    def invitation(self) -> Request:
        """The INVITE that came."""
        return self.dialog.request

    def ring(self, status: int = 180, sdp: bytes = b"") -> None:
        """Answer provisionally; an SDP says where our audio goes before the answer."""
        self.dialog.ring(self._phone.now(), status, sdp)
        self._phone.flush()

    def accept(self, body: bytes | None = None) -> None:
        """Pick up; RTP goes where the offer says."""
        self._phone.sound.remote = media_address(self.invitation.body)
        answer = sdp(self._phone.sound.port, self._phone.host, "0 101") if body is None else body
        self.dialog.accept(self._phone.now(), answer)
        self._phone.flush()

    def refuse(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Do not pick up."""
        self.dialog.refuse(self._phone.now(), status, headers=headers)
        self._phone.flush()

    def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO."""
        self.dialog.info(self._phone.now(), content_type, body)
        self._phone.flush()

    async def reinvite(self, body: bytes) -> ReinviteAnswered:
        """Offer another session, and wait for what becomes of it."""
        await until(lambda: self.dialog.settled)
        self.dialog.reinvite(self._phone.now(), body)
        self._phone.flush()
        return await self.next(ReinviteAnswered)


class Phone:
    """A telephone on a loopback address, with one RTP socket."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self.host = host
        self.sound = Sound(host)
        self.trace: list[tuple[float, bool, bytes]] = []
        self.calls: list[Leg] = []
        "Those that came in."
        self._legs: dict[Dialog, Leg] = {}
        transports: list[tuple[str, ssl.SSLContext | None]] = [("UDP", None), ("TCP", None)]
        if tls is not None:
            transports.append(("TLS", tls[0]))
        self.endpoint = SipEndpoint(
            [Binding(f"phone-{name}", name, host, 0, tls=context) for name, context in transports],
            gatekeeper or AnybodyMayCall(),
            lambda: secrets.token_hex(8),
            Literals(),
            self._event,
            settings=Settings(t1=0.1, t2=0.5, t4=0.5),
            client_tls=None if tls is None else tls[1],
            trace=self._trace,
        )

    def now(self) -> float:
        """The loop's time."""
        return self.endpoint.now()

    def flush(self) -> None:
        """Send what is queued."""
        self.endpoint.flush()

    async def stop(self) -> None:
        """Be gone."""
        self.sound.close()
        await self.endpoint.stop()

    def invite(
        self,
        target: Target,
        to: str,
        body: bytes | None = None,
        *,
        caller: str = "+12125550000",
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = "application/sdp",
        login: Login | None = None,
    ) -> Leg:
        """Call a number at a gateway; without a body an offer of PCMU and PCMA goes along."""
        leg = Leg(self)
        host = f"[{target.host}]" if ":" in target.host else target.host
        own = f"[{self.host}]" if ":" in self.host else self.host
        leg.dialog = self.endpoint.user_agent.invite(
            f"sip:{to}@{host}:{target.port}",
            targets=[target],
            from_=f"<sip:{caller}@{own}>",
            contact_user="phone",
            body=sdp(self.sound.port, self.host) if body is None else body,
            content_type=content_type,
            headers=headers,
            credentials=login,
            now=self.now(),
        )
        self._legs[leg.dialog] = leg
        self.flush()
        return leg

    def uri(self, transport: str = "UDP") -> str:
        """`host:port` of this phone, for those that call it."""
        (port,) = [one.port for one in self.endpoint.listeners if one.transport == transport]
        return f"{self.host}:{port}"

    async def called(self, count: int = 1) -> Leg:
        """Wait for the phone to be called, for the so-and-so-manieth time."""
        await until(lambda: len(self.calls) >= count)
        return self.calls[count - 1]

    def received(self, what: str) -> list[Request | Response]:
        """Messages that came of this method, or with this status."""
        messages = [parse_message(data) for _, sent, data in self.trace if not sent]
        return [
            one for one in messages if what == (one.method if isinstance(one, Request) else str(one.status))
        ]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        await until(holds)

    def _event(self, event: Event) -> None:
        if isinstance(event, InviteReceived):
            self._legs[event.dialog] = leg = Leg(self)
            leg.dialog = event.dialog
            self.calls.append(leg)
            return
        known = self._legs.get(getattr(event, "dialog", None))  # type: ignore[arg-type]
        if known is not None:
            known.take(event)

    def _trace(self, sent: bool, data: bytes, peer: Target) -> None:
        self.trace.append((self.endpoint.now(), sent, data))


async def until(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(patience):
        # What is waited for happens in sockets, records and events alike: nothing tells of all of them.
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def media_address(body: bytes) -> tuple[str, int]:
    """Where an SDP wants its audio."""
    lines = dict(line.split("=", 1) for line in body.decode().splitlines() if line[:2] in ("c=", "m="))
    return lines["c"].split()[2], int(lines["m"].split()[1])


def share_heard(said: bytes, heard: bytes) -> float:
    """How much of it came, a few milliseconds at a time: a peer that is late leaves gaps."""
    pieces = [said[start : start + 32] for start in range(0, len(said), 32)]
    return sum(piece in heard for piece in pieces) / len(pieces)
