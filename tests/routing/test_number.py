"""Numbers, as trunks write them and as E.164 has them."""

import csv
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.number import (
    E164,
    NumberFormat,
    NumberStyle,
    country_of,
    format_for,
    normalise,
    parse_e164,
)
from tests.cost import cost

DATA = Path(__file__).parent / "data"

FORMATS = ["plus", "digits", "prefixed:00", "prefixed:011", "national:GB", "national:US", "digits;tech=9912#"]


def possible(number: phonenumbers.PhoneNumber) -> bool:
    """Possible as an international number, by the library's judgement."""
    verdict = phonenumbers.is_possible_number_with_reason(number)
    return bool(verdict == phonenumbers.ValidationResult.IS_POSSIBLE)


def writings() -> list[tuple[str, str, str, str]]:
    """The cases of writings.csv."""
    lines = (DATA / "writings.csv").read_text().splitlines()
    return [(r["raw"], r["format"], r["e164"], r["how"]) for r in csv.DictReader(lines[1:])]


@pytest.mark.parametrize(("raw", "written_as", "e164", "how"), writings())
def test_a_number_is_read_as_its_trunk_writes_it(raw: str, written_as: str, e164: str, how: str) -> None:
    """Each writing gives its number and says how, or says why there is none."""
    normalised = normalise(raw, NumberFormat.parse(written_as))
    assert (normalised.e164 or "", normalised.how) == (e164, how)


def test_a_lenient_reading_is_marked() -> None:
    """What fits the configured format is not lenient, everything else is."""
    assert normalise("14155550123", NumberFormat(NumberStyle.PLUS)).readings[0].lenient
    assert not normalise("14155550123", NumberFormat(NumberStyle.DIGITS)).readings[0].lenient


def test_every_reading_is_kept() -> None:
    """Where digits can mean two numbers, the table of numbers decides, not the order of guesses."""
    readings = normalise("4930234567", NumberFormat.parse("national:US")).readings
    assert [reading.e164 for reading in readings] == ["+14930234567", "+4930234567"]


@pytest.mark.parametrize("text", [*FORMATS, "prefixed:0011;tech=1*2"])
def test_a_format_reads_what_it_writes(text: str) -> None:
    """`parse` and `str` are inverses."""
    assert str(NumberFormat.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("e164", "there are plus, digits, prefixed, national"),
        ("national", "two-letter country"),
        ("national:GBR", "two-letter country"),
        ("prefixed:x", "access code"),
        ("plus:1", "takes no argument"),
        ("plus;tech=abc", "tech prefix"),
        ("plus;trunk=0", "unknown option"),
    ],
)
def test_a_wrong_format_is_told_what_is_wrong(text: str, complaint: str) -> None:
    """The error names the mistake and what there is instead."""
    with pytest.raises(ValueError, match=complaint):
        NumberFormat.parse(text)


@pytest.mark.parametrize("written_as", FORMATS)
@pytest.mark.parametrize(
    "e164", ["+14155550123", "+442079460018", "+390612345678", "+79161234567", "+6834002"]
)
def test_what_is_written_for_a_trunk_is_read_back(e164: str, written_as: str) -> None:
    """`format_for` is the inverse of `normalise`, in each format."""
    writing = NumberFormat.parse(written_as)
    readings = normalise(format_for(e164, writing), writing).readings
    assert readings[0].e164 == e164
    assert not readings[0].lenient


@pytest.mark.parametrize(
    ("e164", "country"),
    [
        ("+12125550123", "US"),
        ("+14165550123", "CA"),
        ("+18765550123", "JM"),
        ("+18095550123", "DO"),
        ("+17875550123", "PR"),
        ("+12425550123", "BS"),
        ("+79161234567", "RU"),
        ("+77012345678", "KZ"),
        ("+442079460018", "GB"),
        ("+441481256789", "GG"),
        ("+441534456789", "JE"),
        ("+441624756789", "IM"),
        ("+390612345678", "IT"),
        ("+390669812345", "VA"),
        ("+870773111632", "001"),
        ("+999123456789", None),
        ("+19995550123", None),
    ],
)
def test_a_country_is_not_a_calling_code(e164: str, country: str | None) -> None:
    """Countries that share a calling code are told apart by area code or range."""
    assert country_of(e164) == country


def test_numbers_are_taken_apart_as_the_library_does() -> None:
    """The quick way gives what phonenumbers gives, for an example of every kind in every region.

    But for those that exist inside their country only (`3101234` in the US).
    """
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None and possible(example):
                e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
                assert parse_e164(e164) == E164(
                    str(example.country_code), e164[len(f"+{example.country_code}") :]
                )


@given(st.from_regex(r"\+[1-9][0-9]{1,16}", fullmatch=True))
def test_any_digits_are_taken_apart_as_the_library_does(text: str) -> None:
    """Possible or not, and what is left of it: the same answer for arbitrary digits."""
    try:
        number = phonenumbers.parse(text)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        whole = possible(number) and len(e164) <= 16
    except phonenumbers.NumberParseException:
        whole = False
    taken = parse_e164(text)
    if whole:
        assert taken is not None
        assert taken.e164 == e164
    else:
        assert taken is None


@given(st.text(max_size=80), st.sampled_from(FORMATS))
def test_any_text_is_read_or_refused(raw: str, written_as: str) -> None:
    """Nothing that a stranger writes raises, and whatever is read is E.164."""
    normalised = normalise(raw, NumberFormat.parse(written_as))
    assert bool(normalised.readings) != bool(normalised.why_not)
    assert all(parse_e164(reading.e164) for reading in normalised.readings)


@pytest.mark.parametrize("unit", ["1", "+", "00", ";", ":", "@", "*", "(", "\u0661", "tel:"])
def test_floods_are_refused_at_once(unit: str) -> None:
    """64 kB of anything costs less than 5 ms."""
    flood = unit * (65_536 // len(unit))
    assert normalise(flood).readings == ()
    assert cost(lambda: normalise(flood)) < 5
