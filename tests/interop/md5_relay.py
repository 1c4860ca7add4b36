"""Takes SHA-256 out of challenges, for a peer that knows MD5 alone and looks at the first challenge only.

SIPp 3.6 is such a peer; RFC 8760 section 2.4 has a client take the topmost challenge that it supports.
"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHA_256_CHALLENGE = re.compile(rb"WWW-Authenticate:[^\r\n]*SHA-256[^\r\n]*\r\n", re.IGNORECASE)


@contextmanager
def md5_relay(gateway_port: int, host: str) -> Iterator[int]:
    """A UDP port on `host` that leads to the gateway and back, the gateway seeing calls from `host`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind((host, 0))
        relay.settimeout(0.1)
        over = threading.Event()
        thread = threading.Thread(target=_relay, args=(relay, ("127.0.0.1", gateway_port), over))
        thread.start()
        try:
            yield relay.getsockname()[1]
        finally:
            over.set()
            thread.join()


def _relay(relay: socket.socket, gateway: tuple[str, int], over: threading.Event) -> None:
    peer: tuple[str, int] | None = None
    while not over.is_set():
        try:
            data, source = relay.recvfrom(65_535)
        except TimeoutError:
            continue
        if source != gateway:
            peer = source
            relay.sendto(data, gateway)
        elif peer is not None:
            relay.sendto(SHA_256_CHALLENGE.sub(b"", data), peer)
