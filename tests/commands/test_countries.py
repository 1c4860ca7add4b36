"""`gateway workspaces countries`: what a workspace may call."""

import pytest

from tests.commands.conftest import Gateway, answer

COUNTRIES = ("workspaces", "countries")
SHEET = "country_iso,name,prefixes,enabled\nIN,Mobile only,98|99,true\nUS,All,,false\n"


def enabled(gateway: Gateway) -> list[tuple[str, str]]:
    return [(each["country_iso"], each["name"]) for each in answer(gateway(*COUNTRIES, "list"))]


def test_countries_are_enabled_and_disabled(gateway: Gateway) -> None:
    """Whole ones or groups of them, by code or name."""
    assert enabled(gateway) == []
    answer(gateway(*COUNTRIES, "enable", "in", "Andorra", "--group", "Mobile"))
    assert enabled(gateway) == [("AD", "Andorra - Mobile"), ("IN", "India - Mobile")]
    answer(gateway(*COUNTRIES, "enable", "US"))
    assert "US" in {country for country, _ in enabled(gateway)}
    answer(gateway(*COUNTRIES, "disable", "AD", "US"))
    assert enabled(gateway) == [("IN", "India - Mobile")]


def test_what_is_enabled_can_be_called(gateway: Gateway) -> None:
    """The decision of a quote is the proof."""
    fields = ("provider=plivo", "sip_trunk_enabled=false")
    gateway("numbers", "add", "+14155550100", "--outbound", "Sample agent/1", *fields)
    words = ("rates", "quote", "+919812345678", "--from", "+14155550100")
    assert '"reason": "no_enabled_countries"' in gateway(*words).stdout
    gateway(*COUNTRIES, "enable", "IN", "--group", "Fixed")
    assert '"reason": "prefix_not_enabled"' in gateway(*words).stdout
    gateway(*COUNTRIES, "enable", "IN")
    assert '"reason": "no_outbound_trunk"' in gateway(*words).stdout


def test_a_search_finds_what_is_not_enabled_too(gateway: Gateway) -> None:
    """By name, by code, and by the number that somebody wants to call."""
    assert {each["country_iso"] for each in answer(gateway(*COUNTRIES, "list", "india"))} == {"IN", "IO"}
    by_number = answer(gateway(*COUNTRIES, "list", "+9198123"))
    assert [each["name"] for each in by_number] == ["India - Mobile"]
    assert len(answer(gateway(*COUNTRIES, "list", "--all"))) > 400


def test_a_file_replaces_or_adds(gateway: Gateway) -> None:
    """What is exported can be imported again."""
    gateway(*COUNTRIES, "enable", "AD", "--group", "Mobile")
    answer(gateway(*COUNTRIES, "import", "-", "--keep", given=SHEET))
    assert enabled(gateway) == [("AD", "Andorra - Mobile"), ("IN", "Mobile only")]
    imported = answer(gateway(*COUNTRIES, "import", "-", given=SHEET))
    assert (imported["groups"], imported["enabled"]) == (2, 1)
    assert enabled(gateway) == [("IN", "Mobile only")]
    assert gateway(*COUNTRIES, "export").stdout == SHEET
    assert answer(gateway(*COUNTRIES, "import", "shipped"))["groups"] > 400


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("enable", "Indja"), None, "COUNTRY Indja: there is no such country; did you mean India?"),
        (
            ("enable", "IN", "--group", "Lunar"),
            None,
            "India has India - Fixed, India - Mobile",
        ),
        (("import", "-"), SHEET + "XX,Nowhere,,\n", "line 4, column country_iso: is no country"),
        (("import", "-"), SHEET + "IND,India,,\nGBR,UK,,\n", "(lines 4, 5)"),
        (("import", "nowhere.csv"), None, "nowhere.csv: cannot be read: No such file or directory"),
    ],
)
def test_mistakes_change_nothing(
    gateway: Gateway, words: tuple[str, ...], given: str | None, said: str
) -> None:
    """And are told with what would be right."""
    result = gateway(*COUNTRIES, *words, given=given)
    assert result.exit_code == 2
    assert said in result.stderr
    assert enabled(gateway) == []
