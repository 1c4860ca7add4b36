"""`gateway numbers search|buy|release|check`: numbers of a provider, from the search to giving them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from gateway.commands.assignments import confirmed
from gateway.commands.numbers import NumberArgument, app
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run
from gateway.providers.protocol import NumberType, Wanted
from gateway.provisioning.checklist import checklist, lines
from gateway.provisioning.counter import Counter, open_counter
from gateway.provisioning.market import offers_of
from gateway.provisioning.purchase import Order, utc_now
from gateway.store.values import shown

__all__ = ["app", "buy", "check", "counter_of", "release", "search"]

COLUMNS = ("number", "type", "region", "monthly_rental_rate", "setup_rate", "currency", "restriction")
CountryArgument = Annotated[str, typer.Argument(metavar="COUNTRY", help="Two letters: US, IN, …")]
TypeOption = Annotated[NumberType, typer.Option("--type", help="Of which kind.")]


@asynccontextmanager
async def counter_of(session: Session) -> AsyncIterator[Counter]:
    """The counter of a command's configuration; what it tells goes nowhere, the command says it itself."""

    def tell(_name: str, /, *, level: str = "info", **_fields: object) -> None:
        """The gateway's log is the gateway's."""

    instance = f"{session.config.gateway.name}/{session.by}"
    counter = open_counter(session.config, session.there, tell, instance=instance)
    try:
        yield counter
    finally:
        await counter.close()


@app.command()
def search(
    country: CountryArgument,
    kind: Annotated[NumberType | None, typer.Option("--type", help="Of which kind.")] = None,
    region: Annotated[str | None, typer.Option(help="As the provider names its regions.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Digits that the number should have.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=20, help="How many.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Numbers that can be bought: gateway numbers search US --type local --pattern 415"""

    async def work(session: Session) -> None:
        async with counter_of(session) as counter:
            found = await counter.market.search(Wanted(country, kind, region, pattern, limit))
        session.output.rows(list(offers_of(found)), COLUMNS, "Nothing on offer: try another type or region")

    run(config, as_json, work)


@app.command()
def buy(
    number: Annotated[str, typer.Argument(help="As the search gives it, +…")],
    country: Annotated[str, typer.Option(help="Its country: US, IN, …")],
    kind: TypeOption = NumberType.LOCAL,
    nickname: Annotated[str, typer.Option(help="What people will call it.")] = "",
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Buy a number. Asking again after trouble never buys it twice."""

    async def work(session: Session) -> None:
        owner = await session.owner(workspace)
        async with counter_of(session) as counter:
            ready = await counter.market.readiness(owner, country, kind)
            price = "" if ready.price is None else f" for {ready.price} {ready.currency} a month"
            asked = "".join(f"\n  it stays pending until: {proof.name}" for proof in ready.requirements)
            confirmed(f"Buy {number}{price}?{asked}", yes=yes)
            order = Order(owner.id, number, country, session.by, nickname=nickname)
            bought = (await counter.purchasing.buy(order)).number
        session.output.done(shown(bought), f"{bought.e164} is yours, {bought.status.value}")

    run(config, as_json, work)


@app.command()
def release(
    number: NumberArgument, yes: YesOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Give a bought number back, or take a linked one off its trunk; nothing is routed to it any more."""

    async def work(session: Session) -> None:
        found = await session.there.numbers.find(number)
        confirmed(f"Give {found.e164} back?", yes=yes)
        async with counter_of(session) as counter:
            purchase = await counter.releasing.release(found.id, session.by)
        waits = purchase is not None and purchase.due_at is not None
        told = "; the provider does not answer, and is told by the running gateway" if waits else ""
        session.output.done(shown(found), f"{found.e164} is given back{told}")

    run(config, as_json, work)


@app.command()
def check(number: NumberArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The six steps before a number is used in production: done, or what mends it."""

    async def work(session: Session) -> None:
        found = await session.there.numbers.find(number)
        items = await checklist(session.store, found, utc_now())
        answer = {"phone_number": found.e164, "steps": [item.as_dict() for item in items]}
        session.output.lines(answer, lines(items))

    run(config, as_json, work)
