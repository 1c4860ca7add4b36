"""The `gateway` command: serve, check, explain, and a noun for each thing that is configured.

What a command needs is imported where it is used: `gateway numbers list` does not wait for the media path,
and `gateway --help` for nothing.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.commands.noun import Commands, Entry
from gateway.commands.output import FAILED, fail, mistakes_told
from gateway.commands.session import ConfigOption

DEMO_SEED = Path(__file__).parent / "data" / "demo.toml"


def _in(file: str, name: str, about: str) -> Entry:
    return Entry(f"gateway.commands.{file}", name, about)


class Gateway(Commands):
    """The commands in the order of their help."""

    entries = {  # noqa: RUF012 - a ClassVar of the base
        "check": _in("check", "check", "Look for everything that would keep calls from working."),
        "explain": _in("explain", "explain", "Decide about a call as the gateway would, and say why."),
        "call": _in("call", "call", "Place a call and follow it; an interrupt hangs up."),
        "tail": _in("tail", "tail", "Follow a call, or all of them, until interrupted."),
        "agent-check": _in("agent_check", "agent_check", "Call an agent's runtime, and tell what is wrong."),
        "history": _in("history", "history", "Show who changed a thing, and how, newest first."),
        "serve": Entry(__name__, "serve", "Take calls until SIGTERM, then drain and stop."),
        "demo": Entry(__name__, "demo", "Serve a demo workspace, and place one real call over loopback."),
        "sample-agent": Entry(
            __name__, "sample_agent", "Run the sample agent, which says back what it hears."
        ),
        "migrate": Entry(__name__, "migrate", "Bring the database up to date, as every start does."),
        "completion": _in("completion", "completion", "Print what completes this command in a shell."),
        "numbers": _in("number_market", "app", "The phone numbers, and which agent version answers each."),
        "trunks": _in("trunk_links", "app", "Who may call in, and how calls go out."),
        "agents": _in("agents", "app", "The agents, and the versions that speak for them."),
        "calls": _in("calls", "app", "The calls: their records, and those that are running."),
        "batch": _in("batch", "app", "Batches of calls: a file of recipients, checked and dialled."),
        "workspaces": _in("workspaces", "app", "The tenants."),
        "do-not-call": _in("do_not_call", "app", "The numbers that a workspace never calls."),
        "keys": _in("keys", "app", "Who may use the API."),
        "accounts": _in("accounts", "app", "Who may log in to the dashboard."),
        "rates": _in("rates", "app", "What calls cost by each provider's route."),
        "wallet": _in("wallet", "app", "What workspaces have paid in advance for their calls."),
    }


app = typer.Typer(
    help="Trunkline: a SIP edge gateway for AI voice agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Gateway,
)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Answer `--version`; commands follow."""
    if show:
        typer.echo(f"trunkline {__version__}")
        raise typer.Exit


def serve(config: ConfigOption = None) -> None:
    """Take calls until SIGTERM, then drain and stop."""
    with mistakes_told():
        from gateway.app.process import run
        from gateway.config.loading import load_config
        from gateway.net.tls import BadCertificate

        try:
            run(load_config(config, os.environ))
        except BadCertificate as error:
            fail(str(error), FAILED)
        except OSError as error:
            fail(f"{error}: `gateway check` tells which address or port is not to be had", FAILED)


def demo(
    config: ConfigOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the call: 0 if the audio came back.")
    ] = False,
    to: Annotated[str, typer.Option(help="The number to call.")] = "+12025550101",
    from_: Annotated[str, typer.Option("--from", help="The number to call from.")] = "+12025550190",
    out: Annotated[Path, typer.Option(help="Folder for what the demo leaves behind.")] = Path("out/demo"),
) -> None:
    """Serve a demo workspace with a sample agent beside it, and place one real call over loopback."""
    with mistakes_told():
        selling = {"TRUNKLINE_PROVISIONING__PROVIDER": "simulated"}
        environ = {"TRUNKLINE_DEMO__SEED": str(DEMO_SEED), **selling, **os.environ}
        import asyncio

        from gateway.app.process import new_event_loop
        from gateway.config.loading import load_config
        from gateway.demo.run import run_demo

        read = load_config(config, environ)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            raise typer.Exit(runner.run(run_demo(read, to, from_, out, once)))


def sample_agent(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8765,
) -> None:
    """Run the sample agent: it greets the caller and says back what it hears, in both dialects."""
    with mistakes_told():
        from gateway.demo.sample_agent import run

        run(host, port)


def migrate(config: ConfigOption = None) -> None:
    """Bring the database up to date, as every start does."""
    import asyncio

    from gateway.config.loading import load_config
    from gateway.store.engine.database import HEAD, Database

    async def work() -> str | None:
        database = Database(load_config(config, os.environ).store_url)
        try:
            return await database.migrate()
        finally:
            await database.close()

    with mistakes_told():
        found = asyncio.run(work())
        typer.echo(f"the database is at {HEAD}" + ("" if found == HEAD else f", it was {found or 'empty'}"))
