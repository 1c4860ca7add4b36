"""Numbers without their country code, as the workspace's country dials them."""

import re

import phonenumbers
from phonenumbers import PhoneMetadata

from gateway.routing.number import MAX_DIGITS, parse_e164, possible_number
from gateway.routing.trunk_prefix import TrunkPrefix


class LocalNumbers:
    """Reads what is dialled inside one country, as phonenumbers does, in a twentieth of its time.

    ValueError where the country is not one.
    """

    def __init__(self, country: str) -> None:
        metadata = PhoneMetadata.metadata_for_region(country.upper())
        if metadata is None or metadata.country_code is None:
            raise ValueError(f"there is no country {country!r}; countries are two letters, such as IN")
        self.country = country.upper()
        self.calling_code = str(metadata.country_code)
        self._prefix = TrunkPrefix(metadata)
        self._abroad = re.compile(metadata.international_prefix or "(?!)")

    def read(self, digits: str) -> str | None:
        """The E.164 number that these digits dial, in the country or abroad; None where there is none."""
        abroad = self._abroad.match(digits)
        if abroad is not None and digits[abroad.end() : abroad.end() + 1] not in ("", "0"):
            number = parse_e164("+" + digits[abroad.end() :])
            return None if number is None else number.e164
        if any(map(self._prefix.rewrites, (digits, digits.removeprefix(self.calling_code)))):
            return self._as_the_library(digits)
        number = possible_number(self.calling_code, self._prefix.without(self._without_code(digits)))
        return None if number is None else number.e164

    def _without_code(self, digits: str) -> str:
        """A number behind its country's own code, where it is none of the country's without it."""
        if not digits.startswith(self.calling_code):
            return digits
        prefix = self._prefix
        behind = prefix.stripped(digits[len(self.calling_code) :])
        is_behind_code = not prefix.is_national(digits) and prefix.is_national(behind)
        return behind if is_behind_code or prefix.is_too_long(digits) else digits

    def _as_the_library(self, digits: str) -> str | None:
        """Where the country's plan rewrites what is dialled (Argentina's mobiles, …)."""
        try:
            number = phonenumbers.parse(digits, self.country)
        except phonenumbers.NumberParseException:
            return None
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            return None
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return e164 if len(e164) <= MAX_DIGITS + 1 else None
