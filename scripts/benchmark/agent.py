"""The agents of the benchmark: a WebSocket server of bare epoll that echoes, so that it costs little itself.

It speaks just enough of RFC 6455 to be dialled: an upgrade, then frames of one message each. Every caller's
audio goes straight back, in the words of whichever dialect it came in.
"""

import base64
import hashlib
import select
import socket
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Peer:
    """One connection: what was read but not yet understood."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.buffer = b""
        self.upgraded = False
        self.framed = False
        "It speaks AudioSocket, not WebSocket."

    def take(self, data: bytes) -> bool:
        """Take what was read; False when the connection is over."""
        self.buffer += data
        if self.framed or self.buffer[:1] == b"\x01":
            self.framed = True
            return self._echo_framed()
        if not self.upgraded:
            return self._upgrade()
        while True:
            frame = self._frame()
            if frame is None:
                return True
            if not self._answer(*frame):
                return False

    def _upgrade(self) -> bool:
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return len(self.buffer) < 65_536
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        key = head[head.lower().index(b"sec-websocket-key: ") + 19 :].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - RFC 6455's own
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        offered = fields.get(b"sec-websocket-protocol")
        if offered:
            answer += b"Sec-WebSocket-Protocol: " + offered.split(b",")[0] + b"\r\n"
        self.wire.send(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.upgraded, self.buffer = True, rest
        return True

    def _echo_framed(self) -> bool:
        """Send frames of audio back as they are."""
        while len(self.buffer) >= 3:
            kind, size = struct.unpack_from("!BH", self.buffer)
            if len(self.buffer) < 3 + size:
                break
            if kind >= 0x10:
                self.wire.send(self.buffer[: 3 + size])
            self.buffer = self.buffer[3 + size :]
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 6:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 8:
                return None
            size, at = struct.unpack_from("!H", buffer, 2)[0], 4
        end = at + 4 + size
        if len(buffer) < end:
            return None
        mask, body = buffer[at : at + 4], buffer[at + 4 : end]
        self.buffer = buffer[end:]
        return buffer[0] & 0x0F, unmasked(body, mask)

    def _answer(self, kind: int, body: bytes) -> bool:
        if kind == BINARY:
            self._send(BINARY, body)
        elif kind == TEXT and b'"media"' in body[:20]:
            self._send(TEXT, echoed(body))
        elif kind == PING:
            self._send(PONG, body)
        elif kind == CLOSE:
            self._send(CLOSE, body[:2])
            return False
        return True

    def _send(self, kind: int, body: bytes) -> None:
        size = len(body)
        head = (
            struct.pack("!BB", 0x80 | kind, size)
            if size < 126
            else struct.pack("!BBH", 0x80 | kind, 126, size)
        )
        self.wire.send(head + body)


def echoed(message: bytes) -> bytes:
    """A frame of the caller's as an agent would say it, in Twilio's words or those of its kin."""
    start = message.index(b'"payload":"') + 11
    payload = message[start : message.index(b'"', start)]
    if b'"streamId":"' in message:
        media = b'{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"%b"}' % payload
        return b'{"event":"playAudio","media":%b}' % media
    key = next(key for key in (b'"streamSid":"', b'"stream_id":"', b'"stream_sid":"') if key in message)
    at = message.index(key)
    stream = message[at : message.index(b'"', at + len(key)) + 1]
    return b'{"event":"media",%b,"media":{"payload":"%b"}}' % (stream, payload)


def unmasked(body: bytes, mask: bytes) -> bytes:
    """Take the client's mask off (RFC 6455 section 5.3), by one big number instead of a loop."""
    if mask == b"\0\0\0\0" or not body:
        return body
    size = len(body)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(body) ^ int.from_bytes(key)).to_bytes(size)


def serve(port: int) -> None:
    """Echo until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    peers: dict[int, Peer] = {}
    print("serving", flush=True)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                accept(listener, poll, peers)
            elif not read(peers[number]):
                poll.unregister(number)
                peers.pop(number).wire.close()


def accept(listener: socket.socket, poll: "select.epoll", peers: dict[int, Peer]) -> None:
    """Take in everyone who waits."""
    while True:
        try:
            wire, _ = listener.accept()
        except BlockingIOError:
            return
        wire.setblocking(False)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peers[wire.fileno()] = Peer(wire)
        poll.register(wire.fileno(), select.EPOLLIN)


def read(peer: Peer) -> bool:
    """Read once; False when the connection is over."""
    try:
        data = peer.wire.recv(65_536)
        return bool(data) and peer.take(data)
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    serve(int(sys.argv[1]))
