"""`gateway agent-check`: calls an agent's runtime as the gateway would, and tells its author what is wrong.

What it says and listens for is in `agent_script`, which loads the media path.
"""

from typing import Annotated

import typer

from gateway.commands.finding import tell_findings
from gateway.commands.output import Output, mistakes_told
from gateway.commands.session import JsonOption
from gateway.store.engine.errors import InvalidInput

DIALECTS = ("twilio", "native", "plivo", "telnyx", "exotel", "asterisk", "audiosocket")
"Those of the routing table but for `sip`, named here so that the help need not read it."


def agent_check(
    url: Annotated[str, typer.Argument(help="The runtime URL, as in an agent version.")],
    dialect: Annotated[
        str, typer.Option(help=f"{', '.join(DIALECTS)}.", autocompletion=lambda: [*DIALECTS])
    ] = "twilio",
    audio: Annotated[str, typer.Option(help="One of the dialect's formats; empty: its first.")] = "",
    secret: Annotated[str, typer.Option(help="The version's secret.", envvar="AGENT_SECRET")] = "",
    headers: Annotated[str, typer.Option(help="As name: value; name: value.")] = "",
    parameters: Annotated[str, typer.Option(help="As name: value; name: value.")] = "",
    options: Annotated[str, typer.Option(help="Of the dialect, as name: value.")] = "",
    ca: Annotated[str, typer.Option(help="A file of authorities to trust.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Call an agent's runtime as the gateway would, and tell what is wrong; exit 1 where something is.

    About fifteen seconds: it listens for a greeting, interrupts it, speaks, presses keys and hangs up.
    """
    given = {"runtime_url": url, "dialect": dialect, "secret": secret, "headers": headers}
    given |= {"parameters": parameters, "options": options, **({"audio": audio} if audio else {})}
    with mistakes_told():
        import asyncio

        from gateway.commands.agent_script import Trial, version_of
        from gateway.config.settings import AgentsSettings
        from gateway.routing.table import Dialect

        version = version_of(given)
        if ca:
            _check_authorities(ca)
        if version.dialect is Dialect.SIP:
            raise InvalidInput("dialect", dialect, "is a telephone: call it with a number, this has no SIP")
        settings = AgentsSettings.model_validate({"connect_attempts": 1, **({"ca": ca} if ca else {})})
        tell_findings(asyncio.run(Trial(version, settings=settings).run()), Output(as_json=as_json))


def _check_authorities(ca: str) -> None:
    from pathlib import Path

    from gateway.net.tls import BadCertificate, client_context

    try:
        client_context(Path(ca))
    except BadCertificate as error:
        raise InvalidInput("--ca", None, str(error)) from None
