"""The sample agent, called as the gateway calls it, each side with its own reading of the dialects."""

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from gateway.agent.dialects import dialect_named
from gateway.agent.notices import Digit, MarkPlayed
from gateway.agent.protocol import AgentEvent, Audio, CallStart, Clear, Dialect, Frame, Mark
from gateway.demo import sample_agent
from gateway.media.audio import ULAW_8K, AudioFormat, converter
from gateway.net.agent import AgentDialer, AgentUnreachable, Connection

DIALECTS = [
    ("twilio", "ulaw_8k"),
    ("native", "ulaw_8k"),
    ("native", "l16_8k"),
    ("native", "l16_16k"),
    ("plivo", "ulaw_8k"),
    ("plivo", "l16_16k"),
    ("telnyx", "alaw_8k"),
    ("exotel", "l16_8k"),
    ("asterisk", "ulaw_8k"),
    ("asterisk", "l16_24k"),
]


@dataclass
class Caller:
    """The gateway's end of one call to the sample agent."""

    dialect: Dialect
    events: list[AgentEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, dialer: AgentDialer, url: str, start: CallStart) -> None:
        self.connection: Connection = await dialer.connect(
            url,
            subprotocols=self.dialect.subprotocols,
            on_message=self._receive,
            on_closed=lambda code, why: self.over.set(),
        )
        self.say(self.dialect.start(start))

    def say(self, frames: list[Frame]) -> None:
        for text, payload in frames:
            self.connection.send(text, payload)

    def speak(self, audio: bytes) -> None:
        self.say([self.dialect.audio(audio)])

    async def next(self, kind: type[AgentEvent]) -> AgentEvent:
        """The next event of this kind; those before it are forgotten."""
        async with asyncio.timeout(10):
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if isinstance(event, kind):
                        return event
                self.changed.clear()
                await self.changed.wait()

    async def hang_up(self) -> None:
        self.say(self.dialect.stop("completed", "caller"))
        self.connection.close()
        async with asyncio.timeout(10):
            await self.over.wait()

    def _receive(self, text: bool, payload: bytes) -> None:
        for event in self.dialect.receive(text, payload):
            match event:
                case Mark(name) if name.startswith("p:"):
                    # The asterisk dialect's own, between the pieces of long audio.
                    self.say(self.dialect.notice(MarkPlayed(name)))
                case Audio(audio) if self.events and isinstance(self.events[-1], Audio):
                    self.events[-1] = Audio(self.events[-1].payload + audio)
                case _:
                    self.events.append(event)
        self.changed.set()


@pytest.fixture
def start() -> CallStart:
    return CallStart("call_1", "str_1", "org_1", "+442079460018", "+14155550100", "inbound", "agt_1", 1, {})


@pytest_asyncio.fixture
async def url() -> AsyncIterator[str]:
    async with await sample_agent.start(port=0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def voice(audio_format: AudioFormat) -> bytes:
    """20 ms that nobody would take for silence."""
    count = audio_format.rate // 50
    wave = (round(9000 * math.sin(2 * math.pi * 300 * n / audio_format.rate)) for n in range(count))
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in wave)
    encode = converter(AudioFormat("l16", audio_format.rate), audio_format)
    return encode(pcm) if encode else pcm


@pytest.mark.parametrize(("name", "audio"), DIALECTS)
async def test_it_greets_then_echoes(url: str, start: CallStart, name: str, audio: str) -> None:
    """A greeting and its mark; once that has come back, every frame of the caller's comes back as it was."""
    caller = Caller(dialect_named(name, audio=audio))
    await caller.call(AgentDialer(), f"{url}/{name}", start)
    greeting = await caller.next(Audio)
    assert isinstance(greeting, Audio)
    assert len(greeting.payload) == 800 * caller.dialect.format.bytes_per_ms
    mark = await caller.next(Mark)
    assert isinstance(mark, Mark)
    assert mark.name.endswith("greeting")
    caller.say(caller.dialect.notice(MarkPlayed(mark.name)))
    for frame in (caller.dialect.format.silence(20), voice(caller.dialect.format)):
        caller.speak(frame)
        assert await caller.next(Audio) == Audio(frame)
    await caller.hang_up()


@pytest.mark.parametrize(("name", "audio"), DIALECTS)
async def test_speech_interrupts_it(url: str, start: CallStart, name: str, audio: str) -> None:
    """While it greets silence is not echoed; speech makes it clear its queue, and is."""
    caller = Caller(dialect_named(name, audio=audio))
    await caller.call(AgentDialer(), f"{url}/{name}", start)
    await caller.next(Mark)
    frame = voice(caller.dialect.format)
    caller.speak(caller.dialect.format.silence(20))
    caller.speak(frame)
    await caller.next(Clear)
    assert await caller.next(Audio) == Audio(frame)
    await caller.hang_up()


async def test_asterisks_control_may_be_json(url: str, start: CallStart) -> None:
    """The same in the other writing."""
    caller = Caller(dialect_named("asterisk", options={"control": "json"}))
    await caller.call(AgentDialer(), f"{url}/asterisk", start)
    mark = await caller.next(Mark)
    assert isinstance(mark, Mark)
    caller.say(caller.dialect.notice(MarkPlayed(mark.name)))
    caller.say(caller.dialect.notice(Digit("2", 100)))
    said = await caller.next(Audio)
    assert isinstance(said, Audio)
    assert len(said.payload) == 400 * ULAW_8K.bytes_per_ms
    await caller.hang_up()


@pytest.mark.parametrize(("digit", "beeps"), [("3", 3), ("0", 10), ("#", 10), ("A", 10)])
async def test_it_says_digits(url: str, start: CallStart, digit: str, beeps: int) -> None:
    """A digit is that many beeps, and a mark that names it."""
    caller = Caller(dialect_named("native"))
    await caller.call(AgentDialer(), f"{url}/native", start)
    assert await caller.next(Mark) == Mark("greeting")
    caller.say(caller.dialect.notice(Digit(digit, 100)))
    said = await caller.next(Audio)
    assert isinstance(said, Audio)
    assert len(said.payload) == beeps * 200 * ULAW_8K.bytes_per_ms
    assert await caller.next(Mark) == Mark(f"digit {digit}")
    await caller.hang_up()


@pytest.mark.parametrize(("name", "audio"), DIALECTS)
async def test_the_bare_echo_says_nothing_of_its_own(
    url: str, start: CallStart, name: str, audio: str
) -> None:
    """For measuring: frame in, frame out, from the first on."""
    caller = Caller(dialect_named(name, audio=audio))
    await caller.call(AgentDialer(), f"{url}/{name}/echo", start)
    if name == "plivo":
        # Its stream opens with silence.
        assert await caller.next(Audio) == Audio(caller.dialect.format.silence(20))
    caller.speak(b"\x00\x01" * 80)
    assert await caller.next(Audio) == Audio(b"\x00\x01" * 80)
    await caller.hang_up()


async def test_other_paths_are_not_found(url: str) -> None:
    """404 for a path without an agent; a slash or a query does not change one."""
    with pytest.raises(AgentUnreachable) as caught:
        await AgentDialer().connect(f"{url}/other", on_message=print, on_closed=print)
    assert caught.value.status == 404
    closed = asyncio.Event()
    connection = await AgentDialer().connect(
        f"{url}/native/?x=1",
        subprotocols=("trunkline.v1",),
        on_message=lambda text, payload: None,
        on_closed=lambda code, why: closed.set(),
    )
    assert connection.subprotocol == "trunkline.v1"
    connection.close()
    await closed.wait()


async def test_it_is_a_process_of_its_own() -> None:
    """`python -m gateway.demo.sample_agent` says where it listens once it does, and ends when told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.demo.sample_agent", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = (await process.stdout.readline()).decode()
        assert line.startswith("sample agent on ws://127.0.0.1:")
        process.terminate()
        await process.wait()
