"""`gateway calls`, `gateway tail` and `gateway history` as a person at a terminal meets them."""

import asyncio
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from typer.testing import Result

from gateway.commands.call_page import Names, listed_calls, page_of
from gateway.commands.output import Output
from gateway.config.loading import load_config
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow
from gateway.store.sql import open_store
from tests.commands.conftest import answer

Gateway = Callable[..., Result]

BEGAN = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ENDED = CallRow(
    id="call_01m85m1gbt83exwnbdjt8m8z3n",
    direction="outbound",
    status="completed",
    created_at=BEGAN,
    from_number="+12025550101",
    to_number="+442079460018",
    end_reason="agent_disconnected",
    ended_by="agent",
    detail="the agent hung up",
    ringing_at=BEGAN + timedelta(seconds=1),
    answered_at=BEGAN + timedelta(seconds=4),
    ended_at=BEGAN + timedelta(seconds=46, milliseconds=500),
    duration_ms=42_500,
    price=Decimal("0.0240"),
    rate=Decimal("0.024"),
    rate_prefix="4420",
    billed_seconds=60,
    increment="60/60",
    currency="USD",
    ladder=(
        {"at": BEGAN.isoformat(), "sent": True, "line": "INVITE"},
        {"at": (BEGAN + timedelta(milliseconds=80)).isoformat(), "sent": False, "line": "180 Ringing"},
    ),
    decision={
        "checks": [{"outcome": "pass", "name": "trunk", "looked_at": "Carrier", "found": "enabled"}],
        "near_misses": [],
        "summary": "by Carrier",
    },
    metadata={"order": "17 [bold]"},
)
REFUSED = replace(
    ENDED,
    id="call_01m85m1gbt83exwnbdjt8m8z3p",
    direction="inbound",
    status="failed",
    from_number="電話" * 20,
    to_number="a-very-long-name-that-some-carrier-wrote-where-a-number-belongs@example.com",
    end_reason="unknown_number",
    detail="no number here",
    answered_at=None,
    duration_ms=0,
    price=None,
    rate=None,
)
LIVE = replace(ENDED, id="call_01m85m1gbt83exwnbdjt8m8z3q", status="received", ended_at=None, end_reason=None)


def drawn(what: RenderableType, width: int) -> list[str]:
    """The lines that a terminal of that width shows."""
    console = Console(file=io.StringIO(), width=width, emoji=False)
    console.print(what)
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 132, 200, 300])
def test_list_fits_every_width(width: int) -> None:
    """No line is wider than the terminal, no id is broken, and nothing is cut off."""
    lines = drawn(listed_calls([ENDED, REFUSED, LIVE], Console(width=width)), width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for call in (ENDED, REFUSED, LIVE):
        assert call.id in text
    assert text.count("電") == 20
    assert "agent_disconnected" in text
    assert "goes on" in text


def test_list_of_80_columns_has_two_lines_a_call() -> None:
    """Who called whom and how it went stand together."""
    assert drawn(listed_calls([ENDED], Console(width=80)), 80) == [
        "call_01m85m1gbt83exwnbdjt8m8z3n  2027-01-31 12:00:00  outbound",
        "  +12025550101 → +442079460018  completed: agent_disconnected  43 s",
    ]


def test_call_is_shown_in_sections() -> None:
    """Ending, timeline, decision, messages and money, with names in the place of ids."""
    names = Names("Acme", "Carrier", "Desk/2", CallTexts(ENDED.id, "org_1", summary="Booked a table."))
    lines = drawn(page_of(ENDED, names, None), 100)
    text = "\n".join(lines)
    for expected in (
        "agent         Desk/2",
        "+46.500 s     ended  (2027-01-31 12:00:46)",
        "+0.080 s      ← 180 Ringing",
        "price         0.024 USD",
        "billed        60 s, by 60/60 s",
        "✓ Carrier → enabled",
        "metadata      order: 17 [bold]",
        "summary       Booked a table.",
    ):
        assert expected in text, text
    assert "what mends it" not in text
    assert "{" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_refused_call_says_what_mends_it(width: int) -> None:
    """In the words of the dashboard, with the operator's command, within the width."""
    lines = drawn(page_of(REFUSED, Names("", "", "", None), "+447700900123"), width)
    assert max(map(cell_len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "what mends it" in text
    assert "Link or buy the number." in text
    assert "+447700900123" in text
    assert "Money" not in text


def test_wide_lists_become_cards(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not fit side by side is told one thing after the other; what fits is a table."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    row = {"name": "Carrier", "sources": ["192.0.2.0/24"], "password": None, "id": "trunk_" + "x" * 26}
    for width, expected in (("40", "  sources: 192.0.2.0/24; id:"), ("120", "│ Carrier │")):
        monkeypatch.setenv("COLUMNS", width)
        Output(as_json=False).rows([row], ("name", "sources", "password", "id"), "")
        said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert expected in said
        assert max(map(len, said.splitlines())) <= int(width)


# --- with a store


@pytest.fixture
def kept(gateway: Gateway) -> Gateway:
    """The command, with two ended calls and one that goes on in the database."""
    answer(gateway("numbers", "list"))

    async def keep() -> None:
        store = await open_store(load_config(None, dict(os.environ)))
        for row in (ENDED, REFUSED, LIVE):
            store.save_call(row)
        await store.flush()
        await store.close()

    asyncio.run(keep())
    return gateway


def test_calls_are_found_by_what_people_write(kept: Gateway) -> None:
    """Numbers in any writing; words that are none are named with those that are."""
    for number in ("+44 20 7946 0018", "442079460018", "+44 (0)20 7946-0018".replace("(0)", "")):
        found = answer(kept("calls", "list", "--to", number, "--ended"))
        assert [call["id"] for call in found] == [ENDED.id]
    assert [call["id"] for call in answer(kept("calls", "list", "--from", REFUSED.from_number))] == [
        REFUSED.id
    ]
    assert answer(kept("calls", "show", ENDED.id))["price"] == "0.024"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--status", "done"], "--status done: should be of: created, "),
        (["--end-reason", "bored"], "--end-reason bored: should be of: "),
        (["--since", "yesterday"], "--since yesterday: should be a day or time such as 2027-01-31"),
        (["--until", "2027-01-31T12:00"], "--until 2027-01-31T12:00: should have a time zone"),
        (["--trunk", "Nowhere"], "--trunk Nowhere: there is no such trunk"),
        (["--workspace", "Nowhere"], "--workspace Nowhere: "),
        (["--direction", "sideways"], "'sideways'"),
        (["--limit", "0"], "--limit 0: should be from 1 to 200"),
        (["--limit", "many"], "'--limit': many: Input should be a valid integer"),
        (["--colour"], "--colour"),
        (["extra"], "extra"),
    ],
)
def test_wrong_arguments_are_named_as_they_were_written(
    gateway: Gateway, words: list[str], expected: str
) -> None:
    """The option, what was given, and what would be right; exit status 2."""
    result = gateway("calls", "list", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr


@pytest.mark.parametrize("verb", [["calls", "hangup"], ["tail"]])
def test_call_that_is_over_or_unknown_is_said_to_be(kept: Gateway, verb: list[str]) -> None:
    """Nothing waits for what cannot happen any more: 1 where it has ended, 2 where it never was."""
    ended = kept(*verb, ENDED.id)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"{ENDED.id} has ended (completed: agent_disconnected)" in ended.stderr
    unknown = kept(*verb, "call_unknown")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "call_unknown: there is no such call" in unknown.stderr
    alone = kept(*verb, LIVE.id)
    assert alone.exit_code == 1
    assert "error: " in alone.stderr


# --- history


def test_history_is_found_by_name_number_and_id(gateway: Gateway) -> None:
    """In any writing, of what is there and of what is gone; what never was is said to be nothing."""
    added = answer(gateway("numbers", "add", "+442079460123", "nickname=Desk"))
    by_id = answer(gateway("history", added["id"]))
    for written in ("+442079460123", "442079460123", "+44 20 7946 0123", "+44-20-7946-0123"):
        assert answer(gateway("history", written)) == by_id
    answer(gateway("numbers", "remove", "+442079460123", "--yes"))
    assert [change["action"] for change in answer(gateway("history", "442079460123"))] == ["remove", "add"]
    assert answer(gateway("history", "loopback"))[0]["kind"] == "trunk"
    assert answer(gateway("history", "Sample agent/1"))[0]["kind"] == "version"
    assert answer(gateway("history", "Demo"))[0]["kind"] == "workspace"
    answer(gateway("agents", "add", "Ärzte-100%", "runtime_url=ws://127.0.0.1:9/native"))
    answer(gateway("agents", "rename", "Ärzte-100%", "Praxis"))
    assert len(answer(gateway("history", "ärzte-100%"))) == 2
    assert len(answer(gateway("history", "praxis", "--limit", "1"))) == 1
    for nothing in ("nope", "+14155550100", "trunk_0", "10", "%", "Sample agent/77"):
        result = gateway("history", nothing)
        assert result.exit_code == 2, nothing
        assert f"WHAT {nothing}: there is, and was, nothing" in result.stderr


# --- words of before, and of elsewhere


def test_former_words_still_remove_with_a_notice(gateway: Gateway) -> None:
    """`revoke`, `discard`, `release` as they were, and what people type of themselves."""
    key = answer(gateway("keys", "add", "crm"))
    revoked = gateway("keys", "revoke", key["id"], "--yes")
    assert answer(revoked)["revoked_at"]
    assert revoked.stderr.startswith("notice: revoke is taken for: ")
    assert revoked.stderr.endswith(" keys remove\n")
    answer(gateway("agents", "draft", "Sample agent (twilio)"))
    assert answer(gateway("agents", "discard", "Sample agent (twilio)/2", "--yes"))["state"] == "draft"
    answer(gateway("numbers", "add", "+442079460124"))
    assert "numbers remove" in gateway("numbers", "release", "+442079460124", "--yes").stderr
    answer(gateway("trunks", "add", "Carrier"))
    assert answer(gateway("trunks", "delete", "Carrier", "--yes"))["name"] == "Carrier"
    assert gateway("trunks", "revoke", "Loopback", "--yes").exit_code == 2
    assert [each["name"] for each in answer(gateway("trunks", "ls"))] == ["Loopback"]


def test_misspelt_words_are_answered_with_those_there_are(gateway: Gateway) -> None:
    """The nearest, or all."""
    assert "did you mean calls?" in gateway("cals", "list").stderr
    assert "there are list, " in gateway("calls", "frobnicate").stderr
    assert gateway("calls", "frobnicate").exit_code == 2


# --- whoever reads no further, and whoever interrupts


def run_alone(*words: str, then: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell's pipe, with the statuses of both ends."""
    line = f'"{sys.executable}" -m gateway {" ".join(words)} | {then}; echo "${{PIPESTATUS[0]}}"'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", [["calls", "list", "--limit", "200"], ["--help"], ["numbers", "list"]])
def test_closed_pipe_leaves_no_traceback(kept: Gateway, words: list[str]) -> None:
    """`| true` has gone before the first line comes."""
    done = run_alone(*words, then="true")
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")
