"""What a call costs: the longest prefix of the called number in a rate deck, or a trunk's flat rate."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from math import ceil

from gateway.routing.number import E164
from gateway.routing.prefixes import PrefixMap
from gateway.routing.table import Increment, Trunk, Workspace

MINOR_UNIT = Decimal("0.000001")
"Prices of calls are kept to a millionth of the currency, so that a thousand short calls still add up."


@dataclass(frozen=True, slots=True)
class Rate:
    """What calls to one destination cost; many prefixes share one."""

    destination: str
    "Country and network group: `India - Mobile`."
    per_minute: Decimal
    connection_fee: Decimal = Decimal(0)
    "Once for each answered call."
    increment: Increment | None = None
    "None: the workspace's."


class RateDeck:
    """A price list by prefix, in one currency.

    Build it once from pairs of prefix and rate, or slice by slice before anybody else sees it; equal rates
    should be one object, since decks have 100 000 prefixes and few prices.
    """

    __slots__ = ("_rates", "currency")

    def __init__(self, currency: str, rates: Iterable[tuple[str, Rate]] = ()) -> None:
        self.currency = currency
        self._rates = PrefixMap(rates)

    def __len__(self) -> int:
        return len(self._rates)

    def __iter__(self) -> Iterator[tuple[str, Rate]]:
        """Every prefix with its rate."""
        return iter(self._rates)

    def extend(self, rates: Iterable[tuple[str, Rate]]) -> None:
        """Add some more while it is being built; ValueError as the constructor."""
        self._rates.extend(rates)

    def rate(self, number: E164) -> tuple[str, Rate] | None:
        """The longest prefix of the called number that has a rate, and that rate."""
        return self._rates.longest(number.digits)


@dataclass(frozen=True, slots=True)
class RateDecks:
    """The decks that are loaded: each provider's own, and one for those that have none."""

    by_provider: Mapping[str, RateDeck] = field(default_factory=dict)
    default: RateDeck | None = None

    def of(self, provider: str) -> RateDeck | None:
        """The deck that prices calls by a provider's route; None: they are not charged."""
        return self.by_provider.get(provider, self.default)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call would cost, and why."""

    per_minute: Decimal
    currency: str
    increment: Increment
    why: str
    "The sentence for whoever asks: which prefix, or which flat rate."
    connection_fee: Decimal = Decimal(0)
    prefix: str | None = None
    "The prefix that matched, without a plus; None: a flat rate, or no price."
    destination: str = ""

    def billed_seconds(self, connected: float | None) -> int:
        """Connected seconds rounded up to billing increments; None, an unanswered call, is free."""
        if connected is None:
            return 0
        steps = ceil(max(0.0, connected - self.increment.first) / self.increment.further)
        return self.increment.first + steps * self.increment.further

    def price(self, connected: float | None) -> Decimal:
        """The price of a call that was connected for so many seconds; None: it was never answered."""
        if connected is None:
            return Decimal(0)
        price = self.per_minute * self.billed_seconds(connected) / 60 + self.connection_fee
        return price.quantize(MINOR_UNIT, ROUND_HALF_UP)

    def charge(self, connected: float | None) -> "Charge":
        """What a call that has ended costs; None: it was never answered."""
        return Charge(self.billed_seconds(connected), self.price(connected))

    def affordable_seconds(self, balance: Decimal) -> float:
        """How long a call may last before it costs more than the balance; 0.0: not even its first step."""
        if self.per_minute <= 0:
            return 0.0 if self.connection_fee > max(balance, Decimal(0)) else float("inf")
        paid = (balance - self.connection_fee) * 60 / self.per_minute
        if paid < self.increment.first:
            return 0.0
        steps = (paid - self.increment.first) // self.increment.further
        return float(self.increment.first + steps * self.increment.further)

    def as_dict(self) -> dict[str, object]:
        """The quote in JSON types; money as text, since JSON numbers are not decimal."""
        return {
            "per_minute": str(self.per_minute),
            "connection_fee": str(self.connection_fee),
            "currency": self.currency,
            "increment": str(self.increment),
            "prefix": self.prefix,
            "destination": self.destination,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call came to."""

    billed_seconds: int
    price: Decimal


def quote_by_prefix(number: E164, deck: RateDeck, workspace: Workspace) -> Quote | None:
    """The price by a provider's route: the called number decides, the calling one never; None: no rate."""
    match = deck.rate(number)
    if match is None:
        return None
    prefix, rate = match
    return Quote(
        per_minute=rate.per_minute,
        currency=deck.currency,
        increment=rate.increment or workspace.billing_increment,
        why=f"{number.e164} begins with {prefix}, the longest prefix in the rate deck ({rate.destination})",
        connection_fee=rate.connection_fee,
        prefix=prefix,
        destination=rate.destination,
    )


def quote_flat(trunk: Trunk, workspace: Workspace) -> Quote:
    """The price by a SIP trunk: its own flat rate, or else the workspace's, whatever number is called."""
    own, general = trunk.flat_rate, workspace.sip_flat_rate
    if own is not None:
        rate, why = own, f"flat rate of trunk “{trunk.name}”"
    elif general is not None:
        rate, why = general, "SIP flat rate of the workspace"
    else:
        rate, why = Decimal(0), "no flat rate is configured, so the trunk's calls are not charged"
    return Quote(rate, workspace.currency, workspace.billing_increment, why)


def quote_web(workspace: Workspace) -> Quote:
    """The price of a web call: no carrier carries it."""
    why = "web calls have no carrier leg"
    return Quote(Decimal(0), workspace.currency, workspace.billing_increment, why)
