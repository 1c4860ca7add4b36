"""What provisioning asks of a number provider, as values, and the four ways in which it can fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class NumberType(StrEnum):
    """What kinds of numbers can be searched for."""

    LOCAL = "local"
    MOBILE = "mobile"
    NATIONAL = "national"
    TOLLFREE = "tollfree"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search is for."""

    country_iso: str
    "ISO 3166-1, two letters: `US`."
    type: NumberType | None = None
    region: str | None = None
    "As the provider names its regions; `Texas`."
    pattern: str | None = None
    "Digits that the number should have after its calling code."
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A number that can be bought."""

    number: str
    "E.164, with its plus."
    country_iso: str
    type: str
    region: str
    monthly_rate: Decimal
    "What the provider takes a month, in its own currency."
    setup_rate: Decimal
    currency: str = "USD"
    voice: bool = True
    sms: bool = False
    mms: bool = False
    restriction: str = ""
    "What the provider says of proofs that the number needs; empty: none."


@dataclass(frozen=True, slots=True)
class Offers:
    """One page of a search."""

    items: tuple[Offer, ...]
    total: int


class RentalState(StrEnum):
    """How far a number is that we rent at the provider."""

    PENDING = "pending"
    "Bought, and waiting for proofs or the carrier."
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Rental:
    """A number that we rent at the provider."""

    number: str
    "E.164, with its plus."
    state: RentalState
    renews_at: datetime | None = None
    detail: str = ""
    "What is missing, in words, while it is pending."


@dataclass(frozen=True, slots=True)
class Requirement:
    """One proof that a country asks for before a number becomes active."""

    name: str
    about: str = ""
    upload: bool = False
    "Whether a document has to be uploaded; False: details are enough."
    fields: tuple[str, ...] = ()


class ProviderError(Exception):
    """The provider cannot, or will not; the message is for a person and says what to do."""


class ProviderAway(ProviderError):
    """No answer, or one that says to come back later. Trying again can help."""

    def __init__(self, message: str, *, uncertain: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.uncertain = uncertain
        "The request may have been carried out all the same: ask before doing it again."
        self.retry_after = retry_after


class ProviderRefused(ProviderError):
    """The provider understood and refused: our credentials, our account, or what was asked for."""


class NumberGone(ProviderRefused):
    """The number cannot be had: somebody else has it, or it was never on offer."""


class NumberProvider(Protocol):
    """A seller of numbers. Every method raises `ProviderError` and nothing else."""

    @property
    def name(self) -> str:
        """`plivo`: what stands in a number's `provider`."""
        ...

    async def search(self, wanted: Wanted) -> Offers:
        """Numbers on offer."""
        ...

    async def requirements(self, country_iso: str, kind: NumberType) -> Sequence[Requirement]:
        """The proofs that the country asks for; none where it asks for nothing."""
        ...

    async def buy(self, number: str) -> Rental:
        """Rent a number, its calls sent to this gateway; asked once, never again on its own."""
        ...

    async def rental(self, number: str) -> Rental | None:
        """What the provider has of ours under this number; None: nothing."""
        ...

    async def rentals(self) -> Sequence[Rental]:
        """All that we rent."""
        ...

    async def route(self, number: str) -> None:
        """Have the calls of a rented number sent to this gateway; doing it again changes nothing."""
        ...

    async def release(self, number: str) -> None:
        """Give a number back; one that is not ours (any more) is no error."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
