"""Time zones: as people write them, and every one that a number can be in."""

import subprocess
import sys
import time as clock
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import phonenumbers
import pytest

from gateway.batch.areas import ALSO, AREAS
from gateway.batch.zones import name_of, offset_of, zone_named, zones_of
from gateway.config.settings import OutboundSettings
from gateway.numbering.files import load_plan
from gateway.store.engine.errors import InvalidInput

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
INSTANTS = [int((NOON + timedelta(days=91 * quarter)).timestamp()) for quarter in range(4)]


def tab() -> dict[str, set[str]]:
    """The zones of each country, as the tz database lists them."""
    found: dict[str, set[str]] = {}
    for line in (files("tzdata") / "zoneinfo/zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, set()).add(zone)
    return found


TAB = tab()


def clocks(names: set[str]) -> set[tuple[int, ...]]:
    """How zones behave over a year: names differ, clocks may not."""
    return {tuple(offset_of(zone_named(name), at) for at in INSTANTS) for name in names}


def names(e164: str) -> set[str]:
    """The zones of a number, by name."""
    return {name_of(zone) for zone in zones_of(e164)}


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+61412345678", {"Australia/Perth", "Australia/Darwin", "Australia/Sydney", "Indian/Cocos"}),
        ("+79161234567", {"Europe/Kaliningrad", "Asia/Kamchatka"}),
        ("+34612345678", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+56961234567", {"America/Santiago", "America/Punta_Arenas", "Pacific/Easter"}),
        ("+6281234567890", {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"}),
        ("+642112345678", {"Pacific/Auckland", "Pacific/Chatham"}),
        ("+351912345678", {"Europe/Lisbon", "Atlantic/Azores"}),
        ("+593991234567", {"America/Guayaquil", "Pacific/Galapagos"}),
        ("+77012345678", {"Asia/Almaty", "Asia/Aqtobe"}),
        ("+18005550100", {"Pacific/Guam", "America/New_York", "Pacific/Honolulu", "America/St_Johns"}),
        ("+15005550100", {"America/New_York", "Pacific/Honolulu", "America/Adak"}),
        ("+19995550100", {"America/New_York", "America/St_Johns", "Pacific/Guam"}),
        ("+12705550100", {"America/Chicago", "America/New_York"}),
        ("+13645550100", {"America/Chicago", "America/New_York"}),
        ("+18505550100", {"America/Chicago", "America/New_York"}),
        ("+14485550100", {"America/Chicago", "America/New_York"}),
        ("+18075550100", {"America/Toronto", "America/Winnipeg"}),
        ("+19285550100", {"America/Phoenix", "America/Denver"}),
        ("+15415550100", {"America/Los_Angeles", "America/Denver"}),
        ("+14585550100", {"America/Los_Angeles", "America/Denver"}),
        ("+17785550100", {"America/Vancouver", "America/Edmonton"}),
        ("+18675550100", {"America/Whitehorse", "America/Toronto"}),
        ("+61736001234", {"Australia/Brisbane", "Australia/Sydney"}),
        ("+5581991234567", {"America/Recife", "America/Noronha"}),
    ],
)
def test_every_possible_zone_of_a_number(e164: str, expected: set[str]) -> None:
    """A mobile number has its whole country, a split area code both sides, an unknown one everything."""
    assert expected <= names(e164)


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+14155550100", {"America/Los_Angeles"}),
        ("+12125550100", {"America/New_York"}),
        ("+442079460018", {"Europe/London"}),
        ("+919876543210", {"Asia/Kolkata"}),
        ("+34928123456", {"Atlantic/Canary"}),
        ("+74012123456", {"Europe/Kaliningrad"}),
        ("+74951234567", {"Europe/Moscow"}),
        ("+78452123456", {"Europe/Saratov"}),
        ("+5511961234567", {"America/Sao_Paulo"}),
        ("+56612212345", {"America/Punta_Arenas"}),
        ("+526141234567", {"America/Chihuahua"}),
        ("+213551234567", {"Africa/Algiers"}),
        ("+212612345678", {"Africa/Casablanca"}),
        ("+218912345678", {"Africa/Tripoli"}),
        ("+50581234567", {"America/Managua"}),
        ("+970599123456", {"Asia/Gaza"}),
        ("+18765550100", {"America/Jamaica"}),
        ("+38344123456", {"Europe/Belgrade"}),
    ],
)
def test_numbers_of_one_clock(e164: str, expected: set[str]) -> None:
    """Where a number tells its place, or the country has one clock, nothing else is asked."""
    assert clocks(names(e164)) == clocks(expected)


@pytest.mark.parametrize(
    "e164", ["+881612345678", "+80012345678", "+8835100012345678", "+999123", "+", "", "+abc"]
)
def test_numbers_of_no_country(e164: str) -> None:
    """Nobody can say where a satellite telephone is: no zones, and the batch's own clock counts."""
    assert zones_of(e164) == ()


def test_mobile_numbers_have_all_clocks_of_their_country() -> None:
    """No country's mobile example number is given fewer clocks than the tz database gives the country."""
    by_place = {"BR", "CL", "MX"}  # their mobile numbers have area codes, or look like landlines
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
        if number is None or country not in TAB or country in by_place or number.country_code == 1:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert clocks(names(e164)) >= clocks(TAB[country]), country


def test_landlines_are_in_their_country() -> None:
    """No country's landline is given a clock that the country has not."""
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.FIXED_LINE)
        if number is None or country not in TAB:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[number.country_code or 0]
        theirs = {country} if number.country_code == 1 else regions
        known = {zone for region in theirs for zone in TAB.get(region, ())}
        assert clocks(names(e164)), country
        assert clocks(names(e164)) <= clocks(known), country


def test_area_codes_of_north_america_are_in_their_country() -> None:
    """Each has clocks, and none that its country has not."""
    for country in load_plan(OutboundSettings()).countries:
        if country.calling_code != "1" or country.iso not in TAB:
            continue
        for area in country.prefixes:
            found = clocks(names(f"+1{area}5550100"))
            everywhere = area in {"800", "833", "844", "855", "866", "877", "888"}
            assert found, area
            assert everywhere or found <= clocks(TAB[country.iso]), (area, names(f"+1{area}5550100"))


def test_our_own_areas_are_zones() -> None:
    """Each name is of the tz database, so that nothing fails in the middle of a batch."""
    for zones in (*ALSO.values(), *AREAS.values()):
        assert [name_of(zone_named(zone)) for zone in zones] == list(zones)


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("Asia/Kolkata", "Asia/Kolkata"),
        (" asia/KOLKATA ", "Asia/Kolkata"),
        ("America/New York", "America/New_York"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("utc", "UTC"),
        ("Z", "UTC"),
        ("UTC+05:30", "UTC+05:30"),
        ("utc +5:30", "UTC+05:30"),
        ("+0530", "UTC+05:30"),
        ("+5", "UTC+05:00"),
        ("GMT-3", "UTC-03:00"),
        ("\u221203:30", "UTC-03:30"),
        ("+00:00", "UTC"),
        ("UTC+14", "UTC+14:00"),
    ],
)
def test_a_row_s_own_zone_counts(written: str, zone: str) -> None:
    """In any case, or as an offset from UTC; whatever the number says."""
    assert [name_of(found) for found in zones_of("+61412345678", written)] == [zone]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("IST", "IANA name such as Asia/Kolkata"),
        ("kolkata", "did you mean Asia/Kolkata?"),
        ("new york", "did you mean America/New_York?"),
        ("India Standard Time", "IANA name"),
        ("5.5", "IANA name"),
        ("0530", "IANA name"),
        ("UTC+15", "from UTC-14:00 to UTC+14:00"),
        ("+05:75", "from UTC-14:00 to UTC+14:00"),
        ("Factory", "IANA name"),
        ("../../etc/passwd", "IANA name"),
        ("Asia/Kolkata\x00", "IANA name"),
        ("x" * 100_000, "IANA name"),
    ],
)
def test_a_bad_zone_is_refused_in_words(written: str, says: str) -> None:
    """With the field, what was given, and what would be right; long ones are cut."""
    with pytest.raises(InvalidInput) as refused:
        zones_of("+61412345678", written)
    assert refused.value.field == "timezone"
    assert says in str(refused.value)
    assert len(str(refused.value)) < 250


def test_a_blank_zone_is_none() -> None:
    """A column that is there and empty leaves it to the number."""
    assert zones_of("+442079460018", "  ") == zones_of("+442079460018")


def test_numbers_are_looked_up_quickly() -> None:
    """A file of hundred thousands of bad zones, or of numbers, costs microseconds a row."""
    zones_of("+14155550100"), zones_of("+447911123456")
    begin = clock.process_time()
    for number in range(2000):
        zones_of(f"+1415555{number:04}")
        zones_of(f"+44791112{number:04}")
    for number in range(2000):
        with pytest.raises(InvalidInput):
            zone_named(f"nowhere {number}")
    assert clock.process_time() - begin < 0.5  # some 30 ms


def test_the_geocoder_is_never_imported() -> None:
    """It would cost 180 MB and twenty seconds."""
    asks = (
        "import sys; from gateway.batch.zones import zones_of; zones_of('+61412345678'); "
        "sys.exit(any('geodata' in name or 'geocoder' in name for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", asks], check=True)
