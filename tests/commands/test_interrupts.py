"""Ctrl-C while a command follows, waits, asks or prints: no traceback, and 130."""

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from gateway.commands.output import INTERRUPTED
from tests.commands.conftest import Gateway, answer

SECONDS = 30.0
"Longer than anything in here takes."
LATE_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
EVENT = (
    b'data: {"event":"call.created","level":"info","time":"2026-11-30T12:00:00+00:00","call_id":"call_1"}\n\n'
)


@pytest.fixture
def filled(gateway: Gateway) -> Gateway:
    """The command, with the demo's workspace in the database."""
    answer(gateway("trunks", "list"))
    return gateway


async def start(*words: str, terminal: bool = False, **settings: object) -> tuple[Process, int]:
    """The command as a process, and its end of a terminal where it has one."""
    ours, theirs = pty.openpty() if terminal else (-1, PIPE)
    environ = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, env=environ, stdin=theirs, stdout=PIPE, stderr=PIPE
    )
    if terminal:
        os.close(theirs)
    return process, ours


async def interrupted(process: Process) -> str:
    """Its complaints after one SIGINT; it has to end by itself, with 130.

    One that comes while Python itself is ending ends it by the signal, which shells show as 130, too.
    """
    process.send_signal(signal.SIGINT)
    try:
        _, complaints = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode in (INTERRUPTED, -signal.SIGINT), complaints
    assert b"Traceback" not in complaints
    return complaints.decode()


async def said(process: Process, what: bytes) -> None:
    """Wait until that is printed, on either side."""
    assert process.stdout is not None
    assert process.stderr is not None
    sides = [asyncio.ensure_future(side.readuntil(what)) for side in (process.stdout, process.stderr)]
    done, others = await asyncio.wait(sides, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for side in others:
        side.cancel()
    assert done, f"{what!r} was not printed"


@pytest.mark.parametrize("words", [("trunks", "remove", "Loopback"), ("accounts", "add", "ada")])
async def test_question(filled: Gateway, words: tuple[str, ...]) -> None:
    """Asked on a terminal, interrupted instead of answered: nothing is done."""
    process, ours = await start(*words, terminal=True)
    try:
        await said(process, b"?" if words[0] == "trunks" else b"assword")
        await interrupted(process)
    finally:
        os.close(ours)
    trunks = answer(await asyncio.to_thread(filled, "trunks", "list"))
    assert "Loopback" in [each["name"] for each in trunks]


async def test_follow(filled: Gateway, tmp_path: Path) -> None:
    """A stream of all calls, once it has shown something."""
    (tmp_path / "data" / "operator.token").write_text("token")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(LATE_ANSWER + EVENT)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process, _ = await start("tail", TRUNKLINE_HTTP__PORT=port)
        await said(process, b"call_1")
        assert await interrupted(process) == ""


async def test_wait() -> None:
    """For a runtime that takes the connection and says nothing."""
    came = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process, _ = await start("agent-check", f"ws://127.0.0.1:{port}/")
        await asyncio.wait_for(came.wait(), SECONDS)
        assert await interrupted(process) == ""


async def test_long_answer(filled: Gateway) -> None:
    """Printed to somebody who reads slowly: more than the pipe holds is still to come."""
    process, _ = await start("workspaces", "countries", "list", "--all")
    await said(process, b"\n")
    assert await interrupted(process) == ""
