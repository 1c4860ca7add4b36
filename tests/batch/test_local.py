"""Numbers without their country code, held against the library that knows how each country dials."""

import random

import phonenumbers
import pytest

from gateway.batch.local import LocalNumbers

WIDE = sorted(phonenumbers.SUPPORTED_REGIONS)
TRIES = 40


def by_the_library(digits: str, country: str) -> str | None:
    """What phonenumbers reads these digits as."""
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    verdict = phonenumbers.is_possible_number_with_reason(number)
    return e164 if verdict == phonenumbers.ValidationResult.IS_POSSIBLE and len(e164) <= 16 else None


@pytest.mark.parametrize("country", WIDE)
def test_digits_are_read_as_the_library_reads_them(country: str) -> None:
    """With trunk prefixes, access codes, the country's own code, or none of them, in every country."""
    rng = random.Random(country)
    local = LocalNumbers(country)
    example = phonenumbers.example_number(country)
    assert example is not None
    national = phonenumbers.national_significant_number(example)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    access = [metadata.international_prefix or "" if metadata is not None else ""]
    before = ["", "0", "1", "8", "00", "011", local.calling_code, *filter(str.isdecimal, access)]
    for _ in range(TRIES):
        body = "".join(rng.choices("0123456789", k=rng.randrange(2, 13)))
        for digits in (
            rng.choice(before) + body,
            rng.choice(before) + national[: rng.randrange(2, 12)] + body[:4],
        ):
            assert local.read(digits) == by_the_library(digits, country), digits


@pytest.mark.parametrize(
    ("country", "written", "e164"),
    [
        ("IN", "09876543210", "+919876543210"),
        ("IN", "9876543210", "+919876543210"),
        ("IN", "9123456789", "+919123456789"),
        ("IN", "919876543210", "+919876543210"),
        ("IN", "0014155550123", "+14155550123"),
        ("US", "4155550123", "+14155550123"),
        ("US", "14155550123", "+14155550123"),
        ("US", "011442079460018", "+442079460018"),
        ("GB", "02079460018", "+442079460018"),
        ("IT", "0612345678", "+390612345678"),
        ("AR", "91123456789", "+5491123456789"),
        ("IN", "98765432101234", None),
        ("IN", "112", None),
    ],
)
def test_people_dial_so(country: str, written: str, e164: str | None) -> None:
    """As they would from a telephone there; what has no meaning there has none."""
    assert LocalNumbers(country).read(written) == e164


def test_a_country_has_to_be_one() -> None:
    """The error names what was given."""
    with pytest.raises(ValueError, match="no country 'XX'"):
        LocalNumbers("XX")
