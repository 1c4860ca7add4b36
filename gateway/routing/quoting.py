"""What a call would cost and why, whether or not it would be placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gateway.routing.calling import OutboundRequest, calling_number
from gateway.routing.decision import Decision, Reason, ReasonGroup, Rejected
from gateway.routing.number import E164, MAX_RAW, SEPARATORS, parse_e164
from gateway.routing.outbound import route_outbound
from gateway.routing.plan import NumberingPlan
from gateway.routing.rating import Quote, RateDeck, RateDecks, quote_by_prefix, quote_flat, quote_web
from gateway.routing.table import PhoneNumber, RoutingTable, Workspace
from gateway.routing.typed import cleaned

EXAMPLE_MINUTES = (1, 5, 10)


class Source(StrEnum):
    """Where a price comes from."""

    DECK = "deck"
    FLAT_RATE = "flat_rate"
    WEB_CALL = "web_call"
    NONE = "none"
    "There is no price: no deck is loaded, none has the destination, or nothing can be called."


@dataclass(frozen=True, slots=True)
class Example:
    """What a call of some minutes would come to."""

    minutes: int
    billed_seconds: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """What a call would cost, and whether it would be placed."""

    to_number: str
    from_number: str | None
    source: Source
    provider: str | None
    "Whose deck has the price."
    quote: Quote | None
    decision: Decision | None
    "None for a web call, which nothing decides."
    refusal: Rejected | None
    balance: Decimal | None
    "What the wallet has for new calls; None: there is none."

    @property
    def examples(self) -> Sequence[Example]:
        """What calls of a few lengths would come to."""
        if self.quote is None:
            return ()
        charges = ((minutes, self.quote.charge(minutes * 60.0)) for minutes in EXAMPLE_MINUTES)
        return [Example(minutes, charge.billed_seconds, charge.price) for minutes, charge in charges]

    def as_dict(self) -> dict[str, object]:
        """The offer in JSON types; money as text."""
        quote, refusal = self.quote, self.refusal
        return {
            "to": self.to_number,
            "from": self.from_number,
            "allowed": refusal is None,
            "reason": None if refusal is None else refusal.reason.value,
            "message": None if refusal is None else refusal.message,
            "source": self.source.value,
            "provider": self.provider,
            "prefix": None if quote is None else quote.prefix,
            "destination": None if quote is None else quote.destination or None,
            "currency": None if quote is None else quote.currency,
            "per_minute": None if quote is None else f"{quote.per_minute:f}",
            "connection_fee": None if quote is None else f"{quote.connection_fee:f}",
            "increment": None if quote is None else str(quote.increment),
            "why": None if quote is None else quote.why,
            "prices": [
                {"minutes": one.minutes, "billed_seconds": one.billed_seconds, "price": _plain(one.price)}
                for one in self.examples
            ],
            "balance": None if self.balance is None else _plain(self.balance),
            "decision": None if self.decision is None else self.decision.as_dict(),
        }


def offer_call(
    table: RoutingTable,
    request: OutboundRequest,
    *,
    plan: NumberingPlan,
    now_utc: datetime,
    decks: RateDecks,
    balance: Decimal | None,
) -> Offer:
    """Decide as `route_outbound` does, and find the price even where the call would be refused.

    A refused call has the price that it would have were it allowed, as far as its number and its destination
    are known. Without a calling number, the default deck has it.
    """
    workspace = table.workspace_by_id.get(request.workspace_id)
    number = None if workspace is None else calling_number(table, workspace, request, now_utc).number
    try:
        route = route_outbound(table, request, plan=plan, now_utc=now_utc, decks=decks, balance=balance)
        quote, decision, refusal = route.quote, route.decision, None
    except Rejected as rejected:
        quote = None if workspace is None else _price(table, workspace, number, request.destination, decks)
        decision, refusal = rejected.decision, rejected
    called = _parsed(request.destination)
    return Offer(
        to_number=called.e164 if called is not None else request.destination or "",
        from_number=None if number is None else number.e164,
        source=_source(quote),
        provider=_provider(number, quote),
        quote=quote,
        decision=decision,
        refusal=refusal,
        balance=balance,
    )


def offer_web(workspace: Workspace, balance: Decimal | None) -> Offer:
    """A web call: no carrier carries it."""
    return Offer("", None, Source.WEB_CALL, None, quote_web(workspace), None, None, balance)


def is_no_number(offer: Offer) -> bool:
    """Whether the destination is no telephone number at all, so that there is nothing to quote."""
    reason = None if offer.refusal is None else offer.refusal.reason
    own = reason is Reason.FROM_NUMBER_UNKNOWN
    return reason is not None and reason.group is ReasonGroup.FORMAT and not own


def _price(
    table: RoutingTable, workspace: Workspace, number: PhoneNumber | None, to: str | None, decks: RateDecks
) -> Quote | None:
    called = _parsed(to)
    if called is None:
        return None
    if number is not None and number.sip_trunk_enabled:
        trunk = table.trunks.by_id.get(number.trunk_id or "")
        return None if trunk is None else quote_flat(trunk, workspace)
    deck = decks.default if number is None else decks.of(number.provider)
    return _by_deck(called, deck, workspace)


def _by_deck(called: E164, deck: RateDeck | None, workspace: Workspace) -> Quote | None:
    if deck is None or deck.currency != workspace.currency:
        return None
    return quote_by_prefix(called, deck, workspace)


def _parsed(to: str | None) -> E164 | None:
    return parse_e164(cleaned((to or "")[: 4 * MAX_RAW]).translate(SEPARATORS))


def _source(quote: Quote | None) -> Source:
    if quote is None:
        return Source.NONE
    return Source.FLAT_RATE if quote.prefix is None else Source.DECK


def _provider(number: PhoneNumber | None, quote: Quote | None) -> str | None:
    return number.provider if number is not None and quote is not None and quote.prefix is not None else None


def _plain(amount: Decimal) -> str:
    """`0.7`, not `0.700000`."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
