"""The floor: a loop that relays the same datagrams and frames and does nothing else.

A call is a UDP socket and a WebSocket, as in the gateway; what comes in on one goes out on the other. No
transaction, no order, no clock. It is a loop in Python: a relay in C, which `media` measures beside it where
its sources and a compiler are at hand, takes about two thirds of it.
"""

import base64
import os
import select
import socket
import struct
import sys

FRAME = struct.Struct("!BBHI")
"Head of a masked binary frame with a 16 bit length, and a mask of zeros."


def connect(port: int) -> socket.socket:
    """A WebSocket to the echoing agent."""
    wire = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    wire.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += wire.recv(4096)
    wire.setblocking(False)
    return wire


def relay(calls: int, agent_port: int) -> None:
    """Open `calls` pairs, say which UDP ports they are on, and relay until the process is ended."""
    poll = select.epoll()
    from_phone: dict[int, tuple[socket.socket, socket.socket]] = {}
    from_agent: dict[int, tuple[socket.socket, socket.socket]] = {}
    ports = []
    for _ in range(calls):
        phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        phone.bind(("127.0.0.1", 0))
        phone.setblocking(False)
        agent = connect(agent_port)
        from_phone[phone.fileno()] = from_agent[agent.fileno()] = phone, agent
        ports.append(phone.getsockname()[1])
        poll.register(phone.fileno(), select.EPOLLIN)
        poll.register(agent.fileno(), select.EPOLLIN)
    print(*ports, flush=True)
    learnt: set[int] = set()
    while True:
        for number, _ in poll.poll():
            pair = from_phone.get(number)
            if pair is None:
                to_phone(*from_agent[number])
            elif number in learnt:
                to_agent(*pair)
            else:
                learn(*pair)
                learnt.add(number)


def learn(phone: socket.socket, agent: socket.socket) -> None:
    """The first datagram says where the phone is."""
    data, source = phone.recvfrom(2048)
    phone.connect(source)
    agent.send(FRAME.pack(0x82, 0xFE, len(data), 0) + data)


def to_agent(phone: socket.socket, agent: socket.socket) -> None:
    """A datagram in, a frame out."""
    data = phone.recv(2048)
    agent.send(FRAME.pack(0x82, 0xFE, len(data), 0) + data)


def to_phone(phone: socket.socket, agent: socket.socket) -> None:
    """A frame in, a datagram out; what the kernel has glued together is cut apart."""
    data = agent.recv(65_536)
    while data:
        size = int.from_bytes(data[2:4])
        phone.send(data[4 : 4 + size])
        data = data[4 + size :]


if __name__ == "__main__":
    relay(int(sys.argv[1]), int(sys.argv[2]))
