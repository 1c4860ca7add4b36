"""`gateway trunks link|test|setup`: linking one's own number, testing a carrier, and what to tell it."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.assignments import confirmed
from gateway.commands.output import FAILED, fail
from gateway.commands.questions import prompt
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run, shown
from gateway.commands.trunks import TrunkArgument, app
from gateway.store.engine.errors import InvalidInput
from gateway.tell import tell_nobody

if TYPE_CHECKING:
    from gateway.provisioning.linking import Link
    from gateway.provisioning.trial import Trials
    from gateway.routing.table import Secret

__all__ = ["app", "link", "setup", "try_trunk"]


@app.command("test")
def try_trunk(trunk: TrunkArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Test the connection to a trunk's carrier, step by step; places no call."""

    async def work(session: Session) -> None:
        from gateway.commands.trials import trials_of

        found = await session.configuration.trunks.find(trunk)
        async with trials_of(session.config) as trials:
            report = await trials.try_trunk(found)
        session.output.lines(report.as_dict(), report.lines())
        if not report.passed:
            raise typer.Exit(FAILED)

    run(config, as_json, work)


@app.command()
def link(
    number: Annotated[str, typer.Argument(help="Your own number, in E.164.")],
    termination_uri: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="The carrier; without sip:.")],
    username: Annotated[str | None, typer.Option(help="At the carrier; without it, by our address.")] = None,
    password: Annotated[str | None, typer.Option(help="For that; - asks for it.")] = None,
    transport: Annotated[str, typer.Option(help="UDP, TCP or TLS.")] = "UDP",
    source: Annotated[
        list[str] | None, typer.Option(help="Where its calls come from; default: where HOST is.")
    ] = None,
    nickname: Annotated[str, typer.Option(help="What people call it.")] = "",
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Link your own number by a SIP trunk, tested first; makes the trunk and the number together."""

    async def work(session: Session) -> None:
        from gateway.commands.trials import trials_of
        from gateway.provisioning.linking import Link, flat_rate

        _check_pair(username, password)
        owner = await session.owner(workspace)
        confirmed(f"Link {number} by {termination_uri}, at {flat_rate(owner)}?", yes=yes)
        wanted = Link(
            workspace_id=owner.id,
            number=number,
            termination_uri=termination_uri,
            by=session.by,
            auth_mode="ip" if username is None else "userpass",
            username=username,
            password=_secret(password),
            nickname=nickname,
            transport=transport,
            sources=tuple(source or ()),
        )
        async with trials_of(session.config) as trials:
            await _link(session, wanted, trials)

    run(config, as_json, work)


async def _link(session: Session, wanted: "Link", trials: "Trials") -> None:
    from gateway.provisioning.linking import Linking

    linking = Linking(session.configuration, trials, tell_nobody, testing=False)
    if session.config.provisioning.test_before_linking == "yes":
        report = await linking.try_link(wanted)
        if not report.passed:
            fail("\n".join(["SIP trunk registration failed", *report.lines()]), FAILED)
        if not wanted.sources:
            wanted = replace(wanted, sources=report.addresses)
    linked = await linking.link(wanted)
    row = {**shown(linked.number), "trunk": shown(linked.trunk)}
    sources = ", ".join(linked.trunk.sources) or "nowhere, until the trunk has sources"
    session.output.done(row, f"{linked.number.e164} is linked; its calls may come from {sources}")


def _check_pair(username: str | None, password: str | None) -> None:
    if (username is None) != (password is None):
        raise InvalidInput("--username", None, "should be given together with --password, or neither")


def _secret(password: str | None) -> "Secret | None":
    from gateway.routing.table import Secret

    word = _asked(password)
    return Secret(word) if word else None


def _asked(password: str | None) -> str:
    if password != "-":  # noqa: S105 - what asks for it
        return password or ""
    if sys.stdin.isatty():
        asked: str = prompt("password")
        return asked
    return sys.stdin.readline().rstrip("\n")


@app.command()
def setup(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What to set on the carrier's side, ready to copy: our addresses, media ports and codecs."""

    async def work(session: Session) -> None:
        from gateway.provisioning.carrier_side import carrier_side

        side = carrier_side(session.config)
        session.output.lines(side.as_dict(), side.lines())

    run(config, as_json, work)
