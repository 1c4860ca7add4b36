"""`gateway wallet`: paid in, corrected, shown, closed."""

import pytest

from tests.commands.conftest import Gateway, answer


def test_a_wallets_life(gateway: Gateway) -> None:
    """Opened, topped up, corrected and closed; each entry says by whom and why."""
    opened = answer(gateway("wallet", "open", "Demo", "500"))
    assert (opened["balance"], opened["available"], opened["currency"]) == ("500", "500", "INR")
    answer(gateway("wallet", "top-up", "Demo", "12.50", "--note", "invoice 7"))
    corrected = answer(gateway("wallet", "adjust", "Demo", "-50", "--note", "paid in twice"))
    assert corrected["balance"] == "462.5"
    closed = answer(gateway("wallet", "close", "Demo", "--yes"))
    assert closed["is_open"] is False
    shown = answer(gateway("wallet", "show", "Demo"))
    assert [(each["kind"], each["amount"], each["note"]) for each in shown["entries"]] == [
        ("close", "0", ""),
        ("adjust", "-50", "paid in twice"),
        ("top_up", "12.5", "invoice 7"),
        ("open", "500", ""),
    ]
    assert all(each["by"].startswith("cli:") for each in shown["entries"])
    (listed,) = answer(gateway("wallet", "list"))
    assert (listed["workspace"], listed["balance"]) == ("Demo", "462.5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "Demo"), "this workspace has none: gateway wallet open"),
        (("top-up", "Demo", "5"), "this workspace has no open wallet: gateway wallet open"),
        (("open", "Demo", "much"), "AMOUNT much: should be an amount such as 0.0125"),
        (("open", "Demo", "0.1234567"), "should have at most six decimals"),
        (("open", "Nobody"), "there is no such workspace"),
    ],
)
def test_mistakes_are_told(gateway: Gateway, words: tuple[str, ...], said: str) -> None:
    """In a sentence with what would be right, and nothing is changed."""
    result = gateway("wallet", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert answer(gateway("wallet", "list")) == []


def test_what_is_open_or_closed_stays_so(gateway: Gateway) -> None:
    """A second time is a mistake; paying in nothing, too."""
    answer(gateway("wallet", "open", "Demo"))
    assert "has an open wallet already" in gateway("wallet", "open", "Demo", "5").stderr
    assert "should be more than 0" in gateway("wallet", "top-up", "Demo", "0").stderr
    assert gateway("wallet", "close", "Demo", given="n\n").exit_code == 1
    assert gateway("wallet", "close", "Demo", given="y\n").exit_code == 0
    assert "is closed already" in gateway("wallet", "close", "Demo", "--yes").stderr


def test_an_empty_wallet_refuses_the_quote(gateway: Gateway) -> None:
    """With what is in it."""
    gateway("trunks", "set", "Loopback", "termination_uri=127.0.0.1:5999")
    gateway("wallet", "open", "Demo", "0.49")
    result = gateway("rates", "quote", "+919812345678")
    assert result.exit_code == 1
    assert '"reason": "insufficient_balance"' in result.stdout
    gateway("wallet", "top-up", "Demo", "0.01")
    assert answer(gateway("rates", "quote", "+919812345678"))["balance"] == "0.5"
