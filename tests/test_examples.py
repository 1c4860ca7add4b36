"""The examples run as they are."""

import asyncio
import socket
import sys
from pathlib import Path

from gateway.agent.native import NativeDialect
from gateway.agent.notices import Digit
from gateway.agent.protocol import AgentEvent, Audio, CallStart, Hangup
from gateway.config.settings import AgentsSettings
from gateway.media.audio import ULAW_8K
from gateway.net.agent import AgentDialer

EXAMPLE = Path(__file__).parents[1] / "examples" / "echo_agent.py"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_echo_agent() -> None:
    """It says what it hears, takes a digit, and hangs up on #; it has thirty lines or so."""
    dialect, heard, changed = NativeDialect(ULAW_8K), list[AgentEvent](), asyncio.Event()

    def receive(text: bool, payload: bytes) -> None:
        heard.extend(dialect.receive(text, payload))
        changed.set()

    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, str(EXAMPLE), str(port))
    try:
        connection = await AgentDialer(AgentsSettings(connect_attempts=10, connect_pause=0.05)).connect(
            f"ws://127.0.0.1:{port}/",
            subprotocols=dialect.subprotocols,
            on_message=receive,
            on_closed=lambda code, why: None,
        )
        assert connection.subprotocol == "trunkline.v1"
        start = CallStart("call_1", "str_1", "org_1", "+442079460018", "+1", "inbound", "agt_1", 1, {})
        for frame in [*dialect.start(start), dialect.audio(b"\x42" * 160), *dialect.notice(Digit("#", 100))]:
            connection.send(*frame)
        async with asyncio.timeout(10):
            while len(heard) < 2:
                changed.clear()
                await changed.wait()
        assert heard == [Audio(b"\x42" * 160), Hangup("the caller pressed #")]
        connection.close()
    finally:
        process.terminate()
        await process.wait()
    assert len(EXAMPLE.read_text().splitlines()) <= 33
