"""A whole gateway in the test's own loop, an agent of another library, and an obedient telephone."""

import asyncio
import base64
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
import websockets
from websockets.asyncio.server import Server, ServerConnection

from gateway.app import Gateway
from gateway.call.phone_media import PhoneMedia
from gateway.config import load_config
from gateway.events.bus import Event
from gateway.media.codecs import CODECS
from gateway.net.clock import Beat, MediaClock
from gateway.net.rtp import PortRange, RtpPorts
from gateway.net.sip import Binding, SipEndpoint
from gateway.routing.table import Agent, AgentVersion, Dialect, PhoneNumber, Trunk, Workspace
from gateway.settings import MediaSettings
from gateway.sip.dialog import Dialog
from gateway.sip.events import Answered, Refused
from gateway.sip.events import Event as SipEvent
from gateway.sip.target import Target
from gateway.store.calls import CallRow
from gateway.store.sql import SqlStore
from gateway.telephone import AnybodyMayCall, Literals
from tests.tables import lay_tables

NUMBER = "+442079460018"
CALLER = "+14155550100"
SECONDS = 8.0
"Longer than anything in here takes."

E = TypeVar("E")

Script = Callable[["Runtime"], Awaitable[None]]


class Runtime:
    """One call as an agent sees it, in the native dialect unless it says otherwise."""

    def __init__(self, wire: ServerConnection) -> None:
        self.wire = wire
        self.audio = bytearray()
        self.said: list[dict[str, Any]] = []
        self.lines: list[str] = []
        "Text as it came: not every dialect says everything in JSON."
        self.closed: tuple[int | None, str] | None = None
        self.heard = asyncio.Event()

    async def listen(self) -> None:
        """Collect what comes until the connection ends."""
        with suppress(websockets.ConnectionClosed):
            async for message in self.wire:
                if isinstance(message, bytes):
                    self.audio += message
                else:
                    self.lines.append(message)
                    if message.startswith("{"):
                        self.said.append(json.loads(message))
                self.heard.set()
        self.closed = (self.wire.close_code, self.wire.close_reason or "")
        self.heard.set()

    def words(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one type so far."""
        return [word for word in self.said if word.get("type", word.get("event")) == kind]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition that what comes can make true."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                self.heard.clear()
                await self.heard.wait()

    async def more(self, than: int) -> None:
        """Wait for more audio than so many bytes, or the end."""
        await self.until(lambda: len(self.audio) > than or self.closed)

    async def say(self, **message: object) -> None:
        """Send a control message."""
        await self.wire.send(json.dumps(message))


class Agents:
    """A WebSocket server; `script` is what an agent does in its call."""

    def __init__(self) -> None:
        self.script: Script | None = None
        self.calls: list[Runtime] = []
        self.server: Server

    async def serve(self, wire: ServerConnection) -> None:
        """Live one call."""
        runtime = Runtime(wire)
        self.calls.append(runtime)
        listening = asyncio.create_task(runtime.listen())
        try:
            if self.script is not None:
                await self.script(runtime)
            await listening
        finally:
            listening.cancel()

    def url(self, path: str = "") -> str:
        """Where a version of this agent is."""
        port = next(iter(self.server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/{path}"


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    """Agents that listen."""
    made = Agents()
    async with websockets.serve(made.serve, "127.0.0.1", 0) as made.server:
        yield made


class House:
    """A running gateway, its events, and what is configured in it."""

    def __init__(self, gateway: Gateway, agents: Agents) -> None:
        self.gateway = gateway
        self.agents = agents
        self.events: list[Event] = []

    @property
    def store(self) -> SqlStore:
        """The gateway's store."""
        return self.gateway.store

    @property
    def port(self) -> int:
        """Where it takes SIP by UDP."""
        return next(one.port for one in self.gateway.endpoint.listeners if one.transport == "UDP")

    def named(self, name: str) -> list[Event]:
        """The events of one name."""
        return [event for event in self.events if event.name == name]

    async def furnish(self, *, trunk: dict[str, Any] | None = None, **version: Any) -> AgentVersion:
        """A workspace with a trunk on loopback and a number that a published version answers."""
        book = self.store.configuration
        workspace = await book.workspaces.add(Workspace("org_test", "Test"), "test")
        fields = {"sources": ("127.0.0.1",), **(trunk or {})}
        await book.trunks.add(Trunk("trunk_test", workspace.id, "loopback", **fields), "test")
        agent = await book.agents.add(Agent("agent_test", workspace.id, "Echo"), "test")
        given = {"runtime_url": self.agents.url(), "dialect": Dialect.NATIVE, "audio": "ulaw_8k", **version}
        draft = await book.agents.draft(agent.id, given, "test")
        published = await book.agents.publish(draft.id, "test")
        await book.numbers.add(PhoneNumber("phn_test", workspace.id, NUMBER), "test")
        await book.numbers.assign("phn_test", "inbound", published.id, "test")
        await self.store.refresh()
        return published

    async def records(self) -> list[CallRow]:
        """All records, oldest first, once no call is left."""
        from gateway.store.calls import CallFilter

        async with asyncio.timeout(SECONDS):
            await self.gateway.switchboard.quiet()
            await self.store.flush()
        page = await self.store.list_calls(CallFilter(limit=200, descending=False))
        return list(page.calls)

    async def record(self) -> CallRow:
        """The only record."""
        (row,) = await self.records()
        return row


Open = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(agents: Agents, tmp_path: Path) -> AsyncIterator[Open]:
    """Starts gateways, with settings as in the environment; stops them at the end."""
    opened: list[House] = []

    async def start(**settings: str) -> House:
        base = {
            "TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path),
            "TRUNKLINE_HTTP__PORT": "0",
            "TRUNKLINE_MEDIA__QUARANTINE_SECONDS": "0",
            "TRUNKLINE_AGENTS__CONNECT_ATTEMPTS": "1",
            "TRUNKLINE_SIP__DRAIN_SECONDS": "0",
            "TRUNKLINE_SECURITY__ALLOW_PRIVATE": "yes",
            "TRUNKLINE_MEDIA__SOUND_FOLDERS": json.dumps([str(tmp_path)]),
            "TRUNKLINE_LIMITS__SHED_LATE_MS": "1000",
        }
        given = {f"TRUNKLINE_{name.upper()}": value for name, value in settings.items()}
        config = load_config(None, base | given)
        listener = config.sip.listeners[0].model_copy(update={"port": 0, "advertised_port": None})
        sip = config.sip.model_copy(update={"listeners": (listener,)})
        lay_tables(config.store_url)
        house = House(Gateway(config.model_copy(update={"sip": sip})), agents)
        house.gateway.bus.add(house.events.append)
        await house.gateway.start()
        opened.append(house)
        return house

    yield start
    for house in opened:
        house.gateway.stop()
        await house.gateway.serve()
        await house.gateway.close()
        crashed = house.named("call.crashed") + house.named("media.crashed")
        assert not [event for event in crashed if event.fields.get("expected") is None], crashed


@pytest.fixture
async def house(open_house: Open) -> House:
    """A gateway with a number that a native agent answers."""
    opened = await open_house()
    await opened.furnish()
    return opened


class Keys:
    """Hears of the keys that come with a phone's audio."""

    def __init__(self, press: Callable[[str], None]) -> None:
        self._press = press

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """It has no log."""

    def pressed(self, digit: str, milliseconds: int) -> None:
        """One more."""
        self._press(digit)


class Phone:
    """A telephone: calls, speaks and hears, and does what is asked of it in between."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.events: asyncio.Queue[SipEvent] = asyncio.Queue()
        self.heard = bytearray()
        self.heard_at: list[float] = []
        self._news = asyncio.Event()
        self.messages: list[tuple[bool, str, bytes]] = []
        self.digits: list[str] = []
        self.speech = b""
        self._said = 0
        self._beat: Beat | None = None
        self.clock = MediaClock(self._raise)
        self.endpoint = SipEndpoint(
            [Binding("phone", "UDP", "127.0.0.1", 0)],
            AnybodyMayCall(),
            lambda: secrets.token_hex(10),
            Literals(),
            self.events.put_nowait,
            trace=self._trace,
        )
        self.dialog: Dialog
        self.media: PhoneMedia

    async def dial(
        self, to: str = NUMBER, *, codecs: tuple[str, ...] = ("PCMU",), body: bytes | None = None
    ) -> None:
        """Send an INVITE."""
        await self.endpoint.start()
        self.clock.start()
        now = self.endpoint.now()
        port = RtpPorts(PortRange(*free_range()), 0).open("127.0.0.1", now)
        self.media = PhoneMedia(
            port, "127.0.0.1", [CODECS[name] for name in codecs], MediaSettings(), now, user=Keys(self._press)
        )
        self.media.sink = self._hear
        self.dialog = self.endpoint.user_agent.invite(
            f"sip:{to}@127.0.0.1:{self._house.port}",
            target=Target("UDP", "127.0.0.1", self._house.port),
            from_=f"<sip:{CALLER}@127.0.0.1>",
            contact_user="phone",
            body=self.media.offer() if body is None else body,
            now=now,
        )
        self.endpoint.flush()

    async def answered(self, *, ack: bool = True) -> Answered:
        """Wait for the 200 and acknowledge it; from then on audio flows."""
        answer = await self.expect(Answered)
        if answer.body:
            self.media.take_answer(answer.body, self.endpoint.now())
        self._beat = self.clock.join(self._tick, 20)
        if ack:
            answer.dialog.ack(self.endpoint.now())
            self.endpoint.flush()
        self.dialog = answer.dialog
        return answer

    async def call(self, to: str = NUMBER) -> "Phone":
        """Dial and wait for the answer."""
        await self.dial(to)
        await self.answered()
        return self

    async def refused(self, to: str = NUMBER) -> Refused:
        """Dial, and wait for the refusal."""
        await self.dial(to)
        return await self.expect(Refused)

    async def expect(self, kind: type[E], seconds: float = SECONDS) -> E:
        """The next event of a kind; others before it are dropped."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self.events.get()
                if isinstance(event, kind):
                    return event

    async def hang_up(self) -> None:
        """BYE."""
        self.dialog.bye(self.endpoint.now())
        self.endpoint.flush()

    def reinvite(self, body: bytes) -> None:
        """Offer another session."""
        self.dialog.reinvite(self.endpoint.now(), body)
        self.endpoint.flush()

    async def hears(self, sound: bytes) -> int:
        """Wait until a sound was heard; where in what was heard it begins."""
        async with asyncio.timeout(SECONDS):
            while (at := bytes(self.heard).find(sound)) < 0:
                self._news.clear()
                await self._news.wait()
        return at

    def sent(self, line: str) -> list[bytes]:
        """Messages that came to us and begin with this line."""
        return [data for ours, first, data in self.messages if not ours and first == line]

    async def close(self) -> None:
        """Put it down for good."""
        self.clock.stop()
        if hasattr(self, "media"):
            self.media.port.close()
            await self.endpoint.stop()

    def _tick(self, now: float) -> None:
        frame = self.speech[self._said : self._said + 160]
        self._said += len(frame)
        self.media.step(now, lambda: self._say(frame.ljust(160, b"\xff")))

    def _say(self, frame: bytes) -> bytes:
        self.media.send(frame)
        return frame

    def _hear(self, audio: bytes) -> None:
        self.heard += audio
        self._news.set()
        self.heard_at.append(self.endpoint.now())

    def _press(self, digit: str) -> None:
        self.digits.append(digit)
        self._news.set()

    async def pressed(self, count: int) -> list[str]:
        """Wait until so many digits have come."""
        async with asyncio.timeout(SECONDS):
            while len(self.digits) < count:
                self._news.clear()
                await self._news.wait()
        return self.digits

    def _trace(self, sent: bool, data: bytes, peer: Target) -> None:
        self.messages.append((sent, data.partition(b"\r\n")[0].decode(), data))

    def _raise(self, error: Exception) -> None:
        raise error


def free_range() -> tuple[int, int]:
    """A range of one pair of UDP ports that nobody has."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
        if port % 2 == 0 and port < 65_000:
            return port, port + 1


@pytest.fixture
async def phones(house: House) -> AsyncIterator[Callable[[], Phone]]:
    """Makes telephones for the house."""
    made: list[Phone] = []

    def make(at: House = house) -> Phone:
        made.append(Phone(at))
        return made[-1]

    yield make
    for phone in made:
        await phone.close()


@pytest.fixture
async def phone(phones: Callable[[], Phone]) -> Phone:
    """One telephone for the house."""
    return phones()


def tone(number: int, milliseconds: int) -> bytes:
    """A sound that is not silence, and not that of another number."""
    return bytes((number * 37 + index) % 120 + 1 for index in range(milliseconds * 8))


def media_message(stream: str, audio: bytes) -> str:
    """Audio in the words of the twilio dialect."""
    payload = base64.b64encode(audio).decode()
    return json.dumps({"event": "media", "streamSid": stream, "media": {"payload": payload}})
