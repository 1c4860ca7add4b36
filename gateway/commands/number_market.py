"""`gateway numbers search|buy|remove|check`: numbers of a provider, from the search to giving them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.assignments import confirmed
from gateway.commands.numbers import NumberArgument, app, described
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run, shown
from gateway.providers.protocol import NumberType, Wanted
from gateway.tell import tell_nobody

if TYPE_CHECKING:
    from gateway.provisioning.counter import Counter
    from gateway.store.money.purchases import Purchase

__all__ = ["app", "buy", "check", "counter_of", "remove", "search"]

COLUMNS = ("number", "type", "region", "monthly_rental_rate", "setup_rate", "currency", "restriction")
CountryArgument = Annotated[str, typer.Argument(metavar="COUNTRY", help="Two letters: US, IN, …")]
TypeOption = Annotated[NumberType, typer.Option("--type", help="Of which kind.")]


@asynccontextmanager
async def counter_of(session: Session) -> "AsyncIterator[Counter]":
    """The counter of a command's configuration; what it tells goes nowhere, the command says it itself."""
    from gateway.provisioning.counter import open_counter
    from gateway.provisioning.purchase import utc_now
    from gateway.provisioning.release import workflow_calls

    instance = f"{session.config.gateway.name}/{session.by}"
    uses = workflow_calls(session.store.newest_call, utc_now)
    counter = open_counter(session.config, session.configuration, tell_nobody, uses, instance=instance)
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
        from gateway.provisioning.market import offers_of

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
        from gateway.provisioning.purchase import Order

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
def remove(
    number: NumberArgument, yes: YesOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Remove a number that is neither the default nor in a call; a bought one is given back.

    A trunk that was made by linking the number goes with it.
    """

    async def work(session: Session) -> None:
        found = await session.configuration.numbers.find(number)
        confirmed(f"Remove {found.e164}, and give it back where it was bought?", yes=yes)
        (row,) = await described(session, [found])
        async with counter_of(session) as counter:
            purchase = await counter.releasing.release(found.id, session.by)
        session.output.done(row, f"{found.e164} is {_left(purchase)}")

    run(config, as_json, work)


def _left(purchase: "Purchase | None") -> str:
    """What became of a number that is no longer ours."""
    if purchase is None:
        return "removed"
    if purchase.due_at is None:
        return "removed, and given back"
    return "removed; its provider does not answer, and is told by the running gateway"


@app.command()
def check(number: NumberArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The steps before a number is used in production: done, or what mends it."""

    async def work(session: Session) -> None:
        found = await session.configuration.numbers.find(number)
        from gateway.provisioning.checklist import checklist, lines
        from gateway.provisioning.purchase import utc_now

        items = await checklist(session.store, found, utc_now())
        answer = {"phone_number": found.e164, "steps": [item.as_dict() for item in items]}
        session.output.lines(answer, lines(items))

    run(config, as_json, work)
