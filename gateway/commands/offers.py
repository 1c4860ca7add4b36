"""What calls would cost, for commands that say so."""

from gateway.call.offers import Offers
from gateway.commands.session import Session
from gateway.numbering import load_plan
from gateway.routing.quoting import Offer


async def offers_of(session: Session) -> Offers:
    """What answers price questions, of how things stand now."""
    await session.store.refresh()
    return Offers(session.store, load_plan(session.config.outbound), session.store.wallets.available)


def offer_lines(offer: Offer) -> list[str]:
    """The decision, then the price, for a person."""
    decided = [] if offer.decision is None else [*offer.decision.lines(), ""]
    return [*decided, *price_lines(offer)]


def price_lines(offer: Offer) -> list[str]:
    """The price and why it is that, what calls of a few lengths come to, and what is left in the wallet."""
    quote = offer.quote
    if quote is None:
        return ["no price: no rate deck has this destination in the workspace's currency"]
    fee = f", and {quote.connection_fee:f} for the connection" if quote.connection_fee else ""
    lines = [
        f"{quote.per_minute:f} {quote.currency} a minute{fee}, billed by {quote.increment} s",
        f"because {quote.why}",
        *(f"{each.minutes:>3} min  {each.price:f} {quote.currency}" for each in offer.examples),
    ]
    if offer.balance is not None:
        lines.append(f"the wallet has {offer.balance:f} {quote.currency} for new calls")
    return lines
