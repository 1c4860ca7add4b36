"""The numbering plan that ships as data, held against the library it was made from."""

from pathlib import Path

import phonenumbers
import pytest

from gateway.routing.importer import read_countries, read_network_groups, read_rates, read_special_ranges
from gateway.routing.number import E164, country_of, parse_e164
from gateway.routing.plan import Country, NumberingPlan, RangeKind, SpecialRange

DATA = Path(__file__).parent.parent.parent / "gateway" / "data"

KIND = phonenumbers.PhoneNumberType

CLOSED_KINDS = {KIND.PREMIUM_RATE, KIND.SHARED_COST, KIND.PERSONAL_NUMBER}


@pytest.fixture(scope="module")
def plan() -> NumberingPlan:
    """The plan as it ships."""
    return NumberingPlan(
        read_countries((DATA / "countries.csv").read_text()),
        read_special_ranges((DATA / "special-ranges.csv").read_text()),
    )


def example(region: str, kind: int) -> E164 | None:
    """The library's example of a kind of number, if it can be called from abroad."""
    number = phonenumbers.example_number_for_type(region, kind)
    if number is None:
        return None
    return parse_e164(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def test_every_region_of_the_library_has_its_country(plan: NumberingPlan) -> None:
    """Fixed and mobile examples are in their country, or where the library then finds them to be."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (KIND.FIXED_LINE, KIND.MOBILE):
            number = example(region, kind)
            if number is not None:
                country = plan.look_up(number).country
                assert country is not None, number
                assert country.iso in {region, country_of(number.e164)}, number


def test_every_area_code_of_north_america_is_in_its_country(plan: NumberingPlan) -> None:
    """All 800 area codes agree with the library; one that nobody has opened is in no country."""
    for area in range(200, 1000):
        number = E164("1", f"{area}2342345")
        country = plan.look_up(number).country
        known = country_of(number.e164)
        if known is not None:
            assert country is not None, number
            assert country.iso == known, number
    assert plan.look_up(E164("1", "9992342345")).country is None


def test_examples_of_closed_kinds_are_in_special_ranges(plan: NumberingPlan) -> None:
    """Whatever the library calls premium, shared cost or personal is closed."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in CLOSED_KINDS:
            number = example(region, kind)
            if number is not None:
                assert plan.look_up(number).special is not None, number


def test_examples_of_ordinary_kinds_are_not(plan: NumberingPlan) -> None:
    """No fixed, mobile or freephone example is closed."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (KIND.FIXED_LINE, KIND.MOBILE, KIND.TOLL_FREE):
            number = example(region, kind)
            if number is not None:
                assert plan.look_up(number).special is None, number


def test_networks_without_a_country_are_their_own(plan: NumberingPlan) -> None:
    """Satellites and other global services are under `001`, each by its name."""
    entry = plan.look_up(E164("881", "612345678"))
    assert entry.country == Country("001", "Global mobile satellite system", "881")
    assert entry.special is not None
    assert entry.special.kind is RangeKind.SATELLITE


def test_the_longest_prefix_decides() -> None:
    """A country without prefixes has what is left of its calling code; the narrower range counts."""
    plan = NumberingPlan(
        [Country("GB", "United Kingdom", "44"), Country("JE", "Jersey", "44", ("1534",))],
        [SpecialRange("448", RangeKind.SHARED_COST), SpecialRange("4487", RangeKind.PREMIUM)],
    )
    entries = [plan.look_up(E164("44", national)) for national in ("2079460018", "1534123456", "8712345678")]
    assert [entry.country and entry.country.iso for entry in entries] == ["GB", "JE", "GB"]
    assert entries[2].special == SpecialRange("4487", RangeKind.PREMIUM)
    assert plan.look_up(E164("49", "301234567")).country is None


def test_a_length_tells_a_special_range_from_ordinary_numbers() -> None:
    """Irish `1520…` is a line in Dublin with eight digits, and premium with ten."""
    plan = NumberingPlan(ranges=[SpecialRange("3531520", RangeKind.PREMIUM, length=10)])
    assert plan.look_up(E164("353", "15201234")).special is None
    assert plan.look_up(E164("353", "1520123456")).special is not None


def test_two_countries_cannot_claim_one_range() -> None:
    """Building the plan fails, naming the prefix."""
    with pytest.raises(ValueError, match="'44' comes twice"):
        NumberingPlan([Country("GB", "United Kingdom", "44"), Country("IM", "Isle of Man", "44")])


def test_the_sample_data_can_be_read(plan: NumberingPlan) -> None:
    """Network groups name countries of the plan, and every country has a rate."""
    known = {country.iso for country in plan.countries}
    groups = read_network_groups((DATA / "network-groups.csv").read_text())
    assert {group.country_iso for group in groups} == known - {"001"}
    deck = read_rates((DATA / "rates.csv").read_text(), "INR")
    for country in plan.countries:
        for prefix in country.prefixes or ("2",):
            if country.iso != "001":
                assert deck.rate(E164(country.calling_code, prefix)) is not None, country


def test_the_sample_rates_say_what_they_are() -> None:
    """Nobody can take them for a carrier's."""
    assert (DATA / "rates.csv").read_text().startswith("# SAMPLE RATES")
