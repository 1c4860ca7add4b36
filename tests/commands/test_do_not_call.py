"""`gateway do-not-call`: added, listed, removed, written to a file; and heeded by what decides."""

from pathlib import Path

import pytest

from tests.commands.conftest import Gateway, answer

ANNA, BORIS = "+442079460001", "+442079460002"


def test_a_lists_life(gateway: Gateway, tmp_path: Path) -> None:
    """In any clear writing; twice is once; what comes and goes is told, and in the history by its number."""
    added = answer(gateway("do-not-call", "add", "+44 20 7946 0001", ANNA, BORIS, "--reason", "asked us"))
    assert added == {"added": 2, "already_listed": 0, "total": 2}
    assert answer(gateway("do-not-call", "add", ANNA))["already_listed"] == 1
    rows = answer(gateway("do-not-call", "list"))
    assert [(row["phone_number"], row["reason"]) for row in rows] == [(ANNA, "asked us"), (BORIS, "asked us")]
    assert len(answer(gateway("do-not-call", "list", "--limit", "1", "--page", "2"))) == 1
    assert answer(gateway("do-not-call", "list", "--search", "+4420 7946 0002"))[0]["phone_number"] == BORIS
    file = tmp_path / "list.csv"
    assert gateway("do-not-call", "export", "--out", file).exit_code == 0
    assert file.read_text().splitlines()[1].startswith(f"{ANNA},asked us,cli:")
    assert gateway("do-not-call", "remove", ANNA).exit_code == 2, "nobody is there to be asked"
    removed = answer(gateway("do-not-call", "remove", ANNA, "+4420 7946 0009", "-y"))
    assert removed == {"removed": 1, "not_listed": 1, "total": 1}
    answer(gateway("do-not-call", "add", ANNA, "--reason", "asked again"))
    (told,) = answer(gateway("history", ANNA))
    assert (told["kind"], told["action"], told["fields"]["e164"]) == ("do_not_call", "add", [None, ANNA])


def test_what_is_no_number_is_told(gateway: Gateway) -> None:
    """Each with what would be right, and none is added; the workspace's country makes local ones clear."""
    result = gateway("do-not-call", "add", ANNA, "98765 43210", "911")
    assert result.exit_code == 2
    assert "NUMBER 98765 43210: should be" in result.stderr
    assert "NUMBER 911: should be" in result.stderr
    assert answer(gateway("do-not-call", "list")) == []
    answer(gateway("workspaces", "set", "Demo", "default_country=in", "timezone=asia/kolkata"))
    shown = answer(gateway("workspaces", "show", "Demo"))
    assert (shown["default_country"], shown["timezone"]) == ("IN", "Asia/Kolkata")
    assert answer(gateway("do-not-call", "add", "98765 43210"))["added"] == 1
    assert answer(gateway("do-not-call", "list"))[0]["phone_number"] == "+919876543210"
    answer(gateway("workspaces", "set", "Demo", "default_country="))
    assert answer(gateway("workspaces", "show", "Demo"))["default_country"] is None


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("timezone=Europe/Pariss", "did you mean Europe/Paris?"),
        ("timezone=CET+1", "should be a time zone such as"),
        ("default_country=UK", "should be the two letters of a country"),
    ],
)
def test_zones_and_countries_are_real_ones(gateway: Gateway, field: str, said: str) -> None:
    """What is none is refused, with what is like it."""
    result = gateway("workspaces", "set", "Demo", field)
    assert result.exit_code == 2
    assert said in result.stderr


def test_explain_knows_the_list(gateway: Gateway) -> None:
    """The decision is the gateway's own."""
    gateway("trunks", "set", "Loopback", "termination_uri=127.0.0.1:5999")
    gateway("workspaces", "set", "Demo", "kyc_verified=true", "sip_byoc_enabled=true")
    answer(gateway("do-not-call", "add", "+14155550100", "--reason", "opted out"))
    result = gateway("explain", "--outbound", "--to", "+1 415 555 0100")
    assert "do_not_call" in result.stdout
    assert "opted out" in result.stdout
    answer(gateway("do-not-call", "remove", "+14155550100", "-y"))
    assert "do_not_call" not in gateway("explain", "--outbound", "--to", "+1 415 555 0100").stdout


def test_a_file_is_imported_whole_or_not_at_all(gateway: Gateway, tmp_path: Path) -> None:
    """Wrong lines are told; skipped where that is asked for; the history has the file's name."""
    file = tmp_path / "opted-out.csv"
    file.write_text(f"name,phone_number\nAnna,{ANNA}\nNobody,112\nBoris,{BORIS}\n")
    result = gateway("do-not-call", "import", file)
    assert result.exit_code == 2
    assert f"{file}: line 3: 112: should be" in result.stderr
    assert "nothing was added: 1 line is no number" in result.stderr
    assert answer(gateway("do-not-call", "list")) == []
    added = answer(gateway("do-not-call", "import", file, "--skip-invalid", "--reason", "old system"))
    assert added == {"added": 2, "already_listed": 0, "total": 2}
    told = answer(gateway("history", "Demo"))[0]
    assert told["fields"]["file"] == [None, "opted-out.csv"]
    file.write_bytes(b"")
    assert "There is nothing in" in gateway("do-not-call", "import", file).stderr
    assert gateway("do-not-call", "import", tmp_path / "nowhere.csv").exit_code == 1
