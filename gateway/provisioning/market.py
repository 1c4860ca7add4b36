"""Looking at what can be bought: numbers on offer, prices, and what has to be in place before buying."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from gateway.providers.protocol import (
    NumberProvider,
    NumberType,
    Offers,
    ProviderAway,
    ProviderError,
    ProviderRefused,
    Requirement,
    Wanted,
)
from gateway.provisioning.errors import Upstream
from gateway.routing.number import SEPARATORS
from gateway.routing.table import Workspace
from gateway.routing.typed import cleaned, strange_in
from gateway.store.engine.errors import InvalidInput

COUNTRIES = tuple(
    sorted({iso for regions in COUNTRY_CODE_TO_REGION_CODE.values() for iso in regions if iso.isalpha()})
)
"Every country with a calling code, by its two letters."
KYC_MISSING = "KYC is not verified: complete KYC before buying phone numbers"
NO_PROVIDER = "no number provider is set up: [provisioning] provider of the configuration names one"
COUNTRY_OFF = "numbers of this country cannot be bought here; there are {countries}"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What has to be in place before a number of a country can be bought, and used."""

    kyc_verified: bool
    requirements: tuple[Requirement, ...]
    "Proofs that the country asks for: a number can be bought without them, and stays pending until then."
    price: Decimal | None
    "A month, in the workspace's currency; None: as the provider says."
    currency: str

    @property
    def can_buy(self) -> bool:
        """Whether a purchase would be tried."""
        return self.kyc_verified

    def as_dict(self) -> dict[str, object]:
        """In JSON types."""
        return {
            "can_buy": self.can_buy,
            "kyc_verified": self.kyc_verified,
            "requirements": [
                {"name": one.name, "about": one.about, "upload": one.upload, "fields": list(one.fields)}
                for one in self.requirements
            ],
            "monthly_price": None if self.price is None else str(self.price),
            "currency": self.currency,
            "missing": self.lines(),
        }

    def lines(self) -> list[str]:
        """What to do, for a person; empty where nothing is missing."""
        missing = [] if self.kyc_verified else [KYC_MISSING]
        return missing + [f"{proof.name}: {proof.about}".rstrip(": ") for proof in self.requirements]


@dataclass(frozen=True, slots=True)
class Market:
    """The numbers on offer."""

    provider: NumberProvider | None
    prices: Mapping[str, Decimal]
    "Monthly price by country; where there are any, other countries cannot be bought."

    async def search(self, wanted: Wanted) -> Offers:
        """Numbers that can be bought; `InvalidInput` where the country makes no sense or is not sold."""
        self.check_country(wanted.country_iso)
        wanted = replace(wanted, pattern=cleaned(wanted.pattern or "").translate(SEPARATORS) or None)
        if wanted.pattern and not (wanted.pattern.isascii() and wanted.pattern.isdecimal()):
            strange = strange_in(wanted.pattern)
            right = f"should be digits, and not with {strange}" if strange else "should be digits"
            raise InvalidInput("pattern", wanted.pattern, right)
        try:
            return await self.known_provider().search(wanted)
        except ProviderError as error:
            raise told(error) from error

    async def readiness(self, workspace: Workspace, country_iso: str, kind: NumberType) -> Readiness:
        """What is missing before a number of this kind can be bought and used."""
        self.check_country(country_iso)
        try:
            proofs = await self.known_provider().requirements(country_iso, kind)
        except ProviderError as error:
            raise told(error) from error
        price = self.prices.get(country_iso.upper())
        return Readiness(workspace.kyc_verified, tuple(proofs), price, workspace.currency)

    def known_provider(self, given: str | None = None) -> NumberProvider:
        """The provider; `InvalidInput` where there is none, or another one is meant."""
        if self.provider is None:
            raise InvalidInput("telephonyProviderId", given, NO_PROVIDER)
        if given and given.lower() != self.provider.name:
            right = f"should be {self.provider.name}, the provider that is set up"
            raise InvalidInput("telephonyProviderId", given, right)
        return self.provider

    def check_country(self, country_iso: str, number: str | None = None) -> str:
        """The country in capitals, sold here and, where a number is given, one of its calling code's."""
        country = country_iso.strip().upper()
        codes = [str(code) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if country in regions]
        if not codes:
            raise InvalidInput(
                "countryISO", country_iso, "should be a country's two letters, such as US or IN"
            )
        if self.prices and country not in self.prices:
            countries = ", ".join(sorted(self.prices))
            raise InvalidInput("countryISO", country_iso, COUNTRY_OFF.format(countries=countries))
        if number is not None and not number.removeprefix("+").startswith(codes[0]):
            raise InvalidInput("countryISO", country_iso, f"should be the country of {number}")
        return country


def told(error: ProviderError) -> Upstream:
    """The provider's failure, for whoever asked."""
    if isinstance(error, ProviderAway):
        return Upstream(str(error), retry_after=error.retry_after or 10.0)
    assert isinstance(error, ProviderRefused), error
    return Upstream(str(error))


def offers_of(found: Offers) -> Sequence[dict[str, object]]:
    """The offers in JSON types, as the command line and the API show them."""
    return [
        {
            "number": offer.number,
            "type": offer.type,
            "region": offer.region,
            "monthly_rental_rate": str(offer.monthly_rate),
            "setup_rate": str(offer.setup_rate),
            "currency": offer.currency,
            "voice_enabled": offer.voice,
            "sms_enabled": offer.sms,
            "mms_enabled": offer.mms,
            "country_iso": offer.country_iso,
            "restriction": offer.restriction or None,
        }
        for offer in found.items
    ]
