"""The `gateway` command: serve, check, explain, and a noun for each thing that is configured.

Heavy parts are imported where they are used, so that `gateway numbers list` does not wait for the media path.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.commands import (
    accounts,
    agents,
    calls,
    keys,
    number_market,
    rates,
    trunk_links,
    wallet,
    workspaces,
)
from gateway.commands.agent_check import agent_check
from gateway.commands.call import call
from gateway.commands.check import check
from gateway.commands.explain import explain
from gateway.commands.history import history
from gateway.commands.output import FAILED, fail, mistakes_told
from gateway.commands.session import ConfigOption
from gateway.commands.tail import tail
from gateway.config import load_config

app = typer.Typer(
    help="Trunkline: a SIP edge gateway for AI voice agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(check)
app.command()(explain)
app.command()(call)
app.command()(tail)
app.command()(agent_check)
app.add_typer(number_market.app, name="numbers")
app.add_typer(trunk_links.app, name="trunks")
app.add_typer(agents.app, name="agents")
app.add_typer(calls.app, name="calls")
app.add_typer(workspaces.app, name="workspaces")
app.add_typer(keys.app, name="keys")
app.add_typer(rates.app, name="rates")
app.add_typer(wallet.app, name="wallet")
app.add_typer(accounts.app, name="accounts")
app.command()(history)

DEMO_SEED = Path(__file__).parent / "data" / "demo.toml"


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


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Take calls until SIGTERM, then drain and stop."""
    with mistakes_told():
        read = load_config(config, os.environ)
        from gateway.net.tls import BadCertificate
        from gateway.process import run

        try:
            run(read)
        except BadCertificate as error:
            fail(str(error), FAILED)
        except OSError as error:
            fail(f"{error}: `gateway check` tells which address or port is not to be had", FAILED)


@app.command()
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
        read = load_config(config, environ)
        import asyncio

        from gateway.demo import run_demo
        from gateway.process import new_event_loop

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            raise typer.Exit(runner.run(run_demo(read, to, from_, out, once)))


@app.command("sample-agent")
def sample_agent(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
) -> None:
    """Run the sample agent: it greets the caller and says back what it hears, in both dialects."""
    from gateway.sample_agent import run

    run(host, port)


@app.command()
def migrate(config: ConfigOption = None) -> None:
    """Bring the database up to date, as every start does."""
    import asyncio

    from gateway.store.database import HEAD, Database

    async def work() -> str | None:
        database = Database(load_config(config, os.environ).store_url)
        try:
            return await database.migrate()
        finally:
            await database.close()

    with mistakes_told():
        found = asyncio.run(work())
        typer.echo(f"the database is at {HEAD}" + ("" if found == HEAD else f", it was {found or 'empty'}"))
