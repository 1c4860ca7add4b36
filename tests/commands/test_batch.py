"""`gateway batch` as a person at a terminal meets it: lists, one batch, groups of rows, the bar's words."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from gateway.api.shapes.batch import batch_item
from gateway.batch.retrying import RetryRule
from gateway.commands.batch_asking import show_groups
from gateway.commands.batch_page import report_lines, show_batch, show_list
from gateway.commands.batch_watch import is_over, said
from gateway.commands.output import Output
from gateway.store.batches.values import Batch, Counts, Stage
from tests.commands.conftest import Gateway

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
HOURS = {
    "starts": "09:00:00",
    "ends": "18:00:00",
    "weekdays": [1, 2, 3, 4, 5],
    "holidays": ["2027-02-01"],
    "by": "callee",
    "zone": "Asia/Kolkata",
}
BATCH = batch_item(
    Batch(
        id="batch_01m85m1gbt83exwnbdjt8m8z3n",
        workspace_id="org_1",
        title="Spring [bold]",
        status="paused",
        created_at=NOW,
        created_by="cli:ada",
        agent_id="agent_1",
        version_id="ver_1",
        version_number=2,
        from_numbers=("+14155550100", "+14155550101"),
        total=500,
        failed_rows=12,
        why="the wallet is empty",
        why_code="insufficient_balance",
        timezone="Asia/Kolkata",
        hours=HOURS,
        retry=RetryRule(2, 1800, 2.0).as_dict(),
        counts=Counts(
            queued=180, dialling=3, done=300, failed=17, sent=330, picked_up=310, picked_up_leads=290
        ),
        stages=(Stage(0, 500, 330, 290), Stage(1, 40, 25, 20)),
    )
)
GROUPS: list[dict[str, Any]] = [
    {
        "reason": "duplicate",
        "title": "Duplicate phone number",
        "count": 7,
        "rows": [4, 9, 11, 12, 13, 14, 15],
        "samples": [{"position": 4, "phone_number": "+1 [415]", "detail": "as in row 2"}],
        "mend": "Keep one of the rows: each number is called once.",
    }
]
REPORT: dict[str, Any] = {
    "file_name": "people.csv",
    "sheet": None,
    "encoding": "UTF-8",
    "separator": "comma",
    "phone_column": "phone_number",
    "total_records": 512,
    "valid_records": 500,
    "failed_records": 12,
    "countries": {"US": 400, "IN": 100},
    "most_per_minute": "12.50",
    "currency": "INR",
    "notes": ["3 empty rows were left out"],
}


def terminal(width: int) -> Output:
    """An output that is a terminal of that width."""
    output = Output(as_json=False)
    output.is_json = False
    output.__dict__["console"] = Console(file=io.StringIO(), width=width, emoji=False, highlight=False)
    return output


def text_of(output: Output) -> str:
    """What it shows."""
    file = output.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 132])
def test_one_batch_fits_every_width(width: int) -> None:
    """Where it stands and why, its counts, its rounds, what it is to do; no line is too wide."""
    output = terminal(width)
    show_batch(output, BATCH)
    text = text_of(output)
    assert max(map(cell_len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for expected in ("Spring [bold]", "paused", "the wallet is empty", "retry 1", "Asia/Kolkata"):
        assert expected in flat
    if width > 80:
        assert "2, 30 minutes apart, each pause 2 times the one before, after busy, no_answer" in flat
        assert "09:00–18:00 Asia/Kolkata, by the callee’s clock" in flat


def test_lists_are_tables_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each; where there is none, what makes one."""
    output = terminal(140)
    show_list(output, [BATCH])
    assert "Spring [bold]" in text_of(output)
    assert "317" in text_of(output)
    empty = terminal(80)
    show_list(empty, [])
    assert "gateway batch start FILE" in text_of(empty)
    show_list(Output(as_json=True), [BATCH])
    assert '"picked_up_calls": 310' in capsys.readouterr().out


def test_groups_say_what_mends_them() -> None:
    """How many rows, which lines, a sample, and what to do; nothing in them is taken for markup."""
    output = terminal(160)
    show_groups(output.console, GROUPS)
    text = text_of(output)
    for expected in (
        "7",
        "Duplicate phone number",
        "Keep one of the rows",
        "4, 9, 11, 12, 13, …",
        "+1 [415]",
    ):
        assert expected in text


def test_a_report_in_lines() -> None:
    """The file, how it was read, who can be called, what a minute costs, what was noted."""
    assert report_lines(REPORT) == [
        "people.csv: 512 rows (UTF-8, comma), numbers in “phone_number”",
        "500 can be called, 12 cannot",
        "US 400, IN 100",
        "a minute with everybody: at most INR 12.50",
        "note: 3 empty rows were left out",
    ]


def test_the_bar_says_how_it_goes() -> None:
    """Beside it: what runs, was reached, failed, and why it stands still; over when no call runs any more."""
    assert said(BATCH) == "3 running  290 answered  17 failed  the wallet is empty"
    assert not is_over(BATCH)
    assert not is_over({**BATCH, "status": "cancelled"})
    assert is_over({**BATCH, "status": "cancelled", "running_lead_count": 0})


def test_without_a_gateway(gateway: Gateway, tmp_path: Path) -> None:
    """Each command says that there is none to ask, and fails; a file that is not there is named."""
    (tmp_path / "people.csv").write_text("phone_number\n+14155550100\n")
    for words in (("list",), ("show", "batch_1"), ("check", str(tmp_path / "people.csv"), "--agent", "a")):
        done = gateway("batch", *words)
        assert done.exit_code == 1
        assert "operator.token cannot be read" in " ".join(done.stderr.split())
