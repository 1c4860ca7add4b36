"""What calls would cost, for commands that say so."""

from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.commands.session import Session

if TYPE_CHECKING:
    from gateway.call.money.price_quotes import PriceQuotes
    from gateway.routing.decision import Reason
    from gateway.routing.quoting import Offer


def money(amount: Decimal) -> str:
    """An amount as it is written: `0.50`, and as many places more as it has."""
    whole, _, places = f"{amount:f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


async def price_quotes_of(session: Session) -> "PriceQuotes":
    """What answers price questions, of how things stand now."""
    from gateway.call.money.price_quotes import PriceQuotes
    from gateway.numbering.files import load_plan

    await session.store.refresh()
    return PriceQuotes(session.store, load_plan(session.config.outbound), session.store.wallets.available)


def offer_lines(offer: "Offer") -> list[str]:
    """The decision, then the price, for a person."""
    decided = [] if offer.decision is None else offer.decision.lines()
    if offer.decision is not None:
        decided += mend_lines(offer.decision.reason)
    priced = price_lines(offer)
    return [*decided, "", *priced] if decided and priced else decided + priced


def mend_lines(reason: "Reason | None") -> list[str]:
    """What mends a refusal, for the operator."""
    from gateway.call.refusal import mend_for

    mend = None if reason is None else mend_for(reason)
    return [] if mend is None else [f"> {mend.owner} {mend.command}"]


def price_lines(offer: "Offer") -> list[str]:
    """The price and why it is that, what calls of a few lengths come to, and what is left in the wallet."""
    from gateway.routing.number import parse_e164

    quote = offer.quote
    if offer.decision is not None and parse_e164(offer.to_number) is None:
        return []
    if quote is None:
        return ["no price: no rate deck has this destination in the workspace's currency"]
    fee = f", and {money(quote.connection_fee)} for the connection" if quote.connection_fee else ""
    lines = [
        f"{money(quote.per_minute)} {quote.currency} a minute{fee}, billed by {quote.increment} s",
        f"because {quote.why}",
        *(f"{each.minutes:>3} min  {money(each.price)} {quote.currency}" for each in offer.examples),
    ]
    if offer.balance is not None:
        lines.append(f"the wallet has {money(offer.balance)} {quote.currency} for new calls")
    return lines
