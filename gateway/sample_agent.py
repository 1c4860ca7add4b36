"""The sample agent runtime, a process of its own: it greets, says digits, and echoes the caller.

`gateway sample-agent` listens on `/twilio` and `/native`, one path a dialect, and shows all that an agent
does: marks tell it when it has been heard, and when the caller speaks into its own words it falls silent.
`/twilio/echo` and `/native/echo` only echo, as cheaply as can be, for measuring. Nothing of the gateway's own
side of the dialects is used here, so that the two check each other.
"""

import argparse
import asyncio
import base64
import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from gateway.media.audio import ULAW_8K, AudioFormat, converter

HOST, PORT = "127.0.0.1", 8765
SUBPROTOCOL = "trunkline.v1"

GREETING = ((523, 140), (659, 140), (784, 140), (1047, 380))
"Notes as (Hz, milliseconds): a rising chord, so that a caller knows the agent from a ringing tone."
BEEP = ((880, 110), (0, 90))
LOUD = 800
"Mean amplitude, of 32768, above which 20 ms of the caller count as speech."


def tones(notes: tuple[tuple[int, int], ...], audio_format: AudioFormat) -> bytes:
    """The notes, each fading out, with an octave above it."""
    pieces = []
    for pitch, milliseconds in notes:
        time = np.arange(audio_format.rate * milliseconds // 1000) / audio_format.rate
        wave = np.sin(2 * np.pi * pitch * time) + 0.3 * np.sin(4 * np.pi * pitch * time)
        pieces.append(7000 * wave * np.minimum(1, 200 * time) * np.linspace(1, 0.1, len(time)))
    samples = np.concatenate(pieces).astype("<i2").tobytes()
    encode = converter(AudioFormat("l16", audio_format.rate), audio_format)
    return encode(samples) if encode else samples


def is_loud(audio: bytes, audio_format: AudioFormat) -> bool:
    """Whether somebody speaks."""
    decode = converter(audio_format, AudioFormat("l16", audio_format.rate))
    samples = np.frombuffer(decode(audio) if decode else audio, "<i2")
    return len(samples) > 0 and float(np.abs(samples.astype(np.int32)).mean()) > LOUD


class Line(Protocol):
    """What an agent can do in a call, whatever the dialect."""

    def say(self, audio: bytes) -> None:
        """Queue audio behind what was said before."""

    def mark(self, name: str) -> None:
        """Ask to be told when all audio so far has been heard."""

    def clear(self) -> None:
        """Drop what has not been heard yet."""


class Conversation:
    """How the sample agent behaves in one call."""

    def __init__(self, line: Line, audio_format: AudioFormat) -> None:
        self._line = line
        self._format = audio_format
        self._unheard: list[str] = []
        "Names of our own words that the caller has not heard to their end."

    def begin(self) -> None:
        """Greet."""
        self._utter("greeting", tones(GREETING, self._format))

    def hear(self, audio: bytes) -> None:
        """Echo the caller; one who speaks while we do has interrupted us, and is echoed from there on."""
        if self._unheard:
            if not is_loud(audio, self._format):
                return
            self._line.clear()
            self._unheard.clear()
        self._line.say(audio)

    def digit(self, digit: str) -> None:
        """Say a digit as so many beeps: ten for 0, `*` and `#`, as dials once did."""
        count = int(digit) if digit in "123456789" else 10
        self._utter(f"digit {digit}", tones(BEEP * count, self._format))

    def heard(self, mark: str) -> None:
        """A mark came back: played, or cleared."""
        if mark in self._unheard:
            self._unheard.remove(mark)

    def _utter(self, name: str, audio: bytes) -> None:
        self._unheard.append(name)
        self._line.say(audio)
        self._line.mark(name)


class Runtime(WSListener):
    """One call's connection, seen from the agent: the part that the dialects share."""

    transport: WSTransport
    conversation: Conversation

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type is WSMsgType.BINARY:
            self.receive_audio(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.TEXT:
            self.receive(json.loads(frame.get_payload_as_bytes()))

    def receive_audio(self, audio: bytes) -> None:
        """A binary message."""

    def receive(self, message: dict[str, Any]) -> None:
        """A text message."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a text message."""
        self.transport.send(WSMsgType.TEXT, json.dumps(message).encode())


class TwilioRuntime(Runtime):
    """The agent's side of the twilio dialect."""

    def receive(self, message: dict[str, Any]) -> None:
        """One message of Twilio's."""
        match message["event"]:
            case "start":
                self._stream = message["streamSid"]
                self.conversation = Conversation(self, ULAW_8K)
                self.conversation.begin()
            case "media":
                self.conversation.hear(base64.b64decode(message["media"]["payload"]))
            case "dtmf":
                self.conversation.digit(message["dtmf"]["digit"])
            case "mark":
                self.conversation.heard(message["mark"]["name"])

    def say(self, audio: bytes) -> None:
        """Queue audio."""
        payload = base64.b64encode(audio).decode()
        self.send({"event": "media", "streamSid": self._stream, "media": {"payload": payload}})

    def mark(self, name: str) -> None:
        """Queue a mark."""
        self.send({"event": "mark", "streamSid": self._stream, "mark": {"name": name}})

    def clear(self) -> None:
        """Empty the queue."""
        self.send({"event": "clear", "streamSid": self._stream})


class NativeRuntime(Runtime):
    """The agent's side of our own dialect."""

    def receive_audio(self, audio: bytes) -> None:
        """The caller's audio."""
        self.conversation.hear(audio)

    def receive(self, message: dict[str, Any]) -> None:
        """One message of the gateway's."""
        match message["type"]:
            case "start":
                audio = message["audio"]
                audio_format = AudioFormat(audio["encoding"], audio["sample_rate"])
                self.conversation = Conversation(self, audio_format)
                self.conversation.begin()
            case "digit":
                self.conversation.digit(message["digit"])
            case "mark":
                self.conversation.heard(message["name"])

    def say(self, audio: bytes) -> None:
        """Queue audio."""
        self.transport.send(WSMsgType.BINARY, audio)

    def mark(self, name: str) -> None:
        """Queue a mark."""
        self.send({"type": "mark", "name": name})

    def clear(self) -> None:
        """Empty the queue."""
        self.send({"type": "clear"})


class Echo(WSListener):
    """Sends every frame of audio back as it is."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.BINARY:
            transport.send(kind, frame.get_payload_as_bytes())
        elif kind is WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            if message.startswith(b'{"event":"media"'):
                transport.send(kind, _echoed(message))
        elif kind is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()


def _echoed(message: bytes) -> bytes:
    """The same audio as an agent's message, cut out of the gateway's without decoding it."""
    stream = message.index(b'"streamSid":"')
    payload = message.index(b'"payload":"')
    end = message.index(b'"', stream + 13) + 1
    return b'{"event":"media",' + message[stream:end] + b',"media":{' + message[payload:]


RUNTIMES: dict[str, Callable[[], WSListener]] = {
    "/twilio": TwilioRuntime,
    "/native": NativeRuntime,
    "/twilio/echo": Echo,
    "/native/echo": Echo,
}


def answer(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | WSListener | None:
    """The runtime at this path, 404 (None) where there is none."""
    runtime = RUNTIMES.get(request.path.partition(b"?")[0].decode(errors="replace").rstrip("/"))
    if runtime is None:
        return None
    if SUBPROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", ""):
        return runtime()
    chosen = WSUpgradeResponse.create_101_response([("Sec-WebSocket-Protocol", SUBPROTOCOL)])
    return WSUpgradeResponseWithListener(chosen, runtime())


async def start(host: str = HOST, port: int = PORT) -> asyncio.Server:
    """Listen; port 0 takes a free one."""
    return await ws_create_server(answer, host, port, use_aiofastnet=False)


async def serve(host: str = HOST, port: int = PORT) -> None:
    """Listen until cancelled; the first line on standard output says where, when calls can come."""
    server = await start(host, port)
    host, port = server.sockets[0].getsockname()[:2]
    sys.stdout.write(f"sample agent on ws://{host}:{port}/twilio and ws://{host}:{port}/native\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


def run(host: str = HOST, port: int = PORT) -> None:
    """Serve until interrupted."""
    try:
        uvloop.run(serve(host, port))
    except KeyboardInterrupt:
        pass  # how one stops it by hand


def main() -> None:
    """`python -m gateway.sample_agent --port 8765`."""
    parser = argparse.ArgumentParser(
        prog="gateway sample-agent", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args()
    run(chosen.host, chosen.port)


if __name__ == "__main__":
    main()
