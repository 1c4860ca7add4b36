"""`gateway rates`: price lists in, out and replaced."""

import json
import os
from pathlib import Path

import pytest

from tests.commands.conftest import Gateway, answer

SHEET = "prefix,destination,per_minute,connection_fee,increment,currency\n"
ROWS = SHEET + '91,India,0.5500,0,,INR\n919,"India, Mobile",0.700001,1.5,30/6,INR\n'


def test_the_demo_has_the_sample_rates(gateway: Gateway) -> None:
    """As the default deck."""
    (deck,) = answer(gateway("rates", "list"))
    assert (deck["provider"], deck["currency"], deck["is_default"]) == ("plivo", "INR", True)
    assert deck["prefixes"] > 3000


def test_what_is_exported_is_what_was_imported(gateway: Gateway, tmp_path: Path) -> None:
    """And importing it again changes nothing."""
    imported = answer(gateway("rates", "import", "-", "--provider", "twilio", given=ROWS))
    assert (imported["added"], imported["changed"], imported["removed"]) == (2, 0, 0)
    exported = gateway("rates", "export", "twilio").stdout
    assert exported == ROWS
    file = tmp_path / "again.csv"
    gateway("rates", "export", "twilio", "--out", file)
    again = answer(gateway("rates", "import", file, "--provider", "twilio"))
    assert (again["added"], again["changed"], again["removed"], again["id"]) == (0, 0, 0, imported["id"])


def test_an_import_says_what_it_changed_and_the_history_keeps_it(gateway: Gateway) -> None:
    """So many new, so many changed, so many gone, and who did it."""
    first = answer(gateway("rates", "import", "-", "--provider", "twilio", given=ROWS))
    cheaper = SHEET + "91,India,0.5,,,\n1,United States,0.85,,,\n"
    second = answer(gateway("rates", "import", "-", "--provider", "twilio", given=cheaper))
    assert [second[name] for name in ("added", "changed", "removed", "prefixes")] == [1, 1, 1, 2]
    history = answer(gateway("history", first["id"]))
    assert history[0]["fields"]["rates"] == [None, "1 added, 1 changed, 1 removed"]
    assert history[0]["by"].startswith("cli:")


def test_a_file_with_mistakes_changes_nothing(gateway: Gateway) -> None:
    """Each sort of mistake is told once, with its lines; so is how many there are."""
    wrong = ROWS + "+1,US,1,,,\n44,UK,cheap,,,\n45,DK,cheap,,,\n46,SE,1,,,SEK\n"
    result = gateway("rates", "import", "-", "--provider", "twilio", given=wrong)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: -: line 4, column prefix: digits with a calling code, without + or leading zeros, not '+1'",
        "error: -: column per_minute: an amount such as 0.0125, not 'cheap' (lines 5, 6)",
        "error: -: line 7, column currency: the deck is in INR, not in 'SEK'",
        "error: nothing was imported: 4 mistakes",
    ]
    assert [deck["provider"] for deck in answer(gateway("rates", "list"))] == ["plivo"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "nowhere.csv"), "error: nowhere.csv: cannot be read: No such file or directory"),
        (("import", "sample", "--provider", "sip_trunk"), "have the trunk's flat_rate, not a deck"),
        (("export", "vonage"), "PROVIDER vonage: has no rate deck; there is one of plivo"),
        (("remove", "vonage", "--yes"), "PROVIDER vonage: has no rate deck"),
        (("default", "vonage"), "PROVIDER vonage: has no rate deck"),
    ],
)
def test_mistakes_are_told(gateway: Gateway, words: tuple[str, ...], said: str) -> None:
    """In a sentence with what would be right."""
    result = gateway("rates", *words)
    assert result.exit_code == 2
    assert said in result.stderr.replace(os.linesep, "\n")


def test_a_deck_is_removed_when_confirmed(gateway: Gateway) -> None:
    """And the default one cannot go before another has its place."""
    gateway("rates", "import", "-", "--provider", "twilio", given=ROWS)
    assert gateway("rates", "remove", "plivo", "--yes").exit_code == 2
    assert answer(gateway("rates", "default", "twilio"))["is_default"]
    assert gateway("rates", "remove", "plivo", given="n\n").exit_code == 1
    answer(gateway("rates", "remove", "plivo", "--yes"))
    assert [deck["provider"] for deck in answer(gateway("rates", "list"))] == ["twilio"]


def test_a_quote_is_what_the_gateway_would_charge(gateway: Gateway) -> None:
    """For the demo's number on its trunk, the workspace's flat rate; and why a call would not go out."""
    gateway("trunks", "set", "Loopback", "termination_uri=")
    result = gateway("rates", "quote", "+919812345678")
    assert result.exit_code == 1, "a trunk without a termination URI takes calls in, and places none"
    told = json.loads(result.stdout)
    assert (told["source"], told["per_minute"], told["reason"]) == ("flat_rate", "0.5", "no_outbound_trunk")
    gateway("trunks", "set", "Loopback", "termination_uri=127.0.0.1:5999")
    told = answer(gateway("rates", "quote", "+919812345678", "--from", "+12025550101"))
    assert told["allowed"]
    assert told["prices"][1] == {"minutes": 5, "billed_seconds": 300, "price": "2.5"}


def test_a_quote_by_the_deck_names_the_prefix(gateway: Gateway) -> None:
    """Where a provider's number would call."""
    fields = ("provider=plivo", "sip_trunk_enabled=false")
    added = gateway("numbers", "add", "+14155550100", "--outbound", "Sample agent/1", *fields)
    assert added.exit_code == 0, added.output
    result = gateway("rates", "quote", "+919812345678", "--from", "+14155550100")
    told = json.loads(result.stdout)
    assert told["source"] == "deck"
    assert "919812345678".startswith(told["prefix"])
    assert told["destination"].startswith("India")
    assert answer(gateway("rates", "quote", "--web"))["source"] == "web_call"
    assert gateway("rates", "quote").exit_code == 2
