"""The numbering data that ships with the package, and an operator's own in its place."""

from pathlib import Path

import pytest

from gateway.config.loading import ConfigError
from gateway.config.settings import OutboundSettings
from gateway.numbering.files import NETWORK_GROUPS, SAMPLE_RATES, load_plan, shipped
from gateway.routing.importer import read_network_groups, read_rates
from gateway.routing.number import parse_e164


def country_of(settings: OutboundSettings, e164: str) -> str | None:
    number = parse_e164(e164)
    assert number is not None
    country = load_plan(settings).look_up(number).country
    return country.iso if country else None


def test_ships_with_the_package() -> None:
    """Without any key set, real countries and special ranges are known, and groups and rates can be had."""
    assert country_of(OutboundSettings(), "+919876543210") == "IN"
    assert country_of(OutboundSettings(), "+18765550123") == "JM"
    plan = load_plan(OutboundSettings())
    assert len(plan.countries) > 240
    assert len(plan.ranges) > 1000
    assert read_network_groups(shipped(NETWORK_GROUPS))
    assert len(read_rates(shipped(SAMPLE_RATES), "INR")) > 1000


def test_own_file_replaces_the_shipped_one(tmp_path: Path) -> None:
    """A key that is set names the only countries that there are; the ranges stay the shipped ones."""
    own = tmp_path / "countries.csv"
    own.write_text("country_iso,country_name,calling_code\nIN,Bharat,91\n", "utf-8")
    settings = OutboundSettings(countries_file=own)
    assert country_of(settings, "+919876543210") == "IN"
    assert country_of(settings, "+12025550123") is None
    assert len(load_plan(settings).ranges) > 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"country_iso,country_name,calling_code\nIND,India,91\n", "line 2, column country_iso"),
        (b"country_iso,country_name,calling_code\nIN,India,91\nBD,B,91\n", "line 3, column prefixes"),
        (
            b"country_iso,country_name,calling_code\nIN,\xff,91\n",
            "line 2, column country_name: should be UTF-8: byte 0xff is not",
        ),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_wrong_file_is_told_by_key_and_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    """What is wrong with a file is told with its name, the key that names it, and the place in it."""
    own = tmp_path / "countries.csv"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load_plan(OutboundSettings(countries_file=own))
    text = str(raised.value)
    assert text.startswith(f"{own}: [outbound] countries_file: ")
    assert said in text
