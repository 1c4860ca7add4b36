"""`gateway agent-check` against a good agent and broken ones: each mistake is told in plain words."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets.asyncio.server import ServerConnection, serve

from gateway.cli import app
from gateway.commands.agent_script import Trial
from gateway.commands.agent_trial import Pace, is_silent, roughness
from gateway.commands.finding import Finding, worst
from gateway.demo import sample_agent
from gateway.media.audio import L16_8K, ULAW_8K, converter, wav_bytes
from gateway.phones.speech import speech
from gateway.routing.table import AgentVersion, Dialect
from tests.mosquitto import free_tcp_port

HASTE = Pace(greeting=0.5, speech=0.4, answer=0.5, interruption=0.6, quiet=1.5, moment=0.15)
PATIENT = Pace(greeting=4, speech=0.6, answer=3, interruption=2, quiet=3, moment=0.3)
"For agents that do answer, on however busy a machine."

SPOKEN = [("native", "l16_16k"), *((each, "") for each in ("twilio", "plivo", "telnyx", "exotel"))]
SPOKEN += [("asterisk", "l16_24k")]
"The dialects of the sample agent, with a format each."
ECHO_AGENT = Path(__file__).parents[1] / "examples" / "echo_agent.py"

Talk = Callable[[ServerConnection], Awaitable[None]]


async def findings_of(
    url: str, dialect: str, audio: str = "", pace: Pace = HASTE, **more: Any
) -> list[Finding]:
    version = AgentVersion(
        "ver_1", "agent_1", 1, runtime_url=url, dialect=Dialect(dialect), audio=audio, **more
    )
    return await Trial(version, pace=pace).run()


def told(findings: list[Finding], what: str, level: str) -> str:
    """What was found of one thing, which has to be of that level."""
    found = [finding for finding in findings if finding.what == what]
    assert found, (what, findings)
    assert found[0].level == level, findings
    assert bool(found[0].mend) is (level != "ok")
    return found[0].found


@asynccontextmanager
async def agent(talk: Talk) -> AsyncIterator[str]:
    async def live(connection: ServerConnection) -> None:
        await talk(connection)
        async for _ in connection:
            pass

    async with serve(live, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


def twilio(event: str, stream: str, **body: object) -> str:
    return json.dumps({"event": event, "streamSid": stream, **body})


def media(audio: bytes) -> dict[str, object]:
    return {"media": {"payload": base64.b64encode(audio).decode()}}


async def stream_of(connection: ServerConnection) -> str:
    """The stream's SID, once it has begun."""
    await connection.recv()
    return str(json.loads(await connection.recv())["streamSid"])


async def test_sample_agent_passes_in_every_dialect() -> None:
    """It greets, falls silent, answers, beeps and hangs up: nothing is wrong, whatever it speaks."""
    async with await sample_agent.start(port=0) as server:
        place = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        all_of_them = await asyncio.gather(
            *(findings_of(f"{place}/{dialect}", dialect, audio, PATIENT) for dialect, audio in SPOKEN)
        )
    for spoken, findings in zip(SPOKEN, all_of_them, strict=True):
        assert worst(findings) == "ok", (spoken, findings)
        assert [finding.what for finding in findings] == [
            "connection",
            "greeting",
            "interruption",
            "answer",
            "digits",
            "hang-up",
            "audio",
            "marks",
        ], spoken


async def test_echo_agent_passes() -> None:
    """The one that people copy: what it does at # is no warning."""
    port = free_tcp_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ECHO_AGENT), str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await listens(port)
        findings = await findings_of(f"ws://127.0.0.1:{port}/", "native", "", PATIENT)
    finally:
        process.terminate()
        await process.wait()
    assert worst(findings) == "ok", findings
    assert "# were pressed, and it hung up: the caller pressed #" in told(findings, "digits", "ok")


async def listens(port: int) -> None:
    """Wait until somebody takes connections there."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


@pytest.mark.parametrize("dialect", ["native", "twilio"])
async def test_marks_that_wait_at_hang_up_are_told(dialect: str) -> None:
    """As in a call: each once, in order, before the goodbye, and native says which were not reached."""
    said: list[dict[str, Any]] = []

    async def lecture(connection: ServerConnection) -> None:
        native = dialect == "native"
        stream = "" if native else await stream_of(connection)

        def mark(name: str) -> str:
            if native:
                return json.dumps({"type": "mark", "name": name})
            return twilio("mark", stream, mark={"name": name})

        def sound(seconds: float) -> bytes | str:
            return speech(seconds) if native else twilio("media", stream, **media(speech(seconds)))

        await connection.send(sound(0.1))
        await connection.send(mark("heard"))
        await connection.send(sound(20))
        await connection.send(mark("one"))
        await connection.send(mark("two"))
        said.extend([json.loads(each) async for each in connection if isinstance(each, str)])

    async with agent(lecture) as url:
        findings = await findings_of(url, dialect, "ulaw_8k" if dialect == "native" else "")
    assert told(findings, "marks", "ok") == "3 asked for, 1 told, 2 not reached when the caller hung up"
    if dialect == "native":
        marks = [(each["name"], each["played"]) for each in said if each["type"] == "mark"]
        assert marks == [("heard", True), ("one", False), ("two", False)]
        assert said[-1]["type"] == "stop"
    else:
        names = [each["mark"]["name"] for each in said if each["event"] == "mark"]
        assert names == ["heard", "one", "two"]
        assert said[-1]["event"] == "stop"


async def test_nothing_listens() -> None:
    """The first finding is the last, with the reason and what to do."""
    (finding,) = await findings_of("ws://127.0.0.1:9/", "twilio")
    assert (finding.level, finding.what) == ("fail", "connection")
    assert "nothing listens" in finding.found
    assert "start the runtime" in finding.mend


async def test_silent_agent_fails() -> None:
    """One that never speaks is told so."""

    async def say_nothing(connection: ServerConnection) -> None:
        """Listen."""

    async with agent(say_nothing) as url:
        findings = await findings_of(url, "twilio")
    assert "says nothing" in told(findings, "answer", "fail")
    assert told(findings, "hang-up", "ok")


async def test_wrong_words_are_quoted() -> None:
    """Each kind of mistake once, with its count and its reason."""

    async def mumble(connection: ServerConnection) -> None:
        stream = await stream_of(connection)
        for _ in range(3):
            await connection.send('{"event":"play"}')
        await connection.send(twilio("clear", "MZ of another"))
        await connection.send(twilio("media", stream, **media(speech(0.5))))

    async with agent(mumble) as url:
        findings = await findings_of(url, "twilio")
    wrong = [finding.found for finding in findings if finding.what == "messages"]
    assert "3 times" in wrong[0]
    assert "'play'" in wrong[0]
    assert "streamSid 'MZ of another'" in wrong[1]
    assert worst(findings) == "fail"


async def test_agent_that_talks_over_the_caller_is_warned() -> None:
    """Ten seconds ahead and no clear: the caller is not listened to."""

    async def lecture(connection: ServerConnection) -> None:
        stream = await stream_of(connection)
        await connection.send(twilio("media", stream, **media(speech(10))))

    async with agent(lecture) as url:
        findings = await findings_of(url, "twilio")
    assert "still waited" in told(findings, "interruption", "warn")
    assert worst(findings) == "warn"


@pytest.mark.parametrize(
    ("sound", "level", "words"),
    [
        (b"\xff" * 8000, "fail", "silence"),
        (wav_bytes(ULAW_8K, speech(1)), "fail", "WAV headers"),
        ("linear", "warn", "noise"),
    ],
)
async def test_sound_that_is_none(sound: bytes | str, level: str, words: str) -> None:
    """Silence, a file's header and another encoding than the call's."""
    linear = converter(ULAW_8K, L16_8K)
    assert linear is not None
    audio = linear(speech(2)) if isinstance(sound, str) else sound

    async def play(connection: ServerConnection) -> None:
        stream = await stream_of(connection)
        await connection.send(twilio("media", stream, **media(audio)))

    async with agent(play) as url:
        findings = await findings_of(url, "twilio")
    assert words in told(findings, "audio", level)


async def test_crash_and_early_goodbye_are_told_apart() -> None:
    """Code 1011 is a crash, 1000 a hang-up that may be meant."""

    async def leave(connection: ServerConnection, code: int) -> None:
        stream = await stream_of(connection)
        await connection.send(twilio("media", stream, **media(speech(0.1))))
        await asyncio.sleep(0.05)
        await connection.close(code)

    for code, level in ((1011, "fail"), (1000, "warn")):
        async with agent(lambda connection, code=code: leave(connection, code)) as url:  # type: ignore[misc]
            findings = await findings_of(url, "twilio")
        ends = [finding for finding in findings if finding.what == "connection"][1:]
        assert [finding.level for finding in ends] == [level]
        assert str(code) in ends[0].found


def test_noise_is_told_from_speech() -> None:
    """By how much the samples jump."""
    linear = converter(ULAW_8K, L16_8K)
    assert linear is not None
    mu_law = converter(L16_8K, ULAW_8K)
    assert mu_law is not None
    assert roughness(speech(2)) < 0.9
    assert roughness(linear(speech(2))) > 1.15
    assert roughness(mu_law(speech(2))) > 1.15
    assert roughness(os.urandom(16_000)) > 1.15
    assert roughness(b"\xff" * 1600) == 0
    assert is_silent(b"\xff" * 1600)
    assert is_silent(b"")


def test_command_exits_by_the_worst() -> None:
    """JSON where nobody looks at a terminal; exit 1 for a failure, 2 for what cannot be right."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["agent-check", *arguments])
        return done.exit_code, done.stdout, done.stderr

    status, output, _ = run("ws://127.0.0.1:9/", "--dialect", "plivo", "--json")
    assert status == 1
    assert [finding["what"] for finding in json.loads(output)] == ["connection"]
    status, _, complaint = run("http://127.0.0.1/", "--dialect", "plivo")
    assert status == 2
    assert "should be a WebSocket URL" in complaint
    status, _, complaint = run("sip:bot@127.0.0.1", "--dialect", "sip")
    assert status == 2
    assert "is a telephone" in complaint
    status, _, complaint = run("ws://127.0.0.1/", "--dialect", "morse")
    assert status == 2
    assert "twilio or native or plivo" in complaint
