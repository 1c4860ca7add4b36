"""`gateway rates`: what calls cost by each provider's route."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from gateway.commands.noun import noun
from gateway.commands.output import FAILED
from gateway.commands.price_quotes import offer_lines, price_quotes_of
from gateway.commands.questions import confirm
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run
from gateway.commands.sheets import read_sheet
from gateway.store.engine.errors import InvalidInput

if TYPE_CHECKING:
    from gateway.routing.rating import Rate, RateDeck
    from gateway.store.money.decks import Deck, Imported

app = noun("What calls cost by each provider's route.")

SAMPLE = "sample"
COLUMNS = ("prefix", "destination", "per_minute", "connection_fee", "increment", "currency")

ProviderArgument = Annotated[str, typer.Argument(help="As numbers name it, such as plivo.")]
FileArgument = Annotated[
    str,
    typer.Argument(metavar="FILE.csv", help="The price list; - is standard input, sample the shipped one."),
]


@app.command("import")
def import_file(
    file: FileArgument,
    provider: Annotated[str, typer.Option(help="Whose numbers' calls have these prices.")] = "plivo",
    currency: Annotated[str, typer.Option(help="What the amounts are in.")] = "INR",
    default: Annotated[
        bool, typer.Option("--default", help="Prices for providers without a deck of their own, too.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a provider's rate deck by a CSV file: all of it, or nothing where a line is wrong."""
    from gateway.numbering.files import SAMPLE_RATES
    from gateway.routing.importer import read_rates

    deck = read_sheet(file, (SAMPLE, SAMPLE_RATES), lambda text: read_rates(text, currency.upper()))

    async def work(session: Session) -> None:
        imported = await session.configuration.decks.put(provider, deck, session.by, default=default)
        session.output.done(_imported(imported), _sentence(imported))

    run(config, as_json, work)


@app.command("list")
def list_all(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the rate decks."""

    async def work(session: Session) -> None:
        rows = [_row(deck) for deck in await session.configuration.decks.list_all()]
        columns = ("provider", "currency", "is_default", "prefixes", "imported_at", "id")
        session.output.rows(
            rows, columns, "No rate deck yet, so calls are free: gateway rates import FILE.csv"
        )

    run(config, as_json, work)


@app.command()
def export(
    provider: ProviderArgument,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write a rate deck as CSV, as import reads it."""

    async def work(session: Session) -> None:
        deck = await session.configuration.decks.rates(provider)
        if out is None:
            _write(sys.stdout, deck)
        else:
            with out.open("w", newline="", encoding="utf-8") as sheet:
                _write(sheet, deck)

    run(config, False, work)


@app.command("default")
def make_default(
    provider: ProviderArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Have a deck price the calls of providers without one."""

    async def work(session: Session) -> None:
        deck = await session.configuration.decks.make_default(provider, session.by)
        session.output.done(_row(deck), f"the deck of {provider} is the default one")

    run(config, as_json, work)


@app.command()
def remove(
    provider: ProviderArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a rate deck: calls by that provider then have the default one's prices, or none."""

    async def work(session: Session) -> None:
        deck = await session.configuration.decks.find(provider)
        if not yes:
            confirm(f"Remove the {deck.prefixes} prices of {provider}?")
        await session.configuration.decks.remove(provider, session.by)
        session.output.done(_row(deck), f"the deck of {provider} is removed")

    run(config, as_json, work)


@app.command()
def quote(
    to: Annotated[str, typer.Argument(help="The number to call, in E.164.")] = "",
    from_: Annotated[str | None, typer.Option("--from", help="The number to call from.")] = None,
    agent: Annotated[str | None, typer.Option(help="Or: the agent that calls, by name or id.")] = None,
    web: Annotated[bool, typer.Option("--web", help="A web call instead.")] = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a call would cost and why; exit 1 where it would be refused."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        offers = await price_quotes_of(session)
        if web:
            offer = await offers.web(owner.id)
        elif not to:
            raise InvalidInput("TO", None, "should be the number to call, such as +919812345678")
        else:
            speaker = None if agent is None else (await session.configuration.agents.find(agent, owner.id)).id
            offer = await offers.call(owner.id, to, from_, speaker)
        session.output.lines(offer.as_dict(), offer_lines(offer))
        if offer.refusal is not None:
            raise typer.Exit(FAILED)

    run(config, as_json, work)


def _write(sheet: TextIO, deck: "RateDeck") -> None:
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(deck.currency, sorted(deck, key=lambda entry: entry[0])))


def _cells(currency: str, entries: "Iterable[tuple[str, Rate]]") -> Iterable[tuple[str, ...]]:
    for prefix, rate in entries:
        increment = "" if rate.increment is None else str(rate.increment)
        amounts = f"{rate.per_minute:f}", f"{rate.connection_fee:f}"
        yield prefix, rate.destination, *amounts, increment, currency


def _row(deck: "Deck") -> dict[str, object]:
    return {
        "provider": deck.provider,
        "currency": deck.currency,
        "is_default": deck.is_default,
        "prefixes": deck.prefixes,
        "imported_at": deck.imported_at.isoformat(timespec="seconds"),
        "id": deck.id,
    }


def _imported(imported: "Imported") -> dict[str, object]:
    counts = {"added": imported.added, "changed": imported.changed, "removed": imported.removed}
    return {**_row(imported.deck), **counts}


def _sentence(imported: "Imported") -> str:
    deck = imported.deck
    if not (imported.added or imported.changed or imported.removed):
        return f"{deck.provider} has these {deck.prefixes} prefixes already: nothing changed"
    return f"{deck.provider} has {deck.prefixes} prefixes in {deck.currency}: {imported}"
