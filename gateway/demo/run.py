"""`scripts/run`.

The gateway with embedded defaults, a sample agent beside it, and one real call over loopback.
"""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from gateway.app.gateway import Gateway
from gateway.app.process import stop_on_signals
from gateway.call.placing import CallRequest
from gateway.call.refusal import Refused
from gateway.config.settings import Config
from gateway.events.log import log_sink
from gateway.media.audio import ULAW_8K, wav_bytes
from gateway.phones.answering import AnsweringTelephone
from gateway.phones.echo import Echo, compare
from gateway.phones.speech import speech
from gateway.phones.telephone import CallReport, Telephone
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Rejected
from gateway.store.records.calls import CallFilter, CallRow

SPEECH_SECONDS = 4.0
LEAD_SECONDS = 2.5
"Silence before the caller speaks, while the agent greets."

AGENT_SECONDS = 60.0
"How long the sample agent may take to start, on a machine that is busy or small."

FRONT_DESK, TWILIO, NOBODY_ANSWERS = "+12025550101", "+12025550102", "+442079460018"
"Numbers of config/demo.toml."
CALLEE, CALLEE_PORT = "+442079460999", 5064
"Whoever is called by the demo's trunk is this telephone; its number can be any."

SAID_WAV, HEARD_WAV = "caller-said.wav", "caller-heard.wav"


async def run_demo(config: Config, to: str, from_: str, out: Path, once: bool) -> int:
    """Start everything, place the call, show what happened; returns the exit status."""
    console = Console()
    with open_log(out) as log:
        gateway = Gateway(config, log_sink(config.log.level, "json", log))
        async with _running(gateway), _sample_agent(console), _callee(console):
            login = await _login(gateway)
            console.print(_welcome(gateway, login))
            report = await _call(gateway, to, from_)
            row = await _record(gateway)
            echo = compare(report.said, report.heard)
            _write_sounds(out, report)
            why_not = verdict(report, row, echo)
            _show(console, report, row, echo, out)
            console.print(_conclusion(why_not))
            if not once:
                await _stay_up(console, gateway, login)
    return 0 if why_not is None else 1


def open_log(out: Path) -> TextIO:
    """The gateway's log in the folder of what the demo leaves behind, which is made when missing."""
    out.mkdir(parents=True, exist_ok=True)
    return (out / "gateway.log").open("w")


@contextlib.asynccontextmanager
async def _running(gateway: Gateway) -> AsyncIterator[None]:
    try:
        await gateway.start()
        yield
        gateway.stop()
        await gateway.serve()
    finally:
        await gateway.close()


@contextlib.asynccontextmanager
async def _sample_agent(console: Console) -> AsyncIterator[None]:
    """The sample runtime as a process of its own, until the context is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "sample-agent",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(AGENT_SECONDS):
            line = (await process.stdout.readline()).decode().strip()
        console.print(f"[dim]agent runtime, process {process.pid}: {line}[/dim]")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _callee(console: Console) -> AsyncIterator[None]:
    """Somebody who picks up when the demo calls out, as long as its port is free."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(AnsweringTelephone("127.0.0.1", CALLEE_PORT))
        except OSError as error:
            console.print(f"[dim]nobody answers outbound calls: port {CALLEE_PORT} is taken ({error})[/dim]")
        yield


async def _call(gateway: Gateway, to: str, from_: str) -> CallReport:
    listener = next(one for one in gateway.endpoint.listeners if one.transport == "UDP")
    said = b"\xff" * round(LEAD_SECONDS * 8000) + speech(SPEECH_SECONDS)
    return await Telephone().call(listener.host, listener.port, to, from_, said)


async def _record(gateway: Gateway) -> CallRow | None:
    """The newest call, once its record is saved."""
    await gateway.switchboard.quiet()
    await gateway.store.flush()
    page = await gateway.store.list_calls(CallFilter(limit=1))
    return page.calls[0] if page.calls else None


def verdict(report: CallReport, row: CallRow | None, echo: Echo | None) -> str | None:
    """None when the call went as it should, else why it did not."""
    if report.status != 200:
        why = row.detail if row else "no record was kept"
        return f"the gateway answered {report.status} {report.phrase}: {why}"
    return "nothing was said" if echo is None else echo.flaw()


def _write_sounds(out: Path, report: CallReport) -> None:
    for name, audio in ((SAID_WAV, report.said), (HEARD_WAV, report.heard)):
        (out / name).write_bytes(wav_bytes(ULAW_8K, audio))


async def _login(gateway: Gateway) -> str:
    """How to get into the dashboard; the first start makes the account."""
    accounts = gateway.store.accounts
    if await accounts.list_all():
        return "log in as before; `gateway accounts password NAME` sets another password"
    password = secrets.token_urlsafe(9)
    workspace = (await gateway.store.configuration.workspaces.list_all())[0]
    account = await accounts.add(workspace.id, "demo", password, "demo")
    return f"log in as {account.name} with the password {password}"


def _welcome(gateway: Gateway, login: str) -> Panel:
    sip = ", ".join(f"{one.transport.lower()}:{one.host}:{one.port}" for one in gateway.endpoint.listeners)
    http = f"http://{gateway.config.http.bind}:{gateway.http.port}"
    lines = (
        f"SIP        {sip}",
        f"HTTP       {http}/healthz  {http}/metrics",
        f"Dashboard  {_dashboard(gateway)}",
        f"           {login}",
    )
    return Panel("\n".join(lines), title="Trunkline is up", expand=False)


def _show(console: Console, report: CallReport, row: CallRow | None, echo: Echo | None, out: Path) -> None:
    console.print(_ladder(report))
    if row is not None:
        console.print(_decision(row))
        console.print(_record_table(row))
    console.print(_audio(report, row, echo, out))


def _ladder(report: CallReport) -> Table:
    table = Table("ms", "caller", "", "gateway", title="Signalling", title_justify="left")
    for seconds, sent, line in report.ladder:
        arrow = "──────▶" if sent else "◀──────"
        table.add_row(f"{seconds * 1000:.1f}", line if sent else "", arrow, "" if sent else line)
    return table


def _decision(row: CallRow) -> Panel:
    decision = row.decision or {}
    summary = str(decision.get("summary", "no decision"))
    checks = decision.get("checks")
    lines = [
        f"  {check['name']}: {check['looked_at']} → {check['found']}"
        for check in (checks if isinstance(checks, list) else [])
    ]
    return Panel("\n".join([summary, *lines]), title="Decision", title_align="left", expand=False)


def _record_table(row: CallRow) -> Table:
    table = Table(show_header=False, title="Call record", title_justify="left")
    for name, value in (
        ("call", row.id),
        ("from → to", f"{row.from_number} → {row.to_number}"),
        ("trunk, number", f"{row.trunk_id}, {row.number_id}"),
        ("agent version", f"{row.version_id} (version {row.version_number})"),
        ("status", row.status),
        ("ended by, reason", f"{row.ended_by}, {row.end_reason}: {row.detail}"),
        ("connected", f"{row.duration_ms / 1000:.1f} s"),
    ):
        table.add_row(name, value)
    return table


def _audio(report: CallReport, row: CallRow | None, echo: Echo | None, out: Path) -> Table:
    table = Table("", "packets", "lost", "jitter", title="Audio", title_justify="left")
    media = row.media if row else {}
    for name, key in (("caller → agent", "in"), ("agent → caller", "out")):
        figures = media.get(key)
        figures = figures if isinstance(figures, dict) else {}
        jitter = figures.get("jitter_ms")
        table.add_row(
            name,
            str(figures.get("packets", 0)),
            str(figures.get("lost") if figures.get("lost") is not None else "–"),
            f"{jitter:.1f} ms" if isinstance(jitter, float) else "–",
        )
    if echo is not None:
        soonest, latest = echo.delays_ms
        heard = f"{echo.share:.0%} of {len(echo.words)} words"
        table.caption = (
            f"{heard} heard again, {soonest:.0f} to {latest:.0f} ms later; "
            f"what the caller heard: {out / HEARD_WAV}"
        )
    return table


def _conclusion(why_not: str | None) -> str:
    if why_not is None:
        return "[bold green]✓ audio came back intact[/bold green]"
    return f"[bold red]✗ {why_not}[/bold red]"


async def _stay_up(console: Console, gateway: Gateway, login: str) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    more = asyncio.create_task(_more_calls(gateway))
    console.print(f"Open [bold]{_dashboard(gateway)}[/bold] and {login}.", soft_wrap=True)
    console.print("Serving. Call it, or stop it with Ctrl-C; `gateway tail` follows what happens.")
    await stop.wait()
    more.cancel()
    await asyncio.gather(more, return_exceptions=True)


async def _more_calls(gateway: Gateway) -> None:
    """After the first start some calls more, real ones, so that the dashboard has something to show."""
    if len((await gateway.store.list_calls(CallFilter(limit=2))).calls) > 1:
        return
    workspace = (await gateway.store.configuration.workspaces.list_all())[0]
    out = OutboundRequest(workspace.id, CALLEE, from_number=FRONT_DESK)
    with contextlib.suppress(Rejected, Refused, TimeoutError, OSError):
        await gateway.placing.place(CallRequest(out, "demo", metadata={"customer": "Anna"}))
        for called, caller in ((TWILIO, "+442079460123"), (NOBODY_ANSWERS, "+12025550177")):
            await _call(gateway, called, caller)


def _dashboard(gateway: Gateway) -> str:
    return f"http://{gateway.config.http.bind}:{gateway.http.port}/dashboard/"
