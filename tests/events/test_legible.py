"""What strangers write reaches no terminal, log viewer or spreadsheet as anything but text."""

import io
import json
from datetime import UTC, datetime

import pytest
import typer
from rich.console import Console

from gateway.commands import output
from gateway.commands.following import line_sink
from gateway.events.bus import Event
from gateway.events.call_sheet import line
from gateway.events.legible import UNSAFE, escaped_json, legible, legible_json, legible_values
from gateway.events.log import log_sink

HOSTILE = {
    "clear the screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "C1 sequence introducer": "\x9b2J",
    "C1 string": "\x90payload\x9c",
    "delete": "a\x7f\x7fb",
    "backspace": "real\b\b\b\bfake",
    "return": "real\rfake",
    "line": "first\nsecond",
    "tab and feed": "a\t\v\fb",
    "zero": "a\0b",
    "right to left": "\u202egpj.exe",
    "isolates": "\u2066a\u2069",
    "marks": "a\u200eb\u200f\u061c",
    "separators": "a\u2028b\u2029",
    "unseen": "a\u200b\ufeff\u2060\xad",
    "tags": "a\U000e0041",
    "half a pair": "a\ud800b",
}
HARMLESS = ("+442079460018", "Zoë", "नमस्ते", "کرم\u200cها", "👩\u200d👩\u200d👧", "a\\b", "„x“ – y", "日本語")


@pytest.fixture(params=HOSTILE.values(), ids=tuple(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    """Something that a carrier may write."""
    return str(request.param)


def event(text: str, **more: object) -> Event:
    """One that carries it in every way."""
    decision = {"summary": text, "checks": [{"found": text}]}
    return Event("call.ended", {"detail": text, "deep": {text: [text]}, "decision": decision, **more})


def logged(told: Event, style: str, *, colours: bool = False) -> str:
    """What a log makes of it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return colours

    out = Terminal()
    log_sink("debug", style, out)(told)
    return out.getvalue()


def test_json_log(hostile: str) -> None:
    """One line, nothing unseen in it, and a reader of JSON finds all that was written."""
    text = logged(event(hostile), "json")
    assert text.endswith("}\n")
    assert not UNSAFE.search(text[:-1])
    read = json.loads(text)
    assert read["detail"] == hostile
    assert read["deep"] == {hostile: [hostile]}


@pytest.mark.parametrize("colours", [False, True])
def test_console_log(hostile: str, colours: bool) -> None:
    """On a terminal there are our colours, and nothing else that a terminal obeys."""
    text = logged(event(hostile), "console", colours=colours)
    plain = logged(event("harmless"), "console", colours=colours)
    assert text.count("\n") == plain.count("\n") == 1
    assert text.count("\x1b") == plain.count("\x1b")
    for found in UNSAFE.findall(text.replace("\x1b", "").rstrip("\n")):
        raise AssertionError(repr(found))


def test_a_traceback(hostile: str) -> None:
    """An exception's text is no better; its lines stay lines."""
    try:
        raise ValueError(hostile)
    except ValueError as error:
        told = event("x", exc_info=error)
    for style in ("json", "console"):
        text = logged(told, style)
        assert "Traceback" in text
        assert not UNSAFE.search(text.replace("\n", "").replace("\t", ""))


def test_commands(hostile: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, lines, sentences, errors and JSON of the command."""
    shown = output.Output(as_json=False)
    shown.is_json = False
    shown.rows(
        [{"name": hostile, "list": [hostile], "map": {hostile: hostile}}], ["name", "list", "map"], "none"
    )
    shown.one({"name": hostile})
    shown.done({}, hostile)
    shown.lines({}, [hostile])
    with pytest.raises(typer.Exit):
        output.fail(hostile, 1)
    shown.is_json = True
    shown.one({"name": hostile})
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert not UNSAFE.search(text.replace("\n", ""))
    assert json.loads(told.out[told.out.rindex("{") :]) == {"name": hostile}


def test_a_call_that_is_followed(hostile: str) -> None:
    """One line an event."""
    out = io.StringIO()
    show = line_sink(Console(file=out, force_terminal=False, width=400))
    show(Event("agent.closed", {"call_id": hostile, "why": hostile}, "info", datetime.now(UTC)))
    assert out.getvalue().count("\n") == 2
    assert not UNSAFE.search(out.getvalue().replace("\n", ""))


def test_csv(hostile: str) -> None:
    """A cell is a line of text, and no formula."""
    for cell in (hostile, {hostile: hostile}):
        assert not UNSAFE.search(line([cell]).rstrip("\r\n"))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_left_alone(text: str) -> None:
    """Every language, and what it is written with."""
    assert legible(text) == text
    assert json.loads(legible_json({"a": text})) == {"a": text}
    assert text.encode() in legible_json(text.replace("\\", "")).encode() or "\\" in text


def test_other_values() -> None:
    """Numbers, truths and nothing stay what they are."""
    value = {"a": [1, 2.5, True, None], "b": ("x",)}
    assert legible_values(value) == {"a": [1, 2.5, True, None], "b": ["x"]}
    assert escaped_json('{\n  "a": "\x7f\x85\u202e\U000e0041"\n}') == (
        '{\n  "a": "\\u007f\\u0085\\u202e\\udb40\\udc41"\n}'
    )
