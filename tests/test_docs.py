"""The documents, held to the code: what is told, counted and answered stands there, and nothing else does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import __version__
from gateway.api.refusal import STATUSES
from gateway.call.record import EndReason, Status
from gateway.call.refusal import ANSWERS
from gateway.routing.decision import Reason
from gateway.routing.mending import MENDS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))

TELLING = {"tell", "_tell"}
"The names of the methods by which events are told."

EVERYWHERE = {"level", "call_id", "workspace_id"}
"What the table has in a column of its own, or says of all events."

AS_LOGGED = {"exc_info": "exception"}

EVENT = re.compile(r"[a-z]+\.[a-z_]+")


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    target = node.func
    return (
        target.attr
        if isinstance(target, ast.Attribute)
        else target.id
        if isinstance(target, ast.Name)
        else ""
    )


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may come to, as far as they are written out."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def events_told() -> set[str]:
    """Every event name that stands in the code."""
    return {
        text
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and called(node) in TELLING and node.args
        for text in literals(node.args[0])
        if EVENT.fullmatch(text)
    }


def fields_told() -> dict[str, set[str]]:
    """What each event is told with, as far as it is written out where it is told."""
    fields: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and called(node) in TELLING and node.args:
                given = {AS_LOGGED.get(word.arg, word.arg) for word in node.keywords if word.arg} - EVERYWHERE
                for text in literals(node.args[0]):
                    fields.setdefault(text, set()).update(given)
    return fields


def rows(name: str) -> list[list[str]]:
    """The cells of every table row of a document, code marks taken off."""
    lines = (DOCS / name).read_text().splitlines()
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]


def metrics_kept() -> set[str]:
    """Every metric name: those of the counters and histograms, and the gauges that the app reads."""
    written = "".join(path.read_text() for path in (ROOT / "gateway/events").glob("*.py"))
    names = set(re.findall(r'"(trunkline_\w+)"', written))
    for node in ast.walk(ast.parse((ROOT / "gateway/app/figures.py").read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "figures_of":
            names |= {
                f"trunkline_{text}"
                for part in ast.walk(node)
                if isinstance(part, ast.Dict)
                for key in part.keys
                if key is not None
                for text in literals(key)
            }
    return names


def test_every_event_is_documented() -> None:
    """docs/logging.md lists the events that the code tells, all of them and no other."""
    told = events_told()
    assert len(told) > 20, "the search itself is broken"
    assert {row[0] for row in rows("logging.md") if EVENT.fullmatch(row[0])} == told


def test_every_field_is_documented() -> None:
    """The row of an event in docs/logging.md names the fields that it is told with."""
    told = fields_told()
    assert told["call.sent"] == {"trunk", "dialled", "to"}, "the search itself is broken"
    missing = {
        row[0]: sorted(told[row[0]] - set(re.findall(r"\w+", row[2])))
        for row in rows("logging.md")
        if row[0] in told
    }
    assert not {name: fields for name, fields in missing.items() if fields}


def test_every_metric_is_documented() -> None:
    """docs/operating.md lists the metrics, all of them and no other."""
    kept = metrics_kept()
    assert len(kept) > 10, "the search itself is broken"
    listed = {row[0] for row in rows("operating.md") if row[0].startswith("trunkline_")}
    assert {re.sub(r"_total$", "", name) for name in listed} == kept


@pytest.mark.parametrize("word", [*Status, *EndReason])
def test_every_status_and_end_reason_is_documented(word: Status | EndReason) -> None:
    """docs/calls.md has a table row for each word that a record can end with."""
    assert any(row[0] == word.value for row in rows("calls.md"))


@pytest.mark.parametrize("reason", ANSWERS, ids=str)
def test_every_refusal_is_documented(reason: EndReason | Reason) -> None:
    """docs/calls.md says what each refusal looks like to the peer: status, phrase and cause."""
    answer = ANSWERS[reason]
    assert [reason.value, f"{answer.status} {answer.phrase}", str(answer.q850)] in [
        row[:3] for row in rows("calls.md")
    ]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in ANSWERS])
def test_every_refusal_of_a_request_is_documented(reason: Reason) -> None:
    """docs/calls.md says which HTTP status a rule for calls that we place has, and what mends it."""
    mend = MENDS[reason]
    expected = [reason.value, str(STATUSES[reason.group]), mend.owner, mend.command]
    assert expected in rows("calls.md")


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link of a document leads to a file that is there."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing


def test_there_is_one_version() -> None:
    """README.md and the newest heading of CHANGELOG.md name the version that `gateway --version` says."""
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    stands = re.search(r"^(\d+\.\d+\.\d+)\b", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert stands is not None
    assert heading[1] == stands[1] == __version__


@pytest.mark.parametrize(
    "page",
    [
        "docs/extending.md",
        "CONTRIBUTING.md",
        "docs/glossary.md",
        "docs/architecture.md",
        "docs/reading-the-code.md",
    ],
)
def test_files_that_are_named_are_there(page: str) -> None:
    """Paths from the root, and those below `gateway/` as comments write them."""
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.(?:py|md|toml|html))?)`", text))
    gone = [
        name for name in sorted(named) if not any((ROOT / where / name).exists() for where in ("", "gateway"))
    ]
    assert not gone, gone


def names_in(path: Path) -> set[str]:
    """What a module defines: `function`, `NAME`, `Class`, `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names |= set(defined_by(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for each in node.body for name in defined_by(each)}
    return names


def defined_by(node: ast.stmt) -> list[str]:
    """The names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def test_where_is_what() -> None:
    """Each `file.py:name` of docs/reading-the-code.md is there, as is each `Class.method` behind it."""
    text = (DOCS / "reading-the-code.md").read_text()
    named = re.findall(r"`([a-z_/0-9]+\.py):([\w.]+)`", text)
    assert len(named) > 40, "the search itself is broken"
    gone = [(file, name) for file, name in named if name not in names_in(ROOT / "gateway" / file)]
    assert not gone
    known = {name for path in SOURCES for name in names_in(path)}
    bare = re.findall(r"`([A-Z]\w+\.\w+)`", text)
    assert not [name for name in bare if name not in known]
