"""The bad agents of the benchmark: each sends one kind of message as fast as it is read, while it may.

Which kind is the path of its URL, or the first byte of its port's list on a bare connection (AudioSocket).
"""

import base64
import hashlib
import json
import select
import socket
import struct
import sys
from collections.abc import Mapping

from scripts.benchmark.agent import GUID, TEXT

BINARY, CONTINUATION, PING, PONG = 2, 0, 9, 10
CHUNK = 65_536
"Bytes of messages that are put together once and sent over and over."
MEGABYTE = 1_000_000


def frame(kind: int, body: bytes = b"", *, end: bool = True) -> bytes:
    """A frame as a server sends it: without a mask (RFC 6455 section 5.2)."""
    first = (0x80 if end else 0) | kind
    if len(body) < 126:
        return struct.pack("!BB", first, len(body)) + body
    if len(body) < 65_536:
        return struct.pack("!BBH", first, 126, len(body)) + body
    return struct.pack("!BBQ", first, 127, len(body)) + body


def say(**message: object) -> bytes:
    """A message of JSON."""
    return frame(TEXT, json.dumps(message).encode())


def media(audio: bytes) -> bytes:
    """Audio in Twilio's words."""
    payload = base64.b64encode(audio).decode()
    return say(event="media", streamSid="MZ0", media={"payload": payload})


def framed(kind: int, content: bytes = b"") -> bytes:
    """A frame of AudioSocket's."""
    return struct.pack("!BH", kind, len(content)) + content


SPEECH = frame(BINARY, bytes(160))

FLOODS: Mapping[str, tuple[str, bytes]] = {
    "mark": ("native", say(type="mark", name="m")),
    "marks, then clear": (
        "native",
        frame(BINARY, bytes(1600)) + 100 * say(type="mark", name="m") + say(type="clear"),
    ),
    "marks in audio": ("native", SPEECH + 20 * say(type="mark", name="m")),
    "clear": ("native", say(type="clear")),
    "audio and clear": ("native", SPEECH + say(type="clear")),
    "audio of a byte": ("native", frame(BINARY, b"\xff")),
    "audio of nothing": ("native", frame(BINARY)),
    "audio of 1 MB": ("native", frame(BINARY, bytes(MEGABYTE))),
    "text of 1 MB": ("native", frame(TEXT, b"x" * MEGABYTE)),
    "nonsense": ("native", frame(TEXT, b"{]")),
    "unknown words": ("native", say(type="metadata", key="value")),
    "digits": ("native", say(type="digits", digits="1234567890*#ABCD" * 4)),
    "transfer": ("native", say(type="transfer", to="+19005550123")),
    "recording": ("native", say(type="recording.start") + say(type="recording.pause")),
    "pings": ("native", frame(PING, b"x" * 100)),
    "pongs": ("native", frame(PONG)),
    "fragments": ("native", frame(BINARY, b"\xff", end=False) + frame(CONTINUATION, b"\xff")),
    "endless fragments": ("native", frame(CONTINUATION, b"", end=False)),
    "Twilio's mark": ("twilio", say(event="mark", streamSid="MZ0", mark={"name": "m"})),
    "Twilio's clear": ("twilio", say(event="clear", streamSid="MZ0")),
    "Twilio's media of a byte": ("twilio", media(b"\xff")),
    "Twilio's media of 700 kB": ("twilio", media(bytes(700_000))),
    "Twilio's nonsense": ("twilio", say(event="x")),
    "AudioSocket of a sample": ("audiosocket", framed(0x10, b"\0\0")),
    "AudioSocket of nothing": ("audiosocket", framed(0x10)),
    "AudioSocket's unknown kinds": ("audiosocket", framed(0x77)),
    "AudioSocket's other rates": ("audiosocket", framed(0x18, bytes(64))),
    "AudioSocket's digits": ("audiosocket", framed(0x03, b"5")),
}
"What is sent over and over, and in which dialect."

NAMES = tuple(FLOODS)


class Flooder:
    """One connection: it reads what it is told, throws it away, and sends."""

    def __init__(self, wire: socket.socket, kind: int | None) -> None:
        self.wire = wire
        self.head = b""
        self.chunk = b"" if kind is None else chunk_of(kind)
        self.start = 0
        self.sending = kind is not None

    def read(self) -> bool:
        """Take what came; False when the connection is over."""
        data = self.wire.recv(CHUNK)
        if not self.chunk:
            self.head += data
            if b"\r\n\r\n" in self.head:
                self._upgrade()
        else:
            self.sending = True  # the call has begun
        return bool(data)

    def write(self) -> None:
        """Send as much as is taken."""
        sent = self.wire.send(self.chunk[self.start :])
        self.start = (self.start + sent) % len(self.chunk)

    def _upgrade(self) -> None:
        self.chunk = chunk_of(int(self.head.split(b" ", 2)[1][1:]))
        key = self.head[self.head.lower().index(b"sec-websocket-key: ") + 19 :].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - RFC 6455's own
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.wire.send(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def chunk_of(kind: int) -> bytes:
    """So many of a flood's messages, whole ones."""
    name = NAMES[kind]
    message = FLOODS[name][1]
    chunk = message * max(1, CHUNK // len(message))
    begun = frame(BINARY, b"\xff", end=False) if name == "endless fragments" else b""
    return chunk if not begun else begun + chunk * 50


def serve(port: int) -> None:
    """Upgrades on one port, AudioSocket on those behind it, one a kind; until the process is ended."""
    poll = select.epoll()
    doors: dict[int, tuple[socket.socket, int | None]] = {}
    for place in range(-1, len(NAMES)):
        if place >= 0 and FLOODS[NAMES[place]][0] != "audiosocket":
            continue
        door = socket.create_server(("127.0.0.1", port + 1 + place), backlog=16)
        door.setblocking(False)
        doors[door.fileno()] = door, place if place >= 0 else None
        poll.register(door.fileno(), select.EPOLLIN)
    print("serving", flush=True)
    flooders: dict[int, Flooder] = {}
    while True:
        for number, events in poll.poll():
            if number in doors:
                wire, _ = doors[number][0].accept()
                wire.setblocking(False)
                flooders[wire.fileno()] = Flooder(wire, doors[number][1])
                poll.register(wire.fileno(), select.EPOLLIN)
            elif not _served(flooders[number], events):
                poll.unregister(number)
                flooders.pop(number).wire.close()
            elif flooders[number].sending:
                poll.modify(number, select.EPOLLIN | select.EPOLLOUT)


def _served(one: Flooder, events: int) -> bool:
    try:
        if events & select.EPOLLIN and not one.read():
            return False
        if events & select.EPOLLOUT:
            one.write()
    except BlockingIOError:
        pass
    except OSError:
        return False
    return not events & (select.EPOLLHUP | select.EPOLLERR)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
