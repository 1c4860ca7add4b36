"""Numbers without their country code, as the workspace's country dials them."""

import re

import phonenumbers
from phonenumbers import PhoneMetadata

from gateway.routing.number import MAX_DIGITS, parse_e164


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
        whole = PhoneMetadata.metadata_for_region_or_calling_code(
            metadata.country_code, phonenumbers.region_code_for_country_code(metadata.country_code)
        )
        assert whole is not None, "the library lists what it has"
        self._possible = _lengths(whole)
        self._own = _lengths(metadata)
        general = metadata.general_desc
        assert general is not None, "every country has a description of its numbers"
        self._local_only = frozenset(general.possible_length_local_only)
        self._national = re.compile(general.national_number_pattern or "(?!)")
        self._abroad = re.compile(metadata.international_prefix or "(?!)")
        self._prefix = re.compile(metadata.national_prefix_for_parsing or "(?!)")
        self._rewrites = metadata.national_prefix_transform_rule is not None

    def read(self, digits: str) -> str | None:
        """The E.164 number that these digits dial, in the country or abroad; None where there is none."""
        abroad = self._abroad.match(digits)
        if abroad is not None and digits[abroad.end() : abroad.end() + 1] not in ("", "0"):
            number = parse_e164("+" + digits[abroad.end() :])
            return None if number is None else number.e164
        if self._rewrites and self._prefix.match(digits):
            return self._as_the_library(digits)
        national = self._without_prefix(self._without_code(digits))
        if len(national) not in self._possible or len(self.calling_code + national) > MAX_DIGITS:
            return None
        return f"+{self.calling_code}{national}"

    def _without_code(self, digits: str) -> str:
        """A number behind its country's own code, where it is none of the country's without it."""
        if not digits.startswith(self.calling_code):
            return digits
        behind = self._stripped(digits[len(self.calling_code) :])
        is_national = self._national.fullmatch(digits) is not None
        if (not is_national and self._national.fullmatch(behind)) or len(digits) > max(self._own):
            return behind
        return digits

    def _without_prefix(self, national: str) -> str:
        """A number behind the trunk prefix, where one is left without it."""
        stripped = self._stripped(national)
        is_possible = len(stripped) in self._own or len(stripped) > max(self._own)
        return stripped if is_possible and len(stripped) not in self._local_only else national

    def _stripped(self, national: str) -> str:
        prefix = self._prefix.match(national)
        if prefix is None:
            return national
        rest = national[prefix.end() :]
        is_whole = self._national.fullmatch(national) is not None
        return national if is_whole and self._national.fullmatch(rest) is None else rest

    def _as_the_library(self, digits: str) -> str | None:
        """Where the country's plan rewrites what is dialled (Argentina's mobiles, …)."""
        try:
            number = phonenumbers.parse(digits, self.country)
        except phonenumbers.NumberParseException:
            return None
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _lengths(metadata: PhoneMetadata) -> frozenset[int]:
    assert metadata.general_desc is not None, "every country has lengths"
    return frozenset(metadata.general_desc.possible_length)
