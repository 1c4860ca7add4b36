"""Outbound calls at a steady rate: asked for over HTTP, answered by a callee that hangs up at once."""

import http.client
import json
import re
import select
import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.benchmark.under_test import CALLEE_PORT, Process

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
HEADERS = {
    name: re.compile(rf"\r\n{name}: ([^\r]*)", re.IGNORECASE)
    for name in ("Via", "From", "To", "Call-ID", "CSeq", "Contact")
}
CALLEE = "+442079460018"
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class OutboundFigures:
    """Calls that are asked for, rung, answered and ended at a steady rate."""

    dialect: str
    rate: int
    calls: int
    failed: int
    "Requests that were refused, and calls that were not answered and ended."
    cpu_ms: float
    "CPU milliseconds of the process per call: the request, INVITE to the callee's BYE, agent connected."
    request_p50_ms: float
    request_p99_ms: float
    "From the request to its 201."


@dataclass(slots=True)
class Callee:
    """Answers every INVITE at once, and hangs up when it is acknowledged; runs in a thread of its own."""

    media_port: int
    ended: set[str] = field(default_factory=set)
    _wire: socket.socket = field(init=False)
    _stopped: bool = False

    def __post_init__(self) -> None:
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._wire.bind(("127.0.0.1", CALLEE_PORT))
        self._wire.setblocking(False)

    def run(self) -> None:
        """Serve until `stop`."""
        poll = select.epoll()
        poll.register(self._wire.fileno(), select.EPOLLIN)
        while not self._stopped:
            for _ in poll.poll(0.1, 1):
                self._take_all()
        self._wire.close()

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True

    def _take_all(self) -> None:
        while True:
            try:
                data, peer = self._wire.recvfrom(65_536)
            except BlockingIOError:
                return
            self._take(data.decode(), peer)

    def _take(self, text: str, peer: tuple[str, int]) -> None:
        fields = {name: found[1] for name, pattern in HEADERS.items() if (found := pattern.search(text))}
        method = fields["CSeq"].split()[1]
        if text.startswith("SIP/2.0"):
            if method == "BYE":
                self.ended.add(fields["Call-ID"])
        elif method == "INVITE":
            self._answer(fields, peer, "180 Ringing", "")
            self._answer(fields, peer, "200 OK", SDP.format(port=self.media_port))
        elif method == "ACK":
            self._hang_up(fields, peer)

    def _answer(self, fields: dict[str, str], peer: tuple[str, int], status: str, body: str) -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        tag = "" if ";tag=" in fields["To"] else ";tag=callee"
        self._send(
            f"SIP/2.0 {status}\r\nVia: {fields['Via']}\r\n"
            f"From: {fields['From']}\r\nTo: {fields['To']}{tag}\r\n"
            f"Call-ID: {fields['Call-ID']}\r\nCSeq: {fields['CSeq']}\r\n"
            f"Contact: <sip:callee@127.0.0.1:{CALLEE_PORT}>\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}",
            peer,
        )

    def _hang_up(self, fields: dict[str, str], peer: tuple[str, int]) -> None:
        self._send(
            f"BYE sip:{peer[0]}:{peer[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{CALLEE_PORT};branch=z9hG4bK{fields['Call-ID']}\r\n"
            f"Max-Forwards: 70\r\nFrom: {fields['To']}\r\nTo: {fields['From']}\r\n"
            f"Call-ID: {fields['Call-ID']}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            peer,
        )

    def _send(self, text: str, peer: tuple[str, int]) -> None:
        self._wire.sendto(text.encode(), peer)


def outbound_run(dialect: str, process: Process, calls: int, rate: int, media_port: int) -> OutboundFigures:
    """Ask for `calls` calls at `rate` a second, and count those that were answered and ended."""
    callee = Callee(media_port)
    thread = threading.Thread(target=callee.run)
    thread.start()
    try:
        ask = asker(process, dialect)
        for _ in range(WARM_UP):
            ask()
            time.sleep(0.05)
        time.sleep(1.0)
        before, took, refused = process.cpu_seconds(), [], 0
        known = len(callee.ended)
        due = time.monotonic()
        for _ in range(calls):
            seconds = ask()
            refused += seconds is None
            took.append((seconds or 0.0) * 1000)
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))
        deadline = time.monotonic() + 10
        while len(callee.ended) - known < calls - refused and time.monotonic() < deadline:
            time.sleep(0.1)
        cpu = (process.cpu_seconds() - before) * 1000 / calls
        took.sort()
        return OutboundFigures(
            dialect=dialect,
            rate=rate,
            calls=calls,
            failed=calls - (len(callee.ended) - known),
            cpu_ms=round(cpu, 3),
            request_p50_ms=round(statistics.median(took), 1),
            request_p99_ms=round(took[min(len(took) - 1, int(len(took) * 0.99))], 1),
        )
    finally:
        callee.stop()
        thread.join()


def asker(process: Process, dialect: str) -> Callable[[], float | None]:
    """Asks for a call over a connection that stays open; how long that took, None where it was refused."""
    wire = http.client.HTTPConnection("127.0.0.1", process.http_port, timeout=10)
    wire.connect()
    assert wire.sock is not None
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = json.dumps({"phone_number": CALLEE, "agent_id": f"agent_{dialect}", "metadata": {}})
    headers = {"Authorization": f"Bearer {process.key}", "Content-Type": "application/json"}

    def ask() -> float | None:
        began = time.monotonic()
        wire.request("POST", "/v1/calls", body, headers)
        answer = wire.getresponse()
        answer.read()
        return time.monotonic() - began if answer.status == 201 else None

    return ask
