"""`gateway explain --outbound`: the decision about a call that somebody would ask for, with its price."""

import json

import pytest

from tests.commands.conftest import Gateway, answer

FRONT_DESK = "+12025550101"
INDIA = "+919812345678"


@pytest.fixture
def shop(gateway: Gateway) -> Gateway:
    """The demo workspace, whose trunk leads somewhere."""
    answer(gateway("trunks", "set", "Loopback", "termination_uri=127.0.0.1:5999"))
    return gateway


def test_it_says_yes_and_what_it_costs(shop: Gateway) -> None:
    """By the checks of the call itself; the agent by name finds the number."""
    told = answer(shop("explain", "--outbound", "--to", INDIA, "--from", FRONT_DESK))
    assert told["allowed"]
    assert told["summary"].startswith(f"{FRONT_DESK} calls {INDIA} by trunk “Loopback”, as version 1")
    assert (told["per_minute"], told["currency"], told["source"]) == ("0.5", "INR", "flat_rate")
    names = [check["name"] for check in told["checks"]]
    assert names[:3] == ["destination", "KYC", "destination country"]
    by_agent = answer(shop("explain", "--outbound", "--to", INDIA, "--agent", "sample agent"))
    assert by_agent["summary"] == told["summary"]


@pytest.mark.parametrize(
    ("words", "reason", "near"),
    [
        (("--to", "+19005550100", "--from", FRONT_DESK), "destination_premium", []),
        (
            ("--to", INDIA[1:], "--from", FRONT_DESK),
            "destination_unparseable",
            [f"{INDIA} was perhaps meant, without its plus"],
        ),
        (("--to", INDIA, "--agent", "Sample agent", "--version", "2"), "version_not_published", []),
        (("--to", INDIA, "--from", "+442079460018"), "no_outbound_version", []),
    ],
)
def test_refusals_say_why_and_what_almost_fitted(
    shop: Gateway, words: tuple[str, ...], reason: str, near: list[str]
) -> None:
    """With exit status 1, as for inbound calls."""
    result = shop("explain", "--outbound", *words)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["reason"], told["near_misses"]) == (1, reason, near)
    assert not told["allowed"]


def test_nothing_to_call_from_is_refused_as_the_api_does(shop: Gateway) -> None:
    """A quote takes the default number; a call is asked for with a number or an agent."""
    result = shop("explain", "--outbound", "--to", "+14155550100")
    assert result.exit_code == 1
    assert not json.loads(result.stdout)["allowed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outbound", "--trunk", "Loopback"), "--trunk Loopback: says nothing about an outbound call"),
        (("--source", "127.0.0.1", "--agent", "x"), "--agent x: says nothing about an inbound call"),
        (("--outbound", "--agent", "nobody"), "nobody"),
    ],
)
def test_options_of_the_other_direction_are_mistakes(
    shop: Gateway, words: tuple[str, ...], said: str
) -> None:
    """They would be passed over in silence."""
    result = shop("explain", "--to", INDIA, *words)
    assert result.exit_code == 2
    assert said in result.stderr
