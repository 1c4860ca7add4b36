"""The sample agent runtime, a process of its own: it greets, says digits, and echoes the caller.

`gateway sample-agent` listens on `/native`, `/twilio`, `/plivo`, `/telnyx`, `/exotel` and `/asterisk`, one
path a dialect, and shows all that an agent does: marks tell it when it has been heard, and when the caller
speaks into its own words it falls silent. `/twilio/echo` and the like only echo, as cheaply as can be, for
measuring. Nothing of the gateway's own side of the dialects is used here, so that the two check each other.
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

from gateway.media.audio import (
    ALAW_8K,
    L16_8K,
    L16_16K,
    L16_24K,
    L16_48K,
    ULAW_8K,
    AudioFormat,
    Encoding,
    converter,
)

HOST, PORT = "127.0.0.1", 8765
SUBPROTOCOLS = ("trunkline.v1", "media")
"Those that it knows, of the native dialect and of Asterisk's."

TELNYX_ENCODINGS: dict[str, Encoding] = {"PCMU": "ulaw", "PCMA": "alaw", "L16": "l16"}
PLIVO_ENCODINGS: dict[str, Encoding] = {"audio/x-mulaw": "ulaw", "audio/x-l16": "l16"}
ASTERISK_FORMATS = {
    "ulaw": ULAW_8K,
    "alaw": ALAW_8K,
    "slin": L16_8K,
    "slin16": L16_16K,
    "slin24": L16_24K,
    "slin48": L16_48K,
}

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
            self.receive_text(frame.get_payload_as_bytes())

    def receive_text(self, text: bytes) -> None:
        """A text message as it comes."""
        self.receive(json.loads(text))

    def receive_audio(self, audio: bytes) -> None:
        """A binary message."""

    def receive(self, message: dict[str, Any]) -> None:
        """A text message."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a text message."""
        self.transport.send(WSMsgType.TEXT, json.dumps(message).encode())


class TwilioRuntime(Runtime):
    """The agent's side of the twilio dialect, and of those that differ from it by a few names."""

    stream = "streamSid"
    "What the stream's id is called."

    def audio_format(self, start: dict[str, Any]) -> AudioFormat:
        """The format that `start` names."""
        return ULAW_8K

    def receive(self, message: dict[str, Any]) -> None:
        """One message of Twilio's."""
        match message["event"]:
            case "start":
                self._id = message[self.stream]
                self.conversation = Conversation(self, self.audio_format(message["start"]))
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
        self.send({"event": "media", self.stream: self._id, "media": {"payload": payload}})

    def mark(self, name: str) -> None:
        """Queue a mark."""
        self.send({"event": "mark", self.stream: self._id, "mark": {"name": name}})

    def clear(self) -> None:
        """Empty the queue."""
        self.send({"event": "clear", self.stream: self._id})


class TelnyxRuntime(TwilioRuntime):
    """The agent's side of the telnyx dialect."""

    stream = "stream_id"

    def audio_format(self, start: dict[str, Any]) -> AudioFormat:
        """PCMU, PCMA or L16."""
        encoding = TELNYX_ENCODINGS[start["media_format"]["encoding"]]
        return AudioFormat(encoding, start["media_format"]["sample_rate"])


class ExotelRuntime(TwilioRuntime):
    """The agent's side of the exotel dialect."""

    stream = "stream_sid"

    def audio_format(self, start: dict[str, Any]) -> AudioFormat:
        """Linear, at a rate that is written as text."""
        return AudioFormat("l16", int(start["media_format"]["sample_rate"]))


class PlivoRuntime(Runtime):
    """The agent's side of the plivo dialect."""

    def receive(self, message: dict[str, Any]) -> None:
        """One message of Plivo's."""
        match message["event"]:
            case "start":
                self._id = message["start"]["streamId"]
                described = message["start"]["mediaFormat"]
                self._content_type, self._rate = described["encoding"], described["sampleRate"]
                encoding = PLIVO_ENCODINGS[self._content_type]
                self.conversation = Conversation(self, AudioFormat(encoding, self._rate))
                self.conversation.begin()
            case "media":
                self.conversation.hear(base64.b64decode(message["media"]["payload"]))
            case "dtmf":
                self.conversation.digit(message["dtmf"]["digit"])
            case "playedStream":
                self.conversation.heard(message["name"])

    def say(self, audio: bytes) -> None:
        """Queue audio."""
        payload = base64.b64encode(audio).decode()
        media = {"contentType": self._content_type, "sampleRate": self._rate, "payload": payload}
        self.send({"event": "playAudio", "streamId": self._id, "media": media})

    def mark(self, name: str) -> None:
        """Queue a checkpoint."""
        self.send({"event": "checkpoint", "streamId": self._id, "name": name})

    def clear(self) -> None:
        """Empty the queue."""
        self.send({"event": "clearAudio", "streamId": self._id})


class AsteriskRuntime(Runtime):
    """The agent's side of the asterisk dialect, with its control in JSON or in words."""

    def receive_audio(self, audio: bytes) -> None:
        """The caller's audio."""
        self.conversation.hear(audio)

    def receive_text(self, text: bytes) -> None:
        """One event of Asterisk's."""
        if text.startswith(b"{"):
            fields = json.loads(text)
        else:
            event, *words = text.decode().split(" ")
            pairs = (word.partition(":") for word in words)
            fields = {"event": event, "correlation_id": " ".join(words), **{a: c for a, b, c in pairs if b}}
        self.receive(fields)

    def receive(self, message: dict[str, Any]) -> None:
        """The same, taken apart."""
        match message["event"]:
            case "MEDIA_START":
                self.conversation = Conversation(self, ASTERISK_FORMATS[message["format"]])
                self.conversation.begin()
            case "DTMF_END":
                self.conversation.digit(message["digit"])
            case "MEDIA_MARK_PROCESSED":
                self.conversation.heard(message["correlation_id"])

    def say(self, audio: bytes) -> None:
        """Queue audio."""
        self.transport.send(WSMsgType.BINARY, audio)

    def mark(self, name: str) -> None:
        """Queue a mark."""
        self.send({"command": "MARK_MEDIA", "correlation_id": name})

    def clear(self) -> None:
        """Empty the queue."""
        self.send({"command": "FLUSH_MEDIA"})


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
    """Sends every frame of audio back as it is; text in Twilio's words."""

    stream = b'"streamSid":"'

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.BINARY:
            transport.send(kind, frame.get_payload_as_bytes())
        elif kind is WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            if message.startswith(b'{"event":"media"'):
                transport.send(kind, self.echoed(message))
        elif kind is WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def echoed(self, message: bytes) -> bytes:
        """The same audio as an agent's message, cut out of the gateway's without decoding it."""
        stream = message.index(self.stream)
        payload = message.index(b'"payload":"')
        end = message.index(b'"', stream + len(self.stream)) + 1
        return b'{"event":"media",' + message[stream:end] + b',"media":{' + message[payload:]


class TelnyxEcho(Echo):
    """The same in Telnyx's words."""

    stream = b'"stream_id":"'


class ExotelEcho(Echo):
    """The same in Exotel's words."""

    stream = b'"stream_sid":"'


class PlivoEcho(Echo):
    """The same in Plivo's words, which need no id, and name the format each time."""

    def echoed(self, message: bytes) -> bytes:
        """Without a format: the call's own is meant."""
        payload = message.index(b'"payload":"')
        end = message.index(b'"', payload + 11) + 1
        return b'{"event":"playAudio","media":{' + message[payload:end] + b"}}"


RUNTIMES: dict[str, Callable[[], WSListener]] = {
    "/native": NativeRuntime,
    "/twilio": TwilioRuntime,
    "/plivo": PlivoRuntime,
    "/telnyx": TelnyxRuntime,
    "/exotel": ExotelRuntime,
    "/asterisk": AsteriskRuntime,
    "/native/echo": Echo,
    "/twilio/echo": Echo,
    "/plivo/echo": PlivoEcho,
    "/telnyx/echo": TelnyxEcho,
    "/exotel/echo": ExotelEcho,
    "/asterisk/echo": Echo,
}


def answer(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | WSListener | None:
    """The runtime at this path, 404 (None) where there is none."""
    runtime = RUNTIMES.get(request.path.partition(b"?")[0].decode(errors="replace").rstrip("/"))
    if runtime is None:
        return None
    offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
    known = [name for name in offered if name in SUBPROTOCOLS]
    if not known:
        return runtime()
    chosen = WSUpgradeResponse.create_101_response([("Sec-WebSocket-Protocol", known[0])])
    return WSUpgradeResponseWithListener(chosen, runtime())


async def start(host: str = HOST, port: int = PORT) -> asyncio.Server:
    """Listen; port 0 takes a free one."""
    return await ws_create_server(answer, host, port, use_aiofastnet=False)


async def serve(host: str = HOST, port: int = PORT) -> None:
    """Listen until cancelled; the first line on standard output says where, when calls can come."""
    server = await start(host, port)
    host, port = server.sockets[0].getsockname()[:2]
    paths = ", ".join(path for path in RUNTIMES if path.count("/") == 1)
    sys.stdout.write(f"sample agent on ws://{host}:{port} with {paths}\n")
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
    """`python -m gateway.demo.sample_agent --port 8765`."""
    parser = argparse.ArgumentParser(
        prog="gateway sample-agent", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args()
    run(chosen.host, chosen.port)


if __name__ == "__main__":
    main()
