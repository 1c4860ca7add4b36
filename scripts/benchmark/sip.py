"""The signalling of the benchmark's phones: as few bytes as make a call, by hand, so that it costs little."""

import re
import select
import socket
import time
from dataclasses import dataclass, field

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
MEDIA_PORT = re.compile(rb"\r\nm=audio (\d{1,5}) ")
TO_TAG = re.compile(rb"\r\nTo: [^\r]*;tag=([^\r;]+)", re.IGNORECASE)
CALL_ID = re.compile(rb"\r\nCall-ID: (\S+)", re.IGNORECASE)
ECHOED = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
"Headers of a request that its answer repeats (RFC 3261 section 8.2.6.2)."
CSEQ = re.compile(rb"\r\nCSeq: \d+ (\w+)", re.IGNORECASE)


@dataclass(slots=True)
class Dialled:
    """One call being set up, or ended."""

    number: int
    media_port: int
    began: float
    state: str = "calling"
    status: int = 0
    remote_tag: str = ""
    remote_media: int = 0
    answer_seconds: float = 0.0


@dataclass(slots=True)
class Dialler:
    """Places and ends calls over one UDP socket."""

    gateway_port: int
    called: str
    wire: socket.socket = field(init=False)
    calls: dict[bytes, Dialled] = field(default_factory=dict)
    hung_up: int = 0
    "Calls that the gateway has ended."
    _poll: "select.epoll" = field(init=False)

    def __post_init__(self) -> None:
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.wire.bind(("127.0.0.1", 0))
        self.wire.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self.wire.fileno(), select.EPOLLIN)

    def invite(self, number: int, media_port: int) -> Dialled:
        """Send an INVITE."""
        call = Dialled(number, media_port, time.monotonic())
        self.calls[self._call_id(call).encode()] = call
        self._send(call, "INVITE", 1, SDP.format(port=media_port))
        return call

    def bye(self, call: Dialled) -> None:
        """Hang up."""
        call.state = "ending"
        self._send(call, "BYE", 2)

    def listen(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if self._poll.poll(max(0.0, left), 1):
                for _ in range(64):
                    try:
                        self._take(self.wire.recv(65_536))
                    except BlockingIOError:
                        break
            if left <= 0:
                return

    def _take(self, data: bytes) -> None:
        found = CALL_ID.search(data)
        call = self.calls.get(found[1]) if found else None
        if call is not None and data.startswith(b"BYE "):
            self._hung_up(call, data)
            return
        method = CSEQ.search(data)
        if call is None or method is None or not data.startswith(b"SIP/2.0 "):
            return
        status = int(data[8:11])
        if method[1] == b"BYE":
            call.state = "ended"
        elif status >= 200:
            self._answered(call, status, data)

    def _hung_up(self, call: Dialled, data: bytes) -> None:
        """The gateway has ended the call: its BYE is answered."""
        call.state = "ended"
        self.hung_up += 1
        head = [line for line in data.split(b"\r\n") if line.lower().startswith(ECHOED)]
        answer = b"\r\n".join([b"SIP/2.0 200 OK", *head, b"Content-Length: 0", b"", b""])
        self.wire.sendto(answer, ("127.0.0.1", self.gateway_port))

    def _answered(self, call: Dialled, status: int, data: bytes) -> None:
        tag, media = TO_TAG.search(data), MEDIA_PORT.search(data)
        call.remote_tag = tag[1].decode() if tag else ""
        if call.state == "calling":
            call.status, call.answer_seconds = status, time.monotonic() - call.began
            call.state = "up" if status < 300 else "refused"
            call.remote_media = int(media[1]) if media else 0
        self._send(call, "ACK", 1)

    def _send(self, call: Dialled, method: str, cseq: int, body: str = "") -> None:
        port = self.wire.getsockname()[1]
        branch = (
            f"z9hG4bK{call.number}{method}"
            if method != "ACK" or call.status < 300
            else f"z9hG4bK{call.number}INVITE"
        )
        tag = f";tag={call.remote_tag}" if call.remote_tag else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.wire.sendto(
            (
                f"{method} sip:{self.called}@127.0.0.1:{self.gateway_port} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch};rport\r\nMax-Forwards: 70\r\n"
                f"From: <sip:+14155550100@127.0.0.1>;tag=t{call.number}\r\n"
                f"To: <sip:{self.called}@127.0.0.1>{tag}\r\nCall-ID: {self._call_id(call)}\r\n"
                f"CSeq: {cseq} {method}\r\nContact: <sip:bench@127.0.0.1:{port}>\r\n"
                f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            ("127.0.0.1", self.gateway_port),
        )

    def _call_id(self, call: Dialled) -> str:
        return f"bench-{call.number}"
